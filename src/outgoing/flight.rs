//! What is being fetched right now: one fetch per URL at once, however many wait for it, and few per host.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OnceCell;

use super::fetch::{FetchRefusal, Fetched};
use super::party::Party;

/// How many fetches of one party a host may keep busy: a slow one must not take the turns of all.
const PER_HOST: usize = 2;

type Outcome = Result<Fetched, FetchRefusal>;

#[derive(Default)]
struct Flights {
    by_url: HashMap<String, Arc<OnceCell<Outcome>>>,
    by_host: HashMap<(Party, String), usize>,
}

/// The fetches that are under way.
#[derive(Default)]
pub(super) struct Airspace(Mutex<Flights>);

/// A place among those who wait for one URL. The last to leave clears the table.
pub(super) struct Seat<'a> {
    airspace: &'a Airspace,
    url: String,
    flight: Arc<OnceCell<Outcome>>,
}

/// One of the few fetches from a host.
pub(super) struct HostTurn<'a> {
    airspace: &'a Airspace,
    host: (Party, String),
}

impl Airspace {
    pub(super) fn board(&self, url: String) -> Seat<'_> {
        let flight = Arc::clone(self.lock().by_url.entry(url.clone()).or_default());
        Seat { airspace: self, url, flight }
    }

    pub(super) fn is_under_way(&self, url: &str) -> bool {
        self.lock().by_url.contains_key(url)
    }

    pub(super) fn host_turn(&self, host: &str, party: Party) -> Option<HostTurn<'_>> {
        let (mut flights, host) = (self.lock(), (party, host.to_owned()));
        let busy = flights.by_host.entry(host.clone()).or_default();
        if *busy >= PER_HOST {
            return None;
        }
        *busy += 1;
        Some(HostTurn { airspace: self, host })
    }

    fn lock(&self) -> MutexGuard<'_, Flights> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat<'_> {
    /// The outcome of the one fetch: this one's if nobody flies yet. If whoever flies goes away, the next takes over.
    pub(super) async fn outcome(&self, fly: impl Future<Output = Outcome>) -> Outcome {
        self.flight.get_or_init(|| fly).await.clone()
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        let mut flights = self.airspace.lock();
        let is_last = Arc::strong_count(&self.flight) <= 2;
        let is_listed = flights.by_url.get(&self.url).is_some_and(|listed| Arc::ptr_eq(listed, &self.flight));
        // What has landed is told to those who waited, and to nobody who comes later: errors are never remembered.
        if is_listed && (is_last || self.flight.initialized()) {
            flights.by_url.remove(&self.url);
        }
    }
}

impl Drop for HostTurn<'_> {
    fn drop(&mut self) {
        let mut flights = self.airspace.lock();
        if let Some(busy) = flights.by_host.get_mut(&self.host) {
            *busy -= 1;
            if *busy == 0 {
                flights.by_host.remove(&self.host);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused() -> Outcome {
        Err(FetchRefusal::NotJson)
    }

    #[tokio::test]
    async fn one_flies_for_all_and_nobody_later_hears_of_an_old_outcome() {
        let airspace = Airspace::default();
        let [first, second] = [(), ()].map(|()| airspace.board("u".to_owned()));
        assert!(first.outcome(async { refused() }).await.is_err());
        assert!(second.outcome(async { panic!("a second fetch") }).await.is_err());
        drop(first);
        let later = airspace.board("u".to_owned());
        let fetched = Ok(Fetched { body: bytes::Bytes::new(), fresh_for: crate::clock::Seconds::minutes(1) });
        assert!(later.outcome(async { fetched }).await.is_ok(), "a new request is a new fetch");
        drop((second, later));
        assert!(airspace.lock().by_url.is_empty());
    }

    #[tokio::test]
    async fn whoever_waits_takes_over_from_one_who_leaves() {
        let airspace = Airspace::default();
        let [first, second] = [(), ()].map(|()| airspace.board("u".to_owned()));
        {
            let mut left = Box::pin(first.outcome(std::future::pending()));
            let mut context = std::task::Context::from_waker(std::task::Waker::noop());
            assert!(left.as_mut().poll(&mut context).is_pending());
        }
        drop(first);
        assert!(second.outcome(async { refused() }).await.is_err());
        drop(second);
        assert!(airspace.lock().by_url.is_empty());
    }

    #[test]
    fn a_cimd_10_a_host_keeps_two_fetches_busy_and_no_more() {
        let airspace = Airspace::default();
        let turn = |host| airspace.host_turn(host, Party::Stranger);
        let turns = [turn("slow.test"), turn("slow.test")];
        assert!(turns.iter().all(Option::is_some));
        assert!(turn("slow.test").is_none());
        assert!(turn("other.test").is_some());
        assert!(airspace.host_turn("slow.test", Party::Known).is_some());
        drop(turns);
        assert!(turn("slow.test").is_some());
        assert!(airspace.lock().by_host.is_empty());
    }
}
