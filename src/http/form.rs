//! `application/x-www-form-urlencoded`, for bodies and query strings, decoded without forgiveness.
//!
//! The usual decoders replace what they do not understand, and a replaced value may match something that
//! was never sent. Here a broken encoding refuses the whole form.

use std::fmt::Write as _;

/// More pairs than any request of ours has.
const MAX_PAIRS: usize = 100;

/// Names and values in the order in which they came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Form(Vec<Pair>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Pair {
    name: String,
    value: String,
    /// The value as it came, when that differs from `value`.
    raw: Option<String>,
}

/// A form that cannot be decoded without guessing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// A `%` that two hexadecimal digits do not follow.
    Percent,
    /// A name or a value is not UTF-8 once decoded.
    NotUtf8,
    /// A NUL character.
    Nul,
    /// More than a hundred pairs.
    TooMany,
}

impl Malformed {
    /// A sentence for the caller; it contains nothing of what was sent.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Percent => "The form has a percent sign that two hexadecimal digits do not follow.",
            Self::NotUtf8 => "The form has a value that is not UTF-8.",
            Self::Nul => "The form has a NUL character.",
            Self::TooMany => "The form has more than 100 parameters.",
        }
    }
}

impl std::fmt::Display for Malformed {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(self.describe())
    }
}

impl std::error::Error for Malformed {}

impl Form {
    /// Decodes a body, or a query string without its `?`. Empty text has no pairs, and empty pairs
    /// (`a=1&&b=2`) are skipped, as browsers do.
    ///
    /// # Errors
    /// [`Malformed`] for anything that could only be decoded by guessing.
    pub fn parse(text: &[u8]) -> Result<Self, Malformed> {
        let mut pairs = Vec::new();
        for pair in text.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
            if pairs.len() == MAX_PAIRS {
                return Err(Malformed::TooMany);
            }
            pairs.push(Pair::parse(pair)?);
        }
        Ok(Self(pairs))
    }

    /// The decoded values of every pair called `name`.
    pub fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |pair| pair.name == name).map(|pair| pair.value.as_str())
    }

    /// The values of every pair called `name` as they arrived. Whatever a URI cannot hold is
    /// percent-encoded, so that the text may stand in a `Location` header as it is.
    pub fn raw<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        let raw = |pair: &'a Pair| pair.raw.as_deref().unwrap_or(&pair.value);
        self.0.iter().filter(move |pair| pair.name == name).map(raw)
    }

    /// Every pair as name, decoded value, and the value as [`Form::raw`] gives it.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        self.0
            .iter()
            .map(|pair| (pair.name.as_str(), pair.value.as_str(), pair.raw.as_deref().unwrap_or(&pair.value)))
    }

    /// Every name, as often as it came.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|pair| pair.name.as_str())
    }
}

impl Pair {
    fn parse(pair: &[u8]) -> Result<Self, Malformed> {
        let mut halves = pair.splitn(2, |byte| *byte == b'=');
        let name = decode(halves.next().unwrap_or_default())?;
        let encoded = halves.next().unwrap_or_default();
        let value = decode(encoded)?;
        let is_same = !encoded.iter().any(|byte| matches!(byte, b'%' | b'+') || !may_stand_in_uri(*byte));
        let raw = if is_same { None } else { Some(for_uri(encoded)) };
        Ok(Self { name, value, raw })
    }
}

fn decode(text: &[u8]) -> Result<String, Malformed> {
    // Most values are encoded as themselves, and a token is long.
    let decoded =
        if text.iter().any(|byte| matches!(byte, b'%' | b'+')) { undo(text)? } else { text.to_vec() };
    if decoded.contains(&0) {
        return Err(Malformed::Nul);
    }
    String::from_utf8(decoded).map_err(|_| Malformed::NotUtf8)
}

fn undo(text: &[u8]) -> Result<Vec<u8>, Malformed> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.iter().copied();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => {
                let (high, low) = (hex(bytes.next())?, hex(bytes.next())?);
                high << 4 | low
            }
            plain => plain,
        });
    }
    Ok(decoded)
}

