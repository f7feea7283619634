//! Passwords: argon2id with OWASP's first parameters (19 MiB, two passes, one lane).
//!
//! One call takes some 25 ms of a core and 19 MiB: callers bound how many run at once.

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};

use super::random;

const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// What the work of [`verify`] is done against when there is no such user, so that both take the same time.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// A hash of `password` with a fresh salt, as a PHC string.
///
/// # Panics
/// If the machine cannot give 19 MiB or no randomness: no password is then set.
pub fn hash(password: &str) -> String {
    let hash: PasswordHash = argon2()
        .hash_password_with_salt(password.as_bytes(), &random::bytes::<16>())
        .expect("salt and password are within argon2's bounds");
    hash.to_string()
}

/// Whether `password` is the one that `hash` was made of. `None` for a hash does the same work and says no.
pub fn verify(password: &str, hash: Option<&str>) -> bool {
    let known = hash.and_then(|hash| PasswordHash::new(hash).ok());
    let against = match &known {
        Some(hash) => hash.clone(),
        None => PasswordHash::new(NOBODY).expect("the constant is a PHC string"),
    };
    let same = argon2().verify_password(password.as_bytes(), &against).is_ok();
    same && known.is_some()
}

fn argon2() -> Argon2<'static> {
    let params =
        Params::new(MEMORY_KIB, PASSES, LANES, None).expect("the constants are within argon2's bounds");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_answers_to_its_own_hash_only() {
        let hash = hash("correct horse battery");
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert!(verify("correct horse battery", Some(&hash)));
        assert!(!verify("correct horse batterz", Some(&hash)));
    }

    #[test]
    fn nobody_has_no_password() {
        assert!(!verify("", None));
        assert!(!verify("anything", Some("not a hash")));
    }
}
