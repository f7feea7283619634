//! Secrets as they are made, shown once, and known afterwards by their hash alone.

use std::fmt;

use crate::crypto::digest::{equal, sha256, to_base64url};
use crate::crypto::random;

/// What a secret is for; its prefix lets a person and a scanner recognise a leaked one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretKind {
    /// `code` (RFC 6749 4.1.2).
    AuthorizationCode,
    /// `client_secret` (RFC 6749 2.3.1).
    ClientSecret,
    /// The first admin's set-up link.
    SetupLink,
    /// The session cookie.
    Session,
    /// The cookie that binds a form to the browser before anyone has signed in.
    Browser,
    /// The cookie by which a browser that was sent here to sign in is known again where it came from.
    VisitNonce,
    /// What such a browser brings back, once.
    VisitTicket,
    /// The cookie that it gets for it.
    Visit,
}

impl SecretKind {
    const fn prefix(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "vac_",
            Self::ClientSecret => "vcs_",
            Self::SetupLink => "vsl_",
            Self::Session => "vss_",
            Self::Browser => "vbr_",
            Self::VisitNonce => "vvn_",
            Self::VisitTicket => "vvt_",
            Self::Visit => "vvs_",
        }
    }
}

/// A secret of 256 bits that nobody can guess. It goes into an answer and is not kept.
pub struct Secret(String);

impl Secret {
    /// A new secret, at random.
    pub fn new(kind: SecretKind) -> Self {
        Self::from_bytes(kind, &random::bytes())
    }

    /// A secret that was derived under a key.
    pub(super) fn from_bytes(kind: SecretKind, bytes: &[u8; 32]) -> Self {
        Self(format!("{}{}", kind.prefix(), to_base64url(bytes)))
    }

    /// The secret itself, for the one answer that shows it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What the database keeps of it.
    pub fn hash(&self) -> SecretHash {
        SecretHash::of(&self.0)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// SHA-256 of a secret. No password hash: 256 random bits cannot be guessed, and this is on the hot path.
#[derive(Clone, Copy)]
pub struct SecretHash([u8; 32]);

impl SecretHash {
    /// The hash of a secret as presented, whatever its form.
    pub fn of(presented: &str) -> Self {
        Self(sha256(presented.as_bytes()))
    }

    /// From the database.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// For the database.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl PartialEq for SecretHash {
    fn eq(&self, other: &Self) -> bool {
        equal(&self.0, &other.0)
    }
}

impl Eq for SecretHash {}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash(..)")
    }
}
