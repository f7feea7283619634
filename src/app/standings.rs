//! What tokens open at resources, as long as nothing is written to the database: asking it costs as much as all the rest of
//! a look at a token.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::view::{Epoch, View};
use crate::oauth::claims::AccessTokenClaims;
use crate::oauth::resource::{Resource, ResourceUri, effective_scope};
use crate::oauth::scope::Scope;
use crate::store::standing::{self, Admission, Caller};
use crate::store::{Fault, Store};

/// How many are remembered; at about half a kilobyte each.
const STANDINGS_MAX: usize = 4096;

/// What a token opens at a resource.
#[derive(Clone, Debug)]
pub enum Opening {
    /// It opens it.
    Open(Arc<Opened>),
    /// What it stands for has ended, as in [`Admission::Ended`].
    Ended,
    /// The owner does not admit its person or its client, as in [`Admission::Closed`].
    Closed,
}

/// To whom a token opens a resource, and how far.
#[derive(Debug)]
pub struct Opened {
    /// Whom it speaks for.
    pub caller: Caller,
    /// What it allows there today: a scope that the resource no longer has, or that the owner no longer lets its client
    /// have, is gone.
    pub scope: Scope,
}

impl Opening {
    /// What the database has found of a token, at that resource.
    pub fn of(admission: Admission, claims: &AccessTokenClaims, resource: &Resource) -> Self {
        let caller = match admission {
            Admission::Open(caller) => caller,
            Admission::Ended => return Self::Ended,
            Admission::Closed => return Self::Closed,
        };
        let given = claims.scope.as_deref().and_then(|scope| Scope::parse(scope).ok()).unwrap_or_default();
        let scope = effective_scope(&given, std::slice::from_ref(resource), caller.limit.as_ref());
        Self::Open(Arc::new(Opened { caller, scope }))
    }
}

#[derive(Default)]
pub(super) struct Standings(Mutex<Known>);

/// What was found in one epoch.
#[derive(Default)]
struct Known {
    epoch: Option<Epoch>,
    /// By the token's `jti`; of a token for several resources, at the one where it was used last.
    found: HashMap<String, (ResourceUri, Opening)>,
}

impl Standings {
    /// What a token of ours opens at a resource of this view.
    pub(super) fn get(
        &self,
        store: &Store,
        view: &View,
        claims: &AccessTokenClaims,
        resource: &Resource,
    ) -> Result<Opening, Fault> {
        let epoch = view.epoch();
        if let Some(known) = self.known(epoch, claims, resource) {
            return Ok(known);
        }
        let admission = store.read(|tx| standing::at(tx, claims, resource))?;
        let opening = Opening::of(admission, claims, resource);
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.epoch != Some(epoch) || known.found.len() >= STANDINGS_MAX {
            *known = Known { epoch: Some(epoch), found: HashMap::new() };
        }
        known.found.insert(claims.jti.clone(), (resource.uri.clone(), opening.clone()));
        Ok(opening)
    }

    fn known(&self, epoch: Epoch, claims: &AccessTokenClaims, resource: &Resource) -> Option<Opening> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.epoch != Some(epoch) {
            return None;
        }
        let (uri, opening) = known.found.get(&claims.jti)?;
        (*uri == resource.uri).then(|| opening.clone())
    }
}
