//! JSON as it passes by (RFC 8259), byte for byte: what is no JSON is noticed before its end is handed on, and
//! whoever listens hears of every member, and of every text down to the depth that matters.
//!
//! Strict, because two readers must not see two texts: whatever another parser might forgive is refused here. Nothing is
//! kept but the way down to where it is, and the texts that matter, up to a bound.

/// Deeper than any message, and no deeper than other parsers go.
const DEPTH_MAX: usize = 100;

/// The longest text that is kept whole.
const TEXT_BYTES_MAX: usize = 4 * 1024;

/// What a reader hears, together with the depth: 0 for the whole text, 1 for what stands in it, and so on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event<'a> {
    /// A value begins.
    Begin(Kind),
    /// A member's name, in an object at this depth; `None` for one that is too long to keep, or no text in Unicode.
    Name(Option<&'a str>),
    /// A text that is a value; `None` as for names.
    Text(Option<&'a str>),
    /// A value has ended.
    End,
}

/// The kinds of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Object,
    Array,
    Text,
    Other,
}

/// It is no JSON, or JSON that goes too deep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotJson;

/// Reads one JSON text, in pieces cut anywhere.
#[derive(Debug)]
pub(super) struct Reader {
    /// Texts that lie deeper are heard of, but not kept.
    kept_depth: usize,
    /// The objects and arrays around, the outermost first.
    around: Vec<Container>,
    state: State,
    text: Text,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Container {
    Object,
    Array,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// A value has to come.
    #[default]
    Value,
    /// A value, or the end of the array that has just begun.
    ValueOrEnd,
    /// A name has to come.
    Name,
    /// A name, or the end of the object that has just begun.
    NameOrEnd,
    /// A colon has to come.
    Colon,
    /// A comma, or the end of what is around.
    CommaOrEnd,
    /// Within a text.
    Text(Role),
    /// Within a number.
    Number(Number),
    /// Within `true`, `false` or `null`: what is still to come.
    Word(&'static [u8]),
    /// All was read; only white space may follow.
    Done,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Name,
    Value,
}

/// Where in a number (RFC 8259 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Number {
    Minus,
    Zero,
    Whole,
    Point,
    Fraction,
    E,
    Sign,
    Exponent,
}

impl Number {
    /// Whether a number may end here.
    const fn may_end(self) -> bool {
        matches!(self, Self::Zero | Self::Whole | Self::Fraction | Self::Exponent)
    }

    fn next(self, byte: u8) -> Option<Self> {
        match (self, byte) {
            (Self::Minus, b'0') => Some(Self::Zero),
            (Self::Minus, b'1'..=b'9') | (Self::Whole, b'0'..=b'9') => Some(Self::Whole),
            (Self::Zero | Self::Whole, b'.') => Some(Self::Point),
            (Self::Point | Self::Fraction, b'0'..=b'9') => Some(Self::Fraction),
            (Self::Zero | Self::Whole | Self::Fraction, b'e' | b'E') => Some(Self::E),
            (Self::E, b'+' | b'-') => Some(Self::Sign),
            (Self::E | Self::Sign | Self::Exponent, b'0'..=b'9') => Some(Self::Exponent),
            _ => None,
        }
    }
}

/// The text that is being read.
#[derive(Debug, Default)]
struct Text {
    /// Its bytes so far, escapes undone; empty where nobody wants it.
    kept: Vec<u8>,
    is_wanted: bool,
    /// It is longer than what is kept, or has half a surrogate pair, which no text in Unicode has.
    is_spoilt: bool,
    escape: Escape,
    /// The first half of a surrogate pair, whose second half has to come next.
    high: Option<u16>,
    utf8: Utf8,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Escape {
    #[default]
    None,
    Backslash,
    /// How many digits are still to come, and what the others say.
    Digits(u8, u16),
}

/// What of a character in UTF-8 is still to come (RFC 3629 4).
#[derive(Clone, Copy, Debug, Default)]
struct Utf8 {
    left: u8,
    /// What the next byte may be.
    least: u8,
    most: u8,
}

impl Utf8 {
    /// Takes a byte; `false` if it stands in no text.
    fn take(&mut self, byte: u8) -> bool {
        if self.left > 0 {
            let fits = (self.least..=self.most).contains(&byte);
            *self = Self { left: self.left - 1, least: 0x80, most: 0xbf };
            return fits;
        }
        let (left, least, most) = match byte {
            0x00..=0x7f => return true,
            0xc2..=0xdf => (1, 0x80, 0xbf),
            0xe0 => (2, 0xa0, 0xbf),
            0xe1..=0xec | 0xee | 0xef => (2, 0x80, 0xbf),
            0xed => (2, 0x80, 0x9f),
            0xf0 => (3, 0x90, 0xbf),
            0xf1..=0xf3 => (3, 0x80, 0xbf),
            0xf4 => (3, 0x80, 0x8f),
            _ => return false,
        };
        *self = Self { left, least, most };
        true
    }
}

impl Text {
    fn begin(&mut self, is_wanted: bool) {
        self.kept.clear();
        let kept = std::mem::take(&mut self.kept);
        *self = Self { kept, is_wanted, ..Self::default() };
    }

