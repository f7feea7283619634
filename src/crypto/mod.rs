//! ring, argon2 and constant-time comparison, and only here: bytes in, bytes out.
//!
//! Knows nothing of OAuth, of HTTP or of the database, and never asks for the time.

pub mod digest;
pub mod jwk;
pub mod jws;
pub mod password;
pub mod public_key;
pub mod random;
