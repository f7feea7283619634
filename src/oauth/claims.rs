//! The claims of an access token (RFC 9068 2.2): who, for which server, until when. No personal data.

use serde::{Deserialize, Serialize};

use crate::clock::UnixTime;

/// `typ` of an access token (RFC 9068 2.1).
pub const ACCESS_TOKEN_TYP: &str = "at+jwt";

/// `typ` of a token that tells a server behind the guard who calls.
pub const IDENTITY_TYP: &str = "vestibule-identity+jwt";

/// `aud` (RFC 7519 4.1.3): one value is a string, several are an array.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Audience {
    /// One.
    One(String),
    /// Several.
    Many(Vec<String>),
}

impl Audience {
    /// Of a list with at least one member.
    pub fn of(mut list: Vec<String>) -> Self {
        match list.len() {
            1 => Self::One(list.remove(0)),
            _ => Self::Many(list),
        }
    }

    /// The values.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        match self {
            Self::One(one) => std::slice::from_ref(one).iter(),
            Self::Many(many) => many.iter(),
        }
        .map(String::as_str)
    }
}

/// The claims of an access token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessTokenClaims {
    /// The issuer.
    pub iss: String,
    /// The servers it is for.
    pub aud: Audience,
    /// The person, or the client itself where there is no person.
    pub sub: String,
    /// When it ends.
    pub exp: UnixTime,
    /// When it was made.
    pub iat: UnixTime,
    /// Its own name.
    pub jti: String,
    /// The client.
    pub client_id: String,
    /// What it allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// When the person signed in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_time: Option<UnixTime>,
    /// The grant that it came from (a name of the Grant Management draft), so that introspection knows when it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant_id: Option<i64>,
}

/// The claims of a token that tells a server behind the guard who calls. It opens nothing: it is of another type, and the
/// server behind is not asked for any.
#[derive(Clone, Debug, Serialize)]
pub struct IdentityClaims<'a> {
    /// The issuer.
    pub iss: &'a str,
    /// The guarded resource.
    pub aud: &'a str,
    /// The person, or the client itself where there is no person.
    pub sub: &'a str,
    /// When it ends: soon.
    pub exp: UnixTime,
    /// When it was made.
    pub iat: UnixTime,
    /// The client.
    pub client_id: &'a str,
    /// What the access token allows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<&'a str>,
    /// The person's name (OpenID Connect Core 5.1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preferred_username: Option<&'a str>,
    /// The person's address (OpenID Connect Core 5.1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<&'a str>,
}
