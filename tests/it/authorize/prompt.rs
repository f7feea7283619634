//! `prompt` and `max_age`: what a client may ask of the person, and what nobody can skip.

use crate::harness::{Answer, Browser, ClientApp, PASSWORD, R1, Server, Tokens};

fn is_login(page: &Answer) -> bool {
    page.status.as_u16() == 200 && page.field("password").is_some()
}

fn is_consent(page: &Answer) -> bool {
    page.status.as_u16() == 200 && page.text().contains("value=\"allow\"")
}

/// Signs in on the page, and goes on to wherever that leads.
async fn sign_in(server: &Server, browser: &mut Browser, page: &Answer, name: &str) -> Answer {
    let answer = browser.sign_in(server, page, name, PASSWORD).await;
    browser.go(server, &answer.location()).await
}

#[tokio::test]
async fn prompt_none_answers_at_once_or_fails() {
    let server = Server::start().await;
    let app = ClientApp::fixture("pub");
    let silent = app.authorize_url(&[("resource", R1), ("prompt", "none")]);
    Browser::new().get(&server, &silent).await.assert_redirected_error("login_required", Some("a-state"));
    let mut browser = Browser::signed_in(&server, "alice").await;
    let answer = browser.get(&server, &silent).await;
    answer.assert_redirected_error("consent_required", Some("a-state"));
    app.code(&server, &mut browser, "alice", &[("resource", R1), ("scope", "a")]).await;
    let one = app.authorize_url(&[("resource", R1), ("scope", "a"), ("prompt", "none")]);
    assert!(browser.get(&server, &one).await.location_param("code").is_some());
    // More than was agreed to, another resource, another person, a choice: each needs a click.
    let answer = browser.get(&server, &silent).await;
    answer.assert_redirected_error("consent_required", Some("a-state"));
    let choice = app.authorize_url(&[("prompt", "none")]);
    let answer = browser.get(&server, &choice).await;
    answer.assert_redirected_error("consent_required", Some("a-state"));
    let mut bob = Browser::signed_in(&server, "bob").await;
    bob.get(&server, &one).await.assert_redirected_error("consent_required", Some("a-state"));
    server.advance(60);
    let stale = app.authorize_url(&[("resource", R1), ("scope", "a"), ("prompt", "none"), ("max_age", "59")]);
    let answer = browser.get(&server, &stale).await;
    answer.assert_redirected_error("login_required", Some("a-state"));
}

#[tokio::test]
async fn c_bb_07_c_na_04_c_o21_34_a_program_on_the_computer_is_never_let_in_silently() {
    let server = Server::start().await;
    let mut app = ClientApp::fixture("nat");
    for redirect in ["http://127.0.0.1:49152/cb", "http://localhost:7/cb", "com.example.app:/cb"] {
        redirect.clone_into(&mut app.redirect_uri);
        let mut browser = Browser::signed_in(&server, "alice").await;
        app.code(&server, &mut browser, "alice", &[("resource", R1)]).await;
        let page = browser.go(&server, &app.authorize_url(&[("resource", R1)])).await;
        assert!(is_consent(&page), "{redirect}: {}", page.text());
        assert!(page.text().contains("You allowed this before"));
        let answer = browser.get(&server, &app.authorize_url(&[("resource", R1), ("prompt", "none")])).await;
        answer.assert_redirected_error("consent_required", Some("a-state"));
    }
}

#[tokio::test]
async fn a_prompt_that_contradicts_itself_is_refused_and_an_unknown_one_ignored() {
    let server = Server::start().await;
    let app = ClientApp::fixture("pub");
    for prompt in ["none login", "none consent", "login none", "none none"] {
        let url = app.authorize_url(&[("prompt", prompt)]);
        super::assert_error(&server, &url, "invalid_request").await;
    }
    for max_age in ["-1", "x", "1.5", "1e3", " ", "99999999999999999999"] {
        let url = app.authorize_url(&[("max_age", max_age)]);
        super::assert_error(&server, &url, "invalid_request").await;
    }
    for prompt in ["create", "select_account", "NONE", " "] {
        super::assert_accepted(&server, &app.authorize_url(&[("prompt", prompt)])).await;
    }
}

