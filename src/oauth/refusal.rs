//! Every reason to refuse, one enum per surface, and the one match from each reason to the wire.
//!
//! The variant is for the owner: it goes to the log and to the audit, with the data it carries. The word and the
//! sentence are for the caller: fixed texts without data, in the characters that RFC 6749 5.2 allows.

use super::error::ErrorCode;
use super::resource::ResourceUri;

/// Why the token, revocation or introspection endpoint says no.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenRefusal {
    /// A parameter came twice.
    ParameterRepeated(&'static str),
    /// A parameter that the request needs is not there.
    ParameterMissing(&'static str),
    /// A `grant_type` that this server does not have.
    GrantTypeUnsupported,
    /// `scope` is not a scope.
    ScopeMalformed,
    /// None of the scopes asked for belongs to the grant.
    ScopeNotGranted,
    /// A `resource` that is no absolute URI without fragment.
    ResourceMalformed,
    /// More than ten `resource` parameters.
    ResourcesTooMany,
    /// Resources that nobody registered here.
    ResourceUnknown(Vec<ResourceUri>),
    /// Resources that the grant was not made for.
    ResourceNotGranted(Vec<ResourceUri>),
    /// Resources that are not on the machine client's allow-list.
    ResourceNotAllowed(Vec<ResourceUri>),
    /// The request carries no client authentication and no `client_id`.
    ClientMissing,
    /// Two ways of client authentication in one request.
    ClientAuthenticatedTwice,
    /// An `Authorization` header that is not HTTP Basic as RFC 6749 2.3.1 has it.
    BasicMalformed,
    /// The `client_id` of the header is not the one of the body.
    ClientIdsDiffer,
    /// A way of client authentication that this server does not have.
    ClientMethodUnsupported,
    /// No such client.
    ClientUnknown,
    /// A confidential client sent no secret.
    SecretMissing,
    /// The secret is not the client's, or the client has none.
    SecretWrong,
    /// The client was not registered for this grant.
    GrantTypeNotAllowed,
    /// client_credentials by a client without credentials.
    PublicClient,
    /// A code that was never given out, or so long ago that it is forgotten.
    CodeUnknown,
    /// A code past its minute.
    CodeExpired,
    /// A code redeemed before, by a request that was right in everything: what it led to is revoked.
    CodeReplayed,
    /// A code redeemed before, by a request that was wrong in something else too: nothing is revoked.
    CodeSpent,
    /// A code of another client.
    CodeOfAnotherClient,
    /// `redirect_uri` is not the one of the authorization request.
    RedirectUriDiffers,
    /// `code_verifier` is not 43 to 128 unreserved characters.
    VerifierMalformed,
    /// `code_verifier` does not answer the challenge.
    VerifierWrong,
    /// Five wrong verifiers: the code is dead.
    CodeBurnt,
    /// A refresh token that this server did not make, or whose grant is gone.
    RefreshTokenUnknown,
    /// A refresh token of another client.
    RefreshTokenOfAnotherClient,
    /// A refresh token spent earlier than the retry window: the grant is revoked.
    RefreshTokenReplayed,
    /// A refresh token newer than the database, which was restored from an older copy.
    RefreshTokenNewer,
    /// Its grant is revoked.
    GrantRevoked,
    /// Its grant was not used for too long, or is too old.
    GrantExpired,
    /// The person may no longer sign in.
    UserDisabled,
    /// No resource of the grant admits the person any more.
    UserNotAdmitted,
}

impl TokenRefusal {
    /// The word and the sentence for the caller.
    pub const fn wire(&self) -> (ErrorCode, &'static str) {
        use ErrorCode::{
            InvalidClient, InvalidGrant, InvalidRequest, InvalidScope, InvalidTarget, UnauthorizedClient,
            UnsupportedGrantType,
        };
        match self {
            Self::ParameterRepeated(_) => {
                (InvalidRequest, "A parameter is there more than once; only resource may repeat.")
            }
            Self::ParameterMissing(_) => (InvalidRequest, "A required parameter is missing."),
            Self::GrantTypeUnsupported => {
                (UnsupportedGrantType, "This grant_type is not supported; the metadata lists those that are.")
            }
            Self::ScopeMalformed => (InvalidScope, "The scope is malformed or too long."),
            Self::ScopeNotGranted => (InvalidScope, "None of these scopes was granted."),
            Self::ResourceMalformed => (InvalidTarget, "A resource is not an absolute URI without fragment."),
            Self::ResourcesTooMany => (InvalidTarget, "There are more than 10 resource parameters."),
            Self::ResourceUnknown(_) => (
                InvalidTarget,
                "A resource is not registered here; the server log names the command that adds it.",
            ),
            Self::ResourceNotGranted(_) => (
                InvalidTarget,
                "A resource is not part of the grant; ask for it in a new authorization request.",
            ),
            Self::ResourceNotAllowed(_) => (InvalidTarget, "A resource is not on this client's allow-list."),
            Self::ClientMissing => (InvalidClient, "The request names no client."),
            Self::ClientAuthenticatedTwice => {
                (InvalidRequest, "Send the client's secret in the header or in the body, not in both.")
            }
            Self::BasicMalformed => {
                (InvalidClient, "The Authorization header is not HTTP Basic with client_id and secret.")
            }
            Self::ClientIdsDiffer => (InvalidClient, "The header and the body name different clients."),
            Self::ClientMethodUnsupported => (
                InvalidClient,
                "This way of client authentication is not supported; the metadata lists those that are.",
            ),
            // One sentence for the three, so that nobody learns which clients exist.
            Self::ClientUnknown | Self::SecretMissing | Self::SecretWrong => {
                (InvalidClient, "Client authentication failed; if the client was removed, register again.")
            }
            Self::GrantTypeNotAllowed => {
                (UnauthorizedClient, "The client is not registered for this grant_type.")
            }
            Self::PublicClient => (UnauthorizedClient, "client_credentials needs a client with a secret."),
            Self::CodeUnknown
            | Self::CodeExpired
            | Self::CodeReplayed
            | Self::CodeSpent
            | Self::CodeOfAnotherClient
            | Self::CodeBurnt => (InvalidGrant, "The code is not valid; start a new authorization request."),
            Self::RedirectUriDiffers => {
                (InvalidGrant, "redirect_uri is not the one of the authorization request.")
            }
            Self::VerifierMalformed => (InvalidRequest, "code_verifier has 43 to 128 unreserved characters."),
            Self::VerifierWrong => (InvalidGrant, "code_verifier does not answer the code_challenge."),
            Self::RefreshTokenUnknown
            | Self::RefreshTokenOfAnotherClient
            | Self::RefreshTokenReplayed
            | Self::RefreshTokenNewer
            | Self::GrantRevoked
            | Self::GrantExpired => {
                (InvalidGrant, "The refresh token is not valid; start a new authorization request.")
            }
            Self::UserDisabled | Self::UserNotAdmitted => {
                (InvalidGrant, "The grant has ended; start a new authorization request.")
            }
        }
    }

    /// The reason in one word, for the log and the audit.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::ParameterRepeated(_) => "parameter_repeated",
            Self::ParameterMissing(_) => "parameter_missing",
            Self::GrantTypeUnsupported => "grant_type_unsupported",
            Self::ScopeMalformed => "scope_malformed",
            Self::ScopeNotGranted => "scope_not_granted",
            Self::ResourceMalformed => "resource_malformed",
            Self::ResourcesTooMany => "resources_too_many",
            Self::ResourceUnknown(_) => "resource_unknown",
            Self::ResourceNotGranted(_) => "resource_not_granted",
            Self::ResourceNotAllowed(_) => "resource_not_allowed",
            Self::ClientMissing => "client_missing",
            Self::ClientAuthenticatedTwice => "client_authenticated_twice",
            Self::BasicMalformed => "basic_malformed",
            Self::ClientIdsDiffer => "client_ids_differ",
            Self::ClientMethodUnsupported => "client_method_unsupported",
            Self::ClientUnknown => "client_unknown",
            Self::SecretMissing => "secret_missing",
            Self::SecretWrong => "secret_wrong",
            Self::GrantTypeNotAllowed => "grant_type_not_allowed",
            Self::PublicClient => "public_client",
            Self::CodeUnknown => "code_unknown",
            Self::CodeExpired => "code_expired",
            Self::CodeReplayed => "code_replayed",
            Self::CodeSpent => "code_spent",
            Self::CodeOfAnotherClient => "code_of_another_client",
            Self::RedirectUriDiffers => "redirect_uri_differs",
            Self::VerifierMalformed => "verifier_malformed",
            Self::VerifierWrong => "verifier_wrong",
            Self::CodeBurnt => "code_burnt",
            Self::RefreshTokenUnknown => "refresh_token_unknown",
            Self::RefreshTokenOfAnotherClient => "refresh_token_of_another_client",
            Self::RefreshTokenReplayed => "refresh_token_replayed",
            Self::RefreshTokenNewer => "refresh_token_newer",
            Self::GrantRevoked => "grant_revoked",
            Self::GrantExpired => "grant_expired",
            Self::UserDisabled => "user_disabled",
            Self::UserNotAdmitted => "user_not_admitted",
        }
    }

    /// The resources that were asked for and refused, for the log and the audit.
    pub fn resources(&self) -> &[ResourceUri] {
        match self {
            Self::ResourceUnknown(extra)
            | Self::ResourceNotGranted(extra)
            | Self::ResourceNotAllowed(extra) => extra,
            _ => &[],
        }
    }
}

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

