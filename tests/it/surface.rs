//! The whole surface: what is served how, what is not, and the headers that go with it.

use serde_json::{Value, json};
use vestibule::http::Method;
use vestibule::routes::SURFACE;

use crate::harness::{Answer, Browser, ClientApp, R1, RawAnswer, Server};

/// The endpoints for programs: JSON in every failure, open to pages of any origin.
const MACHINES: [&str; 14] = [
    "/oauth/token",
    "/oauth/token/",
    "/token",
    "/token/",
    "/oauth/register",
    "/oauth/register/",
    "/register",
    "/register/",
    "/oauth/revoke",
    "/oauth/revoke/",
    "/revoke",
    "/revoke/",
    "/oauth/introspect",
    "/oauth/introspect/",
];
const DOCUMENTS: [&str; 6] = [
    "/.well-known/oauth-authorization-server",
    "/.well-known/oauth-authorization-server/",
    "/.well-known/openid-configuration",
    "/.well-known/openid-configuration/",
    "/.well-known/jwks.json",
    "/.well-known/jwks.json/",
];
/// Where a person is, and no script of another origin looks on.
const PAGES: [&str; 14] = [
    "/oauth/authorize",
    "/oauth/authorize/",
    "/authorize",
    "/authorize/",
    "/login",
    "/consent",
    "/setup",
    "/logout",
    "/account",
    "/visit",
    "/.vestibule/visit",
    "/style.css",
    "/",
    "/healthz",
];
/// Where reverse proxies ask; what they are told goes to whoever asked them.
const PROXIES: [&str; 1] = ["/verify"];

/// Asserts an error in JSON, from which nobody is sent anywhere.
#[track_caller]
fn assert_json_error(answer: &Answer, status: u16) {
    assert_eq!(answer.status.as_u16(), status, "{}", answer.text());
    assert!(answer.is_json(), "{:?}", answer.headers);
    assert!(!answer.error().is_empty());
    assert!(answer.json()["error_description"].as_str().is_some_and(|text| text.ends_with('.')));
    assert_eq!(answer.header("location"), None);
}

#[test]
fn the_lists_of_this_test_are_the_surface() {
    let mut listed: Vec<_> = MACHINES.iter().chain(&DOCUMENTS).chain(&PAGES).chain(&PROXIES).collect();
    let mut served: Vec<_> = SURFACE.iter().map(|(path, _)| path).collect();
    listed.sort_unstable();
    served.sort_unstable();
    assert_eq!(listed, served);
}

#[tokio::test]
async fn c_o21_15_a_path_is_served_with_its_methods_and_says_them_to_any_other() {
    let server = Server::start().await;
    for (path, methods) in SURFACE {
        for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
            let headers = if method == "HEAD" || method == "GET" { "" } else { "Content-Length: 0\r\n" };
            let answer = server.raw_request(method, path, headers).await;
            if methods.split(", ").any(|served| served == method) {
                assert!(
                    !matches!(answer.status(), 0 | 404 | 405 | 500..),
                    "{method} {path} {}",
                    answer.text()
                );
                continue;
            }
            assert_eq!(answer.status(), 405, "{method} {path}");
            assert_eq!(answer.header("allow"), Some(methods), "{method} {path}");
            assert_eq!(answer.header("content-type"), Some("application/json"));
            if method != "HEAD" {
                let body: Value = serde_json::from_str(answer.body()).expect("JSON");
                assert_eq!(body["error"], "invalid_request");
            }
        }
    }
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let server = Server::start().await;
    for (path, methods) in SURFACE {
        let head = server.raw_request("HEAD", path, "").await;
        assert_eq!(head.body(), "", "{path}");
        if !methods.contains("HEAD") {
            continue;
        }
        let get = server.raw_request("GET", path, "").await;
        for name in
            ["content-type", "cache-control", "location", "x-content-type-options", "content-security-policy"]
        {
            assert_eq!(head.header(name), get.header(name), "{name} {path}");
        }
        assert_eq!(head.status(), get.status(), "{path}");
        // Of an empty body the length may be left out (RFC 9110 8.6).
        let length = |answer: &RawAnswer| answer.header("content-length").unwrap_or("0").to_owned();
        // Form tokens differ, their lengths do not.
        assert_eq!(length(&head), length(&get), "{path}");
    }
}

