//! Whether what an access token stands for still holds: its client, its person, its grant, and the token itself.
//!
//! One statement over all of them, because every introspection and every guarded request asks it.

use rusqlite::{Row, params};

use super::sql::List;
use super::{Fault, ReadTx, resources};
use crate::oauth::claims::AccessTokenClaims;
use crate::oauth::ids::UserId;
use crate::oauth::resource::{Resource, ResourceUri};
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
pub fn of(tx: &ReadTx<'_>, claims: &AccessTokenClaims) -> Result<Standing, Fault> {
    let good = match claims.grant_id {
        None => of_machine(tx, claims, |_| Ok(()))?.map(|()| None),
        Some(grant_id) => of_person(tx, claims, grant_id)?.map(|caller| caller.user_name),
    };
    Ok(good.map_or(Standing::Ended, |user_name| Standing::Good { user_name }))
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
    let Some(grant_id) = claims.grant_id else {
        // A machine has no person to be admitted, but the owner's list of what it may open.
        return Ok(match of_machine(tx, claims, |row| Ok((row.get(0)?, row.get(1)?)))? {
            None => Admission::Ended,
            Some((List::<ResourceUri>(audience), limit)) if audience.contains(&resource.uri) => {
                Admission::Open(Caller { user_name: None, email: None, limit })
            }
            Some(_) => Admission::Closed,
        });
    };
    let Some(caller) = of_person(tx, claims, grant_id)? else { return Ok(Admission::Ended) };
    let admitted = match UserId::parse(&claims.sub) {
        Ok(user) => resources::admits(tx, resource, &user)?,
        Err(_) => false,
    };
    Ok(if admitted { Admission::Open(caller) } else { Admission::Closed })
}

// No joins, and no `exists`, which SQLite makes a join of: it would plan a join of these tables anew at every call, which
// costs more than all the rest of an introspection. A grant whose client is removed goes with it.
const PERSON: &str = "select (select name from users where id = ?3 and disabled_at is null),
                             (select email from users where id = ?3), (select scope from clients where id = ?2)
                      from grants where id = ?1 and client_id = ?2 and user_id = ?3 and revoked_at is null
                        and not exists (select 1 from revoked_tokens where jti = ?4)";
const MACHINE: &str = "select audience, scope from clients
                       where id = ?1 and not exists (select 1 from revoked_tokens where jti = ?2)";

/// The person that a token speaks for, while all that it stands for holds.
fn of_person(tx: &ReadTx<'_>, claims: &AccessTokenClaims, grant: i64) -> Result<Option<Caller>, Fault> {
    let params = params![grant, claims.client_id, claims.sub, claims.jti];
    let caller = tx.find("look up what a token stands for", PERSON, params, |row| {
        Ok(Caller { user_name: row.get(0)?, email: row.get(1)?, limit: row.get(2)? })
    })?;
    Ok(caller.filter(|caller| caller.user_name.is_some()))
}

/// What is to be known of the machine that a token speaks for, while all that it stands for holds.
fn of_machine<T>(
    tx: &ReadTx<'_>,
    claims: &AccessTokenClaims,
    read: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Option<T>, Fault> {
    tx.find("look up what a token stands for", MACHINE, params![claims.client_id, claims.jti], read)
}

#[cfg(test)]
mod tests {
    use rusqlite::{Connection, StatementStatus};

    use super::*;

    #[test]
    fn what_every_request_asks_is_planned_once() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(include_str!("../../schema.sql")).unwrap();
        for sql in [PERSON, MACHINE] {
            for _ in 0..3 {
                let mut statement = connection.prepare_cached(sql).unwrap();
                let values = ["1", "client", "user", "jti"];
                let asked = values.iter().take(statement.parameter_count());
                let found =
                    statement.query(rusqlite::params_from_iter(asked)).unwrap().next().unwrap().is_some();
                assert!(!found);
            }
            let statement = connection.prepare_cached(sql).unwrap();
            assert_eq!(statement.get_status(StatementStatus::RePrepare), 0, "{sql}");
        }
    }
}
