//! Many at once, and many of them strangers: what they cost is bounded, and whoever was here before notices nothing.

use std::sync::Arc;

use tokio::sync::Semaphore;
use vestibule::clock::Seconds;
use vestibule::http::TrustedProxies;
use vestibule::oauth::client::{Client, Credential, RegisteredBy};
use vestibule::oauth::grant_type::GrantType;
use vestibule::store::clients;
use vestibule::store::purge::{self, Retention};

use super::{NAME, PATH, World, assert_known, client, document, kept, visit};
use crate::harness::{Answer, Crowd, R1, Reply, Server, Tokens, settle, until};

/// An authorization request that comes from this address.
async fn visit_from(server: &Server, address: &str, id: &str) -> Answer {
    let target = client(id).authorize_url(&[("resource", R1)]);
    server.get(&target).header("accept", "text/html").header("x-forwarded-for", address).send().await
}

async fn behind_a_proxy() -> World {
    let proxies = TrustedProxies::parse(["127.0.0.1"]).expect("a proxy");
    World::with(|settings| settings.trusted_proxies = proxies).await
}

#[tokio::test]
async fn a_cimd_15_forty_at_once_for_one_unknown_client_are_one_request_to_its_host() {
    let world = behind_a_proxy().await;
    let leave = Arc::new(Semaphore::new(0));
    world.host.put(PATH, Reply::json(&world.document()).held(&leave));
    let target = world.client.authorize_url(&[("resource", R1)]);
    let requests = (0..40).map(|n| {
        let asked = world.server.get(&target).header("accept", "text/html");
        asked.header("x-forwarded-for", &format!("203.0.113.{n}"))
    });
    let mut crowd = Crowd::open(&[&world.server], 40).await;
    let answering = async {
        until(|| world.host.hits() > 0).await;
        settle().await;
        leave.add_permits(40);
    };
    let (answers, ()) = tokio::join!(crowd.ask(requests.collect()), answering);
    for answer in &answers {
        assert_known(answer, "each");
    }
    assert_eq!((world.host.hits(), world.resolver.questions().len()), (1, 1));
    let registered = world.server.audit().iter().filter(|(event, ..)| event == "client.registered").count();
    assert_eq!((registered, world.server.count("client_documents")), (1, 1));
}

#[tokio::test]
async fn a_cimd_15_whoever_asks_and_leaves_takes_nobody_along() {
    let world = World::new().await;
    let leave = Arc::new(Semaphore::new(0));
    world.host.put(PATH, Reply::json(&world.document()).held(&leave));
    let target = world.client.authorize_url(&[("resource", R1)]);
    let mut first = crate::harness::Connection::open(&world.server).await;
    let request = world.server.get(&target).into_request();
    let leaver = tokio::spawn(async move { first.send(request).await });
    until(|| world.host.hits() > 0).await;
    let leaving = async {
        // Until the second waits for what the first has asked for.
        settle().await;
        assert_eq!(world.host.hits(), 1);
        leaver.abort();
        assert!(leaver.await.is_err_and(|why| why.is_cancelled()));
        until(|| world.host.hits() == 2).await;
        leave.add_permits(2);
    };
    let (answer, ()) = tokio::join!(visit(&world.server, &world.client.id), leaving);
    assert_known(&answer, "whoever stays asks in their place");
}

#[tokio::test]
async fn a_cimd_17_an_address_has_thirty_documents_fetched_at_once_and_then_one_every_four_seconds() {
    let world = behind_a_proxy().await;
    let known = world.client.id.clone();
    assert_known(&visit_from(&world.server, "203.0.113.7", &known).await, "before the flood");
    let url = |n: usize| {
        let path = format!("/{n}");
        let url = world.host.url(NAME, &path);
        world.host.put(&path, Reply::json(&document(&url)));
        url
    };
    for n in 0..30 {
        // Every address of a /64 is the same somebody (RFC 4291 2.5.1), and a failure costs what a success does.
        let id = if n % 2 == 0 { url(n) } else { world.host.url(NAME, &format!("/missing{n}")) };
        let answer = visit_from(&world.server, &format!("2001:db8::{n:x}"), &id).await;
        assert_eq!(answer.status.as_u16(), if n % 2 == 0 { 303 } else { 400 }, "{n}");
    }
    let (hits, rows) = (world.host.hits(), world.server.rows());
    let refused = visit_from(&world.server, "2001:db8::ffff", &url(30)).await;
    refused.assert_problem_page(429);
    assert_eq!(refused.header("retry-after"), Some("4"));
    assert_eq!((world.host.hits(), world.server.rows()), (hits, rows.clone()), "nobody was asked for it");
    assert_eq!(world.resolver.questions().len(), hits);
    // Whom this server knows it need not ask for, and others are others.
    assert_known(&visit_from(&world.server, "2001:db8::ffff", &known).await, "a fresh copy");
    assert_known(&visit_from(&world.server, "2001:db8:0:1::1", &url(31)).await, "the next /64");
    world.server.advance(4);
    assert_known(&visit_from(&world.server, "2001:db8::ffff", &url(32)).await, "four seconds later");
    visit_from(&world.server, "2001:db8::ffff", &url(33)).await.assert_problem_page(429);
    // An old copy serves who may not have it fetched anew.
    world.server.advance(56);
    for n in 40..60 {
        visit_from(&world.server, "2001:db8::ffff", &url(n)).await;
    }
    let hits = world.host.hits();
    assert_known(&visit_from(&world.server, "2001:db8::ffff", &known).await, "an old copy");
    assert_eq!(world.host.hits(), hits);
}

