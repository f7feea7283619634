//! HTTP as it passes: what belongs to the two ends goes through as it is, what belongs to one connection stays on it.

use super::*;
use crate::harness::{End, Line};

#[tokio::test]
async fn methods_queries_and_unknown_headers_pass_as_they_are() {
    let (behind, server) = world().await;
    let token = tokens(&server, NOTES).await.access;
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
        let headers = "Mcp-Session-Id: s-1\r\nMCP-Protocol-Version: 2026-07-28\r\nLast-Event-ID: 7\r\nX-Odd: \u{e9}\r\n\
                       X-Twice: a\r\nX-Twice: b\r\nAccept: text/event-stream, */*\r\nRange: bytes=0-1\r\n";
        let answer = ask(&server, method, "/notes/a%20b;c=d?q=%2F%00&q=..//", &token, headers).await;
        assert_eq!(answer.status(), 200, "{method}");
        let asked = behind.last();
        assert_eq!(asked.line(), format!("{method} /mcp/a%20b;c=d?q=%2F%00&q=..// HTTP/1.1"));
        for (name, value) in [
            ("mcp-session-id", "s-1"),
            ("mcp-protocol-version", "2026-07-28"),
            ("last-event-id", "7"),
            ("x-odd", "\u{e9}"),
            ("x-twice", "a, b"),
            ("accept", "text/event-stream, */*"),
            ("range", "bytes=0-1"),
        ] {
            assert_eq!(asked.header(name).as_deref(), Some(value), "{method} {name}");
        }
    }
}

#[tokio::test]
async fn an_answers_status_and_headers_pass_as_they_are() {
    let (behind, server) = world().await;
    let token = tokens(&server, NOTES).await.access;
    for status in [
        "200 OK",
        "201 Created",
        "202 Accepted",
        "404 Not Found",
        "405 Method Not Allowed",
        "429 Slow",
        "500 Oops",
        "599 Odd",
    ] {
        behind.say(Said::whole(&format!(
            "HTTP/1.1 {status}\r\nmcp-session-id: s-1\r\ncontent-encoding: br\r\nx-twice: a\r\nx-twice: b\r\n\
             content-type: application/x-odd\r\netag: \"1\"\r\ncontent-length: 3\r\n\r\n\u{1}\u{2}\u{3}"
        )));
        let answer = ask(&server, "POST", "/notes", &token, "Content-Length: 0\r\n").await;
        assert_eq!(answer.status().to_string(), status[..3]);
        for header in [
            "mcp-session-id: s-1\r\n",
            "content-encoding: br\r\n",
            "x-twice: a\r\nx-twice: b\r\n",
            "etag: \"1\"\r\n",
        ] {
            assert!(answer.text().contains(header), "{header}: {}", answer.text());
        }
        assert_eq!(answer.body(), "\u{1}\u{2}\u{3}");
    }
}

#[tokio::test]
async fn answers_without_a_body_have_none() {
    let (behind, server) = world().await;
    let token = tokens(&server, NOTES).await.access;
    behind.say(Said::whole("HTTP/1.1 200 OK\r\ncontent-length: 1234\r\n\r\n"));
    let head = ask(&server, "HEAD", "/notes", &token, "").await;
    assert_eq!((head.status(), head.header("content-length"), head.body()), (200, Some("1234"), ""));
    behind.say(Said::whole("HTTP/1.1 204 No Content\r\n\r\n"));
    let none = ask(&server, "DELETE", "/notes", &token, "").await;
    assert_eq!((none.status(), none.header("transfer-encoding"), none.body()), (204, None, ""));
    behind.say(Said::whole("HTTP/1.1 304 Not Modified\r\netag: \"1\"\r\n\r\n"));
    let same = ask(&server, "GET", "/notes", &token, "If-None-Match: \"1\"\r\n").await;
    assert_eq!((same.status(), same.header("etag"), same.body()), (304, Some("\"1\""), ""));
    assert_eq!(behind.last().header("if-none-match").as_deref(), Some("\"1\""));
}

#[tokio::test]
async fn a_method_that_is_not_known_or_opens_tunnels_goes_nowhere() {
    let (behind, server) = world().await;
    let token = tokens(&server, NOTES).await.access;
    for (method, status) in
        [("TRACE", 405), ("CONNECT", 405), ("PROPFIND", 501), ("get", 501), ("SUBSCRIBE", 501)]
    {
        let answer = ask(&server, method, "/notes", &token, "").await;
        assert_eq!(answer.status(), status, "{method}");
    }
    let tunnel = format!(
        "CONNECT as.test:443 HTTP/1.1\r\nHost: as.test:443\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
    );
    assert!(server.raw(tunnel).await.status() >= 400);
    assert_eq!(behind.connections(), 0);
}

#[tokio::test]
async fn a_body_is_asked_for_when_the_token_is_good_and_not_before() {
    let (behind, server) = world().await;
    let token = tokens(&server, NOTES).await.access;
    let mut line = Line::open(server.address).await;
    line.say(request("POST", "/notes", &token, "Expect: 100-continue\r\nContent-Length: 4\r\n")).await;
    line.until("HTTP/1.1 100 Continue\r\n\r\n").await;
    line.say("body").await;
    assert!(line.head().await.starts_with("HTTP/1.1 200 "));
    assert_eq!((behind.last().body, behind.last().header("expect")), (b"body".to_vec(), None));
    let refused = ask(&server, "POST", "/notes", "x", "Expect: 100-continue\r\nContent-Length: 4\r\n").await;
    assert!(refused.text().starts_with("HTTP/1.1 401 "), "{}", refused.text());
    assert_eq!(behind.asked().len(), 1);
}

