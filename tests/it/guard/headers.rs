//! Headers: who the server behind is told calls, and that nobody but this server can tell it; what stays on one
//! connection; and what a server behind may not say to browsers in this server's name.

use vestibule::config::IdentityHeaders;
use vestibule::http::{HeaderName, TrustedProxies};

use super::*;
use crate::harness::Browser;

#[tokio::test]
async fn forged_identities_never_arrive_in_any_spelling() {
    let (behind, server) = world().await;
    let token = tokens(&server, NOTES).await.access;
    for name in [
        "X-Vestibule-User",
        "x-vestibule-user",
        "X-VESTIBULE-USER",
        "X_Vestibule_User",
        "X-Vestibule_User",
        "x.vestibule.user",
        "X~Vestibule~User",
        "x!vestibule|user",
        "X-Vestibule-Email",
        "X-Vestibule-Token",
        "X-Vestibule-Anything",
        "Remote-User",
        "Remote_User",
        "REMOTE-GROUPS",
        "X-Remote-User",
        "X-Forwarded-User",
        "X_Forwarded_Email",
        "X-Forwarded-Preferred-Username",
        "X-Forwarded-Access-Token",
        "X-Forwarded-For",
        "X-Forwarded-Host",
        "X-Forwarded-Proto",
        "X-Forwarded-Prefix",
        "X-Forwarded",
        "Forwarded",
        "X-Real-IP",
        "X-Client-IP",
        "True-Client-IP",
        "CF-Connecting-IP",
        "X-Cluster-Client-IP",
        "X-Auth-Request-User",
        "X-Authentik-Username",
        "X-WebAuth-User",
        "X-Authenticated-User",
        "Tailscale-User-Login",
        "Cf-Access-Authenticated-User-Email",
        "Cf-Access-Jwt-Assertion",
        "X-Goog-Authenticated-User-Email",
        "X-Goog-Iap-Jwt-Assertion",
        "X-Amzn-Oidc-Data",
        "X-Ms-Client-Principal-Name",
        "X-Pomerium-Claim-Email",
        "X-Client-Cert",
        "X-SSL-Client-S-DN",
        "SSL-Client-Verify",
    ] {
        let headers = format!("{name}: forged\r\n{name}: forged twice\r\nX-Other: kept\r\n");
        assert_eq!(ask(&server, "GET", "/notes", &token, &headers).await.status(), 200, "{name}");
        let asked = behind.last();
        assert!(!asked.head.contains("forged"), "{name}: {}", asked.head);
        assert_eq!(asked.header("x-other").as_deref(), Some("kept"));
        assert_eq!(asked.header("x-vestibule-user").as_deref(), Some("alice"), "{name}");
    }
}

#[tokio::test]
async fn headers_that_make_another_request_of_it_never_arrive() {
    let (behind, server) = world().await;
    let token = tokens(&server, NOTES).await.access;
    for name in [
        "X-HTTP-Method-Override",
        "X-HTTP-Method",
        "X-Method-Override",
        "X_Http_Method_Override",
        "X-Original-URL",
        "X-Rewrite-URL",
        "X-Original-URI",
        "X-Original-Host",
        "X-Original-Method",
        "X-Host",
        "X-Script-Name",
        "Proxy",
    ] {
        assert_eq!(
            ask(&server, "GET", "/notes", &token, &format!("{name}: forged\r\n")).await.status(),
            200,
            "{name}"
        );
        assert!(!behind.last().head.contains("forged"), "{name}: {}", behind.last().head);
    }
}

