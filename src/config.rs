//! The settings: what they are, what they are by default, and from where they come: flags over environment over
//! file over defaults, all by the one table [`KEYS`].
//!
//! The only reader of the environment. Everything else is handed a [`Settings`]. Never reads the clock.

mod file;
mod guards;
mod hosts;
mod keys;
pub mod span;

use std::error::Error;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::clock::Seconds;
use crate::crypto::jwk::Algorithm;
use crate::http::{Networks, TrustedProxies};
use crate::oauth::issuer::Issuer;
use crate::oauth::redirect_uri::AppLinks;
use crate::oauth::secret::SecretHash;

pub use guards::{GuardedServer, IdentityHeaders};
pub use hosts::Hosts;
pub use keys::{KEYS, Setting};

/// Names the settings file where no flag does.
pub const CONFIG_VARIABLE: &str = "VESTIBULE_CONFIG";

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
    pub trusted_proxies: TrustedProxies,
    /// How many connections may be open at once.
    pub connections_max: usize,
    /// How the next signing key signs.
    pub signing_algorithm: Algorithm,
    /// Whether clients may register themselves (RFC 7591).
    pub registration: Switch,
    /// The initial access token that a client needs to register itself (RFC 7591 3); `None`: none is needed.
    pub registration_token: Option<SecretHash>,
    /// Whether clients may be sent back to apps by schemes of their own (RFC 8252 7.1).
    pub app_links: AppLinks,
    /// Whether discovery promises `iss` in authorization responses (RFC 9207 3), where it always is.
    pub iss_promise: Switch,
    /// Clients named by the URL of their metadata document.
    pub client_documents: ClientDocuments,
    /// Special networks that documents may be fetched from all the same.
    pub fetch_networks: Networks,
    /// A PEM file of certificate authorities that are trusted besides the system's.
    pub fetch_roots: Option<PathBuf>,
    /// Servers to guard, declared when serving.
    pub guards: Vec<GuardedServer>,
    /// How the servers behind the guard are told who calls.
    pub identity_headers: IdentityHeaders,
    /// How long a server behind the guard may take from a request to the head of its answer.
    pub upstream_time: Seconds,
    /// How long things live.
    pub lifetimes: Lifetimes,
}

/// On or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switch {
    /// On.
    On,
    /// Off.
    Off,
}

impl Switch {
    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "on" => Ok(Self::On),
            "off" => Ok(Self::Off),
            _ => Err(format!("{text:?} is neither on nor off")),
        }
    }
}

/// What is allowed of clients that are named by the URL of their metadata document.
#[derive(Clone, Debug)]
pub struct ClientDocuments {
    /// Off: no document is fetched, and discovery does not promise it.
    pub fetching: Switch,
    /// The only hosts whose documents count; empty: all but the refused ones.
    pub hosts: Hosts,
    /// Hosts whose documents never count.
    pub hosts_refused: Hosts,
    /// The longest document.
    pub bytes_max: usize,
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

/// Something that was set to a value that it cannot have.
#[derive(Debug)]
pub struct ConfigRefusal {
    at: String,
    why: String,
}

impl fmt::Display for ConfigRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "could not use the settings: {}: {}", self.at, self.why)
    }
}

impl Error for ConfigRefusal {}

/// What the command line says of the settings.
#[derive(Debug, Default)]
pub struct Flags {
    /// The settings file.
    pub config: Option<PathBuf>,
    /// Keys of [`KEYS`] with their values.
    pub values: Vec<(&'static str, String)>,
}

/// The settings as all layers together make them.
pub fn load(flags: &Flags) -> Result<Settings, ConfigRefusal> {
    #[expect(clippy::disallowed_methods, reason = "this is the one reader of the environment")]
    layer(flags, |name| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned()))
}

