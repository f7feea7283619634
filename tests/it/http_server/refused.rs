//! Heads that never reach a handler.

use super::*;

#[test]
fn methods_that_are_not_ours_are_refused() {
    let server = Server::start();
    assert_turned_away(&server, "CONNECT as.test:443 HTTP/1.1\r\nHost: as.test\r\n\r\n", 405);
    assert_turned_away(&server, "TRACE / HTTP/1.1\r\nHost: as.test\r\n\r\n", 405);
    for method in ["BREW", "get", "Post", "PROPFIND"] {
        assert_turned_away(&server, format!("{method} / HTTP/1.1\r\nHost: as.test\r\n\r\n"), 501);
    }
    assert_eq!(body_of(&server.exchange("OPTIONS * HTTP/1.0\r\n\r\n")), "OPTIONS * ");
    assert_turned_away(&server, "GET * HTTP/1.1\r\nHost: as.test\r\n\r\n", 400);
}

#[test]
fn a_http_08_and_09_a_body_has_one_length() {
    let server = Server::start();
    let chunked = "Transfer-Encoding: chunked";
    for framing in [
        format!("Content-Length: 5\r\n{chunked}"),
        format!("{chunked}\r\nContent-Length: 5"),
        format!("{chunked}\r\n{chunked}"),
        format!("Transfer-Encoding: identity\r\n{chunked}"),
        "Transfer-Encoding: gzip, chunked".to_owned(),
        "Content-Length: 5\r\nContent-Length: 5".to_owned(),
        "Content-Length: 5\r\nX: y\r\ncONTENT-lENGTH: 5".to_owned(),
    ] {
        let request = format!("POST /body HTTP/1.1\r\nHost: as.test\r\n{framing}\r\n\r\n0\r\n\r\n");
        assert_turned_away_anywhere(&server, &request, 400);
    }
    // These hyper refuses by itself, and must go on doing so.
    for framing in
        ["Transfer-Encoding: chunked, identity", "Transfer-Encoding : chunked", "Content-Length: 5, 5"]
    {
        let answer = server.exchange(format!("POST /body HTTP/1.1\r\nHost: as.test\r\n{framing}\r\n\r\n"));
        assert!(answer.is_empty() || status_of(&answer) == 400, "{framing} {answer}");
    }
    assert_eq!(server.handled(), 14, "nothing but the good request before each bad one was handled");
}

#[test]
fn a_http_11_a_request_names_one_host() {
    let server = Server::start();
    assert_turned_away_anywhere(&server, "GET / HTTP/1.1\r\n\r\n", 400);
    for host in ["", "a@b", "a/b", "as.test:x", "as.test, b", &"a".repeat(10_240)] {
        assert_turned_away(&server, format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"), 400);
    }
    assert_turned_away_anywhere(&server, "GET / HTTP/1.1\r\nHost: as.test\r\nHost: as.test\r\n\r\n", 400);
    assert_eq!(status_of(&server.exchange("GET / HTTP/1.0\r\n\r\n")), 200, "HTTP/1.0 knows no Host");
}

#[test]
fn a_http_14_targets_are_visible_ascii_without_a_fragment() {
    let server = Server::start();
    for target in ["/\u{e9}", "/?\u{e9}", "/a#b", "/?a#b"] {
        assert_turned_away_anywhere(&server, &format!("GET {target} HTTP/1.1\r\nHost: as.test\r\n\r\n"), 400);
    }
    for byte in [0, 0x7f, 0x80, 0xff] {
        for (before, after) in
            [("GET /", " HTTP/1.1\r\nHost: x\r\n\r\n"), ("GET /?", " HTTP/1.1\r\nHost: x\r\n\r\n")]
        {
            let request = [before.as_bytes(), &[byte], after.as_bytes()].concat();
            assert_eq!(status_of(&server.exchange(request)), 400, "{byte:#x} in {before:?}");
        }
    }
    assert_turned_away(&server, "GET / HTTP/1.1\nHost: as.test\r\n\r\n", 400);
    assert_eq!(server.handled(), 8);
}

#[test]
fn a_http_26_an_expectation_is_met_or_refused_before_the_body() {
    let server = Server::start();
    let post =
        |headers: &str| format!("POST /body HTTP/1.1\r\nHost: as.test\r\nConnection: close\r\n{headers}\r\n");
    assert_turned_away(&server, post("Expect: 200-ok\r\nContent-Length: 2\r\n"), 417);
    let mut stream = server.connect();
    stream.write_all(post("Expect: 100-Continue\r\nContent-Length: 2\r\n").as_bytes()).unwrap();
    let mut interim = [0; 25];
    stream.read_exact(&mut interim).unwrap();
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"hi").unwrap();
    assert_eq!(body_of(&read_to_close(&mut stream)), "hi");
    let answer = server.exchange(post("Expect: 100-continue\r\nContent-Length: 65\r\n"));
    assert_eq!(status_of(&answer), 413, "and no 100 before it");
}

#[test]
fn r_12_heads_have_limits_and_one_more_is_refused() {
    let server = Server::start();
    let target = |length: usize| format!("GET /{} HTTP/1.0\r\n\r\n", "a".repeat(length - 1));
    assert_eq!(status_of(&server.exchange(target(8192))), 200);
    let refused = |request: String, status| {
        let answer = server.exchange(request);
        assert_eq!(status_of(&answer), status, "{answer}");
        assert!(body_of(&answer).starts_with(r#"{"error":"invalid_request""#));
    };
    refused(target(8193), 414);
    refused(target(20_000), 414);
    let head = |length: usize| format!("GET / HTTP/1.0\r\na: {}\r\n\r\n", "b".repeat(length - 23));
    assert_eq!(status_of(&server.exchange(head(16_384))), 200);
    refused(head(16_385), 431);
    let fields = |count: usize| format!("GET / HTTP/1.0\r\n{}\r\n", "a: b\r\n".repeat(count));
    assert_eq!(status_of(&server.exchange(fields(80))), 200);
    refused(fields(81), 431);
    assert_eq!(status_of(&server.exchange(fields(101))), 431, "hyper's own limit");
    assert_eq!(
        status_of(&server.exchange("GET / HTTP/1.0\r\n".to_owned() + &"a: b\r\n".repeat(100_000))),
        431
    );
}
