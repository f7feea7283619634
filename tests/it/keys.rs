//! Signing keys: a rotation that nobody notices, a withdrawal that everybody does, and a clock that is not to be trusted.

use vestibule::clock::Seconds;
use vestibule::crypto::jwk::Algorithm;
use vestibule::crypto::jws::SigningKey;
use vestibule::oauth::claims::ACCESS_TOKEN_TYP;
use vestibule::store::signing_keys;

use crate::harness::{ClientApp, R1, Server, Tokens};

/// How long a key is published before it signs.
const OVERLAP: Seconds = Seconds::minutes(5);
/// How long a token lives here, and whoever checks it may keep the JWKS.
const LONGEST: Seconds = Seconds::new(3600 + 300);

/// The `kid` of a token's header.
fn kid(token: &str) -> String {
    let header = token.split('.').next().expect("a compact JWS");
    let bytes = vestibule::crypto::digest::from_base64url(header).expect("base64url");
    let header: serde_json::Value = serde_json::from_slice(&bytes).expect("JSON");
    header["kid"].as_str().expect("a kid").to_owned()
}

/// The `kid`s that the JWKS shows, the newest first; nothing of a private key may be in it.
async fn published(server: &Server) -> Vec<String> {
    let answer = server.get("/.well-known/jwks.json").send().await;
    let body = answer.json();
    let keys = body["keys"].as_array().expect("a JWK set");
    for key in keys {
        for private in ["d", "p", "q", "k"] {
            assert!(key.get(private).is_none(), "{key}");
        }
    }
    keys.iter().map(|key| key["kid"].as_str().expect("a kid").to_owned()).collect()
}

async fn token(server: &Server) -> String {
    let svc = ClientApp::fixture("svc");
    Tokens::of(&svc.token(server, &[("grant_type", "client_credentials")]).await).access
}

async fn is_active(server: &Server, token: &str) -> bool {
    ClientApp::fixture("svc").introspect(server, token).await["active"] == true
}

/// Makes a key as `vestibule key rotate` does: published now, signing later, and the others until then.
fn rotate(server: &Server, algorithm: Algorithm) -> String {
    let now = server.now();
    let pkcs8 = SigningKey::generate(algorithm);
    server.command(move |tx| {
        let active_from = now.plus(OVERLAP);
        let kid = signing_keys::insert(tx, algorithm, &pkcs8, active_from, now)?;
        signing_keys::retire_others(tx, &kid, active_from, active_from.plus(LONGEST))?;
        Ok(kid)
    })
}

#[tokio::test]
async fn a_key_01_02_a_rotation_overlaps_so_that_no_token_is_ever_signed_by_a_key_nobody_knows() {
    for algorithm in Algorithm::ALL {
        let server = Server::start().await;
        let first = token(&server).await;
        let old = kid(&first);
        assert_eq!(published(&server).await, std::slice::from_ref(&old));
        server.advance(10);
        let new = rotate(&server, algorithm);
        assert_eq!(published(&server).await, [new.clone(), old.clone()], "known before it signs");
        server.advance(i64::from(OVERLAP.as_u32()) - 1);
        let last_of_old = token(&server).await;
        assert_eq!(kid(&last_of_old), old, "signs only from active_from on");
        server.advance(1);
        let first_of_new = token(&server).await;
        assert_eq!(kid(&first_of_new), new);
        assert_eq!(published(&server).await, [new.clone(), old.clone()]);
        for token in [&first, &last_of_old, &first_of_new] {
            assert!(is_active(&server, token).await, "{algorithm:?}");
        }
        // The old key outlives the last of its tokens.
        server.advance(3598);
        assert!(is_active(&server, &last_of_old).await);
        server.advance(1);
        assert!(!is_active(&server, &last_of_old).await, "by its own time");
        assert!(is_active(&server, &first_of_new).await);
        assert_eq!(published(&server).await.len(), 2);
        server.advance(i64::from(LONGEST.as_u32()));
        assert_eq!(published(&server).await, [new]);
    }
}

#[tokio::test]
async fn a_key_02_a_token_holds_as_long_as_its_key_is_published_and_no_longer() {
    let server = Server::start_with(|settings| settings.lifetimes.access_token = Seconds::days(1)).await;
    let access = token(&server).await;
    rotate(&server, Algorithm::Es256);
    let end = i64::from(OVERLAP.as_u32() + LONGEST.as_u32());
    server.advance(end - 1);
    assert!(is_active(&server, &access).await);
    // The documents are kept for up to thirty seconds.
    server.advance(31);
    assert!(!is_active(&server, &access).await, "its key has left the JWKS");
    assert!(!published(&server).await.contains(&kid(&access)));
}