fn layer(flags: &Flags, variable: impl Fn(&str) -> Option<String>) -> Result<Settings, ConfigRefusal> {
    // A variable that is set to nothing counts as not set: compose files write `VESTIBULE_ISSUER=`.
    let variable = |name: &str| variable(name).filter(|value| !value.is_empty());
    let mut settings = Settings::default();
    let file = flags.config.clone().or_else(|| variable(CONFIG_VARIABLE).map(PathBuf::from));
    if let Some(path) = &file {
        for (setting, text) in file::read(path)? {
            apply(&mut settings, setting, &text, || in_file(path, setting))?;
        }
    }
    for setting in KEYS {
        let flag = flags.values.iter().find(|(key, _)| *key == setting.key);
        if let Some((_, text)) = flag {
            apply(&mut settings, setting, text, || format!("--{}", setting.flag))?;
        } else if let Some(text) = variable(setting.variable) {
            apply(&mut settings, setting, &text, || setting.variable.to_owned())?;
        }
    }
    Ok(settings)
}

fn apply(
    settings: &mut Settings,
    setting: &Setting,
    text: &str,
    at: impl FnOnce() -> String,
) -> Result<(), ConfigRefusal> {
    (setting.set)(settings, text).map_err(|why| ConfigRefusal { at: at(), why })
}

fn in_file(path: &Path, setting: &Setting) -> String {
    format!("{} in {}", setting.key, path.display())
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            issuer: None,
            db: PathBuf::from("vestibule.db"),
            trusted_proxies: TrustedProxies::default(),
            connections_max: 4096,
            signing_algorithm: Algorithm::Es256,
            registration: Switch::On,
            registration_token: None,
            app_links: AppLinks::Accepted,
            iss_promise: Switch::On,
            client_documents: ClientDocuments::default(),
            fetch_networks: Networks::default(),
            fetch_roots: None,
            guards: Vec::new(),
            identity_headers: IdentityHeaders::default(),
            upstream_time: Seconds::minutes(5),
            lifetimes: Lifetimes::default(),
        }
    }
}

impl Default for ClientDocuments {
    fn default() -> Self {
        Self {
            fetching: Switch::On,
            hosts: Hosts::default(),
            hosts_refused: Hosts::default(),
            bytes_max: 5 * 1024,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_consistent_and_its_defaults_are_the_defaults() {
        let mut settings = Settings::default();
        for setting in KEYS {
            assert_eq!(setting.flag, setting.key.replace('_', "-"));
            assert_eq!(setting.variable, format!("VESTIBULE_{}", setting.key.to_uppercase()));
            if !setting.default.is_empty() {
                assert_eq!((setting.set)(&mut settings, setting.default), Ok(()), "{}", setting.key);
            }
        }
        assert_eq!(format!("{settings:?}"), format!("{:?}", Settings::default()));
    }

    #[test]
    fn flags_are_above_the_environment_and_the_environment_above_the_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("v.toml");
        std::fs::write(&path, "listen = \"127.0.0.1:1\"\ncode_lifetime = 30\ndb = \"file.db\"\n").unwrap();
        let flags = Flags { config: Some(path), values: vec![("listen", "127.0.0.1:3".to_owned())] };
        let variables = |name: &str| match name {
            "VESTIBULE_LISTEN" => Some("127.0.0.1:2".to_owned()),
            "VESTIBULE_DB" => Some("variable.db".to_owned()),
            "VESTIBULE_ISSUER" => Some(String::new()),
            _ => None,
        };
        let settings = layer(&flags, variables).unwrap();
        assert_eq!(settings.listen.port(), 3);
        assert_eq!(settings.db, PathBuf::from("variable.db"));
        assert_eq!(settings.lifetimes.code, Seconds::new(30));
        assert_eq!(settings.issuer, None);
    }

    #[test]
    fn a_time_03_no_lifetime_is_zero_one_or_for_ever() {
        for setting in KEYS.iter().filter(|setting| setting.value == "SPAN") {
            for wrong in ["0", "1", "4294967295"] {
                if setting.key == "refresh_retry_window" && wrong != "4294967295" {
                    continue;
                }
                let flags = Flags { config: None, values: vec![(setting.key, wrong.to_owned())] };
                let refusal = layer(&flags, |_| None).unwrap_err().to_string();
                let bounds = setting.meaning.rsplit("; ").next().unwrap_or_default();
                let bounds = bounds.split(", ").next().unwrap_or_default().replace("24h", "1d");
                assert!(refusal.contains("from") && refusal.contains(&bounds), "{refusal} / {bounds}");
            }
        }
    }
}
