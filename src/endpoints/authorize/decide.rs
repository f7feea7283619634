//! What is next in the browser flow: one decision, from nothing but its arguments.

use crate::app::offer::Terms;
use crate::oauth::authorize_request::Prompt;
use crate::oauth::refusal::AuthorizeRefusal;
use crate::store::authorizations::{Approval, Authorization, Stage};
use crate::store::sessions::SignedIn;

/// Whether the person has agreed to these very terms before, in a way that may stand in for a click.
pub(super) enum Agreement {
    Remembered(Terms),
    Open,
}

/// What is next in the browser flow.
pub(super) enum Step<'a> {
    /// The person must sign in, or sign in again.
    SignIn,
    /// The person must be asked.
    AskConsent,
    /// The client gets an error.
    Refuse(AuthorizeRefusal),
    /// The client gets a code for what the person agreed to just now.
    Issue(Approval, &'a SignedIn),
    /// The client gets a code for what the person agreed to before.
    Agree(Terms, &'a SignedIn),
    /// The request was answered already, or is somebody else's.
    Gone,
}

/// Decides what is next, from nothing but its arguments.
pub(super) fn decide<'a>(
    authorization: &Authorization,
    session: Option<&'a SignedIn>,
    agreement: Agreement,
) -> Step<'a> {
    let silent = authorization.prompt == Prompt::None;
    match &authorization.stage {
        Stage::Answered => return Step::Gone,
        Stage::Denied => return Step::Refuse(AuthorizeRefusal::Denied),
        Stage::Pending | Stage::Approved(_) => {}
    }
    let session = match session.filter(|session| is_fresh_enough(authorization, session)) {
        Some(session) => session,
        None if silent => return Step::Refuse(AuthorizeRefusal::LoginRequired),
        None => return Step::SignIn,
    };
    match (&authorization.stage, agreement) {
        // Whoever approved is who the code is for; nobody else's session gets it.
        (Stage::Approved(approval), _) if *approval.user() == session.user().id => {
            Step::Issue(approval.clone(), session)
        }
        (Stage::Approved(_), _) => Step::Gone,
        (_, Agreement::Remembered(terms)) if !authorization.prompt.wants_consent() => {
            Step::Agree(terms, session)
        }
        _ if silent => Step::Refuse(AuthorizeRefusal::ConsentRequired),
        _ => Step::AskConsent,
    }
}

/// Whether the sign-in is as recent as the request wants it: made for this very request, or not older than `max_age`
/// and no new one is asked for.
pub(super) fn is_fresh_enough(authorization: &Authorization, session: &SignedIn) -> bool {
    if authorization.fresh_session.as_ref() == Some(session.session()) {
        return true;
    }
    !authorization.prompt.wants_login()
        && authorization.auth_time_min.is_none_or(|oldest| session.auth_time() >= oldest)
}
