//! Passwords: argon2id on the blocking pool, as many at once as there are cores.
//!
//! Each takes 19 MiB and some 25 ms of a core, so a crowd of sign-ins must not become a shortage of memory.

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use crate::crypto::password;
use crate::store::Fault;

/// How many may wait for their turn or have it.
const QUEUE_MAX: usize = 64;

/// The turnstile in front of argon2.
pub struct Passwords {
    turns: Arc<Semaphore>,
    places: Arc<Semaphore>,
}

/// Too many sign-ins at once: try again in a few seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crowded;

impl Passwords {
    pub(super) fn new(at_once: usize) -> Self {
        Self { turns: Arc::new(Semaphore::new(at_once)), places: Arc::new(Semaphore::new(QUEUE_MAX)) }
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
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else { return Ok(Err(Crowded)) };
        let turn = Arc::clone(&self.turns)
            .acquire_owned()
            .await
            .map_err(|source| Fault::new("wait for a turn at argon2", source))?;
        // Turn and place go along with the work: a browser that goes away ends the waiting for it, but not the work
        // itself, and whoever came and went in a hurry would fill the memory.
        let done = spawn_blocking(move || {
            let done = work();
            drop((turn, place));
            done
        });
        Ok(Ok(done.await.map_err(|source| Fault::new("run argon2", source))?))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::task::{Context, Poll, Waker};

    use super::*;

    #[tokio::test]
    async fn a_web_20_work_that_nobody_waits_for_any_more_keeps_its_turn_until_it_is_done() {
        let passwords = Passwords::new(1);
        let (begun, has_begun) = channel();
        let (finish, may_finish) = channel::<()>();
        let mut left = Box::pin(passwords.take_a_turn(move || {
            let _ = begun.send(());
            let _ = may_finish.recv();
        }));
        assert!(matches!(left.as_mut().poll(&mut Context::from_waker(Waker::noop())), Poll::Pending));
        has_begun.recv().expect("the work has begun");
        drop(left);
        assert_eq!((passwords.turns.available_permits(), passwords.places.available_permits()), (0, 63));
        drop(finish);
        assert!(passwords.take_a_turn(|| ()).await.is_ok_and(|turn| turn == Ok(())));
    }

    #[tokio::test]
    async fn a_web_20_beyond_the_queue_people_are_told_at_once() {
        let passwords = Passwords::new(1);
        let places = Arc::clone(&passwords.places).acquire_many_owned(64).await.expect("64 places");
        assert!(passwords.take_a_turn(|| ()).await.is_ok_and(|turn| turn == Err(Crowded)));
        drop(places);
        assert!(passwords.take_a_turn(|| ()).await.is_ok_and(|turn| turn == Ok(())));
    }
}
