//! Time: instants and spans with names, and the only place that asks the machine for the time.
//!
//! Everything below the handlers takes `now: UnixTime` as a parameter, so that every rule about time can
//! be tested without waiting.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// An instant: whole seconds since 1970-01-01T00:00:00Z, as in a JWT's `NumericDate` and in the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnixTime(i64);

/// A span of whole seconds, never negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seconds(u32);

impl UnixTime {
    /// The instant `seconds` after the epoch.
    pub const fn new(seconds: i64) -> Self {
        Self(seconds)
    }

    /// Seconds since the epoch.
    pub const fn as_i64(self) -> i64 {
        self.0
    }

    /// This instant moved into the future; stops at the end of time instead of wrapping.
    pub const fn plus(self, span: Seconds) -> Self {
        Self(self.0.saturating_add(span.0 as i64))
    }

    /// This instant moved into the past; stops at the beginning of time instead of wrapping.
    pub const fn minus(self, span: Seconds) -> Self {
        Self(self.0.saturating_sub(span.0 as i64))
    }

    /// How much time has passed since `earlier`; nothing if the clock went back in between.
    pub fn since(self, earlier: Self) -> Seconds {
        let span = self.0.saturating_sub(earlier.0).max(0);
        Seconds(u32::try_from(span).unwrap_or(u32::MAX))
    }
}

impl Seconds {
    /// A span of `seconds`.
    pub const fn new(seconds: u32) -> Self {
        Self(seconds)
    }

    /// A span of `minutes`.
    pub const fn minutes(minutes: u32) -> Self {
        Self(minutes * 60)
    }

    /// A span of `hours`.
    pub const fn hours(hours: u32) -> Self {
        Self(hours * 3600)
    }

    /// A span of `days`.
    pub const fn days(days: u32) -> Self {
        Self(days * 86_400)
    }

    /// The number of seconds.
    pub const fn as_u32(self) -> u32 {
        self.0
    }
}

/// Where the time comes from: the machine, or a test's hand.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    Machine,
    ByHand(Arc<AtomicI64>),
}

impl Clock {
    /// The machine's clock.
    pub const fn machine() -> Self {
        Self(Source::Machine)
    }

    /// A clock that stands at `start` until [`Clock::advance`] moves it. Clones share the hands.
    pub fn by_hand(start: UnixTime) -> Self {
        Self(Source::ByHand(Arc::new(AtomicI64::new(start.0))))
    }

    /// The time. A machine set before 1970 reads as the epoch.
    pub fn now(&self) -> UnixTime {
        match &self.0 {
            Source::Machine => UnixTime(
                #[expect(
                    clippy::disallowed_methods,
                    reason = "this is the one reader of the machine's clock"
                )]
                SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64),
            ),
            Source::ByHand(hands) => UnixTime(hands.load(Ordering::SeqCst)),
        }
    }

    /// Moves a hand-turned clock by `seconds`, backwards if negative.
    ///
    /// # Panics
    /// On the machine's clock, which nobody here may turn.
    pub fn advance(&self, seconds: i64) {
        match &self.0 {
            Source::Machine => panic!("the machine's clock is not ours to turn"),
            Source::ByHand(hands) => {
                hands.fetch_add(seconds, Ordering::SeqCst);
            }
        }
    }
}
