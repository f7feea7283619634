//! Documents that change: what people agreed to was what stood there then.

use serde_json::{Value, json};
use vestibule::crypto::public_key::AssertionAlgorithm;

use super::{World, client, with};
use crate::harness::{Answer, Browser, ClientKey, PASSWORD, R1, Tokens};

/// Puts a changed document there, and lets the copy's time pass.
fn change(world: &World, changes: Value) {
    world.publish(&with(world.document(), changes));
    world.server.advance(60);
}

/// An authorization request by somebody who is signed in: where it goes.
async fn ask(world: &World, browser: &mut Browser) -> Answer {
    browser.go(&world.server, &world.client.authorize_url(&[("resource", R1)])).await
}

#[track_caller]
fn assert_skipped(answer: &Answer) {
    let location = answer.header("location").unwrap_or_default();
    assert!(location.starts_with("https://client.test/cb?code="), "{} {}", answer.status, answer.text());
}

#[track_caller]
fn assert_asked(answer: &Answer, what: impl std::fmt::Display) {
    assert!(
        answer.field("authorization").is_some() && answer.text().contains("Allow"),
        "{what}: {}",
        answer.text()
    );
}

#[tokio::test]
async fn c_cm_20_whoever_agreed_is_asked_again_when_name_redirects_or_keys_have_changed() {
    let keys = ClientKey::of_each_kind();
    let keyed =
        |at: usize| json!({ "token_endpoint_auth_method": "private_key_jwt", "jwks": keys[at].jwks() });
    let fetched = |path: &str| {
        let uri = format!("https://client.test{path}");
        json!({ "token_endpoint_auth_method": "private_key_jwt", "jwks_uri": uri })
    };
    let offered =
        with(fetched("/a"), json!({ "token_endpoint_auth_methods_supported": ["none", "private_key_jwt"] }));
    let world = World::new().await;
    let mut alice = Browser::signed_in(&world.server, "alice").await;
    let mut bob = Browser::signed_in(&world.server, "bob").await;
    for browser in [&mut alice, &mut bob] {
        let page = ask(&world, browser).await;
        browser.decide(&world.server, &page, "allow").await;
        assert_skipped(&ask(&world, browser).await);
    }
    for changes in [
        json!({ "client_name": "Another name" }),
        json!({ "redirect_uris": ["https://client.test/cb", "https://client.test/more"] }),
        json!({ "redirect_uris": ["https://client.test/cb"] }),
        keyed(0),
        keyed(1),
        fetched("/b"),
        fetched("/a"),
        offered,
        json!({}),
    ] {
        change(&world, changes.clone());
        assert_asked(&ask(&world, &mut bob).await, &changes);
        let page = ask(&world, &mut alice).await;
        assert_asked(&page, &changes);
        let changed = world.server.audit().into_iter().find(|(event, ..)| event == "client.changed");
        let (_, user, id, metadata) = changed.unwrap_or_else(|| panic!("{changes}: no row"));
        assert_eq!(
            (user, id.as_deref(), &metadata["reason"]),
            (None, Some(&*world.client.id), &json!("document"))
        );
        alice.decide(&world.server, &page, "allow").await;
        assert_skipped(&ask(&world, &mut alice).await);
        let page = ask(&world, &mut bob).await;
        bob.decide(&world.server, &page, "allow").await;
    }
    let changes = world.server.audit().iter().filter(|(event, ..)| event == "client.changed").count();
    assert_eq!(changes, 9, "one row for each change");
}

#[tokio::test]
async fn c_cm_20_nobody_is_asked_again_for_what_changes_nothing_that_they_agreed_to() {
    let world = World::new().await;
    let mut alice = Browser::signed_in(&world.server, "alice").await;
    let page = ask(&world, &mut alice).await;
    alice.decide(&world.server, &page, "allow").await;
    for changes in [
        json!({}),
        json!({ "logo_uri": "https://client.test/logo.png", "contacts": ["a@client.test"] }),
        json!({ "something_new": null, "software_version": "2" }),
        json!({ "jwks": ClientKey::pkj().jwks() }),
        json!({ "client_name": "A client of the world \u{200b}" }),
    ] {
        change(&world, changes);
        let hits = world.host.hits();
        assert_skipped(&ask(&world, &mut alice).await);
        assert_eq!(world.host.hits(), hits + 1, "it was read");
    }
    assert!(!world.server.audit().iter().any(|(event, ..)| event == "client.changed"));
}

