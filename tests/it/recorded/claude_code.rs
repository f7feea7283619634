//! Claude Code 2.1, seen on the wire by servers' authors: the TypeScript SDK's requests, a port that is another one at
//! each start, several processes that share what they stored, and builds that name no resource.

use super::story::{
    Authentication, Connection, Discovery, Exchange, Headers, Recorded, Registration, replay,
};

const JSON: Headers = &[("accept", "application/json")];

const WITH_RESOURCE: Exchange = Exchange {
    headers: JSON,
    authentication: Authentication::Form,
    body: "grant_type=refresh_token&refresh_token={refresh_token}&resource=https%3A%2F%2Fr1.test%2Fmcp\
           &client_id={client_id}",
};
const WITHOUT_RESOURCE: Exchange = Exchange {
    headers: JSON,
    authentication: Authentication::Form,
    body: "grant_type=refresh_token&refresh_token={refresh_token}&client_id={client_id}",
};

pub(super) const CLIENT: Recorded = Recorded {
    discovery: Discovery {
        headers: &[("accept", "application/json"), ("mcp-protocol-version", "2025-11-25")],
        misses: &["/.well-known/oauth-authorization-server/mcp", "/.well-known/openid-configuration/mcp"],
        document: "/.well-known/oauth-authorization-server",
        demands: &["issuer", "authorization_endpoint", "token_endpoint", "response_types_supported"],
    },
    registration: Registration {
        headers: JSON,
        body: r#"{"client_name":"Claude Code (notes)","redirect_uris":["http://localhost:3118/callback"],"grant_types":["authorization_code","refresh_token"],"response_types":["code"],"token_endpoint_auth_method":"none","application_type":"native"}"#,
        demands: &["client_id", "redirect_uris"],
    },
    verifier: "T7vKp2sQx9LmWc4dRf8hYj1nBg6uZe0aOi3tVkXr5Mw",
    connections: &[
        Connection {
            query: "response_type=code&client_id={client_id}&code_challenge={challenge}&code_challenge_method=S256\
                    &redirect_uri=http%3A%2F%2Flocalhost%3A3118%2Fcallback\
                    &state=2fQm8yJx4kWb1cVr7dTn0hLs9gPz3aUe6oXi5jRtEwY&scope=a+b+offline_access&prompt=consent\
                    &resource=https%3A%2F%2Fr1.test%2Fmcp",
            scope: "a b offline_access",
            token: Exchange {
                headers: JSON,
                authentication: Authentication::Form,
                body: "grant_type=authorization_code&code={code}&code_verifier={verifier}\
                       &redirect_uri=http%3A%2F%2Flocalhost%3A3118%2Fcallback\
                       &resource=https%3A%2F%2Fr1.test%2Fmcp&client_id={client_id}",
            },
            refreshes: &[WITH_RESOURCE, WITHOUT_RESOURCE, WITH_RESOURCE],
        },
        // The next start has another port, under the same registration.
        Connection {
            query: "response_type=code&client_id={client_id}&code_challenge={challenge}&code_challenge_method=S256\
                    &redirect_uri=http%3A%2F%2Flocalhost%3A52611%2Fcallback\
                    &state=2fQm8yJx4kWb1cVr7dTn0hLs9gPz3aUe6oXi5jRtEwY&scope=a+b&resource=https%3A%2F%2Fr1.test%2Fmcp",
            scope: "a b",
            token: Exchange {
                headers: JSON,
                authentication: Authentication::Form,
                body: "grant_type=authorization_code&code={code}&code_verifier={verifier}\
                       &redirect_uri=http%3A%2F%2Flocalhost%3A52611%2Fcallback\
                       &resource=https%3A%2F%2Fr1.test%2Fmcp&client_id={client_id}",
            },
            refreshes: &[WITH_RESOURCE],
        },
        // A build that names no resource anywhere: the person chooses, and the grant keeps to it.
        Connection {
            query: "response_type=code&client_id={client_id}&code_challenge={challenge}&code_challenge_method=S256\
                    &redirect_uri=http%3A%2F%2Flocalhost%3A3118%2Fcallback\
                    &state=2fQm8yJx4kWb1cVr7dTn0hLs9gPz3aUe6oXi5jRtEwY",
            scope: "a b",
            token: Exchange {
                headers: JSON,
                authentication: Authentication::Form,
                body: "grant_type=authorization_code&code={code}&code_verifier={verifier}\
                       &redirect_uri=http%3A%2F%2Flocalhost%3A3118%2Fcallback&client_id={client_id}",
            },
            refreshes: &[WITHOUT_RESOURCE],
        },
    ],
};

#[tokio::test]
async fn claude_code() {
    replay(&CLIENT).await;
}
