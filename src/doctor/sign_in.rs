//! The authorization endpoint: asked as a client asks, and left before there is anything to consent to.

use url::Url;

use super::document::{Document, Heard, argument, is_html, location, page_title, shortened};
use super::offer::Offer;
use super::registration::{REDIRECT_URI, error_of};
use super::resource_metadata::ResourceMetadata;
use super::step::{Harm, Notes, Step};
use crate::crypto::digest::to_base64url;
use crate::crypto::random;
use crate::http::Method;
use crate::oauth::pkce::PkceVerifier;
use crate::outgoing::{Probe, ProbeAnswer, Prober};

/// The client that Anthropic publishes a document of; where documents are taken, its name is enough.
const DOCUMENT: &str = "https://claude.ai/oauth/claude-code-client-metadata";

/// Who comes to sign a person in.
#[derive(Clone, Copy, Debug)]
pub(super) enum Comer<'a> {
    /// A client that has just registered.
    Registered(&'a str),
    /// The client of [`DOCUMENT`].
    Documented(Others),
}

/// The clients that are named by no document.
#[derive(Clone, Copy, Debug)]
pub(super) enum Others {
    /// They register, as one has just done, or as far as anybody has tried.
    Register,
    /// None can register.
    StayUnknown,
}

/// One client at one resource.
pub(super) struct SignIn<'a> {
    /// What the server offers.
    pub(super) offer: &'a Offer,
    /// What is asked for.
    pub(super) resource: &'a ResourceMetadata,
    /// The scope to ask for, if any.
    pub(super) scope: Option<String>,
    verifier: PkceVerifier,
}

impl<'a> SignIn<'a> {
    /// A sign-in that has not begun. The scope is the challenge's, or all that the resource lists, as in the SDKs.
    pub(super) fn new(offer: &'a Offer, resource: &'a ResourceMetadata, challenged: Option<String>) -> Self {
        let listed = resource.scopes.join(" ");
        let scope = challenged.or_else(|| (!listed.is_empty()).then_some(listed));
        let verifier = PkceVerifier::parse(&to_base64url(&random::bytes::<32>()))
            .expect("43 characters of base64url are a verifier (RFC 7636 4.1)");
        Self { offer, resource, scope, verifier }
    }

    /// Sends a person to the authorization endpoint, and looks at the page that they would see.
    pub(super) async fn authorize(&self, comer: Comer<'_>, prober: &Prober, notes: &mut Notes) {
        let Some(endpoint) = &self.offer.authorization else { return };
        let client_id = match comer {
            Comer::Registered(id) => id,
            Comer::Documented(_) => DOCUMENT,
        };
        let state = to_base64url(&random::bytes::<16>());
        let mut url = endpoint.clone();
        {
            let mut query = url.query_pairs_mut();
            query
                .append_pair("response_type", "code")
                .append_pair("client_id", client_id)
                .append_pair("redirect_uri", REDIRECT_URI)
                .append_pair("code_challenge", &self.verifier.challenge())
                .append_pair("code_challenge_method", "S256")
                .append_pair("state", &state)
                .append_pair("resource", &self.resource.resource);
            if let Some(scope) = &self.scope {
                query.append_pair("scope", scope);
            }
        }
        let ask = |accept: &str| Probe::new(Method::GET, &url).header("accept", accept);
        let mut heard = prober.ask(ask("text/html,application/xhtml+xml,*/*;q=0.8")).await;
        if heard.as_ref().is_ok_and(|answer| answer.status.is_client_error() && is_html(answer)) {
            // A program that asks, as mcp-remote does, is often told in a word what a page tells in many.
            let told = prober.ask(ask("application/json")).await;
            if told.as_ref().is_ok_and(|answer| !error_of(answer).is_empty()) {
                heard = told;
            }
        }
        match comer {
            Comer::Documented(others) => judge_document(&heard, others, notes),
            Comer::Registered(_) => {
                if let Ok(answer) = &heard {
                    self.judge_iss(answer, notes);
                }
                judge_authorization(endpoint, &self.resource.resource, &heard, notes);
            }
        }
    }

