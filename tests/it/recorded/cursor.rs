//! Cursor 3, from traces: an address of its own scheme among those that it registers, and the TypeScript SDK's requests.

use super::story::{Authentication, Connection, Discovery, Exchange, Recorded, Registration, replay};

const CLIENT: Recorded = Recorded {
    discovery: Discovery {
        headers: &[("accept", "application/json"), ("mcp-protocol-version", "2025-11-25")],
        misses: &[],
        document: "/.well-known/oauth-authorization-server",
        demands: &["issuer", "authorization_endpoint", "token_endpoint", "response_types_supported"],
    },
    // All scopes of the server.
    registration: Registration {
        headers: &[("accept", "application/json")],
        body: r#"{"client_name":"Cursor","redirect_uris":["cursor://anysphere.cursor-mcp/oauth/callback","https://www.cursor.com/agents/mcp/oauth/callback","http://localhost:8787/callback"],"grant_types":["authorization_code","refresh_token"],"response_types":["code"],"token_endpoint_auth_method":"none","scope":"a b c d offline_access"}"#,
        demands: &["client_id", "redirect_uris"],
    },
    verifier: "kz0uT5r9hQe4bXw7vLc1mNs8dYj3oPf6gRiA2BtUqEk",
    connections: &[
        Connection {
            query: "response_type=code&client_id={client_id}&code_challenge={challenge}&code_challenge_method=S256\
                    &redirect_uri=cursor%3A%2F%2Fanysphere.cursor-mcp%2Foauth%2Fcallback\
                    &state=eyJpZCI6InVzZXItbm90ZXMifQ&scope=a+b+c+d+offline_access&prompt=consent\
                    &resource=https%3A%2F%2Fr1.test%2Fmcp",
            scope: "a b offline_access",
            token: Exchange {
                headers: &[("accept", "application/json")],
                authentication: Authentication::Form,
                body: "grant_type=authorization_code&code={code}&code_verifier={verifier}\
                       &redirect_uri=cursor%3A%2F%2Fanysphere.cursor-mcp%2Foauth%2Fcallback\
                       &resource=https%3A%2F%2Fr1.test%2Fmcp&client_id={client_id}",
            },
            refreshes: REFRESHES,
        },
        Connection {
            query: "response_type=code&client_id={client_id}&code_challenge={challenge}&code_challenge_method=S256\
                    &redirect_uri=http%3A%2F%2Flocalhost%3A8787%2Fcallback&state=eyJpZCI6InVzZXItbm90ZXMifQ\
                    &scope=a+b+c+d+offline_access&prompt=consent&resource=https%3A%2F%2Fr1.test%2Fmcp",
            scope: "a b offline_access",
            token: Exchange {
                headers: &[("accept", "application/json")],
                authentication: Authentication::Form,
                body: "grant_type=authorization_code&code={code}&code_verifier={verifier}\
                       &redirect_uri=http%3A%2F%2Flocalhost%3A8787%2Fcallback\
                       &resource=https%3A%2F%2Fr1.test%2Fmcp&client_id={client_id}",
            },
            refreshes: REFRESHES,
        },
    ],
};

const REFRESHES: &[Exchange] = &[Exchange {
    headers: &[("accept", "application/json")],
    authentication: Authentication::Form,
    body: "grant_type=refresh_token&refresh_token={refresh_token}&resource=https%3A%2F%2Fr1.test%2Fmcp\
           &client_id={client_id}",
}];

#[tokio::test]
async fn cursor() {
    replay(&CLIENT).await;
}
