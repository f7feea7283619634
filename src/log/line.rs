//! One event as one line: `2026-11-23T22:39:04Z INFO request method=GET path=/ status=200`.

use std::cell::RefCell;
use std::fmt;

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use crate::clock::{Clock, UnixTime};

/// Characters of one value; what is longer ends in an ellipsis.
const VALUE_CHARS: usize = 256;
/// Characters of the message, which is our own text and may name a path or a URI.
const MESSAGE_CHARS: usize = 1024;

/// The format of every line.
pub(super) struct Lines;

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, _: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        write_now(&mut out)?;
        out.write_char(' ')?;
        out.write_str(event.metadata().level().as_str())?;
        out.write_char(' ')?;
        out.write_str(event.metadata().target())?;
        let mut fields = Fields { out: &mut out, outcome: Ok(()) };
        event.record(&mut fields);
        fields.outcome?;
        out.write_char('\n')
    }
}

thread_local! {
    /// The last stamp of this thread; most lines share their second with the one before.
    static STAMP: RefCell<(UnixTime, String)> = const { RefCell::new((UnixTime::new(-1), String::new())) };
}

fn write_now(out: &mut Writer<'_>) -> fmt::Result {
    let now = Clock::machine().now();
    STAMP.with_borrow_mut(|(second, text)| {
        if *second != now {
            *second = now;
            *text = now.to_string();
        }
        out.write_str(text)
    })
}

/// Writes ` name=value` for every field, and the message as it is.
struct Fields<'a, 'w> {
    out: &'a mut Writer<'w>,
    outcome: fmt::Result,
}

impl Fields<'_, '_> {
    fn field(&mut self, field: &Field, write: impl FnOnce(&mut Writer<'_>) -> fmt::Result) {
        if self.outcome.is_ok() {
            self.outcome = (|| {
                self.out.write_char(' ')?;
                self.out.write_str(field.name())?;
                self.out.write_char('=')?;
                write(self.out)
            })();
        }
    }
}

impl Visit for Fields<'_, '_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.record_debug(field, &format_args!("{value}"));
        } else {
            self.field(field, |out| write_value(out, value));
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.field(field, |out| write!(out, "{value}"));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.field(field, |out| write!(out, "{value}"));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.field(field, |out| write!(out, "{value}"));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        // The whole chain: the first error alone rarely says what to do.
        let mut text = value.to_string();
        let mut cause = value.source();
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        self.record_str(field, &text);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let text = format!("{value:?}");
        if field.name() != "message" {
            self.field(field, |out| write_value(out, &text));
        } else if self.outcome.is_ok() {
            self.outcome =
                self.out.write_char(' ').and_then(|()| write_escaped(self.out, &text, MESSAGE_CHARS));
        }
    }
}

/// A value, in quotes if it is anything but one plain word.
fn write_value(out: &mut impl fmt::Write, value: &str) -> fmt::Result {
    let is_plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\' | b'=');
    if !value.is_empty() && value.len() <= VALUE_CHARS && value.bytes().all(is_plain) {
        return out.write_str(value);
    }
    out.write_char('"')?;
    write_escaped(out, value, VALUE_CHARS)?;
    out.write_char('"')
}

/// Letters, digits and printable ASCII as they are; quotes, controls, line separators, direction marks and
/// every other oddity as an escape.
fn write_escaped(out: &mut impl fmt::Write, text: &str, max_chars: usize) -> fmt::Result {
    let mut characters = text.chars();
    for character in characters.by_ref().take(max_chars) {
        match character {
            '"' | '\\' => write!(out, "\\{character}")?,
            ' '..='~' => out.write_char(character)?,
            _ if character.is_alphanumeric() => out.write_char(character)?,
            _ => write!(out, "{}", character.escape_unicode())?,
        }
    }
    if characters.next().is_some() { out.write_char('…') } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> String {
        let mut out = String::new();
        write_value(&mut out, text).unwrap();
        out
    }

    #[test]
    fn a_log_01_no_value_breaks_its_line_or_its_quotes() {
        assert_eq!(value("/oauth/token"), "/oauth/token");
        assert_eq!(value(""), r#""""#);
        assert_eq!(value("a b"), r#""a b""#);
        assert_eq!(value("x status=200"), r#""x status=200""#);
        assert_eq!(value("a\" status=200 \\"), r#""a\" status=200 \\""#);
        assert_eq!(value("a\r\nb\0\u{1b}[31m"), r#""a\u{d}\u{a}b\u{0}\u{1b}[31m""#);
        assert_eq!(value("a\u{2028}\u{85}\u{202e}\u{200b}"), r#""a\u{2028}\u{85}\u{202e}\u{200b}""#);
        assert_eq!(value("Zoë 東京"), r#""Zoë 東京""#);
    }

    #[test]
    fn a_log_01_long_values_are_cut() {
        assert_eq!(value(&"a".repeat(256)), "a".repeat(256));
        assert_eq!(value(&"a".repeat(1_000_000)), format!("\"{}…\"", "a".repeat(256)));
        assert_eq!(value(&"é".repeat(300)), format!("\"{}…\"", "é".repeat(256)));
    }
}
