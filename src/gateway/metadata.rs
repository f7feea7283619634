//! Protected resource metadata (RFC 9728): how a client that knows just a server's URL finds this one.

use serde::Serialize;

use crate::app::App;
use crate::app::sites::{Sites, lies_in};
use crate::http::{Response, Status};
use crate::oauth::resource::Resource;

/// Where it begins; the resource's path follows (RFC 9728 3.1).
pub(super) const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

#[derive(Serialize)]
struct Metadata<'a> {
    resource: &'a str,
    authorization_servers: [&'a str; 1],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    scopes_supported: Vec<&'a str>,
    bearer_methods_supported: [&'static str; 1],
    resource_name: &'a str,
}

/// The metadata of a resource, where a path names it: a guarded one's, or that of one before which a reverse proxy stands
/// that asks this server. With the resource's own path behind the well-known one, or without
/// where the host has just one.
pub(super) fn answer(app: &App, sites: &Sites, host: &str, path: &str) -> Option<Response> {
    let rest = path.strip_prefix(WELL_KNOWN)?;
    let all: Vec<_> = sites.at(host).collect();
    let site = match (rest, all.as_slice()) {
        ("" | "/", [only]) => only,
        _ => all.iter().find(|site| rest == site.path() || rest.strip_suffix('/') == Some(site.path()))?,
    };
    let resource = site.resource();
    // At the root it says nothing of how the resource was spelled, unless that is the root itself.
    let is_root = matches!(rest, "" | "/") && !(rest == "/" && site.path().is_empty());
    let typed = spelled_like(resource.uri.as_str(), if is_root { None } else { Some(rest) });
    let document = Metadata {
        resource: &typed,
        authorization_servers: [app.issuer.as_str()],
        scopes_supported: resource.scopes.iter().collect(),
        bearer_methods_supported: ["header"],
        resource_name: &resource.name,
    };
    Some(Response::json(Status::OK, &document).with_header("cache-control", "public, max-age=300"))
}

/// The resource as the person typed it, as far as that can be told: clients compare the two, and a slash at the end is
/// what they differ in.
fn spelled_like(uri: &str, asked: Option<&str>) -> String {
    let bare = uri.strip_suffix('/').unwrap_or(uri);
    match asked {
        None => uri.to_owned(),
        Some(asked) if asked.ends_with('/') => format!("{bare}/"),
        Some(_) => bare.to_owned(),
    }
}

/// The URL of a resource's metadata, for a request for `path`.
pub(super) fn metadata_url(resource: &Resource, path: &str) -> String {
    let canonical = resource.uri.canonical();
    let (scheme, rest) = canonical.split_once("://").unwrap_or(("https", canonical));
    let (authority, own) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let slash = if !own.is_empty() && path.strip_prefix(own) == Some("/") { "/" } else { "" };
    debug_assert!(lies_in(path, own), "a request belongs to the resource that its path lies in");
    format!("{scheme}://{authority}{WELL_KNOWN}{own}{slash}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_resource_is_spelled_as_the_person_typed_it() {
        for (uri, asked, typed) in [
            ("https://h/mcp", None, "https://h/mcp"),
            ("https://h/mcp", Some("/mcp"), "https://h/mcp"),
            ("https://h/mcp", Some("/mcp/"), "https://h/mcp/"),
            ("https://h/mcp/", Some("/mcp"), "https://h/mcp"),
            ("https://h/", None, "https://h/"),
            ("https://h", Some("/"), "https://h/"),
        ] {
            assert_eq!(spelled_like(uri, asked), typed, "{uri} {asked:?}");
        }
    }
}
