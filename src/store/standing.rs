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
pub fn of(tx: &ReadTx<'_>, claims: &AccessTokenClaims) -> Result<Standing, Fault> {
    let sql = "select users.name from clients
               left join grants on grants.id = ?2 and grants.client_id = clients.id and grants.revoked_at is null
               left join users on users.id = grants.user_id and users.id = ?3 and users.disabled_at is null
               where clients.id = ?1 and (?2 is null or users.id is not null)
                 and not exists (select 1 from revoked_tokens where jti = ?4)";
    let params = params![claims.client_id, claims.grant_id, claims.sub, claims.jti];
    let row = tx.find("look up what a token stands for", sql, params, |row| row.get(0))?;
    Ok(row.map_or(Standing::Ended, |user_name| Standing::Good { user_name }))
}
