//! ChatGPT, which connects from its vendor's network; from a trace of 2026. One registration for each connector.

use super::story::{
    Authentication, Connection, Discovery, Exchange, Headers, Recorded, Registration, replay,
};

const AGENT: Headers = &[("accept", "*/*"), ("user-agent", "openai-mcp/1.0.0")];

const CLIENT: Recorded = Recorded {
    discovery: Discovery {
        headers: AGENT,
        misses: &["/.well-known/oauth-authorization-server/mcp"],
        document: "/.well-known/openid-configuration",
        demands: &[
            "issuer",
            "authorization_endpoint",
            "token_endpoint",
            "registration_endpoint",
            "jwks_uri",
            "subject_types_supported",
            "id_token_signing_alg_values_supported",
        ],
    },
    registration: Registration {
        headers: AGENT,
        body: r#"{"client_name":"ChatGPT","redirect_uris":["https://chatgpt.com/connector_platform_oauth_redirect"],"grant_types":["authorization_code","refresh_token"],"response_types":["code"],"token_endpoint_auth_method":"client_secret_post"}"#,
        demands: &["client_id", "client_secret"],
    },
    verifier: "Zx4cVb7nMa1sDf3gHj6kLq9wEr2tYu5iOp8-_.~QwErTyUiOpAsDfGhJkLzXcVbNm",
    connections: &[Connection {
        query: "response_type=code&client_id={client_id}\
                &redirect_uri=https%3A%2F%2Fchatgpt.com%2Fconnector_platform_oauth_redirect\
                &state=oauth_s_694133884dc48191ae0de856aafb7fc8&scope=a+b+c+d+offline_access\
                &code_challenge={challenge}&code_challenge_method=S256&resource=https%3A%2F%2Fr1.test%2Fmcp\
                &ui_locales=en-US",
        scope: "a b offline_access",
        token: Exchange {
            headers: AGENT,
            authentication: Authentication::Form,
            body: "grant_type=authorization_code&client_id={client_id}&client_secret={client_secret}&code={code}\
                   &redirect_uri=https%3A%2F%2Fchatgpt.com%2Fconnector_platform_oauth_redirect\
                   &code_verifier={verifier}&resource=https%3A%2F%2Fr1.test%2Fmcp",
        },
        refreshes: &[Exchange {
            headers: AGENT,
            authentication: Authentication::Form,
            body: "grant_type=refresh_token&client_id={client_id}&client_secret={client_secret}\
                   &refresh_token={refresh_token}&resource=https%3A%2F%2Fr1.test%2Fmcp",
        }],
    }],
};

#[tokio::test]
async fn chatgpt() {
    replay(&CLIENT).await;
}
