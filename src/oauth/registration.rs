//! Client metadata (RFC 7591 2), from what a client sends to what it is given.
//!
//! Lenient where it is harmless: what is unknown or not offered is dropped, and the answer shows what was kept.
//! Strict where it is not: redirect URIs and links that a browser would act on.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::client::{Client, Credential, RegisteredBy};
use super::grant_type::{AuthMethod, GrantType};
use super::ids::ClientId;
use super::redirect_uri::{Destination, RedirectUri};
use super::refusal::RegistrationRefusal as Refusal;
use super::scope::Scope;
use super::secret::{Secret, SecretKind};
use crate::clock::UnixTime;

const REDIRECT_URIS_MAX: usize = 20;
const TEXT_LENGTH_MAX: usize = 256;
const LINK_LENGTH_MAX: usize = 2048;

/// The members that mean something here. A member that is there twice is refused, others are ignored.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Sent {
    redirect_uris: Value,
    client_name: Value,
    grant_types: Value,
    token_endpoint_auth_method: Value,
    scope: Value,
    application_type: Value,
    client_uri: Value,
    logo_uri: Value,
    tos_uri: Value,
    policy_uri: Value,
    software_id: Value,
    software_version: Value,
    jwks: Value,
    jwks_uri: Value,
}

/// What a client is told of its registration, and what is kept of it for the owner to look at.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Registered {
    /// Its name from now on.
    pub client_id: String,
    /// Its secret, shown this once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<String>,
    /// 0: the secret does not expire. There only with a secret (RFC 7591 3.2.1).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_secret_expires_at: Option<i64>,
    /// When it was registered.
    pub client_id_issued_at: i64,
    /// The rest of what was granted.
    #[serde(flatten)]
    pub metadata: ClientMetadata,
}

/// Client metadata as granted; what is absent is left out, never null.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// `native` or `web`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application_type: Option<String>,
    /// Links and marks, each as sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_uri: Option<String>,
    /// A link, never fetched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logo_uri: Option<String>,
    /// A link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tos_uri: Option<String>,
    /// A link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy_uri: Option<String>,
    /// As sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub software_id: Option<String>,
    /// As sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub software_version: Option<String>,
}

/// Registers a client that asks for it: the client to store, and the answer.
///
/// `known` is every scope that some resource has. An omitted `token_endpoint_auth_method` becomes `none`: clients
/// that say nothing are programs on somebody's computer, where a secret proves nothing.
pub fn register(body: &[u8], known: &Scope, now: UnixTime) -> Result<(Client, Registered), Refusal> {
    // Through `Value` first: a struct would also be read from an array.
    let sent: Value = serde_json::from_slice(body).map_err(|_| Refusal::NotAnObject)?;
    if !sent.is_object() {
        return Err(Refusal::NotAnObject);
    }
    let sent: Sent = serde_json::from_slice(body).map_err(|_| Refusal::NotAnObject)?;
    check_links(&serde_json::from_slice(body).map_err(|_| Refusal::NotAnObject)?)?;
    if !sent.jwks.is_null() && !sent.jwks_uri.is_null() {
        return Err(Refusal::KeysTwice);
    }

    let redirect_uris = redirect_uris(&sent.redirect_uris)?;
    let method = auth_method(&sent.token_endpoint_auth_method)?;
    let name = text(&sent.client_name, "client_name")?.unwrap_or_else(|| name_from(&redirect_uris));
    let scope = text(&sent.scope, "scope")?
        .and_then(|text| Scope::parse(&text).ok())
        .map(|scope| scope.intersection(known))
        .filter(|scope| !scope.is_empty());
    check_grant_types(&sent.grant_types)?;
    let grant_types = vec![GrantType::AuthorizationCode, GrantType::RefreshToken];

    let secret = (method != AuthMethod::None).then(|| Secret::new(SecretKind::ClientSecret));
    let client = Client {
        id: ClientId::new(),
        name: name.clone(),
        registered_by: RegisteredBy::Itself,
        credential: match &secret {
            Some(secret) => Credential::Secret { hash: secret.hash(), method },
            None => Credential::Public,
        },
        grant_types,
        scope: None,
        audience: Vec::new(),
        created_at: now,
        first_used_at: None,
        redirect_uris,
    };
    let metadata = ClientMetadata {
        client_name: name,
        redirect_uris: client.redirect_uris.iter().map(|uri| uri.as_str().to_owned()).collect(),
        grant_types: client.grant_types.iter().map(|grant| grant.as_str().to_owned()).collect(),
        response_types: vec!["code".to_owned()],
        token_endpoint_auth_method: method.as_str().to_owned(),
        scope: scope.map(|scope| scope.to_string()),
        application_type: Some(application_type(&sent.application_type, &client)),
        client_uri: text(&sent.client_uri, "client_uri")?,
        logo_uri: text(&sent.logo_uri, "logo_uri")?,
        tos_uri: text(&sent.tos_uri, "tos_uri")?,
        policy_uri: text(&sent.policy_uri, "policy_uri")?,
        software_id: text(&sent.software_id, "software_id")?,
        software_version: text(&sent.software_version, "software_version")?,
    };
    let registered = Registered {
        client_id: client.id.as_str().to_owned(),
        client_secret_expires_at: secret.as_ref().map(|_| 0),
        client_secret: secret.map(|secret| secret.expose().to_owned()),
        client_id_issued_at: now.as_i64(),
        metadata,
    };
    Ok((client, registered))
}

