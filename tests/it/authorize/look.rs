//! A look at the authorization URL before a person is sent there: some clients ask it themselves, without a browser and
//! without following anything, to learn whether their registration is still known.

use std::collections::BTreeMap;

use vestibule::http::Method;
use vestibule::oauth::ids::ClientId;
use vestibule::store::clients;

use crate::harness::{Answer, Browser, ClientApp, R1, Server, Tokens};

/// How clients look: fastmcp and Open WebUI with an HTTP library's own header, mcp-remote for JSON.
const LOOKS: [&[(&str, &str)]; 3] =
    [&[("accept", "*/*"), ("user-agent", "python-httpx/0.28.1")], &[("accept", "application/json")], &[]];

async fn look(server: &Server, method: Method, url: &str, headers: &[(&str, &str)]) -> Answer {
    let asked = server.ask(method, url);
    headers.iter().fold(asked, |asked, (name, value)| asked.header(name, value)).send().await
}

/// Everything but the requests that wait for a person, of which a look that is not HEAD leaves one.
fn all_but_requests(server: &Server) -> (BTreeMap<String, Vec<Vec<rusqlite::types::Value>>>, i64) {
    let mut contents = server.contents();
    contents.remove("authorizations");
    (contents, server.audit_count())
}

#[tokio::test]
async fn ten_looks_before_the_browser_change_nothing_that_matters() {
    let server = Server::start().await;
    for redirect in
        ["http://localhost:53123/callback", "http://127.0.0.1:3335/oauth/callback", "https://chat.test/cb"]
    {
        let app = ClientApp::registered(&server, redirect).await;
        let url = app.authorize_url(&[("resource", R1), ("scope", "a b offline_access")]);
        let before = all_but_requests(&server);
        for headers in LOOKS {
            for _ in 0..10 {
                let answer = look(&server, Method::GET, &url, headers).await;
                assert_eq!(answer.status.as_u16(), 303, "{}", answer.text());
                assert!(answer.location().starts_with("/login?authorization="), "{}", answer.location());
                assert_eq!(answer.header("set-cookie"), None);
                assert_eq!(answer.header("cache-control"), Some("no-store"));
            }
        }
        assert_eq!(all_but_requests(&server), before, "no code, no decision, no use of the client");
        let id = ClientId::parse(&app.id).expect("its id");
        let client = server.app.store.read(|tx| clients::find(tx, &id)).expect("the clients");
        assert_eq!(client.expect("it is there").first_used_at, None);
        // The very same URL, in the person's browser, with the same state and challenge.
        let answer = Browser::new().allow(&server, &url, "alice").await;
        assert_eq!(answer.location_param("state").as_deref(), Some("a-state"));
        let code = answer.location_param("code").expect("a code");
        Tokens::of(&app.redeem(&server, &code, &[]).await);
    }
}

#[tokio::test]
async fn a_look_for_a_client_that_is_gone_says_that_it_should_register_again() {
    let server = Server::start().await;
    let app = ClientApp::registered(&server, "http://localhost:53123/callback").await;
    let id = ClientId::parse(&app.id).expect("its id");
    server.command(move |tx| clients::remove(tx, &id));
    for headers in LOOKS {
        let answer = look(&server, Method::GET, &app.authorize_url(&[("resource", R1)]), headers).await;
        assert_eq!((answer.status.as_u16(), answer.error().as_str()), (400, "invalid_client"));
        assert_eq!(answer.header("location"), None);
    }
    assert_eq!(server.count("authorizations"), 0);
}

#[tokio::test]
async fn head_leaves_nothing_whoever_asks() {
    let server = Server::start().await;
    let app = ClientApp::fixture("pub");
    let mut browser = Browser::new();
    app.code(&server, &mut browser, "alice", &[("resource", R1)]).await;
    let url = app.authorize_url(&[("resource", R1)]);
    let page = browser.go(&server, &app.authorize_url(&[("resource", R1), ("prompt", "consent")])).await;
    let (token, id) = (page.field("form_token").unwrap(), page.field("authorization").unwrap());
    let fields = [("form_token", token.as_str()), ("authorization", &id), ("decision", "allow")];
    let onward = browser.post(&server, "/consent", &fields).await.location();
    let before = (server.contents(), server.audit_count());
    for target in [&url, &onward] {
        for cookie in ["", &browser.cookie()] {
            for _ in 0..10 {
                let answer = look(&server, Method::HEAD, target, &[("cookie", cookie)]).await;
                assert_eq!((answer.status.as_u16(), answer.location().as_str()), (303, "/login"), "{target}");
            }
        }
    }
    assert_eq!((server.contents(), server.audit_count()), before);
    assert!(browser.get(&server, &onward).await.location_param("code").is_some(), "alice's yes still waits");
}

#[tokio::test]
async fn head_says_what_get_says() {
    let server = Server::start().await;
    let app = ClientApp::fixture("pub");
    let stranger = ClientApp::registered(&server, "https://stranger.test/cb").await;
    for url in [
        app.authorize_url(&[("client_id", "nobody")]),
        app.authorize_url(&[("client_id", "")]),
        app.authorize_url(&[("redirect_uri", "https://evil.test/")]),
        app.authorize_url(&[("response_type", "token")]),
        app.authorize_url(&[("code_challenge", "")]),
        app.authorize_url(&[("resource", "https://nobody.test/")]),
        app.authorize_url(&[("prompt", "none")]),
        stranger.authorize_url(&[("response_type", "token")]),
        format!("{}&redirect_uri=x", app.authorize_url(&[])),
        "/oauth/authorize?state=%zz".to_owned(),
    ] {
        let get = server.raw_request("GET", &url, "").await;
        assert!(matches!(get.status(), 303 | 400), "{url}: {}", get.text());
        let before = (server.contents(), server.audit_count());
        let head = server.raw_request("HEAD", &url, "").await;
        assert_eq!(head.status(), get.status(), "{url}");
        for name in ["location", "content-type", "cache-control"] {
            assert_eq!(head.header(name), get.header(name), "{name} {url}");
        }
        assert_eq!(head.body(), "");
        assert_eq!((server.contents(), server.audit_count()), before, "{url}");
    }
}
