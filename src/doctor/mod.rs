//! The doctor: walks an MCP server's URL as clients do, and says at each step what it found, why that matters to which
//! client, and what mends it.
//!
//! It works against anybody's MCP server and anybody's authorization server. It knows no database and no setting, follows
//! no redirect, sends nobody's secret, and signs nobody in; what it leaves behind is a registered client, where there is no
//! way to take that back. A stage asks by a [`Prober`], and judges what comes by pure functions.
//!
//! ```text
//! reach              name, address, certificate     server_metadata  where the authorization server's is
//! call               a request without a token      offer            what that says
//! meant              where there is no server       registration     becoming known
//! challenge          what the 401 says
//! resource_metadata  what the server says of        sign_in, token   the person's page, and what comes of it
//!                    itself                         cors, clock      what else has to be right
//! step, report       what was found                 document, spelling  how answers and URLs are read
//! ```

mod call;
mod challenge;
mod clock;
mod cors;
mod document;
mod meant;
mod offer;
mod reach;
mod registration;
mod report;
mod resource_metadata;
mod server_metadata;
mod sign_in;
mod spelling;
mod step;
mod token;

use url::Url;

use call::Called;
use challenge::Challenged;
use offer::Offer;
use reach::{AUTHORIZATION_SERVER, SERVER, reach};
use resource_metadata::ResourceMetadata;
use sign_in::{Comer, Others, SignIn};
use spelling::origin;
use step::Notes;
use token::Client;

pub use report::{Report, Verdict};
pub use spelling::ServerUrl;
pub use step::{Advice, Finding, Harm, Mark, Part, Step};

use crate::clock::Clock;
use crate::outgoing::Prober;

/// Whether to register a client, which may stay behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registration {
    /// Register one, as every client does that is not known yet.
    Try,
    /// Leave it out.
    LeaveOut,
}

/// Walks a server's URL to the page at which a person would sign in.
pub async fn walk(server: &ServerUrl, registration: Registration, prober: &Prober, clock: &Clock) -> Report {
    let mut notes = Notes::default();
    Walk { server, registration, prober, clock }.go(&mut notes).await;
    notes.skip(
        Step::Calls,
        "not made, for want of a token: whether the server answers them, and its tools work, is not known",
    );
    Report::new(server.typed(), notes.into_findings())
}

struct Walk<'a> {
    server: &'a ServerUrl,
    registration: Registration,
    prober: &'a Prober,
    clock: &'a Clock,
}

impl Walk<'_> {
    async fn go(&self, notes: &mut Notes) {
        let Self { server, prober, .. } = *self;
        reach::judge_url(server, notes);
        if !reach(SERVER, server.url(), prober, notes).await {
            return;
        }
        let called = call::call(server, prober, notes).await;
        let challenged = match &called {
            Called::Challenged(answer) => {
                clock::judge(Step::Clock, answer.date(), self.clock.now(), notes);
                challenge::judge(answer, server.url(), notes)
            }
            Called::Elsewhere => return,
            Called::Open | Called::Otherwise => Challenged::default(),
        };
        let found = resource_metadata::find(server, &called, &challenged, prober, notes).await;
        if let Called::Challenged(_) = called {
            cors::look_at_server(server, prober, notes).await;
        }
        let Some(resource) = found else { return };
        if let Some(url) = &resource.url {
            cors::look_at_document(Step::CorsResourceMetadata, url, prober, notes).await;
        }
        self.authorization_server(&resource, challenged.scope, notes).await;
    }

    async fn authorization_server(
        &self,
        resource: &ResourceMetadata,
        scope: Option<String>,
        notes: &mut Notes,
    ) {
        let Self { server, prober, .. } = *self;
        // What is no URL was told when it was read.
        let Ok(issuer) = Url::parse(&resource.issuer) else { return };
        if origin(&issuer) == origin(server.url()) {
            notes.ok(Step::ServerAddress, "the MCP server's own");
            notes.ok(Step::ServerCertificate, "the MCP server's own");
        } else if !reach(AUTHORIZATION_SERVER, &issuer, prober, notes).await {
            return;
        }
        let Some(metadata) = server_metadata::find(&issuer, resource, prober, notes).await else { return };
        clock::judge(Step::ServerClock, metadata.date, self.clock.now(), notes);
        server_metadata::judge_issuer(&resource.issuer, &metadata.document, notes);
        let offer = offer::judge(&metadata, notes);
        offer::look_at_keys(&metadata, prober, notes).await;
        self.sign_in(&SignIn::new(&offer, resource, scope), notes).await;
        cors::look_at_document(Step::CorsMetadata, &metadata.url, prober, notes).await;
        self.cors_of_endpoints(&offer, notes).await;
    }

    async fn sign_in(&self, sign_in: &SignIn<'_>, notes: &mut Notes) {
        let (offer, prober) = (sign_in.offer, self.prober);
        let registered = match &offer.registration {
            None => {
                notes.skip(Step::Registration, "there is no registration_endpoint");
                None
            }
            Some(_) if self.registration == Registration::LeaveOut => {
                notes.skip(Step::Registration, "--no-register");
                None
            }
            Some(endpoint) => {
                let registered = registration::register(endpoint, prober, notes).await;
                registered.map(|registered| (registered, endpoint))
            }
        };
        match &registered {
            Some((client, _)) => sign_in.authorize(Comer::Registered(&client.client_id), prober, notes).await,
            None => notes.skip(Step::Authorization, "no client is registered to ask it"),
        }
        let others = match (&registered, &offer.registration, self.registration) {
            (Some(_), ..) | (None, Some(_), Registration::LeaveOut) => Others::Register,
            (None, None, _) | (None, Some(_), Registration::Try) => Others::StayUnknown,
        };
        match offer.takes_documents {
            true => sign_in.authorize(Comer::Documented(others), prober, notes).await,
            false => notes.skip(Step::ClientDocument, "clients are not named by documents"),
        }
        let client =
            registered.as_ref().map_or(Client::MadeUp, |(client, _)| Client::Known(&client.client_id));
        if let Some(endpoint) = &offer.token {
            token::redeem(endpoint, client, sign_in.resource, prober, notes).await;
        }
        if let Some((client, endpoint)) = &registered {
            registration::take_back(client, endpoint, prober, notes).await;
        }
    }

    async fn cors_of_endpoints(&self, offer: &Offer, notes: &mut Notes) {
        for (step, endpoint) in
            [(Step::CorsRegistration, &offer.registration), (Step::CorsToken, &offer.token)]
        {
            match endpoint {
                Some(url) => cors::look_at_endpoint(step, url, self.prober, notes).await,
                None => notes.skip(step, "there is none"),
            }
        }
    }
}
