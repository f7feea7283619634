//! From what a file wants and what the database knows to what must change: a pure function, so that a dry run and a
//! real one cannot differ.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::SocketAddr;

use serde::Serialize;

use super::super::answer::plain;
use super::super::difference::Difference;
use super::super::failure::Failure;
use super::super::guards::Own;
use super::super::resource::parts::{self, Entry};
use super::super::{client, words};
use super::file::{Wanted, WantedClient, WantedCredential, WantedUser};
use crate::clock::UnixTime;
use crate::crypto::password;
use crate::oauth::client::{Assertion, Client, Credential, RegisteredBy};
use crate::oauth::grant_type::AuthMethod;
use crate::oauth::ids::{UserId, UserName};
use crate::oauth::redirect_uri::RedirectUri;
use crate::oauth::resource::{Resource, ResourceUri};
use crate::oauth::scope::Scope;
use crate::oauth::secret::{Secret, SecretKind};
use crate::store::users::{self, Role, User};
use crate::store::{ReadTx, clients, instance, resources};

/// What the database knows of what a file names.
pub(super) struct Known {
    own: Own,
    users: Vec<User>,
    resources: Vec<Entry>,
    clients: Vec<Client>,
    hashes: BTreeMap<UserName, String>,
}

/// Hashes of the passwords that are not the stored ones.
pub(super) type NewPasswords = BTreeMap<UserName, String>;

/// What must change, and how to tell.
pub(super) struct Plan {
    /// One for each entry of the file, in its order.
    pub(super) changes: Vec<Change>,
    /// What to do.
    pub(super) steps: Vec<Step>,
    /// What may surprise.
    pub(super) warnings: Vec<String>,
}

/// One thing to do.
pub(super) enum Step {
    /// Add a person.
    AddUser(User, Option<String>),
    /// Change a person.
    ChangeUser {
        /// Who they are.
        id: UserId,
        /// As they are to be.
        wanted: User,
        /// A new password's hash.
        password_hash: Option<String>,
    },
    /// Register a resource.
    AddResource(Resource, Vec<UserName>),
    /// Change a resource.
    ChangeResource(Resource, Vec<UserName>),
    /// Add a client.
    AddClient(Client),
    /// Change a client.
    ChangeClient(Client),
}

/// What becomes of one entry.
#[derive(Serialize)]
pub(super) struct Change {
    /// What happens.
    pub(super) action: Action,
    kind: &'static str,
    name: String,
    /// What of it changes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    differences: Vec<Difference>,
    /// The secret that was made for it, shown this once.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_secret: Option<String>,
}

/// What happens to an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Action {
    /// It is new.
    Add,
    /// It was different.
    Change,
    /// It is as the file says.
    Keep,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match self.action {
            Action::Add => '+',
            Action::Change => '~',
            Action::Keep => '=',
        };
        write!(f, "{sign} {} {}", self.kind, plain(&self.name))?;
        for difference in &self.differences {
            write!(f, "\n    {difference}")?;
        }
        match &self.client_secret {
            Some(secret) => write!(f, "\n    client_secret {secret} (not shown again)"),
            None => Ok(()),
        }
    }
}

impl Known {
    /// Nothing but who we are.
    pub(super) fn of_a_new_database(own: Own) -> Self {
        Self { own, users: Vec::new(), hashes: BTreeMap::new(), resources: Vec::new(), clients: Vec::new() }
    }

    /// Reads it.
    pub(super) fn read(
        tx: &ReadTx<'_>,
        wanted: &Wanted,
        listen: Option<SocketAddr>,
    ) -> Result<Self, Failure> {
        let own = Own { issuer: instance::find(tx)?.issuer, listen };
        let mut known = Self { users: users::list(tx)?, ..Self::of_a_new_database(own) };
        for user in &known.users {
            if let Some(hash) = users::password_hash(tx, &user.id)? {
                known.hashes.insert(user.name.clone(), hash);
            }
        }
        for (uri, _) in &wanted.resources {
            if let Some(resource) = resources::find(tx, uri)? {
                let admitted = resources::admitted(tx, &resource.uri)?;
                known.resources.push((resource, admitted));
            }
        }
        for client in &wanted.clients {
            known.clients.extend(clients::find(tx, &client.id)?);
            for uri in &client.audience {
                if !known.resources.iter().any(|(resource, _)| resource.uri == *uri)
                    && let Some(resource) = resources::find(tx, uri)?
                {
                    known.resources.push((resource, Vec::new()));
                }
            }
        }
        Ok(known)
    }

    /// A new hash for every password that is not the stored one.
    pub(super) fn new_passwords(&self, wanted: &Wanted) -> NewPasswords {
        let mut new = NewPasswords::new();
        for user in &wanted.users {
            let stored = self.hashes.get(&user.name);
            if let Some(typed) = &user.password
                && !stored.is_some_and(|stored| password::verify(typed, Some(stored)))
            {
                new.insert(user.name.clone(), password::hash(typed));
            }
        }
        new
    }
}

