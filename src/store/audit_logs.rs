//! `audit_logs`: what was decided, when, and whom it concerns.

use rusqlite::{Row, params};

use super::{Fault, ReadTx, WriteTx};
use crate::clock::UnixTime;

/// A row to write.
#[derive(Debug)]
pub struct NewEntry<'a> {
    /// What happened.
    pub event: &'a str,
    /// The person whom it concerns.
    pub user_id: Option<&'a str>,
    /// The client whom it concerns.
    pub client_id: Option<&'a str>,
    /// Where the request came from.
    pub ip: Option<&'a str>,
    /// What the caller says it is.
    pub user_agent: Option<&'a str>,
    /// The rest, as a JSON object; never a secret.
    pub metadata: &'a str,
}

/// A row as read; the person's name is today's.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Grows with time.
    pub id: i64,
    /// When.
    pub at: UnixTime,
    /// What.
    pub event: String,
    /// Whom it concerns.
    pub user_id: Option<String>,
    /// The name of that person, if they are still here.
    pub user_name: Option<String>,
    /// Which client it concerns.
    pub client_id: Option<String>,
    /// From where.
    pub ip: Option<String>,
    /// By what.
    pub user_agent: Option<String>,
    /// JSON.
    pub metadata: String,
}

/// Which rows to read; `None` means any.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Rows after this id.
    pub after: i64,
    /// Rows from this time on.
    pub since: Option<UnixTime>,
    /// Rows of this event, or of those that begin with it and a dot.
    pub event: Option<String>,
    /// Rows that concern this person, by name or `sub`.
    pub user: Option<String>,
    /// Rows that concern this client.
    pub client_id: Option<String>,
}

/// Adds a row.
pub fn insert(tx: &WriteTx<'_>, entry: &NewEntry<'_>, now: UnixTime) -> Result<(), Fault> {
    tx.execute(
        "write the audit log",
        "insert into audit_logs (at, event, user_id, client_id, ip, user_agent, metadata)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![now, entry.event, entry.user_id, entry.client_id, entry.ip, entry.user_agent, entry.metadata],
    )
    .map(drop)
}

/// The rows that match, the oldest first.
pub fn list(tx: &ReadTx<'_>, filter: &Filter) -> Result<Vec<Entry>, Fault> {
    let sql = "select audit_logs.id, at, event, user_id, users.name, client_id, ip, user_agent, metadata
               from audit_logs left join users on users.id = user_id
               where audit_logs.id > ?1 and (?2 is null or at >= ?2)
                 and (?3 is null or event = ?3 or substr(event, 1, length(?3) + 1) = ?3 || '.')
                 and (?4 is null or user_id = ?4 or users.name = lower(?4))
                 and (?5 is null or client_id = ?5)
               order by audit_logs.id";
    let params = params![filter.after, filter.since, filter.event, filter.user, filter.client_id];
    tx.list("read the audit log", sql, params, read)
}

fn read(row: &Row<'_>) -> rusqlite::Result<Entry> {
    Ok(Entry {
        id: row.get(0)?,
        at: row.get(1)?,
        event: row.get(2)?,
        user_id: row.get(3)?,
        user_name: row.get(4)?,
        client_id: row.get(5)?,
        ip: row.get(6)?,
        user_agent: row.get(7)?,
        metadata: row.get(8)?,
    })
}