#[tokio::test]
async fn any_other_path_is_404_in_the_callers_language() {
    let server = Server::start().await;
    for path in
        ["/nothing", "/oauth", "/oauth/", "/.well-known", "/admin", "/favicon.ico", "/.env", "/userinfo"]
    {
        for method in [Method::GET, Method::POST, Method::DELETE, Method::OPTIONS] {
            let answer = server.ask(method.clone(), path).send().await;
            assert_json_error(&answer, 404);
            assert_eq!(answer.header("allow"), None);
            assert_eq!(answer.header("access-control-allow-origin"), None);
            let answer = server.ask(method, path).header("accept", "text/html,*/*;q=0.8").send().await;
            assert_eq!(answer.status.as_u16(), 404);
            assert!(!answer.is_json(), "{path}");
        }
    }
}

#[tokio::test]
async fn a_http_17_30_a_path_has_one_spelling_and_a_method_one_place() {
    let server = Server::start().await;
    let svc = "grant_type=client_credentials&client_id=svc\
               &client_secret=a-secret-of-the-fixtures-with-enough-characters";
    let post = |path: &str, headers: &str| {
        format!(
            "POST {path} HTTP/1.1\r\nHost: as.test\r\nConnection: close\r\nOrigin: https://evil.test\r\n{headers}\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{svc}",
            svc.len()
        )
    };
    // One slash at the end is a spelling of its own, two are not.
    for path in
        ["/oauth/token", "/token", "/oauth/token/", "/token/", "/oauth/token?x=1", "http://evil.test/token"]
    {
        let answer = server.raw(post(path, "")).await;
        assert_eq!(answer.status(), 200, "{path}: {}", answer.text());
    }
    let before = server.rows();
    for path in [
        "//token",
        "/./token",
        "/a/../token",
        "/oauth/../token",
        "/oauth//token",
        "/token//",
        "/oauth/token//",
        "//token/",
        "/token/.",
        "/token/x",
        "/token%2F",
        "/token;x",
        "/token;x=y",
        "/TOKEN",
        "/Token",
        "/tok%65n",
        "/%74oken",
        "/token%2f",
        "/token%00",
        "/token%20",
        "/token%3f",
        "/token%0d%0a",
        "/token.json",
        "/oauth%2ftoken",
        "/oauth%2Ftoken",
        "/oauth\\token",
        "/oauth/token,",
    ] {
        let answer = server.raw(post(path, "")).await;
        assert_eq!(answer.status(), 404, "{path}: {}", answer.text());
        assert_eq!(answer.header("access-control-allow-origin"), None, "{path}");
        let body: Value = serde_json::from_str(answer.body()).expect("JSON");
        assert!(body["error"].is_string());
    }
    for path in ["token", "*", "/token#x", "/to ken"] {
        let answer = server.raw(post(path, "")).await;
        assert!(matches!(answer.status(), 400 | 404), "{path}: {}", answer.text());
    }
    let lies = "X-HTTP-Method-Override: POST\r\nX-HTTP-Method: POST\r\nX-Method-Override: POST\r\n";
    for target in ["/oauth/token?_method=POST", "/oauth/token?method=POST", &format!("/oauth/token?{svc}")] {
        assert_eq!(server.raw_request("GET", target, lies).await.status(), 405);
    }
    let answer = server.raw(post("/oauth/token", "X-HTTP-Method-Override: GET\r\n")).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(server.rows(), before);
}

#[tokio::test]
async fn machine_endpoints_fail_in_json_whatever_is_wrong_and_whoever_asks() {
    let server = Server::start().await;
    let html = "text/html,application/xhtml+xml";
    let before = server.rows();
    for path in MACHINES {
        let wrong_type = server.post(path).header("accept", html).body("text/plain", b"x=1".to_vec());
        assert_json_error(&wrong_type.send().await, 415);
        assert_json_error(&server.post(path).send().await, 415);
        let kind =
            if path.contains("register") { "application/json" } else { "application/x-www-form-urlencoded" };
        let gzip = server.post(path).header("content-encoding", "gzip").body(kind, b"x".to_vec());
        assert_json_error(&gzip.send().await, 415);
        let answer = server.post(path).header("accept", html).body(kind, b"x=%zz&".to_vec()).send().await;
        assert_json_error(&answer, 400);
        assert_eq!(answer.header("cache-control"), Some("no-store"), "C-O21-16");
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: as.test\r\nConnection: close\r\nContent-Type: {kind}\r\n\
             Content-Length: 65537\r\n\r\n"
        );
        let large = server.raw(head).await;
        assert_eq!((large.status(), large.header("content-type")), (413, Some("application/json")), "{path}");
        assert_eq!(large.header("access-control-allow-origin"), Some("*"));
        for two in ["a", "b"] {
            // Two types are none.
            let asked = server.post(path).header("content-type", two).body(kind, b"x=1".to_vec());
            assert_json_error(&asked.send().await, 415);
        }
    }
    assert_eq!(server.rows(), before);
}

