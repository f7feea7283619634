//! Redirect URIs: what may be registered, and which request matches which registration.
//!
//! Compared as text, byte for byte. The one exception is RFC 8252 7.3: the port of a loopback redirect is free,
//! for `127.0.0.1`, `[::1]` and, since real clients use it, `localhost`. The three are never exchanged.

use std::fmt;

use super::error::Malformed;

/// A redirect URI that a client registered, exactly as it spelled it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RedirectUri(String);

/// Where a redirect leads, for the consent page and for the rules that depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination<'a> {
    /// A host on the web: whoever holds its name vouches for the client.
    Web(&'a str),
    /// A port on the person's own computer, open to every program there.
    Loopback,
    /// An app that claimed this private-use scheme (RFC 8252 7.1).
    App(&'a str),
}

/// Whether an answer may go to an app by a scheme of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppLinks {
    /// Yes: desktop clients use them.
    Accepted,
    /// No: https and loopback only.
    Refused,
}

/// Schemes that browsers or systems act on by themselves, so that a redirect there would be an attack.
const DANGEROUS: [&str; 31] = [
    "about",
    "blob",
    "chrome",
    "content",
    "data",
    "feed",
    "file",
    "filesystem",
    "ftp",
    "ftps",
    "intent",
    "jar",
    "javascript",
    "livescript",
    "mailto",
    "mhtml",
    "mk",
    "mocha",
    "ms-msdt",
    "res",
    "resource",
    "search-ms",
    "shell",
    "sms",
    "tel",
    "vbscript",
    "view-source",
    "vnd.ms.radio",
    "ws",
    "wss",
    "xmpp",
];

/// Names that the authorization response adds itself (RFC 6749 4.1.2, RFC 9207 2).
const RESPONSE_NAMES: [&str; 6] = ["code", "state", "iss", "error", "error_description", "error_uri"];

impl RedirectUri {
    /// Reads a redirect URI for registration: https anywhere, http on loopback only, private-use schemes but
    /// for the dangerous ones; no fragment, no user information, no wildcard, no parameter of the response.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        if text.is_empty() || text.len() > 2048 {
            return Err(Malformed("a redirect URI has 1 to 2048 characters"));
        }
        if !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(Malformed("a redirect URI is visible ASCII; write other hosts as xn--..."));
        }
        if text.bytes().any(|b| b"#\"<>\\^`{|}".contains(&b)) {
            return Err(Malformed("a redirect URI has no fragment and no character that no URI has"));
        }
        let (scheme, rest) = text.split_once(':').ok_or(Malformed("a redirect URI is absolute"))?;
        let mut letters = scheme.bytes();
        if !letters.next().is_some_and(|b| b.is_ascii_alphabetic())
            || !letters.all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
            || rest.is_empty()
        {
            return Err(Malformed("a redirect URI is absolute"));
        }
        let lower = scheme.to_ascii_lowercase();
        if DANGEROUS.contains(&lower.as_str()) {
            return Err(Malformed("a redirect URI of this scheme would be acted on by the browser itself"));
        }
        if let Some(rest) = rest.strip_prefix("//") {
            let authority = authority_of(rest);
            if authority.contains('@') {
                return Err(Malformed("a redirect URI has no user information"));
            }
            if authority.contains('*') {
                return Err(Malformed("a redirect URI is matched exactly; wildcards are not supported"));
            }
        }
        match lower.as_str() {
            "https" => web_host(text).map(|_| ())?,
            "http" if Loopback::parse(text).is_none() => {
                return Err(Malformed(
                    "http is for loopback only (http://127.0.0.1, http://[::1], http://localhost); elsewhere use https",
                ));
            }
            _ => {}
        }
        if names_in_query(text).any(|name| RESPONSE_NAMES.contains(&name)) {
            return Err(Malformed("a redirect URI's query has no parameter that the response adds"));
        }
        Ok(Self(text.to_owned()))
    }

    /// The URI as registered.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a request for `presented` is a request for this registration (RFC 9700 2.1, RFC 8252 7.3).
    pub fn matches(&self, presented: &str) -> bool {
        if self.0 == presented {
            return true;
        }
        match (Loopback::parse(&self.0), Loopback::parse(presented)) {
            (Some(registered), Some(presented)) => registered == presented,
            _ => false,
        }
    }

    /// Where it leads.
    pub fn destination(&self) -> Destination<'_> {
        destination(&self.0)
    }
}

