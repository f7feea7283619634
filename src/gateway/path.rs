//! Paths at guarded resources: those that every server reads alike, and how they become the upstream's.

use crate::app::sites::{Site, Sites, lies_in};
use crate::oauth::guard::UpstreamUrl;

/// How often somebody might decode a path. What still changes then was not written to be read.
const DECODINGS_MAX: usize = 4;

/// Whether a path, as it was sent, means one thing to all who read it: no empty and no dot segments, nothing encoded that
/// would be a slash, a dot segment or an end once it is decoded, however often somebody does, and no other text than
/// Unicode, of which overlong forms are none.
pub(super) fn is_plain(path: &str) -> bool {
    if path.contains("//") || !is_well_encoded(path) {
        return false;
    }
    let slashes = path.matches('/').count();
    let mut seen = path.as_bytes().to_vec();
    for _ in 0..DECODINGS_MAX {
        let Ok(text) = std::str::from_utf8(&seen) else { return false };
        let has_more = text.matches('/').count() != slashes;
        if has_more || text.contains(|c: char| c == '\\' || c.is_control()) || text.split('/').any(is_odd) {
            return false;
        }
        let next = decoded(&seen);
        if next == seen {
            return true;
        }
        seen = next;
    }
    false
}

/// Whether a segment is one of dots, or none, to somebody. What follows a semicolon is a parameter to some servers, and not
/// part of the name; to whoever takes a decoded path for a target, it ends at a question mark. Some leave spaces out.
fn is_odd(segment: &str) -> bool {
    let name = segment.split(';').next().unwrap_or(segment);
    let bare = name.split(['?', '#']).next().unwrap_or(name).replace(' ', "");
    (name.is_empty() && !segment.is_empty()) || matches!(bare.as_str(), "." | "..")
}

/// Whether two hexadecimal digits follow each percent sign.
fn is_well_encoded(path: &str) -> bool {
    path.split('%').skip(1).all(|rest| rest.bytes().take(2).filter(u8::is_ascii_hexdigit).count() == 2)
}

/// Decodes once; what is not encoded stays as it is.
fn decoded(path: &[u8]) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (mut out, mut rest) = (Vec::with_capacity(path.len()), path);
    while let Some((first, after)) = rest.split_first() {
        let code = match (first, after) {
            (b'%', [high, low, ..]) => digit(*high).zip(digit(*low)).map(|(high, low)| high << 4 | low),
            _ => None,
        };
        out.push(code.unwrap_or(*first));
        rest = if code.is_some() { after.get(2..).unwrap_or_default() } else { after };
    }
    out
}

/// Whether a server behind could take a path that lies in one resource for one of another resource at the same host, with
/// people and rules of its own: some ignore case, leave out what follows a name, or decode what need not be encoded.
pub(super) fn lies_elsewhere(sites: &Sites, host: &str, site: &Site, path: &str) -> bool {
    if sites.at(host).nth(1).is_none() {
        return false;
    }
    let path = folded(path);
    let taken_for = sites.at(host).map(|other| folded(other.path())).filter(|other| lies_in(&path, other));
    taken_for.max_by_key(String::len) != Some(folded(site.path()))
}

/// A path as it is to whoever sees the least difference.
fn folded(path: &str) -> String {
    let mut seen = path.as_bytes().to_vec();
    for _ in 0..DECODINGS_MAX {
        seen = decoded(&seen);
    }
    let text = String::from_utf8_lossy(&seen).to_lowercase();
    let name = |segment: &str| {
        let end = segment.find([';', '?', '#', ':']).unwrap_or(segment.len());
        segment.get(..end).unwrap_or_default().trim_end_matches(['.', ' ']).to_owned()
    };
    text.split('/').map(name).collect::<Vec<_>>().join("/")
}

/// The URL at the server behind for a path below a resource's own; `query` is without its question mark.
pub(super) fn behind(upstream: &UpstreamUrl, own: &str, path: &str, query: &str) -> String {
    let rest = path.strip_prefix(own).unwrap_or(path);
    let mut url = format!("{}://{}{}{rest}", upstream.url().scheme(), upstream.authority(), upstream.path());
    if upstream.path().is_empty() && rest.is_empty() {
        url.push('/');
    }
    if !query.is_empty() {
        url.push('?');
        url.push_str(query);
    }
    url
}

