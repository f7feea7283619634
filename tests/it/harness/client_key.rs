//! A key with which a client signs its assertions: what its machine has, and the server never sees.

use std::sync::OnceLock;

use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use serde_json::{Value, json};
use vestibule::crypto::digest::{from_base64, to_base64url};
use vestibule::crypto::public_key::AssertionAlgorithm;

use super::Server;
use super::server::ISSUER;

const RSA_PEM: &str = include_str!("../../vectors/test_key_rsa_2048.pem");

/// A key pair, named by its algorithm in lower case.
pub struct ClientKey(Pair);

enum Pair {
    Rsa(RsaKeyPair),
    P256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl ClientKey {
    /// A new key; the RSA key is always the one under `tests/vectors`.
    pub fn new(algorithm: AssertionAlgorithm) -> Self {
        let random = SystemRandom::new();
        Self(match algorithm {
            AssertionAlgorithm::Rs256 => {
                Pair::Rsa(RsaKeyPair::from_pkcs8(&of_pem(RSA_PEM)).expect("the RSA key"))
            }
            AssertionAlgorithm::Es256 => {
                let signing = &ECDSA_P256_SHA256_FIXED_SIGNING;
                let pkcs8 = EcdsaKeyPair::generate_pkcs8(signing, &random).expect("a P-256 key");
                Pair::P256(EcdsaKeyPair::from_pkcs8(signing, pkcs8.as_ref(), &random).expect("its own key"))
            }
            AssertionAlgorithm::EdDsa => {
                let pkcs8 = Ed25519KeyPair::generate_pkcs8(&random).expect("an Ed25519 key");
                Pair::Ed25519(Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).expect("its own key"))
            }
        })
    }

    /// The key of the fixture `pkj`.
    pub fn pkj() -> &'static Self {
        static KEY: OnceLock<ClientKey> = OnceLock::new();
        KEY.get_or_init(|| Self::new(AssertionAlgorithm::Es256))
    }

    /// One of each kind.
    pub fn of_each_kind() -> [Self; 3] {
        AssertionAlgorithm::ALL.map(Self::new)
    }

    pub fn algorithm(&self) -> AssertionAlgorithm {
        match self.0 {
            Pair::Rsa(_) => AssertionAlgorithm::Rs256,
            Pair::P256(_) => AssertionAlgorithm::Es256,
            Pair::Ed25519(_) => AssertionAlgorithm::EdDsa,
        }
    }

    pub fn kid(&self) -> String {
        self.algorithm().as_str().to_lowercase()
    }

    /// The public half as the client publishes it.
    pub fn jwk(&self) -> Value {
        let kid = self.kid();
        match &self.0 {
            Pair::Rsa(pair) => {
                let public = ring::rsa::PublicKeyComponents::<Vec<u8>>::from(pair.public());
                json!({ "kty": "RSA", "kid": kid, "n": to_base64url(&public.n), "e": to_base64url(&public.e) })
            }
            Pair::P256(pair) => {
                let point = pair.public_key().as_ref();
                let (x, y) = (to_base64url(&point[1..33]), to_base64url(&point[33..]));
                json!({ "kty": "EC", "crv": "P-256", "kid": kid, "x": x, "y": y })
            }
            Pair::Ed25519(pair) => {
                json!({ "kty": "OKP", "crv": "Ed25519", "kid": kid, "x": to_base64url(pair.public_key().as_ref()) })
            }
        }
    }

    /// A key set with this key alone.
    pub fn jwks(&self) -> Value {
        json!({ "keys": [self.jwk()] })
    }

    /// The claims of a good assertion, to be changed by a test.
    pub fn claims(server: &Server, client_id: &str) -> Value {
        let now = server.now().as_i64();
        let jti = to_base64url(&vestibule::crypto::random::bytes::<16>());
        json!({ "iss": client_id, "sub": client_id, "aud": ISSUER, "iat": now, "exp": now + 300, "jti": jti })
    }

    /// A good assertion of this client.
    pub fn assertion(&self, server: &Server, client_id: &str) -> String {
        self.assert(&Self::claims(server, client_id))
    }

    /// The signature of some bytes, as JWS spells it.
    pub fn signature_of(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.0 {
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature).expect("a signature");
                signature
            }
            Pair::P256(pair) => pair.sign(&random, message).expect("a signature").as_ref().to_vec(),
            Pair::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }

    /// A compact JWS of any two texts, whatever they are.
    pub fn sign(&self, header: &str, payload: &str) -> String {
        let signed = format!("{}.{}", to_base64url(header.as_bytes()), to_base64url(payload.as_bytes()));
        let signature = self.signature_of(signed.as_bytes());
        format!("{signed}.{}", to_base64url(&signature))
    }

    /// A JWT of these claims, under a header that names the key and no more than it must.
    pub fn assert(&self, claims: &Value) -> String {
        let header = json!({ "alg": self.algorithm().as_str(), "kid": self.kid() });
        self.sign(&header.to_string(), &claims.to_string())
    }
}

/// The bytes between the lines of a PEM file (RFC 7468).
fn of_pem(text: &str) -> Vec<u8> {
    let body = text.lines().skip_while(|line| !line.starts_with("-----BEGIN")).skip(1);
    let base64: String = body.take_while(|line| !line.starts_with("-----END")).collect();
    from_base64(&base64).expect("base64 between the lines")
}
