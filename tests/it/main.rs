//! The tests: each file a part of the surface, each test a rule, told as requests and answers over a real socket.

#![expect(unreachable_pub, reason = "a test binary exports nothing")]

mod harness;

mod authorize;
mod commands;
mod errors;
mod faults;
mod flow;
mod http_server;
mod introspect;
mod pages;
mod redirect_uri;
mod resource_indicators;
mod revoke;
mod schema;
mod tidy;
mod token_client_credentials;
mod token_endpoint;
