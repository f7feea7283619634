//! The authorization code (RFC 6749 4.1.2), derived from the request that it answers.
//!
//! The same request always has the same code, so a browser that lost the answer to a double click can be given that
//! very answer again, and no second code is ever made. Without the database's key nobody can derive it, and whoever
//! reads the key from the database still lacks the verifier (RFC 7636 1).

use super::ids::AuthorizationId;
use super::refresh_token::ChainKey;
use super::secret::{Secret, SecretKind};
use crate::crypto::digest::hmac_sha256;

/// The code that answers this request.
pub fn code_of(authorization: &AuthorizationId, key: &ChainKey) -> Secret {
    // The word keeps this apart from everything else under the key; an id has one length.
    let bytes = hmac_sha256(key.as_bytes(), &[b"code", authorization.as_str().as_bytes()]);
    Secret::from_bytes(SecretKind::AuthorizationCode, &bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_has_one_code_and_no_other_request_or_key_has_it() {
        let (key, id) = (ChainKey::new(), AuthorizationId::new());
        let code = code_of(&id, &key);
        assert_eq!(code.expose(), code_of(&id, &key).expose());
        assert_eq!(code.expose().len(), "vac_".len() + 43);
        for other in [code_of(&AuthorizationId::new(), &key), code_of(&id, &ChainKey::new())] {
            assert_ne!(code.expose(), other.expose());
            assert_ne!(code.hash(), other.hash());
        }
        assert!(!code.expose().contains(id.as_str()));
    }
}
