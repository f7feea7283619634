//! Each check of the verifier by a token that fails only that one.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::super::stand_in_issuer::StandInIssuer;
use super::{AccessToken, Refused, Verifier};

const ISSUER: &str = "http://127.0.0.1:1";
const RESOURCE: &str = "http://127.0.0.1:2/mcp";
const NOW: i64 = 1_800_000_000;

fn verifier(issuer: &StandInIssuer) -> Verifier {
    Verifier::new(ISSUER, RESOURCE, &issuer.jwks())
}

fn verify(issuer: &StandInIssuer, header: &Value, claims: &Value) -> Result<AccessToken, Refused> {
    verifier(issuer).verify(&issuer.token(header, claims), NOW)
}

fn header() -> Value {
    json!({ "alg": "ES256", "typ": "at+jwt", "kid": "p" })
}

fn claims() -> Value {
    json!({
        "iss": ISSUER, "aud": RESOURCE, "sub": "u1", "exp": NOW + 1, "iat": NOW, "jti": "j1",
        "client_id": "c1", "scope": "read write",
    })
}

/// `value` with one member changed.
fn with(mut value: Value, name: &str, to: impl Into<Value>) -> Value {
    value[name] = to.into();
    value
}

#[test]
fn good_tokens_of_both_algorithms_are_taken() {
    let issuer = StandInIssuer::new();
    let token = verify(&issuer, &header(), &claims()).unwrap();
    assert_eq!((token.sub.as_str(), token.client_id.as_str(), token.jti.as_str()), ("u1", "c1", "j1"));
    assert!(token.has_scope("read") && token.has_scope("write") && !token.has_scope("rea"));
    assert_eq!(token.lifetime(), 1);

    let eddsa = json!({ "alg": "EdDSA", "typ": "application/at+jwt", "kid": "e" });
    let several = with(claims(), "aud", json!(["http://127.0.0.1:3", RESOURCE]));
    assert_eq!(verify(&issuer, &eddsa, &several).unwrap().audience(), ["http://127.0.0.1:3", RESOURCE]);
}

#[test]
fn each_wrong_claim_is_refused_for_itself() {
    let issuer = StandInIssuer::new();
    let cases = [
        ("iss", json!("http://127.0.0.1:1/"), Refused::WrongIssuer),
        ("aud", json!("http://127.0.0.1:2"), Refused::WrongAudience),
        ("aud", json!([]), Refused::WrongAudience),
        ("exp", json!(NOW), Refused::Expired),
        ("iat", json!(NOW + 1), Refused::FromTheFuture),
        ("sub", json!(null), Refused::NotAJwt),
    ];
    for (name, value, why) in cases {
        let refused = verify(&issuer, &header(), &with(claims(), name, value.clone()));
        assert_eq!(refused, Err(why), "{name} = {value}");
    }
}

#[test]
fn each_wrong_header_is_refused_for_itself() {
    let issuer = StandInIssuer::new();
    let cases = [
        ("typ", json!("JWT"), Refused::NotAnAccessToken),
        ("typ", json!(null), Refused::NotAnAccessToken),
        ("kid", json!("r"), Refused::UnknownKey),
        ("kid", json!(null), Refused::UnknownKey),
        ("alg", json!("none"), Refused::WrongAlgorithm),
        ("alg", json!("EdDSA"), Refused::WrongAlgorithm),
    ];
    for (name, value, why) in cases {
        let refused = verify(&issuer, &with(header(), name, value.clone()), &claims());
        assert_eq!(refused, Err(why), "{name} = {value}");
    }
}

#[test]
fn a_changed_or_foreign_signature_is_refused() {
    let issuer = StandInIssuer::new();
    let token = issuer.token(&header(), &claims());
    assert_eq!(verifier(&StandInIssuer::new()).verify(&token, NOW), Err(Refused::BadSignature));

    let (signed, signature) = token.rsplit_once('.').unwrap();
    let (head, _) = signed.split_once('.').unwrap();
    let wider = URL_SAFE_NO_PAD.encode(with(claims(), "scope", "admin").to_string());
    let forged = format!("{head}.{wider}.{signature}");
    assert_eq!(verifier(&issuer).verify(&forged, NOW), Err(Refused::BadSignature));
    assert_eq!(verifier(&issuer).verify(signed, NOW), Err(Refused::NotAJwt));
    assert_eq!(verifier(&issuer).verify(&format!("{signed}."), NOW), Err(Refused::BadSignature));
}
