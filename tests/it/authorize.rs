//! The authorization endpoint, parameter by parameter: to whom an answer goes, and what it says.

mod again;
mod decision;
mod look;
mod prompt;
mod resources;
mod stranger;

use vestibule::http::Method;
use vestibule::oauth::ids::ClientId;
use vestibule::store::clients;

use crate::harness::{Answer, Browser, ClientApp, R1, Server};

/// Goes to an authorization URL of `pub` as a browser in which nobody is signed in, and asserts that the error came
/// back by redirect and left no row (G6).
async fn assert_error(server: &Server, url: &str, error: &str) -> Answer {
    let before = server.rows();
    let answer = Browser::new().get(server, url).await;
    answer.assert_redirected_error(error, Some("a-state"));
    assert!(answer.location().starts_with("https://app.test/cb?error="), "{}", answer.location());
    assert_eq!(server.rows(), before, "{url}");
    answer
}

/// Asserts that a request got as far as the sign-in.
async fn assert_accepted(server: &Server, url: &str) {
    let answer = Browser::new().get(server, url).await;
    assert!(answer.location().starts_with("/login?authorization="), "{url}: {}", answer.location());
}

#[tokio::test]
async fn a_az_01_an_unknown_client_gets_a_page_whether_it_never_was_or_is_gone() {
    let server = Server::start().await;
    let gone = ClientApp::registered(&server, "https://gone.test/cb").await;
    let id = ClientId::parse(&gone.id).expect("its id");
    server.command(move |tx| clients::remove(tx, &id));
    let before = server.rows();
    let (app, long) = (ClientApp::fixture("pub"), "x".repeat(3000));
    let mut pages = Vec::new();
    for id in ["nobody", &gone.id, "PUB", "pub ", " pub", "' or 1=1 --", "%", &long] {
        let url = app.authorize_url(&[("client_id", id)]);
        let answer = Browser::new().get(&server, &url).await;
        answer.assert_problem_page(400);
        pages.push(answer.text());
        // mcp-remote looks before it opens a browser, and registers again when it reads this word.
        let json = server.get(&url).header("accept", "application/json").send().await;
        assert_eq!((json.status.as_u16(), json.error().as_str()), (400, "invalid_client"), "{id}");
    }
    pages.dedup();
    assert_eq!(pages.len(), 1, "nobody learns which clients exist");
    Browser::new().get(&server, &app.authorize_url(&[("client_id", "")])).await.assert_problem_page(400);
    assert_eq!(server.rows(), before);
}

#[tokio::test]
async fn a_az_02_03_c_bcp_11_only_a_code_in_the_query_is_ever_answered() {
    let server = Server::start().await;
    let app = ClientApp::fixture("pub");
    assert_error(&server, &app.authorize_url(&[("response_type", "")]), "invalid_request").await;
    for unsupported in
        ["token", "id_token", "code token", "code id_token", "code code", "CODE", "none", "code "]
    {
        let url = app.authorize_url(&[("response_type", unsupported)]);
        assert_error(&server, &url, "unsupported_response_type").await;
    }
    for mode in ["fragment", "form_post", "query.jwt", "web_message", "QUERY"] {
        assert_error(&server, &app.authorize_url(&[("response_mode", mode)]), "invalid_request").await;
    }
    assert_accepted(&server, &app.authorize_url(&[("response_mode", "query")])).await;
}

#[tokio::test]
async fn a_az_04_a_parameter_that_comes_twice_is_refused_and_of_two_states_none_is_echoed() {
    let server = Server::start().await;
    let app = ClientApp::fixture("pub");
    let before = server.rows();
    for name in ["client_id", "redirect_uri"] {
        for value in ["pub", "https%3A%2F%2Fapp.test%2Fcb", "https%3A%2F%2Fevil.test%2F"] {
            let url = format!("{}&{name}={value}", app.authorize_url(&[]));
            Browser::new().get(&server, &url).await.assert_problem_page(400);
        }
    }
    for name in ["scope", "nonce", "prompt", "max_age", "response_mode", "request", "request_uri"] {
        let url = format!("{}&{name}=1&{name}=1", app.authorize_url(&[]));
        assert_error(&server, &url, "invalid_request").await;
    }
    for name in ["response_type", "code_challenge", "code_challenge_method"] {
        let url = format!("{}&{name}=code", app.authorize_url(&[]));
        assert_error(&server, &url, "invalid_request").await;
    }
    for second in ["a-state", "another"] {
        let url = format!("{}&state={second}", app.authorize_url(&[]));
        let answer = Browser::new().get(&server, &url).await;
        answer.assert_redirected_error("invalid_request", None);
    }
    assert_eq!(server.rows(), before);
    // An empty one is absent (RFC 6749 3.1), and what means nothing here may come as often as it likes.
    let url = format!("{}&scope=&state=&foo=1&foo=2&client_id%5B%5D=x", app.authorize_url(&[]));
    assert_accepted(&server, &url).await;
}

