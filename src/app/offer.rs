//! What an authorization request may lead to for the person who answers it. The consent page shows it, and the
//! authorization endpoint grants nothing else.

use crate::oauth::client::{Client, RegisteredBy};
use crate::oauth::ids::UserId;
use crate::oauth::redirect_uri::{Destination, destination};
use crate::oauth::refusal::AuthorizeRefusal;
use crate::oauth::resource::{Resource, ResourceUri, interactive_scope};
use crate::oauth::scope::Scope;
use crate::store::authorizations::Authorization;
use crate::store::{Fault, ReadTx, consents, resources};

/// What can be granted.
#[derive(Clone, Debug)]
pub enum Offer {
    /// These resources, perhaps none.
    Named(Terms),
    /// One of these, at the person's choice: the request named none, and more than one would do.
    Choose(Vec<Terms>),
}

/// Resources and the scope that would be granted for them.
#[derive(Clone, Debug)]
pub struct Terms {
    /// For which servers the tokens would be.
    pub resources: Vec<Resource>,
    /// What they would allow.
    pub scope: Scope,
}

impl Terms {
    fn new(resources: Vec<Resource>, authorization: &Authorization, client: &Client) -> Self {
        let scope = interactive_scope(authorization.scope.as_ref(), &resources, client.scope.as_ref());
        Self { resources, scope }
    }

    /// The resources in their registered spelling.
    pub fn uris(&self) -> Vec<ResourceUri> {
        self.resources.iter().map(|resource| resource.uri.clone()).collect()
    }
}

/// Works out what this person can grant: the resources of the request; else the client's own audience; else the only
/// resource that admits the person, or a choice of several; else none. A named resource must admit the person.
pub fn offer(
    tx: &ReadTx<'_>,
    authorization: &Authorization,
    client: &Client,
    user: &UserId,
) -> Result<Result<Offer, AuthorizeRefusal>, Fault> {
    let named = if authorization.resources.is_empty() { &client.audience } else { &authorization.resources };
    if named.is_empty() {
        let mut admitting = resources::list_admitting(tx, user)?;
        return Ok(Ok(match admitting.len() {
            0 | 1 => Offer::Named(Terms::new(admitting, authorization, client)),
            _ => Offer::Choose(
                admitting
                    .drain(..)
                    .map(|resource| Terms::new(vec![resource], authorization, client))
                    .collect(),
            ),
        }));
    }
    let (known, unknown) = resources::resolve(tx, named)?;
    if !unknown.is_empty() {
        return Ok(Err(AuthorizeRefusal::ResourceUnknown(unknown)));
    }
    let mut closed = Vec::new();
    for resource in &known {
        if !resources::admits(tx, resource, user)? {
            closed.push(resource.uri.clone());
        }
    }
    if !closed.is_empty() {
        return Ok(Err(AuthorizeRefusal::UserNotAdmitted(closed)));
    }
    Ok(Ok(Offer::Named(Terms::new(known, authorization, client))))
}

/// Whether this person agreed to all of these terms before.
pub fn is_remembered(tx: &ReadTx<'_>, user: &UserId, client: &Client, terms: &Terms) -> Result<bool, Fault> {
    let remembered = |resource| consents::find(tx, user, &client.id, resource);
    if terms.resources.is_empty() {
        return Ok(remembered(None)?.is_some_and(|scope| terms.scope.is_within(&scope)));
    }
    for resource in &terms.resources {
        if !remembered(Some(&resource.uri))?.is_some_and(|scope| terms.scope.is_within(&scope)) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether a remembered consent may stand in for a click. Not where the answer goes to a program on the person's
/// computer or to a claimed scheme: nobody vouches there that it is the same client as before (RFC 8252 8.6), unless
/// it can keep a secret that the owner gave it.
pub fn may_skip_consent(client: &Client, redirect_uri: &str) -> bool {
    let vouched = matches!(destination(redirect_uri), Destination::Web(_));
    vouched || (client.is_confidential() && client.registered_by == RegisteredBy::Owner)
}
