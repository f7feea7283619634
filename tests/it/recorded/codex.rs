//! Codex CLI, from its source and from rmcp's and oauth2's, which send its requests.
//!
//! In spring 2026 its redirect came to end in an id made of the MCP server's URL, so that the answers of two servers
//! cannot be mixed up. By 0.154 that is so only where the metadata does not promise `iss` (RFC 9207); where it does, as
//! here, the path is `/callback` again.

use super::story::{
    Authentication, Connection, Discovery, Exchange, Headers, Recorded, Registration, replay,
};

const JSON: Headers = &[("accept", "application/json")];

const DISCOVERY: Discovery = Discovery {
    headers: &[("accept", "application/json"), ("mcp-protocol-version", "2026-07-28")],
    misses: &["/.well-known/oauth-authorization-server/mcp", "/.well-known/openid-configuration/mcp"],
    document: "/.well-known/oauth-authorization-server",
    demands: &[
        "issuer",
        "authorization_endpoint",
        "token_endpoint",
        "registration_endpoint",
        "authorization_response_iss_parameter_supported",
    ],
};

const fn refresh(body: &'static str) -> Exchange {
    Exchange { headers: JSON, authentication: Authentication::Form, body }
}

/// The scopes that were granted and one that was not, and the server's base instead of the server.
const EARLIER_REFRESHES: &[Exchange] = &[
    refresh(
        "grant_type=refresh_token&refresh_token={refresh_token}&scope=a+b+offline_access&client_id={client_id}\
         &resource=https%3A%2F%2Fr1.test%2F",
    ),
    refresh(
        "grant_type=refresh_token&refresh_token={refresh_token}&scope=a+b+offline_access&client_id={client_id}\
         &resource=https%3A%2F%2Fr1.test%2Fmcp",
    ),
];

const EARLIER: Recorded = Recorded {
    discovery: DISCOVERY,
    registration: Registration {
        headers: &[],
        body: r#"{"client_name":"Codex","redirect_uris":["http://127.0.0.1:37819/callback/ICU4T-v9BpDz"],"grant_types":["authorization_code","refresh_token"],"token_endpoint_auth_method":"none","response_types":["code"],"scope":"a b","application_type":"native"}"#,
        demands: &["client_id", "redirect_uris"],
    },
    verifier: "hXk2vQ0c9m2LrT7pYw1sZbA8dEfGhJ5nU6oVtRqWiMw",
    connections: &[Connection {
        query: "response_type=code&client_id={client_id}&state=q1ZPpF0mJ8Zk3yTtVw7s2A\
                &code_challenge={challenge}&code_challenge_method=S256\
                &redirect_uri=http%3A%2F%2F127.0.0.1%3A37819%2Fcallback%2FICU4T-v9BpDz&scope=a+b\
                &resource=https%3A%2F%2Fr1.test%2Fmcp",
        scope: "a b",
        token: Exchange {
            headers: JSON,
            authentication: Authentication::Form,
            body: "grant_type=authorization_code&code={code}&code_verifier={verifier}&client_id={client_id}\
                   &redirect_uri=http%3A%2F%2F127.0.0.1%3A37819%2Fcallback%2FICU4T-v9BpDz\
                   &resource=https%3A%2F%2Fr1.test%2Fmcp",
        },
        refreshes: EARLIER_REFRESHES,
    }],
};

