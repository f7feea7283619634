//! Checks access tokens as RFC 9068 section 4 asks of a resource server, with keys from the issuer's JWKS.
//!
//! Written against the RFCs and `ring`, and knows nothing of how Vestibule makes its tokens.

mod tests;

use std::collections::HashMap;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::signature::{ECDSA_P256_SHA256_FIXED, ED25519, UnparsedPublicKey, VerificationAlgorithm};
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// The claims of a token that passed every check.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub(crate) struct AccessToken {
    iss: String,
    aud: Audience,
    pub(crate) sub: String,
    exp: i64,
    iat: i64,
    pub(crate) jti: String,
    pub(crate) client_id: String,
    #[serde(default)]
    scope: String,
}

/// `aud`: a string, or an array of them (RFC 7519 4.1.3).
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

/// Why a token is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    NotAJwt,
    NotAnAccessToken,
    UnknownKey,
    WrongAlgorithm,
    BadSignature,
    WrongIssuer,
    WrongAudience,
    Expired,
    FromTheFuture,
}

impl AccessToken {
    pub(crate) fn has_scope(&self, scope: &str) -> bool {
        self.scope.split(' ').any(|one| one == scope)
    }

    /// Whom the token is for.
    pub(crate) fn audience(&self) -> Vec<&str> {
        match &self.aud {
            Audience::One(one) => vec![one],
            Audience::Several(several) => several.iter().map(String::as_str).collect(),
        }
    }

    /// How long the token is good for, in seconds.
    pub(crate) fn lifetime(&self) -> i64 {
        self.exp - self.iat
    }
}

/// The issuer's keys, and whose tokens for whom are taken.
pub(crate) struct Verifier {
    issuer: String,
    audience: String,
    keys: HashMap<String, Key>,
}

struct Key {
    algorithm: &'static str,
    verification: &'static dyn VerificationAlgorithm,
    public: Vec<u8>,
}

#[derive(Deserialize)]
struct KeySet {
    keys: Vec<Jwk>,
}

/// A public key as RFC 7517 writes it; members for the two kinds known here.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    crv: Option<String>,
    kid: String,
    x: Option<String>,
    y: Option<String>,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    typ: Option<String>,
    kid: Option<String>,
}

#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    jwks_uri: String,
}

impl Verifier {
    /// Fetches the issuer's metadata and keys. Panics if they are not there: without them a resource server
    /// cannot start.
    pub(crate) async fn fetch(issuer: &str, audience: &str) -> Self {
        let metadata: Metadata = get(&format!("{issuer}/.well-known/oauth-authorization-server")).await;
        assert_eq!(metadata.issuer, issuer, "RFC 8414 3.3: the issuer is the one that was asked");
        Self::new(issuer, audience, &get_text(&metadata.jwks_uri).await)
    }

    /// A verifier for tokens of `issuer` for `audience`, with the keys of a JWKS document. Keys of other
    /// kinds than P-256 and Ed25519 are left out.
    pub(crate) fn new(issuer: &str, audience: &str, jwks: &str) -> Self {
        let set: KeySet = serde_json::from_str(jwks).unwrap_or_else(|error| panic!("JWKS: {error}: {jwks}"));
        let keys = set.keys.into_iter().filter_map(|jwk| Some((jwk.kid.clone(), jwk.key()?))).collect();
        Self { issuer: issuer.to_owned(), audience: audience.to_owned(), keys }
    }

    /// [`Verifier::verify`] by the machine's clock.
    pub(crate) fn verify_now(&self, token: &str) -> Result<AccessToken, Refused> {
        #[expect(
            clippy::disallowed_methods,
            reason = "the resource server is not Vestibule; it has a clock of its own"
        )]
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
        self.verify(token, i64::try_from(since_1970.as_secs()).expect("seconds fit for long"))
    }

    /// The claims of a token, if it may be used here at `now` (seconds since 1970).
    pub(crate) fn verify(&self, token: &str, now: i64) -> Result<AccessToken, Refused> {
        let (signed, signature) = token.rsplit_once('.').ok_or(Refused::NotAJwt)?;
        let (header, claims) = signed.split_once('.').ok_or(Refused::NotAJwt)?;
        let header: Header = json(header)?;
        let typ = header.typ.unwrap_or_default().to_ascii_lowercase();
        if !matches!(typ.as_str(), "at+jwt" | "application/at+jwt") {
            return Err(Refused::NotAnAccessToken);
        }
        let key = header.kid.and_then(|kid| self.keys.get(&kid)).ok_or(Refused::UnknownKey)?;
        // The key says which algorithm it is for; a header that could choose could choose `none`.
        if header.alg != key.algorithm {
            return Err(Refused::WrongAlgorithm);
        }
        UnparsedPublicKey::new(key.verification, &key.public)
            .verify(signed.as_bytes(), &decode(signature)?)
            .map_err(|_unspecified| Refused::BadSignature)?;

        let token: AccessToken = json(claims)?;
        if token.iss != self.issuer {
            return Err(Refused::WrongIssuer);
        }
        if !token.audience().contains(&self.audience.as_str()) {
            return Err(Refused::WrongAudience);
        }
        if now >= token.exp {
            return Err(Refused::Expired);
        }
        if now < token.iat {
            return Err(Refused::FromTheFuture);
        }
        Ok(token)
    }
}

impl Jwk {
    fn key(&self) -> Option<Key> {
        let coordinate = |text: &Option<String>| decode(text.as_deref()?).ok();
        match (self.kty.as_str(), self.crv.as_deref()?) {
            ("EC", "P-256") => {
                // SEC 1 2.3.3: an uncompressed point is 4, x, y.
                let public = [vec![4], coordinate(&self.x)?, coordinate(&self.y)?].concat();
                Some(Key { algorithm: "ES256", verification: &ECDSA_P256_SHA256_FIXED, public })
            }
            ("OKP", "Ed25519") => {
                Some(Key { algorithm: "EdDSA", verification: &ED25519, public: coordinate(&self.x)? })
            }
            _ => None,
        }
    }
}

fn decode(part: &str) -> Result<Vec<u8>, Refused> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_not_base64url| Refused::NotAJwt)
}

fn json<T: DeserializeOwned>(part: &str) -> Result<T, Refused> {
    serde_json::from_slice(&decode(part)?).map_err(|_not_this_json| Refused::NotAJwt)
}

async fn get<T: DeserializeOwned>(url: &str) -> T {
    let text = get_text(url).await;
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{url}: {error}: {text}"))
}

async fn get_text(url: &str) -> String {
    let response = reqwest::get(url).await.unwrap_or_else(|error| panic!("{url}: {error}"));
    let status = response.status();
    let text = response.text().await.expect("an answer arrives whole");
    assert!(status.is_success(), "{url}: {status}: {text}");
    text
}
