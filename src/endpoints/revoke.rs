//! Token revocation (RFC 7009): a refresh token takes its whole grant with it, an access token goes alone.

use std::sync::Arc;

use super::client_auth::{Credentials, authenticate};
use super::{Caller, FORM_BYTES_MAX, Stop, fault, refuse, unreadable};
use crate::app::App;
use crate::audit::{Entry, Event, Origin};
use crate::clock::UnixTime;
use crate::http::{Request, Response, Status};
use crate::oauth::claims::AccessTokenClaims;
use crate::oauth::params::Params;
use crate::oauth::refresh_token::RefreshToken;
use crate::oauth::refusal::TokenRefusal;
use crate::store::{WriteTx, grants, revoked_tokens};

/// What was presented, once it is read. The hint is not needed: the two kinds cannot be confused.
enum Presented {
    Refresh(RefreshToken),
    Access(Arc<AccessTokenClaims>),
    Unknown,
}

/// `POST /oauth/revoke`: 200 also for a token that nobody knows.
pub async fn post(app: &Arc<App>, mut request: Request, now: UnixTime) -> Response {
    let caller = Caller::of(&request, app, now);
    let form = match request.form(FORM_BYTES_MAX).await {
        Ok(form) => form,
        Err(refusal) => return unreadable(&refusal),
    };
    let params = Params::collect(form.pairs());
    let read = match params.first_repeated() {
        Some(name) => Err(TokenRefusal::ParameterRepeated(name)),
        None => Credentials::read(&request, &params).and_then(|credentials| {
            Ok((credentials, params.get("token").ok_or(TokenRefusal::ParameterMissing("token"))?))
        }),
    };
    let (credentials, token) = match read {
        Ok(read) => read,
        Err(refusal) => return refuse(app, &caller, &refusal, now),
    };
    let presented = match RefreshToken::parse(token, &app.chain_key) {
        Some(token) => Presented::Refresh(token),
        None => match app.verify(token, now) {
            Ok(Some(claims)) => Presented::Access(claims),
            Ok(None) => Presented::Unknown,
            Err(why) => return fault(&why),
        },
    };
    let origin = caller.origin.clone();
    let done = app
        .store
        .write(move |tx| match revoke(tx, &credentials, &presented, &origin, now) {
            Ok(()) => Ok(Ok(())),
            Err(Stop::Refused(refusal)) => Ok(Err(refusal)),
            Err(Stop::Fault(why)) => Err(why),
        })
        .await;
    match done {
        Ok(Ok(())) => Response::new(Status::OK).no_store(),
        Ok(Err(refusal)) => refuse(app, &caller, &refusal, now),
        Err(why) => fault(&why),
    }
}

fn revoke(
    tx: &WriteTx<'_>,
    credentials: &Credentials,
    presented: &Presented,
    origin: &Origin,
    now: UnixTime,
) -> Result<(), Stop<TokenRefusal>> {
    let authenticated = authenticate(tx, credentials)?;
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
