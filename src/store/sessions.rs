//! `sessions`: who is signed in where.

use rusqlite::params;

use super::users::{self, User};
use super::{Fault, ReadTx, WriteTx};
use crate::clock::UnixTime;
use crate::oauth::ids::UserId;
use crate::oauth::secret::SecretHash;

/// Proof that a request comes from a browser in which this person signed in. Only [`find`] makes one.
#[derive(Clone, Debug)]
pub struct SignedIn {
    user: User,
    session: SecretHash,
    auth_time: UnixTime,
}

impl SignedIn {
    /// The person.
    pub const fn user(&self) -> &User {
        &self.user
    }

    /// Which of their sessions.
    pub const fn session(&self) -> &SecretHash {
        &self.session
    }

    /// When they gave their password.
    pub const fn auth_time(&self) -> UnixTime {
        self.auth_time
    }
}

/// Starts a session.
pub fn insert(
    tx: &WriteTx<'_>,
    hash: &SecretHash,
    user: &UserId,
    expires_at: UnixTime,
    now: UnixTime,
) -> Result<(), Fault> {
    tx.execute(
        "start a session",
        "insert into sessions (hash, user_id, auth_time, expires_at) values (?1, ?2, ?3, ?4)",
        params![hash, user, now, expires_at],
    )
    .map(drop)
}

/// Whose session it is; nobody's when it has ended or its user may not sign in.
pub fn find(tx: &ReadTx<'_>, hash: &SecretHash, now: UnixTime) -> Result<Option<SignedIn>, Fault> {
    let sql = "select user_id, auth_time from sessions where hash = ?1 and expires_at > ?2";
    let row = tx.find("find a session", sql, params![hash, now], |row| {
        Ok((row.get::<_, UserId>(0)?, row.get::<_, UnixTime>(1)?))
    })?;
    let Some((user, auth_time)) = row else { return Ok(None) };
    let user = users::find(tx, &user)?.filter(|user| user.disabled_at.is_none());
    Ok(user.map(|user| SignedIn { user, session: *hash, auth_time }))
}

/// Ends one session.
pub fn remove(tx: &WriteTx<'_>, hash: &SecretHash) -> Result<(), Fault> {
    tx.execute("end a session", "delete from sessions where hash = ?1", params![hash]).map(drop)
}

/// Ends all sessions of a person.
pub fn remove_all_of(tx: &WriteTx<'_>, user: &UserId) -> Result<(), Fault> {
    tx.execute("end a user's sessions", "delete from sessions where user_id = ?1", params![user]).map(drop)
}
