//! What came of the walk, and what that means for clients.

use std::fmt;

use serde::Serialize;

use super::step::{Finding, Harm, Mark};

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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// How many things are wrong: all that follow but the warnings.
    pub failures: usize,
    /// How many keep clients out, whatever their kind.
    pub clients: usize,
    /// How many keep out the clients alone that they name.
    pub named_clients: usize,
    /// How many keep out clients in a web page alone.
    pub web_pages: usize,
    /// How many let in whoever should not come in.
    pub exposures: usize,
    /// How many things may keep a client out.
    pub warnings: usize,
}

impl Report {
    /// The report of a walk.
    pub(super) fn new(url: &str, steps: Vec<Finding>) -> Self {
        let count = |mark| steps.iter().filter(|finding| finding.mark() == mark).count();
        let harming = |harm| steps.iter().filter(|finding| finding.harm() == Some(harm)).count();
        let verdict = Verdict {
            failures: count(Mark::Fail),
            clients: harming(Harm::Clients),
            named_clients: harming(Harm::NamedClients),
            web_pages: harming(Harm::WebPages),
            exposures: harming(Harm::Exposure),
            warnings: count(Mark::Warn),
        };
        Self { url: url.to_owned(), verdict, steps }
    }
}

impl Verdict {
    /// Whether nothing is wrong, for clients of any kind.
    pub const fn is_good(self) -> bool {
        self.failures == 0
    }
}

/// One sentence: whether clients connect, and which of them do not.
impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { clients, named_clients, web_pages, exposures, .. } = *self;
        match (clients, named_clients, web_pages) {
            (0, 0, 0) if exposures > 0 => f.write_str("Clients connect")?,
            (0, 0, 0) => return self.fmt_good(f),
            (0, 0, _) => f.write_str("Clients connect, but those in a web page do not")?,
            (0, named, _) => {
                f.write_str("Clients connect, but not those that ")?;
                match named {
                    1 => f.write_str("one failure names")?,
                    count => write!(f, "{count} failures name")?,
                }
                if web_pages > 0 {
                    f.write_str(", and none in a web page")?;
                }
            }
            (1, 0, 0) => f.write_str("One thing keeps clients from connecting")?,
            _ => {
                write!(f, "{} things keep clients from connecting", clients + named_clients + web_pages)?;
                match named_clients {
                    0 => {}
                    1 => f.write_str(", 1 of them only those that it names")?,
                    count => write!(f, ", {count} of them only those that they name")?,
                }
                if web_pages > 0 {
                    write!(f, ", {web_pages} of them only those in a web page")?;
                }
            }
        }
        match exposures {
            0 => f.write_str("."),
            1 => f.write_str("; one thing lets in whoever should stay out."),
            count => write!(f, "; {count} things let in whoever should stay out."),
        }
    }
}

impl Verdict {
    /// The sentence where nothing has failed.
    fn fmt_good(self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.warnings {
            0 => f.write_str("Every client connects."),
            1 => f.write_str("Clients connect; one warning says which may not."),
            count => write!(f, "Clients connect; {count} warnings say which may not."),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verdict_is_one_sentence_and_says_who_is_kept_out() {
        for (clients, named_clients, web_pages, exposures, warnings, sentence) in [
            (0, 0, 0, 0, 0, "Every client connects."),
            (0, 0, 0, 0, 1, "Clients connect; one warning says which may not."),
            (0, 0, 0, 0, 3, "Clients connect; 3 warnings say which may not."),
            (0, 0, 2, 0, 3, "Clients connect, but those in a web page do not."),
            (0, 1, 0, 0, 0, "Clients connect, but not those that one failure names."),
            (0, 2, 0, 0, 0, "Clients connect, but not those that 2 failures name."),
            (0, 1, 1, 0, 0, "Clients connect, but not those that one failure names, and none in a web page."),
            (0, 2, 1, 0, 0, "Clients connect, but not those that 2 failures name, and none in a web page."),
            (1, 0, 0, 0, 0, "One thing keeps clients from connecting."),
            (3, 0, 0, 0, 3, "3 things keep clients from connecting."),
            (1, 0, 1, 0, 0, "2 things keep clients from connecting, 1 of them only those in a web page."),
            (1, 1, 0, 0, 0, "2 things keep clients from connecting, 1 of them only those that it names."),
            (
                1,
                2,
                3,
                0,
                0,
                "6 things keep clients from connecting, 2 of them only those that they name, 3 of them only those in a \
                 web page.",
            ),
            (0, 0, 0, 1, 0, "Clients connect; one thing lets in whoever should stay out."),
            (
                1,
                0,
                0,
                2,
                0,
                "One thing keeps clients from connecting; 2 things let in whoever should stay out.",
            ),
        ] {
            let failures = clients + named_clients + web_pages + exposures;
            let verdict = Verdict { failures, clients, named_clients, web_pages, exposures, warnings };
            assert_eq!((verdict.to_string().as_str(), verdict.is_good()), (sentence, failures == 0));
        }
    }
}
