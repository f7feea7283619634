//! The settings: what they are, what they are by default, and from where they come.
//!
//! The only reader of the environment. Everything else is handed a [`Settings`].

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use crate::clock::Seconds;
use crate::crypto::jwk::Algorithm;
use crate::oauth::issuer::Issuer;

/// Everything that can be set, already checked.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the server listens.
    pub listen: SocketAddr,
    /// The issuer that was asked for; `None`: the database's, or for a new one the address where it listens.
    pub issuer: Option<Issuer>,
    /// The database's file.
    pub db: PathBuf,
    /// Reverse proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpAddr>,
    /// How many connections may be open at once.
    pub connections_max: usize,
    /// How the next signing key signs.
    pub signing_algorithm: Algorithm,
    /// How long things live.
    pub lifetimes: Lifetimes,
}

/// How long things live.
#[derive(Clone, Copy, Debug)]
pub struct Lifetimes {
    /// An access token, where the resource does not say otherwise.
    pub access_token: Seconds,
    /// A refresh token that is not used.
    pub refresh_idle: Seconds,
    /// A grant, however often it is refreshed.
    pub refresh_absolute: Seconds,
    /// How long after a rotation the spent token gets the same successor again; 0: never.
    pub refresh_retry: Seconds,
    /// An authorization code.
    pub code: Seconds,
    /// An authorization request that waits for a person.
    pub authorization: Seconds,
    /// A session in a browser.
    pub session: Seconds,
    /// The first admin's link.
    pub setup_link: Seconds,
    /// A self-registered client that nobody used.
    pub unused_client: Seconds,
    /// An audit row.
    pub audit: Seconds,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            issuer: None,
            db: PathBuf::from("vestibule.db"),
            trusted_proxies: Vec::new(),
            connections_max: 1024,
            signing_algorithm: Algorithm::Es256,
            lifetimes: Lifetimes::default(),
        }
    }
}

impl Default for Lifetimes {
    fn default() -> Self {
        Self {
            access_token: Seconds::hours(1),
            refresh_idle: Seconds::days(30),
            refresh_absolute: Seconds::days(180),
            refresh_retry: Seconds::new(60),
            code: Seconds::new(60),
            authorization: Seconds::minutes(15),
            session: Seconds::days(14),
            setup_link: Seconds::hours(1),
            unused_client: Seconds::hours(24),
            audit: Seconds::days(90),
        }
    }
}