    fn keep(&mut self, bytes: &[u8]) {
        if !self.is_wanted || self.is_spoilt {
            return;
        }
        if self.kept.len() + bytes.len() > TEXT_BYTES_MAX {
            self.is_spoilt = true;
            return;
        }
        self.kept.extend_from_slice(bytes);
    }

    /// Takes a byte; `Ok(true)` at the quote that ends the text.
    fn take(&mut self, byte: u8) -> Result<bool, NotJson> {
        match self.escape {
            Escape::None => {}
            Escape::Backslash => return self.escaped(byte).map(|()| false),
            Escape::Digits(left, so_far) => return self.digit(byte, left, so_far).map(|()| false),
        }
        if self.utf8.left == 0 {
            match byte {
                b'"' => {
                    self.no_half();
                    return Ok(true);
                }
                b'\\' => {
                    self.escape = Escape::Backslash;
                    return Ok(false);
                }
                0x00..=0x1f => return Err(NotJson),
                _ => self.no_half(),
            }
        }
        if !self.utf8.take(byte) {
            return Err(NotJson);
        }
        self.keep(&[byte]);
        Ok(false)
    }

    fn escaped(&mut self, byte: u8) -> Result<(), NotJson> {
        let plain = match byte {
            b'"' | b'\\' | b'/' => byte,
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => {
                self.escape = Escape::Digits(4, 0);
                return Ok(());
            }
            _ => return Err(NotJson),
        };
        self.escape = Escape::None;
        self.no_half();
        self.keep(&[plain]);
        Ok(())
    }

    fn digit(&mut self, byte: u8, left: u8, so_far: u16) -> Result<(), NotJson> {
        let value = char::from(byte).to_digit(16).ok_or(NotJson)?;
        // Four digits fit into sixteen bits.
        let unit = so_far << 4 | u16::try_from(value).map_err(|_| NotJson)?;
        if left > 1 {
            self.escape = Escape::Digits(left - 1, unit);
            return Ok(());
        }
        self.escape = Escape::None;
        match (self.high.take(), unit) {
            (Some(high), 0xdc00..=0xdfff) => {
                let code = 0x1_0000 + ((u32::from(high) - 0xd800) << 10 | (u32::from(unit) - 0xdc00));
                self.keep_char(char::from_u32(code));
            }
            (None, 0xd800..=0xdbff) => self.high = Some(unit),
            (high, 0xd800..=0xdbff) => {
                self.is_spoilt |= high.is_some();
                self.high = Some(unit);
            }
            (high, _) => {
                self.is_spoilt |= high.is_some();
                self.keep_char(char::from_u32(u32::from(unit)));
            }
        }
        Ok(())
    }

    fn keep_char(&mut self, c: Option<char>) {
        match c {
            Some(c) => self.keep(c.encode_utf8(&mut [0; 4]).as_bytes()),
            None => self.is_spoilt = true,
        }
    }

    /// Notices that the second half of a surrogate pair did not come.
    fn no_half(&mut self) {
        self.is_spoilt |= self.high.take().is_some();
    }

    fn whole(&self) -> Option<&str> {
        if self.is_spoilt { None } else { std::str::from_utf8(&self.kept).ok() }
    }
}

impl Reader {
    /// A reader that keeps texts down to this depth.
    pub(super) fn new(kept_depth: usize) -> Self {
        Self { kept_depth, around: Vec::new(), state: State::default(), text: Text::default() }
    }