impl fmt::Display for RedirectUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a redirect URI that matched a registration leads.
pub fn destination(uri: &str) -> Destination<'_> {
    if Loopback::parse(uri).is_some() {
        return Destination::Loopback;
    }
    match web_host(uri) {
        Ok(host) => Destination::Web(host),
        Err(_) => Destination::App(uri.split_once(':').map_or(uri, |(scheme, _)| scheme)),
    }
}

/// A loopback redirect without its port: two are equal when RFC 8252 says that they are the same.
#[derive(PartialEq, Eq)]
struct Loopback<'a> {
    host: &'a str,
    path_and_query: &'a str,
}

impl<'a> Loopback<'a> {
    fn parse(uri: &'a str) -> Option<Self> {
        let rest = uri.strip_prefix("http://")?;
        let host = ["127.0.0.1", "[::1]", "localhost"].into_iter().find(|host| rest.starts_with(host))?;
        let rest = rest.strip_prefix(host)?;
        let rest = match rest.strip_prefix(':') {
            None => rest,
            Some(rest) => {
                let end = rest.find(['/', '?']).unwrap_or(rest.len());
                let (port, rest) = rest.split_at(end);
                let number: u16 = port.parse().ok()?;
                if number == 0 || number.to_string() != port {
                    return None;
                }
                rest
            }
        };
        match rest.bytes().next() {
            None => Some(Self { host, path_and_query: "/" }),
            Some(b'/') => Some(Self { host, path_and_query: rest }),
            _ => None,
        }
    }
}

fn authority_of(after_slashes: &str) -> &str {
    let end = after_slashes.find(['/', '?']).unwrap_or(after_slashes.len());
    &after_slashes[..end]
}

/// The host of an https URI, as it was spelled.
fn web_host(uri: &str) -> Result<&str, Malformed> {
    const NO_HOST: Malformed =
        Malformed("an https redirect URI has a host and, if any, a port from 1 to 65535");
    let rest =
        uri.split_once("://").filter(|(scheme, _)| scheme.eq_ignore_ascii_case("https")).ok_or(NO_HOST)?.1;
    let authority = authority_of(rest);
    let host = match authority.rfind(':') {
        Some(colon) if !authority[colon..].contains(']') => {
            let port = &authority[colon + 1..];
            if !port.parse::<u16>().is_ok_and(|number| number != 0 && number.to_string() == port) {
                return Err(NO_HOST);
            }
            &authority[..colon]
        }
        _ => authority,
    };
    // The browser is who follows the redirect, so the browser's reading of the host must be ours.
    let read = url::Url::parse(uri).map_err(|_| NO_HOST)?;
    if host.is_empty() || !read.host_str().is_some_and(|read| read.eq_ignore_ascii_case(host)) {
        return Err(NO_HOST);
    }
    Ok(host)
}

