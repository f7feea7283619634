//! What was probably meant by a URL at which there is no MCP server: an authorization server is there in its place, or its
//! host says which resource it has.

use url::Url;

use super::call::reason;
use super::document::{Document, argument, shortened};
use super::resource_metadata::{NAME, get};
use super::server_metadata::OAUTH;
use super::spelling::{Difference, ServerUrl, at_root, inserted};
use super::step::{Notes, Step};
use crate::http::Status;
use crate::outgoing::Prober;

/// What the host says of itself.
#[derive(Clone, Debug)]
pub(super) enum Meant {
    /// The URL is an authorization server's issuer; the host may name a resource besides.
    AuthorizationServer(Option<String>),
    /// The host names this resource, which is another.
    Resource(String),
}

/// Asks the host of a URL at which there is nothing to POST to.
pub(super) async fn look(server: &ServerUrl, prober: &Prober) -> Option<Meant> {
    let root = Document::of(&prober.ask(get(&at_root(server.url(), NAME))).await).ok();
    let resource = root.and_then(|document| other_resource(server, &document));
    let issuer = Document::of(&prober.ask(get(&inserted(server.url(), OAUTH))).await);
    match (issuer, resource) {
        (Ok(document), resource) if is_issuer(server, &document) => {
            Some(Meant::AuthorizationServer(resource))
        }
        (_, resource) => resource.map(Meant::Resource),
    }
}

/// The resource of the host's metadata, where it is a URL that clients could be given in place of this one.
fn other_resource(server: &ServerUrl, document: &Document) -> Option<String> {
    let resource = document.text("resource")?;
    let url = Url::parse(resource).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
    (url != *server.url()).then(|| resource.to_owned())
}

/// Frameworks answer below a well-known path as at it, so only the issuer tells whose document it is.
fn is_issuer(server: &ServerUrl, document: &Document) -> bool {
    let difference = document.text("issuer").map(|issuer| Difference::between(issuer, server.typed()));
    difference.is_some_and(|difference| match difference {
        None | Some(Difference::TrailingSlash) => true,
        Some(difference) => difference.is_spelling_only(),
    })
}

/// Says that there is no MCP server, and what to walk in its place.
pub(super) fn judge(server: &ServerUrl, status: Status, meant: &Meant, notes: &mut Notes) {
    let status = format!("{} {}", status.as_u16(), reason(status));
    let walk =
        |resource: &str| format!("Probably {resource} is meant: vestibule doctor {}", argument(resource));
    match meant {
        Meant::AuthorizationServer(resource) => notes.fail(
            Step::Call,
            format!("{status}: {} is an authorization server, and no MCP server", server.typed()),
            "Clients are given the URL of an MCP server, and it leads them to its authorization server.",
            format!(
                "Walk the URL of an MCP server, and give clients that (of Vestibule: what vestibule serve prints, or \
                 vestibule resource list). {}",
                resource.as_deref().map(walk).unwrap_or_default()
            )
            .trim_end(),
        ),
        Meant::Resource(resource) => notes.fail(
            Step::Call,
            format!("{status}, and the host's metadata names the resource {}", shortened(resource)),
            "There is no MCP server at this path, so no client connects.",
            format!("See what path the server itself listens at. {}", walk(resource)),
        ),
    }
}
