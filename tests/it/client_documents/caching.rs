//! How long a copy is used before its host is asked again, and what is never kept. The clock is turned by hand; the
//! host counts.

use serde_json::json;

use super::{PATH, World, assert_known, assert_refused, document, kept, visit, with};
use crate::harness::{Listening, R1, Reply, Server, Tokens};

const DAY: i64 = 24 * 3600;

/// Asserts that a copy that came with these headers is used for exactly so long.
async fn assert_fresh_for(seconds: i64, headers: &[(&str, &str)]) {
    let world = World::new().await;
    world.host.put(PATH, Reply::json_with(headers, &world.document()));
    let visits = async |expected: usize, when: &str| {
        assert_known(&visit(&world.server, &world.client.id).await, format!("{headers:?}, {when}"));
        assert_eq!(world.host.hits(), expected, "{headers:?}, {when}");
    };
    visits(1, "at first").await;
    visits(1, "at once again").await;
    world.server.advance(seconds - 1);
    visits(1, "at the last moment").await;
    world.server.advance(1);
    visits(2, "when it is over").await;
    world.server.advance(seconds - 1);
    visits(2, "anew").await;
}

#[tokio::test]
async fn a_cimd_16_c_cm_16_a_copy_is_fresh_for_as_long_as_its_host_says_between_a_minute_and_a_day() {
    let far = "Fri, 31 Dec 9999 23:59:59 GMT";
    let sunday = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");
    let cases: [(i64, &[(&str, &str)]); 14] = [
        (3600, &[]),
        (600, &[("cache-control", "public, max-age=600")]),
        (60, &[("cache-control", "no-store")]),
        (60, &[("cache-control", "no-cache, max-age=600")]),
        (60, &[("cache-control", "max-age=0")]),
        (60, &[("cache-control", "max-age=-1")]),
        (60, &[("cache-control", "max-age=600, max-age=59")]),
        (DAY, &[("cache-control", "max-age=1000000000000")]),
        (DAY, &[("cache-control", "max-age=99999999999999999999999999")]),
        (DAY, &[sunday, ("expires", far)]),
        (60, &[("expires", "0")]),
        (60, &[("expires", far)]),
        (600, &[("cache-control", "max-age=600"), ("vary", "*"), ("age", "-5"), ("etag", "\"x\"")]),
        (100, &[("cache-control", "max-age=600"), ("age", "500")]),
    ];
    for (seconds, headers) in cases {
        assert_fresh_for(seconds, headers).await;
    }
}

#[tokio::test]
async fn c_cm_16_nothing_but_a_good_document_is_remembered() {
    let world = World::new().await;
    let id = &world.client.id;
    let lasting = [("content-type", "application/json"), ("cache-control", "max-age=86400")];
    let strange = with(world.document(), json!({ "client_id": "https://evil.test/x" }));
    for bad in [
        Reply::answer("404 Not Found", &lasting, b"{}"),
        Reply::answer("410 Gone", &lasting, b"{}"),
        Reply::answer("500 Oops", &lasting, b"{}"),
        Reply::answer("301 Moved", &lasting, b"{}"),
        Reply::answer("200 OK", &lasting, b"{}"),
        Reply::json_with(&lasting[1..], &strange),
        Reply::Bytes(Vec::new()),
    ] {
        let before = world.host.hits();
        world.host.put(PATH, bad.clone());
        for _ in 0..2 {
            assert!(visit(&world.server, id).await.status.as_u16() >= 400, "{bad:?}");
        }
        assert_eq!(world.host.hits(), before + 2, "{bad:?}");
        assert!(world.kept().is_none() && world.server.count("client_documents") == 0, "{bad:?}");
        // In the same second.
        world.publish(&world.document());
        assert_known(&visit(&world.server, id).await, "the host is well again");
        world.server.sql("delete from clients where id = ?1", [id]);
        world.server.advance(60);
    }
}

/// Lets the copy's time pass, with these words of the host at its end.
async fn stale(reply: Reply) -> World {
    let world = World::new().await;
    assert_known(&visit(&world.server, &world.client.id).await, "at first");
    world.server.advance(60);
    world.host.put(PATH, reply);
    world
}

