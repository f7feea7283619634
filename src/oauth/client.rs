//! A client as registered.

use super::grant_type::{AuthMethod, GrantType};
use super::ids::ClientId;
use super::redirect_uri::{Destination, RedirectUri};
use super::resource::ResourceUri;
use super::scope::Scope;
use super::secret::SecretHash;
use crate::clock::UnixTime;

/// A registered client.
#[derive(Clone, Debug)]
pub struct Client {
    /// Its `client_id`.
    pub id: ClientId,
    /// Its name: the owner's word, or the client's own claim, depending on `registered_by`.
    pub name: String,
    /// Who vouches for what stands here.
    pub registered_by: RegisteredBy,
    /// How it proves who it is.
    pub credential: Credential,
    /// Where its authorization responses may go.
    pub redirect_uris: Vec<RedirectUri>,
    /// What it may ask the token endpoint for.
    pub grant_types: Vec<GrantType>,
    /// The scopes that the owner limits it to; a self-registered client's wish is not kept as a limit.
    pub scope: Option<Scope>,
    /// The resources that it may name without a user, and its default `aud`.
    pub audience: Vec<ResourceUri>,
    /// When it was registered.
    pub created_at: UnixTime,
    /// When somebody first agreed to it or it was first given a token; a self-registered client that never was
    /// is forgotten after a day.
    pub first_used_at: Option<UnixTime>,
}

/// Who registered a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegisteredBy {
    /// The owner, by command or file.
    Owner,
    /// The client itself (RFC 7591): its name and links are its own claims.
    Itself,
}

impl RegisteredBy {
    /// As stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Itself => "itself",
        }
    }

    /// Reads the stored word.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Owner, Self::Itself].into_iter().find(|by| by.as_str() == text)
    }
}

/// What a client holds to prove who it is.
#[derive(Clone, Debug)]
pub enum Credential {
    /// Nothing: a public client (RFC 6749 2.1).
    Public,
    /// A secret of 256 random bits; `method` is how it said it would send it, and either way is accepted.
    Secret {
        /// What the database keeps of the secret.
        hash: SecretHash,
        /// The registered method.
        method: AuthMethod,
    },
}

impl Credential {
    /// The method as registered.
    pub const fn method(&self) -> AuthMethod {
        match self {
            Self::Public => AuthMethod::None,
            Self::Secret { method, .. } => *method,
        }
    }
}

impl Client {
    /// Whether it can keep a secret (RFC 6749 2.1).
    pub const fn is_confidential(&self) -> bool {
        matches!(self.credential, Credential::Secret { .. })
    }

    /// Whether it may use this grant.
    pub fn may_use(&self, grant: GrantType) -> bool {
        self.grant_types.contains(&grant)
    }

    /// Whether every redirect leads to a program on the person's computer, so that nobody vouches for its name.
    pub fn is_local(&self) -> bool {
        self.redirect_uris.iter().all(|uri| uri.destination() == Destination::Loopback)
    }
}
