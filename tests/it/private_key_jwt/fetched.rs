//! Keys that are to be fetched (`jwks_uri`): when their host is asked, for how long its word counts, and that it is
//! asked on the same terms as for any document.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::Semaphore;
use vestibule::crypto::public_key::AssertionAlgorithm;
use vestibule::oauth::key_set_url::KeySetUrl;

use super::{ASKED, add_machine_at, by_key, named, reason, token};
use crate::harness::{
    Answer, ClientApp, ClientKey, Crowd, Host, Reply, Resolver, Server, Tokens, settle, until,
};

const NAME: &str = "keys.test";
const PATH: &str = "/jwks.json";
const ID: &str = "machine";
const HOUR: i64 = 3600;
const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n";

/// A machine whose keys are at a host, and a server that reaches it.
struct World {
    host: Host,
    resolver: Resolver,
    server: Server,
    key: ClientKey,
}

impl World {
    async fn new() -> Self {
        let host = Host::start(&[NAME]).await;
        let resolver = host.resolver();
        let server = Server::start_among(resolver.names(), |settings| host.trusted_by(settings)).await;
        add_machine_at(&server, ID, &host.url(NAME, PATH));
        let key = ClientKey::new(AssertionAlgorithm::Es256);
        host.put(PATH, Reply::json(&key.jwks()));
        Self { host, resolver, server, key }
    }

    /// A token by this key.
    async fn token(&self, key: &ClientKey) -> Answer {
        token(&self.server, &key.assertion(&self.server, ID)).await
    }

    /// Asserts that the machine gets its token, and how often its host was asked by then.
    async fn assert_good(&self, hits: usize, what: &str) {
        let answer = self.token(&self.key).await;
        assert_eq!(answer.status.as_u16(), 200, "{what}: {}: {}", reason(&self.server), answer.text());
        assert_eq!(self.host.hits(), hits, "{what}");
    }

    /// Asserts that it is refused, for this reason.
    async fn assert_refused(&self, key: &ClientKey, why: &str) {
        self.token(key).await.assert_refused("invalid_client");
        assert_eq!(reason(&self.server), why);
    }

    /// Asserts that it is asked to come again.
    async fn assert_unavailable(&self, what: &str) {
        let answer = self.token(&self.key).await;
        assert_eq!(
            (answer.status.as_u16(), answer.error().as_str()),
            (503, "temporarily_unavailable"),
            "{what}"
        );
        assert_eq!(answer.header("retry-after"), Some("5"), "{what}");
        assert_eq!(answer.header("www-authenticate"), None, "{what}");
        assert_eq!(reason(&self.server), "keys_unavailable", "{what}");
    }
}

#[tokio::test]
async fn keys_are_fetched_once_and_again_when_their_time_is_over() {
    let cases: [(i64, &[(&str, &str)]); 5] = [
        (HOUR, &[]),
        (600, &[("cache-control", "max-age=600")]),
        (60, &[("cache-control", "no-store")]),
        (60, &[("cache-control", "max-age=1")]),
        (24 * HOUR, &[("cache-control", "max-age=31536000")]),
    ];
    for (fresh_for, headers) in cases {
        let world = World::new().await;
        world.host.put(PATH, Reply::json_with(headers, &world.key.jwks()));
        assert_eq!(world.host.connections(), 0, "not before they are needed");
        world.assert_good(1, "at first").await;
        world.assert_good(1, "at once again").await;
        world.server.advance(fresh_for - 1);
        world.assert_good(1, "at the last moment").await;
        world.server.advance(1);
        world.assert_good(2, "when it is over").await;
        assert_eq!(world.resolver.questions(), [NAME, NAME]);
    }
}

#[tokio::test]
async fn fetched_keys_outlive_a_restart() {
    let world = World::new().await;
    world.assert_good(1, "at first").await;
    let server = world.server.restart().await;
    Tokens::of(&token(&server, &world.key.assertion(&server, ID)).await);
    assert_eq!(world.host.hits(), 1);
}

