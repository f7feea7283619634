//! A text within JSON (RFC 8259 7), byte for byte: its escapes undone, and nothing let through that is no Unicode.

use super::NotJson;

/// The longest text that is kept whole.
pub(super) const TEXT_BYTES_MAX: usize = 4 * 1024;

/// The text that is being read.
#[derive(Debug, Default)]
pub(super) struct Text {
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
    pub(super) fn begin(&mut self, is_wanted: bool) {
        self.kept.clear();
        let kept = std::mem::take(&mut self.kept);
        *self = Self { kept, is_wanted, ..Self::default() };
    }

    /// Keeps bytes, if anybody wants them.
    pub(super) fn keep(&mut self, bytes: &[u8]) {
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
    pub(super) fn take(&mut self, byte: u8) -> Result<bool, NotJson> {
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

    pub(super) fn whole(&self) -> Option<&str> {
        if self.is_spoilt { None } else { std::str::from_utf8(&self.kept).ok() }
    }
}
