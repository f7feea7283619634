//! Consistent copies of a database in use, and bringing one back.

use std::fs;
use std::path::Path;
use std::time::Duration;

use rusqlite::backup::Backup;
use rusqlite::{Connection, OpenFlags};

use super::schema::{self, OpenRefusal, beside, own_file};
use super::{Fault, Store};

impl Store {
    /// Writes a consistent copy to `to`, which must not exist, while the server runs. It appears under its name when it
    /// is complete and was read back without a complaint.
    pub fn backup(&self, to: &Path) -> Result<(), OpenRefusal> {
        copy(self.path(), to)
    }
}

/// Brings a backup back as the database at `to`, which must not exist.
pub fn restore(from: &Path, to: &Path) -> Result<(), OpenRefusal> {
    schema::check(from)?;
    copy(from, to)
}

fn copy(from: &Path, to: &Path) -> Result<(), OpenRefusal> {
    schema::refuse_existing(to)?;
    let unfinished = beside(to, ".unfinished");
    let _ = fs::remove_file(&unfinished);
    own_file(&unfinished)?;
    let copied = (|| {
        let doing = "copy the database";
        let source = Connection::open_with_flags(from, OpenFlags::SQLITE_OPEN_READ_WRITE)
            .map_err(Fault::during(doing))?;
        source.busy_timeout(Duration::from_secs(5)).map_err(Fault::during(doing))?;
        let mut target = Connection::open(&unfinished).map_err(Fault::during(doing))?;
        {
            let backup = Backup::new(&source, &mut target).map_err(Fault::during(doing))?;
            // All pages in one step: a copy in several starts again whenever somebody writes in between.
            backup.run_to_completion(i32::MAX, Duration::ZERO, None).map_err(Fault::during(doing))?;
        }
        let sound: String = target
            .pragma_query_value(None, "integrity_check", |row| row.get(0))
            .map_err(Fault::during("check the copy"))?;
        if sound != "ok" {
            return Err(Fault::new("check the copy", sound));
        }
        target.close().map_err(|(_, source)| Fault::during(doing)(source))
    })();
    let placed = copied.and_then(|()| {
        fs::hard_link(&unfinished, to).map_err(|source| Fault::new("put the copy in its place", source))
    });
    for leftover in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(beside(&unfinished, leftover));
    }
    placed.map_err(OpenRefusal::from)
}
