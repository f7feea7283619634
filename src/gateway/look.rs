//! A look into a request's body on its way: what it calls, for the rules and for the audit, without holding it up.
//!
//! The body is handed on as soon as it is certain what it calls, and looked at to its end. What turns out to be ambiguous
//! later breaks the body off, so that the server behind never has the whole of it.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use super::message::{Message, Messages, Unclear};
use crate::http::{HeaderMap, Method, RequestBody, Status, is_json};
use crate::oauth::guard::Rules;
use crate::oauth::scope::Scope;

/// How much of a body may pass before it is clear what it calls.
const AHEAD_BYTES_MAX: usize = 256 * 1024;

/// How many calls of one body are told to the audit.
const CALLS_MAX: usize = 20;

/// Why a body may not pass.
#[derive(Debug)]
pub(super) enum LookRefusal {
    /// Not JSON by its headers, so that nobody can tell what it calls.
    WrongType,
    /// It cannot be told for certain what it calls.
    Unclear(Unclear),
    /// What it calls stands too far behind.
    TooFarBehind,
    /// A header says that it calls something else.
    HeaderDiffers,
    /// It broke off.
    Broken,
    /// It needs a scope that the token does not have.
    Insufficient {
        /// All that it needs, and what the token allows already.
        scope: Scope,
        /// What it wants to call.
        called: Vec<(String, Option<String>)>,
    },
}

impl LookRefusal {
    /// The status of the answer.
    pub(super) const fn status(&self) -> Status {
        match self {
            Self::WrongType => Status::UNSUPPORTED_MEDIA_TYPE,
            Self::TooFarBehind => Status::PAYLOAD_TOO_LARGE,
            Self::Unclear(_) | Self::HeaderDiffers | Self::Broken => Status::BAD_REQUEST,
            Self::Insufficient { .. } => Status::FORBIDDEN,
        }
    }

    /// The code of the JSON-RPC error (JSON-RPC 5.1; for headers MCP 2026-07-28, `HeaderMismatch`).
    pub(super) const fn code(&self) -> i32 {
        match self {
            Self::HeaderDiffers => -32_020,
            _ => -32_600,
        }
    }

    /// A sentence for the caller.
    pub(super) const fn describe(&self) -> &'static str {
        match self {
            Self::WrongType => {
                "Calls to this server are JSON: send them as application/json, and not compressed."
            }
            Self::Unclear(why) => why.describe(),
            Self::TooFarBehind => {
                "What is called stands too far behind: write method and name before the arguments."
            }
            Self::HeaderDiffers => "Mcp-Method or Mcp-Name says something else than the body.",
            Self::Broken => "The body of the request broke off, or came too slowly.",
            Self::Insufficient { .. } => "This call needs a scope that the access token does not have.",
        }
    }

    /// The reason in one word, for the log.
    pub(super) const fn reason(&self) -> &'static str {
        match self {
            Self::WrongType => "call_not_json",
            Self::Unclear(_) => "call_unclear",
            Self::TooFarBehind => "call_too_far_behind",
            Self::HeaderDiffers => "call_differs_from_header",
            Self::Broken => "body_broken",
            Self::Insufficient { .. } => "scope_insufficient",
        }
    }
}

/// What was seen of a body; more is seen while it is handed on.
#[derive(Clone, Default)]
pub(super) struct Seen(Option<Arc<Mutex<Messages>>>);

impl Seen {
    /// What was called so far: method, and with what.
    pub(super) fn calls(&self) -> Vec<(String, Option<String>)> {
        let Some(messages) = &self.0 else { return Vec::new() };
        let messages = messages.lock().unwrap_or_else(PoisonError::into_inner);
        let called = messages.so_far().iter().filter(|message| message.method().is_some());
        called.take(CALLS_MAX).map(Message::in_words).collect()
    }
}

