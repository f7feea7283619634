//! A browser that a reverse proxy sent here, because somebody must sign in before they see a page elsewhere: it gets a
//! ticket here and makes a cookie of it there. Nobody has to agree to anything: both servers are the owner's.

use std::sync::Arc;

use super::{Fields, Halt, go_to, in_query};
use crate::app::App;
use crate::app::visitors::{self, may_visit};
use crate::audit::{Entry, Event, Origin};
use crate::clock::UnixTime;
use crate::http::{Request, Response};
use crate::oauth::refusal::PageRefusal;
use crate::oauth::resource::Resource;
use crate::oauth::secret::{Secret, SecretHash, SecretKind};
use crate::oauth::visit::{Place, Visit, VisitState};
use crate::store::sessions::{self, SignedIn};
use crate::store::{Fault, WriteTx, resources, visits};

/// Where a browser comes back to, at the host that it came from; the reverse proxy there hands that path on.
pub const ARRIVAL: &str = "/.vestibule/visit";

/// Gives whoever is signed in a ticket to where they came from; others sign in first.
pub async fn get(app: &Arc<App>, request: Request, now: UnixTime) -> Response {
    leave(app, &request, now).await.unwrap_or_else(|halt| halt.answer(&request))
}

/// Makes a cookie of a ticket, at the host that it is for.
pub async fn arrive(app: &Arc<App>, request: Request, now: UnixTime) -> Response {
    settle(app, &request, now).await.unwrap_or_else(|halt| halt.answer(&request))
}

/// The visit that the page's URL names.
pub(super) fn in_url(request: &Request) -> Result<Option<Visit>, PageRefusal> {
    visit(in_query(request, "to")?.as_deref(), in_query(request, "state")?.as_deref())
}

/// The visit that waits for a form.
pub(super) fn in_form(fields: &Fields) -> Result<Option<Visit>, PageRefusal> {
    visit(fields.optional("to")?, fields.optional("state")?)
}

fn visit(to: Option<&str>, state: Option<&str>) -> Result<Option<Visit>, PageRefusal> {
    match (to, state) {
        (None, None) => Ok(None),
        (Some(to), Some(state)) => Visit::parse(to, state).map(Some).map_err(|_| PageRefusal::VisitLost),
        _ => Err(PageRefusal::VisitLost),
    }
}

/// The resource at a place, if browsers may be known there.
pub(super) fn resource(app: &App, place: &Place, now: UnixTime) -> Result<Arc<Resource>, Halt> {
    let view = app.view(now)?;
    let site = view.sites().holding(place).filter(|site| site.resource().guard.is_none());
    let site = site.filter(|_| may_visit(place, &app.issuer));
    site.map(|site| Arc::clone(site.resource()))
        .ok_or_else(|| PageRefusal::PlaceUnknown(place.origin().to_owned()).into())
}

async fn leave(app: &Arc<App>, request: &Request, now: UnixTime) -> Result<Response, Halt> {
    let visit = in_url(request)?.ok_or(PageRefusal::VisitLost)?;
    let resource = resource(app, &visit.to, now)?;
    if app.store.read(|tx| app.browser.signed_in(tx, request, now))?.is_none() {
        return Ok(go_to(&visit.at("/login")));
    }
    let ticket = Secret::new(SecretKind::VisitTicket);
    let departure = Departure {
        session: app.browser.session(request),
        ticket: visit.state.bind(ticket.expose()),
        resource,
        host: visit.to.authority().to_owned(),
        origin: Origin::of_request(request.client_ip(), request.header("user-agent")),
    };
    match app.store.write(move |tx| departure.record(tx, now)).await? {
        Outcome::Issued => Ok(Response::see_other(&visit.back(ARRIVAL, &ticket)).no_store()),
        Outcome::SignedOut => Ok(go_to(&visit.at("/login"))),
        Outcome::NotAdmitted => Err(PageRefusal::NotAdmitted(visit.to.origin().to_owned()).into()),
    }
}

