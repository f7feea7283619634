//! Forward authentication: a reverse proxy asks whether a request may go on (nginx `auth_request`, Caddy `forward_auth`,
//! Traefik `ForwardAuth`). 200 says yes, and who it is; anything else is the answer to whoever asks.
//!
//! Machines show a token, and are told how to get one. People's browsers show a cookie, and are sent to the sign-in. What
//! was asked for is in `X-Forwarded-*`, which is believed from a trusted proxy alone.

use std::sync::Arc;

use super::asker::Asker;
use super::bearer::BearerRefusal;
use super::challenge::denied;
use super::pass::faulty;
use super::{bearer, path};
use crate::app::App;
use crate::app::visitors::{self, may_visit};
use crate::clock::UnixTime;
use crate::http::{Request, Response, Status};
use crate::oauth::error::ErrorCode;
use crate::oauth::resource::Resource;
use crate::oauth::secret::{Secret, SecretHash, SecretKind};
use crate::oauth::visit::{Place, Visit, VisitState};
use crate::store::{Fault, resources, visits};

/// The query of a proxy that knows yes and no alone, as nginx's `auth_request` does: no is a bare 403 then, of which nothing
/// is remembered. It asks again without, and hands on that answer.
const BRIEF: &str = "brief";

/// Answers a reverse proxy.
pub async fn get(app: &Arc<App>, request: Request, now: UnixTime) -> Response {
    let verdict = match judge(app, &request, now) {
        Ok(verdict) => verdict,
        Err(why) => return faulty(&why),
    };
    match verdict {
        Verdict::Pass(response) => response,
        _ if request.query() == BRIEF => Response::new(Status::FORBIDDEN).no_store().because("brief"),
        Verdict::Unclear(response) => response,
        Verdict::SignIn(place) => sign_in(app, &request, place),
        Verdict::Refused(resource, place, refusal) => {
            Asker::of(&request).refuse(app, &resource, place.path(), &refusal, None, now).await
        }
    }
}

/// What becomes of a request that a proxy asks about.
enum Verdict {
    /// It goes on.
    Pass(Response),
    /// It cannot be told what it is for, or nobody may go there.
    Unclear(Response),
    /// Its person has to sign in first.
    SignIn(Place),
    /// It shows no token that would do.
    Refused(Arc<Resource>, Place, BearerRefusal),
}

fn judge(app: &App, request: &Request, now: UnixTime) -> Result<Verdict, Fault> {
    let place = match asked_for(request) {
        Ok(place) => place,
        Err(unknown) => return Ok(Verdict::Unclear(unknown.answer())),
    };
    let view = app.view(now)?;
    let sites = view.sites();
    let Some(site) = sites.holding(&place) else { return Ok(Verdict::Unclear(unregistered(&place))) };
    if site.resource().guard.is_some() {
        return Ok(Verdict::Unclear(guarded(&place)));
    }
    let (host, asked) = (place.authority(), place.path());
    if sites.differ_by_path(host)
        && (!path::is_plain(asked) || path::lies_elsewhere(sites, host, site, asked))
    {
        let description = "This path could be read in two ways; write it plainly.";
        let response = denied(Status::BAD_REQUEST, ErrorCode::InvalidRequest, description);
        return Ok(Verdict::Unclear(response.because("path_not_plain")));
    }
    let resource = site.resource();
    let by_cookie = request.header("authorization").is_none_or(|value| !bearer::is_bearer(value))
        && may_visit(&place, &app.issuer);
    if by_cookie {
        match visitor(app, request, &place, resource, now)? {
            Some(visitor) => return Ok(Verdict::Pass(pass(app, &visitor.identity()))),
            None if wants_page(request) => return Ok(Verdict::SignIn(place)),
            None => {}
        }
    }
    Ok(match bearer::admit(app, &view, request, resource, now)? {
        Ok(admitted) => {
            let (claims, caller) = (admitted.claims(), admitted.caller());
            let scope = admitted.scope().to_string();
            let identity = Identity {
                user: caller.user_name.as_deref(),
                email: caller.email.as_deref(),
                client: Some(&claims.client_id),
                scope: Some(&scope),
            };
            Verdict::Pass(pass(app, &identity))
        }
        Err(refusal) => Verdict::Refused(Arc::clone(resource), place, refusal),
    })
}

/// Why it is not known what a proxy was asked for.
#[derive(Clone, Copy)]
enum Unknown {
    /// Whoever asks is no proxy of ours, and could say anything.
    Stranger,
    /// What it says is no URL.
    Malformed,
}

impl Unknown {
    fn answer(self) -> Response {
        match self {
            Self::Stranger => {
                let description = "Only a reverse proxy that this server trusts may ask here.";
                denied(Status::FORBIDDEN, ErrorCode::AccessDenied, description)
                    .because("proxy_not_trusted; mend: name the reverse proxy's address in --trusted-proxies")
            }
            Self::Malformed => {
                let description =
                    "X-Forwarded-Proto, -Host and -Uri have to say what was asked for, each once.";
                denied(Status::BAD_REQUEST, ErrorCode::InvalidRequest, description)
                    .because("forwarded_malformed; mend: see the examples for the reverse proxy's settings")
            }
        }
    }
}

