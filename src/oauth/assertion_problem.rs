//! Every reason to refuse a client's assertion, told to the owner. The caller learns none of it: each of them is the
//! same 401 `invalid_client` (RFC 7521 4.2.1), so that nobody finds out how far a made-up assertion got.

use std::fmt;

use super::error::Malformed;
use super::issuer::Issuer;
use super::key_set::NoKey;
use crate::clock::UnixTime;

/// Why an assertion does not authenticate its client. Texts in it are the sender's words, at most 256 characters each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AssertionProblem {
    /// Longer than 8 KiB; how long.
    TooLong(usize),
    /// Not three parts of base64url (RFC 7515 7.1): another serialization, an encrypted token, padding, space.
    NotCompact,
    /// The header is no JSON object, or says two things at once.
    HeaderUnreadable(Malformed),
    /// The claims are no JSON object, or say two things at once.
    ClaimsUnreadable(Malformed),
    /// `alg` is not one that is accepted from clients; what it is, if it is a text.
    AlgorithmUnsupported(Option<String>),
    /// `typ` says that this is another kind of token; what it is, if it is a text.
    TypeForeign(Option<String>),
    /// `crit` or `b64`: an extension that must not be ignored, and that this server does not have.
    HeaderExtended,
    /// `kid` is no text of 1 to 256 characters.
    KidMalformed,
    /// A claim that every assertion has is not there.
    ClaimMissing(&'static str),
    /// A claim is not what it has to be.
    ClaimMalformed {
        /// The claim's name.
        claim: &'static str,
        /// What it has to be.
        expected: &'static str,
    },
    /// `iss` and `sub` differ: it speaks for somebody else.
    SubjectDiffers {
        /// `iss`.
        iss: String,
        /// `sub`.
        sub: String,
    },
    /// `aud` is a list. One that names several servers could be carried from one to the other.
    AudienceIsList,
    /// `aud` is another server, or another spelling of this one.
    AudienceWrong {
        /// What it says.
        aud: String,
        /// What it may say.
        issuer: Issuer,
        /// What it may say too.
        token_endpoint: String,
    },
    /// `exp` has passed, also by a clock that is a minute slow.
    Expired {
        /// `exp`.
        exp: UnixTime,
        /// `iat`, if it is there.
        iat: Option<UnixTime>,
        /// When it was looked at.
        now: UnixTime,
    },
    /// `exp` is more than an hour away.
    ExpiryTooFar {
        /// `exp`.
        exp: UnixTime,
        /// When it was looked at.
        now: UnixTime,
    },
    /// `nbf` or `iat` is still to come, also by a clock that is a minute fast.
    FromTheFuture {
        /// Which.
        claim: &'static str,
        /// What it says.
        at: UnixTime,
        /// When it was looked at.
        now: UnixTime,
    },
    /// The client's key set has no key to check it with.
    NoKey(NoKey),
    /// The signature is of none of the keys that it could be of.
    SignatureWrong {
        /// The key that it names, if it names one.
        kid: Option<String>,
    },
}

impl AssertionProblem {
    /// The reason in one word, for the log and the audit.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::TooLong(_) => "assertion_too_long",
            Self::NotCompact => "assertion_not_compact",
            Self::HeaderUnreadable(_) => "assertion_header_unreadable",
            Self::ClaimsUnreadable(_) => "assertion_claims_unreadable",
            Self::AlgorithmUnsupported(_) => "assertion_algorithm_unsupported",
            Self::TypeForeign(_) => "assertion_type_foreign",
            Self::HeaderExtended => "assertion_header_extended",
            Self::KidMalformed => "assertion_kid_malformed",
            Self::ClaimMissing(_) => "assertion_claim_missing",
            Self::ClaimMalformed { .. } => "assertion_claim_malformed",
            Self::SubjectDiffers { .. } => "assertion_subject_differs",
            Self::AudienceIsList => "assertion_audience_is_list",
            Self::AudienceWrong { .. } => "assertion_audience_wrong",
            Self::Expired { .. } => "assertion_expired",
            Self::ExpiryTooFar { .. } => "assertion_expiry_too_far",
            Self::FromTheFuture { .. } => "assertion_from_the_future",
            Self::NoKey(why) => why.reason(),
            Self::SignatureWrong { .. } => "assertion_signature_wrong",
        }
    }

    /// Whether the same assertion may be good with the key set as the client publishes it now: keys are rotated.
    /// A signature that is wrong under a key of the right name is wrong for good.
    pub const fn fresh_keys_may_help(&self) -> bool {
        matches!(
            self,
            Self::NoKey(NoKey::KidUnknown(_) | NoKey::AlgorithmUnknown(_))
                | Self::SignatureWrong { kid: None }
        )
    }
}

