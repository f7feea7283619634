//! `consents`: what a person allowed a client, so that it need not be asked again.

use rusqlite::params;

use super::{Fault, ReadTx, WriteTx};
use crate::clock::UnixTime;
use crate::oauth::ids::{ClientId, UserId};
use crate::oauth::resource::ResourceUri;
use crate::oauth::scope::Scope;

/// Stands for a token that is for no resource.
const NO_RESOURCE: &str = "";

/// What this person allowed this client at this resource so far; `None` if it was never asked.
pub fn find(
    tx: &ReadTx<'_>,
    user: &UserId,
    client: &ClientId,
    resource: Option<&ResourceUri>,
) -> Result<Option<Scope>, Fault> {
    let sql = "select scope from consents where user_id = ?1 and client_id = ?2 and resource = ?3";
    let resource = resource.map_or(NO_RESOURCE, ResourceUri::canonical);
    tx.find("find a consent", sql, params![user, client, resource], |row| row.get(0))
}

/// When this person last allowed this client anything at this resource.
pub fn granted_at(
    tx: &ReadTx<'_>,
    user: &UserId,
    client: &ClientId,
    resource: Option<&ResourceUri>,
) -> Result<Option<UnixTime>, Fault> {
    let sql = "select granted_at from consents where user_id = ?1 and client_id = ?2 and resource = ?3";
    let resource = resource.map_or(NO_RESOURCE, ResourceUri::canonical);
    tx.find("find a consent's day", sql, params![user, client, resource], |row| row.get(0))
}

/// Adds to what this person allowed.
pub fn record(
    tx: &WriteTx<'_>,
    user: &UserId,
    client: &ClientId,
    resource: Option<&ResourceUri>,
    scope: &Scope,
    now: UnixTime,
) -> Result<(), Fault> {
    let scope = find(tx, user, client, resource)?.unwrap_or_default().union(scope);
    tx.execute(
        "record a consent",
        "insert into consents (user_id, client_id, resource, scope, granted_at) values (?1, ?2, ?3, ?4, ?5)
         on conflict (user_id, client_id, resource) do update set scope = excluded.scope, granted_at = excluded.granted_at",
        params![user, client, resource.map_or(NO_RESOURCE, ResourceUri::canonical), scope, now],
    )
    .map(drop)
}

/// Forgets what anybody allowed this client: it is no longer what they allowed.
pub fn remove_of_client(tx: &WriteTx<'_>, client: &ClientId) -> Result<(), Fault> {
    tx.execute("forget a client's consents", "delete from consents where client_id = ?1", params![client])
        .map(drop)
}

/// Forgets what this person allowed this client, so that it must ask again.
pub fn remove(tx: &WriteTx<'_>, user: &UserId, client: &ClientId) -> Result<(), Fault> {
    let sql = "delete from consents where user_id = ?1 and client_id = ?2";
    tx.execute("forget a consent", sql, params![user, client]).map(drop)
}
