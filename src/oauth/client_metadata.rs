//! Client metadata (RFC 7591 2): what a client says of itself, read member by member.
//!
//! The same members come in a registration and in a metadata document. What both allow and refuse stands here; what
//! only one of them does stands with it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::client::{Client, Credential, KeySource};
use super::grant_type::GrantType;
use super::json;
use super::key_set::KeySet;
use super::key_set_url::KeySetUrl;
use super::redirect_uri::{AppLinks, Destination, RedirectUri};
use super::refusal::RegistrationRefusal as Refusal;
use super::scope::Scope;

const REDIRECT_URIS_MAX: usize = 20;
const TEXT_LENGTH_MAX: usize = 256;
const LINK_LENGTH_MAX: usize = 2048;

/// The members that mean something here; others are ignored.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Sent {
    pub(super) client_id: Value,
    pub(super) client_secret: Value,
    pub(super) client_secret_expires_at: Value,
    pub(super) redirect_uris: Value,
    pub(super) client_name: Value,
    pub(super) grant_types: Value,
    pub(super) token_endpoint_auth_method: Value,
    pub(super) token_endpoint_auth_methods_supported: Value,
    pub(super) scope: Value,
    pub(super) application_type: Value,
    pub(super) client_uri: Value,
    pub(super) logo_uri: Value,
    pub(super) tos_uri: Value,
    pub(super) policy_uri: Value,
    pub(super) software_id: Value,
    pub(super) software_version: Value,
    pub(super) jwks: Value,
    pub(super) jwks_uri: Value,
}

/// Client metadata as granted; what is absent is left out, never null.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ClientMetadata {
    /// The name that consent shows.
    pub client_name: String,
    /// As sent.
    pub redirect_uris: Vec<String>,
    /// Those that are offered.
    pub grant_types: Vec<String>,
    /// Always `code`.
    pub response_types: Vec<String>,
    /// As asked for, or `none`.
    pub token_endpoint_auth_method: String,
    /// As asked for, as far as it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// `native` or `web`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub application_type: Option<String>,
    /// Links and marks, each as sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_uri: Option<String>,
    /// A link, never fetched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logo_uri: Option<String>,
    /// A link.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tos_uri: Option<String>,
    /// A link.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy_uri: Option<String>,
    /// As sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub software_id: Option<String>,
    /// As sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub software_version: Option<String>,
    /// The public keys that can be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwks: Option<KeySet>,
    /// Where they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwks_uri: Option<String>,
}

impl ClientMetadata {
    /// What a client has, and what else it said of itself.
    pub(super) fn granted(client: &Client, sent: &Sent) -> Result<Self, Refusal> {
        Ok(Self {
            application_type: Some(sent.application_type(&client.redirect_uris).to_owned()),
            client_uri: text(&sent.client_uri, "client_uri")?,
            logo_uri: text(&sent.logo_uri, "logo_uri")?,
            tos_uri: text(&sent.tos_uri, "tos_uri")?,
            policy_uri: text(&sent.policy_uri, "policy_uri")?,
            software_id: text(&sent.software_id, "software_id")?,
            software_version: text(&sent.software_version, "software_version")?,
            ..Self::of(client)
        })
    }

    /// A client in the words of RFC 7591.
    pub fn of(client: &Client) -> Self {
        let (jwks, jwks_uri) = match &client.credential {
            Credential::Public | Credential::Secret { .. } => (None, None),
            Credential::Keys { source: KeySource::Here(keys), .. } => (Some(keys.clone()), None),
            Credential::Keys { source: KeySource::At(url), .. } => (None, Some(url.as_str().to_owned())),
        };
        let interactive = client.may_use(GrantType::AuthorizationCode);
        Self {
            client_name: client.name.clone(),
            redirect_uris: client.redirect_uris.iter().map(|uri| uri.as_str().to_owned()).collect(),
            grant_types: client.grant_types.iter().map(|grant| grant.as_str().to_owned()).collect(),
            response_types: interactive.then(|| "code".to_owned()).into_iter().collect(),
            token_endpoint_auth_method: client.credential.method().as_str().to_owned(),
            scope: client.scope.as_ref().map(Scope::to_string),
            jwks,
            jwks_uri,
            ..Self::default()
        }
    }
}

impl Sent {
    /// Reads a JSON object with each member once and no link that is not https.
    pub(super) fn parse(body: &[u8]) -> Result<Self, Refusal> {
        let Ok(Value::Object(members)) = json::parse(body) else { return Err(Refusal::NotAnObject) };
        check_links(&members)?;
        let sent: Self = serde_json::from_value(members.into()).map_err(|_| Refusal::NotAnObject)?;
        if !sent.jwks.is_null() && !sent.jwks_uri.is_null() {
            return Err(Refusal::KeysTwice);
        }
        sent.check_grant_types()?;
        Ok(sent)
    }

