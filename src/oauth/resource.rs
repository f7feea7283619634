//! Resource indicators (RFC 8707): which server a token is for.

use std::fmt;

use super::error::Malformed;
use super::guard::Guard;
use super::scope::Scope;
use crate::clock::Seconds;

/// How many `resource` parameters one request may carry.
pub const RESOURCES_MAX: usize = 10;

/// An absolute URI without fragment, at most 2048 characters, as somebody spelled it.
///
/// Two of them are the same resource when their canonical forms are equal: scheme and host in lower case, no
/// default port, one trailing slash ignored. Nothing else is normalised, so that this server and the one that
/// checks the token can never read one URI as two places.
#[derive(Clone, Debug)]
pub struct ResourceUri {
    spelling: String,
    canonical: String,
}

impl ResourceUri {
    /// Reads a URI (RFC 8707 2: absolute, no fragment).
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        if text.len() > 2048 {
            return Err(Malformed("resource is longer than 2048 characters"));
        }
        if !text.bytes().all(is_uri_byte) {
            return Err(Malformed("resource has a character that no URI has; a fragment is not allowed"));
        }
        let (scheme, rest) = text.split_once(':').ok_or(NOT_ABSOLUTE)?;
        let mut letters = scheme.bytes();
        if !letters.next().is_some_and(|b| b.is_ascii_alphabetic())
            || !letters.all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
            || rest.is_empty()
        {
            return Err(NOT_ABSOLUTE);
        }
        let scheme = scheme.to_ascii_lowercase();
        let canonical = match rest.strip_prefix("//") {
            Some(rest) => with_authority(&scheme, rest)?,
            None if matches!(scheme.as_str(), "http" | "https") => return Err(NOT_ABSOLUTE),
            None => format!("{scheme}:{}", without_slash(rest)),
        };
        Ok(Self { spelling: text.to_owned(), canonical })
    }

    /// The URI as it was spelled: for `aud`, the spelling of the registration.
    pub fn as_str(&self) -> &str {
        &self.spelling
    }

    /// The form that is compared.
    pub fn canonical(&self) -> &str {
        &self.canonical
    }
}

const NOT_ABSOLUTE: Malformed = Malformed("resource is not an absolute URI");

fn with_authority(scheme: &str, rest: &str) -> Result<String, Malformed> {
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    if authority.contains('@') {
        return Err(Malformed("resource has user information in it"));
    }
    let (host, port) = match authority.rfind(':') {
        // The colons of an IPv6 address stand inside its brackets.
        Some(colon) if !authority[colon..].contains(']') => {
            (&authority[..colon], Some(&authority[colon + 1..]))
        }
        _ => (authority, None),
    };
    let bracketed = host.starts_with('[') && host.ends_with(']');
    let plain = !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b));
    if !bracketed && !plain {
        return Err(Malformed("resource has no host, or one that is not plain ASCII (write it as xn--...)"));
    }
    let port = match (scheme, port) {
        (_, None | Some("")) | ("https", Some("443")) | ("http", Some("80")) => String::new(),
        (_, Some(port))
            if port.parse::<u16>().is_ok_and(|number| number.to_string() == port && number != 0) =>
        {
            format!(":{port}")
        }
        _ => return Err(Malformed("resource has a port that is none")),
    };
    Ok(format!("{scheme}://{}{port}{}", host.to_ascii_lowercase(), without_slash(path)))
}

fn without_slash(path: &str) -> &str {
    path.strip_suffix('/').unwrap_or(path)
}

fn is_uri_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"-._~:/?[]@!$&'()*+,;=%".contains(&b)
}

/// A server that tokens can be for, as the owner registered it.
#[derive(Clone, Debug)]
pub struct Resource {
    /// Its URI in the owner's spelling, which goes into `aud`.
    pub uri: ResourceUri,
    /// What people call it.
    pub name: String,
    /// The scopes that it knows; empty where it makes no difference between them.
    pub scopes: Scope,
    /// Who may have tokens for it.
    pub admission: Admission,
    /// How long its access tokens live; `None` for the setting's answer.
    pub token_lifetime: Option<Seconds>,
    /// How this server stands in front of it; `None` where it checks tokens itself.
    pub guard: Option<Guard>,
}

/// Whom a resource admits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// Every user of this instance.
    Everyone,
    /// Those that the owner listed, who may be nobody.
    Listed,
}

/// Every scope that one of these resources knows.
pub fn scopes_of(resources: &[Resource]) -> Scope {
    resources.iter().fold(Scope::empty(), |all, resource| all.union(&resource.scopes))
}

/// What may be granted for these resources: their scopes, within the owner's limit for the client. Where they make no
/// difference between scopes, the limit alone decides.
pub fn grantable_scope(resources: &[Resource], limit: Option<&Scope>) -> Scope {
    let known = scopes_of(resources);
    match limit {
        None => known,
        Some(limit) if known.is_empty() => limit.clone(),
        Some(limit) => known.intersection(limit),
    }
}