#[tokio::test]
async fn c_o21_09_16_17_too_many_guesses_are_429_in_json_and_do_not_shut_out_who_is_right() {
    let server = Server::start().await;
    let guess = [("grant_type", "client_credentials"), ("client_id", "svc"), ("client_secret", "wrong")];
    for _ in 0..100 {
        server.post("/oauth/token").form(&guess).send().await.assert_refused("invalid_client");
    }
    for path in ["/oauth/token", "/oauth/revoke", "/oauth/introspect"] {
        let mut fields = guess.to_vec();
        fields.push(("token", "x"));
        let answer = server.post(path).form(&fields).send().await;
        assert_json_error(&answer, 429);
        assert!(
            answer.header("retry-after").is_some_and(|wait| wait.parse::<u32>().is_ok_and(|wait| wait > 0))
        );
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    }
    let answer = ClientApp::fixture("svc").token(&server, &[("grant_type", "client_credentials")]).await;
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.text());
}

#[tokio::test]
async fn a_tk_04_c_o21_41_c_bb_04_any_origin_may_ask_a_machine_endpoint_and_none_with_credentials() {
    let server = Server::start().await;
    let revision = "authorization, content-type, mcp-protocol-version, x-of-the-next-revision";
    for origin in
        ["https://app.test", "https://evil.test", "null", "https://app.test.evil", "http://localhost:6274"]
    {
        for path in MACHINES.iter().chain(&DOCUMENTS) {
            let preflight = server
                .ask(Method::OPTIONS, path)
                .header("origin", origin)
                .header("access-control-request-method", "POST")
                .header("access-control-request-headers", revision)
                .send()
                .await;
            assert_eq!(preflight.status.as_u16(), 204, "{path}");
            assert!(preflight.body.is_empty());
            assert_eq!(preflight.header("access-control-allow-headers"), Some(revision));
            let methods = preflight.header("access-control-allow-methods").expect("methods");
            assert_eq!(methods.contains("POST"), MACHINES.contains(path), "{path}");
            let asked = server.post(path).header("origin", origin).header("cookie", "__Host-vestibule=x");
            let answers = [
                preflight,
                asked.form(&[("token", "x")]).send().await,
                server.get(path).header("origin", origin).send().await,
            ];
            for answer in answers {
                assert_eq!(answer.header("access-control-allow-credentials"), None);
                assert!(answer.header("access-control-allow-origin").is_none_or(|allowed| allowed == "*"));
                assert_eq!(answer.header("set-cookie"), None);
            }
        }
    }
    let answer =
        server.post("/oauth/token").header("origin", "null").form(&[("client_id", "svc")]).send().await;
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "an error can be read");
    let exposed = answer.header("access-control-expose-headers").expect("a list");
    assert!(exposed.contains("WWW-Authenticate") && exposed.contains("Retry-After"));
}

#[tokio::test]
async fn a_page_of_any_origin_can_read_that_a_document_is_missing_or_a_method_is_not_served() {
    let server = Server::start().await;
    let origin = "http://localhost:6274";
    let before = (server.rows(), server.audit().len());
    // What clients try one after the other, and what nobody tries.
    for path in [
        "/.well-known/oauth-authorization-server/mcp",
        "/.well-known/openid-configuration/mcp",
        "/.well-known/oauth-protected-resource",
        "/.well-known/oauth-protected-resource/mcp",
        "/.well-known/oauth-authorization-server//",
        "/.well-known/",
    ] {
        let preflight = server
            .ask(Method::OPTIONS, path)
            .header("origin", origin)
            .header("access-control-request-method", "GET")
            .header("access-control-request-headers", "mcp-protocol-version")
            .send()
            .await;
        assert_eq!(preflight.status.as_u16(), 204, "{path}");
        assert_eq!(preflight.header("access-control-allow-origin"), Some("*"));
        assert_eq!(preflight.header("access-control-allow-methods"), Some("GET, HEAD, OPTIONS"));
        assert_eq!(preflight.header("access-control-allow-headers"), Some("mcp-protocol-version"));
        for method in [Method::GET, Method::POST, Method::DELETE] {
            let answer = server.ask(method, path).header("origin", origin).send().await;
            assert_json_error(&answer, 404);
            assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "{path}");
            assert_eq!(answer.header("access-control-allow-credentials"), None);
        }
        assert_eq!(server.get(path).header("accept", "text/html").send().await.status.as_u16(), 404);
    }
    for path in MACHINES.iter().chain(&DOCUMENTS) {
        let method = if MACHINES.contains(path) { Method::GET } else { Method::POST };
        for method in [method, Method::PUT, Method::DELETE] {
            let answer = server.ask(method, path).header("origin", origin).send().await;
            assert_json_error(&answer, 405);
            assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "{path}");
        }
    }
    assert_eq!((server.rows(), server.audit().len()), before);
}

