//! What is worth remembering, in words that an owner reads: every decision leaves a row, in the transaction that
//! made it. Never a secret.

use std::net::IpAddr;

use serde::Serialize;

use crate::clock::UnixTime;
use crate::oauth::client::Client;
use crate::oauth::error::ErrorCode;
use crate::oauth::ids::{ClientId, GrantId, UserId};
use crate::oauth::resource::ResourceUri;
use crate::store::{Fault, WriteTx, audit_logs};

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A person said yes, and the client got a code.
    AuthorizeGranted,
    /// An authorization request was refused, by a rule or by a person.
    AuthorizeRefused,
    /// A token was given.
    TokenSuccess,
    /// A token was refused.
    TokenFailure,
    /// A spent code or refresh token came back: its grant was revoked.
    ReplayDetected,
    /// A call went on to a guarded server.
    GuardPassed,
    /// A guarded server was not opened.
    GuardRefused,
    /// A browser may see the pages of another server here, because its person is signed in.
    VisitBegun,
    /// A token was revoked.
    TokenRevoked,
    /// A grant was taken back.
    GrantRevoked,
    /// A client registered itself.
    ClientRegistered,
    /// A client's registration was refused.
    ClientRefused,
    /// The owner added a client.
    ClientAdded,
    /// The owner changed a client.
    ClientChanged,
    /// The owner removed a client.
    ClientRemoved,
    /// Somebody signed in.
    LoginSuccess,
    /// Somebody could not sign in.
    LoginFailure,
    /// Somebody signed out.
    Logout,
    /// The first admin came by the set-up link.
    SetupCompleted,
    /// Somebody came with a set-up link that is wrong, used, or past its hour.
    SetupRefused,
    /// A person was added.
    UserAdded,
    /// A person was changed: address, role, password, let in or kept out.
    UserChanged,
    /// A person was removed.
    UserRemoved,
    /// A resource was registered.
    ResourceAdded,
    /// A resource was changed.
    ResourceChanged,
    /// A resource was removed.
    ResourceRemoved,
    /// A new signing key was made.
    KeyRotated,
    /// The issuer was changed.
    IssuerChanged,
}

impl Event {
    /// All of them.
    pub const ALL: [Self; 28] = [
        Self::AuthorizeGranted,
        Self::AuthorizeRefused,
        Self::TokenSuccess,
        Self::TokenFailure,
        Self::ReplayDetected,
        Self::GuardPassed,
        Self::GuardRefused,
        Self::VisitBegun,
        Self::TokenRevoked,
        Self::GrantRevoked,
        Self::ClientRegistered,
        Self::ClientRefused,
        Self::ClientAdded,
        Self::ClientChanged,
        Self::ClientRemoved,
        Self::LoginSuccess,
        Self::LoginFailure,
        Self::Logout,
        Self::SetupCompleted,
        Self::SetupRefused,
        Self::UserAdded,
        Self::UserChanged,
        Self::UserRemoved,
        Self::ResourceAdded,
        Self::ResourceChanged,
        Self::ResourceRemoved,
        Self::KeyRotated,
        Self::IssuerChanged,
    ];

    /// Whether it is of this name, or its name begins with it and a dot.
    pub fn is_within(self, name: &str) -> bool {
        self.as_str().strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    }

    /// The event's name in the log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AuthorizeGranted => "oauth.authorize.granted",
            Self::AuthorizeRefused => "oauth.authorize.refused",
            Self::TokenSuccess => "oauth.token.exchange.success",
            Self::TokenFailure => "oauth.token.exchange.failure",
            Self::ReplayDetected => "oauth.token.replay",
            Self::GuardPassed => "guard.passed",
            Self::GuardRefused => "guard.refused",
            Self::VisitBegun => "visit.begun",
            Self::TokenRevoked => "oauth.token.revoked",
            Self::GrantRevoked => "oauth.grant.revoked",
            Self::ClientRegistered => "client.registered",
            Self::ClientRefused => "client.refused",
            Self::ClientAdded => "client.added",
            Self::ClientChanged => "client.changed",
            Self::ClientRemoved => "client.removed",
            Self::LoginSuccess => "user.login.success",
            Self::LoginFailure => "user.login.failure",
            Self::Logout => "user.logout",
            Self::SetupCompleted => "user.setup.completed",
            Self::SetupRefused => "user.setup.refused",
            Self::UserAdded => "user.added",
            Self::UserChanged => "user.changed",
            Self::UserRemoved => "user.removed",
            Self::ResourceAdded => "resource.added",
            Self::ResourceChanged => "resource.changed",
            Self::ResourceRemoved => "resource.removed",
            Self::KeyRotated => "key.rotated",
            Self::IssuerChanged => "instance.issuer.changed",
        }
    }
}

/// Where a request came from.
#[derive(Clone, Debug)]
pub struct Origin {
    ip: Option<String>,
    user_agent: Option<String>,
}

impl Origin {
    /// Of a request over the network. What a caller says of itself is cut to a length that a page can show.
    pub fn of_request(ip: IpAddr, user_agent: Option<&str>) -> Self {
        Self { ip: Some(ip.to_string()), user_agent: user_agent.map(|text| text.chars().take(256).collect()) }
    }

    /// Of a command on this machine.
    pub const fn of_command() -> Self {
        Self { ip: None, user_agent: None }
    }
}

