//! What goes up to the server behind, and what comes down to the client: everything but what belongs to one connection,
//! to this server alone, or to somebody who wants to pass for this server.

use std::borrow::Cow;
use std::net::IpAddr;

use bytes::Bytes;

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

/// Names, or beginnings of names, by which servers are told by their proxies who somebody is, and where from. A client
/// that could send them would be whoever it likes.
const IDENTITY: [&str; 28] = [
    "remote-",
    "x-vestibule-",
    "x-forwarded",
    "x-remote-",
    "x-auth-email",
    "x-auth-groups",
    "x-auth-request-",
    "x-auth-roles",
    "x-auth-subject",
    "x-auth-user",
    "x-authentik-",
    "x-authenticated-",
    "x-webauth-",
    "x-pomerium-",
    "x-goog-authenticated-",
    "x-goog-iap-",
    "x-amzn-oidc-",
    "x-ms-client-principal",
    "cf-access-",
    "tailscale-",
    "x-client-cert",
    "x-ssl-",
    "ssl-client-",
    "cf-connecting-ip",
    "true-client-ip",
    "fastly-client-ip",
    "x-client-ip",
    "x-cluster-client-ip",
];

/// Names, or beginnings of names, by which some servers are told that a request is another one than it looks: of another
/// method, at another path or host. What was looked at here would not be what is answered there. (`Proxy` becomes the
/// variable `HTTP_PROXY` of CGI programs, which then call others through whoever it names.)
const DISGUISE: [&str; 9] = [
    "proxy",
    "x-envoy-original-",
    "x-host",
    "x-http-host-override",
    "x-http-method",
    "x-method-override",
    "x-original-",
    "x-rewrite-",
    "x-script-name",
];

/// What a server behind may tell a cache that is shared, and a proxy in front that would do it. (`X-Accel-Buffering`
/// stays: streams of events ask for it.)
const TO_PROXIES: [&str; 9] = [
    "cdn-cache-control",
    "cloudflare-cdn-cache-control",
    "surrogate-control",
    "x-accel-charset",
    "x-accel-expires",
    "x-accel-limit-rate",
    "x-accel-redirect",
    "x-lighttpd-send-file",
    "x-sendfile",
];

/// By what a server says where to sign in. That is for the guard to say: clients go wherever it points, and some show their
/// refresh token there.
const CHALLENGE: &str = "www-authenticate";

/// What a browser takes for all of a host, whichever path says it.
const OF_A_HOST: [&str; 13] = [
    "accept-ch",
    "alt-svc",
    "clear-site-data",
    "expect-ct",
    "nel",
    "origin-agent-cluster",
    "public-key-pins",
    "report-to",
    "reporting-endpoints",
    "service-worker-allowed",
    "set-login",
    "speculation-rules",
    "strict-transport-security",
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
    pub(super) identity: Vec<(HeaderName, String)>,
}

/// Makes the headers of a request those for the server behind.
pub(super) fn upward(headers: &mut HeaderMap, names: &IdentityHeaders, told: Told<'_>) {
    remove_hop_by_hop(headers);
    remove_all(headers, |name| {
        let name = plain_name(name);
        let is_named = names.names().any(|own| own == name);
        let mut kept_back = IDENTITY.iter().chain(&DISGUISE);
        is_named || OURS.contains(&&*name) || kept_back.any(|start| name.starts_with(start))
    });
    keep_foreign_cookies(headers);
    let ours = [
        (HeaderName::from_static("host"), told.upstream.to_owned()),
        (HeaderName::from_static("x-forwarded-for"), told.client_ip.to_string()),
        (HeaderName::from_static("x-forwarded-host"), told.host.to_owned()),
        (HeaderName::from_static("x-forwarded-proto"), told.scheme.to_owned()),
    ];
    for (name, value) in ours.into_iter().chain(told.identity) {
        // What no header can carry is not told.
        if let Ok(value) = HeaderValue::from_maybe_shared(Bytes::from(value)) {
            headers.insert(name, value);
        }
    }
}

/// A name as those servers see it that make a variable of it: to them, every character that is no letter and no digit is
/// the same (RFC 3875 4.1.18 for the dash; some do it to all).
pub(super) fn plain_name(name: &HeaderName) -> Cow<'_, str> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    match name.as_str().bytes().all(is_plain) {
        true => Cow::Borrowed(name.as_str()),
        false => name.as_str().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect(),
    }
}