#[tokio::test]
async fn a_preflight_needs_nothing_and_changes_nothing() {
    let server = Server::start().await;
    let before = (server.rows(), server.audit().len());
    for path in MACHINES.iter().chain(&DOCUMENTS) {
        let bare = server.ask(Method::OPTIONS, path).send().await;
        assert_eq!(bare.status.as_u16(), 204);
        assert_eq!(bare.header("access-control-allow-headers"), Some("authorization, content-type"));
        let odd =
            server.ask(Method::OPTIONS, path).header("authorization", "Basic x").header("cookie", "a=b");
        let odd = odd.form(&[("grant_type", "client_credentials"), ("client_id", "svc")]).send().await;
        assert_eq!(odd.status.as_u16(), 204);
        assert!(odd.header("access-control-max-age").is_some());
        let header = server
            .ask(Method::OPTIONS, path)
            .header("access-control-request-headers", "x\u{e9}")
            .send()
            .await;
        assert_eq!(header.status.as_u16(), 204);
    }
    assert_eq!((server.rows(), server.audit().len()), before);
}

#[tokio::test]
async fn c_bcp_21_no_page_answers_a_script_of_another_origin() {
    let server = Server::start().await;
    let browser = Browser::signed_in(&server, "alice").await;
    for path in PAGES {
        for method in [Method::GET, Method::POST, Method::OPTIONS, Method::PUT] {
            for origin in ["https://evil.test", "null", "https://as.test"] {
                let asked = server.ask(method.clone(), path).header("origin", origin);
                let asked =
                    asked.header("access-control-request-method", "GET").header("cookie", &browser.cookie());
                let answer = asked.send().await;
                let allowed = answer.headers.keys().any(|name| name.as_str().starts_with("access-control-"));
                assert!(!allowed, "{method} {path} {:?}", answer.headers);
                if method == Method::OPTIONS {
                    assert_eq!(answer.status.as_u16(), 405);
                }
            }
        }
    }
}

/// The values of these attributes in a page.
fn attributes<'a>(page: &'a str, names: &[&str]) -> Vec<&'a str> {
    let mut found = Vec::new();
    for name in names {
        let start = format!(" {name}=\"");
        found.extend(page.split(&start as &str).skip(1).filter_map(|rest| rest.split('"').next()));
    }
    found
}

