//! How a client that knows just a server's URL finds this one (RFC 9728), from a page of any origin too.

use vestibule::http::Method;

use super::*;
use crate::harness::Answer;

const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

async fn at(server: &Server, host: &str, target: &str) -> Answer {
    server.get(target).header("host", host).send().await
}

#[tokio::test]
async fn the_metadata_stands_at_the_resources_path_and_names_this_issuer() {
    let (behind, server) = world().await;
    let answer = at(&server, "as.test", &format!("{WELL_KNOWN}/notes")).await;
    assert_eq!(answer.status, Status::OK);
    assert_eq!(
        answer.json(),
        json!({
            "resource": NOTES,
            "authorization_servers": [ISSUER],
            "scopes_supported": ["read", "write"],
            "bearer_methods_supported": ["header"],
            "resource_name": NOTES,
        })
    );
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    assert_eq!(behind.connections(), 0);
}

#[tokio::test]
async fn the_root_stands_for_the_only_resource_of_its_host_and_for_nothing_where_there_are_two() {
    let (behind, server) = world().await;
    for root in [WELL_KNOWN.to_owned(), format!("{WELL_KNOWN}/")] {
        assert_eq!(at(&server, "files.test", &root).await.json()["resource"], FILES);
    }
    register(&server, guarded(&behind, "https://files.test/other", "read", &[]));
    for root in [WELL_KNOWN.to_owned(), format!("{WELL_KNOWN}/")] {
        assert_eq!(at(&server, "files.test", &root).await.status, Status::NOT_FOUND, "{root}");
    }
    for (path, resource) in [("/mcp", FILES), ("/other", "https://files.test/other")] {
        assert_eq!(
            at(&server, "files.test", &format!("{WELL_KNOWN}{path}")).await.json()["resource"],
            resource
        );
    }
    // A resource that is the whole host has the root to itself.
    register(&server, guarded(&behind, "https://files.test", "read", &[]));
    assert_eq!(at(&server, "files.test", WELL_KNOWN).await.json()["resource"], "https://files.test");
}

#[tokio::test]
async fn the_resource_is_spelled_as_the_person_typed_it() {
    let (behind, server) = world().await;
    register(&server, guarded(&behind, "https://whole.test/", "", &[]));
    for (host, path, typed) in [
        ("as.test", "/notes", "https://as.test/notes"),
        ("as.test", "/notes/", "https://as.test/notes/"),
        ("files.test", "/mcp", "https://files.test/mcp"),
        ("files.test", "/mcp/", "https://files.test/mcp/"),
        ("whole.test", "", "https://whole.test/"),
    ] {
        // Where the client is sent, it finds the spelling that it came with.
        let target = if path.is_empty() { "/" } else { path };
        let answer = at(&server, host, target).await;
        let challenge = answer.header("www-authenticate").expect("a challenge");
        let url = challenge.split('"').nth(1).expect("resource_metadata is quoted");
        assert_eq!(url, format!("https://{host}{WELL_KNOWN}{path}"));
        let document = at(&server, host, url.strip_prefix(&format!("https://{host}")).unwrap()).await;
        assert_eq!(document.json()["resource"], typed, "{url}");
    }
}

#[tokio::test]
async fn below_a_resource_the_way_leads_to_the_resource() {
    let (_behind, server) = world().await;
    for target in ["/notes/a/b", "/notes/?x", "/notes?x"] {
        let answer = at(&server, "as.test", target).await;
        let challenge = answer.header("www-authenticate").expect("a challenge");
        let slash = if target.starts_with("/notes/?") { "/" } else { "" };
        assert!(
            challenge.contains(&format!("\"https://as.test{WELL_KNOWN}/notes{slash}\"")),
            "{target} {challenge}"
        );
    }
}

#[tokio::test]
async fn nothing_else_is_found_there() {
    let (behind, server) = world().await;
    for (host, target) in [
        ("as.test", format!("{WELL_KNOWN}/note")),
        ("as.test", format!("{WELL_KNOWN}/notes/x")),
        ("as.test", format!("{WELL_KNOWN}/notes//")),
        ("as.test", format!("{WELL_KNOWN}//notes")),
        ("as.test", format!("{WELL_KNOWN}/NOTES")),
        ("as.test", format!("{WELL_KNOWN}/%6eotes")),
        ("as.test", format!("{WELL_KNOWN}/mcp")),
        ("as.test", format!("{WELL_KNOWN}notes")),
        ("as.test", format!("{WELL_KNOWN}-x/notes")),
        ("files.test", format!("{WELL_KNOWN}/notes")),
        ("elsewhere.test", WELL_KNOWN.to_owned()),
        ("files.test", "/.well-known/oauth-authorization-server".to_owned()),
        ("files.test", "/".to_owned()),
        ("files.test", "/oauth/token".to_owned()),
    ] {
        assert_eq!(at(&server, host, &target).await.status, Status::NOT_FOUND, "{host}{target}");
    }
    assert_eq!(behind.connections(), 0);
}

