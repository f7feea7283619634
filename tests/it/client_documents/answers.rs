//! Which answers of a host count as a document: 200, declared to be JSON, not compressed, short, and whole.

use serde_json::Value;

use super::{NAME, PATH, World, assert_known, assert_refused, document, kept, visit, with};
use crate::harness::{Host, Reply};

/// From a document to bytes that are none.
type Spoil = fn(&Value) -> Vec<u8>;

/// From a body to an answer that says in some way where it ends.
type Framing = fn(&[u8]) -> Vec<u8>;

/// A document's body of exactly so many bytes.
fn of_length(url: &str, bytes: usize) -> Vec<u8> {
    let short = with(document(url), serde_json::json!({ "padding": "" })).to_string();
    let padding = "x".repeat(bytes.checked_sub(short.len()).expect("longer than the rest"));
    let body = with(document(url), serde_json::json!({ "padding": padding })).to_string();
    assert_eq!(body.len(), bytes);
    body.into_bytes()
}

fn head(lines: &[&str]) -> Vec<u8> {
    let lines: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
    format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n{lines}\r\n").into_bytes()
}

fn chunked(body: &[u8]) -> Vec<u8> {
    let mut chunks = Vec::new();
    for part in body.chunks(1000) {
        chunks.extend_from_slice(format!("{:x}\r\n", part.len()).as_bytes());
        chunks.extend_from_slice(part);
        chunks.extend_from_slice(b"\r\n");
    }
    [head(&["transfer-encoding: chunked"]), chunks, b"0\r\n\r\n".to_vec()].concat()
}

fn measured(body: &[u8]) -> Vec<u8> {
    [head(&[&format!("content-length: {}", body.len())]), body.to_vec()].concat()
}

/// Until the connection ends.
fn unmeasured(body: &[u8]) -> Vec<u8> {
    [head(&["connection: close"]), body.to_vec()].concat()
}

/// Puts a document of its own at a path.
fn put(world: &World, path: &str, reply: impl FnOnce(&Value) -> Reply) -> String {
    let url = world.host.url(NAME, path);
    world.host.put(path, reply(&document(&url)));
    // Longer than it takes until this address may have another document fetched.
    world.server.advance(60);
    url
}

#[tokio::test]
async fn a_cimd_07_c_cm_08_only_200_brings_a_document_and_nothing_else_is_remembered() {
    let world = World::new().await;
    let spoken = ["201 Created", "202 Accepted", "203 Non-Authoritative Information", "204 No Content"];
    let spoken =
        [&spoken[..], &["206 Partial Content", "304 Not Modified", "404 Not Found", "410 Gone"]].concat();
    let ill = [
        "401 Unauthorized",
        "403 Forbidden",
        "429 Too Many Requests",
        "500 Oops",
        "502 Bad Gateway",
        "503 No",
    ];
    for (statuses, answer) in [(&spoken[..], 400), (&ill, 503)] {
        for status in statuses {
            let number = &status[..3];
            let url = put(&world, &format!("/{number}"), |document| {
                let body = document.to_string();
                let body = if matches!(number, "204" | "304") { "" } else { &body };
                Reply::answer(status, &[("content-type", "application/json")], body.as_bytes())
            });
            let before = world.host.hits();
            assert_refused(&world.server, &url, answer, &format!("(status {number})")).await;
            assert_eq!(world.host.hits(), before + 2, "C-CM-16: {status} is asked for each time");
        }
    }
}

#[tokio::test]
async fn a_cimd_07_c_cm_09_no_redirect_is_followed_neither_out_nor_in() {
    let world = World::new().await;
    let inside = Host::start(&[NAME]).await;
    let here = world.host.url(NAME, "/elsewhere.json");
    world.host.put("/elsewhere.json", Reply::json(&document(&here)));
    let there = inside.url(NAME, PATH);
    inside.put(PATH, Reply::json(&document(&there)));
    for status in
        ["301 Moved", "302 Found", "303 See Other", "307 Temporary Redirect", "308 Permanent Redirect"]
    {
        for target in [here.as_str(), &there, "/elsewhere.json", "https://169.254.169.254/latest/meta-data/"]
        {
            let number = &status[..3];
            let url = put(&world, &format!("/{number}"), |document| {
                let headers = [("content-type", "application/json"), ("location", target)];
                Reply::answer(status, &headers, document.to_string().as_bytes())
            });
            assert_refused(&world.server, &url, 400, &format!("(status {number})")).await;
        }
    }
    // What only looks like a redirect is one to nobody here either.
    let url = put(&world, "/refresh", |document| {
        let elsewhere = format!("0; url={here}");
        let headers = [("refresh", elsewhere.as_str()), ("location", &here), ("content-location", &here)];
        Reply::json_with(&headers, document)
    });
    assert_known(&visit(&world.server, &url).await, "a document with Refresh");
    let elsewhere = world.host.asked().iter().filter(|head| head.contains("/elsewhere.json")).count();
    assert_eq!((elsewhere, inside.connections()), (0, 0));
    assert!(kept(&world.server, &here).is_none());
}

