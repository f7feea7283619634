//! What passes, passes as it comes: piece by piece, no faster than it is taken, and to an end that says what happened.

use std::time::{Duration, Instant};

use super::*;
use crate::harness::{End, Line};

/// What the kernel and this process may hold of a stream at most: its buffers on both sides, and a little.
const HELD_BYTES_MAX: usize = 32 * 1024 * 1024;

/// A stream of events that has begun, at [`NOTES`].
async fn listening(server: &Server, token: &str) -> Line {
    let mut line = Line::open(server.address).await;
    line.say(request("GET", "/notes", token, "Accept: text/event-stream\r\n")).await;
    line.until("data: begun").await;
    line
}

/// Lets time pass as it passes when a server is used.
async fn serve_others(server: &Server) {
    for _ in 0..100 {
        assert_eq!(server.raw_request("GET", "/healthz", "").await.status(), 200);
    }
}

#[tokio::test]
async fn an_event_is_seen_before_the_next_one_is_sent() {
    let (behind, server) = world().await;
    let token = tokens(&server, NOTES).await.access;
    behind.say(Said::events());
    let mut line = listening(&server, &token).await;
    for number in 0..3 {
        behind.push(&chunk(&format!("data: {number}\n\n")));
        line.until(&format!("data: {number}\n\n")).await;
    }
    behind.push("0\r\n\r\n");
    assert_eq!(line.end().await, End::Whole);
}

