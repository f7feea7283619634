//! Web pages: a file per page, each with `get` and `post`.
//!
//! Pages are strangers to one another and know nothing of the protocol's endpoints. A page that is done sends the
//! browser to the authorization endpoint, which alone decides what comes next, or else to the account.

pub mod account;
pub mod consent;
pub mod login;
pub mod logout;
pub mod setup;
pub mod style;
pub mod visit;

use crate::app::{App, problem};
use crate::clock::{Seconds, UnixTime};
use crate::http::{BodyRefusal, Form, Request, Response, Status};
use crate::oauth::ids::{AuthorizationId, UserId, UserName};
use crate::oauth::refusal::PageRefusal;
use crate::oauth::secret::{Secret, SecretHash, SecretKind};
use crate::store::{Fault, WriteTx, sessions};

/// More than any form of ours.
const FORM_BYTES: usize = 8 * 1024;
/// Longer passwords are refused before they cost anything.
const PASSWORD_CHARS_MAX: usize = 256;
/// How long a crowd of sign-ins takes to thin out.
const CROWD_WAIT: Seconds = Seconds::new(3);

/// Why a page does not do what it was asked for.
enum Halt {
    Refused(PageRefusal),
    Unreadable(BodyRefusal),
    Crowded,
    Fault(Fault),
}

impl Halt {
    fn answer(&self, request: &Request) -> Response {
        match self {
            Self::Refused(refusal) => problem::refusal(request, refusal),
            Self::Unreadable(refusal) => problem::unreadable(request, refusal),
            Self::Crowded => problem::busy(request, CROWD_WAIT),
            Self::Fault(fault) => problem::fault(request, fault),
        }
    }
}

impl From<PageRefusal> for Halt {
    fn from(refusal: PageRefusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<BodyRefusal> for Halt {
    fn from(refusal: BodyRefusal) -> Self {
        Self::Unreadable(refusal)
    }
}

impl From<Fault> for Halt {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// What a form of ours sent, each value at most once.
struct Fields(Form);

impl Fields {
    async fn read(request: &mut Request) -> Result<Self, Halt> {
        Ok(Self(request.form(FORM_BYTES).await?))
    }

    /// A value that may be missing.
    fn optional(&self, name: &str) -> Result<Option<&str>, PageRefusal> {
        let mut values = self.0.all(name);
        match (values.next(), values.next()) {
            (value, None) => Ok(value),
            _ => Err(PageRefusal::FormMalformed),
        }
    }

    /// A value that the form always sends, though perhaps empty.
    fn required(&self, name: &str) -> Result<&str, PageRefusal> {
        self.optional(name)?.ok_or(PageRefusal::FormMalformed)
    }

    /// The form's token. A form without one counts as one with a wrong one.
    fn token(&self) -> Result<&str, PageRefusal> {
        Ok(self.optional("form_token")?.unwrap_or_default())
    }

    /// The request that waits for this form, if one does.
    fn authorization(&self) -> Result<Option<AuthorizationId>, PageRefusal> {
        let id = self.optional("authorization")?.filter(|id| !id.is_empty());
        id.map(AuthorizationId::parse).transpose().map_err(|_| PageRefusal::FormMalformed)
    }
}

/// A parameter of the page's own URL.
fn in_query(request: &Request, name: &str) -> Result<Option<String>, PageRefusal> {
    let query = Form::parse(request.query().as_bytes()).map_err(|_| PageRefusal::FormMalformed)?;
    Ok(Fields(query).optional(name)?.map(str::to_owned))
}

/// The pending request that the page's URL names.
fn authorization_in_query(request: &Request) -> Result<Option<AuthorizationId>, PageRefusal> {
    let id = in_query(request, "authorization")?;
    id.as_deref().map(AuthorizationId::parse).transpose().map_err(|_| PageRefusal::AuthorizationUnknown)
}

/// A page that no cache keeps: it shows whose it is, and its form is for this browser only.
fn page(status: Status, markup: impl Into<String>) -> Response {
    Response::html(status, markup.into()).no_store()
}

/// Sends the browser on to another page of ours.
fn go_to(path: &str) -> Response {
    Response::see_other(path).no_store()
}

/// Sends the browser where it is decided what comes next.
fn go_on(authorization: &AuthorizationId) -> Response {
    go_to(&format!("/oauth/authorize?authorization={}", authorization.as_str()))
}

/// [`go_on`] where a request waits, or else to the account.
fn go_on_or_home(authorization: Option<&AuthorizationId>) -> Response {
    authorization.map_or_else(|| go_to("/account"), go_on)
}

/// Starts a session under a new secret, and ends the one that the browser came with: whoever planted or knew that one
/// knows nothing now.
fn start_session(
    tx: &WriteTx<'_>,
    user: &UserId,
    old: Option<&SecretHash>,
    lifetime: Seconds,
    now: UnixTime,
) -> Result<Secret, Fault> {
    if let Some(old) = old {
        sessions::remove(tx, old)?;
    }
    let session = Secret::new(SecretKind::Session);
    sessions::insert(tx, &session.hash(), user, now.plus(lifetime), now)?;
    Ok(session)
}

/// Gives the browser its new session, and lets it be known again when that has ended.
fn with_session(app: &App, response: Response, session: &Secret, name: &UserName) -> Response {
    response
        .with_header("set-cookie", &app.browser.session_cookie(session, app.settings.lifetimes.session))
        .with_header("set-cookie", &app.browser.device_cookie(&app.chain_key, name))
}

/// `2026-11-23`, in UTC.
fn day(at: UnixTime) -> String {
    let mut text = at.to_string();
    if let Some(end) = text.find('T') {
        text.truncate(end);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(text: &str) -> Fields {
        Fields(Form::parse(text.as_bytes()).unwrap())
    }

    #[test]
    fn a_value_that_is_there_twice_is_none() {
        let form = fields("a=1&b=&c=1&c=1");
        assert_eq!(form.optional("a"), Ok(Some("1")));
        assert_eq!(form.required("b"), Ok(""));
        assert_eq!(form.optional("d"), Ok(None));
        assert_eq!(form.required("d"), Err(PageRefusal::FormMalformed));
        assert_eq!(form.optional("c"), Err(PageRefusal::FormMalformed));
    }

    #[test]
    fn only_an_id_that_we_could_have_made_names_a_request() {
        let id = AuthorizationId::new();
        assert_eq!(fields(&format!("authorization={}", id.as_str())).authorization(), Ok(Some(id)));
        assert_eq!(fields("").authorization(), Ok(None));
        assert_eq!(fields("authorization=").authorization(), Ok(None));
        for wrong in ["x", "https%3A%2F%2Fevil.test%2F%23%23%23", "..%2F..%2F"] {
            let form = fields(&format!("authorization={wrong}"));
            assert_eq!(form.authorization(), Err(PageRefusal::FormMalformed), "{wrong}");
        }
    }

    #[test]
    fn days_are_in_utc() {
        assert_eq!(day(UnixTime::new(1_795_473_544)), "2026-11-23");
        assert_eq!(day(UnixTime::new(0)), "1970-01-01");
    }
}
