//! `serve --guard NAME=URL`: a guarded resource for each, registered or changed where it is not as it should be. And what
//! no guard may be: in front of this server itself, or in the way of its own paths.

use std::net::SocketAddr;

use url::{Host, Url};

use super::failure::Failure;
use crate::audit::{Entry, Event, Origin};
use crate::clock::UnixTime;
use crate::config::{GuardedServer, Settings};
use crate::oauth::guard::{Guard, Identity, Rules, UpstreamUrl};
use crate::oauth::issuer::Issuer;
use crate::oauth::resource::{Admission, Resource, ResourceUri};
use crate::oauth::scope::Scope;
use crate::routes;
use crate::store::{Fault, Store, WriteTx, resources};

/// This server, as far as it must not be guarded.
pub(super) struct Own {
    /// Where browsers and clients reach it.
    pub(super) issuer: Issuer,
    /// Where it listens; `None`: that is not known.
    pub(super) listen: Option<SocketAddr>,
}

/// Where it listens, as far as somebody who does not serve can know: `serve` may have been told by a flag, and another
/// program may be where it would listen if nothing was said.
pub(super) fn listening(settings: &Settings) -> Option<SocketAddr> {
    (settings.listen != Settings::default().listen).then_some(settings.listen)
}

impl Own {
    /// Refuses to guard what nobody could reach, and to pass requests on to where they came from. An upstream that a
    /// resource `had` already was looked at when it was new.
    pub(super) fn refuse(&self, resource: &Resource, had: Option<&Guard>) -> Result<(), Failure> {
        let Some(guard) = &resource.guard else { return Ok(()) };
        self.refuse_path(&resource.uri)?;
        match had.is_some_and(|had| had.upstream == guard.upstream) {
            true => Ok(()),
            false => self.refuse_upstream(&resource.uri, &guard.upstream),
        }
    }

    /// At the issuer's host, this server's own paths come first.
    fn refuse_path(&self, uri: &ResourceUri) -> Result<(), Failure> {
        let Some(path) = path_under(&self.issuer, uri) else { return Ok(()) };
        if !routes::is_taken(path) {
            return Ok(());
        }
        let path = if path.is_empty() { "/" } else { path };
        Err(Failure::new(format!(
            "could not guard {uri}: {path} is a path of this server's own; choose another, or a host of its own"
        )))
    }

    /// Requests that go on to this server itself would come back to the guard, and so on.
    fn refuse_upstream(&self, uri: &ResourceUri, upstream: &UpstreamUrl) -> Result<(), Failure> {
        let refuse = |what: String| {
            Err(Failure::new(format!(
                "could not guard {uri}: its upstream {} is {what}; name the URL of the server behind",
                upstream.as_str()
            )))
        };
        let place = |url: &Url| Some((url.host()?.to_owned(), url.port_or_known_default()?));
        let (there, issuer) = (place(upstream.url()), Url::parse(self.issuer.as_str()).ok());
        if there.is_some() && issuer.is_some_and(|issuer| place(&issuer) == there) {
            return refuse("this server itself, at its issuer".to_owned());
        }
        match (there, self.listen) {
            (Some((host, port)), Some(listen)) if port == listen.port() && is_reached_at(listen, &host) => {
                refuse(format!("this server itself, which listens on {listen}"))
            }
            _ => Ok(()),
        }
    }
}

/// Whether a connection from this machine to this host arrives where somebody listens, if the port is the same.
fn is_reached_at(listen: SocketAddr, host: &Host<String>) -> bool {
    let named = match host {
        Host::Domain(name) => {
            let is_here = name == "localhost" || name.ends_with(".localhost");
            return is_here && (listen.ip().is_loopback() || listen.ip().is_unspecified());
        }
        Host::Ipv4(ip) => std::net::IpAddr::V4(*ip),
        Host::Ipv6(ip) => std::net::IpAddr::V6(*ip),
    };
    let is_every = listen.ip().is_unspecified() && named.is_loopback();
    named == listen.ip() || is_every || (named.is_unspecified() && listen.ip().is_loopback())
}

/// What of a URI follows the issuer, if it lies under it.
pub(super) fn path_under<'a>(issuer: &Issuer, uri: &'a ResourceUri) -> Option<&'a str> {
    let path = uri.canonical().strip_prefix(issuer.as_str())?;
    (path.is_empty() || path.starts_with('/')).then_some(path)
}

/// A guard whose upstream is another one now.
pub(super) struct Replaced {
    /// Of which resource.
    pub(super) uri: ResourceUri,
    /// Where its requests went before.
    pub(super) was: UpstreamUrl,
}

/// Registers each server under the issuer with its name behind it. What was registered before keeps its name, its people
/// and its rules.
pub(super) fn declare(
    store: &Store,
    own: &Own,
    servers: &[GuardedServer],
    now: UnixTime,
) -> Result<Vec<Replaced>, Failure> {
    let mut replaced = Vec::new();
    for server in servers {
        let (uri, server) = (uri(own, server)?, server.clone());
        replaced.extend(store.write_and_wait(move |tx| declare_one(tx, &server, uri, now))?);
    }
    Ok(replaced)
}

/// The URI under the issuer that a server is guarded at, if it may be.
pub(super) fn uri(own: &Own, server: &GuardedServer) -> Result<ResourceUri, Failure> {
    let uri = ResourceUri::parse(&own.issuer.url(&format!("/{}", server.name)));
    let uri = uri.map_err(|why| {
        Failure::new(format!("could not guard {:?}: {why}; choose another name", server.name))
    })?;
    own.refuse(&new(server, uri.clone()), None)?;
    Ok(uri)
}

fn declare_one(
    tx: &WriteTx<'_>,
    server: &GuardedServer,
    uri: ResourceUri,
    now: UnixTime,
) -> Result<Option<Replaced>, Fault> {
    let known = resources::find(tx, &uri)?;
    let had = known.as_ref().and_then(|known| known.guard.clone());
    if had.as_ref().is_some_and(|had| had.upstream == server.upstream) {
        return Ok(None);
    }
    let event = match known {
        None => {
            resources::insert(tx, &new(server, uri.clone()), now)?;
            Event::ResourceAdded
        }
        Some(known) => {
            let guard =
                Guard { upstream: server.upstream.clone(), ..had.clone().unwrap_or_else(|| plain(server)) };
            resources::update(tx, &Resource { guard: Some(guard), ..known })?;
            Event::ResourceChanged
        }
    };
    Entry::new(event, &Origin::of_command()).resources([&uri]).subject(uri.as_str()).record(tx, now)?;
    Ok(had.map(|had| Replaced { uri, was: had.upstream }))
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
