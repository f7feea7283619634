//! The discovery documents (RFC 8414, OpenID Connect Discovery), built from the same lists that serve requests.

use serde::Serialize;

use super::grant_type::{AuthMethod, GrantType};
use super::issuer::Issuer;
use super::scope::Scope;
use crate::crypto::public_key::AssertionAlgorithm;

/// The paths that the metadata names.
pub mod path {
    /// RFC 6749 3.1.
    pub const AUTHORIZE: &str = "/oauth/authorize";
    /// RFC 6749 3.2.
    pub const TOKEN: &str = "/oauth/token";
    /// RFC 7591 3.
    pub const REGISTER: &str = "/oauth/register";
    /// RFC 7009 2.
    pub const REVOKE: &str = "/oauth/revoke";
    /// RFC 7662 2.
    pub const INTROSPECT: &str = "/oauth/introspect";
    /// RFC 7517 5.
    pub const JWKS: &str = "/.well-known/jwks.json";
}

/// Authorization server metadata (RFC 8414 2); members without a value are left out.
#[derive(Debug, Serialize)]
pub struct Metadata {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    registration_endpoint: Option<String>,
    scopes_supported: Vec<String>,
    response_types_supported: [&'static str; 1],
    response_modes_supported: [&'static str; 1],
    grant_types_supported: Vec<&'static str>,
    token_endpoint_auth_methods_supported: Vec<&'static str>,
    token_endpoint_auth_signing_alg_values_supported: Vec<&'static str>,
    revocation_endpoint: String,
    revocation_endpoint_auth_methods_supported: Vec<&'static str>,
    revocation_endpoint_auth_signing_alg_values_supported: Vec<&'static str>,
    introspection_endpoint: String,
    introspection_endpoint_auth_methods_supported: Vec<&'static str>,
    introspection_endpoint_auth_signing_alg_values_supported: Vec<&'static str>,
    code_challenge_methods_supported: [&'static str; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    authorization_response_iss_parameter_supported: Option<bool>,
    client_id_metadata_document_supported: bool,
    resource_indicators_supported: bool,
    #[serde(flatten)]
    openid: Option<OpenIdMembers>,
}

/// What OpenID Connect Discovery 3 requires besides, for clients that read only that document.
#[derive(Debug, Serialize)]
struct OpenIdMembers {
    subject_types_supported: [&'static str; 1],
    id_token_signing_alg_values_supported: [&'static str; 1],
}

/// What the owner can switch off; nothing is promised that is not served.
#[derive(Clone, Copy, Debug)]
pub struct Offered {
    /// RFC 7591.
    pub registration: bool,
    /// Clients named by the URL of their metadata document.
    pub client_documents: bool,
    /// RFC 9207 3. `iss` is sent in any case.
    pub iss_promise: bool,
}

impl Metadata {
    /// The document at `/.well-known/oauth-authorization-server`. `scope` is every scope that a resource has.
    pub fn authorization_server(issuer: &Issuer, scope: &Scope, offered: Offered) -> Self {
        let all_methods: Vec<_> = AuthMethod::ALL.iter().map(|method| method.as_str()).collect();
        let algorithms: Vec<_> = AssertionAlgorithm::ALL.iter().map(|algorithm| algorithm.as_str()).collect();
        let confidential =
            all_methods.iter().copied().filter(|method| *method != AuthMethod::None.as_str()).collect();
        let offline = Scope::parse(Scope::OFFLINE_ACCESS).unwrap_or_default();
        Self {
            issuer: issuer.as_str().to_owned(),
            authorization_endpoint: issuer.url(path::AUTHORIZE),
            token_endpoint: issuer.url(path::TOKEN),
            jwks_uri: issuer.url(path::JWKS),
            registration_endpoint: offered.registration.then(|| issuer.url(path::REGISTER)),
            scopes_supported: scope.union(&offline).iter().map(str::to_owned).collect(),
            response_types_supported: ["code"],
            response_modes_supported: ["query"],
            grant_types_supported: GrantType::ALL.iter().map(|grant| grant.as_str()).collect(),
            token_endpoint_auth_methods_supported: all_methods.clone(),
            token_endpoint_auth_signing_alg_values_supported: algorithms.clone(),
            revocation_endpoint: issuer.url(path::REVOKE),
            revocation_endpoint_auth_methods_supported: all_methods,
            revocation_endpoint_auth_signing_alg_values_supported: algorithms.clone(),
            introspection_endpoint: issuer.url(path::INTROSPECT),
            introspection_endpoint_auth_methods_supported: confidential,
            introspection_endpoint_auth_signing_alg_values_supported: algorithms,
            code_challenge_methods_supported: ["S256"],
            authorization_response_iss_parameter_supported: offered.iss_promise.then_some(true),
            client_id_metadata_document_supported: offered.client_documents,
            resource_indicators_supported: true,
            openid: None,
        }
    }

    /// The document at `/.well-known/openid-configuration`.
    pub fn openid_configuration(issuer: &Issuer, scope: &Scope, offered: Offered) -> Self {
        let openid = OpenIdMembers {
            subject_types_supported: ["public"],
            id_token_signing_alg_values_supported: ["ES256"],
        };
        Self { openid: Some(openid), ..Self::authorization_server(issuer, scope, offered) }
    }
}
