//! The token request: one variant per grant, each with just its own fields.

use super::grant_type::GrantType;
use super::params::{Params, ResourceProblem};
use super::pkce::PkceVerifier;
use super::refresh_token::{ChainKey, RefreshToken};
use super::refusal::TokenRefusal;
use super::resource::ResourceUri;
use super::scope::Scope;
use super::secret::SecretHash;

/// A token request, read.
#[derive(Debug)]
pub struct TokenRequest {
    /// What is presented.
    pub presented: Presented,
    /// `resource` (RFC 8707 2.2); empty when there was none.
    pub resources: Vec<ResourceUri>,
    /// `scope`, if there was one.
    pub scope: Option<Scope>,
}

/// What a client presents to be given a token.
#[derive(Debug)]
pub enum Presented {
    /// RFC 6749 4.1.3.
    AuthorizationCode {
        /// The code's hash: any text has one, so a malformed code is just an unknown one.
        code: SecretHash,
        /// PKCE's answer.
        verifier: PkceVerifier,
        /// `redirect_uri`, which OAuth 2.0 clients send and OAuth 2.1 clients leave out.
        redirect_uri: Option<String>,
    },
    /// RFC 6749 6; `None` for a token that this server did not make.
    RefreshToken(Option<RefreshToken>),
    /// RFC 6749 4.4.
    ClientCredentials,
}

impl Presented {
    /// The grant type that it belongs to.
    pub const fn grant_type(&self) -> GrantType {
        match self {
            Self::AuthorizationCode { .. } => GrantType::AuthorizationCode,
            Self::RefreshToken(_) => GrantType::RefreshToken,
            Self::ClientCredentials => GrantType::ClientCredentials,
        }
    }
}

impl TokenRequest {
    /// Reads the parameters. `key` is the database's: with it a refresh token's tag is checked before anything
    /// is looked up.
    pub fn parse(params: &Params, key: &ChainKey) -> Result<Self, TokenRefusal> {
        use TokenRefusal as Refusal;
        if let Some(name) = params.first_repeated() {
            return Err(Refusal::ParameterRepeated(name));
        }
        let required = |name| params.get(name).ok_or(Refusal::ParameterMissing(name));
        let grant_type = GrantType::parse(required("grant_type")?).ok_or(Refusal::GrantTypeUnsupported)?;
        let presented = match grant_type {
            GrantType::AuthorizationCode => Presented::AuthorizationCode {
                code: SecretHash::of(required("code")?),
                verifier: PkceVerifier::parse(required("code_verifier")?)
                    .map_err(|_| Refusal::VerifierMalformed)?,
                redirect_uri: params.get("redirect_uri").map(str::to_owned),
            },
            GrantType::RefreshToken => {
                Presented::RefreshToken(RefreshToken::parse(required("refresh_token")?, key))
            }
            GrantType::ClientCredentials => Presented::ClientCredentials,
        };
        let resources = params.resources().map_err(|problem| match problem {
            ResourceProblem::TooMany => Refusal::ResourcesTooMany,
            ResourceProblem::Malformed(_) => Refusal::ResourceMalformed,
        })?;
        let scope = params.scope().map_err(|_| Refusal::ScopeMalformed)?;
        Ok(Self { presented, resources, scope })
    }
}
