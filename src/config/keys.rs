//! The one table of settings: flags, variables, file and README all follow it.

use std::path::PathBuf;

use super::{Settings, span};
use crate::clock::Seconds;
use crate::crypto::jwk::Algorithm;
use crate::http::TrustedProxies;
use crate::oauth::issuer::Issuer;

/// One thing that can be set, in four places: `--flag`, environment, file, and its default.
pub struct Setting {
    /// Its name in the settings file.
    pub key: &'static str,
    /// Its flag, without the dashes in front.
    pub flag: &'static str,
    /// Its environment variable.
    pub variable: &'static str,
    /// What stands for the value in a help text.
    pub value: &'static str,
    /// What it is by default, as one would write it; empty: nothing.
    pub default: &'static str,
    /// What it means, in a sentence without a full stop.
    pub meaning: &'static str,
    /// Reads a value into the settings, or says what is wrong with it.
    pub(super) set: fn(&mut Settings, &str) -> Result<(), String>,
}

/// A setting that is a span of time within bounds.
macro_rules! lifetime {
    ($field:ident, $key:literal, $flag:literal, $variable:literal, $default:literal, $bounds:expr, $meaning:literal) => {
        Setting {
            key: $key,
            flag: $flag,
            variable: concat!("VESTIBULE_", $variable),
            value: "SPAN",
            default: $default,
            meaning: $meaning,
            set: |settings, text| {
                let (least, most): (Seconds, Seconds) = $bounds;
                settings.lifetimes.$field = span::parse_within(text, least, most)?;
                Ok(())
            },
        }
    };
}

/// Every setting, in the order in which a person meets them.
pub const KEYS: &[Setting] = &[
    Setting {
        key: "listen",
        flag: "listen",
        variable: "VESTIBULE_LISTEN",
        value: "ADDRESS:PORT",
        default: "127.0.0.1:8080",
        meaning: "Where the server listens; port 0 takes any free one",
        set: |settings, text| {
            settings.listen = text.parse().map_err(|_| {
                format!("{text:?} is no address and port: write 127.0.0.1:8080 or [::1]:8080")
            })?;
            Ok(())
        },
    },
    Setting {
        key: "issuer",
        flag: "issuer",
        variable: "VESTIBULE_ISSUER",
        value: "URL",
        default: "",
        meaning: "The URL under which people and clients reach the server; by default the database's, or for a new one \
         http:// and the address where it listens",
        set: |settings, text| {
            settings.issuer = Some(Issuer::parse(text).map_err(|why| why.to_string())?);
            Ok(())
        },
    },
    Setting {
        key: "db",
        flag: "db",
        variable: "VESTIBULE_DB",
        value: "FILE",
        default: "vestibule.db",
        meaning: "The database's file",
        set: |settings, text| {
            settings.db = PathBuf::from(text);
            Ok(())
        },
    },
    Setting {
        key: "trusted_proxies",
        flag: "trusted-proxies",
        variable: "VESTIBULE_TRUSTED_PROXIES",
        value: "LIST",
        default: "",
        meaning: "Reverse proxies whose X-Forwarded-For is believed: addresses or networks, separated by commas",
        set: |settings, text| {
            let networks = text.split([',', ' ']).filter(|network| !network.is_empty());
            settings.trusted_proxies = TrustedProxies::parse(networks).map_err(|why| why.to_string())?;
            Ok(())
        },
    },
    Setting {
        key: "connections_max",
        flag: "connections-max",
        variable: "VESTIBULE_CONNECTIONS_MAX",
        value: "NUMBER",
        default: "1024",
        meaning: "How many connections may be open at once; the next ones wait",
        set: |settings, text| {
            settings.connections_max = text
                .parse()
                .ok()
                .filter(|count| (1..=65_535).contains(count))
                .ok_or_else(|| format!("{text:?} is out of bounds: from 1 to 65535"))?;
            Ok(())
        },
    },
    Setting {
        key: "signing_algorithm",
        flag: "signing-algorithm",
        variable: "VESTIBULE_SIGNING_ALGORITHM",
        value: "NAME",
        default: "ES256",
        meaning: "How the next signing key signs: ES256 or EdDSA",
        set: |settings, text| {
            settings.signing_algorithm =
                Algorithm::parse(text).ok_or_else(|| format!("{text:?} is neither ES256 nor EdDSA"))?;
            Ok(())
        },
    },
    lifetime!(
        access_token,
        "access_token_lifetime",
        "access-token-lifetime",
        "ACCESS_TOKEN_LIFETIME",
        "1h",
        span::ACCESS_TOKEN_BOUNDS,
        "How long an access token is valid where its resource does not say otherwise; 1m to 7d, best at most 24h"
    ),
    lifetime!(
        refresh_idle,
        "refresh_idle_lifetime",
        "refresh-idle-lifetime",
        "REFRESH_IDLE_LIFETIME",
        "30d",
        (Seconds::hours(1), Seconds::days(3650)),
        "After how long without a refresh a client must ask its person again; 1h to 3650d"
    ),
    lifetime!(
        refresh_absolute,
        "refresh_absolute_lifetime",
        "refresh-absolute-lifetime",
        "REFRESH_ABSOLUTE_LIFETIME",
        "180d",
        (Seconds::hours(1), Seconds::days(3650)),
        "After how long a client must ask its person again, however often it refreshed; 1h to 3650d"
    ),
    lifetime!(
        refresh_retry,
        "refresh_retry_window",
        "refresh-retry-window",
        "REFRESH_RETRY_WINDOW",
        "60s",
        (Seconds::new(0), Seconds::minutes(10)),
        "How long a spent refresh token gets the same successor again, for answers that were lost; 0 to 10m"
    ),
    lifetime!(
        code,
        "code_lifetime",
        "code-lifetime",
        "CODE_LIFETIME",
        "60s",
        (Seconds::new(10), Seconds::minutes(10)),
        "How long an authorization code is valid; 10s to 10m"
    ),
    lifetime!(
        authorization,
        "authorization_lifetime",
        "authorization-lifetime",
        "AUTHORIZATION_LIFETIME",
        "15m",
        (Seconds::minutes(1), Seconds::hours(24)),
        "How long a person has to sign in and agree; 1m to 24h"
    ),
    lifetime!(
        session,
        "session_lifetime",
        "session-lifetime",
        "SESSION_LIFETIME",
        "14d",
        (Seconds::minutes(1), Seconds::days(365)),
        "How long a browser stays signed in; 1m to 365d"
    ),
    lifetime!(
        setup_link,
        "setup_link_lifetime",
        "setup-link-lifetime",
        "SETUP_LINK_LIFETIME",
        "1h",
        (Seconds::minutes(1), Seconds::hours(24)),
        "How long the first admin's link is valid; 1m to 24h"
    ),
    lifetime!(
        unused_client,
        "unused_client_lifetime",
        "unused-client-lifetime",
        "UNUSED_CLIENT_LIFETIME",
        "24h",
        (Seconds::hours(1), Seconds::days(365)),
        "After how long a client that registered itself and was never used is forgotten; 1h to 365d"
    ),
    lifetime!(
        audit,
        "audit_retention",
        "audit-retention",
        "AUDIT_RETENTION",
        "90d",
        (Seconds::days(1), Seconds::days(3650)),
        "How long the audit log is kept; 1d to 3650d"
    ),
];
