//! `visits`: browsers at hosts that ask this server who somebody is. A visit begins as a ticket, which counts once, and ends
//! with the session here.

use rusqlite::params;

use super::sessions::{self, SignedIn};
use super::{Fault, ReadTx, WriteTx};
use crate::clock::{Seconds, UnixTime};
use crate::oauth::secret::SecretHash;

/// How long a browser may take from here to there.
const TICKET_LIFETIME: Seconds = Seconds::minutes(1);

/// Gives a ticket for a host (`app.home.example:8443`) to somebody who is signed in here.
pub fn issue(
    tx: &WriteTx<'_>,
    ticket: &SecretHash,
    session: &SignedIn,
    host: &str,
    now: UnixTime,
) -> Result<(), Fault> {
    let sql =
        "insert into visits (hash, session_hash, host, stage, expires_at) values (?1, ?2, ?3, 'ticket', ?4)";
    tx.execute("give a ticket", sql, params![ticket, session.session(), host, now.plus(TICKET_LIFETIME)])
        .map(drop)
}

/// Makes a cookie of a ticket, if it still is one for this host; it counts as long as the session does.
pub fn redeem(
    tx: &WriteTx<'_>,
    ticket: &SecretHash,
    cookie: &SecretHash,
    host: &str,
    now: UnixTime,
) -> Result<Option<SignedIn>, Fault> {
    let sql = "update visits set hash = ?1, stage = 'cookie',
                 expires_at = (select expires_at from sessions where hash = session_hash)
               where hash = ?2 and host = ?3 and stage = 'ticket' and expires_at > ?4";
    match tx.execute("redeem a ticket", sql, params![cookie, ticket, host, now])? {
        0 => Ok(None),
        _ => find(tx, cookie, host, now),
    }
}

/// Who is signed in, in a browser that shows a cookie at a host.
pub fn find(
    tx: &ReadTx<'_>,
    cookie: &SecretHash,
    host: &str,
    now: UnixTime,
) -> Result<Option<SignedIn>, Fault> {
    let sql = "select session_hash from visits
               where hash = ?1 and host = ?2 and stage = 'cookie' and expires_at > ?3";
    let session: Option<SecretHash> =
        tx.find("find a visit", sql, params![cookie, host, now], |row| row.get(0))?;
    match session {
        Some(session) => sessions::find(tx, &session, now),
        None => Ok(None),
    }
}
