//! The file of `vestibule apply`, TOML or JSON, from text to values that the store can keep. An unknown key is an
//! error: a misspelt one would otherwise be a rule that does not hold.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::path::Path;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer};

use super::super::failure::Failure;
use super::super::resource::parts::{Lifetime, Parts, People, Stand};
use super::super::words;
use crate::oauth::client::KeySource;
use crate::oauth::grant_type::GrantType;
use crate::oauth::guard::Identity;
use crate::oauth::ids::{ClientId, UserName};
use crate::oauth::redirect_uri::RedirectUri;
use crate::oauth::resource::ResourceUri;
use crate::oauth::scope::Scope;
use crate::oauth::secret::SecretHash;
use crate::store::users::Role;

/// All that a file says.
pub(super) struct Wanted {
    /// The people.
    pub(super) users: Vec<WantedUser>,
    /// The servers, each with what is said of it.
    pub(super) resources: Vec<(ResourceUri, Parts)>,
    /// The clients.
    pub(super) clients: Vec<WantedClient>,
}

/// A person that a file names.
pub(super) struct WantedUser {
    /// Their name.
    pub(super) name: UserName,
    /// Their address.
    pub(super) email: Option<String>,
    /// What they may do here.
    pub(super) role: Role,
    /// Their password; `None`: as it is.
    pub(super) password: Option<String>,
    /// Whether they are kept out; `None`: as it is.
    pub(super) disabled: Option<bool>,
}

/// A client that a file names.
pub(super) struct WantedClient {
    /// Its id.
    pub(super) id: ClientId,
    /// Its name.
    pub(super) name: String,
    /// What it may do.
    pub(super) grants: Vec<GrantType>,
    /// The resources that it may name without a person.
    pub(super) audience: Vec<ResourceUri>,
    /// The scopes that it is limited to.
    pub(super) scope: Option<Scope>,
    /// Where it sends people back to.
    pub(super) redirect_uris: Vec<RedirectUri>,
    /// What it holds.
    pub(super) credential: WantedCredential,
}

/// How a client proves who it is.
pub(super) enum WantedCredential {
    /// By nothing.
    Public,
    /// By this secret.
    Secret(SecretHash),
    /// By a private key to these public ones.
    Keys(KeySource),
    /// By the secret that it has, or a new one.
    AnySecret,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    users: Vec<UserEntry>,
    #[serde(default)]
    resources: Vec<ResourceEntry>,
    #[serde(default)]
    clients: Vec<ClientEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UserEntry {
    name: String,
    email: Option<String>,
    #[serde(default)]
    admin: bool,
    password: Option<Hidden>,
    password_file: Option<String>,
    disabled: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ResourceEntry {
    uri: String,
    name: Option<String>,
    scopes: Option<Words>,
    users: Option<Admitted>,
    upstream: Option<String>,
    require: Option<Vec<String>>,
    identity_token: Option<bool>,
    token_lifetime: Option<Span>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClientEntry {
    client_id: String,
    name: Option<String>,
    #[serde(default)]
    grants: Vec<String>,
    #[serde(default)]
    audience: Vec<String>,
    scopes: Option<Words>,
    #[serde(default)]
    redirect_uris: Vec<String>,
    secret: Option<Hidden>,
    secret_file: Option<String>,
    jwks_file: Option<String>,
    jwks_uri: Option<String>,
    #[serde(default)]
    public: bool,
}

/// `"a b"` or `["a", "b"]`.
#[derive(Deserialize)]
#[serde(untagged, expecting = "scopes are a text or a list of texts")]
enum Words {
    Text(String),
    List(Vec<String>),
}

impl Words {
    fn scope(&self) -> Result<Scope, Failure> {
        match self {
            Self::Text(text) => words::scope(text),
            Self::List(list) => words::scope(&list.join(" ")),
        }
    }
}

/// `["alice", "bob"]` or `"everyone"`.
#[derive(Deserialize)]
#[serde(untagged, expecting = "users are a list of names, or the text \"everyone\"")]
enum Admitted {
    Text(String),
    List(Vec<String>),
}

/// For every user, where names could stand.
const EVERYONE: &str = "everyone";

/// `"1h"` or `3600`.
#[derive(Deserialize)]
#[serde(untagged, expecting = "a span of time is a text like \"1h\" or a number of seconds")]
enum Span {
    Number(u32),
    Text(String),
}

/// A text that no error message may show.
struct Hidden(String);

impl<'de> Deserialize<'de> for Hidden {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Secretly;

        /// Serde's own messages show the value that they do not like.
        const NO_TEXT: &str = "a password or secret is a text: put it in quotes";

        impl Visitor<'_> for Secretly {
            type Value = Hidden;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text in quotes")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Hidden, E> {
                Ok(Hidden(text.to_owned()))
            }

            fn visit_i64<E: Error>(self, _: i64) -> Result<Hidden, E> {
                Err(E::custom(NO_TEXT))
            }

            fn visit_u64<E: Error>(self, _: u64) -> Result<Hidden, E> {
                Err(E::custom(NO_TEXT))
            }

            fn visit_f64<E: Error>(self, _: f64) -> Result<Hidden, E> {
                Err(E::custom(NO_TEXT))
            }
        }

        // Any: serde_json would itself complain about a value of another kind, and show it.
        deserializer.deserialize_any(Secretly)
    }
}

