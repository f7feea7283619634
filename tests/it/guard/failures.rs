//! When the server behind fails: an error that an MCP client can show, with the id of the call that failed, and a line for
//! the owner that says what mends it.

use std::time::{Duration, Instant};

use serde_json::Value;
use vestibule::clock::Seconds;

use super::*;
use crate::harness::Line;

const CALL: &str = r#"{"jsonrpc":"2.0","id":"a-7","method":"tools/call","params":{"name":"x"}}"#;

/// The JSON-RPC error in an answer: code, message and id.
#[track_caller]
fn error_in(answer: &RawAnswer) -> (i64, String, Value) {
    assert_eq!(answer.header("content-type"), Some("application/json"), "{}", answer.text());
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let body: Value = serde_json::from_str(answer.body()).expect("JSON");
    assert_eq!(body["jsonrpc"], "2.0");
    let error = &body["error"];
    (
        error["code"].as_i64().expect("a code"),
        error["message"].as_str().expect("a message").to_owned(),
        body["id"].clone(),
    )
}

#[tokio::test]
async fn a_server_that_cannot_be_reached_is_a_bad_gateway() {
    let (behind, server) = world().await;
    let token = tokens(&server, NOTES).await.access;
    drop(behind);
    let answer = server.raw(post("/notes", &token, "", CALL)).await;
    assert_eq!(answer.status(), 502);
    let (code, message, id) = error_in(&answer);
    assert_eq!((code, id), (-32_603, json!("a-7")));
    assert!(message.contains("cannot be reached"), "{message}");
    let answer = ask(&server, "GET", "/notes", &token, "").await;
    assert_eq!((answer.status(), error_in(&answer).2), (502, json!(null)));
}