    /// Holds the server to its promise, where an answer went back to the client at once (RFC 9207 2).
    fn judge_iss(&self, answer: &ProbeAnswer, notes: &mut Notes) {
        let is_answer = sent_back(answer, "error").is_some() || sent_back(answer, "code").is_some();
        let iss = sent_back(answer, "iss");
        let seen = match &iss {
            _ if !is_answer => return,
            None if self.offer.promises_iss => "it is promised, and missing from the answer that went back",
            Some(iss) if *iss != self.resource.issuer => "the answer that went back names another issuer",
            None | Some(_) => return,
        };
        notes.fail(
            Step::IssPromise,
            format!("{seen}{}", iss.map_or(String::new(), |iss| format!(": {}", shortened(&iss)))),
            "Clients take it for another server's answer, and drop it: mcp-remote, Codex, the TypeScript SDK (v2).",
            "Send iss in every authorization response, errors too, as the metadata spells the issuer; or do not promise it.",
        );
    }
}

/// An answer by redirect to the client: `code` or `error`, decoded.
fn sent_back(answer: &ProbeAnswer, name: &str) -> Option<String> {
    let to = location(answer);
    let url = Url::parse(&to).ok().filter(|_| to.starts_with(REDIRECT_URI))?;
    url.query_pairs().find(|(have, _)| have == name).map(|(_, value)| value.into_owned())
}

fn judge_authorization(endpoint: &Url, resource: &str, heard: &Heard, notes: &mut Notes) {
    let step = Step::Authorization;
    let answer = match heard {
        Ok(answer) => answer,
        Err(why) => {
            return notes.fail(
                step,
                format!("{endpoint}: {why}"),
                "A person's browser gets no page to sign in at.",
                "See whether authorization_endpoint names the right place, and that browsers reach it; nobody else needs to.",
            );
        }
    };
    let status = answer.status.as_u16();
    if sent_back(answer, "code").is_some() {
        return notes.fail_with(
            Harm::Exposure,
            step,
            "it sends a code back without asking anybody",
            "Whoever makes a person's browser open this URL gets a token in their name: any web page can.",
            "Ask for consent whenever a client registered itself, and remember it by person, client and resource.",
        );
    }
    if let Some(error) = sent_back(answer, "error") {
        let description = sent_back(answer, "error_description").unwrap_or_default();
        return judge_error(step, resource, &error, &description, notes);
    }
    match status {
        200 if is_html(answer) => {
            let title = page_title(answer).map_or(String::new(), |title| format!(" ({title:?})"));
            notes.ok(step, format!("200, a page{title}"));
        }
        301..=303 | 307 | 308 => {
            notes.ok(step, format!("{status}, on to {}", shortened(&without_query(endpoint, answer))))
        }
        _ => judge_refused(step, endpoint, resource, answer, notes),
    }
}

fn without_query(endpoint: &Url, answer: &ProbeAnswer) -> String {
    let to = location(answer);
    match endpoint.join(&to) {
        Ok(url) => url[..url::Position::AfterPath].to_owned(),
        Err(_) => to,
    }
}

fn judge_error(step: Step, resource: &str, error: &str, description: &str, notes: &mut Notes) {
    let seen = match description {
        "" => format!("it refuses with {error}"),
        _ => format!("it refuses with {error}: {}", shortened(description)),
    };
    let (why, mend) = match error {
        "invalid_target" => (
            "The authorization server does not know the resource that the metadata names, so nobody gets a token for it.",
            format!("Register it there by this name (in Vestibule: vestibule resource add {}).", argument(resource)),
        ),
        "invalid_scope" => (
            "Clients ask for the scopes that the challenge or the metadata names, and stop where one is refused.",
            "Drop scopes that are not known in place of refusing them, and let the resource list those that are.".to_owned(),
        ),
        "login_required" | "interaction_required" | "consent_required" => (
            "It does not let a person sign in who has not before.",
            "Show a page to sign in at, where no prompt=none was sent.".to_owned(),
        ),
        _ => (
            "That is what every client sends, and none gets further.",
            "See the authorization server's log for this request.".to_owned(),
        ),
    };
    notes.fail(step, seen, why, mend);
}

