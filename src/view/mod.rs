//! What each page looks like: a pure function from a `View` to markup, a file per page.
//!
//! Owns words and layout. Never reads a store, a request or the clock, and decides nothing: whoever fills
//! the `View` has decided already. Times arrive as text.

pub mod account;
pub mod consent;
pub mod html;
pub mod login;
pub mod logout;
pub mod problem;
pub mod setup;

#[cfg(test)]
mod tests;