/// Makes the plan, or says why the file cannot be followed.
pub(super) fn make(
    wanted: &Wanted,
    known: &Known,
    passwords: &NewPasswords,
    now: UnixTime,
) -> Result<Plan, Failure> {
    let mut plan = Plan { changes: Vec::new(), steps: Vec::new(), warnings: Vec::new() };
    for user in &wanted.users {
        plan_user(&mut plan, user, known, passwords.get(&user.name).cloned(), now);
    }
    keep_an_admin(&plan, known)?;
    let people: BTreeSet<&UserName> =
        known.users.iter().map(|user| &user.name).chain(wanted.users.iter().map(|user| &user.name)).collect();
    for (uri, parts) in &wanted.resources {
        let have = known.resources.iter().find(|(have, _)| have.uri == *uri);
        let (resource, admitted) = parts.upon(uri.clone(), have)?;
        if let Some(nobody) = admitted.iter().find(|name| !people.contains(name)) {
            return Err(Failure::new(format!(
                "{} admits {nobody}, whom nobody added; name them under [[users]], or add them: vestibule user add {nobody}",
                resource.uri
            )));
        }
        known.own.refuse(&resource, have.and_then(|(have, _)| have.guard.as_ref()))?;
        plan_resource(&mut plan, (resource, admitted), have);
    }
    let registered = known.resources.iter().map(|(resource, _)| &resource.uri);
    let registered: Vec<&ResourceUri> =
        registered.chain(wanted.resources.iter().map(|(uri, _)| uri)).collect();
    for client in &wanted.clients {
        plan_client(&mut plan, client, known, now)?;
        let unknown = client.audience.iter().filter(|uri| !registered.contains(uri));
        plan.warnings.extend(unknown.map(client::unregistered));
    }
    Ok(plan)
}

impl Plan {
    /// For a dry run: a secret that is not kept is not shown either.
    pub(super) fn without_secrets(mut self) -> Self {
        for change in &mut self.changes {
            change.client_secret = None;
        }
        self
    }

    fn push(
        &mut self,
        kind: &'static str,
        name: &str,
        action: Action,
        differences: Vec<Difference>,
        step: Option<Step>,
    ) {
        self.changes.push(Change { action, kind, name: name.to_owned(), differences, client_secret: None });
        self.steps.extend(step);
    }
}

fn plan_user(
    plan: &mut Plan,
    wanted: &WantedUser,
    known: &Known,
    password_hash: Option<String>,
    now: UnixTime,
) {
    let name = wanted.name.as_str();
    let Some(have) = known.users.iter().find(|user| user.name == wanted.name) else {
        let user = User {
            id: UserId::new(),
            name: wanted.name.clone(),
            email: wanted.email.clone(),
            role: wanted.role,
            created_at: now,
            disabled_at: wanted.disabled.unwrap_or(false).then_some(now),
        };
        return plan.push("user", name, Action::Add, Vec::new(), Some(Step::AddUser(user, password_hash)));
    };
    let disabled_at = match wanted.disabled {
        None => have.disabled_at,
        Some(false) => None,
        Some(true) => have.disabled_at.or(Some(now)),
    };
    let email = |user: &Option<String>| user.clone().unwrap_or_default();
    let is_disabled = |at: Option<UnixTime>| at.is_some();
    let differences: Vec<_> = [
        Difference::between("email", email(&have.email), email(&wanted.email)),
        Difference::between("admin", have.role == Role::Admin, wanted.role == Role::Admin),
        Difference::between("disabled", is_disabled(have.disabled_at), is_disabled(disabled_at)),
        password_hash.is_some().then_some(Difference::of_a_secret("password")),
    ]
    .into_iter()
    .flatten()
    .collect();
    if differences.is_empty() {
        return plan.push("user", name, Action::Keep, differences, None);
    }
    let wanted = User { email: wanted.email.clone(), role: wanted.role, disabled_at, ..have.clone() };
    let step = Step::ChangeUser { id: have.id.clone(), wanted, password_hash };
    plan.push("user", name, Action::Change, differences, Some(step));
}

/// Refuses a file that would take the last owner away.
fn keep_an_admin(plan: &Plan, known: &Known) -> Result<(), Failure> {
    let owns = |user: &User| user.role == Role::Admin && user.disabled_at.is_none();
    let mut after: BTreeMap<&UserName, &User> = known.users.iter().map(|user| (&user.name, user)).collect();
    let had = after.values().any(|user| owns(user));
    for step in &plan.steps {
        if let Step::AddUser(user, _) | Step::ChangeUser { wanted: user, .. } = step {
            after.insert(&user.name, user);
        }
    }
    if had && !after.values().any(|user| owns(user)) {
        return Err(Failure::new(
            "nobody would own this server any more; write admin = true for one person who is not disabled",
        ));
    }
    Ok(())
}