#[tokio::test]
async fn a_key_05_a_withdrawn_key_takes_its_tokens_with_it_at_the_next_request() {
    let server = Server::start().await;
    let twin = server.twin().await;
    let access = token(&server).await;
    // Both have seen it, and keep what they have checked.
    assert!(is_active(&server, &access).await && is_active(&twin, &access).await);
    let now = server.now();
    let pkcs8 = SigningKey::generate(Algorithm::Es256);
    let new = server.command(move |tx| {
        let kid = signing_keys::insert(tx, Algorithm::Es256, &pkcs8, now, now)?;
        signing_keys::remove_others(tx, &kid)?;
        Ok(kid)
    });
    for server in [&server, &twin] {
        assert!(!is_active(server, &access).await);
        assert_eq!(published(server).await, std::slice::from_ref(&new));
        let next = token(server).await;
        assert_eq!(kid(&next), new);
        assert!(is_active(server, &next).await);
    }
    // Not even a clock that goes back brings it to life again.
    server.advance(-86_400);
    assert!(!is_active(&server, &access).await);
    assert_eq!(kid(&token(&server).await), new, "a key is better than a standstill");
}

#[tokio::test]
async fn a_key_01_rotations_in_a_row_leave_no_moment_without_a_key_that_everybody_knows() {
    let server = Server::start().await;
    let old = kid(&token(&server).await);
    server.advance(10);
    let between = rotate(&server, Algorithm::Es256);
    server.advance(10);
    let new = rotate(&server, Algorithm::EdDsa);
    let known = published(&server).await;
    let mut signers = Vec::new();
    for _ in 0..400 {
        let signer = kid(&token(&server).await);
        assert!(known.contains(&signer) && published(&server).await.contains(&signer));
        signers.push(signer);
        server.advance(1);
    }
    signers.dedup();
    assert_eq!(signers, [old, between, new], "each signs once its five minutes are over");
}

#[tokio::test]
async fn r_21_a_clock_that_goes_back_and_forth_neither_stops_the_server_nor_ends_a_grant() {
    let server = Server::start().await;
    let app = ClientApp::fixture("conf");
    let tokens = app.tokens(&server, "alice", &[("resource", R1)]).await;
    rotate(&server, Algorithm::Es256);
    server.advance(400);
    let after = token(&server).await;
    let mut refresh = tokens.refresh().to_owned();
    for step in [-3600, 3600, 3600, -7200, -86_400, 86_400] {
        server.advance(step);
        let next = Tokens::of(&app.refresh(&server, &refresh, &[]).await);
        refresh = next.refresh().to_owned();
        assert_eq!(next.claims["exp"].as_i64().unwrap() - next.claims["iat"].as_i64().unwrap(), 3600);
        assert!(published(&server).await.contains(&kid(&next.access)), "after {step}");
        assert!(is_active(&server, &token(&server).await).await, "after {step}");
    }
    assert!(is_active(&server, &after).await);
}

#[tokio::test]
async fn a_jwt_a_token_of_a_key_that_is_not_ours_or_with_a_claim_changed_is_nothing() {
    let server = Server::start().await;
    let access = token(&server).await;
    let stranger =
        SigningKey::from_pkcs8(Algorithm::Es256, &SigningKey::generate(Algorithm::Es256), ACCESS_TOKEN_TYP)
            .expect("a key");
    let payload = access.split('.').nth(1).expect("a payload");
    let payload = vestibule::crypto::digest::from_base64url(payload).expect("base64url");
    let forged = stranger.sign(&payload);
    assert!(!is_active(&server, &forged).await);
    // Our own header before the stranger's signature.
    let (header, _) = access.split_once('.').expect("a header");
    let (_, rest) = forged.split_once('.').expect("a header");
    assert!(!is_active(&server, &format!("{header}.{rest}")).await);
    assert!(is_active(&server, &access).await);
}

#[tokio::test]
async fn a_key_07_without_any_key_tokens_are_refused_and_none_is_made_in_silence() {
    let server = Server::start().await;
    let access = token(&server).await;
    server.command(|tx| signing_keys::remove_others(tx, "none"));
    let svc = ClientApp::fixture("svc");
    let answer = svc.token(&server, &[("grant_type", "client_credentials")]).await;
    assert_eq!(answer.status.as_u16(), 500, "{}", answer.text());
    assert_eq!(answer.error(), "server_error");
    assert_eq!(published(&server).await, Vec::<String>::new());
    assert!(!is_active(&server, &access).await);
    assert_eq!(server.count("signing_keys"), 0);
}
