//! Consent: a person says yes or no to what a client asked for.
//!
//! The form carries a decision and, where there is a choice, one of the offered resources. Everything else comes from
//! the request's row, and what is granted is worked out again in the transaction that grants it.

use std::fmt::Write as _;
use std::sync::Arc;

use super::{Fields, Halt, authorization_in_query, day, go_on, page};
use crate::app::App;
use crate::app::browser::GenuineForm;
use crate::app::offer::{self, Offer, Terms};
use crate::clock::UnixTime;
use crate::http::{Request, Response, Status};
use crate::oauth::client::{Client, RegisteredBy};
use crate::oauth::document_url::DocumentUrl;
use crate::oauth::ids::AuthorizationId;
use crate::oauth::redirect_uri::{Destination, destination};
use crate::oauth::refusal::PageRefusal;
use crate::oauth::resource::ResourceUri;
use crate::oauth::scope::Scope;
use crate::oauth::secret::SecretHash;
use crate::store::authorizations::{self, Authorization, Stage};
use crate::store::sessions::{self, SignedIn};
use crate::store::{Fault, ReadTx, WriteTx, clients, consents};
use crate::view::consent::{self, Access, Choice, ClientOrigin, History, Registration, Resource, View};

/// Shows what is asked for.
pub async fn get(app: &Arc<App>, request: Request, now: UnixTime) -> Response {
    ask(app, &request, now).unwrap_or_else(|halt| halt.answer(&request))
}

/// Takes the decision.
pub async fn post(app: &Arc<App>, mut request: Request, now: UnixTime) -> Response {
    match decide(app, &mut request, now).await {
        Ok(response) => response,
        Err(halt) => halt.answer(&request),
    }
}

/// What one view of the database says of a pending request.
enum Standing {
    /// There is no such request.
    Unknown,
    /// It is not for this page to go on: nobody is signed in, it is decided, or it cannot be granted.
    Elsewhere,
    /// A person is to be asked.
    Open(Box<Question>),
}

struct Question {
    authorization: Authorization,
    client: Client,
    person: SignedIn,
    offer: Offer,
    /// The day of an earlier yes to all of this.
    allowed_on: Option<UnixTime>,
}

impl Standing {
    fn read(
        tx: &ReadTx<'_>,
        id: &AuthorizationId,
        session: Option<&SecretHash>,
        now: UnixTime,
    ) -> Result<Self, Fault> {
        let Some(authorization) = authorizations::find(tx, id, now)? else { return Ok(Self::Unknown) };
        let Some(client) = clients::find(tx, &authorization.client_id)? else { return Ok(Self::Unknown) };
        let person = match session {
            Some(session) => sessions::find(tx, session, now)?,
            None => None,
        };
        let (Stage::Pending, Some(person)) = (&authorization.stage, person) else {
            return Ok(Self::Elsewhere);
        };
        let Ok(offer) = offer::offer(tx, &authorization, &client, &person.user().id)? else {
            return Ok(Self::Elsewhere);
        };
        let allowed_on = match &offer {
            Offer::Named(terms) => allowed_on(tx, &person, &client, terms)?,
            Offer::Choose(_) => None,
        };
        Ok(Self::Open(Box::new(Question { authorization, client, person, offer, allowed_on })))
    }
}

fn allowed_on(
    tx: &ReadTx<'_>,
    person: &SignedIn,
    client: &Client,
    terms: &Terms,
) -> Result<Option<UnixTime>, Fault> {
    let user = &person.user().id;
    if !offer::is_remembered(tx, user, client, terms)? {
        return Ok(None);
    }
    let resource = terms.resources.first().map(|resource| &resource.uri);
    consents::granted_at(tx, user, &client.id, resource)
}

fn ask(app: &App, request: &Request, now: UnixTime) -> Result<Response, Halt> {
    let id = authorization_in_query(request)?.ok_or(PageRefusal::AuthorizationUnknown)?;
    let session = app.browser.session(request);
    match app.store.read(|tx| Standing::read(tx, &id, session.as_ref(), now))? {
        Standing::Unknown => Err(PageRefusal::AuthorizationUnknown.into()),
        Standing::Elsewhere => Ok(go_on(&id)),
        Standing::Open(question) => Ok(question.page(app, request, now)),
    }
}

impl Question {
    /// Everything that could be granted.
    fn terms(&self) -> &[Terms] {
        match &self.offer {
            Offer::Named(terms) => std::slice::from_ref(terms),
            Offer::Choose(all) => all,
        }
    }

    /// Binds a form to the request and to what was shown: if the owner changes a resource while a person reads, or a
    /// client's document changes, their yes is no yes to what it has become.
    fn purpose(&self) -> String {
        let mut purpose =
            format!("consent:{}\nclient {}", self.authorization.id.as_str(), self.client.identity());
        for terms in self.terms() {
            for resource in &terms.resources {
                // Neither a URI nor a scope contains a line's end.
                let _ = write!(purpose, "\nresource {}", resource.uri.canonical());
            }
            let _ = write!(purpose, "\nscope {}", terms.scope);
        }
        purpose
    }