/// Clients as a flood would have left them: documents and registrations, each a second younger than the one before.
fn flood(server: &Server, count: u32) {
    let now = server.now();
    server.command(move |tx| {
        for n in 0..count {
            let registered_by = if n % 2 == 0 { RegisteredBy::Document } else { RegisteredBy::Itself };
            let id = if n % 2 == 0 { format!("https://flood.test/{n}") } else { format!("c_flood{n}") };
            let code = [GrantType::AuthorizationCode, GrantType::RefreshToken];
            let stranger = crate::harness::client(&id, Credential::Public, &["https://flood.test/cb"], &code);
            let created_at = now.plus(Seconds::new(n));
            clients::insert(tx, &Client { registered_by, created_at, ..stranger }, "{}")?;
        }
        Ok(())
    });
    server.advance(i64::from(count));
}

#[tokio::test]
async fn a_cimd_17_a_dcr_11_a_thousand_clients_wait_for_their_first_use_and_the_oldest_give_way() {
    let world = World::new().await;
    let server = &world.server;
    let owners = server.count("clients");
    let used = client(&world.client.id);
    used.tokens(server, "alice", &[("resource", R1)]).await;
    let unused = world.host.url(NAME, "/unused");
    world.host.put("/unused", Reply::json(&document(&unused)));
    assert_known(&visit(server, &unused).await, "before the flood");
    // Nobody is signing in with it any more.
    server.advance(16 * 60);
    flood(server, 999);
    assert_eq!(server.count("clients"), owners + 1 + 1000);
    assert!(kept(server, &unused).is_some() && kept(server, "https://flood.test/0").is_some());

    let late = world.host.url(NAME, "/late");
    world.host.put("/late", Reply::json(&document(&late)));
    assert_known(&visit(server, &late).await, "after the flood");
    assert!(kept(server, &unused).is_none(), "the oldest went");
    assert!(kept(server, "https://flood.test/0").is_some() && kept(server, &late).is_some());
    let body = serde_json::json!({ "redirect_uris": ["https://late.test/cb"] });
    assert_eq!(server.post("/oauth/register").json(&body).send().await.status.as_u16(), 201);
    assert!(kept(server, "https://flood.test/0").is_none(), "and the next oldest, for a registration");
    assert_eq!(server.count("clients"), owners + 1 + 1000);

    server.advance(16 * 60);
    flood(server, 1001);
    assert_eq!(server.count("clients"), owners + 1 + 1000);
    assert!(kept(server, &late).is_none() && kept(server, &used.id).is_some(), "a used one never goes");
    for fixture in ["pub", "nat", "conf", "post", "pkj", "svc"] {
        assert!(kept(server, fixture).is_some(), "the owner's never goes: {fixture}");
    }
    assert_eq!(server.count("client_documents"), 1, "what belongs to a client goes with it");
    // Who was pushed out comes back as if for the first time.
    assert_known(&visit(server, &unused).await, "again");
}

/// Purges until there is nothing left to purge, as the server does every few minutes.
fn purge(server: &Server) {
    let (now, lifetimes) = (server.now(), &server.app.settings.lifetimes);
    let keep = Retention {
        audit: lifetimes.audit,
        unused_clients: lifetimes.unused_client,
        idle_grants: lifetimes.refresh_idle,
    };
    while server.command(move |tx| purge::bite(tx, keep, now)) > 0 {}
}

#[tokio::test]
async fn c_dcr_12_a_document_that_nobody_used_is_forgotten_after_a_day_and_a_used_one_never() {
    let world = World::new().await;
    let server = &world.server;
    let url = |path: &str| {
        let url = world.host.url(NAME, path);
        world.host.put(path, Reply::json_with(&[("cache-control", "max-age=86400")], &document(&url)));
        url
    };
    let (used, unused, waiting) = (url("/used"), url("/unused"), url("/waiting"));
    let registered = crate::harness::ClientApp::registered(server, "https://app.test/cb").await;
    let tokens = client(&used).tokens(server, "alice", &[("resource", R1)]).await;
    assert_known(&visit(server, &unused).await, "the unused one");
    assert_known(&visit(server, &waiting).await, "the one that somebody waits for");
    server.advance(24 * 3600 - 60);
    assert_known(&visit(server, &waiting).await, "somebody is about to sign in with it");
    server.advance(59);
    purge(server);
    assert!(
        [&used, &unused, &waiting, &registered.id].iter().all(|id| kept(server, id).is_some()),
        "a day is a day"
    );
    server.advance(1);
    purge(server);
    let known = [&used, &unused, &waiting, &registered.id].map(|id| kept(server, id).is_some());
    assert_eq!(known, [true, false, true, false]);
    assert_eq!(server.count("client_documents"), 2);
    server.advance(15 * 60);
    purge(server);
    assert_eq!([&used, &waiting].map(|id| kept(server, id).is_some()), [true, false]);
    server.advance(20 * 24 * 3600);
    purge(server);
    Tokens::of(&client(&used).refresh(server, tokens.refresh(), &[]).await);
    // The forgotten are unknown, and no more.
    assert_known(&visit(server, &unused).await, "it comes back");
}
