//! Client authentication by key (RFC 7523 2.2): from an assertion to proof, which it is good for once.

use std::fmt::Display;

use super::{Caller, Stop};
use crate::app::client_documents::{self, Freshness, Unlearnt};
use crate::app::client_keys::{self, NoKeys};
use crate::app::{App, problem};
use crate::clock::UnixTime;
use crate::oauth::client::{Client, Credential, KeySource, RegisteredBy};
use crate::oauth::client_assertion::{ClientAssertion, VerifiedAssertion};
use crate::oauth::error::ErrorCode;
use crate::oauth::ids::ClientId;
use crate::oauth::key_set::KeySet;
use crate::oauth::metadata::path;
use crate::oauth::refusal::TokenRefusal as Refusal;
use crate::store::{clients, used_assertions};

/// Finds out whether the client signed it, and uses it up: durably, and before anything is given for it.
pub(super) async fn prove(
    app: &App,
    assertion: &ClientAssertion,
    caller: &Caller,
    now: UnixTime,
) -> Result<VerifiedAssertion, Stop<Refusal>> {
    let token_endpoint = app.issuer.url(path::TOKEN);
    let verify = |keys: &KeySet| assertion.verify(keys, &app.issuer, &token_endpoint, now);
    let id = assertion.unverified_client_id();
    let verified = match verify(&keys(app, id, Freshness::Stated, caller, now).await?) {
        Err(problem) if problem.fresh_keys_may_help() => {
            verify(&keys(app, id, Freshness::Renewed, caller, now).await?)
        }
        outcome => outcome,
    };
    let verified = verified.map_err(Refusal::Assertion)?;
    let (hash, until) = (*verified.jti_hash(), verified.remember_until());
    if !app.store.write(move |tx| used_assertions::spend(tx, &hash, until)).await? {
        return Err(Refusal::AssertionReplayed.into());
    }
    Ok(verified)
}

/// The keys that this client can be known by.
async fn keys(
    app: &App,
    id: &ClientId,
    freshness: Freshness,
    caller: &Caller,
    now: UnixTime,
) -> Result<KeySet, Stop<Refusal>> {
    let mut client = find(app, id)?;
    // Nobody makes this server fetch the document of a client that nobody uses: it is known, or it is unknown.
    if client.registered_by == RegisteredBy::Document {
        match client_documents::learn(app, id, freshness, &caller.origin, caller.key, now).await {
            Ok(()) => client = find(app, id)?,
            Err(Unlearnt::Fault(why)) => return Err(why.into()),
            Err(Unlearnt::Busy(_)) => return Err(too_often()),
            Err(Unlearnt::Refused(why)) => {
                let mend = problem::mend_document(&why);
                return Err(Stop::Refused(match why.code() {
                    ErrorCode::TemporarilyUnavailable => Refusal::KeysUnavailable(mend),
                    _ => Refusal::KeysRefused(mend),
                }));
            }
        }
    }
    let Credential::Keys { source, .. } = &client.credential else {
        return Err(Refusal::AssertionUnexpected.into());
    };
    let url = match source {
        KeySource::Here(keys) => return Ok(keys.clone()),
        KeySource::At(url) => url,
    };
    // The log cuts what is long, and the URL is a stranger's.
    let mend = |why: &dyn Display| {
        format!("see that the client's jwks_uri answers with its public keys ({why}: {})", url.as_str())
    };
    client_keys::find(app, &client, url, freshness, caller.key, now).await.map_err(|why| match why {
        NoKeys::Fault(why) => Stop::Fault(why),
        NoKeys::Fetch(why) if why.is_outage() => Stop::Refused(Refusal::KeysUnavailable(mend(&why))),
        NoKeys::Fetch(why) => Stop::Refused(Refusal::KeysRefused(mend(&why))),
        NoKeys::Malformed(why) => Stop::Refused(Refusal::KeysRefused(mend(&why))),
        NoKeys::TooOften => too_often(),
    })
}

fn too_often() -> Stop<Refusal> {
    let mend = "its keys were asked for too often, and there is no copy to use meanwhile: wait a minute";
    Stop::Refused(Refusal::KeysUnavailable(mend.to_owned()))
}

fn find(app: &App, id: &ClientId) -> Result<Client, Stop<Refusal>> {
    app.store.read(|tx| clients::find(tx, id))?.ok_or(Stop::Refused(Refusal::ClientUnknown))
}
