//! What came of the walk, and what that means for clients.

use std::fmt;

use serde::Serialize;

use super::step::{Finding, Mark};

/// Every step, and what was found at it.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The URL that was walked, as it was typed.
    pub url: String,
    /// What it means.
    pub verdict: Verdict,
    /// What was found, in the order of the walk; a step may have several findings.
    pub steps: Vec<Finding>,
}

/// What it means for clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// How many things keep clients from connecting.
    pub failures: usize,
    /// How many things may.
    pub warnings: usize,
}

impl Report {
    /// The report of a walk.
    pub(super) fn new(url: &str, steps: Vec<Finding>) -> Self {
        let count = |mark| steps.iter().filter(|finding| finding.mark() == mark).count();
        let verdict = Verdict { failures: count(Mark::Fail), warnings: count(Mark::Warn) };
        Self { url: url.to_owned(), verdict, steps }
    }
}

impl Verdict {
    /// Whether nothing keeps clients from connecting.
    pub const fn is_good(self) -> bool {
        self.failures == 0
    }
}

/// One sentence.
impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.failures, self.warnings) {
            (0, 0) => f.write_str("Every client connects."),
            (0, 1) => f.write_str("Clients connect; one warning says which may not."),
            (0, count) => write!(f, "Clients connect; {count} warnings say which may not."),
            (1, _) => f.write_str("One thing keeps clients from connecting."),
            (count, _) => write!(f, "{count} things keep clients from connecting."),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verdict_is_one_sentence() {
        for (failures, warnings, sentence) in [
            (0, 0, "Every client connects."),
            (0, 1, "Clients connect; one warning says which may not."),
            (0, 3, "Clients connect; 3 warnings say which may not."),
            (1, 0, "One thing keeps clients from connecting."),
            (3, 3, "3 things keep clients from connecting."),
        ] {
            let verdict = Verdict { failures, warnings };
            assert_eq!((verdict.to_string().as_str(), verdict.is_good()), (sentence, failures == 0));
        }
    }
}
