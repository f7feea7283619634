//! Redirect URIs at the authorization endpoint and at registration: exact, but for the port of loopback. Whatever does
//! not match gets a page here, and nobody is sent anywhere.

use vestibule::clock::UnixTime;
use vestibule::oauth::client::Credential;
use vestibule::oauth::grant_type::GrantType;
use vestibule::store::{Fault, clients};

use crate::harness::{Browser, ClientApp, R1, Server, client};

const CB: &str = "https://app.test/cb";

/// Asserts that none of these leads anywhere, signed in or not, with a page or silently: a page, no Location, nothing
/// written (G3, G6).
async fn assert_strangers(server: &Server, id: &str, uris: &[&str]) {
    let app = ClientApp::fixture(id);
    let mut alice = Browser::signed_in(server, "alice").await;
    let before = server.rows();
    for uri in uris {
        for more in [("prompt", ""), ("prompt", "none"), ("response_type", "token")] {
            let url = app.authorize_url(&[("redirect_uri", uri), ("resource", R1), more]);
            for browser in [&mut alice, &mut Browser::new()] {
                let answer = browser.get(server, &url).await;
                assert_eq!(answer.header("location"), None, "{uri:?}");
                answer.assert_problem_page(400);
                let links = answer.text().matches("<a ").count();
                assert_eq!(links, 0, "the page links nowhere either: {uri:?} {}", answer.text());
            }
        }
    }
    assert_eq!(server.rows(), before, "{uris:?}");
}

/// Asserts that a code goes to each of these, as it was spelled.
async fn assert_friends(server: &Server, id: &str, uris: &[&str]) {
    let mut app = ClientApp::fixture(id);
    for uri in uris {
        (*uri).clone_into(&mut app.redirect_uri);
        let answer = Browser::new().allow(server, &app.authorize_url(&[("resource", R1)]), "alice").await;
        assert!(answer.location().starts_with(&format!("{uri}?code=")), "{}", answer.location());
        let code = answer.location_param("code").expect("a code");
        assert_eq!(app.redeem(server, &code, &[]).await.status.as_u16(), 200, "{uri}");
    }
}

#[tokio::test]
async fn a_ruri_01_02_03_04_05_c_bcp_01_one_other_byte_is_another_address() {
    let server = Server::start().await;
    assert_friends(&server, "pub", &[CB]).await;
    let scheme = ["http://app.test/cb", "HTTPS://app.test/cb", "Https://app.test/cb", "httpss://app.test/cb"];
    assert_strangers(&server, "pub", &scheme).await;
    let host = [
        "https://APP.test/cb",
        "https://app.Test/cb",
        "https://app.test./cb",
        "https://app.tes/cb",
        "https://www.app.test/cb",
        "https://app.test.evil.test/cb",
        "https://evil-app.test/cb",
        "https://app.test@evil.test/cb",
        "https://app.test%40evil.test/cb",
        "https://app.test:pw@evil.test/cb",
        "https://user@app.test/cb",
        "https://@app.test/cb",
    ];
    assert_strangers(&server, "pub", &host).await;
    let port = [
        "https://app.test:443/cb",
        "https://app.test:8443/cb",
        "https://app.test:/cb",
        "https://app.test:0443/cb",
        "https://app.test:443@evil.test/cb",
    ];
    assert_strangers(&server, "pub", &port).await;
}

#[tokio::test]
async fn a_ruri_06_07_08_09_16_path_query_and_encoding_are_compared_as_they_are() {
    let server = Server::start().await;
    let fragment = ["https://app.test/cb#", "https://app.test/cb#x", "https://app.test/cb%23x"];
    assert_strangers(&server, "pub", &fragment).await;
    let path = [
        "https://app.test",
        "https://app.test/",
        "https://app.test/c",
        "https://app.test/cbx",
        "https://app.test/cb/",
        "https://app.test/cb/x",
        "https://app.test/CB",
        "https://app.test//cb",
        "https://app.test/./cb",
        "https://app.test/x/../cb",
        "https://app.test/cb/..",
        "https://app.test/cb/../evil",
        "https://app.test/cb;x",
        "https://app.test/cb.",
    ];
    assert_strangers(&server, "pub", &path).await;
    let encoded = [
        "https://app.test/%63b",
        "https://app.test/cb%2f",
        "https://app.test/cb%00",
        "https://app.test/cb%2e%2e",
        "https://app.test/cb%0d%0aLocation:%20https://evil.test",
        "https://app.test/cb\r\nLocation: https://evil.test",
        "https%3A%2F%2Fapp.test%2Fcb",
        "https://app.test%2Fcb",
    ];
    assert_strangers(&server, "pub", &encoded).await;
    let query = [
        "https://app.test/cb?",
        "https://app.test/cb?x=1",
        "https://app.test/cb&x=1",
        "https://app.test/cb?code=x",
    ];
    assert_strangers(&server, "pub", &query).await;
    let pattern =
        ["https://app.test/*", "https://*/cb", "https://app.test/c.", "^https://app.test/cb$", "*", "%"];
    assert_strangers(&server, "pub", &pattern).await;
}

