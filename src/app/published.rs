//! The documents that everybody may read, made once and again when the database has changed.

use bytes::Bytes;
use serde::Serialize;

use crate::clock::UnixTime;
use crate::config::{Settings, Switch};
use crate::crypto::jwk::Jwk;
use crate::crypto::jws::SigningKey;
use crate::oauth::issuer::Issuer;
use crate::oauth::metadata::{Metadata, Offered};
use crate::store::{Fault, ReadTx, resources, signing_keys};

/// The documents, ready to be sent, and the keys that they show.
#[derive(Debug)]
pub struct Documents {
    /// RFC 8414.
    pub authorization_server: Bytes,
    /// OpenID Connect Discovery.
    pub openid_configuration: Bytes,
    /// RFC 7517 5.
    pub jwks: Bytes,
    /// The keys whose tokens are still good.
    pub keys: Vec<SigningKey>,
}

/// What is on offer, by the settings.
pub(super) fn offered(settings: &Settings) -> Offered {
    Offered {
        registration: settings.registration == Switch::On,
        client_documents: settings.client_documents.fetching == Switch::On,
        iss_promise: settings.iss_promise == Switch::On,
    }
}

/// The documents as the database has them now.
pub(super) fn make(
    tx: &ReadTx<'_>,
    issuer: &Issuer,
    offered: Offered,
    now: UnixTime,
) -> Result<Documents, Fault> {
    #[derive(Serialize)]
    struct JwkSet<'a> {
        keys: Vec<&'a Jwk>,
    }

    let scope = resources::all_scopes(tx)?;
    let keys: Vec<SigningKey> =
        signing_keys::list_published(tx, now)?.into_iter().map(|stored| stored.key).collect();
    Ok(Documents {
        authorization_server: json(&Metadata::authorization_server(issuer, &scope, offered))?,
        openid_configuration: json(&Metadata::openid_configuration(issuer, &scope, offered))?,
        jwks: json(&JwkSet { keys: keys.iter().map(SigningKey::jwk).collect() })?,
        keys,
    })
}

fn json(document: &impl Serialize) -> Result<Bytes, Fault> {
    serde_json::to_vec(document)
        .map(Bytes::from)
        .map_err(|source| Fault::new("write a discovery document", source))
}
