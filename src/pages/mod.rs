//! The pages people see in a browser: sign-in, consent, set-up, account.

pub mod html;
pub mod view;