    fn page(&self, app: &App, request: &Request, now: UnixTime) -> Response {
        let form_token = app.browser.form_token(request, &self.purpose());
        let logout_token = app.browser.form_token(request, "logout");
        let (named, all, choices);
        let access = match &self.offer {
            Offer::Named(terms) => {
                named = Shown::of(terms);
                Access::Named { resources: &named.resources, scopes: &named.scopes }
            }
            Offer::Choose(terms) => {
                all = terms.iter().map(Shown::of).collect::<Vec<_>>();
                choices = all.iter().flat_map(Shown::choices).collect::<Vec<_>>();
                Access::Choose(&choices)
            }
        };
        let allowed_on = self.allowed_on.map(day);
        let document = DocumentUrl::parse(&self.client.id).ok();
        let view = View {
            form_token: form_token.as_str(),
            logout_token: logout_token.as_str(),
            authorization: self.authorization.id.as_str(),
            user_name: self.person.user().name.as_str(),
            client_name: &self.client.name,
            registration: match self.client.registered_by {
                RegisteredBy::Owner => Registration::Admin,
                RegisteredBy::Itself => Registration::Itself,
                RegisteredBy::Document => Registration::Document {
                    host: document.as_ref().map_or("", DocumentUrl::host),
                    url: self.client.id.as_str(),
                },
            },
            client_origin: match destination(&self.authorization.redirect_uri) {
                Destination::Web(host) => ClientOrigin::Host(host),
                Destination::Loopback => ClientOrigin::LocalApp,
                Destination::App(scheme) => ClientOrigin::AppLink(scheme),
            },
            history: history(&self.client, allowed_on.as_deref(), now),
            redirect_target: &self.authorization.redirect_uri,
            access,
        };
        let response = page(Status::OK, consent::page(&view));
        form_token.with_cookie(response)
    }

    /// What a yes would be to; `None` where the form chose nothing that was offered.
    fn chosen(&self, resource: Option<&ResourceUri>) -> Option<Terms> {
        match &self.offer {
            Offer::Named(terms) => Some(terms.clone()),
            Offer::Choose(all) => {
                let resource = resource?;
                all.iter().find(|terms| terms.resources.iter().any(|one| one.uri == *resource)).cloned()
            }
        }
    }
}

/// Terms as the page shows them.
struct Shown<'a> {
    resources: Vec<Resource<'a>>,
    scopes: Vec<consent::Scope<'a>>,
}

impl<'a> Shown<'a> {
    fn of(terms: &'a Terms) -> Self {
        let resources =
            terms.resources.iter().map(|one| Resource { name: &one.name, uri: one.uri.as_str() }).collect();
        let mut scopes = in_order(&terms.scope);
        // To stay signed in narrows nothing.
        if !terms.resources.is_empty() && scopes.len() == 1 && terms.scope.contains(Scope::OFFLINE_ACCESS) {
            scopes.insert(0, EVERYTHING);
        }
        Self { resources, scopes }
    }

    /// The terms as one of several, each of one resource.
    fn choices(&self) -> impl Iterator<Item = Choice<'_>> {
        self.resources.iter().map(|&resource| Choice { resource, scopes: &self.scopes })
    }
}

/// The entries of the list "It may". What belongs to no server comes last.
fn in_order(scope: &Scope) -> Vec<consent::Scope<'_>> {
    let mut names: Vec<_> = scope.iter().collect();
    names.sort_by_key(|name| *name == Scope::OFFLINE_ACCESS);
    names.into_iter().map(|name| consent::Scope { name, words: in_words(name) }).collect()
}

/// What a client may that names no scope for what it may do.
const EVERYTHING: consent::Scope<'static> =
    consent::Scope { name: "", words: "Do there whatever you can do there: it names nothing narrower" };

/// What there is to say of a client's past here. One that the owner added is no stranger on its first day.
fn history<'a>(client: &Client, allowed_on: Option<&'a str>, now: UnixTime) -> History<'a> {
    let is_stranger = client.registered_by != RegisteredBy::Owner;
    match allowed_on {
        Some(day) => History::Allowed(day),
        None if is_stranger && day(client.created_at) == day(now) => History::New,
        None => History::Known,
    }
}

/// A scope as an entry of the list "It may". The page shows the scope itself behind it.
fn in_words(scope: &str) -> &'static str {
    match scope {
        "read" => "Read what you can read there",
        "write" => "Change what you can change there",
        "admin" => "Administer it as far as you can",
        Scope::OFFLINE_ACCESS => "Stay signed in as you, also while you are away, until you take it back",
        _ => "Do what the server calls by this name:",
    }
}

/// What the form says.
#[derive(Debug, PartialEq, Eq)]
enum Decision {
    Allow,
    Deny,
}

impl Decision {
    fn parse(text: &str) -> Result<Self, PageRefusal> {
        match text {
            "allow" => Ok(Self::Allow),
            "deny" => Ok(Self::Deny),
            _ => Err(PageRefusal::FormMalformed),
        }
    }
}

