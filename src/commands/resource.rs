//! `vestibule resource`: the servers that tokens can be for (RFC 8707).

pub(super) mod parts;

use std::collections::BTreeSet;

use clap::{Args, Subcommand};
use serde::Serialize;

use super::answer::{Answer, table};
use super::database::Database;
use super::difference::Difference;
use super::failure::Failure;
use super::guards::{self, Own};
use super::{user, words};
use crate::audit::{Entry, Event, Origin};
use crate::clock::{Seconds, UnixTime};
use crate::config::{Settings, span};
use crate::oauth::guard::{Identity, Rules};
use crate::oauth::ids::UserName;
use crate::oauth::resource::{Admission, Resource, ResourceUri};
use crate::store::{ReadTx, WriteTx, instance, resources};

use parts::{Lifetime, Parts, People, Stand};

/// What to do with resources.
#[derive(Subcommand)]
pub(super) enum Command {
    /// Register a server
    #[command(after_help = "\
Examples:
  vestibule resource add https://notes.home.example/mcp
  vestibule resource add https://notes.home.example/mcp --name Notes --scopes \"notes:read notes:write\"
  vestibule resource add https://door.home.example/mcp --users alice,bob --token-lifetime 10m
  A server that knows nothing of OAuth:
    vestibule resource add https://files.home.example/mcp --upstream http://127.0.0.1:3000/mcp
  The same, where deleting needs a scope of its own:
    vestibule resource add https://files.home.example/mcp --upstream http://127.0.0.1:3000/mcp \\
        --scopes \"read write\" --require \"tools/call:delete_*=write\"

Where nothing else is said, it is called by its address without https://, every user may have tokens for it, and they are
valid as long as the setting access_token_lifetime says. vestibule resource set changes what is named, later.")]
    Add(Add),
    /// Change what is named of a registered server, and nothing else
    #[command(after_help = "\
Examples:
  Who may use it:
    vestibule resource set https://notes.home.example/mcp --users alice,bob
    vestibule resource set https://notes.home.example/mcp --everyone
  What a call needs; the rules that are given take the place of those that were there:
    vestibule resource set https://files.home.example/mcp --scopes \"read write\" \\
        --require \"tools/call:delete_*=write\" --require \"tools/call:write_*=write\"
  Where a guarded server is, and that it is guarded no longer:
    vestibule resource set https://files.home.example/mcp --upstream http://127.0.0.1:3001/mcp
    vestibule resource set https://files.home.example/mcp --no-upstream

What is changed counts from the next request on, also while the server runs.")]
    Set(Set),
    /// Show all
    List,
    /// Take a server out of the registry: no more tokens for it
    Remove {
        /// Which, in any spelling
        uri: String,
    },
}

/// A server to register.
#[derive(Args)]
pub(super) struct Add {
    /// The address that clients connect to, as they are told it
    uri: String,
    #[command(flatten)]
    flags: Flags,
}

/// What may be said of a server.
#[derive(Args)]
struct Flags {
    /// What people call it
    #[arg(long)]
    name: Option<String>,
    /// The scopes that it knows, separated by spaces
    #[arg(long)]
    scopes: Option<String>,
    /// Who may have tokens for it, separated by commas
    #[arg(long)]
    users: Option<String>,
    /// Stand in front of it: the server itself knows nothing of OAuth, and is reached at this URL
    #[arg(long, value_name = "URL")]
    upstream: Option<String>,
    /// The scope that a call needs: METHOD=SCOPE or METHOD:NAME=SCOPE, with * for any text; may be given several times
    #[arg(long = "require", value_name = "RULE")]
    rules: Vec<String>,
    /// Tell the server behind who calls by a short-lived signed token too, in X-Vestibule-Token
    #[arg(long)]
    identity_token: bool,
    /// How long its access tokens are valid; 1m to 7d
    #[arg(long, value_name = "SPAN")]
    token_lifetime: Option<String>,
}

/// A server to change.
#[derive(Args)]
pub(super) struct Set {
    /// Which, in any spelling
    uri: String,
    #[command(flatten)]
    flags: Flags,
    /// Every user may have tokens for it
    #[arg(long, conflicts_with = "users")]
    everyone: bool,
    /// Guard it no longer: the server itself checks the tokens
    #[arg(long, conflicts_with_all = ["upstream", "rules", "identity_token"])]
    no_upstream: bool,
    /// No call needs a scope
    #[arg(long, conflicts_with = "rules")]
    no_require: bool,
    /// Tell the server behind who calls by headers alone
    #[arg(long, conflicts_with = "identity_token")]
    no_identity_token: bool,
    /// Its access tokens are valid as long as the setting access_token_lifetime says
    #[arg(long, conflicts_with = "token_lifetime")]
    no_token_lifetime: bool,
}

