//! The tests: each file a part of the surface, each test a rule, told as requests and answers over a real socket.

#![expect(unreachable_pub, reason = "a test binary exports nothing")]

mod harness;

mod audit;
mod commands;
mod flow;
mod http_server;
mod keys;
mod page_account;
mod page_consent;
mod page_login;
mod page_logout;
mod page_setup;
mod pages;
mod purge;
mod schema;
mod tidy;
mod token_client_credentials;
