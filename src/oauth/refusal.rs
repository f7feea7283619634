//! Every reason to refuse, one enum per surface, and the one match from each reason to the wire.
//!
//! The variant is for the owner: it goes to the log and to the audit, with the data it carries. The word and the
//! sentence are for the caller: fixed texts without data, in the characters that RFC 6749 5.2 allows.

mod authorize;
mod page;
mod registration;
mod token;

pub use authorize::AuthorizeRefusal;
pub use page::PageRefusal;
pub use registration::{DocumentRefusal, RegistrationRefusal};
pub use token::TokenRefusal;