/// Reads a file and all files that it names.
pub(super) fn read(path: &Path) -> Result<Wanted, Failure> {
    let refuse = |why: String| Failure::new(format!("could not apply {}: {why}", path.display()));
    let text = fs::read_to_string(path)
        .map_err(|source| refuse(format!("it cannot be read ({source}); name a TOML or JSON file")))?;
    let file: File = match path.extension().and_then(|extension| extension.to_str()) {
        Some("toml") => toml::from_str(&text).map_err(|source| {
            let line = source
                .span()
                .map_or(1, |span| text.bytes().take(span.start).filter(|b| *b == b'\n').count() + 1);
            refuse(format!("line {line}: {}; mend the file", source.message()))
        })?,
        Some("json") => {
            serde_json::from_str(&text).map_err(|source| refuse(format!("{source}; mend the file")))?
        }
        _ => return Err(refuse("what it is shows in its name; call it NAME.toml or NAME.json".to_owned())),
    };
    let directory = path.parent().unwrap_or(Path::new(""));
    let read = || -> Result<Wanted, Failure> {
        let wanted = Wanted {
            users: file.users.iter().map(|entry| user(entry, directory)).collect::<Result<_, _>>()?,
            resources: file.resources.iter().map(server).collect::<Result<_, _>>()?,
            clients: file.clients.iter().map(|entry| client(entry, directory)).collect::<Result<_, _>>()?,
        };
        refuse_repeats("user", wanted.users.iter().map(|user| user.name.as_str()))?;
        refuse_repeats("resource", wanted.resources.iter().map(|(uri, _)| uri.canonical()))?;
        refuse_repeats("client", wanted.clients.iter().map(|client| client.id.as_str()))?;
        Ok(wanted)
    };
    read().map_err(|failure| refuse(failure.to_string()))
}

fn user(entry: &UserEntry, directory: &Path) -> Result<WantedUser, Failure> {
    let name = words::user_name(&entry.name)?;
    let password = one_of(entry.password.as_ref(), entry.password_file.as_deref(), directory, "password")?;
    if let Some(password) = &password {
        words::password(password)?;
    }
    Ok(WantedUser {
        email: entry.email.as_deref().map(words::email).transpose()?,
        role: if entry.admin { Role::Admin } else { Role::Member },
        disabled: entry.disabled,
        password,
        name,
    })
}

fn server(entry: &ResourceEntry) -> Result<(ResourceUri, Parts), Failure> {
    let lifetime = match &entry.token_lifetime {
        None => None,
        Some(Span::Number(seconds)) => Some(words::token_lifetime(&seconds.to_string())?),
        Some(Span::Text(text)) => Some(words::token_lifetime(text)?),
    };
    let identity = |token| if token { Identity::HeadersAndToken } else { Identity::Headers };
    let parts = Parts {
        name: entry.name.as_deref().map(words::display_name).transpose()?,
        scopes: entry.scopes.as_ref().map(Words::scope).transpose()?,
        people: entry.users.as_ref().map(people).transpose()?,
        stand: entry.upstream.as_deref().map(stand).transpose()?,
        rules: entry.require.as_deref().map(words::rules).transpose()?,
        identity: entry.identity_token.map(identity),
        lifetime: lifetime.map(Lifetime::Own),
    };
    Ok((words::resource_uri(&entry.uri)?, parts))
}