#[tokio::test]
async fn a_ruri_10_11_12_13_what_a_browser_would_read_as_another_place_is_one() {
    let server = Server::start().await;
    let slashes = [
        "https:\\\\app.test\\cb",
        "https://app.test\\cb",
        "https://app.test\\@evil.test/cb",
        "https://evil.test\\@app.test/cb",
        "https:/app.test/cb",
        "https:///app.test/cb",
        "https:app.test/cb",
        "//app.test/cb",
        "/cb",
        "cb",
        "app.test/cb",
        "/\\evil.test",
    ];
    assert_strangers(&server, "pub", &slashes).await;
    let invisible = [
        "https://app.test/cb ",
        " https://app.test/cb",
        "\thttps://app.test/cb",
        "https://app.test/cb\n",
        "https://app\t.test/cb",
        "https://app\n.test/cb",
        "https://app\u{ad}.test/cb",
        "https://app\u{200b}.test/cb",
        "https://app.test/cb\u{feff}",
        "ht\ttps://app.test/cb",
    ];
    assert_strangers(&server, "pub", &invisible).await;
    let lookalike = [
        "https://аpp.test/cb",
        "https://xn--pp-7kc.test/cb",
        "https://app。test/cb",
        "https://ａｐｐ.test/cb",
    ];
    assert_strangers(&server, "pub", &lookalike).await;
    let elsewhere =
        ["https://evil.test/", "https://127.0.0.1/cb", "http://[::1]/cb", "https://as.test/account", "null"];
    assert_strangers(&server, "pub", &elsewhere).await;
    let long = format!("https://app.test/{}", "x".repeat(3000));
    assert_strangers(&server, "pub", &[&long]).await;
}

#[tokio::test]
async fn a_ruri_14_15_of_two_addresses_none_is_taken_and_a_form_has_one_source() {
    let server = Server::start().await;
    let app = ClientApp::fixture("pub");
    let mut browser = Browser::signed_in(&server, "alice").await;
    let before = server.rows();
    let (good, evil) = ("https%3A%2F%2Fapp.test%2Fcb", "https%3A%2F%2Fevil.test%2F");
    let base = app.authorize_url(&[("redirect_uri", "")]);
    for (first, second) in [(good, evil), (evil, good), (good, good)] {
        let url = format!("{base}&redirect_uri={first}&redirect_uri={second}");
        browser.get(&server, &url).await.assert_problem_page(400);
        let url = format!("{base}&redirect_uri={first}");
        let mut fields = app.authorize_params();
        fields.retain(|(name, _)| name == "redirect_uri" || name == "client_id");
        server.post(&url).form(&fields).send().await.assert_problem_page(400);
    }
    for broken in ["%", "%zz", "%ff", "%00", "https%3A%2F%2Fapp.test%2Fcb%00"] {
        browser.get(&server, &format!("{base}&redirect_uri={broken}")).await.assert_problem_page(400);
    }
    assert_eq!(server.rows(), before);
    // Other names are other parameters, which are ignored: the only registered address counts.
    for other in ["redirect_uri%5B%5D", "REDIRECT_URI", "redirect_uri%20", "redirecturi"] {
        let answer =
            browser.go(&server, &format!("{base}&{other}={evil}&resource=https%3A%2F%2Fr1.test%2Fmcp")).await;
        assert!(answer.text().contains("app.test/cb") && !answer.text().contains("evil.test"), "{other}");
    }
}

