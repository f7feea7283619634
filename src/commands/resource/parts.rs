//! What is said of a resource, by flags or in a file, and what becomes of the resource with it. What is not said stays
//! as it is; of a new resource, it is as by default.

use std::collections::BTreeSet;

use super::super::difference::Difference;
use super::super::failure::Failure;
use crate::clock::Seconds;
use crate::config::span;
use crate::oauth::guard::{Guard, Identity, Rule, Rules, UpstreamUrl};
use crate::oauth::ids::UserName;
use crate::oauth::resource::{Admission, Resource, ResourceUri};
use crate::oauth::scope::Scope;

/// A resource, and the names of those whom it admits where it does not admit everybody.
pub(in crate::commands) type Entry = (Resource, Vec<UserName>);

/// What is said of a resource; `None`: nothing.
#[derive(Default)]
pub(in crate::commands) struct Parts {
    /// What people call it.
    pub(in crate::commands) name: Option<String>,
    /// The scopes that it knows.
    pub(in crate::commands) scopes: Option<Scope>,
    /// Who may have tokens for it.
    pub(in crate::commands) people: Option<People>,
    /// Whether this server stands in front of it.
    pub(in crate::commands) stand: Option<Stand>,
    /// What its calls need.
    pub(in crate::commands) rules: Option<Rules>,
    /// How the server behind learns who calls.
    pub(in crate::commands) identity: Option<Identity>,
    /// How long its access tokens live.
    pub(in crate::commands) lifetime: Option<Lifetime>,
}

/// Who may have tokens.
pub(in crate::commands) enum People {
    /// Every user.
    Everyone,
    /// These.
    Listed(BTreeSet<UserName>),
}

/// Whether this server stands in front of a resource.
pub(in crate::commands) enum Stand {
    /// It does, and the requests go on to there.
    Before(UpstreamUrl),
    /// It does not.
    Aside,
}

/// How long access tokens live.
pub(in crate::commands) enum Lifetime {
    /// As long as this.
    Own(Seconds),
    /// As long as the setting says.
    OfSettings,
}

impl Parts {
    /// Whether nothing is said.
    pub(in crate::commands) const fn are_none(&self) -> bool {
        let Self { name, scopes, people, stand, rules, identity, lifetime } = self;
        name.is_none()
            && scopes.is_none()
            && people.is_none()
            && stand.is_none()
            && rules.is_none()
            && identity.is_none()
            && lifetime.is_none()
    }

    /// The resource at `uri` as it is to be, from what it is; `None`: it is new.
    ///
    /// # Errors
    /// If the parts do not fit together.
    pub(in crate::commands) fn upon(
        &self,
        uri: ResourceUri,
        known: Option<&Entry>,
    ) -> Result<Entry, Failure> {
        let have = known.map(|(resource, _)| resource);
        let guard = self.guard(&uri, have.and_then(|have| have.guard.as_ref()))?;
        let (admission, admitted) = match (&self.people, known) {
            (Some(People::Listed(names)), _) => (Admission::Listed, names.iter().cloned().collect()),
            (None, Some((have, admitted))) => (have.admission, admitted.clone()),
            (Some(People::Everyone), _) | (None, None) => (Admission::Everyone, Vec::new()),
        };
        let resource = Resource {
            name: match (&self.name, have) {
                (Some(name), _) => name.clone(),
                (None, Some(have)) => have.name.clone(),
                (None, None) => default_name(&uri),
            },
            scopes: self.scopes(&uri, have, guard.as_ref())?,
            admission,
            token_lifetime: match (&self.lifetime, have) {
                (Some(Lifetime::Own(seconds)), _) => Some(*seconds),
                (None, Some(have)) => have.token_lifetime,
                (Some(Lifetime::OfSettings), _) | (None, None) => None,
            },
            guard,
            uri,
        };
        Ok((resource, admitted))
    }

