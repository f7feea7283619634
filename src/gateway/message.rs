//! JSON-RPC messages as they pass by: which methods they call, and with what.
//!
//! The server behind reads the same bytes with another parser, so what two parsers could read differently is refused: a
//! member that is there twice, or one that is spelled almost like one that counts (some parsers ignore case).

mod names;

use serde_json::Value;

use self::names::{are_resources, decoded, folded, is_plain_name, is_plain_uri};
use super::json::{Event, Kind, NotJson, Reader};
use crate::oauth::guard::{Call, Target};

/// `params.name` and `params.uri` lie three levels down in a batch.
const KEPT_DEPTH: usize = 3;

/// How many messages one body may have.
const MESSAGES_MAX: usize = 100;

/// Why a body is not messages that can be told for certain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unclear {
    /// It is no JSON (RFC 8259), or JSON that goes too deep.
    NotJson,
    /// It is neither a message nor a list of at most a hundred.
    NotMessages,
    /// A member that counts is there twice, or another one could be taken for it; or what is called cannot be told.
    Ambiguous,
}

impl Unclear {
    /// A sentence for the caller.
    pub(super) const fn describe(self) -> &'static str {
        match self {
            Self::NotJson => "The body is no JSON.",
            Self::NotMessages => "The body is neither a JSON-RPC message nor a list of at most 100.",
            Self::Ambiguous => {
                "What is called could be read in two ways: write method, params, name and uri once, in plain letters."
            }
        }
    }
}

/// One message, as far as it has been read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Message {
    /// The method; `None`: none so far.
    method: Option<String>,
    name: Slot,
    uri: Slot,
    id: Option<Value>,
    has_params: bool,
    /// `params` is there, and is no object.
    odd_params: bool,
    is_whole: bool,
}

/// What is known of a member of `params`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Slot {
    #[default]
    Absent,
    Text(String),
    Odd,
}

impl Message {
    /// What it asks for, as rules see it: a name that the server behind could take for another one is unclear to them.
    pub(super) fn call(&self) -> Call<'_> {
        let method = self.method.as_deref().unwrap_or_default();
        let target = match self.target() {
            Target::Named(name) if !is_plain_name(name) => Target::Unclear,
            Target::Named(uri) if are_resources(method) && !is_plain_uri(uri) => Target::Unclear,
            target => target,
        };
        Call { method, target }
    }

    fn target(&self) -> Target<'_> {
        if self.odd_params {
            return Target::Unclear;
        }
        match self.in_order(self.method.as_deref().unwrap_or_default()) {
            (Slot::Text(text), _) | (Slot::Absent, Slot::Text(text)) => Target::Named(text),
            (Slot::Odd, _) | (Slot::Absent, Slot::Odd) => Target::Unclear,
            (Slot::Absent, Slot::Absent) => Target::None,
        }
    }

    /// Resources are named by their URI, everything else by its name.
    fn in_order(&self, method: &str) -> (&Slot, &Slot) {
        if are_resources(method) { (&self.uri, &self.name) } else { (&self.name, &self.uri) }
    }

    /// The id that its answer has to bear (JSON-RPC 2.0, 5).
    pub(super) const fn id(&self) -> Option<&Value> {
        self.id.as_ref()
    }

    /// What it calls and with what, for people.
    pub(super) fn in_words(&self) -> (String, Option<String>) {
        let target = match self.target() {
            Target::Named(name) => Some(name.to_owned()),
            Target::None => None,
            Target::Unclear => Some("(unclear)".to_owned()),
        };
        (self.method.clone().unwrap_or_default(), target)
    }

    /// Whether this is the method that it calls.
    pub(super) fn calls(&self, method: &str) -> bool {
        self.method.as_deref().unwrap_or_default() == method
    }

    /// Whether an `Mcp-Name` header (MCP 2026-07-28) is what its method is called with. What is called with neither a name
    /// nor a URI may have another kind of name there, which no rule looks at.
    pub(super) fn is_called_with(&self, header: &str) -> bool {
        match self.target() {
            Target::Named(name) => decoded(header).is_some_and(|header| header == name),
            Target::None => true,
            Target::Unclear => false,
        }
    }

    /// Its method, once it is known.
    pub(super) fn method(&self) -> Option<&str> {
        self.method.as_deref()
    }

    /// Whether what it asks for can no longer become anything else.
    pub(super) fn is_settled(&self) -> bool {
        self.is_whole || self.method().is_some_and(|method| *self.in_order(method).0 != Slot::Absent)
    }
}

