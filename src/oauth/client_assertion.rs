//! `client_assertion` (RFC 7523 2.2 and 3, rfc7523bis): from a signed text to proof of who sent it.
//!
//! Two steps, because the keys are found by the name that the text claims. Until [`ClientAssertion::verify`] has
//! looked at the signature, nothing of it is believed, and its header never brings a key.

use std::fmt;

use serde_json::{Map, Value};

use super::assertion_problem::AssertionProblem as Problem;
use super::error::Malformed;
use super::ids::ClientId;
use super::issuer::Issuer;
use super::json;
use super::key_set::{KeySet, is_kid};
use crate::clock::{Seconds, UnixTime};
use crate::crypto::digest::{from_base64url, sha256};
use crate::crypto::public_key::{AssertionAlgorithm, SignatureValid};

/// `client_assertion_type` of a JWT (RFC 7523 2.2).
pub const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// `typ` of an assertion (RFC 7519 5.1, rfc7523bis 4), where it has one.
const TYPES: [&str; 2] = ["JWT", "client-authentication+jwt"];

const LENGTH_MAX: usize = 8 * 1024;
const JTI_CHARS_MAX: usize = 256;
/// How many characters of the sender's are told to the owner.
const EXCERPT_CHARS_MAX: usize = 256;

/// How far two clocks may be apart.
const SKEW: Seconds = Seconds::minutes(1);
/// How long an assertion may last: what is good for longer is a password, and must be remembered for longer.
const LIFETIME_MAX: Seconds = Seconds::hours(1);

type Object = Map<String, Value>;

/// An assertion of the right form, about which nothing is proven yet.
#[derive(Clone)]
pub struct ClientAssertion {
    algorithm: AssertionAlgorithm,
    kid: Option<String>,
    claims: Claims,
    /// Header and claims as they were signed.
    signed: String,
    signature: Vec<u8>,
}

#[derive(Clone)]
struct Claims {
    client_id: ClientId,
    aud: String,
    exp: UnixTime,
    nbf: Option<UnixTime>,
    iat: Option<UnixTime>,
    jti_hash: [u8; 32],
}

/// Proof that a client signed this assertion for this server and for now. Only [`ClientAssertion::verify`] makes one.
///
/// It says nothing of whether the assertion was used before: whoever keeps `jti_hash` must ask that.
#[derive(Debug)]
pub struct VerifiedAssertion {
    client_id: ClientId,
    jti_hash: [u8; 32],
    remember_until: UnixTime,
}

impl ClientAssertion {
    /// Reads the parameter `client_assertion`: a compact JWS whose header and claims have the form that RFC 7523 3 and
    /// this server ask for. Neither the time nor a key is needed to refuse most of what is not one.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        if text.len() > LENGTH_MAX {
            return Err(Problem::TooLong(text.len()));
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(Problem::NotCompact)?;
        let (header, claims) = signed.split_once('.').ok_or(Problem::NotCompact)?;
        // A fourth part would bring a dot into the second, where base64url has none.
        let decoded = |part| from_base64url(part).ok_or(Problem::NotCompact);
        let (header, claims, signature) = (decoded(header)?, decoded(claims)?, decoded(signature)?);
        let (algorithm, kid) = read_header(&object(&header).map_err(Problem::HeaderUnreadable)?)?;
        let claims = Claims::read(&object(&claims).map_err(Problem::ClaimsUnreadable)?)?;
        Ok(Self { algorithm, kid, claims, signed: signed.to_owned(), signature })
    }

    /// The client that it claims to be of, to look up its keys. Anybody can write any name here.
    pub const fn unverified_client_id(&self) -> &ClientId {
        &self.claims.client_id
    }

    /// Finds out whether the client whose keys these are signed it, for this server and for now. The text can be tried
    /// again with keys fetched anew, if [`Problem::fresh_keys_may_help`].
    ///
    /// `aud` is one text: the issuer, as rfc7523bis 4 asks, or the URL of the token endpoint, which it means to end and
    /// which clients still send (RFC 7523 3). What is cheap is looked at first, so that nobody makes this server check
    /// signatures with a text that could not be good anyway.
    pub fn verify(
        &self,
        keys: &KeySet,
        issuer: &Issuer,
        token_endpoint: &str,
        now: UnixTime,
    ) -> Result<VerifiedAssertion, Problem> {
        let aud = &self.claims.aud;
        if aud != issuer.as_str() && aud != token_endpoint {
            let (aud, token_endpoint) = (excerpt(aud), token_endpoint.to_owned());
            return Err(Problem::AudienceWrong { aud, issuer: issuer.clone(), token_endpoint });
        }
        self.claims.check_times(now)?;
        let candidates = keys.candidates(self.kid.as_deref(), self.algorithm)?;
        let proof =
            candidates.into_iter().find_map(|key| key.verify(self.signed.as_bytes(), &self.signature));
        let proof = proof.ok_or_else(|| Problem::SignatureWrong { kid: self.kid.clone() })?;
        Ok(VerifiedAssertion::of(&self.claims, &proof))
    }
}

/// The text itself is a credential while it lasts.
impl fmt::Debug for ClientAssertion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("ClientAssertion");
        shown.field("client_id", &self.claims.client_id).field("algorithm", &self.algorithm);
        shown.finish_non_exhaustive()
    }
}

impl VerifiedAssertion {
    fn of(claims: &Claims, _: &SignatureValid) -> Self {
        let Claims { client_id, jti_hash, exp, .. } = claims;
        Self { client_id: client_id.clone(), jti_hash: *jti_hash, remember_until: exp.plus(SKEW) }
    }

    /// The client that signed it.
    pub const fn client_id(&self) -> &ClientId {
        &self.client_id
    }

