//! The buffer between the log and its sink, and the thread that empties it.

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

/// The buffer is written out when it holds this much.
const FULL: usize = 16 * 1024;
/// Beyond this, a sink that does not keep up loses lines.
const OVERFLOW: usize = 1024 * 1024;
/// A line waits no longer than this for company.
const DELAY: Duration = Duration::from_millis(50);
/// How long the end waits for a sink that has stopped taking anything.
const FAREWELL: Duration = Duration::from_secs(1);

/// Collects lines and writes them out from a thread of its own. Dropping it writes out what is left, and
/// waits for that at most a second.
#[derive(Debug)]
pub struct LogWriter {
    shared: Arc<Shared>,
}

/// Where the lines of one subscriber go.
#[derive(Clone, Debug)]
pub(super) struct LineMaker {
    shared: Arc<Shared>,
}

/// Takes one line.
#[derive(Debug)]
pub(super) struct LineWriter<'a> {
    shared: &'a Shared,
    is_urgent: bool,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    /// Wakes the writing thread.
    work: Condvar,
    /// Wakes whoever waits for the end.
    finished: Condvar,
}

#[derive(Debug, Default)]
struct State {
    lines: Vec<u8>,
    lost: u64,
    is_urgent: bool,
    is_closing: bool,
    is_finished: bool,
}

impl LogWriter {
    /// Starts the writing thread. If no thread can be had, every line is lost and counted.
    pub fn start(sink: impl Write + Send + 'static) -> Self {
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        let started =
            std::thread::Builder::new().name("log".to_owned()).spawn(move || write_out(&theirs, sink));
        if started.is_err() {
            let mut state = shared.lock();
            state.is_closing = true;
            state.is_finished = true;
        }
        Self { shared }
    }

    /// How many lines were lost so far and not yet reported in the log itself.
    pub fn lost(&self) -> u64 {
        self.shared.lock().lost
    }

    pub(super) fn lines(&self) -> LineMaker {
        LineMaker { shared: Arc::clone(&self.shared) }
    }
}

impl Drop for LogWriter {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.is_closing = true;
        self.shared.work.notify_one();
        // A sink that is stuck keeps its thread and its lines; the process ends without them.
        let _ = self.shared.finished.wait_timeout_while(state, FAREWELL, |state| !state.is_finished);
    }
}

impl Shared {
    /// A panic while holding the lock cannot leave half a line behind that matters.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<'a> MakeWriter<'a> for LineMaker {
    type Writer = LineWriter<'a>;

    fn make_writer(&'a self) -> Self::Writer {
        LineWriter { shared: &self.shared, is_urgent: false }
    }

    fn make_writer_for(&'a self, meta: &Metadata<'_>) -> Self::Writer {
        LineWriter { shared: &self.shared, is_urgent: *meta.level() <= Level::WARN }
    }
}

