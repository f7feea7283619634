//! `setup_link`: the link with which the first admin is made.

use rusqlite::params;

use super::{Fault, ReadTx, WriteTx};
use crate::clock::UnixTime;
use crate::oauth::secret::SecretHash;

/// Makes this the link; an older one is void.
pub fn replace(tx: &WriteTx<'_>, hash: &SecretHash, expires_at: UnixTime) -> Result<(), Fault> {
    tx.execute(
        "store the set-up link",
        "insert into setup_link (id, hash, expires_at) values (1, ?1, ?2)
         on conflict (id) do update set hash = excluded.hash, expires_at = excluded.expires_at",
        params![hash, expires_at],
    )
    .map(drop)
}

/// Whether this is the link, and still good.
pub fn is_valid(tx: &ReadTx<'_>, hash: &SecretHash, now: UnixTime) -> Result<bool, Fault> {
    let sql = "select 1 from setup_link where hash = ?1 and expires_at > ?2";
    Ok(tx.find("look at the set-up link", sql, params![hash, now], |_| Ok(()))?.is_some())
}

/// Uses the link up: of any number of requests at once, one gets `true`, and only while there is no admin.
pub fn redeem(tx: &WriteTx<'_>, hash: &SecretHash, now: UnixTime) -> Result<bool, Fault> {
    let redeemed = tx.execute(
        "redeem the set-up link",
        "delete from setup_link
         where hash = ?1 and expires_at > ?2 and not exists (select 1 from users where admin = 1)",
        params![hash, now],
    )?;
    Ok(redeemed == 1)
}

/// Voids the link, because an admin came about by another way.
pub fn remove(tx: &WriteTx<'_>) -> Result<(), Fault> {
    tx.execute("void the set-up link", "delete from setup_link", []).map(drop)
}
