//! The tests: each file a part of the surface, each test a rule, told as requests and answers over a real socket.

#![expect(unreachable_pub, reason = "a test binary exports nothing")]

mod harness;

mod binary;
mod commands;
mod examples;
mod flow;
mod http_server;
mod pages;
mod schema;
mod tidy;
mod token_client_credentials;
