//! The public keys with which a client signs its assertions: its JWK Set (RFC 7517 5), read strictly and kept small.

use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value};

use super::error::Malformed;
use super::json;
use crate::crypto::digest::from_base64url;
use crate::crypto::public_key::{AssertionAlgorithm, PublicKey};

/// Room for twenty of the largest RSA keys, with their certificates.
const LENGTH_MAX: usize = 64 * 1024;
const KEYS_MAX: usize = 20;
const KID_CHARS_MAX: usize = 256;
/// How many keys an assertion without `kid` is tried with: each costs a check of a signature.
const TRIED_WITHOUT_KID_MAX: usize = 4;

/// Members that no public key has (RFC 7518 6.2.2, 6.3.2, 6.4.1, RFC 8037 2), and `priv` of the kinds to come.
const PRIVATE_MEMBERS: [&str; 9] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"];

type Object = Map<String, Value>;

/// The keys of a client that can check its signatures: at least one, at most twenty. What else its set holds (keys for
/// encryption, keys of other kinds, certificates) is left out, and so are repetitions.
///
/// Equal sets hold the same keys under the same names, in whatever order (RFC 7517 5 gives it no meaning).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeySet {
    keys: Vec<Key>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Key {
    #[serde(skip_serializing_if = "Option::is_none")]
    kid: Option<String>,
    #[serde(flatten)]
    public: PublicKey,
}

/// Why a text is no key set that a client could be known by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeySetProblem {
    /// Longer than 64 KiB.
    TooLong,
    /// No JSON, or JSON that says two things at once.
    NotJson(Malformed),
    /// JSON of another shape.
    NotAKeySet,
    /// More than twenty keys.
    TooManyKeys(usize),
    /// A private key, or a shared one, where only public ones belong.
    PrivateKey,
    /// No key in it can check a signature; why the first one cannot, if there is one.
    NoUsableKey(Option<Malformed>),
}

impl KeySetProblem {
    /// The reason in one word, for the log and the audit.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::TooLong => "key_set_too_long",
            Self::NotJson(_) => "key_set_not_json",
            Self::NotAKeySet => "key_set_malformed",
            Self::TooManyKeys(_) => "key_set_too_many_keys",
            Self::PrivateKey => "key_set_private",
            Self::NoUsableKey(_) => "key_set_without_usable_key",
        }
    }
}

/// For the owner: what is wrong, and what to do about it. Never a key.
impl fmt::Display for KeySetProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(f, "the key set is longer than {LENGTH_MAX} bytes"),
            Self::NotJson(why) => write!(f, "the key set cannot be read: {why}"),
            Self::NotAKeySet => f.write_str(r#"the key set is not of the form {"keys":[{"kty":...},...]}"#),
            Self::TooManyKeys(count) => {
                write!(f, "the key set has {count} keys, and {KEYS_MAX} is the most: remove old ones")
            }
            Self::PrivateKey => f.write_str(
                "the key set holds a private key, which whoever has seen it can sign with: \
                 make a new key, and publish its public half alone",
            ),
            Self::NoUsableKey(None) => f.write_str("the key set holds no key"),
            Self::NoUsableKey(Some(why)) => {
                write!(f, "the key set holds no key for RS256, ES256 or EdDSA: {why}")
            }
        }
    }
}

impl std::error::Error for KeySetProblem {}

/// Why a key set has no key to check an assertion with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoKey {
    /// No key of this `kid`.
    KidUnknown(String),
    /// Several keys of this `kid`.
    KidRepeated(String),
    /// The key of this `kid` is for another algorithm.
    AlgorithmDiffers {
        /// The key's name.
        kid: String,
        /// What the key is for.
        key: AssertionAlgorithm,
        /// What the assertion says.
        assertion: AssertionAlgorithm,
    },
    /// No `kid`, and no key for this algorithm.
    AlgorithmUnknown(AssertionAlgorithm),
    /// No `kid`, and more keys for the algorithm than are tried.
    KidMissing(usize),
}

impl NoKey {
    /// The reason in one word, for the log and the audit.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::KidUnknown(_) => "assertion_kid_unknown",
            Self::KidRepeated(_) => "assertion_kid_repeated",
            Self::AlgorithmDiffers { .. } => "assertion_algorithm_differs",
            Self::AlgorithmUnknown(_) => "assertion_algorithm_without_key",
            Self::KidMissing(_) => "assertion_kid_missing",
        }
    }
}

/// For the owner: what is wrong, and what to do about it.
impl fmt::Display for NoKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::KidUnknown(kid) => {
                write!(
                    f,
                    "the client's key set has no key with the kid {kid:?}: publish the key, or sign with one that is"
                )
            }
            Self::KidRepeated(kid) => {
                write!(f, "the client's key set has several keys with the kid {kid:?}: give each its own")
            }
            Self::AlgorithmDiffers { kid, key, assertion } => {
                write!(f, "the key with the kid {kid:?} is for {key}, and the assertion says {assertion}")
            }
            Self::AlgorithmUnknown(algorithm) => {
                write!(
                    f,
                    "the client's key set has no key for {algorithm}: publish one, or sign with another"
                )
            }
            Self::KidMissing(count) => write!(
                f,
                "the client's key set has {count} keys that the assertion may be signed with: name the right one by kid"
            ),
        }
    }
}

impl std::error::Error for NoKey {}

impl KeySet {
    /// Reads the text of a JWK Set: a fetched document, or what [`KeySet::to_json`] wrote.
    pub fn parse(text: &[u8]) -> Result<Self, KeySetProblem> {
        if text.len() > LENGTH_MAX {
            return Err(KeySetProblem::TooLong);
        }
        Self::from_value(&json::parse(text).map_err(KeySetProblem::NotJson)?)
    }

