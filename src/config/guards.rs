//! What the settings say of the guard: servers that are declared when serving, and the names of headers.

use std::collections::BTreeSet;

use crate::http::HeaderName;
use crate::oauth::guard::UpstreamUrl;

/// A server to guard, from `NAME=URL`: clients reach it at the issuer with `/NAME` behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuardedServer {
    /// The last part of the URL that clients get.
    pub name: String,
    /// Where its requests go.
    pub upstream: UpstreamUrl,
}

impl GuardedServer {
    /// Reads several, each with a name of its own. `Err`: what is wrong, and how to write it.
    pub(super) fn parse_all<'a>(texts: impl Iterator<Item = &'a str>) -> Result<Vec<Self>, String> {
        let servers: Vec<Self> = texts.map(Self::parse).collect::<Result<_, _>>()?;
        let mut names = BTreeSet::new();
        match servers.iter().find(|server| !names.insert(&server.name)) {
            Some(twice) => {
                Err(format!("{} is named twice: give each guarded server its own name", twice.name))
            }
            None => Ok(servers),
        }
    }

    /// Reads `notes=http://127.0.0.1:3000/mcp`.
    fn parse(text: &str) -> Result<Self, String> {
        let (name, url) = text
            .split_once('=')
            .ok_or_else(|| format!("{text:?} is not NAME=URL: write notes=http://127.0.0.1:3000/mcp"))?;
        let known = |b: u8| b.is_ascii_alphanumeric() || b"-_".contains(&b);
        if name.is_empty() || name.len() > 64 || !name.bytes().all(known) {
            return Err(format!("{name:?} is no name for a guarded server: use letters, digits, - and _"));
        }
        let upstream = UpstreamUrl::parse(url).map_err(|why| format!("{url:?} cannot be guarded: {why}"))?;
        Ok(Self { name: name.to_owned(), upstream })
    }
}

/// The names of the headers in which a server behind the guard learns who calls; what has no name is not told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityHeaders {
    /// The person's name.
    pub user: Option<HeaderName>,
    /// The person's address, if they gave one.
    pub email: Option<HeaderName>,
    /// The client's id.
    pub client: Option<HeaderName>,
    /// What the token allows.
    pub scope: Option<HeaderName>,
}

impl Default for IdentityHeaders {
    fn default() -> Self {
        Self {
            user: Some(HeaderName::from_static("x-vestibule-user")),
            email: Some(HeaderName::from_static("x-vestibule-email")),
            client: Some(HeaderName::from_static("x-vestibule-client")),
            scope: Some(HeaderName::from_static("x-vestibule-scope")),
        }
    }
}

impl IdentityHeaders {
    /// Reads `user=Remote-User` and the like.
    pub(super) fn parse<'a>(words: impl Iterator<Item = &'a str>) -> Result<Self, String> {
        let mut headers = Self { user: None, email: None, client: None, scope: None };
        for word in words {
            let refuse =
                || format!("{word:?} is not user, email, client or scope with = and the name of a header");
            let (what, name) = word.split_once('=').ok_or_else(refuse)?;
            let known = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
            if name.len() > 64 || !name.bytes().all(known) {
                return Err(refuse());
            }
            let slot = match what {
                "user" => &mut headers.user,
                "email" => &mut headers.email,
                "client" => &mut headers.client,
                "scope" => &mut headers.scope,
                _ => return Err(refuse()),
            };
            *slot = Some(name.parse().map_err(|_| refuse())?);
        }
        let mut names: Vec<_> = headers.names().collect();
        if let Some(taken) = names.iter().find(|name| has_a_meaning(name)) {
            return Err(format!("{taken} has a meaning of its own: name another header"));
        }
        names.sort_unstable();
        if let Some([twice, _]) = names.array_windows().find(|[one, other]| one == other) {
            return Err(format!("{twice} is named twice: the server behind could not tell which it is"));
        }
        Ok(headers)
    }

    /// The names that are used.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let all = [&self.user, &self.email, &self.client, &self.scope];
        all.into_iter().filter_map(|name| name.as_ref().map(HeaderName::as_str))
    }
}

/// Whether a header says something of the request or of its connection, which would be overwritten.
fn has_a_meaning(name: &str) -> bool {
    const NAMES: [&str; 14] = [
        "accept",
        "authorization",
        "connection",
        "cookie",
        "expect",
        "forwarded",
        "host",
        "keep-alive",
        "last-event-id",
        "origin",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ];
    const BEGINNINGS: [&str; 6] =
        ["content-", "mcp-", "proxy-", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"];
    NAMES.contains(&name) || BEGINNINGS.iter().any(|start| name.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guarded_server_is_a_name_and_a_url() {
        let guarded = GuardedServer::parse("notes=http://127.0.0.1:3000/mcp").unwrap();
        assert_eq!(
            (guarded.name.as_str(), guarded.upstream.as_str()),
            ("notes", "http://127.0.0.1:3000/mcp")
        );
        for wrong in
            ["", "notes", "=http://h/", "a/b=http://h/", "notes=h:3000", "no tes=http://h/", "n.=http://h/"]
        {
            assert!(GuardedServer::parse(wrong).is_err(), "{wrong}");
        }
        let all = |texts: [&'static str; 2]| GuardedServer::parse_all(texts.into_iter()).map(|all| all.len());
        assert_eq!(all(["a=http://h:1", "b=http://h:1"]), Ok(2));
        assert!(all(["a=http://h:1", "a=http://h:2"]).is_err_and(|why| why.contains("a is named twice")));
    }

    #[test]
    fn headers_can_have_other_names_or_none() {
        let headers = IdentityHeaders::parse(["user=Remote-User", "email=Remote-Email"].into_iter()).unwrap();
        assert_eq!(headers.names().collect::<Vec<_>>(), ["remote-user", "remote-email"]);
        for wrong in [
            "user",
            "user=",
            "name=X",
            "user=X Y",
            "user=X_Y",
            "user=Host",
            "scope=Cookie",
            "client=Transfer-Encoding",
            "user=Mcp-Session-Id",
            "user=X-Forwarded-For",
            "user=Content-Type",
        ] {
            assert!(IdentityHeaders::parse([wrong].into_iter()).is_err(), "{wrong}");
        }
        assert!(IdentityHeaders::parse(["user=X-Who", "email=x-who"].into_iter()).is_err());
        assert!(IdentityHeaders::parse(["user=X-Forwarded-User"].into_iter()).is_ok());
    }
}
