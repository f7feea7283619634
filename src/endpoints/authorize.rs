//! The authorization endpoint (RFC 6749 3.1), and the one dispatcher of the browser flow.
//!
//! A request is checked once and kept as a row; the pages carry its id. After every step the browser comes back here,
//! and `decide` says what is next, so no page needs to know another, and a second factor would be one more `Step`.

mod decide;

use std::sync::Arc;

use super::{FORM_BYTES_MAX, log_reason, register_command};
use crate::app::client_documents::{Freshness, Unlearnt, learn};
use crate::app::offer::{self, Offer, is_remembered, may_skip_consent};
use crate::app::{App, problem};
use crate::audit::{Entry, Event, Origin};
use crate::clock::UnixTime;
use crate::http::{Form, Method, Request, Response};
use crate::limits::{Key, Kind, Wait};
use crate::oauth::authorization_code::code_of;
use crate::oauth::authorize_request::{AuthorizeRequest, Callback, Prompt};
use crate::oauth::client::Client;
use crate::oauth::ids::{AuthorizationId, ClientId};
use crate::oauth::params::Params;
use crate::oauth::refusal::{AuthorizeRefusal, PageRefusal};
use crate::oauth::secret::SecretHash;
use crate::store::authorization_codes::{self, AuthorizationCode};
use crate::store::authorizations::{self, Approval, Authorization, Stage};
use crate::store::sessions::{self, SignedIn};
use crate::store::{Fault, ReadTx, WriteTx, clients, resources};

use decide::{Agreement, Step, decide, is_fresh_enough};

/// The longest `state` that is kept, as it arrived: a form could bring much more than a URL can carry back.
const STATE_BYTES_MAX: usize = 8 * 1024;

/// `GET /oauth/authorize`: a new request, or the way back from a page.
pub async fn get(app: &Arc<App>, request: Request, now: UnixTime) -> Response {
    match Form::parse(request.query().as_bytes()) {
        Ok(form) => answer(app, request, &form, now).await,
        Err(_) => problem::refusal(&request, &PageRefusal::FormMalformed),
    }
}

/// `POST /oauth/authorize`: the same from a form. Parameters come from one source only.
pub async fn post(app: &Arc<App>, mut request: Request, now: UnixTime) -> Response {
    match request.form(FORM_BYTES_MAX).await {
        Ok(form) if request.query().is_empty() => answer(app, request, &form, now).await,
        Ok(_) | Err(_) => problem::refusal(&request, &PageRefusal::FormMalformed),
    }
}

async fn answer(app: &Arc<App>, request: Request, form: &Form, now: UnixTime) -> Response {
    let visit = Visit {
        app: Arc::clone(app),
        session: app.browser.session(&request),
        origin: Origin::of_request(request.client_ip(), request.header("user-agent")),
        now,
    };
    let params = Params::collect(form.pairs());
    // The way back from a page stores nothing new, so only requests count.
    let is_new = params.get("authorization").is_none() || params.get("client_id").is_some();
    if is_new {
        let address = Key::address(request.client_ip());
        if let Err(Wait(wait)) = app.limits.take(Kind::Authorization, address, now) {
            return problem::busy(&request, wait);
        }
        if let Err(response) = visit.learn_client(&request, &params, address).await {
            return response;
        }
    }
    let done = if *request.method() == Method::HEAD {
        app.store.read(|tx| visit.look(tx, &params))
    } else {
        app.store.write(move |tx| visit.handle(tx, &params)).await
    };
    match done {
        Ok(Next::Go(url)) => Response::see_other(&url).no_store(),
        Ok(Next::Refuse { refusal, callback, way }) => {
            let url = callback.refusal_url(&refusal);
            let reason = log_reason(refusal.reason(), refusal.resources(), mend(&refusal).as_deref());
            match way {
                Way::Redirect => Response::see_other(&url).no_store().because(reason),
                Way::Link => problem::onward(&request, &refusal, &url).because(reason),
            }
        }
        Ok(Next::Show(refusal)) => problem::refusal(&request, &refusal),
        Err(why) => problem::fault(&request, &why),
    }
}

/// What the browser is told.
enum Next {
    /// Go to one of our pages, or back to the client with a code.
    Go(String),
    /// Go back to the client with an error.
    Refuse { refusal: AuthorizeRefusal, callback: Box<Callback>, way: Way },
    /// Look at a problem, since there is nobody to go back to.
    Show(PageRefusal),
}

impl Next {
    fn refuse(refusal: AuthorizeRefusal, callback: Callback, session: Option<&SignedIn>) -> Self {
        let way = if callback.is_trusted() || session.is_some() { Way::Redirect } else { Way::Link };
        Self::Refuse { refusal, callback: Box::new(callback), way }
    }
}