#[tokio::test]
async fn c_bcp_23_24_29_a_web_08_09_pages_load_nothing_from_elsewhere_run_nothing_and_are_not_framed_or_kept()
{
    let server = Server::start().await;
    let app = ClientApp::fixture("pub");
    let stranger = ClientApp::registered(&server, "https://stranger.test/cb").await;
    let mut nobody = Browser::new();
    let mut alice = Browser::signed_in(&server, "alice").await;
    let mut pages = vec![
        nobody.get(&server, "/login").await,
        nobody.go(&server, &app.authorize_url(&[("resource", R1)])).await,
        nobody.get(&server, "/setup?token=x").await,
        nobody.get(&server, "/logout").await,
        nobody.get(&server, &app.authorize_url(&[("client_id", "nobody")])).await,
        nobody.get(&server, &app.authorize_url(&[("redirect_uri", "https://evil.test/")])).await,
        nobody.get(&server, &stranger.authorize_url(&[("scope", "\"")])).await,
        alice.go(&server, &app.authorize_url(&[("resource", R1)])).await,
        alice.go(&server, &app.authorize_url(&[])).await,
        alice.get(&server, "/account").await,
        alice.get(&server, "/logout").await,
        alice.get(&server, "/consent?authorization=x").await,
        alice.post(&server, "/login", &[("form_token", "wrong"), ("username", "a"), ("password", "b")]).await,
    ];
    let login = nobody.get(&server, "/login").await;
    pages.push(nobody.sign_in(&server, &login, "alice", "wrong").await);
    for page in pages {
        // The harness holds every page to its policy, and to frame-ancestors and X-Frame-Options.
        assert!(page.is_html(), "{} {}", page.status, page.text());
        assert_eq!(page.header("cache-control"), Some("no-store"), "{}", page.text());
        let policy = page.header("content-security-policy").expect("a policy");
        assert!(policy.starts_with("default-src 'none'") && policy.contains("base-uri 'none'"));
        assert!(
            !policy.contains("script-src") && !policy.contains("form-action") && !policy.contains("http")
        );
        // `no-referrer` would hide the Origin of our own forms from us.
        assert_eq!(page.header("referrer-policy"), Some("same-origin"));
        let text = page.text();
        assert!(text.starts_with("<!DOCTYPE html>"));
        for active in [
            "<script",
            "<iframe",
            "<object",
            "<embed",
            "<img",
            "<base",
            " style=",
            " onclick",
            " onload",
            "javascript:",
        ] {
            assert!(!text.contains(active), "{active} in {text}");
        }
        for target in attributes(&text, &["src", "action", "srcset", "poster"]) {
            assert!(target.starts_with('/') && !target.starts_with("//"), "{target}");
        }
        for link in text.split("<link ").skip(1) {
            let href = attributes(link.split('>').next().expect("a tag"), &["href"]);
            assert!(
                href.iter().all(|href| href.starts_with('/') || href.starts_with("data:image/")),
                "{href:?}"
            );
        }
    }
    let style = server.get("/style.css").send().await;
    assert_eq!(style.header("content-type"), Some("text/css; charset=utf-8"));
    assert!(!style.text().contains("url(http") && !style.text().contains("@import"));
}

/// A client that spells every path with these before and after it: registers, is let in, refreshes, asks and revokes.
async fn spelled(before: &str, after: &str) {
    let server = Server::start().await;
    let path = |name: &str| format!("{before}{name}{after}");
    let app = ClientApp::fixture("pub");
    let url = app.authorize_url(&[("resource", R1)]).replace("/oauth/authorize", &path("/authorize"));
    let answer = Browser::new().allow(&server, &url, "alice").await;
    let code = answer.location_param("code").expect("a code");
    let fields = [
        ("grant_type", "authorization_code"),
        ("client_id", "pub"),
        ("code", &code),
        ("redirect_uri", &app.redirect_uri),
        ("code_verifier", &app.pkce.verifier),
    ];
    let tokens = crate::harness::Tokens::of(&server.post(&path("/token")).form(&fields).send().await);
    let fields = [("token", tokens.refresh()), ("client_id", "pub")];
    assert_eq!(server.post(&path("/revoke")).form(&fields).send().await.status.as_u16(), 200);
    app.refresh(&server, tokens.refresh(), &[]).await.assert_refused("invalid_grant");
    let body = json!({ "redirect_uris": ["https://x.test/cb"] });
    assert_eq!(server.post(&path("/register")).json(&body).send().await.status.as_u16(), 201);
}

#[tokio::test]
async fn the_short_names_are_the_same_endpoints() {
    spelled("", "").await;
    let server = Server::start().await;
    assert_eq!(server.get("/").send().await.location(), "/account");
}

#[tokio::test]
async fn a_slash_at_the_end_of_a_path_for_programs_is_the_same_endpoint_and_of_a_page_is_nothing() {
    spelled("", "/").await;
    spelled("/oauth", "/").await;
    let server = Server::start().await;
    let conf = ClientApp::fixture("conf");
    let tokens = conf.tokens(&server, "alice", &[("resource", R1)]).await;
    let secret = conf.secret.as_deref().expect("conf has one");
    let asked = server.post("/oauth/introspect/").basic(&conf.id, secret).form(&[("token", &tokens.access)]);
    assert_eq!(asked.send().await.json()["active"], true);
    for document in DOCUMENTS.iter().filter(|path| !path.ends_with('/')) {
        let [plain, slash] =
            [server.get(document).send().await, server.get(&format!("{document}/")).send().await];
        assert_eq!((plain.status.as_u16(), &plain.body), (200, &slash.body), "{document}");
        assert_eq!(plain.header("cache-control"), slash.header("cache-control"));
    }
    for path in PAGES.iter().filter(|path| !path.contains("authorize") && **path != "/") {
        assert_eq!(server.get(&format!("{path}/")).send().await.status.as_u16(), 404, "{path}/");
    }
}
