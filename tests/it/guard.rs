//! The guard: servers that know nothing of OAuth, behind one that does.

mod audit;
mod binary;
mod connections;
mod discovery;
mod failures;
mod headers;
mod identity;
mod paths;
mod protocol;
mod revocation;
mod rules;
mod smuggling;
mod streaming;
mod surface;
mod tokens;

use serde_json::json;
use vestibule::clock::UnixTime;
use vestibule::config::Settings;
use vestibule::http::Status;
use vestibule::oauth::guard::{Guard, Identity, Rule, Rules, UpstreamUrl};
use vestibule::oauth::resource::Resource;
use vestibule::store::resources;

use crate::harness::{Behind, ClientApp, ISSUER, RawAnswer, Said, Server, Tokens, chunk, resource};

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
    world_with(|_| {}).await
}

/// [`world`] with other settings.
async fn world_with(change: impl FnOnce(&mut Settings)) -> (Behind, Server) {
    let behind = Behind::start().await;
    let server = Server::start_with(change).await;
    for uri in [NOTES, FILES] {
        register(&server, guarded(&behind, uri, "read write", &[]));
    }
    (behind, server)
}

/// A server that guards another at [`NOTES`] by these rules.
async fn world_with_rules(rules: &[&str]) -> (Behind, Server) {
    let behind = Behind::start().await;
    let server = Server::start().await;
    register(&server, guarded(&behind, NOTES, "read write", rules));
    (behind, server)
}

fn register(server: &Server, resource: Resource) {
    assert!(server.command(move |tx| resources::insert(tx, &resource, UnixTime::new(1_800_000_000))));
}

/// Changes a registered resource as a command does.
fn change(server: &Server, uri: &str, change: impl FnOnce(&mut Resource) + Send + 'static) {
    let uri = resource(uri, "").uri;
    server.command(move |tx| {
        let mut resource = resources::find(tx, &uri)?.expect("a registered resource");
        change(&mut resource);
        resources::update(tx, &resource)
    });
}

/// The tokens of alice for a resource.
async fn tokens(server: &Server, uri: &str) -> Tokens {
    tokens_of(server, "alice", uri).await
}

async fn tokens_of(server: &Server, name: &str, uri: &str) -> Tokens {
    ClientApp::fixture("pub").tokens(server, name, &[("resource", uri)]).await
}

/// A request to the issuer's host with a token, after which the connection ends. `headers` end in CR LF each.
fn request(method: &str, target: &str, token: &str, headers: &str) -> String {
    format!(
        "{method} {target} HTTP/1.1\r\nHost: as.test\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n{headers}\r\n"
    )
}

/// A POST of JSON to the issuer's host with a token, after which the connection ends.
fn post(target: &str, token: &str, headers: &str, body: &str) -> String {
    let headers = format!("Content-Type: application/json\r\nContent-Length: {}\r\n{headers}", body.len());
    format!("{}{body}", request("POST", target, token, &headers))
}

/// Asks for [`NOTES`] or what lies in it.
async fn ask(server: &Server, method: &str, target: &str, token: &str, headers: &str) -> RawAnswer {
    server.raw(request(method, target, token, headers)).await
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