/// How an error reaches a client.
enum Way {
    /// At once.
    Redirect,
    /// By a link that the person may follow (RFC 9700 4.11.2).
    Link,
}

/// One visit of a browser.
struct Visit {
    app: Arc<App>,
    session: Option<SecretHash>,
    origin: Origin,
    now: UnixTime,
}

impl Visit {
    /// Has the client's document fetched, where the client is named by one. `Err` is the answer to a request whose
    /// client cannot be known.
    async fn learn_client(&self, request: &Request, params: &Params, payer: Key) -> Result<(), Response> {
        let named = params.get("client_id").filter(|_| !params.is_repeated("client_id"));
        let Some(id) = named.and_then(|id| ClientId::parse(id).ok()) else { return Ok(()) };
        let Self { app, origin, now, .. } = self;
        let why = match learn(app, &id, Freshness::Stated, origin, payer, *now).await {
            Ok(()) => return Ok(()),
            Err(Unlearnt::Busy(wait)) => return Err(problem::busy(request, wait)),
            Err(Unlearnt::Fault(why)) => return Err(problem::fault(request, &why)),
            Err(Unlearnt::Refused(why)) => why,
        };
        let response = problem::document(request, &id, &why);
        let (origin, now) = (origin.clone(), *now);
        let recorded = app.store.write(move |tx| {
            Entry::new(Event::AuthorizeRefused, &origin)
                .client_id(&id)
                .refused(why.code(), why.reason())
                .mend(Some(&problem::mend_document(&why)))
                .record(tx, now)
        });
        match recorded.await {
            Ok(()) => Err(response),
            Err(why) => Err(problem::fault(request, &why)),
        }
    }

    fn handle(&self, tx: &WriteTx<'_>, params: &Params) -> Result<Next, Fault> {
        let session = match &self.session {
            Some(session) => sessions::find(tx, session, self.now)?,
            None => None,
        };
        let next = match (params.get("authorization"), params.get("client_id")) {
            (Some(id), None) => self.resume(tx, id, session.as_ref()),
            _ => self.begin(tx, params, session.as_ref()),
        }?;
        if let Next::Show(refusal) = &next {
            let named = params.get("client_id").and_then(|id| ClientId::parse(id).ok());
            let entry = Entry::new(Event::AuthorizeRefused, &self.origin)
                .refused(refusal.code(), refusal.reason())
                .mend(problem::mend(refusal));
            match &named {
                Some(id) => entry.client_id(id).record(tx, self.now)?,
                None => entry.record(tx, self.now)?,
            }
        }
        Ok(next)
    }

    /// HEAD: what GET tells a browser in which nobody is signed in. Programs look before they send a person, and a look
    /// leaves nothing behind.
    fn look(&self, tx: &ReadTx<'_>, params: &Params) -> Result<Next, Fault> {
        if params.get("authorization").is_some() && params.get("client_id").is_none() {
            return Ok(Next::Go("/login".to_owned()));
        }
        let (client, callback) = match self.identify(tx, params)? {
            Ok(identified) => identified,
            Err(refusal) => return Ok(Next::Show(refusal)),
        };
        let refusal = match self.check(tx, params, &client)? {
            Ok(asked) if asked.prompt == Prompt::None => AuthorizeRefusal::LoginRequired,
            Ok(_) => return Ok(Next::Go("/login".to_owned())),
            Err(refusal) => refusal,
        };
        Ok(Next::refuse(refusal, callback, None))
    }

    /// To whom an answer goes, or why a person must look at a problem instead.
    fn identify(
        &self,
        tx: &ReadTx<'_>,
        params: &Params,
    ) -> Result<Result<(Client, Callback), PageRefusal>, Fault> {
        let Some(id) = params.get("client_id").filter(|_| !params.is_repeated("client_id")) else {
            return Ok(Err(PageRefusal::ClientMissing));
        };
        let client = match ClientId::parse(id) {
            Ok(id) => clients::find(tx, &id)?,
            Err(_) => None,
        };
        let Some(client) = client else { return Ok(Err(PageRefusal::ClientUnknown)) };
        if params.is_repeated("redirect_uri") {
            return Ok(Err(PageRefusal::RedirectUriMissing));
        }
        // Of two states none is the client's own, and one that no URL could carry back is none either.
        let state = params.raw_state().filter(|_| !params.is_repeated("state"));
        if state.is_some_and(|state| state.len() > STATE_BYTES_MAX) {
            return Ok(Err(PageRefusal::FormMalformed));
        }
        let redirect_uri = params.get("redirect_uri");
        let app_links = self.app.settings.app_links;
        let callback = Callback::identify(&client, redirect_uri, state, app_links, &self.app.issuer);
        Ok(callback.map(|callback| (client, callback)))
    }

