//! The documents that everybody may read, made once and again when the database has changed.
//!
//! Commands and other processes change the database too, so every request asks whether it did; that costs one
//! `stat` and keeps discovery as fast as an answer that never changes.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde::Serialize;

use crate::clock::{Seconds, UnixTime};
use crate::config::{Settings, Switch};
use crate::crypto::jwk::Jwk;
use crate::crypto::jws::SigningKey;
use crate::oauth::issuer::Issuer;
use crate::oauth::metadata::{Metadata, Offered};
use crate::store::{Fault, Mark, ReadTx, Store, Watch, resources, signing_keys};

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

/// What is cached and until when it may be believed.
struct Cached {
    documents: Arc<Documents>,
    mark: Mark,
    made_at: UnixTime,
    first_seen: Instant,
    settled: bool,
}

pub(super) struct Published {
    watch: Watch,
    offered: Offered,
    cached: Mutex<Option<Cached>>,
}

/// Two commits within one tick of the file system's clock leave the same mark, so a mark is believed only when it has
/// stood for longer than any such tick.
const TICK: Duration = Duration::from_millis(50);

/// Keys come and go with time alone, too.
const OLDEST: Seconds = Seconds::new(30);

impl Published {
    pub(super) fn new(watch: Watch, settings: &Settings) -> Self {
        let offered = Offered {
            registration: settings.registration == Switch::On,
            client_documents: settings.client_documents.fetching == Switch::On,
            iss_promise: settings.iss_promise == Switch::On,
        };
        Self { watch, offered, cached: Mutex::new(None) }
    }

    pub(super) fn get(&self, store: &Store, issuer: &Issuer, now: UnixTime) -> Result<Arc<Documents>, Fault> {
        // Looked at before the database is read: what is committed in between shows at the next request.
        let mark = self.watch.mark();
        let mut cached = self.cached.lock().unwrap_or_else(PoisonError::into_inner);
        let known = cached.as_ref().filter(|known| known.mark == mark);
        if let Some(known) = known
            && known.settled
            && known.made_at <= now
            && now < known.made_at.plus(OLDEST)
        {
            return Ok(Arc::clone(&known.documents));
        }
        let first_seen = known.map_or_else(Instant::now, |known| known.first_seen);
        let settled = first_seen.elapsed() > TICK;
        let documents = Arc::new(store.read(|tx| make(tx, issuer, self.offered, now))?);
        *cached = Some(Cached { documents: Arc::clone(&documents), mark, made_at: now, first_seen, settled });
        Ok(documents)
    }
}

fn make(tx: &ReadTx<'_>, issuer: &Issuer, offered: Offered, now: UnixTime) -> Result<Documents, Fault> {
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
