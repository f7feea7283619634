//! The tests: each file a part of the surface, each test a rule, told as requests and answers over a real socket.

#![expect(unreachable_pub, reason = "a test binary exports nothing")]

mod harness;

mod audit;
mod authorize;
mod binary;
mod client_assertion;
mod client_auth;
mod client_documents;
mod commands;
mod discovery;
mod doctor;
mod errors;
mod examples;
mod faults;
mod flow;
mod guard;
mod http_server;
mod introspect;
mod keys;
mod page_account;
mod page_consent;
mod page_login;
mod page_logout;
mod page_setup;
mod pages;
mod private_key_jwt;
mod purge;
mod races;
mod readme;
mod recorded;
mod redirect_uri;
mod register;
mod resource_indicators;
mod revoke;
mod schema;
mod surface;
mod tidy;
mod token_authorization_code;
mod token_client_credentials;
mod token_endpoint;
mod token_refresh_token;
mod verify;
