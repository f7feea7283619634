//! Vestibule: an OAuth 2.1 authorization server for a homelab.

pub mod app;
pub mod audit;
pub mod clock;
pub mod commands;
pub mod config;
pub mod crypto;
pub mod http;
pub mod limits;
pub mod log;
pub mod oauth;

pub mod server;
pub mod store;
pub mod view;
