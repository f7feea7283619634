//! A look into a request's body on its way: what it calls, for the rules and for the audit, without holding it up.
//!
//! The body is handed on as soon as it is certain what it calls, and looked at to its end. What turns out to be ambiguous
//! later breaks the body off, so that the server behind never has the whole of it.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::BytesMut;
use serde_json::Value;

use super::headers::plain_name;
use super::message::{Message, Messages, Unclear};
use crate::app::Room;
use crate::http::{HeaderMap, HeaderValue, RequestBody, Status, is_json};
use crate::oauth::guard::Rules;
use crate::oauth::scope::Scope;

/// How much of a body may pass before it is clear what it calls.
const AHEAD_BYTES_MAX: usize = 256 * 1024;

/// How much of it everybody may have pass.
const AHEAD_BYTES_FREE: usize = 16 * 1024;

/// How many calls of one body are told to the audit.
const CALLS_MAX: usize = 20;

/// What the audit says of a call that cannot be told for certain.
pub(super) const UNCLEAR: &str = "(unclear)";

/// The method whose answer is a stream of events that has no end of its own, as a GET's had before (MCP 2026-07-28).
const LISTEN: &str = "subscriptions/listen";

/// Why a body may not pass.
#[derive(Debug)]
pub(super) enum LookRefusal {
    /// Not JSON by its headers, so that nobody can tell what it calls.
    WrongType,
    /// It cannot be told for certain what it calls.
    Unclear(Unclear),
    /// What it calls stands too far behind.
    TooFarBehind,
    /// Too many others are held already until it is clear what they call.
    NoRoom,
    /// A header says that it calls something else.
    HeaderDiffers,
    /// It broke off.
    Broken,
    /// It needs a scope that the token does not have.
    Insufficient {
        /// All that it needs, and what the token allows already.
        scope: Scope,
        /// What of it is refused.
        called: Vec<(String, Option<String>)>,
    },
}

impl LookRefusal {
    /// The status of the answer.
    pub(super) const fn status(&self) -> Status {
        match self {
            Self::WrongType => Status::UNSUPPORTED_MEDIA_TYPE,
            Self::TooFarBehind => Status::PAYLOAD_TOO_LARGE,
            Self::NoRoom => Status::SERVICE_UNAVAILABLE,
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
            Self::NoRoom => {
                "Too many large calls are looked at just now; try again soon, with method and name before the arguments."
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
            Self::NoRoom => "no_room_for_call",
            Self::HeaderDiffers => "call_differs_from_header",
            Self::Broken => "body_broken",
            Self::Insufficient { .. } => "scope_insufficient",
        }
    }
}

/// What was seen of a body; more is seen while it is handed on.
#[derive(Clone, Default)]
pub(super) struct Seen {
    messages: Option<Arc<Mutex<Messages>>>,
    /// By its headers it is JSON, whoever can read it.
    is_declared: bool,
}

impl Seen {
    fn of(messages: &Arc<Mutex<Messages>>, headers: &HeaderMap) -> Self {
        Self { messages: Some(Arc::clone(messages)), is_declared: declares_json(headers) }
    }

    /// What was called so far: method, and with what; and that something was called that nobody can tell.
    pub(super) fn calls(&self) -> Vec<(String, Option<String>)> {
        let Some(messages) = &self.messages else {
            return if self.is_declared { vec![(UNCLEAR.to_owned(), None)] } else { Vec::new() };
        };
        let messages = messages.lock().unwrap_or_else(PoisonError::into_inner);
        let called = messages.so_far().iter().filter(|message| message.method().is_some());
        let mut calls: Vec<_> = called.take(CALLS_MAX).map(Message::in_words).collect();
        if messages.is_unclear() && (self.is_declared || !calls.is_empty()) {
            calls.push((UNCLEAR.to_owned(), None));
        }
        calls
    }

    /// Whether it asks to be told of events from now on (MCP 2026-07-28).
    pub(super) fn listens(&self) -> bool {
        self.calls().iter().any(|(method, _)| method == LISTEN)
    }

    /// The id that an answer to it has to bear, if it is one message and has one.
    pub(super) fn id(&self) -> Option<Value> {
        let messages = self.messages.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner);
        match messages.so_far() {
            [message] if !messages.is_list() => message.id().cloned(),
            _ => None,
        }
    }
}

/// Looks at a body that no rule is for: only for the audit and for errors. Of JSON the first piece is waited for, which
/// tells whose call has failed if the server behind cannot be reached; nothing else is held up.
pub(super) async fn in_passing(
    headers: &HeaderMap,
    mut body: RequestBody,
) -> Result<(RequestBody, Seen), LookRefusal> {
    if body.is_empty() {
        return Ok((body, Seen::default()));
    }
    let is_declared = declares_json(headers);
    if is_encoded(headers) {
        return Ok((body, Seen { messages: None, is_declared }));
    }
    let mut messages = Messages::new();
    if is_declared && let Some(first) = body.next().await {
        let first = first.map_err(|_| LookRefusal::Broken)?;
        let _ = messages.feed(&first);
        body = body.preceded_by(first);
    }
    // Whatever its type: some servers take everything for JSON.
    let messages = Arc::new(Mutex::new(messages));
    let seen = Seen::of(&messages, headers);
    let body = body.inspected(Box::new(move |piece| {
        let mut messages = messages.lock().unwrap_or_else(PoisonError::into_inner);
        // What is unclear passes all the same, and the audit says so.
        let _ = piece.map_or(Ok(()), |piece| messages.feed(piece));
        Ok(())
    }));
    Ok((body, seen))
}

