//! The command line: a file per command, each from its flags to an [`Answer`] or a [`Failure`].
//!
//! Commands use the store directly and never go through HTTP. Only this module prints, but for the two commands that
//! go on until they are stopped: `serve`, and `audit --follow`.

mod answer;
mod apply;
mod audit;
mod backup;
mod client;
mod database;
mod descriptors;
mod difference;
mod doctor;
mod failure;
mod flags;
mod grant;
mod guards;
mod key;
mod resource;
mod restore;
pub mod serve;
mod taken_back;
mod user;
mod words;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Parser, Subcommand};

pub use answer::{Answer, Form};
pub use failure::Failure;

use crate::config::{self, Flags, Settings};

/// An OAuth 2.1 authorization server for a homelab: one binary, one SQLite file, one command.
#[derive(Parser)]
#[command(
    name = "vestibule",
    version,
    after_help = "\
Examples:
  vestibule                                          start the server on 127.0.0.1:8080, with vestibule.db here
  vestibule serve --issuer https://auth.home.example --listen 127.0.0.1:8080
  vestibule resource add https://notes.home.example/mcp --name Notes
  vestibule user add alice
  vestibule audit --follow
  vestibule doctor https://notes.home.example/mcp    why a client does not connect

Every setting can also come from the environment or a file: see vestibule serve --help."
)]
pub struct CommandLine {
    #[command(flatten)]
    everywhere: Everywhere,
    #[command(subcommand)]
    command: Option<Command>,
}

/// The flags of every command.
#[derive(clap::Args)]
struct Everywhere {
    /// The settings file, TOML [env: VESTIBULE_CONFIG]
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    /// The database's file [env: VESTIBULE_DB] [default: vestibule.db]
    #[arg(long, value_name = "FILE", global = true)]
    db: Option<String>,
    /// Answer with one JSON value on stdout
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Run the server (also: vestibule alone)
    Serve(serve::Args),
    /// Who may sign in
    #[command(subcommand)]
    User(user::Command),
    /// The servers that tokens can be for
    #[command(subcommand)]
    Resource(resource::Command),
    /// The programs that ask for tokens
    #[command(subcommand)]
    Client(client::Command),
    /// Who gave what to whom, and take it back
    #[command(subcommand)]
    Grant(grant::Command),
    /// The keys that sign tokens
    #[command(subcommand)]
    Key(key::Command),
    /// What happened
    Audit(audit::Args),
    /// Make users, resources and clients be as a file says
    Apply(apply::Args),
    /// Write a consistent copy of the database, also while the server runs
    Backup(backup::Args),
    /// Bring a backup back as the database, never over an existing one
    Restore(restore::Args),
    /// Walk an MCP server's URL as clients do, and say what mends it; needs no database
    Doctor(doctor::Args),
}

impl CommandLine {
    /// Reads the arguments of a process, its own name first. Help, version and wrong usage are answered here.
    ///
    /// # Errors
    /// The exit status, where there is nothing more to do: 0 for help and version, 2 for wrong usage.
    pub fn read(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, u8> {
        let arguments: Vec<OsString> = arguments.into_iter().collect();
        Self::try_parse_from(&arguments).or_else(|answer| Self::served(&arguments).ok_or(answer)).map_err(
            |answer| {
                // A closed pipe is no reason to complain about a help text.
                let _ = answer.print();
                if answer.use_stderr() { 2 } else { 0 }
            },
        )
    }

    /// The same with `serve` put in, which `vestibule` alone stands for: also with its flags.
    fn served(arguments: &[OsString]) -> Option<Self> {
        let (program, flags) = arguments.split_first()?;
        let begins_with_flag = flags.first()?.to_str()?.starts_with("--");
        let mut served = vec![program.clone(), OsString::from("serve")];
        served.extend_from_slice(flags);
        begins_with_flag.then(|| Self::try_parse_from(served).ok()).flatten()
    }
}

/// Does what the command line says.
///
/// # Errors
/// The one line that the person is to read on stderr.
pub fn run(line: CommandLine) -> Result<(), Failure> {
    let CommandLine { everywhere, command } = line;
    let form = if everywhere.json { Form::Json } else { Form::Text };
    let settings = |own: &flags::Given| load(&everywhere, own);
    let plain = || settings(&flags::Given::default());
    let answer = match command.unwrap_or_else(|| Command::Serve(serve::Args::default())) {
        Command::Serve(args) => return serve::run(settings(&args.settings)?, &args, form),
        Command::Audit(args) if args.follow => return audit::follow(&plain()?, &args, form),
        Command::Audit(args) => audit::run(&plain()?, &args),
        Command::User(command) => user::run(&plain()?, command),
        Command::Resource(command) => resource::run(&plain()?, command),
        Command::Client(command) => client::run(&plain()?, command),
        Command::Grant(command) => grant::run(&plain()?, command),
        Command::Key(command) => key::run(&plain()?, command),
        Command::Apply(args) => apply::run(&settings(&args.settings)?, &args),
        Command::Backup(args) => backup::run(&plain()?, &args),
        Command::Restore(args) => restore::run(&plain()?, &args),
        // No settings: it is to work where this server is not.
        Command::Doctor(args) => doctor::run(&args),
    };
    let answer = answer?;
    answer.print(form)?;
    answer.end()
}

fn load(everywhere: &Everywhere, own: &flags::Given) -> Result<Settings, Failure> {
    let db = everywhere.db.clone().map(|file| ("db", file));
    let values = db.into_iter().chain(own.values.iter().cloned()).collect();
    Ok(config::load(&Flags { config: everywhere.config.clone(), values })?)
}
