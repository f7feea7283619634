//! Whether the database has changed since something was read from it, for one `read` call of a hundred bytes.
//!
//! Commands change the file while the server runs and take effect at its next request, so every request asks. What the log
//! looks like does not tell: a commit is written there first, then waits for the disk, which on a card may take longer than
//! any patience, and is there for readers only after that, when nothing in the log changes any more. What makes it so is
//! the header of the log's index (sqlite.org/walformat.html 2.1), which all processes share, and which every commit
//! changes: it counts them.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::Fault;
use super::schema::beside;

/// Both copies of the header. The second is written first, and readers want both to be alike: nobody sees a commit before
/// one of them has changed.
const HEADER_BYTES: usize = 2 * 48;

/// Looks at the index of the write-ahead log.
#[derive(Debug)]
pub struct Watch {
    index: PathBuf,
    /// The index, once it is there. It stays the same file for as long as somebody has the database open, as the store of
    /// this process does.
    open: OnceLock<File>,
}

/// What the database has come to. Two equal marks mean that readers saw the same from the one to the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark([u8; HEADER_BYTES]);

impl Watch {
    pub(super) fn new(database: &Path) -> Self {
        Self { index: beside(database, "-shm"), open: OnceLock::new() }
    }

    /// What the database has come to by now, by whichever process. The index is there once somebody has read.
    pub fn mark(&self) -> Result<Mark, Fault> {
        let during = |why| Fault::new("ask whether the database has changed", why);
        let mut header = [0; HEADER_BYTES];
        let index = match self.open.get() {
            Some(index) => index,
            None => {
                let index = File::open(&self.index).map_err(during)?;
                self.open.get_or_init(|| index)
            }
        };
        index.read_exact_at(&mut header, 0).map_err(during)?;
        Ok(Mark(header))
    }
}

#[cfg(test)]
mod tests {
    use super::super::schema;
    use super::*;
    use crate::clock::UnixTime;
    use crate::oauth::issuer::Issuer;

    #[test]
    fn a_mark_changes_when_readers_see_something_new_and_not_when_the_log_does() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("vestibule.db");
        schema::create(&path, &Issuer::parse("https://as.test").unwrap(), UnixTime::new(0)).unwrap();
        let writer = schema::connect(&path).unwrap();
        writer.execute_batch("begin; select 1 from instance; commit").unwrap();
        let watch = Watch::new(&path);
        let before = watch.mark().unwrap();
        assert_eq!(watch.mark().unwrap(), before);

        // More than the cache holds, so that the log has it before it is committed.
        writer.execute_batch("pragma cache_size = 2; begin immediate; create table large (text)").unwrap();
        writer.execute("insert into large values (zeroblob(1000000))", []).unwrap();
        let log = std::fs::metadata(schema::beside(&path, "-wal")).unwrap();
        assert!(log.len() > 0, "the log has some of it");
        assert_eq!(watch.mark().unwrap(), before, "nobody sees it yet");

        writer.execute_batch("commit").unwrap();
        let after = watch.mark().unwrap();
        assert_ne!(after, before);
        assert_eq!(watch.mark().unwrap(), after);

        // The log begins anew: what readers see is the same, and whatever is written there next shows all the same.
        writer.execute_batch("pragma wal_checkpoint(truncate); update large set text = 'a'").unwrap();
        assert_ne!(watch.mark().unwrap(), after);
    }
}
