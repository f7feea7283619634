//! Client metadata documents (draft-ietf-oauth-client-id-metadata-document-02): from what a client's URL says to the
//! client that it stands for.
//!
//! Nobody added this client and it did not register: the host of its URL vouches for what stands here, and for nothing
//! else. Unknown members and grants are let be, as in a registration; secrets are refused, since everybody can read
//! the document.

use serde_json::Value;

use super::client::{Assertion, Client, Credential, RegisteredBy};
use super::client_metadata::{ClientMetadata, Sent, text};
use super::document_url::DocumentUrl;
use super::grant_type::{AuthMethod, GrantType};
use super::key_set::{KeySet, KeySetProblem};
use super::redirect_uri::AppLinks;
use super::refusal::DocumentRefusal as Refusal;
use super::refusal::RegistrationRefusal;
use crate::clock::UnixTime;

/// Reads the document that was fetched from `url`: the client, and its metadata as granted.
pub fn read(
    url: &DocumentUrl,
    body: &[u8],
    app_links: AppLinks,
    now: UnixTime,
) -> Result<(Client, ClientMetadata), Refusal> {
    let sent = Sent::parse(body)?;
    if sent.client_id.as_str() != Some(url.client_id().as_str()) {
        return Err(Refusal::IdDiffers);
    }
    if !sent.client_secret.is_null() || !sent.client_secret_expires_at.is_null() {
        return Err(Refusal::Secret);
    }
    // Whether or not it would be used: whoever publishes it has lost it.
    if KeySet::from_value(&sent.jwks) == Err(KeySetProblem::PrivateKey) {
        return Err(RegistrationRefusal::KeysMalformed.into());
    }
    let name = text(&sent.client_name, "client_name")?.ok_or(Refusal::NameMissing)?;
    let client = Client {
        id: url.client_id().clone(),
        name,
        registered_by: RegisteredBy::Document,
        credential: credential(&sent)?,
        redirect_uris: sent.redirect_uris(app_links)?,
        grant_types: vec![GrantType::AuthorizationCode, GrantType::RefreshToken],
        scope: None,
        audience: Vec::new(),
        created_at: now,
        first_used_at: None,
    };
    let metadata = ClientMetadata::granted(&client, &sent)?;
    Ok((client, metadata))
}

/// By key where the document says so, or else by nothing. A document may list several methods, as ChatGPT's does:
/// with `none` among them, the client may also come without a key.
fn credential(sent: &Sent) -> Result<Credential, Refusal> {
    let listed = match &sent.token_endpoint_auth_methods_supported {
        Value::Array(list) => list.iter().filter_map(Value::as_str).filter_map(AuthMethod::parse).collect(),
        _ => Vec::new(),
    };
    let named = match &sent.token_endpoint_auth_method {
        Value::Null => None,
        Value::String(text) if text.is_empty() => None,
        Value::String(text) => {
            Some(AuthMethod::parse(text).ok_or(RegistrationRefusal::AuthMethodUnsupported)?)
        }
        _ => return Err(RegistrationRefusal::MemberMalformed("token_endpoint_auth_method").into()),
    };
    let by_key = |method: &AuthMethod| *method == AuthMethod::PrivateKeyJwt;
    let by_nothing = |method: &AuthMethod| *method == AuthMethod::None;
    match named {
        Some(AuthMethod::ClientSecretBasic | AuthMethod::ClientSecretPost) => Err(Refusal::Secret),
        Some(AuthMethod::PrivateKeyJwt) => {
            let assertion =
                if listed.iter().any(by_nothing) { Assertion::Offered } else { Assertion::Required };
            Ok(Credential::Keys { source: sent.key_source()?, assertion })
        }
        None if !listed.is_empty() && !listed.iter().any(by_nothing) => {
            if !listed.iter().any(by_key) {
                return Err(RegistrationRefusal::AuthMethodUnsupported.into());
            }
            Ok(Credential::Keys { source: sent.key_source()?, assertion: Assertion::Required })
        }
        Some(AuthMethod::None) | None => Ok(Credential::Public),
    }
}
