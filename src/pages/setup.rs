//! Set-up: the first admin, through the link that the server printed when it started.

use std::sync::Arc;

use super::{Fields, Halt, PASSWORD_CHARS_MAX, go_to, in_query, page, start_session, with_session};
use crate::app::App;
use crate::audit::{Entry, Event, Origin};
use crate::clock::{Seconds, UnixTime};
use crate::http::{Request, Response, Status};
use crate::oauth::ids::{UserId, UserName};
use crate::oauth::refusal::PageRefusal;
use crate::oauth::secret::{Secret, SecretHash};
use crate::store::users::{self, Role, User};
use crate::store::{Fault, ReadTx, WriteTx, setup_link};
use crate::view::setup::{self, View};

const PURPOSE: &str = "setup";
const PASSWORD_CHARS_MIN: usize = 8;
const EMAIL_BYTES_MAX: usize = 254;
const NAME_TAKEN: &str = "Somebody here has that name already. Choose another one.";

/// Shows the form to whoever has the link.
pub async fn get(app: &Arc<App>, request: Request, now: UnixTime) -> Response {
    welcome(app, &request, now).unwrap_or_else(|halt| halt.answer(&request))
}

/// Makes the admin, and signs them in.
pub async fn post(app: &Arc<App>, mut request: Request, now: UnixTime) -> Response {
    match set_up(app, &mut request, now).await {
        Ok(response) => response,
        Err(halt) => halt.answer(&request),
    }
}

fn welcome(app: &App, request: &Request, now: UnixTime) -> Result<Response, Halt> {
    let token = in_query(request, "token")?.ok_or(PageRefusal::SetupLinkInvalid)?;
    app.store.read(|tx| is_open(tx, &token, now))?.then_some(()).ok_or(PageRefusal::SetupLinkInvalid)?;
    Ok(form(
        app,
        request,
        Status::OK,
        &View { token: &token, form_token: "", name: "", email: "", message: None },
    ))
}

fn is_open(tx: &ReadTx<'_>, token: &str, now: UnixTime) -> Result<bool, Fault> {
    Ok(setup_link::is_valid(tx, &SecretHash::of(token), now)? && !users::has_admin(tx)?)
}

/// The form, with a token of its own.
fn form(app: &App, request: &Request, status: Status, view: &View<'_>) -> Response {
    let token = app.browser.form_token(request, PURPOSE);
    let response = page(status, setup::page(&View { form_token: token.as_str(), ..*view }));
    token.with_cookie(response)
}

/// What became of an attempt.
enum Outcome {
    Done(Secret),
    NameTaken,
    LinkInvalid,
}

async fn set_up(app: &Arc<App>, request: &mut Request, now: UnixTime) -> Result<Response, Halt> {
    let fields = Fields::read(request).await?;
    app.browser.check_form(request, PURPOSE, fields.token()?)?;
    let token = fields.required("token")?;
    let (name, email) = (fields.required("username")?, fields.optional("email")?.unwrap_or_default());
    let password = fields.required("password")?;
    // Nobody without the link makes this server hash anything.
    if !app.store.read(|tx| is_open(tx, token, now))? {
        return Err(PageRefusal::SetupLinkInvalid.into());
    }
    let again = |message| {
        let view = View { token, form_token: "", name, email, message: Some(message) };
        form(app, request, Status::BAD_REQUEST, &view)
    };
    let admin = match admin(name, email, password, now) {
        Ok(admin) => admin,
        Err(message) => return Ok(again(message)),
    };
    let hash = app.passwords.hash(password.to_owned()).await?.map_err(|_| Halt::Crowded)?;
    let name = admin.name.clone();
    let attempt = Attempt {
        link: SecretHash::of(token),
        admin,
        hash,
        old_session: app.browser.session(request),
        session_lifetime: app.settings.lifetimes.session,
        origin: Origin::of_request(request.client_ip(), request.header("user-agent")),
    };
    match app.store.write(move |tx| attempt.make(tx, now)).await? {
        Outcome::Done(session) => Ok(with_session(app, go_to("/account"), &session, &name)),
        Outcome::NameTaken => Ok(again(NAME_TAKEN)),
        Outcome::LinkInvalid => Err(PageRefusal::SetupLinkInvalid.into()),
    }
}

/// The admin whom the form describes, or what is to be changed.
fn admin(name: &str, email: &str, password: &str, now: UnixTime) -> Result<User, &'static str> {
    let name = UserName::parse(name).map_err(|_| {
        "Choose a user name of 1 to 64 letters, digits and . _ - @ +, beginning with a letter or a digit."
    })?;
    let email = email.trim();
    if !email.is_empty() && !is_email(email) {
        return Err("Write the e-mail address like alice@home.example, or leave it empty.");
    }
    match password.chars().count() {
        PASSWORD_CHARS_MIN..=PASSWORD_CHARS_MAX => {}
        ..PASSWORD_CHARS_MIN => return Err("Choose a password of at least 8 characters."),
        _ => return Err("Choose a password of at most 256 characters."),
    }
    Ok(User {
        id: UserId::new(),
        name,
        email: (!email.is_empty()).then(|| email.to_owned()),
        role: Role::Admin,
        created_at: now,
        disabled_at: None,
    })
}

/// Hardly more than that it looks like one: nothing is ever sent there.
fn is_email(text: &str) -> bool {
    let looks_right = text.split_once('@').is_some_and(|(local, host)| !local.is_empty() && !host.is_empty());
    looks_right && text.len() <= EMAIL_BYTES_MAX && !text.chars().any(|c| c.is_control() || c.is_whitespace())
}

struct Attempt {
    link: SecretHash,
    admin: User,
    hash: String,
    old_session: Option<SecretHash>,
    session_lifetime: Seconds,
    origin: Origin,
}

impl Attempt {
    /// Of any number of attempts at once, one uses the link up; the others find nothing left of it.
    fn make(&self, tx: &WriteTx<'_>, now: UnixTime) -> Result<Outcome, Fault> {
        let Self { admin, .. } = self;
        // First, because a link that was used up for a name that is taken would be lost.
        if users::find_by_name(tx, &admin.name)?.is_some() {
            let open = setup_link::is_valid(tx, &self.link, now)?;
            return Ok(if open { Outcome::NameTaken } else { Outcome::LinkInvalid });
        }
        if !setup_link::redeem(tx, &self.link, now)? {
            return Ok(Outcome::LinkInvalid);
        }
        users::insert(tx, admin, Some(&self.hash))?;
        Entry::new(Event::SetupCompleted, &self.origin).user(&admin.id).record(tx, now)?;
        let old = self.old_session.as_ref();
        start_session(tx, &admin.id, old, self.session_lifetime, now).map(Outcome::Done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_form_is_said_in_a_sentence() {
        let now = UnixTime::new(0);
        let made = |name: &str, email: &str, password: &str| admin(name, email, password, now);
        assert!(made("Alice", "", "8 chars!").is_ok_and(|user| user.name.as_str() == "alice"));
        assert!(
            made("alice", "a@b", &"é".repeat(256)).is_ok_and(|user| user.email.as_deref() == Some("a@b"))
        );
        for (name, email, password, about) in [
            ("", "", "12345678", "user name"),
            ("al ice", "", "12345678", "user name"),
            ("alice", "alice", "12345678", "e-mail"),
            ("alice", "a@b\u{2028}c", "12345678", "e-mail"),
            ("alice", "", "1234567", "at least 8"),
            ("alice", "", &"é".repeat(257), "at most 256"),
        ] {
            let message = made(name, email, password).unwrap_err();
            assert!(message.contains(about), "{message}");
        }
    }
}