    /// A new request: to whom, then what, then on to the first step.
    fn begin(&self, tx: &WriteTx<'_>, params: &Params, session: Option<&SignedIn>) -> Result<Next, Fault> {
        let (client, callback) = match self.identify(tx, params)? {
            Ok(identified) => identified,
            Err(refusal) => return Ok(Next::Show(refusal)),
        };
        let asked = match self.check(tx, params, &client)? {
            Ok(asked) => asked,
            Err(refusal) => return self.refuse(tx, refusal, callback, &client, session),
        };
        let authorization = Authorization {
            id: AuthorizationId::new(),
            client_id: client.id.clone(),
            redirect_uri: callback.redirect_uri().to_owned(),
            redirect_uri_sent: params.get("redirect_uri").is_some(),
            state: callback.state().map(str::to_owned),
            scope: asked.scope,
            resources: asked.resources,
            challenge: asked.challenge,
            prompt: asked.prompt,
            auth_time_min: asked.max_age.map(|age| self.now.minus(age)),
            fresh_session: None,
            created_at: self.now,
            expires_at: self.now.plus(self.app.settings.lifetimes.authorization),
            stage: Stage::Pending,
        };
        authorizations::insert(tx, &authorization)?;
        self.step(tx, authorization, &client, callback, session)
    }

