//! Access tokens whose signature was checked: checking one costs three times as much as making one.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::published::Documents;
use crate::clock::UnixTime;
use crate::crypto::digest::sha256;
use crate::oauth::claims::AccessTokenClaims;
use crate::oauth::issuer::Issuer;

/// How many are remembered; at about half a kilobyte each.
const TOKENS_MAX: usize = 4096;

/// A token with our signature.
#[derive(Debug)]
pub enum Ours {
    /// It still runs.
    Running(Arc<AccessTokenClaims>),
    /// It has ended by itself.
    Expired(Arc<AccessTokenClaims>),
}

/// Tokens by digest, so that a dump of this memory holds none.
#[derive(Default)]
pub(super) struct Verified(Mutex<HashMap<[u8; 32], Arc<AccessTokenClaims>>>);

impl Verified {
    /// What a token is, if it is ours.
    pub(super) fn get(
        &self,
        token: &str,
        documents: &Documents,
        issuer: &Issuer,
        now: UnixTime,
    ) -> Option<Ours> {
        // The key must be published still: a key withdrawn in an emergency takes its tokens with it.
        let key = documents.keys.iter().find(|key| key.is_named_by(token))?;
        let digest = sha256(token.as_bytes());
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&digest).cloned();
        let claims = match known {
            Some(claims) => claims,
            None => {
                let claims: AccessTokenClaims = serde_json::from_slice(&key.open(token)?).ok()?;
                let claims = Arc::new(claims);
                self.remember(digest, &claims, now);
                claims
            }
        };
        (claims.iss == issuer.as_str()).then(|| match now < claims.exp {
            true => Ours::Running(claims),
            false => Ours::Expired(claims),
        })
    }

    fn remember(&self, digest: [u8; 32], claims: &Arc<AccessTokenClaims>, now: UnixTime) {
        let mut tokens = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if tokens.len() >= TOKENS_MAX {
            tokens.retain(|_, claims| now < claims.exp);
        }
        if tokens.len() >= TOKENS_MAX {
            tokens.clear();
        }
        tokens.insert(digest, Arc::clone(claims));
    }
}
