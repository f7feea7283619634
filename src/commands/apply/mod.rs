//! `vestibule apply`: makes users, resources and clients be as a file says.
//!
//! What the file names is made to be as it says; what it does not name is left alone. All of it happens in one
//! transaction, and a second run changes nothing.

mod carry_out;
mod file;
mod plan;

use std::path::PathBuf;

use serde::Serialize;

use super::answer::Answer;
use super::database::{Database, create, issuer_of};
use super::failure::Failure;
use super::flags::Given;
use super::guards::{self, Own};
use crate::clock::{Clock, UnixTime};
use crate::config::Settings;
use crate::oauth::issuer::Issuer;
use crate::store::Store;

use plan::{Change, Known, NewPasswords, Plan};

/// Which file.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  vestibule apply vestibule.toml --dry-run      show what would change
  vestibule apply vestibule.toml                do it

A file, TOML or JSON by its name:
  [[users]]
  name = \"alice\"
  admin = true
  password_file = \"alice.password\"

  [[resources]]
  uri = \"https://notes.home.example/mcp\"
  name = \"Notes\"
  scopes = [\"notes:read\", \"notes:write\"]
  users = [\"alice\"]

  [[resources]]                                         # a guarded one: it knows nothing of sign-in
  uri = \"https://files.home.example/mcp\"
  users = [\"alice\", \"bob\"]                            # or \"everyone\"
  scopes = [\"read\", \"write\"]
  upstream = \"http://127.0.0.1:3001/mcp\"               # \"\": guarded no longer
  require = [\"tools/call:delete_*=write\"]

  [[clients]]
  client_id = \"backup-job\"
  name = \"Backup job\"
  grants = [\"client_credentials\"]
  audience = [\"https://notes.home.example/mcp\"]
  scopes = \"notes:read\"
  secret_file = \"backup-job.secret\"

What an entry does not say of a resource stays as it is, as do secrets, passwords and `disabled`; all else is as by
default, and so is all of a new entry. Files are looked for beside the file that names them. Where there is no database, one is made.")]
pub(super) struct Args {
    /// The file: NAME.toml or NAME.json
    file: PathBuf,
    /// Show what would change, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// The settings, of which a new database needs the issuer.
    #[command(flatten)]
    pub(super) settings: Given,
}

/// What was done, in JSON.
#[derive(Serialize)]
struct Applied<'a> {
    dry_run: bool,
    /// Whether the database was, or would be, made for it.
    new_database: bool,
    changed: usize,
    changes: &'a [Change],
}

/// Does it.
pub(super) fn run(settings: &Settings, args: &Args) -> Result<Answer, Failure> {
    let wanted = file::read(&args.file)?;
    let now = Clock::machine().now();
    let is_new = !settings.db.exists();
    if is_new {
        // Also when it is meant: a wrong file must not leave a database behind.
        let own = Own { issuer: issuer_of_settings(settings)?, listen: guards::listening(settings) };
        let known = Known::of_a_new_database(own);
        let plan = plan::make(&wanted, &known, &NewPasswords::new(), now)?;
        if args.dry_run {
            return Ok(report(plan, Made::Planned));
        }
    }
    let store = if is_new { found(settings, now)? } else { Store::open(&settings.db)? };
    let database = Database { store, now };
    let known = database.read(|tx| Known::read(tx, &wanted, guards::listening(settings)))?;
    // Before the transaction: each hash takes 25 ms, and the server's writes would wait.
    let passwords = known.new_passwords(&wanted);
    if args.dry_run {
        return Ok(report(plan::make(&wanted, &known, &passwords, now)?, Made::Nothing));
    }
    let listen = guards::listening(settings);
    let plan = database.change(move |tx, now| {
        let plan = plan::make(&wanted, &Known::read(tx, &wanted, listen)?, &passwords, now)?;
        carry_out::run(tx, &plan, now)?;
        Ok(plan)
    })?;
    Ok(report(plan, if is_new { Made::Database(settings.db.display().to_string()) } else { Made::Changes }))
}

/// What of a plan was made.
enum Made {
    /// Nothing of it, and there is no database either.
    Planned,
    /// Nothing of it.
    Nothing,
    /// All of it.
    Changes,
    /// All of it, and the database before.
    Database(String),
}

/// A database for a server that was never started.
fn found(settings: &Settings, now: UnixTime) -> Result<Store, Failure> {
    create(&settings.db, &issuer_of_settings(settings)?, settings.signing_algorithm, now)
}

/// The issuer of a server that was never started.
fn issuer_of_settings(settings: &Settings) -> Result<Issuer, Failure> {
    match &settings.issuer {
        Some(issuer) => Ok(issuer.clone()),
        None if settings.listen.port() == 0 => Err(Failure::new(
            "could not make a database: no issuer is set, and port 0 gives none; name it with --issuer",
        )),
        None => Ok(issuer_of(settings.listen)),
    }
}

fn report(plan: Plan, made: Made) -> Answer {
    let dry_run = matches!(made, Made::Planned | Made::Nothing);
    let plan = if dry_run { plan.without_secrets() } else { plan };
    let changed = plan.changes.iter().filter(|change| change.action != plan::Action::Keep).count();
    let new_database = matches!(made, Made::Planned | Made::Database(_));
    let mut text = match made {
        Made::Planned => "There is no database; it would be made.\n".to_owned(),
        Made::Database(file) => format!("Made the database {file}.\n"),
        Made::Nothing | Made::Changes => String::new(),
    };
    for change in &plan.changes {
        text.push_str(&change.to_string());
        text.push('\n');
    }
    text.push_str(&match (changed, dry_run) {
        (0, _) => "Nothing to change.".to_owned(),
        (1, false) => "1 change.".to_owned(),
        (_, false) => format!("{changed} changes."),
        (_, true) => format!("Nothing was changed (--dry-run); to change: {changed}."),
    });
    let answer = Answer::new(text, Applied { dry_run, new_database, changed, changes: &plan.changes });
    plan.warnings.iter().fold(answer, |answer, warning| answer.warn(warning.as_str()))
}
