//! Visual Studio Code 1.118, from its source: registration, the way over its own web page, the way over a port of its
//! own, and the same with the state as its opener may write it.

use super::story::{
    Authentication, Connection, Discovery, Exchange, Headers, Recorded, Registration, replay,
};

const JSON: Headers = &[("accept", "application/json")];

/// No resource: it is the grant's.
const REFRESH: &[Exchange] = &[Exchange {
    headers: JSON,
    authentication: Authentication::Form,
    body: "client_id={client_id}&grant_type=refresh_token&refresh_token={refresh_token}",
}];

const fn token(body: &'static str) -> Exchange {
    Exchange { headers: JSON, authentication: Authentication::Form, body }
}

pub(super) const CLIENT: Recorded = Recorded {
    discovery: Discovery {
        headers: &[("accept", "application/json"), ("mcp-protocol-version", "2025-11-25")],
        misses: &[],
        document: "/.well-known/oauth-authorization-server",
        demands: &["issuer", "response_types_supported"],
    },
    // The grant types are those of the metadata that it knows.
    registration: Registration {
        headers: &[],
        body: r#"{"client_name":"Visual Studio Code","client_uri":"https://code.visualstudio.com","grant_types":["authorization_code","refresh_token"],"response_types":["code"],"redirect_uris":["https://insiders.vscode.dev/redirect","https://vscode.dev/redirect","http://127.0.0.1/","http://127.0.0.1:33418/"],"scope":"a b","token_endpoint_auth_method":"none","application_type":"native"}"#,
        demands: &["client_id", "client_name"],
    },
    // 64 hexadecimal digits.
    verifier: "5f0a4cd2c4c8a1e7b39d6f20e1587a9c0d3b64f7a8129ce5d07f431b6ea2980f",
    connections: &[
        // The state is an address of the editor, encoded within and without.
        Connection {
            query: "client_id={client_id}&response_type=code&state=vscode%3A%2F%2Fdynamicauthprovider%2Fas.test%2F\
                    authorize%3Fnonce%253D0d3b64f7a8129ce5d07f431b6ea2980f%2526windowId%253D1\
                    &code_challenge={challenge}&code_challenge_method=S256&scope=a+b\
                    &resource=https%3A%2F%2Fr1.test%2Fmcp&redirect_uri=https%3A%2F%2Fvscode.dev%2Fredirect",
            scope: "a b",
            token: token(
                "client_id={client_id}&grant_type=authorization_code&code={code}\
                 &redirect_uri=https%3A%2F%2Fvscode.dev%2Fredirect&code_verifier={verifier}",
            ),
            refreshes: REFRESH,
        },
        // The state is base64, so every other one has a plus sign.
        Connection {
            query: "client_id={client_id}&response_type=code&scope=a+b&code_challenge={challenge}\
                    &code_challenge_method=S256&resource=https%3A%2F%2Fr1.test%2Fmcp\
                    &redirect_uri=http%3A%2F%2F127.0.0.1%3A33418%2F&state=n%2BeBY2DP%2FNEk3xEe7rqmtg%3D%3D",
            scope: "a b",
            token: token(
                "client_id={client_id}&grant_type=authorization_code&code={code}\
                 &redirect_uri=http%3A%2F%2F127.0.0.1%3A33418%2F&code_verifier={verifier}",
            ),
            refreshes: REFRESH,
        },
        // Its port is taken, so it has another; and what opens the browser decoded the URL.
        Connection {
            query: "client_id={client_id}&response_type=code&scope=a+b&code_challenge={challenge}\
                    &code_challenge_method=S256&resource=https://r1.test/mcp\
                    &redirect_uri=http://127.0.0.1:51234/&state=n+eBY2DP/NEk3xEe7rqmtg==",
            scope: "a b",
            token: token(
                "client_id={client_id}&grant_type=authorization_code&code={code}\
                 &redirect_uri=http%3A%2F%2F127.0.0.1%3A51234%2F&code_verifier={verifier}",
            ),
            refreshes: REFRESH,
        },
    ],
};

#[tokio::test]
async fn visual_studio_code() {
    replay(&CLIENT).await;
}