#[tokio::test]
async fn a_cimd_08_only_what_is_declared_to_be_json_is_read_and_only_utf_8() {
    let world = World::new().await;
    let typed = |path: &str, types: &[&str]| {
        put(&world, path, |document| {
            let headers: Vec<_> = types.iter().map(|value| ("content-type", *value)).collect();
            Reply::answer("200 OK", &headers, document.to_string().as_bytes())
        })
    };
    let good = [
        "application/json",
        "Application/JSON;charset=UTF-8",
        "application/cimd+json",
        "application/foo+json; q=1",
    ];
    for (at, value) in good.iter().enumerate() {
        assert_known(&visit(&world.server, &typed(&format!("/good{at}"), &[value])).await, value);
    }
    let bad: [&[&str]; 9] = [
        &[],
        &["text/html"],
        &["text/plain"],
        &["text/json"],
        &["application/javascript"],
        &["application/json; charset=utf-16"],
        &["application/json, text/html"],
        &["application/json", "text/html"],
        &["*/*"],
    ];
    for (at, types) in bad.iter().enumerate() {
        assert_refused(&world.server, &typed(&format!("/bad{at}"), types), 400, "(not_json)").await;
    }
    let spoils: [Spoil; 4] = [
        |document| document.to_string().encode_utf16().flat_map(u16::to_be_bytes).collect(),
        |document| [document.to_string().as_bytes(), b"\xff"].concat(),
        |document| [b"\xef\xbb\xbf", document.to_string().as_bytes()].concat(),
        |document| {
            document
                .to_string()
                .replace("world", "w\u{f6}rld")
                .into_bytes()
                .into_iter()
                .filter(|b| *b != 0xc3)
                .collect()
        },
    ];
    for (at, spoil) in spoils.iter().enumerate() {
        let url = put(&world, &format!("/spoilt{at}"), |document| Reply::Bytes(measured(&spoil(document))));
        assert_refused(&world.server, &url, 400, "(not_an_object)").await;
    }
}

