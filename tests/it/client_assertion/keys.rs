//! Keys and signatures: whose they are, and every form in which a wrong one might pass.

use serde_json::json;
use vestibule::crypto::digest::{from_base64url, to_base64url};
use vestibule::crypto::public_key::AssertionAlgorithm;
use vestibule::oauth::assertion_problem::AssertionProblem;
use vestibule::oauth::client_assertion::ClientAssertion;
use vestibule::oauth::key_set::NoKey;

use super::{NOW, Pkj, TOKEN_ENDPOINT, good, issuer, key_set, with};
use crate::harness::ClientKey;

/// The order of P-256's group (SEC 2 2.4.2), big-endian.
const P256_ORDER: &str = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
/// The order of Ed25519's group (RFC 8032 5.1), little-endian.
const ED25519_ORDER: &str = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";

fn hex(text: &str) -> [u8; 32] {
    std::array::from_fn(|at| u8::from_str_radix(&text[at * 2..at * 2 + 2], 16).expect("hexadecimal"))
}

/// `one - other`, little-endian, without a borrow at the end.
fn minus<'a>(one: impl Iterator<Item = &'a u8>, other: impl Iterator<Item = &'a u8>) -> Vec<u8> {
    let mut borrow = 0;
    let difference = one.zip(other).map(|(one, other)| {
        let digit = i16::from(*one) - i16::from(*other) - borrow;
        borrow = i16::from(digit < 0);
        u8::try_from(digit & 0xff).expect("masked")
    });
    difference.collect()
}

/// `one + other`, little-endian, without a carry at the end.
fn plus<'a>(one: impl Iterator<Item = &'a u8>, other: impl Iterator<Item = &'a u8>) -> Vec<u8> {
    let mut carry = 0;
    let sum = one.zip(other).map(|(one, other)| {
        let digit = u16::from(*one) + u16::from(*other) + carry;
        carry = digit >> 8;
        u8::try_from(digit & 0xff).expect("masked")
    });
    sum.collect()
}

/// Header and claims, and the bytes of the signature.
fn taken_apart(text: &str) -> (&str, Vec<u8>) {
    let (signed, signature) = text.rsplit_once('.').expect("three parts");
    (signed, from_base64url(signature).expect("base64url"))
}

fn put_together(signed: &str, signature: &[u8]) -> String {
    format!("{signed}.{}", to_base64url(signature))
}

/// The two numbers as ASN.1 has them (RFC 3279 2.2.3), as most libraries give them.
fn der(signature: &[u8]) -> Vec<u8> {
    let integer = |number: &[u8]| {
        let mut bytes: Vec<u8> = number.iter().copied().skip_while(|byte| *byte == 0).collect();
        if bytes.first().is_none_or(|first| *first >= 0x80) {
            bytes.insert(0, 0);
        }
        [&[2, u8::try_from(bytes.len()).expect("short")], &bytes[..]].concat()
    };
    let body = [integer(&signature[..32]), integer(&signature[32..])].concat();
    [&[0x30, u8::try_from(body.len()).expect("short")], &body[..]].concat()
}

#[test]
fn a_jwt_18_numbers_that_are_no_ecdsa_signature() {
    let pkj = Pkj::new();
    let text = pkj.p256.assert(&good());
    let (signed, signature) = taken_apart(&text);
    let (r, s) = signature.split_at(32);
    let (zero, one, order, all) = ([0; 32], hex(&format!("{:0>64}", 1)), hex(P256_ORDER), [0xff; 32]);
    for half in [&zero, &one, &order, &all] {
        for forged in [[&half[..], half].concat(), [&half[..], s].concat(), [r, &half[..]].concat()] {
            let text = put_together(signed, &forged);
            pkj.assert_refused(&text, "assertion_signature_wrong", format!("{forged:02x?}"));
        }
    }
    pkj.assert_refused(&put_together(signed, &[s, r].concat()), "assertion_signature_wrong", "s, r");
    pkj.assert_refused(&put_together(signed, &der(&signature)), "assertion_signature_wrong", "DER");
    for wrong in [
        vec![],
        vec![0],
        r.to_vec(),
        signature[..63].to_vec(),
        [&signature[..], &[0]].concat(),
        [&[0], &signature[..]].concat(),
        [&[0], r, &[0], s].concat(),
        signature.repeat(2),
        vec![0; 96],
        vec![0; 132],
    ] {
        let text = put_together(signed, &wrong);
        pkj.assert_refused(&text, "assertion_signature_wrong", format!("{} bytes", wrong.len()));
    }
}

