//! Registration (RFC 7591) as the SDKs do it: the one thing of the walk that leaves a trace, unless the server lets it be
//! taken back (RFC 7592).

use serde_json::{Value, json};
use url::Url;

use super::document::{Document, Heard, NoDocument, location, shortened};
use super::spelling::{is_secure, origin};
use super::step::{Notes, Step};
use crate::http::Method;
use crate::outgoing::{Probe, ProbeAnswer, Prober};

/// Where the client would be sent back to, as Claude Code has it.
pub(super) const REDIRECT_URI: &str = "http://localhost:3118/callback";

/// What the client is called, so that its owner knows where it came from.
const CLIENT_NAME: &str = "vestibule doctor (a test; may be removed)";

/// A client that the server knows from now on.
#[derive(Clone, Debug)]
pub(super) struct Registered {
    /// Its `client_id`.
    pub(super) client_id: String,
    /// Where it can be taken back, and with which token.
    management: Option<(Url, String)>,
}

/// Registers a client.
pub(super) async fn register(endpoint: &Url, prober: &Prober, notes: &mut Notes) -> Option<Registered> {
    let body = json!({
        "client_name": CLIENT_NAME,
        "redirect_uris": [REDIRECT_URI],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
        "application_type": "native",
    });
    let probe = Probe::new(Method::POST, endpoint)
        .header("accept", "application/json")
        .body("application/json", body.to_string());
    judge(endpoint, &prober.ask(probe).await, notes)
}

/// Takes a registration back, where the server has told how, and says what is left of it.
pub(super) async fn take_back(registered: &Registered, endpoint: &Url, prober: &Prober, notes: &mut Notes) {
    let id = shortened(&registered.client_id);
    let removed = match &registered.management {
        // The token is this server's own, and goes to nobody else.
        Some((url, token)) if origin(url) == origin(endpoint) && is_secure(url) => {
            let probe = Probe::new(Method::DELETE, url).header("authorization", format!("Bearer {token}"));
            prober.ask(probe).await.is_ok_and(|answer| answer.status.is_success())
        }
        _ => false,
    };
    if !notes.is_blank(Step::Registration) {
        return;
    }
    notes.ok(
        Step::Registration,
        match removed {
            true => format!("201, as {id}, and removed again"),
            false => format!("201, as {id}, which stays behind: remove it, or let it be forgotten"),
        },
    );
}

fn judge(endpoint: &Url, heard: &Heard, notes: &mut Notes) -> Option<Registered> {
    let answer = match heard {
        Ok(answer) => answer,
        Err(why) => {
            notes.fail(
                Step::Registration,
                format!("{endpoint}: {why}"),
                "A client that nobody added by hand does not become known.",
                "See whether registration_endpoint names the right place, and what its log says.",
            );
            return None;
        }
    };
    if !answer.status.is_success() {
        judge_refused(endpoint, answer, notes);
        return None;
    }
    let document = match Document::in_body(answer) {
        Ok(document) => document,
        Err(why) => {
            notes.fail(
                Step::Registration,
                format!("{} {why}", answer.status.as_u16()),
                "A client reads its client_id from JSON, and gets none.",
                why.mend(endpoint),
            );
            return None;
        }
    };
    if answer.status.as_u16() != 201 {
        notes.warn(
            Step::Registration,
            format!("{} in place of 201", answer.status.as_u16()),
            "RFC 7591 3.2.1 has 201, and a strict reader takes anything else for a refusal.",
            "Answer 201.",
        );
    }
    judge_shape(&document, notes);
    let client_id = document.text("client_id").filter(|id| !id.is_empty())?.to_owned();
    let management = document
        .text("registration_client_uri")
        .and_then(|uri| Url::parse(uri).ok())
        .zip(document.text("registration_access_token").map(str::to_owned));
    Some(Registered { client_id, management })
}

fn judge_refused(endpoint: &Url, answer: &ProbeAnswer, notes: &mut Notes) {
    let status = answer.status.as_u16();
    let said = error_of(answer);
    match status {
        401 | 403 => notes.fail(
            Step::Registration,
            format!("{status}: registration is closed, or wants a token that clients do not have{said}"),
            "The metadata invites every client to register, and none can: Cursor, Gemini CLI, mcp-remote, Inspector and \
             fastmcp know no other way.",
            "Open it (in Vestibule: --registration on, without --registration-token-file; consent is asked of a person all \
             the same), or take registration_endpoint out of the metadata and make clients by hand (vestibule client add).",
        ),
        300..=399 => notes.fail(
            Step::Registration,
            format!("{status}, a redirect to {}", shortened(&location(answer))),
            "On the way a POST becomes a GET, and no client is registered.",
            NoDocument::Redirect(status, String::new()).mend(endpoint),
        ),
        404 | 405 => notes.fail(
            Step::Registration,
            format!("{status} at {endpoint}"),
            "The metadata invites clients to register, and there is nothing at that place.",
            "Name the right place in registration_endpoint, or let the reverse proxy hand POST on to it.",
        ),
        429 => notes.fail(
            Step::Registration,
            format!("{status}: too many registrations"),
            "claude.ai registers twice for each connection, and all its users share a few addresses.",
            "Raise the limit (60 at once from one address does no harm), and wait a minute before the next walk.",
        ),
        500..=599 => notes.fail(
            Step::Registration,
            format!("{status}{said}"),
            "A client that nobody added by hand does not become known.",
            "See the authorization server's log for this request.",
        ),
        _ => notes.fail(
            Step::Registration,
            format!("{status}: it refuses a public client with the redirect {REDIRECT_URI}{said}"),
            "That is how Claude Code registers, and VS Code, Codex, mcp-remote and the Python SDK hardly otherwise.",
            "Accept token_endpoint_auth_method none and http redirects to localhost and 127.0.0.1 (RFC 8252 7.3), and leave \
             out what is not supported in place of refusing it.",
        ),
    }
}

