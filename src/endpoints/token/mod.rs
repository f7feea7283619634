//! The token endpoint (RFC 6749 3.2): one pipeline around one file per grant.
//!
//! Read, authenticate the client, let the grant's file decide, plan the token, audit, commit, sign, answer. The
//! transaction opens and closes here and nowhere else, and no grant can skip a phase.

mod authorization_code;
mod client_credentials;
mod mint;
mod refresh_token;

use std::sync::Arc;

use super::client_auth::{AuthenticatedClient, Credentials, Proof, Showed, authenticate};
use super::{Stop, fault, mend, read_form, refuse};
use crate::app::App;
use crate::audit::{Entry, Event, Origin};
use crate::clock::UnixTime;
use crate::http::{Request, Response, Status};
use crate::oauth::ids::{ClientId, GrantId, UserId};
use crate::oauth::refusal::TokenRefusal;
use crate::oauth::resource::{Resource, ResourceUri};
use crate::oauth::token_request::{Presented, TokenRequest};
use crate::store::{Fault, ReadTx, WriteTx, resources};

use mint::Minted;

/// `POST /oauth/token`.
pub async fn post(app: &Arc<App>, mut request: Request, now: UnixTime) -> Response {
    let (caller, params) = match read_form(app, &mut request, now).await {
        Ok(read) => read,
        Err(answer) => return answer,
    };
    let credentials = Credentials::read(&request, &params);
    let named = credentials.as_ref().ok().and_then(Credentials::client_id).cloned();
    let proof = match credentials {
        Ok(credentials) => credentials.prove(app, &caller, now).await,
        Err(refusal) => Err(Stop::Refused(refusal)),
    };
    let proof = match proof {
        Ok(proof) => Ok(proof),
        Err(Stop::Refused(refusal)) => Err(refusal),
        Err(Stop::Fault(why)) => return fault(&why),
    };
    let asked = TokenRequest::parse(&params, &app.chain_key);
    let (context, caller) = (Arc::clone(app), Arc::new(caller));
    let asking = Arc::clone(&caller);
    let decided = app
        .store
        .write(move |tx| {
            let mut concern = Concern { client: named, ..Concern::default() };
            match exchange(&context, tx, proof, asked, &mut concern, now) {
                Ok(minted) => {
                    concern.success(&asking.origin, &minted).record(tx, now)?;
                    Ok(Ok(minted))
                }
                Err(Stop::Refused(refusal)) => {
                    if concern.replayed || asking.leaves_row(&context, &refusal, now) {
                        let mend = mend(&refusal);
                        concern.failure(&asking.origin, &refusal).mend(mend.as_deref()).record(tx, now)?;
                    }
                    Ok(Err(refusal))
                }
                Err(Stop::Fault(why)) => Err(why),
            }
        })
        .await;
    match decided {
        // Signed after the commit and outside the writer: a signature costs more than all that the writer does. If it
        // failed, the code would be spent, which is the safe side.
        Ok(Ok(minted)) => match minted.sign(app) {
            Ok(answer) => Response::json(Status::OK, &answer).no_store(),
            Err(why) => fault(&why),
        },
        Ok(Err(refusal)) => refuse(app, &caller, &refusal, now),
        Err(why) => fault(&why),
    }
}

/// Whom the audit row will name, filled in as it becomes known: also a failed exchange concerns somebody.
#[derive(Debug, Default)]
struct Concern {
    client: Option<ClientId>,
    user: Option<UserId>,
    grant: Option<GrantId>,
    grant_type: Option<&'static str>,
    replayed: bool,
}

impl Concern {
    fn entry<'a>(&'a self, event: Event, origin: &'a Origin) -> Entry<'a> {
        let mut entry = Entry::new(event, origin);
        if let Some(client) = &self.client {
            entry = entry.client_id(client);
        }
        if let Some(user) = &self.user {
            entry = entry.user(user);
        }
        if let Some(grant) = self.grant {
            entry = entry.grant(grant);
        }
        match self.grant_type {
            Some(grant_type) => entry.grant_type(grant_type),
            None => entry,
        }
    }