/// The scope of a grant that a client asks for without a person: what is unknown is dropped, and where nothing is left
/// it is everything that may be granted.
pub fn machine_scope(requested: Option<&Scope>, resources: &[Resource], limit: Option<&Scope>) -> Scope {
    let grantable = grantable_scope(resources, limit);
    match requested.map(|requested| requested.intersection(&grantable)) {
        Some(kept) if !kept.is_empty() => kept,
        _ => grantable,
    }
}

/// [`machine_scope`] for a grant that a person gives, in which `offline_access` is kept too: it belongs to no resource.
pub fn interactive_scope(requested: Option<&Scope>, resources: &[Resource], limit: Option<&Scope>) -> Scope {
    let offline = Scope::parse(Scope::OFFLINE_ACCESS).unwrap_or_default();
    let offline = requested.map_or(Scope::empty(), |requested| requested.intersection(&offline));
    machine_scope(requested, resources, limit).union(&offline)
}

/// What of a grant's scope holds at these resources today: a scope that its resource no longer has is gone.
pub fn effective_scope(granted: &Scope, resources: &[Resource], limit: Option<&Scope>) -> Scope {
    let offline = Scope::parse(Scope::OFFLINE_ACCESS).unwrap_or_default();
    granted.intersection(&grantable_scope(resources, limit).union(&offline))
}

/// The part of what is bound that a token request names, in the bound spelling: all of it where the request names
/// nothing. `Err` holds what goes beyond (RFC 8707 2.2).
pub fn narrow(
    bound: &[ResourceUri],
    requested: &[ResourceUri],
) -> Result<Vec<ResourceUri>, Vec<ResourceUri>> {
    let extra: Vec<_> = requested.iter().filter(|uri| !bound.contains(uri)).cloned().collect();
    if !extra.is_empty() {
        return Err(extra);
    }
    Ok(bound.iter().filter(|uri| requested.is_empty() || requested.contains(uri)).cloned().collect())
}

/// The one of these that is meant where a client names its parent or something below it: there is just one with the
/// same origin, and the path of one continues the other's by whole segments. Some clients name the server's base URL, or
/// the URL of one of its endpoints, when they refresh. A query, an empty segment or one of dots makes strangers of two.
pub fn relative<'a>(bound: &'a [ResourceUri], uri: &ResourceUri) -> Option<&'a ResourceUri> {
    let (origin, path) = origin_and_rest(uri)?;
    let mut on_origin = bound.iter().filter_map(|one| {
        let (its_origin, its_path) = origin_and_rest(one)?;
        (its_origin == origin).then_some((one, its_path))
    });
    let (one, its_path) = on_origin.next().filter(|_| on_origin.next().is_none())?;
    let continues = |long: &str, short: &str| {
        long.strip_prefix(short).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let related = continues(path, its_path) || continues(its_path, path);
    (related && is_plain_path(path) && is_plain_path(its_path)).then_some(one)
}

/// Scheme, host and port, and what follows, both canonical; `None` for a URI without a host.
fn origin_and_rest(uri: &ResourceUri) -> Option<(&str, &str)> {
    let canonical = uri.canonical();
    let authority = canonical.find("://")? + "://".len();
    let end = canonical[authority..].find(['/', '?']).map_or(canonical.len(), |at| authority + at);
    Some(canonical.split_at(end))
}

/// Whether there is no query, and every segment is one in everybody's reading.
fn is_plain_path(path: &str) -> bool {
    let is_plain = |segment: &str| {
        let decoded = segment.to_ascii_lowercase().replace("%2e", ".");
        !matches!(decoded.as_str(), "" | "." | "..")
    };
    !path.contains('?') && path.split('/').skip(1).all(is_plain)
}

impl PartialEq for ResourceUri {
    fn eq(&self, other: &Self) -> bool {
        self.canonical == other.canonical
    }
}

impl Eq for ResourceUri {}