/// The OAuth error in an answer, to be put behind what was seen.
pub(super) fn error_of(answer: &ProbeAnswer) -> String {
    let Ok(document) = Document::in_body(answer) else { return String::new() };
    match (document.text("error"), document.text("error_description")) {
        (Some(error), Some(description)) => shortened(&format!(": {error} ({description})")),
        (Some(error), None) => shortened(&format!(": {error}")),
        _ => String::new(),
    }
}

/// What readers demand of the answer (RFC 7591 3.2.1), and which of them.
fn judge_shape(document: &Document, notes: &mut Notes) {
    let mut fail = |seen: String, why: &str, mend: &str| notes.fail(Step::Registration, seen, why, mend);
    if document.text("client_id").is_none_or(str::is_empty) {
        fail(
            "there is no client_id".to_owned(),
            "Without it there is nothing to go on with.",
            "Answer a client_id.",
        );
    }
    let wrong = document.ill_typed(&["redirect_uris", "grant_types", "response_types", "contacts"]);
    if !wrong.is_empty() {
        fail(
            wrong.join(", "),
            "The TypeScript SDK (Claude Code, mcp-remote) and LM Studio check types, and throw the registration away.",
            TYPES,
        );
    }
    match document.list("redirect_uris") {
        Some(uris) if uris.contains(&REDIRECT_URI) => {}
        Some(_) => fail(
            format!("redirect_uris does not have {REDIRECT_URI}, which was sent"),
            "Nothing is sent back to an address that is not registered.",
            "Keep redirect URIs as they were sent, and echo them.",
        ),
        None if document.get("redirect_uris").is_none() => fail(
            "redirect_uris is missing".to_owned(),
            "The TypeScript SDK and rmcp (Codex, Goose) require it in the answer.",
            "Echo the redirect URIs that were registered.",
        ),
        None => {}
    }
    judge_secret(document, notes);
}

const TYPES: &str = "Leave a member out where it has no value, and write lists as lists of texts.";

fn judge_secret(document: &Document, notes: &mut Notes) {
    let secret = document.text("client_secret");
    let method = document.text("token_endpoint_auth_method");
    if secret == Some("") {
        return notes.fail(
            Step::Registration,
            "client_secret is an empty text",
            "Clients take it for a secret, and send it.",
            "Leave client_secret out where there is none.",
        );
    }
    match (secret, method) {
        (None, Some(method)) if method != "none" => notes.fail(
            Step::Registration,
            format!("token_endpoint_auth_method is {method:?}, and there is no client_secret"),
            "The Python SDK takes that for an error, and other clients have nothing to authenticate with.",
            "Answer \"none\" where no secret is given, as was asked for.",
        ),
        (Some(_), _) if document.get("client_secret_expires_at").is_none_or(|at| !Value::is_number(at)) => notes.fail(
            Step::Registration,
            "there is a client_secret, and no client_secret_expires_at",
            "RFC 7591 3.2.1 requires it then, and readers built on openid-client (Smithery) refuse the answer.",
            "Answer \"client_secret_expires_at\": 0 for a secret that does not expire.",
        ),
        (Some(_), _) => notes.warn(
            Step::Registration,
            "there is a client_secret, although none was asked for",
            "A client that asked for \"none\" may not send it, and is refused at the token endpoint then.",
            "Honour token_endpoint_auth_method none, and make no secret.",
        ),
        (None, _) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::step::Mark;
    use crate::http::{HeaderMap, Status};
    use crate::outgoing::BodyEnd;

    fn judged(body: &Value) -> Vec<(Mark, String)> {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", "application/json".parse().unwrap());
        let body = body.to_string().into();
        let answer = ProbeAnswer { status: Status::CREATED, headers, body, end: BodyEnd::Complete };
        let mut notes = Notes::default();
        judge(&Url::parse("https://as.test/register").unwrap(), &Ok(answer), &mut notes);
        let findings = notes.into_findings().into_iter().filter(|one| one.step() == Step::Registration);
        findings.map(|one| (one.mark(), one.seen().to_owned())).collect()
    }

    #[test]
    fn an_answer_is_read_as_the_strictest_client_reads_it() {
        let good = || json!({ "client_id": "c", "redirect_uris": [REDIRECT_URI], "token_endpoint_auth_method": "none" });
        assert_eq!(judged(&good())[0].0, Mark::Skipped, "what is right is told when it is taken back");
        for (name, value, mark, words) in [
            ("client_id", json!(""), Mark::Fail, "no client_id"),
            ("client_uri", json!(null), Mark::Fail, "client_uri is null"),
            ("grant_types", json!("authorization_code"), Mark::Fail, "grant_types is no list"),
            ("redirect_uris", json!(["http://localhost/callback"]), Mark::Fail, "which was sent"),
            ("client_secret", json!(""), Mark::Fail, "empty"),
            ("client_secret", json!("s"), Mark::Fail, "client_secret_expires_at"),
            ("token_endpoint_auth_method", json!("client_secret_post"), Mark::Fail, "no client_secret"),
        ] {
            let mut body = good();
            body[name] = value;
            let findings = judged(&body);
            assert!(
                findings.len() == 1 && findings[0].0 == mark && findings[0].1.contains(words),
                "{name}: {findings:?}"
            );
        }
        let mut body = good();
        body.as_object_mut().unwrap().remove("redirect_uris");
        assert!(judged(&body)[0].1.contains("redirect_uris is missing"));
        body = good();
        body["client_secret"] = json!("s");
        body["client_secret_expires_at"] = json!(0);
        assert_eq!(judged(&body)[0].0, Mark::Warn);
    }
}