#[tokio::test]
async fn a_jwt_05_an_unknown_kid_has_the_keys_fetched_anew_once_a_minute_at_most() {
    let world = World::new().await;
    world.assert_good(1, "at first").await;
    let stranger = ClientKey::new(AssertionAlgorithm::Es256);
    let guess = async |kid: &str| {
        let claims = ClientKey::claims(&world.server, ID);
        token(&world.server, &named(&stranger, kid, &claims)).await.assert_refused("invalid_client");
        assert_eq!(reason(&world.server), "assertion_kid_unknown", "{kid}");
    };
    for n in 0..10 {
        guess(&format!("../{n}")).await;
    }
    assert_eq!(world.host.hits(), 1, "they were fetched this minute");
    for minute in 0..3 {
        world.server.advance(59);
        guess("before").await;
        assert_eq!(world.host.hits(), 1 + minute);
        world.server.advance(1);
        for n in 0..10 {
            guess(&format!("'{n}")).await;
        }
        assert_eq!(world.host.hits(), 2 + minute, "one for all of them");
        world.server.advance(40);
        world.assert_good(2 + minute, "and the client notices nothing").await;
        world.server.advance(-40);
    }
    // A wrong signature under a name that is known is wrong for good.
    world.server.advance(120);
    let hits = world.host.hits();
    world.assert_refused(&stranger, "assertion_signature_wrong").await;
    assert_eq!(world.host.hits(), hits);
}

#[tokio::test]
async fn a_jwt_17_a_new_key_counts_within_a_minute_and_the_old_one_no_longer_than_the_set_is_fresh() {
    let world = World::new().await;
    world.assert_good(1, "at first").await;
    let new = ClientKey::new(AssertionAlgorithm::EdDsa);
    world.host.put(PATH, Reply::json(&new.jwks()));
    world.assert_refused(&new, "assertion_kid_unknown").await;
    world.assert_good(1, "nobody has told this server").await;
    world.server.advance(60);
    Tokens::of(&world.token(&new).await);
    assert_eq!(world.host.hits(), 2);
    world.assert_refused(&world.key, "assertion_kid_unknown").await;

    // Taken away without a word: it is good until the set is asked for again, and that is within a day.
    let world = World::new().await;
    world.host.put(PATH, Reply::json_with(&[("cache-control", "max-age=31536000")], &world.key.jwks()));
    world.assert_good(1, "at first").await;
    world.host.put(PATH, Reply::json(&new.jwks()));
    world.server.advance(24 * HOUR - 1);
    world.assert_good(1, "the last moment").await;
    world.server.advance(1);
    world.assert_refused(&world.key, "assertion_kid_unknown").await;
    assert_eq!(world.host.hits(), 2);
}

#[tokio::test]
async fn a_jwt_17_while_their_host_is_down_keys_are_used_for_a_day_and_no_longer() {
    let world = World::new().await;
    world.assert_good(1, "at first").await;
    world.host.put(PATH, Reply::answer("503 Down", &[], b""));
    world.server.advance(HOUR);
    world.assert_good(2, "when their time is over").await;
    world.server.advance(22 * HOUR);
    world.assert_good(3, "much later").await;
    world.server.advance(HOUR - 1);
    world.assert_good(4, "a day later, but for a second").await;
    world.server.advance(1);
    world.assert_unavailable("a day later").await;
    assert_eq!(world.host.hits(), 5);
    world.host.put(PATH, Reply::json(&world.key.jwks()));
    world.server.advance(60);
    world.assert_good(6, "well again").await;
    world.host.go_down();
    world.server.advance(24 * HOUR);
    world.assert_unavailable("nobody listens there").await;
}

