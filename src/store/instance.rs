//! `instance`: what makes this file one server's.

use rusqlite::params;

use super::{Fault, ReadTx, WriteTx};
use crate::oauth::error::Malformed;
use crate::oauth::issuer::Issuer;
use crate::oauth::refresh_token::ChainKey;

/// The one row.
#[derive(Debug)]
pub struct Instance {
    /// The issuer that every token of this file names.
    pub issuer: Issuer,
    /// Derives codes and refresh tokens, and tags these.
    pub chain_key: ChainKey,
}

/// Reads it.
pub fn find(tx: &ReadTx<'_>) -> Result<Instance, Fault> {
    let doing = "read the instance";
    let row = tx.find(doing, "select issuer, chain_key from instance where id = 1", [], |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, [u8; 32]>(1)?))
    })?;
    let (issuer, chain_key) = row.ok_or_else(|| Fault::new(doing, Malformed("the row is missing")))?;
    let issuer = Issuer::parse(&issuer).map_err(|why| Fault::new(doing, why))?;
    Ok(Instance { issuer, chain_key: ChainKey::from_bytes(chain_key) })
}

/// Changes the issuer, on the owner's explicit word: every token that names the old one is void.
pub fn change_issuer(tx: &WriteTx<'_>, issuer: &Issuer) -> Result<(), Fault> {
    tx.execute("change the issuer", "update instance set issuer = ?1 where id = 1", params![issuer.as_str()])
        .map(drop)
}

/// Goes up with every change to the resources and the signing keys, by whichever process.
pub fn revision(tx: &ReadTx<'_>) -> Result<i64, Fault> {
    let doing = "read the registry's revision";
    let revision = tx.find(doing, "select revision from instance", [], |row| row.get(0))?;
    revision.ok_or_else(|| Fault::new(doing, Malformed("the row is missing")))
}
