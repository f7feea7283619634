//! The guard: servers that know nothing of OAuth, behind one that does.

use serde_json::json;
use vestibule::http::{Method, Status};
use vestibule::oauth::guard::{Guard, Identity, Rule, Rules, UpstreamUrl};
use vestibule::oauth::resource::Resource;
use vestibule::store::resources;

use crate::harness::{Behind, ClientApp, ISSUER, Said, Server, Tokens, resource};

/// At the issuer's own host.
const NOTES: &str = "https://as.test/notes";
/// At a host of its own.
const FILES: &str = "https://files.test/mcp";

/// Puts the guard in front of a server.
fn guarded(behind: &Behind, uri: &str, scopes: &str, rules: &[&str]) -> Resource {
    let rules = rules.iter().map(|rule| Rule::parse(rule).expect("a rule")).collect();
    Resource {
        guard: Some(Guard {
            upstream: UpstreamUrl::parse(&behind.url("/mcp")).expect("an upstream"),
            rules: Rules::of(rules).expect("rules"),
            identity: Identity::Headers,
        }),
        ..resource(uri, scopes)
    }
}

/// A server that guards another at [`NOTES`] and [`FILES`].
async fn world() -> (Behind, Server) {
    let behind = Behind::start().await;
    let server = Server::start().await;
    for uri in [NOTES, FILES] {
        let resource = guarded(&behind, uri, "read write", &[]);
        server.command(move |tx| resources::insert(tx, &resource, tx_now()).map(drop));
    }
    (behind, server)
}

fn tx_now() -> vestibule::clock::UnixTime {
    vestibule::clock::UnixTime::new(1_800_000_000)
}

async fn tokens(server: &Server, uri: &str) -> Tokens {
    ClientApp::fixture("pub").tokens(server, "alice", &[("resource", uri)]).await
}

#[tokio::test]
async fn a_call_with_a_token_reaches_the_server_behind_which_learns_who_it_is() {
    let (behind, server) = world().await;
    let tokens = tokens(&server, NOTES).await;
    behind.say(Said::json(r#"{"jsonrpc":"2.0","id":1,"result":{}}"#));
    let answer = server
        .post("/notes?x=1")
        .header("authorization", &format!("Bearer {}", tokens.access))
        .header("mcp-session-id", "s1")
        .header("x-vestibule-user", "mallory")
        .json(&json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" }))
        .send()
        .await;
    assert_eq!(
        (answer.status, answer.text()),
        (Status::OK, r#"{"jsonrpc":"2.0","id":1,"result":{}}"#.to_owned())
    );
    let asked = behind.last();
    assert_eq!(asked.line(), "POST /mcp?x=1 HTTP/1.1");
    assert_eq!(asked.header("x-vestibule-user").as_deref(), Some("alice"));
    assert_eq!(asked.header("x-vestibule-client").as_deref(), Some("pub"));
    assert_eq!(asked.header("x-vestibule-scope").as_deref(), Some("read write"));
    assert_eq!(asked.header("mcp-session-id").as_deref(), Some("s1"));
    assert_eq!(asked.header("host"), Some(behind.address.to_string()));
    assert_eq!(asked.header("x-forwarded-host").as_deref(), Some("as.test"));
    assert_eq!(asked.header("x-forwarded-proto").as_deref(), Some("https"));
    assert_eq!(asked.header("authorization"), None);
    assert_eq!(asked.body, br#"{"id":1,"jsonrpc":"2.0","method":"tools/list"}"#);
}

#[tokio::test]
async fn without_a_good_token_every_method_is_answered_401_and_shown_the_way() {
    let (behind, server) = world().await;
    for method in
        [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS]
    {
        let answer = server.ask(method.clone(), "/notes").header("accept", "text/html").send().await;
        assert_eq!(answer.status, Status::UNAUTHORIZED, "{method}");
        let metadata = format!("{ISSUER}/.well-known/oauth-protected-resource/notes");
        let expected = format!(r#"Bearer resource_metadata="{metadata}", scope="read write""#);
        assert_eq!(answer.header("www-authenticate"), Some(expected.as_str()), "{method}");
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
        assert_eq!(answer.header("location"), None);
    }
    let document = server.get("/.well-known/oauth-protected-resource/notes").send().await;
    assert_eq!(document.json()["resource"], NOTES);
    assert_eq!(document.json()["authorization_servers"], json!([ISSUER]));
    assert_eq!(behind.asked().len(), 0);
}
