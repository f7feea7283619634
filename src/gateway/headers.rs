//! What goes up to the server behind, and what comes down to the client: everything but what belongs to one connection,
//! to this server alone, or to somebody who wants to pass for this server.

use std::net::IpAddr;

use crate::config::IdentityHeaders;
use crate::http::{HeaderMap, HeaderName, HeaderValue};

/// What speaks of one connection (RFC 9110 7.6.1), besides what `Connection` names.
const HOP_BY_HOP: [&str; 10] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "http2-settings",
];

/// What is between the client and this server, or is written anew for each hop.
const OURS: [&str; 6] = ["authorization", "content-length", "expect", "forwarded", "host", "x-real-ip"];

/// Names, or beginnings of names, by which servers are told by their proxies who somebody is. A client that could send
/// them would be whoever it likes.
const IDENTITY: [&str; 8] = [
    "remote-",
    "x-vestibule-",
    "x-forwarded-",
    "x-remote-",
    "x-auth-request-",
    "x-authentik-",
    "x-webauth-",
    "x-authenticated-",
];

/// The cookies of this server.
const COOKIES: [&str; 2] = ["vestibule", "__Host-vestibule"];

/// Who calls, and where from, in the words of headers.
pub(super) struct Told<'a> {
    /// The client's address.
    pub(super) client_ip: IpAddr,
    /// The host that was asked.
    pub(super) host: &'a str,
    /// `http` or `https`, as the client sees it.
    pub(super) scheme: &'a str,
    /// The server behind, as it names itself.
    pub(super) upstream: &'a str,
    /// Header and value for each thing that is told of the caller.
    pub(super) identity: Vec<(&'a str, String)>,
}

/// Makes the headers of a request those for the server behind.
pub(super) fn upward(headers: &mut HeaderMap, names: &IdentityHeaders, told: &Told<'_>) {
    remove_hop_by_hop(headers);
    let doomed: Vec<HeaderName> = headers
        .keys()
        .filter(|name| {
            // Some servers cannot tell a dash from an underscore in a name, or, as PHP, from a dot.
            let name = name.as_str().replace(['_', '.'], "-");
            let is_named = names.names().any(|own| own == name);
            is_named || OURS.contains(&name.as_str()) || IDENTITY.iter().any(|start| name.starts_with(start))
        })
        .cloned()
        .collect();
    for name in doomed {
        headers.remove(name);
    }
    keep_foreign_cookies(headers);
    let client_ip = told.client_ip.to_string();
    let ours = [
        ("host", told.upstream),
        ("x-forwarded-for", client_ip.as_str()),
        ("x-forwarded-host", told.host),
        ("x-forwarded-proto", told.scheme),
    ];
    let identity = told.identity.iter().map(|(name, value)| (*name, value.as_str()));
    for (name, value) in ours.into_iter().chain(identity) {
        // An address may have letters that are not ASCII; what no header can carry is not told.
        if let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(value.as_bytes()))
        {
            headers.insert(name, value);
        }
    }
}

/// Makes the headers of an answer those for the client.
pub(super) fn downward(headers: &mut HeaderMap) {
    remove_hop_by_hop(headers);
    let is_ours = |value: &HeaderValue| {
        let name = value.as_bytes().split(|byte| *byte == b'=').next().unwrap_or_default();
        is_our_cookie(name.trim_ascii())
    };
    if headers.get_all("set-cookie").iter().any(is_ours) {
        // The server behind could put somebody else's session into a browser, or end theirs.
        let kept: Vec<HeaderValue> =
            headers.get_all("set-cookie").iter().filter(|value| !is_ours(value)).cloned().collect();
        headers.remove("set-cookie");
        for value in kept {
            headers.append("set-cookie", value);
        }
    }
}

fn remove_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all("connection")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| HeaderName::from_bytes(name.trim().as_bytes()).ok())
        .collect();
    for name in named {
        headers.remove(name);
    }
    for name in HOP_BY_HOP {
        headers.remove(name);
    }
}

