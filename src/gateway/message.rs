//! JSON-RPC messages as they pass by: which methods they call, and with what.
//!
//! The server behind reads the same bytes with another parser, so what two parsers could read differently is refused: a
//! member that is there twice, or one that is spelled almost like one that counts (some parsers ignore case).

use std::borrow::Cow;

use super::json::{Event, Kind, NotJson, Reader};
use crate::crypto::digest::from_base64;
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
    /// A member that counts is there twice, or is almost spelled like one.
    Ambiguous,
}

impl Unclear {
    /// A sentence for the caller.
    pub(super) const fn describe(self) -> &'static str {
        match self {
            Self::NotJson => "The body is no JSON.",
            Self::NotMessages => "The body is neither a JSON-RPC message nor a list of at most 100.",
            Self::Ambiguous => {
                "A member that says what is called is there twice, or is spelled almost like method, params, name or uri."
            }
        }
    }
}

impl From<NotJson> for Unclear {
    fn from(_: NotJson) -> Self {
        Self::NotJson
    }
}

/// One message, as far as it has been read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Message {
    /// The method; `None`: none so far.
    method: Option<String>,
    name: Slot,
    uri: Slot,
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
    /// What it asks for.
    pub(super) fn call(&self) -> Call<'_> {
        let method = self.method.as_deref().unwrap_or_default();
        Call { method, target: if self.odd_params { Target::Unclear } else { self.target(method) } }
    }

    fn target(&self, method: &str) -> Target<'_> {
        let (first, second) = self.in_order(method);
        match (first, second) {
            (Slot::Text(text), _) | (Slot::Absent, Slot::Text(text)) => Target::Named(text),
            (Slot::Odd, _) | (Slot::Absent, Slot::Odd) => Target::Unclear,
            (Slot::Absent, Slot::Absent) => Target::None,
        }
    }

    /// Resources are named by their URI, everything else by its name.
    fn in_order(&self, method: &str) -> (&Slot, &Slot) {
        if method.starts_with("resources/") { (&self.uri, &self.name) } else { (&self.name, &self.uri) }
    }

    /// What it calls and with what, for people.
    pub(super) fn in_words(&self) -> (String, Option<String>) {
        let Call { method, target } = self.call();
        let target = match target {
            Target::Named(name) => Some(name.to_owned()),
            Target::None => None,
            Target::Unclear => Some("(unclear)".to_owned()),
        };
        (method.to_owned(), target)
    }

    /// Whether this is the method that it calls.
    pub(super) fn calls(&self, method: &str) -> bool {
        self.call().method == method
    }

    /// Whether an `Mcp-Name` header (MCP 2026-07-28) is what its method is called with. What is called with neither a name
    /// nor a URI may have another kind of name there, which no rule looks at.
    pub(super) fn is_called_with(&self, header: &str) -> bool {
        match self.call().target {
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
    Method,
    Params,
    Name,
    Uri,
}

impl Messages {
    pub(super) fn new() -> Self {
        Self { reader: Reader::new(KEPT_DEPTH), heard: Heard::default() }
    }

    /// Takes the next piece.
    pub(super) fn feed(&mut self, piece: &[u8]) -> Result<(), Unclear> {
        let heard = &mut self.heard;
        self.reader.feed(piece, &mut |depth, event| heard.hear(depth, event))?;
        self.heard.fault.map_or(Ok(()), Err)
    }

    /// Says that nothing more comes.
    pub(super) fn finish(&mut self) -> Result<(), Unclear> {
        let heard = &mut self.heard;
        self.reader.finish(&mut |depth, event| heard.hear(depth, event))?;
        self.heard.fault.map_or(Ok(()), Err)
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
        self.member = self.one_of(name, [("method", Member::Method), ("params", Member::Params)]);
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
        let Some(name) = name else { return Member::Other };
        for (known, member) in members {
            if name == known {
                return member;
            }
            if folded(name).eq(known.chars()) {
                self.refuse(Unclear::Ambiguous);
            }
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
        if self.member != Member::Method {
            return;
        }
        match (self.messages.last_mut(), text) {
            (Some(message), Some(text)) => message.method = Some(text.to_owned()),
            _ => self.refuse(Unclear::NotMessages),
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

/// The value of an `Mcp-Name` header: as it is, or base64 where it could not be (`=?base64?...?=`).
fn decoded(header: &str) -> Option<Cow<'_, str>> {
    match header.strip_prefix("=?base64?").and_then(|rest| rest.strip_suffix("?=")) {
        None => Some(Cow::Borrowed(header)),
        Some(encoded) => String::from_utf8(from_base64(encoded)?).ok().map(Cow::Owned),
    }
}

/// A name as parsers see it that ignore case, by Unicode's simple folding as far as it leads to ASCII.
fn folded(name: &str) -> impl Iterator<Item = char> {
    name.chars().map(|c| match c {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        c => c.to_ascii_lowercase(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calls(text: &str) -> Result<Vec<(String, String)>, Unclear> {
        let read = |size: usize| {
            let mut messages = Messages::new();
            text.as_bytes().chunks(size).try_for_each(|piece| messages.feed(piece))?;
            messages.finish()?;
            let calls = messages.so_far().iter().map(|message| {
                assert!(message.is_settled());
                let Call { method, target } = message.call();
                (method.to_owned(), format!("{target:?}"))
            });
            Ok(calls.collect())
        };
        let whole = read(text.len().max(1));
        assert_eq!(read(1), whole, "{text}");
        whole
    }

    #[test]
    fn a_message_says_what_it_calls_wherever_its_members_stand() {
        for (text, method, target) in [
            (r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#, "tools/list", "None"),
            (
                r#"{"method":"tools/call","params":{"name":"a","arguments":{}}}"#,
                "tools/call",
                r#"Named("a")"#,
            ),
            (
                r#"{"params":{"arguments":{"name":"x","method":"y"},"name":"a"},"method":"tools/call"}"#,
                "tools/call",
                r#"Named("a")"#,
            ),
            (
                r#"{"\u006dethod":"tools\/call","params":{"n\u0061me":"del\u0065te"}}"#,
                "tools/call",
                r#"Named("delete")"#,
            ),
            (
                r#"{"method":"resources/read","params":{"uri":"u","name":"n"}}"#,
                "resources/read",
                r#"Named("u")"#,
            ),
            (r#"{"method":"tools/call","params":{"uri":"u","name":"n"}}"#, "tools/call", r#"Named("n")"#),
            (r#"{"id":1,"result":{"method":"tools/call"}}"#, "", "None"),
            (r#"{"method":"tools/call","params":["delete"]}"#, "tools/call", "Unclear"),
            (r#"{"method":"tools/call","params":null}"#, "tools/call", "Unclear"),
            (r#"{"method":"tools/call","params":{"name":["delete"]}}"#, "tools/call", "Unclear"),
            (r#"{"method":"tools/call","params":{"name":1}}"#, "tools/call", "Unclear"),
            (r#"{"method":"tools/call","params":{"name":"\ud800"}}"#, "tools/call", "Unclear"),
            (r#"{"method":"x","params":{"_meta":{"name":"q"},"deep":{"uri":"r"}}}"#, "x", "None"),
        ] {
            assert_eq!(calls(text), Ok(vec![(method.to_owned(), target.to_owned())]), "{text}");
        }
    }

    #[test]
    fn a_list_has_all_its_messages() {
        let text = r#"[{"method":"a"},{"params":{"name":"n"},"method":"b"},{"id":3,"result":1}]"#;
        let expected = [("a", "None"), ("b", r#"Named("n")"#), ("", "None")];
        assert_eq!(calls(text), Ok(expected.map(|(method, target)| (method.into(), target.into())).to_vec()));
        assert_eq!(calls("[]"), Ok(Vec::new()));
        let many = format!("[{}]", vec![r#"{"method":"a"}"#; MESSAGES_MAX + 1].join(","));
        assert_eq!(calls(&many), Err(Unclear::NotMessages));
    }

    #[test]
    fn what_two_parsers_could_read_differently_is_refused() {
        for text in [
            r#"{"method":"a","method":"b"}"#,
            r#"{"method":"a","\u006dethod":"a"}"#,
            r#"{"method":"a","Method":"b"}"#,
            r#"{"method":"a","METHOD":"b"}"#,
            r#"{"params":{},"params":{}}"#,
            r#"{"method":"a","Params":{}}"#,
            r#"{"method":"a","param\u017f":{}}"#,
            r#"{"method":"a","params":{"name":"x","name":"y"}}"#,
            r#"{"method":"a","params":{"name":"x","Name":"y"}}"#,
            r#"{"method":"a","params":{"uri":"x","URI":"y"}}"#,
            r#"[{"method":"a"},{"method":"a","method":"b"}]"#,
        ] {
            assert_eq!(calls(text), Err(Unclear::Ambiguous), "{text}");
        }
        for text in [
            r#""method""#,
            "1",
            "null",
            "[1]",
            r#"[{"method":"a"},[]]"#,
            r#"{"method":1}"#,
            r#"{"method":null}"#,
            r#"{"method":{}}"#,
            r#"{"method":"\ud800"}"#,
        ] {
            assert_eq!(calls(text), Err(Unclear::NotMessages), "{text}");
        }
        for text in [
            "",
            "{",
            r#"{"method":"a"} {"method":"b"}"#,
            r#"{"method":"a"}x"#,
            "{'method':'a'}",
            r#"{"method":"a",}"#,
        ] {
            assert_eq!(calls(text), Err(Unclear::NotJson), "{text}");
        }
    }

    #[test]
    fn a_header_that_names_the_call_is_compared_with_it() {
        let mut messages = Messages::new();
        messages.feed(r#"{"method":"tools/call","params":{"name":"löschen"}}"#.as_bytes()).unwrap();
        let [message] = messages.so_far() else { panic!("one message") };
        assert!(message.calls("tools/call") && !message.calls("tools/list"));
        assert!(message.is_called_with("=?base64?bMO2c2NoZW4=?="));
        for other in ["delete", "=?base64?ZGVsZXRl?=", "=?base64?%%%?=", "=?BASE64?bMO2c2NoZW4=?=", ""] {
            assert!(!message.is_called_with(other), "{other}");
        }
    }

    #[test]
    fn what_is_asked_for_is_settled_as_soon_as_it_can_be() {
        let mut messages = Messages::new();
        messages.feed(br#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"a"#).unwrap();
        assert!(!messages.so_far()[0].is_settled());
        messages.feed(br#"","arguments":{"big":""#).unwrap();
        assert!(messages.so_far()[0].is_settled());
        messages.feed(br#""},"name":"b"#).unwrap_err();
    }
}
