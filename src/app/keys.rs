//! Signing keys, read from the database once each: reading a private key costs more than a signature.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use crate::crypto::jws::SigningKey;
use crate::store::{Fault, Store, signing_keys};

/// The keys that were used so far, by id. An id is a key's thumbprint, so an entry is never wrong.
#[derive(Default)]
pub(super) struct Keys(RwLock<HashMap<String, Arc<SigningKey>>>);

impl Keys {
    pub(super) fn get(&self, store: &Store, kid: &str) -> Result<Arc<SigningKey>, Fault> {
        if let Some(key) = self.0.read().unwrap_or_else(PoisonError::into_inner).get(kid) {
            return Ok(Arc::clone(key));
        }
        let stored = store
            .read(|tx| signing_keys::find(tx, kid))?
            .ok_or_else(|| Fault::new("sign a token", "the key was removed a moment ago; try again"))?;
        let key = Arc::new(stored.key);
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(kid.to_owned(), Arc::clone(&key));
        Ok(key)
    }
}
