//! `revoked_tokens`: access tokens that were revoked one by one (RFC 7009).

use rusqlite::params;

use super::{Fault, ReadTx, WriteTx};
use crate::clock::UnixTime;

/// Revokes the token of that `jti`, which would have ended at `expires_at`.
pub fn insert(tx: &WriteTx<'_>, jti: &str, expires_at: UnixTime) -> Result<(), Fault> {
    let sql = "insert into revoked_tokens (jti, expires_at) values (?1, ?2) on conflict do nothing";
    tx.execute("revoke an access token", sql, params![jti, expires_at]).map(drop)
}

/// Whether the token of that `jti` was revoked.
pub fn contains(tx: &ReadTx<'_>, jti: &str) -> Result<bool, Fault> {
    let sql = "select 1 from revoked_tokens where jti = ?1";
    Ok(tx.find("look for a revoked token", sql, params![jti], |_| Ok(()))?.is_some())
}
