//! Whether the database has changed since something was read from it, for one `stat` call.
//!
//! Commands change the file while the server runs and take effect at its next request, and discovery must not pay
//! a read transaction for that. Every commit, by whichever process, writes to the write-ahead log.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::schema::beside;

/// Looks at the write-ahead log.
#[derive(Debug)]
pub struct Watch {
    log: PathBuf,
}

/// What the log looked like. Two equal marks with at least a tick of the file system's clock (a few milliseconds)
/// between the second and the log's last change mean that nothing was committed in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Mark {
    modified: (i64, i64),
    length: u64,
    file: u64,
}

impl Watch {
    pub(super) fn new(database: &Path) -> Self {
        Self { log: beside(database, "-wal") }
    }

    /// What the log looks like now. A log that cannot be looked at is like none, which is where it begins.
    pub fn mark(&self) -> Mark {
        fs::metadata(&self.log).map_or(Mark::default(), |log| Mark {
            modified: (log.mtime(), log.mtime_nsec()),
            length: log.len(),
            file: log.ino(),
        })
    }
}
