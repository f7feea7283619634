//! Signs tokens of any shape, so that the resource server can be tested without Vestibule.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};

/// An issuer with one key of either kind: `p` for ES256 and `e` for EdDSA.
pub(super) struct StandInIssuer {
    random: SystemRandom,
    p256: EcdsaKeyPair,
    ed25519: Ed25519KeyPair,
}

impl StandInIssuer {
    pub(super) fn new() -> Self {
        let random = SystemRandom::new();
        let p256 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let p256 =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, p256.as_ref(), &random).unwrap();
        let ed25519 = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
        let ed25519 = Ed25519KeyPair::from_pkcs8(ed25519.as_ref()).unwrap();
        Self { random, p256, ed25519 }
    }

    /// The public keys as a JWKS document, with a key of a kind that nobody here knows.
    pub(super) fn jwks(&self) -> String {
        let (x, y) = self.p256.public_key().as_ref()[1..].split_at(32);
        let ed25519 = encode(self.ed25519.public_key());
        json!({ "keys": [
            { "kty": "EC", "crv": "P-256", "alg": "ES256", "kid": "p", "x": encode(x), "y": encode(y) },
            { "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "kid": "e", "x": ed25519 },
            { "kty": "RSA", "kid": "r", "n": "AQAB", "e": "AQAB" },
        ] })
        .to_string()
    }

    /// A token signed by the key `e` if the header names it, by `p` otherwise.
    pub(super) fn token(&self, header: &Value, claims: &Value) -> String {
        let signed = format!("{}.{}", encode(header.to_string()), encode(claims.to_string()));
        let signature = match header["kid"].as_str() {
            Some("e") => self.ed25519.sign(signed.as_bytes()).as_ref().to_vec(),
            _ => self.p256.sign(&self.random, signed.as_bytes()).unwrap().as_ref().to_vec(),
        };
        format!("{signed}.{}", encode(signature))
    }
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
