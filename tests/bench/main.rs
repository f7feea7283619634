//! `cargo bench`: the table of goals, each figure beside the ceiling that was measured in the same run.
//!
//! The load comes over real sockets; every server is a process of its own. Exit status: 0 when every row has a
//! figure (met or missed), 1 when the product did something unexpected, 2 for wrong usage.

mod bare_write;
mod ceilings;
mod contest;
mod guard;
mod histogram;
mod load;
mod options;
mod person;
mod process;
mod report;
mod requests;
mod rows;
mod vestibule;

use std::{env, process::ExitCode};

use tokio::runtime;

use crate::options::Options;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let [ceilings::ARGUMENT, kind, setting] =
        arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice()
    {
        return exit(ceilings::serve(kind, setting).map(|()| ExitCode::SUCCESS));
    }
    check_instruments();
    // `cargo test --all-targets` starts benches too, without this word; nobody waits minutes for that.
    if !arguments.iter().any(|argument| argument == "--bench") {
        println!("The instruments are sound. `cargo bench` measures:\n{}", options::USAGE);
        return ExitCode::SUCCESS;
    }
    match Options::parse(arguments.into_iter()) {
        Ok(options) => exit(bench(&options)),
        Err(usage) => {
            eprintln!("{usage}");
            ExitCode::from(2)
        }
    }
}

fn bench(options: &Options) -> Result<ExitCode, String> {
    let mut rows = runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?
        .block_on(rows::contests(options))?;
    rows.extend(rows::starts(options));
    report::print(&rows, options.pace);
    if let Some(file) = &options.json {
        report::write_json(&rows, file)?;
    }
    Ok(if rows.iter().any(report::Row::failed) { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn exit(outcome: Result<ExitCode, String>) -> ExitCode {
    outcome.unwrap_or_else(|reason| {
        eprintln!("{reason}");
        ExitCode::FAILURE
    })
}

/// A wrong instrument is worse than none.
fn check_instruments() {
    histogram::check();
    process::check();
    contest::check();
    person::check();
}