/// States as they stand in a URL. VS Code sends base64 as it is.
fn states() -> Vec<String> {
    let mut states: Vec<String> = [
        "YWJj+/8=",
        "YWJj%2B%2F8%3D",
        "%f0%9f%8d%8b",
        "%F0%9F%8D%8B",
        "%22quotes%22+%27and%27+%5C",
        "%26iss%3Dhttps%3A%2F%2Fevil.test%26code%3Dx",
        "%0D%0ALocation:%20https://evil.test",
        "%23fragment%3F",
        "a%20b+c",
        "%253Cb%253E%3Cscript%3E",
        "=",
    ]
    .map(str::to_owned)
    .to_vec();
    states.push("s".repeat(4096));
    states.push("%C3%A9".repeat(680));
    states
}

#[tokio::test]
async fn a_az_05_c_o21_25_state_goes_back_byte_for_byte_with_a_code_and_with_an_error() {
    let server = Server::start().await;
    let app = ClientApp::fixture("pub");
    let mut browser = Browser::new();
    app.code(&server, &mut browser, "alice", &[("resource", R1)]).await;
    for state in states() {
        for (more, answered) in [(("prompt", ""), "code="), (("response_type", "token"), "error=")] {
            let url = app.authorize_url(&[("state", ""), ("resource", R1), more]);
            let answer = browser.go(&server, &format!("{url}&state={state}")).await;
            let location = answer.location();
            assert!(location.contains(answered), "{location}");
            assert!(location.ends_with(&format!("&state={state}&iss=https%3A%2F%2Fas.test")), "{location}");
            assert_eq!(answer.location_param("iss").as_deref(), Some("https://as.test"));
            assert_eq!(answer.headers.get_all("location").iter().count(), 1);
        }
    }
}

#[tokio::test]
async fn a_az_05_a_state_outlives_sign_in_and_consent() {
    let server = Server::start().await;
    let app = ClientApp::fixture("nat");
    for state in states() {
        let url = format!("{}&state={state}", app.authorize_url(&[("state", ""), ("resource", R1)]));
        let answer = Browser::new().allow(&server, &url, "bob").await;
        assert!(answer.location().contains(&format!("&state={state}&iss=")), "{}", answer.location());
        assert!(answer.location_param("code").is_some());
    }
}

#[tokio::test]
async fn a_az_06_without_a_state_none_comes_back_and_one_that_cannot_be_kept_is_refused() {
    let server = Server::start().await;
    let app = ClientApp::fixture("pub");
    let stateless = app.authorize_url(&[("state", "")]);
    for url in [stateless.clone(), format!("{stateless}&state=")] {
        let answer = Browser::new().get(&server, &format!("{url}&prompt=none")).await;
        answer.assert_redirected_error("login_required", None);
    }
    let before = server.rows();
    for broken in ["%00", "a%00b", "%", "%2", "%zz", "%ff", "%ed%a0%80", "%c0%af"] {
        let answer = Browser::new().get(&server, &format!("{stateless}&state={broken}")).await;
        answer.assert_problem_page(400);
    }
    let answer = server.raw_request("GET", &format!("{stateless}&state={}", "x".repeat(65_536)), "").await;
    assert!(matches!(answer.status(), 414 | 431), "{}", answer.text());
    assert_eq!(server.rows(), before);
}

#[tokio::test]
async fn a_az_08_09_a_scope_is_bounded_and_what_is_unknown_is_dropped() {
    let server = Server::start().await;
    let app = ClientApp::fixture("pub");
    let many: Vec<String> = (0..51).map(|n| format!("s{n}")).collect();
    for scope in [&many.join(" "), "a\tb", "\"a\"b", "a\u{a0}b", "a\\b", "a\u{7f}", "é", &"x".repeat(129)] {
        assert_error(&server, &app.authorize_url(&[("scope", scope)]), "invalid_scope").await;
    }
    let long = [(0..1000).map(|n| format!("s{n} ")).collect(), "x".repeat(50_000), "a ".repeat(25_000)];
    for scope in long {
        let mut fields = app.authorize_params();
        fields.push(("scope".to_owned(), scope));
        let before = server.rows();
        let answer = server.post("/oauth/authorize").form(&fields).send().await;
        answer.assert_redirected_error("invalid_scope", Some("a-state"));
        assert_eq!(server.rows(), before);
    }
    for (asked, granted) in [
        ("a", "a"),
        ("b  a a", "a b"),
        ("a c zzz", "a"),
        ("zzz", "a b"),
        ("", "a b"),
        (" ", "a b"),
        ("A", "a b"),
        ("openid email offline_access", "a b offline_access"),
    ] {
        let tokens = app.tokens(&server, "bob", &[("resource", R1), ("scope", asked)]).await;
        assert_eq!(tokens.scope.as_deref(), Some(granted), "{asked:?}");
    }
}

