//! `client_key_sets`: what clients' `jwks_uri` said when they were last fetched.

use rusqlite::params;

use super::{Fault, ReadTx, WriteTx};
use crate::clock::UnixTime;
use crate::oauth::ids::ClientId;
use crate::oauth::key_set::KeySet;
use crate::oauth::key_set_url::KeySetUrl;

/// A fetched key set.
#[derive(Clone, Debug)]
pub struct Copy {
    /// The keys.
    pub keys: KeySet,
    /// When they were fetched.
    pub fetched_at: UnixTime,
    /// Until when they are used without asking again.
    pub fresh_until: UnixTime,
}

/// The keys that this client's URL held; `None` also where they came from another URL than today's.
pub fn find(tx: &ReadTx<'_>, id: &ClientId, url: &KeySetUrl) -> Result<Option<Copy>, Fault> {
    let sql =
        "select jwks, fetched_at, fresh_until from client_key_sets where client_id = ?1 and jwks_uri = ?2";
    tx.find("find a client's keys", sql, params![id, url], |row| {
        Ok(Copy { keys: row.get(0)?, fetched_at: row.get(1)?, fresh_until: row.get(2)? })
    })
}

/// Keeps what was fetched, unless the client went away meanwhile.
pub fn record(tx: &WriteTx<'_>, id: &ClientId, url: &KeySetUrl, copy: &Copy) -> Result<(), Fault> {
    tx.execute(
        "record a client's keys",
        "insert into client_key_sets (client_id, jwks_uri, jwks, fetched_at, fresh_until)
            select id, ?2, ?3, ?4, ?5 from clients where id = ?1
         on conflict (client_id) do update set jwks_uri = excluded.jwks_uri, jwks = excluded.jwks,
            fetched_at = excluded.fetched_at, fresh_until = excluded.fresh_until",
        params![id, url, copy.keys, copy.fetched_at, copy.fresh_until],
    )
    .map(drop)
}
