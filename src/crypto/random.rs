//! Randomness from the operating system, and from nowhere else.

use ring::rand::{SecureRandom, SystemRandom};

/// `N` random bytes.
///
/// # Panics
/// If the system gives none. A request that needs a secret then fails, and no weak secret is ever made.
pub fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    SystemRandom::new()
        .fill(&mut bytes)
        .expect("the operating system gives no randomness, and nothing secret can be made without");
    bytes
}
