//! Key sets, good and bad; the ids are those of the catalogue of attacks.

use serde_json::json;

use super::*;
use crate::crypto::digest::to_base64url;

/// RFC 8037 A.2.
fn ed25519() -> Value {
    json!({ "kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" })
}

/// RFC 7515 A.3.
fn p256() -> Value {
    let (x, y) =
        ("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0");
    json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y })
}

fn rsa() -> Value {
    json!({ "kty": "RSA", "n": to_base64url(&[0xff; 256]), "e": "AQAB" })
}

fn with(mut key: Value, name: &str, value: impl Into<Value>) -> Value {
    key[name] = value.into();
    key
}

fn set(keys: &[Value]) -> Result<KeySet, KeySetProblem> {
    KeySet::parse(json!({ "keys": keys }).to_string().as_bytes())
}

fn algorithms(set: &KeySet) -> Vec<&'static str> {
    set.keys.iter().map(|key| key.public.algorithm().as_str()).collect()
}

#[test]
fn a_set_is_kept_in_one_spelling_and_read_back_the_same() {
    let mixed = [
        with(with(rsa(), "alg", "RS256"), "kid", "r"),
        with(with(ed25519(), "x5c", json!(["MII"])), "use", "sig"),
        with(with(p256(), "kid", "e"), "key_ops", json!(["verify"])),
    ];
    let one = set(&mixed).unwrap();
    let mut turned = mixed.clone();
    turned.reverse();
    let other = set(&turned).unwrap();
    assert_eq!(one, other);
    assert_eq!(one.to_json(), other.to_json());
    assert_eq!(KeySet::parse(one.to_json().as_bytes()), Ok(one.clone()));
    assert_eq!(KeySet::from_value(&json!({ "keys": mixed })), Ok(one.clone()));
    let (n, e) = (rsa()["n"].clone(), p256());
    let expected = json!({ "keys": [with(e, "kid", "e"), { "kid": "r", "kty": "RSA", "n": n, "e": "AQAB" }, ed25519()] });
    assert_eq!(serde_json::from_str::<Value>(&one.to_json()).unwrap(), expected);
    assert_ne!(set(&[p256()]), set(&[with(p256(), "kid", "e")]));
    assert_ne!(set(&[p256()]), set(&[ed25519()]));
}

#[test]
fn the_same_key_twice_is_one_key() {
    let twice = set(&[with(p256(), "kid", "a"), with(p256(), "kid", "a")]).unwrap();
    assert_eq!(Ok(&twice), set(&[with(p256(), "kid", "a")]).as_ref());
    assert!(twice.candidates(Some("a"), AssertionAlgorithm::Es256).is_ok());
    let zeros = with(rsa(), "n", to_base64url(&[&[0, 0][..], &[0xff; 256]].concat()));
    assert_eq!(set(&[rsa(), zeros]), set(&[rsa()]));
}

#[test]
fn keys_that_are_for_others_or_for_something_else_are_passed_over() {
    let long = "k".repeat(257);
    let strangers = [
        json!({}),
        json!({ "kty": 1 }),
        json!({ "kty": "AKP", "alg": "ML-DSA-44", "pub": "AAAA" }),
        json!({ "kty": "rsa", "n": rsa()["n"], "e": "AQAB" }),
        json!({ "kty": "EC", "crv": "P-384", "x": "AA", "y": "AA" }),
        json!({ "kty": "EC", "crv": "secp256k1", "x": p256()["x"], "y": p256()["y"] }),
        json!({ "kty": "OKP", "crv": "X25519", "x": ed25519()["x"] }),
        json!({ "kty": "OKP", "crv": "P-256", "x": p256()["x"], "y": p256()["y"] }),
        with(p256(), "use", "enc"),
        with(p256(), "use", "SIG"),
        with(p256(), "use", 1),
        with(p256(), "use", Value::Null),
        with(p256(), "alg", "ES256K"),
        with(p256(), "alg", "RS256"),
        with(p256(), "alg", "none"),
        with(rsa(), "alg", "PS256"),
        with(rsa(), "alg", "RS512"),
        with(rsa(), "alg", "ES256"),
        with(rsa(), "alg", ""),
        with(ed25519(), "alg", "ES256"),
        with(p256(), "key_ops", json!([])),
        with(p256(), "key_ops", json!(["sign", "encrypt"])),
        with(p256(), "key_ops", "verify"),
        with(p256(), "kid", ""),
        with(p256(), "kid", long),
        with(p256(), "kid", 7),
        with(p256(), "y", Value::Null),
        with(p256(), "x", to_base64url(&[7; 31])),
        with(p256(), "x", to_base64url(&[7; 33])),
        with(p256(), "x", "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU="),
        with(p256(), "x", "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEV"),
        with(p256(), "x", "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVE+"),
        with(ed25519(), "x", to_base64url(&[0; 32])),
        with(rsa(), "n", to_base64url(&[0xff; 255])),
        with(rsa(), "n", to_base64url(&[0xff; 1025])),
        with(rsa(), "e", "Ag"),
        with(rsa(), "e", "AQ"),
    ];
    for stranger in strangers {
        let alone = set(std::slice::from_ref(&stranger));
        assert!(matches!(alone, Err(KeySetProblem::NoUsableKey(Some(_)))), "{stranger} {alone:?}");
        let beside = set(&[stranger.clone(), with(ed25519(), "alg", "EdDSA")]).unwrap();
        assert_eq!(algorithms(&beside), ["EdDSA"], "{stranger}");
    }
    assert_eq!(set(&[]), Err(KeySetProblem::NoUsableKey(None)));
}

