//! Scopes (RFC 6749 3.3): sets of tokens, compared as sets.

use std::fmt;

use super::error::Malformed;

const TOKENS_MAX: usize = 50;
const TOKEN_LENGTH_MAX: usize = 128;

/// A set of scope tokens, sorted, each of RFC 6749's characters; may be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope(Vec<String>);

impl Scope {
    /// `offline_access` belongs to no resource: it asks for a refresh token (OpenID Connect Core 11).
    pub const OFFLINE_ACCESS: &'static str = "offline_access";

    /// No scope at all.
    pub const fn empty() -> Self {
        Self(Vec::new())
    }

    /// Reads a `scope` value: tokens with spaces between. Repeated tokens count once; at most 50 tokens of at
    /// most 128 characters.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        if text.len() > TOKENS_MAX * (TOKEN_LENGTH_MAX + 1) {
            return Err(Malformed("the scope is too long"));
        }
        let mut tokens = Vec::new();
        for token in text.split(' ').filter(|token| !token.is_empty()) {
            if token.len() > TOKEN_LENGTH_MAX {
                return Err(Malformed("a scope token has at most 128 characters"));
            }
            if !token.bytes().all(|b| matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e)) {
                return Err(Malformed("a scope token has a character that RFC 6749 3.3 does not allow"));
            }
            tokens.push(token.to_owned());
        }
        tokens.sort_unstable();
        tokens.dedup();
        if tokens.len() > TOKENS_MAX {
            return Err(Malformed("a scope has at most 50 tokens"));
        }
        Ok(Self(tokens))
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The tokens, sorted.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Whether the token is in it.
    pub fn contains(&self, token: &str) -> bool {
        self.0.binary_search_by(|have| have.as_str().cmp(token)).is_ok()
    }

    /// Whether all of this is in `other`.
    pub fn is_within(&self, other: &Self) -> bool {
        self.iter().all(|token| other.contains(token))
    }

    /// What is in both.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        Self(self.0.iter().filter(|token| other.contains(token)).cloned().collect())
    }

    /// What is in this and not in the other.
    #[must_use]
    pub fn without(&self, other: &Self) -> Self {
        Self(self.0.iter().filter(|token| !other.contains(token)).cloned().collect())
    }

    /// What is in either.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        let mut tokens: Vec<String> = self.0.iter().chain(&other.0).cloned().collect();
        tokens.sort_unstable();
        tokens.dedup();
        Self(tokens)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, token) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str(" ")?;
            }
            f.write_str(token)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(text: &str) -> Scope {
        Scope::parse(text).unwrap()
    }

    #[test]
    fn a_scope_is_a_set() {
        assert_eq!(scope("b a  b"), scope("a b"));
        assert_eq!(scope("b a").to_string(), "a b");
        assert!(scope("").is_empty());
        assert!(scope("a").is_within(&scope("a b")) && !scope("a c").is_within(&scope("a b")));
        assert_eq!(scope("a c").intersection(&scope("a b")), scope("a"));
        assert_eq!(scope("a c").union(&scope("a b")), scope("a b c"));
    }

    #[test]
    fn a_az_08_what_rfc_6749_does_not_allow_is_no_scope() {
        let many = (0..1000).map(|n| format!("s{n} ")).collect::<String>();
        for wrong in ["a\tb", "\"a", "a\\b", "a\u{a0}b", "é", "a\0", "a\n", &"x".repeat(50_000), &many] {
            assert!(Scope::parse(wrong).is_err(), "{:?}", &wrong[..wrong.len().min(20)]);
        }
    }
}