/// Reads the messages of one body, in pieces cut anywhere.
#[derive(Debug)]
pub(super) struct Messages {
    reader: Reader,
    heard: Heard,
}

/// What was heard so far.
#[derive(Debug, Default)]
struct Heard {
    /// The depth of the messages: 0 for one, 1 for a list.
    depth: Option<usize>,
    messages: Vec<Message>,
    member: Member,
    inner: Member,
    fault: Option<Unclear>,
}

/// A member whose value is being read, or was read last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Member {
    #[default]
    Other,
    Id,
    Method,
    Params,
    Name,
    Uri,
}

impl Messages {
    pub(super) fn new() -> Self {
        Self { reader: Reader::new(KEPT_DEPTH), heard: Heard::default() }
    }

    /// Takes the next piece. After an error it takes nothing more.
    pub(super) fn feed(&mut self, piece: &[u8]) -> Result<(), Unclear> {
        let heard = &mut self.heard;
        heard.fault.map_or(Ok(()), Err)?;
        let read = self.reader.feed(piece, &mut |depth, event| heard.hear(depth, event));
        self.judge(read)
    }

    /// Says that nothing more comes.
    pub(super) fn finish(&mut self) -> Result<(), Unclear> {
        let heard = &mut self.heard;
        let read = self.reader.finish(&mut |depth, event| heard.hear(depth, event));
        self.judge(read)
    }

    fn judge(&mut self, read: Result<(), NotJson>) -> Result<(), Unclear> {
        if read.is_err() {
            self.heard.refuse(Unclear::NotJson);
        }
        self.heard.fault.map_or(Ok(()), Err)
    }

    /// Whether something in it could not be told for certain.
    pub(super) const fn is_unclear(&self) -> bool {
        self.heard.fault.is_some()
    }

    /// The messages so far; the last may still go on.
    pub(super) fn so_far(&self) -> &[Message] {
        &self.heard.messages
    }

    /// Whether it is a list, of which more may come.
    pub(super) fn is_list(&self) -> bool {
        self.heard.depth == Some(1)
    }
}

impl Heard {
    /// The first fault is the one that counts.
    fn refuse(&mut self, why: Unclear) {
        self.fault.get_or_insert(why);
    }

    fn hear(&mut self, depth: usize, event: Event<'_>) {
        let Some(base) = self.depth else { return self.first(event) };
        let above = depth.checked_sub(base);
        match (above, event) {
            (Some(0), Event::Begin(Kind::Object)) => self.message(),
            (Some(0), Event::Begin(_)) => self.refuse(Unclear::NotMessages),
            (Some(0), Event::Name(name)) => self.member(name),
            (Some(0), Event::End) => {
                if let Some(message) = self.messages.last_mut() {
                    message.is_whole = true;
                }
            }
            (Some(1), Event::Begin(kind)) => self.begin_value(kind),
            (Some(1), Event::Text(text)) => self.text(text),
            (Some(1), Event::Number(number)) => self.number(number),
            (Some(1), Event::Name(name)) if self.member == Member::Params => self.inner_member(name),
            (Some(2), Event::Begin(kind)) if self.member == Member::Params && kind != Kind::Text => {
                self.fill(Slot::Odd);
            }
            (Some(2), Event::Text(text)) if self.member == Member::Params => {
                self.fill(text.map_or(Slot::Odd, |text| Slot::Text(text.to_owned())));
            }
            _ => {}
        }
    }

