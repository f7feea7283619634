//! What stands behind `cargo bench --`.

use std::{path::PathBuf, time::Duration};

use crate::contest::Pace;

/// What the bench is asked to do.
pub(crate) struct Options {
    /// Length and number of the runs.
    pub(crate) pace: Pace,
    /// Cold starts, of which the median counts.
    pub(crate) starts: u32,
    /// Grants in the file that is compared with an empty one.
    pub(crate) grants: u64,
    /// The file is filled in so many portions, with live grants after each.
    pub(crate) portions: usize,
    /// Where the figures go as JSON.
    pub(crate) json: Option<PathBuf>,
    filters: Vec<String>,
}

/// How to use it.
pub(crate) const USAGE: &str = "\
cargo bench                          the whole table, some five minutes
cargo bench -- --quick               a smoke test: one round of one second, 10,000 grants
cargo bench -- refresh introspect    only rows with one of these words in their name
cargo bench -- =guard                only the row of this name
cargo bench -- --json FILE           the figures as JSON too";

impl Options {
    /// Reads the arguments without the program's name. An error says which one is not understood.
    pub(crate) fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Options, String> {
        let pace = Pace { run: Duration::from_secs(2), rounds: 5 };
        let mut options =
            Options { pace, starts: 15, grants: 1_000_000, portions: 64, json: None, filters: Vec::new() };
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                // What cargo says to every bench.
                "--bench" => {}
                "--quick" => {
                    options.pace = Pace { run: Duration::from_secs(1), rounds: 1 };
                    (options.starts, options.grants, options.portions) = (3, 10_000, 4);
                }
                "--json" => options.json = Some(arguments.next().ok_or("--json needs a file")?.into()),
                flag if flag.starts_with('-') => return Err(format!("{flag} is not known\n{USAGE}")),
                filter => options.filters.push(filter.to_owned()),
            }
        }
        Ok(options)
    }

    /// Is this row asked for?
    pub(crate) fn wants(&self, row: &str) -> bool {
        let names = |filter: &String| match filter.strip_prefix('=') {
            Some(name) => row == name,
            None => row.contains(filter),
        };
        self.filters.is_empty() || self.filters.iter().any(names)
    }
}
