//! JSON as it passes by (RFC 8259), byte for byte: what is no JSON is noticed before its end is handed on, and
//! whoever listens hears of every member, and of every text down to the depth that matters.
//!
//! Strict, because two readers must not see two texts: whatever another parser might forgive is refused here. Nothing is
//! kept but the way down to where it is, and the texts that matter, up to a bound.

mod text;

use text::Text;

/// Deeper than any message, and no deeper than other parsers go.
const DEPTH_MAX: usize = 100;

/// What a reader hears, together with the depth: 0 for the whole text, 1 for what stands in it, and so on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event<'a> {
    /// A value begins.
    Begin(Kind),
    /// A member's name, in an object at this depth; `None` for one that is too long to keep, or no text in Unicode.
    Name(Option<&'a str>),
    /// A text that is a value; `None` as for names.
    Text(Option<&'a str>),
    /// A number as it is written; `None` for one that is too long to keep.
    Number(Option<&'a str>),
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
            self.number_ended(hear);
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
                    self.text.keep(&[byte]);
                    self.state = State::Number(next);
                    return Ok(());
                }
                // The byte behind a number belongs to what is around it.
                None if number.may_end() => self.number_ended(hear),
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
            Kind::Other => {
                self.text.begin(depth <= self.kept_depth);
                self.text.keep(&[byte]);
            }
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

    fn number_ended(&mut self, hear: &mut impl FnMut(usize, Event<'_>)) {
        hear(self.around.len(), Event::Number(self.text.whole()));
        self.value_ended(hear);
    }

    fn value_ended(&mut self, hear: &mut impl FnMut(usize, Event<'_>)) {
        hear(self.around.len(), Event::End);
        self.state = if self.around.is_empty() { State::Done } else { State::CommaOrEnd };
    }
}

#[cfg(test)]
mod tests;
