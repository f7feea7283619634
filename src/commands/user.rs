//! `vestibule user`: who may sign in.

use clap::Subcommand;
use serde::Serialize;

use super::answer::{Answer, table};
use super::database::Database;
use super::failure::Failure;
use super::{taken_back, words};
use crate::audit::{Entry, Event, Origin};
use crate::clock::UnixTime;
use crate::config::Settings;
use crate::crypto::password;
use crate::oauth::ids::{UserId, UserName};
use crate::store::users::{self, Role, User};
use crate::store::{ReadTx, WriteTx, resources, sessions, setup_link};

/// What to do with users.
#[derive(Subcommand)]
pub(super) enum Command {
    /// Add a person
    #[command(after_help = "\
Examples:
  vestibule user add alice --email alice@home.example
  vestibule user add alice --admin --password-stdin < alice.password")]
    Add {
        /// What they sign in with
        name: String,
        /// Their address
        #[arg(long)]
        email: Option<String>,
        /// They own this server
        #[arg(long)]
        admin: bool,
        /// Read the password from stdin instead of asking for it
        #[arg(long)]
        password_stdin: bool,
    },
    /// Show everybody
    List,
    /// Set a new password, and sign the person out everywhere
    Passwd {
        /// Whose
        name: String,
        /// Read the password from stdin instead of asking for it
        #[arg(long)]
        password_stdin: bool,
    },
    /// Keep a person out; what they granted comes back with them
    ///
    /// At guarded servers access ends at once: the next request is refused, and open streams end within five seconds. Only
    /// a server that checks tokens itself takes one that is out there until it ends (see access_token_lifetime).
    Disable {
        /// Whom
        name: String,
    },
    /// Let a person in again
    Enable {
        /// Whom
        name: String,
    },
    /// Remove a person with everything they granted
    ///
    /// At guarded servers access ends at once: the next request is refused, and open streams end within five seconds. Only
    /// a server that checks tokens itself takes one that is out there until it ends (see access_token_lifetime).
    Remove {
        /// Whom
        name: String,
    },
}

/// A person in JSON.
#[derive(Serialize)]
struct Shown<'a> {
    name: &'a str,
    id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
    admin: bool,
    disabled: bool,
    created_at: UnixTime,
}

impl<'a> Shown<'a> {
    fn new(user: &'a User) -> Self {
        Self {
            name: user.name.as_str(),
            id: user.id.as_str(),
            email: user.email.as_deref(),
            admin: user.role == Role::Admin,
            disabled: user.disabled_at.is_some(),
            created_at: user.created_at,
        }
    }
}

/// Does it.
pub(super) fn run(settings: &Settings, command: Command) -> Result<Answer, Failure> {
    let database = Database::open(settings)?;
    match command {
        Command::Add { name, email, admin, password_stdin } => {
            let name = words::user_name(&name)?;
            let email = email.as_deref().map(words::email).transpose()?;
            let role = if admin { Role::Admin } else { Role::Member };
            add(&database, name, email, role, Typed::from(password_stdin))
        }
        Command::List => list(&database),
        Command::Passwd { name, password_stdin } => {
            passwd(&database, words::user_name(&name)?, Typed::from(password_stdin))
        }
        Command::Disable { name } => disable(settings, &database, words::user_name(&name)?),
        Command::Enable { name } => enable(&database, words::user_name(&name)?),
        Command::Remove { name } => remove(settings, &database, words::user_name(&name)?),
    }
}

fn add(
    database: &Database,
    name: UserName,
    email: Option<String>,
    role: Role,
    typed: Typed,
) -> Result<Answer, Failure> {
    // Before the person has typed a password twice for nothing; the insert decides.
    if database.read(|tx| Ok(users::find_by_name(tx, &name)?.is_some()))? {
        return Err(taken(&name));
    }
    let hash = typed.hash()?;
    let user = User { id: UserId::new(), name, email, role, created_at: database.now, disabled_at: None };
    let user = database.change(move |tx, now| {
        if !users::insert(tx, &user, Some(&hash))? {
            return Err(taken(&user.name));
        }
        if role == Role::Admin {
            setup_link::remove(tx)?;
        }
        record(tx, Event::UserAdded, &user, "added", now)?;
        Ok(user)
    })?;
    let role = if user.role == Role::Admin { " as admin" } else { "" };
    Ok(Answer::new(format!("Added {}{role}.", user.name), Shown::new(&user)))
}

fn list(database: &Database) -> Result<Answer, Failure> {
    let users = database.read(|tx| Ok(users::list(tx)?))?;
    let rows: Vec<_> = users
        .iter()
        .map(|user| {
            let role = if user.role == Role::Admin { "admin" } else { "" };
            let state = user.disabled_at.map_or(String::new(), |at| format!("disabled since {at}"));
            [user.name.to_string(), user.email.clone().unwrap_or_default(), role.to_owned(), state]
        })
        .collect();
    let none = "Nobody yet. Add the first person: vestibule user add NAME --admin";
    let shown: Vec<_> = users.iter().map(Shown::new).collect();
    Ok(Answer::new(table(["NAME", "EMAIL", "ROLE", "STATE"], &rows, none), shown))
}

