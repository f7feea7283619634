//! The writer thread: all writes that wait at one moment share one commit.
//!
//! A commit costs an fsync, which on the disks that homelabs have takes 5 to 20 ms. Each closure runs in its own
//! savepoint, so that one that fails undoes nothing of the others; then one commit, then all answers.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use rusqlite::Connection;

use super::{Fault, ReadTx, WriteTx, run, schema};

/// How many closures share one commit at most: bounds how long the first of them waits.
const BATCH_MAX: usize = 256;

/// Runs a closure on a transaction, or on the reason why there is none, and leaves behind what is to be done once
/// the commit is known.
type Job = Box<dyn FnOnce(Result<&WriteTx<'_>, Fault>) -> Ran + Send>;
type Answer = Box<dyn FnOnce(Result<(), Fault>) + Send>;

struct Ran {
    keep: bool,
    answer: Answer,
}

pub(super) struct Writer {
    jobs: Option<Sender<Job>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Writer {
    pub(super) fn start(path: &Path, connection: Connection) -> Self {
        let (jobs, queue) = channel();
        let path = path.to_owned();
        let thread = thread::Builder::new()
            .name("writer".to_owned())
            .spawn(move || Desk { path, connection: Some(connection) }.serve(&queue))
            .expect("a thread can be started at start-up");
        Self { jobs: Some(jobs), thread: Some(thread) }
    }

    pub(super) fn submit<T: Send + 'static>(
        &self,
        write: impl FnOnce(&WriteTx<'_>) -> Result<T, Fault> + Send + 'static,
        answer: impl FnOnce(Result<T, Fault>) + Send + 'static,
    ) -> Result<(), Fault> {
        let job: Job = Box::new(move |tx| {
            let result = tx.and_then(|tx| {
                catch_unwind(AssertUnwindSafe(|| write(tx))).unwrap_or_else(|_| {
                    Err(Fault::new("write", "the closure panicked; the line above says where"))
                })
            });
            Ran {
                keep: result.is_ok(),
                answer: Box::new(move |committed| answer(result.and_then(|value| committed.map(|()| value)))),
            }
        });
        self.jobs.as_ref().ok_or_else(stopped)?.send(job).map_err(|_| stopped())
    }
}

impl Drop for Writer {
    /// Lets the thread finish what is queued, then waits for it, so that the file is closed in order.
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

pub(super) fn stopped() -> Fault {
    Fault::new("write", "the writer has stopped")
}

struct Desk {
    path: PathBuf,
    /// `None` while it is in use, and after a failure.
    connection: Option<Connection>,
}

impl Desk {
    fn serve(&mut self, queue: &Receiver<Job>) {
        while let Ok(first) = queue.recv() {
            let mut answers = Vec::new();
            let committed = self.batch(first, queue, &mut answers);
            for answer in answers {
                answer(match &committed {
                    Ok(()) => Ok(()),
                    Err(fault) => Err(fault.share()),
                });
            }
        }
    }

    /// Runs what waits, and says whether it was committed.
    fn batch(&mut self, first: Job, queue: &Receiver<Job>, answers: &mut Vec<Answer>) -> Result<(), Fault> {
        let begun = self.begin();
        let connection = match &begun {
            Ok(connection) => connection,
            Err(fault) => {
                // All that wait now would wait for the same lock again: they are told at once.
                for job in std::iter::once(first).chain(queue.try_iter()) {
                    answers.push(job(Err(fault.share())).answer);
                }
                return Ok(());
            }
        };
        let tx = WriteTx { read: ReadTx { connection } };
        let mut next = Some(first);
        let mut spoilt = Ok(());
        while let Some(job) = next {
            let (answer, ended) = in_savepoint(&tx, job);
            answers.push(answer);
            spoilt = ended;
            next = if spoilt.is_ok() && answers.len() < BATCH_MAX { queue.try_recv().ok() } else { None };
        }
        let committed = spoilt.and_then(|()| run(connection, "commit", "commit"));
        match &committed {
            Ok(()) => self.connection = begun.ok(),
            // The connection is dropped, which also rolls back: after a failed fsync what it believes of the disk
            // may be wrong.
            Err(_) => drop(begun),
        }
        committed
    }

    fn begin(&mut self) -> Result<Connection, Fault> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => schema::connect(&self.path)?,
        };
        run(&connection, "begin immediate", "begin to write")?;
        Ok(connection)
    }
}

/// Runs one job; the second value is `Err` when its savepoint could not be ended, and the whole batch must go.
fn in_savepoint(tx: &WriteTx<'_>, job: Job) -> (Answer, Result<(), Fault>) {
    if let Err(fault) = run(tx.connection, "savepoint job", "start a savepoint") {
        let shared = fault.share();
        return (job(Err(fault)).answer, Err(shared));
    }
    let Ran { keep, answer } = job(Ok(tx));
    let undone = if keep { Ok(()) } else { run(tx.connection, "rollback to job", "undo a savepoint") };
    (answer, undone.and_then(|()| run(tx.connection, "release job", "end a savepoint")))
}
