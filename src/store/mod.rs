//! SQLite, and all SQL text: one file per table, named after it.
//!
//! One writer thread runs every write and commits many at once; readers cannot write. Speaks no HTTP, and decides
//! nothing that a rule of `oauth` decides. Whatever comes out of the database is parsed again, so that a corrupt
//! row is a fault and never a wrong value.

pub mod audit_logs;
pub mod authorization_codes;
pub mod authorizations;
pub mod backup;
pub mod client_documents;
pub mod client_key_sets;
pub mod clients;
pub mod consents;
mod fault;
pub mod grants;
pub mod instance;
pub mod purge;
pub mod resources;
pub mod revoked_tokens;
pub mod schema;
pub mod sessions;
pub mod setup_link;
pub mod signing_keys;
mod sql;
pub mod standing;
pub mod used_assertions;
pub mod users;
pub mod visits;
mod watch;
mod writer;

use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{CachedStatement, Connection, OptionalExtension, Params, Row};

pub use fault::Fault;
pub use schema::OpenRefusal;
pub use watch::{Mark, Watch};

use writer::Writer;

/// The database of one server.
pub struct Store {
    path: PathBuf,
    writer: Writer,
    /// Idle readers, the last used on top: its page cache is the warm one.
    readers: Mutex<Vec<Connection>>,
    /// How many closures of [`Store::write_behind`] wait for the disk.
    behind: Arc<AtomicUsize>,
}

/// How much may wait for the disk that nobody waits for.
const BEHIND_MAX: usize = 1_000;

/// One consistent view of the database.
pub struct ReadTx<'c> {
    connection: &'c Connection,
}

/// A view that can be changed; what it changes is kept if the closure returns `Ok`.
pub struct WriteTx<'c> {
    read: ReadTx<'c>,
}

impl<'c> Deref for WriteTx<'c> {
    type Target = ReadTx<'c>;

    fn deref(&self) -> &ReadTx<'c> {
        &self.read
    }
}

impl Store {
    /// Opens the database at `path`, and brings an older schema up to date. Never makes a new one.
    pub fn open(path: &Path) -> Result<Self, OpenRefusal> {
        schema::check(path)?;
        let connection = schema::connect(path)?;
        schema::upgrade(&connection)?;
        Ok(Self {
            path: path.to_owned(),
            writer: Writer::start(path, connection),
            readers: Mutex::default(),
            behind: Arc::default(),
        })
    }

