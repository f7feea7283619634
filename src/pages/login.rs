//! Sign-in by name and password.
//!
//! Whatever is wrong with a name or a password, the answer, its time and its length are the same. Guesses are counted
//! before they are looked at, so that a hundred at once count as a hundred.

use std::sync::Arc;

use super::{
    Fields, Halt, PASSWORD_CHARS_MAX, authorization_in_query, go_on_or_home, go_to, page, start_session,
    visit, with_session,
};
use crate::app::{App, problem};
use crate::audit::{Entry, Event, Origin};
use crate::clock::{Seconds, UnixTime};
use crate::http::{Request, Response, Status};
use crate::limits::{Key, Kind, Limits, Wait};
use crate::oauth::ids::{AuthorizationId, UserName};
use crate::oauth::refusal::PageRefusal;
use crate::oauth::secret::{Secret, SecretHash};
use crate::oauth::visit::Visit;
use crate::store::authorizations;
use crate::store::users::{self, User};
use crate::store::{Fault, ReadTx, WriteTx, clients, resources};
use crate::view::login::{self, View};

const PURPOSE: &str = "login";
const WRONG: &str =
    "Wrong name or password. Check the name and type the password again; capital letters count in it.";

const NOBODY_YET: &str = "Nobody can sign in yet. Open the set-up link that the server printed when it started, and make \
                          the first admin; a start anew prints a fresh one.";

/// Asks for name and password.
pub async fn get(app: &Arc<App>, request: Request, now: UnixTime) -> Response {
    ask(app, &request, now).unwrap_or_else(|halt| halt.answer(&request))
}

/// Signs in.
pub async fn post(app: &Arc<App>, mut request: Request, now: UnixTime) -> Response {
    match sign_in(app, &mut request, now).await {
        Ok(response) => response,
        Err(halt) => halt.answer(&request),
    }
}

/// What waits for a sign-in.
enum Waiting {
    /// An authorization request.
    Authorization { id: AuthorizationId, client_name: Option<String>, resource_name: Option<String> },
    /// A page at another host.
    Visit { visit: Visit, resource_name: String },
}

impl Waiting {
    fn authorization(tx: &ReadTx<'_>, id: &AuthorizationId, now: UnixTime) -> Result<Option<Self>, Fault> {
        let Some(row) = authorizations::find(tx, id, now)? else { return Ok(None) };
        let resource = match row.resources.as_slice() {
            [only] => resources::find(tx, only)?,
            _ => None,
        };
        Ok(Some(Self::Authorization {
            client_name: clients::find(tx, &row.client_id)?.map(|client| client.name),
            resource_name: resource.map(|resource| resource.name),
            id: row.id,
        }))
    }

    fn visit(app: &App, visit: Visit, now: UnixTime) -> Result<Self, Halt> {
        let resource_name = visit::resource(app, &visit.to, now)?.name.clone();
        Ok(Self::Visit { visit, resource_name })
    }
}

fn ask(app: &App, request: &Request, now: UnixTime) -> Result<Response, Halt> {
    let nobody = (!app.store.read(users::has_admin)?).then_some(NOBODY_YET);
    if let Some(visit) = visit::in_url(request)? {
        let waiting = Waiting::visit(app, visit, now)?;
        return Ok(form(app, request, Status::OK, "", nobody, Some(&waiting)));
    }
    let Some(id) = authorization_in_query(request)? else {
        let signed_in = app.store.read(|tx| app.browser.signed_in(tx, request, now))?;
        return Ok(match signed_in {
            Some(_) => go_to("/account"),
            None => form(app, request, Status::OK, "", nobody, None),
        });
    };
    let waiting = app.store.read(|tx| Waiting::authorization(tx, &id, now))?;
    let waiting = waiting.ok_or(PageRefusal::AuthorizationUnknown)?;
    Ok(form(app, request, Status::OK, "", nobody, Some(&waiting)))
}

