//! Names of clients, people, and pending authorization requests.

use std::fmt;

use super::error::Malformed;
use crate::crypto::{digest::to_base64url, random};

/// A `client_id` (RFC 6749 2.2): up to 512 visible ASCII characters, since it may be the URL of a document.
///
/// Those that this server makes begin with `c_`, so they never look like the URL of a client metadata
/// document, and never like a person's `sub`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientId(String);

impl ClientId {
    /// A new one: 128 random bits.
    pub fn new() -> Self {
        Self(format!("c_{}", to_base64url(&random::bytes::<16>())))
    }

    /// Reads one from the wire, the database or the owner.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        if text.is_empty() || text.len() > 512 || !text.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(Malformed("a client_id has 1 to 512 visible ASCII characters"));
        }
        if text.starts_with(UserId::PREFIX) {
            return Err(Malformed("a client_id does not begin with usr_: those are people"));
        }
        Ok(Self(text.to_owned()))
    }

    /// As on the wire.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for ClientId {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A person's `sub`: random, so that it says nothing of the person and outlives a change of name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UserId(String);

impl UserId {
    /// Keeps people and machine clients apart in `sub` (RFC 9068 5).
    const PREFIX: &str = "usr_";

    /// A new one: 128 random bits.
    pub fn new() -> Self {
        Self(format!("{}{}", Self::PREFIX, to_base64url(&random::bytes::<16>())))
    }

    /// Reads one from the database or from a token of ours.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        match text.strip_prefix(Self::PREFIX) {
            Some(rest) if rest.len() == 22 && rest.bytes().all(is_base64url) => Ok(Self(text.to_owned())),
            _ => Err(Malformed("a user id is usr_ and 22 characters")),
        }
    }

    /// As in `sub`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for UserId {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The name that a person signs in with: lower-case ASCII, so that one person has one spelling everywhere
/// that counts (sign-in, throttling, `--users`).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UserName(String);

impl UserName {
    /// Reads a name as typed; case and surrounding space do not matter.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let name = text.trim().to_ascii_lowercase();
        let starts_well = name.bytes().next().is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
        let known = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-@+".contains(&b);
        if !starts_well || name.len() > 64 || !name.bytes().all(known) {
            return Err(Malformed(
                "a user name has 1 to 64 characters of a-z, 0-9 and . _ - @ +, and begins with a letter or digit",
            ));
        }
        Ok(Self(name))
    }

    /// As stored and shown.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Names a pending authorization request in the pages' URLs. Knowing it allows nothing.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AuthorizationId(String);

impl AuthorizationId {
    /// A new one: 128 random bits.
    pub fn new() -> Self {
        Self(to_base64url(&random::bytes::<16>()))
    }

    /// Reads one from a URL, a form or the database.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        if text.len() == 22 && text.bytes().all(is_base64url) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Malformed("an authorization id has 22 characters"))
        }
    }

    /// As in a URL.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for AuthorizationId {
    fn default() -> Self {
        Self::new()
    }
}

/// Names a grant: what one person allowed one client. Carried in its tokens as `grant_id`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GrantId(i64);

impl GrantId {
    /// From the database's row id.
    pub const fn new(id: i64) -> Self {
        Self(id)
    }

    /// The row id.
    pub const fn as_i64(self) -> i64 {
        self.0
    }
}

impl fmt::Display for GrantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

fn is_base64url(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'-' || b == b'_'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_name_has_one_spelling() {
        for typed in ["alice", " Alice ", "ALICE"] {
            assert_eq!(UserName::parse(typed).unwrap().as_str(), "alice");
        }
        for wrong in ["", " ", ".alice", "al ice", "älice", "alice\u{200b}", "a\0", &"a".repeat(65)] {
            assert!(UserName::parse(wrong).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_client_id_is_never_a_person() {
        assert!(ClientId::parse(UserId::new().as_str()).is_err());
        assert!(UserId::parse(ClientId::new().as_str()).is_err());
    }
}