    /// The database's file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Runs `read` on one consistent view. Uses the calling thread: a read takes microseconds.
    pub fn read<T>(&self, read: impl FnOnce(&ReadTx<'_>) -> Result<T, Fault>) -> Result<T, Fault> {
        let idle = self.readers.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = match idle {
            Some(connection) => connection,
            None => schema::connect_reader(&self.path)?,
        };
        let result = (|| {
            run(&connection, "begin", "begin to read")?;
            read(&ReadTx { connection: &connection })
        })();
        // A reader whose view cannot be ended is not used again.
        let ended = run(&connection, "rollback", "end a read");
        if ended.is_ok() {
            self.readers.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        }
        result
    }

    /// Runs `write` on the writer thread and answers once it is on the disk. `Err` undoes just this closure.
    pub async fn write<T: Send + 'static>(
        &self,
        write: impl FnOnce(&WriteTx<'_>) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        let (answer, answered) = tokio::sync::oneshot::channel();
        self.writer.submit(write, move |result| {
            // Nobody waits any more when the client went away; what was written stays written.
            let _ = answer.send(result);
        })?;
        answered.await.unwrap_or_else(|_| Err(writer::stopped()))
    }

    /// [`Store::write`] where nothing depends on it: the answer does not wait. What fails is told to the log.
    pub fn write_behind(&self, write: impl FnOnce(&WriteTx<'_>) -> Result<(), Fault> + Send + 'static) {
        self.behind.fetch_add(1, Ordering::Relaxed);
        let behind = Arc::clone(&self.behind);
        let submitted = self.writer.submit(write, move |result| {
            behind.fetch_sub(1, Ordering::Relaxed);
            if let Err(why) = result {
                tracing::error!(%why, "something was not written");
            }
        });
        if let Err(why) = submitted {
            self.behind.fetch_sub(1, Ordering::Relaxed);
            tracing::error!(%why, "something was not written");
        }
    }

    /// Waits, where too much of [`Store::write_behind`] is not on the disk yet, until it is: whoever would add to it goes no
    /// faster than the disk.
    pub async fn catch_up(&self) -> Result<(), Fault> {
        match self.behind.load(Ordering::Relaxed) > BEHIND_MAX {
            true => self.write(|_| Ok(())).await,
            false => Ok(()),
        }
    }

    /// [`Store::write`] for a thread that may wait: commands and start-up.
    pub fn write_and_wait<T: Send + 'static>(
        &self,
        write: impl FnOnce(&WriteTx<'_>) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        let (answer, answered) = std::sync::mpsc::channel();
        self.writer.submit(write, move |result| {
            let _ = answer.send(result);
        })?;
        answered.recv().unwrap_or_else(|_| Err(writer::stopped()))
    }

    /// Tells when any process has changed the database.
    pub fn watch(&self) -> Watch {
        Watch::new(&self.path)
    }
}

impl ReadTx<'_> {
    fn prepare(&self, doing: &'static str, sql: &str) -> Result<CachedStatement<'_>, Fault> {
        self.connection.prepare_cached(sql).map_err(Fault::during(doing))
    }

    /// The one row that the query finds, if any.
    fn find<T>(
        &self,
        doing: &'static str,
        sql: &str,
        params: impl Params,
        read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Option<T>, Fault> {
        self.prepare(doing, sql)?.query_row(params, read).optional().map_err(Fault::during(doing))
    }

    /// All rows that the query finds.
    fn list<T>(
        &self,
        doing: &'static str,
        sql: &str,
        params: impl Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, Fault> {
        let mut statement = self.prepare(doing, sql)?;
        let rows = statement.query_map(params, read).map_err(Fault::during(doing))?;
        rows.collect::<Result<_, _>>().map_err(Fault::during(doing))
    }
}

impl WriteTx<'_> {
    /// Runs a statement and says how many rows it changed.
    fn execute(&self, doing: &'static str, sql: &str, params: impl Params) -> Result<usize, Fault> {
        self.prepare(doing, sql)?.execute(params).map_err(Fault::during(doing))
    }

    fn last_insert_rowid(&self) -> i64 {
        self.connection.last_insert_rowid()
    }
}

fn run(connection: &Connection, sql: &str, doing: &'static str) -> Result<(), Fault> {
    let mut statement = connection.prepare_cached(sql).map_err(Fault::during(doing))?;
    statement.execute([]).map_err(Fault::during(doing))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::pin::pin;
    use std::sync::mpsc::channel;
    use std::task::Poll;

    use super::*;
    use crate::clock::UnixTime;
    use crate::oauth::issuer::Issuer;

    #[tokio::test]
    async fn whoever_adds_to_what_is_behind_goes_no_faster_than_the_disk() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("vestibule.db");
        schema::create(&path, &Issuer::parse("https://as.test").unwrap(), UnixTime::new(0)).unwrap();
        let store = Store::open(&path).unwrap();
        let (go_on, held) = channel::<()>();
        store.write_behind(move |_| held.recv().map_err(|why| Fault::new("wait", why)));
        for _ in 1..BEHIND_MAX {
            store.write_behind(|_| Ok(()));
        }
        store.catch_up().await.unwrap();
        store.write_behind(|_| Ok(()));
        let mut caught_up = pin!(store.catch_up());
        let waits = poll_fn(|cx| Poll::Ready(caught_up.as_mut().poll(cx).is_pending())).await;
        assert!(waits);
        go_on.send(()).unwrap();
        caught_up.await.unwrap();
        assert_eq!(store.behind.load(Ordering::Relaxed), 0);
    }
}
