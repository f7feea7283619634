//! Dynamic client registration (RFC 7591), from what a client sends to what it is given.
//!
//! Lenient where it is harmless: what is unknown or not offered is dropped, and the answer shows what was kept.
//! Strict where it is not: redirect URIs and links that a browser would act on.

use serde::Serialize;
use serde_json::Value;

use super::client::{Assertion, Client, Credential, RegisteredBy};
use super::client_metadata::{ClientMetadata, Sent, text};
use super::grant_type::{AuthMethod, GrantType};
use super::ids::ClientId;
use super::redirect_uri::{AppLinks, Destination, RedirectUri};
use super::refusal::RegistrationRefusal as Refusal;
use super::scope::Scope;
use super::secret::{Secret, SecretKind};
use crate::clock::UnixTime;

/// What a client is told of its registration, and what is kept of it for the owner to look at.
#[derive(Clone, Debug, Serialize)]
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

/// Registers a client that asks for it: the client to store, and the answer.
///
/// `known` is every scope that some resource has. An omitted `token_endpoint_auth_method` becomes `none`: clients
/// that say nothing are programs on somebody's computer, where a secret proves nothing.
pub fn register(
    body: &[u8],
    known: &Scope,
    app_links: AppLinks,
    now: UnixTime,
) -> Result<(Client, Registered), Refusal> {
    let sent = Sent::parse(body)?;
    let redirect_uris = sent.redirect_uris(app_links)?;
    let method = auth_method(&sent.token_endpoint_auth_method)?;
    let secret = method.is_by_secret().then(|| Secret::new(SecretKind::ClientSecret));
    let credential = match (method, &secret) {
        (AuthMethod::PrivateKeyJwt, _) => {
            Credential::Keys { source: sent.key_source()?, assertion: Assertion::Required }
        }
        (_, Some(secret)) => Credential::Secret { hash: secret.hash(), method },
        (_, None) => Credential::Public,
    };
    let name = text(&sent.client_name, "client_name")?.unwrap_or_else(|| name_from(&redirect_uris));
    let scope = text(&sent.scope, "scope")?
        .and_then(|text| Scope::parse(&text).ok())
        .map(|scope| scope.intersection(known))
        .filter(|scope| !scope.is_empty());

    let client = Client {
        id: ClientId::new(),
        name,
        registered_by: RegisteredBy::Itself,
        credential,
        grant_types: vec![GrantType::AuthorizationCode, GrantType::RefreshToken],
        scope: None,
        audience: Vec::new(),
        created_at: now,
        first_used_at: None,
        redirect_uris,
    };
    let metadata = ClientMetadata {
        scope: scope.map(|scope| scope.to_string()),
        ..ClientMetadata::granted(&client, &sent)?
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

fn auth_method(sent: &Value) -> Result<AuthMethod, Refusal> {
    match sent {
        Value::Null => Ok(AuthMethod::None),
        Value::String(text) if text.is_empty() => Ok(AuthMethod::None),
        Value::String(text) => AuthMethod::parse(text).ok_or(Refusal::AuthMethodUnsupported),
        _ => Err(Refusal::MemberMalformed("token_endpoint_auth_method")),
    }
}

fn name_from(redirect_uris: &[RedirectUri]) -> String {
    match redirect_uris.first().map(RedirectUri::destination) {
        Some(Destination::Web(host)) => host.to_owned(),
        Some(Destination::App(scheme)) => scheme.to_owned(),
        Some(Destination::Loopback) | None => "A client without a name".to_owned(),
    }
}