    /// At least one redirect URI, all of them such as may be registered.
    pub(super) fn redirect_uris(&self, app_links: AppLinks) -> Result<Vec<RedirectUri>, Refusal> {
        let list = match &self.redirect_uris {
            Value::Null => return Err(Refusal::RedirectUriMissing),
            Value::Array(list) if list.is_empty() => return Err(Refusal::RedirectUriMissing),
            Value::Array(list) if list.len() <= REDIRECT_URIS_MAX => list,
            _ => return Err(Refusal::MemberMalformed("redirect_uris")),
        };
        list.iter()
            .map(|uri| {
                let uri = uri.as_str().ok_or(Refusal::MemberMalformed("redirect_uris"))?;
                let uri = RedirectUri::parse(uri).map_err(|why| Refusal::RedirectUriInvalid(why.0))?;
                match uri.destination() {
                    Destination::App(_) if app_links == AppLinks::Refused => Err(Refusal::AppLink),
                    _ => Ok(uri),
                }
            })
            .collect()
    }

    /// Grants that are not offered to clients that nobody added are dropped, whichever they are; every such client gets
    /// authorization_code and refresh_token, which is what an interactive client needs to stay signed in.
    fn check_grant_types(&self) -> Result<(), Refusal> {
        match &self.grant_types {
            Value::Null => Ok(()),
            Value::Array(list) if list.len() <= 20 && list.iter().all(Value::is_string) => Ok(()),
            _ => Err(Refusal::MemberMalformed("grant_types")),
        }
    }

    /// The keys, or where they are: one of the two.
    pub(super) fn key_source(&self) -> Result<KeySource, Refusal> {
        match (&self.jwks, text(&self.jwks_uri, "jwks_uri")?) {
            (Value::Null, Some(url)) => {
                KeySetUrl::parse(&url).map(KeySource::At).map_err(|_| Refusal::LinkInvalid("jwks_uri"))
            }
            (Value::Null, None) => Err(Refusal::KeysMissing),
            (jwks, _) => KeySet::from_value(jwks).map(KeySource::Here).map_err(|_| Refusal::KeysMalformed),
        }
    }

    /// `native` or `web`, as sent or as the redirect URIs have it.
    pub(super) fn application_type(&self, redirect_uris: &[RedirectUri]) -> &'static str {
        let is_web = |uri: &RedirectUri| matches!(uri.destination(), Destination::Web(_));
        match self.application_type.as_str() {
            Some("native") => "native",
            Some("web") => "web",
            _ if redirect_uris.iter().any(is_web) => "web",
            _ => "native",
        }
    }
}

/// A text member without characters that could disturb the sentence around it; blank counts as absent.
pub(super) fn text(sent: &Value, member: &'static str) -> Result<Option<String>, Refusal> {
    let text = match sent {
        Value::Null => return Ok(None),
        Value::String(text) => text,
        _ => return Err(Refusal::MemberMalformed(member)),
    };
    let limit = if member.ends_with("_uri") || member == "scope" { LINK_LENGTH_MAX } else { TEXT_LENGTH_MAX };
    if text.chars().count() > limit {
        return Err(Refusal::MemberMalformed(member));
    }
    let clean: String = text.chars().filter(|c| !is_disturbing(*c)).collect();
    let clean = clean.trim();
    Ok((!clean.is_empty()).then(|| clean.to_owned()))
}

/// Controls, direction overrides and invisible characters, with which one name can be made to look like another.
fn is_disturbing(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Refuses links that are not https, also in their translations (`client_uri#de`, RFC 7591 2.2).
fn check_links(sent: &serde_json::Map<String, Value>) -> Result<(), Refusal> {
    const LINKS: [&str; 9] = [
        "client_uri",
        "logo_uri",
        "tos_uri",
        "policy_uri",
        "jwks_uri",
        "sector_identifier_uri",
        "initiate_login_uri",
        "backchannel_logout_uri",
        "frontchannel_logout_uri",
    ];
    for (name, value) in sent {
        let base = name.split('#').next().unwrap_or(name);
        let Some(member) = LINKS.into_iter().find(|link| *link == base) else { continue };
        match value {
            Value::Null => {}
            Value::String(link) if link.is_empty() => {}
            Value::String(link) if link.len() <= LINK_LENGTH_MAX => {
                let https = url::Url::parse(link).is_ok_and(|url| url.scheme() == "https" && url.has_host());
                if !https {
                    return Err(Refusal::LinkInvalid(member));
                }
            }
            _ => return Err(Refusal::MemberMalformed(member)),
        }
    }
    Ok(())
}
