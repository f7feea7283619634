//! Connections to the server behind: kept and used again, also for somebody else, but never when anything is left on them
//! that could be taken for another answer.

use super::*;
use crate::harness::Line;

/// What an answer would look like that nobody asked for.
const PLANTED: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: 7\r\n\r\nplanted";

#[tokio::test]
async fn one_connection_serves_many_requests() {
    let (behind, server) = world().await;
    let (alice, bob) = (tokens(&server, NOTES).await.access, tokens_of(&server, "bob", FILES).await.access);
    for _ in 0..5 {
        assert_eq!(ask(&server, "GET", "/notes", &alice, "").await.status(), 200);
        assert_eq!(server.raw(post("/notes", &alice, "", "{}")).await.status(), 200);
        let answer =
            server.get("/mcp").header("host", "files.test").header("authorization", &format!("Bearer {bob}"));
        assert_eq!(answer.send().await.status, Status::OK);
    }
    assert_eq!(behind.asked().len(), 15);
    assert!(behind.connections() < 5, "{} connections", behind.connections());
}

/// Asks until a connection was used twice, so that one is known to be there that can be used again.
async fn until_one_is_kept(behind: &Behind, server: &Server, token: &str) {
    for _ in 0..100 {
        let before = behind.connections();
        assert_eq!(ask(server, "GET", "/notes", token, "").await.status(), 200);
        if behind.connections() == before {
            return;
        }
    }
    panic!("no connection is ever used again");
}

#[tokio::test]
async fn a_connection_that_the_server_behind_has_closed_is_not_used_again() {
    let (behind, server) = world().await;
    let token = tokens(&server, NOTES).await.access;
    for ending in ["", "connection: close\r\n"] {
        let said = format!("HTTP/1.1 200 OK\r\n{ending}content-length: 2\r\n\r\n{{}}");
        behind.say(Said::Last(said.into_bytes()));
        for _ in 0..4 {
            assert_eq!(server.raw(post("/notes", &token, "", "{}")).await.status(), 200);
            behind.until_open(0).await;
            // Whoever closes a connection is noticed when the next event is waited for.
            assert_eq!(server.raw_request("GET", "/healthz", "").await.status(), 200);
        }
    }
    assert_eq!((behind.asked().len(), behind.connections()), (8, 8));
}

#[tokio::test]
async fn a_call_is_never_made_twice() {
    let (behind, server) = world().await;
    let token = tokens(&server, NOTES).await.access;
    for method in ["GET", "POST", "DELETE"] {
        // The connection is there, and ends when it is used once more.
        behind.say(Said::json("{}"));
        until_one_is_kept(&behind, &server, &token).await;
        let asked = behind.asked().len();
        behind.say(Said::Nothing);
        let answer = ask(&server, method, "/notes", &token, "Content-Length: 0\r\n").await;
        assert_eq!((answer.status(), behind.asked().len()), (502, asked + 1), "{method}");
    }
}

