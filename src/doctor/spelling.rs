//! URLs as people type them and servers repeat them: clients compare the two byte for byte.

use std::fmt;

use url::{Host, Url};

use crate::outgoing::is_public;

/// The URL of an MCP server as it is given to clients.
#[derive(Clone, Debug)]
pub struct ServerUrl {
    typed: String,
    url: Url,
}

impl ServerUrl {
    /// Reads a URL: http or https, with a host, without user information and fragment.
    ///
    /// # Errors
    /// What is wrong, and how to write it.
    pub fn parse(typed: &str) -> Result<Self, String> {
        const EXAMPLE: &str = "write it as it is given to clients, such as https://notes.home.example/mcp";
        let url = Url::parse(typed).map_err(|why| format!("{why}; {EXAMPLE}"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(format!("it is neither http nor https; {EXAMPLE}"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(format!("clients send no user name and no password from a URL; {EXAMPLE}"));
        }
        if url.fragment().is_some() {
            return Err(format!("no server sees what stands behind a #; {EXAMPLE}"));
        }
        Ok(Self { typed: typed.to_owned(), url })
    }

    /// As it was typed.
    pub fn typed(&self) -> &str {
        &self.typed
    }

    /// As it is asked for.
    pub const fn url(&self) -> &Url {
        &self.url
    }
}

/// How one spelling of a URL differs from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Difference {
    /// A slash at the end, where no path is: readers that parse the two find them equal.
    RootSlash,
    /// Upper and lower case in scheme or host: the same.
    Case,
    /// A port that goes without saying: the same.
    DefaultPort,
    /// Something else that every parser reads alike.
    Spelling,
    /// A slash at the end of the path.
    TrailingSlash,
    /// Another host.
    Host,
    /// http, not https, or the other way round.
    Scheme,
    /// Another port.
    Port,
    /// The other is the host of it, or a directory above.
    Parent,
    /// Another path.
    Path,
    /// Another query.
    Query,
    /// It is no URL.
    NotAUrl,
}

impl Difference {
    /// How `have` differs from `wanted`, if it does.
    pub(super) fn between(have: &str, wanted: &str) -> Option<Self> {
        if have == wanted {
            return None;
        }
        let (Ok(one), Ok(other)) = (Url::parse(have), Url::parse(wanted)) else { return Some(Self::NotAUrl) };
        if one == other {
            let without_slash = |text: &str| text.strip_suffix('/').unwrap_or(text).to_owned();
            return Some(match () {
                () if without_slash(have) == without_slash(wanted) => Self::RootSlash,
                () if have.eq_ignore_ascii_case(wanted) => Self::Case,
                () if has_port(have) != has_port(wanted) => Self::DefaultPort,
                () => Self::Spelling,
            });
        }
        let path = |url: &Url| url.path().strip_suffix('/').unwrap_or(url.path()).to_owned();
        let (own, wanted) = (path(&one), path(&other));
        Some(match () {
            () if one.host() != other.host() => Self::Host,
            () if one.scheme() != other.scheme() => Self::Scheme,
            () if one.port_or_known_default() != other.port_or_known_default() => Self::Port,
            () if own == wanted && one.query() == other.query() => Self::TrailingSlash,
            () if own == wanted => Self::Query,
            () if wanted.strip_prefix(&own).is_some_and(|rest| rest.starts_with('/')) => Self::Parent,
            () => Self::Path,
        })
    }

    /// Whether clients that parse URLs before they compare them see none.
    pub(super) const fn is_spelling_only(self) -> bool {
        matches!(self, Self::RootSlash | Self::Case | Self::DefaultPort | Self::Spelling)
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RootSlash | Self::TrailingSlash => "they differ in a slash at the end",
            Self::Case => "they differ in upper and lower case",
            Self::DefaultPort => "they differ in a port that goes without saying",
            Self::Spelling => "they differ in their spelling",
            Self::Scheme => "one is http, the other https",
            Self::Host => "it is another host",
            Self::Port => "it is another port",
            Self::Parent => "it lies above",
            Self::Path => "it is another path",
            Self::Query => "it is another query",
            Self::NotAUrl => "it is no URL",
        })
    }
}

/// Whether two URLs have one path, but for a slash at its end.
pub(super) fn share_path(one: &Url, other: &Url) -> bool {
    let bare = |url: &Url| url.path().trim_end_matches('/').to_owned();
    bare(one) == bare(other)
}