/// A row before it is written.
#[derive(Debug)]
pub struct Entry<'a> {
    event: Event,
    origin: &'a Origin,
    user: Option<&'a UserId>,
    client: Option<&'a ClientId>,
    metadata: Metadata<'a>,
}

/// The rest of a row; what is absent is left out.
#[derive(Debug, Default, Serialize)]
struct Metadata<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    grant_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    resources: Option<Vec<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    extra_resources: Option<Vec<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    grant_id: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jti: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mend: Option<&'a str>,
}

impl<'a> Entry<'a> {
    /// A row that says what happened and from where it was asked for.
    pub fn new(event: Event, origin: &'a Origin) -> Self {
        Self { event, origin, user: None, client: None, metadata: Metadata::default() }
    }

    /// The person whom it concerns.
    #[must_use]
    pub fn user(mut self, user: &'a UserId) -> Self {
        self.user = Some(user);
        self
    }

    /// The person and the client whom it concerns, as far as they are known.
    #[must_use]
    pub fn of(mut self, user: Option<&'a UserId>, client: Option<&'a ClientId>) -> Self {
        self.user = user.or(self.user);
        self.client = client.or(self.client);
        self
    }

    /// The client whom it concerns.
    #[must_use]
    pub fn client(mut self, client: &'a Client) -> Self {
        self.client = Some(&client.id);
        self
    }

    /// The client whom it concerns, where only its id is known.
    #[must_use]
    pub fn client_id(mut self, client: &'a ClientId) -> Self {
        self.client = Some(client);
        self
    }

    /// The grant type that was used.
    #[must_use]
    pub fn grant_type(mut self, grant_type: &'a str) -> Self {
        self.metadata.grant_type = Some(grant_type);
        self
    }

    /// The answer that was given instead, and the reason that the owner may know.
    #[must_use]
    pub fn refused(mut self, error: ErrorCode, reason: &'a str) -> Self {
        self.metadata.error = Some(error.as_str());
        self.metadata.reason = Some(reason);
        self
    }

    /// A reason without an error on the wire.
    #[must_use]
    pub fn reason(mut self, reason: &'a str) -> Self {
        self.metadata.reason = Some(reason);
        self
    }

    /// The resources that it is about.
    #[must_use]
    pub fn resources(mut self, resources: impl IntoIterator<Item = &'a ResourceUri>) -> Self {
        self.metadata.resources = Some(resources.into_iter().map(ResourceUri::as_str).collect());
        self
    }

    /// The resources that were asked for in vain.
    #[must_use]
    pub fn extra_resources(mut self, resources: &'a [ResourceUri]) -> Self {
        if !resources.is_empty() {
            self.metadata.extra_resources = Some(resources.iter().map(ResourceUri::as_str).collect());
        }
        self
    }

    /// The servers that a token is for; the client itself where there is none.
    #[must_use]
    pub fn audience(mut self, audience: impl IntoIterator<Item = &'a str>) -> Self {
        self.metadata.resources = Some(audience.into_iter().collect());
        self
    }

    /// The scope that it is about.
    #[must_use]
    pub fn scope(mut self, scope: &'a str) -> Self {
        self.metadata.scope = Some(scope);
        self
    }

    /// The grant that it is about.
    #[must_use]
    pub fn grant(mut self, grant: GrantId) -> Self {
        self.metadata.grant_id = Some(grant.as_i64());
        self
    }

    /// The access token that it is about, by its name.
    #[must_use]
    pub fn jti(mut self, jti: &'a str) -> Self {
        self.metadata.jti = Some(jti);
        self
    }

    /// What the owner's command was about: a name, a URI, a key's id.
    #[must_use]
    pub fn subject(mut self, subject: &'a str) -> Self {
        self.metadata.subject = Some(subject);
        self
    }

    /// The command or setting that mends it.
    #[must_use]
    pub fn mend(mut self, mend: Option<&'a str>) -> Self {
        self.metadata.mend = mend;
        self
    }

    /// Writes the row.
    pub fn record(self, tx: &WriteTx<'_>, now: UnixTime) -> Result<(), Fault> {
        let metadata = serde_json::to_string(&self.metadata)
            .map_err(|source| Fault::new("write the audit log", source))?;
        let entry = audit_logs::NewEntry {
            event: self.event.as_str(),
            user_id: self.user.map(UserId::as_str),
            client_id: self.client.map(ClientId::as_str),
            ip: self.origin.ip.as_deref(),
            user_agent: self.origin.user_agent.as_deref(),
            metadata: &metadata,
        };
        audit_logs::insert(tx, &entry, now)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn all_events_are_listed_in_their_order_each_by_a_name_of_its_own() {
        for (at, event) in Event::ALL.into_iter().enumerate() {
            assert_eq!(event as usize, at, "{event:?}");
        }
        assert_eq!(Event::ALL.last(), Some(&Event::IssuerChanged));
        assert_eq!(
            Event::ALL.map(Event::as_str).into_iter().collect::<BTreeSet<_>>().len(),
            Event::ALL.len()
        );
    }

    #[test]
    fn a_name_stands_for_an_event_or_for_those_that_begin_with_it_and_a_dot() {
        assert!(Event::LoginFailure.is_within("user.login.failure"));
        assert!(Event::LoginFailure.is_within("user.login") && Event::LoginFailure.is_within("user"));
        for other in ["", "user.log", "user.login.", "user.logout", "user.login.failure.x"] {
            assert!(!Event::LoginFailure.is_within(other), "{other}");
        }
    }
}
