//! Requests that two readers take for two, or for another one; and hosts that are not what they seem. The server behind
//! sees one whole request, of which the guard knew who asked, or none.

use super::*;
use crate::harness::Line;

/// Sends bytes with a good token in them, as often as `TOKEN` stands there; what came back.
async fn send(server: &Server, token: &str, wire: &str) -> String {
    let mut line = Line::open(server.address).await;
    line.try_say(wire.replace("TOKEN", token)).await;
    line.hang_up_half().await;
    line.rest().await
}

#[tokio::test]
async fn a_http_08_bodies_whose_length_is_in_doubt_go_nowhere() {
    let (behind, server) = world().await;
    let token = tokens(&server, NOTES).await.access;
    let smuggled =
        "0\r\n\r\nGET /notes/smuggled HTTP/1.1\r\nHost: as.test\r\nAuthorization: Bearer TOKEN\r\n\r\n";
    for framing in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: 5\r\nContent-Length: 5\r\n",
        "Content-Length: 5, 5\r\n",
        "Content-Length: +5\r\n",
        "Content-Length: -5\r\n",
        "Content-Length: 5 5\r\n",
        "Content-Length: 0x5\r\n",
        "Content-Length: 5.0\r\n",
        "Content-Length: \r\n",
        "Content-Length: 99999999999999999999999\r\n",
        "Content-Length : 5\r\n",
        "Content-Length\t: 5\r\n",
        " Content-Length: 5\r\n",
        "X: y\r\n Content-Length: 5\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        "Transfer-Encoding: identity, chunked\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding: chunked;q=1\r\n",
        "Transfer-Encoding: \"chunked\"\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding: chunked\0\r\n",
        "Transfer-Encoding:\u{b}chunked\r\n",
        "Transfer-Encoding : chunked\r\n",
        "Transfer_Encoding: chunked\r\nContent-Length: +5\r\n",
        "Transfer-Encoding\0: chunked\r\n",
        "Transfer-Encoding:\r\n chunked\r\n",
        "X: y\nTransfer-Encoding: chunked\r\n",
        "X: y\rTransfer-Encoding: chunked\r\n",
        "\rTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\n",
    ] {
        let wire = format!(
            "POST /notes HTTP/1.1\r\nHost: as.test\r\nAuthorization: Bearer TOKEN\r\n{framing}\r\n{smuggled}"
        );
        let answer = send(&server, &token, &wire).await;
        let statuses: Vec<&str> = answer.lines().filter(|line| line.starts_with("HTTP/1.1 ")).collect();
        assert!(
            statuses.is_empty() || (statuses.len() == 1 && statuses[0].starts_with("HTTP/1.1 400")),
            "{framing:?}: {answer}"
        );
        assert_eq!(behind.asked().len(), 0, "{framing:?}: {:?}", behind.asked());
    }
    assert_eq!(behind.connections(), 0);
}

#[tokio::test]
async fn what_looks_like_a_request_within_a_body_is_a_body() {
    let (behind, server) = world().await;
    let token = tokens(&server, NOTES).await.access;
    let inner = "GET /notes/smuggled HTTP/1.1\r\nHost: as.test\r\nAuthorization: Bearer TOKEN\r\n\r\n"
        .replace("TOKEN", &token);
    let by_length = format!(
        "{}{inner}",
        request("POST", "/notes", &token, &format!("Content-Length: {}\r\n", inner.len()))
    );
    let by_chunks = format!(
        "{}{}0\r\n\r\n",
        request("POST", "/notes", &token, "Transfer-Encoding: chunked\r\n"),
        chunk(&inner)
    );
    for wire in [by_length, by_chunks] {
        let answer = server.raw(wire).await;
        assert_eq!((answer.status(), answer.text().matches("HTTP/1.1 ").count()), (200, 1));
        assert!(String::from_utf8_lossy(&behind.last().body).contains("/notes/smuggled"));
    }
    let targets: Vec<_> = behind.asked().iter().map(|asked| asked.target().to_owned()).collect();
    assert_eq!(targets, ["/mcp", "/mcp"]);
}

