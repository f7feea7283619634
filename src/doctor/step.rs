//! The steps of the walk, and what was found at one.

use serde::{Serialize, Serializer};

use super::document::cut;

/// How much is told of one thing: two long URLs, and what is said of them.
const TEXT_CHARS_MAX: usize = 2000;

/// A part of the walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The MCP server.
    Server,
    /// Its protected resource metadata (RFC 9728).
    Resource,
    /// The authorization server that the resource names.
    AuthorizationServer,
    /// A client that becomes known, and sends a person to sign in.
    SignIn,
    /// What a client in a web page needs besides.
    Browser,
    /// What only a client sees that has a token.
    Beyond,
}

impl Part {
    /// What people call it.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Server => "The MCP server",
            Self::Resource => "Its resource metadata",
            Self::AuthorizationServer => "The authorization server",
            Self::SignIn => "Becoming known, and signing in",
            Self::Browser => "Clients in a web page (CORS)",
            Self::Beyond => "Beyond the sign-in",
        }
    }
}

macro_rules! steps {
    ($($(#[$meaning:meta])* $step:ident = $part:ident, $id:literal, $title:literal;)*) => {
        /// One step, in the order in which a client makes them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Step {
            $($(#[$meaning])* $step,)*
        }

        impl Step {
            /// Every step, in order.
            pub const ALL: &'static [Self] = &[$(Self::$step),*];

            /// The part that it belongs to.
            pub const fn part(self) -> Part {
                match self { $(Self::$step => Part::$part,)* }
            }

            /// What programs call it.
            pub const fn id(self) -> &'static str {
                match self { $(Self::$step => $id,)* }
            }

            /// What people call it, within its part.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$step => $title,)* }
            }
        }
    };
}

steps! {
    /// The URL as it was typed.
    Url = Server, "url", "URL";
    /// Where its name leads.
    Address = Server, "address", "address";
    /// Who vouches for it.
    Certificate = Server, "certificate", "certificate";
    /// `initialize` without a token.
    Call = Server, "call", "POST without a token";
    /// A stream without a token.
    Stream = Server, "stream", "GET without a token";
    /// The same by other names.
    Agents = Server, "user_agents", "user agents";
    /// `WWW-Authenticate`.
    Challenge = Server, "challenge", "WWW-Authenticate";
    /// The server's clock.
    Clock = Server, "clock", "clock";
    /// The metadata where the challenge says.
    MetadataChallenged = Resource, "resource_metadata.challenge", "where the 401 says";
    /// The metadata by the path of the URL.
    MetadataByPath = Resource, "resource_metadata.path", "by the URL's path";
    /// The metadata of the whole host.
    MetadataAtRoot = Resource, "resource_metadata.root", "of the whole host";
    /// Its `resource`.
    Resource = Resource, "resource", "resource";
    /// Its `authorization_servers`.
    AuthorizationServers = Resource, "authorization_servers", "authorization_servers";
    /// Its `scopes_supported`, and what else it says.
    ResourceScopes = Resource, "resource_scopes", "scopes_supported";
    /// Where the issuer's name leads.
    ServerAddress = AuthorizationServer, "authorization_server.address", "address";
    /// Who vouches for it.
    ServerCertificate = AuthorizationServer, "authorization_server.certificate", "certificate";
    /// RFC 8414, or OpenID Connect Discovery.
    Metadata = AuthorizationServer, "metadata", "metadata";
    /// `issuer`.
    Issuer = AuthorizationServer, "issuer", "issuer";
    /// PKCE.
    Pkce = AuthorizationServer, "pkce", "PKCE";
    /// Where its endpoints are.
    Endpoints = AuthorizationServer, "endpoints", "endpoints";
    /// `response_types_supported`, `grant_types_supported`.
    Grants = AuthorizationServer, "grants", "grants";
    /// `token_endpoint_auth_methods_supported`.
    ClientAuth = AuthorizationServer, "client_authentication", "client authentication";
    /// How a client can become known.
    Acquaintance = AuthorizationServer, "acquaintance", "ways to become known";
    /// RFC 9207.
    IssPromise = AuthorizationServer, "iss", "iss";
    /// `jwks_uri`.
    Keys = AuthorizationServer, "keys", "keys";
    /// `scopes_supported`.
    Scopes = AuthorizationServer, "scopes", "scopes_supported";
    /// The metadata by other user agents.
    ServerAgents = AuthorizationServer, "authorization_server.user_agents", "user agents";
    /// The authorization server's clock.
    ServerClock = AuthorizationServer, "authorization_server.clock", "clock";
    /// RFC 7591.
    Registration = SignIn, "registration", "registration";
    /// The authorization endpoint, for whoever registered.
    Authorization = SignIn, "authorization", "authorization endpoint";
    /// The authorization endpoint, for a client named by a document.
    ClientDocument = SignIn, "client_document", "client by document";
    /// The token endpoint.
    Token = SignIn, "token", "token endpoint";
    /// The MCP server.
    CorsServer = Browser, "cors.server", "MCP server";
    /// The resource metadata.
    CorsResourceMetadata = Browser, "cors.resource_metadata", "resource metadata";
    /// The authorization server's metadata.
    CorsMetadata = Browser, "cors.metadata", "server metadata";
    /// The registration endpoint.
    CorsRegistration = Browser, "cors.registration", "registration endpoint";
    /// The token endpoint.
    CorsToken = Browser, "cors.token", "token endpoint";
    /// What a client is there for.
    Calls = Beyond, "calls", "calls with a token";
}

impl Serialize for Step {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.id())
    }
}

/// How a step went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mark {
    /// As it should.
    Ok,
    /// Some client may stumble, or stumbles where the owner may want it to.
    Warn,
    /// Some client does not connect, or somebody does who should not.
    Fail,
    /// It was not made.
    Skipped,
}

