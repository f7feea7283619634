//! Vestibule as a running program, and a person who signs in to it.

mod binary;
mod browser;
mod forms;
mod vestibule;

pub(crate) use browser::{Answer, Browser, Person, Visit};
pub(crate) use vestibule::{RegisteredClient, Vestibule};
