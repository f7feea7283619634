//! The way back, visited again: a double click, a reload, a page from the history. What was answered is answered in the
//! same words or not at all.

use crate::harness::{Answer, Browser, ClientApp, Pkce, R1, Server, Tokens};

/// Somebody who was asked and said yes, before the browser went on.
struct Allowed {
    app: ClientApp,
    browser: Browser,
    /// Where the browser is sent after the form.
    onward: String,
}

impl Allowed {
    async fn by(server: &Server, name: &str) -> Self {
        let app = ClientApp::fixture("nat");
        let mut browser = Browser::signed_in(server, name).await;
        let page = browser.go(server, &app.authorize_url(&[("resource", R1)])).await;
        let (token, id) = (page.field("form_token").unwrap(), page.field("authorization").unwrap());
        let fields = [("form_token", token.as_str()), ("authorization", &id), ("decision", "allow")];
        let onward = browser.post(server, "/consent", &fields).await.location();
        assert_eq!(onward, format!("/oauth/authorize?authorization={id}"));
        Self { app, browser, onward }
    }

    async fn visit(&mut self, server: &Server) -> Answer {
        self.browser.get(server, &self.onward).await
    }
}

/// Asserts that a person is told that the app has its answer, and that nothing came of the visit but a row about it.
#[track_caller]
fn assert_answered(server: &Server, answer: &Answer) {
    answer.assert_problem_page(400);
    assert!(answer.text().contains("<h1>The app has its answer</h1>"), "{}", answer.text());
    let (event, _, _, metadata) = server.audit().remove(0);
    assert_eq!(
        (event.as_str(), &metadata["reason"]),
        ("oauth.authorize.refused", &"authorization_answered".into())
    );
}

#[tokio::test]
async fn a_code_22_a_second_visit_gets_the_very_answer_of_the_first() {
    let server = Server::start().await;
    let mut alice = Allowed::by(&server, "alice").await;
    let first = alice.visit(&server).await;
    let (contents, audit) = (server.contents(), server.audit_count());
    for seconds in [0, 1, 58] {
        server.advance(seconds);
        let again = alice.visit(&server).await;
        assert_eq!((again.status.as_u16(), again.location()), (303, first.location()));
        assert_eq!(again.header("cache-control"), Some("no-store"));
        // The page with the form, from the history, leads there as well.
        let page = alice.onward.replace("/oauth/authorize", "/consent");
        assert_eq!(alice.browser.go(&server, &page).await.location(), first.location());
    }
    assert_eq!(
        (server.contents(), server.audit_count()),
        (contents, audit),
        "nothing is made or decided again"
    );
    let code = first.location_param("code").expect("a code");
    assert!(!server.bytes_at_rest().windows(code.len()).any(|bytes| bytes == code.as_bytes()));
    let tokens = Tokens::of(&alice.app.redeem(&server, &code, &[]).await);
    assert_eq!(tokens.claims["sub"], server.user("alice").id.as_str());
}

#[tokio::test]
async fn a_code_22_once_the_code_was_redeemed_it_is_never_given_again() {
    let server = Server::start().await;
    let mut alice = Allowed::by(&server, "alice").await;
    let code = alice.visit(&server).await.location_param("code").expect("a code");
    let mut tokens = Tokens::of(&alice.app.redeem(&server, &code, &[]).await);
    // In its own minute, after it, after the request's own end, and when the purge has been there.
    for seconds in [0, 59, 3, 14 * 60] {
        server.advance(seconds);
        let contents = server.contents();
        let answer = alice.visit(&server).await;
        answer.assert_problem_page(400);
        if seconds < 60 {
            assert_answered(&server, &answer);
        }
        assert_eq!(server.contents(), contents);
        tokens = Tokens::of(&alice.app.refresh(&server, tokens.refresh(), &[]).await);
    }
    assert_eq!(server.count("authorization_codes"), 1);
}

#[tokio::test]
async fn a_code_that_ended_or_died_of_wrong_verifiers_is_not_given_again() {
    let server = Server::start().await;
    let mut late = Allowed::by(&server, "alice").await;
    late.visit(&server).await.location();
    server.advance(60);
    assert_answered(&server, &late.visit(&server).await);

    let mut alice = Allowed::by(&server, "alice").await;
    let first = alice.visit(&server).await;
    let code = first.location_param("code").expect("a code");
    let guesser = ClientApp { pkce: Pkce::new(), ..alice.app.clone() };
    for guess in 1..=5 {
        assert_eq!(alice.visit(&server).await.location(), first.location(), "before guess {guess}");
        guesser.redeem(&server, &code, &[]).await.assert_refused("invalid_grant");
    }
    assert_answered(&server, &alice.visit(&server).await);
}

#[tokio::test]
async fn somebody_else_gets_nothing_of_it() {
    let server = Server::start().await;
    let mut alice = Allowed::by(&server, "alice").await;
    let first = alice.visit(&server).await;
    for mut other in [Browser::new(), Browser::signed_in(&server, "bob").await] {
        assert_answered(&server, &other.get(&server, &alice.onward).await);
    }
    let mut elsewhere = Browser::signed_in(&server, "alice").await;
    assert_eq!(elsewhere.get(&server, &alice.onward).await.location(), first.location());
    server.sql("update users set disabled_at = 1 where name = 'alice'", []);
    assert_answered(&server, &alice.visit(&server).await);
}

#[tokio::test]
async fn a_request_that_wanted_a_fresh_sign_in_wants_it_on_the_second_visit_too() {
    let server = Server::start().await;
    let app = ClientApp::fixture("nat");
    let mut before = Browser::signed_in(&server, "alice").await;
    let mut fresh = Browser::new();
    let url = app.authorize_url(&[("resource", R1), ("prompt", "login")]);
    let login = fresh.go(&server, &url).await;
    let onward = format!("/oauth/authorize?authorization={}", login.field("authorization").unwrap());
    let answer = fresh.sign_in(&server, &login, "alice", crate::harness::PASSWORD).await;
    let page = fresh.go(&server, &answer.location()).await;
    let first = fresh.decide(&server, &page, "allow").await.location();
    assert!(first.contains("?code="), "{first}");
    assert_eq!(fresh.get(&server, &onward).await.location(), first);
    assert_answered(&server, &before.get(&server, &onward).await);
}

#[tokio::test]
async fn a_no_is_told_to_the_app_once() {
    let server = Server::start().await;
    let app = ClientApp::fixture("nat");
    let mut browser = Browser::signed_in(&server, "alice").await;
    let page = browser.go(&server, &app.authorize_url(&[("resource", R1)])).await;
    let onward = format!("/oauth/authorize?authorization={}", page.field("authorization").unwrap());
    browser.decide(&server, &page, "deny").await.assert_redirected_error("access_denied", Some("a-state"));
    for decision in ["deny", "allow"] {
        assert_answered(&server, &browser.decide(&server, &page, decision).await);
    }
    assert_answered(&server, &browser.get(&server, &onward).await);
    assert_eq!(server.count("authorization_codes"), 0);
}

#[tokio::test]
async fn each_request_has_a_code_of_its_own() {
    let server = Server::start().await;
    let app = ClientApp::fixture("pub");
    let mut browser = Browser::signed_in(&server, "alice").await;
    let mut codes = Vec::new();
    for _ in 0..3 {
        codes.push(app.code(&server, &mut browser, "alice", &[("resource", R1)]).await);
    }
    codes.dedup();
    assert_eq!((codes.len(), server.count("authorization_codes")), (3, 3));
}
