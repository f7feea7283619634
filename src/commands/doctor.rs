//! `vestibule doctor`: walks an MCP server's URL as clients do, and says what mends it.

use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::time::Duration;

use super::answer::{Answer, plain};
use super::failure::Failure;
use crate::clock::Clock;
use crate::doctor::{Finding, Mark, Registration, Report, ServerUrl, Step, walk};
use crate::outgoing::{Names, Prober, check_roots};

/// How long one request may take: claude.ai waits no longer.
const TIME: Duration = Duration::from_secs(10);

/// Where a line ends at the latest.
const WIDTH: usize = 110;

/// What to walk.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  vestibule doctor https://notes.home.example/mcp
  vestibule doctor http://127.0.0.1:8080/notes --json
  vestibule doctor https://notes.home.lan/mcp --roots my-ca.pem    with certificates of an authority of your own

The URL is walked as Claude, VS Code and the SDKs do, up to the page at which a person would sign in: from this machine,
so walk it from outside as well if cloud clients are to connect. It works with any MCP server and any authorization
server. Without a token no tool is called: that clients connect does not say that the server behind a guard runs.
One thing is left behind: where clients can register, a client called \"vestibule doctor\" does, and is removed again if
the server lets it; --no-register leaves that out, and what depends on it.

Exit status: 0 if clients connect, warnings or not; 1 if something keeps them from it, be it only some, or lets others in;
2 for wrong usage.")]
pub(super) struct Args {
    /// The MCP server's URL, as it is given to clients
    #[arg(value_parser = ServerUrl::parse)]
    url: ServerUrl,
    /// Register no client
    #[arg(long)]
    no_register: bool,
    /// Certificate authorities, PEM, that are trusted besides the web's and this machine's
    #[arg(long, value_name = "FILE")]
    roots: Option<PathBuf>,
}

/// Walks, and tells what was found.
pub(super) fn run(args: &Args) -> Result<Answer, Failure> {
    if let Some(roots) = &args.roots {
        check_roots(roots).map_err(|why| {
            Failure::new(format!(
                "could not use the authorities in {}: {why}; name a PEM file of certificates",
                roots.display()
            ))
        })?;
    }
    let prober = Prober::new(Names::system(), args.roots.clone(), TIME);
    let registration = if args.no_register { Registration::LeaveOut } else { Registration::Try };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|source| {
        Failure::new(format!("could not walk: {source}; look at the limits of the process"))
    })?;
    let report = runtime.block_on(walk(&args.url, registration, &prober, &Clock::machine()));
    // A question to a resolver that never answers would be waited for.
    runtime.shutdown_background();
    let ink = if io::stdout().is_terminal() { Ink::Colour } else { Ink::None };
    let answer = Answer::new(text(&report, ink), &report);
    Ok(if report.verdict.is_good() { answer } else { answer.of_a_failure() })
}

/// How marks stand out.
#[derive(Clone, Copy)]
enum Ink {
    /// By a colour (ECMA-48 8.3.117).
    Colour,
    /// By their words alone.
    None,
}

impl Ink {
    fn mark(self, mark: Mark) -> String {
        let (word, colour) = match mark {
            Mark::Ok => ("ok  ", "32"),
            Mark::Warn => ("warn", "33"),
            Mark::Fail => ("fail", "1;31"),
            Mark::Skipped => ("skip", "2"),
        };
        match self {
            Self::Colour => format!("\u{1b}[{colour}m{word}\u{1b}[0m"),
            Self::None => word.to_owned(),
        }
    }
}

/// The report as lines: a part's title, its steps below, and below a step that warns or fails what that means.
fn text(report: &Report, ink: Ink) -> String {
    let column = Step::ALL.iter().map(|step| step.title().len()).max().unwrap_or_default();
    let mut lines = String::new();
    let mut part = None;
    for finding in &report.steps {
        if part != Some(finding.step().part()) {
            if part.is_some() {
                lines.push('\n');
            }
            part = Some(finding.step().part());
            lines.push_str(finding.step().part().title());
            lines.push('\n');
        }
        lines.push_str(&line(finding, column, ink));
    }
    lines.push_str(&format!("\n{}\n", report.verdict));
    lines
}

fn line(finding: &Finding, column: usize, ink: Ink) -> String {
    let title = finding.step().title();
    let seen = plain(finding.seen());
    let mut lines = format!("  {}  {title:column$}  {seen}\n", ink.mark(finding.mark()));
    if let Some(advice) = finding.advice() {
        lines.push_str(&wrapped(&plain(&advice.why), "        "));
        lines.push_str(&wrapped(&format!("Mend: {}", plain(&advice.mend)), "        "));
    }
    lines
}

/// Words in lines that are not too long, each with this before it.
fn wrapped(text: &str, indent: &str) -> String {
    let mut lines = String::new();
    let mut line = String::new();
    for word in text.split(' ') {
        if !line.is_empty() && indent.len() + line.chars().count() + 1 + word.chars().count() > WIDTH {
            lines.push_str(&format!("{indent}{line}\n"));
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push_str(&format!("{indent}{line}\n"));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_sentences_go_on_below_and_no_word_is_cut() {
        let word = "w".repeat(60);
        assert_eq!(wrapped(&format!("{word} {word} a"), "  "), format!("  {word}\n  {word} a\n"));
        let long = "w".repeat(200);
        assert_eq!(wrapped(&long, "  "), format!("  {long}\n"));
    }
}