fn people(admitted: &Admitted) -> Result<People, Failure> {
    match admitted {
        Admitted::List(names) => {
            names.iter().map(|name| words::user_name(name)).collect::<Result<_, _>>().map(People::Listed)
        }
        Admitted::Text(word) if word == EVERYONE => Ok(People::Everyone),
        Admitted::Text(word) => Err(Failure::new(format!(
            "could not read users = {word:?}: write a list of names, or {EVERYONE:?} for every user"
        ))),
    }
}

/// An upstream, or the word that there is to be none.
fn stand(upstream: &str) -> Result<Stand, Failure> {
    if upstream.is_empty() {
        return Ok(Stand::Aside);
    }
    words::upstream(upstream).map(Stand::Before)
}

fn client(entry: &ClientEntry, directory: &Path) -> Result<WantedClient, Failure> {
    let id = words::client_id(&entry.client_id)?;
    let secret = one_of(entry.secret.as_ref(), entry.secret_file.as_deref(), directory, "secret")?;
    let jwks_file = entry.jwks_file.as_ref().map(|name| directory.join(name));
    let keys = words::key_source(jwks_file.as_deref(), entry.jwks_uri.as_deref())?;
    let credential = match (secret, keys) {
        (Some(_), _) | (_, Some(_)) if entry.public => {
            return Err(Failure::new(format!(
                "the client {id} is public and has a secret or keys; leave out one of the two"
            )));
        }
        (Some(_), Some(_)) => {
            return Err(Failure::new(format!(
                "the client {id} has a secret and keys; leave out one of the two"
            )));
        }
        (Some(secret), None) => WantedCredential::Secret(SecretHash::of(words::secret(&secret)?)),
        (None, Some(keys)) => WantedCredential::Keys(keys),
        (None, None) if entry.public => WantedCredential::Public,
        (None, None) => WantedCredential::AnySecret,
    };
    let redirect_uris: Vec<_> =
        entry.redirect_uris.iter().map(|uri| words::redirect_uri(uri)).collect::<Result<_, _>>()?;
    let grants: Vec<_> =
        entry.grants.iter().map(|grant| words::grant_type(grant)).collect::<Result<_, _>>()?;
    Ok(WantedClient {
        name: entry.name.as_deref().map_or_else(|| Ok(id.to_string()), words::display_name)?,
        grants: if grants.is_empty() { words::default_grants(&redirect_uris) } else { grants },
        audience: entry.audience.iter().map(|uri| words::resource_uri(uri)).collect::<Result<_, _>>()?,
        scope: entry.scopes.as_ref().map(Words::scope).transpose()?,
        redirect_uris,
        credential,
        id,
    })
}

/// A secret that stands here or in a file of its own.
fn one_of(
    here: Option<&Hidden>,
    elsewhere: Option<&str>,
    directory: &Path,
    what: &str,
) -> Result<Option<String>, Failure> {
    match (here, elsewhere) {
        (Some(_), Some(_)) => {
            Err(Failure::new(format!("both {what} and {what}_file are given; leave out one of the two")))
        }
        (Some(Hidden(text)), None) => Ok(Some(text.clone())),
        (None, Some(name)) => {
            let path = directory.join(name);
            let text = fs::read_to_string(&path).map_err(|source| {
                Failure::new(format!(
                    "the {what}_file {} cannot be read: {source}; make it or mend its name",
                    path.display()
                ))
            })?;
            Ok(Some(words::without_newline(&text).to_owned()))
        }
        (None, None) => Ok(None),
    }
}

fn refuse_repeats<'a>(what: &str, names: impl Iterator<Item = &'a str>) -> Result<(), Failure> {
    let mut seen = BTreeSet::new();
    for name in names {
        if !seen.insert(name) {
            return Err(Failure::new(format!("the {what} {name} is there twice; leave out one of the two")));
        }
    }
    Ok(())
}
