//! Clients named by the URL of their metadata document (draft-ietf-oauth-client-id-metadata-document-02).

use serde_json::{Value, json};

use crate::harness::{Browser, ClientApp, Host, Pkce, R1, Reply, Server, Tokens};

const NAME: &str = "client.test";
const PATH: &str = "/oauth/client.json";

/// A document as a well-made client publishes it.
fn document(url: &str) -> Value {
    json!({
        "client_id": url,
        "client_name": "A client of the world",
        "client_uri": "https://client.test",
        "redirect_uris": ["https://client.test/cb", "http://127.0.0.1/cb"],
        "grant_types": ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:jwt-bearer"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
        "something_new": { "of": ["another", "year"] },
    })
}

/// A host with that document, and a server that reaches it.
async fn world() -> (Host, Server, ClientApp) {
    let host = Host::start(&[NAME]).await;
    let url = host.url(NAME, PATH);
    host.put(PATH, Reply::json(&document(&url)));
    let server = Server::start_among(host.names(), |settings| host.trusted_by(settings)).await;
    (host, server, client(&url))
}

fn client(url: &str) -> ClientApp {
    let redirect_uri = "https://client.test/cb".to_owned();
    ClientApp { id: url.to_owned(), secret: None, redirect_uri, pkce: Pkce::new() }
}

#[tokio::test]
async fn a_client_that_nobody_registered_connects_by_its_url_and_stays_connected() {
    let (host, server, client) = world().await;
    let mut browser = Browser::new();
    let code = client.code(&server, &mut browser, "alice", &[("resource", R1)]).await;
    let tokens = Tokens::of(&client.redeem(&server, &code, &[]).await);
    assert_eq!((&tokens.claims["client_id"], &tokens.claims["aud"]), (&json!(client.id), &json!(R1)));
    let refreshed = Tokens::of(&client.refresh(&server, tokens.refresh(), &[]).await);
    assert_eq!(refreshed.claims["aud"], R1);
    assert_eq!(host.hits(), 1, "one request for all of it");
    let asked = &host.asked()[0];
    assert!(asked.starts_with(&format!("GET {PATH} HTTP/1.1\r\n")), "{asked}");
    assert!(
        asked.contains("\r\naccept: application/json\r\n") && asked.contains("\r\nuser-agent: vestibule/")
    );
    assert!(!asked.contains("cookie") && !asked.contains("authorization"), "{asked}");

    let server = server.restart().await;
    let again = Tokens::of(&client.refresh(&server, refreshed.refresh(), &[]).await);
    assert_eq!(again.claims["client_id"], client.id);
    assert_eq!(host.hits(), 1);
}