#[tokio::test]
async fn what_a_server_behind_says_too_much_is_no_answer_to_the_next_request() {
    for (method, said) in [
        ("HEAD", format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{PLANTED}", PLANTED.len())),
        ("HEAD", format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{PLANTED}")),
        ("GET", format!("HTTP/1.1 204 No Content\r\n\r\n{PLANTED}")),
        ("GET", format!("HTTP/1.1 304 Not Modified\r\ncontent-length: 100\r\n\r\n{PLANTED}")),
        ("GET", format!("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n{PLANTED}")),
        ("POST", format!("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{{}}{PLANTED}")),
        ("POST", format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n{PLANTED}")),
        ("POST", format!("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n{PLANTED}{PLANTED}")),
    ] {
        let (behind, server) = world().await;
        let (alice, mallory) =
            (tokens(&server, NOTES).await.access, tokens_of(&server, "mallory", NOTES).await.access);
        for _ in 0..5 {
            behind.say(Said::whole(&said));
            let first = ask(&server, method, "/notes", &mallory, "").await;
            assert!(!first.text().contains("planted"), "{said}");
            behind.say(Said::json(r#"{"for":"alice"}"#));
            let hers = ask(&server, "GET", "/notes", &alice, "").await;
            assert_eq!((hers.status(), hers.body()), (200, r#"{"for":"alice"}"#), "{said}");
        }
    }
}

#[tokio::test]
async fn a_connection_is_not_used_again_after_an_answer_that_must_have_no_body() {
    // A server behind that sends one all the same may do so when the next request is on its way already.
    for (method, head) in [
        ("HEAD", "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n"),
        ("GET", "HTTP/1.1 204 No Content\r\n\r\n"),
        ("GET", "HTTP/1.1 304 Not Modified\r\n\r\n"),
    ] {
        let (behind, server) = world().await;
        let token = tokens(&server, NOTES).await.access;
        behind.say(Said::whole(head));
        assert!(ask(&server, method, "/notes", &token, "").await.status() < 400);
        behind.say(Said::json("{}"));
        assert_eq!(ask(&server, "GET", "/notes", &token, "").await.status(), 200);
        assert_eq!(behind.connections(), 2, "{head}");
    }
}

#[tokio::test]
async fn an_answer_that_comes_too_late_is_nobody_elses() {
    let (behind, server) = world().await;
    let token = tokens(&server, NOTES).await.access;
    behind.say(Said::Held(Vec::new()));
    let mut line = Line::open(server.address).await;
    line.say(request("GET", "/notes/hers", &token, "")).await;
    behind.until_asked(1).await;
    drop(line);
    behind.say(Said::json(r#"{"for":"the next"}"#));
    behind.push(PLANTED);
    let next = ask(&server, "GET", "/notes", &token, "").await;
    assert_eq!(next.body(), r#"{"for":"the next"}"#);
    assert_eq!(behind.connections(), 2);
}

#[tokio::test]
async fn a_connection_on_which_a_body_is_still_due_is_not_used_again() {
    let (behind, server) = world().await;
    let token = tokens(&server, NOTES).await.access;
    behind.say(Said::AtOnce(b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n".to_vec()));
    let smuggled = format!("GET /mcp/smuggled HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "y".repeat(100));
    let mut line = Line::open(server.address).await;
    let headers = format!("Content-Length: {}\r\n", smuggled.len() + 10);
    line.say(request("POST", "/notes", &token, &headers)).await;
    assert!(line.head().await.starts_with("HTTP/1.1 401 "));
    // The rest of the first body, or a request of its own.
    line.try_say(&smuggled).await;
    drop(line);
    behind.say(Said::json("{}"));
    assert_eq!(ask(&server, "GET", "/notes/next", &token, "").await.status(), 200);
    behind.until_asked(2).await;
    let targets: Vec<_> = behind.asked().iter().map(|asked| asked.target().to_owned()).collect();
    assert!(!targets.iter().any(|target| target.contains("smuggled")), "{targets:?}");
    assert_eq!(behind.connections(), 2);
}

#[tokio::test]
async fn a_client_may_keep_its_connection_and_ask_ahead() {
    let (behind, server) = world().await;
    let token = tokens(&server, NOTES).await.access;
    let get = |target: &str| {
        format!("GET {target} HTTP/1.1\r\nHost: as.test\r\nAuthorization: Bearer {token}\r\n\r\n")
    };
    let mut line = Line::open(server.address).await;
    line.say(format!("{}{}{}", get("/notes/1"), get("/healthz"), get("/notes/2"))).await;
    line.until("{}").await;
    line.until("ok").await;
    line.until("{}").await;
    let targets: Vec<_> = behind.asked().iter().map(|asked| asked.target().to_owned()).collect();
    assert_eq!(targets, ["/mcp/1", "/mcp/2"]);
    // A request without a token does not get in behind one that had one.
    line.say(format!("{}GET /notes/3 HTTP/1.1\r\nHost: as.test\r\n\r\n", get("/notes/4"))).await;
    line.until("{}").await;
    assert!(line.head().await.starts_with("HTTP/1.1 401 "));
    assert_eq!(behind.last().target(), "/mcp/4");
}

#[tokio::test]
async fn what_follows_a_streamed_answer_is_answered_behind_it() {
    let (behind, server) = world().await;
    let token = tokens(&server, NOTES).await.access;
    behind.say(Said::events());
    let mut line = Line::open(server.address).await;
    let get = format!("GET /notes HTTP/1.1\r\nHost: as.test\r\nAuthorization: Bearer {token}\r\n\r\n");
    line.say(&get).await;
    line.until("data: begun").await;
    behind.push("0\r\n\r\n");
    line.until("\r\n0\r\n\r\n").await;
    behind.say(Said::json(r#"{"second":true}"#));
    line.say(&get).await;
    line.until(r#"{"second":true}"#).await;
}
