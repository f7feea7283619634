//! `vestibule client`: the programs that ask for tokens.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Serialize;

use super::answer::{Answer, table};
use super::database::Database;
use super::failure::Failure;
use super::{taken_back, words};
use crate::audit::{Entry, Event, Origin};
use crate::clock::UnixTime;
use crate::config::Settings;
use crate::oauth::client::{Assertion, Client, Credential, RegisteredBy};
use crate::oauth::client_metadata::ClientMetadata;
use crate::oauth::grant_type::AuthMethod;
use crate::oauth::ids::ClientId;
use crate::oauth::resource::ResourceUri;
use crate::oauth::secret::{Secret, SecretKind};
use crate::store::{ReadTx, WriteTx, clients, resources};

/// What to do with clients.
#[derive(Subcommand)]
pub(super) enum Command {
    /// Add a client; most add themselves when they first connect
    #[command(after_help = "\
Examples:
  A machine that acts for itself:
    vestibule client add --name \"Backup job\" --audience https://notes.home.example/mcp --scopes notes:read
  A web application that signs people in:
    vestibule client add --name Dashboard --redirect-uri https://dash.home.example/callback
  A program on people's computers, which cannot keep a secret:
    vestibule client add --name Editor --public --redirect-uri http://127.0.0.1/callback
  A machine that holds a key instead of a secret:
    vestibule client add --name \"Build server\" --audience https://notes.home.example/mcp --jwks public.jwks.json

The secret is shown once; the database keeps a hash of it.")]
    Add(Add),
    /// Show all; those that registered themselves are counted by name
    List,
    /// Show one
    Show {
        /// Its client_id
        id: String,
    },
    /// Give a client a new secret; the old one is void at once
    RotateSecret {
        /// Its client_id
        id: String,
    },
    /// Remove a client with everything that was granted to it
    ///
    /// At guarded servers access ends at once: the next request is refused, and open streams end within five seconds. Only
    /// a server that checks tokens itself takes one that is out there until it ends (see access_token_lifetime).
    Remove {
        /// Its client_id
        id: String,
    },
}

/// A client to add.
#[derive(Args)]
pub(super) struct Add {
    /// What people call it
    #[arg(long)]
    name: String,
    /// Where people are sent back to; may be given several times
    #[arg(long = "redirect-uri", value_name = "URI")]
    redirect_uris: Vec<String>,
    /// authorization_code, refresh_token or client_credentials; may be given several times
    /// [default: the first two with a redirect URI, the last without]
    #[arg(long = "grant", value_name = "GRANT")]
    grants: Vec<String>,
    /// A resource that it may have tokens for without a person; may be given several times
    #[arg(long = "audience", value_name = "URI")]
    audience: Vec<String>,
    /// The scopes that it is limited to, separated by spaces [default: no limit]
    #[arg(long)]
    scopes: Option<String>,
    /// It has no secret, as a program on somebody's computer
    #[arg(long, conflicts_with_all = ["jwks", "jwks_uri"])]
    public: bool,
    /// It signs with a key of its own (private_key_jwt): a file with its public keys, a JWK Set
    #[arg(long, value_name = "FILE", conflicts_with = "jwks_uri")]
    jwks: Option<PathBuf>,
    /// The same, with the public keys to be fetched from a URL
    #[arg(long, value_name = "URL")]
    jwks_uri: Option<String>,
}

/// A client in JSON, in the words of RFC 7591 where it has them.
#[derive(Serialize)]
struct Shown {
    client_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_secret: Option<String>,
    #[serde(flatten)]
    metadata: ClientMetadata,
    audience: Vec<String>,
    registered_by: &'static str,
    created_at: UnixTime,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_used_at: Option<UnixTime>,
}

impl Shown {
    fn new(client: &Client) -> Self {
        Self {
            client_id: client.id.as_str().to_owned(),
            client_secret: None,
            metadata: ClientMetadata::of(client),
            audience: client.audience.iter().map(ResourceUri::to_string).collect(),
            registered_by: client.registered_by.as_str(),
            created_at: client.created_at,
            first_used_at: client.first_used_at,
        }
    }
}

