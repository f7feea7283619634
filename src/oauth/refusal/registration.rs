//! Registrations and client metadata documents.

use super::super::error::ErrorCode;

/// Why a registration is refused (RFC 7591 3.2.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RegistrationRefusal {
    /// The body is not a JSON object, or a member is there twice.
    NotAnObject,
    /// A member is not of its type, too long, or too many.
    MemberMalformed(&'static str),
    /// No redirect URI.
    RedirectUriMissing,
    /// A redirect URI that may not be registered.
    RedirectUriInvalid(&'static str),
    /// A way of client authentication that this server does not have.
    AuthMethodUnsupported,
    /// A link that is not https.
    LinkInvalid(&'static str),
    /// `jwks` and `jwks_uri` together (RFC 7591 2).
    KeysTwice,
    /// `private_key_jwt` without keys.
    KeysMissing,
    /// Keys that are none, or none that could be used, or private ones.
    KeysMalformed,
    /// A scheme of an app's own, which the owner does not want.
    AppLink,
}

impl RegistrationRefusal {
    /// The word and the sentence for the client.
    pub const fn wire(&self) -> (ErrorCode, &'static str) {
        use ErrorCode::{InvalidClientMetadata, InvalidRedirectUri};
        match self {
            Self::NotAnObject => {
                (InvalidClientMetadata, "The body is not a JSON object with each member once.")
            }
            Self::MemberMalformed(_) => {
                (InvalidClientMetadata, "A member has the wrong type, is too long, or has too many values.")
            }
            Self::RedirectUriMissing => (InvalidRedirectUri, "redirect_uris has at least one URI."),
            Self::RedirectUriInvalid(why) => (InvalidRedirectUri, why),
            Self::AuthMethodUnsupported => (
                InvalidClientMetadata,
                "This token_endpoint_auth_method is not supported; the metadata lists those that are.",
            ),
            Self::LinkInvalid(_) => (InvalidClientMetadata, "A link in the metadata is not an https URL."),
            Self::KeysTwice => (InvalidClientMetadata, "Send jwks or jwks_uri, not both."),
            Self::KeysMissing => (InvalidClientMetadata, "private_key_jwt needs jwks or jwks_uri."),
            Self::KeysMalformed => (
                InvalidClientMetadata,
                "jwks is no set of public keys for RS256, ES256 or EdDSA, or holds a private key.",
            ),
            Self::AppLink => {
                (InvalidRedirectUri, "This server does not send people back to apps by schemes of their own.")
            }
        }
    }

    /// The reason in one word, for the log and the audit.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::NotAnObject => "not_an_object",
            Self::MemberMalformed(_) => "member_malformed",
            Self::RedirectUriMissing => "redirect_uri_missing",
            Self::RedirectUriInvalid(_) => "redirect_uri_invalid",
            Self::AuthMethodUnsupported => "auth_method_unsupported",
            Self::LinkInvalid(_) => "link_invalid",
            Self::KeysTwice => "keys_twice",
            Self::KeysMissing => "keys_missing",
            Self::KeysMalformed => "keys_malformed",
            Self::AppLink => "app_link",
        }
    }
}

/// Why a client metadata document does not make a client (draft-ietf-oauth-client-id-metadata-document-02 4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DocumentRefusal {
    /// Its `client_id` is not, byte for byte, the URL that it was fetched from.
    IdDiffers,
    /// It has no `client_name`.
    NameMissing,
    /// It has a secret, or a way of authentication that needs one, although everybody can read it.
    Secret,
    /// It would not do as a registration either.
    Metadata(RegistrationRefusal),
}

impl DocumentRefusal {
    /// What is wrong, for the page and the log.
    pub const fn describe(&self) -> &'static str {
        match self {
            Self::IdDiffers => "Its client_id is not the address that it was fetched from.",
            Self::NameMissing => "It has no client_name.",
            Self::Secret => "It means to use a secret, although everybody can read it.",
            Self::Metadata(refusal) => refusal.wire().1,
        }
    }

    /// The reason in one word, for the log and the audit.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::IdDiffers => "id_differs",
            Self::NameMissing => "name_missing",
            Self::Secret => "secret_in_document",
            Self::Metadata(refusal) => refusal.reason(),
        }
    }
}

impl From<RegistrationRefusal> for DocumentRefusal {
    fn from(refusal: RegistrationRefusal) -> Self {
        Self::Metadata(refusal)
    }
}
