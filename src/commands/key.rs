//! `vestibule key`: the keys that sign tokens.

use clap::Subcommand;
use serde::Serialize;

use super::answer::{Answer, table};
use super::database::Database;
use super::failure::Failure;
use crate::audit::{Entry, Event, Origin};
use crate::clock::{Seconds, UnixTime};
use crate::config::Settings;
use crate::crypto::jwk::Algorithm;
use crate::crypto::jws::SigningKey;
use crate::store::signing_keys::{self, StoredKey};
use crate::store::{ReadTx, WriteTx, resources};

/// How long whoever checks tokens may keep the JWKS: a key is published so long before it signs, and after.
const JWKS_MAX_AGE: Seconds = Seconds::minutes(5);

/// What to do with keys.
#[derive(Subcommand)]
pub(super) enum Command {
    /// Show the keys that the JWKS shows
    List,
    /// Make a new key, which signs in 5 minutes, when everybody knows it; the old one stays known until its last
    /// token has ended
    #[command(after_help = "\
Examples:
  vestibule key rotate          in good order: no token becomes void
  vestibule key rotate --now    a key was stolen: all tokens out there are void, clients refresh by themselves")]
    Rotate {
        /// For an emergency: the new key signs at once, and all others are forgotten with the tokens they signed
        #[arg(long)]
        now: bool,
    },
}

/// A key in JSON.
#[derive(Serialize)]
struct Shown {
    kid: String,
    algorithm: &'static str,
    /// `signs`, `next` or `retired`.
    state: &'static str,
    created_at: UnixTime,
    active_from: UnixTime,
    #[serde(skip_serializing_if = "Option::is_none")]
    retired_at: Option<UnixTime>,
    #[serde(skip_serializing_if = "Option::is_none")]
    published_until: Option<UnixTime>,
}

impl Shown {
    fn new(stored: &StoredKey, current: &str, now: UnixTime) -> Self {
        let kid = stored.key.jwk().kid().to_owned();
        let state = match stored.retired_at {
            _ if kid == current => "signs",
            None if stored.active_from > now => "next",
            _ => "retired",
        };
        Self {
            kid,
            algorithm: stored.algorithm.as_str(),
            state,
            created_at: stored.created_at,
            active_from: stored.active_from,
            retired_at: stored.retired_at,
            published_until: stored.published_until,
        }
    }
}

/// Does it.
pub(super) fn run(settings: &Settings, command: Command) -> Result<Answer, Failure> {
    match command {
        Command::List => list(settings),
        Command::Rotate { now: false } => rotate(settings),
        Command::Rotate { now: true } => replace(settings),
    }
}

fn list(settings: &Settings) -> Result<Answer, Failure> {
    let database = Database::open(settings)?;
    let keys = database.read(|tx| {
        let current = signing_keys::current(tx, database.now)?;
        let keys = signing_keys::list_published(tx, database.now)?;
        Ok(keys.iter().map(|key| Shown::new(key, &current, database.now)).collect::<Vec<_>>())
    })?;
    let rows: Vec<_> = keys
        .iter()
        .map(|key| {
            let until = key.published_until.map_or(String::new(), |at| at.to_string());
            [
                key.kid.clone(),
                key.algorithm.to_owned(),
                key.state.to_owned(),
                key.active_from.to_string(),
                until,
            ]
        })
        .collect();
    Ok(Answer::new(
        table(["KID", "ALGORITHM", "STATE", "SIGNS FROM", "PUBLISHED UNTIL"], &rows, "No keys."),
        keys,
    ))
}

fn rotate(settings: &Settings) -> Result<Answer, Failure> {
    let (algorithm, usual) = (settings.signing_algorithm, settings.lifetimes.access_token);
    let pkcs8 = SigningKey::generate(algorithm);
    let key = Database::open(settings)?.change(move |tx, now| {
        let active_from = now.plus(JWKS_MAX_AGE);
        let last_token_ends = active_from.plus(longest_token(tx, usual)?);
        let kid = signing_keys::insert(tx, algorithm, &pkcs8, active_from, now)?;
        signing_keys::retire_others(tx, &kid, active_from, last_token_ends.plus(JWKS_MAX_AGE))?;
        record(tx, &kid, "in good order", now)?;
        made(tx, algorithm, &kid, now)
    })?;
    let text = format!(
        "Made key {}: published now, signs from {} on. No token becomes void.",
        key.kid, key.active_from
    );
    Ok(Answer::new(text, key))
}

fn replace(settings: &Settings) -> Result<Answer, Failure> {
    let algorithm = settings.signing_algorithm;
    let pkcs8 = SigningKey::generate(algorithm);
    let key = Database::open(settings)?.change(move |tx, now| {
        let kid = signing_keys::insert(tx, algorithm, &pkcs8, now, now)?;
        signing_keys::remove_others(tx, &kid)?;
        record(tx, &kid, "at once; all others were forgotten", now)?;
        made(tx, algorithm, &kid, now)
    })?;
    let text = format!(
        "Made key {}: it signs now, and all others are forgotten with the tokens they signed. Servers that keep the \
         JWKS follow within 5 minutes; clients refresh by themselves.",
        key.kid
    );
    Ok(Answer::new(text, key))
}

fn made(tx: &ReadTx<'_>, algorithm: Algorithm, kid: &str, now: UnixTime) -> Result<Shown, Failure> {
    let stored = signing_keys::find(tx, kid)?.ok_or_else(|| {
        Failure::new(format!(
            "could not make a key: the new {} key is not there; try again",
            algorithm.as_str()
        ))
    })?;
    Ok(Shown::new(&stored, &signing_keys::current(tx, now)?, now))
}

/// The longest that an access token made now can live.
fn longest_token(tx: &ReadTx<'_>, usual: Seconds) -> Result<Seconds, Failure> {
    let own = resources::list(tx)?.into_iter().filter_map(|resource| resource.token_lifetime);
    Ok(own.fold(usual, Seconds::max))
}

fn record(tx: &WriteTx<'_>, kid: &str, reason: &str, now: UnixTime) -> Result<(), Failure> {
    let origin = Origin::of_command();
    Ok(Entry::new(Event::KeyRotated, &origin).subject(kid).reason(reason).record(tx, now)?)
}