fn redirect_uris(sent: &Value) -> Result<Vec<RedirectUri>, Refusal> {
    let list = match sent {
        Value::Null => return Err(Refusal::RedirectUriMissing),
        Value::Array(list) if list.is_empty() => return Err(Refusal::RedirectUriMissing),
        Value::Array(list) if list.len() <= REDIRECT_URIS_MAX => list,
        _ => return Err(Refusal::MemberMalformed("redirect_uris")),
    };
    list.iter()
        .map(|uri| {
            let uri = uri.as_str().ok_or(Refusal::MemberMalformed("redirect_uris"))?;
            RedirectUri::parse(uri).map_err(|why| Refusal::RedirectUriInvalid(why.0))
        })
        .collect()
}

fn auth_method(sent: &Value) -> Result<AuthMethod, Refusal> {
    match sent {
        Value::Null => Ok(AuthMethod::None),
        Value::String(text) if text.is_empty() => Ok(AuthMethod::None),
        Value::String(text) => AuthMethod::parse(text).ok_or(Refusal::AuthMethodUnsupported),
        _ => Err(Refusal::MemberMalformed("token_endpoint_auth_method")),
    }
}

/// Grants that are not offered to clients that register themselves are dropped, whichever they are; every such
/// client gets authorization_code and refresh_token, which is what an interactive client needs to stay signed in.
fn check_grant_types(sent: &Value) -> Result<(), Refusal> {
    match sent {
        Value::Null => Ok(()),
        Value::Array(list) if list.len() <= 20 && list.iter().all(Value::is_string) => Ok(()),
        _ => Err(Refusal::MemberMalformed("grant_types")),
    }
}

fn application_type(sent: &Value, client: &Client) -> String {
    match sent.as_str() {
        Some(known @ ("native" | "web")) => known.to_owned(),
        _ => {
            let web = client.redirect_uris.iter().any(|uri| matches!(uri.destination(), Destination::Web(_)));
            if web { "web" } else { "native" }.to_owned()
        }
    }
}

/// A text member without characters that could disturb the sentence around it; blank counts as absent.
fn text(sent: &Value, member: &'static str) -> Result<Option<String>, Refusal> {
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

fn name_from(redirect_uris: &[RedirectUri]) -> String {
    match redirect_uris.first().map(RedirectUri::destination) {
        Some(Destination::Web(host)) => host.to_owned(),
        Some(Destination::App(scheme)) => scheme.to_owned(),
        Some(Destination::Loopback) | None => "A client without a name".to_owned(),
    }
}
