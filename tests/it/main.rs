//! The tests.
mod commands;
mod http_server;