struct Departure {
    session: Option<SecretHash>,
    ticket: SecretHash,
    resource: Arc<Resource>,
    host: String,
    origin: Origin,
}

/// What became of somebody who wants a ticket.
enum Outcome {
    Issued,
    SignedOut,
    NotAdmitted,
}

impl Departure {
    fn record(&self, tx: &WriteTx<'_>, now: UnixTime) -> Result<Outcome, Fault> {
        let session = match &self.session {
            Some(session) => sessions::find(tx, session, now)?,
            None => None,
        };
        let Some(session) = session else { return Ok(Outcome::SignedOut) };
        let user = &session.user().id;
        if !resources::admits(tx, &self.resource, user)? {
            let refusal = PageRefusal::NotAdmitted(String::new());
            Entry::new(Event::GuardRefused, &self.origin)
                .refused(refusal.code(), refusal.reason())
                .user(user)
                .resources([&self.resource.uri])
                .record(tx, now)?;
            return Ok(Outcome::NotAdmitted);
        }
        visits::issue(tx, &self.ticket, &session, &self.host, now)?;
        Ok(Outcome::Issued)
    }
}

async fn settle(app: &Arc<App>, request: &Request, now: UnixTime) -> Result<Response, Halt> {
    // The page that says what went wrong is the issuer's: nothing here has a style.
    let lost = || Response::see_other(&app.issuer.url("/visit")).no_store();
    let (ticket, to) = (in_query(request, "ticket")?, in_query(request, "to")?);
    let place = to.and_then(|to| Place::parse(&to).ok());
    // A port that is the scheme's own may be written or not.
    let here = |place: &Place| {
        let asked = request.host().map(|host| Place::forwarded(place.scheme(), host, "/"));
        asked.is_some_and(|asked| asked.is_ok_and(|asked| asked.origin() == place.origin()))
    };
    let (Some(ticket), Some(place)) = (ticket, place.filter(here)) else {
        return Ok(lost().because("visit_malformed"));
    };
    let resource = match resource(app, &place, now) {
        Ok(resource) => resource,
        Err(Halt::Refused(refusal)) => return Ok(lost().because(refusal.reason())),
        Err(halt) => return Err(halt),
    };
    let Some(nonce) = visitors::nonce(request, &place) else {
        return Ok(
            lost().because("visitor_unknown; mend: the browser keeps no cookies, or came by another address")
        );
    };
    let cookie = Secret::new(SecretKind::Visit);
    let (hash, cookie_hash) = (VisitState::of(nonce).bind(&ticket), cookie.hash());
    let host = place.authority().to_owned();
    let origin = Origin::of_request(request.client_ip(), request.header("user-agent"));
    let redeemed = app.store.write(move |tx| {
        let session = visits::redeem(tx, &hash, &cookie_hash, &host, now)?;
        if let Some(session) = &session {
            Entry::new(Event::VisitBegun, &origin)
                .user(&session.user().id)
                .resources([&resource.uri])
                .record(tx, now)?;
        }
        Ok(session.is_some())
    });
    let go_on = Response::see_other(place.as_str()).no_store();
    if redeemed.await? {
        let cookie = visitors::visit_cookie(&cookie, app.settings.lifetimes.session, &place);
        return Ok(go_on.with_header("set-cookie", &cookie));
    }
    // Whoever goes back in the browser comes here again, and has the cookie already.
    let signed_in = signed_in(app, request, &place, now)?;
    Ok(if signed_in.is_some() { go_on } else { lost().because("ticket_unknown") })
}

fn signed_in(app: &App, request: &Request, place: &Place, now: UnixTime) -> Result<Option<SignedIn>, Fault> {
    match visitors::visit(request, place) {
        Some(cookie) => {
            app.store.read(|tx| visits::find(tx, &SecretHash::of(cookie), place.authority(), now))
        }
        None => Ok(None),
    }
}
