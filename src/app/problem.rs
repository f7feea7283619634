//! Problems as answers: a page for a person, JSON for a program.
//!
//! A refusal says what happened, why, and what to do next. A fault says nothing but that it happened; its text goes
//! to the log.

mod document;
mod words;

use serde::Serialize;

use crate::clock::Seconds;
use crate::http::{BodyRefusal, Request, Response, Status};
use crate::oauth::error::ErrorCode;
use crate::oauth::redirect_uri::{Destination, destination};
use crate::oauth::refusal::{AuthorizeRefusal, PageRefusal};
use crate::oauth::resource::ResourceUri;
use crate::store::Fault;
use crate::view::problem::{Back, Link, Onward, View, page};

use words::words;

pub use document::{document, mend as mend_document};

/// When to try again after a fault that may go away: longer than a lock or a checkpoint lasts.
const FAULT_WAIT: Seconds = Seconds::new(5);

/// What a person reads; texts of ours, never a stranger's.
struct Words {
    title: &'static str,
    /// Also the `error_description`, so it keeps to the characters of RFC 6749 5.2.
    what: &'static str,
    why: &'static str,
    next: &'static str,
    command: Option<&'static str>,
}

/// Tells a person that no client can be told, and why.
pub fn refusal(request: &Request, refusal: &PageRefusal) -> Response {
    let words = words(refusal);
    let subject = match refusal {
        PageRefusal::RedirectUriUnknown(uri)
        | PageRefusal::AppLink(uri)
        | PageRefusal::PlaceUnknown(uri)
        | PageRefusal::NotAdmitted(uri) => Some(uri.as_str()),
        _ => None,
    };
    let status = Status::from_u16(refusal.http_status()).unwrap_or(Status::BAD_REQUEST);
    let mut reason = refusal.reason().to_owned();
    for (before, text) in [(" ", subject), ("; mend: ", mend(refusal))] {
        if let Some(text) = text {
            reason.push_str(before);
            reason.push_str(text);
        }
    }
    answer(request, status, refusal.code().as_str(), &words, subject, link(refusal)).because(reason)
}

/// The page of ours where a person goes on, where there is one.
const fn link(refusal: &PageRefusal) -> Option<Link<'static>> {
    match refusal {
        PageRefusal::SetupLinkInvalid => {
            Some(Link::Back(Back { path: "/login", authorization: None, words: "Sign in" }))
        }
        PageRefusal::NotAdmitted(_) => {
            Some(Link::Back(Back { path: "/logout", authorization: None, words: "Sign in as somebody else" }))
        }
        _ => None,
    }
}

/// What the owner can do about it, where there is something.
pub const fn mend(refusal: &PageRefusal) -> Option<&'static str> {
    match refusal {
        PageRefusal::ClientUnknown => {
            Some("the client has to register again, or add it: vestibule client add")
        }
        PageRefusal::RedirectUriUnknown(_) => Some(
            "a client that registered itself has to register again; compare with vestibule client show CLIENT_ID",
        ),
        PageRefusal::AppLink(_) => Some("to send people back to apps: --app-links on"),
        PageRefusal::FormTokenWrong | PageRefusal::CrossSite => Some(
            "people have to open this server as its issuer is spelled; to change that: --issuer URL --change-issuer",
        ),
        PageRefusal::SetupLinkInvalid => {
            Some("start the server again: it prints a new link while there is no admin")
        }
        PageRefusal::PlaceUnknown(_) => {
            Some("register it: vestibule resource add; and give it a host of its own, not the issuer's")
        }
        PageRefusal::NotAdmitted(_) => Some("vestibule resource set URI --users, with the person among them"),
        PageRefusal::VisitLost
        | PageRefusal::ClientMissing
        | PageRefusal::RedirectUriMissing
        | PageRefusal::AuthorizationUnknown
        | PageRefusal::AuthorizationAnswered
        | PageRefusal::FormMalformed => None,
    }
}

/// Tells a person what is wrong with a client's request, with a link by which the client hears of it. For a client
/// that registered itself, before anybody has signed in: redirecting at once would make this server a means to send
/// people anywhere (RFC 9700 4.11.2). `url` is made from a redirect URI that was checked.
pub fn onward(request: &Request, refusal: &AuthorizeRefusal, url: &str) -> Response {
    let (code, what) = refusal.wire();
    let (why, next, command) = match refusal {
        AuthorizeRefusal::ResourceUnknown(_) => (
            "The app asks for a server that nobody has registered here.",
            "If you run this server, register that one by the address that apps connect to, then connect again.",
            Some("vestibule resource add URI"),
        ),
        _ => (
            "The app's request is not one that this server can accept, so there is nothing to sign in for.",
            "Go back to the app, and tell its makers what this page says.",
            None,
        ),
    };
    let words = Words { title: "The app's request is refused", what, why, next, command };
    let subject = refusal.resources().first().map(ResourceUri::as_str);
    let to = match destination(url) {
        Destination::Web(host) => host,
        Destination::Loopback => "this computer",
        Destination::App(scheme) => scheme,
    };
    let onward = Onward { url, destination: to };
    answer(request, Status::BAD_REQUEST, code.as_str(), &words, subject, Some(Link::Onward(onward)))
        .because(refusal.reason())
}