/// Makes the headers of an answer those for the client.
pub(super) fn downward(headers: &mut HeaderMap) {
    remove_hop_by_hop(headers);
    remove_all(headers, |name| name == CHALLENGE || TO_PROXIES.contains(&name.as_str()));
    keep_private(headers);
    // The server behind could put somebody else's session into a browser, or end theirs. A cookie without a name is sent
    // as its value, which could be any cookie.
    let is_kept = |value: &&HeaderValue| {
        let (name, value) =
            split_once(value.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default());
        value.is_some() && !name.is_empty() && !is_our_cookie(name)
    };
    if !headers.contains_key("set-cookie") {
        return;
    }
    let kept: Vec<HeaderValue> = headers.get_all("set-cookie").iter().filter(is_kept).cloned().collect();
    headers.remove("set-cookie");
    for value in kept {
        headers.append("set-cookie", value);
    }
}

/// Makes the headers of an answer those of something that is served beside our own pages: it may not run as if it were one
/// of them, nor speak for the host that they are at.
pub(super) fn beside_our_pages(headers: &mut HeaderMap) {
    remove_all(headers, |name| OF_A_HOST.contains(&name.as_str()));
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    headers.append("content-security-policy", HeaderValue::from_static("sandbox"));
}

/// The name of a cookie and its value, if there is one.
fn split_once(pair: &[u8]) -> (&[u8], Option<&[u8]>) {
    let mut parts = pair.splitn(2, |byte| *byte == b'=');
    let name = parts.next().unwrap_or_default().trim_ascii();
    (name, parts.next())
}

/// Says to caches that an answer is for one person: a server behind that knows nothing of tokens may call it public, and
/// some caches keep everything that is not called private, without a look at the token that it took (RFC 9111 3.5).
fn keep_private(headers: &mut HeaderMap) {
    let lines: Vec<HeaderValue> = headers.get_all("cache-control").iter().cloned().collect();
    let lines: Vec<&str> = lines.iter().filter_map(|line| line.to_str().ok()).collect();
    let directives =
        lines.iter().flat_map(|line| line.split(',')).map(str::trim).filter(|text| !text.is_empty());
    let is = |directive: &str, name: &str| {
        directive.split('=').next().is_some_and(|start| start.trim().eq_ignore_ascii_case(name))
    };
    let mut kept: Vec<&str> =
        directives.filter(|directive| !is(directive, "public") && !is(directive, "s-maxage")).collect();
    if !kept.iter().any(|directive| is(directive, "no-store") || directive.eq_ignore_ascii_case("private")) {
        kept.push("private");
    }
    if let Ok(value) = HeaderValue::from_str(&kept.join(", ")) {
        headers.insert("cache-control", value);
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
    remove_all(headers, |name| HOP_BY_HOP.contains(&name.as_str()) || named.contains(name));
}

/// In one pass: to look for each of many names that are seldom there costs more than to look at each that is.
fn remove_all(headers: &mut HeaderMap, is_doomed: impl Fn(&HeaderName) -> bool) {
    let doomed: Vec<HeaderName> = headers.keys().filter(|name| is_doomed(name)).cloned().collect();
    for name in doomed {
        headers.remove(name);
    }
}

/// Takes our own cookies out; others may be the server's behind.
fn keep_foreign_cookies(headers: &mut HeaderMap) {
    let lines: Vec<HeaderValue> = headers.get_all("cookie").iter().cloned().collect();
    if lines.is_empty() {
        return;
    }
    headers.remove("cookie");
    for line in lines {
        let pairs = line.as_bytes().split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
        let kept: Vec<&[u8]> =
            pairs.filter(|pair| !pair.is_empty() && !is_our_cookie(split_once(pair).0)).collect();
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
            identity: vec![(HeaderName::from_static("x-vestibule-user"), "alice".to_owned())],
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
            ("x~vestibule!scope", "mallory"),
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
        upward(&mut headers, &IdentityHeaders::default(), told());
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
            ("set-cookie", "=vestibule=fixed; Path=/"),
            ("set-cookie", " = __Host-vestibule=fixed; Secure; Path=/"),
            ("set-cookie", "vestibule"),
            ("set-cookie", "; Path=/"),
            ("set-cookie", ""),
            ("mcp-session-id", "s1"),
            ("content-type", "text/event-stream"),
        ]);
        downward(&mut headers);
        assert_eq!(
            sent(&headers),
            [
                "cache-control: private",
                "content-type: text/event-stream",
                "mcp-session-id: s1",
                "set-cookie: theirs=1; Path=/"
            ]
        );
    }
}
