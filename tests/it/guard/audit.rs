//! What the audit says of calls: who, by which client, what and with which name; nothing of the arguments, and nothing is
//! left out because somebody was in a hurry.

use serde_json::Value;

use super::*;
use crate::harness::Line;

/// What the audit says about a guarded server, the oldest first: event, user's name, client, and what it is about.
fn rows(server: &Server) -> Vec<(String, Option<String>, Option<String>, Value)> {
    // Behind all that waits to be written.
    server.app.store.write_and_wait(|_| Ok(())).expect("the writer");
    server.audit().into_iter().rev().filter(|(event, ..)| event.starts_with("guard.")).collect()
}

/// The subjects of calls that passed.
fn passed(server: &Server) -> Vec<String> {
    let passed = rows(server).into_iter().filter(|(event, ..)| event == "guard.passed");
    passed.map(|(.., metadata)| metadata["subject"].as_str().unwrap_or("?").to_owned()).collect()
}

fn call(name: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"{name}","arguments":{{"text":"hush"}}}}}}"#
    )
}

#[tokio::test]
async fn a_call_leaves_who_by_what_and_what_and_none_of_its_arguments() {
    let (_behind, server) = world().await;
    let token = tokens(&server, NOTES).await.access;
    server.raw(post("/notes?secret=hush", &token, "", &call("add_note"))).await;
    let [(event, user, client, metadata)] = &rows(&server)[..] else { panic!("{:?}", rows(&server)) };
    assert_eq!(
        (event.as_str(), user.as_deref(), client.as_deref()),
        ("guard.passed", Some("alice"), Some("pub"))
    );
    assert_eq!(*metadata, json!({ "resources": [NOTES], "subject": "tools/call:add_note" }));
    let at_rest = String::from_utf8_lossy(&server.bytes_at_rest()).into_owned();
    assert!(!at_rest.contains("hush"));
}

#[tokio::test]
async fn a_call_that_arrived_nowhere_was_not_made() {
    let (behind, server) = world().await;
    let token = tokens(&server, NOTES).await.access;
    drop(behind);
    assert_eq!(server.raw(post("/notes", &token, "", &call("a"))).await.status(), 502);
    assert_eq!(passed(&server), [""; 0]);
}

#[tokio::test]
async fn whoever_is_refused_again_and_again_does_not_fill_the_audit() {
    let (behind, server) = world().await;
    let token = tokens(&server, FILES).await.access;
    for _ in 0..310 {
        assert_eq!(ask(&server, "GET", "/notes", &token, "").await.status(), 401, "told why, every time");
    }
    assert_eq!((behind.asked().len(), rows(&server).len()), (0, 300));
}

#[tokio::test]
async fn a_call_that_could_be_read_in_two_ways_leaves_who_tried_it() {
    let (_behind, server) = world_with_rules(&["tools/call:delete_*=write"]).await;
    let token = tokens(&server, NOTES).await.access;
    let twice = r#"{"method":"ping","method":"tools/call"}"#;
    for (headers, body, reason) in
        [("", twice, "call_unclear"), ("Mcp-Method: ping\r\n", &call("a"), "call_differs_from_header")]
    {
        assert_eq!(server.raw(post("/notes", &token, headers, body)).await.status(), 400);
        let Some((event, user, client, metadata)) = rows(&server).pop() else { panic!("no row: {reason}") };
        assert_eq!(
            (event.as_str(), user.as_deref(), client.as_deref()),
            ("guard.refused", Some("alice"), Some("pub"))
        );
        assert_eq!(metadata["reason"], reason);
    }
}