    /// What the body is, by the way it begins.
    fn first(&mut self, event: Event<'_>) {
        match event {
            Event::Begin(Kind::Object) => {
                self.depth = Some(0);
                self.message();
            }
            Event::Begin(Kind::Array) => self.depth = Some(1),
            _ => self.refuse(Unclear::NotMessages),
        }
    }

    fn message(&mut self) {
        if self.messages.len() == MESSAGES_MAX {
            self.refuse(Unclear::NotMessages);
            return;
        }
        self.messages.push(Message::default());
        self.member = Member::Other;
    }

    fn member(&mut self, name: Option<&str>) {
        self.member = match name {
            // It says nothing of what is called, so that it need not be told for certain.
            Some("id") => Member::Id,
            name => self.one_of(name, [("method", Member::Method), ("params", Member::Params)]),
        };
        self.inner = Member::Other;
        let Some(message) = self.messages.last_mut() else { return };
        let repeated = match self.member {
            Member::Method => message.method.is_some(),
            Member::Params => std::mem::replace(&mut message.has_params, true),
            _ => false,
        };
        if repeated {
            self.refuse(Unclear::Ambiguous);
        }
    }

    fn inner_member(&mut self, name: Option<&str>) {
        self.inner = self.one_of(name, [("name", Member::Name), ("uri", Member::Uri)]);
        let Some(message) = self.messages.last() else { return };
        let repeated = match self.inner {
            Member::Name => message.name != Slot::Absent,
            Member::Uri => message.uri != Slot::Absent,
            _ => false,
        };
        if repeated {
            self.refuse(Unclear::Ambiguous);
        }
    }

    /// Which of two members a name is. One that is neither, but that a careless parser takes for one, is a fault.
    fn one_of(&mut self, name: Option<&str>, members: [(&str, Member); 2]) -> Member {
        // What cannot be kept, or is no text in Unicode, is read as anything by somebody.
        let Some(name) = name else {
            self.refuse(Unclear::Ambiguous);
            return Member::Other;
        };
        for (known, member) in members {
            if name == known {
                return member;
            }
            if folded(name).eq(known.chars()) {
                self.refuse(Unclear::Ambiguous);
            }
        }
        // In JavaScript it is what all the other members of an object can be read from.
        if name == "__proto__" {
            self.refuse(Unclear::Ambiguous);
        }
        Member::Other
    }

    fn begin_value(&mut self, kind: Kind) {
        let Some(message) = self.messages.last_mut() else { return };
        match (self.member, kind) {
            (Member::Method, Kind::Object | Kind::Array | Kind::Other) => self.refuse(Unclear::NotMessages),
            (Member::Params, Kind::Array | Kind::Text | Kind::Other) => message.odd_params = true,
            _ => {}
        }
    }

    fn text(&mut self, text: Option<&str>) {
        let Some(message) = self.messages.last_mut() else { return };
        match (self.member, text) {
            (Member::Id, text) => message.id = text.map(Value::from),
            (Member::Method, Some(text)) => {
                message.method = Some(text.to_owned());
                // Somebody trims it, or ends it at the first byte of a kind.
                if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
                    self.refuse(Unclear::Ambiguous);
                }
            }
            (Member::Method, None) => self.refuse(Unclear::NotMessages),
            _ => {}
        }
    }

    fn number(&mut self, number: Option<&str>) {
        if let (Member::Id, Some(message)) = (self.member, self.messages.last_mut()) {
            message.id = number.and_then(|number| serde_json::from_str(number).ok());
        }
    }

    fn fill(&mut self, slot: Slot) {
        let Some(message) = self.messages.last_mut() else { return };
        match self.inner {
            Member::Name => message.name = slot,
            Member::Uri => message.uri = slot,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