fn form(
    app: &App,
    request: &Request,
    status: Status,
    name: &str,
    message: Option<&str>,
    waiting: Option<&Waiting>,
) -> Response {
    let token = app.browser.form_token(request, PURPOSE);
    let first = View { form_token: token.as_str(), name, message, ..View::default() };
    let response = match waiting {
        None => page(status, login::page(&first)),
        Some(Waiting::Authorization { id, client_name, resource_name }) => {
            let (client_name, resource_name) = (client_name.as_deref(), resource_name.as_deref());
            let view = View { authorization: Some(id.as_str()), client_name, resource_name, ..first };
            page(status, login::page(&view))
        }
        Some(Waiting::Visit { visit, resource_name }) => {
            let state = visit.state.to_string();
            let visit = Some((visit.to.as_str(), state.as_str()));
            page(status, login::page(&View { visit, resource_name: Some(resource_name), ..first }))
        }
    };
    token.with_cookie(response)
}

/// Where a guess counts.
struct Buckets {
    /// `None` for a browser that is known: it shares its address with strangers, but not their failures.
    address: Option<Key>,
    name: Key,
}

impl Buckets {
    fn of(app: &App, request: &Request, typed: &str, name: Option<&UserName>) -> Self {
        let device = name.and_then(|name| app.browser.known_device(request, &app.chain_key, name));
        match device {
            Some(device) => Self { address: None, name: device },
            None => Self { address: Some(Key::address(request.client_ip())), name: Key::user_name(typed) },
        }
    }

    /// The address goes first: one that has used up its own tries cannot use up the owner's.
    fn take(&self, limits: &Limits, now: UnixTime) -> Result<(), Wait> {
        if let Some(address) = self.address {
            limits.take(Kind::PasswordFromAddress, address, now)?;
        }
        limits.take(Kind::PasswordOfUser, self.name, now)
    }

    /// The guess was never looked at.
    fn give_back(&self, limits: &Limits) {
        if let Some(address) = self.address {
            limits.give_back(Kind::PasswordFromAddress, address);
        }
        limits.give_back(Kind::PasswordOfUser, self.name);
    }

    /// The guess was right. The address gets back this one alone: whoever has an account here could otherwise sign in
    /// between guesses at the others, and never be slowed down.
    fn forgive(&self, limits: &Limits) {
        if let Some(address) = self.address {
            limits.give_back(Kind::PasswordFromAddress, address);
        }
        limits.forgive(Kind::PasswordOfUser, self.name);
    }
}

/// Whom the typed name means, and what their password is compared with.
struct Candidate {
    user: Option<User>,
    /// `None` for everybody who cannot sign in.
    hash: Option<String>,
}

impl Candidate {
    fn read(tx: &ReadTx<'_>, name: Option<&UserName>) -> Result<Self, Fault> {
        let user = match name {
            Some(name) => users::find_by_name(tx, name)?,
            None => None,
        };
        let hash = match &user {
            Some(user) if user.disabled_at.is_none() => users::password_hash(tx, &user.id)?,
            _ => None,
        };
        Ok(Self { user, hash })
    }

    /// Why it failed, for the owner.
    const fn reason(&self) -> &'static str {
        match self {
            Self { user: None, .. } => "user_unknown",
            Self { user: Some(User { disabled_at: Some(_), .. }), .. } => "user_disabled",
            Self { hash: None, .. } => "user_without_password",
            Self { .. } => "password_wrong",
        }
    }
}

