//! Who asks at a guarded resource: from a header to proof.

use std::sync::Arc;

use crate::app::{App, Opened, Opening, Ours, View};
use crate::clock::UnixTime;
use crate::http::Request;
use crate::oauth::claims::AccessTokenClaims;
use crate::oauth::resource::{Resource, ResourceUri};
use crate::oauth::scope::Scope;
use crate::store::standing::{self, Caller};
use crate::store::{Fault, resources};

/// Proof that whoever asks may use this resource, here and now. Only [`admit`] makes one.
#[derive(Clone, Debug)]
pub(super) struct Admitted {
    claims: Arc<AccessTokenClaims>,
    opened: Arc<Opened>,
    /// The token's first part, which names the key that made it, and tells nothing else.
    key: String,
}

impl Admitted {
    /// The token's claims.
    pub(super) fn claims(&self) -> &Arc<AccessTokenClaims> {
        &self.claims
    }

    /// Whom it speaks for.
    pub(super) fn caller(&self) -> &Caller {
        &self.opened.caller
    }

    /// What it allows at this resource today.
    pub(super) fn scope(&self) -> &Scope {
        &self.opened.scope
    }
}

/// Why somebody may not use a resource. Where the token is ours, it is known whom it speaks for.
#[derive(Clone, Debug)]
pub(super) enum BearerRefusal {
    /// No token came.
    Missing,
    /// What came is no token of ours.
    Unknown,
    /// The token has ended by itself, as every token does.
    Expired(Arc<AccessTokenClaims>),
    /// The token is for other resources.
    ForOthers(Arc<AccessTokenClaims>),
    /// What the token stands for has ended: it was revoked, or its grant, its client or its person is gone.
    Ended(Arc<AccessTokenClaims>),
    /// The owner does not, or no longer, admit its person or its client.
    Closed(Arc<AccessTokenClaims>),
    /// The call needs more than the token allows: these scopes, with what it allows already.
    Insufficient(Scope, Arc<AccessTokenClaims>),
}

impl BearerRefusal {
    /// The reason in one word, for the log and the audit.
    pub(super) const fn reason(&self) -> &'static str {
        match self {
            Self::Missing => "token_missing",
            Self::Unknown => "token_unknown",
            Self::Expired(_) => "token_expired",
            Self::ForOthers(_) => "token_for_others",
            Self::Ended(_) => "token_ended",
            Self::Closed(_) => "not_admitted",
            Self::Insufficient(..) => "scope_insufficient",
        }
    }

    /// Whom the token speaks for, if it is ours.
    pub(super) const fn claims(&self) -> Option<&Arc<AccessTokenClaims>> {
        match self {
            Self::Missing | Self::Unknown => None,
            Self::Expired(claims)
            | Self::ForOthers(claims)
            | Self::Ended(claims)
            | Self::Closed(claims)
            | Self::Insufficient(_, claims) => Some(claims),
        }
    }

    /// Whether it is what somebody gets who tries tokens that open nothing, or nothing any more: each try is written down.
    pub(super) const fn is_guess(&self) -> bool {
        matches!(self, Self::Unknown | Self::Ended(_))
    }
}

/// Whether the token of a request stands in its query too, which goes on to the server behind (RFC 6750 2: one method at
/// a time).
pub(super) fn is_in_query(request: &Request) -> bool {
    !request.query().is_empty() && request.bearer().is_some_and(|token| request.query().contains(token))
}

/// Finds out whether whoever asks may use the resource.
pub(super) fn admit(
    app: &App,
    view: &View,
    request: &Request,
    resource: &Resource,
    now: UnixTime,
) -> Result<Result<Admitted, BearerRefusal>, Fault> {
    let token = match request.bearer() {
        Some(token) => token,
        None if request.header("authorization").is_some_and(is_bearer) => {
            return Ok(Err(BearerRefusal::Unknown));
        }
        None => return Ok(Err(BearerRefusal::Missing)),
    };
    let claims = match app.verify(view, token, now) {
        Some(Ours::Running(claims)) => claims,
        Some(Ours::Expired(claims)) => return Ok(Err(BearerRefusal::Expired(claims))),
        None => return Ok(Err(BearerRefusal::Unknown)),
    };
    if !is_for(&claims, resource) {
        return Ok(Err(BearerRefusal::ForOthers(claims)));
    }
    // Only the key that it names has verified it.
    let key = token.split_inclusive('.').next().unwrap_or_default().to_owned();
    Ok(match app.opening(view, &claims, resource)? {
        Opening::Ended => Err(BearerRefusal::Ended(claims)),
        Opening::Closed => Err(BearerRefusal::Closed(claims)),
        Opening::Open(opened) => Ok(Admitted { claims, opened, key }),
    })
}

/// Whether a header's value is of the scheme of tokens. Any other is none of ours, and is answered as if nothing had come.
pub(super) fn is_bearer(authorization: &str) -> bool {
    authorization.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("bearer "))
}

/// Asks again for what was admitted at this resource before, but for its time: the refusal, once there would be one.
pub(super) fn readmit(
    app: &App,
    view: &View,
    admitted: &Admitted,
    resource: &Resource,
) -> Result<Result<(), BearerRefusal>, Fault> {
    let Admitted { claims, opened, key } = admitted;
    let ended = || Ok(Err(BearerRefusal::Ended(Arc::clone(claims))));
    // A key withdrawn in an emergency takes its tokens with it.
    if !view.documents().keys.iter().any(|published| published.is_named_by(key)) {
        return ended();
    }
    let asked = app.store.read(|tx| match resources::find(tx, &resource.uri)? {
        // One that lies elsewhere now, or has other rules, is another one.
        Some(today) if today.guard == resource.guard => {
            Ok(Some(Opening::of(standing::at(tx, claims, &today)?, claims, &today)))
        }
        _ => Ok(None),
    })?;
    Ok(match asked {
        Some(Opening::Open(today)) if opened.scope.is_within(&today.scope) => Ok(()),
        Some(Opening::Closed) => Err(BearerRefusal::Closed(Arc::clone(claims))),
        _ => return ended(),
    })
}

/// Whether a token is for this resource: it names it, in the registry's spelling or in another that means the same.
fn is_for(claims: &AccessTokenClaims, resource: &Resource) -> bool {
    claims.aud.iter().any(|aud| {
        aud == resource.uri.as_str() || ResourceUri::parse(aud).is_ok_and(|uri| uri == resource.uri)
    })
}
