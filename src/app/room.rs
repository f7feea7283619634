//! How much memory there is for bodies that wait until something is certain about them: anybody who is let in could send
//! many, and slowly.

use tokio::sync::{Semaphore, SemaphorePermit};

/// How many large ones may wait at once, each at most a quarter of a megabyte.
const PLACES: usize = 256;

/// The places.
#[derive(Debug)]
pub struct Room(Semaphore);

/// A place, given back when it is dropped.
#[derive(Debug)]
pub struct Place<'r>(
    #[expect(dead_code, reason = "it is given back when it is dropped")] SemaphorePermit<'r>,
);

impl Default for Room {
    fn default() -> Self {
        Self(Semaphore::new(PLACES))
    }
}

impl Room {
    /// A place, if there is one: whoever waited for one would hold memory meanwhile.
    pub fn enter(&self) -> Option<Place<'_>> {
        self.0.try_acquire().ok().map(Place)
    }
}