    fn success<'a>(&'a self, origin: &'a Origin, minted: &'a Minted) -> Entry<'a> {
        let entry = self.entry(Event::TokenSuccess, origin).jti(&minted.claims.jti);
        let entry = entry.audience(minted.claims.aud.iter());
        match &minted.claims.scope {
            Some(scope) => entry.scope(scope),
            None => entry,
        }
    }

    fn failure<'a>(&'a self, origin: &'a Origin, refusal: &'a TokenRefusal) -> Entry<'a> {
        let event = if self.replayed { Event::ReplayDetected } else { Event::TokenFailure };
        let (code, _) = refusal.wire();
        self.entry(event, origin).refused(code, refusal.reason()).extra_resources(refusal.resources())
    }
}

/// Decides, all in one transaction.
fn exchange(
    app: &App,
    tx: &WriteTx<'_>,
    proof: Result<Proof, TokenRefusal>,
    asked: Result<TokenRequest, TokenRefusal>,
    concern: &mut Concern,
    now: UnixTime,
) -> Result<Minted, Stop<TokenRefusal>> {
    let client = authenticate(tx, &proof?)?;
    concern.client = Some(client.client().id.clone());
    let asked = asked?;
    let grant_type = asked.presented.grant_type();
    concern.grant_type = Some(grant_type.as_str());
    if let Presented::ClientCredentials = asked.presented
        && client.showed() == Showed::Nothing
    {
        return Err(TokenRefusal::PublicClient.into());
    }
    if !client.client().may_use(grant_type) {
        return Err(TokenRefusal::GrantTypeNotAllowed.into());
    }
    let TokenRequest { presented, resources, scope } = asked;
    let exchange = Exchange { app, tx, client: &client, resources: &resources, now };
    let grant = match presented {
        Presented::AuthorizationCode { code, verifier, redirect_uri } => {
            authorization_code::redeem(&exchange, &code, &verifier, redirect_uri.as_deref(), concern)?
        }
        Presented::RefreshToken(token) => refresh_token::rotate(&exchange, token, scope.as_ref(), concern)?,
        Presented::ClientCredentials => client_credentials::grant(&exchange, scope.as_ref())?,
    };
    client.mark_used(tx, now)?;
    Ok(mint::plan(app, tx, grant, now)?)
}

/// What every grant's file works with.
struct Exchange<'a> {
    app: &'a App,
    tx: &'a WriteTx<'a>,
    client: &'a AuthenticatedClient,
    /// `resource`, as the request spelled it; empty when it named none.
    resources: &'a [ResourceUri],
    now: UnixTime,
}

/// Why a resource that goes beyond what is bound is refused: nobody knows it, or it is not part of the grant.
fn beyond(tx: &ReadTx<'_>, extra: Vec<ResourceUri>) -> Result<TokenRefusal, Fault> {
    let (_, unknown) = resources::resolve(tx, &extra)?;
    Ok(if unknown.is_empty() {
        TokenRefusal::ResourceNotGranted(extra)
    } else {
        TokenRefusal::ResourceUnknown(unknown)
    })
}

/// What of a grant's resources still admits its person. A resource that left the registry admits nobody. Where there
/// were some and none is left, the grant has ended.
fn still_admitted(
    tx: &ReadTx<'_>,
    effective: &[ResourceUri],
    user: &UserId,
) -> Result<Vec<Resource>, Stop<TokenRefusal>> {
    let (known, _) = resources::resolve(tx, effective)?;
    let mut admitting = Vec::with_capacity(known.len());
    for resource in known {
        if resources::admits(tx, &resource, user)? {
            admitting.push(resource);
        }
    }
    if admitting.is_empty() && !effective.is_empty() {
        return Err(TokenRefusal::UserNotAdmitted.into());
    }
    Ok(admitting)
}