#[tokio::test]
async fn calls_that_change_nothing_leave_nothing() {
    let (behind, server) = world().await;
    let token = tokens(&server, NOTES).await.access;
    for (method, told) in [
        ("tools/list", false),
        ("ping", false),
        ("notifications/initialized", false),
        ("initialize", true),
        ("resources/read", true),
        ("prompts/get", true),
        ("tools/call", true),
    ] {
        let before = rows(&server).len();
        server.raw(post("/notes", &token, "", &format!(r#"{{"method":"{method}"}}"#))).await;
        assert_eq!(rows(&server).len() - before, usize::from(told), "{method}");
    }
    ask(&server, "GET", "/notes", &token, "").await;
    assert_eq!((behind.asked().len(), rows(&server).len()), (8, 4));
}

#[tokio::test]
async fn each_call_of_a_batch_has_its_row() {
    let (_behind, server) = world().await;
    let token = tokens(&server, NOTES).await.access;
    let batch = format!("[{},{{\"method\":\"ping\"}},{}]", call("a"), call("b"));
    server.raw(post("/notes", &token, "", &batch)).await;
    assert_eq!(passed(&server), ["tools/call:a", "tools/call:b"]);
}

#[tokio::test]
async fn a_call_that_is_refused_leaves_what_of_it_was_refused() {
    let (_behind, server) = world_with_rules(&["tools/call:delete_*=write"]).await;
    let app = ClientApp::fixture("pub");
    let token = app.tokens(&server, "alice", &[("resource", NOTES), ("scope", "read")]).await.access;
    let batch = format!("[{},{}]", call("harmless"), call("delete_note"));
    assert_eq!(server.raw(post("/notes", &token, "", &batch)).await.status(), 403);
    let [(event, user, client, metadata)] = &rows(&server)[..] else { panic!("{:?}", rows(&server)) };
    assert_eq!(
        (event.as_str(), user.as_deref(), client.as_deref()),
        ("guard.refused", Some("alice"), Some("pub"))
    );
    assert_eq!(
        *metadata,
        json!({
            "error": "insufficient_scope",
            "reason": "scope_insufficient",
            "resources": [NOTES],
            "subject": "tools/call:delete_note",
        })
    );
}

#[tokio::test]
async fn a_refused_token_leaves_whose_it_was_where_that_is_known() {
    let (_behind, server) = world().await;
    let alice = tokens(&server, NOTES).await;
    server.get("/notes").send().await;
    assert_eq!(rows(&server), [], "every client begins without a token");
    server.get("/notes").header("authorization", "Bearer hush").send().await;
    ask(&server, "GET", "/notes", &tokens(&server, FILES).await.access, "").await;
    let fresh = Tokens::of(&ClientApp::fixture("pub").refresh(&server, alice.refresh(), &[]).await);
    ClientApp::fixture("pub").revoke(&server, &alice.access).await;
    ask(&server, "GET", "/notes", &alice.access, "").await;
    server.admit_only(NOTES, &["bob"]);
    ask(&server, "GET", "/notes", &fresh.access, "").await;
    let seen: Vec<_> = rows(&server)
        .into_iter()
        .map(|(_, user, _, metadata)| (user, metadata["reason"].as_str().unwrap_or("?").to_owned()))
        .collect();
    let alice = || Some("alice".to_owned());
    assert_eq!(
        seen,
        [
            (None, "token_unknown".to_owned()),
            (alice(), "token_for_others".to_owned()),
            (alice(), "token_ended".to_owned()),
            (alice(), "not_admitted".to_owned()),
        ]
    );
    assert!(!String::from_utf8_lossy(&server.bytes_at_rest()).contains("hush"));
}

#[tokio::test]
async fn a_call_is_not_forgotten_because_its_client_did_not_wait() {
    let (behind, server) = world().await;
    let token = tokens(&server, NOTES).await.access;
    behind.say(Said::Silence);
    let mut line = Line::open(server.address).await;
    line.say(post("/notes", &token, "", &call("delete_all"))).await;
    behind.until_asked(1).await;
    drop(line);
    behind.until_open(0).await;
    assert_eq!(passed(&server), ["tools/call:delete_all"]);
}

#[tokio::test]
async fn a_call_is_not_forgotten_because_the_server_behind_answered_before_it_was_there() {
    let (behind, server) = world().await;
    let token = tokens(&server, NOTES).await.access;
    behind.say(Said::AtOnce(
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n".to_vec(),
    ));
    let body = call("delete_all");
    let mut line = Line::open(server.address).await;
    let headers = format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
    line.say(request("POST", "/notes", &token, &headers)).await;
    line.say(&body[..10]).await;
    line.head().await;
    line.say(&body[10..]).await;
    behind.until_asked(1).await;
    // Its last piece has left, and it is let go a moment later.
    let told = async {
        while passed(&server).is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(20), told).await.expect("a row");
    assert_eq!(passed(&server), ["tools/call:delete_all"]);
}

#[tokio::test]
async fn no_spelling_hides_a_call_from_the_audit_of_a_server_without_rules() {
    let (behind, server) = world().await;
    let token = tokens(&server, NOTES).await.access;
    for (method, kind, body, subjects) in [
        ("POST", "text/plain", call("a"), &["tools/call:a"][..]),
        ("POST", "", call("b"), &["tools/call:b"]),
        ("PUT", "application/json", call("c"), &["tools/call:c"]),
        ("POST", "application/json; charset=utf-16", call("d"), &["tools/call:d"]),
        ("POST", "application/json", format!("\u{feff}{}", call("e")), &["(unclear)"]),
        (
            "POST",
            "application/json",
            call("f").replace("\"id\"", "\"method\":\"ping\",\"id\""),
            &["(unclear)"],
        ),
        ("POST", "application/json", r#"{"method":"ping","method":"tools/call"}"#.to_owned(), &["(unclear)"]),
        (
            "POST",
            "application/vnd.mcp+json\r\nContent-Encoding: gzip",
            "\u{1f}zip".to_owned(),
            &["(unclear)"],
        ),
        ("POST", "application/x-www-form-urlencoded", "method=x".to_owned(), &[]),
        ("PUT", "application/octet-stream\r\nContent-Encoding: gzip", "\u{1f}zip".to_owned(), &[]),
    ] {
        let before = passed(&server).len();
        let kind = if kind.is_empty() { String::new() } else { format!("Content-Type: {kind}\r\n") };
        let headers = format!("{kind}Content-Length: {}\r\n", body.len());
        let answer = server.raw(format!("{}{body}", request(method, "/notes", &token, &headers))).await;
        assert_eq!(answer.status(), 200, "{body}");
        assert_eq!(behind.last().body, body.as_bytes(), "without rules everything passes as it is");
        let fresh = passed(&server).split_off(before);
        let unclear = fresh.iter().filter(|subject| subject.as_str() == "(unclear)").count();
        assert_eq!(unclear, subjects.iter().filter(|subject| **subject == "(unclear)").count(), "{body}");
        for subject in subjects {
            assert!(fresh.iter().any(|fresh| fresh == subject), "{fresh:?} {body}");
        }
    }
}
