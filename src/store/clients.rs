//! `clients`: the programs that ask for tokens.

use rusqlite::{Row, params};

use super::sql::{List, joined};
use super::{Fault, ReadTx, WriteTx};
use crate::clock::UnixTime;
use crate::oauth::client::{Client, Credential};
use crate::oauth::error::Malformed;
use crate::oauth::grant_type::AuthMethod;
use crate::oauth::ids::ClientId;
use crate::oauth::secret::SecretHash;

const COLUMNS: &str = "id, name, registered_by, auth_method, secret_hash, redirect_uris, grant_types, scope, audience, \
                       created_at, first_used_at";

fn read(row: &Row<'_>) -> rusqlite::Result<Client> {
    let method: AuthMethod = row.get(3)?;
    let hash: Option<SecretHash> = row.get(4)?;
    let credential = match (method, hash) {
        (AuthMethod::None, None) => Credential::Public,
        (AuthMethod::ClientSecretBasic | AuthMethod::ClientSecretPost, Some(hash)) => {
            Credential::Secret { hash, method }
        }
        _ => {
            let why = Malformed("a client has a secret just when its method needs one");
            return Err(rusqlite::Error::FromSqlConversionFailure(
                4,
                rusqlite::types::Type::Blob,
                Box::new(why),
            ));
        }
    };
    Ok(Client {
        id: row.get(0)?,
        name: row.get(1)?,
        registered_by: row.get(2)?,
        credential,
        redirect_uris: row.get::<_, List<_>>(5)?.0,
        grant_types: row.get::<_, List<_>>(6)?.0,
        scope: row.get(7)?,
        audience: row.get::<_, List<_>>(8)?.0,
        created_at: row.get(9)?,
        first_used_at: row.get(10)?,
    })
}

const fn secret_hash(client: &Client) -> Option<&SecretHash> {
    match &client.credential {
        Credential::Public => None,
        Credential::Secret { hash, .. } => Some(hash),
    }
}

/// Stores a client; `false` if the id is taken. `metadata` is its client metadata (RFC 7591) as JSON.
pub fn insert(tx: &WriteTx<'_>, client: &Client, metadata: &str) -> Result<bool, Fault> {
    let added = tx.execute(
        "store a client",
        "insert into clients (id, name, registered_by, auth_method, secret_hash, redirect_uris, grant_types, scope,
                              audience, metadata, created_at, first_used_at)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12) on conflict (id) do nothing",
        params![
            client.id,
            client.name,
            client.registered_by,
            client.credential.method(),
            secret_hash(client),
            joined(&client.redirect_uris),
            joined(&client.grant_types),
            client.scope,
            joined(&client.audience),
            metadata,
            client.created_at,
            client.first_used_at
        ],
    )?;
    Ok(added == 1)
}

/// Changes everything that an owner can change of a client.
pub fn update(tx: &WriteTx<'_>, client: &Client) -> Result<(), Fault> {
    tx.execute(
        "change a client",
        "update clients set name = ?2, auth_method = ?3, secret_hash = ?4, redirect_uris = ?5, grant_types = ?6,
                            scope = ?7, audience = ?8 where id = ?1",
        params![
            client.id,
            client.name,
            client.credential.method(),
            secret_hash(client),
            joined(&client.redirect_uris),
            joined(&client.grant_types),
            client.scope,
            joined(&client.audience)
        ],
    )
    .map(drop)
}

/// The client of that id.
pub fn find(tx: &ReadTx<'_>, id: &ClientId) -> Result<Option<Client>, Fault> {
    tx.find("find a client", &format!("select {COLUMNS} from clients where id = ?1"), params![id], read)
}

/// A client's metadata (RFC 7591) as JSON.
pub fn metadata(tx: &ReadTx<'_>, id: &ClientId) -> Result<Option<String>, Fault> {
    tx.find("read a client's metadata", "select metadata from clients where id = ?1", params![id], |row| {
        row.get(0)
    })
}

/// Changes a client's metadata (RFC 7591), as JSON.
pub fn set_metadata(tx: &WriteTx<'_>, id: &ClientId, metadata: &str) -> Result<(), Fault> {
    let sql = "update clients set metadata = ?2 where id = ?1";
    tx.execute("change a client's metadata", sql, params![id, metadata]).map(drop)
}

/// All clients, the oldest first.
pub fn list(tx: &ReadTx<'_>) -> Result<Vec<Client>, Fault> {
    tx.list("list the clients", &format!("select {COLUMNS} from clients order by created_at, id"), [], read)
}

/// Remembers that a client is in use, so that it is not forgotten.
pub fn mark_used(tx: &WriteTx<'_>, client: &Client, now: UnixTime) -> Result<(), Fault> {
    if client.first_used_at.is_some() {
        return Ok(());
    }
    let sql = "update clients set first_used_at = ?2 where id = ?1 and first_used_at is null";
    tx.execute("mark a client as used", sql, params![client.id, now]).map(drop)
}

/// Removes a client with its codes, consents and grants; `false` if it was not there.
pub fn remove(tx: &WriteTx<'_>, id: &ClientId) -> Result<bool, Fault> {
    Ok(tx.execute("remove a client", "delete from clients where id = ?1", params![id])? == 1)
}