#[tokio::test]
async fn identities_go_by_the_names_that_the_owner_gave_them_and_by_no_other() {
    let names = IdentityHeaders {
        user: Some(HeaderName::from_static("remote-user")),
        email: None,
        client: None,
        scope: Some(HeaderName::from_static("x-may")),
    };
    let (behind, server) = world_with(|settings| settings.identity_headers = names).await;
    let token = tokens(&server, NOTES).await.access;
    let forged = "Remote-User: forged\r\nRemote_User: forged\r\nX-May: forged\r\nx_may: forged\r\nX.May: forged\r\n\
                  X-Vestibule-User: forged\r\nX-Vestibule-Client: forged\r\nRemote-Email: forged\r\n";
    assert_eq!(ask(&server, "GET", "/notes", &token, forged).await.status(), 200);
    let asked = behind.last();
    assert!(!asked.head.contains("forged"), "{}", asked.head);
    assert_eq!(asked.header("remote-user").as_deref(), Some("alice"));
    assert_eq!(asked.header("x-may").as_deref(), Some("read write"));
    assert!(!asked.names().iter().any(|name| name.starts_with("x-vestibule")), "{}", asked.head);
}

#[tokio::test]
async fn what_is_not_known_of_somebody_is_not_told_by_anybody_else() {
    let (behind, server) = world().await;
    let token = tokens(&server, NOTES).await.access;
    ask(&server, "GET", "/notes", &token, "X-Vestibule-Email: mallory@evil.test\r\n").await;
    assert_eq!(behind.last().header("x-vestibule-email"), None, "alice gave none");
    server.sql("update users set email = 'alice@h\u{e9}.test' where name = 'alice'", []);
    ask(&server, "GET", "/notes", &token, "X-Vestibule-Email: mallory@evil.test\r\n").await;
    assert_eq!(behind.last().header("x-vestibule-email").as_deref(), Some("alice@h\u{e9}.test"));
    // What no header can carry is left out, and does not make another one.
    server.sql("update users set email = 'a@b' || char(13) || char(10) || 'x-vestibule-user: root' where name = 'alice'", []);
    ask(&server, "GET", "/notes", &token, "").await;
    let asked = behind.last();
    assert_eq!(
        (asked.header("x-vestibule-email"), asked.header("x-vestibule-user").as_deref()),
        (None, Some("alice"))
    );
}

#[tokio::test]
async fn our_token_and_our_cookies_never_arrive_and_those_of_others_do() {
    let (behind, server) = world().await;
    let token = tokens(&server, NOTES).await.access;
    let ours = Browser::signed_in(&server, "alice").await;
    let headers = format!(
        "Cookie: theirs=1; {}; VESTIBULE=x; __host-Vestibule-form=y; other=2\r\nCookie: vestibule-device=z\r\nCookie: third=3\r\n",
        ours.cookie()
    );
    assert_eq!(ask(&server, "GET", "/notes", &token, &headers).await.status(), 200);
    let asked = behind.last();
    assert_eq!(asked.header("cookie").as_deref(), Some("theirs=1; other=2, third=3"));
    assert_eq!(asked.header("authorization"), None);
    assert!(!asked.head.contains(&token), "{}", asked.head);
    for value in ours.cookies.values() {
        assert!(!asked.head.contains(value), "{}", asked.head);
    }
}

#[tokio::test]
async fn a_token_that_came_twice_does_not_get_through_in_the_query() {
    let (behind, server) = world().await;
    let token = tokens(&server, NOTES).await.access;
    for query in [format!("access_token={token}"), format!("a=b&access_token={token}&c=d")] {
        let answer = ask(&server, "GET", &format!("/notes?{query}"), &token, "").await;
        assert_eq!(answer.status(), 400, "RFC 6750 2: one method at a time");
        assert!(!answer.text().contains(&token));
    }
    assert_eq!(behind.connections(), 0);
    // A parameter of that name may be the server's own.
    assert_eq!(ask(&server, "GET", "/notes?access_token=x", &token, "").await.status(), 200);
}