/// Looks at a body until it is certain that the rules let it pass, given what the token allows. Whatever the method says:
/// it is the server behind that decides what a body is for.
pub(super) async fn by_rules(
    rules: &Rules,
    allowed: &Scope,
    headers: &HeaderMap,
    mut body: RequestBody,
    room: &Room,
) -> Result<(RequestBody, Seen), LookRefusal> {
    let mut messages = Messages::new();
    let mut place = None;
    // In one piece: a body in many small ones would take many times its length.
    let mut ahead = BytesMut::new();
    loop {
        let piece = if body.is_empty() { None } else { body.next().await };
        let piece = match piece {
            Some(Ok(piece)) => piece,
            Some(Err(_)) => return Err(LookRefusal::Broken),
            None if ahead.is_empty() => {
                check(rules, allowed, headers, &[])?;
                return Ok((body, Seen::default()));
            }
            None => {
                messages.finish().map_err(LookRefusal::Unclear)?;
                check(rules, allowed, headers, messages.so_far())?;
                let seen = Seen::of(&Arc::new(Mutex::new(messages)), headers);
                return Ok((body.preceded_by(ahead.freeze()), seen));
            }
        };
        if !is_json(headers) {
            return Err(LookRefusal::WrongType);
        }
        messages.feed(&piece).map_err(LookRefusal::Unclear)?;
        ahead.extend_from_slice(&piece);
        if !body.is_empty() && is_certain(&messages, rules, headers) {
            check(rules, allowed, headers, messages.so_far())?;
            let messages = Arc::new(Mutex::new(messages));
            let seen = Seen::of(&messages, headers);
            let body =
                body.preceded_by(ahead.freeze()).inspected(Box::new(move |piece| go_on(&messages, piece)));
            return Ok((body, seen));
        }
        if ahead.len() > AHEAD_BYTES_MAX {
            return Err(LookRefusal::TooFarBehind);
        }
        if ahead.len() > AHEAD_BYTES_FREE && place.is_none() {
            place = Some(room.enter().ok_or(LookRefusal::NoRoom)?);
        }
    }
}

/// Whether nothing that may still come can change what the rules say, or what the headers have to say.
fn is_certain(messages: &Messages, rules: &Rules, headers: &HeaderMap) -> bool {
    let [message] = messages.so_far() else { return false };
    let by_method = named(headers, "mcp-name").next().is_none()
        && message.method().is_some_and(|method| rules.depend_on_method_alone(method));
    !messages.is_list() && (by_method || message.is_settled())
}

fn check(
    rules: &Rules,
    allowed: &Scope,
    headers: &HeaderMap,
    messages: &[Message],
) -> Result<(), LookRefusal> {
    let needed = |message: &Message| rules.needed(&message.call());
    let all = messages.iter().fold(Scope::empty(), |all, message| all.union(&needed(message)));
    if !all.is_within(allowed) {
        let refused = messages.iter().filter(|message| !needed(message).is_within(allowed));
        let called = refused.map(Message::in_words).collect();
        return Err(LookRefusal::Insufficient { scope: all.union(allowed), called });
    }
    // A server behind may go by these headers (MCP 2026-07-28) and never look into the body.
    let differs = |header: &str, is_right: fn(&Message, &str) -> bool| {
        named(headers, header).any(|value| {
            let is_right = |value| messages.iter().all(|message| is_right(message, value));
            messages.is_empty() || !value.to_str().is_ok_and(is_right)
        })
    };
    if differs("mcp-method", Message::calls) || differs("mcp-name", Message::is_called_with) {
        return Err(LookRefusal::HeaderDiffers);
    }
    Ok(())
}

/// The values of a header, in every spelling that some server takes for its name.
fn named<'h>(headers: &'h HeaderMap, name: &str) -> impl Iterator<Item = &'h HeaderValue> {
    headers.iter().filter(move |(have, _)| plain_name(have) == name).map(|(_, value)| value)
}

fn is_encoded(headers: &HeaderMap) -> bool {
    let mut encodings = headers.get_all("content-encoding").iter();
    encodings.any(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity"))
}

/// Whether it is JSON to somebody.
fn declares_json(headers: &HeaderMap) -> bool {
    let mut kinds = headers.get_all("content-type").iter();
    kinds.any(|kind| kind.as_bytes().to_ascii_lowercase().windows(4).any(|part| part == b"json"))
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