    /// Reads what is asked for, and gives the resources the spelling of the registry.
    fn check(
        &self,
        tx: &ReadTx<'_>,
        params: &Params,
        client: &Client,
    ) -> Result<Result<AuthorizeRequest, AuthorizeRefusal>, Fault> {
        let mut asked = match AuthorizeRequest::check(params, client) {
            Ok(asked) => asked,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let (known, unknown) = resources::resolve(tx, &asked.resources)?;
        if !unknown.is_empty() {
            return Ok(Err(AuthorizeRefusal::ResourceUnknown(unknown)));
        }
        asked.resources = known.into_iter().map(|resource| resource.uri).collect();
        Ok(Ok(asked))
    }

    /// The way back from a page.
    fn resume(&self, tx: &WriteTx<'_>, id: &str, session: Option<&SignedIn>) -> Result<Next, Fault> {
        let authorization = match AuthorizationId::parse(id) {
            Ok(id) => authorizations::find(tx, &id, self.now)?,
            Err(_) => None,
        };
        let Some(authorization) = authorization else {
            return Ok(Next::Show(PageRefusal::AuthorizationUnknown));
        };
        let Some(client) = clients::find(tx, &authorization.client_id)? else {
            return Ok(Next::Show(PageRefusal::ClientUnknown));
        };
        let redirect_uri = Some(authorization.redirect_uri.as_str());
        let (state, app_links) = (authorization.state.as_deref(), self.app.settings.app_links);
        match Callback::identify(&client, redirect_uri, state, app_links, &self.app.issuer) {
            Ok(callback) if matches!(authorization.stage, Stage::Answered) => {
                self.repeat(tx, &authorization, &callback, session)
            }
            Ok(callback) => self.step(tx, authorization, &client, callback, session),
            Err(refusal) => Ok(Next::Show(refusal)),
        }
    }

    /// A second visit of an answered request: a double click, whose first answer the browser threw away. Whoever the
    /// code is for is sent on with that very code while it can be redeemed. Nothing is made here, and nothing decided.
    fn repeat(
        &self,
        tx: &ReadTx<'_>,
        authorization: &Authorization,
        callback: &Callback,
        session: Option<&SignedIn>,
    ) -> Result<Next, Fault> {
        let code = code_of(&authorization.id, &self.app.chain_key);
        let row = authorization_codes::find(tx, &code.hash())?.filter(|row| row.is_redeemable(self.now));
        let is_theirs = row.zip(session).is_some_and(|(row, session)| {
            row.user_id == session.user().id && is_fresh_enough(authorization, session)
        });
        if is_theirs {
            return Ok(Next::Go(callback.success_url(code.expose())));
        }
        Ok(Next::Show(PageRefusal::AuthorizationAnswered))
    }

    /// Does what [`decide`] says.
    fn step(
        &self,
        tx: &WriteTx<'_>,
        authorization: Authorization,
        client: &Client,
        callback: Callback,
        session: Option<&SignedIn>,
    ) -> Result<Next, Fault> {
        let terms = match session {
            Some(session) => match offer::offer(tx, &authorization, client, &session.user().id)? {
                Ok(Offer::Named(terms)) => Some(terms),
                Ok(Offer::Choose(_)) => None,
                Err(refusal) => {
                    return self.end(tx, refusal, &authorization, callback, client, Some(session));
                }
            },
            None => None,
        };
        let remembered = match (session, &terms) {
            (Some(session), Some(terms)) => {
                may_skip_consent(client, &authorization.redirect_uri)
                    && is_remembered(tx, &session.user().id, client, terms)?
            }
            _ => false,
        };
        let agreement = match terms.filter(|_| remembered) {
            Some(terms) => Agreement::Remembered(terms),
            None => Agreement::Open,
        };
        let id = authorization.id.as_str();
        match decide(&authorization, session, agreement) {
            Step::SignIn => Ok(Next::Go(format!("/login?authorization={id}"))),
            Step::AskConsent => Ok(Next::Go(format!("/consent?authorization={id}"))),
            Step::Gone => Ok(Next::Show(PageRefusal::AuthorizationUnknown)),
            Step::Refuse(refusal) => self.end(tx, refusal, &authorization, callback, client, session),
            Step::Issue(approval, session) => {
                self.issue(tx, &authorization, &approval, session, client, &callback)
            }
            Step::Agree(terms, session) => {
                match authorizations::approve(
                    tx,
                    &authorization.id,
                    session,
                    terms.scope.clone(),
                    terms.uris(),
                )? {
                    Some(approval) => self.issue(tx, &authorization, &approval, session, client, &callback),
                    None => Ok(Next::Show(PageRefusal::AuthorizationUnknown)),
                }
            }
        }
    }

    /// Gives the client its code.
    fn issue(
        &self,
        tx: &WriteTx<'_>,
        authorization: &Authorization,
        approval: &Approval,
        session: &SignedIn,
        client: &Client,
        callback: &Callback,
    ) -> Result<Next, Fault> {
        if !authorizations::answer(tx, &authorization.id)? {
            return Ok(Next::Show(PageRefusal::AuthorizationAnswered));
        }
        let code = code_of(&authorization.id, &self.app.chain_key);
        let row = AuthorizationCode {
            hash: code.hash(),
            client_id: client.id.clone(),
            user_id: approval.user().clone(),
            redirect_uri: authorization.redirect_uri.clone(),
            redirect_uri_sent: authorization.redirect_uri_sent,
            challenge: authorization.challenge,
            scope: approval.scope().clone(),
            resources: approval.resources().to_vec(),
            auth_time: session.auth_time(),
            expires_at: self.now.plus(self.app.settings.lifetimes.code),
            wrong_verifiers: 0,
            redeemed: None,
        };
        authorization_codes::insert(tx, &row)?;
        clients::mark_used(tx, client, self.now)?;
        let scope = approval.scope().to_string();
        Entry::new(Event::AuthorizeGranted, &self.origin)
            .client(client)
            .user(approval.user())
            .resources(approval.resources())
            .scope(&scope)
            .record(tx, self.now)?;
        Ok(Next::Go(callback.success_url(code.expose())))
    }

    /// Ends a pending request with an error, once.
    fn end(
        &self,
        tx: &WriteTx<'_>,
        refusal: AuthorizeRefusal,
        authorization: &Authorization,
        callback: Callback,
        client: &Client,
        session: Option<&SignedIn>,
    ) -> Result<Next, Fault> {
        if !authorizations::answer(tx, &authorization.id)? {
            return Ok(Next::Show(PageRefusal::AuthorizationAnswered));
        }
        self.refuse(tx, refusal, callback, client, session)
    }

    fn refuse(
        &self,
        tx: &WriteTx<'_>,
        refusal: AuthorizeRefusal,
        callback: Callback,
        client: &Client,
        session: Option<&SignedIn>,
    ) -> Result<Next, Fault> {
        let (code, _) = refusal.wire();
        let mend = mend(&refusal);
        let entry = Entry::new(Event::AuthorizeRefused, &self.origin)
            .client(client)
            .refused(code, refusal.reason())
            .extra_resources(refusal.resources())
            .mend(mend.as_deref());
        match session {
            Some(session) => entry.user(&session.user().id).record(tx, self.now)?,
            None => entry.record(tx, self.now)?,
        }
        Ok(Next::refuse(refusal, callback, session))
    }
}

/// The command that mends a refusal, where one does.
fn mend(refusal: &AuthorizeRefusal) -> Option<String> {
    match refusal {
        AuthorizeRefusal::ResourceUnknown(unknown) => {
            unknown.first().map(|uri| register_command(uri.as_str()))
        }
        _ => None,
    }
}
