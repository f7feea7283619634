//! `resources` and `resource_users`: the registry of servers that tokens can be for, and whom each admits.

use rusqlite::{Row, params};

use super::{Fault, ReadTx, WriteTx};
use crate::clock::UnixTime;
use crate::oauth::guard::{Guard, Identity, UpstreamUrl};
use crate::oauth::ids::{UserId, UserName};
use crate::oauth::resource::{Admission, Resource, ResourceUri};
use crate::oauth::scope::Scope;

const COLUMNS: &str = "uri, name, scopes, restricted, token_lifetime, upstream, rules, identity_token";

fn read(row: &Row<'_>) -> rusqlite::Result<Resource> {
    Ok(Resource {
        uri: row.get(0)?,
        name: row.get(1)?,
        scopes: row.get(2)?,
        admission: if row.get(3)? { Admission::Listed } else { Admission::Everyone },
        token_lifetime: row.get(4)?,
        guard: guard(row)?,
    })
}

fn guard(row: &Row<'_>) -> rusqlite::Result<Option<Guard>> {
    let (rules, identity_token) = (row.get(6)?, row.get(7)?);
    let identity = if identity_token { Identity::HeadersAndToken } else { Identity::Headers };
    let upstream: Option<UpstreamUrl> = row.get(5)?;
    Ok(upstream.map(|upstream| Guard { upstream, rules, identity }))
}

/// The columns that a guard fills.
fn columns(resource: &Resource) -> (Option<&UpstreamUrl>, String, bool) {
    match &resource.guard {
        Some(Guard { upstream, rules, identity }) => {
            (Some(upstream), rules.to_string(), *identity == Identity::HeadersAndToken)
        }
        None => (None, String::new(), false),
    }
}

/// Registers a resource; `false` if one with the same canonical form is there.
pub fn insert(tx: &WriteTx<'_>, resource: &Resource, now: UnixTime) -> Result<bool, Fault> {
    let (upstream, rules, identity_token) = columns(resource);
    let added = tx.execute(
        "register a resource",
        "insert into resources (uri, canonical, name, scopes, restricted, token_lifetime, upstream, created_at, rules,
                                identity_token)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10) on conflict (canonical) do nothing",
        params![
            resource.uri,
            resource.uri.canonical(),
            resource.name,
            resource.scopes,
            resource.admission == Admission::Listed,
            resource.token_lifetime,
            upstream,
            now,
            rules,
            identity_token
        ],
    )?;
    Ok(added == 1)
}

/// Changes everything but the canonical form.
pub fn update(tx: &WriteTx<'_>, resource: &Resource) -> Result<(), Fault> {
    let (upstream, rules, identity_token) = columns(resource);
    tx.execute(
        "change a resource",
        "update resources set uri = ?2, name = ?3, scopes = ?4, restricted = ?5, token_lifetime = ?6, upstream = ?7,
                              rules = ?8, identity_token = ?9
         where canonical = ?1",
        params![
            resource.uri.canonical(),
            resource.uri,
            resource.name,
            resource.scopes,
            resource.admission == Admission::Listed,
            resource.token_lifetime,
            upstream,
            rules,
            identity_token
        ],
    )
    .map(drop)
}

/// The registered resource that this URI names.
pub fn find(tx: &ReadTx<'_>, uri: &ResourceUri) -> Result<Option<Resource>, Fault> {
    let sql = format!("select {COLUMNS} from resources where canonical = ?1");
    tx.find("find a resource", &sql, params![uri.canonical()], read)
}

/// The registered resources that these URIs name, in their order, and the URIs that name none.
pub fn resolve(tx: &ReadTx<'_>, uris: &[ResourceUri]) -> Result<(Vec<Resource>, Vec<ResourceUri>), Fault> {
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for uri in uris {
        match find(tx, uri)? {
            Some(resource) => known.push(resource),
            None => unknown.push(uri.clone()),
        }
    }
    Ok((known, unknown))
}

/// All resources, by URI.
pub fn list(tx: &ReadTx<'_>) -> Result<Vec<Resource>, Fault> {
    tx.list("list the resources", &format!("select {COLUMNS} from resources order by uri"), [], read)
}

/// Every scope that some resource knows.
pub fn all_scopes(tx: &ReadTx<'_>) -> Result<Scope, Fault> {
    let scopes: Vec<Scope> =
        tx.list("list the scopes", "select scopes from resources where scopes <> ''", [], |row| row.get(0))?;
    Ok(scopes.iter().fold(Scope::empty(), |all, scope| all.union(scope)))
}

/// Whether this resource admits this person.
pub fn admits(tx: &ReadTx<'_>, resource: &Resource, user: &UserId) -> Result<bool, Fault> {
    if resource.admission == Admission::Everyone {
        return Ok(true);
    }
    let sql = "select 1 from resource_users join resources on resources.id = resource_id
               where canonical = ?1 and user_id = ?2";
    Ok(tx
        .find("ask whom a resource admits", sql, params![resource.uri.canonical(), user], |_| Ok(()))?
        .is_some())
}

/// The resources that admit this person, by URI.
pub fn list_admitting(tx: &ReadTx<'_>, user: &UserId) -> Result<Vec<Resource>, Fault> {
    let sql = format!(
        "select {COLUMNS} from resources where restricted = 0
         or id in (select resource_id from resource_users where user_id = ?1) order by uri"
    );
    tx.list("list a user's resources", &sql, params![user], read)
}

/// The names of those whom a restricted resource admits.
pub fn admitted(tx: &ReadTx<'_>, uri: &ResourceUri) -> Result<Vec<UserName>, Fault> {
    let sql = "select users.name from resource_users join resources on resources.id = resource_id
               join users on users.id = user_id where canonical = ?1 order by users.name";
    tx.list("list whom a resource admits", sql, params![uri.canonical()], |row| row.get(0))
}

/// Makes these the people that a restricted resource admits.
pub fn set_admitted(tx: &WriteTx<'_>, uri: &ResourceUri, users: &[UserId]) -> Result<(), Fault> {
    tx.execute(
        "clear whom a resource admits",
        "delete from resource_users where resource_id = (select id from resources where canonical = ?1)",
        params![uri.canonical()],
    )?;
    for user in users {
        tx.execute(
            "admit a user to a resource",
            "insert into resource_users (resource_id, user_id) select id, ?2 from resources where canonical = ?1
             on conflict do nothing",
            params![uri.canonical(), user],
        )?;
    }
    Ok(())
}

/// Takes a resource out of the registry; `false` if it was not there. No token for it is made from now on.
pub fn remove(tx: &WriteTx<'_>, uri: &ResourceUri) -> Result<bool, Fault> {
    let sql = "delete from resources where canonical = ?1";
    Ok(tx.execute("remove a resource", sql, params![uri.canonical()])? == 1)
}
