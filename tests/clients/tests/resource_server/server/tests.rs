//! The door and the tools with tokens of a stand-in issuer: what must hold before Vestibule is involved.

use std::time::{SystemTime, UNIX_EPOCH};

use reqwest::header::WWW_AUTHENTICATE;
use reqwest::{Client, StatusCode};
use rmcp::ServiceExt;
use rmcp::model::CallToolRequestParams;
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use serde_json::{Value, json};

use super::super::stand_in_issuer::StandInIssuer;
use super::{Door, McpServer, Verifier, listen};

const ISSUER: &str = "http://127.0.0.1:1";

async fn server(issuer: &StandInIssuer) -> McpServer {
    let (listener, origin) = listen().await;
    let verifier = Verifier::new(ISSUER, &format!("{origin}/mcp"), &issuer.jwks());
    McpServer::serve(listener, Door::new(&origin, ISSUER, verifier))
}

/// A token for `server` that holds for an hour.
fn token(issuer: &StandInIssuer, server: &McpServer, scope: &str) -> String {
    #[expect(clippy::disallowed_methods, reason = "the server under test reads the same clock")]
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    issuer.token(
        &json!({ "alg": "ES256", "typ": "at+jwt", "kid": "p" }),
        &json!({
            "iss": ISSUER, "aud": server.url(), "sub": "u1", "exp": now + 3600, "iat": now, "jti": scope,
            "client_id": "c1", "scope": scope,
        }),
    )
}

fn metadata_url(server: &McpServer) -> String {
    server.url().replace("/mcp", "/.well-known/oauth-protected-resource/mcp")
}

/// Status and `WWW-Authenticate` of a tool call.
async fn call(server: &McpServer, token: Option<&str>, tool: &str) -> (StatusCode, Option<String>) {
    let message = json!({
        "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": tool, "arguments": {} }
    });
    let mut request = Client::new().post(server.url()).json(&message);
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let response = request.send().await.unwrap();
    let challenge = response.headers().get(WWW_AUTHENTICATE).map(|value| value.to_str().unwrap().to_owned());
    (response.status(), challenge)
}

#[tokio::test]
async fn without_a_token_the_answer_says_where_the_metadata_is() {
    let server = server(&StandInIssuer::new()).await;
    let expected = format!("Bearer resource_metadata=\"{}\", scope=\"read\"", metadata_url(&server));
    assert_eq!(call(&server, None, "echo").await, (StatusCode::UNAUTHORIZED, Some(expected)));
    let get = reqwest::get(server.url()).await.unwrap();
    assert_eq!(get.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn the_metadata_lies_at_both_well_known_places() {
    let server = server(&StandInIssuer::new()).await;
    let by_path = metadata_url(&server);
    for url in [by_path.trim_end_matches("/mcp"), &by_path] {
        let metadata: Value = reqwest::get(url).await.unwrap().json().await.unwrap();
        assert_eq!(metadata["resource"], server.url());
        assert_eq!(metadata["authorization_servers"], json!([ISSUER]));
    }
}

#[tokio::test]
async fn a_token_that_is_not_good_is_called_invalid() {
    let issuer = StandInIssuer::new();
    let server = server(&issuer).await;
    let foreign = token(&StandInIssuer::new(), &server, "read");
    for token in ["garbage", &foreign] {
        let (status, challenge) = call(&server, Some(token), "echo").await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
        assert!(challenge.unwrap().ends_with(r#"error="invalid_token""#));
    }
}

#[tokio::test]
async fn the_writing_tool_needs_the_scope_to_write() {
    let issuer = StandInIssuer::new();
    let server = server(&issuer).await;
    let (status, challenge) = call(&server, Some(&token(&issuer, &server, "read")), "keep").await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(challenge.unwrap().ends_with(r#"scope="write", error="insufficient_scope""#));
    // Write alone is not enough to come in.
    let (status, _) = call(&server, Some(&token(&issuer, &server, "write")), "keep").await;
    assert_eq!(status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn with_a_good_token_the_tools_answer_until_it_is_withdrawn() {
    let issuer = StandInIssuer::new();
    let server = server(&issuer).await;
    let config = StreamableHttpClientTransportConfig::with_uri(server.url()).auth_header(token(
        &issuer,
        &server,
        "read write",
    ));
    let client = ().serve(StreamableHttpClientTransport::from_config(config)).await.unwrap();
    let mut names: Vec<_> =
        client.list_all_tools().await.unwrap().into_iter().map(|tool| tool.name.into_owned()).collect();
    names.sort();
    assert_eq!(names, ["add", "echo", "keep"]);

    let arguments = json!({ "a": 2, "b": 3 }).as_object().unwrap().clone();
    let sum = client.call_tool(CallToolRequestParams::new("add").with_arguments(arguments)).await.unwrap();
    assert_eq!(sum.content[0].as_text().unwrap().text, "5");

    server.withdraw(&server.last_token());
    let error = client.list_all_tools().await.unwrap_err();
    assert!(error.is_authorization_required(), "{error}");
}
