//! The tests: each file a part of the surface, each test a rule, told as requests and answers over a real socket.

mod harness;

mod http_server;
mod schema;
mod tidy;
mod token_client_credentials;
