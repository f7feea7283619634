//! What ends a grant: time, the owner, the person, and a resource that no longer admits them. Each refresh asks again.

use vestibule::clock::Seconds;
use vestibule::http::Status;
use vestibule::oauth::ids::{ClientId, GrantId};
use vestibule::store::{clients, grants, users};

use super::is_revoked;
use crate::harness::{Browser, ClientApp, R1, R2, Server, Tokens};

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

#[tokio::test]
async fn a_rt_15_what_the_owner_decides_holds_at_the_next_refresh() {
    let server = Server::start().await;
    let app = ClientApp::fixture("pub");
    let grant = async |name: &str| -> Tokens { app.tokens(&server, name, &[("resource", R1)]).await };
    let refused = async |tokens: &Tokens, error: &str| {
        let before = server.contents();
        app.refresh(&server, tokens.refresh(), &[]).await.assert_refused(error);
        assert_eq!(server.contents(), before, "G6");
    };
    let (bob, now) = (server.user("bob").id, server.now());

    // Revoked.
    let tokens = grant("bob").await;
    let id = GrantId::new(server.value("select max(id) from grants"));
    assert!(server.command(move |tx| grants::revoke(tx, id, "the owner took it back", now)));
    refused(&tokens, "invalid_grant").await;

    // Disabled, and enabled again: the grant was only asleep.
    let mut tokens = grant("bob").await;
    let id = bob.clone();
    server.command(move |tx| users::disable(tx, &id, now));
    refused(&tokens, "invalid_grant").await;
    let id = bob.clone();
    server.command(move |tx| users::enable(tx, &id));
    tokens = Tokens::of(&app.refresh(&server, tokens.refresh(), &[]).await);

    // No longer admitted, and admitted again.
    server.admit_only(R1, &["alice"]);
    refused(&tokens, "invalid_grant").await;
    assert_eq!(server.audit()[0].3["reason"], "user_not_admitted");
    server.admit_only(R1, &["alice", "bob"]);
    tokens = Tokens::of(&app.refresh(&server, tokens.refresh(), &[]).await);

    // The resource is gone.
    let other = app.tokens(&server, "bob", &[("resource", R2)]).await;
    server.forget_resource(R2);
    refused(&other, "invalid_grant").await;

    // The person is gone.
    server.command(move |tx| users::remove(tx, &bob));
    refused(&tokens, "invalid_grant").await;

    // The client is gone.
    let tokens = grant("alice").await;
    server.command(|tx| clients::remove(tx, &ClientId::parse("pub").expect("a client_id")));
    refused(&tokens, "invalid_client").await;
}

#[tokio::test]
async fn a_rt_15_a_resource_that_no_longer_admits_the_person_leaves_the_grant_for_good() {
    let server = Server::start().await;
    let app = ClientApp::fixture("pub");
    let tokens = app.tokens(&server, "bob", &[("resource", R1), ("resource", R2)]).await;
    server.admit_only(R2, &["alice"]);
    let before = server.contents();
    app.refresh(&server, tokens.refresh(), &[("resource", R2)]).await.assert_refused("invalid_grant");
    assert_eq!(server.contents(), before, "G6");
    let narrowed = Tokens::of(&app.refresh(&server, tokens.refresh(), &[]).await);
    assert_eq!((&narrowed.claims["aud"], narrowed.scope.as_deref()), (&R1.into(), Some("a b")));
    // Never wider across a rotation, also when they are admitted again.
    server.admit_only(R2, &["bob"]);
    app.refresh(&server, narrowed.refresh(), &[("resource", R2)]).await.assert_refused("invalid_target");
    assert_eq!(Tokens::of(&app.refresh(&server, narrowed.refresh(), &[]).await).claims["aud"], R1);
}

