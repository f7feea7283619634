//! Whatever is taken back is gone at the next request, and open streams that it had opened end within five seconds;
//! everybody else's go on.

use std::time::{Duration, Instant};

use vestibule::oauth::resource::Admission;
use vestibule::oauth::scope::Scope;
use vestibule::store::{clients, grants, users};

use super::*;
use crate::harness::{Browser, End, Line, R1};

/// What an owner may count on.
const SOON: Duration = Duration::from_secs(5);

/// Opens a stream of events that has begun.
async fn listen(server: &Server, host: &str, target: &str, token: &str) -> Line {
    let mut line = Line::open(server.address).await;
    let head = format!(
        "GET {target} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\nAccept: text/event-stream\r\n\r\n"
    );
    line.say(head).await;
    line.until("data: begun").await;
    line
}

/// Takes something back while alice listens at [`NOTES`] by one client and bob at [`FILES`] by another: her next request
/// has this status, her stream ends, and his does not.
async fn assert_takes_back(status: u16, take_back: impl AsyncFn(&Server, &Tokens)) {
    for known in [Known::ByNobody, Known::ByTheServer] {
        assert_takes_back_what_is(known, status, &take_back).await;
    }
}

/// Whether the server has found out before what it is asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Known {
    ByNobody,
    ByTheServer,
}

async fn assert_takes_back_what_is(known: Known, status: u16, take_back: &impl AsyncFn(&Server, &Tokens)) {
    let (behind, server) = world().await;
    let alice = tokens(&server, NOTES).await;
    let bob = ClientApp::fixture("nat").tokens(&server, "bob", &[("resource", FILES)]).await;
    behind.say(Said::events());
    let mut hers = listen(&server, "as.test", "/notes", &alice.access).await;
    let mut his = listen(&server, "files.test", "/mcp", &bob.access).await;
    if known == Known::ByTheServer {
        listen(&server, "as.test", "/notes", &alice.access).await;
    }
    let asked = behind.asked().len();
    let since = Instant::now();
    take_back(&server, &alice).await;
    let next = ask(&server, "GET", "/notes", &alice.access, "").await;
    assert_eq!(next.status(), status, "{}", next.text());
    assert_eq!(behind.asked().len(), asked, "the next request went no further");
    assert_eq!(hers.end().await, End::Whole, "a stream of events has no end of its own to miss");
    assert!(since.elapsed() < SOON, "her stream went on for {:?}", since.elapsed());
    behind.until_open(1).await;
    behind.push(&chunk("data: still here\n\n"));
    his.until("data: still here").await;
    assert_eq!(ask(&server, "GET", "/notes", &alice.access, "").await.status(), status, "and so it stays");
}

#[tokio::test]
async fn a_grant_that_is_revoked_by_a_command() {
    assert_takes_back(401, async |server, alice| {
        let id = alice.claims["grant_id"].as_i64().expect("a grant");
        let now = server.now();
        server.command(move |tx| {
            grants::revoke(tx, vestibule::oauth::ids::GrantId::new(id), "revoked by the owner", now)
        });
    })
    .await;
}

#[tokio::test]
async fn a_person_who_is_disabled() {
    assert_takes_back(401, async |server, _| {
        let (id, now) = (server.user("alice").id, server.now());
        server.command(move |tx| users::disable(tx, &id, now));
    })
    .await;
}

#[tokio::test]
async fn a_person_who_is_removed() {
    assert_takes_back(401, async |server, _| {
        let id = server.user("alice").id;
        server.command(move |tx| users::remove(tx, &id));
    })
    .await;
}

#[tokio::test]
async fn a_client_that_is_removed() {
    assert_takes_back(401, async |server, _| {
        let id = vestibule::oauth::ids::ClientId::parse("pub").expect("an id");
        server.command(move |tx| clients::remove(tx, &id));
    })
    .await;
}

#[tokio::test]
async fn a_person_who_is_taken_off_the_resources_list() {
    assert_takes_back(403, async |server, _| server.admit_only(NOTES, &["bob"])).await;
}