fn passwd(database: &Database, name: UserName, typed: Typed) -> Result<Answer, Failure> {
    database.read(|tx| find(tx, &name))?;
    let hash = typed.hash()?;
    let user = database.change(move |tx, now| {
        let user = find(tx, &name)?;
        users::set_password_hash(tx, &user.id, &hash)?;
        sessions::remove_all_of(tx, &user.id)?;
        record(tx, Event::UserChanged, &user, "password", now)?;
        Ok(user)
    })?;
    Ok(Answer::new(
        format!("{} has a new password and is signed out everywhere.", user.name),
        Shown::new(&user),
    ))
}

fn disable(settings: &Settings, database: &Database, name: UserName) -> Result<Answer, Failure> {
    let (user, resources) = database.change(move |tx, now| {
        let user = find(tx, &name)?;
        if user.disabled_at.is_none() {
            keep_an_admin(tx, &user, "disable")?;
            users::disable(tx, &user.id, now)?;
            sessions::remove_all_of(tx, &user.id)?;
            record(tx, Event::UserChanged, &user, "disabled", now)?;
        }
        Ok((find(tx, &name)?, resources::list(tx)?))
    })?;
    let text = format!(
        "{0} cannot sign in, and nothing that they granted can be refreshed. {1} Let them in again: vestibule user enable {0}",
        user.name,
        taken_back::ends(&resources, settings.lifetimes.access_token)
    );
    Ok(Answer::new(text, Shown::new(&user)))
}

fn enable(database: &Database, name: UserName) -> Result<Answer, Failure> {
    let user = database.change(move |tx, now| {
        let user = find(tx, &name)?;
        if user.disabled_at.is_some() {
            users::enable(tx, &user.id)?;
            record(tx, Event::UserChanged, &user, "enabled", now)?;
        }
        find(tx, &name)
    })?;
    Ok(Answer::new(format!("{} may sign in.", user.name), Shown::new(&user)))
}

fn remove(settings: &Settings, database: &Database, name: UserName) -> Result<Answer, Failure> {
    let (user, resources) = database.change(move |tx, now| {
        let user = find(tx, &name)?;
        keep_an_admin(tx, &user, "remove")?;
        users::remove(tx, &user.id)?;
        record(tx, Event::UserRemoved, &user, "removed", now)?;
        Ok((user, resources::list(tx)?))
    })?;
    let ends = taken_back::ends(&resources, settings.lifetimes.access_token);
    Ok(Answer::new(format!("Removed {} with everything they granted. {ends}", user.name), Shown::new(&user)))
}

/// The person of that name, or what to do about there being none.
pub(super) fn find(tx: &ReadTx<'_>, name: &UserName) -> Result<User, Failure> {
    users::find_by_name(tx, name)?.ok_or_else(|| {
        Failure::new(format!(
            "could not find the user {name}: see vestibule user list, or add them: vestibule user add {name}"
        ))
    })
}

/// Refuses what would leave the server without an owner who can sign in.
fn keep_an_admin(tx: &ReadTx<'_>, user: &User, doing: &str) -> Result<(), Failure> {
    let owns = |user: &User| user.role == Role::Admin && user.disabled_at.is_none();
    if owns(user) && !users::list(tx)?.iter().any(|other| other.id != user.id && owns(other)) {
        return Err(Failure::new(format!(
            "could not {doing} {}: nobody else owns this server; add another admin first: vestibule user add NAME --admin",
            user.name
        )));
    }
    Ok(())
}

fn taken(name: &UserName) -> Failure {
    Failure::new(format!(
        "could not add {name}: there is a user of that name; choose another, or set their password: vestibule user passwd {name}"
    ))
}

fn record(tx: &WriteTx<'_>, event: Event, user: &User, reason: &str, now: UnixTime) -> Result<(), Failure> {
    let origin = Origin::of_command();
    Ok(Entry::new(event, &origin)
        .user(&user.id)
        .subject(user.name.as_str())
        .reason(reason)
        .record(tx, now)?)
}

/// From where a password comes.
#[derive(Clone, Copy)]
enum Typed {
    Twice,
    OnStdin,
}

impl From<bool> for Typed {
    fn from(password_stdin: bool) -> Self {
        if password_stdin { Self::OnStdin } else { Self::Twice }
    }
}

impl Typed {
    fn hash(self) -> Result<String, Failure> {
        let typed = match self {
            Self::OnStdin => words::from_stdin()?,
            Self::Twice => {
                let typed = ask("Password: ")?;
                words::password(&typed)?;
                if ask("Once more: ")? != typed {
                    return Err(Failure::new("could not set the password: the two differ; try again"));
                }
                typed
            }
        };
        Ok(password::hash(words::password(&typed)?))
    }
}

fn ask(question: &str) -> Result<String, Failure> {
    rpassword::prompt_password(question).map_err(|source| {
        Failure::new(format!(
            "could not ask for the password: {source}; without a terminal send it: --password-stdin < FILE"
        ))
    })
}
