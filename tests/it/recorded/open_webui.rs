//! Open WebUI 0.6, from its source and from Authlib's, which sends its requests: a look at the authorization URL before
//! the browser, no resource, and refreshes whose secret stands in the form, however the code was redeemed.

use super::story::{
    Authentication, Connection, Discovery, Exchange, Headers, Recorded, Registration, replay,
};

const ANY: Headers = &[("accept", "*/*"), ("user-agent", "Python/3.11 aiohttp/3.12.15")];
const JSON: Headers =
    &[("accept", "application/json"), ("user-agent", "Authlib/1.6.3 (+https://authlib.org/)")];

const DISCOVERY: Discovery = Discovery {
    headers: ANY,
    misses: &["/.well-known/oauth-authorization-server/mcp", "/.well-known/openid-configuration/mcp"],
    document: "/.well-known/oauth-authorization-server",
    demands: &["issuer", "authorization_endpoint", "token_endpoint", "scopes_supported"],
};

const QUERY: &str = "response_type=code&client_id={client_id}\
                     &redirect_uri=https%3A%2F%2Fchat.test%2Foauth%2Fclients%2Fmcp%3Anotes%2Fcallback\
                     &scope=a+b+c+d+offline_access&state=8Hq2WcT5yLmXr0VbKzPd7NfGs3JaEu\
                     &code_challenge={challenge}&code_challenge_method=S256";

const REFRESH: &[Exchange] = &[Exchange {
    headers: ANY,
    authentication: Authentication::Form,
    body: "grant_type=refresh_token&refresh_token={refresh_token}&client_id={client_id}\
           &client_secret={client_secret}",
}];

const CLIENT: Recorded = Recorded {
    discovery: DISCOVERY,
    registration: Registration {
        headers: ANY,
        body: r#"{"redirect_uris": ["https://chat.test/oauth/clients/mcp:notes/callback"], "token_endpoint_auth_method": "client_secret_post", "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"], "scope": "a b c d offline_access", "client_name": "Open WebUI"}"#,
        demands: &["client_id", "client_secret", "client_id_issued_at", "redirect_uris"],
    },
    verifier: "mPq8Zr4TnWc2yLxV7bKd0sHf5JgUa9eEoI3tXvBkR1wQzMjN",
    connections: &[Connection {
        query: QUERY,
        scope: "a b offline_access",
        token: Exchange {
            headers: JSON,
            authentication: Authentication::Form,
            body: "grant_type=authorization_code\
                   &redirect_uri=https%3A%2F%2Fchat.test%2Foauth%2Fclients%2Fmcp%3Anotes%2Fcallback&code={code}\
                   &code_verifier={verifier}&client_id={client_id}&client_secret={client_secret}",
        },
        refreshes: REFRESH,
    }],
};

/// Where it took the other way with a secret: Authlib writes id and secret into the header as they are.
const BASIC: Recorded = Recorded {
    discovery: DISCOVERY,
    registration: Registration {
        headers: ANY,
        body: r#"{"redirect_uris": ["https://chat.test/oauth/clients/mcp:notes/callback"], "token_endpoint_auth_method": "client_secret_basic", "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"], "scope": "a b c d offline_access", "client_name": "Open WebUI"}"#,
        demands: &["client_id", "client_secret", "client_id_issued_at", "redirect_uris"],
    },
    verifier: "mPq8Zr4TnWc2yLxV7bKd0sHf5JgUa9eEoI3tXvBkR1wQzMjN",
    connections: &[Connection {
        query: QUERY,
        scope: "a b offline_access",
        token: Exchange {
            headers: JSON,
            authentication: Authentication::BasicAsItIs,
            body: "grant_type=authorization_code\
                   &redirect_uri=https%3A%2F%2Fchat.test%2Foauth%2Fclients%2Fmcp%3Anotes%2Fcallback&code={code}\
                   &code_verifier={verifier}",
        },
        refreshes: REFRESH,
    }],
};

#[tokio::test]
async fn open_webui() {
    replay(&CLIENT).await;
}

#[tokio::test]
async fn open_webui_with_its_secret_in_the_header_and_then_in_the_form() {
    replay(&BASIC).await;
}
