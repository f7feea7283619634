//! The authorization endpoint, once it is sure to whom an answer may go.

use super::super::error::ErrorCode;
use super::super::resource::ResourceUri;

/// Why the authorization endpoint answers the client with an error, once it is sure where to send it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuthorizeRefusal {
    /// A parameter came twice.
    ParameterRepeated(&'static str),
    /// `response_type` is missing.
    ResponseTypeMissing,
    /// A `response_type` other than `code`.
    ResponseTypeUnsupported,
    /// A `response_mode` other than `query`.
    ResponseModeUnsupported,
    /// No `code_challenge`.
    ChallengeMissing,
    /// `code_challenge_method` is not `S256`; left out it would mean `plain`.
    ChallengeMethodUnsupported,
    /// `code_challenge` is not 43 characters of base64url.
    ChallengeMalformed,
    /// `scope` is not a scope.
    ScopeMalformed,
    /// A `resource` that is no absolute URI without fragment.
    ResourceMalformed,
    /// More than ten `resource` parameters.
    ResourcesTooMany,
    /// Resources that nobody registered here.
    ResourceUnknown(Vec<ResourceUri>),
    /// The resource does not admit this person.
    UserNotAdmitted(Vec<ResourceUri>),
    /// The client was not registered for `authorization_code`.
    GrantTypeNotAllowed,
    /// `request` (OpenID Connect Core 6.1).
    RequestObject,
    /// `request_uri` (OpenID Connect Core 6.2).
    RequestUri,
    /// `max_age` is no number, or `prompt` contradicts itself.
    PromptMalformed,
    /// `prompt=none`, and nobody is signed in.
    LoginRequired,
    /// `prompt=none`, and the person has not agreed to this yet.
    ConsentRequired,
    /// The person said no.
    Denied,
}

impl AuthorizeRefusal {
    /// The word and the sentence for the client.
    pub const fn wire(&self) -> (ErrorCode, &'static str) {
        use ErrorCode::{
            AccessDenied, ConsentRequired, InvalidRequest, InvalidScope, InvalidTarget, LoginRequired,
            RequestNotSupported, RequestUriNotSupported, UnauthorizedClient, UnsupportedResponseType,
        };
        match self {
            Self::ParameterRepeated(_) => {
                (InvalidRequest, "A parameter is there more than once; only resource may repeat.")
            }
            Self::ResponseTypeMissing => (InvalidRequest, "response_type is missing."),
            Self::ResponseTypeUnsupported => {
                (UnsupportedResponseType, "Only response_type=code is supported.")
            }
            Self::ResponseModeUnsupported => (InvalidRequest, "Only response_mode=query is supported."),
            Self::ChallengeMissing => (InvalidRequest, "PKCE is required: code_challenge is missing."),
            Self::ChallengeMethodUnsupported => {
                (InvalidRequest, "PKCE is required with code_challenge_method=S256.")
            }
            Self::ChallengeMalformed => (InvalidRequest, "code_challenge is not 43 characters of base64url."),
            Self::ScopeMalformed => (InvalidScope, "The scope is malformed or too long."),
            Self::ResourceMalformed => (InvalidTarget, "A resource is not an absolute URI without fragment."),
            Self::ResourcesTooMany => (InvalidTarget, "There are more than 10 resource parameters."),
            Self::ResourceUnknown(_) => (
                InvalidTarget,
                "A resource is not registered here; the server log names the command that adds it.",
            ),
            Self::UserNotAdmitted(_) => (AccessDenied, "The resource does not admit this user."),
            Self::GrantTypeNotAllowed => {
                (UnauthorizedClient, "The client is not registered for authorization_code.")
            }
            Self::RequestObject => (RequestNotSupported, "Request objects are not supported."),
            Self::RequestUri => (RequestUriNotSupported, "request_uri is not supported."),
            Self::PromptMalformed => (InvalidRequest, "prompt or max_age is malformed."),
            Self::LoginRequired => (LoginRequired, "Nobody is signed in."),
            Self::ConsentRequired => (ConsentRequired, "The user has not agreed to this yet."),
            Self::Denied => (AccessDenied, "The user said no."),
        }
    }

    /// The reason in one word, for the log and the audit.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::ParameterRepeated(_) => "parameter_repeated",
            Self::ResponseTypeMissing => "response_type_missing",
            Self::ResponseTypeUnsupported => "response_type_unsupported",
            Self::ResponseModeUnsupported => "response_mode_unsupported",
            Self::ChallengeMissing => "challenge_missing",
            Self::ChallengeMethodUnsupported => "challenge_method_unsupported",
            Self::ChallengeMalformed => "challenge_malformed",
            Self::ScopeMalformed => "scope_malformed",
            Self::ResourceMalformed => "resource_malformed",
            Self::ResourcesTooMany => "resources_too_many",
            Self::ResourceUnknown(_) => "resource_unknown",
            Self::UserNotAdmitted(_) => "user_not_admitted",
            Self::GrantTypeNotAllowed => "grant_type_not_allowed",
            Self::RequestObject => "request_object",
            Self::RequestUri => "request_uri",
            Self::PromptMalformed => "prompt_malformed",
            Self::LoginRequired => "login_required",
            Self::ConsentRequired => "consent_required",
            Self::Denied => "denied",
        }
    }

    /// The resources that were asked for and refused, for the log and the audit.
    pub fn resources(&self) -> &[ResourceUri] {
        match self {
            Self::ResourceUnknown(extra) | Self::UserNotAdmitted(extra) => extra,
            _ => &[],
        }
    }
}
