//! Somebody with a private key: a client that authenticates by it (RFC 7523 2.2).

use std::sync::OnceLock;

use serde_json::{Value, json};
use vestibule::crypto::jwk::Algorithm;
use vestibule::crypto::jws::SigningKey;

use super::Server;
use super::server::ISSUER;

/// A key, and what it signs.
pub struct KeyHolder(SigningKey);

impl KeyHolder {
    pub fn new() -> Self {
        Self::of(Algorithm::Es256)
    }

    pub fn of(algorithm: Algorithm) -> Self {
        let pkcs8 = SigningKey::generate(algorithm);
        Self(SigningKey::from_pkcs8(algorithm, &pkcs8, "JWT").expect("a fresh key"))
    }

    /// The one of the fixture `pkj`.
    pub fn pkj() -> &'static Self {
        static HOLDER: OnceLock<KeyHolder> = OnceLock::new();
        HOLDER.get_or_init(Self::new)
    }

    /// The public half.
    pub fn jwk(&self) -> Value {
        serde_json::to_value(self.0.jwk()).expect("a key is JSON")
    }

    /// A key set with this key alone.
    pub fn jwks(&self) -> Value {
        json!({ "keys": [self.jwk()] })
    }

    /// The claims of a good assertion, to be changed by a test.
    pub fn claims(server: &Server, client_id: &str) -> Value {
        let now = server.now().as_i64();
        let jti = vestibule::crypto::digest::to_base64url(&vestibule::crypto::random::bytes::<16>());
        json!({ "iss": client_id, "sub": client_id, "aud": ISSUER, "iat": now, "exp": now + 300, "jti": jti })
    }

    /// An assertion with these claims.
    pub fn sign(&self, claims: &Value) -> String {
        self.0.sign(claims.to_string().as_bytes())
    }

    /// A good assertion.
    pub fn assertion(&self, server: &Server, client_id: &str) -> String {
        self.sign(&Self::claims(server, client_id))
    }
}
