//! Token introspection (RFC 7662), for confidential clients: their own tokens, and those whose audience they are.

use std::sync::Arc;

use serde::Serialize;

use super::client_auth::{Credentials, Proof, Showed, authenticate};
use super::presented::Presented;
use super::{Caller, Stop, fault, read_form, refuse_and_record};
use crate::app::App;
use crate::clock::UnixTime;
use crate::http::{Request, Response, Status};
use crate::oauth::claims::{AccessTokenClaims, Audience};
use crate::oauth::client::Client;
use crate::oauth::params::Params;
use crate::oauth::refresh_token::RefreshToken;
use crate::oauth::refusal::TokenRefusal;
use crate::oauth::resource::ResourceUri;
use crate::store::grants::Place;
use crate::store::standing::{self, Standing};
use crate::store::{Fault, ReadTx, grants, users};

/// What the caller learns of a live token (RFC 7662 2.2).
#[derive(Serialize)]
struct Active {
    active: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    client_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    token_type: &'static str,
    exp: UnixTime,
    iat: UnixTime,
    sub: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<Audience>,
    iss: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    jti: Option<String>,
}

/// Whatever is wrong with a token, the answer is the same, byte for byte (RFC 7662 2.2).
const INACTIVE: &[u8] = br#"{"active":false}"#;

/// `POST /oauth/introspect`.
pub async fn post(app: &Arc<App>, mut request: Request, now: UnixTime) -> Response {
    let (caller, params) = match read_form(app, &mut request, now).await {
        Ok(read) => read,
        Err(answer) => return answer,
    };
    match answer(app, &request, &params, &caller, now).await {
        Ok(Some(active)) => Response::json(Status::OK, &active).no_store(),
        Ok(None) => Response::json_bytes(Status::OK, bytes::Bytes::from_static(INACTIVE)).no_store(),
        Err(Stop::Refused(refusal)) => {
            let client =
                Credentials::read(&request, &params).ok().and_then(|named| named.client_id().cloned());
            refuse_and_record(app, &caller, client, refusal, now).await
        }
        Err(Stop::Fault(why)) => fault(&why),
    }
}

async fn answer(
    app: &App,
    request: &Request,
    params: &Params,
    caller: &Caller,
    now: UnixTime,
) -> Result<Option<Active>, Stop<TokenRefusal>> {
    if let Some(name) = params.first_repeated() {
        return Err(TokenRefusal::ParameterRepeated(name).into());
    }
    let credentials = Credentials::read(request, params)?;
    let token = params.get("token").ok_or(TokenRefusal::ParameterMissing("token"))?;
    let presented = Presented::read(app, token, now)?;
    let proof = credentials.prove(app, caller, now).await?;
    // Refusals pass through the read as values; only a fault ends it.
    app.store.read(|tx| match look(app, tx, &proof, &presented, now) {
        Err(Stop::Fault(why)) => Err(why),
        answer => Ok(answer),
    })?
}

fn look(
    app: &App,
    tx: &ReadTx<'_>,
    proof: &Proof,
    presented: &Presented,
    now: UnixTime,
) -> Result<Option<Active>, Stop<TokenRefusal>> {
    let authenticated = authenticate(tx, proof)?;
    let client = authenticated.client();
    if authenticated.showed() == Showed::Nothing {
        return Err(TokenRefusal::SecretMissing.into());
    }
    match presented {
        Presented::Unknown => Ok(None),
        Presented::Access(claims) if concerns(claims, client) => Ok(access(tx, claims)?),
        Presented::Access(_) => Ok(None),
        Presented::Refresh(token) => Ok(refresh(app, tx, token, client, now)?),
    }
}

/// Whether this client may know of the token: it is its own, or it is meant for it.
fn concerns(claims: &AccessTokenClaims, client: &Client) -> bool {
    let is_audience = |aud: &str| {
        aud == client.id.as_str() || ResourceUri::parse(aud).is_ok_and(|uri| client.audience.contains(&uri))
    };
    claims.client_id == client.id.as_str() || claims.aud.iter().any(is_audience)
}

fn access(tx: &ReadTx<'_>, claims: &AccessTokenClaims) -> Result<Option<Active>, Fault> {
    let username = match standing::of(tx, claims)? {
        Standing::Good { user_name } => user_name,
        Standing::Ended => return Ok(None),
    };
    Ok(Some(Active {
        active: true,
        scope: claims.scope.clone(),
        client_id: claims.client_id.clone(),
        username,
        token_type: "Bearer",
        exp: claims.exp,
        iat: claims.iat,
        sub: claims.sub.clone(),
        aud: Some(claims.aud.clone()),
        iss: claims.iss.clone(),
        jti: Some(claims.jti.clone()),
    }))
}

/// A refresh token is shown to the client that holds it, and to nobody else, while its person may sign in.
fn refresh(
    app: &App,
    tx: &ReadTx<'_>,
    token: &RefreshToken,
    client: &Client,
    now: UnixTime,
) -> Result<Option<Active>, Fault> {
    let idle = app.settings.lifetimes.refresh_idle;
    let live = grants::find(tx, token.grant())?.filter(|grant| {
        grant.client_id == client.id
            && grant.revoked_at.is_none()
            && !grant.has_expired(idle, now)
            && grant.place_of(token, app.settings.lifetimes.refresh_retry, now) == Place::Current
    });
    let Some(grant) = live else { return Ok(None) };
    let user = users::find(tx, &grant.user_id)?.filter(|user| user.disabled_at.is_none());
    Ok(user.map(|user| Active {
        active: true,
        scope: (!grant.scope.is_empty()).then(|| grant.scope.to_string()),
        client_id: grant.client_id.as_str().to_owned(),
        username: Some(user.name.as_str().to_owned()),
        token_type: "refresh_token",
        exp: grant.expires_at.min(grant.rotated_at.plus(idle)),
        iat: grant.rotated_at,
        sub: grant.user_id.as_str().to_owned(),
        aud: None,
        iss: app.issuer.as_str().to_owned(),
        jti: None,
    }))
}
