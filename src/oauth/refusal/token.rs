//! The token, revocation and introspection endpoints.

use super::super::assertion_problem::AssertionProblem;
use super::super::error::ErrorCode;
use super::super::resource::ResourceUri;

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
    /// A client that authenticates by its key sent no assertion.
    AssertionMissing,
    /// An assertion in the name of a client that has no keys.
    AssertionUnexpected,
    /// An assertion that does not prove who sent it.
    Assertion(AssertionProblem),
    /// An assertion that was used before.
    AssertionReplayed,
    /// The client's keys cannot be had, and what mends it.
    KeysRefused(String),
    /// The client's keys cannot be had at the moment, and what mends it.
    KeysUnavailable(String),
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
            InvalidClient, InvalidGrant, InvalidRequest, InvalidScope, InvalidTarget, TemporarilyUnavailable,
            UnauthorizedClient, UnsupportedGrantType,
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
            // One sentence for all of them, so that nobody learns which clients exist.
            Self::ClientUnknown
            | Self::SecretMissing
            | Self::SecretWrong
            | Self::AssertionMissing
            | Self::AssertionUnexpected
            | Self::Assertion(_)
            | Self::AssertionReplayed
            | Self::KeysRefused(_) => {
                (InvalidClient, "Client authentication failed; if the client was removed, register again.")
            }
            Self::KeysUnavailable(_) => {
                (TemporarilyUnavailable, "The client's keys cannot be fetched at the moment; try again soon.")
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
            Self::AssertionMissing => "assertion_missing",
            Self::AssertionUnexpected => "assertion_unexpected",
            Self::Assertion(problem) => problem.reason(),
            Self::AssertionReplayed => "assertion_replayed",
            Self::KeysRefused(_) => "keys_refused",
            Self::KeysUnavailable(_) => "keys_unavailable",
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
