//! What tokens open at resources, as long as nothing is written to the database: asking it costs as much as all the rest of
//! a look at a token.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::view::{Epoch, View};
use crate::oauth::claims::AccessTokenClaims;
use crate::oauth::resource::{Resource, ResourceUri};
use crate::store::standing::{self, Admission};
use crate::store::{Fault, Store};

/// How many are remembered; at about half a kilobyte each.
const STANDINGS_MAX: usize = 4096;

#[derive(Default)]
pub(super) struct Standings(Mutex<Known>);

/// What was found in one epoch.
#[derive(Default)]
struct Known {
    epoch: Option<Epoch>,
    /// By the token's `jti`; of a token for several resources, at the one where it was used last.
    found: HashMap<String, (ResourceUri, Admission)>,
}

impl Standings {
    /// What a token of ours opens at a resource of this view.
    pub(super) fn get(
        &self,
        store: &Store,
        view: &View,
        claims: &AccessTokenClaims,
        resource: &Resource,
    ) -> Result<Admission, Fault> {
        let Some(epoch) = view.epoch() else { return store.read(|tx| standing::at(tx, claims, resource)) };
        if let Some(known) = self.known(epoch, claims, resource) {
            return Ok(known);
        }
        let admission = store.read(|tx| standing::at(tx, claims, resource))?;
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.epoch != Some(epoch) || known.found.len() >= STANDINGS_MAX {
            *known = Known { epoch: Some(epoch), found: HashMap::new() };
        }
        known.found.insert(claims.jti.clone(), (resource.uri.clone(), admission.clone()));
        Ok(admission)
    }

    fn known(&self, epoch: Epoch, claims: &AccessTokenClaims, resource: &Resource) -> Option<Admission> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.epoch != Some(epoch) {
            return None;
        }
        let (uri, admission) = known.found.get(&claims.jti)?;
        (*uri == resource.uri).then(|| admission.clone())
    }
}
