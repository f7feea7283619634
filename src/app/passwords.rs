//! Passwords: argon2id on the blocking pool, as many at once as there are cores.
//!
//! Each takes 19 MiB and some 25 ms of a core, so a crowd of sign-ins must not become a shortage of memory.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use crate::crypto::password;
use crate::store::Fault;

/// How many may wait for their turn.
const QUEUE_MAX: usize = 64;

/// The turnstile in front of argon2.
pub struct Passwords {
    turns: Semaphore,
    waiting: AtomicUsize,
}

/// Too many sign-ins at once: try again in a few seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crowded;

struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Passwords {
    pub(super) fn new(at_once: usize) -> Self {
        Self { turns: Semaphore::new(at_once), waiting: AtomicUsize::new(0) }
    }

    /// Whether `typed` is the password of `hash`; no hash takes the same time and says no.
    pub async fn verify(&self, typed: String, hash: Option<String>) -> Result<Result<bool, Crowded>, Fault> {
        self.take_a_turn(move || password::verify(&typed, hash.as_deref())).await
    }

    /// The hash of a new password.
    pub async fn hash(&self, typed: String) -> Result<Result<String, Crowded>, Fault> {
        self.take_a_turn(move || password::hash(&typed)).await
    }

    async fn take_a_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<Result<T, Crowded>, Fault> {
        let place = self.waiting.fetch_add(1, Ordering::Relaxed);
        let _waiting = Waiting(&self.waiting);
        if place >= QUEUE_MAX {
            return Ok(Err(Crowded));
        }
        let turn =
            self.turns.acquire().await.map_err(|source| Fault::new("wait for a turn at argon2", source))?;
        let done = spawn_blocking(work).await.map_err(|source| Fault::new("run argon2", source))?;
        drop(turn);
        Ok(Ok(done))
    }
}
