//! Request parameters: each at most once, an empty one absent (RFC 6749 3.1 and 3.2).

use super::error::Malformed;
use super::resource::{RESOURCES_MAX, ResourceUri};
use super::scope::Scope;

/// The parameters that mean something here. Others are ignored, however often they come (RFC 6749 3.1).
const KNOWN: [&str; 24] = [
    "authorization",
    "client_assertion",
    "client_assertion_type",
    "client_id",
    "client_secret",
    "code",
    "code_challenge",
    "code_challenge_method",
    "code_verifier",
    "grant_type",
    "max_age",
    "nonce",
    "prompt",
    "redirect_uri",
    "refresh_token",
    "request",
    "request_uri",
    "response_mode",
    "response_type",
    "scope",
    "state",
    "token",
    "token_type_hint",
    "username",
];

/// The one parameter that may repeat (RFC 8707 2).
const RESOURCE: &str = "resource";

/// The decoded parameters of one request.
#[derive(Debug, Default)]
pub struct Params {
    one: Vec<(&'static str, String)>,
    repeated: Vec<&'static str>,
    resources: Vec<String>,
    state: Option<String>,
}

/// Why the `resource` parameters of a request cannot be used (RFC 8707 2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResourceProblem {
    /// More than ten.
    TooMany,
    /// One that is not an absolute URI without fragment.
    Malformed(Malformed),
}

impl Params {
    /// Collects decoded pairs `(name, value, raw)`, where `raw` is the value as it arrived, still encoded but safe
    /// to put into a URL. Only `state` is ever needed in that form.
    pub fn collect<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str, &'a str)>) -> Self {
        let mut params = Self::default();
        for (name, value, raw) in pairs {
            if value.is_empty() {
                continue;
            }
            if name == RESOURCE {
                params.resources.push(value.to_owned());
                continue;
            }
            let Some(name) = KNOWN.into_iter().find(|known| *known == name) else { continue };
            if params.get(name).is_some() {
                params.repeated.push(name);
                continue;
            }
            if name == "state" {
                params.state = Some(raw.to_owned());
            }
            params.one.push((name, value.to_owned()));
        }
        params
    }

    /// The value of a parameter that is not `resource`; the first, where it was repeated.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.one.iter().find(|(have, _)| *have == name).map(|(_, value)| value.as_str())
    }

    /// A parameter that came more than once, if any did.
    pub fn first_repeated(&self) -> Option<&'static str> {
        self.repeated.first().copied()
    }

    /// Whether this parameter came more than once.
    pub fn is_repeated(&self, name: &str) -> bool {
        self.repeated.contains(&name)
    }

    /// `state` as it arrived, still encoded, so that it goes back byte for byte.
    pub fn raw_state(&self) -> Option<&str> {
        self.state.as_deref()
    }

    /// The `resource` parameters, one of each, in the order in which they came.
    pub fn resources(&self) -> Result<Vec<ResourceUri>, ResourceProblem> {
        if self.resources.len() > RESOURCES_MAX {
            return Err(ResourceProblem::TooMany);
        }
        let mut resources = Vec::with_capacity(self.resources.len());
        for text in &self.resources {
            let resource = ResourceUri::parse(text).map_err(ResourceProblem::Malformed)?;
            if !resources.contains(&resource) {
                resources.push(resource);
            }
        }
        Ok(resources)
    }

    /// The `scope` parameter, if there is one with something in it.
    pub fn scope(&self) -> Result<Option<Scope>, Malformed> {
        let scope = self.get("scope").map(Scope::parse).transpose()?;
        Ok(scope.filter(|scope| !scope.is_empty()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(pairs: &[(&str, &str)]) -> Params {
        Params::collect(pairs.iter().map(|(name, value)| (*name, *value, *value)))
    }

    #[test]
    fn an_empty_parameter_is_absent_and_a_repeated_one_is_noticed() {
        let params = params(&[
            ("scope", ""),
            ("code", "a"),
            ("code", "b"),
            ("foo", "1"),
            ("foo", "2"),
            ("CODE", "c"),
            ("code[]", "d"),
        ]);
        assert_eq!(params.get("scope"), None);
        assert_eq!(params.get("code"), Some("a"));
        assert_eq!(params.first_repeated(), Some("code"));
        assert!(!params.is_repeated("scope"));
    }

    #[test]
    fn resource_may_repeat_ten_times() {
        let one = ("resource", "https://a.test");
        assert_eq!(params(&[one, ("resource", "https://a.test/")]).resources().unwrap().len(), 1);
        assert_eq!(params(&[one; 10]).resources().unwrap().len(), 1);
        assert_eq!(params(&[one; 11]).resources(), Err(ResourceProblem::TooMany));
        assert!(matches!(params(&[("resource", "x")]).resources(), Err(ResourceProblem::Malformed(_))));
    }
}
