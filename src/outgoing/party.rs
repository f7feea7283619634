//! For whom something is fetched. Anybody can bring a client, with a host that never answers, and as many as they like:
//! strangers have turns of their own, so that they keep each other waiting and nobody else.

use tokio::sync::Semaphore;

/// Whose client it is that a document belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Party {
    /// Nobody's yet.
    Stranger,
    /// The owner's, or of somebody who has used it here.
    Known,
}

/// Turns for both.
pub(super) struct Turns<T> {
    strangers: T,
    known: T,
}

impl<T> Turns<T> {
    pub(super) fn of(&self, party: Party) -> &T {
        match party {
            Party::Stranger => &self.strangers,
            Party::Known => &self.known,
        }
    }
}

impl<T: From<Semaphore>> Turns<T> {
    /// So many at once for each.
    pub(super) fn new(at_once: usize) -> Self {
        let turns = || T::from(Semaphore::new(at_once));
        Self { strangers: turns(), known: turns() }
    }
}
