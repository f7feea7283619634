//! What an assertion opens, what it does not, and that all refusals look alike from outside.

use serde_json::{Value, json};
use vestibule::crypto::public_key::AssertionAlgorithm;
use vestibule::oauth::client::KeySource;
use vestibule::oauth::key_set::KeySet;

use super::{ASKED, ENDPOINTS, add_machine, ask, by_key, named, reason, token};
use crate::harness::{Browser, ClientApp, ClientKey, Listening, R1, SECRET, Server, Tokens};

#[tokio::test]
async fn a_client_with_a_key_of_any_kind_gets_tokens_looks_at_them_and_takes_them_back() {
    let server = Server::start().await;
    let keys = ClientKey::of_each_kind();
    let published = json!({ "keys": keys.iter().map(ClientKey::jwk).collect::<Vec<_>>() });
    add_machine(&server, "many", KeySource::Here(KeySet::from_value(&published).expect("a key set")));
    for key in &keys {
        let sign = || key.assertion(&server, "many");
        let tokens = Tokens::of(&token(&server, &sign()).await);
        assert_eq!(
            (&tokens.claims["aud"], &tokens.claims["sub"]),
            (&json!(R1), &json!("many")),
            "{}",
            key.kid()
        );
        let of_token = ("token", tokens.access.as_str());
        let introspect = async |assertion: String| {
            let asked =
                server.post("/oauth/introspect").form(&[&[of_token][..], &by_key(&assertion)].concat());
            asked.send().await.json()
        };
        assert_eq!(introspect(sign()).await["active"], true, "{}", key.kid());
        let assertion = sign();
        let asked = server.post("/oauth/revoke").form(&[&[of_token][..], &by_key(&assertion)].concat());
        assert_eq!(asked.send().await.status.as_u16(), 200);
        assert_eq!(introspect(sign()).await, json!({ "active": false }));
    }
}

#[tokio::test]
async fn a_person_signs_in_with_a_client_that_has_a_key() {
    let server = Server::start().await;
    let pkj = ClientApp::fixture("pkj");
    let tokens = pkj.tokens(&server, "alice", &[("resource", R1)]).await;
    let next = Tokens::of(&pkj.refresh(&server, tokens.refresh(), &[]).await);
    assert_eq!(next.claims["client_id"], "pkj");
    // C-CM-22: the key is asked for at every step.
    let nobody = [("client_id", "pkj")];
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", next.refresh())];
    server
        .post("/oauth/token")
        .form(&[&refresh[..], &nobody].concat())
        .send()
        .await
        .assert_refused("invalid_client");
    assert_eq!(reason(&server), "assertion_missing");
    let code = pkj.code(&server, &mut Browser::new(), "alice", &[("resource", R1)]).await;
    let redeem = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", &pkj.redirect_uri),
        ("code_verifier", &pkj.pkce.verifier),
    ];
    server
        .post("/oauth/token")
        .form(&[&redeem[..], &nobody].concat())
        .send()
        .await
        .assert_refused("invalid_client");
    assert_eq!(reason(&server), "assertion_missing");
    Tokens::of(&pkj.redeem(&server, &code, &[]).await);
    Tokens::of(&pkj.refresh(&server, next.refresh(), &[]).await);
}

