//! The log, as somebody reads it who stands beside the server.

use std::io::Write;
use std::sync::{Arc, Mutex, Once};

use vestibule::log::{self, LogWriter};

/// What a log wrote, for a test to look at.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The log of everything that happens on this thread, which in these tests is the whole server, at its most talkative.
pub struct Listening {
    written: Written,
    writer: LogWriter,
    guard: tracing::subscriber::DefaultGuard,
}

impl Listening {
    pub fn begin() -> Self {
        /// `tracing` asks once for each place in the source whether anybody wants to hear of it, on the thread that
        /// comes by first. Without somebody who always does, that may be a test that listens to nothing, and its answer
        /// would hold for all.
        static SOMEBODY: Once = Once::new();
        SOMEBODY.call_once(|| {
            tracing::subscriber::set_global_default(tracing_subscriber::registry())
                .expect("nobody else is the first");
        });
        let written = Written::default();
        let writer = LogWriter::start(written.clone());
        let guard = tracing::subscriber::set_default(log::subscriber(tracing::Level::TRACE, &writer));
        Self { written, writer, guard }
    }

    /// Everything that was written since [`Listening::begin`].
    pub fn end(self) -> String {
        drop(self.guard);
        drop(self.writer);
        let bytes = self.written.0.lock().unwrap().clone();
        String::from_utf8(bytes).expect("a log is text")
    }
}
