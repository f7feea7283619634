//! The Python SDK 2.3 and FastMCP 4.1, seen on the wire: all scopes of the server, a port that is another one at each
//! start, and a secret whose header comes with the `client_id` in the form as well.

use super::story::{
    Authentication, Connection, Discovery, Exchange, Headers, Recorded, Registration, replay,
};

const ANY: Headers = &[("accept", "*/*"), ("user-agent", "python-httpx/0.28.1")];

const DISCOVERY: Discovery = Discovery {
    headers: &[("accept", "*/*"), ("mcp-protocol-version", "2026-07-28")],
    misses: &["/.well-known/oauth-authorization-server/mcp", "/.well-known/openid-configuration/mcp"],
    document: "/.well-known/oauth-authorization-server",
    demands: &["issuer", "authorization_endpoint", "token_endpoint", "scopes_supported"],
};

const QUERY: &str = "response_type=code&client_id={client_id}\
                     &redirect_uri=http%3A%2F%2Flocalhost%3A53682%2Fcallback\
                     &state=Jx4kWb1cVr7dTn0hLs9gPz3aUe6oXi5jRtEwY2fQm8y&code_challenge={challenge}\
                     &code_challenge_method=S256&resource=https%3A%2F%2Fr1.test%2Fmcp\
                     &scope=a+b+c+d+offline_access&prompt=consent";

const CLIENT: Recorded = Recorded {
    discovery: DISCOVERY,
    registration: Registration {
        headers: ANY,
        body: r#"{"redirect_uris":["http://localhost:51707/callback"],"token_endpoint_auth_method":"none","grant_types":["authorization_code","refresh_token"],"response_types":["code"],"scope":"a b c d offline_access","client_name":"FastMCP Client","application_type":"native"}"#,
        demands: &["client_id", "redirect_uris", "token_endpoint_auth_method"],
    },
    // 128 characters, as many as there may be.
    verifier: "AZaz09-._~AZaz09-._~AZaz09-._~AZaz09-._~AZaz09-._~AZaz09-._~AZaz09-._~AZaz09-._~AZaz09-._~AZaz09-._~AZaz09-._~AZaz09-._~AZaz09-.",
    connections: &[Connection {
        query: QUERY,
        scope: "a b offline_access",
        token: Exchange {
            headers: ANY,
            authentication: Authentication::Form,
            body: "grant_type=authorization_code&code={code}\
                   &redirect_uri=http%3A%2F%2Flocalhost%3A53682%2Fcallback&client_id={client_id}\
                   &code_verifier={verifier}&resource=https%3A%2F%2Fr1.test%2Fmcp",
        },
        refreshes: &[Exchange {
            headers: ANY,
            authentication: Authentication::Form,
            body: "grant_type=refresh_token&refresh_token={refresh_token}&client_id={client_id}\
                   &resource=https%3A%2F%2Fr1.test%2Fmcp",
        }],
    }],
};

const WITH_A_SECRET: Recorded = Recorded {
    discovery: DISCOVERY,
    registration: Registration {
        headers: ANY,
        body: r#"{"redirect_uris":["http://localhost:51707/callback"],"token_endpoint_auth_method":"client_secret_basic","grant_types":["authorization_code","refresh_token"],"response_types":["code"],"scope":"a b c d offline_access","client_name":"FastMCP Client","application_type":"native"}"#,
        demands: &["client_id", "client_secret", "redirect_uris", "token_endpoint_auth_method"],
    },
    verifier: CLIENT.verifier,
    connections: &[Connection {
        query: QUERY,
        scope: "a b offline_access",
        token: Exchange {
            headers: ANY,
            authentication: Authentication::BasicEncoded,
            body: "grant_type=authorization_code&code={code}\
                   &redirect_uri=http%3A%2F%2Flocalhost%3A53682%2Fcallback&client_id={client_id}\
                   &code_verifier={verifier}&resource=https%3A%2F%2Fr1.test%2Fmcp",
        },
        refreshes: &[Exchange {
            headers: ANY,
            authentication: Authentication::BasicEncoded,
            body: "grant_type=refresh_token&refresh_token={refresh_token}&client_id={client_id}\
                   &resource=https%3A%2F%2Fr1.test%2Fmcp",
        }],
    }],
};

#[tokio::test]
async fn python_sdk() {
    replay(&CLIENT).await;
}

#[tokio::test]
async fn python_sdk_with_a_secret() {
    replay(&WITH_A_SECRET).await;
}
