//! authorization_code (RFC 6749 4.1.3, RFC 7636 4.5): all checks first, then the one statement that decides.
//!
//! A wrong client, redirect or resource does not burn the code, or whoever overhears it could spoil it for its owner.
//! Five wrong verifiers do. Only a replay that is right in everything revokes what the code led to.

use super::mint::{Grant, Subject};
use super::{Concern, Exchange, beyond, still_admitted};
use crate::endpoints::Stop;
use crate::oauth::grant_type::GrantType;
use crate::oauth::pkce::PkceVerifier;
use crate::oauth::refusal::TokenRefusal as Refusal;
use crate::oauth::resource::{Resource, ResourceUri, effective_scope, narrow};
use crate::oauth::secret::SecretHash;
use crate::store::authorization_codes::{self, AuthorizationCode, RedeemedCode, WRONG_VERIFIERS_MAX};
use crate::store::grants::{self, NewGrant};
use crate::store::users;

/// Redeems a code.
pub(super) fn redeem(
    exchange: &Exchange<'_>,
    hash: &SecretHash,
    verifier: &PkceVerifier,
    redirect_uri: Option<&str>,
    concern: &mut Concern,
) -> Result<Grant, Stop<Refusal>> {
    let Exchange { tx, now, .. } = *exchange;
    let client = exchange.client.client();
    let code = authorization_codes::find(tx, hash)?.ok_or(Refusal::CodeUnknown)?;
    concern.user = Some(code.user_id.clone());
    if code.client_id != client.id {
        return Err(Refusal::CodeOfAnotherClient.into());
    }
    // Clients of OAuth 2.1 leave it out; whoever sends it must send the same. A redirect that the client has lost
    // since is no longer its own.
    let differs = redirect_uri.is_some_and(|presented| presented != code.redirect_uri);
    if differs || !client.redirect_uris.iter().any(|uri| uri.matches(&code.redirect_uri)) {
        return Err(Refusal::RedirectUriDiffers.into());
    }
    check_verifier(exchange, &code, verifier)?;
    let effective = match narrow(&code.resources, exchange.resources) {
        Ok(effective) => effective,
        Err(extra) => return Err(beyond(tx, extra)?.into()),
    };
    let user = users::find(tx, &code.user_id)?.filter(|user| user.disabled_at.is_none());
    if user.is_none() {
        return Err(Refusal::UserDisabled.into());
    }
    if let Some(redemption) = code.redeemed {
        concern.replayed = true;
        if let Some(grant) = redemption.grant {
            concern.grant = Some(grant);
            grants::revoke(tx, grant, "its authorization code was used twice", now)?;
        }
        return Err(Refusal::CodeReplayed.into());
    }
    if now >= code.expires_at {
        return Err(Refusal::CodeExpired.into());
    }
    let admitting = still_admitted(tx, &effective, &code.user_id)?;
    let redeemed = authorization_codes::redeem(tx, code, now)?.ok_or(Refusal::CodeSpent)?;
    let grant = begin(exchange, &redeemed, admitting)?;
    if let Subject::Person { grant, .. } = grant.subject {
        concern.grant = Some(grant);
        authorization_codes::led_to(tx, &redeemed, grant)?;
    }
    Ok(grant)
}

fn check_verifier(
    exchange: &Exchange<'_>,
    code: &AuthorizationCode,
    verifier: &PkceVerifier,
) -> Result<(), Stop<Refusal>> {
    if code.wrong_verifiers >= WRONG_VERIFIERS_MAX {
        return Err(Refusal::CodeBurnt.into());
    }
    if code.challenge.is_answered_by(verifier) {
        return Ok(());
    }
    if code.redeemed.is_some() {
        return Err(Refusal::CodeSpent.into());
    }
    authorization_codes::count_wrong_verifier(exchange.tx, &code.hash)?;
    Err(Refusal::VerifierWrong.into())
}

/// Makes the grant that the code stands for, with its first refresh token.
fn begin(
    exchange: &Exchange<'_>,
    redeemed: &RedeemedCode,
    resources: Vec<Resource>,
) -> Result<Grant, Stop<Refusal>> {
    let Exchange { app, tx, now, .. } = *exchange;
    let (client, code) = (exchange.client.client(), redeemed.code());
    let uris: Vec<ResourceUri> = resources.iter().map(|resource| resource.uri.clone()).collect();
    let new = NewGrant {
        client_id: &client.id,
        user_id: &code.user_id,
        scope: &code.scope,
        resources: &uris,
        auth_time: code.auth_time,
        expires_at: now.plus(app.settings.lifetimes.refresh_absolute),
    };
    let id = grants::insert(tx, &new, now)?;
    let refresh_token =
        if client.may_use(GrantType::RefreshToken) { Some(grants::begin_refresh(tx, id)?) } else { None };
    Ok(Grant {
        subject: Subject::Person { id: code.user_id.clone(), auth_time: code.auth_time, grant: id },
        client_id: client.id.clone(),
        scope: effective_scope(&code.scope, &resources, client.scope.as_ref()),
        resources,
        refresh_token,
    })
}
