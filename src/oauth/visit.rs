//! A browser's way to a server that asks this one who somebody is: where it wants to go, and how it is known again when it
//! comes back from the sign-in.

use std::fmt;

use super::error::Malformed;
use super::secret::{Secret, SecretHash};
use crate::crypto::digest::{from_base64url, sha256, to_base64url};

/// Longer URLs lose their query: they have to fit into another URL, and into a form.
const PLACE_BYTES: usize = 2048;

/// A web page that somebody wants to see: http or https, in a spelling that every reader takes apart alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    text: String,
    scheme: &'static str,
    /// Where the path begins.
    path: usize,
}

impl Place {
    /// Reads a URL: an origin in its usual spelling, a path as it was sent, perhaps a query; no user information and no
    /// fragment.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        const SHAPE: Malformed = Malformed("not the URL of a web page: write https://host/path");
        let (scheme, rest) = match text.split_once("://") {
            Some(("https", rest)) => ("https", rest),
            Some(("http", rest)) => ("http", rest),
            _ => return Err(SHAPE),
        };
        let at = rest.find('/').ok_or(SHAPE)?;
        let path = scheme.len() + "://".len() + at;
        let (origin, wanted) = text.split_at(path);
        // A browser reads a backslash as a slash, and drops what cannot be seen.
        let is_visible = wanted.bytes().all(|b| b.is_ascii_graphic() && !b"\\#".contains(&b));
        let is_origin = url::Url::parse(origin).is_ok_and(|url| url.origin().ascii_serialization() == origin);
        if !is_visible || !is_origin || text.len() > 4 * PLACE_BYTES {
            return Err(SHAPE);
        }
        let end = if text.len() > PLACE_BYTES { text.find('?').unwrap_or(text.len()) } else { text.len() };
        // Nothing of the path is cut off: what is behind could lead elsewhere.
        let text = text.get(..end).ok_or(SHAPE)?;
        Ok(Self { text: text.to_owned(), scheme, path })
    }

    /// The place that a reverse proxy was asked for, from the values that it forwards: the scheme, the host, and the path
    /// with its query.
    pub fn forwarded(scheme: &str, host: &str, path: &str) -> Result<Self, Malformed> {
        const SHAPE: Malformed = Malformed("the forwarded scheme, host and path make no URL");
        // Some proxies name the scheme of what a connection becomes.
        let scheme = match scheme {
            "https" | "wss" => "https",
            "http" | "ws" => "http",
            _ => return Err(SHAPE),
        };
        let origin = url::Url::parse(&format!("{scheme}://{host}/")).map_err(|_| SHAPE)?;
        let plain = host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._:[]".contains(&b));
        if !plain || origin.path() != "/" || !path.starts_with('/') {
            return Err(SHAPE);
        }
        Self::parse(&format!("{}{path}", origin.origin().ascii_serialization()))
    }

    /// The whole URL.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// `http` or `https`.
    pub const fn scheme(&self) -> &'static str {
        self.scheme
    }

    /// Scheme, host and port.
    pub fn origin(&self) -> &str {
        self.text.get(..self.path).unwrap_or_default()
    }

    /// Host and port, as `Host` names them; a port that is the scheme's own is left out.
    pub fn authority(&self) -> &str {
        self.text.get(self.scheme.len() + "://".len()..self.path).unwrap_or_default()
    }

    /// The port, where it is not the scheme's own.
    pub fn port(&self) -> Option<&str> {
        let (_, port) = self.authority().rsplit_once(':')?;
        (!port.ends_with(']')).then_some(port)
    }

    /// The path as it was sent, without a query.
    pub fn path(&self) -> &str {
        let wanted = self.text.get(self.path..).unwrap_or_default();
        wanted.split_once('?').map_or(wanted, |(path, _)| path)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// What ties the way back to the browser that left: the hash of a secret in its cookie. Whoever knows it can do nothing
/// with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VisitState([u8; 32]);

impl VisitState {
    /// Of the secret in the browser's cookie.
    pub fn of(secret: &str) -> Self {
        Self(sha256(secret.as_bytes()))
    }

    /// Reads it as a URL carries it.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let bytes = from_base64url(text).and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or(Malformed("not the state of a visit"))
    }

    /// What the database keeps of a ticket: nobody can use it but in the browser that this is of.
    pub fn bind(&self, ticket: &str) -> SecretHash {
        SecretHash::of(&format!("{ticket} {}", to_base64url(&self.0)))
    }
}

impl fmt::Display for VisitState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&to_base64url(&self.0))
    }
}

