//! A token as presented to revocation and introspection: which kind it is, and whether it is ours at all.
//!
//! The `token_type_hint` (RFC 7009 2.1) is not needed: the two kinds cannot be confused.

use std::sync::Arc;

use crate::app::{App, Ours};
use crate::clock::UnixTime;
use crate::oauth::claims::AccessTokenClaims;
use crate::oauth::refresh_token::RefreshToken;
use crate::store::Fault;

/// What was presented.
pub(super) enum Presented {
    /// A refresh token with this server's tag; whether it is still good, its grant says.
    Refresh(RefreshToken),
    /// An access token with this server's signature that has not ended by itself.
    Access(Arc<AccessTokenClaims>),
    /// Anything else.
    Unknown,
}

impl Presented {
    pub(super) fn read(app: &App, token: &str, now: UnixTime) -> Result<Self, Fault> {
        if let Some(token) = RefreshToken::parse(token, &app.chain_key) {
            return Ok(Self::Refresh(token));
        }
        Ok(match app.verify(&app.view(now)?, token, now) {
            Some(Ours::Running(claims)) => Self::Access(claims),
            _ => Self::Unknown,
        })
    }
}
