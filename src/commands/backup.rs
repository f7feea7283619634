//! `vestibule backup`: a consistent copy of the database, also while the server runs.

use std::path::PathBuf;

use serde::Serialize;

use super::answer::Answer;
use super::database::Database;
use super::failure::Failure;
use crate::config::Settings;

/// Where to.
#[derive(clap::Args)]
#[command(after_help = "\
Example:
  vestibule backup /mnt/backups/vestibule-$(date +%F).db

The copy holds the signing keys: keep it where only you can read it.")]
pub(super) struct Args {
    /// The copy, which must not exist
    file: PathBuf,
}

/// What was copied, in JSON.
#[derive(Serialize)]
struct Copied {
    db: String,
    backup: String,
}

/// Does it.
pub(super) fn run(settings: &Settings, args: &Args) -> Result<Answer, Failure> {
    Database::open(settings)?.store.backup(&args.file)?;
    let copied = Copied { db: settings.db.display().to_string(), backup: args.file.display().to_string() };
    let text = format!(
        "Copied {} to {} and read the copy back. Bring it back with: vestibule restore {} --db NEW-FILE",
        copied.db, copied.backup, copied.backup
    );
    Ok(Answer::new(text, copied))
}
