//! An assertion counts once, whoever sends it again, when, and to which server.

use serde_json::json;
use vestibule::clock::Seconds;
use vestibule::crypto::public_key::AssertionAlgorithm;
use vestibule::oauth::client::KeySource;
use vestibule::oauth::key_set::KeySet;
use vestibule::store::purge::{self, Retention};

use super::{ASKED, ENDPOINTS, add_machine, ask, by_key, reason, token};
use crate::harness::{Answer, ClientApp, ClientKey, Crowd, R1, Server, Tokens};

#[tokio::test]
async fn a_jwt_15_c_ja_04_an_assertion_that_was_used_anywhere_is_used_everywhere() {
    let server = Server::start().await;
    for first in ENDPOINTS {
        let assertion = ClientKey::pkj().assertion(&server, "pkj");
        assert_eq!(ask(&server, first, &assertion).await.status.as_u16(), 200, "{first}");
        let before = server.contents();
        for then in ENDPOINTS {
            ask(&server, then, &assertion).await.assert_refused("invalid_client");
            assert_eq!(reason(&server), "assertion_replayed", "{first}, then {then}");
        }
        assert_eq!(server.contents(), before, "G6");
        server.advance(10);
    }
}

#[tokio::test]
async fn a_jwt_15_it_is_the_name_of_the_assertion_that_counts_and_it_is_its_clients_own() {
    let server = Server::start().await;
    let pkj = ClientKey::pkj();
    let mut claims = ClientKey::claims(&server, "pkj");
    claims["jti"] = json!("one and the same");
    Tokens::of(&token(&server, &pkj.assert(&claims)).await);
    // Signed anew, it has other bytes (ECDSA takes a random number); with other claims too.
    token(&server, &pkj.assert(&claims)).await.assert_refused("invalid_client");
    claims["exp"] = json!(server.now().as_i64() + 3600);
    claims["aud"] = json!("https://as.test/oauth/token");
    token(&server, &pkj.assert(&claims)).await.assert_refused("invalid_client");
    assert_eq!(reason(&server), "assertion_replayed");
    for other in ["one and the sam", "one and the same ", "One and the same"] {
        claims["jti"] = json!(other);
        Tokens::of(&token(&server, &pkj.assert(&claims)).await);
    }
    let key = ClientKey::new(AssertionAlgorithm::EdDsa);
    add_machine(&server, "twin", KeySource::Here(KeySet::from_value(&key.jwks()).expect("a key set")));
    let mut claims = ClientKey::claims(&server, "twin");
    claims["jti"] = json!("one and the same");
    Tokens::of(&token(&server, &key.assert(&claims)).await);
}

/// Whoever sees or guesses a name cannot use it up for its client.
#[tokio::test]
async fn a_jwt_15_only_the_clients_own_signature_uses_an_assertion_up() {
    let server = Server::start().await;
    let claims = ClientKey::claims(&server, "pkj");
    for path in ENDPOINTS {
        let forged = ClientKey::new(AssertionAlgorithm::Es256).assert(&claims);
        ask(&server, path, &forged).await.assert_refused("invalid_client");
    }
    let mut expired = claims.clone();
    expired["exp"] = json!(server.now().as_i64() - 60);
    token(&server, &ClientKey::pkj().assert(&expired)).await.assert_refused("invalid_client");
    assert_eq!(server.count("used_assertions"), 0);
    Tokens::of(&token(&server, &ClientKey::pkj().assert(&claims)).await);
}

/// What else is wrong with a request does not bring its assertion back: it was seen.
#[tokio::test]
async fn a_jwt_15_a_request_that_is_refused_for_something_else_has_used_its_assertion() {
    let server = Server::start().await;
    let requests: [&[(&str, &str)]; 4] = [
        &[("grant_type", "authorization_code"), ("code", "nothing"), ("code_verifier", "nothing")],
        &[("grant_type", "refresh_token"), ("refresh_token", "nothing")],
        &[("grant_type", "client_credentials"), ("resource", "https://unknown.test/")],
        &[("grant_type", "password")],
    ];
    for fields in requests {
        let assertion = ClientKey::pkj().assertion(&server, "pkj");
        let before = (server.rows(), server.count("used_assertions"));
        let answer = server.post("/oauth/token").form(&[fields, &by_key(&assertion)].concat()).send().await;
        assert_eq!(answer.status.as_u16(), 400, "{fields:?}: {}", answer.text());
        let mut expected = before.0.clone();
        expected.insert("used_assertions".to_owned(), before.1 as i64 + 1);
        assert_eq!(server.rows(), expected, "{fields:?}");
        token(&server, &assertion).await.assert_refused("invalid_client");
        assert_eq!(reason(&server), "assertion_replayed");
    }
}

