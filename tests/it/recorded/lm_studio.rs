//! LM Studio 0.4, from the reports of servers' authors: the TypeScript SDK's requests, and a reader for which a list in
//! the answer to its registration must be a list.

use super::story::{
    Authentication, Connection, Discovery, Exchange, Headers, Recorded, Registration, replay,
};

const JSON: Headers = &[("accept", "application/json")];

const CLIENT: Recorded = Recorded {
    discovery: Discovery {
        headers: &[("accept", "application/json"), ("mcp-protocol-version", "2025-06-18")],
        misses: &["/.well-known/oauth-authorization-server/mcp"],
        document: "/.well-known/oauth-authorization-server",
        demands: &["issuer", "authorization_endpoint", "token_endpoint", "response_types_supported"],
    },
    registration: Registration {
        headers: &[],
        body: r#"{"client_name":"LM Studio","redirect_uris":["http://127.0.0.1:33389/mcp-oauth-callback"],"token_endpoint_auth_method":"none"}"#,
        demands: &["client_id", "redirect_uris", "grant_types", "response_types"],
    },
    verifier: "Yw1sZbA8dEfGhJ5nU6oVtRqWiMxCkz0uT5r9hQe4bXw",
    connections: &[Connection {
        query: "response_type=code&client_id={client_id}&code_challenge={challenge}&code_challenge_method=S256\
                &redirect_uri=http%3A%2F%2F127.0.0.1%3A33389%2Fmcp-oauth-callback\
                &state=f47ac10b-58cc-4372-a567-0e02b2c3d479&resource=https%3A%2F%2Fr1.test%2Fmcp",
        scope: "a b",
        token: Exchange {
            headers: JSON,
            authentication: Authentication::Form,
            body: "grant_type=authorization_code&code={code}&code_verifier={verifier}\
                   &redirect_uri=http%3A%2F%2F127.0.0.1%3A33389%2Fmcp-oauth-callback\
                   &resource=https%3A%2F%2Fr1.test%2Fmcp&client_id={client_id}",
        },
        refreshes: &[Exchange {
            headers: JSON,
            authentication: Authentication::Form,
            body: "grant_type=refresh_token&refresh_token={refresh_token}&resource=https%3A%2F%2Fr1.test%2Fmcp\
                   &client_id={client_id}",
        }],
    }],
};

#[tokio::test]
async fn lm_studio() {
    replay(&CLIENT).await;
}
