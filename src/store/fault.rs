//! Our doing, never the caller's: what the database could not do, for the log.

use std::error::Error;
use std::fmt;

/// A failure of this server. Its text goes to the log; the wire learns nothing but that it happened.
#[derive(Debug)]
pub struct Fault {
    doing: &'static str,
    source: Box<dyn Error + Send + Sync>,
    temporary: bool,
}

impl Fault {
    /// A fault that will not go away by itself.
    pub fn new(doing: &'static str, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { doing, source: source.into(), temporary: false }
    }

    /// Whether the same request may succeed later: the disk is full, the file is locked or read-only.
    pub const fn is_temporary(&self) -> bool {
        self.temporary
    }

    /// A copy for each of several callers that one failed commit concerns.
    pub(super) fn share(&self) -> Self {
        Self { doing: self.doing, source: self.source.to_string().into(), temporary: self.temporary }
    }

    /// Names what was being done when SQLite failed.
    pub(super) fn during(doing: &'static str) -> impl FnOnce(rusqlite::Error) -> Self {
        move |source| {
            use rusqlite::ErrorCode::{
                CannotOpen, DatabaseBusy, DatabaseLocked, DiskFull, ReadOnly, SystemIoFailure,
            };
            let temporary = matches!(
                source.sqlite_error_code(),
                Some(DatabaseBusy | DatabaseLocked | DiskFull | SystemIoFailure | ReadOnly | CannotOpen)
            );
            Self { doing, source: source.into(), temporary }
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "could not {}: {}", self.doing, self.source)
    }
}

impl Error for Fault {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(self.source.as_ref())
    }
}
