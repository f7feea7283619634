//! Nothing to link to: the tests under `tests/` are the package.
//!
//! They drive the built `vestibule` binary with an MCP client (`rmcp`) and an OAuth client (`oauth2`) that
//! were made elsewhere. `cargo test -p vestibule-clients` runs them alone. `examples/rmcp.rs` is the client that
//! `tests/interop` drives, with a real browser.
