//! All that a handler can reach: the settings, the store, the keys, the limits, the clock.

mod arrivals;
pub mod browser;
pub mod client_documents;
pub mod client_keys;
pub mod housekeeping;
mod keys;
pub mod offer;
mod passwords;
pub mod problem;
mod published;
mod room;
pub mod sites;
mod standings;
mod verified;
mod view;
pub mod visitors;

use std::num::NonZero;
use std::thread::available_parallelism;
use std::time::Duration;

use tokio::sync::watch;

use crate::clock::{Clock, UnixTime};
use crate::config::Settings;
use crate::limits::Limits;
use crate::oauth::claims::{AccessTokenClaims, IDENTITY_TYP, IdentityClaims};
use crate::oauth::issuer::Issuer;
use crate::oauth::metadata::Offered;
use crate::oauth::refresh_token::ChainKey;
use crate::oauth::resource::Resource;
use crate::outgoing::{Fetcher, Names, Upstreams};
use crate::store::{Fault, Store, instance, resources};

use arrivals::Arrivals;
use browser::Browser;
use keys::Keys;
use passwords::Passwords;
pub use published::Documents;
pub use room::Room;
use sites::Sites;
use standings::Standings;
pub use standings::{Opened, Opening};
pub use verified::Ours;
use verified::Verified;
pub use view::{Epoch, View};
use view::{Made, Views};

/// One running server.
pub struct App {
    /// What was set.
    pub settings: Settings,
    /// Who we are.
    pub issuer: Issuer,
    /// What we know.
    pub store: Store,
    /// What time it is.
    pub clock: Clock,
    /// How often anybody may try.
    pub limits: Limits,
    /// Passwords, few at a time.
    pub passwords: Passwords,
    /// Cookies and form tokens.
    pub browser: Browser,
    /// Documents of others.
    pub fetcher: Fetcher,
    /// Under which names requests arrive.
    pub arrivals: Arrivals,
    /// Derives codes and refresh tokens, and tags these.
    pub chain_key: ChainKey,
    /// Requests to the servers behind the guard.
    pub upstreams: Upstreams,
    /// For large calls, until it is clear what they call.
    pub room: Room,
    closing: watch::Sender<bool>,
    keys: Keys,
    offered: Offered,
    views: Views,
    verified: Verified,
    standings: Standings,
}

impl App {
    /// An application on an open store. The issuer is the store's, which start-up has compared with the settings.
    /// `names` says where the hosts are that documents are fetched from.
    pub fn new(settings: Settings, store: Store, clock: Clock, names: Names) -> Result<Self, Fault> {
        let instance::Instance { issuer, chain_key } = store.read(instance::find)?;
        let cores = available_parallelism().map_or(1, NonZero::get);
        Ok(Self {
            offered: published::offered(&settings),
            views: Views::new(store.watch()),
            upstreams: Upstreams::new(
                settings.fetch_roots.clone(),
                Duration::from_secs(settings.upstream_time.as_u32().into()),
            ),
            room: Room::default(),
            closing: watch::Sender::new(false),
            fetcher: Fetcher::new(names, settings.fetch_networks.clone(), settings.fetch_roots.clone()),
            browser: Browser::new(&issuer),
            arrivals: Arrivals::new(&issuer),
            passwords: Passwords::new(cores),
            limits: Limits::default(),
            keys: Keys::default(),
            verified: Verified::default(),
            standings: Standings::default(),
            settings,
            issuer,
            store,
            clock,
            chain_key,
        })
    }

    /// The registry and the keys, as the database has them now.
    pub fn view(&self, now: UnixTime) -> Result<View, Fault> {
        self.views.take(&self.store, now, |tx| {
            let documents = published::make(tx, &self.issuer, self.offered, now)?;
            Ok(Made { sites: Sites::of(resources::list(tx)?), documents })
        })
    }

    /// Says that the server stops, so that streams that would go on for hours end.
    pub fn close(&self) {
        self.closing.send_replace(true);
    }

    /// Ready when the server stops.
    pub async fn closing(&self) {
        // The sender lives as long as this.
        let _ = self.closing.subscribe().wait_for(|closing| *closing).await;
    }

    /// Signs claims with the key of that id, which the transaction that planned them named.
    pub fn sign(&self, kid: &str, claims: &AccessTokenClaims) -> Result<String, Fault> {
        let payload =
            serde_json::to_vec(claims).map_err(|source| Fault::new("write a token's claims", source))?;
        Ok(self.keys.get(&self.store, kid)?.sign(&payload))
    }

    /// Signs who calls, for a server behind the guard.
    pub fn sign_identity(&self, kid: &str, claims: &IdentityClaims<'_>) -> Result<String, Fault> {
        let payload =
            serde_json::to_vec(claims).map_err(|source| Fault::new("write an identity's claims", source))?;
        Ok(self.keys.get(&self.store, kid)?.sign_as(IDENTITY_TYP, &payload))
    }

    /// What an access token is that is ours by signature and issuer. Whether it was revoked since, the database says.
    pub fn verify(&self, view: &View, token: &str, now: UnixTime) -> Option<Ours> {
        self.verified.get(token, view.documents(), &self.issuer, now)
    }

    /// What a token that was verified, and is for a resource of this view, opens there.
    pub fn opening(
        &self,
        view: &View,
        claims: &AccessTokenClaims,
        resource: &Resource,
    ) -> Result<Opening, Fault> {
        self.standings.get(&self.store, view, claims, resource)
    }
}
