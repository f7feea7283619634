//! `vestibule restore`: a backup becomes the database, never over an existing one.

use std::path::PathBuf;

use serde::Serialize;

use super::answer::Answer;
use super::failure::Failure;
use crate::config::Settings;
use crate::store::{OpenRefusal, Store, backup};

/// From where.
#[derive(clap::Args)]
#[command(after_help = "\
Stop the server first, and move away all of the database that was: vestibule.db, and with it vestibule.db-wal and
vestibule.db-shm where they are, which belong to it and to no other.

Example:
  systemctl stop vestibule
  mkdir broken && mv vestibule.db* broken/
  vestibule restore /mnt/backups/vestibule-2026-11-23.db --db vestibule.db

Clients whose refresh token is newer than the backup sign in again; nothing that was revoked after the backup
stays revoked.")]
pub(super) struct Args {
    /// The backup
    file: PathBuf,
}

/// What was brought back, in JSON.
#[derive(Serialize)]
struct Restored {
    backup: String,
    db: String,
}

/// Does it.
pub(super) fn run(settings: &Settings, args: &Args) -> Result<Answer, Failure> {
    backup::restore(&args.file, &settings.db).map_err(|refusal| match refusal {
        OpenRefusal::Missing(path) => Failure::new(format!(
            "could not restore {}: there is no such file; name the backup: vestibule restore FILE",
            path.display()
        )),
        OpenRefusal::Foreign(path) => Failure::new(format!(
            "could not restore {}: it is no backup of vestibule; name another file",
            path.display()
        )),
        other => Failure::from(other),
    })?;
    // Opened once, so that a copy of an older version is upgraded now and not at the next start.
    drop(Store::open(&settings.db)?);
    let restored =
        Restored { backup: args.file.display().to_string(), db: settings.db.display().to_string() };
    let text = format!(
        "{} is now what {} was. Start the server: vestibule serve --db {}",
        restored.db, restored.backup, restored.db
    );
    Ok(Answer::new(text, restored))
}
