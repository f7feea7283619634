//! `signing_keys`: the keys that sign access tokens, and when each does what.

use rusqlite::{Row, params};

use super::{Fault, ReadTx, WriteTx};
use crate::clock::UnixTime;
use crate::crypto::jwk::Algorithm;
use crate::crypto::jws::SigningKey;
use crate::oauth::claims::ACCESS_TOKEN_TYP;

/// A key and its life.
#[derive(Debug)]
pub struct StoredKey {
    /// The pair.
    pub key: SigningKey,
    /// How it signs.
    pub algorithm: Algorithm,
    /// When it was made, and has been in the JWKS since.
    pub created_at: UnixTime,
    /// From when on it signs.
    pub active_from: UnixTime,
    /// From when on it signs no more.
    pub retired_at: Option<UnixTime>,
    /// Until when it stays in the JWKS.
    pub published_until: Option<UnixTime>,
}

const COLUMNS: &str = "algorithm, pkcs8, created_at, active_from, retired_at, published_until";

fn read(row: &Row<'_>) -> rusqlite::Result<StoredKey> {
    let algorithm = row.get(0)?;
    let pkcs8: Vec<u8> = row.get(1)?;
    let key = SigningKey::from_pkcs8(algorithm, &pkcs8, ACCESS_TOKEN_TYP).map_err(|why| {
        rusqlite::Error::FromSqlConversionFailure(1, rusqlite::types::Type::Blob, Box::new(why))
    })?;
    Ok(StoredKey {
        key,
        algorithm,
        created_at: row.get(2)?,
        active_from: row.get(3)?,
        retired_at: row.get(4)?,
        published_until: row.get(5)?,
    })
}

/// Stores a new key that is published from now on and signs from `active_from` on.
pub fn insert(
    tx: &WriteTx<'_>,
    algorithm: Algorithm,
    pkcs8: &[u8],
    active_from: UnixTime,
    now: UnixTime,
) -> Result<String, Fault> {
    let doing = "store a signing key";
    let key =
        SigningKey::from_pkcs8(algorithm, pkcs8, ACCESS_TOKEN_TYP).map_err(|why| Fault::new(doing, why))?;
    let kid = key.jwk().kid().to_owned();
    tx.execute(
        doing,
        "insert into signing_keys (kid, algorithm, pkcs8, created_at, active_from) values (?1, ?2, ?3, ?4, ?5)",
        params![kid, algorithm, pkcs8, now, active_from],
    )?;
    Ok(kid)
}

/// Retires every key but `kid`: they sign until `retired_at` and are published until `published_until`. A key that
/// would only have begun to sign later never does.
pub fn retire_others(
    tx: &WriteTx<'_>,
    kid: &str,
    retired_at: UnixTime,
    published_until: UnixTime,
) -> Result<(), Fault> {
    tx.execute(
        "remove keys that never signed",
        "delete from signing_keys where kid <> ?1 and active_from >= ?2 and retired_at is null",
        params![kid, retired_at],
    )?;
    tx.execute(
        "retire signing keys",
        "update signing_keys set retired_at = ?2, published_until = ?3 where kid <> ?1 and retired_at is null",
        params![kid, retired_at, published_until],
    )
    .map(drop)
}

/// Forgets every key but `kid`, and with them every token that they signed.
pub fn remove_others(tx: &WriteTx<'_>, kid: &str) -> Result<(), Fault> {
    tx.execute("forget signing keys", "delete from signing_keys where kid <> ?1", params![kid]).map(drop)
}

/// The `kid` of the key that signs now.
pub fn current(tx: &ReadTx<'_>, now: UnixTime) -> Result<String, Fault> {
    let doing = "find the signing key";
    let sql = "select kid from signing_keys
               where active_from <= ?1 and (retired_at is null or retired_at > ?1) order by active_from desc limit 1";
    let kid = tx.find(doing, sql, params![now], |row| row.get(0))?;
    // Also when the clock went back behind the oldest key: a key is better than a standstill.
    let oldest = "select kid from signing_keys order by active_from limit 1";
    match kid {
        Some(kid) => Ok(kid),
        None => tx.find(doing, oldest, [], |row| row.get(0))?.ok_or_else(|| {
            Fault::new(doing, "there is none; restore a backup, or make one: vestibule key rotate")
        }),
    }
}

/// The key of that name.
pub fn find(tx: &ReadTx<'_>, kid: &str) -> Result<Option<StoredKey>, Fault> {
    let sql = format!("select {COLUMNS} from signing_keys where kid = ?1");
    tx.find("read a signing key", &sql, params![kid], read)
}

/// Every key that the JWKS shows, the newest first.
pub fn list_published(tx: &ReadTx<'_>, now: UnixTime) -> Result<Vec<StoredKey>, Fault> {
    let sql = format!(
        "select {COLUMNS} from signing_keys where published_until is null or published_until > ?1
         order by active_from desc, kid"
    );
    tx.list("list the signing keys", &sql, params![now], read)
}
