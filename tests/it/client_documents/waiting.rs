//! Hosts that take their time. All of them at once, in one test, because that time is real: five seconds.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::{PATH, client, document, kept};
use crate::harness::{
    Answer, Browser, ClientApp, ClientKey, Connection, Host, Listening, R1, Reply, Server, Tokens,
};
use serde_json::json;
use vestibule::oauth::client_assertion::ASSERTION_TYPE;

const HEAD: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";

/// Sends it on a connection of its own, and leaves the answer to whoever collects.
async fn leave(waiting: &mut JoinSet<(String, Answer, Duration)>, server: &Server, id: &str) {
    let mut connection = Connection::open(server).await;
    let target = client(id).authorize_url(&[("resource", R1)]);
    let request = server.get(&target).header("accept", "text/html").into_request();
    let (id, begun) = (id.to_owned(), Instant::now());
    waiting.spawn(async move {
        let answer = connection.send(request).await;
        (id, answer, begun.elapsed())
    });
}

#[tokio::test]
async fn a_cimd_10_a_fetch_ends_after_five_seconds_and_keeps_nobody_else_waiting() {
    let listening = Listening::begin();
    let names = ["after-tls", "after-head", "in-body", "dripping", "dripping-head"];
    let names = names.map(|name| format!("{name}.client.test"));
    let host = Host::start(&["*.client.test"]).await;
    let server = Server::start_among(host.names(), |settings| host.trusted_by(settings)).await;
    // Accepts, and says nothing: the kernel takes the connection, and nobody ever looks at it.
    let mute = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let mute_url =
        format!("https://mute.client.test:{}{PATH}", mute.local_addr().expect("its address").port());
    let replies = [
        Reply::Stalled(Vec::new()),
        Reply::Stalled(HEAD.to_vec()),
        Reply::Stalled([HEAD, b"10\r\n{\"client_id\":\""].concat()),
        // Each byte would be a sign of life, if that counted.
        Reply::Dripping(HEAD.to_vec(), b"1\r\n \r\n".to_vec()),
        Reply::Dripping(b"HTTP/1.1 200 OK\r\nx: ".to_vec(), b"x".to_vec()),
    ];
    let mut urls = vec![mute_url];
    for (name, reply) in names.iter().zip(replies) {
        let path = format!("/{name}");
        host.put(&path, reply);
        urls.push(host.url(name, &path));
    }
    let mut waiting = JoinSet::new();
    for url in &urls {
        leave(&mut waiting, &server, url).await;
    }
    // Until all of them hang: the host has been asked for all that ask.
    while host.hits() < names.len() {
        tokio::task::yield_now().await;
    }

    others_are_served(&server, &host).await;
    // One host keeps two fetches busy; the third is told at once, and so is whoever wants its keys.
    let slow = host.url("slow.client.test", "/slow");
    for path in ["/slow", "/slow?2"] {
        host.put(path, Reply::Stalled(Vec::new()));
        leave(&mut waiting, &server, &host.url("slow.client.test", path)).await;
    }
    while host.asked().iter().filter(|head| head.contains("/slow")).count() < 2 {
        tokio::task::yield_now().await;
    }
    let third = Browser::new().get(&server, &client(&format!("{slow}?3")).authorize_url(&[])).await;
    third.assert_problem_page(503);
    assert!(third.text().contains("<h1>Too much at once</h1>"), "{}", third.text());
    assert_eq!(waiting.len(), urls.len() + 2, "they still hang");

    for (id, answer, took) in waiting.join_all().await {
        answer.assert_problem_page(503);
        assert_eq!(answer.header("retry-after"), Some("5"), "{id}");
        assert!(answer.text().contains("The host that vouches for the app did not answer."), "{id}");
        // Less than the deadline cannot be; much more only if it began anew.
        assert!(took >= Duration::from_millis(4900), "{id}: {took:?}");
        assert!(took < Duration::from_secs(10), "{id}: {took:?}");
        assert!(kept(&server, &id).is_none(), "{id}");
    }
    let log = listening.end();
    assert_eq!(log.matches("(too_slow)").count(), urls.len() + 2, "{log}");
    assert_eq!(log.matches("(crowded)").count(), 1, "{log}");
}

/// While others hang, tokens are given, keys are published, documents are fetched from elsewhere, and the host that
/// hangs costs its own clients an answer and nobody else.
async fn others_are_served(server: &Server, host: &Host) {
    let pub_client = ClientApp::fixture("pub");
    let tokens = pub_client.tokens(server, "alice", &[("resource", R1)]).await;
    Tokens::of(&pub_client.refresh(server, tokens.refresh(), &[]).await);
    assert_eq!(server.get("/.well-known/jwks.json").send().await.status.as_u16(), 200);
    let url = host.url("quick.client.test", PATH);
    host.put(PATH, Reply::json(&document(&url)));
    let quick = client(&url);
    let tokens = quick.tokens(server, "alice", &[("resource", R1)]).await;
    Tokens::of(&quick.refresh(server, tokens.refresh(), &[]).await);
    let by_key = host.url("keyed.client.test", "/keyed.json");
    let jwks = ClientKey::pkj().jwks();
    let more = json!({ "token_endpoint_auth_method": "private_key_jwt", "jwks": jwks });
    host.put("/keyed.json", Reply::json(&super::with(document(&by_key), more)));
    let keyed = client(&by_key);
    let code = keyed.code(server, &mut Browser::new(), "alice", &[("resource", R1)]).await;
    let assertion = ClientKey::pkj().assertion(server, &by_key);
    let fields = [("client_assertion_type", ASSERTION_TYPE), ("client_assertion", assertion.as_str())];
    Tokens::of(&keyed.redeem(server, &code, &fields).await);
}
