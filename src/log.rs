//! Log lines: one per event, escaped, stamped in UTC, and never in the way of the service.
//!
//! A line goes into a buffer; a thread of its own writes the buffer out when it is full, when 50 ms have
//! passed, at once for warnings and errors, and at the end. If the sink is closed, full or slow, lines are
//! lost and counted, and nothing waits for it.
//!
//! Whatever a caller of `tracing` passes, this module never writes a control character, a line break or
//! more than a bounded length of it.

mod line;
mod sink;

use std::io::Write;

use tracing::{Level, Subscriber};
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;

pub use sink::LogWriter;

/// Starts the process's log at `level` into `sink`, which is usually standard error.
///
/// Keep the result until the end: dropping it writes out what is left.
///
/// # Errors
/// If a log was started before; the sink is not touched then.
pub fn start(
    level: Level,
    sink: impl Write + Send + 'static,
) -> Result<LogWriter, tracing::subscriber::SetGlobalDefaultError> {
    let writer = LogWriter::start(sink);
    tracing::subscriber::set_global_default(subscriber(level, &writer))?;
    Ok(writer)
}

/// The subscriber by itself, for a thread that wants its own.
pub fn subscriber(level: Level, writer: &LogWriter) -> impl Subscriber + Send + Sync + use<> {
    let lines = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .event_format(line::Lines)
        .with_writer(writer.lines())
        .with_filter(Targets::new().with_default(level));
    tracing_subscriber::registry().with(lines)
}
