//! What is made of the registry and the keys again and again: made once, and anew when these have changed.
//!
//! Commands and other processes change the database too, so every request asks whether it did; while nothing is written
//! that costs one `stat`, and else a look at one number.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::clock::{Seconds, UnixTime};
use crate::store::{Fault, Mark, ReadTx, Store, Watch, instance};

/// Two commits within one tick of the file system's clock leave the same mark, so a mark is believed only when it has
/// stood for longer than any such tick.
const TICK: Duration = Duration::from_millis(50);

/// Some of it comes and goes with time alone, such as signing keys.
const OLDEST: Seconds = Seconds::new(30);

/// A value made of resources and keys.
pub(super) struct Kept<T> {
    watch: Watch,
    known: Mutex<Option<Known<T>>>,
}

/// The value, and until when it may be believed.
struct Known<T> {
    value: Arc<T>,
    revision: i64,
    made_at: UnixTime,
    seen: Seen,
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

impl<T> Kept<T> {
    pub(super) fn new(watch: Watch) -> Self {
        Self { watch, known: Mutex::new(None) }
    }

    /// The value as the database has it now, made by `make` if it is not known.
    pub(super) fn get(
        &self,
        store: &Store,
        now: UnixTime,
        make: impl FnOnce(&ReadTx<'_>) -> Result<T, Fault>,
    ) -> Result<Arc<T>, Fault> {
        // Looked at before the database is read: what is committed in between shows at the next request.
        let mark = self.watch.mark();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = Seen::again(mark, known.as_ref().map(|known| &known.seen));
        let fresh = known.as_mut().filter(|known| known.made_at <= now && now < known.made_at.plus(OLDEST));
        if let Some(fresh) = fresh {
            let is_same = fresh.seen.is_settled && fresh.seen.mark == mark;
            if is_same || store.read(instance::revision)? == fresh.revision {
                fresh.seen = seen;
                return Ok(Arc::clone(&fresh.value));
            }
        }
        let (revision, value) = store.read(|tx| Ok((instance::revision(tx)?, Arc::new(make(tx)?))))?;
        *known = Some(Known { value: Arc::clone(&value), revision, made_at: now, seen });
        Ok(value)
    }
}
