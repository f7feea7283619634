//! The protected resource metadata (RFC 9728).

use super::*;

const AT_ROOT: &str = "/.well-known/oauth-protected-resource";

#[tokio::test]
async fn no_metadata_anywhere() {
    let script = right().await;
    script.remove(RESOURCE_METADATA);
    script.remove(METADATA);
    let walked = Walked::of(&script).await;
    walked.fails_at(
        "resource_metadata.challenge",
        &[": 404", "does not learn where to sign in", "vestibule serve --guard NAME=URL"],
    );
    assert!(walked.seen("metadata").starts_with("skipped: no issuer is named"));
}

#[tokio::test]
async fn metadata_that_is_a_page_of_the_web_app() {
    let script = right().await;
    let page = Scripted::html(200, "Notes");
    script.put("GET", RESOURCE_METADATA, page.clone());
    script.put("GET", AT_ROOT, page);
    Walked::of(&script).await.fails_at(
        "resource_metadata.challenge",
        &[
            "200, with an HTML page in place of JSON",
            "location /.well-known/",
            "handle /.well-known/*",
            "PathPrefix",
        ],
    );
}

#[tokio::test]
async fn metadata_that_is_no_metadata() {
    let script = right().await;
    for (line, words) in [
        (Scripted::status(401), "401"),
        (Scripted::redirect(302, "/login"), "302, a redirect to /login"),
        (Scripted::status(500), "500"),
        (Scripted::json(200, &json!([])), "its JSON is no object"),
        (Scripted::status(200).header("content-type", "application/json"), "what it sends as JSON is none"),
        (Scripted::json(200, &json!({})).without("content-type"), "without a Content-Type"),
        (Scripted::json(200, &json!({})).header("content-encoding", "gzip"), "compressed (gzip)"),
        (Scripted::json(200, &json!({ "x": "x".repeat(300_000) })), "longer than 256 KiB"),
    ] {
        script.put("GET", RESOURCE_METADATA, line);
        Walked::of(&script).await.fails_at("resource_metadata.challenge", &[words]);
    }
}

#[tokio::test]
async fn the_challenge_leads_elsewhere_than_most_look() {
    let script = right().await;
    let place = "/meta";
    put_document(&script, place, &resource_metadata(&script));
    script.put("POST", SERVER, challenge(&script.url(place)));
    // Both other places are there, and agree.
    put_document(&script, AT_ROOT, &resource_metadata(&script));
    Walked::of(&script).await.is_right();
    script.remove(RESOURCE_METADATA);
    Walked::of(&script).await.warns_at("resource_metadata.path", &[": 404", "whatever the 401 says"]);
    script.remove(place);
    put_document(&script, RESOURCE_METADATA, &resource_metadata(&script));
    Walked::of(&script).await.fails_at("resource_metadata.challenge", &["/meta: 404", "look nowhere else"]);
}

#[tokio::test]
async fn the_hosts_own_metadata_is_another_servers_or_a_page() {
    let script = right().await;
    put_document(&script, AT_ROOT, &with(resource_metadata(&script), "resource", json!(script.url(""))));
    Walked::of(&script).await.warns_at("resource_metadata.root", &["says something else", "Clients differ"]);
    script.put("GET", AT_ROOT, Scripted::html(200, "Notes"));
    Walked::of(&script).await.warns_at("resource_metadata.root", &["HTML page", "Gemini CLI"]);
    // Another host's metadata may be missing: there may be several servers.
    script.put("GET", AT_ROOT, Scripted::status(404));
    Walked::of(&script).await.is_right();
}

#[tokio::test]
async fn head_is_not_answered_as_get() {
    let script = right().await;
    script.put("HEAD", RESOURCE_METADATA, Scripted::status(405));
    Walked::of(&script).await.warns_at("resource_metadata.challenge", &["HEAD ", "405"]);
}

#[tokio::test]
async fn a_resource_that_differs_from_the_url_in_a_slash() {
    let script = right().await;
    put_document(
        &script,
        RESOURCE_METADATA,
        &with(resource_metadata(&script), "resource", json!(script.url("/mcp/"))),
    );
    Walked::of(&script).await.fails_at(
        "resource",
        &[
            "they differ in a slash at the end",
            "claude.ai, VS Code and Gemini CLI",
            &format!("{:?}", script.url(SERVER)),
        ],
    );
}

