//! What is made of the database again and again: made once, and anew when the database has changed.
//!
//! Commands and other processes change the database too, so every request asks whether it did; that costs one `stat` and
//! keeps what everybody asks for as fast as an answer that never changes.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::clock::{Seconds, UnixTime};
use crate::store::{Fault, Mark, Watch};

/// Two commits within one tick of the file system's clock leave the same mark, so a mark is believed only when it has
/// stood for longer than any such tick.
const TICK: Duration = Duration::from_millis(50);

/// Some of it comes and goes with time alone, such as signing keys.
const OLDEST: Seconds = Seconds::new(30);

/// A value made of the database.
pub(super) struct Kept<T> {
    watch: Watch,
    known: Mutex<Option<Known<T>>>,
}

/// The value, and until when it may be believed.
struct Known<T> {
    value: Arc<T>,
    mark: Mark,
    made_at: UnixTime,
    first_seen: Instant,
    settled: bool,
}

impl<T> Kept<T> {
    pub(super) fn new(watch: Watch) -> Self {
        Self { watch, known: Mutex::new(None) }
    }

    /// The value as the database has it now, made by `make` if it is not known.
    pub(super) fn get(
        &self,
        now: UnixTime,
        make: impl FnOnce() -> Result<T, Fault>,
    ) -> Result<Arc<T>, Fault> {
        // Looked at before the database is read: what is committed in between shows at the next request.
        let mark = self.watch.mark();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let same = known.as_ref().filter(|known| known.mark == mark);
        if let Some(same) = same
            && same.settled
            && same.made_at <= now
            && now < same.made_at.plus(OLDEST)
        {
            return Ok(Arc::clone(&same.value));
        }
        let first_seen = same.map_or_else(Instant::now, |same| same.first_seen);
        let settled = first_seen.elapsed() > TICK;
        let value = Arc::new(make()?);
        *known = Some(Known { value: Arc::clone(&value), mark, made_at: now, first_seen, settled });
        Ok(value)
    }
}