impl From<NoKey> for AssertionProblem {
    fn from(why: NoKey) -> Self {
        Self::NoKey(why)
    }
}

/// For the owner: what is wrong, by how much, and what to do about it.
impl fmt::Display for AssertionProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong(length) => {
                write!(f, "the client assertion has {length} bytes, and 8192 are the most")
            }
            Self::NotCompact => f.write_str(
                "the client assertion is not three parts of base64url without padding, joined by dots: \
                 send a signed JWT, neither encrypted nor as JSON",
            ),
            Self::HeaderUnreadable(why) => write!(f, "the header of the client assertion cannot be read: {why}"),
            Self::ClaimsUnreadable(why) => write!(f, "the claims of the client assertion cannot be read: {why}"),
            Self::AlgorithmUnsupported(alg) => {
                write!(f, "the client assertion has {}: sign it with RS256, ES256 or EdDSA", Said("alg", alg))
            }
            Self::TypeForeign(typ) => write!(
                f,
                "the client assertion has {}, which is another kind of token: say JWT or client-authentication+jwt, \
                 or leave it out",
                Said("typ", typ)
            ),
            Self::HeaderExtended => {
                f.write_str("the header of the client assertion has crit or b64, which are not supported: leave them out")
            }
            Self::KidMalformed => f.write_str("the kid of the client assertion is no text of 1 to 256 characters"),
            Self::ClaimMissing(claim) => write!(f, "the client assertion has no {claim}: it needs iss, sub, aud, exp and jti"),
            Self::ClaimMalformed { claim, expected } => {
                write!(f, "the {claim} of the client assertion is not {expected}")
            }
            Self::SubjectDiffers { iss, sub } => write!(
                f,
                "the client assertion has the iss {iss:?} and the sub {sub:?}: both must be the client_id"
            ),
            Self::AudienceIsList => {
                f.write_str("the aud of the client assertion is a list: name this server's issuer alone, as a text")
            }
            Self::AudienceWrong { aud, issuer, token_endpoint } => write!(
                f,
                "the client assertion has the aud {aud:?}; this server is {issuer}, or {token_endpoint}: \
                 set the client to one of them, letter by letter"
            ),
            Self::Expired { exp, iat, now } => {
                let ago = now.since(*exp).as_u32();
                write!(f, "the client assertion ended {ago} s ago: its exp is {exp}, and here it is {now}")?;
                if let Some(iat) = iat {
                    write!(f, "; it says it was made {} s ago", now.since(*iat).as_u32())?;
                }
                f.write_str(": if it was new, set the clocks of both machines, else make one for every request")
            }
            Self::ExpiryTooFar { exp, now } => write!(
                f,
                "the client assertion ends in {} s, and 3600 s are the most: its exp is {exp}, and here it is {now}: \
                 let it end sooner, or set the clocks of both machines",
                exp.since(*now).as_u32()
            ),
            Self::FromTheFuture { claim, at, now } => write!(
                f,
                "the client's clock is at least {} s ahead: the {claim} of its assertion is {at}, and here it is {now}: \
                 set the clocks of both machines",
                at.since(*now).as_u32()
            ),
            Self::NoKey(why) => why.fmt(f),
            Self::SignatureWrong { kid: Some(kid) } => write!(
                f,
                "the signature of the client assertion is not of the client's key with the kid {kid:?}: \
                 sign with that key, or publish the one that signs under another kid"
            ),
            Self::SignatureWrong { kid: None } => f.write_str(
                "the signature of the client assertion is of none of the client's keys: publish the key that signs",
            ),
        }
    }
}

impl std::error::Error for AssertionProblem {}

/// What a member of the header says: `the alg "none"`, or `no text as alg`.
struct Said<'a>(&'static str, &'a Option<String>);

impl fmt::Display for Said<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.1 {
            Some(text) => write!(f, "the {} {text:?}", self.0),
            None => write!(f, "no text as {}", self.0),
        }
    }
}
