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
use std::sync::{Mutex, PoisonError};

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
}

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
        Ok(Self { path: path.to_owned(), writer: Writer::start(path, connection), readers: Mutex::default() })
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
        let submitted = self.writer.submit(write, |result| {
            if let Err(why) = result {
                tracing::error!(%why, "something was not written");
            }
        });
        if let Err(why) = submitted {
            tracing::error!(%why, "something was not written");
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