#[tokio::test]
async fn a_resource_that_admits_nobody_any_more() {
    assert_takes_back(403, async |server, _| change(server, NOTES, |it| it.admission = Admission::Listed))
        .await;
}

#[tokio::test]
async fn a_resource_that_is_removed() {
    assert_takes_back(404, async |server, _| server.forget_resource(NOTES)).await;
}

#[tokio::test]
async fn a_resource_that_is_not_guarded_any_more() {
    assert_takes_back(404, async |server, _| change(server, NOTES, |it| it.guard = None)).await;
}

#[tokio::test]
async fn an_access_token_that_its_client_revokes() {
    assert_takes_back(401, async |server, alice| {
        let answer = ClientApp::fixture("pub").revoke(server, &alice.access).await;
        assert_eq!(answer.status, Status::OK);
    })
    .await;
}

#[tokio::test]
async fn a_refresh_token_that_its_client_revokes() {
    assert_takes_back(401, async |server, alice| {
        let answer = ClientApp::fixture("pub").revoke(server, alice.refresh()).await;
        assert_eq!(answer.status, Status::OK);
    })
    .await;
}

#[tokio::test]
async fn a_refresh_token_that_comes_back_after_it_was_spent() {
    assert_takes_back(401, async |server, alice| {
        let app = ClientApp::fixture("pub");
        let second = Tokens::of(&app.refresh(server, alice.refresh(), &[]).await);
        Tokens::of(&app.refresh(server, second.refresh(), &[]).await);
        server.advance(61);
        app.refresh(server, alice.refresh(), &[]).await.assert_refused("invalid_grant");
    })
    .await;
}

#[tokio::test]
async fn access_that_a_person_takes_back_on_the_account_page() {
    assert_takes_back(401, async |server, alice| {
        let mut browser = Browser::signed_in(server, "alice").await;
        let page = browser.get(server, "/account").await;
        let id = alice.claims["grant_id"].as_i64().expect("a grant").to_string();
        let token = page.field("form_token").expect("a form");
        let fields = [("form_token", token.as_str()), ("grant", &id)];
        let answer = browser.post(server, "/account", &fields).await;
        assert_eq!(answer.status.as_u16(), 303, "{}", answer.text());
    })
    .await;
}

#[tokio::test]
async fn a_key_that_is_withdrawn_takes_what_it_signed_with_it() {
    let (behind, server) = world().await;
    let alice = tokens(&server, NOTES).await;
    behind.say(Said::events());
    let mut hers = listen(&server, "as.test", "/notes", &alice.access).await;
    let since = Instant::now();
    server.advance(1);
    server.sql("update signing_keys set retired_at = ?1, published_until = ?1", [server.now().as_i64()]);
    assert_eq!(hers.end().await, End::Whole);
    assert!(since.elapsed() < SOON);
}

#[tokio::test]
async fn a_machine_whose_owner_takes_the_resource_from_it() {
    let (behind, server) = world().await;
    let upstream = behind.url("/mcp");
    change(&server, R1, move |it| {
        it.guard = Some(Guard {
            upstream: UpstreamUrl::parse(&upstream).expect("an upstream"),
            rules: Rules::default(),
            identity: Identity::Headers,
        });
    });
    let machine = ClientApp::fixture("svc");
    let fields = [("grant_type", "client_credentials"), ("resource", R1)];
    let token = Tokens::of(&machine.token(&server, &fields).await).access;
    behind.say(Said::events());
    let mut line = listen(&server, "r1.test", "/mcp", &token).await;
    let asked = behind.last();
    assert_eq!(
        (asked.header("x-vestibule-user"), asked.header("x-vestibule-client").as_deref()),
        (None, Some("svc"))
    );
    let since = Instant::now();
    server.sql("update clients set audience = '' where id = 'svc'", []);
    let next =
        server.get("/mcp").header("host", "r1.test").header("authorization", &format!("Bearer {token}"));
    assert_eq!(next.send().await.status, Status::FORBIDDEN);
    assert_eq!(line.end().await, End::Whole);
    assert!(since.elapsed() < SOON);
}