/// Does it.
pub(super) fn run(settings: &Settings, command: Command) -> Result<Answer, Failure> {
    match command {
        Command::Add(args) => add(settings, &args),
        Command::List => list(settings),
        Command::Show { id } => show(settings, &words::client_id(&id)?),
        Command::RotateSecret { id } => rotate_secret(settings, words::client_id(&id)?),
        Command::Remove { id } => remove(settings, words::client_id(&id)?),
    }
}

fn add(settings: &Settings, args: &Add) -> Result<Answer, Failure> {
    let database = Database::open(settings)?;
    let keys = words::key_source(args.jwks.as_deref(), args.jwks_uri.as_deref())?;
    let secret = (!args.public && keys.is_none()).then(|| Secret::new(SecretKind::ClientSecret));
    let credential = match (keys, &secret) {
        (Some(source), _) => Credential::Keys { source, assertion: Assertion::Required },
        (None, Some(secret)) => {
            Credential::Secret { hash: secret.hash(), method: AuthMethod::ClientSecretBasic }
        }
        (None, None) => Credential::Public,
    };
    let client = read(args, credential, database.now)?;
    words::check_client(&client)?;
    let (client, unknown) = database.change(move |tx, now| {
        if !clients::insert(tx, &client, &words::metadata_json(&client))? {
            return Err(Failure::new("could not add the client: its id is taken; try again"));
        }
        record(tx, Event::ClientAdded, &client, now)?;
        let (_, unknown) = resources::resolve(tx, &client.audience)?;
        Ok((client, unknown))
    })?;
    let secret = secret.map(|secret| secret.expose().to_owned());
    let mut text = format!("Added {}.\n\nclient_id      {}\n", client.name, client.id);
    if let Some(secret) = &secret {
        text.push_str(&format!("client_secret  {secret}\n\nThe secret is not shown again.\n"));
    }
    let answer = Answer::new(text, Shown { client_secret: secret, ..Shown::new(&client) });
    Ok(unknown.iter().fold(answer, |answer, uri| answer.warn(unregistered(uri))))
}

fn read(args: &Add, credential: Credential, now: UnixTime) -> Result<Client, Failure> {
    let redirect_uris: Vec<_> =
        args.redirect_uris.iter().map(|uri| words::redirect_uri(uri)).collect::<Result<_, _>>()?;
    let grants: Vec<_> =
        args.grants.iter().map(|grant| words::grant_type(grant)).collect::<Result<_, _>>()?;
    Ok(Client {
        id: ClientId::new(),
        name: words::display_name(&args.name)?,
        registered_by: RegisteredBy::Owner,
        credential,
        grant_types: if grants.is_empty() { words::default_grants(&redirect_uris) } else { grants },
        redirect_uris,
        scope: args.scopes.as_deref().map(words::scope).transpose()?,
        audience: args.audience.iter().map(|uri| words::resource_uri(uri)).collect::<Result<_, _>>()?,
        created_at: now,
        first_used_at: None,
    })
}

fn list(settings: &Settings) -> Result<Answer, Failure> {
    let all = Database::open(settings)?.read(|tx| Ok(clients::list(tx)?))?;
    let (own, others): (Vec<&Client>, Vec<&Client>) =
        all.iter().partition(|client| client.registered_by == RegisteredBy::Owner);
    let mut rows: Vec<_> =
        own.iter().map(|client| row(client, client.id.to_string(), "owner".to_owned())).collect();
    // Hosted clients register anew for every connection: hundreds of one name would hide the rest.
    let mut groups: BTreeMap<(String, String, &str), Vec<&Client>> = BTreeMap::new();
    for client in others {
        let group = (client.name.clone(), redirects(client), client.registered_by.as_str());
        groups.entry(group).or_default().push(client);
    }
    for group in groups.values() {
        if let Some(last) = group.last() {
            let by = last.registered_by.as_str();
            let count = if group.len() == 1 { by.to_owned() } else { format!("{by}, {} times", group.len()) };
            rows.push(row(last, last.id.to_string(), count));
        }
    }
    let none = "None yet. Clients register themselves when they first connect; add one for a machine: vestibule client add --help";
    let text = table(["NAME", "CLIENT ID", "REGISTERED BY", "GRANTS", "REDIRECTS"], &rows, none);
    Ok(Answer::new(text, all.iter().map(Shown::new).collect::<Vec<_>>()))
}