impl Write for LineWriter<'_> {
    /// Takes all of `line`, or loses and counts it. Never waits for the sink, never fails.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut state = self.shared.lock();
        if state.is_closing || state.lines.len() + line.len() > OVERFLOW {
            state.lost += 1;
            return Ok(line.len());
        }
        let was_full = state.lines.len() >= FULL;
        let was_empty = state.lines.is_empty();
        state.lines.extend_from_slice(line);
        state.is_urgent |= self.is_urgent;
        // The thread sleeps without a timeout while there is nothing to write.
        let is_due = self.is_urgent || (!was_full && state.lines.len() >= FULL);
        drop(state);
        if was_empty || is_due {
            self.shared.work.notify_one();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The writing thread: takes the buffer whole, so that lines go on while the sink is busy.
fn write_out(shared: &Shared, mut sink: impl Write) {
    let mut batch = Vec::with_capacity(2 * FULL);
    loop {
        let (lost, is_closing) = {
            let mut state = wait_for_work(shared);
            std::mem::swap(&mut state.lines, &mut batch);
            state.is_urgent = false;
            (std::mem::take(&mut state.lost), state.is_closing)
        };
        let outcome = write_batch(&mut sink, &batch, lost);
        let unwritten = batch.iter().filter(|byte| **byte == b'\n').count() as u64;
        batch.clear();
        // A burst must not hold its memory for ever.
        batch.shrink_to(2 * FULL);
        let mut state = shared.lock();
        if outcome.is_err() {
            state.lost += lost + unwritten;
        }
        if is_closing {
            state.is_finished = true;
            shared.finished.notify_all();
            return;
        }
    }
}

fn write_batch(sink: &mut impl Write, batch: &[u8], lost: u64) -> io::Result<()> {
    if lost > 0 {
        // The line break ends whatever a failed write may have left unfinished.
        writeln!(sink, "\n{lost} log lines were lost: the log could not be written")?;
    }
    sink.write_all(batch)?;
    sink.flush()
}

/// Returns when there is something to write and a reason to do it now.
fn wait_for_work(shared: &Shared) -> MutexGuard<'_, State> {
    let mut state = shared.lock();
    while state.lines.is_empty() && !state.is_closing {
        state = shared.work.wait(state).unwrap_or_else(PoisonError::into_inner);
    }
    let due = Instant::now() + DELAY;
    while state.lines.len() < FULL && !state.is_urgent && !state.is_closing {
        let left = due.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        let waited = shared.work.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner);
        state = waited.0;
    }
    state
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// A sink that hands every write to the test, and takes its outcome from it.
    struct Told {
        written: mpsc::Sender<Vec<u8>>,
        outcomes: mpsc::Receiver<io::Result<()>>,
    }

    impl Write for Told {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.written.send(bytes.to_vec());
            match self.outcomes.recv() {
                Ok(outcome) => outcome.map(|()| bytes.len()),
                Err(_) => Ok(bytes.len()),
            }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn told() -> (LogWriter, mpsc::Receiver<Vec<u8>>, mpsc::Sender<io::Result<()>>) {
        let (written, writes) = mpsc::channel();
        let (outcome, outcomes) = mpsc::channel();
        (LogWriter::start(Told { written, outcomes }), writes, outcome)
    }

    fn log(writer: &LogWriter, line: &str) {
        let mut lines = LineWriter { shared: &writer.shared, is_urgent: false };
        lines.write_all(line.as_bytes()).unwrap();
    }

    #[test]
    fn lines_arrive_in_order_and_the_last_ones_at_the_end() {
        let (writer, writes, outcome) = told();
        drop(outcome);
        for number in 0..10_000 {
            log(&writer, &format!("{number}\n"));
        }
        drop(writer);
        let text = String::from_utf8(writes.iter().flatten().collect()).unwrap();
        assert!(text.lines().map(|line| line.parse::<usize>().unwrap()).eq(0..10_000));
    }

    #[test]
    fn a_quiet_log_writes_its_line_without_waiting_for_another() {
        let (writer, writes, outcome) = told();
        log(&writer, "alone\n");
        assert_eq!(writes.recv().unwrap(), b"alone\n");
        outcome.send(Ok(())).unwrap();
    }

    #[test]
    fn a_log_05_a_stuck_sink_stops_nobody_and_what_is_lost_is_counted() {
        let (writer, writes, outcome) = told();
        log(&writer, "first\n");
        assert_eq!(writes.recv().unwrap(), b"first\n");
        // The sink is stuck in its first write from here on.
        let line = "x".repeat(1023) + "\n";
        for _ in 0..1024 {
            log(&writer, &line);
        }
        assert_eq!(writer.lost(), 0);
        log(&writer, &line);
        log(&writer, &line);
        assert_eq!(writer.lost(), 2);
        drop(outcome);
        drop(writer);
        let text = String::from_utf8(writes.iter().flatten().collect()).unwrap();
        assert!(text.starts_with("\n2 log lines were lost"), "{}", &text[..80]);
        assert_eq!(text.matches('x').count(), 1023 * 1024);
    }

    #[test]
    fn a_log_05_a_closed_pipe_costs_lines_and_nothing_else() {
        let (writer, writes, outcome) = told();
        outcome.send(Err(io::ErrorKind::BrokenPipe.into())).unwrap();
        log(&writer, "gone\ngone\n");
        assert_eq!(writes.recv().unwrap(), b"gone\ngone\n");
        drop(outcome);
        drop(writer);
        let text = String::from_utf8(writes.iter().flatten().collect()).unwrap();
        assert!(text.contains("2 log lines were lost"), "{text:?}");
    }
}