#[tokio::test]
async fn a_pkce_01_03_04_06_c_o21_20_without_a_good_s256_challenge_nobody_is_asked_to_sign_in() {
    let server = Server::start().await;
    for id in ["pub", "conf"] {
        let app = ClientApp::fixture(id);
        let good = app.pkce.challenge.clone();
        let cases = [
            [("code_challenge", ""), ("code_challenge_method", "")],
            [("code_challenge", ""), ("code_challenge_method", "S256")],
            [("code_challenge", &good), ("code_challenge_method", "")],
            [("code_challenge", &good), ("code_challenge_method", "plain")],
            [("code_challenge", &good), ("code_challenge_method", "s256")],
            [("code_challenge", &good[1..]), ("code_challenge_method", "S256")],
            [("code_challenge", &format!("{good}A")), ("code_challenge_method", "S256")],
            [("code_challenge", &format!("{good}=")), ("code_challenge_method", "S256")],
            [("code_challenge", &format!("{}+", &good[1..])), ("code_challenge_method", "S256")],
            [("code_challenge", &"a".repeat(128)), ("code_challenge_method", "S256")],
        ];
        let before = server.rows();
        for case in cases {
            let answer = Browser::new().get(&server, &app.authorize_url(&case)).await;
            answer.assert_redirected_error("invalid_request", Some("a-state"));
            assert!(!answer.location().contains(&good[1..]), "C-O21-24");
        }
        assert_eq!(server.rows(), before);
    }
}

#[tokio::test]
async fn a_az_12_a_request_waits_a_quarter_of_an_hour_and_then_is_gone() {
    let server = Server::start().await;
    let app = ClientApp::fixture("pub");
    let mut browser = Browser::signed_in(&server, "alice").await;
    let page = browser.go(&server, &app.authorize_url(&[("resource", R1)])).await;
    server.advance(15 * 60);
    let answer = browser.decide(&server, &page, "allow").await;
    answer.assert_problem_page(400);
    let id = page.field("authorization").expect("the request's id");
    for path in ["/oauth/authorize", "/login", "/consent"] {
        let answer = browser.get(&server, &format!("{path}?authorization={id}")).await;
        answer.assert_problem_page(400);
    }
    assert_eq!(server.rows()["authorization_codes"], 0);
    assert_eq!(server.rows()["consents"], 0);
}

#[tokio::test]
async fn a_az_14_an_id_token_hint_and_a_login_hint_sign_nobody_in() {
    let server = Server::start().await;
    let app = ClientApp::fixture("pub");
    let theirs = app.tokens(&server, "mallory", &[("resource", R1)]).await.access;
    let mut alice = Browser::new();
    app.code(&server, &mut alice, "alice", &[("resource", R1)]).await;
    let none = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJtYWxsb3J5In0.";
    for hint in [theirs.as_str(), none, "x", &"a.".repeat(500)] {
        let more = [("resource", R1), ("id_token_hint", hint), ("login_hint", "mallory"), ("prompt", "none")];
        let answer = Browser::new().get(&server, &app.authorize_url(&more)).await;
        answer.assert_redirected_error("login_required", Some("a-state"));
        let code = app.code(&server, &mut alice, "alice", &more).await;
        let tokens = crate::harness::Tokens::of(&app.redeem(&server, &code, &[]).await);
        assert_eq!(tokens.claims["sub"], server.user("alice").id.as_str());
    }
}

