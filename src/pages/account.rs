//! The account: a person sees which apps have access, and takes it back. Nobody reaches another person's grants here.

use std::sync::Arc;

use super::{Fields, Halt, day, go_to, page};
use crate::app::App;
use crate::audit::{Entry, Event, Origin};
use crate::clock::UnixTime;
use crate::http::{Request, Response, Status};
use crate::oauth::ids::{GrantId, UserId};
use crate::oauth::refusal::PageRefusal;
use crate::oauth::resource::ResourceUri;
use crate::store::grants::NamedGrant;
use crate::store::sessions::SignedIn;
use crate::store::users::Role;
use crate::store::{Fault, ReadTx, WriteTx, consents, grants, resources, sessions};
use crate::view::account::{self, FirstSteps, View};

const PURPOSE: &str = "account";
/// What the grant's row says of its end.
const TAKEN_BACK: &str = "taken back on the account page";

/// Shows the account of whoever is signed in.
pub async fn get(app: &Arc<App>, request: Request, now: UnixTime) -> Response {
    show(app, &request, now).unwrap_or_else(|halt| halt.answer(&request))
}

/// Takes back one grant.
pub async fn post(app: &Arc<App>, mut request: Request, now: UnixTime) -> Response {
    match take_back(app, &mut request, now).await {
        Ok(response) => response,
        Err(halt) => halt.answer(&request),
    }
}

/// What one view of the database says of a person.
struct Account {
    signed_in: SignedIn,
    grants: Vec<Shown>,
    first_steps: bool,
}

/// A grant in the words of the page.
struct Shown {
    id: String,
    client_name: String,
    resources: Vec<(String, ResourceUri)>,
    scopes: Vec<String>,
    since: String,
    last_used: String,
}

fn show(app: &App, request: &Request, now: UnixTime) -> Result<Response, Halt> {
    let account = app.store.read(|tx| match app.browser.signed_in(tx, request, now)? {
        Some(signed_in) => Account::read(app, tx, signed_in, now).map(Some),
        None => Ok(None),
    })?;
    let Some(account) = account else { return Ok(go_to("/login")) };
    let form_token = app.browser.form_token(request, PURPOSE);
    let logout_token = app.browser.form_token(request, "logout");
    let response = account.page(app, form_token.as_str(), logout_token.as_str());
    Ok(form_token.with_cookie(response))
}

impl Account {
    fn read(app: &App, tx: &ReadTx<'_>, signed_in: SignedIn, now: UnixTime) -> Result<Self, Fault> {
        let user = signed_in.user();
        let idle = app.settings.lifetimes.refresh_idle;
        let live = grants::list_live(tx, Some(&user.id), None, idle, now)?;
        let grants = live.into_iter().map(|grant| Shown::read(tx, grant)).collect::<Result<_, _>>()?;
        let first_steps = user.role == Role::Admin && resources::list(tx)?.is_empty();
        Ok(Self { signed_in, grants, first_steps })
    }

    fn page(&self, app: &App, form_token: &str, logout_token: &str) -> Response {
        let user = self.signed_in.user();
        let parts: Vec<(Vec<_>, Vec<_>)> = self.grants.iter().map(Shown::lists).collect();
        let grants: Vec<_> = self
            .grants
            .iter()
            .zip(&parts)
            .map(|(grant, (resources, scopes))| account::Grant {
                id: &grant.id,
                client_name: &grant.client_name,
                resources,
                scopes,
                since: &grant.since,
                last_used: Some(&grant.last_used),
            })
            .collect();
        let view = View {
            form_token,
            logout_token,
            user_name: user.name.as_str(),
            email: user.email.as_deref(),
            role: match user.role {
                Role::Member => account::Role::User,
                Role::Admin => account::Role::Admin,
            },
            notice: None,
            grants: &grants,
            first_steps: self.first_steps.then_some(FirstSteps { issuer: app.issuer.as_str() }),
        };
        page(Status::OK, account::page(&view))
    }
}

impl Shown {
    fn read(tx: &ReadTx<'_>, named: NamedGrant) -> Result<Self, Fault> {
        let NamedGrant { grant, client_name, .. } = named;
        let mut resources = Vec::new();
        for uri in grant.resources {
            // A resource that left the registry has no name any more, and is shown by its URI alone.
            let name = resources::find(tx, &uri)?.map_or_else(String::new, |resource| resource.name);
            resources.push((name, uri));
        }
        Ok(Self {
            id: grant.id.to_string(),
            client_name,
            resources,
            scopes: grant.scope.iter().map(str::to_owned).collect(),
            since: day(grant.created_at),
            // A grant begins with a token, and each later one rotates it.
            last_used: day(grant.rotated_at),
        })
    }

    fn lists(&self) -> (Vec<(&str, &str)>, Vec<&str>) {
        let resources = self.resources.iter().map(|(name, uri)| (name.as_str(), uri.as_str())).collect();
        (resources, self.scopes.iter().map(String::as_str).collect())
    }
}

async fn take_back(app: &Arc<App>, request: &mut Request, now: UnixTime) -> Result<Response, Halt> {
    let fields = Fields::read(request).await?;
    app.browser.check_form(request, PURPOSE, fields.token()?)?;
    let id = fields.required("grant")?.parse().map_err(|_| PageRefusal::FormMalformed)?;
    let Some(session) = app.browser.session(request) else { return Ok(go_to("/login")) };
    let origin = Origin::of_request(request.client_ip(), request.header("user-agent"));
    app.store
        .write(move |tx| match sessions::find(tx, &session, now)? {
            Some(signed_in) => revoke(tx, &signed_in.user().id, GrantId::new(id), &origin, now),
            None => Ok(()),
        })
        .await?;
    // The answer is the same for a grant of one's own, of somebody else and of nobody; the list says what is left, and
    // leads to the sign-in where the session has ended.
    Ok(go_to("/account"))
}

/// Revokes this person's grant. Its client must ask again, even for what was allowed before.
fn revoke(tx: &WriteTx<'_>, user: &UserId, id: GrantId, origin: &Origin, now: UnixTime) -> Result<(), Fault> {
    let Some(grant) = grants::find(tx, id)?.filter(|grant| grant.user_id == *user) else { return Ok(()) };
    if !grants::revoke(tx, id, TAKEN_BACK, now)? {
        return Ok(());
    }
    consents::remove(tx, user, &grant.client_id)?;
    Entry::new(Event::GrantRevoked, origin)
        .user(user)
        .client_id(&grant.client_id)
        .grant(id)
        .resources(&grant.resources)
        .record(tx, now)
}
