//! `vestibule grant`: who gave what to whom, and take it back.

use clap::Subcommand;
use serde::Serialize;

use super::answer::{Answer, table};
use super::database::Database;
use super::failure::Failure;
use super::{taken_back, user, words};
use crate::audit::{Entry, Event, Origin};
use crate::clock::UnixTime;
use crate::config::Settings;
use crate::oauth::ids::GrantId;
use crate::oauth::resource::ResourceUri;
use crate::store::grants::{self, NamedGrant};
use crate::store::{clients, consents, resources};

/// What to do with grants.
#[derive(Subcommand)]
pub(super) enum Command {
    /// Show the live grants, the newest first
    List {
        /// Only this person's
        #[arg(long, value_name = "NAME")]
        user: Option<String>,
        /// Only this client's
        #[arg(long, value_name = "ID")]
        client: Option<String>,
    },
    /// Take a grant back: its refresh token is void, and the client must ask again
    ///
    /// At guarded servers access ends at once: the next request is refused, and open streams end within five seconds. Only
    /// a server that checks tokens itself takes one that is out there until it ends (see access_token_lifetime).
    Revoke {
        /// Its number in the list
        id: i64,
    },
}

/// A grant in JSON.
#[derive(Serialize)]
struct Shown {
    id: i64,
    user: String,
    user_id: String,
    client_id: String,
    client_name: String,
    scope: String,
    resources: Vec<String>,
    created_at: UnixTime,
    last_used_at: UnixTime,
    expires_at: UnixTime,
}

impl From<&NamedGrant> for Shown {
    fn from(named: &NamedGrant) -> Self {
        let grant = &named.grant;
        Self {
            id: grant.id.as_i64(),
            user: named.user_name.to_string(),
            user_id: grant.user_id.to_string(),
            client_id: grant.client_id.to_string(),
            client_name: named.client_name.clone(),
            scope: grant.scope.to_string(),
            resources: grant.resources.iter().map(ResourceUri::to_string).collect(),
            created_at: grant.created_at,
            last_used_at: grant.rotated_at,
            expires_at: grant.expires_at,
        }
    }
}

/// What was revoked, in JSON.
#[derive(Serialize)]
struct Revoked {
    id: i64,
    /// Whether it was alive until now.
    revoked: bool,
    /// The other live grants by the same person to the same client.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    remaining: Vec<i64>,
}

/// Does it.
pub(super) fn run(settings: &Settings, command: Command) -> Result<Answer, Failure> {
    match command {
        Command::List { user, client } => list(settings, user.as_deref(), client.as_deref()),
        Command::Revoke { id } => revoke(settings, GrantId::new(id)),
    }
}

fn list(settings: &Settings, user: Option<&str>, client: Option<&str>) -> Result<Answer, Failure> {
    let user = user.map(words::user_name).transpose()?;
    let client = client.map(words::client_id).transpose()?;
    let database = Database::open(settings)?;
    let found = database.read(|tx| {
        let user = user.as_ref().map(|name| user::find(tx, name)).transpose()?;
        if let Some(id) = &client
            && clients::find(tx, id)?.is_none()
        {
            return Err(Failure::new(format!("could not find the client {id}: see vestibule client list")));
        }
        let user = user.as_ref().map(|user| &user.id);
        Ok(grants::list_live(tx, user, client.as_ref(), settings.lifetimes.refresh_idle, database.now)?)
    })?;
    let rows: Vec<_> = found
        .iter()
        .map(Shown::from)
        .map(|grant| {
            let used = grant.last_used_at.to_string();
            [
                grant.id.to_string(),
                grant.user,
                grant.client_name,
                grant.client_id,
                used,
                grant.resources.join(" "),
                grant.scope,
            ]
        })
        .collect();
    let headings = ["ID", "USER", "CLIENT", "CLIENT ID", "LAST USED", "RESOURCES", "SCOPE"];
    let text = table(headings, &rows, "No live grants.");
    Ok(Answer::new(text, found.iter().map(Shown::from).collect::<Vec<_>>()))
}

fn revoke(settings: &Settings, id: GrantId) -> Result<Answer, Failure> {
    let lifetimes = settings.lifetimes;
    let (revoked, resources, remaining) = Database::open(settings)?.change(move |tx, now| {
        let grant = grants::find(tx, id)?.ok_or_else(|| {
            Failure::new(format!("could not find the grant {id}: see vestibule grant list"))
        })?;
        let revoked = grants::revoke(tx, id, "the owner took it back", now)?;
        consents::remove(tx, &grant.user_id, &grant.client_id)?;
        if revoked {
            let origin = Origin::of_command();
            let entry =
                Entry::new(Event::GrantRevoked, &origin).user(&grant.user_id).client_id(&grant.client_id);
            let scope = grant.scope.to_string();
            entry.grant(id).resources(&grant.resources).scope(&scope).record(tx, now)?;
        }
        let (user, client) = (Some(&grant.user_id), Some(&grant.client_id));
        let others = grants::list_live(tx, user, client, lifetimes.refresh_idle, now)?;
        let others: Vec<_> = others.iter().map(|other| other.grant.id.as_i64()).collect();
        Ok((revoked, resources::resolve(tx, &grant.resources)?.0, others))
    })?;
    let mut text = if revoked {
        let ends = taken_back::ends(&resources, lifetimes.access_token);
        format!("Revoked grant {id}: the client must ask again. {ends}")
    } else {
        format!("Grant {id} was taken back before; nothing changed.")
    };
    if let [first, ..] = remaining.as_slice() {
        let ids: Vec<_> = remaining.iter().map(i64::to_string).collect();
        text.push_str(&format!(
            "\nThe same person gave the same client other grants, and these remain: {}. Take each back by itself: \
             vestibule grant revoke {first}",
            ids.join(", ")
        ));
    }
    Ok(Answer::new(text, Revoked { id: id.as_i64(), revoked, remaining }))
}
