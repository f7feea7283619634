//! From a plan to rows, each with its audit row, in the caller's transaction.

use super::super::failure::Failure;
use super::super::{resource, words};
use super::plan::{Plan, Step};
use crate::audit::{Entry, Event, Origin};
use crate::clock::UnixTime;
use crate::store::users::{self, Role, User};
use crate::store::{WriteTx, clients, resources, sessions, setup_link};

/// Does what is planned.
pub(super) fn run(tx: &WriteTx<'_>, plan: &Plan, now: UnixTime) -> Result<(), Failure> {
    let origin = Origin::of_command();
    let entry = |event| Entry::new(event, &origin).reason("apply");
    for step in &plan.steps {
        match step {
            Step::AddUser(user, hash) => {
                expect_new(users::insert(tx, user, hash.as_deref())?)?;
                void_setup_link(tx, user)?;
                entry(Event::UserAdded).user(&user.id).subject(user.name.as_str()).record(tx, now)?;
            }
            Step::ChangeUser { id, wanted, password_hash } => {
                change_user(tx, wanted, password_hash.as_deref(), now)?;
                entry(Event::UserChanged).user(id).subject(wanted.name.as_str()).record(tx, now)?;
            }
            Step::AddResource(resource, admitted) => {
                expect_new(resources::insert(tx, resource, now)?)?;
                resource::admit(tx, &resource.uri, admitted)?;
                let entry = entry(Event::ResourceAdded).resources([&resource.uri]);
                entry.subject(resource.uri.as_str()).record(tx, now)?;
            }
            Step::ChangeResource(resource, admitted) => {
                resources::update(tx, resource)?;
                resource::admit(tx, &resource.uri, admitted)?;
                let entry = entry(Event::ResourceChanged).resources([&resource.uri]);
                entry.subject(resource.uri.as_str()).record(tx, now)?;
            }
            Step::AddClient(client) => {
                expect_new(clients::insert(tx, client, &words::metadata_json(client))?)?;
                entry(Event::ClientAdded).client(client).subject(&client.name).record(tx, now)?;
            }
            Step::ChangeClient(client) => {
                clients::update(tx, client)?;
                clients::set_metadata(tx, &client.id, &words::metadata_json(client))?;
                entry(Event::ClientChanged).client(client).subject(&client.name).record(tx, now)?;
            }
        }
    }
    Ok(())
}

fn change_user(tx: &WriteTx<'_>, user: &User, hash: Option<&str>, now: UnixTime) -> Result<(), Failure> {
    users::update(tx, &user.id, user.email.as_deref(), user.role)?;
    match user.disabled_at {
        Some(_) => users::disable(tx, &user.id, now)?,
        None => users::enable(tx, &user.id)?,
    }
    if let Some(hash) = hash {
        users::set_password_hash(tx, &user.id, hash)?;
    }
    if hash.is_some() || user.disabled_at.is_some() {
        sessions::remove_all_of(tx, &user.id)?;
    }
    void_setup_link(tx, user)
}

/// The first admin's link has done its work when an admin came about by another way.
fn void_setup_link(tx: &WriteTx<'_>, user: &User) -> Result<(), Failure> {
    if user.role == Role::Admin {
        setup_link::remove(tx)?;
    }
    Ok(())
}

/// The plan was made in this transaction, so what it adds was not there.
fn expect_new(inserted: bool) -> Result<(), Failure> {
    if inserted { Ok(()) } else { Err(Failure::new("could not add what is there already; run it again")) }
}
