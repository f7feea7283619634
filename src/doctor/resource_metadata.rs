//! Protected resource metadata (RFC 9728): where clients look for it, and what it says of the server.

use serde_json::Value;
use url::Url;

use super::call::{Called, PROTOCOL_VERSION};
use super::challenge::Challenged;
use super::document::{Document, Heard, NoDocument, shortened};
use super::spelling::{
    Difference, ServerUrl, at_root, inserted, is_loopback, is_secure, is_special_address, origin,
};
use super::step::{Harm, Notes, Step};
use crate::http::Method;
use crate::outgoing::{Probe, Prober};

/// The well-known name (RFC 9728 3).
pub(super) const NAME: &str = "oauth-protected-resource";

/// So many scopes a person still reads, and no server needs more.
pub(super) const SCOPES_MAX: usize = 20;

/// What a client knows of the resource.
#[derive(Clone, Debug)]
pub(super) struct ResourceMetadata {
    /// Where its metadata is; `None` where there is none.
    pub(super) url: Option<Url>,
    /// What to name it at the authorization server.
    pub(super) resource: String,
    /// The authorization server to ask, as it is spelled.
    pub(super) issuer: String,
    /// Whether the resource named it, or clients of MCP's first revision guess it.
    pub(super) is_issuer_named: bool,
    /// The scopes that it lists.
    pub(super) scopes: Vec<String>,
}

/// A GET of a document, as clients send it.
pub(super) fn get(url: &Url) -> Probe {
    Probe::new(Method::GET, url)
        .header("accept", "application/json")
        .header("mcp-protocol-version", PROTOCOL_VERSION)
}

/// A place where clients look, and what they find.
struct Place {
    step: Step,
    url: Url,
    found: Result<Document, NoDocument>,
}

/// Looks in the three places in the order of most clients, and reads the first document. `None`: there is nothing to go
/// by, not even for clients that guess.
pub(super) async fn find(
    server: &ServerUrl,
    called: &Called,
    challenged: &Challenged,
    prober: &Prober,
    notes: &mut Notes,
) -> Option<ResourceMetadata> {
    let wanted = [
        (Step::MetadataChallenged, challenged.metadata.clone()),
        (Step::MetadataByPath, Some(inserted(server.url(), NAME))),
        (Step::MetadataAtRoot, Some(at_root(server.url(), NAME))),
    ];
    let mut places: Vec<Place> = Vec::new();
    for (step, url) in wanted {
        let Some(url) = url else {
            notes.skip(step, "it says nothing of it");
            continue;
        };
        if let Some(before) = places.iter().find(|place| place.url == url) {
            notes.skip(step, format!("the same as {}", before.step.title()));
            continue;
        }
        let heard = prober.ask(get(&url)).await;
        places.push(Place { step, found: Document::of(&heard), url });
    }
    let is_challenged = matches!(called, Called::Challenged(_));
    judge_places(&places, is_challenged, notes);
    let read = places.into_iter().find_map(|place| Some((place.step, place.url, place.found.ok()?)));
    let Some((step, url, document)) = read else { return guess(server, is_challenged) };
    let heard = prober.ask(Probe::new(Method::HEAD, &url)).await;
    judge_head(step, &url, &heard, notes);
    judge_types(step, &document, notes);
    let resource = judge_resource(server, &document, notes);
    let issuer = judge_authorization_servers(server, &document, notes);
    let scopes = judge_scopes(&document, notes);
    Some(ResourceMetadata {
        url: Some(url),
        resource: resource.unwrap_or_else(|| server.typed().to_owned()),
        is_issuer_named: issuer.is_some(),
        issuer: issuer.unwrap_or_else(|| origin(server.url())),
        scopes,
    })
}

/// What clients of MCP's first revision take where no metadata is: the server's own origin is its authorization server.
fn guess(server: &ServerUrl, is_challenged: bool) -> Option<ResourceMetadata> {
    is_challenged.then(|| ResourceMetadata {
        url: None,
        resource: server.typed().to_owned(),
        issuer: origin(server.url()),
        is_issuer_named: false,
        scopes: Vec::new(),
    })
}