/// Whether a port is written.
fn has_port(text: &str) -> bool {
    let authority = text.split("://").nth(1).and_then(|rest| rest.split(['/', '?']).next());
    let tail = authority.and_then(|authority| authority.rsplit_once(':')).map(|(_, tail)| tail);
    tail.is_some_and(|tail| tail.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Whether a URL leads no further than this machine.
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

/// Whether nobody on the way can read along: https, or a way that stays on this machine.
pub(super) fn is_secure(url: &Url) -> bool {
    url.scheme() == "https" || is_loopback(url)
}

/// Whether a URL names an address in place of a name.
pub(super) fn is_address(url: &Url) -> bool {
    matches!(url.host(), Some(Host::Ipv4(_) | Host::Ipv6(_)))
}

/// Whether a URL names an address of a private or another special network.
pub(super) fn is_special_address(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => !is_public(ip.into()),
        Some(Host::Ipv6(ip)) => !is_public(ip.into()),
        Some(Host::Domain(_)) | None => false,
    }
}

/// The well-known URL of this name, with the URL's path behind it (RFC 8414 3.1, RFC 9728 3.1): without a slash that
/// stands for no path.
pub(super) fn inserted(url: &Url, well_known: &str) -> Url {
    let path = if url.path() == "/" { "" } else { url.path() };
    let mut made = url.clone();
    made.set_path(&format!("/.well-known/{well_known}{path}"));
    made
}

/// The well-known URL of this name behind the URL's path, as OpenID Connect Discovery 4.1 has it.
pub(super) fn appended(url: &Url, well_known: &str) -> Url {
    let path = url.path().strip_suffix('/').unwrap_or(url.path());
    let mut made = url.clone();
    made.set_path(&format!("{path}/.well-known/{well_known}"));
    made
}

/// The well-known URL of this name at the root of the URL's host.
pub(super) fn at_root(url: &Url, well_known: &str) -> Url {
    let mut made = url.clone();
    made.set_path(&format!("/.well-known/{well_known}"));
    made.set_query(None);
    made
}

/// The origin of a URL: scheme, host and port.
pub(super) fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_difference_between_two_spellings_has_a_name() {
        let wanted = "https://notes.example/mcp";
        for (have, difference) in [
            ("https://notes.example/mcp/", Difference::TrailingSlash),
            ("https://Notes.example/mcp", Difference::Case),
            ("HTTPS://notes.example/mcp", Difference::Case),
            ("https://notes.example:443/mcp", Difference::DefaultPort),
            ("https://notes.example/./mcp", Difference::Spelling),
            ("http://notes.example/mcp", Difference::Scheme),
            ("https://other.example/mcp", Difference::Host),
            ("https://notes.example:8443/mcp", Difference::Port),
            ("https://notes.example", Difference::Parent),
            ("https://notes.example/", Difference::Parent),
            ("https://notes.example/MCP", Difference::Path),
            ("https://notes.example/mcp/sse", Difference::Path),
            ("https://notes.example/mcp?x", Difference::Query),
            ("notes", Difference::NotAUrl),
            ("", Difference::NotAUrl),
        ] {
            assert_eq!(Difference::between(have, wanted), Some(difference), "{have}");
        }
        assert_eq!(Difference::between(wanted, wanted), None);
        let root = Difference::between("https://notes.example/", "https://notes.example");
        assert_eq!(root, Some(Difference::RootSlash));
        assert!(root.is_some_and(Difference::is_spelling_only));
        assert!(!Difference::TrailingSlash.is_spelling_only());
        assert_eq!(Difference::between("https://h/m", "https://h/mcp"), Some(Difference::Path));
    }

    #[test]
    fn well_known_urls_are_made_as_clients_make_them() {
        let made = |make: fn(&Url, &str) -> Url, url: &str| make(&Url::parse(url).unwrap(), "x").to_string();
        for (url, insertion, append, root) in [
            ("https://h", "https://h/.well-known/x", "https://h/.well-known/x", "https://h/.well-known/x"),
            (
                "https://h/a/b",
                "https://h/.well-known/x/a/b",
                "https://h/a/b/.well-known/x",
                "https://h/.well-known/x",
            ),
            (
                "https://h/a/",
                "https://h/.well-known/x/a/",
                "https://h/a/.well-known/x",
                "https://h/.well-known/x",
            ),
            (
                "https://h/a?q",
                "https://h/.well-known/x/a?q",
                "https://h/a/.well-known/x?q",
                "https://h/.well-known/x",
            ),
        ] {
            assert_eq!(made(inserted, url), insertion);
            assert_eq!(made(appended, url), append);
            assert_eq!(made(at_root, url), root);
        }
    }

    #[test]
    fn a_server_url_is_one_that_a_client_can_be_given() {
        for right in ["https://h/mcp", "http://127.0.0.1:8080/notes", "https://h", "https://h/mcp?key=1"] {
            assert_eq!(ServerUrl::parse(right).unwrap().typed(), right);
        }
        for wrong in [
            "",
            "notes.home.example/mcp",
            "ftp://h/",
            "https://u:p@h/",
            "https://h/#x",
            "stdio:x",
            "https://",
        ] {
            let why = ServerUrl::parse(wrong).unwrap_err();
            assert!(why.contains("https://notes.home.example/mcp"), "{why}");
        }
    }

    #[test]
    fn what_stays_on_this_machine_needs_no_tls() {
        let url = |text: &str| Url::parse(text).unwrap();
        for secure in
            ["https://h", "http://localhost:1", "http://a.localhost", "http://127.9.9.9", "http://[::1]"]
        {
            assert!(is_secure(&url(secure)), "{secure}");
        }
        for open in ["http://h", "http://192.168.1.2", "http://localhost.evil.test"] {
            assert!(!is_secure(&url(open)), "{open}");
        }
    }
}
