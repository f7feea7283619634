//! The documents that clients and servers discover us by: metadata (RFC 8414, OpenID Connect Discovery) and keys.

use bytes::Bytes;

use super::fault;
use crate::app::{App, Documents};
use crate::clock::UnixTime;
use crate::http::{Response, Status};

/// For how long anybody may keep a copy. A new signing key is published for that long before it signs.
pub const MAX_AGE: &str = "public, max-age=300";

/// `/.well-known/oauth-authorization-server`.
pub fn authorization_server(app: &App, now: UnixTime) -> Response {
    document(app, now, |documents| &documents.authorization_server)
}

/// `/.well-known/openid-configuration`.
pub fn openid_configuration(app: &App, now: UnixTime) -> Response {
    document(app, now, |documents| &documents.openid_configuration)
}

/// `/.well-known/jwks.json`.
pub fn jwks(app: &App, now: UnixTime) -> Response {
    document(app, now, |documents| &documents.jwks)
}

fn document(app: &App, now: UnixTime, pick: impl FnOnce(&Documents) -> &Bytes) -> Response {
    match app.view(now) {
        Ok(view) => Response::json_bytes(Status::OK, pick(view.documents()).clone())
            .with_header("cache-control", MAX_AGE),
        Err(why) => fault(&why),
    }
}