#[tokio::test]
async fn a_resource_that_is_another() {
    let script = right().await;
    let port = script.address.port();
    for (resource, words) in [
        (json!("https://notes.home.example/mcp"), "it is another host"),
        (json!(script.url(SERVER).replace("http:", "https:")), "one is http, the other https"),
        (json!(format!("http://localhost:{port}/mcp")), "it is another host"),
        (json!("http://127.0.0.1/mcp"), "it is another port"),
        (json!(script.url("/other")), "it is another path"),
        (json!(script.url("/MCP")), "it is another path"),
        (json!(script.url("/")), "it lies above"),
        (json!("notes"), "it is no URL"),
        (json!(["x"]), "it is missing"),
        (Value::Null, "it is missing"),
    ] {
        put_document(&script, RESOURCE_METADATA, &with(resource_metadata(&script), "resource", resource));
        Walked::of(&script).await.fails_at("resource", &[words, "Let the document say"]);
    }
}

#[tokio::test]
async fn a_resource_that_is_spelled_otherwise() {
    let script = right().await;
    let shouted = format!("HTTP://{}/mcp", script.address);
    put_document(&script, RESOURCE_METADATA, &with(resource_metadata(&script), "resource", json!(shouted)));
    Walked::of(&script).await.warns_at("resource", &["upper and lower case", "compare text"]);
}

#[tokio::test]
async fn no_authorization_server_is_named() {
    let script = right().await;
    for (servers, words) in [(Value::Null, "it is missing"), (json!([]), "there is none in it")] {
        put_document(
            &script,
            RESOURCE_METADATA,
            &with(resource_metadata(&script), "authorization_servers", servers),
        );
        let walked = Walked::of(&script).await;
        walked.fails_at("authorization_servers", &[words, "does not learn where to sign in"]);
        // Some clients guess, and here they are right.
        assert!(walked.seen("metadata").contains("where clients guess it to be"));
    }
    put_document(
        &script,
        RESOURCE_METADATA,
        &with(resource_metadata(&script), "authorization_servers", json!(["auth"])),
    );
    Walked::of(&script).await.fails_at("authorization_servers", &["no absolute URL"]);
}

#[tokio::test]
async fn members_of_the_wrong_type() {
    let script = right().await;
    let mut document = resource_metadata(&script);
    document["resource_name"] = Value::Null;
    put_document(&script, RESOURCE_METADATA, &document);
    Walked::of(&script).await.fails_at(
        "resource_metadata.challenge",
        &["resource_name is null", "TypeScript SDK", "Leave a member out"],
    );
    put_document(
        &script,
        RESOURCE_METADATA,
        &with(resource_metadata(&script), "scopes_supported", json!("read")),
    );
    Walked::of(&script).await.fails_at("resource_metadata.challenge", &["scopes_supported is no list"]);
}

#[tokio::test]
async fn scopes_that_clients_stumble_over() {
    let script = right().await;
    let many: Vec<String> = (0..30).map(|number| format!("scope{number}")).collect();
    put_document(
        &script,
        RESOURCE_METADATA,
        &with(resource_metadata(&script), "scopes_supported", json!(many)),
    );
    Walked::of(&script).await.warns_at("resource_scopes", &["30 scopes", "ask for all of them"]);
    let offline = json!(["read", "offline_access"]);
    put_document(&script, RESOURCE_METADATA, &with(resource_metadata(&script), "scopes_supported", offline));
    Walked::of(&script).await.warns_at("resource_scopes", &["offline_access"]);
    let body = json!(["body"]);
    put_document(
        &script,
        RESOURCE_METADATA,
        &with(resource_metadata(&script), "bearer_methods_supported", body),
    );
    Walked::of(&script).await.fails_at("resource_scopes", &["Authorization header"]);
}

#[tokio::test]
async fn a_document_that_no_page_may_read() {
    let script = right().await;
    script.put("GET", RESOURCE_METADATA, Scripted::json(200, &resource_metadata(&script)));
    script.put("GET", METADATA, Scripted::json(200, &metadata(&script)));
    let words: &[&str] = &["GET: no Access-Control-Allow-Origin", "web page"];
    Walked::of(&script).await.fails_at_all(&[("cors.resource_metadata", words), ("cors.metadata", words)]);
    let script = right().await;
    script.put("OPTIONS", RESOURCE_METADATA, Scripted::status(405));
    Walked::of(&script).await.warns_at("cors.resource_metadata", &["OPTIONS: 405", "once more without"]);
}