fn plan_resource(plan: &mut Plan, wanted: Entry, have: Option<&Entry>) {
    let name = wanted.0.uri.as_str().to_owned();
    let Some(have) = have else {
        return plan.push(
            "resource",
            &name,
            Action::Add,
            Vec::new(),
            Some(Step::AddResource(wanted.0, wanted.1)),
        );
    };
    let differences = parts::differences(have, &wanted);
    if differences.is_empty() {
        return plan.push("resource", &name, Action::Keep, differences, None);
    }
    let step = Step::ChangeResource(wanted.0, wanted.1);
    plan.push("resource", &name, Action::Change, differences, Some(step));
}

fn plan_client(plan: &mut Plan, wanted: &WantedClient, known: &Known, now: UnixTime) -> Result<(), Failure> {
    let have = known.clients.iter().find(|client| client.id == wanted.id);
    match have.map(|have| have.registered_by) {
        None | Some(RegisteredBy::Owner) => {}
        Some(RegisteredBy::Itself) => {
            return Err(Failure::new(format!(
                "the client {} registered itself, and what it says of itself is not the owner's word; choose another client_id",
                wanted.id
            )));
        }
        Some(RegisteredBy::Document) => {
            return Err(Failure::new(format!(
                "the client {0} is known by its metadata document; to take its place, remove it first: vestibule client remove {0}",
                wanted.id
            )));
        }
    }
    let mut made = None;
    let credential = match (&wanted.credential, have.map(|have| &have.credential)) {
        (WantedCredential::Public, _) => Credential::Public,
        (WantedCredential::Keys(source), _) => {
            Credential::Keys { source: source.clone(), assertion: Assertion::Required }
        }
        (WantedCredential::Secret(hash), have) => Credential::Secret { hash: *hash, method: method(have) },
        (WantedCredential::AnySecret, Some(have @ Credential::Secret { .. })) => have.clone(),
        (WantedCredential::AnySecret, None | Some(Credential::Public | Credential::Keys { .. })) => {
            let secret = made.insert(Secret::new(SecretKind::ClientSecret));
            Credential::Secret { hash: secret.hash(), method: AuthMethod::ClientSecretBasic }
        }
    };
    let client = Client {
        id: wanted.id.clone(),
        name: wanted.name.clone(),
        registered_by: RegisteredBy::Owner,
        credential,
        redirect_uris: wanted.redirect_uris.clone(),
        grant_types: wanted.grants.clone(),
        scope: wanted.scope.clone(),
        audience: wanted.audience.clone(),
        created_at: have.map_or(now, |have| have.created_at),
        first_used_at: have.and_then(|have| have.first_used_at),
    };
    words::check_client(&client)?;
    let name = wanted.id.as_str();
    match have {
        None => plan.push("client", name, Action::Add, Vec::new(), Some(Step::AddClient(client))),
        Some(have) => {
            let differences = client_differences(&client, have);
            if differences.is_empty() {
                plan.push("client", name, Action::Keep, differences, None);
            } else {
                plan.push("client", name, Action::Change, differences, Some(Step::ChangeClient(client)));
            }
        }
    }
    if let Some(change) = plan.changes.last_mut() {
        change.client_secret = made.map(|secret| secret.expose().to_owned());
    }
    Ok(())
}

fn method(have: Option<&Credential>) -> AuthMethod {
    match have {
        Some(Credential::Secret { method, .. }) => *method,
        None | Some(Credential::Public | Credential::Keys { .. }) => AuthMethod::ClientSecretBasic,
    }
}

fn client_differences(wanted: &Client, have: &Client) -> Vec<Difference> {
    let grants = |client: &Client| {
        client.grant_types.iter().map(|grant| grant.as_str()).collect::<Vec<_>>().join(", ")
    };
    let audience =
        |client: &Client| client.audience.iter().map(ResourceUri::as_str).collect::<Vec<_>>().join(", ");
    let redirects =
        |client: &Client| client.redirect_uris.iter().map(RedirectUri::as_str).collect::<Vec<_>>().join(", ");
    let scopes = |client: &Client| client.scope.as_ref().map_or_else(|| "any".to_owned(), Scope::to_string);
    let credential = match (&wanted.credential, &have.credential) {
        (Credential::Secret { hash, .. }, Credential::Secret { hash: other, .. }) if hash == other => None,
        (wanted, have) if wanted == have => None,
        (Credential::Public, _) => Difference::between("public", false, true),
        (Credential::Secret { .. }, _) => Some(Difference::of_a_secret("secret")),
        (Credential::Keys { .. }, _) => Some(Difference::of_a_secret("jwks")),
    };
    [
        Difference::between("name", &have.name, &wanted.name),
        Difference::between("grants", grants(have), grants(wanted)),
        Difference::between("audience", audience(have), audience(wanted)),
        Difference::between("scopes", scopes(have), scopes(wanted)),
        Difference::between("redirect_uris", redirects(have), redirects(wanted)),
        credential,
    ]
    .into_iter()
    .flatten()
    .collect()
}
