//! `grants`: what a person gave to a client, with its refresh token rotated in place.

use rusqlite::{Row, params};

use super::sql::{List, joined};
use super::{Fault, ReadTx, WriteTx};
use crate::clock::{Seconds, UnixTime};
use crate::oauth::ids::{ClientId, GrantId, UserId, UserName};
use crate::oauth::refresh_token::{ChainKey, RefreshToken};
use crate::oauth::resource::ResourceUri;
use crate::oauth::scope::Scope;
use crate::oauth::secret::SecretHash;

/// A grant as stored.
#[derive(Clone, Debug)]
pub struct StoredGrant {
    /// Its id.
    pub id: GrantId,
    /// To whom.
    pub client_id: ClientId,
    /// By whom.
    pub user_id: UserId,
    /// What.
    pub scope: Scope,
    /// For which resources, in the registered spelling.
    pub resources: Vec<ResourceUri>,
    /// When the person signed in.
    pub auth_time: UnixTime,
    /// When it was given.
    pub created_at: UnixTime,
    /// When its refresh token was last rotated.
    pub rotated_at: UnixTime,
    /// Its absolute end.
    pub expires_at: UnixTime,
    /// When it was taken back, if it was.
    pub revoked_at: Option<UnixTime>,
    generation: u32,
    current: Option<SecretHash>,
    previous: Option<SecretHash>,
}

/// Where a presented refresh token stands in its grant's chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// It is the current one.
    Current,
    /// It is the one before, and its successor was made within the retry window.
    Previous,
    /// It was spent earlier than that.
    Spent,
    /// It is newer than this row: the database was restored from an older copy.
    Newer,
    /// It is not of this chain.
    Unknown,
}

/// Proof that a refresh token was exchanged for its successor. Only [`rotate`] and [`repeat`] make one.
#[derive(Debug)]
pub struct RotatedRefresh {
    grant: StoredGrant,
    successor: RefreshToken,
}

impl RotatedRefresh {
    /// The grant, with the resources that are left.
    pub const fn grant(&self) -> &StoredGrant {
        &self.grant
    }

    /// The token to hand out.
    pub const fn successor(&self) -> &RefreshToken {
        &self.successor
    }
}

impl StoredGrant {
    /// Whether its refresh token was not used for too long, or the grant is too old.
    pub fn has_expired(&self, idle: Seconds, now: UnixTime) -> bool {
        now >= self.expires_at || now >= self.rotated_at.plus(idle)
    }

    /// Where a token that bears this server's tag stands. `window` is how long a rotation may be repeated; after a
    /// clock that went back, it is longer rather than shorter.
    pub fn place_of(&self, token: &RefreshToken, window: Seconds, now: UnixTime) -> Place {
        let hash = token.hash();
        match token.generation().cmp(&self.generation) {
            std::cmp::Ordering::Greater => Place::Newer,
            std::cmp::Ordering::Equal if self.current == Some(hash) => Place::Current,
            std::cmp::Ordering::Equal => Place::Unknown,
            std::cmp::Ordering::Less => {
                let just_before = token.generation() + 1 == self.generation && self.previous == Some(hash);
                if just_before && now < self.rotated_at.plus(window) { Place::Previous } else { Place::Spent }
            }
        }
    }
}

const COLUMNS: &str = "grants.id, grants.client_id, grants.user_id, grants.scope, grants.resources, grants.auth_time, \
                       grants.created_at, grants.rotated_at, grants.expires_at, grants.revoked_at, grants.generation, \
                       grants.current_hash, grants.previous_hash";

fn read(row: &Row<'_>) -> rusqlite::Result<StoredGrant> {
    Ok(StoredGrant {
        id: row.get(0)?,
        client_id: row.get(1)?,
        user_id: row.get(2)?,
        scope: row.get(3)?,
        resources: row.get::<_, List<_>>(4)?.0,
        auth_time: row.get(5)?,
        created_at: row.get(6)?,
        rotated_at: row.get(7)?,
        expires_at: row.get(8)?,
        revoked_at: row.get(9)?,
        generation: row.get(10)?,
        current: row.get(11)?,
        previous: row.get(12)?,
    })
}

/// What a new grant is made of.
#[derive(Debug)]
pub struct NewGrant<'a> {
    /// To whom.
    pub client_id: &'a ClientId,
    /// By whom.
    pub user_id: &'a UserId,
    /// What.
    pub scope: &'a Scope,
    /// For which resources.
    pub resources: &'a [ResourceUri],
    /// When the person signed in.
    pub auth_time: UnixTime,
    /// Its absolute end.
    pub expires_at: UnixTime,
}