/// Takes our own cookies out; others may be the server's behind.
fn keep_foreign_cookies(headers: &mut HeaderMap) {
    let lines: Vec<HeaderValue> = headers.get_all("cookie").iter().cloned().collect();
    headers.remove("cookie");
    for line in lines {
        let pairs = line.as_bytes().split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
        let kept: Vec<&[u8]> = pairs
            .filter(|pair| {
                let name = pair.split(|byte| *byte == b'=').next().unwrap_or_default();
                !pair.is_empty() && !is_our_cookie(name.trim_ascii())
            })
            .collect();
        if let Ok(line) = HeaderValue::from_bytes(&kept.join(&b"; "[..]))
            && !line.is_empty()
        {
            headers.append("cookie", line);
        }
    }
}

/// Whether a cookie's name is one of ours, in any case: some browsers and servers do not care.
fn is_our_cookie(name: &[u8]) -> bool {
    COOKIES
        .iter()
        .any(|own| name.get(..own.len()).is_some_and(|start| start.eq_ignore_ascii_case(own.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_static(value));
        }
        headers
    }

    fn sent(headers: &HeaderMap) -> Vec<String> {
        let mut lines: Vec<String> = headers
            .iter()
            .map(|(name, value)| format!("{name}: {}", String::from_utf8_lossy(value.as_bytes())))
            .collect();
        lines.sort();
        lines
    }

    fn told() -> Told<'static> {
        Told {
            client_ip: "192.0.2.1".parse().unwrap(),
            host: "notes.test",
            scheme: "https",
            upstream: "127.0.0.1:3000",
            identity: vec![("x-vestibule-user", "alice".to_owned())],
        }
    }

    #[test]
    fn nobody_tells_the_server_behind_who_they_are_but_this_one() {
        let mut headers = map(&[
            ("host", "notes.test"),
            ("authorization", "Bearer secret"),
            ("cookie", "a=1; vestibule=s; __host-Vestibule-form=t; b=2"),
            ("cookie", "vestibule-device=x"),
            ("x-vestibule-user", "mallory"),
            ("x_vestibule_user", "mallory"),
            ("X-Vestibule_Token", "mallory"),
            ("x.vestibule.user", "mallory"),
            ("remote-user", "mallory"),
            ("x-forwarded-user", "mallory"),
            ("x-forwarded-for", "203.0.113.9"),
            ("x-auth-request-email", "mallory"),
            ("forwarded", "for=203.0.113.9"),
            ("connection", "close, x-nominated"),
            ("x-nominated", "1"),
            ("transfer-encoding", "chunked"),
            ("content-length", "3"),
            ("te", "trailers"),
            ("upgrade", "websocket"),
            ("expect", "100-continue"),
            ("mcp-session-id", "s1"),
            ("accept", "text/event-stream"),
            ("x-other", "kept"),
        ]);
        upward(&mut headers, &IdentityHeaders::default(), &told());
        assert_eq!(
            sent(&headers),
            [
                "accept: text/event-stream",
                "cookie: a=1; b=2",
                "host: 127.0.0.1:3000",
                "mcp-session-id: s1",
                "x-forwarded-for: 192.0.2.1",
                "x-forwarded-host: notes.test",
                "x-forwarded-proto: https",
                "x-other: kept",
                "x-vestibule-user: alice",
            ]
        );
    }

    #[test]
    fn the_server_behind_says_nothing_of_the_connection_and_sets_none_of_our_cookies() {
        let mut headers = map(&[
            ("connection", "keep-alive"),
            ("keep-alive", "timeout=5"),
            ("transfer-encoding", "chunked"),
            ("set-cookie", "theirs=1; Path=/"),
            ("set-cookie", "__Host-vestibule=fixed; Path=/; Secure"),
            ("set-cookie", " vestibule=fixed"),
            ("mcp-session-id", "s1"),
            ("content-type", "text/event-stream"),
        ]);
        downward(&mut headers);
        assert_eq!(
            sent(&headers),
            ["content-type: text/event-stream", "mcp-session-id: s1", "set-cookie: theirs=1; Path=/"]
        );
    }
}