#[tokio::test]
async fn prompt_login_asks_for_the_password_again_and_the_token_says_when() {
    let server = Server::start().await;
    let app = ClientApp::fixture("pub");
    let mut browser = Browser::new();
    app.code(&server, &mut browser, "alice", &[("resource", R1)]).await;
    server.advance(1000);
    let page = browser.go(&server, &app.authorize_url(&[("resource", R1), ("prompt", "login")])).await;
    assert!(is_login(&page));
    let answer = sign_in(&server, &mut browser, &page, "alice").await;
    let code = answer.location_param("code").expect("the consent is remembered");
    let tokens = Tokens::of(&app.redeem(&server, &code, &[]).await);
    assert_eq!(tokens.claims["auth_time"], server.now().as_i64());
    // The sign-in was for that request: the next one needs its own.
    let page = browser.go(&server, &app.authorize_url(&[("resource", R1), ("prompt", "login")])).await;
    assert!(is_login(&page));
}

#[tokio::test]
async fn a_az_13_the_back_button_does_not_get_around_prompt_login() {
    let server = Server::start().await;
    for more in [("prompt", "login"), ("prompt", "login consent"), ("max_age", "10")] {
        let app = ClientApp::fixture("pub");
        let mut browser = Browser::signed_in(&server, "alice").await;
        server.advance(11);
        let login = browser.go(&server, &app.authorize_url(&[("resource", R1), more])).await;
        assert!(is_login(&login), "{more:?}");
        let id = login.field("authorization").expect("the request's id");
        let codes = server.rows()["authorization_codes"];
        // Going on as if it were done.
        for path in ["/oauth/authorize", "/consent"] {
            let page = browser.get(&server, &format!("{path}?authorization={id}")).await;
            assert!(page.header("location").is_none_or(|to| to.starts_with('/')), "{:?}", page.headers);
        }
        // Answering a consent page, should there be one, in the old session.
        let page = browser.get(&server, &format!("/consent?authorization={id}")).await;
        let page = if is_consent(&page) { browser.decide(&server, &page, "allow").await } else { login };
        assert!(is_login(&page), "the password is still asked for: {}", page.text());
        // Signing in elsewhere, for nothing in particular, counts for nothing here.
        let mut elsewhere = Browser::signed_in(&server, "alice").await;
        if more.0 == "prompt" {
            let page = elsewhere.go(&server, &format!("/oauth/authorize?authorization={id}")).await;
            assert!(is_login(&page));
        }
        assert_eq!(server.rows()["authorization_codes"], codes, "{more:?}");
        // Nor does somebody else's password help with what alice began; her own does.
        let mut next = sign_in(&server, &mut browser, &page, "alice").await;
        if is_consent(&next) {
            next = browser.decide(&server, &next, "allow").await;
        }
        assert!(next.location_param("code").is_some());
    }
}

#[tokio::test]
async fn prompt_consent_asks_although_it_was_agreed() {
    let server = Server::start().await;
    let app = ClientApp::fixture("pub");
    let mut browser = Browser::new();
    app.code(&server, &mut browser, "alice", &[("resource", R1)]).await;
    let page = browser.go(&server, &app.authorize_url(&[("resource", R1), ("prompt", "consent")])).await;
    assert!(is_consent(&page));
    let answer = browser.decide(&server, &page, "deny").await;
    answer.assert_redirected_error("access_denied", Some("a-state"));
    let page =
        browser.go(&server, &app.authorize_url(&[("resource", R1), ("prompt", "login consent")])).await;
    assert!(is_login(&page));
    let page = sign_in(&server, &mut browser, &page, "alice").await;
    assert!(is_consent(&page));
    assert!(browser.decide(&server, &page, "allow").await.location_param("code").is_some());
}

#[tokio::test]
async fn max_age_counts_from_the_password_to_the_second() {
    let server = Server::start().await;
    let app = ClientApp::fixture("pub");
    let mut browser = Browser::new();
    app.code(&server, &mut browser, "alice", &[("resource", R1)]).await;
    server.advance(100);
    let with = |age| app.authorize_url(&[("resource", R1), ("max_age", age)]);
    assert!(browser.go(&server, &with("100")).await.location_param("code").is_some());
    let page = browser.go(&server, &with("99")).await;
    assert!(is_login(&page));
    // Also where reading the next page takes longer than the age.
    server.advance(1);
    let answer = browser.sign_in(&server, &page, "alice", PASSWORD).await;
    server.advance(120);
    let answer = browser.go(&server, &answer.location()).await;
    assert!(answer.location_param("code").is_some(), "{}", answer.text());
    let page = browser.go(&server, &with("0")).await;
    assert!(is_login(&page), "0 always asks");
    let answer = sign_in(&server, &mut browser, &page, "alice").await;
    assert!(answer.location_param("code").is_some(), "and asks once");
}
