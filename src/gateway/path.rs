//! Paths at guarded resources: those that every server reads alike, and how they become the upstream's.

use crate::oauth::guard::UpstreamUrl;

/// Whether a path, as it was sent, means one thing to all who read it: no empty and no dot segments, nothing encoded that
/// would be a slash, a dot segment or an end once it is decoded, also by one who decodes twice.
pub(super) fn is_plain(path: &str) -> bool {
    let lower = path.to_ascii_lowercase();
    let hidden = ["%2f", "%5c", "%00", "%252e", "%252f", "%255c", "%2500", "\\"];
    if path.contains("//") || hidden.iter().any(|hidden| lower.contains(hidden)) || !is_well_encoded(path) {
        return false;
    }
    !lower.split('/').any(|segment| {
        // What follows a semicolon is a parameter to some servers, and not part of the name.
        let name = segment.split(';').next().unwrap_or(segment).replace("%2e", ".");
        matches!(name.as_str(), "." | "..")
    })
}

/// Whether two hexadecimal digits follow each percent sign.
fn is_well_encoded(path: &str) -> bool {
    path.split('%').skip(1).all(|rest| rest.bytes().take(2).filter(u8::is_ascii_hexdigit).count() == 2)
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
        for plain in
            ["/", "/notes", "/notes/", "/notes/a.b/..c/%20/%C3%A9", "/notes/a;v=1", "/notes/...", "/%7Ex"]
        {
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