fn judge_places(places: &[Place], is_challenged: bool, notes: &mut Notes) {
    let first =
        places.iter().find_map(|place| place.found.as_ref().ok().map(|document| (place.step, document)));
    let mut has_failed = false;
    for Place { step, url, found } in places {
        let why = match (found, first) {
            (Ok(document), Some((at, used))) if differs(document, used) => {
                notes.warn(
                    *step,
                    format!("{url} says something else than what is found {}", at.title()),
                    "Clients differ in where they look first, and each believes what it finds.",
                    "Let every place name the same resource and the same authorization_servers.",
                );
                continue;
            }
            (Ok(_), _) => {
                notes.ok(*step, url.as_str());
                continue;
            }
            (Err(why), _) => why,
        };
        let seen = format!("{url}: {}", shortened(&why.to_string()));
        match (step, first) {
            (Step::MetadataChallenged, Some(_)) => notes.fail(
                *step,
                seen,
                "The 401 sends clients here, and those built on the SDKs look nowhere else then.",
                why.mend(url),
            ),
            (Step::MetadataAtRoot, Some(_)) if matches!(why, NoDocument::Status(400..=499)) => {
                notes.ok(*step, format!("{why}, as it may be where a host has several servers"));
            }
            (_, Some(_)) => notes.warn(
                *step,
                seen,
                "Some clients look here first, whatever the 401 says: Gemini CLI at the host, earlier Claude Code and Codex \
                 by the path.",
                why.mend(url),
            ),
            (_, None) if is_challenged && !has_failed => {
                has_failed = true;
                notes.fail(
                    *step,
                    seen,
                    "Without this document (RFC 9728) a client does not learn where to sign in.",
                    format!(
                        "{} The guard of Vestibule serves it by itself: vestibule serve --guard NAME=URL",
                        why.mend(url)
                    ),
                );
            }
            (_, None) => notes.skip(*step, seen),
        }
    }
}

fn differs(one: &Document, other: &Document) -> bool {
    ["resource", "authorization_servers"].iter().any(|name| one.get(name) != other.get(name))
}

/// Whether HEAD is answered like GET, as some look first.
pub(super) fn judge_head(step: Step, url: &Url, heard: &Heard, notes: &mut Notes) {
    let seen = match heard {
        Ok(answer) if answer.status.is_success() => return,
        Ok(answer) => answer.status.as_u16().to_string(),
        Err(why) => why.to_string(),
    };
    notes.warn(
        step,
        format!("HEAD {url}: {seen}, and GET is answered"),
        "Caches and monitors, and some clients, look by HEAD before they GET.",
        "Answer HEAD as GET, without the body (RFC 9110 9.3.2).",
    );
}

fn judge_types(step: Step, document: &Document, notes: &mut Notes) {
    let wrong =
        document.ill_typed(&["authorization_servers", "scopes_supported", "bearer_methods_supported"]);
    if !wrong.is_empty() {
        notes.fail(step, wrong.join(", "), TYPES_WHY, TYPES_MEND);
    }
}

pub(super) const TYPES_WHY: &str = "Clients built on the TypeScript SDK (Claude Code, mcp-remote, Inspector) check types, and refuse the whole document.";
pub(super) const TYPES_MEND: &str =
    "Leave a member out where it has no value, and write lists as lists of texts.";

fn judge_resource(server: &ServerUrl, document: &Document, notes: &mut Notes) -> Option<String> {
    let typed = server.typed();
    let say_it = format!("Let the document say \"resource\": {typed:?}");
    let Some(resource) = document.text("resource").filter(|resource| !resource.is_empty()) else {
        notes.fail(
            Step::Resource,
            "it is missing",
            "RFC 9728 2 requires it, and clients compare it with the URL that was typed.",
            format!("{say_it}."),
        );
        return None;
    };
    let Some(difference) = Difference::between(resource, typed) else {
        notes.ok(Step::Resource, format!("{resource}, as the URL"));
        return Some(resource.to_owned());
    };
    let seen = format!("it is {resource:?}, and the URL is {typed:?}: {difference}");
    let mend = format!(
        "{say_it}, or give clients the URL that it names; a server behind a reverse proxy has to be told its public URL."
    );
    match difference {
        _ if difference.is_spelling_only() => notes.warn(
            Step::Resource,
            seen,
            "Clients that compare text, as claude.ai and Gemini CLI, may take it for another server.",
            mend,
        ),
        Difference::Parent => notes.fail_with(
            Harm::NamedClients,
            Step::Resource,
            seen,
            "The SDKs accept a URL above the server's; claude.ai, VS Code and Gemini CLI want the server's own, and stop.",
            mend,
        ),
        Difference::TrailingSlash => notes.fail_with(
            Harm::NamedClients,
            Step::Resource,
            seen,
            "claude.ai, VS Code and Gemini CLI compare the two and stop, so that no token is got for another server.",
            mend,
        ),
        _ => notes.fail(
            Step::Resource,
            seen,
            "Every client compares the two and stops, so that no token is got for another server.",
            mend,
        ),
    }
    Some(resource.to_owned())
}

