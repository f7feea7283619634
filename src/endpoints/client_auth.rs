//! Client authentication (RFC 6749 2.3): from a header and a form to proof of who asks.

use super::{Caller, Stop, client_assertion};
use crate::app::App;
use crate::clock::UnixTime;
use crate::crypto::digest::from_base64;
use crate::http::Request;
use crate::oauth::client::{Assertion, Client, Credential};
use crate::oauth::client_assertion::{ASSERTION_TYPE, ClientAssertion, VerifiedAssertion};
use crate::oauth::error::Malformed;
use crate::oauth::ids::ClientId;
use crate::oauth::params::Params;
use crate::oauth::refusal::TokenRefusal;
use crate::oauth::secret::SecretHash;
use crate::store::{ReadTx, WriteTx, clients};

/// What a request says of its client. A secret is known by its hash from here on.
#[derive(Debug)]
pub(super) enum Credentials {
    /// Whom it may mean, and the secret: HTTP Basic is percent-encoded by some clients and not by others
    /// (RFC 6749 2.3.1).
    Named(Vec<(ClientId, Option<SecretHash>)>),
    /// Signed with the client's key (RFC 7523 2.2).
    Asserted(Box<ClientAssertion>),
}

/// [`Credentials`] as far as they could be checked without the database's row of the client.
#[derive(Debug)]
pub(super) enum Proof {
    /// As named; the secret is still to be compared.
    Named(Vec<(ClientId, Option<SecretHash>)>),
    /// Signed, for this server, now, and never before.
    Asserted(VerifiedAssertion),
}

/// Proof that a request comes from this client: it showed its secret, or it need not show any. Only [`authenticate`]
/// makes one.
#[derive(Debug)]
pub(super) struct AuthenticatedClient {
    client: Client,
    showed: Showed,
}

/// What a client showed in this request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Showed {
    /// Its name alone.
    Nothing,
    /// That it has its secret or its key: it is confidential here and now (RFC 6749 2.1).
    Possession,
}

impl AuthenticatedClient {
    pub(super) const fn client(&self) -> &Client {
        &self.client
    }

    pub(super) const fn showed(&self) -> Showed {
        self.showed
    }

    /// Remembers that the client is in use.
    pub(super) fn mark_used(&self, tx: &WriteTx<'_>, now: UnixTime) -> Result<(), crate::store::Fault> {
        clients::mark_used(tx, &self.client, now)
    }
}

impl Credentials {
    /// Reads the `Authorization` header and the form. A secret may come either way, whatever was registered, but there
    /// is one way in one request.
    pub(super) fn read(request: &Request, params: &Params) -> Result<Self, TokenRefusal> {
        use TokenRefusal as Refusal;
        let in_body = params.get("client_id").map(ClientId::parse);
        let secret_in_body = params.get("client_secret");
        let in_header = request.headers().contains_key("authorization");
        if params.get("client_assertion").is_some() || params.get("client_assertion_type").is_some() {
            if in_header || secret_in_body.is_some() {
                return Err(Refusal::ClientAuthenticatedTwice);
            }
            return asserted(params, in_body);
        }
        if !in_header {
            return match in_body {
                None => Err(Refusal::ClientMissing),
                // A malformed client_id is just an unknown one.
                Some(Err(_)) => Err(Refusal::ClientUnknown),
                Some(Ok(id)) => Ok(Self::Named(vec![(id, secret_in_body.map(SecretHash::of))])),
            };
        }
        let header = request.header("authorization").ok_or(Refusal::BasicMalformed)?;
        let (raw_id, raw_secret) = basic(header).ok_or(Refusal::BasicMalformed)?;
        if secret_in_body.is_some() {
            return Err(Refusal::ClientAuthenticatedTwice);
        }
        let mut candidates = Vec::new();
        for (id, secret) in
            [decoded(&raw_id).zip(decoded(&raw_secret)), Some((raw_id, raw_secret))].into_iter().flatten()
        {
            let Ok(id) = ClientId::parse(&id) else { continue };
            let secret = (!secret.is_empty()).then(|| SecretHash::of(&secret));
            if !candidates.contains(&(id.clone(), secret)) {
                candidates.push((id, secret));
            }
        }
        match in_body {
            Some(Ok(id)) => candidates.retain(|(candidate, _)| *candidate == id),
            Some(Err(_)) => candidates.clear(),
            None => {}
        }
        if candidates.is_empty() { Err(Refusal::ClientIdsDiffer) } else { Ok(Self::Named(candidates)) }
    }

    /// The client that the request names, for the audit of a failure.
    pub(super) fn client_id(&self) -> Option<&ClientId> {
        match self {
            Self::Named(candidates) => candidates.first().map(|(id, _)| id),
            Self::Asserted(assertion) => Some(assertion.unverified_client_id()),
        }
    }

