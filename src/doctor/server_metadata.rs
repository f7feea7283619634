//! Authorization server metadata: where clients find it, in the order in which they look.

use url::Url;

use super::call::{AGENTS, judge_agents};
use super::document::{Document, Heard, NoDocument, shortened};
use super::resource_metadata::{ResourceMetadata, get, judge_head};
use super::spelling::{Difference, appended, at_root, inserted, origin};
use super::step::{Notes, Step};
use crate::clock::UnixTime;
use crate::http::Method;
use crate::outgoing::{Probe, Prober};

/// RFC 8414 3.
pub(super) const OAUTH: &str = "oauth-authorization-server";
/// OpenID Connect Discovery 4.
const OPENID: &str = "openid-configuration";

/// The metadata that clients come to.
pub(super) struct ServerMetadata {
    /// Where it is.
    pub(super) url: Url,
    /// What it says.
    pub(super) document: Document,
    /// Whether it is OpenID Connect Discovery's, of which some clients want more.
    pub(super) is_openid: bool,
    /// The server's clock, if it told.
    pub(super) date: Option<UnixTime>,
}

/// A URL that clients try, and what they get.
struct Place {
    url: Url,
    is_openid: bool,
    found: Result<(Document, Option<UnixTime>), NoDocument>,
}

/// The URLs that clients try, in order; for an issuer without a path there are two.
fn candidates(issuer: &Url) -> Vec<(Url, bool)> {
    let mut bare = issuer.clone();
    bare.set_path(issuer.path().strip_suffix('/').unwrap_or(issuer.path()));
    let mut urls = vec![(inserted(&bare, OAUTH), false), (inserted(&bare, OPENID), true)];
    if bare.path() != "/" {
        urls.push((appended(&bare, OPENID), true));
    }
    urls
}

/// Looks for the metadata of the issuer that the resource names.
pub(super) async fn find(
    issuer: &Url,
    resource: &ResourceMetadata,
    prober: &Prober,
    notes: &mut Notes,
) -> Option<ServerMetadata> {
    let mut places = Vec::new();
    for (url, is_openid) in candidates(issuer) {
        let heard = prober.ask(get(&url)).await;
        places.push(place(url, is_openid, &heard));
        if heard.is_err() {
            // Who does not answer once makes each further question wait as long.
            break;
        }
    }
    let Some(at) = places.iter().position(|place| place.found.is_ok()) else {
        let is_answering = places.iter().all(|place| !matches!(place.found, Err(NoDocument::Unanswered(_))));
        let elsewhere = match resource.is_issuer_named && is_answering {
            true => look_elsewhere(issuer, prober).await,
            false => None,
        };
        judge_missing(&places, elsewhere.as_ref(), resource, notes);
        return None;
    };
    judge_before(&places[..at], notes);
    let Place { url, is_openid, found: Ok((document, date)) } = places.swap_remove(at) else { return None };
    let kind = if is_openid { "OpenID Connect Discovery" } else { "RFC 8414" };
    let guessed = if resource.is_issuer_named { "" } else { ", where clients guess it to be" };
    if notes.is_blank(Step::Metadata) {
        notes.ok(Step::Metadata, format!("{url} ({kind}){guessed}"));
    }
    judge_head(Step::Metadata, &url, &prober.ask(Probe::new(Method::HEAD, &url)).await, notes);
    let mut others = Vec::new();
    for (agent, who) in AGENTS {
        others.push((agent, who, prober.ask(get(&url).header("user-agent", agent)).await));
    }
    judge_agents(Step::ServerAgents, crate::http::Status::OK, &others, notes);
    Some(ServerMetadata { url, document, is_openid, date })
}

fn place(url: Url, is_openid: bool, heard: &Heard) -> Place {
    let date = heard.as_ref().ok().and_then(crate::outgoing::ProbeAnswer::date);
    Place { url, is_openid, found: Document::of(heard).map(|document| (document, date)) }
}

/// What stands before the document that is found: clients go on after a 4xx alone.
fn judge_before(before: &[Place], notes: &mut Notes) {
    for Place { url, found, .. } in before {
        let Err(why) = found else { continue };
        let seen = format!("{url}: {}", shortened(&why.to_string()));
        match why {
            NoDocument::Status(400..=499) => {}
            NoDocument::Redirect(..) => notes.warn(
                Step::Metadata,
                seen,
                "Clients try this URL first; some follow a redirect, others stop.",
                format!("{} With a 404 they go on.", why.mend(url)),
            ),
            _ => notes.fail(
                Step::Metadata,
                seen,
                "Clients try this URL first, and go on to the next at a 404 alone: at anything else those built on the \
                 TypeScript SDK (Claude Code, mcp-remote, Inspector) stop.",
                why.mend(url),
            ),
        }
    }
}

