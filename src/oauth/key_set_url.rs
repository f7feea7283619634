//! Where a client's public keys are to be fetched (`jwks_uri`, RFC 7591 2).

use super::error::Malformed;

/// An https URL without user information and fragment, at most 2048 characters, in the spelling in which it is fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySetUrl(url::Url);

impl KeySetUrl {
    /// Reads a URL.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        const SHAPE: Malformed = Malformed(
            "a jwks_uri is an https URL without user information and fragment, at most 2048 characters long",
        );
        if text.len() > 2048 || !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(SHAPE);
        }
        let url = url::Url::parse(text).map_err(|_| SHAPE)?;
        let is_plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
        if url.scheme() != "https" || !is_plain || url.port() == Some(0) {
            return Err(SHAPE);
        }
        Ok(Self(url))
    }

    /// The URL as it is fetched.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// What is fetched.
    pub const fn url(&self) -> &url::Url {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_fetched_by_https_from_where_the_url_plainly_says() {
        for right in ["https://c.test/jwks.json", "https://c.test:8443/", "https://c.test/a?b"] {
            assert_eq!(KeySetUrl::parse(right).unwrap().as_str(), right);
        }
        let long = format!("https://c.test/{}", "a".repeat(2048));
        for wrong in [
            "",
            "http://c.test/j",
            "https://u@c.test/j",
            "https://c.test/j#k",
            "https://c.test:0/j",
            "j",
            &long,
        ] {
            assert!(KeySetUrl::parse(wrong).is_err(), "{wrong}");
        }
    }
}
