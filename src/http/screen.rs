//! Which request heads are turned away before any handler sees them.
//!
//! hyper is lenient where an authorization server must not be (request smuggling lives on two readers of
//! one head disagreeing). What hyper still shows is checked here; what it hides is seen by `head_watch`.

use hyper::header::{EXPECT, HOST};
use hyper::{HeaderMap, Method, Request, Version};

use super::Status;

/// Why a head is refused. The connection ends with the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// CONNECT and TRACE: known, and never allowed.
    MethodNotAllowed,
    /// A method that this server does not know; methods are case-sensitive (RFC 9110 9.1).
    MethodUnknown,
    /// The request line is not method, target, version, or the target is neither a path nor a URI.
    Target,
    /// The target has bytes that a URI cannot have, or a fragment.
    TargetBytes,
    /// The target is longer than the limit.
    TargetTooLong,
    /// The head is longer than the limit, or has too many fields.
    HeadTooLarge,
    /// A line ended without a carriage return.
    BareLineFeed,
    /// The length of the body is stated twice or in two ways (RFC 9112 6.3).
    Framing,
    /// No `Host`, several, or one that is not `host[:port]` (RFC 9112 3.2).
    Host,
    /// An expectation other than `100-continue` (RFC 9110 10.1.1).
    Expectation,
}

impl Refusal {
    /// The status of the answer.
    pub(crate) fn status(self) -> Status {
        match self {
            Self::MethodNotAllowed => Status::METHOD_NOT_ALLOWED,
            Self::MethodUnknown => Status::NOT_IMPLEMENTED,
            Self::TargetTooLong => Status::URI_TOO_LONG,
            Self::HeadTooLarge => Status::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::Expectation => Status::EXPECTATION_FAILED,
            Self::Target | Self::TargetBytes | Self::BareLineFeed | Self::Framing | Self::Host => {
                Status::BAD_REQUEST
            }
        }
    }

    /// A sentence for the caller.
    pub(crate) fn describe(self) -> &'static str {
        match self {
            Self::MethodNotAllowed => "This method is not allowed here.",
            Self::MethodUnknown => "This method is not known here. Methods are written in capitals.",
            Self::Target => "The request line is malformed.",
            Self::TargetBytes => "The request target has characters that must be percent-encoded.",
            Self::TargetTooLong => "The request target is too long.",
            Self::HeadTooLarge => "The request has too many or too long header fields.",
            Self::BareLineFeed => "Header lines must end with CR LF.",
            Self::Framing => {
                "The length of the body must be given once: Content-Length or Transfer-Encoding: chunked."
            }
            Self::Host => "The request needs exactly one valid Host header.",
            Self::Expectation => "Only the expectation 100-continue is supported.",
        }
    }
}

/// Looks over a head as hyper shows it. `max_fields` bounds the number of header lines.
pub(crate) fn screen<B>(request: &Request<B>, max_fields: usize) -> Result<(), Refusal> {
    match *request.method() {
        Method::GET | Method::POST | Method::HEAD | Method::OPTIONS => {}
        Method::PUT | Method::PATCH | Method::DELETE => {}
        Method::CONNECT | Method::TRACE => return Err(Refusal::MethodNotAllowed),
        _ => return Err(Refusal::MethodUnknown),
    }
    let path = request.uri().path();
    let is_about_server = path == "*" && request.method() == Method::OPTIONS;
    if !path.starts_with('/') && !is_about_server {
        return Err(Refusal::Target);
    }
    if request.headers().len() > max_fields {
        return Err(Refusal::HeadTooLarge);
    }
    check_host(request.headers(), request.version())?;
    for expectation in request.headers().get_all(EXPECT) {
        if !expectation.as_bytes().eq_ignore_ascii_case(b"100-continue") {
            return Err(Refusal::Expectation);
        }
    }
    Ok(())
}

fn check_host(headers: &HeaderMap, version: Version) -> Result<(), Refusal> {
    let mut hosts = headers.get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(host), None) if is_host(host.as_bytes()) => Ok(()),
        (None, _) if version == Version::HTTP_10 => Ok(()),
        _ => Err(Refusal::Host),
    }
}

/// `host[:port]` with a name, an IPv4 address or a bracketed IPv6 address. Percent-encoding and
/// sub-delimiters, which RFC 3986 would admit in a name, occur in no real host.
fn is_host(host: &[u8]) -> bool {
    if host.len() > 261 {
        return false;
    }
    let (name_is_valid, rest) = if let Some(inner) = host.strip_prefix(b"[") {
        let Some(end) = inner.iter().position(|byte| *byte == b']') else {
            return false;
        };
        let (address, rest) = inner.split_at(end);
        let address = std::str::from_utf8(address).ok();
        let parses = address.is_some_and(|text| text.parse::<std::net::Ipv6Addr>().is_ok());
        (parses, rest.strip_prefix(b"]").unwrap_or_default())
    } else {
        let end = host.iter().position(|byte| *byte == b':').unwrap_or(host.len());
        let (name, rest) = host.split_at(end);
        (!name.is_empty() && name.iter().all(|byte| is_name_byte(*byte)), rest)
    };
    name_is_valid && (rest.is_empty() || rest.strip_prefix(b":").is_some_and(is_port))
}

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'~')
}

fn is_port(digits: &[u8]) -> bool {
    digits.iter().all(u8::is_ascii_digit)
        && std::str::from_utf8(digits).is_ok_and(|text| text.parse::<u16>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::is_host;

    #[test]
    fn a_host_is_a_name_or_an_address_with_an_optional_port() {
        for host in ["as.test", "as.test:8080", "127.0.0.1:80", "[::1]", "[fe80::1]:443", "my_app:1", "a"] {
            assert!(is_host(host.as_bytes()), "{host}");
        }
        for host in [
            "", "a@b", "a/b", "a b", "a:", "a:x", "a:+1", "a:70000", "a:1:2", ":80", "[::1", "[::1]x", "[]",
            "[zz]", "a,b", "é", "a?b", "a#b", "http://a",
        ] {
            assert!(!is_host(host.as_bytes()), "{host}");
        }
        assert!(!is_host("a".repeat(10_240).as_bytes()));
    }
}