#[tokio::test]
async fn a_host_that_is_down_is_asked_twice_and_then_once_a_minute_however_many_ask() {
    let world = World::new().await;
    world.host.put(PATH, Reply::answer("500 Oops", &[], b""));
    for _ in 0..10 {
        world.assert_unavailable("no copy").await;
    }
    assert_eq!(world.host.hits(), 2);
    world.server.advance(60);
    for _ in 0..3 {
        world.assert_unavailable("a minute later").await;
    }
    assert_eq!(world.host.hits(), 3);
    world.server.advance(60);
    world.host.put(PATH, Reply::json(&world.key.jwks()));
    world.assert_good(4, "well again").await;
}

#[tokio::test]
async fn a_jwt_17_what_is_no_set_of_public_keys_is_refused_also_where_there_is_a_copy() {
    let json_type = [("content-type", "application/json")];
    let key = ClientKey::new(AssertionAlgorithm::Es256);
    let private = json!({ "keys": [key.jwk(), { "kty": "EC", "crv": "P-256", "d": "AA" }] });
    let shared = json!({ "keys": [key.jwk(), { "kty": "oct", "k": "AA" }] });
    let large = json!({ "keys": [key.jwk()], "padding": "x".repeat(1_000_000) });
    let many = json!({ "keys": vec![key.jwk(); 21] });
    let json = |value: &Value| Reply::json(value);
    for reply in [
        json(&private),
        json(&shared),
        json(&large),
        json(&many),
        json(&json!({ "keys": [] })),
        json(&json!({})),
        json(&json!([key.jwk()])),
        json(&json!({ "jwks": key.jwks() })),
        Reply::answer("200 OK", &json_type, b"{\"keys\":[],\"keys\":[]}"),
        Reply::answer("200 OK", &json_type, b""),
        Reply::answer("200 OK", &[("content-type", "text/html")], key.jwks().to_string().as_bytes()),
        Reply::json_with(&[("content-encoding", "gzip")], &key.jwks()),
        Reply::answer("404 Not Found", &json_type, key.jwks().to_string().as_bytes()),
        Reply::answer("201 Created", &json_type, key.jwks().to_string().as_bytes()),
    ] {
        for with_copy in [false, true] {
            let world = World::new().await;
            if with_copy {
                world.assert_good(1, "a copy").await;
                world.server.advance(HOUR);
            }
            world.host.put(PATH, reply.clone());
            world.assert_refused(&key, "keys_refused").await;
            world.assert_refused(&world.key, "keys_refused").await;
            assert_eq!(
                world.server.count("client_key_sets"),
                usize::from(with_copy),
                "nothing of it is kept"
            );
            let mend = world.server.audit()[0].3["mend"].as_str().expect("what mends it").to_owned();
            assert!(mend.contains(&world.host.url(NAME, PATH)) && mend.contains("jwks_uri"), "{mend}");
        }
    }
    // What is too long is not read to its end, if it has one.
    for reply in [Reply::json(&large), Reply::Endless(HEAD.to_vec(), vec![b' '; 16 * 1024])] {
        let world = World::new().await;
        world.host.put(PATH, reply);
        world.assert_refused(&world.key, "keys_refused").await;
        let mend = world.server.audit()[0].3["mend"].as_str().expect("what mends it").to_owned();
        assert!(mend.contains("(too_large: "), "{mend}");
    }
    // Twenty keys, the largest of them, are no fault.
    let world = World::new().await;
    let padded = json!({ "keys": [world.key.jwk()], "padding": "x".repeat(60_000) });
    world.host.put(PATH, Reply::json_with(&[("content-type", "application/jwk-set+json")][..0], &padded));
    world.assert_good(1, "64 KiB").await;
    let typed = [("content-type", "application/jwk-set+json")];
    world.host.put(PATH, Reply::answer("200 OK", &typed, world.key.jwks().to_string().as_bytes()));
    world.server.advance(HOUR);
    world.assert_good(2, "by its own type").await;
}

