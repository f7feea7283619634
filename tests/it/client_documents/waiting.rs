//! Hosts that take their time. All of them at once, in one test, because that time is real: five seconds.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::task::JoinSet;
use vestibule::oauth::client::{Assertion, Client, Credential, KeySource, RegisteredBy};
use vestibule::oauth::client_assertion::ASSERTION_TYPE;
use vestibule::oauth::grant_type::GrantType;
use vestibule::oauth::key_set_url::KeySetUrl;
use vestibule::store::clients;

use super::{PATH, client, document, kept};
use crate::harness::{
    Answer, Browser, ClientApp, ClientKey, Connection, Host, Listening, R1, Reply, Server, Tokens, settle,
    until,
};

/// How many fetches may be under way at once.
const AT_ONCE: usize = 8;

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
    until(|| host.hits() == names.len()).await;
    let in_use = others_are_served(&server, &host).await;
    one_host_has_two(&mut waiting, &server, &host).await;
    nobody_is_the_ninth(&server, &host).await;
    who_is_in_use_is_not_held_up(&server, &host, in_use).await;
    assert!(waiting.try_join_next().is_none(), "they all still hang");
    assert_eq!(waiting.len(), AT_ONCE);

    for (id, answer, took) in waiting.join_all().await {
        assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (503, Some("5")), "{id}");
        if id == KEYS {
            assert_eq!(answer.error(), "temporarily_unavailable");
        } else {
            answer.assert_problem_page(503);
            assert!(answer.text().contains("The host that vouches for the app did not answer."), "{id}");
        }
        // Less than the deadline cannot be; much more only if it began anew.
        assert!(took >= Duration::from_millis(4900), "{id}: {took:?}");
        assert!(took < Duration::from_secs(20), "{id}: {took:?}");
        assert!(kept(&server, &id).is_none() || id == KEYS, "{id}");
    }
    let log = listening.end();
    assert_eq!(log.matches("too_slow").count(), AT_ONCE, "{log}");
    assert_eq!(log.matches("(crowded)").count(), 1, "{log}");
}

/// A client that registered itself, with keys at the host that hangs.
const KEYS: &str = "machine";

/// One host keeps two fetches busy, here one of a document and one of keys; the third is told at once.
async fn one_host_has_two(waiting: &mut JoinSet<(String, Answer, Duration)>, server: &Server, host: &Host) {
    let slow = host.url("slow.client.test", "/slow");
    let hangs = |path: &str| host.asked().iter().any(|head| head.starts_with(&format!("GET {path} ")));
    host.put("/slow", Reply::Stalled(Vec::new()));
    leave(waiting, server, &slow).await;
    until(|| hangs("/slow")).await;

    host.put("/jwks", Reply::Stalled(Vec::new()));
    let source = KeySource::At(KeySetUrl::parse(&host.url("slow.client.test", "/jwks")).expect("a URL"));
    let credential = Credential::Keys { source, assertion: Assertion::Required };
    let stranger =
        crate::harness::client(KEYS, credential, &["https://app.test/cb"], &[GrantType::RefreshToken]);
    let stranger = Client { registered_by: RegisteredBy::Itself, ..stranger };
    server.command(move |tx| clients::insert(tx, &stranger, "{}"));
    let assertion = ClientKey::pkj().assertion(server, KEYS);
    let fields = [
        ("grant_type", "refresh_token"),
        ("client_assertion_type", ASSERTION_TYPE),
        ("client_assertion", &assertion),
    ];
    let mut connection = Connection::open(server).await;
    let (request, begun) = (server.post("/oauth/token").form(&fields).into_request(), Instant::now());
    waiting.spawn(async move {
        let answer = connection.send(request).await;
        (KEYS.to_owned(), answer, begun.elapsed())
    });
    until(|| hangs("/jwks")).await;

    let third = Browser::new().get(server, &client(&format!("{slow}?3")).authorize_url(&[])).await;
    third.assert_problem_page(503);
    assert!(third.text().contains("<h1>Too much at once</h1>"), "{}", third.text());
}

/// Whoever comes when all turns are taken waits, and nobody is asked for them meanwhile.
async fn nobody_is_the_ninth(server: &Server, host: &Host) {
    let url = host.url("ninth.client.test", "/ninth");
    host.put("/ninth", Reply::json(&document(&url)));
    let mut waiting = JoinSet::new();
    leave(&mut waiting, server, &url).await;
    let connections = host.connections();
    settle().await;
    assert!(waiting.try_join_next().is_none(), "it waits as well");
    assert_eq!(host.connections(), connections, "and so far nobody is asked for it");
    waiting.shutdown().await;
    // Nor does it keep those waiting who need no turn.
    assert_eq!(server.get("/healthz").send().await.status.as_u16(), 200);
    Tokens::of(&ClientApp::fixture("svc").token(server, &[("grant_type", "client_credentials")]).await);
}

/// While others hang, tokens are given, keys are published, and documents are fetched from elsewhere: a client with a
/// document of its own and another with its keys elsewhere, both in use from now on.
async fn others_are_served(server: &Server, host: &Host) -> [(ClientApp, Tokens); 2] {
    let pub_client = ClientApp::fixture("pub");
    let tokens = pub_client.tokens(server, "alice", &[("resource", R1)]).await;
    Tokens::of(&pub_client.refresh(server, tokens.refresh(), &[]).await);
    assert_eq!(server.get("/.well-known/jwks.json").send().await.status.as_u16(), 200);
    let (quick, keyed) = (host.url("quick.client.test", PATH), host.url("keyed.client.test", "/keyed.json"));
    host.put(PATH, Reply::json(&document(&quick)));
    let keys = host.url("keyed.client.test", "/keys");
    let more = json!({ "token_endpoint_auth_method": "private_key_jwt", "jwks_uri": keys });
    host.put("/keyed.json", Reply::json(&super::with(document(&keyed), more)));
    host.put("/keys", Reply::json(&ClientKey::pkj().jwks()));
    let (quick, keyed) = (client(&quick), client(&keyed));
    let quick_tokens = quick.tokens(server, "alice", &[("resource", R1)]).await;
    let code = keyed.code(server, &mut Browser::new(), "alice", &[("resource", R1)]).await;
    let keyed_tokens = Tokens::of(&keyed.redeem(server, &code, &by_key(&sign(server, &keyed))).await);
    [(quick, quick_tokens), (keyed, keyed_tokens)]
}

fn sign(server: &Server, client: &ClientApp) -> String {
    ClientKey::pkj().assertion(server, &client.id)
}

fn by_key(assertion: &str) -> [(&str, &str); 2] {
    [("client_assertion_type", ASSERTION_TYPE), ("client_assertion", assertion)]
}

/// Strangers can keep all their turns busy for ever, from many addresses. What a client in use needs is fetched anew
/// all the same: its document for whoever comes by, its keys for itself.
async fn who_is_in_use_is_not_held_up(server: &Server, host: &Host, in_use: [(ClientApp, Tokens); 2]) {
    let [(quick, quick_tokens), (keyed, keyed_tokens)] = in_use;
    server.advance(3600);
    let hits = host.hits();
    super::assert_known(&super::visit(server, &quick.id).await, "a stale copy");
    assert_eq!(host.hits(), hits + 1, "its document was fetched");
    Tokens::of(&keyed.refresh(server, keyed_tokens.refresh(), &by_key(&sign(server, &keyed))).await);
    assert_eq!(host.hits(), hits + 3, "its document and its keys were fetched");
    Tokens::of(&quick.refresh(server, quick_tokens.refresh(), &[]).await);
}