    /// What to remember it by, so that it is used once: SHA-256 of client and `jti`. It does not depend on the
    /// signature, of which others can make a second form (ECDSA).
    pub const fn jti_hash(&self) -> &[u8; 32] {
        &self.jti_hash
    }

    /// Until when it must be remembered: from this instant on it is refused for its age.
    pub const fn remember_until(&self) -> UnixTime {
        self.remember_until
    }
}

impl Claims {
    fn read(claims: &Object) -> Result<Self, Problem> {
        let (iss, sub) = (text(claims, "iss")?, text(claims, "sub")?);
        if iss != sub {
            return Err(Problem::SubjectDiffers { iss: excerpt(iss), sub: excerpt(sub) });
        }
        let client_id = ClientId::parse(iss)
            .map_err(|_| Problem::ClaimMalformed { claim: "iss", expected: "a client_id" })?;
        if claims.get("aud").is_some_and(Value::is_array) {
            return Err(Problem::AudienceIsList);
        }
        let aud = text(claims, "aud")?.to_owned();
        let exp = instant(claims, "exp")?.ok_or(Problem::ClaimMissing("exp"))?;
        let (nbf, iat) = (instant(claims, "nbf")?, instant(claims, "iat")?);
        let jti = text(claims, "jti")?;
        if !(1..=JTI_CHARS_MAX).contains(&jti.chars().count()) {
            let expected = "a text of 1 to 256 characters";
            return Err(Problem::ClaimMalformed { claim: "jti", expected });
        }
        // No client_id has a zero byte, so no two pairs are one text.
        let jti_hash = sha256(&[client_id.as_str().as_bytes(), &[0], jti.as_bytes()].concat());
        Ok(Self { client_id, aud, exp, nbf, iat, jti_hash })
    }

    fn check_times(&self, now: UnixTime) -> Result<(), Problem> {
        let Self { exp, nbf, iat, .. } = *self;
        if now >= exp.plus(SKEW) {
            return Err(Problem::Expired { exp, iat, now });
        }
        // With the skew on top, or the clients that make full use of the hour would depend on their clocks.
        if exp > now.plus(LIFETIME_MAX).plus(SKEW) {
            return Err(Problem::ExpiryTooFar { exp, now });
        }
        for (claim, at) in [("nbf", nbf), ("iat", iat)] {
            if let Some(at) = at.filter(|at| *at > now.plus(SKEW)) {
                return Err(Problem::FromTheFuture { claim, at, now });
            }
        }
        Ok(())
    }
}

/// What counts of a header (RFC 7515 4.1): the algorithm, and the name of the key. `jwk`, `jku`, `x5u` and `x5c` would let
/// whoever wrote it bring the key, and are not looked at.
fn read_header(header: &Object) -> Result<(AssertionAlgorithm, Option<String>), Problem> {
    if header.contains_key("crit") || header.contains_key("b64") {
        return Err(Problem::HeaderExtended);
    }
    let alg = header.get("alg").and_then(Value::as_str);
    let algorithm = alg
        .and_then(AssertionAlgorithm::parse)
        .ok_or_else(|| Problem::AlgorithmUnsupported(alg.map(excerpt)))?;
    match header.get("typ") {
        None => {}
        Some(Value::String(typ)) if is_type_of_assertion(typ) => {}
        Some(other) => return Err(Problem::TypeForeign(other.as_str().map(excerpt))),
    }
    let kid = match header.get("kid") {
        None => None,
        Some(Value::String(kid)) if is_kid(kid) => Some(kid.clone()),
        Some(_) => return Err(Problem::KidMalformed),
    };
    Ok((algorithm, kid))
}

/// Media types are compared without regard to case, and `application/` may be left out (RFC 7515 4.1.9).
fn is_type_of_assertion(typ: &str) -> bool {
    const PREFIX: &str = "application/";
    let bare = match typ.split_at_checked(PREFIX.len()) {
        Some((prefix, bare)) if prefix.eq_ignore_ascii_case(PREFIX) => bare,
        _ => typ,
    };
    TYPES.iter().any(|known| known.eq_ignore_ascii_case(bare))
}

fn object(bytes: &[u8]) -> Result<Object, Malformed> {
    match json::parse(bytes)? {
        Value::Object(object) => Ok(object),
        _ => Err(Malformed("the JSON is no object")),
    }
}

fn text<'a>(claims: &'a Object, claim: &'static str) -> Result<&'a str, Problem> {
    match claims.get(claim) {
        None => Err(Problem::ClaimMissing(claim)),
        Some(Value::String(text)) => Ok(text),
        Some(_) => Err(Problem::ClaimMalformed { claim, expected: "a text" }),
    }
}

/// A `NumericDate` in whole seconds, downwards. It may have a fraction (RFC 7519 2), and clients that add a minute to
/// what their clock says send one.
fn instant(claims: &Object, claim: &'static str) -> Result<Option<UnixTime>, Problem> {
    /// Within it every whole number is one to all readers of JSON (RFC 8259 6), and no sum of two overflows.
    const SECONDS_MAX: f64 = 9_007_199_254_740_991.0;
    let Some(value) = claims.get(claim) else { return Ok(None) };
    let seconds = value.as_f64().map(f64::floor).filter(|seconds| seconds.abs() <= SECONDS_MAX);
    let seconds =
        seconds.ok_or(Problem::ClaimMalformed { claim, expected: "a number of seconds since 1970" })?;
    Ok(Some(UnixTime::new(seconds as i64)))
}

fn excerpt(text: &str) -> String {
    text.chars().take(EXCERPT_CHARS_MAX).collect()
}
