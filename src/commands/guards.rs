//! `serve --guard NAME=URL`: a guarded resource for each, registered or changed where it is not as it should be.

use super::failure::Failure;
use crate::audit::{Entry, Event, Origin};
use crate::clock::UnixTime;
use crate::config::GuardedServer;
use crate::oauth::guard::{Guard, Identity, Rules};
use crate::oauth::issuer::Issuer;
use crate::oauth::resource::{Admission, Resource, ResourceUri};
use crate::oauth::scope::Scope;
use crate::routes;
use crate::store::{Store, resources};

/// Registers each server under the issuer with its name behind it. What was registered before keeps its name, its people
/// and its rules.
pub(super) fn declare(
    store: &Store,
    issuer: &Issuer,
    servers: &[GuardedServer],
    now: UnixTime,
) -> Result<(), Failure> {
    for server in servers {
        let uri = ResourceUri::parse(&issuer.url(&format!("/{}", server.name))).map_err(|why| {
            Failure::new(format!("could not guard {:?}: {why}; choose another name", server.name))
        })?;
        refuse_own(issuer, &uri)?;
        let server = server.clone();
        store.write_and_wait(move |tx| {
            let event = match resources::find(tx, &uri)? {
                None => {
                    resources::insert(tx, &new(&server, uri.clone()), now)?;
                    Event::ResourceAdded
                }
                Some(known)
                    if known.guard.as_ref().is_some_and(|guard| guard.upstream == server.upstream) =>
                {
                    return Ok(());
                }
                Some(known) => {
                    let guard = match known.guard {
                        Some(guard) => Guard { upstream: server.upstream, ..guard },
                        None => plain(&server),
                    };
                    resources::update(tx, &Resource { guard: Some(guard), ..known })?;
                    Event::ResourceChanged
                }
            };
            Entry::new(event, &Origin::of_command()).resources([&uri]).subject(uri.as_str()).record(tx, now)
        })?;
    }
    Ok(())
}

/// Refuses to guard what nobody could reach: at the issuer's host, this server's own paths come first.
pub(super) fn refuse_own(issuer: &Issuer, uri: &ResourceUri) -> Result<(), Failure> {
    let path = uri.canonical().strip_prefix(issuer.as_str());
    let Some(path) = path.filter(|path| path.is_empty() || path.starts_with('/')) else { return Ok(()) };
    if !routes::is_taken(path) {
        return Ok(());
    }
    let path = if path.is_empty() { "/" } else { path };
    Err(Failure::new(format!(
        "could not guard {uri}: {path} is a path of this server's own; choose another, or a host of its own"
    )))
}

fn new(server: &GuardedServer, uri: ResourceUri) -> Resource {
    Resource {
        uri,
        name: server.name.clone(),
        scopes: Scope::empty(),
        admission: Admission::Everyone,
        token_lifetime: None,
        guard: Some(plain(server)),
    }
}

fn plain(server: &GuardedServer) -> Guard {
    Guard { upstream: server.upstream.clone(), rules: Rules::default(), identity: Identity::Headers }
}