/// A `Location` of the server behind as the client can follow it: what lies behind is translated, everything else is
/// left as it is. `None`: it need not be changed.
pub(super) fn in_front(upstream: &UpstreamUrl, own: &str, location: &str) -> Option<String> {
    let origin = format!("{}://{}", upstream.url().scheme(), upstream.authority());
    let path = match location.strip_prefix(&origin) {
        Some(path) => path,
        None if location.starts_with('/') && !location.starts_with("//") => location,
        None => return None,
    };
    let rest = path.strip_prefix(upstream.path())?;
    let continues = rest.is_empty() || rest.starts_with(['/', '?', '#']);
    continues.then(|| if own.is_empty() && rest.is_empty() { "/".to_owned() } else { format!("{own}{rest}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_somebody_could_read_otherwise_is_not_plain() {
        for plain in [
            "/",
            "/notes",
            "/notes/",
            "/notes/a.b/..c/%20/%C3%A9",
            "/notes/a;v=1",
            "/notes/...",
            "/%7Ex",
            "/100%25",
        ] {
            assert!(is_plain(plain), "{plain}");
        }
        for odd in [
            "//notes",
            "/notes//",
            "/notes/../files",
            "/notes/..",
            "/./notes",
            "/notes/%2e%2e/files",
            "/notes/.%2E",
            "/notes%2ffiles",
            "/notes%2Ffiles",
            "/notes%5c..",
            "/notes\\..",
            "/notes/%00",
            "/notes/%252e%252e/",
            "/notes/%252f",
            "/notes/..;/files",
            "/notes/.;x/files",
            "/notes/%",
            "/notes/%2",
            "/notes/%zz",
            "/notes/%25%32%65%25%32%65/",
            "/notes/%252525252e/",
            "/notes/%c0%ae",
            "/notes/%ff",
            "/notes/%0a",
            "/notes/%20..",
            "/notes/;x/",
            "/notes/..%3fx",
        ] {
            assert!(!is_plain(odd), "{odd}");
        }
    }

    #[test]
    fn a_path_goes_up_below_the_upstreams_own_and_a_location_comes_down() {
        let mcp = UpstreamUrl::parse("http://127.0.0.1:3000/mcp").unwrap();
        let root = UpstreamUrl::parse("http://127.0.0.1:3000").unwrap();
        assert_eq!(behind(&mcp, "/notes", "/notes", ""), "http://127.0.0.1:3000/mcp");
        assert_eq!(behind(&mcp, "/notes", "/notes/", "a=1"), "http://127.0.0.1:3000/mcp/?a=1");
        assert_eq!(behind(&mcp, "/notes", "/notes/x%20y", ""), "http://127.0.0.1:3000/mcp/x%20y");
        assert_eq!(behind(&root, "/notes", "/notes", ""), "http://127.0.0.1:3000/");
        assert_eq!(behind(&root, "", "/", ""), "http://127.0.0.1:3000/");
        assert_eq!(behind(&mcp, "", "/", ""), "http://127.0.0.1:3000/mcp/");
        for (upstream, own, location, expected) in [
            (&mcp, "/notes", "http://127.0.0.1:3000/mcp/", Some("/notes/")),
            (&mcp, "/notes", "/mcp/?a", Some("/notes/?a")),
            (&mcp, "/notes", "/mcp", Some("/notes")),
            (&mcp, "/notes", "/mcpx", None),
            (&mcp, "/notes", "/other", None),
            (&mcp, "/notes", "//elsewhere.test/mcp", None),
            (&mcp, "/notes", "https://elsewhere.test/", None),
            (&root, "", "http://127.0.0.1:3000", Some("/")),
            (&root, "/notes", "/x", Some("/notes/x")),
        ] {
            assert_eq!(in_front(upstream, own, location).as_deref(), expected, "{location}");
        }
    }
}