/// Why a person sees a page about a problem, and no client hears of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PageRefusal {
    /// The request names no client, or two.
    ClientMissing,
    /// No such client.
    ClientUnknown,
    /// The client registered several redirect URIs, and the request names none, or two.
    RedirectUriMissing,
    /// The client did not register this redirect URI.
    RedirectUriUnknown(String),
    /// The pending request is not known, has expired, or waits for somebody else.
    AuthorizationUnknown,
    /// The request was answered, and the answer cannot be given again: the code was redeemed or has ended, is somebody
    /// else's, or was an error.
    AuthorizationAnswered,
    /// The form was not made for this browser, or is too old.
    FormTokenWrong,
    /// The form came from another site.
    CrossSite,
    /// The form cannot be read.
    FormMalformed,
    /// The set-up link is wrong, used, or past its hour.
    SetupLinkInvalid,
}

impl PageRefusal {
    /// The HTTP status of the page.
    pub const fn http_status(&self) -> u16 {
        match self {
            Self::FormTokenWrong | Self::CrossSite => 403,
            _ => 400,
        }
    }

    /// The word for a caller that asked for JSON instead of a page.
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::ClientUnknown => ErrorCode::InvalidClient,
            _ => ErrorCode::InvalidRequest,
        }
    }

    /// The reason in one word, for the log and the audit.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::ClientMissing => "client_missing",
            Self::ClientUnknown => "client_unknown",
            Self::RedirectUriMissing => "redirect_uri_missing",
            Self::RedirectUriUnknown(_) => "redirect_uri_unknown",
            Self::AuthorizationUnknown => "authorization_unknown",
            Self::AuthorizationAnswered => "authorization_answered",
            Self::FormTokenWrong => "form_token_wrong",
            Self::CrossSite => "cross_site",
            Self::FormMalformed => "form_malformed",
            Self::SetupLinkInvalid => "setup_link_invalid",
        }
    }
}

