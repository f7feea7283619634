//! Making, checking, opening and upgrading the file.
//!
//! A file that is not plainly ours is refused, never re-initialised: with a new file come new keys, and everything
//! that was signed in would be out.

use std::error::Error;
use std::fmt;
use std::fs;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension, params};

use super::{Fault, run};
use crate::clock::UnixTime;
use crate::oauth::issuer::Issuer;
use crate::oauth::refresh_token::ChainKey;

/// Today's schema, whole.
pub const SCHEMA: &str = include_str!("../../schema.sql");

/// "Vstb", in the file's header.
const APPLICATION_ID: i32 = 0x5673_7462;

/// What turns a file of version N into one of version N + 1, at index N. Entries are never edited after a release.
const UPGRADES: &[&str] = &[include_str!("upgrades/v1.sql"), include_str!("upgrades/v2.sql")];

/// Today's schema version, as in a file's `user_version`.
pub const fn version() -> usize {
    UPGRADES.len()
}

/// Why a file is not opened or made.
#[derive(Debug)]
pub enum OpenRefusal {
    /// There is no file.
    Missing(PathBuf),
    /// There is a file already.
    Exists(PathBuf),
    /// The file is empty: a broken copy, or something that was never a database.
    Empty(PathBuf),
    /// The file is another program's, or no database at all.
    Foreign(PathBuf),
    /// A newer version of this program has upgraded the file.
    Newer(PathBuf),
    /// The file, its directory or its disk does not do what it should.
    Fault(Fault),
}

impl fmt::Display for OpenRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(path) => write!(
                f,
                "there is no database at {}: start the server once (vestibule serve --db {}) or name the right file with --db",
                path.display(),
                path.display()
            ),
            Self::Exists(path) => {
                write!(
                    f,
                    "{} exists already and is left alone: name another file, or move it away first",
                    path.display()
                )
            }
            Self::Empty(path) => write!(
                f,
                "{} is empty, which no database of ours ever is: restore a backup, or delete the file to start from nothing",
                path.display()
            ),
            Self::Foreign(path) => write!(
                f,
                "{} is not a database of vestibule and is left alone: name another file with --db",
                path.display()
            ),
            Self::Newer(path) => write!(
                f,
                "{} was upgraded by a newer vestibule and is left alone: run that version, or restore a backup from before",
                path.display()
            ),
            Self::Fault(fault) => {
                write!(f, "{fault}: check the file, its directory and the space on its disk")
            }
        }
    }
}

impl Error for OpenRefusal {}

impl From<Fault> for OpenRefusal {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// Makes a new database at `path`, readable by its owner only. It appears under its name when it is complete.
pub fn create(path: &Path, issuer: &Issuer, now: UnixTime) -> Result<(), OpenRefusal> {
    refuse_existing(path)?;
    let unfinished = beside(path, ".unfinished");
    let _ = fs::remove_file(&unfinished);
    own_file(&unfinished)?;
    let placed = fill(&unfinished, issuer, now).and_then(|()| {
        // Unlike a rename, a link never replaces what stands there.
        fs::hard_link(&unfinished, path)
            .map_err(|source| Fault::new("put the new database in its place", source))
    });
    let _ = fs::remove_file(&unfinished);
    placed.map_err(OpenRefusal::from)
}

/// Makes the tables in a file that nobody knows yet. What is left of it after a crash is thrown away, so it needs no
/// journal, and one flush at its end instead of several for every table.
fn fill(unfinished: &Path, issuer: &Issuer, now: UnixTime) -> Result<(), Fault> {
    let connection = Connection::open(unfinished).map_err(Fault::during("make the database"))?;
    connection
        .execute_batch("pragma journal_mode = off; pragma synchronous = off; begin")
        .and_then(|()| connection.execute_batch(SCHEMA))
        .map_err(Fault::during("make the tables"))?;
    connection
        .execute(
            "insert into instance (id, issuer, chain_key, created_at) values (1, ?1, ?2, ?3)",
            params![issuer.as_str(), ChainKey::new().as_bytes(), now.as_i64()],
        )
        .map_err(Fault::during("fill the database"))?;
    connection
        .pragma_update(None, "application_id", APPLICATION_ID)
        .and_then(|()| connection.pragma_update(None, "user_version", UPGRADES.len() as i64))
        .and_then(|()| connection.execute_batch("commit"))
        .map_err(Fault::during("mark the database as ours"))?;
    connection.close().map_err(|(_, source)| Fault::during("close the new database")(source))?;
    let flushed = fs::File::open(unfinished).and_then(|file| file.sync_all());
    flushed.map_err(|source| Fault::new("write the new database to the disk", source))
}

/// Refuses a file that is not one of ours, without changing a byte of it.
pub(super) fn check(path: &Path) -> Result<(), OpenRefusal> {
    let open_to_others = match fs::metadata(path) {
        Err(source) if source.kind() == std::io::ErrorKind::NotFound => {
            return Err(OpenRefusal::Missing(path.to_owned()));
        }
        Err(source) => return Err(Fault::new("look at the database", source).into()),
        Ok(metadata) if metadata.len() == 0 => return Err(OpenRefusal::Empty(path.to_owned())),
        Ok(metadata) => metadata.permissions().mode() & 0o077 != 0,
    };
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(Fault::during("open the database"))?;
    let number = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    match number("application_id") {
        Ok(id) if id == i64::from(APPLICATION_ID) => {}
        Ok(_) => return Err(OpenRefusal::Foreign(path.to_owned())),
        Err(source) if source.sqlite_error_code() == Some(rusqlite::ErrorCode::NotADatabase) => {
            return Err(OpenRefusal::Foreign(path.to_owned()));
        }
        Err(source) => return Err(Fault::during("read the database's header")(source).into()),
    }
    let version = number("user_version").map_err(Fault::during("read the schema's version"))?;
    if version > UPGRADES.len() as i64 {
        return Err(OpenRefusal::Newer(path.to_owned()));
    }
    if open_to_others {
        // Its secrets are hashes, but its signing keys are not.
        fs::set_permissions(path, fs::Permissions::from_mode(0o600))
            .map_err(|source| Fault::new("make the database its owner's only", source))?;
    }
    Ok(())
}

/// Refuses to put a database where one is, or where the log of one that was deleted is left: SQLite would play that log
/// into the new file.
pub(super) fn refuse_existing(path: &Path) -> Result<(), OpenRefusal> {
    match [path.to_owned(), beside(path, "-wal"), beside(path, "-journal")]
        .into_iter()
        .find(|file| file.exists())
    {
        Some(file) => Err(OpenRefusal::Exists(file)),
        None => Ok(()),
    }
}

/// A connection that writes.
pub(super) fn connect(path: &Path) -> Result<Connection, Fault> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(Fault::during("open the database"))?;
    settle(&connection)?;
    // FULL: a power cut must not bring a rotated or revoked token back. Grouped commits pay for it.
    // Checkpoints at 16 MB of log: under load they are what makes the slowest answers.
    connection
        .execute_batch(
            "pragma journal_mode = wal; pragma synchronous = full; pragma wal_autocheckpoint = 4000;
             pragma journal_size_limit = 33554432; pragma secure_delete = fast;",
        )
        .map_err(Fault::during("set up the database"))?;
    Ok(connection)
}

