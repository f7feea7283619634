//! How often somebody may try: one bucket per kind and key, in bounded memory.
//!
//! A bucket never locks anybody out for good: it refills with time. Keys that an attacker chooses can fill the map,
//! so it is bounded, and buckets that are full again give way first.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use crate::clock::{Seconds, UnixTime};
use crate::crypto::digest::sha256;
use crate::oauth::ids::ClientId;

/// How many buckets there may be.
const BUCKETS_MAX: usize = 100_000;

/// What is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Wrong passwords for one name.
    PasswordOfUser,
    /// Wrong passwords from one address.
    PasswordFromAddress,
    /// Registrations from one address.
    Registration,
    /// Authorization requests from one address.
    Authorization,
    /// Documents and key sets that are fetched for one address.
    Fetch,
    /// Key sets that are fetched for one client before their time.
    KeyFetch,
    /// Failed client authentication and unknown tokens and codes from one address.
    TokenGuess,
    /// Wrong secrets for one client.
    SecretOfClient,
    /// Rows in the audit about what one address was refused, though it was no guess.
    RefusalRow,
}

impl Kind {
    /// How many at once, and how long until one more.
    const fn budget(self) -> Budget {
        match self {
            // 10 a minute and a name, 100 an hour and an address (security goal R-25).
            Self::PasswordOfUser => Budget { burst: 10, refill: Seconds::new(6) },
            Self::PasswordFromAddress => Budget { burst: 50, refill: Seconds::new(36) },
            // Hosted clients register from few shared addresses, and twice per connection.
            Self::Registration => Budget { burst: 60, refill: Seconds::new(10) },
            Self::Authorization => Budget { burst: 300, refill: Seconds::new(1) },
            Self::Fetch => Budget { burst: 30, refill: Seconds::new(4) },
            Self::KeyFetch => Budget { burst: 2, refill: Seconds::minutes(1) },
            Self::TokenGuess => Budget { burst: 100, refill: Seconds::new(1) },
            Self::SecretOfClient => Budget { burst: 100, refill: Seconds::new(1) },
            Self::RefusalRow => Budget { burst: 300, refill: Seconds::new(1) },
        }
    }
}

struct Budget {
    burst: u32,
    refill: Seconds,
}

/// Whom a bucket belongs to. Names are hashed, so that a bucket's size does not depend on what a stranger types.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key([u8; 16]);

impl Key {
    /// An address: one IPv4 address, or an IPv6 /64, since whoever has one address of it has them all.
    pub fn address(ip: IpAddr) -> Self {
        let v6 = match ip.to_canonical() {
            IpAddr::V4(v4) => return Self(v4.to_ipv6_mapped().octets()),
            IpAddr::V6(v6) => v6,
        };
        let mut octets = v6.octets();
        octets[8..].fill(0);
        Self(octets)
    }

    /// A user name as typed: spellings of one name share a bucket.
    pub fn user_name(typed: &str) -> Self {
        Self::of(typed.trim().to_lowercase().as_bytes())
    }

    /// A browser in which somebody has signed in before, by what only that browser knows.
    pub fn device(nonce: &[u8]) -> Self {
        Self::of(nonce)
    }

    /// A client.
    pub fn client(id: &ClientId) -> Self {
        Self::of(id.as_str().as_bytes())
    }

    fn of(bytes: &[u8]) -> Self {
        let digest = sha256(bytes);
        let (key, _) = digest.split_first_chunk::<16>().expect("32 bytes begin with 16");
        Self(*key)
    }
}

/// The caller must wait so long before it may try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wait(pub Seconds);

/// The buckets. Each holds the time at which it will be full again, which is all there is to know (GCRA).
#[derive(Default)]
pub struct Limits {
    buckets: Mutex<HashMap<(Kind, Key), i64>>,
}

impl Limits {
    /// Takes one from the bucket, or says how long to wait.
    pub fn take(&self, kind: Kind, key: Key, now: UnixTime) -> Result<(), Wait> {
        self.spend(kind, key, now, 1)
    }

    /// Looks whether one could be taken, and takes nothing. For limits on failures alone.
    pub fn look(&self, kind: Kind, key: Key, now: UnixTime) -> Result<(), Wait> {
        self.spend(kind, key, now, 0)
    }

    /// Gives a bucket back all it had: the owner has shown who they are.
    pub fn forgive(&self, kind: Kind, key: Key) {
        self.lock().remove(&(kind, key));
    }

    /// Gives back what one [`Limits::take`] took, because it turned out to be no failure. Unlike
    /// [`Limits::forgive`], it wipes out nobody's failures.
    pub fn give_back(&self, kind: Kind, key: Key) {
        let refill = i64::from(kind.budget().refill.as_u32());
        if let Some(full_at) = self.lock().get_mut(&(kind, key)) {
            *full_at -= refill;
        }
    }