/// What a failure does, and to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Harm {
    /// It keeps clients out, whatever their kind.
    Clients,
    /// It keeps out those clients alone that it names; others connect.
    NamedClients,
    /// It keeps out clients in a web page alone; programs connect.
    WebPages,
    /// It keeps no client out, and lets in whoever should not come in.
    Exposure,
}

impl Harm {
    /// What most failures at a step do.
    const fn of(step: Step) -> Self {
        match (step, step.part()) {
            (_, Part::Browser) => Self::WebPages,
            (Step::Agents | Step::ServerAgents, _) => Self::NamedClients,
            _ => Self::Clients,
        }
    }
}

/// What was found at a step.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    step: Step,
    mark: Mark,
    /// What was seen, on one line.
    seen: String,
    #[serde(flatten)]
    advice: Option<Advice>,
    /// What it does, if it is a failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    harm: Option<Harm>,
}

/// What comes with every warning and every failure.
#[derive(Clone, Debug, Serialize)]
pub struct Advice {
    /// Why it matters, and to which clients.
    pub why: String,
    /// What to do.
    pub mend: String,
}

impl Finding {
    /// The step.
    pub const fn step(&self) -> Step {
        self.step
    }

    /// How it went.
    pub const fn mark(&self) -> Mark {
        self.mark
    }

    /// What was seen; it may repeat what a stranger's server says.
    pub fn seen(&self) -> &str {
        &self.seen
    }

    /// What comes with a warning or a failure.
    pub const fn advice(&self) -> Option<&Advice> {
        self.advice.as_ref()
    }

    /// What a failure does, and to whom.
    pub const fn harm(&self) -> Option<Harm> {
        self.harm
    }
}

/// The findings so far.
#[derive(Debug, Default)]
pub(super) struct Notes(Vec<Finding>);

impl Notes {
    /// All is well.
    pub(super) fn ok(&mut self, step: Step, seen: impl Into<String>) {
        self.note(step, Mark::Ok, seen.into(), None);
    }

    /// Some client may stumble.
    pub(super) fn warn(
        &mut self,
        step: Step,
        seen: impl Into<String>,
        why: impl Into<String>,
        mend: impl Into<String>,
    ) {
        self.note(step, Mark::Warn, seen.into(), Some((why.into(), mend.into())));
    }

    /// Some client does not connect.
    pub(super) fn fail(
        &mut self,
        step: Step,
        seen: impl Into<String>,
        why: impl Into<String>,
        mend: impl Into<String>,
    ) {
        self.fail_with(Harm::of(step), step, seen, why, mend);
    }

    /// A failure that does something else than most at its step.
    pub(super) fn fail_with(
        &mut self,
        harm: Harm,
        step: Step,
        seen: impl Into<String>,
        why: impl Into<String>,
        mend: impl Into<String>,
    ) {
        self.note(step, Mark::Fail, seen.into(), Some((why.into(), mend.into())));
        if let Some(finding) = self.0.last_mut() {
            finding.harm = Some(harm);
        }
    }

    /// What failed at a step keeps fewer clients out than it says, as has been seen since: who is `spared` is told.
    pub(super) fn confine(&mut self, step: Step, spared: &str) {
        let failed = self.0.iter_mut().filter(|finding| finding.step == step && finding.mark == Mark::Fail);
        for finding in failed {
            finding.harm = Some(Harm::NamedClients);
            if let Some(advice) = &mut finding.advice {
                advice.why = format!("{} {spared}", advice.why);
            }
        }
    }

    /// The step is not made, and why.
    pub(super) fn skip(&mut self, step: Step, why: impl Into<String>) {
        self.note(step, Mark::Skipped, why.into(), None);
    }

    /// A stranger's server could say so much that nothing else would be seen.
    fn note(&mut self, step: Step, mark: Mark, seen: String, advice: Option<(String, String)>) {
        let told = |text: String| cut(&text, TEXT_CHARS_MAX);
        let advice = advice.map(|(why, mend)| Advice { why: told(why), mend: told(mend) });
        self.0.push(Finding { step, mark, seen: told(seen), advice, harm: None });
    }

    /// Whether nothing was noted at a step.
    pub(super) fn is_blank(&self, step: Step) -> bool {
        self.0.iter().all(|finding| finding.step != step)
    }

    /// All findings in the order of their steps; where there is none, the step was not reached.
    pub(super) fn into_findings(mut self) -> Vec<Finding> {
        for step in Step::ALL.iter().copied() {
            if self.is_blank(step) {
                self.skip(step, "not reached");
            }
        }
        self.0.sort_by_key(Finding::step);
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_is_told_once_and_in_order_also_those_that_were_not_reached() {
        let mut notes = Notes::default();
        notes.ok(Step::Clock, "right");
        notes.fail(Step::Url, "x", "y", "z");
        notes.warn(Step::Url, "x", "y", "z");
        let findings = notes.into_findings();
        assert_eq!(findings.len(), Step::ALL.len() + 1);
        assert!(findings.is_sorted_by_key(Finding::step));
        let of = |step| findings.iter().find(|finding| finding.step() == step).map(Finding::mark);
        assert_eq!(of(Step::Clock), Some(Mark::Ok));
        assert_eq!(of(Step::Url), Some(Mark::Fail));
        assert_eq!(of(Step::Token), Some(Mark::Skipped));
    }

    #[test]
    fn parts_follow_one_another_and_no_two_steps_have_one_name() {
        let mut parts: Vec<Part> = Step::ALL.iter().map(|step| step.part()).collect();
        parts.dedup();
        assert_eq!(parts.len(), 6);
        let mut ids: Vec<&str> = Step::ALL.iter().map(|step| step.id()).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), Step::ALL.len());
    }
}
