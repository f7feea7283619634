//! PKCE (RFC 7636) with S256, and nothing else.

use std::fmt;

use super::error::Malformed;
use crate::crypto::digest::{equal, from_base64url, sha256, to_base64url};

/// A `code_challenge`: 32 bytes that `S256` made.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PkceChallenge([u8; 32]);

/// A `code_verifier`: 43 to 128 unreserved characters (RFC 7636 4.1).
pub struct PkceVerifier(String);

impl PkceChallenge {
    /// Reads the 43 characters of an S256 challenge; refuses padding and any other alphabet.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        from_base64url(text)
            .and_then(|bytes| bytes.try_into().ok())
            .map(Self)
            .ok_or(Malformed("code_challenge is not 43 characters of base64url"))
    }

    /// From the database.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// For the database.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Whether this challenge was made of that verifier (RFC 7636 4.6), in constant time.
    pub fn is_answered_by(&self, verifier: &PkceVerifier) -> bool {
        equal(&self.0, &sha256(verifier.0.as_bytes()))
    }
}

impl fmt::Debug for PkceChallenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PkceChallenge(..)")
    }
}

impl PkceVerifier {
    /// Reads a verifier.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let unreserved = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
        if (43..=128).contains(&text.len()) && text.bytes().all(unreserved) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Malformed("code_verifier is not 43 to 128 unreserved characters"))
        }
    }

    /// The challenge that S256 makes of it, as a client sends it.
    pub fn challenge(&self) -> String {
        to_base64url(&sha256(self.0.as_bytes()))
    }
}

impl fmt::Debug for PkceVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PkceVerifier(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_7636_b() {
        let verifier = PkceVerifier::parse("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk").unwrap();
        let challenge = PkceChallenge::parse("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM").unwrap();
        assert!(challenge.is_answered_by(&verifier));
        assert_eq!(verifier.challenge(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }

    #[test]
    fn a_pkce_09_a_verifier_has_43_to_128_unreserved_characters() {
        for right in ["a".repeat(43), "-._~".repeat(32)] {
            assert!(PkceVerifier::parse(&right).is_ok());
        }
        let almost = "a".repeat(42);
        for wrong in
            [&almost, &"a".repeat(129), &format!("{almost}+"), &format!("{almost}\0"), &format!("{almost} ")]
        {
            assert!(PkceVerifier::parse(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_pkce_06_a_challenge_has_43_characters_of_base64url() {
        for wrong in [42, 44, 128].map(|n| "A".repeat(n)).iter().chain(&[format!("{}=", "A".repeat(43))]) {
            assert!(PkceChallenge::parse(wrong).is_err(), "{wrong}");
        }
        assert!(PkceChallenge::parse(&format!("{}+/", "A".repeat(41))).is_err());
    }
}
