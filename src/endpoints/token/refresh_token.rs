//! refresh_token (RFC 6749 6, RFC 9700 4.14): a refresh is a second authorization decision, then one statement.
//!
//! The person, the client and the resources are asked again before anything is spent, so a refused refresh leaves the
//! token as it was. A spent token that comes back outside the retry window revokes its grant.

use super::mint::{Grant, Subject};
use super::{Concern, Exchange, beyond, still_admitted};
use crate::endpoints::Stop;
use crate::oauth::refresh_token::RefreshToken;
use crate::oauth::refusal::TokenRefusal as Refusal;
use crate::oauth::resource::{ResourceUri, effective_scope, narrow, relative};
use crate::oauth::scope::Scope;
use crate::store::grants::{self, Place};
use crate::store::{Fault, resources, users};

/// Exchanges a refresh token for its successor.
pub(super) fn rotate(
    exchange: &Exchange<'_>,
    token: Option<RefreshToken>,
    scope: Option<&Scope>,
    concern: &mut Concern,
) -> Result<Grant, Stop<Refusal>> {
    let Exchange { app, tx, now, .. } = *exchange;
    let (client, lifetimes) = (exchange.client.client(), &app.settings.lifetimes);
    let token = token.ok_or(Refusal::RefreshTokenUnknown)?;
    let grant = grants::find(tx, token.grant())?.ok_or(Refusal::RefreshTokenUnknown)?;
    if grant.client_id != client.id {
        return Err(Refusal::RefreshTokenOfAnotherClient.into());
    }
    concern.user = Some(grant.user_id.clone());
    concern.grant = Some(grant.id);
    if grant.revoked_at.is_some() {
        return Err(Refusal::GrantRevoked.into());
    }
    if grant.has_expired(lifetimes.refresh_idle, now) {
        return Err(Refusal::GrantExpired.into());
    }
    let place = grant.place_of(&token, lifetimes.refresh_retry, now);
    match place {
        Place::Current | Place::Previous => {}
        Place::Newer => return Err(Refusal::RefreshTokenNewer.into()),
        Place::Unknown => return Err(Refusal::RefreshTokenUnknown.into()),
        Place::Spent => {
            concern.replayed = true;
            grants::revoke(tx, grant.id, "a spent refresh token came back", now)?;
            return Err(Refusal::RefreshTokenReplayed.into());
        }
    }
    let user = users::find(tx, &grant.user_id)?.filter(|user| user.disabled_at.is_none());
    if user.is_none() {
        return Err(Refusal::UserDisabled.into());
    }
    let asked = named(exchange, &grant.resources)?;
    let effective = match narrow(&grant.resources, &asked) {
        Ok(effective) => effective,
        Err(extra) => return Err(beyond(tx, extra)?.into()),
    };
    let resources = still_admitted(tx, &effective, &grant.user_id)?;
    let scope = narrow_scope(&effective_scope(&grant.scope, &resources, client.scope.as_ref()), scope)?;
    let rotated = match place {
        // A repeated rotation changes nothing, so that the first answer and this one lead to the same place.
        Place::Previous => grants::repeat(grant, &token, &app.chain_key),
        _ => {
            let uris: Vec<ResourceUri> = resources.iter().map(|resource| resource.uri.clone()).collect();
            grants::rotate(tx, grant, &token, uris, &app.chain_key, now)?
        }
    };
    let rotated = rotated.ok_or(Refusal::RefreshTokenUnknown)?;
    let (grant, successor) = (rotated.grant(), rotated.successor().clone());
    Ok(Grant {
        subject: Subject::Person { id: grant.user_id.clone(), auth_time: grant.auth_time, grant: grant.id },
        client_id: client.id.clone(),
        scope,
        resources,
        refresh_token: Some(successor),
    })
}

/// The resources that a refresh names. One that nobody registered, and that is the parent or a child of just one of the
/// grant's, is read as that one: clients that named their server rightly before send its base URL here. It leads to
/// nothing but what was granted, and a registered resource always means itself.
fn named(exchange: &Exchange<'_>, bound: &[ResourceUri]) -> Result<Vec<ResourceUri>, Fault> {
    let meant = |uri: &ResourceUri| {
        Ok(match relative(bound, uri) {
            Some(granted) if resources::find(exchange.tx, uri)?.is_none() => granted.clone(),
            _ => uri.clone(),
        })
    };
    exchange.resources.iter().map(meant).collect()
}

/// The scope of this access token alone: the grant keeps its own (RFC 6749 6). Clients add scopes that were never
/// granted, such as `offline_access`; those are dropped, unless nothing else was asked for.
fn narrow_scope(granted: &Scope, requested: Option<&Scope>) -> Result<Scope, Refusal> {
    match requested.map(|requested| requested.intersection(granted)) {
        None => Ok(granted.clone()),
        Some(kept) if kept.is_empty() && !granted.is_empty() => Err(Refusal::ScopeNotGranted),
        Some(kept) => Ok(kept),
    }
}