    fn spend(&self, kind: Kind, key: Key, now: UnixTime, count: i64) -> Result<(), Wait> {
        let Budget { burst, refill } = kind.budget();
        let (refill, now) = (i64::from(refill.as_u32()), now.as_i64());
        let mut buckets = self.lock();
        let allowed = now + refill * i64::from(burst);
        let full_at = match buckets.get_mut(&(kind, key)) {
            // Nothing is emptier than empty, or a clock that went back would lock people out until it catches up.
            Some(full_at) => {
                *full_at = (*full_at).min(allowed);
                (*full_at).max(now)
            }
            None => now,
        };
        let after = full_at + refill;
        if after > allowed {
            let wait = u32::try_from(after - allowed).unwrap_or(u32::MAX);
            return Err(Wait(Seconds::new(wait)));
        }
        if count > 0 {
            if buckets.len() >= BUCKETS_MAX && !buckets.contains_key(&(kind, key)) {
                make_room(&mut buckets, now);
            }
            buckets.insert((kind, key), after);
        }
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<(Kind, Key), i64>> {
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Drops the buckets that are full again and, if that is not enough, those that will be soonest.
fn make_room(buckets: &mut HashMap<(Kind, Key), i64>, now: i64) {
    buckets.retain(|_, full_at| *full_at > now);
    if buckets.len() < BUCKETS_MAX {
        return;
    }
    let mut times: Vec<i64> = buckets.values().copied().collect();
    let (_, median, _) = times.select_nth_unstable(BUCKETS_MAX / 2);
    let median = *median;
    buckets.retain(|_, full_at| *full_at > median);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_refills_with_time_and_is_nobodys_but_its_keys() {
        let (limits, start) = (Limits::default(), UnixTime::new(1_000_000));
        let [alice, bob] = ["alice", "bob"].map(Key::user_name);
        for _ in 0..10 {
            assert_eq!(limits.take(Kind::PasswordOfUser, alice, start), Ok(()));
        }
        assert_eq!(limits.take(Kind::PasswordOfUser, alice, start), Err(Wait(Seconds::new(6))));
        assert_eq!(limits.take(Kind::PasswordOfUser, bob, start), Ok(()));
        let later = start.plus(Seconds::new(6));
        assert_eq!(limits.look(Kind::PasswordOfUser, alice, later), Ok(()));
        assert_eq!(limits.take(Kind::PasswordOfUser, alice, later), Ok(()));
        assert!(limits.take(Kind::PasswordOfUser, alice, later).is_err());
        limits.forgive(Kind::PasswordOfUser, alice);
        assert_eq!(limits.take(Kind::PasswordOfUser, alice, later), Ok(()));
    }

    #[test]
    fn a_clock_that_goes_back_locks_nobody_out() {
        let (limits, now) = (Limits::default(), UnixTime::new(1_000_000));
        let alice = Key::user_name("alice");
        let ahead = now.plus(Seconds::days(365));
        while limits.take(Kind::PasswordOfUser, alice, ahead).is_ok() {}
        assert_eq!(limits.take(Kind::PasswordOfUser, alice, now), Err(Wait(Seconds::new(6))));
        assert_eq!(limits.take(Kind::PasswordOfUser, alice, now.plus(Seconds::new(6))), Ok(()));
    }

    #[test]
    fn a_success_gives_back_its_own_and_no_more() {
        let (limits, now) = (Limits::default(), UnixTime::new(1_000_000));
        let alice = Key::user_name("alice");
        for _ in 0..10 {
            assert_eq!(limits.take(Kind::PasswordOfUser, alice, now), Ok(()));
        }
        limits.give_back(Kind::PasswordOfUser, alice);
        assert_eq!(limits.take(Kind::PasswordOfUser, alice, now), Ok(()));
        assert!(limits.take(Kind::PasswordOfUser, alice, now).is_err());
    }

    #[test]
    fn a_web_17_one_bucket_for_every_spelling() {
        assert!(Key::user_name("alice") == Key::user_name(" Alice "));
        let address = |text: &str| Key::address(text.parse().unwrap());
        assert!(address("2001:db8::1") == address("2001:db8::ffff:1"));
        assert!(address("2001:db8::1") != address("2001:db8:0:1::1"));
        assert!(address("::ffff:192.0.2.1") == address("192.0.2.1"));
    }

    #[test]
    fn memory_is_bounded() {
        let (limits, now) = (Limits::default(), UnixTime::new(1_000_000));
        for n in 0..BUCKETS_MAX + 10 {
            let _ = limits.take(Kind::TokenGuess, Key::user_name(&n.to_string()), now);
        }
        assert!(limits.lock().len() <= BUCKETS_MAX);
    }
}
