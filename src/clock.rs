//! Time: instants and spans with names, and the only place that asks the machine for the time.
//!
//! Everything below the handlers takes `now: UnixTime` as a parameter, so that every rule about time can
//! be tested without waiting.

use std::fmt;
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

/// `2026-11-23T22:39:04Z` (RFC 3339). Days become a date by Howard Hinnant's `civil_from_days`: years begin in March,
/// so that the leap day is the last of its year, and 400 of them have 146,097 days.
impl fmt::Display for UnixTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, second_of_day) = (self.0.div_euclid(86_400), self.0.rem_euclid(86_400));
        let shifted = days + 719_468;
        let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        let (hour, minute, second) = (second_of_day / 3600, second_of_day / 60 % 60, second_of_day % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }
}

impl UnixTime {
    /// Reads `2026-11-23T22:39:04Z`, with an offset instead of the `Z`, or a date alone, which is its midnight in UTC.
    /// `None` for anything else, and for dates that are in no calendar.
    pub fn parse(text: &str) -> Option<Self> {
        let (date, rest) = text.split_at_checked(10)?;
        let mut parts = date.split('-');
        let (year, month, day) =
            (number(parts.next()?, 4)?, number(parts.next()?, 2)?, number(parts.next()?, 2)?);
        let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let month_days = match month {
            4 | 6 | 9 | 11 => 30,
            2 if leap => 29,
            2 => 28,
            1..=12 => 31,
            _ => return None,
        };
        if parts.next().is_some() || !(1..=month_days).contains(&day) {
            return None;
        }
        // The inverse of the above: `days_from_civil`.
        let year = if month <= 2 { year - 1 } else { year };
        let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
        let days = year * 365 + year / 4 - year / 100 + year / 400 + day_of_year - 719_468;
        Some(Self(days * 86_400 + second_of_day(rest)?))
    }
}

/// What follows the date, in seconds: nothing, or `T22:39:04` and the offset, which is taken off.
fn second_of_day(text: &str) -> Option<i64> {
    if text.is_empty() {
        return Some(0);
    }
    let (time, offset) = text.strip_prefix(['T', 't', ' '])?.split_at_checked(8)?;
    let mut parts = time.split(':');
    let (hour, minute, second) =
        (number(parts.next()?, 2)?, number(parts.next()?, 2)?, number(parts.next()?, 2)?);
    if parts.next().is_some() || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let ahead = match offset {
        "Z" | "z" => 0,
        _ => {
            let (sign, text) = offset.split_at_checked(1)?;
            let (hours, minutes) = text.split_once(':')?;
            let (hours, minutes) = (number(hours, 2)?, number(minutes, 2)?);
            let ahead = (hours <= 23 && minutes <= 59).then_some(hours * 3600 + minutes * 60)?;
            match sign {
                "+" => ahead,
                "-" => -ahead,
                _ => return None,
            }
        }
    };
    Some(hour * 3600 + minute * 60 + second - ahead)
}

/// A number of exactly so many digits.
fn number(text: &str, digits: usize) -> Option<i64> {
    let plain = text.len() == digits && text.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| text.parse().ok())?
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_written_and_read_as_utc_dates() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_709_251_199, "2024-02-29T23:59:59Z"),
            (1_709_251_200, "2024-03-01T00:00:00Z"),
            (1_795_473_544, "2026-11-23T22:39:04Z"),
            (4_107_542_399, "2100-02-28T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(UnixTime(seconds).to_string(), text);
            assert_eq!(UnixTime::parse(text), Some(UnixTime(seconds)), "{text}");
        }
        assert_eq!(UnixTime(-1).to_string(), "1969-12-31T23:59:59Z");
        assert_eq!(UnixTime::parse("2026-11-24T00:39:04+02:00"), Some(UnixTime(1_795_473_544)));
        assert_eq!(UnixTime::parse("2000-02-29"), Some(UnixTime(951_782_400)));
    }

    #[test]
    fn what_is_in_no_calendar_is_no_instant() {
        for wrong in [
            "",
            "yesterday",
            "2026-02-29",
            "2026-13-01",
            "2026-00-01",
            "2026-1-01",
            "2026-11-23T",
            "2026-11-23T24:00:00Z",
            "2026-11-23T22:39:04",
            "2026-11-23T22:39:04*02:00",
            "2026-11-23T22:39:04+2:00",
            "2026-11-2é",
        ] {
            assert_eq!(UnixTime::parse(wrong), None, "{wrong}");
        }
    }
}
