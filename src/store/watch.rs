//! Whether the database has changed since something was read from it, for one `stat` call.
//!
//! Commands change the file while the server runs and take effect at its next request, and discovery must not pay
//! a read transaction for that. Every commit, by whichever process, writes to the write-ahead log.

use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::schema::beside;

/// Looks at the write-ahead log.
#[derive(Debug)]
pub struct Watch {
    log: PathBuf,
    /// The log, once it is there: looking at an open file saves the way through the directories. It stays the same file
    /// for as long as somebody has the database open, as the store of this process does.
    open: OnceLock<File>,
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
        Self { log: beside(database, "-wal"), open: OnceLock::new() }
    }

    /// What the log looks like now. A log that cannot be looked at is like none, which is where it begins.
    pub fn mark(&self) -> Mark {
        self.look().map_or(Mark::default(), |log| Mark {
            modified: (log.mtime(), log.mtime_nsec()),
            length: log.len(),
            file: log.ino(),
        })
    }

    fn look(&self) -> io::Result<Metadata> {
        if let Some(log) = self.open.get() {
            let seen = log.metadata()?;
            // A log that was removed after all says nothing any more; the one that took its place does.
            return if seen.nlink() > 0 { Ok(seen) } else { fs::metadata(&self.log) };
        }
        let log = File::open(&self.log)?;
        self.open.get_or_init(|| log).metadata()
    }
}