#[tokio::test]
async fn what_follows_a_chunked_body_is_not_read() {
    let (behind, server) = world().await;
    let token = tokens(&server, NOTES).await.access;
    let head = "POST /notes HTTP/1.1\r\nHost: as.test\r\nAuthorization: Bearer TOKEN\r\n";
    let next = "GET /notes/next HTTP/1.1\r\nHost: as.test\r\nAuthorization: Bearer TOKEN\r\n\r\n";
    let answer =
        send(&server, &token, &format!("{head}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n{next}")).await;
    assert_eq!(answer.matches("HTTP/1.1 200").count(), 1, "{answer}");
    assert_eq!(behind.asked().len(), 1);
}

#[tokio::test]
async fn odd_chunks_arrive_as_plain_ones_or_not_at_all() {
    let (behind, server) = world().await;
    let token = tokens(&server, NOTES).await.access;
    for (chunks, body) in [
        ("5;a=b\r\nhello\r\n0;x\r\n\r\n", "5\r\nhello\r\n0\r\n\r\n"),
        ("0005\r\nhello\r\n000\r\n\r\n", "5\r\nhello\r\n0\r\n\r\n"),
        ("5\r\nhello\r\n0\r\nTrailer: x\r\nContent-Length: 9\r\n\r\n", "5\r\nhello\r\n0\r\n\r\n"),
    ] {
        let wire = format!("{}{chunks}", request("POST", "/notes", &token, "Transfer-Encoding: chunked\r\n"));
        assert_eq!(server.raw(wire).await.status(), 200, "{chunks:?}");
        assert_eq!(String::from_utf8_lossy(&behind.last().body), body);
    }
    let whole = behind.asked().len();
    for chunks in [
        "+5\r\nhello\r\n0\r\n\r\n",
        "0x5\r\nhello\r\n0\r\n\r\n",
        "5,\r\nhello\r\n0\r\n\r\n",
        "5\r\nhello0\r\n\r\n",
        "5\r\nhelloXX0\r\n\r\n",
        "5;a=\nb\r\nhello\r\n0\r\n\r\n",
        "ffffffffffffffff1\r\nhello\r\n0\r\n\r\n",
        "\r\n5\r\nhello\r\n0\r\n\r\n",
        "5\r\nhello\r\n",
    ] {
        let wire = request("POST", "/notes", "TOKEN", "Transfer-Encoding: chunked\r\n") + chunks;
        send(&server, &token, &wire).await;
        assert!(behind.asked().iter().skip(whole).all(|asked| !asked.is_whole), "{chunks:?}");
    }
}

