//! Smithery, from the reports of servers' authors and from the source of openid-client 6, which sends its requests: a
//! secret in the header alone, encoded to the last character, and a reader that wants the secret's end.

use super::story::{
    Authentication, Connection, Discovery, Exchange, Headers, Recorded, Registration, replay,
};

const JSON: Headers = &[("accept", "application/json"), ("user-agent", "openid-client/v6.8.1")];

const CLIENT: Recorded = Recorded {
    discovery: Discovery {
        headers: JSON,
        misses: &["/.well-known/oauth-authorization-server/mcp"],
        document: "/.well-known/oauth-authorization-server",
        demands: &["issuer", "authorization_endpoint", "token_endpoint", "registration_endpoint"],
    },
    registration: Registration {
        headers: JSON,
        body: r#"{"redirect_uris":["https://smithery.test/oauth/callback"],"client_name":"Smithery","token_endpoint_auth_method":"client_secret_basic","grant_types":["authorization_code","refresh_token"],"response_types":["code"]}"#,
        demands: &["client_id", "client_secret", "client_secret_expires_at"],
    },
    verifier: "0uT5r9hQe4bXw7vLc1mNs8dYj3oPf6gRiA2BtUqEkq7",
    connections: &[Connection {
        query: "redirect_uri=https%3A%2F%2Fsmithery.test%2Foauth%2Fcallback&code_challenge={challenge}\
                &code_challenge_method=S256&resource=https%3A%2F%2Fr1.test%2Fmcp\
                &state=LrT7pYw1sZbA8dEfGhJ5nU6oVtRqWiMxCkz0uT5r9hQ&client_id={client_id}&response_type=code",
        scope: "a b",
        token: Exchange {
            headers: JSON,
            authentication: Authentication::BasicAllEncoded,
            body: "resource=https%3A%2F%2Fr1.test%2Fmcp\
                   &redirect_uri=https%3A%2F%2Fsmithery.test%2Foauth%2Fcallback&code={code}\
                   &code_verifier={verifier}&grant_type=authorization_code",
        },
        refreshes: &[Exchange {
            headers: JSON,
            authentication: Authentication::BasicAllEncoded,
            body: "resource=https%3A%2F%2Fr1.test%2Fmcp&refresh_token={refresh_token}&grant_type=refresh_token",
        }],
    }],
};

#[tokio::test]
async fn smithery() {
    replay(&CLIENT).await;
}