#[tokio::test]
async fn what_a_server_behind_says_in_between_stays_there() {
    let (behind, server) = world().await;
    let token = tokens(&server, NOTES).await.access;
    behind.say(Said::whole(
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>; rel=preload\r\n\r\n\
         HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ndone",
    ));
    let answer = ask(&server, "GET", "/notes", &token, "").await;
    assert_eq!((answer.status(), answer.body(), answer.header("link")), (200, "done", None));
}

#[tokio::test]
async fn trailers_stay_on_their_connection() {
    let (behind, server) = world().await;
    let token = tokens(&server, NOTES).await.access;
    let wire =
        request("POST", "/notes", &token, "Transfer-Encoding: chunked\r\nTrailer: x-vestibule-user\r\n");
    let wire = format!("{wire}{}0\r\nX-Vestibule-User: mallory\r\n\r\n", chunk("body"));
    behind.say(Said::whole(&format!(
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-late\r\n\r\n{}0\r\nx-late: 1\r\n\r\n",
        chunk("answer")
    )));
    let answer = server.raw(wire).await;
    assert_eq!(answer.status(), 200);
    assert!(!answer.text().contains("x-late"), "{}", answer.text());
    assert!(answer.text().ends_with("0\r\n\r\n"), "{}", answer.text());
    let asked = behind.last();
    assert_eq!(asked.body, b"4\r\nbody\r\n0\r\n\r\n");
    assert_eq!((asked.header("trailer"), asked.header("x-vestibule-user").as_deref()), (None, Some("alice")));
}

#[tokio::test]
async fn nobody_leaves_http_behind_the_guard() {
    let (behind, server) = world().await;
    let token = tokens(&server, NOTES).await.access;
    // What asks for another protocol is asked without it (RFC 9110 7.8).
    for upgrade in [
        "websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13",
        "h2c\r\nHTTP2-Settings: AAMAAABk",
    ] {
        let wire = format!(
            "GET /notes HTTP/1.1\r\nHost: as.test\r\nAuthorization: Bearer {token}\r\nConnection: close, Upgrade, HTTP2-Settings\r\nUpgrade: {upgrade}\r\n\r\n"
        );
        assert_eq!(server.raw(wire).await.status(), 200);
        let asked = behind.last();
        for name in ["upgrade", "connection", "http2-settings"] {
            assert_eq!(asked.header(name), None, "{name}");
        }
    }
    // And a server behind that changes it all the same has broken off.
    behind.say(Said::whole(
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n\u{1}",
    ));
    let answer = ask(&server, "GET", "/notes", &token, "Connection: upgrade\r\nUpgrade: websocket\r\n").await;
    assert_eq!(answer.status(), 502);
}

#[tokio::test]
async fn an_old_client_gets_what_it_understands() {
    let (behind, server) = world().await;
    let token = tokens(&server, NOTES).await.access;
    let old = format!("GET /notes HTTP/1.0\r\nHost: as.test\r\nAuthorization: Bearer {token}\r\n\r\n");
    behind.say(Said::events());
    let mut line = Line::open(server.address).await;
    line.say(&old).await;
    let head = line.head().await;
    assert!(!head.contains("transfer-encoding"), "{head}");
    line.until("data: begun\n\n").await;
    behind.push(&format!("{}0\r\n\r\n", chunk("data: end\n\n")));
    assert_eq!(line.rest().await, "data: end\n\n");
    assert_eq!(behind.last().line(), "GET /mcp HTTP/1.1");
    // Without a host nobody knows where it goes.
    let nowhere = server.raw(format!("GET /notes HTTP/1.0\r\nAuthorization: Bearer {token}\r\n\r\n")).await;
    assert_eq!((nowhere.status(), behind.asked().len()), (404, 1));
    // Nor has it a chunked body (RFC 9112 6.1).
    let chunked = format!(
        "POST /notes HTTP/1.0\r\nHost: as.test\r\nAuthorization: Bearer {token}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    );
    assert_eq!(server.raw(chunked).await.status(), 400);
    assert_eq!(behind.asked().len(), 1);
}

#[tokio::test]
async fn an_old_server_behind_is_understood() {
    let (behind, server) = world().await;
    let token = tokens(&server, NOTES).await.access;
    behind.say(Said::Last(b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nold".to_vec()));
    let mut line = Line::open(server.address).await;
    line.say(request("GET", "/notes", &token, "")).await;
    assert!(line.head().await.starts_with("HTTP/1.1 200 "));
    line.until("old").await;
    assert_eq!(line.end().await, End::Whole);
    behind.say(Said::whole("HTTP/1.0 200 OK\r\nContent-Length: 3\r\nConnection: keep-alive\r\n\r\nold"));
    assert_eq!(ask(&server, "GET", "/notes", &token, "").await.body(), "old");
}

#[tokio::test]
async fn an_empty_body_stays_one() {
    let (behind, server) = world().await;
    let token = tokens(&server, NOTES).await.access;
    ask(&server, "POST", "/notes", &token, "Content-Length: 0\r\n").await;
    let asked = behind.last();
    assert_eq!((asked.header("transfer-encoding"), asked.length, asked.is_whole), (None, 0, true));
    assert_eq!(asked.header("content-length").as_deref(), Some("0"), "RFC 9110 8.6");
    ask(&server, "GET", "/notes", &token, "").await;
    assert_eq!(behind.last().header("content-length"), None);
}