#[tokio::test]
async fn a_ruri_17_18_19_20_21_22_c_na_01_05_the_port_of_loopback_is_free_and_nothing_else() {
    let server = Server::start().await;
    let friends = [
        "http://127.0.0.1:65535/cb",
        "http://127.0.0.1/cb",
        "http://127.0.0.1:1/cb",
        "http://[::1]:5/cb",
        "http://[::1]/cb",
        "http://localhost:9/cb",
        "http://localhost/cb",
    ];
    assert_friends(&server, "nat", &friends).await;
    let strangers = [
        "http://127.0.0.1:0/cb",
        "http://127.0.0.1:99999/cb",
        "http://127.0.0.1:+80/cb",
        "http://127.0.0.1:٣/cb",
        "http://127.0.0.1:00080/cb",
        "http://127.0.0.1:/cb",
        "http://127.0.0.1: 80/cb",
        "http://127.0.0.1:80:80/cb",
        "http://127.0.0.1:80",
        "http://127.0.0.1:80/",
        "http://127.0.0.1:80/cb/",
        "http://127.0.0.1:80/CB",
        "http://127.0.0.1:80/cb?x",
        "http://127.0.0.1:80/cb#x",
        "https://127.0.0.1:80/cb",
        "HTTP://127.0.0.1:80/cb",
        "http://127.0.0.2/cb",
        "http://127.1/cb",
        "http://0x7f.1/cb",
        "http://2130706433/cb",
        "http://0.0.0.0/cb",
        "http://127.0.0.1.evil.test/cb",
        "http://127.0.0.1@evil.test/cb",
        "http://127.0.0.1:80@evil.test/cb",
        "http://evil.test:80/cb",
        "http://localhost.evil.test:1/cb",
        "http://foo.localhost/cb",
        "http://localhost./cb",
        "http://LOCALHOST/cb",
        "http://localhost@evil.test/cb",
        "http://[0:0:0:0:0:0:0:1]:5/cb",
        "http://[::ffff:127.0.0.1]/cb",
        "http://[::1%25lo]/cb",
        "http://[::]/cb",
        "http://[::1].evil.test/cb",
        "http://[::1]evil.test/cb",
    ];
    assert_strangers(&server, "nat", &strangers).await;
}