impl fmt::Display for ResourceUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.spelling)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scheme_host_default_port_and_one_slash_do_not_matter() {
        let notes = ResourceUri::parse("https://notes.example/mcp").unwrap();
        for same in [
            "https://notes.example/mcp",
            "HTTPS://Notes.Example/mcp",
            "https://notes.example:443/mcp",
            "https://notes.example:/mcp",
            "https://notes.example/mcp/",
        ] {
            assert_eq!(ResourceUri::parse(same).unwrap(), notes, "{same}");
        }
        assert_eq!(ResourceUri::parse("http://h").unwrap(), ResourceUri::parse("http://h:80/").unwrap());
        assert_eq!(ResourceUri::parse("http://[::1]:80/a").unwrap().canonical(), "http://[::1]/a");
    }

    #[test]
    fn a_res_05_everything_else_matters() {
        let notes = ResourceUri::parse("https://notes.example/mcp").unwrap();
        for other in [
            "https://notes.example",
            "https://notes.example/mcp-evil",
            "https://notes.example/mcp//",
            "https://notes.example/MCP",
            "https://notes.example/%6dcp",
            "https://notes.example/mcp/../admin",
            "https://notes.example/mcp?x",
            "https://notes.example:8443/mcp",
            "https://notes.example./mcp",
            "http://notes.example/mcp",
            "urn:notes",
        ] {
            assert_ne!(ResourceUri::parse(other).unwrap(), notes, "{other}");
        }
    }

    #[test]
    fn a_relative_is_a_parent_or_a_child_of_the_only_one_with_its_origin() {
        let uris = |texts: &[&str]| -> Vec<_> {
            texts.iter().map(|text| ResourceUri::parse(text).unwrap()).collect()
        };
        let found = |bound: &[&str], asked: &str| {
            let asked = ResourceUri::parse(asked).unwrap();
            relative(&uris(bound), &asked).map(|uri| uri.as_str().to_owned())
        };
        let r1 = "https://r1.test/mcp";
        for asked in [
            "https://r1.test",
            "https://r1.test/",
            "HTTPS://R1.test:443/",
            "https://r1.test/mcp/sse",
            "https://r1.test/mcp/sse/",
            "https://r1.test/mcp/a/b",
            "https://r1.test/mcp/%61",
            "https://r1.test/mcp/...",
            "https://r1.test/mcp",
        ] {
            assert_eq!(found(&[r1], asked).as_deref(), Some(r1), "{asked}");
            assert_eq!(found(&["https://r2.test/mcp", r1], asked).as_deref(), Some(r1), "{asked}");
        }
        assert_eq!(
            found(&["https://r1.test/a/b/"], "https://r1.test/a").as_deref(),
            Some("https://r1.test/a/b/")
        );
        assert_eq!(found(&["https://r1.test"], "https://r1.test/x").as_deref(), Some("https://r1.test"));
        assert_eq!(
            found(&["http://[::1]:3000/a"], "http://[::1]:3000").as_deref(),
            Some("http://[::1]:3000/a")
        );
        for asked in [
            "https://r1.test/mcp-evil",
            "https://r1.test/mc",
            "https://r1.test/MCP/x",
            "https://r1.test/other",
            "https://r1.test/%6dcp/x",
            "https://r1.test.evil/",
            "https://r1.test.evil/mcp",
            "https://r1.test./",
            "https://evil.test/https://r1.test/mcp",
            "https://sub.r1.test/mcp/x",
            "https://r1.test:8443/mcp/x",
            "https://r1.test:8443",
            "http://r1.test/mcp/x",
            "http://r1.test",
            "https://r1.test?x",
            "https://r1.test/?x",
            "https://r1.test/mcp?x",
            "https://r1.test/mcp/x?y",
            "https://r1.test//",
            "https://r1.test/mcp//x",
            "https://r1.test/mcp/../admin",
            "https://r1.test/mcp/..",
            "https://r1.test/mcp/.",
            "https://r1.test/mcp/%2e%2E/admin",
            "https://r1.test/mcp/.%2e",
            "https://r1.test/./mcp",
            "urn:r1.test:mcp",
        ] {
            assert_eq!(found(&[r1], asked), None, "{asked}");
        }
        for (bound, asked) in [
            (&[r1, "https://r1.test/other"][..], "https://r1.test"),
            (&[r1, "https://r1.test/other"], "https://r1.test/mcp/sse"),
            (&[r1, "https://r1.test/mcp?tenant=a"], "https://r1.test/mcp/sse"),
            (&["https://r1.test/mcp?tenant=a"], "https://r1.test"),
            (&["https://r1.test?tenant=a"], "https://r1.test"),
            (&["https://r1.test/mcp//"], "https://r1.test"),
            (&["urn:r1:mcp"], "urn:r1"),
            (&[], "https://r1.test"),
        ] {
            assert_eq!(found(bound, asked), None, "{bound:?} {asked}");
        }
    }

    #[test]
    fn c_ri_01_02_what_is_not_an_absolute_uri_without_fragment_is_refused() {
        for wrong in [
            "",
            "*",
            "mcp.example",
            "/mcp",
            "https:",
            "https:/mcp",
            "https://",
            "https:///mcp",
            "https://h/#x",
            "https://h/#",
            "https://u@h/mcp",
            "https://h:0/",
            "https://h:99999/",
            "https://h:+80/",
            "https://h:080/",
            "https://h h/",
            "https://häuser.example/",
            "https://h\\mcp",
            "https://h/\n",
            "1https://h/",
            "https://a/b\0",
            "://h",
        ] {
            assert!(ResourceUri::parse(wrong).is_err(), "{wrong:?}");
        }
        assert!(ResourceUri::parse(&format!("https://h/{}", "a".repeat(2048))).is_err());
    }
}