/// What the proxy was asked for.
fn asked_for(request: &Request) -> Result<Place, Unknown> {
    if !request.is_from_trusted_proxy() {
        return Err(Unknown::Stranger);
    }
    let forwarded = |name| request.header(name).ok_or(Unknown::Malformed);
    let (scheme, host) = (forwarded("x-forwarded-proto")?, forwarded("x-forwarded-host")?);
    Place::forwarded(scheme, host, forwarded("x-forwarded-uri")?).map_err(|_| Unknown::Malformed)
}

/// Nobody is let in where the owner has said nothing.
fn unregistered(place: &Place) -> Response {
    let mend = format!("not registered; mend: vestibule resource add {}", place.origin());
    let description = "Nobody has registered this server here, so nobody is let in.";
    denied(Status::FORBIDDEN, ErrorCode::InvalidTarget, description).because(mend)
}

/// What this server stands before itself is not asked about: the proxy would pass by the rules for its calls.
fn guarded(place: &Place) -> Response {
    let mend = format!(
        "guarded; mend: let the reverse proxy pass {} on to this server instead of asking it, or register it without --upstream",
        place.origin()
    );
    let description = "This server is reached through Vestibule alone, which was only asked about it.";
    denied(Status::FORBIDDEN, ErrorCode::InvalidTarget, description).because(mend)
}

/// Who it is, as far as it is known.
#[derive(Default)]
struct Identity<'a> {
    user: Option<&'a str>,
    email: Option<&'a str>,
    client: Option<&'a str>,
    scope: Option<&'a str>,
}

/// Lets a request go on. Every header is there, though some are empty: a proxy that copies them must find one for each that
/// a client may have forged.
fn pass(app: &App, identity: &Identity<'_>) -> Response {
    let names = &app.settings.identity_headers;
    let told = [
        (&names.user, identity.user),
        (&names.email, identity.email),
        (&names.client, identity.client),
        (&names.scope, identity.scope),
    ];
    let named = told.into_iter().filter_map(|(name, value)| Some((name.as_ref()?, value)));
    named.fold(Response::new(Status::OK).no_store(), |response, (name, value)| {
        // A header can carry nothing else; what it cannot carry is not told.
        let value = value.filter(|value| value.bytes().all(|b| matches!(b, b' '..=b'~')));
        response.with_header(name.as_str(), value.unwrap_or_default())
    })
}

/// The person in a browser that has a visit at this place, if the resource admits them.
fn visitor(
    app: &App,
    request: &Request,
    place: &Place,
    resource: &Resource,
    now: UnixTime,
) -> Result<Option<Visitor>, Fault> {
    let Some(cookie) = visitors::visit(request, place) else { return Ok(None) };
    app.store.read(|tx| {
        let Some(session) = visits::find(tx, &SecretHash::of(cookie), place.authority(), now)? else {
            return Ok(None);
        };
        let user = session.user();
        let visitor = Visitor { name: user.name.as_str().to_owned(), email: user.email.clone() };
        Ok(resources::admits(tx, resource, &user.id)?.then_some(visitor))
    })
}

/// A person in a browser.
struct Visitor {
    name: String,
    email: Option<String>,
}

impl Visitor {
    fn identity(&self) -> Identity<'_> {
        Identity { user: Some(&self.name), email: self.email.as_deref(), ..Identity::default() }
    }
}

/// Whether a page is asked for by whoever can sign in and come back: a browser that opens it. What a page asks for by
/// itself cannot, and no form is sent twice.
fn wants_page(request: &Request) -> bool {
    let is_read = matches!(request.header("x-forwarded-method"), Some("GET" | "HEAD"));
    let opens = request.header("sec-fetch-mode").is_none_or(|mode| mode == "navigate");
    is_read && opens && request.accepts_html() && !request.headers().contains_key("authorization")
}

/// Sends a browser to the sign-in. It is known again by a cookie, so that nobody else's visit can be slipped to it.
fn sign_in(app: &App, request: &Request, place: Place) -> Response {
    // Pages that are opened at the same time share one.
    let (state, cookie) = match visitors::nonce(request, &place) {
        Some(nonce) => (VisitState::of(nonce), None),
        None => {
            let nonce = Secret::new(SecretKind::VisitNonce);
            (VisitState::of(nonce.expose()), Some(visitors::nonce_cookie(&nonce, &place)))
        }
    };
    let visit = Visit { to: place, state };
    let response = Response::see_other(&app.issuer.url(&visit.at("/visit"))).no_store();
    match cookie {
        Some(cookie) => response.with_header("set-cookie", &cookie),
        None => response,
    }
}
