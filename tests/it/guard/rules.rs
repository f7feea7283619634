//! Rules: which scope a call needs. Whatever the guard decides, it decides about what the server behind will read; where
//! that is not certain, it refuses.

mod ambiguity;

use vestibule::http::Method;

use super::*;
use crate::harness::Line;

const DELETE: &str = "tools/call:delete_*=write";

/// A server with one rule, and a token that may only read.
async fn reader() -> (Behind, Server, String) {
    reader_with(&[DELETE]).await
}

async fn reader_with(rules: &[&str]) -> (Behind, Server, String) {
    let (behind, server) = world_with_rules(rules).await;
    let app = ClientApp::fixture("pub");
    let token = app.tokens(&server, "alice", &[("resource", NOTES), ("scope", "read")]).await.access;
    (behind, server, token)
}

fn call(name: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"{name}","arguments":{{}}}}}}"#
    )
}

async fn send(server: &Server, token: &str, body: &str) -> RawAnswer {
    server.raw(post("/notes", token, "", body)).await
}

#[tokio::test]
async fn a_call_that_needs_more_is_refused_with_all_that_it_needs_in_one_challenge() {
    let rules = [DELETE, "tools/call:*note*=notes:all admin", "resources/*=files"];
    let (behind, server, token) = reader_with(&rules).await;
    let answer = send(&server, &token, &call("delete_note")).await;
    assert_eq!(answer.status(), 403);
    assert_eq!(
        answer.header("www-authenticate"),
        Some(
            "Bearer resource_metadata=\"https://as.test/.well-known/oauth-protected-resource/notes\", \
             error=\"insufficient_scope\", \
             error_description=\"This call needs a scope that the access token does not have.\", \
             scope=\"admin notes:all read write\""
        )
    );
    assert_eq!(behind.connections(), 0);
    assert_eq!(send(&server, &token, &call("list")).await.status(), 200);
    assert_eq!(behind.last().body, call("list").as_bytes());
}