/// A connection that cannot write.
pub(super) fn connect_reader(path: &Path) -> Result<Connection, Fault> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection =
        Connection::open_with_flags(path, flags).map_err(Fault::during("open the database to read"))?;
    settle(&connection)?;
    connection.pragma_update(None, "query_only", true).map_err(Fault::during("make a reader"))?;
    Ok(connection)
}

/// What holds for every connection. The page cache is small: idle memory is a promise.
fn settle(connection: &Connection) -> Result<(), Fault> {
    connection.busy_timeout(Duration::from_secs(5)).map_err(Fault::during("set up the database"))?;
    connection.set_prepared_statement_cache_capacity(128);
    connection
        .execute_batch(
            "pragma foreign_keys = on; pragma trusted_schema = off; pragma cell_size_check = on;
             pragma mmap_size = 0; pragma cache_size = -2000;",
        )
        .map_err(Fault::during("set up the database"))
}

/// Brings an older file up to date, one version per transaction, so that it can be stopped at any point.
///
/// Foreign keys do not act meanwhile, or a table that is made anew would take with it what refers to it; whether all of
/// them still hold is looked at before each commit.
pub(super) fn upgrade(connection: &Connection) -> Result<(), Fault> {
    foreign_keys(connection, "off")?;
    while upgrade_by_one(connection)? {}
    foreign_keys(connection, "on")
}

fn foreign_keys(connection: &Connection, state: &str) -> Result<(), Fault> {
    let set = connection.pragma_update(None, "foreign_keys", state);
    set.map_err(Fault::during("switch foreign keys for an upgrade"))
}

/// `false`: there was nothing to do.
fn upgrade_by_one(connection: &Connection) -> Result<bool, Fault> {
    run(connection, "begin immediate", "begin to upgrade")?;
    let version: i64 = connection
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .map_err(Fault::during("read the schema's version"))?;
    let Some(step) = usize::try_from(version).ok().and_then(|version| UPGRADES.get(version)) else {
        return run(connection, "rollback", "end the upgrade").map(|()| false);
    };
    connection
        .execute_batch(step)
        .and_then(|()| connection.pragma_update(None, "user_version", version + 1))
        .map_err(Fault::during("upgrade the schema"))?;
    let broken: Option<String> = connection
        .query_row("select \"table\" from pragma_foreign_key_check limit 1", [], |row| row.get(0))
        .optional()
        .map_err(Fault::during("look over the upgraded database"))?;
    if let Some(table) = broken {
        let why =
            format!("a row of {table} refers to nothing; restore a backup, or ask for help with a copy");
        return Err(Fault::new("upgrade the schema", why));
    }
    run(connection, "commit", "commit an upgrade").map(|()| true)
}

/// A new empty file that only its owner can read.
pub(super) fn own_file(path: &Path) -> Result<(), Fault> {
    fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map(drop)
        .map_err(|source| Fault::new("make a file", format!("{}: {source}", path.display())))
}

/// The path with something after its name.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