#[tokio::test]
async fn a_jwt_17_a_redirect_of_a_key_set_is_not_followed_into_the_house() {
    let world = World::new().await;
    let inside = SocketAddr::new(IpAddr::from([127, 0, 0, 2]), world.host.address.port());
    let canary = Host::start_at(inside, &[NAME, "127.0.0.2"], |_| {}).await;
    canary.put(PATH, Reply::json(&world.key.jwks()));
    world.host.put("/here", Reply::json(&world.key.jwks()));
    let there = [canary.url("127.0.0.2", PATH), canary.url(NAME, PATH), "/here".to_owned()];
    for status in ["301 Moved", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"] {
        for target in &there {
            world.host.put(PATH, Reply::answer(status, &[("location", target)], b""));
            world.server.advance(120);
            world.assert_refused(&world.key, "keys_refused").await;
        }
    }
    assert_eq!(canary.connections(), 0);
    assert!(!world.host.asked().iter().any(|head| head.contains("/here")));
}

#[tokio::test]
async fn a_cimd_20_a_jwt_17_keys_are_not_fetched_from_inside_the_house_however_it_is_spelled() {
    let canary = Host::start(&["127.0.0.1", "localhost", "keys.test"]).await;
    let resolver = Resolver::new(|name, _| match name {
        "mixed.test" => vec![IpAddr::from([1, 1, 1, 1]), IpAddr::from([127, 0, 0, 1])],
        _ => vec![IpAddr::from([127, 0, 0, 1])],
    });
    let roots = canary.authority.clone();
    let server = Server::start_among(resolver.names(), |settings| settings.fetch_roots = Some(roots)).await;
    let key = ClientKey::new(AssertionAlgorithm::Es256);
    canary.put(PATH, Reply::json(&key.jwks()));
    let port = canary.address.port();
    for (at, host) in [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f.1",
        "0177.0.0.1",
        "%31%32%37.0.0.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[0:0:0:0:0:ffff:7f00:1]",
        "10.0.0.1",
        "169.254.169.254",
        "localhost",
        "LOCALHOST",
        "%6cocalhost",
        "keys.localhost",
        "localhost.",
        "nas",
        "keys.local",
        "keys.test",
        "mixed.test",
    ]
    .iter()
    .enumerate()
    {
        let id = format!("inner{at}");
        add_machine_at(&server, &id, &format!("https://{host}:{port}{PATH}"));
        token(&server, &key.assertion(&server, &id)).await.assert_refused("invalid_client");
        assert_eq!(reason(&server), "keys_refused", "{host}");
        server.advance(4);
    }
    assert_eq!(canary.connections(), 0);
    assert_eq!(resolver.questions(), ["keys.test", "mixed.test"], "the others are known by their names");
}

/// Answers that change between the check and the connection: see `client_documents/inside.rs`.
#[tokio::test]
async fn a_cimd_06_keys_come_from_the_address_that_was_looked_at() {
    let host = Host::start(&[NAME]).await;
    let inside = SocketAddr::new(IpAddr::from([127, 0, 0, 2]), host.address.port());
    let canary = Host::start_at(inside, &[NAME], |_| {}).await;
    let resolver =
        Resolver::new(|_, asked_before| vec![IpAddr::from([127, 0, 0, 1 + asked_before.min(1) as u8])]);
    let server = Server::start_among(resolver.names(), |settings| host.trusted_by(settings)).await;
    let key = ClientKey::new(AssertionAlgorithm::Es256);
    host.put(PATH, Reply::json(&key.jwks()));
    add_machine_at(&server, ID, &host.url(NAME, PATH));
    Tokens::of(&token(&server, &key.assertion(&server, ID)).await);
    assert_eq!((resolver.questions().len(), host.connections(), canary.connections()), (1, 1, 0));
}