#[tokio::test]
async fn an_answer_to_a_call_may_be_a_stream_as_well() {
    let (behind, server) = world().await;
    let token = tokens(&server, NOTES).await.access;
    behind.say(Said::events());
    let mut line = Line::open(server.address).await;
    line.say(post("/notes", &token, "", r#"{"jsonrpc":"2.0","id":1,"method":"tools/call"}"#)).await;
    line.until("data: begun").await;
    behind.push(&chunk("data: done\n\n"));
    line.until("data: done").await;
    behind.push("0\r\n\r\n");
    assert_eq!(line.end().await, End::Whole);
}

#[tokio::test]
async fn the_pieces_of_a_body_go_up_as_they_come() {
    for kind in ["application/octet-stream", "application/json"] {
        let (behind, server) = world().await;
        let token = tokens(&server, NOTES).await.access;
        let mut line = Line::open(server.address).await;
        let headers = format!("Content-Type: {kind}\r\nTransfer-Encoding: chunked\r\n");
        line.say(request("PUT", "/notes", &token, &headers)).await;
        for piece in ["{\"one\":", "\"two\",", "\"three\":4"] {
            line.say(chunk(piece)).await;
            behind.until_arrived(piece).await;
        }
        line.say(format!("{}0\r\n\r\n", chunk("}"))).await;
        assert!(line.head().await.starts_with("HTTP/1.1 200 "), "{kind}");
        assert!(behind.last().is_whole);
        assert_eq!(behind.last().header("transfer-encoding").as_deref(), Some("chunked"));
    }
}

#[tokio::test]
async fn a_body_of_unknown_length_goes_up_with_every_method() {
    let (behind, server) = world().await;
    let token = tokens(&server, NOTES).await.access;
    for method in ["GET", "DELETE", "OPTIONS", "PATCH", "HEAD"] {
        let wire = request(method, "/notes", &token, "Transfer-Encoding: chunked\r\n");
        let wire = format!("{wire}{}0\r\n\r\n", chunk("query"));
        assert_eq!(server.raw(wire).await.status(), 200, "{method}");
        assert_eq!(behind.last().body, b"5\r\nquery\r\n0\r\n\r\n", "{method}");
    }
}

#[tokio::test]
async fn a_server_behind_that_floods_is_read_no_faster_than_the_client_reads() {
    let (behind, server) = world().await;
    let token = tokens(&server, NOTES).await.access;
    behind.say(Said::Flood(b"HTTP/1.1 200 OK\r\ncontent-type: application/octet-stream\r\n\r\n".to_vec()));
    let mut line = Line::open(server.address).await;
    line.say(request("GET", "/notes", &token, "")).await;
    line.head().await;
    serve_others(&server).await;
    let first = behind.taken();
    assert!(first <= HELD_BYTES_MAX, "{first} bytes, and nobody reads them");
    serve_others(&server).await;
    assert!(behind.taken() <= HELD_BYTES_MAX);
    drop(line);
    behind.until_open(0).await;
}

#[tokio::test]
async fn a_client_that_floods_is_read_no_faster_than_the_server_behind_reads() {
    for kind in ["application/octet-stream", "application/json"] {
        let (behind, server) = world().await;
        let token = tokens(&server, NOTES).await.access;
        behind.say(Said::Deaf);
        let mut line = Line::open(server.address).await;
        let headers = format!("Content-Type: {kind}\r\nContent-Length: 1000000000\r\n");
        line.say(request("POST", "/notes", &token, &headers)).await;
        let mut taken = line.stuff().await;
        behind.until_begun(1).await;
        for _ in 0..3 {
            serve_others(&server).await;
            taken += line.stuff().await;
        }
        assert!(taken <= HELD_BYTES_MAX, "{taken} bytes, and nobody reads them");
    }
}

#[tokio::test]
async fn a_client_that_goes_away_takes_its_request_with_it() {
    let (behind, server) = world().await;
    let token = tokens(&server, NOTES).await.access;
    let since = Instant::now();
    // While the stream is silent.
    behind.say(Said::events());
    let line = listening(&server, &token).await;
    drop(line);
    behind.until_open(0).await;
    // While the answer is waited for.
    behind.say(Said::Silence);
    for wire in
        [request("GET", "/notes", &token, ""), post("/notes", &token, "", r#"{"method":"tools/call"}"#)]
    {
        let begun = behind.asked().len();
        let mut line = Line::open(server.address).await;
        line.say(wire).await;
        behind.until_asked(begun + 1).await;
        drop(line);
        behind.until_open(0).await;
    }
    // In the middle of its body: the server behind never has all of it.
    for headers in ["Content-Length: 100\r\n", "Transfer-Encoding: chunked\r\n"] {
        let begun = behind.asked().len();
        let mut line = Line::open(server.address).await;
        line.say(request("POST", "/notes", &token, headers)).await;
        line.say(chunk("half of it")).await;
        behind.until_arrived("half of it").await;
        drop(line);
        behind.until_open(0).await;
        behind.until_asked(begun + 1).await;
        assert!(!behind.last().is_whole, "{headers}");
    }
    assert!(since.elapsed() < Duration::from_secs(15), "promptly, and not when a time is up");
}

#[tokio::test]
async fn a_client_that_says_it_will_send_no_more_is_gone() {
    let (behind, server) = world().await;
    let token = tokens(&server, NOTES).await.access;
    behind.say(Said::events());
    let mut line = listening(&server, &token).await;
    line.hang_up_half().await;
    behind.until_open(0).await;
}

#[tokio::test]
async fn an_answer_that_breaks_off_behind_breaks_off_in_front() {
    let (behind, server) = world().await;
    let token = tokens(&server, NOTES).await.access;
    let kind = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n";
    for (said, what) in [
        (format!("{kind}transfer-encoding: chunked\r\n\r\n{}", chunk("half")), "between two chunks"),
        (format!("{kind}transfer-encoding: chunked\r\n\r\n20\r\nhalf"), "within a chunk"),
        (format!("{kind}transfer-encoding: chunked\r\n\r\n{}zz\r\n", chunk("half")), "a chunk that is none"),
        (format!("{kind}transfer-encoding: chunked\r\n\r\n{}0\r\n", chunk("half")), "within the end"),
    ] {
        behind.say(Said::Last(said.into_bytes()));
        let mut line = Line::open(server.address).await;
        line.say(request("GET", "/notes", &token, "")).await;
        line.until("half").await;
        assert_eq!(line.end().await, End::Broken, "{what}");
    }
    behind.say(Said::Last(format!("{kind}content-length: 10\r\n\r\nhalf").into_bytes()));
    let answer = ask(&server, "GET", "/notes", &token, "").await;
    assert_eq!((answer.header("content-length"), answer.body()), (Some("10"), "half"));
}

#[tokio::test]
async fn an_answer_without_a_length_ends_with_its_connection() {
    let (behind, server) = world().await;
    let token = tokens(&server, NOTES).await.access;
    behind.say(Said::Last(b"HTTP/1.1 200 OK\r\n\r\nall of it".to_vec()));
    let mut line = Line::open(server.address).await;
    line.say(request("GET", "/notes", &token, "")).await;
    line.until("all of it").await;
    assert_eq!(line.end().await, End::Whole);
}

#[tokio::test]
async fn a_body_that_breaks_off_in_front_is_never_whole_behind() {
    let (behind, server) = world().await;
    let token = tokens(&server, NOTES).await.access;
    for spoilt in [
        "zz\r\n",
        "5\r\nabc",
        "5\r\nabcdefg\r\n0\r\n\r\n",
        "-1\r\n",
        "ffffffffffffffffff\r\n",
        "5;\n\r\nabcde",
    ] {
        let asked = behind.asked().len();
        let mut line = Line::open(server.address).await;
        line.say(request("POST", "/notes", &token, "Transfer-Encoding: chunked\r\n")).await;
        line.say(chunk("half")).await;
        behind.until_arrived("half").await;
        line.say(spoilt).await;
        line.hang_up_half().await;
        behind.until_asked(asked + 1).await;
        assert!(!behind.last().is_whole, "{spoilt:?}");
    }
}

#[tokio::test]
async fn an_answer_may_come_before_the_body_is_there() {
    let (behind, server) = world().await;
    let token = tokens(&server, NOTES).await.access;
    behind.say(Said::AtOnce(b"HTTP/1.1 413 Content Too Large\r\ncontent-length: 3\r\n\r\nbig".to_vec()));
    let mut line = Line::open(server.address).await;
    line.say(request("POST", "/notes", &token, "Content-Length: 1000\r\n")).await;
    let head = line.head().await;
    assert!(head.starts_with("HTTP/1.1 413 ") && head.contains("connection: close"), "{head}");
    line.until("big").await;
}
