//! The tests.
mod http_server;
