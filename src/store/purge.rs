//! What expires, and when it goes: in small bites, so that nobody waits behind a purge.

use rusqlite::params;

use super::{Fault, WriteTx};
use crate::clock::{Seconds, UnixTime};

/// How many rows of one kind go in one transaction.
const BITE: i64 = 500;

/// How long what has ended is kept.
#[derive(Clone, Copy, Debug)]
pub struct Retention {
    /// Audit rows.
    pub audit: Seconds,
    /// Clients that registered themselves and were never used.
    pub unused_clients: Seconds,
    /// Grants without use.
    pub idle_grants: Seconds,
}

/// A code is kept for a day after its end, so that a replay is still recognised and revokes.
const SPENT_CODES: Seconds = Seconds::days(1);

/// A client that registered itself, or came by its document, and that nobody has allowed anything for so long and that
/// holds no grant is forgotten; it comes back as it came.
const IDLE_CLIENTS: Seconds = Seconds::days(90);

/// Removes one bite of everything that has had its time, and says how many rows went: call again while it is not 0.
pub fn bite(tx: &WriteTx<'_>, keep: Retention, now: UnixTime) -> Result<usize, Fault> {
    let purge =
        |sql: &str, before: UnixTime| tx.execute("purge what has expired", sql, params![before, BITE]);
    let mut gone = 0;
    gone += purge(
        "delete from authorizations where id in (select id from authorizations where expires_at <= ?1 limit ?2)",
        now,
    )?;
    gone += purge(
        "delete from authorization_codes where hash in (select hash from authorization_codes where expires_at <= ?1 limit ?2)",
        now.minus(SPENT_CODES),
    )?;
    gone += purge(
        "delete from sessions where hash in (select hash from sessions where expires_at <= ?1 limit ?2)",
        now,
    )?;
    gone += purge(
        "delete from visits where hash in (select hash from visits where expires_at <= ?1 limit ?2)",
        now,
    )?;
    gone += purge(
        "delete from revoked_tokens where jti in (select jti from revoked_tokens where expires_at <= ?1 limit ?2)",
        now,
    )?;
    gone += purge(
        "delete from used_assertions where hash in (select hash from used_assertions where expires_at <= ?1 limit ?2)",
        now,
    )?;
    gone += purge(
        "delete from clients where id in (select id from clients where first_used_at is null
           and registered_by <> 'owner' and created_at <= ?1
           and not exists (select 1 from authorizations where client_id = clients.id) limit ?2)",
        now.minus(keep.unused_clients),
    )?;
    gone += purge(
        "delete from audit_logs where id in (select id from audit_logs where at <= ?1 order by id limit ?2)",
        now.minus(keep.audit),
    )?;
    gone += purge(
        "delete from signing_keys where kid in (select kid from signing_keys where published_until <= ?1 limit ?2)",
        now,
    )?;
    Ok(gone)
}

/// Removes one bite of grants that ended long ago, and of clients that nobody added and to which nothing is granted any
/// more. Neither has an index on its end, so this looks at all of them, and is called once a day rather than every few
/// minutes.
pub fn bite_of_grants(tx: &WriteTx<'_>, keep: Retention, now: UnixTime) -> Result<usize, Fault> {
    let grants = tx.execute(
        "purge grants",
        "delete from grants where id in
           (select id from grants where expires_at <= ?1 or rotated_at <= ?2 or revoked_at <= ?1 limit ?3)",
        params![now.minus(Seconds::days(7)), now.minus(keep.idle_grants), BITE],
    )?;
    let clients = tx.execute(
        "purge clients",
        "delete from clients where id in
           (select id from clients where registered_by <> 'owner' and first_used_at <= ?1
              and not exists (select 1 from grants where client_id = clients.id)
              and not exists (select 1 from authorization_codes where client_id = clients.id)
              and not exists (select 1 from authorizations where client_id = clients.id)
              and not exists (select 1 from consents where client_id = clients.id and granted_at > ?1) limit ?2)",
        params![now.minus(IDLE_CLIENTS), BITE],
    )?;
    Ok(grants + clients)
}