async fn decide(app: &Arc<App>, request: &mut Request, now: UnixTime) -> Result<Response, Halt> {
    let fields = Fields::read(request).await?;
    let id = fields.authorization()?.ok_or(PageRefusal::FormMalformed)?;
    let session = app.browser.session(request);
    let question = match app.store.read(|tx| Standing::read(tx, &id, session.as_ref(), now))? {
        Standing::Unknown => return Err(PageRefusal::AuthorizationUnknown.into()),
        // The second click of a double click ends here as well.
        Standing::Elsewhere => return Ok(go_on(&id)),
        Standing::Open(question) => question,
    };
    let shown = question.purpose();
    let form = app.browser.check_form(request, &shown, fields.token()?)?;
    let decision = Decision::parse(fields.required("decision")?)?;
    let resource = fields.optional("resource")?.map(ResourceUri::parse).transpose();
    let resource = resource.map_err(|_| PageRefusal::FormMalformed)?;
    if decision == Decision::Allow && question.chosen(resource.as_ref()).is_none() {
        return Err(PageRefusal::FormMalformed.into());
    }
    let answer = Answer { form, id: id.clone(), session, shown, decision, resource };
    app.store.write(move |tx| answer.record(tx, now)).await?;
    Ok(go_on(&id))
}

/// A decision of a person, made on a page of ours.
struct Answer {
    #[expect(dead_code, reason = "the proof that the form is genuine: without it there is no answer")]
    form: GenuineForm,
    id: AuthorizationId,
    session: Option<SecretHash>,
    shown: String,
    decision: Decision,
    resource: Option<ResourceUri>,
}

impl Answer {
    /// Writes it to the row, if that is still what the person was shown; otherwise they are asked again.
    fn record(&self, tx: &WriteTx<'_>, now: UnixTime) -> Result<(), Fault> {
        let Standing::Open(question) = Standing::read(tx, &self.id, self.session.as_ref(), now)? else {
            return Ok(());
        };
        if question.purpose() != self.shown {
            return Ok(());
        }
        match self.decision {
            Decision::Deny => authorizations::deny(tx, &self.id).map(drop),
            Decision::Allow => match question.chosen(self.resource.as_ref()) {
                Some(terms) => allow(tx, &question, &terms, now),
                None => Ok(()),
            },
        }
    }
}

fn allow(tx: &WriteTx<'_>, question: &Question, terms: &Terms, now: UnixTime) -> Result<(), Fault> {
    let Question { authorization, client, person, .. } = question;
    let approved = authorizations::approve(tx, &authorization.id, person, terms.scope.clone(), terms.uris())?;
    let Some(approval) = approved else { return Ok(()) };
    clients::mark_used(tx, client, now)?;
    let record =
        |resource| consents::record(tx, approval.user(), &client.id, resource, approval.scope(), now);
    if approval.resources().is_empty() {
        return record(None);
    }
    approval.resources().iter().try_for_each(|resource| record(Some(resource)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::client::Credential;
    use crate::oauth::ids::ClientId;

    #[test]
    fn only_the_two_buttons_decide() {
        assert_eq!(Decision::parse("allow"), Ok(Decision::Allow));
        assert_eq!(Decision::parse("deny"), Ok(Decision::Deny));
        for other in ["", "Allow", "allow ", "yes", "1"] {
            assert_eq!(Decision::parse(other), Err(PageRefusal::FormMalformed), "{other:?}");
        }
    }

    #[test]
    fn only_a_client_that_came_by_itself_is_new_on_its_first_day() {
        let (today, tomorrow) = (UnixTime::new(1_795_473_544), UnixTime::new(1_795_473_544 + 86_400));
        let client = |registered_by| Client {
            id: ClientId::new(),
            name: "Notes".to_owned(),
            registered_by,
            credential: Credential::Public,
            redirect_uris: Vec::new(),
            grant_types: Vec::new(),
            scope: None,
            audience: Vec::new(),
            created_at: today,
            first_used_at: None,
        };
        for by in [RegisteredBy::Itself, RegisteredBy::Document] {
            assert_eq!(history(&client(by), None, today), History::New);
            assert_eq!(history(&client(by), None, tomorrow), History::Known);
        }
        let added = client(RegisteredBy::Owner);
        assert_eq!(history(&added, None, today), History::Known);
        assert_eq!(history(&added, Some("2026-11-20"), today), History::Allowed("2026-11-20"));
    }

    #[test]
    fn staying_signed_in_comes_after_what_belongs_to_the_server() {
        let scope = Scope::parse("offline_access write read zoom admin").unwrap();
        let names: Vec<_> = in_order(&scope).iter().map(|scope| scope.name).collect();
        assert_eq!(names, ["admin", "read", "write", "zoom", "offline_access"]);
    }

    #[test]
    fn a_scope_without_words_of_its_own_is_named_and_never_promised_to_be_less() {
        assert_eq!(in_words("read"), "Read what you can read there");
        assert_eq!(in_words("notes:read"), in_words("anything"));
    }
}
