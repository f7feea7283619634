//! The little of HTTP that is used here: one request type, one response type, forms, cookies, addresses.
//!
//! Owns every rule about bytes on the wire that does not depend on what a request is *for*. It never knows
//! a path, an OAuth word or the application. hyper is named here and in `server.rs`, and nowhere else.
//!
//! ```text
//! socket      bytes in and out, with a deadline for every kind of silence
//! head_watch  sees each request head as it was sent, before hyper tidies it up
//! screen      refuses the heads that hyper would let through
//! link        what the socket, the requests and the server know together about one connection
//! request     what a handler reads        response   what a handler answers
//! stream      bodies that pass through, piece by piece
//! challenge   what a 401 of somebody else's asks for
//! ```

mod challenge;
mod client_ip;
mod content_type;
mod cookie;
mod cors;
mod form;
mod head_watch;
mod link;
mod networks;
mod request;
mod response;
mod screen;
mod socket;
mod stream;

pub use challenge::{Challenge, Parameter, challenges};
pub use client_ip::TrustedProxies;
pub use content_type::is_json;
pub use cors::for_any_origin;
pub use form::{Form, Malformed};
pub use hyper::header::{HeaderName, HeaderValue};
pub use hyper::{HeaderMap, Method, StatusCode as Status};
pub use networks::{Networks, NotANetwork};
pub use request::{BodyRefusal, Head, Request};
pub use response::Response;
pub use stream::{Cut, Inspector, RequestBody, Stream, Taken};

pub(crate) use link::Link;
pub(crate) use response::Answer;
pub(crate) use screen::{Refusal, screen};
pub(crate) use socket::{Deadlines, Socket};