/// Looks at a body that no rule is for: only for the audit, and holding up nothing.
pub(super) fn in_passing(method: &Method, headers: &HeaderMap, body: RequestBody) -> (RequestBody, Seen) {
    if *method != Method::POST || body.is_empty() || !is_json(headers) {
        return (body, Seen::default());
    }
    let messages = Arc::new(Mutex::new(Messages::new()));
    let seen = Seen(Some(Arc::clone(&messages)));
    let mut gave_up = false;
    let body = body.inspected(Box::new(move |piece| {
        if let (Some(piece), false) = (piece, gave_up) {
            gave_up = messages.lock().unwrap_or_else(PoisonError::into_inner).feed(piece).is_err();
        }
        Ok(())
    }));
    (body, seen)
}

/// Looks at a body until it is certain that the rules let it pass, given what the token allows.
pub(super) async fn by_rules(
    rules: &Rules,
    allowed: &Scope,
    method: &Method,
    headers: &HeaderMap,
    mut body: RequestBody,
) -> Result<(RequestBody, Seen), LookRefusal> {
    if *method != Method::POST || body.is_empty() {
        return Ok((body, Seen::default()));
    }
    if !is_json(headers) {
        return Err(LookRefusal::WrongType);
    }
    let mut messages = Messages::new();
    let (mut pieces, mut length) = (Vec::<Bytes>::new(), 0);
    loop {
        let piece = match body.next().await {
            Some(Ok(piece)) => piece,
            Some(Err(_)) => return Err(LookRefusal::Broken),
            None => {
                messages.finish().map_err(LookRefusal::Unclear)?;
                check(rules, allowed, headers, messages.so_far())?;
                return Ok((body.preceded_by(pieces), Seen(Some(Arc::new(Mutex::new(messages))))));
            }
        };
        messages.feed(&piece).map_err(LookRefusal::Unclear)?;
        length += piece.len();
        pieces.push(piece);
        if is_certain(&messages, rules, headers) {
            check(rules, allowed, headers, messages.so_far())?;
            let messages = Arc::new(Mutex::new(messages));
            let seen = Seen(Some(Arc::clone(&messages)));
            let body = body.preceded_by(pieces).inspected(Box::new(move |piece| go_on(&messages, piece)));
            return Ok((body, seen));
        }
        if length > AHEAD_BYTES_MAX {
            return Err(LookRefusal::TooFarBehind);
        }
    }
}

/// Whether nothing that may still come can change what the rules say, or what the headers have to say.
fn is_certain(messages: &Messages, rules: &Rules, headers: &HeaderMap) -> bool {
    let [message] = messages.so_far() else { return false };
    let by_method = !headers.contains_key("mcp-name")
        && message.method().is_some_and(|method| rules.depend_on_method_alone(method));
    !messages.is_list() && (by_method || message.is_settled())
}

fn check(
    rules: &Rules,
    allowed: &Scope,
    headers: &HeaderMap,
    messages: &[Message],
) -> Result<(), LookRefusal> {
    let needed =
        messages.iter().fold(Scope::empty(), |all, message| all.union(&rules.needed(&message.call())));
    if !needed.is_within(allowed) {
        let called = messages.iter().map(Message::in_words).collect();
        return Err(LookRefusal::Insufficient { scope: needed.union(allowed), called });
    }
    // A server behind may go by these headers (MCP 2026-07-28) and never look into the body.
    let differs = |header: &str, is_right: fn(&Message, &str) -> bool| {
        let mut values = headers.get_all(header).iter();
        values.any(|value| {
            value.to_str().map_or(true, |value| !messages.iter().all(|message| is_right(message, value)))
        })
    };
    if differs("mcp-method", Message::calls) || differs("mcp-name", Message::is_called_with) {
        return Err(LookRefusal::HeaderDiffers);
    }
    Ok(())
}

/// The rest of a body that was allowed for what it began with.
fn go_on(messages: &Mutex<Messages>, piece: Option<&[u8]>) -> Result<(), &'static str> {
    let mut messages = messages.lock().unwrap_or_else(PoisonError::into_inner);
    let looked = match piece {
        Some(piece) => messages.feed(piece),
        None => messages.finish(),
    };
    looked.map_err(Unclear::describe)
}