    /// Checks what can be checked before the transaction: an assertion's signature, with keys that may have to be
    /// fetched. An assertion is used up by this.
    pub(super) async fn prove(
        self,
        app: &App,
        caller: &Caller,
        now: UnixTime,
    ) -> Result<Proof, Stop<TokenRefusal>> {
        match self {
            Self::Named(candidates) => Ok(Proof::Named(candidates)),
            Self::Asserted(assertion) => {
                client_assertion::prove(app, &assertion, caller, now).await.map(Proof::Asserted)
            }
        }
    }
}

/// The assertion of a form, in the name that the form gives beside it, if it gives one (RFC 7521 4.2).
fn asserted(
    params: &Params,
    in_body: Option<Result<ClientId, Malformed>>,
) -> Result<Credentials, TokenRefusal> {
    use TokenRefusal as Refusal;
    if params.get("client_assertion_type") != Some(ASSERTION_TYPE) {
        return Err(Refusal::ClientMethodUnsupported);
    }
    let text = params.get("client_assertion").ok_or(Refusal::ParameterMissing("client_assertion"))?;
    let assertion = ClientAssertion::parse(text).map_err(Refusal::Assertion)?;
    match in_body {
        Some(Ok(id)) if id != *assertion.unverified_client_id() => Err(Refusal::ClientIdsDiffer),
        Some(Err(_)) => Err(Refusal::ClientIdsDiffer),
        Some(Ok(_)) | None => Ok(Credentials::Asserted(Box::new(assertion))),
    }
}

/// Finds out whether the client is who it says.
pub(super) fn authenticate(
    tx: &ReadTx<'_>,
    proof: &Proof,
) -> Result<AuthenticatedClient, Stop<TokenRefusal>> {
    let candidates = match proof {
        Proof::Named(candidates) => candidates,
        Proof::Asserted(assertion) => {
            let client = clients::find(tx, assertion.client_id())?.ok_or(TokenRefusal::ClientUnknown)?;
            // Its keys may have been taken from it since.
            return match client.credential {
                Credential::Keys { .. } => Ok(AuthenticatedClient { client, showed: Showed::Possession }),
                Credential::Public | Credential::Secret { .. } => {
                    Err(TokenRefusal::AssertionUnexpected.into())
                }
            };
        }
    };
    let mut refusal = TokenRefusal::ClientUnknown;
    for (id, secret) in candidates {
        let Some(client) = clients::find(tx, id)? else { continue };
        refusal = match (&client.credential, secret) {
            (Credential::Public | Credential::Keys { assertion: Assertion::Offered, .. }, None) => {
                return Ok(AuthenticatedClient { client, showed: Showed::Nothing });
            }
            (Credential::Secret { hash, .. }, Some(secret)) if hash == secret => {
                return Ok(AuthenticatedClient { client, showed: Showed::Possession });
            }
            (Credential::Secret { .. }, None) => TokenRefusal::SecretMissing,
            (Credential::Keys { assertion: Assertion::Required, .. }, None) => TokenRefusal::AssertionMissing,
            // A public client that sends a secret was confused with another one; it does not become confidential.
            (Credential::Public | Credential::Secret { .. } | Credential::Keys { .. }, Some(_)) => {
                TokenRefusal::SecretWrong
            }
        };
    }
    Err(Stop::Refused(refusal))
}

/// `client_id` and secret of an HTTP Basic header (RFC 7617 2), still percent-encoded or not: one space, padded
/// standard base64, UTF-8, a colon.
fn basic(header: &str) -> Option<(String, String)> {
    let (scheme, encoded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(from_base64(encoded)?).ok()?;
    let (id, secret) = text.split_once(':')?;
    if id.is_empty() || text.contains(char::is_control) {
        return None;
    }
    Some((id.to_owned(), secret.to_owned()))
}

/// The text with its percent-encoding undone (RFC 6749 2.3.1, appendix B), if it is one.
fn decoded(text: &str) -> Option<String> {
    let pair = format!("x={text}");
    // A value with & in it is no encoded value.
    let form = crate::http::Form::parse(pair.as_bytes()).ok()?;
    let mut pairs = form.pairs();
    let value = pairs.next()?.1.to_owned();
    pairs.next().is_none().then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ca_03_basic_is_read_to_the_letter() {
        let read = |header: &str| basic(header);
        let yes = Some(("id".to_owned(), "se:cret".to_owned()));
        assert_eq!(read("Basic aWQ6c2U6Y3JldA=="), yes);
        assert_eq!(read("bAsIc aWQ6c2U6Y3JldA=="), yes);
        for wrong in [
            "Basic",
            "Basic ",
            "Basic aWQ6c2U6Y3JldA",
            "Basic  aWQ6c2U6Y3JldA==",
            "Basic\taWQ6c2U6Y3JldA==",
            "Basic aWQ6c2U6Y3JldA== x",
            "Basic aWQ6 c2U6Y3JldA==",
            "Basic aWQ",
            "Basic aWQ=",
            "Basic OnNlY3JldA==",
            "Basic _-8=",
            "Basic /zrv",
            "Bearer aWQ6c2U6Y3JldA==",
            "Basic aWQ6YQpi",
        ] {
            assert_eq!(read(wrong), None, "{wrong:?}");
        }
    }
}