#[tokio::test]
async fn c_cm_20_what_is_remembered_of_other_clients_stays_and_so_do_grants() {
    let world = World::new().await;
    let other = crate::harness::ClientApp::fixture("pub");
    let tokens = world.client.tokens(&world.server, "alice", &[("resource", R1)]).await;
    let mut alice = Browser::signed_in(&world.server, "alice").await;
    other.code(&world.server, &mut alice, "alice", &[("resource", R1)]).await;
    let consents = world.server.count("consents");
    change(&world, json!({ "client_name": "Another name" }));
    assert_asked(&ask(&world, &mut alice).await, "the name");
    assert_eq!(world.server.count("consents"), consents - 1);
    let code = other.authorize_url(&[("resource", R1), ("prompt", "none")]);
    assert!(alice.go(&world.server, &code).await.location_param("code").is_some());
    Tokens::of(&world.client.refresh(&world.server, tokens.refresh(), &[]).await);
}

/// Somebody reads the page while the document changes. Their yes is to what they read.
#[tokio::test]
async fn c_cm_20_a_yes_is_no_yes_to_what_the_client_has_become_meanwhile() {
    for changes in [
        json!({ "client_name": "Your bank" }),
        json!({ "redirect_uris": ["https://client.test/cb", "https://elsewhere.test/cb"] }),
        json!({ "token_endpoint_auth_method": "private_key_jwt", "jwks": ClientKey::pkj().jwks() }),
    ] {
        let world = World::new().await;
        let mut alice = Browser::signed_in(&world.server, "alice").await;
        let page = ask(&world, &mut alice).await;
        assert_asked(&page, "at first");
        change(&world, changes.clone());
        super::assert_known(
            &super::visit(&world.server, &world.client.id).await,
            "somebody has it read anew",
        );
        let answer = alice.decide(&world.server, &page, "allow").await;
        answer.assert_problem_page(403);
        assert_eq!(
            (world.server.count("consents"), world.server.count("authorization_codes")),
            (0, 0),
            "{changes}"
        );
        // The same request is asked about again, as it is now.
        let id = page.field("authorization").expect("a request");
        let page = alice.go(&world.server, &format!("/consent?authorization={id}")).await;
        let answer = alice.decide(&world.server, &page, "allow").await;
        assert_skipped(&answer);
    }
}

#[tokio::test]
async fn nobody_is_sent_to_a_redirect_that_was_taken_back_while_they_signed_in() {
    let world = World::new().await;
    let mut alice = Browser::new();
    let login = ask(&world, &mut alice).await;
    change(&world, json!({ "redirect_uris": ["https://client.test/other"] }));
    super::visit(&world.server, &world.client.id).await.assert_problem_page(400);
    let answer = alice.sign_in(&world.server, &login, "alice", PASSWORD).await;
    let page = alice.go(&world.server, &answer.location()).await;
    page.assert_problem_page(400);
    assert!(page.text().contains("Not an address of this app"), "{}", page.text());
    assert_eq!(world.server.count("authorization_codes"), 0);
}

/// From a code that was given before to tokens that the new keys' owner gets.
#[tokio::test]
async fn a_code_of_before_is_redeemed_by_whoever_the_client_is_now() {
    let world = World::new().await;
    let mut alice = Browser::signed_in(&world.server, "alice").await;
    let code = world.client.code(&world.server, &mut alice, "alice", &[("resource", R1)]).await;
    let key = ClientKey::new(AssertionAlgorithm::Es256);
    world.publish(&with(
        world.document(),
        json!({ "token_endpoint_auth_method": "private_key_jwt", "jwks": key.jwks() }),
    ));
    world.server.sql("update client_documents set fresh_until = 0, fetched_at = 0", []);
    super::assert_known(&super::visit(&world.server, &world.client.id).await, "somebody has it read anew");
    world.client.redeem(&world.server, &code, &[]).await.assert_refused("invalid_client");
    let assertion = key.assertion(&world.server, &world.client.id);
    let by_key = [
        ("client_assertion_type", vestibule::oauth::client_assertion::ASSERTION_TYPE),
        ("client_assertion", assertion.as_str()),
    ];
    let keyed = crate::harness::ClientApp { pkce: world.client.pkce.clone(), ..client(&world.client.id) };
    Tokens::of(&keyed.redeem(&world.server, &code, &by_key).await);
}
