//! The token by which a server behind can check who calls: made for it alone, for a minute, and good for nothing else.

use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use serde_json::Value;
use vestibule::crypto::digest::from_base64url;

use super::*;
use crate::harness::R1;

/// A server that tells the one behind by a token too, and alice's access token.
async fn told() -> (Behind, Server, String) {
    let (behind, server) = world().await;
    change(&server, NOTES, |notes| {
        if let Some(guard) = &mut notes.guard {
            guard.identity = Identity::HeadersAndToken;
        }
    });
    let token = tokens(&server, NOTES).await.access;
    (behind, server, token)
}

/// Header and claims of a JWT, verified by the published keys as any library does it.
async fn verified(server: &Server, jwt: &str) -> (Value, Value) {
    let jwks = server.get("/.well-known/jwks.json").send().await.json();
    let (signed, signature) = jwt.rsplit_once('.').expect("a compact JWS");
    let (header, payload) = signed.split_once('.').expect("a compact JWS");
    let read = |part: &str| from_base64url(part).expect("base64url");
    let header: Value = serde_json::from_slice(&read(header)).expect("a header");
    let keys = jwks["keys"].as_array().expect("keys");
    let key = keys.iter().find(|key| key["kid"] == header["kid"]).expect("the key is published");
    let point = [vec![4], read(key["x"].as_str().expect("x")), read(key["y"].as_str().expect("y"))].concat();
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point)
        .verify(signed.as_bytes(), &read(signature))
        .expect("the signature is good");
    (header, serde_json::from_slice(&read(payload)).expect("claims"))
}

#[tokio::test]
async fn it_says_who_calls_and_verifies_with_the_published_keys() {
    let (behind, server, token) = told().await;
    server.sql("update users set email = 'alice@home.test' where name = 'alice'", []);
    ask(&server, "GET", "/notes", &token, "X-Vestibule-Token: forged\r\n").await;
    let jwt = behind.last().header("x-vestibule-token").expect("a token");
    let (header, claims) = verified(&server, &jwt).await;
    assert_eq!((&header["alg"], &header["typ"]), (&json!("ES256"), &json!("vestibule-identity+jwt")));
    let now = server.now().as_i64();
    assert_eq!(
        claims,
        json!({
            "iss": ISSUER,
            "aud": NOTES,
            "sub": server.user("alice").id.as_str(),
            "iat": now,
            "exp": now + 60,
            "client_id": "pub",
            "scope": "read write",
            "preferred_username": "alice",
            "email": "alice@home.test",
        })
    );
}

#[tokio::test]
async fn it_is_there_only_where_the_owner_asked_for_it() {
    let (behind, server) = world().await;
    let token = tokens(&server, NOTES).await.access;
    ask(&server, "GET", "/notes", &token, "X-Vestibule-Token: forged\r\nX_Vestibule_Token: forged\r\n").await;
    assert_eq!(behind.last().header("x-vestibule-token"), None);
    assert!(!behind.last().head.contains("forged"));
}

#[tokio::test]
async fn it_is_no_access_token_and_opens_nothing_here() {
    let (behind, server, token) = told().await;
    ask(&server, "GET", "/notes", &token, "").await;
    let jwt = behind.last().header("x-vestibule-token").expect("a token");
    for uri in ["/notes", "/notes/x"] {
        assert_eq!(ask(&server, "GET", uri, &jwt, "").await.status(), 401);
    }
    assert_eq!(behind.asked().len(), 1);
    let conf = ClientApp::fixture("conf");
    assert_eq!(conf.introspect(&server, &jwt).await, json!({ "active": false }));
    let grant = "urn:ietf:params:oauth:grant-type:jwt-bearer";
    let answer = conf.token(&server, &[("grant_type", grant), ("assertion", &jwt)]).await;
    assert_eq!(answer.status, Status::BAD_REQUEST);
    conf.refresh(&server, &jwt, &[]).await.assert_refused("invalid_grant");
    let fields = [
        ("grant_type", "client_credentials"),
        ("client_assertion_type", vestibule::oauth::client_assertion::ASSERTION_TYPE),
        ("client_assertion", jwt.as_str()),
    ];
    let answer = server.post("/oauth/token").form(&fields).send().await;
    assert_eq!(answer.error(), "invalid_client");
    // To revoke it takes nothing from whoever it tells of.
    conf.revoke(&server, &jwt).await;
    assert_eq!(ask(&server, "GET", "/notes", &token, "").await.status(), 200);
}

#[tokio::test]
async fn it_tells_of_a_machine_what_there_is() {
    let (behind, server, _) = told().await;
    let guard =
        Guard { identity: Identity::HeadersAndToken, ..guarded(&behind, R1, "", &[]).guard.expect("one") };
    change(&server, R1, move |it| it.guard = Some(guard));
    let machine = ClientApp::fixture("svc");
    let fields = [("grant_type", "client_credentials"), ("resource", R1), ("scope", "a")];
    let token = Tokens::of(&machine.token(&server, &fields).await).access;
    let wire = format!(
        "GET /mcp HTTP/1.1\r\nHost: r1.test\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
    );
    assert_eq!(server.raw(wire).await.status(), 200);
    let (_, claims) = verified(&server, &behind.last().header("x-vestibule-token").expect("a token")).await;
    assert_eq!(
        (&claims["client_id"], &claims["scope"], &claims["aud"]),
        (&json!("svc"), &json!("a"), &json!(R1))
    );
    assert_eq!((claims.get("preferred_username"), claims.get("email")), (None, None));
}

#[tokio::test]
async fn it_is_signed_with_the_key_of_the_day() {
    let (behind, server, token) = told().await;
    ask(&server, "GET", "/notes", &token, "").await;
    let first = verified(&server, &behind.last().header("x-vestibule-token").expect("a token")).await.0;
    server.advance(1);
    let now = server.now();
    server.command(move |tx| {
        let key = vestibule::crypto::jws::SigningKey::generate(vestibule::crypto::jwk::Algorithm::Es256);
        let algorithm = vestibule::crypto::jwk::Algorithm::Es256;
        vestibule::store::signing_keys::insert(tx, algorithm, &key, now, now)
    });
    ask(&server, "GET", "/notes", &token, "").await;
    let second = verified(&server, &behind.last().header("x-vestibule-token").expect("a token")).await.0;
    assert_ne!(first["kid"], second["kid"]);
}