#[tokio::test]
async fn what_connection_names_is_taken_out_and_nothing_of_ours_with_it() {
    let (behind, server) = world().await;
    let token = tokens(&server, NOTES).await.access;
    for nominated in [
        "authorization",
        "x-vestibule-user",
        "X-Vestibule-User, x-vestibule-scope, x-vestibule-client",
        "host",
        "x-forwarded-for, x-forwarded-host, x-forwarded-proto",
        "cookie",
        "content-length",
        "content-type, mcp-session-id",
        "transfer-encoding",
        "x-gone, , x-gone-too",
    ] {
        let wire = format!(
            "POST /notes HTTP/1.1\r\nHost: as.test\r\nConnection: close, {nominated}\r\nAuthorization: Bearer {token}\r\n\
             Content-Length: 2\r\nX-Gone: 1\r\nX-Gone-Too: 1\r\nCookie: a=1\r\n\r\n{{}}"
        );
        let answer = server.raw(wire).await;
        assert_eq!(answer.status(), 200, "{nominated}");
        let asked = behind.last();
        for (name, value) in [
            ("x-vestibule-user", "alice"),
            ("x-vestibule-client", "pub"),
            ("x-vestibule-scope", "read write"),
            ("x-forwarded-for", "127.0.0.1"),
            ("x-forwarded-host", "as.test"),
            ("x-forwarded-proto", "https"),
            ("content-length", "2"),
        ] {
            assert_eq!(asked.header(name).as_deref(), Some(value), "{nominated}: {name}");
        }
        assert_eq!(asked.header("host"), Some(behind.address.to_string()), "{nominated}");
        assert_eq!(asked.header("x-gone").is_none(), nominated.contains("x-gone"), "{nominated}");
        assert_eq!(
            (asked.header("connection"), asked.body.as_slice()),
            (None, b"{}".as_slice()),
            "{nominated}"
        );
    }
    // Nor can it take the token away before it was looked at.
    let wire = "GET /notes HTTP/1.1\r\nHost: as.test\r\nConnection: close, authorization\r\nAuthorization: Bearer x\r\n\r\n";
    assert_eq!(server.raw(wire).await.status(), 401);
}

#[tokio::test]
async fn what_belongs_to_one_connection_stays_on_it() {
    let (behind, server) = world().await;
    let token = tokens(&server, NOTES).await.access;
    behind.say(Said::whole(
        "HTTP/1.1 200 OK\r\nconnection: x-gone\r\nx-gone: 1\r\nkeep-alive: timeout=5\r\nproxy-authenticate: Basic\r\n\
         upgrade: h2c\r\ntrailer: x\r\ncontent-length: 0\r\nx-kept: 1\r\n\r\n",
    ));
    let headers = "TE: trailers\r\nKeep-Alive: 300\r\nProxy-Authorization: Basic YTpi\r\nProxy-Connection: keep-alive\r\n";
    let answer = ask(&server, "GET", "/notes", &token, headers).await;
    for name in ["x-gone", "keep-alive", "proxy-authenticate", "upgrade", "trailer"] {
        assert_eq!(answer.header(name), None, "{name}");
    }
    assert_eq!(answer.header("x-kept"), Some("1"));
    for name in ["te", "keep-alive", "proxy-authorization", "proxy-connection", "connection"] {
        assert_eq!(behind.last().header(name), None, "{name}");
    }
}

#[tokio::test]
async fn a_trusted_proxy_is_believed_about_the_client_and_told_on() {
    let trusted = TrustedProxies::parse(["127.0.0.1"]).expect("a network");
    let (behind, server) = world_with(|settings| settings.trusted_proxies = trusted).await;
    let token = tokens(&server, NOTES).await.access;
    let headers = "X-Forwarded-For: 198.51.100.9, 203.0.113.7\r\nX-Forwarded-Proto: gopher\r\n";
    ask(&server, "GET", "/notes", &token, headers).await;
    let asked = behind.last();
    assert_eq!(asked.header("x-forwarded-for").as_deref(), Some("203.0.113.7"));
    assert_eq!(asked.header("x-forwarded-proto").as_deref(), Some("https"));
}

