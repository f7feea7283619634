//! Claude on the web and on the desktop, which connects from its vendor's network; from traces of 2026. It registers
//! with a secret, twice for each connection, and one registration is never used.

use super::story::{
    Authentication, Connection, Discovery, Exchange, Headers, Recorded, Registration, register, replay,
};
use crate::harness::Server;

const AGENT: Headers = &[("accept", "*/*"), ("user-agent", "python-httpx/0.28.1")];

const CLIENT: Recorded = Recorded {
    discovery: Discovery {
        headers: AGENT,
        misses: &[
            "/.well-known/oauth-authorization-server/mcp",
            "/mcp/.well-known/oauth-authorization-server",
        ],
        document: "/.well-known/oauth-authorization-server",
        demands: &["issuer", "authorization_endpoint", "token_endpoint", "registration_endpoint"],
    },
    registration: Registration {
        headers: AGENT,
        body: r#"{"client_name":"Claude","redirect_uris":["https://claude.ai/api/mcp/auth_callback"],"grant_types":["authorization_code","refresh_token"],"response_types":["code"],"token_endpoint_auth_method":"client_secret_post"}"#,
        demands: &["client_id", "client_secret", "client_secret_expires_at", "redirect_uris"],
    },
    verifier: "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
    connections: &[
        Connection {
            query: "response_type=code&client_id={client_id}\
                    &redirect_uri=https%3A%2F%2Fclaude.ai%2Fapi%2Fmcp%2Fauth_callback&code_challenge={challenge}\
                    &code_challenge_method=S256&state=Xk3vQ0c9m2LrT7pYw1sZbA8dEfGhJ5nU6oVtRqWiMxC\
                    &scope=a+b+offline_access&resource=https%3A%2F%2Fr1.test%2Fmcp",
            scope: "a b offline_access",
            token: Exchange {
                headers: AGENT,
                authentication: Authentication::Form,
                body: "grant_type=authorization_code&code={code}&client_id={client_id}\
                       &client_secret={client_secret}\
                       &redirect_uri=https%3A%2F%2Fclaude.ai%2Fapi%2Fmcp%2Fauth_callback\
                       &code_verifier={verifier}&resource=https%3A%2F%2Fr1.test%2Fmcp",
            },
            refreshes: &[Exchange {
                headers: AGENT,
                authentication: Authentication::Form,
                body: "grant_type=refresh_token&refresh_token={refresh_token}&client_id={client_id}\
                       &client_secret={client_secret}&resource=https%3A%2F%2Fr1.test%2Fmcp",
            }],
        },
        // No scope at all, which is what it does where neither the challenge nor the server's document names one.
        Connection {
            query: "response_type=code&client_id={client_id}\
                    &redirect_uri=https%3A%2F%2Fclaude.ai%2Fapi%2Fmcp%2Fauth_callback&code_challenge={challenge}\
                    &code_challenge_method=S256&state=Xk3vQ0c9m2LrT7pYw1sZbA8dEfGhJ5nU6oVtRqWiMxC\
                    &resource=https%3A%2F%2Fr1.test%2Fmcp",
            scope: "a b",
            token: Exchange {
                headers: AGENT,
                authentication: Authentication::Form,
                body: "grant_type=authorization_code&code={code}&client_id={client_id}\
                       &client_secret={client_secret}\
                       &redirect_uri=https%3A%2F%2Fclaude.ai%2Fapi%2Fmcp%2Fauth_callback\
                       &code_verifier={verifier}&resource=https%3A%2F%2Fr1.test%2Fmcp",
            },
            refreshes: &[],
        },
    ],
};

#[tokio::test]
async fn claude() {
    replay(&CLIENT).await;
}

#[tokio::test]
async fn claude_registers_twice_and_has_two_names() {
    let server = Server::start().await;
    let [first, second] =
        [register(&server, &CLIENT.registration).await, register(&server, &CLIENT.registration).await];
    assert_ne!(first.client_id, second.client_id);
    assert_ne!(first.client_secret, second.client_secret);
}