fn hex(digit: Option<u8>) -> Result<u8, Malformed> {
    match digit {
        Some(digit @ b'0'..=b'9') => Ok(digit - b'0'),
        Some(digit @ b'a'..=b'f') => Ok(digit - b'a' + 10),
        Some(digit @ b'A'..=b'F') => Ok(digit - b'A' + 10),
        _ => Err(Malformed::Percent),
    }
}

fn may_stand_in_uri(byte: u8) -> bool {
    byte.is_ascii_graphic() && !b"\"<>\\^`{|}#".contains(&byte)
}

fn for_uri(text: &[u8]) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text {
        if may_stand_in_uri(*byte) {
            out.push(char::from(*byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Vec<(String, String, String)> {
        let form = Form::parse(text.as_bytes()).unwrap();
        let one = |pair: &Pair| {
            let raw = pair.raw.clone().unwrap_or_else(|| pair.value.clone());
            (pair.name.clone(), pair.value.clone(), raw)
        };
        form.0.iter().map(one).collect()
    }

    fn row(name: &str, value: &str, raw: &str) -> (String, String, String) {
        (name.into(), value.into(), raw.into())
    }

    #[test]
    fn pairs_keep_their_order_and_their_repeats() {
        let form = Form::parse(b"resource=a&x=1&resource=b%2Fc").unwrap();
        assert_eq!(form.all("resource").collect::<Vec<_>>(), ["a", "b/c"]);
        assert_eq!(form.raw("resource").collect::<Vec<_>>(), ["a", "b%2Fc"]);
        assert_eq!(form.names().collect::<Vec<_>>(), ["resource", "x", "resource"]);
        assert_eq!(form.all("Resource").count(), 0);
    }

    #[test]
    fn emptiness_in_all_its_forms() {
        assert_eq!(parsed(""), []);
        assert_eq!(parsed("&&"), []);
        assert_eq!(parsed("a"), [row("a", "", "")]);
        assert_eq!(parsed("a=&=b&c=d=e"), [row("a", "", ""), row("", "b", "b"), row("c", "d=e", "d=e")]);
    }

    #[test]
    fn values_are_decoded_and_the_raw_form_is_kept() {
        assert_eq!(parsed("s%74=a+b%20c%2B%c3%A9"), [row("st", "a b c+é", "a+b%20c%2B%c3%A9")]);
        assert_eq!(parsed("s=é \"<\n#"), [row("s", "é \"<\n#", "%C3%A9%20%22%3C%0A%23")]);
        assert_eq!(parsed("s=~!$'()*,;:@/?[]"), [row("s", "~!$'()*,;:@/?[]", "~!$'()*,;:@/?[]")]);
    }

    #[test]
    fn a_http_15_broken_encodings_refuse_the_form() {
        for (text, malformed) in [
            (&b"a=%"[..], Malformed::Percent),
            (b"a=%2", Malformed::Percent),
            (b"a=%zz", Malformed::Percent),
            (b"a=%+1", Malformed::Percent),
            (b"%=a", Malformed::Percent),
            (b"a=%2&b=1", Malformed::Percent),
            (b"a=%c0%af", Malformed::NotUtf8),
            (b"a=%ed%a0%80", Malformed::NotUtf8),
            (b"a=%e0%80%af", Malformed::NotUtf8),
            (b"a=\xff", Malformed::NotUtf8),
            (b"%ff=a", Malformed::NotUtf8),
            (b"a=%00", Malformed::Nul),
            (b"a\0=1", Malformed::Nul),
        ] {
            assert_eq!(Form::parse(text), Err(malformed), "{:?}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn a_hundred_pairs_are_enough() {
        assert_eq!(Form::parse("a=1&".repeat(100).as_bytes()).unwrap().names().count(), 100);
        assert_eq!(Form::parse("a=1&".repeat(101).as_bytes()), Err(Malformed::TooMany));
    }
}