impl Flags {
    fn parts(&self) -> Result<Parts, Failure> {
        let listed = |list: &String| {
            let names = list.split(',').filter(|name| !name.trim().is_empty());
            names.map(words::user_name).collect::<Result<BTreeSet<_>, _>>().map(People::Listed)
        };
        Ok(Parts {
            name: self.name.as_deref().map(words::display_name).transpose()?,
            scopes: self.scopes.as_deref().map(words::scope).transpose()?,
            people: self.users.as_ref().map(listed).transpose()?,
            stand: self.upstream.as_deref().map(words::upstream).transpose()?.map(Stand::Before),
            rules: (!self.rules.is_empty()).then(|| words::rules(&self.rules)).transpose()?,
            identity: self.identity_token.then_some(Identity::HeadersAndToken),
            lifetime: self
                .token_lifetime
                .as_deref()
                .map(words::token_lifetime)
                .transpose()?
                .map(Lifetime::Own),
        })
    }
}

impl Set {
    /// What the flags say; those that take something away stand against those that give it.
    fn parts(&self) -> Result<Parts, Failure> {
        let said = self.flags.parts()?;
        let rules = self.no_require.then(Rules::default);
        let identity = self.no_identity_token.then_some(Identity::Headers);
        Ok(Parts {
            people: if self.everyone { Some(People::Everyone) } else { said.people },
            stand: if self.no_upstream { Some(Stand::Aside) } else { said.stand },
            rules: rules.or(said.rules),
            identity: identity.or(said.identity),
            lifetime: if self.no_token_lifetime { Some(Lifetime::OfSettings) } else { said.lifetime },
            ..said
        })
    }
}

/// A resource in JSON, in the words of an `apply` file.
#[derive(Serialize)]
struct Shown {
    uri: String,
    name: String,
    scopes: Vec<String>,
    /// Absent: every user.
    #[serde(skip_serializing_if = "Option::is_none")]
    users: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    upstream: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    require: Vec<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    identity_token: bool,
    /// Seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    token_lifetime: Option<Seconds>,
}

impl Shown {
    fn new(resource: &Resource, admitted: &[UserName]) -> Self {
        let users = || admitted.iter().map(UserName::to_string).collect();
        Self {
            uri: resource.uri.as_str().to_owned(),
            name: resource.name.clone(),
            scopes: resource.scopes.iter().map(str::to_owned).collect(),
            users: (resource.admission == Admission::Listed).then(users),
            upstream: parts::upstream(resource).map(str::to_owned),
            require: parts::rules(resource),
            identity_token: parts::has_identity_token(resource),
            token_lifetime: resource.token_lifetime,
        }
    }
}

/// A resource in JSON, and what was changed of it.
#[derive(Serialize)]
struct Changed {
    #[serde(flatten)]
    resource: Shown,
    differences: Vec<Difference>,
}

/// Does it.
pub(super) fn run(settings: &Settings, command: Command) -> Result<Answer, Failure> {
    match command {
        Command::Add(args) => add(settings, &args),
        Command::Set(args) => set(settings, &args),
        Command::List => list(settings),
        Command::Remove { uri } => remove(settings, words::resource_uri(&uri)?),
    }
}

fn add(settings: &Settings, args: &Add) -> Result<Answer, Failure> {
    let (resource, names) = args.flags.parts()?.upon(words::resource_uri(&args.uri)?, None)?;
    let listen = guards::listening(settings);
    let (resource, admitted) = Database::open(settings)?.change(move |tx, now| {
        Own { issuer: instance::find(tx)?.issuer, listen }.refuse(&resource, None)?;
        if !resources::insert(tx, &resource, now)? {
            return Err(taken(tx, &resource.uri)?);
        }
        let admitted = admit(tx, &resource.uri, &names)?;
        record(tx, Event::ResourceAdded, &resource.uri, now)?;
        Ok((resource, admitted))
    })?;
    let who = parts::who(&resource, &admitted);
    let Resource { name, uri, .. } = &resource;
    let mut text = match parts::upstream(&resource) {
        None => format!(
            "Registered {name} ({uri}).\nTokens for it: {who}. The server itself, or the reverse proxy that asks /verify, \
             must check them: issuer and aud {uri}."
        ),
        Some(upstream) => format!(
            "Guarded {name}.\nGive clients {uri}; what they are allowed goes on to {upstream}. Tokens for it: {who}."
        ),
    };
    for (at, rule) in parts::rules(&resource).iter().enumerate() {
        text.push_str(if at == 0 { "\nCalls that need a scope:" } else { "" });
        text.push_str(&format!("\n    {rule}"));
    }
    Ok(Answer::new(text, Shown::new(&resource, &admitted)))
}

