//! Who may come in: the challenge of RFC 6750 and RFC 9728, and what the token must hold for each call.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use hyper::header::AUTHORIZATION;
use hyper::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::access_token::{AccessToken, Verifier};
use super::tools::WRITE_TOOL;

/// The door of one resource: its name, its keys, and what it saw.
pub(super) struct Door {
    pub(super) resource: String,
    issuer: String,
    metadata_url: String,
    verifier: Verifier,
    admitted: Mutex<Vec<AccessToken>>,
    /// Tokens (by `jti`) that this server no longer takes, though their time is not over.
    withdrawn: Mutex<HashSet<String>>,
}

/// An answer to somebody who stays outside.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Challenge {
    pub(super) status: StatusCode,
    /// The value of `WWW-Authenticate`.
    pub(super) header: String,
}

/// As much of a JSON-RPC message as decides which scope it needs.
#[derive(Deserialize)]
struct Message {
    method: Option<String>,
    params: Option<Params>,
}

#[derive(Deserialize)]
struct Params {
    name: Option<String>,
}

impl Door {
    /// The door of `origin/mcp`, for tokens of `issuer`.
    pub(super) fn new(origin: &str, issuer: &str, verifier: Verifier) -> Self {
        Self {
            resource: format!("{origin}/mcp"),
            issuer: issuer.to_owned(),
            metadata_url: format!("{origin}/.well-known/oauth-protected-resource/mcp"),
            verifier,
            admitted: Mutex::default(),
            withdrawn: Mutex::default(),
        }
    }

    /// The protected resource metadata of RFC 9728.
    pub(super) fn metadata(&self) -> Value {
        json!({
            "resource": self.resource,
            "authorization_servers": [self.issuer],
            "scopes_supported": ["read"],
            "bearer_methods_supported": ["header"],
        })
    }

    /// Lets a request in, or says what it lacks.
    pub(super) fn admit(&self, headers: &HeaderMap, body: &[u8]) -> Result<(), Challenge> {
        let value = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let bearer = value.and_then(|value| value.split_once(' '));
        let Some(("Bearer", token)) = bearer else {
            // RFC 6750 3.1: no error code for one who presented nothing.
            return Err(self.challenge(StatusCode::UNAUTHORIZED, "", "read"));
        };
        let invalid = || self.challenge(StatusCode::UNAUTHORIZED, "invalid_token", "read");
        let token = self.verifier.verify_now(token).map_err(|refused| {
            eprintln!("the resource server refuses a token: {refused:?}");
            invalid()
        })?;
        if lock(&self.withdrawn).contains(&token.jti) {
            return Err(invalid());
        }
        for scope in needed_scopes(body) {
            if !token.has_scope(scope) {
                return Err(self.challenge(StatusCode::FORBIDDEN, "insufficient_scope", scope));
            }
        }
        lock(&self.admitted).push(token);
        Ok(())
    }

    /// The token of the request that was let in last.
    pub(super) fn last_admitted(&self) -> AccessToken {
        lock(&self.admitted).last().cloned().expect("a request was let in")
    }

    /// Takes that token no longer.
    pub(super) fn withdraw(&self, token: &AccessToken) {
        lock(&self.withdrawn).insert(token.jti.clone());
    }

    fn challenge(&self, status: StatusCode, error: &str, scope: &str) -> Challenge {
        let mut header = format!("Bearer resource_metadata=\"{}\", scope=\"{scope}\"", self.metadata_url);
        if !error.is_empty() {
            header = format!("{header}, error=\"{error}\"");
        }
        Challenge { status, header }
    }
}

/// `read` for everything, and `write` besides for the tool that writes.
fn needed_scopes(body: &[u8]) -> Vec<&'static str> {
    // What is no JSON-RPC message is the MCP server's to refuse.
    let writes = serde_json::from_slice::<Message>(body).is_ok_and(|message| {
        message.method.as_deref() == Some("tools/call")
            && message.params.and_then(|params| params.name).as_deref() == Some(WRITE_TOOL)
    });
    if writes { vec!["read", "write"] } else { vec!["read"] }
}

/// A test that panicked elsewhere leaves these sets as good as they were.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