/// Stores a new grant, still without a refresh token.
pub fn insert(tx: &WriteTx<'_>, grant: &NewGrant<'_>, now: UnixTime) -> Result<GrantId, Fault> {
    tx.execute(
        "store a grant",
        "insert into grants (client_id, user_id, scope, resources, auth_time, created_at, rotated_at, expires_at)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?6, ?7)",
        params![
            grant.client_id,
            grant.user_id,
            grant.scope,
            joined(grant.resources),
            grant.auth_time,
            now,
            grant.expires_at
        ],
    )?;
    Ok(GrantId::new(tx.last_insert_rowid()))
}

/// Gives a new grant its first refresh token.
pub fn begin_refresh(tx: &WriteTx<'_>, id: GrantId) -> Result<RefreshToken, Fault> {
    let token = RefreshToken::first(id);
    let sql = "update grants set generation = ?2, current_hash = ?3 where id = ?1 and generation = 0";
    tx.execute("store a refresh token", sql, params![id, token.generation(), token.hash()])?;
    Ok(token)
}

/// The grant of that id, whatever has become of it.
pub fn find(tx: &ReadTx<'_>, id: GrantId) -> Result<Option<StoredGrant>, Fault> {
    tx.find("find a grant", &format!("select {COLUMNS} from grants where id = ?1"), params![id], read)
}

/// Exchanges the current token for its successor and keeps only `resources`: of any number of requests at once, one
/// gets the proof. The time of use never goes back: a small computer without a battery starts in the past, and must not
/// find every grant idle for years once its clock is set.
pub fn rotate(
    tx: &WriteTx<'_>,
    mut grant: StoredGrant,
    token: &RefreshToken,
    resources: Vec<ResourceUri>,
    key: &ChainKey,
    now: UnixTime,
) -> Result<Option<RotatedRefresh>, Fault> {
    let successor = token.successor(key);
    let rotated = tx.execute(
        "rotate a refresh token",
        "update grants set generation = ?3, previous_hash = current_hash, current_hash = ?4,
                           rotated_at = max(rotated_at, ?5),
                           resources = ?6
         where id = ?1 and current_hash = ?2 and generation = ?3 - 1 and revoked_at is null and expires_at > ?5",
        params![grant.id, token.hash(), successor.generation(), successor.hash(), now, joined(&resources)],
    )?;
    grant.resources = resources;
    Ok((rotated == 1).then_some(RotatedRefresh { grant, successor }))
}

/// Answers a repeated rotation with the same successor as the first time; the row stays as it is.
pub fn repeat(grant: StoredGrant, token: &RefreshToken, key: &ChainKey) -> Option<RotatedRefresh> {
    let successor = token.successor(key);
    (grant.current == Some(successor.hash())).then_some(RotatedRefresh { grant, successor })
}

/// Takes a grant back; `false` if it was taken back already.
pub fn revoke(tx: &WriteTx<'_>, id: GrantId, why: &str, now: UnixTime) -> Result<bool, Fault> {
    let sql = "update grants set revoked_at = ?2, revoked_why = ?3 where id = ?1 and revoked_at is null";
    Ok(tx.execute("revoke a grant", sql, params![id, now, why])? == 1)
}

/// A grant with the names that a person knows.
#[derive(Clone, Debug)]
pub struct NamedGrant {
    /// The grant.
    pub grant: StoredGrant,
    /// Who gave it.
    pub user_name: UserName,
    /// To whom.
    pub client_name: String,
}

/// The live grants, the newest first, of one person or all, to one client or all.
pub fn list_live(
    tx: &ReadTx<'_>,
    user: Option<&UserId>,
    client: Option<&ClientId>,
    idle: Seconds,
    now: UnixTime,
) -> Result<Vec<NamedGrant>, Fault> {
    let sql = format!(
        "select {COLUMNS}, users.name, clients.name from grants
         join users on users.id = grants.user_id join clients on clients.id = grants.client_id
         where (?1 is null or grants.user_id = ?1) and (?2 is null or grants.client_id = ?2)
           and revoked_at is null and expires_at > ?3 and rotated_at > ?4 order by grants.id desc"
    );
    tx.list("list the grants", &sql, params![user, client, now, now.minus(idle)], |row| {
        Ok(NamedGrant { grant: read(row)?, user_name: row.get(13)?, client_name: row.get(14)? })
    })
}