fn row(client: &Client, id: String, by: String) -> [String; 5] {
    let grants: Vec<_> = client.grant_types.iter().map(|grant| grant.as_str()).collect();
    [client.name.clone(), id, by, grants.join(" "), redirects(client)]
}

fn redirects(client: &Client) -> String {
    client.redirect_uris.iter().map(|uri| uri.as_str()).collect::<Vec<_>>().join(" ")
}

fn show(settings: &Settings, id: &ClientId) -> Result<Answer, Failure> {
    let client = Database::open(settings)?.read(|tx| find(tx, id))?;
    let [name, id, by, grants, redirects] =
        row(&client, client.id.to_string(), client.registered_by.as_str().to_owned());
    let audience: Vec<_> = client.audience.iter().map(ResourceUri::as_str).collect();
    let rows = [
        ["name", &name],
        ["client_id", &id],
        ["registered by", &by],
        ["authenticates by", client.credential.method().as_str()],
        ["grants", &grants],
        ["redirects", &redirects],
        ["audience", &audience.join(" ")],
        [
            "limited to scopes",
            &client.scope.as_ref().map_or_else(|| "(no limit)".to_owned(), ToString::to_string),
        ],
        ["registered", &client.created_at.to_string()],
        ["first used", &client.first_used_at.map_or_else(|| "(never)".to_owned(), |at| at.to_string())],
    ]
    .map(|pair| pair.map(str::to_owned));
    Ok(Answer::new(table(["CLIENT", ""], &rows, ""), Shown::new(&client)))
}

fn rotate_secret(settings: &Settings, id: ClientId) -> Result<Answer, Failure> {
    let secret = Secret::new(SecretKind::ClientSecret);
    let hash = secret.hash();
    let client = Database::open(settings)?.change(move |tx, now| {
        let mut client = find(tx, &id)?;
        let Credential::Secret { method, .. } = client.credential else {
            return Err(Failure::new(format!(
                "could not give {id} a new secret: a public client and one with keys have none; add another client without --public and --jwks"
            )));
        };
        client.credential = Credential::Secret { hash, method };
        clients::update(tx, &client)?;
        record(tx, Event::ClientChanged, &client, now)?;
        Ok(client)
    })?;
    let text = format!(
        "{} has a new secret; the old one is void.\n\nclient_id      {}\nclient_secret  {}\n\nThe secret is not shown again.",
        client.name,
        client.id,
        secret.expose()
    );
    Ok(Answer::new(text, Shown { client_secret: Some(secret.expose().to_owned()), ..Shown::new(&client) }))
}

fn remove(settings: &Settings, id: ClientId) -> Result<Answer, Failure> {
    let (client, resources) = Database::open(settings)?.change(move |tx, now| {
        let client = find(tx, &id)?;
        clients::remove(tx, &id)?;
        record(tx, Event::ClientRemoved, &client, now)?;
        Ok((client, resources::list(tx)?))
    })?;
    let text = format!(
        "Removed {} ({}) with everything that was granted to it. {}",
        client.name,
        client.id,
        taken_back::ends(&resources, settings.lifetimes.access_token)
    );
    Ok(Answer::new(text, Shown::new(&client)))
}

fn find(tx: &ReadTx<'_>, id: &ClientId) -> Result<Client, Failure> {
    clients::find(tx, id)?
        .ok_or_else(|| Failure::new(format!("could not find the client {id}: see vestibule client list")))
}

/// What to tell an owner who names a resource that nobody registered.
pub(super) fn unregistered(uri: &ResourceUri) -> String {
    format!("{uri} is not registered, so no token for it is made yet: vestibule resource add {uri}")
}

fn record(tx: &WriteTx<'_>, event: Event, client: &Client, now: UnixTime) -> Result<(), Failure> {
    let origin = Origin::of_command();
    Ok(Entry::new(event, &origin).client(client).subject(&client.name).record(tx, now)?)
}
