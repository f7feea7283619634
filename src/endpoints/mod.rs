//! The protocol's endpoints, a file each. Here every kind of failure becomes its kind of answer.
//!
//! A *refusal* is the caller's doing and commits: a replayed code must revoke its grant and still be refused. A *fault*
//! is ours, rolls back, and its text goes to the log alone. *Busy* is a limit. The three are never mixed.

pub mod authorize;
mod client_assertion;
mod client_auth;
pub mod discovery;
pub mod health;
pub mod introspect;
mod presented;
pub mod register;
pub mod revoke;
pub mod token;

use serde::Serialize;

use crate::app::App;
use crate::audit::{Entry, Event, Origin};
use crate::clock::{Seconds, UnixTime};
use crate::http::{BodyRefusal, Request, Response, Status};
use crate::limits::{Key, Kind};
use crate::oauth::error::ErrorCode;
use crate::oauth::ids::ClientId;
use crate::oauth::params::Params;
use crate::oauth::refusal::TokenRefusal;
use crate::oauth::resource::ResourceUri;
use crate::store::Fault;

/// The longest body of a form: codes, tokens and ten resources fit many times.
const FORM_BYTES_MAX: usize = 64 * 1024;

/// Why a rule of an endpoint stopped.
#[derive(Debug)]
enum Stop<R> {
    Refused(R),
    Fault(Fault),
}

impl<R> From<Fault> for Stop<R> {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<TokenRefusal> for Stop<TokenRefusal> {
    fn from(refusal: TokenRefusal) -> Self {
        Self::Refused(refusal)
    }
}

/// The body of a refusal (RFC 6749 5.2).
#[derive(Serialize)]
struct ErrorBody<'a> {
    error: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    error_description: &'a str,
}