#[tokio::test]
async fn a_rt_15_a_person_takes_back_what_is_theirs_and_a_sign_out_leaves_clients_signed_in() {
    let server = Server::start().await;
    let app = ClientApp::fixture("pub");
    let mut bob = Browser::new();
    let code = app.code(&server, &mut bob, "bob", &[("resource", R1)]).await;
    let tokens = Tokens::of(&app.redeem(&server, &code, &[]).await);

    // Policy: a client has access of its own until it is taken back, or it would be out with every browser's session.
    let mut laptop = Browser::signed_in(&server, "bob").await;
    let page = laptop.get(&server, "/logout").await;
    let token = page.field("form_token").expect("a form");
    let answer = laptop.post(&server, "/logout", &[("form_token", token)]).await;
    assert_eq!(answer.status, Status::SEE_OTHER, "{}", answer.text());
    let tokens = Tokens::of(&app.refresh(&server, tokens.refresh(), &[]).await);
    // A new password is for signing in, and no client signs in.
    let id = server.user("bob").id;
    server.command(move |tx| users::set_password_hash(tx, &id, "$argon2id$another"));
    let tokens = Tokens::of(&app.refresh(&server, tokens.refresh(), &[]).await);

    // Nobody else can take it back.
    let grant: i64 = server.value("select id from grants");
    let take_back = async |browser: &mut Browser| {
        let mut page = browser.get(&server, "/account").await;
        // The sign-out has a form of its own on this page.
        let text = page.text();
        let at = text.find(r#"action="/account""#).expect("a grant to take back");
        page.body = text.as_bytes()[at..].to_vec();
        let token = page.field("form_token").expect("a form");
        let fields = [("form_token", token), ("grant", grant.to_string())];
        let answer = browser.post(&server, "/account", &fields).await;
        assert_eq!(answer.status, Status::SEE_OTHER, "{}", answer.text());
    };
    app.tokens(&server, "mallory", &[("resource", R1)]).await;
    let is_revoked = || server.value::<bool>("select revoked_at is not null from grants order by id limit 1");
    let mut mallory = Browser::signed_in(&server, "mallory").await;
    take_back(&mut mallory).await;
    assert!(!is_revoked());
    take_back(&mut bob).await;
    assert!(is_revoked());
    app.refresh(&server, tokens.refresh(), &[]).await.assert_refused("invalid_grant");
}

#[tokio::test]
async fn a_rt_16_a_token_that_nobody_uses_ends_after_30_days() {
    let server = Server::start().await;
    let app = ClientApp::fixture("pub");
    let mut tokens = app.tokens(&server, "alice", &[("resource", R1)]).await;
    for _ in 0..3 {
        server.advance(30 * DAY - 1);
        tokens = Tokens::of(&app.refresh(&server, tokens.refresh(), &[]).await);
    }
    server.advance(30 * DAY);
    let before = server.contents();
    app.refresh(&server, tokens.refresh(), &[]).await.assert_refused("invalid_grant");
    assert_eq!(server.audit()[0].3["reason"], "grant_expired");
    assert_eq!(server.contents(), before, "G6");
}

#[tokio::test]
async fn a_rt_16_rotation_never_moves_the_absolute_end() {
    let server = Server::start_with(|settings| settings.lifetimes.refresh_absolute = Seconds::days(40)).await;
    let app = ClientApp::fixture("pub");
    let mut tokens = app.tokens(&server, "alice", &[("resource", R1)]).await;
    let end: i64 = server.value("select expires_at from grants");
    assert_eq!(end, server.now().as_i64() + 40 * DAY);
    for _ in 0..79 {
        server.advance(12 * HOUR);
        tokens = Tokens::of(&app.refresh(&server, tokens.refresh(), &[]).await);
    }
    server.advance(12 * HOUR - 1);
    tokens = Tokens::of(&app.refresh(&server, tokens.refresh(), &[]).await);
    assert_eq!(server.value::<i64>("select expires_at from grants"), end);
    server.advance(1);
    app.refresh(&server, tokens.refresh(), &[]).await.assert_refused("invalid_grant");
    assert_eq!(server.audit()[0].3["reason"], "grant_expired");
}

#[tokio::test]
async fn a_rt_19_a_clock_that_goes_back_ends_nothing_and_brings_nothing_back() {
    let server = Server::start().await;
    let app = ClientApp::fixture("pub");
    let first = app.tokens(&server, "alice", &[("resource", R1)]).await;
    let second = Tokens::of(&app.refresh(&server, first.refresh(), &[]).await);
    server.advance(-HOUR);
    // The window is longer by the hour rather than shorter, so that nobody is thrown out.
    let again = Tokens::of(&app.refresh(&server, first.refresh(), &[]).await);
    assert_eq!(again.refresh(), second.refresh());
    let third = Tokens::of(&app.refresh(&server, second.refresh(), &[]).await);
    // The grandparent is as spent as ever.
    app.refresh(&server, first.refresh(), &[]).await.assert_refused("invalid_grant");
    assert!(is_revoked(&server));
    server.advance(-DAY);
    for token in [&first, &second, &third] {
        app.refresh(&server, token.refresh(), &[]).await.assert_refused("invalid_grant");
    }
    // Nor does what has expired before it was noticed: that is a question of the clock alone.
    server.advance(DAY + HOUR);
    app.refresh(&server, third.refresh(), &[]).await.assert_refused("invalid_grant");
}