fn names_in_query(uri: &str) -> impl Iterator<Item = &str> {
    let query = uri.split_once('?').map_or("", |(_, query)| query);
    query.split('&').map(|pair| pair.split_once('=').map_or(pair, |(name, _)| name))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(text: &str) -> RedirectUri {
        RedirectUri::parse(text).unwrap()
    }

    #[test]
    fn a_redirect_is_matched_byte_for_byte() {
        let app = uri("https://app.test/cb");
        assert!(app.matches("https://app.test/cb"));
        for other in [
            "https://app.test.evil.test/cb",
            "https://evil-app.test/cb",
            "https://app.test@evil.test/cb",
            "https://app.test:443/cb",
            "https://app.test:8443/cb",
            "https://app.test:/cb",
            "http://app.test/cb",
            "https://app.test/cb#",
            "https://app.test/cb#x",
            "https://app.test/cb%23x",
            "https://app.test/%63b",
            "https://app.test/cb%2f",
            "https://app.test/cb/",
            "https://app.test/cb?x",
            "https://APP.test/cb",
            " https://app.test/cb",
            "https://app.test/cb ",
            "https%3A%2F%2Fapp.test%2Fcb",
            "https://app.test/cb\0",
            "",
        ] {
            assert!(!app.matches(other), "{other:?}");
        }
    }

    #[test]
    fn rfc_8252_the_port_of_a_loopback_redirect_is_free_and_nothing_else() {
        let v4 = uri("http://127.0.0.1:1111/cb");
        assert!(v4.matches("http://127.0.0.1:65535/cb") && v4.matches("http://127.0.0.1/cb"));
        for other in [
            "http://127.0.0.1:0/cb",
            "http://127.0.0.1:99999/cb",
            "http://127.0.0.1:+80/cb",
            "http://127.0.0.1:٣/cb",
            "http://127.0.0.1:00080/cb",
            "http://127.0.0.1:/cb",
            "http://127.0.0.1:9/other",
            "http://127.0.0.1:9/cb?x",
            "http://localhost:9/cb",
            "http://127.0.0.1.evil.test:9/cb",
            "http://127.0.0.1@evil.test/cb",
            "http://127.0.0.1:9@evil.test/cb",
            "https://127.0.0.1:9/cb",
            "http://127.0.0.2:9/cb",
        ] {
            assert!(!v4.matches(other), "{other}");
        }
        let v6 = uri("http://[::1]:1111/cb");
        assert!(v6.matches("http://[::1]:5/cb"));
        for other in [
            "http://[0:0:0:0:0:0:0:1]:5/cb",
            "http://[::ffff:127.0.0.1]/cb",
            "http://[::1%25lo]/cb",
            "http://[::]/cb",
        ] {
            assert!(!v6.matches(other), "{other}");
        }
        let name = uri("http://localhost:1111/cb");
        assert!(name.matches("http://localhost:9/cb"));
        for other in
            ["http://localhost.evil.test:1/cb", "http://foo.localhost/cb", "http://127.0.0.1:1111/cb"]
        {
            assert!(!name.matches(other), "{other}");
        }
        assert!(uri("http://127.0.0.1/").matches("http://127.0.0.1:33418"), "an empty path is /");
        assert!(
            !uri("https://app.test:1/cb").matches("https://app.test:2/cb"),
            "the exception is loopback's"
        );
    }

    #[test]
    fn what_may_be_registered() {
        for right in [
            "https://app.test/cb?a=1",
            "https://xn--bcher-kva.example/cb",
            "http://127.0.0.1:3000/cb",
            "http://localhost",
            "cursor://anysphere.cursor-mcp/oauth/callback",
            "com.example.app:/cb",
            "HTTPS://APP.test/cb",
        ] {
            assert!(RedirectUri::parse(right).is_ok(), "{right}");
        }
        for wrong in [
            "",
            "app.test/cb",
            "/cb",
            "https://",
            "https:///cb",
            "https:app.test",
            "http://app.test/cb",
            "https://app.test/cb#x",
            "https://u@app.test/cb",
            "https://*.app.test/cb",
            "https://app.test:0/cb",
            "https://app.test:/cb",
            "javascript:alert(1)",
            "JaVaScRiPt:alert(1)",
            "data:text/html,x",
            "file:///etc/passwd",
            "vbscript:x",
            "blob:x",
            "about:blank",
            "ws://h/",
            "https://app.test/cb?code=x",
            "https://app.test/cb?a=1&iss=z",
            "https://аpp.test/cb",
            "https://app。test/cb",
            "https://app.test/\tcb",
            " https://app.test/cb",
            "http://localhost.evil.test/",
            "https://app.test\\@evil.test/cb",
            "http://0x7f.1/cb",
            "https://2130706433/cb",
        ] {
            assert!(RedirectUri::parse(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_destination_is_a_host_this_computer_or_an_app() {
        assert_eq!(uri("https://app.test:8443/cb").destination(), Destination::Web("app.test"));
        assert_eq!(uri("http://[::1]/cb").destination(), Destination::Loopback);
        assert_eq!(uri("cursor://x/y").destination(), Destination::App("cursor"));
    }
}