/// A refusal as JSON; the status follows from the word.
fn error(code: ErrorCode, description: &str) -> Response {
    let status = Status::from_u16(code.http_status()).unwrap_or(Status::BAD_REQUEST);
    let body = ErrorBody { error: code.as_str(), error_description: description };
    let response = Response::json(status, &body).no_store();
    match code {
        // A 401 must say how to do better (RFC 9110 15.5.2, RFC 6749 5.2).
        ErrorCode::InvalidClient => response.with_header("www-authenticate", r#"Basic realm="vestibule""#),
        ErrorCode::InvalidToken => {
            response.with_header("www-authenticate", r#"Bearer realm="vestibule", error="invalid_token""#)
        }
        _ => response,
    }
}

/// A body that could not be read, as JSON.
fn unreadable(refusal: &BodyRefusal) -> Response {
    let body = ErrorBody { error: ErrorCode::InvalidRequest.as_str(), error_description: refusal.describe() };
    Response::json(refusal.status(), &body).no_store().because("body_unreadable")
}

/// Our fault, as JSON. What the disk may do again in a moment is 503, everything else 500.
fn fault(fault: &Fault) -> Response {
    tracing::error!("{fault}");
    if fault.is_temporary() {
        let answer =
            error(ErrorCode::TemporarilyUnavailable, "The server cannot reach its storage; try again soon.");
        return answer.with_header("retry-after", "5").because("fault");
    }
    error(ErrorCode::ServerError, "").because("fault")
}

/// Too much at once, as JSON.
fn busy(wait: Seconds) -> Response {
    let body = ErrorBody {
        error: ErrorCode::TemporarilyUnavailable.as_str(),
        error_description: "Too many requests; wait as long as Retry-After says.",
    };
    let wait = wait.as_u32().max(1).to_string();
    Response::json(Status::TOO_MANY_REQUESTS, &body)
        .no_store()
        .with_header("retry-after", &wait)
        .because("throttled")
}

/// Who asks, for the limits and the audit.
struct Caller {
    origin: Origin,
    key: Key,
    /// How long this address has to wait because of earlier guesses; its requests are served all the same, since one
    /// that is right is no guess, but what is wrong is answered 429 and leaves no row.
    throttled: Option<Seconds>,
}

impl Caller {
    fn of(request: &Request, app: &App, now: UnixTime) -> Self {
        let key = Key::address(request.client_ip());
        Self {
            origin: Origin::of_request(request.client_ip(), request.header("user-agent")),
            key,
            throttled: app.limits.look(Kind::TokenGuess, key, now).err().map(|wait| wait.0),
        }
    }

    /// Whether a refusal leaves a row. Beyond the limits it leaves none: the audit is not a stranger's to fill.
    fn leaves_row(&self, app: &App, refusal: &TokenRefusal, now: UnixTime) -> bool {
        self.throttled.is_none()
            && (is_guess(refusal) || app.limits.take(Kind::RefusalRow, self.key, now).is_ok())
    }
}

/// What the token, revocation and introspection endpoints begin with: who asks, and what the form says. `Err` is the
/// answer to a form that cannot be read.
async fn read_form(app: &App, request: &mut Request, now: UnixTime) -> Result<(Caller, Params), Response> {
    let caller = Caller::of(request, app, now);
    match request.form(FORM_BYTES_MAX).await {
        Ok(form) => Ok((caller, Params::collect(form.pairs()))),
        Err(refusal) => Err(unreadable(&refusal)),
    }
}

/// The answer to a refused token, revocation or introspection request. `prefix` of the log's reason is the variant.
fn refuse(app: &App, caller: &Caller, refusal: &TokenRefusal, now: UnixTime) -> Response {
    if let Some(wait) = caller.throttled {
        return busy(wait);
    }
    if is_guess(refusal) {
        // The bucket was looked at before; here the guess is paid for.
        let _ = app.limits.take(Kind::TokenGuess, caller.key, now);
    }
    let (code, description) = refusal.wire();
    let reason = log_reason(refusal.reason(), refusal.resources(), mend(refusal).as_deref());
    let answer = error(code, description).because(reason);
    match code {
        ErrorCode::TemporarilyUnavailable => answer.with_header("retry-after", "5"),
        _ => answer,
    }
}

/// [`refuse`] where nothing else is written: leaves the row that every decision leaves, in a transaction of its own.
async fn refuse_and_record(
    app: &App,
    caller: &Caller,
    client: Option<ClientId>,
    refusal: TokenRefusal,
    now: UnixTime,
) -> Response {
    if caller.leaves_row(app, &refusal, now) {
        let (origin, refused) = (caller.origin.clone(), refusal.clone());
        let recorded = app.store.write(move |tx| {
            let ((code, _), mend) = (refused.wire(), mend(&refused));
            let entry = Entry::new(Event::TokenFailure, &origin).refused(code, refused.reason());
            let entry = entry.mend(mend.as_deref());
            match &client {
                Some(client) => entry.client_id(client).record(tx, now),
                None => entry.record(tx, now),
            }
        });
        if let Err(why) = recorded.await {
            return fault(&why);
        }
    }
    refuse(app, caller, &refusal, now)
}

/// What the owner can do about a refusal, where there is something.
fn mend(refusal: &TokenRefusal) -> Option<String> {
    match refusal {
        TokenRefusal::ResourceUnknown(unknown) => unknown.first().map(|uri| register_command(uri.as_str())),
        TokenRefusal::Assertion(problem) => Some(problem.to_string()),
        TokenRefusal::KeysRefused(mend) | TokenRefusal::KeysUnavailable(mend) => Some(mend.clone()),
        _ => None,
    }
}

/// The reason for the log line, with the resources in question and what mends it.
fn log_reason(reason: &str, resources: &[ResourceUri], mend: Option<&str>) -> String {
    let mut line = reason.to_owned();
    for resource in resources {
        line.push(' ');
        line.push_str(resource.as_str());
    }
    if let Some(mend) = mend {
        line.push_str("; mend: ");
        line.push_str(mend);
    }
    line
}

/// The command that registers a resource. The URI's characters need no quoting but for those inside the quotes.
fn register_command(uri: &str) -> String {
    format!("vestibule resource add '{}'", uri.replace('\'', "%27"))
}

/// Whether a refusal is what somebody who tries values at random would get.
const fn is_guess(refusal: &TokenRefusal) -> bool {
    matches!(
        refusal,
        TokenRefusal::ClientUnknown
            | TokenRefusal::SecretWrong
            | TokenRefusal::SecretMissing
            | TokenRefusal::AssertionMissing
            | TokenRefusal::AssertionUnexpected
            | TokenRefusal::Assertion(_)
            | TokenRefusal::AssertionReplayed
            | TokenRefusal::BasicMalformed
            | TokenRefusal::CodeUnknown
            | TokenRefusal::VerifierWrong
            | TokenRefusal::RefreshTokenUnknown
    )
}