async fn sign_in(app: &Arc<App>, request: &mut Request, now: UnixTime) -> Result<Response, Halt> {
    let fields = Fields::read(request).await?;
    app.browser.check_form(request, PURPOSE, fields.token()?)?;
    let (typed, password) = (fields.required("username")?, fields.required("password")?);
    let name = UserName::parse(typed).ok();
    let authorization = fields.authorization()?;
    let waiting = match (visit::in_form(&fields)?, &authorization) {
        (Some(visit), _) => Some(Waiting::visit(app, visit, now)?),
        (None, Some(id)) => app.store.read(|tx| Waiting::authorization(tx, id, now))?,
        (None, None) => None,
    };
    let candidate = app.store.read(|tx| Candidate::read(tx, name.as_ref()))?;
    let again = |status, message: &str| form(app, request, status, typed, Some(message), waiting.as_ref());

    let buckets = Buckets::of(app, request, typed, name.as_ref());
    if let Err(Wait(wait)) = buckets.take(&app.limits, now) {
        let response = again(Status::TOO_MANY_REQUESTS, &too_many(wait));
        return Ok(problem::retry_after(response, wait).because("too_many_sign_ins"));
    }
    let correct = password.chars().count() <= PASSWORD_CHARS_MAX && {
        let verdict = app.passwords.verify(password.to_owned(), candidate.hash.clone()).await?;
        verdict.map_err(|_| {
            buckets.give_back(&app.limits);
            Halt::Crowded
        })?
    };
    let attempt = Attempt {
        candidate,
        correct,
        old_session: app.browser.session(request),
        session_lifetime: app.settings.lifetimes.session,
        authorization: authorization.clone(),
        authorization_expires: now.plus(app.settings.lifetimes.authorization),
        origin: Origin::of_request(request.client_ip(), request.header("user-agent")),
    };
    let session = app.store.write(move |tx| attempt.settle(tx, now)).await?;
    let (Some(session), Some(name)) = (session, name) else {
        return Ok(again(Status::UNAUTHORIZED, WRONG).because("sign_in_failed"));
    };
    buckets.forgive(&app.limits);
    let next = match &waiting {
        Some(Waiting::Visit { visit, .. }) => go_to(&visit.at("/visit")),
        _ => go_on_or_home(authorization.as_ref()),
    };
    Ok(with_session(app, next, &session, &name))
}

fn too_many(wait: Seconds) -> String {
    match wait.as_u32() {
        0..=1 => "Too many tries. Wait a second, then try again.".to_owned(),
        seconds => format!("Too many tries. Wait {seconds} seconds, then try again."),
    }
}

/// A guess that was looked at.
struct Attempt {
    candidate: Candidate,
    correct: bool,
    old_session: Option<SecretHash>,
    session_lifetime: Seconds,
    authorization: Option<AuthorizationId>,
    authorization_expires: UnixTime,
    origin: Origin,
}

impl Attempt {
    /// Starts the session, or writes down why not.
    fn settle(&self, tx: &WriteTx<'_>, now: UnixTime) -> Result<Option<Secret>, Fault> {
        let Some(user) = self.candidate.user.as_ref().filter(|_| self.correct) else {
            return self.fail(tx, self.candidate.reason(), now);
        };
        // Hashing takes its time: the person may have been disabled, or their password changed, in between.
        let today = Candidate::read(tx, Some(&user.name))?;
        if today.user.is_none_or(|today| today.id != user.id) || today.hash != self.candidate.hash {
            return self.fail(tx, "user_changed_meanwhile", now);
        }
        let old = self.old_session.as_ref();
        let session = start_session(tx, &user.id, old, self.session_lifetime, now)?;
        if let Some(id) = &self.authorization {
            authorizations::signed_in(tx, id, &session.hash(), self.authorization_expires)?;
        }
        Entry::new(Event::LoginSuccess, &self.origin).user(&user.id).record(tx, now)?;
        Ok(Some(session))
    }

    /// The typed name is not written down: people type passwords into that field.
    fn fail(&self, tx: &WriteTx<'_>, reason: &'static str, now: UnixTime) -> Result<Option<Secret>, Fault> {
        let mut entry = Entry::new(Event::LoginFailure, &self.origin).reason(reason);
        if let Some(user) = &self.candidate.user {
            entry = entry.user(&user.id);
        }
        entry.record(tx, now)?;
        Ok(None)
    }
}