#[tokio::test]
async fn an_old_copy_is_used_for_a_week_while_its_host_is_down() {
    let well = world_with_tokens().await;
    let (world, tokens) = well;
    let (server, client) = (&world.server, &world.client);
    world.host.go_down();
    let listening = Listening::begin();
    server.advance(60);
    assert_known(&visit(server, &client.id).await, "a minute later");
    assert!(listening.end().contains("the last copy is used"));
    server.advance(7 * DAY - 61);
    assert_known(&visit(server, &client.id).await, "a week later, but for a second");
    server.advance(1);
    assert_refused(server, &client.id, 503, "(unreachable)").await;
    assert!(world.kept().is_some(), "what it was is not forgotten");
    // Who is signed in stays so: nobody asks the host for that.
    let tokens = Tokens::of(&client.refresh(server, tokens.refresh(), &[]).await);
    server.advance(20 * DAY);
    Tokens::of(&client.refresh(server, tokens.refresh(), &[]).await);
}

async fn world_with_tokens() -> (World, Tokens) {
    let world = World::new().await;
    let tokens = world.client.tokens(&world.server, "alice", &[("resource", R1)]).await;
    (world, tokens)
}

#[tokio::test]
async fn an_old_copy_is_used_where_the_host_is_ill_and_not_where_it_has_spoken() {
    let json = [("content-type", "application/json")];
    for ill in [
        Reply::answer("500 Oops", &json, b"{}"),
        Reply::answer("503 Down", &json, b"{}"),
        Reply::answer("403 Forbidden", &json, b"{}"),
        Reply::answer("429 Slow down", &json, b"{}"),
        Reply::Bytes(b"HTTP/1.1 200 OK\r\ncontent-".to_vec()),
        Reply::Torn(Vec::new()),
    ] {
        let world = stale(ill.clone()).await;
        assert_known(&visit(&world.server, &world.client.id).await, format!("{ill:?}"));
        assert_eq!(world.host.hits(), 2, "it was asked");
        assert_known(&visit(&world.server, &world.client.id).await, format!("{ill:?}"));
        assert_eq!(world.host.hits(), 3, "and is asked again, until it is well");
    }
    let long = with(document("x"), json!({ "padding": "x".repeat(6000) }));
    for spoken in [
        Reply::answer("404 Not Found", &json, b"{}"),
        Reply::answer("410 Gone", &json, b"{}"),
        Reply::answer("301 Moved", &[("location", "https://parked.test/")], b""),
        Reply::answer("204 No Content", &[], b""),
        Reply::answer("200 OK", &[("content-type", "text/html")], b"<h1>For sale</h1>"),
        Reply::json(&long),
        Reply::answer("200 OK", &json, b"{}"),
    ] {
        let world = stale(spoken.clone()).await;
        let answer = visit(&world.server, &world.client.id).await;
        assert_eq!(answer.status.as_u16(), 400, "{spoken:?}: {}", answer.text());
        // It may change its mind.
        world.publish(&world.document());
        assert_known(&visit(&world.server, &world.client.id).await, "there again");
    }
}

#[tokio::test]
async fn a_copy_outlives_a_restart_and_is_the_same_for_two_servers_on_one_file() {
    let world = World::new().await;
    world.host.put(PATH, Reply::json(&world.document()));
    let id = world.client.id.clone();
    assert_known(&visit(&world.server, &id).await, "at first");
    let twin = world.server.twin().await;
    assert_known(&visit(&twin, &id).await, "at the twin");
    drop(twin);
    let World { host, server, .. } = world;
    let server: Server = server.restart().await;
    assert_known(&visit(&server, &id).await, "after a restart");
    assert_eq!(host.hits(), 1);
}

#[tokio::test]
async fn a_clock_that_goes_back_does_not_make_a_copy_fresh_for_years() {
    let world = World::new().await;
    world.host.put(PATH, Reply::json_with(&[("cache-control", "max-age=86400")], &world.document()));
    assert_known(&visit(&world.server, &world.client.id).await, "at first");
    world.server.advance(-365 * DAY);
    // What bounds how often anybody may ask has to find its feet first.
    for _ in 0..2 {
        visit(&world.server, &world.client.id).await;
        world.server.advance(10);
    }
    assert_known(&visit(&world.server, &world.client.id).await, "a year before");
    assert_eq!(world.host.hits(), 2);
    assert_known(&visit(&world.server, &world.client.id).await, "again");
    assert_eq!(world.host.hits(), 2);
    assert!(kept(&world.server, &world.client.id).is_some());
}
