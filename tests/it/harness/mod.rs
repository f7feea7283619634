//! What every test stands on: a server on a real socket with a clock turned by hand, a browser that keeps cookies
//! and submits forms, and a client application. A test reads as a transcript of requests and answers.

mod answer;
mod behind;
mod browser;
mod client_app;
mod client_key;
mod crowd;
mod database;
mod host;
mod line;
mod listening;
mod person;
mod program;
mod raw;
mod script;
mod server;

pub use answer::Answer;
pub use behind::{Behind, Said, chunk};
pub use browser::Browser;
pub use client_app::{ClientApp, Pkce, Tokens};
pub use client_key::ClientKey;
pub use crowd::{Connection, Crowd, settle, until};
pub use host::{Host, Reply, Resolver};
pub use line::{End, Line};
pub use listening::Listening;
pub use person::{Person, Wire, ask};
pub use program::{House, Program, Serving};
pub use raw::RawAnswer;
pub use script::{Script, Scripted, Stage};
pub use server::{ISSUER, PASSWORD, R1, R2, SECRET, Server, client, resource};
