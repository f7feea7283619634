//! Clients that are named by the URL of their metadata document: fetched while they are unknown or not fresh, and kept
//! as clients like all others.
//!
//! Nothing here blocks on a host that is down: what a document said is used for a week after it was last fetched.

use super::App;
use crate::audit::{Entry, Event, Origin};
use crate::clock::{Seconds, UnixTime};
use crate::config::Switch;
use crate::limits::{Key, Kind, Wait};
use crate::oauth::client::{Client, RegisteredBy};
use crate::oauth::client_document;
use crate::oauth::client_metadata::ClientMetadata;
use crate::oauth::document_url::DocumentUrl;
use crate::oauth::error::{ErrorCode, Malformed};
use crate::oauth::ids::ClientId;
use crate::oauth::refusal::DocumentRefusal;
use crate::outgoing::{FetchRefusal, Party};
use crate::store::client_documents::{self, Copy};
use crate::store::{Fault, WriteTx, clients, consents};

/// For how long a copy is used while its host is down.
const STALE: Seconds = Seconds::days(7);

/// How soon a copy may be replaced before its time, where what it says does not do.
const SOONEST: Seconds = Seconds::minutes(1);

/// Why a URL names no client here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DocumentProblem {
    /// The owner has switched documents off.
    Off,
    /// Not a URL that can name a document.
    Url(Malformed),
    /// The owner does not want documents of this host.
    HostRefused(String),
    /// This server's own host, which serves no such document.
    OwnHost,
    /// It could not be fetched.
    Fetch(FetchRefusal),
    /// It is not the document of a client.
    Document(DocumentRefusal),
}

/// What stopped the learning.
#[derive(Debug)]
pub enum Unlearnt {
    /// The URL, its host or its document.
    Refused(DocumentProblem),
    /// The caller asked for too many documents.
    Busy(Seconds),
    /// Us.
    Fault(Fault),
}

impl From<DocumentProblem> for Unlearnt {
    fn from(problem: DocumentProblem) -> Self {
        Self::Refused(problem)
    }
}

impl From<Fault> for Unlearnt {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl DocumentProblem {
    /// The reason in one word, for the log and the audit.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::Off => "client_documents_off",
            Self::Url(_) => "client_document_url",
            Self::HostRefused(_) => "client_document_host_refused",
            Self::OwnHost => "client_document_own_host",
            Self::Fetch(_) => "client_document_not_fetched",
            Self::Document(_) => "client_document_refused",
        }
    }

    /// The word for a program, and for the audit.
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::Fetch(why) if why.is_outage() => ErrorCode::TemporarilyUnavailable,
            _ => ErrorCode::InvalidClient,
        }
    }
}

/// How old a copy may be that is used without asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// As its host said.
    Stated,
    /// A minute: something is wrong with it.
    Renewed,
}

/// Makes sure that the store knows the client that `id` names, as its document says now. `Ok` also for every client that
/// came another way: one that was added or registered under a URL is what it was added as.
pub async fn learn(
    app: &App,
    id: &ClientId,
    freshness: Freshness,
    origin: &Origin,
    payer: Key,
    now: UnixTime,
) -> Result<(), Unlearnt> {
    if !DocumentUrl::is_meant_by(id) {
        return Ok(());
    }
    let (client, copy) =
        app.store.read(|tx| Ok((clients::find(tx, id)?, client_documents::find(tx, id)?)))?;
    let by = client.as_ref().map(|client| client.registered_by);
    if matches!(by, Some(RegisteredBy::Owner | RegisteredBy::Itself)) {
        return Ok(());
    }
    let url = admit(app, id)?;
    let fresh_until = copy.map(|copy| match freshness {
        Freshness::Stated => copy.fresh_until,
        Freshness::Renewed => copy.fetched_at.plus(SOONEST),
    });
    // A clock that went back does not make a copy fresh for years.
    let is_fresh = |copy: Copy| copy.fetched_at <= now && fresh_until.is_some_and(|until| now < until);
    if copy.is_some_and(is_fresh) {
        return Ok(());
    }
    let still_serves = copy.is_some_and(|copy| now < copy.fetched_at.plus(STALE));
    if let Err(Wait(wait)) = app.limits.take(Kind::Fetch, payer, now) {
        return if still_serves { Ok(()) } else { Err(Unlearnt::Busy(wait)) };
    }
    let party = client.as_ref().map_or(Party::Stranger, party_of);
    match app.fetcher.fetch(url.url(), app.settings.client_documents.bytes_max, party).await {
        Ok(fetched) => {
            let read = client_document::read(&url, &fetched.body, app.settings.app_links, now);
            let (client, metadata) = read.map_err(DocumentProblem::Document)?;
            let copy = Copy { fetched_at: now, fresh_until: now.plus(fetched.fresh_for) };
            let origin = origin.clone();
            Ok(app.store.write(move |tx| keep(tx, &client, &metadata, copy, &origin, now)).await?)
        }
        Err(why) if why.is_outage() && still_serves => {
            tracing::warn!(client = id.as_str(), %why, "a client's document cannot be fetched: the last copy is used");
            Ok(())
        }
        Err(why) => Err(DocumentProblem::Fetch(why).into()),
    }
}

/// For whom a client's documents are fetched.
pub(super) fn party_of(client: &Client) -> Party {
    match (client.registered_by, client.first_used_at) {
        (RegisteredBy::Itself | RegisteredBy::Document, None) => Party::Stranger,
        (RegisteredBy::Owner, _) | (_, Some(_)) => Party::Known,
    }
}

/// What can be said of a URL before anybody is asked.
fn admit(app: &App, id: &ClientId) -> Result<DocumentUrl, DocumentProblem> {
    let settings = &app.settings.client_documents;
    if settings.fetching == Switch::Off {
        return Err(DocumentProblem::Off);
    }
    let url = DocumentUrl::parse(id).map_err(DocumentProblem::Url)?;
    let listed = settings.hosts.is_empty() || settings.hosts.contains(url.host());
    if !listed || settings.hosts_refused.contains(url.host()) {
        return Err(DocumentProblem::HostRefused(url.host().to_owned()));
    }
    if url.origin() == app.issuer.as_str() {
        return Err(DocumentProblem::OwnHost);
    }
    Ok(url)
}

/// Keeps what a document says. Where it no longer says what people agreed to, they are asked again.
fn keep(
    tx: &WriteTx<'_>,
    client: &Client,
    metadata: &ClientMetadata,
    copy: Copy,
    origin: &Origin,
    now: UnixTime,
) -> Result<(), Fault> {
    let metadata =
        serde_json::to_string(metadata).map_err(|source| Fault::new("write a client's metadata", source))?;
    let event = match clients::find(tx, &client.id)? {
        None => {
            clients::insert(tx, client, &metadata)?;
            Some(Event::ClientRegistered)
        }
        // Somebody added a client of that name while its document was on its way.
        Some(known) if known.registered_by != RegisteredBy::Document => return Ok(()),
        Some(known) => {
            let is_same = known.identity() == client.identity();
            clients::update(tx, client)?;
            clients::set_metadata(tx, &client.id, &metadata)?;
            if !is_same {
                consents::remove_of_client(tx, &client.id)?;
            }
            (!is_same).then_some(Event::ClientChanged)
        }
    };
    client_documents::record(tx, &client.id, copy)?;
    match event {
        Some(event) => {
            Entry::new(event, origin).client(client).subject(&client.name).reason("document").record(tx, now)
        }
        None => Ok(()),
    }
}
