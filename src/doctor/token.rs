//! The token endpoint, asked for a token by a code that nobody issued: how it refuses tells whether clients could use it.

use url::Url;
use url::form_urlencoded;

use super::document::{Document, Heard, NoDocument, argument, location, page_title, shortened};
use super::registration::{REDIRECT_URI, error_of};
use super::resource_metadata::ResourceMetadata;
use super::step::{Harm, Notes, Step};
use crate::crypto::digest::to_base64url;
use crate::crypto::random;
use crate::http::Method;
use crate::outgoing::{Probe, ProbeAnswer, Prober};

const STEP: Step = Step::Token;

/// Who redeems.
#[derive(Clone, Copy, Debug)]
pub(super) enum Client<'a> {
    /// A client that the server has just registered.
    Known(&'a str),
    /// One that it cannot know.
    MadeUp,
}

/// Redeems a code that nobody issued.
pub(super) async fn redeem(
    endpoint: &Url,
    client: Client<'_>,
    resource: &ResourceMetadata,
    prober: &Prober,
    notes: &mut Notes,
) {
    let client_id = match client {
        Client::Known(id) => id,
        Client::MadeUp => "vestibule-doctor",
    };
    // What nobody knows is no secret: made for this one request, and never of use.
    let (code, verifier) = (to_base64url(&random::bytes::<32>()), to_base64url(&random::bytes::<32>()));
    let form = form_urlencoded::Serializer::new(String::new())
        .append_pair("grant_type", "authorization_code")
        .append_pair("code", &code)
        .append_pair("redirect_uri", REDIRECT_URI)
        .append_pair("client_id", client_id)
        .append_pair("code_verifier", &verifier)
        .append_pair("resource", &resource.resource)
        .finish();
    let probe = Probe::new(Method::POST, endpoint)
        .header("accept", "application/json")
        .body("application/x-www-form-urlencoded", form);
    let heard = prober.ask(probe).await;
    if let Some((answer, document)) = judge_form(endpoint, &heard, notes) {
        judge_error(answer, &document, client, &resource.resource, notes);
    }
}

/// Whether it answers JSON at all.
fn judge_form<'h>(
    endpoint: &Url,
    heard: &'h Heard,
    notes: &mut Notes,
) -> Option<(&'h ProbeAnswer, Document)> {
    let answer = match heard {
        Ok(answer) => answer,
        Err(why) => {
            notes.fail(
                STEP,
                format!("{endpoint}: {why}"),
                NO_TOKEN,
                "See whether token_endpoint names the right place, and that it is reached from wherever clients run.",
            );
            return None;
        }
    };
    let status = answer.status.as_u16();
    if answer.status.is_redirection() {
        notes.fail(
            STEP,
            format!("{status}, a redirect to {}", shortened(&location(answer))),
            "On the way the POST becomes a GET and loses its form, so that no client gets a token.",
            NoDocument::Redirect(status, String::new()).mend(endpoint),
        );
        return None;
    }
    let why = match Document::in_body(answer) {
        Ok(document) => return Some((answer, document)),
        Err(why) => why,
    };
    let title = page_title(answer).map_or(String::new(), |title| format!(" ({title:?})"));
    let what = match why {
        NoDocument::Html => format!("an HTML page{title}"),
        _ => why.to_string().trim_start_matches("200, ").to_owned(),
    };
    notes.fail(
        STEP,
        format!("{status}, with {what}"),
        "Clients read an OAuth error from JSON to know what to do next; where there is none, the TypeScript SDK begins its \
         whole sign-in anew.",
        match status {
            404 | 405 => {
                "Name the right place in token_endpoint, or let the reverse proxy hand POST on to it.".to_owned()
            }
            _ => format!(
                "Answer POST {} with JSON in every case, and let nothing before it answer in its place.",
                endpoint.path()
            ),
        },
    );
    None
}

const NO_TOKEN: &str = "A client that comes with a person's code gets no token for it.";

/// Whether it refuses as RFC 6749 5.2 has it.
fn judge_error(
    answer: &ProbeAnswer,
    document: &Document,
    client: Client<'_>,
    resource: &str,
    notes: &mut Notes,
) {
    let status = answer.status.as_u16();
    let seen = format!("{status}{}", error_of(answer));
    match (document.text("error"), client) {
        (None, _) if answer.status.is_success() => notes.fail_with(
            Harm::Exposure,
            STEP,
            format!("{status} for a code that nobody issued"),
            "Whoever makes a code up gets a token.",
            "Check the code before anything is issued.",
        ),
        (None, _) => notes.fail(
            STEP,
            format!("{status}, with JSON that has no error"),
            "Clients read the member error to know what to do next.",
            "Answer as RFC 6749 5.2 has it: {\"error\": \"invalid_grant\"}.",
        ),
        (Some(_), _) if answer.status.is_server_error() => notes.fail(
            STEP,
            seen,
            "At a 5xx the TypeScript SDK begins its whole sign-in anew.",
            "See the authorization server's log for this request.",
        ),
        (Some(error), _) if answer.status.is_success() => notes.warn(
            STEP,
            format!("{status} with error {}", shortened(error)),
            "Only the newest clients look for an error in an answer that says that all is well.",
            "Answer errors with 400 (RFC 6749 5.2).",
        ),
        (Some("invalid_grant"), _) => {
            notes.ok(STEP, format!("{status} invalid_grant, for a code that nobody issued"));
        }
        (Some("invalid_client"), Client::MadeUp) => {
            notes.ok(STEP, format!("{status} invalid_client, for a client that nobody knows"));
        }
        (Some("invalid_client" | "unauthorized_client"), Client::Known(_)) => notes.fail(
            STEP,
            format!("{seen}, for the client that has just registered"),
            "A client that is told so throws its registration away and begins anew, for ever.",
            "Accept public clients (token_endpoint_auth_method none, client_id in the form), and keep registrations where \
             every instance of the server sees them.",
        ),
        (Some("invalid_target"), _) => notes.fail(
            STEP,
            seen,
            "The authorization server does not know the resource that the metadata names, so nobody gets a token for it.",
            format!("Register it there by this name (in Vestibule: vestibule resource add {}).", argument(resource)),
        ),
        (Some("unsupported_grant_type"), _) => notes.fail(
            STEP,
            seen,
            NO_TOKEN,
            "Support authorization_code; if it does, see whether the form arrives as it was sent.",
        ),
        (Some(_), _) => notes.warn(
            STEP,
            format!("{seen}, in place of invalid_grant"),
            "Clients drop a dead code or refresh token at invalid_grant only.",
            "Answer invalid_grant for a code that is wrong (RFC 6749 5.2).",
        ),
    }
}
