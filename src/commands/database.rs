//! The database as a command uses it: opened, made, read, changed. A command works on the file directly, also while the
//! server runs.

use std::net::SocketAddr;
use std::path::Path;

use super::failure::Failure;
use crate::clock::{Clock, UnixTime};
use crate::config::Settings;
use crate::crypto::jwk::Algorithm;
use crate::crypto::jws::SigningKey;
use crate::oauth::issuer::Issuer;
use crate::store::{Fault, ReadTx, Store, WriteTx, schema, signing_keys};

/// An open database, and the time of the command.
pub(super) struct Database {
    /// The store.
    pub(super) store: Store,
    /// When the command began.
    pub(super) now: UnixTime,
}

impl Database {
    /// Opens the database that the settings name; a missing one is not made.
    pub(super) fn open(settings: &Settings) -> Result<Self, Failure> {
        Ok(Self { store: Store::open(&settings.db)?, now: Clock::machine().now() })
    }

    /// Reads one consistent view.
    pub(super) fn read<T>(&self, read: impl FnOnce(&ReadTx<'_>) -> Result<T, Failure>) -> Result<T, Failure> {
        Ok(self.store.read(|tx| read(tx).map_err(Failure::into_fault))?)
    }

    /// Changes the database in one transaction; a failure undoes all of it.
    pub(super) fn change<T: Send + 'static>(
        &self,
        change: impl FnOnce(&WriteTx<'_>, UnixTime) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let now = self.now;
        Ok(self.store.write_and_wait(move |tx| change(tx, now).map_err(Failure::into_fault))?)
    }
}

/// Makes a new database with its first signing key.
pub(super) fn create(
    path: &Path,
    issuer: &Issuer,
    algorithm: Algorithm,
    now: UnixTime,
) -> Result<Store, Failure> {
    schema::create(path, issuer, now)?;
    let store = Store::open(path)?;
    ensure_signing_key(&store, algorithm, now)?;
    Ok(store)
}

/// Makes the first signing key where there is none, as in a database whose making was cut off.
pub(super) fn ensure_signing_key(store: &Store, algorithm: Algorithm, now: UnixTime) -> Result<(), Fault> {
    let missing = store.read(|tx| Ok(signing_keys::list_published(tx, now)?.is_empty()))?;
    if !missing {
        return Ok(());
    }
    let pkcs8 = SigningKey::generate(algorithm);
    store.write_and_wait(move |tx| signing_keys::insert(tx, algorithm, &pkcs8, now, now).map(drop))
}

/// The issuer of a server that nobody named: plain http, and an address that a browser on this machine reaches.
pub(super) fn issuer_of(listen: SocketAddr) -> Issuer {
    let text = match listen {
        _ if listen.ip().is_unspecified() => format!("http://127.0.0.1:{}", listen.port()),
        _ => format!("http://{listen}"),
    };
    // Port 80 is http's own and not written; IPv6 scopes are in no URL.
    let text = url::Url::parse(&text).map_or(text, |url| url.origin().ascii_serialization());
    Issuer::parse(&text).unwrap_or_else(|_| {
        Issuer::parse(&format!("http://127.0.0.1:{}", listen.port().max(1)))
            .expect("loopback and a port make an issuer")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_issuer_is_one_that_a_browser_here_reaches() {
        for (listen, issuer) in [
            ("127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("0.0.0.0:8080", "http://127.0.0.1:8080"),
            ("[::]:8080", "http://127.0.0.1:8080"),
            ("[::1]:8080", "http://[::1]:8080"),
            ("192.168.1.2:80", "http://192.168.1.2"),
        ] {
            assert_eq!(issuer_of(listen.parse().unwrap()).as_str(), issuer);
        }
    }
}
