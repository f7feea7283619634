//! The registry as a map: which resource a host and a path belong to.

use std::collections::HashMap;
use std::sync::Arc;

use crate::oauth::resource::Resource;
use crate::oauth::visit::Place;

/// Every registered resource that has a host.
#[derive(Debug, Default)]
pub struct Sites {
    /// By host and port, in lower case and without a default port; the longest paths first.
    hosts: HashMap<String, Vec<Site>>,
}

/// A resource and where it lies.
#[derive(Debug)]
pub struct Site {
    scheme: &'static str,
    path: String,
    resource: Arc<Resource>,
}

impl Site {
    /// The path below which it lies, without a slash at its end; empty: the whole host.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The resource.
    pub const fn resource(&self) -> &Arc<Resource> {
        &self.resource
    }
}

impl Sites {
    pub(super) fn of(all: Vec<Resource>) -> Self {
        let mut sites = Self::default();
        for resource in all {
            let canonical = resource.uri.canonical();
            let Some((scheme, rest)) = canonical.split_once("://") else { continue };
            let scheme = match scheme {
                "http" => "http",
                "https" => "https",
                _ => continue,
            };
            let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            // A query is part of what clients name, and of no path.
            if authority.contains('?') || path.contains('?') {
                continue;
            }
            let (authority, path) = (authority.to_owned(), path.to_owned());
            let site = Site { scheme, path, resource: Arc::new(resource) };
            sites.hosts.entry(authority).or_default().push(site);
        }
        for sites in sites.hosts.values_mut() {
            sites.sort_by_key(|site| std::cmp::Reverse(site.path.len()));
        }
        sites
    }

    /// The resources at a host, as `Host` names it.
    pub fn at<'a>(&'a self, host: &str) -> impl Iterator<Item = &'a Site> {
        let host = host.to_ascii_lowercase();
        // A port that is the scheme's own may be written or not.
        let bare = [("https", ":443"), ("http", ":80")]
            .into_iter()
            .find_map(|(scheme, port)| host.strip_suffix(port).map(|bare| (scheme, bare)));
        let exactly = self.hosts.get(&host).into_iter().flatten();
        let by_port = bare.and_then(|(scheme, bare)| Some((scheme, self.hosts.get(bare)?)));
        let by_port = by_port
            .into_iter()
            .flat_map(|(scheme, sites)| sites.iter().filter(move |site| site.scheme == scheme));
        exactly.chain(by_port)
    }

    /// The resource that a page lies in.
    pub fn holding(&self, place: &Place) -> Option<&Site> {
        self.at(place.authority())
            .find(|site| site.scheme == place.scheme() && lies_in(place.path(), &site.path))
    }

    /// Whether it depends on the path which resource something at a host belongs to.
    pub fn differ_by_path(&self, host: &str) -> bool {
        self.at(host).any(|site| !site.path.is_empty())
    }

    /// The resource that a path at a host lies in: the one with the longest path, by whole segments.
    pub fn find(&self, host: &str, path: &str) -> Option<&Site> {
        self.at(host).find(|site| lies_in(path, &site.path))
    }
}

/// Whether a path is another one, or continues it after a slash.
pub fn lies_in(path: &str, other: &str) -> bool {
    path.strip_prefix(other).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::resource::{Admission, ResourceUri};
    use crate::oauth::scope::Scope;

    fn sites(uris: &[&str]) -> Sites {
        let resource = |uri: &&str| Resource {
            uri: ResourceUri::parse(uri).unwrap(),
            name: (*uri).to_owned(),
            scopes: Scope::empty(),
            admission: Admission::Everyone,
            token_lifetime: None,
            guard: None,
        };
        Sites::of(uris.iter().map(resource).collect())
    }

    #[test]
    fn a_request_belongs_to_the_resource_with_the_longest_path_by_whole_segments() {
        let sites = sites(&[
            "https://h.test/notes",
            "https://h.test/notes/deep/",
            "https://whole.test",
            "http://h.test:8080/x",
            "urn:not:a:place",
            "https://h.test/q?x=1",
        ]);
        for (host, path, found) in [
            ("h.test", "/notes", Some("https://h.test/notes")),
            ("H.Test", "/notes/", Some("https://h.test/notes")),
            ("h.test:443", "/notes/a?", Some("https://h.test/notes")),
            ("h.test", "/notes/deep", Some("https://h.test/notes/deep/")),
            ("h.test", "/notes/deeper", Some("https://h.test/notes")),
            ("h.test", "/notes-evil", None),
            ("h.test", "/Notes", None),
            ("h.test", "/", None),
            ("h.test", "//notes", None),
            ("h.test:80", "/notes", None),
            ("h.test:8443", "/notes", None),
            ("h.test.evil", "/notes", None),
            ("whole.test", "/", Some("https://whole.test")),
            ("whole.test", "/any/where", Some("https://whole.test")),
            ("h.test:8080", "/x/y", Some("http://h.test:8080/x")),
            ("h.test", "/q", None),
        ] {
            let site = sites.find(host, path).map(|site| site.resource().uri.as_str());
            assert_eq!(site, found, "{host} {path}");
        }
    }
}