#[tokio::test]
async fn a_location_behind_is_told_as_it_is_in_front() {
    let (behind, server) = world().await;
    let token = tokens(&server, NOTES).await.access;
    for (said, told) in [
        ("/mcp/new?x=1#y".to_owned(), "/notes/new?x=1#y"),
        ("/mcp".to_owned(), "/notes"),
        (behind.url("/mcp/new"), "/notes/new"),
        ("new".to_owned(), "new"),
        ("/other".to_owned(), "/other"),
        ("https://elsewhere.test/x".to_owned(), "https://elsewhere.test/x"),
        ("//elsewhere.test/mcp".to_owned(), "//elsewhere.test/mcp"),
        (format!("{}.evil.test/mcp", behind.url("")), ""),
        (format!("http://u@{}/mcp", behind.address), ""),
    ] {
        behind.say(Said::whole(&format!(
            "HTTP/1.1 307 Temporary Redirect\r\nlocation: {said}\r\ncontent-length: 0\r\n\r\n"
        )));
        let answer = ask(&server, "POST", "/notes", &token, "Content-Length: 0\r\n").await;
        let told = if told.is_empty() { said.as_str() } else { told };
        assert_eq!((answer.status(), answer.header("location")), (307, Some(told)), "{said}");
    }
}

#[tokio::test]
async fn what_only_the_holder_of_a_token_may_have_is_kept_by_no_cache_for_others() {
    let (behind, server) = world().await;
    let token = tokens(&server, NOTES).await.access;
    for (said, told) in [
        ("", Some("private")),
        ("cache-control: public, max-age=60\r\n", Some("max-age=60, private")),
        ("cache-control: s-maxage=60, Public\r\n", Some("private")),
        ("cache-control: no-cache, no-transform\r\n", Some("no-cache, no-transform, private")),
        ("cache-control: no-store\r\n", Some("no-store")),
        ("cache-control: private, max-age=5\r\n", Some("private, max-age=5")),
        (
            "cache-control: public\r\ncache-control: max-age=9, proxy-revalidate\r\n",
            Some("max-age=9, proxy-revalidate, private"),
        ),
        (
            "cdn-cache-control: public, max-age=60\r\nsurrogate-control: max-age=60\r\nx-accel-expires: 60\r\n",
            Some("private"),
        ),
    ] {
        behind.say(Said::whole(&format!("HTTP/1.1 200 OK\r\n{said}content-length: 0\r\n\r\n")));
        let answer = ask(&server, "GET", "/notes/a.js", &token, "").await;
        assert_eq!(answer.header("cache-control"), told, "{said}");
        for name in ["cdn-cache-control", "surrogate-control", "x-accel-expires"] {
            assert_eq!(answer.header(name), None, "{said}");
        }
    }
}

#[tokio::test]
async fn a_proxy_in_front_does_nothing_because_a_server_behind_says_so() {
    let (behind, server) = world().await;
    let token = tokens(&server, NOTES).await.access;
    behind.say(Said::whole(
        "HTTP/1.1 200 OK\r\nx-accel-redirect: /internal/secret\r\nx-sendfile: /etc/passwd\r\nx-lighttpd-send-file: /x\r\n\
         x-accel-buffering: no\r\ncontent-length: 0\r\n\r\n",
    ));
    let answer = ask(&server, "GET", "/notes", &token, "").await;
    for name in ["x-accel-redirect", "x-sendfile", "x-lighttpd-send-file"] {
        assert_eq!(answer.header(name), None, "{name}");
    }
    assert_eq!(answer.header("x-accel-buffering"), Some("no"), "a stream of events asks for it");
}

#[tokio::test]
async fn a_server_behind_sends_nobody_to_another_place_to_sign_in() {
    let (behind, server) = world().await;
    let token = tokens(&server, NOTES).await.access;
    for status in ["401 Unauthorized", "403 Forbidden", "200 OK"] {
        behind.say(Said::whole(&format!(
            "HTTP/1.1 {status}\r\nwww-authenticate: Bearer resource_metadata=\"https://evil.test/\"\r\n\
             www-authenticate: Basic realm=\"x\"\r\ncontent-length: 2\r\n\r\n{{}}"
        )));
        let answer = ask(&server, "GET", "/notes", &token, "").await;
        assert_eq!(answer.status().to_string(), status[..3], "the status is the server's behind");
        assert_eq!(answer.header("www-authenticate"), None, "{status}");
    }
}
