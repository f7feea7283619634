//! The requests that the rows make, as bytes, and what each answer must hold.
//! An answer is parsed as a client would, on both sides of a contest alike: a server that is fast at answering
//! `"active": false` wins nothing.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Deserialize;
use url::form_urlencoded;

use crate::load::{Maker, Next};

/// Connections of every row.
pub(crate) const CONNECTIONS: usize = 64;

/// A confidential client.
#[derive(Clone)]
pub(crate) struct Machine {
    /// Its `client_id`.
    pub(crate) id: String,
    /// Its `client_secret`.
    pub(crate) secret: String,
    /// The resource that it asks tokens for.
    pub(crate) resource: String,
}

/// Access tokens made before a run and used up in it, last first.
#[derive(Clone, Default)]
pub(crate) struct Tokens(Arc<Mutex<Vec<String>>>);

/// What a token endpoint answers, as far as it matters here.
#[derive(Deserialize)]
pub(crate) struct TokenAnswer {
    /// The access token.
    pub(crate) access_token: String,
    /// The refresh token, where there is one.
    pub(crate) refresh_token: Option<String>,
}

#[derive(Deserialize)]
struct Introspection {
    active: bool,
}

impl Tokens {
    fn push(&self, token: String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(token);
    }

    fn pop(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

/// A maker per connection.
pub(crate) fn on_all_connections(maker: impl Fn() -> Maker) -> Vec<Maker> {
    (0..CONNECTIONS).map(|_| maker()).collect()
}

/// GET of a document that is never empty.
pub(crate) fn document(path: &str) -> Maker {
    let bytes = get(path);
    Box::new(move |_, request| {
        request.extend_from_slice(&bytes);
        Ok(Next::Request)
    })
}

/// Calls an MCP server again and again; `headers` are whole lines. `method` is the call's.
pub(crate) fn calling(address: SocketAddr, path: &str, headers: &str, method: &str) -> Maker {
    let body = format!(
        r#"{{"jsonrpc":"2.0","id":7,"method":"{method}","params":{{"name":"echo","arguments":{{"message":"hello"}}}}}}"#
    );
    let length = body.len();
    let bytes = format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nAccept: application/json, text/event-stream\r\n\
         Mcp-Session-Id: 0123456789abcdef\r\n{headers}Content-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes();
    Box::new(move |_, request| {
        request.extend_from_slice(&bytes);
        Ok(Next::Request)
    })
}

/// The header with an access token, as a whole line.
pub(crate) fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}

/// Asks for an access token again and again.
pub(crate) fn client_credentials(machine: &Machine) -> Maker {
    let bytes = token_request(machine);
    Box::new(move |last, request| {
        if !last.is_empty() {
            token_answer(last)?;
        }
        request.extend_from_slice(&bytes);
        Ok(Next::Request)
    })
}

/// Asks for access tokens and keeps them. The first call of a run throws away what the last run left.
pub(crate) fn minting(machine: &Machine, tokens: &Tokens) -> Maker {
    let (bytes, tokens) = (token_request(machine), tokens.clone());
    Box::new(move |last, request| {
        match last {
            [] => tokens.clear(),
            answer => tokens.push(token_answer(answer)?.access_token),
        }
        request.extend_from_slice(&bytes);
        Ok(Next::Request)
    })
}

/// Walks a chain of refresh tokens of a public client, from `token` on.
pub(crate) fn refreshing(client_id: &str, token: String) -> Maker {
    let (client_id, mut token) = (client_id.to_owned(), token);
    Box::new(move |last, request| {
        if !last.is_empty() {
            token = token_answer(last)?.refresh_token.ok_or("a refresh answered without refresh_token")?;
        }
        let fields =
            [("grant_type", "refresh_token"), ("refresh_token", &token), ("client_id", client_id.as_str())];
        request.extend_from_slice(&post("/oauth/token", "", &fields));
        Ok(Next::Request)
    })
}

/// Introspects one token again and again.
pub(crate) fn introspecting_again(machine: &Machine, token: &str) -> Maker {
    let bytes = introspection(machine, token);
    Box::new(move |last, request| {
        must_be_active(last)?;
        request.extend_from_slice(&bytes);
        Ok(Next::Request)
    })
}

/// Introspects each of the tokens once.
pub(crate) fn introspecting_once(machine: &Machine, tokens: &Tokens) -> Maker {
    let (machine, tokens) = (machine.clone(), tokens.clone());
    Box::new(move |last, request| {
        must_be_active(last)?;
        let Some(token) = tokens.pop() else {
            return Ok(Next::Exhausted);
        };
        request.extend_from_slice(&introspection(&machine, &token));
        Ok(Next::Request)
    })
}

/// The request of the SQLite ceiling: a rotation of one row.
pub(crate) fn bare_write(row: usize) -> Maker {
    let row = row.to_string();
    // As long as a refresh request, so that the wire costs both sides the same.
    let token = "t".repeat(80);
    let fields = [("grant_type", "refresh_token"), ("refresh_token", &token), ("row", &row)];
    let bytes = post("/", "", &fields);
    Box::new(move |last, request| {
        if !last.is_empty() {
            token_answer(last)?;
        }
        request.extend_from_slice(&bytes);
        Ok(Next::Request)
    })
}

/// A GET as bytes.
pub(crate) fn get(path: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: */*\r\n\r\n").into_bytes()
}

/// A form as bytes. `headers` are whole lines, each with its `\r\n`.
pub(crate) fn post(path: &str, headers: &str, fields: &[(&str, &str)]) -> Vec<u8> {
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{headers}\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

/// Reads the answer of a token endpoint. The error quotes nothing of it: it may hold a token.
pub(crate) fn token_answer(body: &[u8]) -> Result<TokenAnswer, String> {
    serde_json::from_slice(body).map_err(|error| format!("a token answer that is not one: {error}"))
}

/// Asks for an access token, as bytes.
pub(crate) fn token_request(machine: &Machine) -> Vec<u8> {
    let fields = [("grant_type", "client_credentials"), ("resource", machine.resource.as_str())];
    post("/oauth/token", &basic(machine), &fields)
}

fn introspection(machine: &Machine, token: &str) -> Vec<u8> {
    post("/oauth/introspect", &basic(machine), &[("token", token)])
}

/// RFC 6749 2.3.1: both halves are form-encoded before they are joined.
fn basic(machine: &Machine) -> String {
    let encoded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let pair = format!("{}:{}", encoded(&machine.id), encoded(&machine.secret));
    format!("Authorization: Basic {}\r\n", STANDARD.encode(pair))
}

fn must_be_active(answer: &[u8]) -> Result<(), String> {
    if answer.is_empty() {
        return Ok(());
    }
    match serde_json::from_slice(answer) {
        Ok(Introspection { active: true }) => Ok(()),
        Ok(Introspection { active: false }) => Err("introspection called a live token inactive".to_owned()),
        Err(error) => Err(format!("an introspection answer that is not one: {error}")),
    }
}
