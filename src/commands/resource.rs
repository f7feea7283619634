//! `vestibule resource`: the servers that tokens can be for (RFC 8707).

use clap::{Args, Subcommand};
use serde::Serialize;

use super::answer::{Answer, table};
use super::database::Database;
use super::failure::Failure;
use super::{guards, user, words};
use crate::audit::{Entry, Event, Origin};
use crate::clock::{Seconds, UnixTime};
use crate::config::{Settings, span};
use crate::oauth::guard::{Guard, Identity, Rule};
use crate::oauth::ids::UserName;
use crate::oauth::resource::{Admission, Resource, ResourceUri};
use crate::oauth::scope::Scope;
use crate::store::{ReadTx, WriteTx, instance, resources};

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
        --scopes \"read write\" --require \"tools/call:delete_*=write\"")]
    Add(Add),
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
    /// What people call it [default: its address without https://]
    #[arg(long)]
    name: Option<String>,
    /// The scopes that it knows, separated by spaces
    #[arg(long)]
    scopes: Option<String>,
    /// Who may have tokens for it, separated by commas [default: every user]
    #[arg(long)]
    users: Option<String>,
    /// Stand in front of it: the server itself knows nothing of OAuth, and is reached at this URL
    #[arg(long, value_name = "URL")]
    upstream: Option<String>,
    /// The scope that a call needs: METHOD=SCOPE or METHOD:NAME=SCOPE, with * for any text; may be given several times
    #[arg(long = "require", value_name = "RULE", requires = "upstream")]
    rules: Vec<String>,
    /// Tell the server behind who calls by a short-lived signed token too, in X-Vestibule-Token
    #[arg(long, requires = "upstream")]
    identity_token: bool,
    /// How long its access tokens are valid; 1m to 7d [default: the setting access_token_lifetime]
    #[arg(long, value_name = "SPAN")]
    token_lifetime: Option<String>,
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
            upstream: resource.guard.as_ref().map(|guard| guard.upstream.as_str().to_owned()),
            require: resource
                .guard
                .iter()
                .flat_map(|guard| guard.rules.iter())
                .map(Rule::to_string)
                .collect(),
            identity_token: resource
                .guard
                .as_ref()
                .is_some_and(|guard| guard.identity == Identity::HeadersAndToken),
            token_lifetime: resource.token_lifetime,
        }
    }
}

/// Does it.
pub(super) fn run(settings: &Settings, command: Command) -> Result<Answer, Failure> {
    match command {
        Command::Add(args) => add(settings, &args),
        Command::List => list(settings),
        Command::Remove { uri } => remove(settings, words::resource_uri(&uri)?),
    }
}

fn add(settings: &Settings, args: &Add) -> Result<Answer, Failure> {
    let uri = words::resource_uri(&args.uri)?;
    let names: Option<Vec<UserName>> = match &args.users {
        None => None,
        Some(list) => Some(
            list.split(',')
                .filter(|name| !name.trim().is_empty())
                .map(words::user_name)
                .collect::<Result<_, _>>()?,
        ),
    };
    let identity = if args.identity_token { Identity::HeadersAndToken } else { Identity::Headers };
    let guard = words::guard(args.upstream.as_deref(), &args.rules, identity)?;
    let scopes = args.scopes.as_deref().map_or(Ok(Scope::empty()), words::scope)?;
    let resource = Resource {
        name: args.name.as_deref().map_or_else(|| Ok(default_name(&uri)), words::display_name)?,
        scopes: with_needed(scopes, guard.as_ref()),
        admission: if names.is_some() { Admission::Listed } else { Admission::Everyone },
        token_lifetime: args.token_lifetime.as_deref().map(words::token_lifetime).transpose()?,
        guard,
        uri,
    };
    let (resource, admitted) = Database::open(settings)?.change(move |tx, now| {
        if resource.guard.is_some() {
            guards::refuse_own(&instance::find(tx)?.issuer, &resource.uri)?;
        }
        if !resources::insert(tx, &resource, now)? {
            return Err(taken(tx, &resource.uri)?);
        }
        let admitted = admit(tx, &resource.uri, &names.unwrap_or_default())?;
        record(tx, Event::ResourceAdded, &resource.uri, now)?;
        Ok((resource, admitted))
    })?;
    let who = match resource.admission {
        Admission::Everyone => "every user".to_owned(),
        Admission::Listed if admitted.is_empty() => "nobody yet".to_owned(),
        Admission::Listed => admitted.iter().map(UserName::as_str).collect::<Vec<_>>().join(", "),
    };
    let Resource { name, uri, .. } = &resource;
    let text = match &resource.guard {
        None => format!(
            "Registered {name} ({uri}).\nTokens for it: {who}. The server itself must check them: issuer and aud {uri}."
        ),
        Some(guard) => format!(
            "Guarded {name}.\nGive clients {uri}; what they are allowed goes on to {}. Tokens for it: {who}.",
            guard.upstream.as_str()
        ),
    };
    Ok(Answer::new(text, Shown::new(&resource, &admitted)))
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
            let upstream = resource.guard.as_ref().map_or("", |guard| guard.upstream.as_str()).to_owned();
            [resource.uri.to_string(), resource.name.clone(), users, lifetime, scopes, upstream]
        })
        .collect();
    let none = "None yet. Register the first: vestibule resource add https://notes.home.example/mcp";
    let shown: Vec<_> = all.iter().map(|(resource, admitted)| Shown::new(resource, admitted)).collect();
    Ok(Answer::new(table(["URI", "NAME", "USERS", "LIFETIME", "SCOPES", "UPSTREAM"], &rows, none), shown))
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

/// The scopes that a resource knows: those that its owner lists, and those that its rules need, or nobody could ever have
/// them.
pub(super) fn with_needed(scopes: Scope, guard: Option<&Guard>) -> Scope {
    guard.map_or(scopes.clone(), |guard| scopes.union(&guard.rules.scopes()))
}

/// What a resource is called where its owner gave it no name.
pub(super) fn default_name(uri: &ResourceUri) -> String {
    let text = uri.as_str();
    text.split_once("://").map_or(text, |(_, rest)| rest).trim_end_matches('/').to_owned()
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
        "could not register {uri}: it is registered as {known}; change it with vestibule apply, or remove it first: \
         vestibule resource remove {known}"
    )))
}

fn record(tx: &WriteTx<'_>, event: Event, uri: &ResourceUri, now: UnixTime) -> Result<(), Failure> {
    let origin = Origin::of_command();
    Ok(Entry::new(event, &origin).resources([uri]).subject(uri.as_str()).record(tx, now)?)
}