/// A client that starts with many requests at once is served by one fetch.
#[tokio::test]
async fn the_first_requests_of_a_client_share_one_fetch() {
    let world = World::new().await;
    let leave = Arc::new(Semaphore::new(0));
    world.host.put(PATH, Reply::json(&world.key.jwks()).held(&leave));
    let mut crowd = Crowd::open(&[&world.server], 20).await;
    let requests = (0..20).map(|_| {
        let assertion = world.key.assertion(&world.server, ID);
        world.server.post("/oauth/token").form(&[&ASKED[..], &by_key(&assertion)].concat())
    });
    let answering = async {
        until(|| world.host.hits() > 0).await;
        settle().await;
        leave.add_permits(20);
    };
    let (answers, ()) = tokio::join!(crowd.ask(requests.collect()), answering);
    for answer in &answers {
        Tokens::of(answer);
    }
    assert_eq!(world.host.hits(), 1);
}

/// Clients are free to anybody who registers, and so would be their hosts' five seconds.
#[tokio::test]
async fn a_cimd_10_one_address_has_thirty_fetches_whether_of_documents_or_of_keys() {
    let world = World::new().await;
    world.assert_good(1, "at first").await;
    world.server.advance(HOUR);
    for n in 0..40 {
        let id = format!("stranger{n}");
        add_machine_at(&world.server, &id, &world.host.url(NAME, &format!("/{n}")));
        let answer = token(&world.server, &world.key.assertion(&world.server, &id)).await;
        assert_eq!(answer.status.as_u16(), if n < 30 { 401 } else { 503 }, "{n}: {}", answer.text());
    }
    assert_eq!((world.host.hits(), reason(&world.server).as_str()), (31, "keys_unavailable"));
    let document = ClientApp { id: world.host.url(NAME, "/client.json"), ..ClientApp::fixture("pub") };
    let answer = world.server.get(&document.authorize_url(&[])).send().await;
    assert_eq!(answer.status.as_u16(), 429);
    world.assert_good(31, "whoever is known is served by the old copy").await;
    world.server.advance(4);
    world.assert_good(32, "four seconds later it is fetched").await;
}

#[tokio::test]
async fn keys_that_came_from_another_url_are_nobodys() {
    let world = World::new().await;
    world.assert_good(1, "at first").await;
    let new = ClientKey::new(AssertionAlgorithm::EdDsa);
    world.host.put("/new.json", Reply::json(&new.jwks()));
    let url = KeySetUrl::parse(&world.host.url(NAME, "/new.json")).expect("a URL");
    world.server.sql("update clients set jwks_uri = ?1 where id = ?2", [url.as_str(), ID]);
    world.assert_refused(&world.key, "assertion_kid_unknown").await;
    Tokens::of(&world.token(&new).await);
    assert_eq!(world.host.hits(), 2);
}

#[tokio::test]
async fn an_assertion_that_nobody_could_believe_is_refused_before_anybody_is_asked() {
    let world = World::new().await;
    let sign = |header: Value, claims: Value| world.key.sign(&header.to_string(), &claims.to_string());
    let claims = || ClientKey::claims(&world.server, ID);
    let header = || json!({ "alg": "ES256", "kid": "es256" });
    for text in [
        "x".to_owned(),
        "x".repeat(9000),
        sign(json!({ "alg": "none" }), claims()),
        sign(json!({ "alg": "HS256" }), claims()),
        sign(json!({ "alg": "ES256", "jku": "https://keys.test/x", "crit": ["jku"] }), claims()),
        sign(header(), super::without(claims(), "jti")),
        sign(header(), super::without(claims(), "exp")),
        world.key.assertion(&world.server, "nobody"),
    ] {
        token(&world.server, &text).await.assert_refused("invalid_client");
    }
    // The header's own words for where keys are mean nothing.
    let pointing =
        json!({ "alg": "ES256", "kid": "es256", "jku": "https://evil.test/x", "x5u": "https://evil.test/y" });
    Tokens::of(&token(&world.server, &sign(pointing, claims())).await);
    assert_eq!((world.host.hits(), world.resolver.questions()), (1, vec![NAME.to_owned()]));
}