#[tokio::test]
async fn a_cimd_09_c_cm_15_nothing_is_inflated() {
    let world = World::new().await;
    for coding in ["gzip", "br", "deflate", "zstd", "x-gzip", "identity, gzip", "gzip, identity"] {
        let path = format!("/{}", coding.replace(", ", "-"));
        let url = put(&world, &path, |document| Reply::json_with(&[("content-encoding", coding)], document));
        assert_refused(&world.server, &url, 400, "(encoded)").await;
    }
    // A gzip member of 10 GB would have this head; nobody looks at more than that it is no JSON.
    let bomb = [&b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03"[..], &[0xec; 3000]].concat();
    let url = put(&world, "/bomb", |_| Reply::Bytes(measured(&bomb)));
    assert_refused(&world.server, &url, 400, "(not_an_object)").await;
    let url =
        put(&world, "/plain", |document| Reply::json_with(&[("content-encoding", "identity")], document));
    assert_known(&visit(&world.server, &url).await, "identity is no encoding");
    let asked = world.host.asked();
    assert!(asked.iter().all(|head| head.contains("\r\naccept-encoding: identity\r\n")), "{asked:?}");
}

#[tokio::test]
async fn a_cimd_09_c_cm_15_a_document_has_5120_bytes_and_not_one_more_however_it_is_sent() {
    let standard = World::new().await;
    let generous = World::with(|settings| settings.client_documents.bytes_max = 65_536).await;
    let sparing = World::with(|settings| settings.client_documents.bytes_max = 1024).await;
    let framings: [(&str, Framing); 3] =
        [("measured", measured), ("chunked", chunked), ("unmeasured", unmeasured)];
    for (world, most) in [(&standard, 5120), (&generous, 65_536), (&sparing, 1024)] {
        for (name, framed) in framings {
            for bytes in [most, most + 1] {
                let path = format!("/{name}/{bytes}");
                let url = world.host.url(NAME, &path);
                let url = put(world, &path, |_| Reply::Bytes(framed(&of_length(&url, bytes))));
                if bytes == most {
                    assert_known(&visit(&world.server, &url).await, &url);
                } else {
                    assert_refused(&world.server, &url, 400, "(too_large)").await;
                }
            }
        }
    }
}

#[tokio::test]
async fn a_cimd_09_c_cm_15_what_has_no_end_is_read_to_the_limit_only() {
    let world = World::new().await;
    let spaces = vec![b' '; 16 * 1024];
    let chunk = [b"4000\r\n", &spaces[..], b"\r\n"].concat();
    for (path, first, then, reason) in [
        ("/chunks", head(&["transfer-encoding: chunked"]), chunk, "(too_large)"),
        ("/length", head(&["content-length: 10737418240"]), spaces.clone(), "(too_large)"),
        ("/until-the-end", head(&["connection: close"]), spaces, "(too_large)"),
        ("/headers", b"HTTP/1.1 200 OK\r\n".to_vec(), b"x-more: of the same\r\n".to_vec(), "(broken)"),
        ("/header", b"HTTP/1.1 200 OK\r\nx: ".to_vec(), b"more of the same".to_vec(), "(broken)"),
        ("/status", b"HTTP/1.1 200 ".to_vec(), b"OK and more".to_vec(), "(broken)"),
    ] {
        let url = put(&world, path, |_| Reply::Endless(first, then));
        let status = if reason == "(broken)" { 503 } else { 400 };
        assert_refused(&world.server, &url, status, reason).await;
    }
}

#[tokio::test]
async fn a_document_that_broke_off_is_none() {
    let world = World::new().await;
    let body = |document: &Value| document.to_string().into_bytes();
    // Whoever cuts a connection must not be able to choose where a document ends (RFC 8446 6.1).
    let url = put(&world, "/cut", |document| Reply::Torn(unmeasured(&body(document))));
    assert_refused(&world.server, &url, 503, "(broken)").await;
    let url = put(&world, "/ended", |document| Reply::Bytes(unmeasured(&body(document))));
    assert_known(&visit(&world.server, &url).await, "the same with an end");

    let url = put(&world, "/short", |document| {
        let body = body(document);
        Reply::Bytes([head(&[&format!("content-length: {}", body.len() + 1)]), body].concat())
    });
    assert_refused(&world.server, &url, 503, "(broken)").await;
    let url = put(&world, "/last-chunk", |document| {
        let mut bytes = chunked(&body(document));
        bytes.truncate(bytes.len() - 5);
        Reply::Bytes(bytes)
    });
    assert_refused(&world.server, &url, 503, "(broken)").await;
    for (path, bytes) in [
        ("/nothing", Vec::new()),
        ("/half", b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n".to_vec()),
        ("/other", b"SSH-2.0-OpenSSH_9.9\r\n".to_vec()),
        ("/two-lengths", head(&["content-length: 2", "content-length: 3"])),
        ("/no-length", head(&["content-length: many"])),
    ] {
        let url = put(&world, path, |_| Reply::Bytes(bytes));
        assert_refused(&world.server, &url, 503, "(broken)").await;
    }
    // What is sent before the answer is no answer (RFC 9110 15.2), and what follows it is nobody's.
    let url = put(&world, "/early", |document| {
        let hints = b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n".to_vec();
        Reply::Bytes([hints, measured(&body(document)), b"HTTP/1.1 404 No\r\n\r\n".to_vec()].concat())
    });
    assert_known(&visit(&world.server, &url).await, "early hints");
    let url = put(&world, "/kept-open", |document| Reply::Stalled(measured(&body(document))));
    assert_known(&visit(&world.server, &url).await, "the host would take another request");
    let url = put(&world, "/trailers", |document| {
        let mut bytes = chunked(&body(document));
        bytes.truncate(bytes.len() - 2);
        Reply::Bytes([&bytes[..], b"client_id: x\r\ncontent-type: text/html\r\n\r\n"].concat())
    });
    assert_known(&visit(&world.server, &url).await, "trailers mean nothing");
}