    fn guard(&self, uri: &ResourceUri, have: Option<&Guard>) -> Result<Option<Guard>, Failure> {
        let upstream = match (&self.stand, have) {
            (Some(Stand::Before(upstream)), _) => upstream,
            (None, Some(have)) => &have.upstream,
            (Some(Stand::Aside), _) | (None, None) => {
                let is_asked_for = self.rules.as_ref().is_some_and(|rules| !rules.is_empty())
                    || self.identity == Some(Identity::HeadersAndToken);
                return match is_asked_for {
                    false => Ok(None),
                    true => Err(Failure::new(format!(
                        "could not guard {uri}: rules and the identity token are for a server with an upstream; \
                         name it (--upstream)"
                    ))),
                };
            }
        };
        let rules = self.rules.as_ref().or(have.map(|have| &have.rules));
        let identity = self.identity.or(have.map(|have| have.identity));
        Ok(Some(Guard {
            upstream: upstream.clone(),
            rules: rules.cloned().unwrap_or_default(),
            identity: identity.unwrap_or(Identity::Headers),
        }))
    }

    /// The scopes that it knows: those that its owner lists or, where there is no list, those that its rules need, or
    /// nobody could ever have them. A list that lacks one is refused: either it or the rule is a slip.
    fn scopes(
        &self,
        uri: &ResourceUri,
        have: Option<&Resource>,
        guard: Option<&Guard>,
    ) -> Result<Scope, Failure> {
        let kept = have.map(|have| &have.scopes).filter(|scopes| !scopes.is_empty());
        let needed = guard.map_or(Scope::empty(), |guard| guard.rules.scopes());
        let Some(listed) = self.scopes.as_ref().or(kept) else { return Ok(needed) };
        let slip = guard.and_then(|guard| guard.rules.iter().find(|rule| !rule.needed().is_within(listed)));
        let Some(rule) = slip else { return Ok(listed.clone()) };
        let scopes = if listed.is_empty() { "none".to_owned() } else { listed.to_string() };
        Err(Failure::new(format!(
            "could not guard {uri}: the rule {:?} needs the scope {}, which is not among its scopes ({scopes}), so nobody \
             could have it; name all of them: --scopes {2:?}, or in a file scopes = {2:?}",
            rule.to_string(),
            rule.needed().without(listed),
            listed.union(&needed).to_string()
        )))
    }
}

/// What differs between a resource as it is and as it is to be.
pub(in crate::commands) fn differences(have: &Entry, wanted: &Entry) -> Vec<Difference> {
    let ((old, admitted), (new, to_admit)) = (have, wanted);
    let nowhere = if old.guard.is_some() { "none (no longer guarded)" } else { "" };
    let lifetime = |resource: &Resource| {
        resource.token_lifetime.map_or_else(|| "as the setting says".to_owned(), span::write)
    };
    [
        Difference::between("uri", &old.uri, &new.uri),
        Difference::between("name", &old.name, &new.name),
        Difference::between("scopes", &old.scopes, &new.scopes),
        Difference::between("users", who(old, admitted), who(new, to_admit)),
        Difference::between("upstream", upstream(old).unwrap_or(""), upstream(new).unwrap_or(nowhere)),
        Difference::between("require", rules(old).join(", "), rules(new).join(", ")),
        Difference::between("identity_token", has_identity_token(old), has_identity_token(new)),
        Difference::between("token_lifetime", lifetime(old), lifetime(new)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Where a guarded resource's requests go.
pub(in crate::commands) fn upstream(resource: &Resource) -> Option<&str> {
    resource.guard.as_ref().map(|guard| guard.upstream.as_str())
}

/// Who may have tokens, in words.
pub(in crate::commands) fn who(resource: &Resource, admitted: &[UserName]) -> String {
    match resource.admission {
        Admission::Everyone => "every user".to_owned(),
        Admission::Listed if admitted.is_empty() => "nobody yet".to_owned(),
        Admission::Listed => admitted.iter().map(UserName::as_str).collect::<Vec<_>>().join(", "),
    }
}

/// The rules of a resource's guard as its owner writes them.
pub(in crate::commands) fn rules(resource: &Resource) -> Vec<String> {
    resource.guard.iter().flat_map(|guard| guard.rules.iter()).map(Rule::to_string).collect()
}

/// Whether the server behind is told who calls by a token too.
pub(in crate::commands) fn has_identity_token(resource: &Resource) -> bool {
    resource.guard.as_ref().is_some_and(|guard| guard.identity == Identity::HeadersAndToken)
}

/// What a resource is called where its owner gave it no name.
fn default_name(uri: &ResourceUri) -> String {
    let text = uri.as_str();
    text.split_once("://").map_or(text, |(_, rest)| rest).trim_end_matches('/').to_owned()
}