fn judge_authorization_servers(server: &ServerUrl, document: &Document, notes: &mut Notes) -> Option<String> {
    let step = Step::AuthorizationServers;
    let named = document.list("authorization_servers").unwrap_or_default();
    let Some(issuer) = named.first().copied() else {
        let seen = match document.get("authorization_servers") {
            None | Some(Value::Null) => "it is missing",
            Some(_) => "there is none in it",
        };
        notes.fail(
            step,
            seen,
            "A client does not learn where to sign in; some guess that the server itself is the place.",
            "Name the issuer of the authorization server, such as \"authorization_servers\": [\"https://auth.home.example\"].",
        );
        return None;
    };
    let Ok(url) = Url::parse(issuer) else {
        notes.fail(
            step,
            format!("{issuer:?} is no absolute URL"),
            "No client finds the authorization server by it.",
            "Name the issuer as it names itself, such as https://auth.home.example.",
        );
        return None;
    };
    if !is_secure(&url) {
        notes.fail(
            step,
            format!("{issuer} is plain http"),
            "Clients refuse to send codes and tokens that way, and whoever shares the network could read them.",
            "Put a reverse proxy with TLS in front of the authorization server, and name its https URL (of Vestibule: \
             --issuer https://...).",
        );
    } else if is_loopback(&url) && !is_loopback(server.url()) {
        notes.fail(
            step,
            format!("{issuer} is each client's own machine"),
            "No other machine reaches it, and clients built on rmcp (Codex, Goose) refuse it outright.",
            "Name the URL by which clients reach the authorization server (of Vestibule: --issuer https://...).",
        );
    } else if is_special_address(&url) && !is_loopback(&url) {
        notes.fail_with(
            Harm::NamedClients,
            step,
            format!("{issuer} names an address of no public network in place of a name"),
            "Clients built on rmcp (Codex, Goose) refuse such an address outright; a name that leads to it they accept.",
            "Give the authorization server a name in DNS, also if the address stays private, and name that.",
        );
    } else {
        let more = match named.len() {
            1 => String::new(),
            count => format!(" (the first of {count}; claude.ai looks at no other)"),
        };
        notes.ok(step, format!("{issuer}{more}"));
    }
    Some(issuer.to_owned())
}

fn judge_scopes(document: &Document, notes: &mut Notes) -> Vec<String> {
    let step = Step::ResourceScopes;
    let scopes = document.list("scopes_supported").unwrap_or_default();
    if let Some(methods) = document.list("bearer_methods_supported")
        && !methods.contains(&"header")
    {
        notes.fail(
            step,
            format!("bearer_methods_supported is {methods:?}, without \"header\""),
            "MCP clients send tokens in the Authorization header, and in no other way.",
            "Take tokens from the Authorization header, and list \"header\", or leave the member out.",
        );
    }
    if scopes.contains(&"offline_access") {
        notes.warn(
            step,
            "offline_access is among them",
            "It belongs to no resource (MCP authorization 2026-07-28); a client asks for it where the authorization server \
             offers it.",
            "List it at the authorization server only.",
        );
    }
    judge_length(step, &scopes, notes);
    if notes.is_blank(step) {
        notes.ok(step, if scopes.is_empty() { "none".to_owned() } else { scopes.join(" ") });
    }
    scopes.into_iter().map(str::to_owned).collect()
}

/// Clients ask for all of a list, and a person has to read it.
pub(super) fn judge_length(step: Step, scopes: &[&str], notes: &mut Notes) {
    if scopes.len() > SCOPES_MAX {
        notes.warn(
            step,
            format!("{} scopes", scopes.len()),
            "Clients that are told of no others ask for all of them (Python, rmcp, Cursor, mcp-remote), and a person has to \
             read them all.",
            "List the few that a client needs to begin with, and name others where a call needs them.",
        );
    }
}
