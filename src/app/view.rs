//! What requests go by: the registry and the keys, made once, and anew when these have changed.
//!
//! Commands and other processes change the database too, so every request asks whether it did; while nothing is written
//! that costs one `stat`, and else a look at one number.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::published::Documents;
use super::sites::Sites;
use crate::clock::{Seconds, UnixTime};
use crate::store::{Fault, Mark, ReadTx, Store, Watch, instance};

/// Two commits within one tick of the file system's clock leave the same mark, so a mark is believed only when it has
/// stood for longer than any such tick.
const TICK: Duration = Duration::from_millis(50);

/// Some of it comes and goes with time alone, such as signing keys.
const OLDEST: Seconds = Seconds::new(30);

/// The registry and the keys, as one request sees them from its beginning to its end.
#[derive(Clone)]
pub struct View {
    made: Arc<Made>,
    epoch: Option<Epoch>,
}

/// What a view is made of.
pub(super) struct Made {
    pub(super) sites: Sites,
    pub(super) documents: Documents,
}

/// A time in which nothing was written to the database. What was read from it in one epoch holds for all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Epoch(u64);

impl View {
    /// Which resource a host and a path belong to.
    pub fn sites(&self) -> &Sites {
        &self.made.sites
    }

    /// The documents that clients and servers discover us by, and the keys.
    pub fn documents(&self) -> &Documents {
        &self.made.documents
    }

    /// The epoch that it was taken in; `None`: something was written a moment ago, and may be still.
    pub const fn epoch(&self) -> Option<Epoch> {
        self.epoch
    }
}

/// Takes views.
pub(super) struct Views {
    watch: Watch,
    known: Mutex<Option<Known>>,
}

/// What was made, and until when it may be believed.
struct Known {
    made: Arc<Made>,
    revision: i64,
    made_at: UnixTime,
    seen: Seen,
    epoch: Epoch,
}

/// What the database looked like when it was last read.
struct Seen {
    mark: Mark,
    first: Instant,
    is_settled: bool,
}

impl Seen {
    /// The same mark for a while longer, or another one.
    fn again(mark: Mark, before: Option<&Self>) -> Self {
        let first =
            before.filter(|before| before.mark == mark).map_or_else(Instant::now, |before| before.first);
        Self { mark, first, is_settled: first.elapsed() > TICK }
    }
}

impl Known {
    /// Sees the database again, whose registry and keys are the same. Whatever else was read from it may have changed,
    /// unless it is settled and looks as it did when it was settled before.
    fn seen_again(&mut self, seen: Seen) -> View {
        if !(self.seen.is_settled && self.seen.mark == seen.mark) {
            self.epoch = Epoch(self.epoch.0 + 1);
        }
        self.seen = seen;
        self.view()
    }

    fn view(&self) -> View {
        View { made: Arc::clone(&self.made), epoch: self.seen.is_settled.then_some(self.epoch) }
    }
}

impl Views {
    pub(super) fn new(watch: Watch) -> Self {
        Self { watch, known: Mutex::new(None) }
    }

    /// What the database has now, made by `make` if it is not known.
    pub(super) fn take(
        &self,
        store: &Store,
        now: UnixTime,
        make: impl FnOnce(&ReadTx<'_>) -> Result<Made, Fault>,
    ) -> Result<View, Fault> {
        // Looked at before the database is read: what is committed in between shows at the next request.
        let mark = self.watch.mark();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = Seen::again(mark, known.as_ref().map(|known| &known.seen));
        let fresh = known.as_mut().filter(|known| known.made_at <= now && now < known.made_at.plus(OLDEST));
        if let Some(fresh) = fresh {
            let is_same = fresh.seen.is_settled && fresh.seen.mark == mark;
            if is_same || store.read(instance::revision)? == fresh.revision {
                return Ok(fresh.seen_again(seen));
            }
        }
        let (revision, made) = store.read(|tx| Ok((instance::revision(tx)?, Arc::new(make(tx)?))))?;
        let epoch = Epoch(known.as_ref().map_or(0, |known| known.epoch.0 + 1));
        Ok(known.insert(Known { made, revision, made_at: now, seen, epoch }).view())
    }
}