/// A client that registered these and nothing else.
fn add_client(server: &Server, id: &'static str, redirect_uris: &'static [&'static str]) -> ClientApp {
    let added = server.command(move |tx| -> Result<bool, Fault> {
        let grants = [GrantType::AuthorizationCode, GrantType::RefreshToken];
        let mut added = client(id, Credential::Public, redirect_uris, &grants);
        added.created_at = UnixTime::new(0);
        clients::insert(tx, &added, "{}")
    });
    assert!(added);
    let redirect_uri = redirect_uris[0].to_owned();
    ClientApp { id: id.to_owned(), redirect_uri, ..ClientApp::fixture("pub") }
}

#[tokio::test]
async fn a_ruri_20_23_the_three_loopback_hosts_are_never_exchanged_and_the_web_has_no_free_port() {
    let server = Server::start().await;
    let mut browser = Browser::signed_in(&server, "alice").await;
    let cases: [(&'static str, &'static [&'static str], &[&str]); 5] = [
        ("v4", &["http://127.0.0.1:1/cb"], &["http://localhost:9/cb", "http://[::1]:9/cb"]),
        ("v6", &["http://[::1]:1/cb"], &["http://localhost:9/cb", "http://127.0.0.1:9/cb"]),
        ("name", &["http://localhost:1/cb"], &["http://127.0.0.1:9/cb", "http://[::1]:9/cb"]),
        ("web", &["https://app.test:1/cb"], &["https://app.test:2/cb", "https://app.test/cb"]),
        ("tls", &["https://localhost:1/cb"], &["https://localhost:2/cb", "http://localhost:1/cb"]),
    ];
    for (id, registered, others) in cases {
        let app = add_client(&server, id, registered);
        assert_page_for(&server, &mut browser, &app, others).await;
        let answer = browser.get(&server, &app.authorize_url(&[("resource", R1)])).await;
        assert!(answer.location().starts_with("/consent?"), "{id}");
    }
}

async fn assert_page_for(server: &Server, browser: &mut Browser, app: &ClientApp, uris: &[&str]) {
    let before = server.rows();
    for uri in uris {
        let answer = browser.get(server, &app.authorize_url(&[("redirect_uri", uri)])).await;
        answer.assert_problem_page(400);
    }
    assert_eq!(server.rows(), before, "{uris:?}");
}

#[tokio::test]
async fn a_ruri_17_an_empty_path_is_a_slash_on_loopback_only() {
    let server = Server::start().await;
    let mut browser = Browser::signed_in(&server, "alice").await;
    let app = add_client(&server, "vs", &["http://127.0.0.1:33418/", "https://insiders.vscode.dev/redirect"]);
    for same in ["http://127.0.0.1:50000", "http://127.0.0.1", "http://127.0.0.1/"] {
        let url = app.authorize_url(&[("redirect_uri", same), ("resource", R1), ("prompt", "none")]);
        let answer = browser.get(&server, &url).await;
        answer.assert_redirected_error("consent_required", Some("a-state"));
        assert!(answer.location().starts_with(&format!("{same}?error=")), "{}", answer.location());
    }
    let bare = add_client(&server, "bare", &["https://bare.test"]);
    assert_page_for(&server, &mut browser, &bare, &["https://bare.test/", "https://bare.test?"]).await;
}

#[tokio::test]
async fn a_ruri_24_25_an_app_link_is_matched_exactly_and_a_scheme_that_acts_is_none() {
    let server = Server::start().await;
    assert_friends(&server, "nat", &["com.example.app:/cb"]).await;
    let strangers = [
        "com.example.app://cb",
        "COM.EXAMPLE.APP:/cb",
        "com.example.app:/cb?x",
        "com.example.app:/cb/",
        "com.example.app:cb",
        "com.example.app.evil:/cb",
        "com.example:/cb",
        "javascript:alert(1)",
        "javascript://app.test/cb%0aalert(1)",
        "data:text/html,<script>alert(1)</script>",
        "vbscript:x",
        "file:///etc/passwd",
        "blob:https://app.test/x",
        "about:blank",
        "ws://127.0.0.1/cb",
    ];
    assert_strangers(&server, "nat", &strangers).await;
    assert_strangers(&server, "pub", &strangers[7..]).await;
}

#[tokio::test]
async fn a_ruri_16_c_o21_03_a_registered_query_is_kept_and_the_answer_added_to_it() {
    let server = Server::start().await;
    let app = add_client(&server, "query", &["https://app.test/cb?a=1&b=%2F+x"]);
    let answer = Browser::new().allow(&server, &app.authorize_url(&[("resource", R1)]), "alice").await;
    assert!(answer.location().starts_with("https://app.test/cb?a=1&b=%2F+x&code="), "{}", answer.location());
    assert_eq!(answer.location_param("state").as_deref(), Some("a-state"));
    let mut browser = Browser::signed_in(&server, "alice").await;
    let others = [
        "https://app.test/cb",
        "https://app.test/cb?b=%2F+x&a=1",
        "https://app.test/cb?a=1",
        "https://app.test/cb?a=1&b=%2f+x",
    ];
    assert_page_for(&server, &mut browser, &app, &others).await;
}

#[tokio::test]
async fn a_ruri_26_29_c_bcp_20_c_o21_02_what_may_not_be_registered() {
    let server = Server::start().await;
    let before = server.rows();
    for wrong in [
        "https://*.app.test/cb",
        "https://*/cb",
        "http://app.example/cb",
        "https://app.test/cb#x",
        "https://app.test/cb#",
        "https://u:p@app.test/cb",
        "https://app.test/cb?code=x&state=y&iss=z&error=e",
        "https://app.test/cb?iss=https://evil.test",
        "https://app.test/cb?a=1&state=x",
        "https://",
        "https://app.test:99999/cb",
        "/cb",
        "app.test/cb",
        "",
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        " javascript:alert(1)",
        "java\tscript:alert(1)",
        "data:text/html,x",
        "file:///etc/passwd",
        "vbscript:x",
        "view-source:https://x",
        "blob:https://x/y",
        "ws://127.0.0.1/",
        "https://аpp.test/cb",
        "https://app.test\\@evil.test/cb",
        "https://app.test/cb\r\nx",
        "https://0x7f.1/cb",
        "http://localhost.evil.test/cb",
    ] {
        for uris in [vec![wrong], vec![CB, wrong]] {
            let body = serde_json::json!({ "redirect_uris": uris });
            let answer = server.post("/oauth/register").json(&body).send().await;
            answer.assert_refused("invalid_redirect_uri");
            server.advance(10);
        }
    }
    assert_eq!(server.rows(), before);
    // A star in a path is a star.
    let literal = ClientApp::registered(&server, "https://app.test/*").await;
    let mut browser = Browser::signed_in(&server, "alice").await;
    let others = ["https://app.test/x", "https://app.test/", "https://app.test/**"];
    assert_page_for(&server, &mut browser, &literal, &others).await;
}

#[tokio::test]
async fn a_ruri_27_28_31_c_o21_05_without_an_address_only_a_single_registered_one_is_meant() {
    let server = Server::start().await;
    let mut browser = Browser::signed_in(&server, "alice").await;
    let before = server.rows();
    for more in [("prompt", ""), ("prompt", "none"), ("scope", "\""), ("response_type", "token")] {
        let url = ClientApp::fixture("nat").authorize_url(&[("redirect_uri", ""), more]);
        browser.get(&server, &url).await.assert_problem_page(400);
        let url = ClientApp::fixture("svc").authorize_url(&[("redirect_uri", ""), more]);
        browser.get(&server, &url).await.assert_problem_page(400);
    }
    assert_eq!(server.rows(), before);
    let app = ClientApp::fixture("pub");
    let answer =
        browser.allow(&server, &app.authorize_url(&[("redirect_uri", ""), ("resource", R1)]), "alice").await;
    assert!(answer.location().starts_with("https://app.test/cb?code="));
}

#[tokio::test]
async fn a_ruri_31_an_address_that_was_taken_away_meanwhile_gets_no_answer() {
    let server = Server::start().await;
    let app = ClientApp::fixture("pub");
    let mut browser = Browser::signed_in(&server, "alice").await;
    let page = browser.go(&server, &app.authorize_url(&[("resource", R1)])).await;
    server.command(|tx| {
        let id = vestibule::oauth::ids::ClientId::parse("pub").expect("a client");
        let mut client = clients::find(tx, &id)?.expect("the fixture");
        client.redirect_uris = vec![
            vestibule::oauth::redirect_uri::RedirectUri::parse("https://new.test/cb").expect("a redirect"),
        ];
        clients::update(tx, &client)
    });
    for decision in ["allow", "deny"] {
        let answer = browser.decide(&server, &page, decision).await;
        answer.assert_problem_page(403);
        assert!(answer.text().contains("the app is no longer what it showed"), "{}", answer.text());
    }
    let id = page.field("authorization").expect("a request");
    let page = browser.go(&server, &format!("/consent?authorization={id}")).await;
    for decision in ["allow", "deny"] {
        browser.decide(&server, &page, decision).await.assert_problem_page(400);
    }
    assert_eq!(server.rows()["authorization_codes"], 0);
}

#[tokio::test]
async fn a_ruri_32_c_bcp_02_no_page_of_ours_sends_anybody_to_an_address_from_a_parameter() {
    let server = Server::start().await;
    let mut signed_in = Browser::signed_in(&server, "alice").await;
    let evil = [
        "//evil.test",
        "/\\evil.test",
        "https:evil.test",
        "https://evil.test/",
        "/%2f/evil.test",
        "javascript:alert(1)",
        "\r\nLocation: https://evil.test",
    ];
    let names = [
        "next",
        "return_to",
        "redirect",
        "redirect_uri",
        "post_logout_redirect_uri",
        "continue",
        "url",
        "rd",
        "authorization",
        "back",
        "login_continue",
        "RelayState",
    ];
    for value in evil {
        for name in names {
            let value: String = url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
            for path in ["/login", "/consent", "/logout", "/account", "/setup", "/", "/oauth/authorize"] {
                for browser in [&mut signed_in, &mut Browser::new()] {
                    let answer = browser.get(&server, &format!("{path}?{name}={value}")).await;
                    let location = answer.header("location").unwrap_or("/");
                    let own = location.starts_with('/') && !location[1..].starts_with(['/', '\\']);
                    assert!(own && !location.contains("evil"), "{path}?{name}={value}: {location}");
                    assert!(!answer.text().contains("http-equiv"), "{path}");
                    assert!(!answer.text().contains("href=\"https://evil"), "{path}");
                }
                server.advance(2);
            }
        }
    }
    // The same in the form, while signing in.
    for value in evil {
        let mut browser = Browser::new();
        let page = browser.get(&server, "/login").await;
        let token = page.field("form_token").expect("a form");
        let fields = [
            ("form_token", token.as_str()),
            ("username", "bob"),
            ("password", crate::harness::PASSWORD),
            ("next", value),
            ("return_to", value),
        ];
        let answer = browser.post(&server, "/login", &fields).await;
        assert_eq!(answer.location(), "/account");
    }
}