#[tokio::test]
async fn a_scope_that_its_resource_no_longer_has_is_gone_from_tokens_too() {
    let behind = Behind::start().await;
    let server = Server::start().await;
    register(&server, guarded(&behind, NOTES, "read write", &["tools/call:delete_*=write"]));
    let token = ClientApp::fixture("pub")
        .tokens(&server, "alice", &[("resource", NOTES), ("scope", "read write")])
        .await
        .access;
    let call = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"delete_note"}}"#;
    assert_eq!(server.raw(post("/notes", &token, "", call)).await.status(), 200);
    assert_eq!(behind.last().header("x-vestibule-scope").as_deref(), Some("read write"));
    behind.say(Said::events());
    let mut line = listen(&server, "as.test", "/notes", &token).await;
    let since = Instant::now();
    change(&server, NOTES, |it| it.scopes = Scope::parse("read").expect("a scope"));
    assert_eq!(server.raw(post("/notes", &token, "", call)).await.status(), 403);
    // The server behind was told more than the token is worth now.
    assert_eq!(line.end().await, End::Whole);
    assert!(since.elapsed() < SOON);
    behind.say(Said::json("{}"));
    assert_eq!(ask(&server, "GET", "/notes", &token, "").await.status(), 200);
    assert_eq!(behind.last().header("x-vestibule-scope").as_deref(), Some("read"));
}

#[tokio::test]
async fn a_resource_that_goes_elsewhere_takes_its_streams_away_from_where_it_was() {
    let (behind, server) = world().await;
    let elsewhere = Behind::start().await;
    let alice = tokens(&server, NOTES).await;
    behind.say(Said::events());
    elsewhere.say(Said::events());
    let mut old = listen(&server, "as.test", "/notes", &alice.access).await;
    let since = Instant::now();
    let moved = guarded(&elsewhere, NOTES, "", &[]).guard;
    change(&server, NOTES, move |it| it.guard = moved);
    assert_eq!(old.end().await, End::Whole);
    assert!(since.elapsed() < SOON);
    listen(&server, "as.test", "/notes", &alice.access).await;
    assert_eq!((behind.asked().len(), elsewhere.asked().len()), (1, 1));
}

