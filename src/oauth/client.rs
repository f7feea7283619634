//! A client as registered.

use super::grant_type::{AuthMethod, GrantType};
use super::ids::ClientId;
use super::key_set::KeySet;
use super::key_set_url::KeySetUrl;
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
    /// The host of its metadata document, whose URL is its `client_id`.
    Document,
}

impl RegisteredBy {
    /// As stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Itself => "itself",
            Self::Document => "document",
        }
    }

    /// Reads the stored word.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Owner, Self::Itself, Self::Document].into_iter().find(|by| by.as_str() == text)
    }
}

/// What a client holds to prove who it is.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// A private key, by which it signs an assertion for each request (RFC 7523 2.2).
    Keys {
        /// Where the public ones are.
        source: KeySource,
        /// Whether it always shows that it has one.
        assertion: Assertion,
    },
}

/// Where a client's public keys are (RFC 7591 2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// In its metadata: `jwks`.
    Here(KeySet),
    /// To be fetched: `jwks_uri`.
    At(KeySetUrl),
}

/// Whether a client with keys always authenticates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Assertion {
    /// Always: it is confidential (RFC 6749 2.1).
    Required,
    /// It may also come as a public client, as its metadata says.
    Offered,
}

impl Assertion {
    /// As stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Required => "required",
            Self::Offered => "offered",
        }
    }

    /// Reads the stored word.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Required, Self::Offered].into_iter().find(|assertion| assertion.as_str() == text)
    }
}

impl Credential {
    /// The method as registered.
    pub const fn method(&self) -> AuthMethod {
        match self {
            Self::Public => AuthMethod::None,
            Self::Secret { method, .. } => *method,
            Self::Keys { .. } => AuthMethod::PrivateKeyJwt,
        }
    }
}

impl Client {
    /// Whether it can keep a secret and always shows that it does (RFC 6749 2.1).
    pub const fn is_confidential(&self) -> bool {
        match self.credential {
            Credential::Public | Credential::Keys { assertion: Assertion::Offered, .. } => false,
            Credential::Secret { .. } | Credential::Keys { assertion: Assertion::Required, .. } => true,
        }
    }

    /// What people agree to when they agree to it, as one text: its name, where its answers may go, and how it proves
    /// who it is. Where that has changed, they have to be asked again.
    pub fn identity(&self) -> String {
        let redirect_uris: Vec<_> = self.redirect_uris.iter().map(RedirectUri::as_str).collect();
        let credential = match &self.credential {
            // A new secret is the same client.
            Credential::Public | Credential::Secret { .. } => String::new(),
            Credential::Keys { source: KeySource::Here(keys), assertion } => {
                format!("{} {}", assertion.as_str(), keys.to_json())
            }
            Credential::Keys { source: KeySource::At(url), assertion } => {
                format!("{} {}", assertion.as_str(), url.as_str())
            }
        };
        let method = self.credential.method().as_str();
        // The name is in quotes, and nothing else has spaces in it.
        format!("{:?} {} {method} {credential}", self.name, redirect_uris.join(" "))
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
