//! An MCP server that Vestibule protects, as somebody else would write it: `rmcp`'s server behind a check
//! of the access token.

mod access_token;
mod door;
mod server;
mod stand_in_issuer;
mod tools;

pub(crate) use access_token::{AccessToken, Verifier};
pub(crate) use server::McpServer;
