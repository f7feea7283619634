//! Clients named by the URL of their metadata document (draft-ietf-oauth-client-id-metadata-document-02).
//!
//! Each test has a host of its own, with TLS, on loopback, and a resolver that remembers what it was asked; the server
//! may fetch from 127.0.0.1 and trusts the host's authority, unless the test is about that.

mod answers;
mod caching;
mod changed;
mod consent;
mod crowds;
mod documents;
mod encrypted;
mod inside;
mod settings;
mod told;
mod urls;
mod waiting;

use serde_json::{Value, json};
use vestibule::config::Settings;

use crate::harness::{
    Answer, Browser, ClientApp, Host, Listening, Pkce, R1, Reply, Resolver, Server, Tokens,
};

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

/// The same with other members; null takes one away.
fn with(mut document: Value, changes: Value) -> Value {
    let (Value::Object(members), Value::Object(changes)) = (&mut document, changes) else {
        panic!("objects")
    };
    for (name, value) in changes {
        match value {
            Value::Null => drop(members.remove(&name)),
            value => drop(members.insert(name, value)),
        }
    }
    document
}

fn client(url: &str) -> ClientApp {
    let redirect_uri = "https://client.test/cb".to_owned();
    ClientApp { id: url.to_owned(), secret: None, redirect_uri, pkce: Pkce::new() }
}

/// A host with a document, a server that reaches it, and the client that the document is of.
struct World {
    host: Host,
    resolver: Resolver,
    server: Server,
    client: ClientApp,
}

impl World {
    async fn new() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let host = Host::start(&[NAME]).await;
        let resolver = host.resolver();
        let server = Server::start_among(resolver.names(), |settings| {
            host.trusted_by(settings);
            change(settings);
        })
        .await;
        let client = client(&host.url(NAME, PATH));
        let world = Self { host, resolver, server, client };
        world.publish(&world.document());
        world
    }

    /// The document as it was published first.
    fn document(&self) -> Value {
        document(&self.client.id)
    }

    /// Puts a document where the client's URL leads, fresh for a minute.
    fn publish(&self, document: &Value) {
        self.host.put(PATH, Reply::json_with(&[("cache-control", "max-age=60")], document));
    }

    /// What the store keeps of the client: its row, or nothing.
    fn kept(&self) -> Option<(String, String, String)> {
        kept(&self.server, &self.client.id)
    }
}

/// Name, redirect URIs and authentication method of a client, if the store knows it.
fn kept(server: &Server, id: &str) -> Option<(String, String, String)> {
    let sql = "select name, redirect_uris, auth_method from clients where id = ?1";
    let connection = server.connection();
    let mut found = connection.prepare(sql).expect("the clients");
    let mut rows = found.query([id]).expect("the clients");
    let row = rows.next().expect("the clients")?;
    let text = |at| row.get(at).expect("a text");
    Some((text(0), text(1), text(2)))
}

/// An authorization request of an app of this name, by a browser in which nobody has signed in.
async fn visit(server: &Server, id: &str) -> Answer {
    Browser::new().get(server, &client(id).authorize_url(&[("resource", R1)])).await
}

/// Asserts that an app of this name is known: the person is asked to sign in.
#[track_caller]
fn assert_known(answer: &Answer, what: impl std::fmt::Display) {
    let location = answer.header("location").unwrap_or_default();
    assert!(location.starts_with("/login?authorization="), "{what}: {} {}", answer.status, answer.text());
}

/// Asserts that an app of this name is refused: with this status, as a page to a person and as JSON to a program, both
/// without a way onward; in the audit with what mends it, in the log with this reason besides. Nothing else is changed.
async fn assert_refused(server: &Server, id: &str, status: u16, reason: &str) {
    let (before, listening) = (server.contents(), Listening::begin());
    let target = client(id).authorize_url(&[("resource", R1)]);
    let page = Browser::new().get(server, &target).await;
    let program = server.get(&target).header("accept", "application/json").send().await;
    let log = listening.end();
    page.assert_problem_page(status);
    program.assert_problem_page(status);
    assert!(page.is_html() && program.is_json(), "{id}");
    assert!(page.text().contains("<h2>Why</h2>") && page.text().contains("<h2>What to do</h2>"), "{id}");
    let error = if status == 503 { "temporarily_unavailable" } else { "invalid_client" };
    assert_eq!(program.error(), error, "{id}");
    for answer in [&page, &program] {
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{id}");
        assert_eq!(answer.header("retry-after"), (status == 503).then_some("5"), "{id}");
    }
    let lines: Vec<&str> = log.lines().filter(|line| line.contains(" request ")).collect();
    assert_eq!(lines.len(), 2, "{log}");
    for line in lines {
        assert!(line.contains(reason) && line.contains("mend: "), "{id}: no {reason:?} in {line}");
    }
    for (event, user, client, metadata) in server.audit().into_iter().take(2) {
        assert_eq!((event.as_str(), user, client.as_deref()), ("oauth.authorize.refused", None, Some(id)));
        assert_eq!(metadata["error"], error, "{id}");
        assert!(metadata["mend"].as_str().is_some_and(|mend| mend.len() > 20), "{metadata}");
    }
    assert_eq!(server.contents(), before, "G6: {id}");
}

#[tokio::test]
async fn a_client_that_nobody_registered_connects_by_its_url_and_stays_connected() {
    let World { host, server, client, .. } = World::new().await;
    host.put(PATH, Reply::json(&document(&client.id)));
    let mut browser = Browser::new();
    let code = client.code(&server, &mut browser, "alice", &[("resource", R1)]).await;
    let tokens = Tokens::of(&client.redeem(&server, &code, &[]).await);
    assert_eq!((&tokens.claims["client_id"], &tokens.claims["aud"]), (&json!(client.id), &json!(R1)));
    let refreshed = Tokens::of(&client.refresh(&server, tokens.refresh(), &[]).await);
    assert_eq!(refreshed.claims["aud"], R1);
    assert_eq!(host.hits(), 1, "one request for all of it");
    let asked = &host.asked()[0];
    assert!(asked.starts_with(&format!("GET {PATH} HTTP/1.1\r\n")), "{asked}");
    assert!(asked.contains(&format!("\r\nhost: {NAME}:{}\r\n", host.address.port())), "{asked}");
    assert!(
        asked.contains("\r\naccept: application/json\r\n") && asked.contains("\r\nuser-agent: vestibule/")
    );
    assert!(!asked.contains("cookie") && !asked.contains("authorization"), "{asked}");

    let server = server.restart().await;
    let again = Tokens::of(&client.refresh(&server, refreshed.refresh(), &[]).await);
    assert_eq!(again.claims["client_id"], client.id);
    assert_eq!(host.hits(), 1);
}