fn set(settings: &Settings, args: &Set) -> Result<Answer, Failure> {
    let (uri, parts) = (words::resource_uri(&args.uri)?, args.parts()?);
    if parts.are_none() {
        return Err(Failure::new(format!(
            "could not change {uri}: nothing is named that should change; see vestibule resource set --help"
        )));
    }
    let listen = guards::listening(settings);
    let ((resource, admitted), differences) = Database::open(settings)?.change(move |tx, now| {
        let known = resources::find(tx, &uri)?.ok_or_else(|| {
            Failure::new(format!(
                "could not change {uri}: it is not registered; see vestibule resource list, or register it: \
                 vestibule resource add {uri}"
            ))
        })?;
        let have = (known.clone(), resources::admitted(tx, &known.uri)?);
        let wanted = parts.upon(known.uri, Some(&have))?;
        let own = Own { issuer: instance::find(tx)?.issuer, listen };
        own.refuse(&wanted.0, have.0.guard.as_ref())?;
        let differences = parts::differences(&have, &wanted);
        if !differences.is_empty() {
            resources::update(tx, &wanted.0)?;
            admit(tx, &wanted.0.uri, &wanted.1)?;
            record(tx, Event::ResourceChanged, &wanted.0.uri, now)?;
        }
        Ok((wanted, differences))
    })?;
    let mut text = match differences.is_empty() {
        true => format!("Nothing to change: {} is so already.", resource.uri),
        false => format!("Changed {}:", resource.uri),
    };
    for difference in &differences {
        text.push_str(&format!("\n    {difference}"));
    }
    let shown = Shown::new(&resource, &admitted);
    Ok(Answer::new(text, Changed { resource: shown, differences }))
}

fn list(settings: &Settings) -> Result<Answer, Failure> {
    let all: Vec<(Resource, Vec<UserName>)> = Database::open(settings)?.read(|tx| {
        let all = resources::list(tx)?.into_iter();
        all.map(|resource| Ok((resource.clone(), resources::admitted(tx, &resource.uri)?))).collect()
    })?;
    let rows: Vec<_> = all
        .iter()
        .map(|(resource, admitted)| {
            let users = match resource.admission {
                Admission::Everyone => "everyone".to_owned(),
                Admission::Listed => admitted.iter().map(UserName::as_str).collect::<Vec<_>>().join(","),
            };
            let lifetime = resource.token_lifetime.map_or(String::new(), span::write);
            let scopes = resource.scopes.to_string();
            let upstream = parts::upstream(resource).unwrap_or_default().to_owned();
            let rules = parts::rules(resource).join(", ");
            [resource.uri.to_string(), resource.name.clone(), users, lifetime, scopes, upstream, rules]
        })
        .collect();
    let none = "None yet. Register the first: vestibule resource add https://notes.home.example/mcp";
    let shown: Vec<_> = all.iter().map(|(resource, admitted)| Shown::new(resource, admitted)).collect();
    let headings = ["URI", "NAME", "USERS", "LIFETIME", "SCOPES", "UPSTREAM", "REQUIRE"];
    Ok(Answer::new(table(headings, &rows, none), shown))
}

fn remove(settings: &Settings, uri: ResourceUri) -> Result<Answer, Failure> {
    let resource = Database::open(settings)?.change(move |tx, now| {
        let resource = resources::find(tx, &uri)?.ok_or_else(|| {
            Failure::new(format!("could not remove {uri}: it is not registered; see vestibule resource list"))
        })?;
        resources::remove(tx, &uri)?;
        record(tx, Event::ResourceRemoved, &resource.uri, now)?;
        Ok(resource)
    })?;
    let text = format!(
        "Removed {}. No token for it is made from now on; {}.",
        resource.uri,
        match resource.guard {
            Some(_) => "those that are out there open nothing any more",
            None => "those that are out there end by themselves",
        }
    );
    Ok(Answer::new(text, Shown::new(&resource, &[])))
}

/// Makes these the people that a restricted resource admits, and says who they are.
pub(super) fn admit(
    tx: &WriteTx<'_>,
    uri: &ResourceUri,
    names: &[UserName],
) -> Result<Vec<UserName>, Failure> {
    let found = names.iter().map(|name| user::find(tx, name)).collect::<Result<Vec<_>, _>>()?;
    let ids: Vec<_> = found.iter().map(|user| user.id.clone()).collect();
    resources::set_admitted(tx, uri, &ids)?;
    Ok(resources::admitted(tx, uri)?)
}

fn taken(tx: &ReadTx<'_>, uri: &ResourceUri) -> Result<Failure, Failure> {
    let known = resources::find(tx, uri)?.map_or_else(|| uri.to_string(), |known| known.uri.to_string());
    Ok(Failure::new(format!(
        "could not register {uri}: it is registered as {known}; change it: vestibule resource set {known}, or remove it \
         first: vestibule resource remove {known}"
    )))
}

fn record(tx: &WriteTx<'_>, event: Event, uri: &ResourceUri, now: UnixTime) -> Result<(), Failure> {
    let origin = Origin::of_command();
    Ok(Entry::new(event, &origin).resources([uri]).subject(uri.as_str()).record(tx, now)?)
}