/// Whoever sees a signature can write it a second way, and half of all signers' own are the higher of the two, so
/// both are good. The assertion is remembered by its `jti`: the second form buys no second use.
#[test]
fn a_jwt_18_the_other_form_of_a_signature_is_the_same_assertion() {
    let pkj = Pkj::new();
    let text = pkj.p256.assert(&good());
    let (signed, signature) = taken_apart(&text);
    let (r, s) = signature.split_at(32);
    let mut other_s = minus(hex(P256_ORDER).iter().rev(), s.iter().rev());
    other_s.reverse();
    let other = put_together(signed, &[r, &other_s].concat());
    assert_ne!(other, text);
    let [one, other] = [text, other].map(|text| pkj.judge(&text).expect("a good signature"));
    assert_eq!(one.jti_hash(), other.jti_hash());
}

#[test]
fn a_jwt_18_the_other_kinds_have_no_other_form() {
    let pkj = Pkj::new();
    let text = pkj.ed25519.assert(&good());
    let (signed, signature) = taken_apart(&text);
    let (r, s) = signature.split_at(32);
    let higher = plus(s.iter(), hex(ED25519_ORDER).iter());
    let negated = minus(hex(ED25519_ORDER).iter(), s.iter());
    for forged in [higher, negated, vec![0; 32], vec![0xff; 32], hex(ED25519_ORDER).to_vec()] {
        let text = put_together(signed, &[r, &forged].concat());
        pkj.assert_refused(&text, "assertion_signature_wrong", format!("{forged:02x?}"));
    }
    pkj.assert_refused(&put_together(signed, &[0; 64]), "assertion_signature_wrong", "zero");

    let text = pkj.rsa.assert(&good());
    let (signed, signature) = taken_apart(&text);
    let n = from_base64url(pkj.rsa.jwk()["n"].as_str().unwrap()).unwrap();
    let mut negated = minus(n.iter().rev(), signature.iter().rev());
    negated.reverse();
    let mut sum = plus([&[0], &n[..]].concat().iter().rev(), [&[0], &signature[..]].concat().iter().rev());
    sum.reverse();
    let one = [vec![0; 255], vec![1]].concat();
    for forged in
        [negated, sum, one, n.clone(), vec![0; 256], [&[0], &signature[..]].concat(), signature[1..].to_vec()]
    {
        pkj.assert_refused(
            &put_together(signed, &forged),
            "assertion_signature_wrong",
            format!("{forged:02x?}"),
        );
    }
}

#[test]
fn c_ja_05_a_key_of_somebody_else_signs_for_nobody_here() {
    let pkj = Pkj::new();
    for algorithm in [AssertionAlgorithm::Es256, AssertionAlgorithm::EdDsa] {
        let evil = ClientKey::new(algorithm);
        pkj.assert_refused(&evil.assert(&good()), "assertion_signature_wrong", algorithm);
        let nameless = evil.sign(&json!({ "alg": algorithm.as_str() }).to_string(), &good().to_string());
        pkj.assert_refused(&nameless, "assertion_signature_wrong", algorithm);
    }
}

#[test]
fn c_ja_05_a_signature_is_for_its_own_header_and_claims() {
    let pkj = Pkj::new();
    for key in pkj.keys() {
        let (text, other) = (key.assert(&good()), key.assert(&with(good(), "jti", "j-2")));
        let typed = json!({ "alg": key.algorithm().as_str(), "kid": key.kid(), "typ": "JWT" }).to_string();
        let typed = key.sign(&typed, &good().to_string());
        for (one, another) in [(&text, &other), (&other, &text), (&text, &typed), (&typed, &text)] {
            let swapped = put_together(taken_apart(one).0, &taken_apart(another).1);
            pkj.assert_refused(&swapped, "assertion_signature_wrong", key.kid());
        }
    }
}

