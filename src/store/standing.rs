//! Whether what an access token stands for still holds: its client, its person, its grant, and the token itself.
//!
//! One statement over four tables, because every introspection asks it.

use rusqlite::params;

use super::{Fault, ReadTx, clients, resources};
use crate::oauth::claims::AccessTokenClaims;
use crate::oauth::ids::{ClientId, UserId};
use crate::oauth::resource::Resource;
use crate::oauth::scope::Scope;

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing that the token stands for has ended.
    Good {
        /// The person's name, where there is a person.
        user_name: Option<String>,
    },
    /// The token, the grant, the client or the person's access is gone.
    Ended,
}

/// Asks for a token whose signature, issuer and time are right.
///
/// Two statements rather than one with `?2 is null or ...`: SQLite would plan such a statement anew at every call, which
/// costs more than all the rest of an introspection.
pub fn of(tx: &ReadTx<'_>, claims: &AccessTokenClaims) -> Result<Standing, Fault> {
    let doing = "look up what a token stands for";
    let name = match claims.grant_id {
        None => {
            let sql = "select null from clients
                       where id = ?1 and not exists (select 1 from revoked_tokens where jti = ?2)";
            tx.find(doing, sql, params![claims.client_id, claims.jti], |row| row.get(0))?
        }
        Some(grant_id) => {
            let sql = "select users.name from grants
                       join clients on clients.id = grants.client_id join users on users.id = grants.user_id
                       where grants.id = ?1 and grants.client_id = ?2 and grants.user_id = ?3
                         and grants.revoked_at is null and users.disabled_at is null
                         and not exists (select 1 from revoked_tokens where jti = ?4)";
            let params = params![grant_id, claims.client_id, claims.sub, claims.jti];
            tx.find(doing, sql, params, |row| row.get(0))?
        }
    };
    Ok(name.map_or(Standing::Ended, |user_name| Standing::Good { user_name }))
}

/// Whom a token speaks for at a resource, as the guard tells the server behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The person's name, where there is a person.
    pub user_name: Option<String>,
    /// The person's address, if they gave one.
    pub email: Option<String>,
    /// The owner's limit for the client; `None`: there is none.
    pub limit: Option<Scope>,
}

/// Whether a token still opens a resource that it is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It does.
    Open(Caller),
    /// What it stands for has ended, as in [`Standing::Ended`].
    Ended,
    /// The resource does not admit its person any more, or the owner has taken it from its client.
    Closed,
}

/// Asks for a token whose signature, issuer, time and audience are right. Asked at every request: whatever the owner takes
/// back is gone at the next one.
pub fn at(tx: &ReadTx<'_>, claims: &AccessTokenClaims, resource: &Resource) -> Result<Admission, Fault> {
    let doing = "look up what a token opens";
    let Some(grant_id) = claims.grant_id else { return of_machine(tx, claims, resource) };
    let sql = "select users.name, users.email, clients.scope from grants
               join clients on clients.id = grants.client_id join users on users.id = grants.user_id
               where grants.id = ?1 and grants.client_id = ?2 and grants.user_id = ?3
                 and grants.revoked_at is null and users.disabled_at is null
                 and not exists (select 1 from revoked_tokens where jti = ?4)";
    let caller = tx.find(doing, sql, params![grant_id, claims.client_id, claims.sub, claims.jti], |row| {
        Ok(Caller { user_name: row.get(0)?, email: row.get(1)?, limit: row.get(2)? })
    })?;
    let Some(caller) = caller else { return Ok(Admission::Ended) };
    let admitted = match UserId::parse(&claims.sub) {
        Ok(user) => resources::admits(tx, resource, &user)?,
        Err(_) => false,
    };
    Ok(if admitted { Admission::Open(caller) } else { Admission::Closed })
}

/// A machine's token: there is no person to be admitted, but the owner's list of what the machine may open.
fn of_machine(tx: &ReadTx<'_>, claims: &AccessTokenClaims, resource: &Resource) -> Result<Admission, Fault> {
    let ended = of(tx, claims)? == Standing::Ended;
    let client = match ClientId::parse(&claims.client_id) {
        Ok(id) if !ended => clients::find(tx, &id)?,
        _ => None,
    };
    Ok(match client {
        None => Admission::Ended,
        Some(client) if client.audience.contains(&resource.uri) => {
            Admission::Open(Caller { user_name: None, email: None, limit: client.scope })
        }
        Some(_) => Admission::Closed,
    })
}