    /// Takes the next piece.
    pub(super) fn feed(
        &mut self,
        piece: &[u8],
        hear: &mut impl FnMut(usize, Event<'_>),
    ) -> Result<(), NotJson> {
        piece.iter().try_for_each(|byte| self.take(*byte, hear))
    }

    /// Says that nothing more comes.
    pub(super) fn finish(&mut self, hear: &mut impl FnMut(usize, Event<'_>)) -> Result<(), NotJson> {
        if let State::Number(number) = self.state
            && number.may_end()
        {
            self.value_ended(hear);
        }
        if self.state == State::Done { Ok(()) } else { Err(NotJson) }
    }

    fn take(&mut self, byte: u8, hear: &mut impl FnMut(usize, Event<'_>)) -> Result<(), NotJson> {
        match self.state {
            State::Text(role) => {
                if self.text.take(byte)? {
                    self.text_ended(role, hear);
                }
                return Ok(());
            }
            State::Number(number) => match number.next(byte) {
                Some(next) => {
                    self.state = State::Number(next);
                    return Ok(());
                }
                // The byte behind a number belongs to what is around it.
                None if number.may_end() => self.value_ended(hear),
                None => return Err(NotJson),
            },
            State::Word(rest) => {
                let (first, rest) = rest.split_first().ok_or(NotJson)?;
                if byte != *first {
                    return Err(NotJson);
                }
                self.state = State::Word(rest);
                if rest.is_empty() {
                    self.value_ended(hear);
                }
                return Ok(());
            }
            _ => {}
        }
        if matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
            return Ok(());
        }
        match (self.state, byte) {
            (State::ValueOrEnd, b']') | (State::NameOrEnd, b'}') => self.leave(byte, hear),
            (State::Value | State::ValueOrEnd, _) => self.value(byte, hear),
            (State::Name | State::NameOrEnd, b'"') => {
                self.text.begin(self.around.len() - 1 <= self.kept_depth);
                self.state = State::Text(Role::Name);
                Ok(())
            }
            (State::Colon, b':') => {
                self.state = State::Value;
                Ok(())
            }
            (State::CommaOrEnd, b',') => {
                self.state = match self.around.last() {
                    Some(Container::Object) => State::Name,
                    _ => State::Value,
                };
                Ok(())
            }
            (State::CommaOrEnd, b'}' | b']') => self.leave(byte, hear),
            _ => Err(NotJson),
        }
    }

    fn value(&mut self, byte: u8, hear: &mut impl FnMut(usize, Event<'_>)) -> Result<(), NotJson> {
        let depth = self.around.len();
        let (kind, state) = match byte {
            b'{' => (Kind::Object, State::NameOrEnd),
            b'[' => (Kind::Array, State::ValueOrEnd),
            b'"' => (Kind::Text, State::Text(Role::Value)),
            b'-' => (Kind::Other, State::Number(Number::Minus)),
            b'0' => (Kind::Other, State::Number(Number::Zero)),
            b'1'..=b'9' => (Kind::Other, State::Number(Number::Whole)),
            b't' => (Kind::Other, State::Word(b"rue")),
            b'f' => (Kind::Other, State::Word(b"alse")),
            b'n' => (Kind::Other, State::Word(b"ull")),
            _ => return Err(NotJson),
        };
        hear(depth, Event::Begin(kind));
        match kind {
            Kind::Object => self.around.push(Container::Object),
            Kind::Array => self.around.push(Container::Array),
            Kind::Text => self.text.begin(depth <= self.kept_depth),
            Kind::Other => {}
        }
        if self.around.len() > DEPTH_MAX {
            return Err(NotJson);
        }
        self.state = state;
        Ok(())
    }

    fn leave(&mut self, byte: u8, hear: &mut impl FnMut(usize, Event<'_>)) -> Result<(), NotJson> {
        let fits = match self.around.pop() {
            Some(Container::Object) => byte == b'}',
            Some(Container::Array) => byte == b']',
            None => false,
        };
        if !fits {
            return Err(NotJson);
        }
        self.value_ended(hear);
        Ok(())
    }

    fn text_ended(&mut self, role: Role, hear: &mut impl FnMut(usize, Event<'_>)) {
        let depth = self.around.len();
        match role {
            Role::Name => {
                hear(depth - 1, Event::Name(self.text.whole()));
                self.state = State::Colon;
            }
            Role::Value => {
                hear(depth, Event::Text(self.text.whole()));
                self.value_ended(hear);
            }
        }
    }

    fn value_ended(&mut self, hear: &mut impl FnMut(usize, Event<'_>)) {
        hear(self.around.len(), Event::End);
        self.state = if self.around.is_empty() { State::Done } else { State::CommaOrEnd };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes down all that is heard.
    fn scribe(heard: &mut String) -> impl FnMut(usize, Event<'_>) {
        |depth, event| {
            heard.push_str(&match event {
                Event::Begin(kind) => format!("({depth}{kind:?} "),
                Event::Name(name) => format!("{depth}{name:?}: "),
                Event::Text(text) => format!("{text:?}"),
                Event::End => format!("{depth})"),
            });
        }
    }

    fn read(pieces: impl Iterator<Item = impl AsRef<[u8]>>) -> Result<String, NotJson> {
        let (mut reader, mut heard) = (Reader::new(usize::MAX), String::new());
        let mut hear = scribe(&mut heard);
        pieces.into_iter().try_for_each(|piece| reader.feed(piece.as_ref(), &mut hear))?;
        reader.finish(&mut hear)?;
        drop(hear);
        Ok(heard)
    }

    /// What is heard of a text, the same in pieces of every size.
    fn heard(text: &[u8]) -> Result<String, NotJson> {
        let whole = read(std::iter::once(text));
        for size in 1..text.len().min(16) {
            assert_eq!(read(text.chunks(size)), whole, "{}", String::from_utf8_lossy(text));
        }
        whole
    }

    #[test]
    fn names_and_texts_are_heard_at_their_depth_with_their_escapes_undone() {
        let text = br#" {"a":[1,{"b":"x\n\u00e9\ud83d\ude00"}],"\u0063":null} "#;
        let expected = "(0Object 0Some(\"a\"): (1Array (2Other 2)(2Object 2Some(\"b\"): \
                        (3Text Some(\"x\\n\u{e9}\u{1f600}\")3)2)1)0Some(\"c\"): (1Other 1)0)";
        assert_eq!(heard(text).as_deref(), Ok(expected));
    }

    /// The two readers must agree on what is JSON, or a message could be one thing here and another behind.
    #[test]
    fn it_takes_what_serde_json_takes_and_refuses_what_serde_json_refuses() {
        let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let mut texts: Vec<Vec<u8>> = [
            "",
            " ",
            "null",
            "true",
            "false",
            "nul",
            "nulll",
            "tru",
            "True",
            "0",
            "-0",
            "-",
            "01",
            "1.",
            "1.5",
            ".5",
            "1e5",
            "1E+5",
            "1e",
            "1e+",
            "1.5e-3",
            "+1",
            "0x1",
            "NaN",
            "Infinity",
            "\"\"",
            "\"a",
            "\"\\x\"",
            "\"\\u12\"",
            "\"\\u12g4\"",
            "\"\t\"",
            "\"\\\"\"",
            "'a'",
            "[]",
            "[1]",
            "[1,]",
            "[,1]",
            "[1 2]",
            "[1,2]",
            "[",
            "]",
            "{}",
            "{\"a\":1}",
            "{\"a\":1,}",
            "{\"a\"}",
            "{\"a\" 1}",
            "{a:1}",
            "{1:1}",
            "{\"a\":}",
            "{,}",
            "{\"a\":1 \"b\":2}",
            "[}",
            "{]",
            "{\"a\":[}",
            "1 2",
            "{} {}",
            "[] x",
            "/**/1",
            "1//",
            "\u{feff}1",
            "\u{a0}1",
            "\u{e9}",
            "\"\u{e9}\"",
            "\"\\/\"",
            "\"\u{7f}\"",
            "\"\u{2028}\"",
            "[[[[]]]]",
            "{\"\":{\"\":{}}}",
            "1\n",
            "\r\n[\t]\n",
            "[1]\u{0}",
        ]
        .iter()
        .map(|text| text.as_bytes().to_vec())
        .collect();
        texts.extend(
            [
                &b"\"\xff\""[..],
                b"\"\xc0\xaf\"",
                b"\"\xed\xa0\x80\"",
                b"\"\xf4\x90\x80\x80\"",
                b"\"\xe9\"",
                b"\xff",
            ]
            .map(<[u8]>::to_vec),
        );
        texts.push(deep(DEPTH_MAX).into_bytes());
        for text in texts {
            let theirs = serde_json::from_slice::<serde_json::Value>(&text).is_ok();
            assert_eq!(heard(&text).is_ok(), theirs, "{:?}", String::from_utf8_lossy(&text));
        }
        assert!(heard(deep(DEPTH_MAX + 1).as_bytes()).is_err());
    }

    #[test]
    fn half_a_surrogate_pair_is_no_text_and_spoils_nothing_else() {
        for half in [r#""\ud83d""#, r#""\ud83dx""#, r#""\ude00""#, r#""\ud83d\n""#, r#""\ud83d\ud83d""#] {
            assert_eq!(heard(half.as_bytes()).as_deref(), Ok("(0Text None0)"), "{half}");
        }
        let long = format!("\"{}\"", "a".repeat(TEXT_BYTES_MAX + 1));
        assert_eq!(heard(long.as_bytes()).as_deref(), Ok("(0Text None0)"));
    }

    #[test]
    fn r_28_any_bytes_end_in_a_verdict_and_never_in_a_crash() {
        let alphabet = b"{}[]\":,\\u0d8eE+-.tfn \xc3\xa9\xff\x00a";
        let mut seed: u64 = 1;
        let mut next = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) as usize
        };
        for _ in 0..20_000 {
            let text: Vec<u8> = (0..next() % 24).map(|_| alphabet[next() % alphabet.len()]).collect();
            let ours = read(std::iter::once(&text)).is_ok();
            let theirs = serde_json::from_slice::<serde::de::IgnoredAny>(&text).is_ok();
            // serde_json leaves half surrogates and broken UTF-8 in texts that it ignores.
            assert!(theirs || !ours, "{:?}", String::from_utf8_lossy(&text));
        }
    }
}