    /// Reads a JWK Set that is part of a JSON document (`jwks`, RFC 7591 2). The document must have been read by
    /// [`json::parse`], or repeated members are not noticed.
    pub fn from_value(set: &Value) -> Result<Self, KeySetProblem> {
        let list = set.get("keys").and_then(Value::as_array).ok_or(KeySetProblem::NotAKeySet)?;
        if list.len() > KEYS_MAX {
            return Err(KeySetProblem::TooManyKeys(list.len()));
        }
        let objects: Option<Vec<&Object>> = list.iter().map(Value::as_object).collect();
        let objects = objects.ok_or(KeySetProblem::NotAKeySet)?;
        let is_private = |object: &&Object| PRIVATE_MEMBERS.iter().any(|name| object.contains_key(*name));
        if objects.iter().any(is_private) {
            return Err(KeySetProblem::PrivateKey);
        }
        let (mut keys, mut first_skipped) = (Vec::new(), None);
        for object in objects {
            match Key::read(object) {
                Ok(key) => keys.push(key),
                Err(why) => first_skipped = first_skipped.or(Some(why)),
            }
        }
        if keys.is_empty() {
            return Err(KeySetProblem::NoUsableKey(first_skipped));
        }
        keys.sort_by_cached_key(text_of);
        keys.dedup();
        Ok(Self { keys })
    }

    /// The set as JSON, for the database and for answers: the usable keys alone, always in one spelling and order.
    pub fn to_json(&self) -> String {
        text_of(self)
    }

    /// The keys that a signature under `kid` and `algorithm` may be of: with a `kid` the one key of that name, without
    /// it the keys for the algorithm, if they are few.
    pub fn candidates(
        &self,
        kid: Option<&str>,
        algorithm: AssertionAlgorithm,
    ) -> Result<Vec<&PublicKey>, NoKey> {
        let Some(kid) = kid else {
            let fitting = self.keys.iter().map(|key| &key.public).filter(|key| key.algorithm() == algorithm);
            let fitting: Vec<_> = fitting.collect();
            return match fitting.len() {
                0 => Err(NoKey::AlgorithmUnknown(algorithm)),
                count if count > TRIED_WITHOUT_KID_MAX => Err(NoKey::KidMissing(count)),
                _ => Ok(fitting),
            };
        };
        let mut named = self.keys.iter().filter(|key| key.kid.as_deref() == Some(kid));
        match (named.next(), named.next()) {
            (None, _) => Err(NoKey::KidUnknown(kid.to_owned())),
            (Some(_), Some(_)) => Err(NoKey::KidRepeated(kid.to_owned())),
            (Some(Key { public, .. }), None) if public.algorithm() == algorithm => Ok(vec![public]),
            (Some(Key { public, .. }), None) => {
                let (kid, key) = (kid.to_owned(), public.algorithm());
                Err(NoKey::AlgorithmDiffers { kid, key, assertion: algorithm })
            }
        }
    }
}

impl Key {
    /// Reads one key, or says why it is passed over, as RFC 7517 5 wants it for what a reader cannot use.
    fn read(object: &Object) -> Result<Self, Malformed> {
        let public = match text(object, "kty")? {
            Some("RSA") => PublicKey::rsa(&number(object, "n")?, &number(object, "e")?),
            Some("EC") if text(object, "crv")? == Some("P-256") => {
                PublicKey::p256(&number(object, "x")?, &number(object, "y")?)
            }
            Some("OKP") if text(object, "crv")? == Some("Ed25519") => {
                PublicKey::ed25519(&number(object, "x")?)
            }
            _ => return Err(Malformed("a key is neither RSA nor EC with P-256 nor OKP with Ed25519")),
        };
        let public = public.map_err(|why| Malformed(why.0))?;
        if text(object, "alg")?.is_some_and(|alg| alg != public.algorithm().as_str()) {
            return Err(Malformed("a key is meant for another alg"));
        }
        if text(object, "use")?.is_some_and(|purpose| purpose != "sig") {
            return Err(Malformed("a key is not meant for signatures by its use"));
        }
        if let Some(operations) = object.get("key_ops") {
            let operations = operations.as_array().ok_or(Malformed("key_ops of a key is no array"))?;
            if !operations.iter().any(|operation| operation == "verify") {
                return Err(Malformed("a key is not meant to verify by its key_ops"));
            }
        }
        let kid = text(object, "kid")?;
        if kid.is_some_and(|kid| !is_kid(kid)) {
            return Err(Malformed("the kid of a key is empty or longer than 256 characters"));
        }
        Ok(Self { kid: kid.map(str::to_owned), public })
    }
}

/// Whether a text can name a key.
pub(super) fn is_kid(text: &str) -> bool {
    (1..=KID_CHARS_MAX).contains(&text.chars().count())
}

fn text<'a>(object: &'a Object, name: &str) -> Result<Option<&'a str>, Malformed> {
    match object.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Malformed("a member of a key that is a text by RFC 7517 is something else")),
    }
}

fn number(object: &Object, name: &str) -> Result<Vec<u8>, Malformed> {
    const MISSING: Malformed =
        Malformed("a key lacks one of its numbers, or it is not base64url without padding");
    text(object, name)?.and_then(from_base64url).ok_or(MISSING)
}

fn text_of(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("texts in maps with text keys are JSON")
}

#[cfg(test)]
mod tests;
