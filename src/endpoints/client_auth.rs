//! Client authentication (RFC 6749 2.3): from a header and a form to proof of who asks.

use crate::clock::UnixTime;
use crate::crypto::digest::from_base64;
use crate::http::Request;
use crate::oauth::client::{Assertion, Client, Credential};
use crate::oauth::ids::ClientId;
use crate::oauth::params::Params;
use crate::oauth::refusal::TokenRefusal;
use crate::oauth::secret::SecretHash;
use crate::store::{ReadTx, WriteTx, clients};

use super::Stop;

/// What a request says of its client. The secret is known by its hash from here on.
#[derive(Debug)]
pub(super) struct Credentials {
    /// Whom it may mean: HTTP Basic is percent-encoded by some clients and not by others (RFC 6749 2.3.1).
    candidates: Vec<(ClientId, Option<SecretHash>)>,
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
    /// Reads the `Authorization` header and the form. A secret may come either way, whatever was registered, but not
    /// both ways at once.
    pub(super) fn read(request: &Request, params: &Params) -> Result<Self, TokenRefusal> {
        use TokenRefusal as Refusal;
        if params.get("client_assertion").is_some() || params.get("client_assertion_type").is_some() {
            return Err(Refusal::ClientMethodUnsupported);
        }
        let in_body = params.get("client_id").map(ClientId::parse);
        let secret_in_body = params.get("client_secret");
        if !request.headers().contains_key("authorization") {
            return match in_body {
                None => Err(Refusal::ClientMissing),
                // A malformed client_id is just an unknown one.
                Some(Err(_)) => Err(Refusal::ClientUnknown),
                Some(Ok(id)) => Ok(Self { candidates: vec![(id, secret_in_body.map(SecretHash::of))] }),
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
        if candidates.is_empty() { Err(Refusal::ClientIdsDiffer) } else { Ok(Self { candidates }) }
    }

    /// The client that the request names, for the audit of a failure.
    pub(super) fn client_id(&self) -> Option<&ClientId> {
        self.candidates.first().map(|(id, _)| id)
    }
}

/// Finds out whether the client is who it says.
pub(super) fn authenticate(
    tx: &ReadTx<'_>,
    credentials: &Credentials,
) -> Result<AuthenticatedClient, Stop<TokenRefusal>> {
    let mut refusal = TokenRefusal::ClientUnknown;
    for (id, secret) in &credentials.candidates {
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