#[tokio::test]
async fn heads_that_are_none_go_nowhere() {
    let (behind, server) = world().await;
    let token = tokens(&server, NOTES).await.access;
    let good = "Host: as.test\r\nAuthorization: Bearer TOKEN\r\nConnection: close\r\n";
    for wire in [
        format!("GET /notes HTTP/1.1\n{good}\r\n"),
        "GET /notes HTTP/1.1\r\nHost: as.test\nAuthorization: Bearer TOKEN\r\n\r\n".to_owned(),
        format!("GET /notes HTTP/1.1\r\n{good}\n"),
        format!("GET  /notes HTTP/1.1\r\n{good}\r\n"),
        format!("GET /notes  HTTP/1.1\r\n{good}\r\n"),
        format!("GET\t/notes\tHTTP/1.1\r\n{good}\r\n"),
        format!("GET /notes\r\n{good}\r\n"),
        format!("GET /notes HTTP/1.2\r\n{good}\r\n"),
        format!("GET /notes HTTP/2.0\r\n{good}\r\n"),
        format!("GET /notes http/1.1\r\n{good}\r\n"),
        format!("GET /no tes HTTP/1.1\r\n{good}\r\n"),
        format!("GET /notes#x HTTP/1.1\r\n{good}\r\n"),
        format!("GET /notes/\u{e9} HTTP/1.1\r\n{good}\r\n"),
        format!("GET /notes/\0 HTTP/1.1\r\n{good}\r\n"),
        format!("GET /notes/\u{7f} HTTP/1.1\r\n{good}\r\n"),
        format!("GET /notes HTTP/1.1\r\n{good}X y: z\r\n\r\n"),
        format!("GET /notes HTTP/1.1\r\n{good}X : z\r\n\r\n"),
        format!("GET /notes HTTP/1.1\r\n{good}: z\r\n\r\n"),
        format!("GET /notes HTTP/1.1\r\n{good}X: a\0b\r\n\r\n"),
        format!("GET /notes HTTP/1.1\r\n{good}X: a\rb\r\n\r\n"),
        format!("GET /notes HTTP/1.1\r\n{good}X: a\r\n b\r\n\r\n"),
        format!("GET /notes HTTP/1.1\r\n{good}X: a\r\n\tb\r\n\r\n"),
        format!("GET /notes HTTP/1.1\r\n{good}X\u{e9}: a\r\n\r\n"),
        format!("GET /notes HTTP/1.1\r\n {good}\r\n"),
        format!("GET /notes HTTP/1.1\r\n{good}no colon\r\n\r\n"),
        format!("GET notes HTTP/1.1\r\n{good}\r\n"),
        format!("GET * HTTP/1.1\r\n{good}\r\n"),
        format!("GET ?x HTTP/1.1\r\n{good}\r\n"),
        format!("\0GET /notes HTTP/1.1\r\n{good}\r\n"),
        format!("GET /notes HTTP/1.1\r\n{good}{}\r\n", "X: y\r\n".repeat(100)),
        format!("GET /notes HTTP/1.1\r\n{good}X: {}\r\n\r\n", "y".repeat(20_000)),
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
    ] {
        let answer = send(&server, &token, &wire).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{wire:?}: {answer}");
    }
    assert_eq!(behind.connections(), 0);
}

