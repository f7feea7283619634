//! The issuer identifier: one string, fixed in the settings, and every URL that begins with it.

use std::fmt;

use super::error::Malformed;

/// An origin without path and without trailing slash (RFC 8414 2, narrowed to the root of an origin, because
/// path issuers are where clients' discovery differs most).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issuer(String);

impl Issuer {
    /// Reads an issuer: http or https, lower case, no user information, path, query, fragment or default port.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        const SHAPE: Malformed = Malformed(
            "an issuer is an origin such as https://auth.home.example: lower case, no path, no trailing slash",
        );
        let url = url::Url::parse(text).map_err(|_| SHAPE)?;
        let known_scheme = matches!(url.scheme(), "http" | "https");
        // The parser's own spelling of the origin must be the text, so that every reader spells it alike.
        if !known_scheme || url.origin().ascii_serialization() != text {
            return Err(SHAPE);
        }
        Ok(Self(text.to_owned()))
    }

    /// The issuer itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A URL of this server.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.0)
    }

    /// Host and port, as requests for it carry them in `Host`.
    pub fn authority(&self) -> &str {
        self.0.split_once("://").map_or(self.0.as_str(), |(_, authority)| authority)
    }

    /// Whether a host, as `Host` or a reverse proxy names it, is its own. A port that is the scheme's own may be written.
    pub fn is_at(&self, host: &str) -> bool {
        let port = if self.is_https() { ":443" } else { ":80" };
        host.strip_suffix(port).unwrap_or(host).eq_ignore_ascii_case(self.authority())
    }

    /// Whether browsers reach it by TLS.
    pub fn is_https(&self) -> bool {
        self.0.starts_with("https://")
    }

    /// Whether it names this machine only, where plain http is fine.
    pub fn is_loopback(&self) -> bool {
        match url::Url::parse(&self.0).ok().as_ref().and_then(url::Url::host) {
            Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
            Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
            None => false,
        }
    }
}

impl fmt::Display for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_its_own_with_or_without_the_schemes_own_port() {
        for (issuer, host, own) in [
            ("https://as.test", "as.test", true),
            ("https://as.test", "AS.test:443", true),
            ("https://as.test", "as.test:80", false),
            ("https://as.test", "as.test:443:443", false),
            ("https://as.test", "evil.test", false),
            ("http://as.test", "as.test:80", true),
            ("http://as.test", "as.test:443", false),
            ("https://as.test:8443", "as.test:8443", true),
            ("https://as.test:8443", "as.test", false),
            ("http://[::1]:8080", "[::1]:8080", true),
        ] {
            assert_eq!(Issuer::parse(issuer).unwrap().is_at(host), own, "{issuer} {host}");
        }
    }

    #[test]
    fn an_issuer_is_an_origin_with_one_spelling() {
        for right in [
            "https://auth.home.example",
            "http://127.0.0.1:8080",
            "http://[::1]:8080",
            "https://a.example:8443",
        ] {
            assert_eq!(Issuer::parse(right).unwrap().as_str(), right);
        }
        for wrong in [
            "",
            "auth.home.example",
            "https://a.example/",
            "https://a.example/path",
            "https://A.example",
            "https://a.example:443",
            "https://u@a.example",
            "https://a.example?x",
            "https://a.example#x",
            "ftp://a.example",
            " https://a.example",
        ] {
            assert!(Issuer::parse(wrong).is_err(), "{wrong}");
        }
    }
}