#[test]
fn a_jwt_17_a_key_that_was_taken_away_signs_no_more() {
    let pkj = Pkj::new();
    let text = pkj.p256.assert(&good());
    pkj.assert_good(&text, "before");
    let rotated = ClientKey::new(AssertionAlgorithm::Es256);
    let jwk = with(rotated.jwk(), "kid", "es256-2");
    let pkj = Pkj { published: key_set(&[jwk, pkj.rsa.jwk()]), ..pkj };
    pkj.assert_refused(&text, "assertion_kid_unknown", "after");
    let nameless = pkj.p256.sign(r#"{"alg":"ES256"}"#, &good().to_string());
    pkj.assert_refused(&nameless, "assertion_signature_wrong", "after, without a name");
    let nameless = pkj.ed25519.sign(r#"{"alg":"EdDSA"}"#, &good().to_string());
    pkj.assert_refused(&nameless, "assertion_algorithm_without_key", "a kind that is no more");
}

/// One text, first with the keys as remembered, then with those that the client has published since.
#[test]
fn a_jwt_17_keys_fetched_anew_are_tried_with_the_same_text() {
    let pkj = Pkj::new();
    let (old, new) = (key_set(&[pkj.rsa.jwk()]), &pkj.published);
    for header in [r#"{"alg":"ES256","kid":"es256"}"#, r#"{"alg":"ES256"}"#] {
        let assertion = ClientAssertion::parse(&pkj.p256.sign(header, &good().to_string())).unwrap();
        let why = assertion.verify(&old, &issuer(), TOKEN_ENDPOINT, NOW).unwrap_err();
        assert!(why.fresh_keys_may_help(), "{why}");
        assert!(assertion.verify(new, &issuer(), TOKEN_ENDPOINT, NOW).is_ok());
    }
}

#[test]
fn only_a_missing_key_makes_it_worth_while_to_fetch_keys_anew() {
    let es256 = AssertionAlgorithm::Es256;
    let kid = || "k".to_owned();
    for (why, help) in [
        (AssertionProblem::NoKey(NoKey::KidUnknown(kid())), true),
        (AssertionProblem::NoKey(NoKey::AlgorithmUnknown(es256)), true),
        (AssertionProblem::SignatureWrong { kid: None }, true),
        (AssertionProblem::SignatureWrong { kid: Some(kid()) }, false),
        (AssertionProblem::NoKey(NoKey::KidRepeated(kid())), false),
        (AssertionProblem::NoKey(NoKey::KidMissing(5)), false),
        (
            AssertionProblem::NoKey(NoKey::AlgorithmDiffers { kid: kid(), key: es256, assertion: es256 }),
            false,
        ),
        (AssertionProblem::NotCompact, false),
        (AssertionProblem::Expired { exp: NOW, iat: None, now: NOW }, false),
    ] {
        assert_eq!(why.fresh_keys_may_help(), help, "{why:?}");
    }
}

/// A stranger who knows no key must not be able to make the server check signatures, or fetch key sets, with texts that
/// could not be good in any case.
#[test]
fn what_is_cheap_is_looked_at_before_the_keys() {
    let pkj = Pkj::new();
    let evil = ClientKey::new(AssertionAlgorithm::Es256);
    for (claims, reason) in [
        (with(good(), "aud", "https://other.test"), "assertion_audience_wrong"),
        (with(good(), "exp", 1), "assertion_expired"),
        (with(good(), "nbf", NOW.as_i64() + 3600), "assertion_from_the_future"),
        (with(good(), "jti", ""), "assertion_claim_malformed"),
    ] {
        for header in [r#"{"alg":"ES256","kid":"unknown"}"#, r#"{"alg":"ES256","kid":"es256"}"#] {
            pkj.assert_refused(&evil.sign(header, &claims.to_string()), reason, &claims);
        }
    }
}

/// Each sentence says what is wrong, and shows a stranger's words in a form that no log line trips over.
#[test]
fn the_owner_is_told_which_key_is_missing() {
    let pkj = Pkj::new();
    let sentence = |header: serde_json::Value| {
        pkj.judge(&pkj.p256.sign(&header.to_string(), &good().to_string())).unwrap_err().to_string()
    };
    let unknown = sentence(json!({ "alg": "ES256", "kid": "k\n\u{202e}\"9" }));
    assert!(unknown.contains(r#"the kid "k\n\u{202e}\"9""#), "{unknown}");
    let differs = sentence(json!({ "alg": "ES256", "kid": "rs256" }));
    assert!(differs.contains(r#"the kid "rs256" is for RS256, and the assertion says ES256"#), "{differs}");
    let unsupported = sentence(json!({ "alg": "PS256" }));
    assert!(unsupported.contains(r#"the alg "PS256": sign it with RS256, ES256 or EdDSA"#), "{unsupported}");
    let long = sentence(json!({ "alg": "A".repeat(4_000) }));
    assert!(long.chars().count() < 400, "{long}");
}