#[tokio::test]
async fn a_client_asks_first_for_what_no_rule_asks_for_by_itself() {
    let (_behind, server, _) = reader().await;
    let first = server.get("/notes").send().await;
    let challenge = first.header("www-authenticate").expect("a challenge");
    assert!(challenge.ends_with(r#", scope="read""#), "{challenge}");
    let metadata = server.get("/.well-known/oauth-protected-resource/notes").send().await;
    assert_eq!(metadata.json()["scopes_supported"], json!(["read", "write"]));
}

#[tokio::test]
async fn with_the_scope_the_call_passes_byte_for_byte() {
    let (behind, server) = world_with_rules(&[DELETE]).await;
    let app = ClientApp::fixture("pub");
    let token = app.tokens(&server, "alice", &[("resource", NOTES), ("scope", "read write")]).await.access;
    for body in [
        call("delete_note"),
        format!(" \r\n{}\t\n", call("delete_note")),
        r#"{"params":{"arguments":{"name":"x","name":"y","método":"é"},"name":"delete_note"},"id":1e400,"method":"tools/call"}"#
            .to_owned(),
        format!("[{},{}]", call("delete_note"), call("list")),
    ] {
        assert_eq!(send(&server, &token, &body).await.status(), 200, "{body}");
        assert_eq!(behind.last().body, body.as_bytes());
    }
}

#[tokio::test]
async fn one_call_of_a_batch_that_may_not_pass_holds_up_all_of_it() {
    let (behind, server, token) = reader_with(&[DELETE, "tools/call:admin=admin"]).await;
    let (list, delete, admin) = (call("list"), call("delete_note"), call("admin"));
    for (batch, needed) in [
        (format!("[{list},{delete}]"), "read write"),
        (format!("[{delete},{list}]"), "read write"),
        (format!("[{list},{list},{admin},{delete}]"), "admin read write"),
    ] {
        let answer = send(&server, &token, &batch).await;
        assert_eq!(answer.status(), 403, "{batch}");
        let challenge = answer.header("www-authenticate").expect("a challenge");
        assert!(challenge.ends_with(&format!(r#", scope="{needed}""#)), "{challenge}");
    }
    assert_eq!(behind.connections(), 0);
    assert_eq!(send(&server, &token, &format!("[{list},{list}]")).await.status(), 200);
    assert_eq!(send(&server, &token, "[]").await.status(), 200);
    let many = format!("[{}]", vec![list.as_str(); 101].join(","));
    assert_eq!(send(&server, &token, &many).await.status(), 400);
    assert_eq!(behind.asked().len(), 2);
}

#[tokio::test]
async fn whatever_the_method_a_body_is_looked_at() {
    let (behind, server, token) = reader().await;
    let body = call("delete_note");
    let headers = format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
    for method in [Method::GET, Method::PUT, Method::PATCH, Method::DELETE, Method::POST, Method::OPTIONS] {
        let wire = format!("{}{body}", request(method.as_str(), "/notes", &token, &headers));
        assert_eq!(server.raw(wire).await.status(), 403, "{method}");
        let chunked = "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n";
        let wire =
            format!("{}{}0\r\n\r\n", request(method.as_str(), "/notes", &token, chunked), chunk(&body));
        assert_eq!(server.raw(wire).await.status(), 403, "{method}, chunked");
    }
    assert_eq!(behind.connections(), 0);
}

#[tokio::test]
async fn a_request_without_a_body_calls_nothing() {
    let (behind, server, token) = reader().await;
    for (method, headers, end) in [
        ("GET", "", ""),
        ("DELETE", "Mcp-Session-Id: s1\r\n", ""),
        ("POST", "Content-Length: 0\r\n", ""),
        ("DELETE", "Transfer-Encoding: chunked\r\n", "0\r\n\r\n"),
        ("POST", "Transfer-Encoding: chunked\r\n", "0\r\n\r\n"),
    ] {
        let wire = format!("{}{end}", request(method, "/notes", &token, headers));
        assert_eq!(server.raw(wire).await.status(), 200, "{method} {headers}");
    }
    assert_eq!(behind.asked().len(), 5);
}

#[tokio::test]
async fn what_is_not_declared_as_plain_json_is_refused_whatever_is_in_it() {
    let (behind, server, token) = reader().await;
    let body = call("list");
    for kind in [
        "Content-Type: text/plain\r\n",
        "Content-Type: application/x-www-form-urlencoded\r\n",
        "Content-Type: application/jsonp\r\n",
        "Content-Type: application/json-rpc\r\n",
        "Content-Type: application/vnd.x+json\r\n",
        "Content-Type: application/json, text/plain\r\n",
        "Content-Type: application/json; charset=utf-16\r\n",
        "Content-Type: application/json; charset=iso-8859-1\r\n",
        "Content-Type: application/json;charset=\"utf-7\"\r\n",
        "Content-Type: \r\n",
        "Content-Type: application/json\r\nContent-Type: text/plain\r\n",
        "Content-Type: application/json\r\nContent-Type: application/json\r\n",
        "Content-Type: application/json\r\nContent-Encoding: gzip\r\n",
        "Content-Type: application/json\r\nContent-Encoding: identity, gzip\r\n",
        "Content-Type: application/json\r\nContent-Encoding: br\r\n",
        "",
    ] {
        let headers = format!("{kind}Content-Length: {}\r\n", body.len());
        let answer = server.raw(format!("{}{body}", request("POST", "/notes", &token, &headers))).await;
        assert_eq!(answer.status(), 415, "{kind}");
    }
    assert_eq!(behind.connections(), 0);
    for kind in
        ["application/json", "Application/JSON", "application/json; charset=UTF-8", "application/json;"]
    {
        let headers = format!("Content-Type: {kind}\r\nContent-Length: {}\r\n", body.len());
        let answer = server.raw(format!("{}{body}", request("POST", "/notes", &token, &headers))).await;
        assert_eq!(answer.status(), 200, "{kind}");
    }
}

#[tokio::test]
async fn a_body_in_the_smallest_pieces_is_read_as_in_one() {
    let (behind, server, token) = reader().await;
    for (body, status) in [(call("delete_note"), 403), (call("list"), 200), (call("löschen"), 200)] {
        let head = request(
            "POST",
            "/notes",
            &token,
            "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n",
        );
        let mut wire = head.into_bytes();
        for byte in body.bytes() {
            wire.extend_from_slice(b"1\r\n");
            wire.push(byte);
            wire.extend_from_slice(b"\r\n");
        }
        wire.extend_from_slice(b"0\r\n\r\n");
        assert_eq!(server.raw(&wire).await.status(), status, "{body}");
    }
    assert_eq!(behind.asked().len(), 2);
}

#[tokio::test]
async fn what_is_called_has_to_be_near_the_beginning() {
    let (behind, server, token) = reader().await;
    let big = "x".repeat(1024 * 1024);
    let late =
        format!(r#"{{"params":{{"arguments":{{"big":"{big}"}},"name":"list"}},"method":"tools/call"}}"#);
    let mut line = Line::open(server.address).await;
    line.try_say(post("/notes", &token, "", &late)).await;
    let head = line.head().await;
    assert!(head.starts_with("HTTP/1.1 413 "), "{head}");
    assert_eq!(behind.connections(), 0);
    let early =
        format!(r#"{{"method":"tools/call","params":{{"name":"list","arguments":{{"big":"{big}"}}}}}}"#);
    assert_eq!(send(&server, &token, &early).await.status(), 200);
    assert_eq!(behind.last().length, early.len());
}

#[tokio::test]
async fn there_is_room_for_so_many_large_calls_of_which_it_is_not_clear_what_they_call() {
    let (_behind, server, token) = reader().await;
    let with = |length: usize| {
        let text = "x".repeat(length);
        format!(r#"{{"params":{{"arguments":{{"text":"{text}"}},"name":"list"}},"method":"tools/call"}}"#)
    };
    let taken: Vec<_> = std::iter::from_fn(|| server.app.room.enter()).collect();
    assert_eq!(taken.len(), 256);
    assert_eq!(send(&server, &token, &with(10_000)).await.status(), 200, "small ones need none");
    assert_eq!(send(&server, &token, &with(100_000)).await.status(), 503);
    drop(taken);
    assert_eq!(send(&server, &token, &with(100_000)).await.status(), 200);
}

#[tokio::test]
async fn a_large_body_goes_on_as_soon_as_it_is_certain_what_it_calls() {
    let (behind, server, token) = reader().await;
    let mut line = Line::open(server.address).await;
    let body = call("list");
    let (first, rest) = body.split_at(body.find(",\"arguments").expect("arguments"));
    line.say(request(
        "POST",
        "/notes",
        &token,
        &format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len()),
    ))
    .await;
    line.say(first).await;
    behind.until_arrived("\"name\":\"list\"").await;
    line.say(rest).await;
    assert!(line.head().await.starts_with("HTTP/1.1 200 "));
    assert_eq!(behind.last().body, body.as_bytes());
}

#[tokio::test]
async fn what_turns_out_ambiguous_later_never_arrives_whole() {
    let start = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"list""#;
    for end in [
        r#","name":"delete_note"}}"#,
        r#"},"method":"tools/call"}"#,
        r#"},"params":{"name":"delete_note"}}"#,
        r#"},"Method":"x"}"#,
        r#"},"__proto__":{}}"#,
        r#"}}{"jsonrpc":"2.0","method":"tools/call","params":{"name":"delete_note"}}"#,
        r#"}},{"#,
        "}} x",
        "}",
        "",
        "}}\0",
    ] {
        let (behind, server, token) = reader().await;
        let mut line = Line::open(server.address).await;
        let length = start.len() + end.len();
        let headers =
            format!("Content-Type: application/json\r\nContent-Length: {}\r\n", length.max(start.len() + 1));
        line.say(request("POST", "/notes", &token, &headers)).await;
        line.say(start).await;
        behind.until_arrived("\"name\":\"list\"").await;
        line.say(if end.is_empty() { " " } else { end }).await;
        let head = line.head().await;
        assert!(head.starts_with("HTTP/1.1 400 "), "{end}: {head}");
        behind.until_asked(1).await;
        assert!(!behind.last().is_whole, "{end}");
    }
}

#[tokio::test]
async fn headers_that_name_the_call_have_to_say_what_the_body_says() {
    let (behind, server, token) = reader().await;
    for (headers, status) in [
        ("Mcp-Method: tools/call\r\nMcp-Name: list\r\n", 200),
        ("Mcp-Method: tools/call\r\n", 200),
        ("Mcp-Name: =?base64?bGlzdA==?=\r\n", 200),
        ("Mcp-Name: delete_note\r\n", 400),
        ("Mcp-Name: =?base64?ZGVsZXRlX25vdGU=?=\r\n", 400),
        ("Mcp-Name: list\r\nMcp-Name: delete_note\r\n", 400),
        ("Mcp-Name: list, delete_note\r\n", 400),
        ("Mcp-Method: tools/list\r\n", 400),
        ("Mcp-Method: Tools/Call\r\n", 400),
        ("Mcp_Name: delete_note\r\n", 400),
        ("mcp.name: delete_note\r\n", 400),
        ("MCP_METHOD: tools/list\r\n", 400),
        ("Mcp-Name: l\u{ef}st\r\n", 400),
    ] {
        let answer = server.raw(post("/notes", &token, headers, &call("list"))).await;
        assert_eq!(answer.status(), status, "{headers}");
    }
    assert_eq!(behind.asked().len(), 3);
}

#[tokio::test]
async fn headers_that_name_a_call_without_a_body_that_makes_one_are_refused() {
    let (behind, server, token) = reader().await;
    for headers in ["Mcp-Method: tools/call\r\nMcp-Name: delete_note\r\n", "Mcp_Name: delete_note\r\n"] {
        let empty = server.raw(post("/notes", &token, headers, "")).await;
        let none = server.raw(post("/notes", &token, headers, "[]")).await;
        let get = ask(&server, "GET", "/notes", &token, headers).await;
        assert_eq!([empty.status(), none.status(), get.status()], [400; 3], "{headers}");
    }
    assert_eq!(behind.asked().len(), 0);
}

#[tokio::test]
async fn a_resource_is_held_to_its_rule_in_every_spelling() {
    let (behind, server, token) = reader_with(&["resources/*:file:///private/*=write"]).await;
    let read = |uri: &str| format!(r#"{{"method":"resources/read","params":{{"uri":"{uri}"}}}}"#);
    for uri in [
        "file:///private/a",
        "file:///public/../private/a",
        "file:///public/%2e%2e/private/a",
        "FILE:///private/a",
        "file:/private/a",
        "file://localhost/private/a",
        "file:///%70rivate/a",
        "file:///private%2fa",
        "file:///./private/a",
        "file:\\/\\/\\/private/a",
        "file:///private\\\\a",
        " file:///private/a",
        "file:///private/a\\u0000",
    ] {
        assert_eq!(send(&server, &token, &read(uri)).await.status(), 403, "{uri}");
    }
    assert_eq!(behind.connections(), 0);
    for uri in ["file:///public/a", "note://a/b", "file:///public/a%20b"] {
        assert_eq!(send(&server, &token, &read(uri)).await.status(), 200, "{uri}");
    }
}

#[tokio::test]
async fn what_a_client_answers_is_no_call_but_a_rule_for_everything_covers_it() {
    let answer =
        r#"{"jsonrpc":"2.0","id":7,"result":{"method":"tools/call","params":{"name":"delete_note"}}}"#;
    let (behind, server, token) = reader().await;
    assert_eq!(send(&server, &token, answer).await.status(), 200);
    assert_eq!(behind.last().body, answer.as_bytes());
    let (_behind, server, token) = reader_with(&["*=write"]).await;
    assert_eq!(send(&server, &token, answer).await.status(), 403);
}

#[tokio::test]
async fn rules_count_as_they_are_at_the_next_request() {
    let (behind, server, token) = reader().await;
    assert_eq!(send(&server, &token, &call("delete_note")).await.status(), 403);
    change(&server, NOTES, |notes| {
        if let Some(guard) = &mut notes.guard {
            guard.rules = Rules::default();
        }
    });
    assert_eq!(send(&server, &token, &call("delete_note")).await.status(), 200);
    assert_eq!(behind.asked().len(), 1);
}