/// Why a registration is refused (RFC 7591 3.2.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RegistrationRefusal {
    /// The body is not a JSON object, or a member is there twice.
    NotAnObject,
    /// A member is not of its type, too long, or too many.
    MemberMalformed(&'static str),
    /// No redirect URI.
    RedirectUriMissing,
    /// A redirect URI that may not be registered.
    RedirectUriInvalid(&'static str),
    /// A way of client authentication that this server does not have.
    AuthMethodUnsupported,
    /// A link that is not https.
    LinkInvalid(&'static str),
    /// `jwks` and `jwks_uri` together (RFC 7591 2).
    KeysTwice,
}

impl RegistrationRefusal {
    /// The word and the sentence for the client.
    pub const fn wire(&self) -> (ErrorCode, &'static str) {
        use ErrorCode::{InvalidClientMetadata, InvalidRedirectUri};
        match self {
            Self::NotAnObject => {
                (InvalidClientMetadata, "The body is not a JSON object with each member once.")
            }
            Self::MemberMalformed(_) => {
                (InvalidClientMetadata, "A member has the wrong type, is too long, or has too many values.")
            }
            Self::RedirectUriMissing => (InvalidRedirectUri, "redirect_uris has at least one URI."),
            Self::RedirectUriInvalid(why) => (InvalidRedirectUri, why),
            Self::AuthMethodUnsupported => (
                InvalidClientMetadata,
                "This token_endpoint_auth_method is not supported; the metadata lists those that are.",
            ),
            Self::LinkInvalid(_) => (InvalidClientMetadata, "A link in the metadata is not an https URL."),
            Self::KeysTwice => (InvalidClientMetadata, "Send jwks or jwks_uri, not both."),
        }
    }

    /// The reason in one word, for the log and the audit.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::NotAnObject => "not_an_object",
            Self::MemberMalformed(_) => "member_malformed",
            Self::RedirectUriMissing => "redirect_uri_missing",
            Self::RedirectUriInvalid(_) => "redirect_uri_invalid",
            Self::AuthMethodUnsupported => "auth_method_unsupported",
            Self::LinkInvalid(_) => "link_invalid",
            Self::KeysTwice => "keys_twice",
        }
    }
}