#[tokio::test]
async fn the_metadata_follows_the_registry_at_once() {
    let (_behind, server) = world().await;
    change(&server, NOTES, |notes| notes.scopes = vestibule::oauth::scope::Scope::parse("all").unwrap());
    let target = format!("{WELL_KNOWN}/notes");
    assert_eq!(at(&server, "as.test", &target).await.json()["scopes_supported"], json!(["all"]));
    change(&server, NOTES, |notes| notes.guard = None);
    server.forget_resource(NOTES);
    assert_eq!(at(&server, "as.test", &target).await.status, Status::NOT_FOUND);
}

#[tokio::test]
async fn the_metadata_is_read_by_get_and_head_alone() {
    let (behind, server) = world().await;
    let target = format!("{WELL_KNOWN}/notes");
    let read = server.get(&target).send().await;
    let head = server.ask(Method::HEAD, &target).send().await;
    assert_eq!((head.status, head.body.len()), (Status::OK, 0));
    assert_eq!(head.header("content-length"), Some(read.body.len().to_string().as_str()));
    for method in [Method::POST, Method::PUT, Method::DELETE] {
        let answer = server.ask(method.clone(), &target).send().await;
        assert_eq!(answer.status, Status::NOT_FOUND, "{method}");
    }
    assert_eq!(behind.connections(), 0);
}

#[tokio::test]
async fn a_page_of_any_origin_may_ask_and_its_preflight_needs_nothing() {
    let (behind, server) = world().await;
    register(&server, guarded(&behind, "https://whole.test", "", &[]));
    let metadata = format!("{WELL_KNOWN}/notes");
    for (host, target) in [
        ("as.test", "/notes"),
        ("as.test", "/notes/messages"),
        ("as.test", &metadata),
        ("files.test", "/mcp"),
        ("whole.test", "/"),
        ("whole.test", WELL_KNOWN),
    ] {
        let answer = server
            .ask(Method::OPTIONS, target)
            .header("host", host)
            .header("origin", "https://inspector.test")
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "authorization, mcp-session-id, x-new")
            .send()
            .await;
        assert_eq!(answer.status, Status::NO_CONTENT, "{host}{target}");
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
        assert_eq!(
            answer.header("access-control-allow-headers"),
            Some("authorization, mcp-session-id, x-new"),
            "{host}{target}"
        );
        let methods = answer.header("access-control-allow-methods").expect("the methods");
        assert_eq!(methods.contains("DELETE"), !target.starts_with(WELL_KNOWN), "{methods}");
        assert_eq!(answer.header("access-control-allow-credentials"), None);
    }
    assert_eq!(behind.connections(), 0);
}

#[tokio::test]
async fn options_of_the_metadata_needs_nothing_even_where_all_of_the_host_is_guarded() {
    let (behind, server) = world().await;
    register(&server, guarded(&behind, "https://whole.test", "", &[]));
    for (host, target) in [("as.test", format!("{WELL_KNOWN}/notes")), ("whole.test", WELL_KNOWN.to_owned())]
    {
        let answer = server.ask(Method::OPTIONS, &target).header("host", host).send().await;
        assert_eq!(answer.status, Status::NO_CONTENT, "{host}{target}");
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    }
    assert_eq!(behind.connections(), 0);
}

#[tokio::test]
async fn a_page_may_read_what_the_server_behind_answers_and_what_is_refused() {
    let (behind, server) = world().await;
    let token = tokens(&server, NOTES).await.access;
    let exposed = Some("WWW-Authenticate, Mcp-Session-Id, Retry-After");
    let passed = ask(&server, "GET", "/notes", &token, "Origin: https://inspector.test\r\n").await;
    assert_eq!(passed.header("access-control-allow-origin"), Some("*"));
    assert_eq!(passed.header("access-control-expose-headers"), exposed);
    // A server behind that says what it allows is believed.
    behind.say(Said::whole(
        "HTTP/1.1 200 OK\r\naccess-control-allow-origin: https://only.test\r\ncontent-length: 0\r\n\r\n",
    ));
    let own = ask(&server, "GET", "/notes", &token, "Origin: https://inspector.test\r\n").await;
    assert_eq!(own.header("access-control-allow-origin"), Some("https://only.test"));
    assert_eq!(own.header("access-control-expose-headers"), None);
}
