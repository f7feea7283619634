//! JSON Web Keys (RFC 7517) of the kinds we sign with, and their thumbprints (RFC 7638).

use serde::Serialize;

use super::digest::{sha256, to_base64url};

/// How a signature is made (RFC 7518 3.1, RFC 8037 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// ECDSA with P-256 and SHA-256: the default, the fastest to sign and the most widely accepted.
    Es256,
    /// Ed25519.
    EdDsa,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Es256, Self::EdDsa];

    /// The `alg` value.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }

    /// Reads an `alg` value.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|alg| alg.as_str() == text)
    }
}

/// A public key as the JWKS shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Jwk {
    kty: &'static str,
    crv: &'static str,
    x: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    y: Option<String>,
    #[serde(rename = "use")]
    purpose: &'static str,
    alg: &'static str,
    kid: String,
}

impl Jwk {
    /// A P-256 key from its uncompressed point `0x04 || x || y` (SEC 1 2.3.3); `None` for any other shape.
    pub fn p256(point: &[u8]) -> Option<Self> {
        let (form, coordinates) = point.split_first()?;
        if *form != 4 || coordinates.len() != 64 {
            return None;
        }
        let (x, y) = coordinates.split_at(32);
        let (x, y) = (to_base64url(x), to_base64url(y));
        let kid = thumbprint(&format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#));
        Some(Self { kty: "EC", crv: "P-256", x, y: Some(y), purpose: "sig", alg: "ES256", kid })
    }

    /// An Ed25519 key from its 32 bytes; `None` for any other length.
    pub fn ed25519(key: &[u8]) -> Option<Self> {
        if key.len() != 32 {
            return None;
        }
        let x = to_base64url(key);
        let kid = thumbprint(&format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#));
        Some(Self { kty: "OKP", crv: "Ed25519", x, y: None, purpose: "sig", alg: "EdDSA", kid })
    }

    /// The `alg` that it is for.
    pub const fn algorithm(&self) -> &'static str {
        self.alg
    }

    /// The key's id: the SHA-256 thumbprint of its required members (RFC 7638 3).
    pub fn kid(&self) -> &str {
        &self.kid
    }
}

fn thumbprint(canonical: &str) -> String {
    to_base64url(&sha256(canonical.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::digest::from_base64url;

    #[test]
    fn the_thumbprint_of_rfc_8037_a_3() {
        let key = from_base64url("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo").unwrap();
        assert_eq!(Jwk::ed25519(&key).unwrap().kid(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }
}