/// A browser that was sent here, because somebody must sign in before they see a page elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visit {
    /// Where it wants to go.
    pub to: Place,
    /// How it is known again there.
    pub state: VisitState,
}

impl Visit {
    /// Reads it from the values of a URL or a form.
    pub fn parse(to: &str, state: &str) -> Result<Self, Malformed> {
        Ok(Self { to: Place::parse(to)?, state: VisitState::parse(state)? })
    }

    /// A path of this server with the visit in its query.
    pub fn at(&self, path: &str) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("to", self.to.as_str()).append_pair("state", &self.state.to_string());
        format!("{path}?{}", query.finish())
    }

    /// The way back, with a ticket, to a path of this server's at the other host.
    pub fn back(&self, path: &str, ticket: &Secret) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("ticket", ticket.expose()).append_pair("to", self.to.as_str());
        format!("{}{path}?{}", self.to.origin(), query.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_spelled_so_that_every_reader_takes_it_apart_alike() {
        for (text, authority, path, port) in [
            ("https://app.test/", "app.test", "/", None),
            ("https://app.test/a/../b?c=/d", "app.test", "/a/../b", None),
            ("https://app.test//x", "app.test", "//x", None),
            ("http://127.0.0.1:8081/?", "127.0.0.1:8081", "/", Some("8081")),
            ("http://[::1]/x", "[::1]", "/x", None),
            ("http://[::1]:81/x", "[::1]:81", "/x", Some("81")),
        ] {
            let place = Place::parse(text).unwrap();
            assert_eq!((place.authority(), place.path(), place.port()), (authority, path, port), "{text}");
            assert_eq!(place.as_str(), text);
        }
        for wrong in [
            "",
            "/x",
            "//app.test/",
            "https://app.test",
            "https:/app.test/",
            "https://app.test:443/",
            "https://App.test/",
            "HTTPS://app.test/",
            "https://u@app.test/",
            "https://u:p@app.test/",
            "https://app.test\\@evil.test/",
            "https://app.test/\\evil",
            "https://app.test/#x",
            "https://app.test/ x",
            "https://app.test/\r\nx",
            "https://\tapp.test/",
            "https:///app.test/",
            "https://app.test?/x",
            "https://app.test#/x",
            "https://1.1/x",
            "javascript://app.test/%0aalert(1)",
            "https://ä.test/",
        ] {
            assert!(Place::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_place_that_is_too_long_loses_its_query() {
        let long = format!("https://app.test/x?{}", "a".repeat(3000));
        assert_eq!(Place::parse(&long).unwrap().as_str(), "https://app.test/x");
        assert!(Place::parse(&format!("https://app.test/x?{}", "a".repeat(9000))).is_err());
        let path = format!("https://app.test/{}/..", "a".repeat(3000));
        assert_eq!(Place::parse(&format!("{path}?x")).unwrap().as_str(), path, "a path is never cut");
    }

    #[test]
    fn what_a_proxy_forwards_makes_a_place() {
        for (scheme, host, path, made) in [
            ("https", "app.test", "/x?y", "https://app.test/x?y"),
            ("https", "App.Test:443", "/", "https://app.test/"),
            ("wss", "app.test", "/", "https://app.test/"),
            ("http", "[::1]:80", "/", "http://[::1]/"),
        ] {
            assert_eq!(Place::forwarded(scheme, host, path).unwrap().as_str(), made);
        }
        for (scheme, host, path) in [
            ("HTTPS", "app.test", "/"),
            ("ftp", "app.test", "/"),
            ("https", "app.test, evil.test", "/"),
            ("https", "app.test/evil", "/"),
            ("https", "u@app.test", "/"),
            ("https", "", "/"),
            ("https", "app.test", ""),
            ("https", "app.test", "http://evil.test/"),
            ("https", "app.test", "*"),
            ("https", "app.test", "/a b"),
            ("https", "app.test%2eevil", "/"),
        ] {
            assert!(Place::forwarded(scheme, host, path).is_err(), "{scheme} {host} {path}");
        }
    }

    #[test]
    fn a_ticket_counts_with_its_own_state_only() {
        let (one, other) = (VisitState::of("one"), VisitState::of("other"));
        assert_eq!(VisitState::parse(&one.to_string()), Ok(one));
        assert_ne!(one.bind("t"), other.bind("t"));
        assert_ne!(one.bind("t"), SecretHash::of("t"));
        for wrong in ["", "x", "AA", &format!("{one}A")] {
            assert!(VisitState::parse(wrong).is_err(), "{wrong}");
        }
    }
}
