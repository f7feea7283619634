//! What requests go by: the registry and the keys, made once, and anew when these have changed.
//!
//! Commands and other processes change the database too, so every request asks whether it did: while nothing is written
//! that is all, and else there is a look at one number.

use std::sync::{Arc, Mutex, PoisonError};

use super::published::Documents;
use super::sites::Sites;
use crate::clock::{Seconds, UnixTime};
use crate::store::{Fault, Mark, ReadTx, Store, Watch, instance};

/// Some of it comes and goes with time alone, such as signing keys.
const OLDEST: Seconds = Seconds::new(30);

/// The registry and the keys, as one request sees them from its beginning to its end.
#[derive(Clone)]
pub struct View {
    made: Arc<Made>,
    epoch: Epoch,
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

    /// The epoch that it was taken in.
    pub const fn epoch(&self) -> Epoch {
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
    mark: Mark,
    epoch: Epoch,
}

impl Known {
    fn view(&self) -> View {
        View { made: Arc::clone(&self.made), epoch: self.epoch }
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
        let mark = self.watch.mark()?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let epoch = Epoch(known.as_ref().map_or(0, |known| known.epoch.0 + 1));
        let fresh = known.as_mut().filter(|known| known.made_at <= now && now < known.made_at.plus(OLDEST));
        if let Some(fresh) = fresh {
            if fresh.mark == mark {
                return Ok(fresh.view());
            }
            // The registry and the keys may be the same; whatever else was read may have changed.
            if store.read(instance::revision)? == fresh.revision {
                (fresh.mark, fresh.epoch) = (mark, epoch);
                return Ok(fresh.view());
            }
        }
        let (revision, made) = store.read(|tx| Ok((instance::revision(tx)?, Arc::new(make(tx)?))))?;
        Ok(known.insert(Known { made, revision, made_at: now, mark, epoch }).view())
    }
}
