//! The URL of a client metadata document, which is the client's `client_id`
//! (draft-ietf-oauth-client-id-metadata-document-02, 3).

use std::fmt;

use super::error::Malformed;
use super::ids::ClientId;

/// An https URL with a path, in the one spelling in which it is fetched, so that the document's own `client_id` can be
/// compared byte for byte and no two spellings name one client.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DocumentUrl {
    url: url::Url,
    id: ClientId,
}

impl DocumentUrl {
    /// Whether a `client_id` means to be the URL of a document: then it is one, or is refused.
    pub fn is_meant_by(id: &ClientId) -> bool {
        // In any case, so that no spelling of a URL is taken for another kind of name.
        id.as_str().get(..8).is_some_and(|start| start.eq_ignore_ascii_case("https://"))
    }

    /// Reads a `client_id`: https, a host, a path besides `/`, no user information, no fragment, no dot segments, and
    /// nothing that a URL parser would write otherwise (letters of the host in lower case, no default port).
    pub fn parse(id: &ClientId) -> Result<Self, Malformed> {
        const SHAPE: Malformed = Malformed(
            "the URL of a client metadata document is https with a path, without user information, fragment or dot segments",
        );
        let url = url::Url::parse(id.as_str()).map_err(|_| SHAPE)?;
        let is_plain = url.scheme() == "https" && url.path() != "/" && url.fragment().is_none();
        if !is_plain || url.as_str() != id.as_str() || url.port() == Some(0) {
            return Err(SHAPE);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(SHAPE);
        }
        Ok(Self { url, id: id.clone() })
    }

    /// The client that it names.
    pub const fn client_id(&self) -> &ClientId {
        &self.id
    }

    /// What is fetched.
    pub const fn url(&self) -> &url::Url {
        &self.url
    }

    /// Who vouches for the client: the host, in its ASCII form (`xn--...`).
    pub fn host(&self) -> &str {
        // A parsed https URL has a host.
        self.url.host_str().unwrap_or_default()
    }

    /// Scheme, host and port, as an issuer is written.
    pub fn origin(&self) -> String {
        self.url.origin().ascii_serialization()
    }
}

impl fmt::Display for DocumentUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Option<Result<DocumentUrl, Malformed>> {
        let id = ClientId::parse(text).ok()?;
        DocumentUrl::is_meant_by(&id).then(|| DocumentUrl::parse(&id))
    }

    #[test]
    fn c_cm_01_to_07_a_document_has_an_https_url_with_a_path_in_one_spelling() {
        for right in [
            "https://claude.ai/oauth/mcp-oauth-client-metadata",
            "https://c.test/client.json",
            "https://c.test:8443/client.json",
            "https://c.test/a/?v=1",
            "https://xn--bcher-kva.example/c",
            "https://c.test/%20",
            "https://127.0.0.1/c",
        ] {
            assert!(parse(right).is_some_and(|url| url.is_ok()), "{right}");
        }
    }

    #[test]
    fn a_cimd_01_02_every_other_spelling_is_refused_before_anything_is_asked() {
        for wrong in [
            "HTTPS://c.test/x",
            "https://C.test/x",
            "https://c.test",
            "https://c.test/",
            "https://c.test?x",
            "https://c.test:443/x",
            "https://c.test:/x",
            "https://c.test:0/x",
            "https://c.test:65536/x",
            "https://c.test:08443/x",
            "https:///x",
            "https://u@c.test/x",
            "https://u:p@c.test/x",
            "https://@c.test/x",
            "https://:@c.test/x",
            "https://c.test/x#",
            "https://c.test/x#y",
            "https://c.test/a/../b",
            "https://c.test/./b",
            "https://c.test/..",
            "https://c.test/%2e%2e/b",
            "https://c.test/%2E/b",
            "https://c.test/.%2e/b",
            "https://c.test\\x",
            "https://c.test/\\x",
            "https://0x7f.1/x",
            "https://2130706433/x",
            "https://127.1/x",
            "https://[0:0:0:0:0:0:0:1]/x",
            "https://c.test/<x>",
        ] {
            assert!(parse(wrong).is_some_and(|url| url.is_err()), "{wrong}");
        }
        for other in ["http://c.test/x", "ftp://c.test/x", "file:///x", "https:c.test/x", "c_abc"] {
            assert!(
                parse(other).is_none(),
                "{other} is no URL of a document, so it is just an unknown client"
            );
        }
        for no_id in
            ["https://c.test/ x", "https://c.test/\tx", "https://b\u{fc}cher.example/c", " https://c.test/x"]
        {
            assert!(ClientId::parse(no_id).is_err(), "{no_id:?}");
        }
    }
}
