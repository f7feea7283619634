//! Token revocation (RFC 7009): a refresh token takes its whole grant with it, an access token goes alone.

use std::sync::Arc;

use super::client_auth::{Credentials, Proof, authenticate};
use super::presented::Presented;
use super::{Stop, fault, read_form, refuse_and_record};
use crate::app::App;
use crate::audit::{Entry, Event, Origin};
use crate::clock::UnixTime;
use crate::http::{Request, Response, Status};
use crate::oauth::params::Params;
use crate::oauth::refusal::TokenRefusal;
use crate::store::{WriteTx, grants, revoked_tokens};

/// `POST /oauth/revoke`: 200 also for a token that nobody knows.
pub async fn post(app: &Arc<App>, mut request: Request, now: UnixTime) -> Response {
    let (caller, params) = match read_form(app, &mut request, now).await {
        Ok(read) => read,
        Err(answer) => return answer,
    };
    let (credentials, presented) = match read(app, &request, &params, now) {
        Ok(read) => read,
        Err(Stop::Refused(refusal)) => return refuse_and_record(app, &caller, None, refusal, now).await,
        Err(Stop::Fault(why)) => return fault(&why),
    };
    let (origin, client) = (caller.origin.clone(), credentials.client_id().cloned());
    let proof = match credentials.prove(app, &caller, now).await {
        Ok(proof) => proof,
        Err(Stop::Refused(refusal)) => return refuse_and_record(app, &caller, client, refusal, now).await,
        Err(Stop::Fault(why)) => return fault(&why),
    };
    let done = app
        .store
        .write(move |tx| match revoke(tx, &proof, &presented, &origin, now) {
            Ok(()) => Ok(Ok(())),
            Err(Stop::Refused(refusal)) => Ok(Err(refusal)),
            Err(Stop::Fault(why)) => Err(why),
        })
        .await;
    match done {
        Ok(Ok(())) => Response::new(Status::OK).no_store(),
        Ok(Err(refusal)) => refuse_and_record(app, &caller, client, refusal, now).await,
        Err(why) => fault(&why),
    }
}

fn read(
    app: &App,
    request: &Request,
    params: &Params,
    now: UnixTime,
) -> Result<(Credentials, Presented), Stop<TokenRefusal>> {
    if let Some(name) = params.first_repeated() {
        return Err(TokenRefusal::ParameterRepeated(name).into());
    }
    let credentials = Credentials::read(request, params)?;
    let token = params.get("token").ok_or(TokenRefusal::ParameterMissing("token"))?;
    Ok((credentials, Presented::read(app, token, now)?))
}

fn revoke(
    tx: &WriteTx<'_>,
    proof: &Proof,
    presented: &Presented,
    origin: &Origin,
    now: UnixTime,
) -> Result<(), Stop<TokenRefusal>> {
    let authenticated = authenticate(tx, proof)?;
    let client = authenticated.client();
    match presented {
        Presented::Unknown => {}
        Presented::Refresh(token) => {
            let own = grants::find(tx, token.grant())?.filter(|grant| grant.client_id == client.id);
            if let Some(grant) = own
                && grants::revoke(tx, grant.id, "revoked by the client", now)?
            {
                let entry = Entry::new(Event::TokenRevoked, origin).client(client).user(&grant.user_id);
                entry.grant(grant.id).record(tx, now)?;
            }
        }
        Presented::Access(claims) if claims.client_id == client.id.as_str() => {
            revoked_tokens::insert(tx, &claims.jti, claims.exp)?;
            let user = crate::oauth::ids::UserId::parse(&claims.sub).ok();
            let entry = Entry::new(Event::TokenRevoked, origin).client(client).jti(&claims.jti);
            match &user {
                Some(user) => entry.user(user).record(tx, now)?,
                None => entry.record(tx, now)?,
            }
        }
        // Another client's token stays as it is, and this client does not learn that there is one.
        Presented::Access(_) => {}
    }
    Ok(())
}
