//! The one table of settings: flags, variables, file and README all follow it.

use std::path::{Path, PathBuf};

use super::{GuardedServer, Hosts, IdentityHeaders, Settings, Switch, span};
use crate::clock::Seconds;
use crate::crypto::jwk::Algorithm;
use crate::http::{Networks, TrustedProxies};
use crate::oauth::issuer::Issuer;
use crate::oauth::redirect_uri::AppLinks;
use crate::oauth::secret::SecretHash;
use crate::outgoing::check_roots;

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

/// A setting that is on or off.
macro_rules! switch {
    ($($field:ident).+, $key:literal, $flag:literal, $variable:literal, $default:literal, $meaning:literal) => {
        Setting {
            key: $key,
            flag: $flag,
            variable: concat!("VESTIBULE_", $variable),
            value: "on/off",
            default: $default,
            meaning: $meaning,
            set: |settings, text| {
                settings.$($field).+ = Switch::parse(text)?;
                Ok(())
            },
        }
    };
}

/// A setting that is a list of hosts.
macro_rules! hosts {
    ($field:ident, $key:literal, $flag:literal, $variable:literal, $meaning:literal) => {
        Setting {
            key: $key,
            flag: $flag,
            variable: concat!("VESTIBULE_", $variable),
            value: "LIST",
            default: "",
            meaning: $meaning,
            set: |settings, text| {
                settings.client_documents.$field = Hosts::parse(text)?;
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
        meaning: "Reverse proxies whose X-Forwarded-* headers are believed: addresses or networks, separated by commas",
        set: |settings, text| {
            settings.trusted_proxies = TrustedProxies::parse(words(text)).map_err(|why| why.to_string())?;
            Ok(())
        },
    },
    Setting {
        key: "connections_max",
        flag: "connections-max",
        variable: "VESTIBULE_CONNECTIONS_MAX",
        value: "NUMBER",
        default: "4096",
        meaning: "How many connections may be open at once; the next ones wait. Each needs two files of the process",
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
    switch!(
        registration,
        "registration",
        "registration",
        "REGISTRATION",
        "on",
        "Whether clients may register themselves (RFC 7591)"
    ),
    Setting {
        key: "registration_token_file",
        flag: "registration-token-file",
        variable: "VESTIBULE_REGISTRATION_TOKEN_FILE",
        value: "FILE",
        default: "",
        meaning: "A file with the token that a client must show to register itself; by default none is needed",
        set: |settings, text| {
            settings.registration_token = Some(token_in(Path::new(text))?);
            Ok(())
        },
    },
    switch!(
        client_documents.fetching,
        "client_documents",
        "client-documents",
        "CLIENT_DOCUMENTS",
        "on",
        "Whether clients may be named by the URL of their metadata document, which is then fetched"
    ),
    hosts!(
        hosts,
        "client_document_hosts",
        "client-document-hosts",
        "CLIENT_DOCUMENT_HOSTS",
        "The only hosts whose client metadata documents count, such as claude.ai or *.example.org; by default all"
    ),
    hosts!(
        hosts_refused,
        "client_document_hosts_refused",
        "client-document-hosts-refused",
        "CLIENT_DOCUMENT_HOSTS_REFUSED",
        "Hosts whose client metadata documents never count"
    ),
    Setting {
        key: "client_document_bytes_max",
        flag: "client-document-bytes-max",
        variable: "VESTIBULE_CLIENT_DOCUMENT_BYTES_MAX",
        value: "NUMBER",
        default: "5120",
        meaning: "The longest client metadata document in bytes; 1024 to 65536",
        set: |settings, text| {
            settings.client_documents.bytes_max = text
                .parse()
                .ok()
                .filter(|bytes| (1024..=65_536).contains(bytes))
                .ok_or_else(|| format!("{text:?} is out of bounds: from 1024 to 65536"))?;
            Ok(())
        },
    },
    Setting {
        key: "fetch_networks",
        flag: "fetch-networks",
        variable: "VESTIBULE_FETCH_NETWORKS",
        value: "LIST",
        default: "",
        meaning: "Private networks that clients' documents may be fetched from all the same, such as 127.0.0.1 while \
         developing a client; by default none",
        set: |settings, text| {
            settings.fetch_networks = Networks::parse(words(text)).map_err(|why| why.to_string())?;
            Ok(())
        },
    },
    Setting {
        key: "fetch_roots",
        flag: "fetch-roots",
        variable: "VESTIBULE_FETCH_ROOTS",
        value: "FILE",
        default: "",
        meaning: "Certificate authorities, PEM, that are trusted besides the system's",
        set: |settings, text| {
            let path = PathBuf::from(text);
            check_roots(&path)
                .map_err(|why| format!("{text:?} cannot be used ({why}): name a PEM file of certificates"))?;
            settings.fetch_roots = Some(path);
            Ok(())
        },
    },
    Setting {
        key: "app_links",
        flag: "app-links",
        variable: "VESTIBULE_APP_LINKS",
        value: "on/off",
        default: "on",
        meaning: "Whether clients may be sent back to an app by a scheme of its own, such as cursor:",
        set: |settings, text| {
            settings.app_links = match Switch::parse(text)? {
                Switch::On => AppLinks::Accepted,
                Switch::Off => AppLinks::Refused,
            };
            Ok(())
        },
    },
    Setting {
        key: "guard",
        flag: "guard",
        variable: "VESTIBULE_GUARD",
        value: "NAME=URL",
        default: "",
        meaning: "Stand in front of the server at URL, which clients then reach at the issuer with /NAME behind it; may be \
         given several times",
        set: |settings, text| {
            settings.guards = GuardedServer::parse_all(words(text))?;
            Ok(())
        },
    },
    Setting {
        key: "upstream_time",
        flag: "upstream-time",
        variable: "VESTIBULE_UPSTREAM_TIME",
        value: "SPAN",
        default: "5m",
        meaning: "How long a guarded server may take to begin its answer; 10s to 24h",
        set: |settings, text| {
            settings.upstream_time = span::parse_within(text, Seconds::new(10), Seconds::hours(24))?;
            Ok(())
        },
    },
    Setting {
        key: "identity_headers",
        flag: "identity-headers",
        variable: "VESTIBULE_IDENTITY_HEADERS",
        value: "LIST",
        default: "user=X-Vestibule-User,email=X-Vestibule-Email,client=X-Vestibule-Client,scope=X-Vestibule-Scope",
        meaning: "The headers in which guarded servers learn who calls; one that is left out is not sent",
        set: |settings, text| {
            settings.identity_headers = IdentityHeaders::parse(words(text))?;
            Ok(())
        },
    },
    switch!(
        iss_promise,
        "iss_promise",
        "iss-promise",
        "ISS_PROMISE",
        "on",
        "Whether discovery promises iss in authorization responses, which old clients forget to hand on; it is sent anyway"
    ),
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

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split([',', ' ']).filter(|word| !word.is_empty())
}

/// The hash of the token in a file. Where it is too short to keep anybody out, or could not be sent as a Bearer token
/// (RFC 6750 2.1) and would keep everybody out, the message says how to make one.
fn token_in(path: &Path) -> Result<SecretHash, String> {
    const BYTES: std::ops::RangeInclusive<usize> = 20..=512;
    let text = std::fs::read_to_string(path).map_err(|why| {
        format!("{} cannot be read ({why}): name a file with the token in it", path.display())
    })?;
    let token = text.trim();
    let known = |b: u8| b.is_ascii_alphanumeric() || b"-._~+/=".contains(&b);
    if !BYTES.contains(&token.len()) || !token.bytes().all(known) {
        return Err(format!(
            "{} holds no token of 20 to 512 letters, digits and -._~+/=: make one with openssl rand -hex 32",
            path.display()
        ));
    }
    Ok(SecretHash::of(token))
}