/// Where it stands by mistake, if it does: at the root of the issuer's host, or behind the issuer's path.
async fn look_elsewhere(issuer: &Url, prober: &Prober) -> Option<Url> {
    let tried = candidates(issuer);
    let places = [at_root(issuer, OAUTH), appended(issuer, OAUTH), at_root(issuer, OPENID)];
    for url in places {
        let is_new = tried.iter().all(|(one, _)| *one != url);
        if is_new && Document::of(&prober.ask(get(&url)).await).is_ok() {
            return Some(url);
        }
    }
    None
}

fn judge_missing(places: &[Place], elsewhere: Option<&Url>, resource: &ResourceMetadata, notes: &mut Notes) {
    let Some((url, why)) = places.first().and_then(|place| Some((&place.url, place.found.as_ref().err()?)))
    else {
        return;
    };
    let seen = format!("{url}: {}", shortened(&why.to_string()));
    if !resource.is_issuer_named {
        // What is wrong is that nobody names an issuer, and that was said.
        return notes
            .skip(Step::Metadata, format!("no issuer is named, and there is none to guess ({seen})"));
    }
    match elsewhere {
        Some(found) => notes.fail(
            Step::Metadata,
            format!("it stands at {found}, and not at {url}"),
            "Clients put the well-known part before the issuer's path (RFC 8414 3.1), and find nothing where they look.",
            format!(
                "Serve it at {url} as well (nginx: location = {} with proxy_pass to the other), or use an issuer without \
                 a path.",
                url.path()
            ),
        ),
        None => notes.fail(
            Step::Metadata,
            seen,
            "A client learns from it where to register, to sign in and to get a token; without it every one stops here.",
            why.mend(url),
        ),
    }
}

/// Compares the issuer that the document names with the one by which it was found.
pub(super) fn judge_issuer(issuer: &str, document: &Document, notes: &mut Notes) {
    const WHY: &str = "Clients compare the two byte for byte (RFC 8414 3.3) and stop: Claude Code, Codex, and all that is \
                       built on rmcp.";
    let Some(own) = document.text("issuer").filter(|own| !own.is_empty()) else {
        return notes.fail(
            Step::Issuer,
            "it is missing",
            "RFC 8414 2 requires it, and clients compare it with the issuer that the resource names.",
            format!("Let the document say \"issuer\": {issuer:?}."),
        );
    };
    let Some(difference) = Difference::between(own, issuer) else {
        return notes.ok(Step::Issuer, own);
    };
    notes.fail(
        Step::Issuer,
        format!("it calls itself {own:?}, and was named {issuer:?}: {difference}"),
        WHY,
        match Url::parse(own).is_ok_and(|own| Url::parse(issuer).is_ok_and(|issuer| origin(&own) == origin(&issuer))) {
            true => format!(
                "Name it in the resource's metadata as it names itself: \"authorization_servers\": [{own:?}]; or change its \
                 issuer to {issuer:?}."
            ),
            false => format!(
                "Tell the authorization server its public URL {issuer} (of Vestibule: --issuer; behind a reverse proxy the \
                 Host header may be lost), or name {own:?} in the resource's metadata if that is where it is."
            ),
        },
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_look_in_this_order() {
        let urls = |issuer: &str| -> Vec<String> {
            let candidates = candidates(&Url::parse(issuer).unwrap());
            candidates.into_iter().map(|(url, _)| url.to_string()).collect()
        };
        let root = [
            "https://h/.well-known/oauth-authorization-server",
            "https://h/.well-known/openid-configuration",
        ];
        assert_eq!(urls("https://h"), root);
        assert_eq!(urls("https://h/"), root);
        let path = [
            "https://h/.well-known/oauth-authorization-server/realms/x",
            "https://h/.well-known/openid-configuration/realms/x",
            "https://h/realms/x/.well-known/openid-configuration",
        ];
        assert_eq!(urls("https://h/realms/x"), path);
        assert_eq!(urls("https://h/realms/x/"), path);
    }
}