fn successes(answers: &[Answer]) -> usize {
    for answer in answers.iter().filter(|answer| answer.status.as_u16() != 200) {
        answer.assert_refused("invalid_client");
    }
    answers.iter().filter(|answer| answer.status.as_u16() == 200).count()
}

/// Twenty callers with one assertion, behind one barrier.
async fn twenty(servers: &[&Server], path: &str) -> Vec<Answer> {
    let mut crowd = Crowd::open(servers, 20).await;
    let assertion = ClientKey::pkj().assertion(servers[0], "pkj");
    let fields = [&ASKED[..], &by_key(&assertion)].concat();
    let requests = servers.iter().cycle().take(20).map(|server| server.post(path).form(&fields)).collect();
    crowd.ask(requests).await
}

#[tokio::test]
async fn a_jwt_15_twenty_at_once_one_success() {
    let server = Server::start().await;
    for path in ["/oauth/token", "/oauth/revoke", "/oauth/introspect"] {
        assert_eq!(successes(&twenty(&[&server], path).await), 1, "{path}");
        server.advance(60);
    }
    assert_eq!(server.count("used_assertions"), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_jwt_15_twenty_at_once_at_two_servers_on_one_file_one_success() {
    let server = Server::start().await;
    let twin = server.twin().await;
    for _ in 0..3 {
        assert_eq!(successes(&twenty(&[&server, &twin], "/oauth/token").await), 1);
        server.advance(60);
    }
}

#[tokio::test]
async fn a_jwt_15_what_was_used_is_used_after_a_restart_for_as_long_as_it_could_be_good() {
    let server = Server::start().await;
    let assertion = ClientKey::pkj().assertion(&server, "pkj");
    Tokens::of(&token(&server, &assertion).await);
    let twin = server.twin().await;
    token(&twin, &assertion).await.assert_refused("invalid_client");
    drop(twin);
    let server = server.restart().await;
    token(&server, &assertion).await.assert_refused("invalid_client");
    assert_eq!(reason(&server), "assertion_replayed");
    // It ends in five minutes, and a slow clock has a minute more.
    server.advance(359);
    purge(&server);
    token(&server, &assertion).await.assert_refused("invalid_client");
    assert_eq!((reason(&server).as_str(), server.count("used_assertions")), ("assertion_replayed", 1));
    server.advance(1);
    token(&server, &assertion).await.assert_refused("invalid_client");
    assert_eq!(reason(&server), "assertion_expired");
    purge(&server);
    assert_eq!(server.count("used_assertions"), 0, "what nobody could use is not kept");
    token(&server, &assertion).await.assert_refused("invalid_client");
}

fn purge(server: &Server) {
    let now = server.now();
    let keep = Retention {
        audit: Seconds::days(90),
        unused_clients: Seconds::days(90),
        idle_grants: Seconds::days(90),
    };
    while server.command(move |tx| purge::bite(tx, keep, now)) > 0 {}
}

/// A client that makes its assertion once and uses it for code, refresh and revocation is told at the second step.
#[tokio::test]
async fn each_request_needs_an_assertion_of_its_own() {
    let server = Server::start().await;
    let pkj = ClientApp::fixture("pkj");
    let tokens = pkj.tokens(&server, "alice", &[("resource", R1)]).await;
    let assertion = ClientKey::pkj().assertion(&server, "pkj");
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", tokens.refresh())];
    let once = server.post("/oauth/token").form(&[&refresh[..], &by_key(&assertion)].concat()).send().await;
    let next = Tokens::of(&once);
    let again = [("grant_type", "refresh_token"), ("refresh_token", next.refresh())];
    let answer = server.post("/oauth/token").form(&[&again[..], &by_key(&assertion)].concat()).send().await;
    answer.assert_refused("invalid_client");
    // The grant is none the worse for it.
    Tokens::of(&pkj.refresh(&server, next.refresh(), &[]).await);
}