/// Assertions of `pkj` that prove nothing, each with what the owner is told.
fn worthless(server: &Server) -> Vec<(String, &'static str)> {
    let (pkj, other) = (ClientKey::pkj(), ClientKey::new(AssertionAlgorithm::Es256));
    let good = || ClientKey::claims(server, "pkj");
    let with = |name: &str, value: Value| {
        let mut claims = good();
        claims[name] = value;
        claims
    };
    let now = server.now().as_i64();
    let none = |claims: &Value| {
        let text = pkj.sign(r#"{"alg":"none"}"#, &claims.to_string());
        text.rsplit_once('.').map(|(signed, _)| format!("{signed}.")).expect("three parts")
    };
    let cut = |text: String| text[..text.len() - 2].to_owned();
    let carried = json!({ "alg": "ES256", "kid": "es256", "jwk": other.jwk() }).to_string();
    vec![
        (other.assert(&good()), "assertion_signature_wrong"),
        (named(&other, "unknown", &good()), "assertion_kid_unknown"),
        (named(pkj, "../../etc/passwd", &good()), "assertion_kid_unknown"),
        (named(pkj, "' OR 1=1--", &good()), "assertion_kid_unknown"),
        (named(pkj, "", &good()), "assertion_kid_malformed"),
        (named(pkj, &"k".repeat(257), &good()), "assertion_kid_malformed"),
        (other.sign(&carried, &good().to_string()), "assertion_signature_wrong"),
        (ClientKey::new(AssertionAlgorithm::EdDsa).assert(&good()), "assertion_kid_unknown"),
        (named(&ClientKey::new(AssertionAlgorithm::EdDsa), "es256", &good()), "assertion_algorithm_differs"),
        (none(&good()), "assertion_algorithm_unsupported"),
        (
            pkj.sign(r#"{"alg":"HS256","kid":"es256"}"#, &good().to_string()),
            "assertion_algorithm_unsupported",
        ),
        (pkj.sign(r#"{"alg":"ES256","typ":"at+jwt"}"#, &good().to_string()), "assertion_type_foreign"),
        (pkj.sign(r#"{"alg":"ES256","crit":["x"],"x":1}"#, &good().to_string()), "assertion_header_extended"),
        (pkj.assert(&with("aud", json!(["https://as.test"]))), "assertion_audience_is_list"),
        (pkj.assert(&with("aud", json!("https://as.test/"))), "assertion_audience_wrong"),
        (pkj.assert(&with("aud", json!("https://other.test"))), "assertion_audience_wrong"),
        (pkj.assert(&with("aud", json!("https://as.test/oauth/introspect"))), "assertion_audience_wrong"),
        (pkj.assert(&with("exp", json!(now - 60))), "assertion_expired"),
        (pkj.assert(&with("exp", json!(now + 3661))), "assertion_expiry_too_far"),
        (pkj.assert(&with("nbf", json!(now + 61))), "assertion_from_the_future"),
        (pkj.assert(&with("sub", json!("conf"))), "assertion_subject_differs"),
        (pkj.assert(&with("jti", Value::Null)), "assertion_claim_malformed"),
        (pkj.assert(&with("jti", json!("j".repeat(257)))), "assertion_claim_malformed"),
        (cut(pkj.assert(&good())), "assertion_signature_wrong"),
        (format!("{}=", pkj.assert(&good())), "assertion_not_compact"),
        (format!("{}.", pkj.assert(&good())), "assertion_not_compact"),
        ("x".repeat(8193), "assertion_too_long"),
        (pkj.assert(&ClientKey::claims(server, "conf")), "assertion_unexpected"),
        (pkj.assert(&ClientKey::claims(server, "pub")), "assertion_unexpected"),
        (pkj.assert(&ClientKey::claims(server, "nobody")), "client_unknown"),
        (pkj.assert(&ClientKey::claims(server, "https://nobody.test/x")), "client_unknown"),
    ]
}

#[tokio::test]
async fn c_ja_07_a_jwt_01_to_14_whatever_is_wrong_the_answer_is_one_and_the_same_at_every_endpoint() {
    let server = Server::start().await;
    let mut first = None;
    for path in ENDPOINTS {
        for (assertion, expected) in worthless(&server) {
            let before = server.contents();
            let answer = ask(&server, path, &assertion).await;
            answer.assert_refused("invalid_client");
            assert_eq!(reason(&server), expected, "{path}");
            let told = first.get_or_insert_with(|| answer.body.clone());
            assert_eq!(answer.body, *told, "{path}: {expected}");
            assert_eq!(server.contents(), before, "G6: {path}: {expected}");
        }
        // Guesses are counted, and these are many.
        server.advance(60);
    }
}

#[tokio::test]
async fn c_ja_06_the_type_of_an_assertion_is_exact() {
    let server = Server::start().await;
    let sign = || ClientKey::pkj().assertion(&server, "pkj");
    let right = by_key("")[0].1;
    for wrong in [
        "",
        "urn:ietf:params:oauth:client-assertion-type:saml2-bearer",
        "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "URN:ietf:params:oauth:client-assertion-type:jwt-bearer",
        &format!("{right} "),
        "jwt-bearer",
    ] {
        let assertion = sign();
        let fields = [("client_assertion_type", wrong), ("client_assertion", assertion.as_str())];
        for path in ENDPOINTS {
            let answer = server.post(path).form(&[&ASKED[..], &fields].concat()).send().await;
            answer.assert_refused("invalid_client");
        }
    }
    let assertion = sign();
    for alone in [("client_assertion", assertion.as_str()), ("client_assertion_type", right)] {
        let answer = server.post("/oauth/token").form(&[&ASKED[..], &[alone]].concat()).send().await;
        assert!(matches!(answer.error().as_str(), "invalid_client" | "invalid_request"), "{}", answer.text());
    }
    Tokens::of(&token(&server, &assertion).await);
    for at in 0..2 {
        let assertion = sign();
        let fields = [&ASKED[..], &by_key(&assertion), &by_key(&assertion)[at..][..1]].concat();
        server.post("/oauth/token").form(&fields).send().await.assert_refused("invalid_request");
    }
}

#[tokio::test]
async fn a_jwt_12_c_ja_02_a_name_beside_the_assertion_is_the_same_name() {
    let server = Server::start().await;
    let beside = async |id: &str| {
        let assertion = ClientKey::pkj().assertion(&server, "pkj");
        server
            .post("/oauth/token")
            .form(&[&ASKED[..], &by_key(&assertion), &[("client_id", id)]].concat())
            .send()
            .await
    };
    Tokens::of(&beside("pkj").await);
    for other in ["svc", "pub", "PKJ", "pkj ", "nobody", "usr_x", "a b"] {
        beside(other).await.assert_refused("invalid_client");
        assert_eq!(reason(&server), "client_ids_differ", "{other}");
    }
    // Nothing is read from the query.
    let assertion = ClientKey::pkj().assertion(&server, "pkj");
    let query: String =
        url::form_urlencoded::Serializer::new(String::new()).extend_pairs(by_key(&assertion)).finish();
    let answer = server.post(&format!("/oauth/token?{query}")).form(&ASKED).send().await;
    answer.assert_refused("invalid_client");
    Tokens::of(&token(&server, &assertion).await);
}

/// Two ways of authentication in one request are refused whichever is right, and cost the assertion nothing.
#[tokio::test]
async fn a_ca_16_an_assertion_beside_a_secret_is_refused_and_is_still_good() {
    let server = Server::start().await;
    let assertion = ClientKey::pkj().assertion(&server, "pkj");
    let fields = [&ASKED[..], &by_key(&assertion)].concat();
    for path in ENDPOINTS {
        let ask = || server.post(path);
        ask().basic("svc", SECRET).form(&fields).send().await.assert_refused("invalid_request");
        ask().basic("pkj", "x").form(&fields).send().await.assert_refused("invalid_request");
        ask()
            .header("authorization", "Bearer x")
            .form(&fields)
            .send()
            .await
            .assert_refused("invalid_request");
        for id in ["pkj", "svc"] {
            let secret = [("client_id", id), ("client_secret", SECRET)];
            ask().form(&[&fields[..], &secret].concat()).send().await.assert_refused("invalid_request");
        }
        let empty = [&fields[..], &[("client_secret", "x")]].concat();
        ask().form(&empty).send().await.assert_refused("invalid_request");
    }
    Tokens::of(&token(&server, &assertion).await);
}

#[tokio::test]
async fn a_ca_08_09_a_client_with_keys_has_no_other_way() {
    let server = Server::start().await;
    for path in ENDPOINTS {
        for secret in [SECRET, "x"] {
            let by_header = server.post(path).basic("pkj", secret).form(&ASKED).send().await;
            by_header.assert_refused("invalid_client");
            assert_eq!(reason(&server), "secret_wrong", "{path}");
            let fields = [&ASKED[..], &[("client_id", "pkj"), ("client_secret", secret)]].concat();
            server.post(path).form(&fields).send().await.assert_refused("invalid_client");
            assert_eq!(reason(&server), "secret_wrong", "{path}");
        }
        server.post(path).basic("pkj", "").form(&ASKED).send().await.assert_refused("invalid_client");
        assert_eq!(reason(&server), "assertion_missing", "{path}");
        let fields = [&ASKED[..], &[("client_id", "pkj")]].concat();
        server.post(path).form(&fields).send().await.assert_refused("invalid_client");
        assert_eq!(reason(&server), "assertion_missing", "{path}");
    }
}

#[tokio::test]
async fn a_removed_client_and_a_client_whose_keys_were_taken_are_nobody() {
    let server = Server::start().await;
    let key = ClientKey::new(AssertionAlgorithm::Es256);
    add_machine(&server, "gone", KeySource::Here(KeySet::from_value(&key.jwks()).expect("a key set")));
    Tokens::of(&token(&server, &key.assertion(&server, "gone")).await);
    let fresh = ClientKey::new(AssertionAlgorithm::Es256);
    let jwks = KeySet::from_value(&fresh.jwks()).expect("a key set").to_json();
    server.sql("update clients set jwks = ?1 where id = 'gone'", [jwks]);
    token(&server, &key.assertion(&server, "gone")).await.assert_refused("invalid_client");
    assert_eq!(reason(&server), "assertion_signature_wrong");
    Tokens::of(&token(&server, &fresh.assertion(&server, "gone")).await);
    server.sql("delete from clients where id = 'gone'", []);
    token(&server, &fresh.assertion(&server, "gone")).await.assert_refused("invalid_client");
    assert_eq!(reason(&server), "client_unknown");
}

#[tokio::test]
async fn a_log_02_no_assertion_is_in_the_log_the_audit_or_the_file() {
    let listening = Listening::begin();
    let server = Server::start().await;
    let mut shown = Vec::new();
    for path in ENDPOINTS {
        let good = ClientKey::pkj().assertion(&server, "pkj");
        ask(&server, path, &good).await;
        ask(&server, path, &good).await.assert_refused("invalid_client");
        let bad = ClientKey::new(AssertionAlgorithm::Es256).assertion(&server, "pkj");
        ask(&server, path, &bad).await.assert_refused("invalid_client");
        shown.extend([good, bad]);
    }
    let log = listening.end();
    let lines = log.lines().filter(|line| line.contains(" request ")).count();
    assert_eq!(lines, 3 * ENDPOINTS.len(), "{log}");
    let rows = server.audit();
    assert_eq!(rows.iter().filter(|(event, ..)| event.ends_with(".failure")).count(), 2 * ENDPOINTS.len());
    for text in shown {
        let (signed, signature) = text.rsplit_once('.').expect("a signature");
        let (_, payload) = signed.split_once('.').expect("claims");
        for secret in [signature, payload] {
            assert!(!log.contains(secret), "{secret} in {log}");
            assert!(!format!("{rows:?}").contains(secret), "{secret} in the audit");
            for file in std::fs::read_dir(server.directory.path()).expect("the directory") {
                let path = file.expect("a file").path();
                let bytes = std::fs::read(&path).expect("its bytes");
                assert!(
                    !bytes.windows(secret.len()).any(|window| window == secret.as_bytes()),
                    "{}",
                    path.display()
                );
            }
        }
    }
}