fn judge_refused(step: Step, endpoint: &Url, resource: &str, answer: &ProbeAnswer, notes: &mut Notes) {
    let status = answer.status.as_u16();
    if let Ok(document) = Document::in_body(answer)
        && let Some(error) = document.text("error")
    {
        return judge_error(
            step,
            resource,
            error,
            document.text("error_description").unwrap_or_default(),
            notes,
        );
    }
    let title = page_title(answer).map_or(String::new(), |title| format!(" ({title:?})"));
    let seen = format!("{status}{title}");
    match status {
        404 | 405 | 410 => notes.fail(
            step,
            format!("{seen} at {endpoint}"),
            "A person who is sent there to sign in finds nothing.",
            "Name the right place in authorization_endpoint, or let the reverse proxy hand it on.",
        ),
        401 => notes.fail(
            step,
            seen,
            "A person comes without a token, and without a page there is no way to sign in; fastmcp takes it for an error.",
            "Answer a page to sign in at, or a redirect to one; if it is the reverse proxy that asks for a password, take \
             that off this path.",
        ),
        400 => notes.fail(
            step,
            format!("{seen}: it refuses what every client sends"),
            "fastmcp throws its registration away at this, and people see an error in place of a page to sign in at.",
            "See the authorization server's log for this request: the client was registered a moment before, the redirect is \
             its own, PKCE is S256.",
        ),
        200 => notes.fail(
            step,
            format!("200, and no page ({})", answer.media_type()),
            "A person sees no page to sign in at.",
            "Answer an HTML page, or a redirect to one.",
        ),
        _ => notes.fail(
            step,
            seen,
            "A person sees an error in place of a page to sign in at.",
            "See the authorization server's log for this request.",
        ),
    }
}

/// The same for a client that is named by its document, which the server has to fetch first.
fn judge_document(heard: &Heard, others: Others, notes: &mut Notes) {
    const MEND: &str = "Let the authorization server reach the internet by https, and see its log for why the document was \
                        refused; or promise none, and these clients register too (in Vestibule: --client-documents off).";
    let step = Step::ClientDocument;
    let seen = match heard {
        Ok(answer)
            if matches!(answer.status.as_u16(), 302 | 303 | 307) && sent_back(answer, "error").is_none() =>
        {
            return judge_known(notes);
        }
        Ok(answer) if answer.status.as_u16() == 200 && is_html(answer) => return judge_known(notes),
        Ok(answer) => {
            let title = page_title(answer).map_or(String::new(), |title| format!(" ({title:?})"));
            let error =
                sent_back(answer, "error").map_or_else(|| error_of(answer), |error| format!(": {error}"));
            format!("{}{title}{error} for {DOCUMENT}", answer.status.as_u16())
        }
        Err(why) => format!("{why} for {DOCUMENT}"),
    };
    match others {
        Others::Register => notes.warn(
            step,
            seen,
            "Clients that register are not concerned. Claude, Claude Code, ChatGPT, VS Code and Codex name themselves by a document \
             where documents are promised, and register only where they are not: each does not connect while the server \
             cannot get or use its document.",
            MEND,
        ),
        Others::StayUnknown => notes.fail(
            step,
            seen,
            "Where client metadata documents are promised, Claude, Claude Code, ChatGPT, VS Code and Codex come with one and \
             do not register; the server could not get or use it, and no client can register here either.",
            MEND,
        ),
    }
}

/// A client that is named by its document gets as far as its page, also where none can register.
fn judge_known(notes: &mut Notes) {
    notes.ok(Step::ClientDocument, format!("it knows {DOCUMENT}"));
    notes.confine(Step::Registration, "Clients that name themselves by a document are not concerned.");
}
