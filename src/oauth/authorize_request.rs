//! The authorization request (RFC 6749 4.1.1), read in two steps: first to whom an answer may go, then what is
//! asked. Only the first step's result can redirect, so no error ever goes to an address that was not checked.

use super::client::{Client, RegisteredBy};
use super::grant_type::GrantType;
use super::issuer::Issuer;
use super::params::{Params, ResourceProblem};
use super::pkce::PkceChallenge;
use super::redirect_uri::{AppLinks, Destination, destination};
use super::refusal::{AuthorizeRefusal, PageRefusal};
use super::resource::ResourceUri;
use super::scope::Scope;
use crate::clock::Seconds;

/// Where the answer goes: a redirect URI that matched a registration of a known client, with `state` and `iss`.
#[derive(Clone, Debug)]
pub struct Callback {
    redirect_uri: String,
    state: Option<String>,
    issuer: Issuer,
    trusted: bool,
}

impl Callback {
    /// Finds out to whom an answer may go (RFC 6749 3.1.2, RFC 9700 2.1). `redirect_uri` may be left out where the
    /// client registered just one. `state` is kept as it arrived.
    pub fn identify(
        client: &Client,
        redirect_uri: Option<&str>,
        state: Option<&str>,
        app_links: AppLinks,
        issuer: &Issuer,
    ) -> Result<Self, PageRefusal> {
        let redirect_uri = match (redirect_uri, client.redirect_uris.as_slice()) {
            (Some(presented), registered) => {
                if !registered.iter().any(|uri| uri.matches(presented)) {
                    return Err(PageRefusal::RedirectUriUnknown(presented.to_owned()));
                }
                presented
            }
            (None, [only]) => only.as_str(),
            (None, _) => return Err(PageRefusal::RedirectUriMissing),
        };
        if app_links == AppLinks::Refused && matches!(destination(redirect_uri), Destination::App(_)) {
            return Err(PageRefusal::AppLink(redirect_uri.to_owned()));
        }
        Ok(Self {
            redirect_uri: redirect_uri.to_owned(),
            state: state.map(str::to_owned),
            issuer: issuer.clone(),
            trusted: client.registered_by == RegisteredBy::Owner
                || destination(redirect_uri) == Destination::Loopback,
        })
    }

    /// The redirect URI as the request spelled it.
    pub fn redirect_uri(&self) -> &str {
        &self.redirect_uri
    }

    /// `state` as it arrived, still encoded.
    pub fn state(&self) -> Option<&str> {
        self.state.as_deref()
    }

    /// Whether the browser may be sent there without a person's word. A client that registered itself with a web
    /// address could otherwise use this server as an open redirector (RFC 9700 4.11.2).
    pub const fn is_trusted(&self) -> bool {
        self.trusted
    }

    /// The URL of a successful answer (RFC 6749 4.1.2, RFC 9207 2).
    pub fn success_url(&self, code: &str) -> String {
        self.url(&[("code", code)])
    }

    /// The URL of a refusal (RFC 6749 4.1.2.1, RFC 9207 2).
    pub fn refusal_url(&self, refusal: &AuthorizeRefusal) -> String {
        let (code, description) = refusal.wire();
        self.url(&[("error", code.as_str()), ("error_description", description)])
    }

    /// The URL for when it is this server's fault (RFC 6749 4.1.2.1).
    pub fn fault_url(&self) -> String {
        self.url(&[("error", "server_error")])
    }

    fn url(&self, answer: &[(&str, &str)]) -> String {
        let mut url = self.redirect_uri.clone();
        url.push(if url.contains('?') { '&' } else { '?' });
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(answer);
        url.push_str(&query.finish());
        if let Some(state) = &self.state {
            url.push_str("&state=");
            url.push_str(state);
        }
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("iss", self.issuer.as_str());
        url.push('&');
        url.push_str(&query.finish());
        url
    }
}

/// What an authorization request asks for, once every part of it has been read.
#[derive(Clone, Debug)]
pub struct AuthorizeRequest {
    /// The scopes, if any.
    pub scope: Option<Scope>,
    /// The resources, if any; not yet compared with the registry.
    pub resources: Vec<ResourceUri>,
    /// PKCE.
    pub challenge: PkceChallenge,
    /// What the person is to be asked.
    pub prompt: Prompt,
    /// How old the sign-in may be.
    pub max_age: Option<Seconds>,
}