pub(super) const CLIENT: Recorded = Recorded {
    discovery: DISCOVERY,
    registration: Registration {
        headers: &[],
        body: r#"{"client_name":"Codex","redirect_uris":["http://127.0.0.1:43119/callback"],"grant_types":["authorization_code","refresh_token"],"token_endpoint_auth_method":"none","response_types":["code"],"scope":"a b offline_access","application_type":"native"}"#,
        demands: &["client_id", "redirect_uris"],
    },
    verifier: "hXk2vQ0c9m2LrT7pYw1sZbA8dEfGhJ5nU6oVtRqWiMw",
    connections: &[
        Connection {
            query: "response_type=code&client_id={client_id}&state=q1ZPpF0mJ8Zk3yTtVw7s2A\
                    &code_challenge={challenge}&code_challenge_method=S256\
                    &redirect_uri=http%3A%2F%2F127.0.0.1%3A43119%2Fcallback&scope=a+b+offline_access\
                    &resource=https%3A%2F%2Fr1.test%2Fmcp",
            scope: "a b offline_access",
            token: Exchange {
                headers: JSON,
                authentication: Authentication::Form,
                body: "grant_type=authorization_code&code={code}&code_verifier={verifier}&client_id={client_id}\
                       &redirect_uri=http%3A%2F%2F127.0.0.1%3A43119%2Fcallback\
                       &resource=https%3A%2F%2Fr1.test%2Fmcp",
            },
            refreshes: &[refresh(
                "grant_type=refresh_token&refresh_token={refresh_token}&client_id={client_id}\
                 &resource=https%3A%2F%2Fr1.test%2Fmcp",
            )],
        },
        // Where the resource is in its settings as well, 0.159 names it twice.
        Connection {
            query: "response_type=code&client_id={client_id}&state=q1ZPpF0mJ8Zk3yTtVw7s2A\
                    &code_challenge={challenge}&code_challenge_method=S256\
                    &redirect_uri=http%3A%2F%2F127.0.0.1%3A39001%2Fcallback&scope=a+b+offline_access\
                    &resource=https%3A%2F%2Fr1.test%2Fmcp&resource=https%3A%2F%2Fr1.test%2Fmcp",
            scope: "a b offline_access",
            token: Exchange {
                headers: JSON,
                authentication: Authentication::Form,
                body: "grant_type=authorization_code&code={code}&code_verifier={verifier}&client_id={client_id}\
                       &redirect_uri=http%3A%2F%2F127.0.0.1%3A39001%2Fcallback\
                       &resource=https%3A%2F%2Fr1.test%2Fmcp",
            },
            refreshes: &[],
        },
    ],
};

/// oauth2 sends a secret by HTTP Basic, whatever was registered.
const WITH_A_SECRET: Recorded = Recorded {
    discovery: DISCOVERY,
    registration: Registration {
        headers: &[],
        body: r#"{"client_name":"Codex","redirect_uris":["http://127.0.0.1/callback"],"grant_types":["authorization_code","refresh_token"],"token_endpoint_auth_method":"client_secret_post","response_types":["code"]}"#,
        demands: &["client_id", "client_secret", "redirect_uris"],
    },
    verifier: "hXk2vQ0c9m2LrT7pYw1sZbA8dEfGhJ5nU6oVtRqWiMw",
    connections: &[Connection {
        query: "response_type=code&client_id={client_id}&state=q1ZPpF0mJ8Zk3yTtVw7s2A\
                &code_challenge={challenge}&code_challenge_method=S256\
                &redirect_uri=http%3A%2F%2F127.0.0.1%3A40411%2Fcallback&scope=a+b\
                &resource=https%3A%2F%2Fr1.test%2Fmcp",
        scope: "a b",
        token: Exchange {
            headers: JSON,
            authentication: Authentication::BasicEncoded,
            body: "grant_type=authorization_code&code={code}&code_verifier={verifier}\
                   &redirect_uri=http%3A%2F%2F127.0.0.1%3A40411%2Fcallback&resource=https%3A%2F%2Fr1.test%2Fmcp",
        },
        refreshes: &[Exchange {
            headers: JSON,
            authentication: Authentication::BasicEncoded,
            body: "grant_type=refresh_token&refresh_token={refresh_token}&resource=https%3A%2F%2Fr1.test%2Fmcp",
        }],
    }],
};

#[tokio::test]
async fn codex() {
    replay(&CLIENT).await;
}

#[tokio::test]
async fn codex_before_it_relied_on_iss() {
    replay(&EARLIER).await;
}

#[tokio::test]
async fn codex_with_a_secret_that_it_was_given() {
    replay(&WITH_A_SECRET).await;
}
