//! Vestibule as seen by programs that were made elsewhere.
//!
//! One binary, because linking is what these tests cost most. `harness` starts Vestibule and plays the
//! person at the browser; `resource_server` is the MCP server behind it; `rmcp` and `oauth2` are the
//! clients. None of it uses Vestibule's own code: what agrees here agrees by protocol.

mod harness;
mod oauth2;
mod resource_server;
mod rmcp;