#[test]
fn a_jwt_17_a_private_member_anywhere_refuses_the_whole_set() {
    for member in ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"] {
        for value in [json!("AAAA"), json!(""), Value::Null, json!([])] {
            for holder in [rsa(), with(p256(), "use", "enc"), json!({ "kty": "oct" }), json!({})] {
                let keys = [ed25519(), with(holder, member, value.clone())];
                assert_eq!(set(&keys), Err(KeySetProblem::PrivateKey), "{keys:?}");
            }
        }
    }
}

#[test]
fn a_jwt_17_a_set_of_another_shape_or_size_is_refused() {
    let spaces = format!("{}{}", json!({ "keys": [p256()] }), " ".repeat(LENGTH_MAX));
    assert_eq!(KeySet::parse(spaces.as_bytes()), Err(KeySetProblem::TooLong));
    assert!(KeySet::parse(&spaces.as_bytes()[..LENGTH_MAX]).is_ok());
    let nth = |n: usize| with(p256(), "kid", n.to_string());
    assert_eq!(set(&(0..20).map(nth).collect::<Vec<_>>()).unwrap().keys.len(), 20);
    assert_eq!(set(&(0..21).map(nth).collect::<Vec<_>>()), Err(KeySetProblem::TooManyKeys(21)));
    for wrong in [
        p256(),
        json!([p256()]),
        json!({}),
        json!({ "Keys": [p256()] }),
        json!({ "keys": p256() }),
        json!({ "keys": null }),
        json!({ "keys": [p256(), 1] }),
        json!({ "keys": [[p256()]] }),
        json!("keys"),
    ] {
        assert_eq!(KeySet::from_value(&wrong), Err(KeySetProblem::NotAKeySet), "{wrong}");
    }
    let key = p256().to_string();
    for wrong in [
        format!(r#"{{"keys":[{key}],"keys":[{key}]}}"#),
        format!(r#"{{"keys":[{}]}}"#, key.replacen('{', r#"{"kty":"EC","#, 1)),
        format!(r#"{{"keys":[{key}],"more":{{"a":1,"a":1}}}}"#),
        format!(r#"{{"keys":[{key}]"#),
        "<html>".to_owned(),
        String::new(),
    ] {
        let refused = KeySet::parse(wrong.as_bytes());
        assert!(matches!(refused, Err(KeySetProblem::NotJson(_))), "{wrong} {refused:?}");
    }
}

#[test]
fn a_jwt_05_a_kid_names_exactly_one_key() {
    use AssertionAlgorithm::{EdDsa, Es256, Rs256};
    let keys = set(&[
        with(p256(), "kid", "one"),
        with(ed25519(), "kid", "two"),
        with(rsa(), "kid", "two"),
        with(rsa(), "kid", "\' OR 1=1--"),
        with(with(ed25519(), "use", "enc"), "kid", "one"),
    ])
    .unwrap();
    let one = keys.candidates(Some("one"), Es256).unwrap();
    assert_eq!(one.iter().map(|key| key.algorithm()).collect::<Vec<_>>(), [Es256]);
    let differs = NoKey::AlgorithmDiffers { kid: "one".to_owned(), key: Es256, assertion: Rs256 };
    assert_eq!(keys.candidates(Some("one"), Rs256), Err(differs));
    for algorithm in [EdDsa, Rs256, Es256] {
        assert_eq!(keys.candidates(Some("two"), algorithm), Err(NoKey::KidRepeated("two".to_owned())));
    }
    for unknown in ["", "One", "one ", "../../etc/passwd", "%", "*"] {
        assert_eq!(keys.candidates(Some(unknown), Es256), Err(NoKey::KidUnknown(unknown.to_owned())));
    }
    assert_eq!(
        set(&[p256()]).unwrap().candidates(Some("one"), Es256),
        Err(NoKey::KidUnknown("one".to_owned()))
    );
}

#[test]
fn without_a_kid_the_keys_of_the_algorithm_are_tried_if_they_are_few() {
    use AssertionAlgorithm::{EdDsa, Es256, Rs256};
    let nth = |n: u8| with(ed25519(), "x", to_base64url(&[n; 32]));
    let keys: Vec<Value> = (2..6).map(nth).chain([with(p256(), "kid", "e")]).collect();
    let few = set(&keys).unwrap();
    assert_eq!(few.candidates(None, EdDsa).unwrap().len(), 4);
    assert_eq!(few.candidates(None, Es256).unwrap().len(), 1, "a key with a name may go unnamed");
    assert_eq!(few.candidates(None, Rs256), Err(NoKey::AlgorithmUnknown(Rs256)));
    let many = set(&[&keys[..], &[nth(6)]].concat()).unwrap();
    assert_eq!(many.candidates(None, EdDsa), Err(NoKey::KidMissing(5)));
}
