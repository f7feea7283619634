//! The public keys of a client whose metadata says where they are: fetched when they are needed and not fresh.

use super::App;
use super::client_documents::{Freshness, party_of};
use crate::clock::{Seconds, UnixTime};
use crate::limits::{Key, Kind};
use crate::oauth::client::Client;
use crate::oauth::key_set::{KeySet, KeySetProblem};
use crate::oauth::key_set_url::KeySetUrl;
use crate::outgoing::FetchRefusal;
use crate::store::Fault;
use crate::store::client_key_sets::{self, Copy};

/// For how long keys are used while their host is down. Shorter than a document: a key may have been withdrawn because
/// it was stolen.
const STALE: Seconds = Seconds::days(1);

/// How soon keys may be fetched again before their time, where an assertion is of none of them.
const SOONEST: Seconds = Seconds::minutes(1);

/// The longest key set: some twenty keys.
const BYTES_MAX: usize = 64 * 1024;

/// Why a client's keys are not there.
#[derive(Debug)]
pub enum NoKeys {
    /// They could not be fetched.
    Fetch(FetchRefusal),
    /// What was fetched is no key set.
    Malformed(KeySetProblem),
    /// They were asked for too often, and there is no copy to use meanwhile.
    TooOften,
    /// Us.
    Fault(Fault),
}

impl From<Fault> for NoKeys {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// The keys at `url`, as this client publishes them. `payer` is who has them fetched, if need be.
pub async fn find(
    app: &App,
    client: &Client,
    url: &KeySetUrl,
    freshness: Freshness,
    payer: Key,
    now: UnixTime,
) -> Result<KeySet, NoKeys> {
    let (id, party) = (&client.id, party_of(client));
    let copy = app.store.read(|tx| client_key_sets::find(tx, id, url))?;
    let is_fresh = |copy: &Copy| {
        let until = match freshness {
            Freshness::Stated => copy.fresh_until,
            Freshness::Renewed => copy.fetched_at.plus(SOONEST),
        };
        copy.fetched_at <= now && now < until
    };
    let still_serves = |copy: &Copy| now < copy.fetched_at.plus(STALE);
    if let Some(copy) = copy.as_ref().filter(|copy| is_fresh(copy)) {
        return Ok(copy.keys.clone());
    }
    let copy = copy.filter(still_serves);
    // Whoever knows a client's name can write assertions in it, and each could cost its host a request; whoever joins a
    // fetch that is under way costs it none. And one address could register clients by the hundred, whose hosts are slow.
    let joins = app.fetcher.is_fetching(url.url(), BYTES_MAX, party);
    let may_ask = (joins || app.limits.take(Kind::KeyFetch, Key::client(id), now).is_ok())
        && app.limits.take(Kind::Fetch, payer, now).is_ok();
    if !may_ask {
        return copy.map(|copy| copy.keys).ok_or(NoKeys::TooOften);
    }
    match app.fetcher.fetch(url.url(), BYTES_MAX, party).await {
        Ok(fetched) => {
            let keys = KeySet::parse(&fetched.body).map_err(NoKeys::Malformed)?;
            let copy = Copy { keys: keys.clone(), fetched_at: now, fresh_until: now.plus(fetched.fresh_for) };
            let (id, url) = (id.clone(), url.clone());
            app.store.write(move |tx| client_key_sets::record(tx, &id, &url, &copy)).await?;
            Ok(keys)
        }
        Err(why) => match copy.filter(|_| why.is_outage()) {
            Some(copy) => {
                tracing::warn!(client = id.as_str(), %why, "a client's keys cannot be fetched: the last copy is used");
                Ok(copy.keys)
            }
            None => Err(NoKeys::Fetch(why)),
        },
    }
}
