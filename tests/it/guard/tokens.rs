//! Who may pass: whoever shows a token for this resource, in the one way there is. Everybody else is told, in words that
//! machines read, where to get one.

use vestibule::crypto::digest::{from_base64url, to_base64url};
use vestibule::crypto::jwk::Algorithm;
use vestibule::crypto::jws::SigningKey;
use vestibule::http::Method;
use vestibule::oauth::claims::{ACCESS_TOKEN_TYP, AccessTokenClaims, Audience, IDENTITY_TYP};
use vestibule::store::signing_keys;

use super::*;
use crate::harness::{Answer, R1};

const METADATA: &str = "https://as.test/.well-known/oauth-protected-resource/notes";

/// What a client without a token is told.
fn first_challenge() -> String {
    format!(r#"Bearer resource_metadata="{METADATA}", scope="read write""#)
}

/// What a client is told whose token is worth nothing.
fn token_challenge(description: &str) -> String {
    format!(
        r#"Bearer resource_metadata="{METADATA}", error="invalid_token", error_description="{description}", scope="read write""#
    )
}

const WORTHLESS: &str = "The access token has ended, was revoked, or is none of this server's.";

async fn with_header(server: &Server, authorization: &str) -> Answer {
    server.get("/notes").header("authorization", authorization).send().await
}

#[track_caller]
fn assert_worthless(answer: &Answer, what: &str) {
    assert_eq!(answer.status, Status::UNAUTHORIZED, "{what}");
    assert_eq!(answer.header("www-authenticate"), Some(token_challenge(WORTHLESS).as_str()), "{what}");
    assert_eq!(answer.error(), "invalid_token", "{what}");
}

#[tokio::test]
async fn without_a_good_token_every_method_is_answered_401_and_shown_the_way() {
    let (behind, server) = world().await;
    for method in
        [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS]
    {
        for (authorization, challenge) in
            [(None, first_challenge()), (Some("Bearer x"), token_challenge(WORTHLESS))]
        {
            let mut asked = server.ask(method.clone(), "/notes").header("accept", "text/html");
            if let Some(authorization) = authorization {
                asked = asked.header("authorization", authorization);
            }
            let answer = asked.send().await;
            assert_eq!(answer.status, Status::UNAUTHORIZED, "{method}");
            assert_eq!(answer.header("www-authenticate"), Some(challenge.as_str()), "{method}");
            assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
            assert_eq!(answer.header("cache-control"), Some("no-store"));
            assert_eq!(answer.header("location"), None);
            assert!(answer.is_json(), "{method} {:?}", answer.headers);
        }
    }
    assert_eq!(behind.connections(), 0);
}

#[tokio::test]
async fn another_scheme_is_answered_as_if_nothing_had_come() {
    let (behind, server) = world().await;
    let token = tokens(&server, NOTES).await.access;
    for authorization in
        ["Basic YTpi", "Bearer", "Bearerx y", "DPoP x", "", &token, &format!("Token {token}")]
    {
        let answer = with_header(&server, authorization).await;
        assert_eq!(answer.status, Status::UNAUTHORIZED, "{authorization}");
        assert_eq!(answer.header("www-authenticate"), Some(first_challenge().as_str()), "{authorization}");
    }
    assert_eq!(behind.connections(), 0);
}

#[tokio::test]
async fn the_schemes_case_does_not_matter_and_everything_else_does() {
    let (behind, server) = world().await;
    let token = tokens(&server, NOTES).await.access;
    for scheme in ["Bearer", "bearer", "BEARER", "bEaReR"] {
        let answer = with_header(&server, &format!("{scheme} {token}")).await;
        assert_eq!(answer.status, Status::OK, "{scheme}");
    }
    assert_eq!(behind.asked().len(), 4);
    for spoilt in [
        format!("Bearer  {token}"),
        format!("Bearer {token} {token}"),
        format!("Bearer {token}, Bearer {token}"),
        format!("Bearer {token},"),
        format!("Bearer \"{token}\""),
        format!("Bearer {token}="),
        format!("Bearer {token}."),
        format!("Bearer {}", token.to_uppercase()),
    ] {
        assert_worthless(&with_header(&server, &spoilt).await, &spoilt);
    }
    let tab =
        ask(&server, "GET", "/notes", "", &format!("X: y\r\nAuthorization:\tBearer\t{token}\r\n")).await;
    assert_eq!(tab.status(), 401);
    assert_eq!(behind.asked().len(), 4);
}

#[tokio::test]
async fn two_authorization_headers_are_refused_even_if_both_are_good() {
    let (behind, server) = world().await;
    let token = tokens(&server, NOTES).await.access;
    for second in [format!("Bearer {token}"), "Bearer x".to_owned(), "Basic YTpi".to_owned()] {
        let headers = format!("Authorization: {second}\r\n");
        let answer = ask(&server, "GET", "/notes", &token, &headers).await;
        assert_eq!(answer.status(), 401, "{second}");
    }
    assert_eq!(behind.connections(), 0);
}

#[tokio::test]
async fn a_token_anywhere_but_in_the_header_is_none() {
    let (behind, server) = world().await;
    let token = tokens(&server, NOTES).await.access;
    let form = [("access_token", token.as_str())];
    let by_query = server.get(&format!("/notes?access_token={token}")).send().await;
    let by_form = server.post("/notes").form(&form).send().await;
    let by_cookie = server.get("/notes").header("cookie", &format!("access_token={token}")).send().await;
    for answer in [by_query, by_form, by_cookie] {
        assert_eq!(answer.status, Status::UNAUTHORIZED);
        assert_eq!(answer.header("www-authenticate"), Some(first_challenge().as_str()));
    }
    assert_eq!(behind.connections(), 0);
}

#[tokio::test]
async fn a_session_cookie_of_ours_opens_nothing() {
    let (behind, server) = world().await;
    let browser = crate::harness::Browser::signed_in(&server, "alice").await;
    let answer = server.get("/notes").header("cookie", &browser.cookie()).send().await;
    assert_eq!(answer.status, Status::UNAUTHORIZED);
    assert_eq!(behind.connections(), 0);
}

#[tokio::test]
async fn a_token_for_another_resource_is_refused_also_at_the_same_host() {
    let (behind, server) = world().await;
    register(&server, guarded(&behind, "https://as.test/notes-2", "read", &[]));
    register(&server, guarded(&behind, "https://as.test/notes/deep", "read", &[]));
    let challenge = token_challenge("The access token is for another server.");
    for other in [FILES, R1, "https://as.test/notes-2", "https://as.test/notes/deep"] {
        let token = tokens(&server, other).await.access;
        let answer = with_header(&server, &format!("Bearer {token}")).await;
        assert_eq!(answer.status, Status::UNAUTHORIZED, "{other}");
        assert_eq!(answer.header("www-authenticate"), Some(challenge.as_str()), "{other}");
    }
    // And the token of the whole does not open the part that has an entry of its own.
    let token = tokens(&server, NOTES).await.access;
    for (target, status) in [("/notes/deep", 401), ("/notes/deep/x", 401), ("/notes/deeper", 200)] {
        assert_eq!(ask(&server, "GET", target, &token, "").await.status(), status, "{target}");
    }
    assert_eq!(behind.asked().len(), 1);
}

#[tokio::test]
async fn a_token_for_several_resources_opens_each_of_them() {
    let (behind, server) = world().await;
    let app = ClientApp::fixture("pub");
    let token = app.tokens(&server, "alice", &[("resource", NOTES), ("resource", R1)]).await.access;
    assert_eq!(ask(&server, "GET", "/notes", &token, "").await.status(), 200);
    assert_eq!(behind.asked().len(), 1);
}

#[tokio::test]
async fn a_token_ends_to_the_second() {
    let (behind, server) = world().await;
    let tokens = tokens(&server, NOTES).await;
    let left = tokens.claims["exp"].as_i64().expect("exp") - server.now().as_i64();
    server.advance(left - 1);
    assert_eq!(ask(&server, "GET", "/notes", &tokens.access, "").await.status(), 200);
    server.advance(1);
    assert_worthless(&with_header(&server, &format!("Bearer {}", tokens.access)).await, "at exp");
    assert_eq!(behind.asked().len(), 1);
}

#[tokio::test]
async fn a_token_that_has_ended_by_itself_is_no_guess_and_no_event() {
    let (_behind, server) = world().await;
    let tokens = tokens(&server, NOTES).await;
    server.advance(tokens.claims["exp"].as_i64().expect("exp") - server.now().as_i64());
    for _ in 0..150 {
        assert_worthless(
            &with_header(&server, &format!("Bearer {}", tokens.access)).await,
            "as often as it comes",
        );
    }
    assert!(server.audit().iter().all(|(event, ..)| event != "guard.refused"));
}

/// The claims of a good token, to be changed, and the key that signs them.
async fn forge(server: &Server) -> (AccessTokenClaims, String) {
    let token = tokens(server, NOTES).await;
    let claims = serde_json::from_value(token.claims.clone()).expect("claims");
    let kid = server.app.store.read(|tx| signing_keys::current(tx, server.now())).expect("the key");
    (claims, kid)
}

#[tokio::test]
async fn a_token_of_ours_for_another_issuer_or_for_nobody_known_is_refused() {
    let (behind, server) = world().await;
    let (good, kid) = forge(&server).await;
    assert_eq!(ask(&server, "GET", "/notes", &server.app.sign(&kid, &good).unwrap(), "").await.status(), 200);
    let stranger = AccessTokenClaims { iss: "https://other.test".to_owned(), ..good.clone() };
    let slash = AccessTokenClaims { iss: format!("{ISSUER}/"), ..good.clone() };
    let nobody = AccessTokenClaims { sub: "nobody".to_owned(), ..good.clone() };
    let other_client = AccessTokenClaims { client_id: "nat".to_owned(), ..good.clone() };
    let no_grant = AccessTokenClaims { grant_id: Some(4711), ..good.clone() };
    for claims in [stranger, slash, nobody, other_client, no_grant] {
        let token = server.app.sign(&kid, &claims).unwrap();
        assert_worthless(&with_header(&server, &format!("Bearer {token}")).await, &format!("{claims:?}"));
    }
    let list = AccessTokenClaims { aud: Audience::Many(Vec::new()), ..good.clone() };
    let token = server.app.sign(&kid, &list).unwrap();
    assert_eq!(with_header(&server, &format!("Bearer {token}")).await.status, Status::UNAUTHORIZED);
    assert_eq!(behind.asked().len(), 1);
}

#[tokio::test]
async fn an_audience_counts_in_every_spelling_that_means_the_resource_and_in_no_other() {
    let (behind, server) = world().await;
    let (good, kid) = forge(&server).await;
    let sign = |aud: &str| {
        let claims = AccessTokenClaims { aud: Audience::One(aud.to_owned()), ..good.clone() };
        server.app.sign(&kid, &claims).unwrap()
    };
    for same in [NOTES, "https://as.test/notes/", "HTTPS://AS.TEST:443/notes"] {
        assert_eq!(ask(&server, "GET", "/notes", &sign(same), "").await.status(), 200, "{same}");
    }
    for other in [
        "https://as.test",
        "https://as.test/",
        "https://as.test/note",
        "https://as.test/notes//",
        "https://as.test/NOTES",
        "https://as.test/notes?x",
        "http://as.test/notes",
        "https://as.test:8443/notes",
        "https://as.test./notes",
        "https://as.test/%6eotes",
        "*",
        "",
        "notes",
    ] {
        assert_eq!(ask(&server, "GET", "/notes", &sign(other), "").await.status(), 401, "{other}");
    }
    assert_eq!(behind.asked().len(), 3);
}

#[tokio::test]
async fn what_this_server_did_not_sign_as_an_access_token_is_refused() {
    let (behind, server) = world().await;
    let tokens = tokens(&server, NOTES).await;
    let token = tokens.access;
    let [header, payload, signature] = token.split('.').collect::<Vec<_>>()[..] else { panic!("{token}") };
    let none = to_base64url(br#"{"alg":"none","typ":"at+jwt"}"#);
    let decoded = String::from_utf8(from_base64url(header).unwrap()).unwrap();
    let relabelled = |from: &str, to: &str| to_base64url(decoded.replace(from, to).as_bytes());
    let mut flipped = from_base64url(signature).unwrap();
    flipped[0] ^= 1;
    // Somebody else's key, under the name of ours.
    let alien = SigningKey::generate(Algorithm::Es256);
    let alien = SigningKey::from_pkcs8(Algorithm::Es256, &alien, ACCESS_TOKEN_TYP).unwrap();
    let alien = alien.sign(&from_base64url(payload).unwrap());
    let alien_signature = alien.rsplit('.').next().unwrap();
    let admin = to_base64url(tokens.claims.to_string().replace("read write", "read write admin").as_bytes());
    for forged in [
        format!("{none}.{payload}."),
        format!("{none}.{payload}.{signature}"),
        format!("{header}.{payload}."),
        format!("{header}.{payload}"),
        format!("{header}.{payload}.{}", to_base64url(&flipped)),
        format!("{header}.{payload}.{alien_signature}"),
        alien.clone(),
        format!("{header}.{admin}.{signature}"),
        format!("{}.{payload}.{signature}", relabelled("at+jwt", "JWT")),
        format!("{}.{payload}.{signature}", relabelled("ES256", "HS256")),
        format!("{header}.{payload}.{signature}.{signature}"),
        format!("{header}..{signature}"),
        "..".to_owned(),
        format!("{}=", token),
    ] {
        assert_worthless(&with_header(&server, &format!("Bearer {forged}")).await, &forged);
    }
    // Signed by our key, as something else.
    let kid = server.app.store.read(|tx| signing_keys::current(tx, server.now())).unwrap();
    let key = server.app.store.read(|tx| signing_keys::find(tx, &kid)).unwrap().unwrap().key;
    let identity = key.sign_as(IDENTITY_TYP, &from_base64url(payload).unwrap());
    assert_worthless(&with_header(&server, &format!("Bearer {identity}")).await, "an identity token");
    assert_eq!(behind.connections(), 0);
}

#[tokio::test]
async fn a_token_of_before_stays_good_while_its_key_is_published_and_ends_with_it() {
    let (behind, server) = world().await;
    let token = tokens(&server, NOTES).await.access;
    assert_eq!(ask(&server, "GET", "/notes", &token, "").await.status(), 200);
    server.advance(1);
    server.sql("update signing_keys set retired_at = ?1, published_until = ?1", [server.now().as_i64()]);
    assert_worthless(&with_header(&server, &format!("Bearer {token}")).await, "withdrawn");
    assert_eq!(behind.asked().len(), 1);
}

#[tokio::test]
async fn whoever_tries_tokens_that_open_nothing_has_to_wait_and_nobody_else_does() {
    let (behind, server) = world().await;
    let token = tokens(&server, NOTES).await.access;
    let spent = tokens(&server, NOTES).await.access;
    ClientApp::fixture("pub").revoke(&server, &spent).await;
    let mut refused = 0;
    let busy = loop {
        let tried = if refused % 2 == 0 { spent.clone() } else { format!("x{refused}") };
        let answer = with_header(&server, &format!("Bearer {tried}")).await;
        if answer.status == Status::TOO_MANY_REQUESTS {
            break answer;
        }
        assert_eq!(answer.status, Status::UNAUTHORIZED);
        refused += 1;
        assert!(refused <= 150, "never too many");
    };
    assert!(busy.header("retry-after").is_some());
    assert_eq!(ask(&server, "GET", "/notes", &token, "").await.status(), 200);
    let answer = server.get("/notes").send().await;
    assert_eq!(answer.header("www-authenticate"), Some(first_challenge().as_str()));
    assert_eq!(behind.asked().len(), 1);
}
