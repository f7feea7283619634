//! `client_documents`: when clients' metadata documents were last fetched. What they said is the client's own row.

use rusqlite::params;

use super::{Fault, ReadTx, WriteTx};
use crate::clock::UnixTime;
use crate::oauth::ids::ClientId;

/// How old a copy is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copy {
    /// When it was fetched.
    pub fetched_at: UnixTime,
    /// Until when it is used without asking again.
    pub fresh_until: UnixTime,
}

/// The copy of the document that this client's id names, if the client came by one.
pub fn find(tx: &ReadTx<'_>, id: &ClientId) -> Result<Option<Copy>, Fault> {
    let sql = "select fetched_at, fresh_until from client_documents where client_id = ?1";
    tx.find("find a client's document", sql, params![id], |row| {
        Ok(Copy { fetched_at: row.get(0)?, fresh_until: row.get(1)? })
    })
}

/// Remembers that the document was fetched.
pub fn record(tx: &WriteTx<'_>, id: &ClientId, copy: Copy) -> Result<(), Fault> {
    tx.execute(
        "record a client's document",
        "insert into client_documents (client_id, fetched_at, fresh_until) values (?1, ?2, ?3)
         on conflict (client_id) do update set fetched_at = excluded.fetched_at, fresh_until = excluded.fresh_until",
        params![id, copy.fetched_at, copy.fresh_until],
    )
    .map(drop)
}
