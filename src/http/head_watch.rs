//! Sees every request head as it was sent.
//!
//! hyper drops a second equal `Content-Length`, forgets `Content-Length` beside `Transfer-Encoding`, cuts a
//! fragment off the target and takes bare line feeds, all before a handler could notice. So the socket shows
//! each byte to a [`HeadWatch`], which knows just enough of the framing to find the next head.
//!
//! Whatever it cannot follow ends the connection: after a fault and after a chunked body it goes blind, and
//! the server closes after that answer. It never decides where a body ends on behalf of hyper, it only
//! finds heads, and it agrees with hyper on where they are because it refuses every form of doubt.

use super::screen::Refusal;

/// What may be sent, in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeadLimits {
    pub(crate) target: usize,
    pub(crate) head: usize,
}

/// What the client owes us next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Awaiting {
    /// The rest of a head that has begun, or the first head of a connection.
    Head,
    /// Another request, if it likes.
    NextRequest,
}

/// The watcher of one connection's incoming bytes.
#[derive(Debug)]
pub(crate) struct HeadWatch {
    limits: HeadLimits,
    state: State,
    /// Heads that are complete; the current head's number, counted from 0.
    number: u64,
    head: Head,
    /// The beginning of a line whose end has not arrived. At most `limits.head` long.
    unfinished: Vec<u8>,
}

#[derive(Debug)]
enum State {
    Head,
    Body { left: u64 },
    Blind,
}

/// What was seen of the current head.
#[derive(Debug, Default)]
struct Head {
    bytes: usize,
    has_request_line: bool,
    length: Option<u64>,
    is_chunked: bool,
}

impl HeadWatch {
    /// Before the first byte.
    pub(crate) fn new(limits: HeadLimits) -> Self {
        Self { limits, state: State::Head, number: 0, head: Head::default(), unfinished: Vec::new() }
    }

    /// The number of the current head, from 0.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// What the client owes us next, when no request is being answered.
    pub(crate) fn awaiting(&self) -> Awaiting {
        match self.state {
            State::Head if self.number > 0 && self.head.bytes == 0 && self.unfinished.is_empty() => {
                Awaiting::NextRequest
            }
            State::Body { .. } => Awaiting::NextRequest,
            State::Head | State::Blind => Awaiting::Head,
        }
    }

    /// Takes the next bytes off the wire. An error names the fault of the current head, and is the last
    /// thing that this watcher says.
    pub(crate) fn observe(&mut self, mut bytes: &[u8]) -> Result<(), Refusal> {
        while !bytes.is_empty() {
            match self.state {
                State::Blind => return Ok(()),
                State::Body { left } => {
                    let available = bytes.len() as u64;
                    if left > available {
                        self.state = State::Body { left: left - available };
                        return Ok(());
                    }
                    self.state = State::Head;
                    // `left` fits, since it is not more than what is available.
                    bytes = bytes.get(left as usize..).unwrap_or_default();
                }
                State::Head => {
                    let line = bytes.split_inclusive(|byte| *byte == b'\n').next().unwrap_or_default();
                    bytes = bytes.get(line.len()..).unwrap_or_default();
                    if let Err(refusal) = self.piece(line) {
                        self.state = State::Blind;
                        return Err(refusal);
                    }
                }
            }
        }
        Ok(())
    }

    /// A line, or as much of it as has arrived.
    fn piece(&mut self, piece: &[u8]) -> Result<(), Refusal> {
        let line_bytes = self.unfinished.len() + piece.len();
        if self.head.bytes + line_bytes > self.limits.head {
            let is_target = !self.head.has_request_line && line_bytes > self.limits.target;
            return Err(if is_target { Refusal::TargetTooLong } else { Refusal::HeadTooLarge });
        }
        if piece.last() != Some(&b'\n') {
            self.unfinished.extend_from_slice(piece);
            return Ok(());
        }
        if self.unfinished.is_empty() {
            return self.line(piece);
        }
        let mut whole = std::mem::take(&mut self.unfinished);
        whole.extend_from_slice(piece);
        self.line(&whole)
    }

    fn line(&mut self, line: &[u8]) -> Result<(), Refusal> {
        self.head.bytes += line.len();
        let text = line.strip_suffix(b"\r\n").ok_or(Refusal::BareLineFeed)?;
        match (self.head.has_request_line, text.is_empty()) {
            // Empty lines before a request line are skipped (RFC 9112 2.2).
            (false, true) => Ok(()),
            (false, false) => self.request_line(text),
            (true, false) => self.field(text),
            (true, true) => {
                self.end_of_head();
                Ok(())
            }
        }
    }

    fn request_line(&mut self, text: &[u8]) -> Result<(), Refusal> {
        self.head.has_request_line = true;
        let mut words = text.split(|byte| *byte == b' ');
        let (Some(_), Some(target), Some(_), None) = (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(Refusal::Target);
        };
        if target.len() > self.limits.target {
            return Err(Refusal::TargetTooLong);
        }
        if !target.iter().all(|byte| matches!(byte, 0x21..=0x7e) && *byte != b'#') {
            return Err(Refusal::TargetBytes);
        }
        Ok(())
    }

    fn field(&mut self, text: &[u8]) -> Result<(), Refusal> {
        // Only names of these two lengths matter; hyper refuses space before the colon, and folded lines.
        if text.get(14) == Some(&b':') {
            self.content_length(text)
        } else if text.get(17) == Some(&b':') {
            self.transfer_encoding(text)
        } else {
            Ok(())
        }
    }

