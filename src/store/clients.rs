//! `clients`: the programs that ask for tokens.

use rusqlite::{Row, params};

use super::sql::{List, joined};
use super::{Fault, ReadTx, WriteTx};
use crate::clock::UnixTime;
use crate::oauth::client::{Assertion, Client, Credential, KeySource, RegisteredBy};
use crate::oauth::error::Malformed;
use crate::oauth::grant_type::AuthMethod;
use crate::oauth::ids::ClientId;
use crate::oauth::key_set::KeySet;
use crate::oauth::key_set_url::KeySetUrl;
use crate::oauth::secret::SecretHash;

const COLUMNS: &str = "id, name, registered_by, auth_method, secret_hash, redirect_uris, grant_types, scope, audience, \
                       created_at, first_used_at, jwks, jwks_uri, assertion";

/// How many clients that nobody added may wait for their first use. Anybody can make one, so the oldest give way.
const UNUSED_MAX: i64 = 1000;

fn read(row: &Row<'_>) -> rusqlite::Result<Client> {
    Ok(Client {
        id: row.get(0)?,
        name: row.get(1)?,
        registered_by: row.get(2)?,
        credential: credential(row)?,
        redirect_uris: row.get::<_, List<_>>(5)?.0,
        grant_types: row.get::<_, List<_>>(6)?.0,
        scope: row.get(7)?,
        audience: row.get::<_, List<_>>(8)?.0,
        created_at: row.get(9)?,
        first_used_at: row.get(10)?,
    })
}

fn credential(row: &Row<'_>) -> rusqlite::Result<Credential> {
    let source = match (row.get::<_, Option<KeySet>>(11)?, row.get::<_, Option<KeySetUrl>>(12)?) {
        (Some(keys), None) => Some(KeySource::Here(keys)),
        (None, Some(url)) => Some(KeySource::At(url)),
        _ => None,
    };
    match (row.get(3)?, row.get(4)?, source, row.get(13)?) {
        (AuthMethod::None, None, None, None) => Ok(Credential::Public),
        (method @ (AuthMethod::ClientSecretBasic | AuthMethod::ClientSecretPost), Some(hash), None, None) => {
            Ok(Credential::Secret { hash, method })
        }
        (AuthMethod::PrivateKeyJwt, None, Some(source), Some(assertion)) => {
            Ok(Credential::Keys { source, assertion })
        }
        _ => {
            let why = Malformed("a client has what its method needs, and nothing else");
            Err(rusqlite::Error::FromSqlConversionFailure(3, rusqlite::types::Type::Text, Box::new(why)))
        }
    }
}

/// The columns that a credential fills.
struct Held<'a> {
    secret_hash: Option<&'a SecretHash>,
    jwks: Option<&'a KeySet>,
    jwks_uri: Option<&'a KeySetUrl>,
    assertion: Option<Assertion>,
}

impl<'a> Held<'a> {
    const NOTHING: Self = Self { secret_hash: None, jwks: None, jwks_uri: None, assertion: None };

    fn by(client: &'a Client) -> Self {
        match &client.credential {
            Credential::Public => Self::NOTHING,
            Credential::Secret { hash, .. } => Self { secret_hash: Some(hash), ..Self::NOTHING },
            Credential::Keys { source: KeySource::Here(keys), assertion } => {
                Self { jwks: Some(keys), assertion: Some(*assertion), ..Self::NOTHING }
            }
            Credential::Keys { source: KeySource::At(url), assertion } => {
                Self { jwks_uri: Some(url), assertion: Some(*assertion), ..Self::NOTHING }
            }
        }
    }
}

/// Stores a client; `false` if the id is taken. `metadata` is its client metadata (RFC 7591) as JSON.
pub fn insert(tx: &WriteTx<'_>, client: &Client, metadata: &str) -> Result<bool, Fault> {
    if client.registered_by != RegisteredBy::Owner {
        make_room(tx, client.created_at)?;
    }
    let held = Held::by(client);
    let added = tx.execute(
        "store a client",
        "insert into clients (id, name, registered_by, auth_method, secret_hash, redirect_uris, grant_types, scope,
                              audience, metadata, created_at, first_used_at, jwks, jwks_uri, assertion)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15) on conflict (id) do nothing",
        params![
            client.id,
            client.name,
            client.registered_by,
            client.credential.method(),
            held.secret_hash,
            joined(&client.redirect_uris),
            joined(&client.grant_types),
            client.scope,
            joined(&client.audience),
            metadata,
            client.created_at,
            client.first_used_at,
            held.jwks,
            held.jwks_uri,
            held.assertion
        ],
    )?;
    Ok(added == 1)
}

/// Nobody who comes is turned away because others came before: of those that were never used, the oldest go, and last of all
/// those with which somebody is just signing in.
fn make_room(tx: &WriteTx<'_>, now: UnixTime) -> Result<(), Fault> {
    tx.execute(
        "make room for a client",
        "delete from clients where id in
           (select id from clients where first_used_at is null and registered_by <> 'owner'
            order by exists (select 1 from authorizations where client_id = clients.id and expires_at > ?2), created_at
            limit max(0, (select count(*) from clients where first_used_at is null and registered_by <> 'owner') - ?1))",
        params![UNUSED_MAX - 1, now],
    )
    .map(drop)
}

/// Changes everything that may change of a client: by its owner, or by its document.
pub fn update(tx: &WriteTx<'_>, client: &Client) -> Result<(), Fault> {
    let held = Held::by(client);
    tx.execute(
        "change a client",
        "update clients set name = ?2, auth_method = ?3, secret_hash = ?4, redirect_uris = ?5, grant_types = ?6,
                            scope = ?7, audience = ?8, jwks = ?9, jwks_uri = ?10, assertion = ?11 where id = ?1",
        params![
            client.id,
            client.name,
            client.credential.method(),
            held.secret_hash,
            joined(&client.redirect_uris),
            joined(&client.grant_types),
            client.scope,
            joined(&client.audience),
            held.jwks,
            held.jwks_uri,
            held.assertion
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
