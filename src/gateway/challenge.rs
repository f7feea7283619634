//! What whoever may not pass is told (RFC 6750 3, RFC 9728 5.1, MCP authorization 2026-07-28): where to sign in, for what,
//! and why the token that came does not do. Never a redirect, which ends an MCP client's connection.

use serde::Serialize;

use super::bearer::BearerRefusal;
use super::metadata::metadata_url;
use crate::http::{Response, Status};
use crate::oauth::error::ErrorCode;
use crate::oauth::resource::Resource;
use crate::oauth::scope::Scope;

/// The body (RFC 6749 5.2).
#[derive(Serialize)]
struct Body<'a> {
    error: &'a str,
    error_description: &'a str,
}

/// A refusal for which no token would be the remedy.
pub(super) fn denied(status: Status, error: ErrorCode, description: &str) -> Response {
    let body = Body { error: error.as_str(), error_description: description };
    Response::json(status, &body).no_store()
}

/// The answer to a refusal. `path` is the path that was asked for, so that the metadata is found in the spelling that the
/// person typed.
pub(super) fn refuse(resource: &Resource, path: &str, refusal: &BearerRefusal) -> Response {
    let (status, error, description) = match refusal {
        BearerRefusal::Missing => (
            Status::UNAUTHORIZED,
            None,
            "This server needs an access token. Give its URL to an MCP client, which will ask you to sign in.",
        ),
        BearerRefusal::Unknown | BearerRefusal::Expired(_) | BearerRefusal::Ended(_) => (
            Status::UNAUTHORIZED,
            Some("invalid_token"),
            "The access token has ended, was revoked, or is none of this server's.",
        ),
        BearerRefusal::ForOthers(_) => {
            (Status::UNAUTHORIZED, Some("invalid_token"), "The access token is for another server.")
        }
        BearerRefusal::Insufficient(..) => (
            Status::FORBIDDEN,
            Some("insufficient_scope"),
            "This call needs a scope that the access token does not have.",
        ),
        BearerRefusal::Closed(_) => {
            let description = "Whoever runs this server does not admit you to it; ask them to.";
            return denied(Status::FORBIDDEN, ErrorCode::AccessDenied, description);
        }
    };
    let mut challenge = format!(r#"Bearer resource_metadata="{}""#, metadata_url(resource, path));
    if let Some(error) = error {
        challenge.push_str(&format!(r#", error="{error}", error_description="{description}""#));
    }
    let scope = match refusal {
        BearerRefusal::Insufficient(needed, _) => needed.clone(),
        _ => first_scope(resource),
    };
    if !scope.is_empty() {
        challenge.push_str(&format!(r#", scope="{scope}""#));
    }
    let body = Body { error: error.unwrap_or("invalid_token"), error_description: description };
    Response::json(status, &body).no_store().with_header("www-authenticate", &challenge)
}

/// What a client is to ask for at first: all that the resource knows, but for what a rule asks for by itself later.
fn first_scope(resource: &Resource) -> Scope {
    let later = resource.guard.as_ref().map(|guard| guard.rules.scopes()).unwrap_or_default();
    resource.scopes.without(&later)
}
