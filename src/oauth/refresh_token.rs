//! The refresh token: a grant's id, a generation, a secret, and a tag that only this server can make.
//!
//! The secret of the next generation is derived from the one presented, so the same old token always leads to
//! the same new one: a lost answer can be asked for again, and two processes that refresh at once agree.
//! The database keeps hashes only, so it leads to no token. The tag makes a true token recognisable whatever
//! its age, in one step and before the database is asked: a spent one is told from a made-up one.

use std::fmt;

use super::ids::GrantId;
use super::secret::SecretHash;
use crate::crypto::digest::{equal, from_base64url, hmac_sha256, sha256, to_base64url};
use crate::crypto::random;

const PREFIX: &str = "vrt_";
/// id 8, generation 4, secret 32, tag 16: 80 characters of base64url with no bit left over.
const LENGTH: usize = 60;

/// The key under which successors and codes are derived and tags are made; one per database.
#[derive(Clone)]
pub struct ChainKey([u8; 32]);

impl ChainKey {
    /// A new key.
    pub fn new() -> Self {
        Self(random::bytes())
    }

    /// From the database.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// For the database.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl Default for ChainKey {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for ChainKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ChainKey(..)")
    }
}

/// A token that bears this server's tag. Whether it is still good, the grant's row says.
#[derive(Clone)]
pub struct RefreshToken {
    grant: GrantId,
    generation: u32,
    secret: [u8; 32],
}

impl RefreshToken {
    /// The first token of a grant.
    pub fn first(grant: GrantId) -> Self {
        Self { grant, generation: 1, secret: random::bytes() }
    }

    /// The token that follows this one: always the same.
    pub fn successor(&self, key: &ChainKey) -> Self {
        let generation = self.generation.saturating_add(1);
        let secret = hmac_sha256(
            &key.0,
            &[b"successor", &self.grant.as_i64().to_be_bytes(), &generation.to_be_bytes(), &self.secret],
        );
        Self { grant: self.grant, generation, secret }
    }

    /// Reads a presented token; `None` for anything that this server did not make.
    pub fn parse(text: &str, key: &ChainKey) -> Option<Self> {
        let bytes: [u8; LENGTH] = from_base64url(text.strip_prefix(PREFIX)?)?.try_into().ok()?;
        let (id, rest) = bytes.split_first_chunk::<8>()?;
        let (generation, rest) = rest.split_first_chunk::<4>()?;
        let (secret, tag) = rest.split_first_chunk::<32>()?;
        let token = Self {
            grant: GrantId::new(i64::from_be_bytes(*id)),
            generation: u32::from_be_bytes(*generation),
            secret: *secret,
        };
        equal(tag, &token.tag(key)).then_some(token)
    }

    /// The grant it belongs to.
    pub const fn grant(&self) -> GrantId {
        self.grant
    }

    /// How many rotations led to it, counted from 1.
    pub const fn generation(&self) -> u32 {
        self.generation
    }

    /// What the database keeps of it.
    pub fn hash(&self) -> SecretHash {
        SecretHash::from_bytes(sha256(&self.secret))
    }

    /// The token itself, for the one answer that shows it.
    pub fn expose(&self, key: &ChainKey) -> String {
        let mut bytes = Vec::with_capacity(LENGTH);
        bytes.extend_from_slice(&self.grant.as_i64().to_be_bytes());
        bytes.extend_from_slice(&self.generation.to_be_bytes());
        bytes.extend_from_slice(&self.secret);
        bytes.extend_from_slice(&self.tag(key));
        format!("{PREFIX}{}", to_base64url(&bytes))
    }

    fn tag(&self, key: &ChainKey) -> [u8; 16] {
        let whole = hmac_sha256(
            &key.0,
            &[b"tag", &self.grant.as_i64().to_be_bytes(), &self.generation.to_be_bytes(), &self.secret],
        );
        let (tag, _) = whole.split_first_chunk::<16>().expect("32 bytes begin with 16");
        *tag
    }
}

impl fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RefreshToken(grant {}, generation {})", self.grant, self.generation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_token_always_leads_to_the_same_successor() {
        let key = ChainKey::new();
        let first = RefreshToken::first(GrantId::new(7));
        let text = first.expose(&key);
        let (one, two) = (first.successor(&key), RefreshToken::parse(&text, &key).unwrap().successor(&key));
        assert_eq!(one.expose(&key), two.expose(&key));
        assert_eq!((one.generation(), one.grant()), (2, GrantId::new(7)));
        assert_ne!(one.hash(), first.hash());
        assert_ne!(one.expose(&key), first.successor(&ChainKey::new()).expose(&key));
    }

    #[test]
    fn every_changed_character_makes_it_a_strangers() {
        let key = ChainKey::new();
        let text = RefreshToken::first(GrantId::new(1)).expose(&key);
        assert_eq!(text.len(), 84);
        for at in 0..text.len() {
            let mut changed = text.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            assert!(RefreshToken::parse(std::str::from_utf8(&changed).unwrap(), &key).is_none(), "{at}");
        }
        for wrong in ["", "vrt_", &text[4..], &text[..83], &format!("{text}A"), &format!("{text} ")] {
            assert!(RefreshToken::parse(wrong, &key).is_none(), "{wrong:?}");
        }
        assert!(RefreshToken::parse(&text, &ChainKey::new()).is_none());
    }
}