#[tokio::test]
async fn a_call_that_is_still_waited_for_is_refused_as_the_next_one_would_be() {
    let (behind, server) = world().await;
    let alice = tokens(&server, NOTES).await;
    behind.say(Said::Silence);
    let mut line = Line::open(server.address).await;
    line.say(post("/notes", &alice.access, "", r#"{"jsonrpc":"2.0","id":1,"method":"tools/call"}"#)).await;
    behind.until_asked(1).await;
    let since = Instant::now();
    ClientApp::fixture("pub").revoke(&server, alice.refresh()).await;
    let head = line.head().await;
    assert!(head.starts_with("HTTP/1.1 401 "), "{head}");
    assert!(since.elapsed() < SOON);
    behind.until_open(0).await;
}

#[tokio::test]
async fn an_answer_that_would_have_an_end_is_broken_off_and_not_ended() {
    let (behind, server) = world().await;
    let alice = tokens(&server, NOTES).await;
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
    behind.say(Said::Held(format!("{head}{}", chunk("[1")).into_bytes()));
    let mut line = Line::open(server.address).await;
    line.say(request("GET", "/notes", &alice.access, "")).await;
    line.until("[1").await;
    let since = Instant::now();
    ClientApp::fixture("pub").revoke(&server, alice.refresh()).await;
    assert_eq!(line.end().await, End::Broken, "half a document must not look like a whole one");
    assert!(since.elapsed() < SOON);
}

#[tokio::test]
async fn whoever_listens_hears_nothing_more_once_their_token_has_ended() {
    let (behind, server) = world().await;
    let alice = tokens(&server, NOTES).await;
    behind.say(Said::events());
    let mut line = listen(&server, "as.test", "/notes", &alice.access).await;
    let since = Instant::now();
    server.advance(alice.claims["exp"].as_i64().expect("exp") - server.now().as_i64());
    assert_eq!(line.end().await, End::Whole);
    assert!(since.elapsed() < SOON);
    behind.until_open(0).await;
    // A fresh token opens it anew.
    let fresh = Tokens::of(&ClientApp::fixture("pub").refresh(&server, alice.refresh(), &[]).await);
    listen(&server, "as.test", "/notes", &fresh.access).await;
}

#[tokio::test]
async fn whoever_listens_by_a_call_hears_nothing_more_once_their_token_has_ended() {
    let (behind, server) = world().await;
    let alice = tokens(&server, NOTES).await;
    behind.say(Said::events());
    let mut line = Line::open(server.address).await;
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{}}"#;
    line.say(post("/notes", &alice.access, "", body)).await;
    line.until("data: begun").await;
    let since = Instant::now();
    server.advance(alice.claims["exp"].as_i64().expect("exp") - server.now().as_i64());
    assert_eq!(line.end().await, End::Whole);
    assert!(since.elapsed() < SOON);
}

/// Calls something whose answer begins, and goes on.
async fn call(server: &Server, token: &str, kind: &str, behind: &Behind) -> Line {
    let head = format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ntransfer-encoding: chunked\r\n\r\n");
    behind.say(Said::Held(format!("{head}{}", chunk("begun")).into_bytes()));
    let mut line = Line::open(server.address).await;
    line.say(post("/notes", token, "", r#"{"jsonrpc":"2.0","id":1,"method":"tools/call"}"#)).await;
    line.until("begun").await;
    line
}

#[tokio::test]
async fn an_answer_may_outlive_its_token_by_an_hour_and_no_longer() {
    for (kind, end) in [("text/event-stream", End::Whole), ("application/json", End::Broken)] {
        let (behind, server) = world().await;
        let alice = tokens(&server, NOTES).await;
        let mut line = call(&server, &alice.access, kind, &behind).await;
        let left = alice.claims["exp"].as_i64().expect("exp") - server.now().as_i64();
        server.advance(left + 3599);
        // Somebody who listens with the same token is cut off, so a round has passed since.
        behind.say(Said::events());
        let other = Tokens::of(&ClientApp::fixture("pub").refresh(&server, alice.refresh(), &[]).await);
        let mut listening = listen(&server, "as.test", "/notes", &other.access).await;
        ClientApp::fixture("pub").revoke(&server, &other.access).await;
        assert_eq!(listening.end().await, End::Whole);
        behind.push(&chunk("more"));
        line.until("more").await;
        let since = Instant::now();
        server.advance(1);
        assert_eq!(line.end().await, end, "{kind}");
        assert!(since.elapsed() < SOON);
    }
}

#[tokio::test]
async fn an_answer_that_outlives_its_token_still_ends_with_what_the_token_stood_for() {
    let (behind, server) = world().await;
    let alice = tokens(&server, NOTES).await;
    let mut line = call(&server, &alice.access, "text/event-stream; charset=utf-8", &behind).await;
    server.advance(alice.claims["exp"].as_i64().expect("exp") - server.now().as_i64());
    let since = Instant::now();
    ClientApp::fixture("pub").revoke(&server, alice.refresh()).await;
    assert_eq!(line.end().await, End::Whole);
    assert!(since.elapsed() < SOON);
}

#[tokio::test]
async fn a_body_that_is_held_back_does_not_keep_the_door_open() {
    // With a rule, what is called has to be known first; without one, the first piece is waited for.
    for rules in [&["tools/call:delete_*=write"][..], &[]] {
        let (behind, server) = world_with_rules(rules).await;
        let alice = tokens(&server, NOTES).await;
        let body = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"list"}}"#;
        let head = format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
        let mut line = Line::open(server.address).await;
        line.say(request("POST", "/notes", &alice.access, &head)).await;
        line.say(if rules.is_empty() { "" } else { &body[..20] }).await;
        ClientApp::fixture("pub").revoke(&server, alice.refresh()).await;
        let since = Instant::now();
        let answer = line.head().await;
        assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
        assert!(since.elapsed() < SOON);
        line.try_say(body).await;
        assert_eq!(behind.connections(), 0);
    }
}
