//! The binary: arguments in, exit status out. The only place where the process ends.

use std::io::Write as _;
use std::process::ExitCode;

use vestibule::commands::{CommandLine, Failure, run};

fn main() -> ExitCode {
    let line = match CommandLine::read(std::env::args_os()) {
        Ok(line) => line,
        Err(status) => return ExitCode::from(status),
    };
    match run(line) {
        Ok(()) | Err(Failure::ClosedPipe) => ExitCode::SUCCESS,
        Err(Failure::Answered) => ExitCode::FAILURE,
        Err(failure) => {
            // Where even stderr is closed, the status has to say it.
            let _ = writeln!(std::io::stderr(), "vestibule: {failure}");
            ExitCode::FAILURE
        }
    }
}
