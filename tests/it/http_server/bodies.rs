//! Bodies: their size, their type, their end.

use super::*;

#[test]
fn a_http_05_bodies_are_bounded_and_never_inflated() {
    let server = Server::start();
    let post = |headers: &str, body: &str| {
        server.exchange(format!("POST /body HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n{body}"))
    };
    let sized = |length: usize| post(&format!("Content-Length: {length}\r\n"), &"a".repeat(length));
    let chunked = |chunk: usize, count: usize| {
        let chunk = format!("{chunk:x}\r\n{}\r\n", "a".repeat(chunk));
        post("Transfer-Encoding: chunked\r\n", &(chunk.repeat(count) + "0\r\n\r\n"))
    };
    assert_eq!(body_of(&sized(64)), "a".repeat(64));
    assert_eq!(status_of(&sized(65)), 413);
    assert_eq!(body_of(&chunked(64, 1)), "a".repeat(64));
    assert_eq!(body_of(&chunked(1, 64)), "a".repeat(64));
    assert_eq!(status_of(&chunked(65, 1)), 413);
    assert_eq!(status_of(&chunked(1, 65)), 413);
    // The answer arrives although megabytes are still being sent.
    assert_eq!(status_of(&sized(200_000)), 413);
    assert_eq!(status_of(&post("Content-Encoding: gzip\r\nContent-Length: 1\r\n", "a")), 415);
    assert_eq!(body_of(&post("Content-Encoding: identity\r\nContent-Length: 1\r\n", "a")), "a");
}

#[test]
fn a_http_02_a_body_is_read_as_what_it_is_declared_to_be() {
    let server = Server::start();
    let post = |path: &str, headers: &str, body: &str| {
        let length = body.len();
        server.exchange(format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
        ))
    };
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    let json = "Content-Type: application/json; charset=utf-8\r\n";
    assert_eq!(body_of(&post("/form", form, "a=1&a=%32+")), "1|2 ");
    assert_eq!(body_of(&post("/json", json, "{}")), "{}");
    for headers in
        ["", json, &form.repeat(2), "Content-Type: application/json, application/x-www-form-urlencoded\r\n"]
    {
        assert_eq!(status_of(&post("/form", headers, "a=1")), 415, "{headers}");
    }
    assert_eq!(status_of(&post("/json", form, "{}")), 415);
    for body in ["a=%", "a=%c0%af", "a=%00", "a=%zz"] {
        let answer = post("/form", form, body);
        assert_eq!(status_of(&answer), 400, "A-HTTP-15 {body}");
        assert!(!body_of(&answer).contains(body), "the sentence has no data");
    }
}

#[test]
fn a_http_06_a_body_that_ends_early_is_broken() {
    let server = Server::start();
    let mut stream = server.connect();
    stream.write_all(b"POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let answer = read_to_close(&mut stream);
    assert!(answer.is_empty() || status_of(&answer) == 400, "{answer}");
    for chunks in ["x\r\n", "1\r\nab\r\n0\r\n\r\n", "-1\r\n", "fffffffffffffffff\r\n"] {
        let head = "POST /body HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
        let answer = server.exchange(format!("{head}{chunks}"));
        assert_eq!(status_of(&answer), 400, "{chunks:?} {answer}");
        assert_eq!(body_of(&answer), BodyRefusal::Broken.describe());
    }
}

#[test]
fn a_http_29_an_unread_body_ends_the_connection_and_is_never_a_request() {
    let server = Server::start();
    let inner = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n";
    for framing in [
        format!("Content-Length: {}\r\n\r\n{inner}", inner.len()),
        format!("Content-Length: 1000000\r\n\r\n{inner}"),
        format!("Transfer-Encoding: chunked\r\n\r\n{inner}"),
    ] {
        let answer = server.exchange(format!("POST /unread HTTP/1.1\r\nHost: x\r\n{framing}"));
        assert_eq!(status_of(&answer), 401);
        assert_eq!(header_of(&answer, "connection"), Some("close"));
        assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{answer}");
    }
    assert_eq!(server.handled(), 3);
}

#[test]
fn a_chunked_request_is_the_last_of_its_connection() {
    let server = Server::start();
    let answer = server.exchange(
        "POST /body HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n\
         GET /second HTTP/1.1\r\nHost: x\r\n\r\n",
    );
    assert_eq!(body_of(&answer), "hi");
    assert_eq!(header_of(&answer, "connection"), Some("close"));
    assert_eq!(server.handled(), 1);
}
