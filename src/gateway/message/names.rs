//! Names that are the same to everybody, and those that somebody reads as another one.

use std::borrow::Cow;

use crate::crypto::digest::from_base64;

/// The value of an `Mcp-Name` header: as it is, or base64 where it could not be (`=?base64?...?=`).
pub(super) fn decoded(header: &str) -> Option<Cow<'_, str>> {
    match header.strip_prefix("=?base64?").and_then(|rest| rest.strip_suffix("?=")) {
        None => Some(Cow::Borrowed(header)),
        Some(encoded) => String::from_utf8(from_base64(encoded)?).ok().map(Cow::Owned),
    }
}

/// Whether a method's resources are named by their URI.
pub(super) fn are_resources(method: &str) -> bool {
    method.starts_with("resources/")
}

/// Whether a name is the same to everybody: some trim names, or end them at a byte of zero.
pub(super) fn is_plain_name(name: &str) -> bool {
    name.trim() == name && !name.contains(char::is_control)
}

/// Whether a URI is the same to everybody. Most servers read it as a URL and go by what comes out of that: without dot
/// segments, and with host and scheme in lower case; some decode it.
pub(super) fn is_plain_uri(uri: &str) -> bool {
    let hides = |rest: &str| {
        let code = rest.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        code.is_none_or(|byte| byte.is_ascii_alphanumeric() || b"-._~/\\%".contains(&byte) || byte < b' ')
    };
    let is_normal =
        url::Url::parse(uri).map_or_else(|_| !uri.contains(['%', '\\']), |url| url.as_str() == uri);
    is_normal
        && !uri.split('/').any(|segment| matches!(segment, "." | ".."))
        && !uri.split('%').skip(1).any(hides)
}

/// A name as parsers see it that ignore case, by any folding that leads to ASCII, and as those see it that end it at a
/// byte of zero.
pub(super) fn folded(name: &str) -> impl Iterator<Item = char> {
    name.chars().take_while(|c| *c != '\0').map(|c| match c {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        '\u{130}' | '\u{131}' => 'i',
        c => c.to_ascii_lowercase(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_that_is_another_one_to_somebody_is_unclear() {
        for plain in [
            "u",
            "file:///notes/a.txt",
            "file:///notes/..a/b%20c",
            "note://x/%C3%A9",
            "https://h.test/",
            "https://h.test/a?b=c",
            "urn:isbn:1",
            "notes/1",
        ] {
            assert!(is_plain_uri(plain), "{plain}");
        }
        for other in [
            "file:///public/../private/x",
            "file:///public/./x",
            "file:///public/%2e%2e/private/x",
            "file:///%70rivate/x",
            "file:///private%2Fx",
            "file:///private%5cx",
            "file:///%2570rivate",
            "file:///private\\x",
            "FILE:///private/x",
            "file:/private/x",
            "file://localhost/private/x",
            "https://H.test/x",
            "https://h.test:443/x",
            "https://h.test",
            "note://x/\u{e9}",
            "note://x/ y",
            "a/../b",
            "a/%2e%2e/b",
            "file:///x%",
            "file:///x%0a",
        ] {
            assert!(!is_plain_uri(other), "{other}");
        }
    }
}
