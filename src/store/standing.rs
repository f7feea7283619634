//! Whether what an access token stands for still holds: its client, its person, its grant, and the token itself.
//!
//! One statement over four tables, because every introspection asks it.

use rusqlite::params;

use super::{Fault, ReadTx};
use crate::oauth::claims::AccessTokenClaims;

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
