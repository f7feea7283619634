//! Gemini CLI 0.3x, from its source: an empty scope in the registration, every request written by hand.

use super::story::{
    Authentication, Connection, Discovery, Exchange, Headers, Recorded, Registration, replay,
};

const TOKEN: Headers = &[("accept", "application/json, application/x-www-form-urlencoded")];

const CLIENT: Recorded = Recorded {
    discovery: Discovery {
        headers: &[],
        misses: &["/.well-known/oauth-authorization-server/mcp", "/.well-known/openid-configuration/mcp"],
        document: "/.well-known/oauth-authorization-server",
        demands: &[
            "issuer",
            "authorization_endpoint",
            "token_endpoint",
            "registration_endpoint",
            "scopes_supported",
        ],
    },
    registration: Registration {
        headers: &[],
        body: r#"{"client_name":"Gemini CLI MCP Client","redirect_uris":["http://localhost:41873/oauth/callback"],"grant_types":["authorization_code","refresh_token"],"response_types":["code"],"token_endpoint_auth_method":"none","scope":""}"#,
        demands: &["client_id"],
    },
    // 64 bytes in base64url.
    verifier: "q7Jx2LrT7pYw1sZbA8dEfGhJ5nU6oVtRqWiMxCkz0uT5r9hQe4bXw7vLc1mNs8dYj3oPf6gRiA2BtUqEkXk3vQ",
    connections: &[Connection {
        query: "client_id={client_id}&response_type=code\
                &redirect_uri=http%3A%2F%2Flocalhost%3A41873%2Foauth%2Fcallback&state=3q2-7wABAgMEBQYHCAkKCw\
                &code_challenge={challenge}&code_challenge_method=S256&scope=a+b+c+d+offline_access\
                &resource=https%3A%2F%2Fr1.test%2Fmcp",
        scope: "a b offline_access",
        token: Exchange {
            headers: TOKEN,
            authentication: Authentication::Form,
            body: "grant_type=authorization_code&code={code}\
                   &redirect_uri=http%3A%2F%2Flocalhost%3A41873%2Foauth%2Fcallback&code_verifier={verifier}\
                   &client_id={client_id}&resource=https%3A%2F%2Fr1.test%2Fmcp",
        },
        refreshes: &[Exchange {
            headers: TOKEN,
            authentication: Authentication::Form,
            body: "grant_type=refresh_token&refresh_token={refresh_token}&client_id={client_id}\
                   &scope=a+b+c+d+offline_access&resource=https%3A%2F%2Fr1.test%2Fmcp",
        }],
    }],
};

#[tokio::test]
async fn gemini_cli() {
    replay(&CLIENT).await;
}
