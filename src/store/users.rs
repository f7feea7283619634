//! `users`: the people.

use rusqlite::{Row, params};

use super::{Fault, ReadTx, WriteTx};
use crate::clock::UnixTime;
use crate::oauth::ids::{UserId, UserName};

/// A person.
#[derive(Clone, Debug)]
pub struct User {
    /// Their `sub`.
    pub id: UserId,
    /// What they sign in with.
    pub name: UserName,
    /// Their address, if they gave one.
    pub email: Option<String>,
    /// What they may do here.
    pub role: Role,
    /// When they came.
    pub created_at: UnixTime,
    /// Since when they may not sign in; `None`: they may.
    pub disabled_at: Option<UnixTime>,
}

/// What a person may do here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Sign in, and give and take back their own grants.
    Member,
    /// Owns the server.
    Admin,
}

const COLUMNS: &str = "id, name, email, admin, created_at, disabled_at";

fn read(row: &Row<'_>) -> rusqlite::Result<User> {
    Ok(User {
        id: row.get(0)?,
        name: row.get(1)?,
        email: row.get(2)?,
        role: if row.get(3)? { Role::Admin } else { Role::Member },
        created_at: row.get(4)?,
        disabled_at: row.get(5)?,
    })
}

/// Adds a person; `false` if the name is taken. `password_hash` is a PHC string; without one nobody can sign in.
pub fn insert(tx: &WriteTx<'_>, user: &User, password_hash: Option<&str>) -> Result<bool, Fault> {
    let added = tx.execute(
        "add a user",
        "insert into users (id, name, email, admin, password_hash, created_at, disabled_at)
         values (?1, ?2, ?3, ?4, ?5, ?6, ?7) on conflict (name) do nothing",
        params![
            user.id,
            user.name,
            user.email,
            user.role == Role::Admin,
            password_hash,
            user.created_at,
            user.disabled_at
        ],
    )?;
    Ok(added == 1)
}

/// The person with that `sub`.
pub fn find(tx: &ReadTx<'_>, id: &UserId) -> Result<Option<User>, Fault> {
    tx.find("find a user", &format!("select {COLUMNS} from users where id = ?1"), params![id], read)
}

/// The person of that name.
pub fn find_by_name(tx: &ReadTx<'_>, name: &UserName) -> Result<Option<User>, Fault> {
    tx.find(
        "find a user by name",
        &format!("select {COLUMNS} from users where name = ?1"),
        params![name],
        read,
    )
}

/// The hash of a person's password, if they have one.
pub fn password_hash(tx: &ReadTx<'_>, id: &UserId) -> Result<Option<String>, Fault> {
    let sql = "select password_hash from users where id = ?1";
    Ok(tx.find("read a password's hash", sql, params![id], |row| row.get(0))?.flatten())
}

/// Everybody, by name.
pub fn list(tx: &ReadTx<'_>) -> Result<Vec<User>, Fault> {
    tx.list("list the users", &format!("select {COLUMNS} from users order by name"), [], read)
}

/// Whether somebody owns this server already.
pub fn has_admin(tx: &ReadTx<'_>) -> Result<bool, Fault> {
    let sql = "select 1 from users where admin = 1 limit 1";
    Ok(tx.find("look for an admin", sql, [], |_| Ok(()))?.is_some())
}

/// Sets the password.
pub fn set_password_hash(tx: &WriteTx<'_>, id: &UserId, hash: &str) -> Result<(), Fault> {
    tx.execute("set a password", "update users set password_hash = ?2 where id = ?1", params![id, hash])
        .map(drop)
}

/// Changes what `apply` can change: the address and the role.
pub fn update(tx: &WriteTx<'_>, id: &UserId, email: Option<&str>, role: Role) -> Result<(), Fault> {
    let sql = "update users set email = ?2, admin = ?3 where id = ?1";
    tx.execute("change a user", sql, params![id, email, role == Role::Admin]).map(drop)
}

/// Keeps a person out from now on. Their grants stay, and come to life again if they do.
pub fn disable(tx: &WriteTx<'_>, id: &UserId, now: UnixTime) -> Result<(), Fault> {
    let sql = "update users set disabled_at = coalesce(disabled_at, ?2) where id = ?1";
    tx.execute("disable a user", sql, params![id, now]).map(drop)
}

/// Lets a person in again.
pub fn enable(tx: &WriteTx<'_>, id: &UserId) -> Result<(), Fault> {
    tx.execute("enable a user", "update users set disabled_at = null where id = ?1", params![id]).map(drop)
}

/// Removes a person with their sessions, consents and grants.
pub fn remove(tx: &WriteTx<'_>, id: &UserId) -> Result<(), Fault> {
    tx.execute("remove a user", "delete from users where id = ?1", params![id]).map(drop)
}