    fn content_length(&mut self, text: &[u8]) -> Result<(), Refusal> {
        let Some(value) = value_of(text, b"content-length:") else {
            return Ok(());
        };
        if self.head.length.is_some() || self.head.is_chunked {
            return Err(Refusal::Framing);
        }
        let digits = std::str::from_utf8(value).ok().filter(|text| text.bytes().all(|b| b.is_ascii_digit()));
        self.head.length = Some(digits.and_then(|text| text.parse().ok()).ok_or(Refusal::Framing)?);
        Ok(())
    }

    fn transfer_encoding(&mut self, text: &[u8]) -> Result<(), Refusal> {
        let Some(value) = value_of(text, b"transfer-encoding:") else {
            return Ok(());
        };
        if self.head.length.is_some() || self.head.is_chunked || !value.eq_ignore_ascii_case(b"chunked") {
            return Err(Refusal::Framing);
        }
        self.head.is_chunked = true;
        Ok(())
    }

    fn end_of_head(&mut self) {
        let head = std::mem::take(&mut self.head);
        self.number += 1;
        self.state = match head.length {
            _ if head.is_chunked => State::Blind,
            Some(left) if left > 0 => State::Body { left },
            _ => State::Head,
        };
    }
}

fn value_of<'a>(text: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (start, value) = text.split_at_checked(name.len())?;
    start.eq_ignore_ascii_case(name).then(|| value.trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch() -> HeadWatch {
        HeadWatch::new(HeadLimits { target: 64, head: 512 })
    }

    /// The outcome of `wire`, the same whether it arrives at once or cut anywhere into pieces.
    fn seen(wire: &[u8]) -> (u64, Result<(), Refusal>) {
        let in_pieces_of = |size: usize| {
            let mut watch = watch();
            let outcome = wire.chunks(size).try_for_each(|piece| watch.observe(piece));
            (watch.number(), outcome)
        };
        let at_once = in_pieces_of(wire.len());
        for size in 1..wire.len() {
            assert_eq!(in_pieces_of(size), at_once, "in pieces of {size}");
        }
        at_once
    }

    #[test]
    fn heads_are_found_behind_bodies_however_the_bytes_arrive() {
        let wire = b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 40\r\n\r\n\
            \r\n\r\nGET /no HTTP/1.1\r\nContent-Length: 1\r\n\r\nGET /b HTTP/1.1\r\n\r\n\r\nGET /c HTTP/1.1\r\n\r\n";
        let body = b"\r\n\r\nGET /no HTTP/1.1\r\nContent-Length: 1\r\n\r\n".len();
        let wire = String::from_utf8(wire.to_vec()).unwrap().replace(": 40", &format!(": {body}"));
        assert_eq!(seen(wire.as_bytes()), (3, Ok(())));
    }

    #[test]
    fn a_fault_names_the_head_that_it_is_in() {
        let good = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
        for (head, refusal) in [
            ("POST / HTTP/1.1\r\nContent-Length: 3\r\ncontent-length: 3\r\n\r\n", Refusal::Framing),
            ("POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", Refusal::Framing),
            ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n", Refusal::Framing),
            (
                "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
                Refusal::Framing,
            ),
            ("POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n", Refusal::Framing),
            ("POST / HTTP/1.1\r\nContent-Length: +3\r\n", Refusal::Framing),
            ("POST / HTTP/1.1\r\nContent-Length:\r\n", Refusal::Framing),
            ("POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n", Refusal::Framing),
            ("GET / HTTP/1.1\nHost: x\r\n\r\n", Refusal::BareLineFeed),
            ("GET /a#b HTTP/1.1\r\n", Refusal::TargetBytes),
            ("GET /\u{e9} HTTP/1.1\r\n", Refusal::TargetBytes),
            ("GET /\u{7f} HTTP/1.1\r\n", Refusal::TargetBytes),
            ("GET /a b HTTP/1.1\r\n", Refusal::Target),
            ("GET\r\n", Refusal::Target),
        ] {
            assert_eq!(seen(head.as_bytes()), (0, Err(refusal)), "{head}");
            assert_eq!(seen(format!("{good}{head}").as_bytes()), (1, Err(refusal)), "{head}");
        }
    }

    #[test]
    fn limits_hold_to_the_byte() {
        let target = |length: usize| format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(length - 1));
        assert_eq!(seen(target(64).as_bytes()), (1, Ok(())));
        assert_eq!(seen(target(65).as_bytes()), (0, Err(Refusal::TargetTooLong)));
        assert_eq!(seen(target(5000).as_bytes()), (0, Err(Refusal::TargetTooLong)));
        let head = |length: usize| format!("GET / HTTP/1.1\r\na: {}\r\n\r\n", "b".repeat(length - 23));
        assert_eq!(seen(head(512).as_bytes()), (1, Ok(())));
        assert_eq!(seen(head(513).as_bytes()), (0, Err(Refusal::HeadTooLarge)));
    }

    #[test]
    fn only_a_connection_between_two_requests_is_idle() {
        let mut watch = watch();
        assert_eq!(watch.awaiting(), Awaiting::Head, "nothing was sent yet");
        watch.observe(b"GET / HT").unwrap();
        assert_eq!(watch.awaiting(), Awaiting::Head);
        watch.observe(b"TP/1.1\r\n\r\n").unwrap();
        assert_eq!(watch.awaiting(), Awaiting::NextRequest);
        watch.observe(b"G").unwrap();
        assert_eq!(watch.awaiting(), Awaiting::Head);
    }
}
