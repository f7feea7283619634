//! client_credentials (RFC 6749 4.4): a machine client gets only what is on its allow-list.
//!
//! There is no person whose consent would bound the token, so the owner's list does: a stolen machine credential must
//! not open another server.

use super::Exchange;
use super::mint::{Grant, Subject};
use crate::endpoints::Stop;
use crate::oauth::refusal::TokenRefusal as Refusal;
use crate::oauth::resource::{machine_scope, narrow};
use crate::oauth::scope::Scope;
use crate::store::resources;

/// Grants a machine client a token for the resources it names, or for its whole allow-list. Without an allow-list the
/// token is for the client itself, and no resource may be named.
pub(super) fn grant(exchange: &Exchange<'_>, scope: Option<&Scope>) -> Result<Grant, Stop<Refusal>> {
    let client = exchange.client.client();
    let allowed = narrow(&client.audience, exchange.resources).map_err(Refusal::ResourceNotAllowed)?;
    let (resources, unknown) = resources::resolve(exchange.tx, &allowed)?;
    if !unknown.is_empty() {
        return Err(Refusal::ResourceUnknown(unknown).into());
    }
    Ok(Grant {
        subject: Subject::Client,
        client_id: client.id.clone(),
        scope: machine_scope(scope, &resources, client.scope.as_ref()),
        resources,
        refresh_token: None,
    })
}
