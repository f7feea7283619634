//! What becomes of a grant when its resource, or whom it admits, changes between two steps.

use serde_json::json;

use super::{BOTH, FIRST, SECOND, add};
use crate::harness::{Browser, ClientApp, R1, R2, Server, Tokens};

fn reason(server: &Server) -> String {
    let (event, user, _, metadata) = server.audit().remove(0);
    assert_eq!((event.as_str(), user.as_deref()), ("oauth.token.exchange.failure", Some("alice")));
    metadata["reason"].as_str().expect("a reason").to_owned()
}

#[tokio::test]
async fn a_resource_removed_before_the_code_is_redeemed_is_not_in_the_token() {
    let server = Server::start().await;
    let app = ClientApp::fixture("pub");
    let mut browser = Browser::new();
    let one = app.code(&server, &mut browser, "alice", FIRST).await;
    let both = app.code(&server, &mut browser, "alice", BOTH).await;
    server.forget_resource(R1);
    app.redeem(&server, &one, &[]).await.assert_refused("invalid_grant");
    assert_eq!(reason(&server), "user_not_admitted");
    let rest = Tokens::of(&app.redeem(&server, &both, &[]).await);
    assert_eq!((&rest.claims["aud"], rest.scope.as_deref()), (&json!(R2), Some("c d")));
    // Registering it again is no consent: what left the grant comes back by asking the person only.
    add(&server, R1, "a b");
    app.refresh(&server, rest.refresh(), FIRST).await.assert_refused("invalid_target");
    let next = Tokens::of(&app.refresh(&server, rest.refresh(), &[]).await);
    assert_eq!(next.claims["aud"], R2);
}

#[tokio::test]
async fn a_code_refused_for_its_resource_is_good_again_when_the_resource_is() {
    let server = Server::start().await;
    let app = ClientApp::fixture("pub");
    let mut browser = Browser::new();
    let code = app.code(&server, &mut browser, "alice", FIRST).await;
    server.forget_resource(R1);
    let before = server.contents();
    app.redeem(&server, &code, FIRST).await.assert_refused("invalid_grant");
    assert_eq!(server.contents(), before, "G6");
    add(&server, R1, "a b");
    assert_eq!(Tokens::of(&app.redeem(&server, &code, FIRST).await).claims["aud"], R1);
}

#[tokio::test]
async fn a_resource_removed_between_two_refreshes_is_not_in_the_next_token() {
    let server = Server::start().await;
    let app = ClientApp::fixture("pub");
    let only = app.tokens(&server, "alice", FIRST).await;
    let both = app.tokens(&server, "alice", BOTH).await;
    server.forget_resource(R1);
    let before = server.contents();
    for more in [&[][..], FIRST] {
        app.refresh(&server, only.refresh(), more).await.assert_refused("invalid_grant");
        assert_eq!(reason(&server), "user_not_admitted");
    }
    assert_eq!(server.contents(), before, "G6");
    let rest = Tokens::of(&app.refresh(&server, both.refresh(), &[]).await);
    assert_eq!((&rest.claims["aud"], rest.scope.as_deref()), (&json!(R2), Some("c d")));
    // The refused token was not spent.
    add(&server, R1, "a b");
    assert_eq!(Tokens::of(&app.refresh(&server, only.refresh(), &[]).await).claims["aud"], R1);
}

#[tokio::test]
async fn whom_a_resource_admits_is_asked_at_the_code_and_at_every_refresh() {
    let server = Server::start().await;
    let app = ClientApp::fixture("pub");
    let mut browser = Browser::new();
    let code = app.code(&server, &mut browser, "alice", FIRST).await;
    let (alices, bobs) = (app.tokens(&server, "alice", BOTH).await, app.tokens(&server, "bob", FIRST).await);
    let later = app.tokens(&server, "alice", FIRST).await;
    server.admit_only(R1, &["bob"]);

    app.redeem(&server, &code, &[]).await.assert_refused("invalid_grant");
    assert_eq!(reason(&server), "user_not_admitted");
    app.refresh(&server, later.refresh(), &[]).await.assert_refused("invalid_grant");
    assert_eq!(reason(&server), "user_not_admitted");
    app.refresh(&server, alices.refresh(), FIRST).await.assert_refused("invalid_grant");
    let rest = Tokens::of(&app.refresh(&server, alices.refresh(), &[]).await);
    assert_eq!((&rest.claims["aud"], rest.scope.as_deref()), (&json!(R2), Some("c d")));
    assert_eq!(Tokens::of(&app.refresh(&server, bobs.refresh(), &[]).await).claims["aud"], R1);
    // At authorize the client hears of it at once.
    browser
        .get(&server, &app.authorize_url(FIRST))
        .await
        .assert_redirected_error("access_denied", Some("a-state"));

    server.admit_only(R1, &["alice", "bob"]);
    assert_eq!(Tokens::of(&app.redeem(&server, &code, &[]).await).claims["aud"], R1);
    assert_eq!(Tokens::of(&app.refresh(&server, later.refresh(), &[]).await).claims["aud"], R1);
    // What a rotation left behind stays behind.
    app.refresh(&server, rest.refresh(), FIRST).await.assert_refused("invalid_target");
    assert_eq!(Tokens::of(&app.refresh(&server, rest.refresh(), SECOND).await).claims["aud"], R2);
}

#[tokio::test]
async fn nobody_is_let_in_by_a_resource_that_lists_nobody() {
    let server = Server::start().await;
    let app = ClientApp::fixture("pub");
    let tokens = app.tokens(&server, "alice", FIRST).await;
    server.admit_only(R1, &[]);
    app.refresh(&server, tokens.refresh(), &[]).await.assert_refused("invalid_grant");
    // Removed from the list by being removed altogether, and known by the same name again.
    server.admit_only(R1, &["alice"]);
    Tokens::of(&app.refresh(&server, tokens.refresh(), &[]).await);
}

#[tokio::test]
async fn a_scope_that_its_resource_has_no_longer_is_gone_and_a_new_one_is_not_given_by_itself() {
    let server = Server::start().await;
    let app = ClientApp::fixture("pub");
    let tokens = app.tokens(&server, "alice", FIRST).await;
    assert_eq!(tokens.scope.as_deref(), Some("a b"));
    server.sql("update resources set scopes = 'b e' where uri = ?1", [R1]);
    let next = Tokens::of(&app.refresh(&server, tokens.refresh(), &[]).await);
    assert_eq!(next.scope.as_deref(), Some("b"));
    app.refresh(&server, next.refresh(), &[("scope", "e")]).await.assert_refused("invalid_scope");
}

#[tokio::test]
async fn a_resource_spelled_anew_is_spelled_so_in_the_next_token() {
    let server = Server::start().await;
    let app = ClientApp::fixture("pub");
    let tokens = app.tokens(&server, "alice", FIRST).await;
    server.sql("update resources set uri = 'https://R1.test/mcp/' where uri = ?1", [R1]);
    let next = Tokens::of(&app.refresh(&server, tokens.refresh(), FIRST).await);
    assert_eq!(next.claims["aud"], "https://R1.test/mcp/");
}
