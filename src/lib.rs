//! Vestibule: an OAuth 2.1 authorization server for a homelab.

pub mod clock;
pub mod http;
pub mod log;
pub mod server;