#[tokio::test]
async fn a_host_that_is_in_doubt_leads_nowhere() {
    let (behind, server) = world().await;
    let (notes, files) = (tokens(&server, NOTES).await.access, tokens(&server, FILES).await.access);
    let end = "Authorization: Bearer TOKEN\r\nConnection: close\r\n\r\n";
    for (wire, what) in [
        (format!("GET /mcp HTTP/1.1\r\n{end}"), "none"),
        (format!("GET /mcp HTTP/1.1\r\nHost: files.test\r\nHost: as.test\r\n{end}"), "two"),
        (format!("GET /mcp HTTP/1.1\r\nHost: as.test\r\nHost: files.test\r\n{end}"), "two"),
        (format!("GET /mcp HTTP/1.1\r\nHost: files.test\r\nHost: files.test\r\n{end}"), "two equal ones"),
        (format!("GET /mcp HTTP/1.1\r\nHost: files.test, as.test\r\n{end}"), "a list"),
        (format!("GET /mcp HTTP/1.1\r\nHost: u@files.test\r\n{end}"), "user information"),
        (format!("GET /mcp HTTP/1.1\r\nHost: files.test@evil.test\r\n{end}"), "user information"),
        (format!("GET /mcp HTTP/1.1\r\nHost: https://files.test\r\n{end}"), "a URL"),
        (format!("GET /mcp HTTP/1.1\r\nHost: files.test/mcp\r\n{end}"), "a path"),
        (format!("GET /mcp HTTP/1.1\r\nHost: files.test:\r\n{end}"), "an empty port"),
        (format!("GET /mcp HTTP/1.1\r\nHost: files.test:0443\r\n{end}"), "another spelling of a port"),
        (format!("GET /mcp HTTP/1.1\r\nHost: files.test:8443\r\n{end}"), "another port"),
        (format!("GET /mcp HTTP/1.1\r\nHost: files.test:80\r\n{end}"), "another scheme's port"),
        (format!("GET /mcp HTTP/1.1\r\nHost: files.test.\r\n{end}"), "a dot at the end"),
        (format!("GET /mcp HTTP/1.1\r\nHost: .files.test\r\n{end}"), "a dot at the beginning"),
        (format!("GET /mcp HTTP/1.1\r\nHost: [files.test]\r\n{end}"), "brackets"),
        (format!("GET /mcp HTTP/1.1\r\nHost: files\r\n{end}"), "part of it"),
        (format!("GET /mcp HTTP/1.1\r\nHost: files.test.evil.test\r\n{end}"), "more"),
        (format!("GET /mcp HTTP/1.1\r\nHost: \r\n{end}"), "nothing in it"),
        (
            format!("GET https://files.test/mcp HTTP/1.1\r\nHost: as.test\r\n{end}"),
            "a target at another host",
        ),
        (
            format!("GET https://as.test/mcp HTTP/1.1\r\nHost: files.test\r\n{end}"),
            "a target at another host",
        ),
        (
            format!("GET https://files.test:443/mcp HTTP/1.1\r\nHost: files.test\r\n{end}"),
            "a target spelled otherwise",
        ),
        (
            format!("GET https://u@files.test/mcp HTTP/1.1\r\nHost: files.test\r\n{end}"),
            "a target with a user",
        ),
        (format!("GET //files.test/mcp HTTP/1.1\r\nHost: as.test\r\n{end}"), "a target without a scheme"),
        (
            format!("GET /mcp HTTP/1.1\r\nHost: as.test\r\nX-Forwarded-Host: files.test\r\n{end}"),
            "a stranger's word",
        ),
        (
            format!("GET /mcp HTTP/1.1\r\nHost: as.test\r\nForwarded: host=files.test\r\n{end}"),
            "a stranger's word",
        ),
        (format!("GET /mcp HTTP/1.1\r\nHost: as.test\r\nX-Host: files.test\r\n{end}"), "a stranger's word"),
    ] {
        for token in [&files, &notes] {
            let answer = send(&server, token, &wire).await;
            assert!(
                answer.is_empty() || answer.starts_with("HTTP/1.1 400") || answer.starts_with("HTTP/1.1 404"),
                "{what}: {answer}"
            );
        }
    }
    assert_eq!(behind.connections(), 0);
}

#[tokio::test]
async fn a_host_counts_in_every_spelling_that_means_it() {
    let (behind, server) = world().await;
    let notes = tokens(&server, NOTES).await.access;
    let files = tokens(&server, FILES).await.access;
    for (target, host, token) in [
        ("/mcp", "files.test", &files),
        ("/mcp", "FILES.Test", &files),
        ("/mcp", "files.test:443", &files),
        ("https://files.test/mcp", "files.test", &files),
        ("https://FILES.test/mcp", "files.TEST", &files),
        ("/notes", "AS.test", &notes),
        ("/notes", "as.test:443", &notes),
        ("http://as.test/notes", "as.test", &notes),
    ] {
        let wire = format!(
            "GET {target} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
        );
        let answer = server.raw(wire).await;
        assert_eq!(answer.status(), 200, "{host} {target}: {}", answer.text());
        assert_eq!(behind.last().target(), "/mcp");
    }
    // An address is a host too.
    let uri = "https://[2001:db8::1]:8443/mcp";
    register(&server, guarded(&behind, uri, "", &[]));
    let token = tokens(&server, uri).await.access;
    for (host, status) in [
        ("[2001:db8::1]:8443", 200),
        ("[2001:DB8::1]:8443", 200),
        ("[2001:db8::1]", 404),
        ("[::1]:8443", 404),
    ] {
        let wire = format!(
            "GET /mcp HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
        );
        assert_eq!(server.raw(wire).await.status(), status, "{host}");
    }
}