/// Says that a form could not be read from the wire.
pub fn unreadable(request: &Request, refusal: &BodyRefusal) -> Response {
    let words = Words {
        title: "The form did not arrive",
        what: refusal.describe(),
        why: "What arrived is not what a form of this server sends.",
        next: "Go back, reload the page, and send the form again.",
        command: None,
    };
    let code = ErrorCode::InvalidRequest.as_str();
    answer(request, refusal.status(), code, &words, None, None).because("body_refused")
}

/// Says that it is our fault, and writes to the log whose it is.
pub fn fault(request: &Request, fault: &Fault) -> Response {
    tracing::error!(%fault, path = request.path(), "a request failed");
    if !fault.is_temporary() {
        let words = Words {
            title: "This server failed",
            what: "Something went wrong inside this server.",
            why: "Its log says what; nothing of what you sent is the cause.",
            next: "Try again. If it stays so, whoever runs this server should read the log.",
            command: None,
        };
        let code = ErrorCode::ServerError.as_str();
        return answer(request, Status::INTERNAL_SERVER_ERROR, code, &words, None, None).because("fault");
    }
    let words = Words {
        title: "Not now",
        what: "This server cannot store anything at the moment.",
        why: "Its disk is full, or its database is locked or cannot be written; its log says which.",
        next: "Try again in a few seconds. If it stays so, whoever runs this server should read the log.",
        command: None,
    };
    let code = ErrorCode::TemporarilyUnavailable.as_str();
    let response = answer(request, Status::SERVICE_UNAVAILABLE, code, &words, None, None);
    retry_after(response, FAULT_WAIT).because("fault")
}

/// Says that it is too much at once, and how long to wait.
pub fn busy(request: &Request, wait: Seconds) -> Response {
    let words = Words {
        title: "Too much at once",
        what: "There were too many requests in a short time.",
        why: "This server bounds how often anybody may try, so that nobody can guess or wear it out.",
        next: "Wait a little, then try again.",
        command: None,
    };
    let code = ErrorCode::TemporarilyUnavailable.as_str();
    let response = answer(request, Status::TOO_MANY_REQUESTS, code, &words, None, None);
    retry_after(response, wait).because("busy")
}

/// Says in the header when to try again: never at once.
pub fn retry_after(response: Response, wait: Seconds) -> Response {
    response.with_header("retry-after", &wait.as_u32().max(1).to_string())
}

fn answer(
    request: &Request,
    status: Status,
    error: &'static str,
    words: &Words,
    subject: Option<&str>,
    link: Option<Link<'_>>,
) -> Response {
    if !request.accepts_html() {
        let body = Body { error, error_description: words.what };
        return Response::json(status, &body).no_store();
    }
    let view = View {
        status: status.as_u16(),
        title: words.title,
        what: words.what,
        subject,
        why: words.why,
        next: words.next,
        command: words.command,
        link,
    };
    Response::html(status, page(&view).into_string()).no_store()
}

#[derive(Serialize)]
struct Body {
    error: &'static str,
    error_description: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_can_be_told_to_a_program_and_none_repeats_what_was_sent() {
        for refusal in [
            PageRefusal::ClientMissing,
            PageRefusal::ClientUnknown,
            PageRefusal::RedirectUriMissing,
            PageRefusal::RedirectUriUnknown("https://evil.test".to_owned()),
            PageRefusal::AppLink("evil.test:/cb".to_owned()),
            PageRefusal::AuthorizationUnknown,
            PageRefusal::AuthorizationAnswered,
            PageRefusal::FormTokenWrong,
            PageRefusal::CrossSite,
            PageRefusal::FormMalformed,
            PageRefusal::SetupLinkInvalid,
            PageRefusal::VisitLost,
            PageRefusal::PlaceUnknown("https://evil.test".to_owned()),
            PageRefusal::NotAdmitted("https://evil.test".to_owned()),
        ] {
            let words = words(&refusal);
            let allowed = |b: u8| matches!(b, b' '..=b'~') && b != b'"' && b != b'\\';
            assert!(words.what.bytes().all(allowed), "{}", words.what);
            for text in [words.title, words.what, words.why, words.next] {
                assert!(!text.is_empty() && !text.contains("evil.test") && !text.contains("  "), "{text}");
            }
            assert!(Status::from_u16(refusal.http_status()).is_ok_and(|status| status.is_client_error()));
        }
    }
}