/// `prompt` (OpenID Connect Core 3.1.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prompt {
    /// Whatever is needed.
    AsNeeded,
    /// Nothing: answer at once or fail.
    None,
    /// The password, even where somebody is signed in.
    Login,
    /// The consent page, even where it was agreed before.
    Consent,
    /// Both.
    LoginAndConsent,
}

impl Prompt {
    fn parse(text: &str) -> Result<Self, AuthorizeRefusal> {
        let has = |word| text.split(' ').any(|have| have == word);
        match (has("none"), has("login"), has("consent")) {
            (true, false, false) if text.trim() == "none" => Ok(Self::None),
            (true, ..) => Err(AuthorizeRefusal::PromptMalformed),
            (false, true, true) => Ok(Self::LoginAndConsent),
            (false, true, false) => Ok(Self::Login),
            (false, false, true) => Ok(Self::Consent),
            (false, false, false) => Ok(Self::AsNeeded),
        }
    }

    /// As stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AsNeeded => "",
            Self::None => "none",
            Self::Login => "login",
            Self::Consent => "consent",
            Self::LoginAndConsent => "login consent",
        }
    }

    /// Reads what was stored.
    pub fn from_stored(text: &str) -> Option<Self> {
        [Self::AsNeeded, Self::None, Self::Login, Self::Consent, Self::LoginAndConsent]
            .into_iter()
            .find(|prompt| prompt.as_str() == text)
    }

    /// Whether the person must sign in afresh.
    pub const fn wants_login(self) -> bool {
        matches!(self, Self::Login | Self::LoginAndConsent)
    }

    /// Whether the person must be asked again.
    pub const fn wants_consent(self) -> bool {
        matches!(self, Self::Consent | Self::LoginAndConsent)
    }
}

impl AuthorizeRequest {
    /// Reads what is asked for. Every error from here on goes to the client by its [`Callback`].
    pub fn check(params: &Params, client: &Client) -> Result<Self, AuthorizeRefusal> {
        use AuthorizeRefusal as Refusal;
        if let Some(name) = params.first_repeated() {
            return Err(Refusal::ParameterRepeated(name));
        }
        match params.get("response_type") {
            None => return Err(Refusal::ResponseTypeMissing),
            Some("code") => {}
            Some(_) => return Err(Refusal::ResponseTypeUnsupported),
        }
        if params.get("response_mode").is_some_and(|mode| mode != "query") {
            return Err(Refusal::ResponseModeUnsupported);
        }
        if params.get("request").is_some() {
            return Err(Refusal::RequestObject);
        }
        if params.get("request_uri").is_some() {
            return Err(Refusal::RequestUri);
        }
        if !client.may_use(GrantType::AuthorizationCode) {
            return Err(Refusal::GrantTypeNotAllowed);
        }
        let challenge = params.get("code_challenge").ok_or(Refusal::ChallengeMissing)?;
        // A missing method would mean `plain` (RFC 7636 4.3), so it is not read as S256.
        if params.get("code_challenge_method") != Some("S256") {
            return Err(Refusal::ChallengeMethodUnsupported);
        }
        let challenge = PkceChallenge::parse(challenge).map_err(|_| Refusal::ChallengeMalformed)?;
        let resources = params.resources().map_err(|problem| match problem {
            ResourceProblem::TooMany => Refusal::ResourcesTooMany,
            ResourceProblem::Malformed(_) => Refusal::ResourceMalformed,
        })?;
        let scope = params.scope().map_err(|_| Refusal::ScopeMalformed)?;
        let prompt = params.get("prompt").map_or(Ok(Prompt::AsNeeded), Prompt::parse)?;
        let max_age = match params.get("max_age") {
            None => None,
            // `parse` alone would take a plus sign as well.
            Some(text) if text.bytes().all(|b| b.is_ascii_digit()) => {
                Some(Seconds::new(text.parse().map_err(|_| Refusal::PromptMalformed)?))
            }
            Some(_) => return Err(Refusal::PromptMalformed),
        };
        Ok(Self { scope, resources, challenge, prompt, max_age })
    }
}
