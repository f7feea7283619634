//! Signing out: the session is dead on the server, and no link or other site does it.

use crate::harness::{Browser, ClientApp, ISSUER, R1, Server, Tokens};

const SESSION: &str = "__Host-vestibule";

#[tokio::test]
async fn a_web_24_a_copied_cookie_is_dead_after_the_sign_out_and_what_apps_were_given_lives_on() {
    let server = Server::start().await;
    let app = ClientApp::fixture("pub");
    let mut browser = Browser::signed_in(&server, "alice").await;
    let mut elsewhere = Browser::signed_in(&server, "alice").await;
    let code = app.code(&server, &mut browser, "alice", &[("resource", R1)]).await;
    let tokens = Tokens::of(&app.redeem(&server, &code, &[]).await);
    let mut copy = browser.clone();
    let account = browser.get(&server, "/account").await;
    // The account page has a form of its own for it.
    let token = account.text().split(r#"action="/logout""#).nth(1).and_then(|rest| {
        Some(rest.split(r#"name="form_token" value=""#).nth(1)?.split('"').next()?.to_owned())
    });
    let fields = [("form_token", token.expect("a form"))];
    let answer = browser.post(&server, "/logout", &fields).await;
    assert_eq!((answer.status.as_u16(), answer.location().as_str()), (303, "/logout"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert!(!browser.cookies.contains_key(SESSION), "{:?}", browser.cookies);
    for path in ["/account", "/consent?authorization=none"] {
        let answer = copy.get(&server, path).await;
        assert_ne!(answer.status.as_u16(), 200, "{path}");
    }
    let asked = copy.go(&server, &app.authorize_url(&[("resource", R1)])).await;
    assert!(asked.field("password").is_some(), "a dead session answers no request: {}", asked.text());
    copy.post(&server, "/logout", &fields).await;
    assert_eq!(
        server.audit().into_iter().filter(|row| row.0 == "user.logout").count(),
        1,
        "there is one sign-out"
    );
    assert_eq!(
        elsewhere.get(&server, "/account").await.status.as_u16(),
        200,
        "other browsers stay as they were"
    );
    Tokens::of(&app.refresh(&server, tokens.refresh(), &[]).await);
}

#[tokio::test]
async fn a_web_01_02_nobody_is_signed_out_by_a_link_or_by_another_site() {
    let server = Server::start().await;
    let mut browser = Browser::signed_in(&server, "alice").await;
    let mut other = Browser::signed_in(&server, "alice").await;
    let page = browser.get(&server, "/logout").await;
    let token = page.field("form_token").expect("a form");
    let of_another_session = other.get(&server, "/logout").await.field("form_token").expect("a form");
    let of_another_purpose = ClientApp::fixture("pub").authorize_url(&[("resource", R1)]);
    let of_another_purpose =
        browser.go(&server, &of_another_purpose).await.field("form_token").expect("a form");
    let before = server.contents();
    for presented in [None, Some(""), Some("x"), Some(&*of_another_session), Some(&*of_another_purpose)] {
        let asked = server.post("/logout").header("cookie", &browser.cookie()).header("origin", ISSUER);
        let fields: Vec<_> = presented.map(|presented| ("form_token", presented)).into_iter().collect();
        let answer = asked.form(&fields).send().await;
        answer.assert_problem_page(403);
        assert_eq!(answer.header("set-cookie"), None);
    }
    for (header, value) in
        [("origin", "https://evil.test"), ("origin", "null"), ("sec-fetch-site", "cross-site")]
    {
        let asked = server.post("/logout").header("cookie", &browser.cookie()).header(header, value);
        asked.form(&[("form_token", &token)]).send().await.assert_problem_page(403);
    }
    let link = format!("/logout?form_token={token}");
    assert!(browser.get(&server, &link).await.text().contains("Sign out?"));
    assert_eq!(server.contents(), before);
}

#[tokio::test]
async fn switching_the_user_goes_on_with_the_same_request_as_somebody_else() {
    let server = Server::start().await;
    let app = ClientApp::fixture("pub");
    let mut browser = Browser::signed_in(&server, "alice").await;
    let page = browser.go(&server, &app.authorize_url(&[("resource", R1)])).await;
    let alices = page.field("form_token").expect("a form");
    let id = page.field("authorization").expect("a request");
    let logout = browser.get(&server, &format!("/logout?authorization={id}")).await;
    let fields = [("form_token", logout.field("form_token").expect("a form")), ("authorization", id.clone())];
    let answer = browser.post(&server, "/logout", &fields).await;
    let page = browser.go(&server, &answer.location()).await;
    let answer = browser.sign_in(&server, &page, "bob", crate::harness::PASSWORD).await;
    let page = browser.go(&server, &answer.location()).await;
    assert!(page.text().contains("bob") && !page.text().contains("alice"), "{}", page.text());
    let stale = [("form_token", alices.as_str()), ("authorization", &id), ("decision", "allow")];
    browser.post(&server, "/consent", &stale).await.assert_problem_page(403);
    let code = browser.decide(&server, &page, "allow").await.location_param("code").expect("a code");
    let tokens = Tokens::of(&app.redeem(&server, &code, &[]).await);
    assert_eq!(tokens.claims["sub"], server.user("bob").id.as_str());
}

#[tokio::test]
async fn c_bcp_02_a_sign_out_leads_to_our_own_pages_whatever_the_form_says() {
    let server = Server::start().await;
    for target in ["https://evil.test", "//evil.test", "javascript:alert(1)"] {
        let mut browser = Browser::signed_in(&server, "alice").await;
        let token = browser.get(&server, "/logout").await.field("form_token").expect("a form");
        let fields = [("form_token", token.as_str()), ("authorization", target)];
        browser.post(&server, "/logout", &fields).await.assert_problem_page(400);
        let fields = [("form_token", token.as_str()), ("post_logout_redirect_uri", target), ("next", target)];
        assert_eq!(browser.post(&server, "/logout", &fields).await.location(), "/logout");
        let page = browser.get(&server, &format!("/logout?authorization={target}")).await;
        page.assert_problem_page(400);
    }
}
