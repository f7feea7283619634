//! The binary: arguments in, exit status out. The only place where the process ends.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;
use vestibule::commands::{CommandLine, Failure, run};

fn main() -> ExitCode {
    let line = match CommandLine::try_parse() {
        Ok(line) => line,
        Err(wrong) => {
            // Help and version come this way too, and a closed pipe is no reason to complain about them.
            let _ = wrong.print();
            return ExitCode::from(if wrong.use_stderr() { 2 } else { 0 });
        }
    };
    match run(line) {
        Ok(()) | Err(Failure::ClosedPipe) => ExitCode::SUCCESS,
        Err(failure) => {
            // Where even stderr is closed, the status has to say it.
            let _ = writeln!(std::io::stderr(), "vestibule: {failure}");
            ExitCode::FAILURE
        }
    }
}