#[tokio::test]
async fn a_az_15_16_what_is_not_offered_is_refused_or_ignored_and_never_parsed() {
    let server = Server::start().await;
    let app = ClientApp::fixture("pub");
    let request = app.authorize_url(&[("request", "eyJhbGciOiJub25lIn0.e30.")]);
    assert_error(&server, &request, "request_not_supported").await;
    for uri in ["https://evil.test/r", "urn:ietf:params:oauth:request_uri:x", "http://127.0.0.1:1/"] {
        let url = app.authorize_url(&[("request_uri", uri)]);
        assert_error(&server, &url, "request_uri_not_supported").await;
    }
    for claims in ["{\"a\":1,\"a\":2}", &"[".repeat(2000), "not JSON"] {
        let more = [("claims", claims), ("display", "popup"), ("ui_locales", "xx"), ("foo", "bar")];
        assert_accepted(&server, &app.authorize_url(&more)).await;
    }
    let head = "POST /oauth/authorize HTTP/1.1\r\nHost: as.test\r\nConnection: close\r\n\
                Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 1048576\r\n\r\n";
    let answer = server.raw(head).await;
    assert!((400..500).contains(&answer.status()), "1 MB of claims: {}", answer.text());
}

#[tokio::test]
async fn a_az_17_methods_that_are_not_ours_are_refused_and_connect_is_no_tunnel() {
    let server = Server::start().await;
    let url = ClientApp::fixture("pub").authorize_url(&[]);
    let before = server.rows();
    for method in [Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS] {
        let answer = server.ask(method, &url).send().await;
        assert_eq!(answer.status.as_u16(), 405);
        assert_eq!(answer.header("allow"), Some("GET, HEAD, POST"));
        assert_eq!(answer.header("location"), None);
    }
    for (method, status) in [("TRACE", 405), ("get", 501), ("Get", 501), ("FOO", 501)] {
        assert_eq!(
            server.raw_request(method, &url, "X-HTTP-Method-Override: GET\r\n").await.status(),
            status
        );
    }
    for target in ["evil.test:443", "127.0.0.1:1", "/oauth/authorize"] {
        let answer = server.raw_request("CONNECT", target, "").await;
        assert!((400..500).contains(&answer.status()), "{target}: {}", answer.text());
    }
    assert_eq!(server.rows(), before);
    let head = server.raw_request("HEAD", &url, "").await;
    assert_eq!((head.status(), head.body()), (303, ""));
}

#[tokio::test]
async fn a_az_18_c_o21_14_a_form_asks_like_a_query_and_never_both_at_once() {
    let server = Server::start().await;
    let app = ClientApp::fixture("pub");
    let fields = app.authorize_params();
    for path in ["/oauth/authorize", "/authorize"] {
        let answer = server.post(path).form(&fields).send().await;
        assert_eq!(answer.status.as_u16(), 303, "C-BCP-06");
        assert!(answer.location().starts_with("/login?authorization="));
    }
    let before = server.rows();
    let answer = server.post(&app.authorize_url(&[])).form(&fields).send().await;
    answer.assert_problem_page(400);
    let json = serde_json::json!({ "response_type": "code", "client_id": "pub" });
    server.post("/oauth/authorize").json(&json).send().await.assert_problem_page(400);
    assert_eq!(server.rows(), before);
}

#[tokio::test]
async fn a_az_19_c_bcp_21_no_script_of_another_origin_reads_the_authorization_endpoint() {
    let server = Server::start().await;
    let app = ClientApp::fixture("pub");
    for url in [app.authorize_url(&[]), app.authorize_url(&[("client_id", "nobody")])] {
        for method in [Method::GET, Method::POST, Method::OPTIONS] {
            for origin in ["https://evil.test", "null", "https://app.test", "https://as.test"] {
                let answer = server
                    .ask(method.clone(), &url)
                    .header("origin", origin)
                    .header("access-control-request-method", "GET")
                    .send()
                    .await;
                let allowed = answer.headers.keys().any(|name| name.as_str().starts_with("access-control-"));
                assert!(!allowed, "{method} {url} {:?}", answer.headers);
            }
        }
    }
}

#[tokio::test]
async fn a_az_21_names_are_case_sensitive_and_have_no_array_form() {
    let server = Server::start().await;
    let app = ClientApp::fixture("pub");
    let base = app.authorize_url(&[("response_type", "")]);
    for other in
        ["RESPONSE_TYPE=code", "response_type%5B%5D=code", "response_type%20=code", "%00response_type=code"]
    {
        let answer = Browser::new().get(&server, &format!("{base}&{other}")).await;
        assert!(
            answer.status.as_u16() == 400 || answer.location().contains("error=invalid_request"),
            "{other}"
        );
    }
    let many = "&x=1".repeat(100);
    Browser::new().get(&server, &format!("{base}&response_type=code{many}")).await.assert_problem_page(400);
}
