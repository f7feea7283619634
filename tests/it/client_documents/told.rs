//! What people, programs, the log and the audit are told, so that whoever can mend it knows how.

use super::{NAME, World, assert_refused, visit, with};
use crate::harness::{Browser, Listening, Reply};
use serde_json::json;

#[tokio::test]
async fn a_person_reads_what_happened_why_and_what_to_do_and_is_sent_nowhere() {
    let world = World::new().await;
    let url = |path: &str| world.host.url(NAME, path);
    world.host.put("/down", Reply::answer("503 Down", &[], b""));
    world.host.put("/moved", Reply::answer("302 Found", &[("location", "https://evil.test/")], b""));
    world.host.put("/html", Reply::answer("200 OK", &[("content-type", "text/html")], b"<h1>404</h1>"));
    let secret = with(super::document(&url("/secret")), json!({ "client_secret": "canary-of-the-document" }));
    world.host.put("/secret", Reply::json(&secret));
    for (id, status, texts) in [
        (
            url("/down"),
            503,
            ["does not hand its description out", "another status than 200", "its log says more"],
        ),
        (
            url("/moved"),
            400,
            ["does not hand its description out", "Redirects are not followed", "its log says more"],
        ),
        (url("/html"), 400, ["is not such a description", "It is not JSON", "tell its makers"]),
        (url("/secret"), 400, ["means to use a secret", "read strictly", "tell its makers"]),
        (
            "https://10.0.0.1/x".to_owned(),
            400,
            ["private network", "a stranger reach", "--fetch-networks 127.0.0.1"],
        ),
        ("https://client.test/".to_owned(), 400, ["cannot be the address", "has a path", "tell its makers"]),
        ("https://as.test/x".to_owned(), 400, ["address of this server", "never here", "tell its makers"]),
    ] {
        let page = visit(&world.server, &id).await;
        page.assert_problem_page(status);
        let text = page.text();
        for words in texts {
            assert!(text.contains(words), "{id}: no {words:?} in {text}");
        }
        assert!(text.contains(&id), "it says which app: {text}");
        assert!(
            !text.contains("evil.test") && !text.contains("canary") && !text.contains("href=\"http"),
            "{text}"
        );
    }
    let at_rest = world.server.bytes_at_rest();
    assert!(!at_rest.windows(6).any(|window| window == b"canary"), "a secret of a document is not kept");
}

#[tokio::test]
async fn a_program_reads_one_sentence_and_a_silent_request_is_answered_as_any() {
    let world = World::new().await;
    world.host.put(super::PATH, Reply::answer("404 Not Found", &[], b""));
    let target = world.client.authorize_url(&[("prompt", "none")]);
    let page = Browser::signed_in(&world.server, "alice").await.get(&world.server, &target).await;
    page.assert_problem_page(400);
    let program = world.server.get(&target).send().await;
    program.assert_problem_page(400);
    let body = program.json();
    assert_eq!(body["error"], "invalid_client");
    assert_eq!(
        body["error_description"],
        "The host that vouches for the app does not hand its description out."
    );
    assert_eq!(body.as_object().map(serde_json::Map::len), Some(2), "{body}");
}

/// The line is bounded, and the name is a stranger's: what mends it must not be what is cut away.
#[tokio::test]
async fn the_log_says_what_mends_it_however_long_the_name_is() {
    let world = World::new().await;
    let path = format!("/{}", "x".repeat(400));
    assert_refused(&world.server, &world.host.url(NAME, &path), 400, "status 404").await;
    let listening = Listening::begin();
    visit(&world.server, &format!("https://10.0.0.1{path}")).await;
    let log = listening.end();
    assert!(log.contains("address_special: 10.0.0.1") && log.contains("--fetch-networks 10.0.0.1"), "{log}");
    assert!(log.contains("https://10.0.0.1/xxx"), "{log}");
}
