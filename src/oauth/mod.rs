//! The protocol's words and rules: pure functions and types that cannot hold a wrong value.
//!
//! No I/O, no database, no HTTP, no clock: the time is a parameter, and text comes in as text. A type here is
//! made by parsing and by nothing else, also when it comes back from the database.

pub mod assertion_problem;
pub mod authorization_code;
pub mod authorize_request;
pub mod claims;
pub mod client;
pub mod client_assertion;
pub mod client_document;
pub mod client_metadata;
pub mod document_url;
pub mod error;
pub mod grant_type;
pub mod guard;
pub mod ids;
pub mod issuer;
pub mod json;
pub mod key_set;
pub mod key_set_url;
pub mod metadata;
pub mod params;
pub mod pkce;
pub mod redirect_uri;
pub mod refresh_token;
pub mod refusal;
pub mod registration;
pub mod resource;
pub mod scope;
pub mod secret;
pub mod token_request;
pub mod visit;
