//! Whether the database has changed since something was read from it, for a fraction of what a read costs.
//!
//! Commands change the file while the server runs and take effect at its next request, so every request asks. What the
//! files look like does not tell: a commit is written to the log first, then waits for the disk, which on a card may
//! take longer than any patience, and is there for readers only after that, when nothing in the log changes any more.

use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::{Fault, schema};

/// Asks the database, over a connection of its own.
pub struct Watch {
    path: PathBuf,
    /// `None` before the first question, and after one that failed.
    connection: Option<Connection>,
    /// How many connections there were: each counts for itself.
    opened: u64,
}

/// What the database has come to. Two equal marks of one watch mean that readers saw the same from the one to the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    opened: u64,
    version: i64,
}

impl Watch {
    pub(super) fn new(database: &Path) -> Self {
        Self { path: database.to_owned(), connection: None, opened: 0 }
    }

    /// What the database has come to by now, by whichever process.
    pub fn mark(&mut self) -> Result<Mark, Fault> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => {
                self.opened += 1;
                schema::connect_reader(&self.path)?
            }
        };
        let version = connection
            .prepare_cached("pragma data_version")
            .and_then(|mut statement| statement.query_row([], |row| row.get(0)))
            .map_err(Fault::during("ask whether the database has changed"))?;
        self.connection = Some(connection);
        Ok(Mark { opened: self.opened, version })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::UnixTime;
    use crate::oauth::issuer::Issuer;

    #[test]
    fn a_mark_changes_when_readers_see_something_new_and_not_when_the_log_does() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("vestibule.db");
        schema::create(&path, &Issuer::parse("https://as.test").unwrap(), UnixTime::new(0)).unwrap();
        let writer = schema::connect(&path).unwrap();
        let mut watch = Watch::new(&path);
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
    }
}
