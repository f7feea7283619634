//! `used_assertions`: client assertions count once, also after a restart.

use rusqlite::params;

use super::{Fault, WriteTx};
use crate::clock::UnixTime;

/// Uses an assertion up; `false` if it was used before. `hash` names the client and its `jti`.
pub fn spend(tx: &WriteTx<'_>, hash: &[u8; 32], expires_at: UnixTime) -> Result<bool, Fault> {
    let sql = "insert into used_assertions (hash, expires_at) values (?1, ?2) on conflict (hash) do nothing";
    Ok(tx.execute("use up a client assertion", sql, params![hash, expires_at])? == 1)
}
