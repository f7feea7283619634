//! Why a command did not do what it was asked for: one line that says what, why, and what to do.

use std::error::Error;
use std::fmt;
use std::io;

use super::answer::plain;
use crate::config::ConfigRefusal;
use crate::store::{Fault, OpenRefusal};

/// The end of a command that was not done.
#[derive(Debug)]
pub enum Failure {
    /// What to tell the person.
    Said(String),
    /// The answer itself says what failed, and was printed.
    Answered,
    /// Nobody reads our output any more, as when it is piped into `head`: no failure of ours.
    ClosedPipe,
}

impl Failure {
    /// A failure in these words: what, why, what to do.
    pub fn new(words: impl Into<String>) -> Self {
        Self::Said(words.into())
    }

    /// As what a transaction returns to be undone; [`Failure::from`] brings it back.
    pub(super) fn into_fault(self) -> Fault {
        Fault::new("change the database", self)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // One line, whatever a file name or a library's message has in it.
            Self::Said(words) => f.write_str(&plain(words)),
            Self::Answered => f.write_str("see above"),
            Self::ClosedPipe => f.write_str("nobody reads the output"),
        }
    }
}

impl Error for Failure {}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        let refused = fault.source().and_then(|source| source.downcast_ref::<Self>());
        match refused {
            Some(Self::Said(words)) => Self::Said(words.clone()),
            Some(Self::Answered) => Self::Answered,
            Some(Self::ClosedPipe) => Self::ClosedPipe,
            None if fault.is_temporary() => Self::Said(format!(
                "{fault}; check the file, its directory and the space on its disk, then try again"
            )),
            None => Self::Said(format!("{fault}; restore a backup if this stays (vestibule restore --help)")),
        }
    }
}

impl From<OpenRefusal> for Failure {
    fn from(refusal: OpenRefusal) -> Self {
        Self::Said(match refusal {
            OpenRefusal::Fault(_) => refusal.to_string(),
            _ => format!("could not use the database: {refusal}"),
        })
    }
}

impl From<ConfigRefusal> for Failure {
    fn from(refusal: ConfigRefusal) -> Self {
        Self::Said(refusal.to_string())
    }
}

impl From<io::Error> for Failure {
    fn from(source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::BrokenPipe => Self::ClosedPipe,
            _ => Self::Said(format!("could not write the output: {source}; send it somewhere else")),
        }
    }
}