#[tokio::test]
async fn an_error_bears_the_id_of_the_call_as_it_was_written() {
    let (behind, server) = world().await;
    let token = tokens(&server, NOTES).await.access;
    behind.say(Said::Nothing);
    for (body, id) in [
        (r#"{"id":7,"method":"tools/call"}"#, json!(7)),
        (r#"{"method":"tools/call","params":{"id":1},"id":"x\"\u00e9"}"#, json!("x\"é")),
        (r#"{"id":-1.5,"method":"x"}"#, json!(-1.5)),
        (r#"{"method":"notifications/x"}"#, json!(null)),
        (r#"{"id":{"a":1},"method":"x"}"#, json!(null)),
        (r#"[{"id":1,"method":"x"}]"#, json!(null)),
        ("no JSON", json!(null)),
    ] {
        let answer = server.raw(post("/notes", &token, "", body)).await;
        assert_eq!((answer.status(), error_in(&answer).2), (502, id), "{body}");
    }
    // A guarded server with rules tells it too.
    let uri = "https://as.test/ruled";
    register(&server, guarded(&behind, uri, "", &["x=y"]));
    let token = tokens(&server, uri).await.access;
    let answer = server.raw(post("/ruled", &token, "", CALL)).await;
    assert_eq!((answer.status(), error_in(&answer).2), (502, json!("a-7")));
}

#[tokio::test]
async fn what_is_no_http_is_a_bad_gateway() {
    let (behind, server) = world().await;
    let token = tokens(&server, NOTES).await.access;
    let huge = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "y".repeat(1024 * 1024));
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: y\r\n".repeat(500));
    for said in [
        "",
        "\r\n",
        "SSH-2.0-OpenSSH_9.2\r\n",
        "<html>no status line</html>",
        "HTTP/1.1",
        "HTTP/1.1 200 OK\r\ncontent-length: 5",
        "HTTP/1.1 abc OK\r\n\r\n",
        "HTTP/1.1 99 Low\r\n\r\n",
        "HTTP/3.0 200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\nspace : x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nx: a\0b\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: +5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\ncontent-length: 5, 6\r\n\r\nhello!",
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello!",
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\ncontent-length: 5, 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 30\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked, gzip\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntransfer-encoding: identity\r\n\r\nhello",
        &huge,
        &many,
    ] {
        behind.say(Said::Last(said.as_bytes().to_vec()));
        let shown: String = said.chars().take(100).collect();
        let answer = server.raw(post("/notes", &token, "", CALL)).await;
        assert_eq!(answer.status(), 502, "{shown}: {}", answer.text());
        assert_eq!(
            error_in(&answer),
            (-32_603, "The server behind this one broke off.".to_owned(), json!("a-7"))
        );
    }
}

#[tokio::test]
async fn a_server_that_says_nothing_in_time_is_a_gateway_timeout_and_is_let_go() {
    let (behind, server) = world_with(|settings| settings.upstream_time = Seconds::new(1)).await;
    let token = tokens(&server, NOTES).await.access;
    behind.say(Said::Silence);
    let since = Instant::now();
    let answer = server.raw(post("/notes", &token, "", CALL)).await;
    assert_eq!(answer.status(), 504);
    assert!(since.elapsed() >= Duration::from_secs(1));
    assert_eq!(
        error_in(&answer),
        (-32_603, "The server behind this one did not answer in time.".to_owned(), json!("a-7"))
    );
    behind.until_open(0).await;
    assert_eq!(behind.asked().len(), 1, "it is not asked again");
}

#[tokio::test]
async fn once_an_answer_has_begun_it_has_all_the_time_it_takes() {
    let (behind, server) = world_with(|settings| settings.upstream_time = Seconds::new(1)).await;
    let token = tokens(&server, NOTES).await.access;
    behind.say(Said::events());
    let mut stream = Line::open(server.address).await;
    stream.say(request("GET", "/notes", &token, "")).await;
    stream.until("data: begun").await;
    // Somebody else's whole time goes by.
    behind.say(Said::Silence);
    assert_eq!(server.raw(post("/notes", &token, "", CALL)).await.status(), 504);
    behind.push(&chunk("data: still\n\n"));
    stream.until("data: still").await;
}

#[tokio::test]
async fn a_body_that_takes_its_time_is_not_the_server_behinds_fault() {
    let (behind, server) = world_with(|settings| settings.upstream_time = Seconds::new(1)).await;
    let token = tokens(&server, NOTES).await.access;
    let mut line = Line::open(server.address).await;
    line.say(request("POST", "/notes", &token, "Content-Length: 9\r\n")).await;
    let since = Instant::now();
    for piece in ["one", "two", "six"] {
        line.say(piece).await;
        behind.until_arrived(piece).await;
        // Somebody else's whole time goes by.
        behind.say(Said::Silence);
        let answer = ask(&server, "GET", "/notes", &token, "").await;
        assert_eq!(answer.status(), 504);
        if piece == "six" {
            break;
        }
    }
    assert!(since.elapsed() > Duration::from_secs(2));
    assert!(line.head().await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn a_server_that_takes_nothing_of_a_body_has_its_time_too() {
    let (behind, server) = world_with(|settings| settings.upstream_time = Seconds::new(1)).await;
    let token = tokens(&server, NOTES).await.access;
    behind.say(Said::Deaf);
    let mut line = Line::open(server.address).await;
    line.say(request("POST", "/notes", &token, "Content-Length: 1000000000\r\n")).await;
    line.stuff().await;
    let head = line.head().await;
    assert!(head.starts_with("HTTP/1.1 504 "), "{head}");
}

#[tokio::test]
async fn a_server_that_comes_back_is_asked_again() {
    let (behind, server) = world().await;
    let token = tokens(&server, NOTES).await.access;
    behind.say(Said::Nothing);
    assert_eq!(ask(&server, "GET", "/notes", &token, "").await.status(), 502);
    behind.say(Said::json("{}"));
    assert_eq!(ask(&server, "GET", "/notes", &token, "").await.status(), 200);
}

#[tokio::test]
async fn what_went_wrong_stays_in_the_house() {
    let (behind, server) = world().await;
    let token = tokens(&server, NOTES).await.access;
    let port = behind.address.port().to_string();
    behind.say(Said::Last(b"HTTP/1.1 200 OK\r\nbad header\r\n\r\n".to_vec()));
    let garbled = ask(&server, "GET", "/notes", &token, "").await;
    drop(behind);
    let gone = ask(&server, "GET", "/notes", &token, "").await;
    for answer in [garbled, gone] {
        for word in ["127.0.0.1", port.as_str(), "hyper", "refused", "os error"] {
            assert!(!answer.text().contains(word), "{word}: {}", answer.text());
        }
    }
}
