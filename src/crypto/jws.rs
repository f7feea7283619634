//! Compact JWS (RFC 7515 3.1) made and read with our own keys.

use std::fmt;

use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
    UnparsedPublicKey,
};

use super::digest::{from_base64url, to_base64url};
use super::jwk::{Algorithm, Jwk};

/// A key pair that signs our tokens.
pub struct SigningKey {
    pair: Pair,
    jwk: Jwk,
    /// `base64url(header)` of every token under this key, made once. A token whose first part is not exactly
    /// this was not made by this key: no header is ever parsed, so `alg`, `typ` and `crit` cannot be played with.
    header: String,
}

enum Pair {
    Es256(EcdsaKeyPair),
    EdDsa(Ed25519KeyPair),
}

/// The stored bytes are no key of the named kind.
#[derive(Debug)]
pub struct BadKey;

impl fmt::Display for BadKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the stored signing key cannot be read")
    }
}

impl std::error::Error for BadKey {}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("kid", &self.jwk.kid()).finish_non_exhaustive()
    }
}

impl SigningKey {
    /// A new private key as PKCS #8 (RFC 5958), for [`SigningKey::from_pkcs8`].
    ///
    /// # Panics
    /// If the system gives no randomness.
    pub fn generate(algorithm: Algorithm) -> Vec<u8> {
        let random = SystemRandom::new();
        let document = match algorithm {
            Algorithm::Es256 => EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random),
            Algorithm::EdDsa => Ed25519KeyPair::generate_pkcs8(&random),
        };
        let document = document.expect("a key needs nothing but randomness");
        document.as_ref().to_vec()
    }

    /// Reads a private key; its tokens carry `typ` in their header.
    pub fn from_pkcs8(algorithm: Algorithm, pkcs8: &[u8], typ: &str) -> Result<Self, BadKey> {
        let (pair, jwk) = match algorithm {
            Algorithm::Es256 => {
                let pair =
                    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8, &SystemRandom::new())
                        .map_err(|_| BadKey)?;
                let jwk = Jwk::p256(pair.public_key().as_ref()).ok_or(BadKey)?;
                (Pair::Es256(pair), jwk)
            }
            Algorithm::EdDsa => {
                let pair = Ed25519KeyPair::from_pkcs8(pkcs8).map_err(|_| BadKey)?;
                let jwk = Jwk::ed25519(pair.public_key().as_ref()).ok_or(BadKey)?;
                (Pair::EdDsa(pair), jwk)
            }
        };
        let header = header(algorithm.as_str(), jwk.kid(), typ);
        Ok(Self { pair, jwk, header })
    }

    /// The public half.
    pub fn jwk(&self) -> &Jwk {
        &self.jwk
    }

    /// Signs a JSON document into a compact JWS.
    ///
    /// # Panics
    /// If the system gives no randomness (ECDSA only).
    pub fn sign(&self, payload: &[u8]) -> String {
        self.sign_under(&self.header, payload)
    }

    /// Signs a JSON document into a compact JWS of another `typ`, so that it is never taken for one of [`Self::sign`].
    ///
    /// # Panics
    /// If the system gives no randomness (ECDSA only).
    pub fn sign_as(&self, typ: &str, payload: &[u8]) -> String {
        self.sign_under(&header(self.jwk.algorithm(), self.jwk.kid(), typ), payload)
    }

    fn sign_under(&self, header: &str, payload: &[u8]) -> String {
        let mut token = String::with_capacity(header.len() + payload.len() * 4 / 3 + 92);
        token.push_str(header);
        token.push('.');
        token.push_str(&to_base64url(payload));
        let signature = match &self.pair {
            Pair::Es256(pair) => pair
                .sign(&SystemRandom::new(), token.as_bytes())
                .expect("signing needs nothing but randomness"),
            Pair::EdDsa(pair) => pair.sign(token.as_bytes()),
        };
        token.push('.');
        token.push_str(&to_base64url(signature.as_ref()));
        token
    }

    /// Whether a token names this key, by its first part alone. Says nothing of the signature.
    pub fn is_named_by(&self, token: &str) -> bool {
        token.strip_prefix(self.header.as_str()).is_some_and(|rest| rest.starts_with('.'))
    }

    /// The payload of a token that this key signed; `None` for anything else, whatever is wrong with it.
    pub fn open(&self, token: &str) -> Option<Vec<u8>> {
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, payload) = signed.split_once('.')?;
        if header != self.header || payload.contains('.') {
            return None;
        }
        let signature = from_base64url(signature)?;
        let verified = match &self.pair {
            Pair::Es256(pair) => UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, pair.public_key().as_ref())
                .verify(signed.as_bytes(), &signature),
            Pair::EdDsa(pair) => UnparsedPublicKey::new(&ED25519, pair.public_key().as_ref())
                .verify(signed.as_bytes(), &signature),
        };
        verified.ok()?;
        from_base64url(payload)
    }
}

/// The first part of a token. None of its texts needs escaping.
fn header(alg: &str, kid: &str, typ: &str) -> String {
    to_base64url(format!(r#"{{"alg":"{alg}","kid":"{kid}","typ":"{typ}"}}"#).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_changed_character_of_a_token_spoils_it() {
        for algorithm in Algorithm::ALL {
            let key = SigningKey::from_pkcs8(algorithm, &SigningKey::generate(algorithm), "at+jwt").unwrap();
            let token = key.sign(br#"{"sub":"alice"}"#);
            assert_eq!(key.open(&token).unwrap(), br#"{"sub":"alice"}"#);
            for at in 0..token.len() {
                let mut changed = token.clone().into_bytes();
                changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
                assert_eq!(key.open(std::str::from_utf8(&changed).unwrap()), None, "{algorithm:?} {at}");
            }
            for spoilt in
                [format!("{token}."), format!("{token}="), format!(".{token}"), format!("{token}\n")]
            {
                assert_eq!(key.open(&spoilt), None, "{spoilt:?}");
            }
        }
    }

    #[test]
    fn a_key_does_not_open_what_another_signed() {
        let [one, other] = [(); 2].map(|()| {
            let algorithm = Algorithm::Es256;
            SigningKey::from_pkcs8(algorithm, &SigningKey::generate(algorithm), "at+jwt").unwrap()
        });
        let token = one.sign(b"{}");
        assert!(one.is_named_by(&token) && !other.is_named_by(&token));
        assert_eq!(other.open(&token), None);
    }

    #[test]
    fn a_key_of_the_wrong_kind_is_not_read() {
        let pkcs8 = SigningKey::generate(Algorithm::EdDsa);
        assert!(SigningKey::from_pkcs8(Algorithm::Es256, &pkcs8, "at+jwt").is_err());
    }
}
