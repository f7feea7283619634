//! From a grant to a token: the one place where claims are made.

use serde::Serialize;

use crate::app::App;
use crate::clock::{Seconds, UnixTime};
use crate::crypto::digest::to_base64url;
use crate::crypto::random;
use crate::oauth::claims::{AccessTokenClaims, Audience};
use crate::oauth::ids::{ClientId, GrantId, UserId};
use crate::oauth::refresh_token::RefreshToken;
use crate::oauth::resource::Resource;
use crate::oauth::scope::Scope;
use crate::store::{Fault, ReadTx, signing_keys};

/// How much sooner than it does a client is told that its token ends. `exp` counts from the second in which the token
/// was made, the client from the later moment at which it heard of it: told the same number, it would still use a token
/// that the resource refuses, and there are clients that then ask their person again instead of refreshing.
const HEAD_START: Seconds = Seconds::new(2);

/// What a grant's file decided; the only way to a token.
#[derive(Debug)]
pub(super) struct Grant {
    /// For whom.
    pub subject: Subject,
    /// To which client.
    pub client_id: ClientId,
    /// What.
    pub scope: Scope,
    /// For which servers; none: for the client itself.
    pub resources: Vec<Resource>,
    /// The refresh token to hand out with it.
    pub refresh_token: Option<RefreshToken>,
}

/// Whom a token speaks for.
#[derive(Debug)]
pub(super) enum Subject {
    /// A person, by a grant.
    Person { id: UserId, auth_time: UnixTime, grant: GrantId },
    /// The client itself.
    Client,
}

/// A token that only lacks its signature.
#[derive(Debug)]
pub(super) struct Minted {
    pub claims: AccessTokenClaims,
    kid: String,
    refresh_token: Option<String>,
}

/// The answer (RFC 6749 5.1).
#[derive(Serialize)]
pub(super) struct TokenResponse {
    access_token: String,
    token_type: &'static str,
    expires_in: Seconds,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
}

/// Plans the token of a grant: everything but the signature.
pub(super) fn plan(app: &App, tx: &ReadTx<'_>, grant: Grant, now: UnixTime) -> Result<Minted, Fault> {
    let Grant { subject, client_id, scope, resources, refresh_token } = grant;
    // The strictest of several resources decides; one without a word of its own has the setting's.
    let default = app.settings.lifetimes.access_token;
    let lifetime =
        resources.iter().map(|resource| resource.token_lifetime.unwrap_or(default)).min().unwrap_or(default);
    let audience = if resources.is_empty() {
        vec![client_id.as_str().to_owned()]
    } else {
        resources.iter().map(|resource| resource.uri.as_str().to_owned()).collect()
    };
    let (sub, auth_time, grant_id) = match subject {
        Subject::Person { id, auth_time, grant } => {
            (id.as_str().to_owned(), Some(auth_time), Some(grant.as_i64()))
        }
        Subject::Client => (client_id.as_str().to_owned(), None, None),
    };
    let claims = AccessTokenClaims {
        iss: app.issuer.as_str().to_owned(),
        aud: Audience::of(audience),
        sub,
        exp: now.plus(lifetime),
        iat: now,
        jti: to_base64url(&random::bytes::<16>()),
        client_id: client_id.as_str().to_owned(),
        scope: (!scope.is_empty()).then(|| scope.to_string()),
        auth_time,
        grant_id,
    };
    let refresh_token = refresh_token.map(|token| token.expose(&app.chain_key));
    Ok(Minted { claims, kid: signing_keys::current(tx, now)?, refresh_token })
}

impl Minted {
    /// Signs the token and writes the answer.
    pub(super) fn sign(self, app: &App) -> Result<TokenResponse, Fault> {
        Ok(TokenResponse {
            access_token: app.sign(&self.kid, &self.claims)?,
            token_type: "Bearer",
            expires_in: self.claims.exp.minus(HEAD_START).since(self.claims.iat),
            refresh_token: self.refresh_token,
            scope: self.claims.scope,
        })
    }
}
