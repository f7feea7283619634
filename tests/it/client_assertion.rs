//! `private_key_jwt`, the pure part (RFC 7523 2.2): which texts prove that a client signed them for this server and for
//! now. Over the wire each refusal is one and the same 401; here each has to have its own reason.

mod claims;
mod header;
mod keys;
mod problems;
mod spoilt;

use serde_json::{Value, json};
use vestibule::clock::{Seconds, UnixTime};
use vestibule::crypto::public_key::AssertionAlgorithm;
use vestibule::oauth::assertion_problem::AssertionProblem;
use vestibule::oauth::client_assertion::{ClientAssertion, VerifiedAssertion};
use vestibule::oauth::issuer::Issuer;
use vestibule::oauth::key_set::KeySet;

use crate::harness::{ClientKey, ISSUER};

const TOKEN_ENDPOINT: &str = "https://as.test/oauth/token";
const NOW: UnixTime = UnixTime::new(1_800_000_000);

fn issuer() -> Issuer {
    Issuer::parse(ISSUER).expect("the issuer")
}

/// The claims of a good assertion of the client `pkj`.
fn good() -> Value {
    let exp = NOW.plus(Seconds::minutes(5));
    json!({ "iss": "pkj", "sub": "pkj", "aud": ISSUER, "exp": exp, "iat": NOW, "jti": "j-1" })
}

/// The same with one member changed.
fn with(mut object: Value, name: &str, value: impl Into<Value>) -> Value {
    object[name] = value.into();
    object
}

/// The same without a member.
fn without(mut object: Value, name: &str) -> Value {
    object.as_object_mut().expect("an object").remove(name).expect("it was there");
    object
}

fn key_set(jwks: &[Value]) -> KeySet {
    KeySet::parse(json!({ "keys": jwks }).to_string().as_bytes()).expect("a key set")
}

/// The client `pkj`: a key of each kind, and the set in which it publishes them.
struct Pkj {
    rsa: ClientKey,
    p256: ClientKey,
    ed25519: ClientKey,
    published: KeySet,
}

impl Pkj {
    fn new() -> Self {
        let [rsa, p256, ed25519] = ClientKey::of_each_kind();
        let published = key_set(&[rsa.jwk(), p256.jwk(), ed25519.jwk()]);
        Self { rsa, p256, ed25519, published }
    }

    fn keys(&self) -> [&ClientKey; 3] {
        [&self.rsa, &self.p256, &self.ed25519]
    }

    fn key(&self, algorithm: AssertionAlgorithm) -> &ClientKey {
        self.keys().into_iter().find(|key| key.algorithm() == algorithm).expect("one of each kind")
    }

    /// What becomes of a text, with both steps in a row.
    fn judge(&self, text: &str) -> Result<VerifiedAssertion, AssertionProblem> {
        ClientAssertion::parse(text)?.verify(&self.published, &issuer(), TOKEN_ENDPOINT, NOW)
    }

    #[track_caller]
    fn assert_good(&self, text: &str, what: impl std::fmt::Display) {
        match self.judge(text) {
            Ok(verified) => assert_eq!(verified.client_id().as_str(), "pkj", "{what}"),
            Err(why) => panic!("{what}: {why}"),
        }
    }

    #[track_caller]
    fn assert_refused(&self, text: &str, reason: &str, what: impl std::fmt::Display) {
        match self.judge(text) {
            Ok(_) => panic!("accepted: {what}"),
            Err(why) => assert_eq!(why.reason(), reason, "{what}: {why}"),
        }
    }
}

#[test]
fn a_client_is_known_by_a_signature_of_any_of_its_keys() {
    let pkj = Pkj::new();
    for key in pkj.keys() {
        let text = key.assert(&good());
        let assertion = ClientAssertion::parse(&text).unwrap();
        assert_eq!(assertion.unverified_client_id().as_str(), "pkj");
        pkj.assert_good(&text, key.kid());
        let nameless = json!({ "alg": key.algorithm().as_str() }).to_string();
        pkj.assert_good(&key.sign(&nameless, &good().to_string()), "without kid");
        assert!(
            !format!("{assertion:?}").contains(text.rsplit('.').next().unwrap()),
            "no log shows a credential"
        );
    }
}
