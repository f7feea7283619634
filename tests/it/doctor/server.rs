//! The MCP server itself: how it answers whoever has no token.

use tokio::net::TcpSocket;

use super::*;

#[tokio::test]
async fn a_port_at_which_nobody_listens() {
    // Taken, so that nobody else gets it, and never listening.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap();
    let walked = walk(&format!("http://{address}/mcp"), &[]).await;
    walked.fails_at("address", &[&format!("{address} refuses connections"), "No client", "Start"]);
    assert_eq!(walked.seen("call"), "skipped: not reached");
}

#[tokio::test]
async fn no_authorization_at_all() {
    let script = Script::start(Stage::Plain).await;
    let answer = json!({ "jsonrpc": "2.0", "id": 0, "result": {} });
    script.put("POST", SERVER, Scripted::json(200, &answer));
    let walked = Walked::of(&script).await;
    walked.fails_at(
        "call",
        &[
            "200: there is no authorization in front of this server",
            "anybody may use it",
            "vestibule serve --guard NAME=URL",
        ],
    );
    assert_eq!(walked.seen("metadata"), "skipped: not reached");
}

#[tokio::test]
async fn a_login_page_in_place_of_a_401() {
    for status in [301, 302, 303, 307, 308] {
        let script = Script::start(Stage::Plain).await;
        script.put("POST", SERVER, Scripted::redirect(status, "https://sso.test/login?rd=x"));
        Walked::of(&script).await.fails_at(
            "call",
            &[
                &format!("{status}, a redirect to https://sso.test/login?rd=x"),
                "waits for a 401",
                "auth_request off",
                "forwardAuth",
            ],
        );
        assert_eq!(script.spoken().iter().filter(|one| one.target.contains("login")).count(), 0);
    }
    let script = Script::start(Stage::Plain).await;
    script.put("POST", SERVER, Scripted::redirect(302, &script.url("/login").replace("http:", "https:")));
    Walked::of(&script).await.fails_at("call", &["waits for a 401"]);
    script.put("POST", SERVER, Scripted::Nothing);
    Walked::of(&script).await.fails_at("call", &["the connection broke", "No client gets an answer"]);
    script.put("POST", SERVER, Scripted::html(200, "Log in"));
    Walked::of(&script).await.fails_at("call", &["200, with an HTML page (\"Log in\")", "login page"]);
}

#[tokio::test]
async fn a_redirect_to_the_same_place_with_a_slash() {
    let script = Script::start(Stage::Plain).await;
    script.put("POST", SERVER, Scripted::redirect(307, "/mcp/"));
    let better = script.url("/mcp/");
    Walked::of(&script)
        .await
        .fails_at("call", &["a slash at the end", &format!("vestibule doctor {better}")]);
}

#[tokio::test]
async fn other_statuses_than_401() {
    for (status, words) in [
        (403, "Clients begin a sign-in at 401 alone"),
        (404, "no MCP server at this path"),
        (405, "older transport of /sse"),
        (400, "before it asks for a token"),
        (421, "Host header"),
        (429, "Wait a minute"),
        (500, "server's own log"),
        (502, "does not reach the server behind"),
    ] {
        let script = Script::start(Stage::Plain).await;
        script.put("POST", SERVER, Scripted::status(status));
        Walked::of(&script).await.fails_at("call", &[&status.to_string(), words]);
    }
}

#[tokio::test]
async fn a_stream_that_is_sent_to_a_login_page_or_open_to_all() {
    let script = right().await;
    script.put("GET", SERVER, Scripted::redirect(302, "/login"));
    Walked::of(&script).await.fails_at("stream", &["302, a redirect to /login", "by every method"]);
    script.put("GET", SERVER, Scripted::status(200).header("content-type", "text/event-stream"));
    Walked::of(&script).await.fails_at("stream", &["a GET needs no token", "Anybody may listen"]);
    script.put("GET", SERVER, Scripted::status(405));
    Walked::of(&script).await.is_right();
    script.put("GET", SERVER, Scripted::status(404));
    Walked::of(&script).await.warns_at("stream", &["404", "401 or 405"]);
    script.put("GET", SERVER, Scripted::Nothing);
    Walked::of(&script).await.fails_at("stream", &["the connection broke", "open a stream"]);
}

#[tokio::test]
async fn bot_rules_that_stop_every_program() {
    let script = Script::start(Stage::Plain).await;
    script.put("POST", SERVER, Scripted::html(403, "Just a moment...").header("cf-mitigated", "challenge"));
    Walked::of(&script).await.fails_at("call", &["403, from Cloudflare's bot rules", "Bot Fight Mode"]);
}

#[tokio::test]
async fn bot_rules_that_stop_a_client_by_its_name() {
    let script = right().await;
    let refusal = Scripted::html(403, "Attention Required! | Cloudflare").header("server", "cloudflare");
    script.put_given("user-agent: claude-user", "POST", SERVER, refusal.clone());
    Walked::of(&script).await.fails_at(
        "user_agents",
        &[
            "Claude-User is answered 403 from Cloudflare's bot rules, others 401",
            "claude.ai",
            "Block AI bots",
        ],
    );
    let script = right().await;
    script.put_given("user-agent: openai-mcp", "GET", METADATA, refusal);
    Walked::of(&script)
        .await
        .fails_at("authorization_server.user_agents", &["openai-mcp/1.0.0 is answered 403", "ChatGPT"]);
}

#[tokio::test]
async fn a_challenge_that_leads_nowhere() {
    let script = right().await;
    let bare = challenge("").without("www-authenticate");
    script.put("POST", SERVER, bare.clone());
    Walked::of(&script)
        .await
        .fails_at("challenge", &["it is missing", "2025-06-18", &script.url(RESOURCE_METADATA)]);
    for (value, words) in [
        ("Bearer", "Bearer, without resource_metadata"),
        (r#"Basic realm="proxy""#, "Basic, and no Bearer"),
        (r#"Bearer resource_metadata="/.well-known/oauth-protected-resource/mcp""#, "is relative"),
        (r#"Bearer resource_metadata="mcp""#, "is relative"),
    ] {
        script.put("POST", SERVER, bare.clone().header("www-authenticate", value));
        Walked::of(&script).await.fails_at("challenge", &[words, &script.url(RESOURCE_METADATA)]);
    }
}

#[tokio::test]
async fn a_challenge_of_another_origin() {
    let (script, other) = (right().await, right().await);
    put_document(&other, RESOURCE_METADATA, &resource_metadata(&script));
    script.put("POST", SERVER, challenge(&other.url(RESOURCE_METADATA)));
    Walked::of(&script).await.fails_at("challenge", &[&other.url(""), "rmcp (Codex, Goose)", "Host header"]);
}

#[tokio::test]
async fn a_challenge_that_says_too_much() {
    let script = right().await;
    let url = script.url(RESOURCE_METADATA);
    for (more, words) in [
        (r#"scope="read offline_access""#, "offline_access"),
        (r#"error="invalid_request""#, "although no token was sent"),
    ] {
        let value = format!(r#"Bearer resource_metadata="{url}", {more}"#);
        script.put(
            "POST",
            SERVER,
            challenge("").without("www-authenticate").header("www-authenticate", &value),
        );
        Walked::of(&script).await.warns_at("challenge", &[words]);
    }
}

#[tokio::test]
async fn a_clock_that_is_wrong() {
    let script = right().await;
    let late = challenge(&script.url(RESOURCE_METADATA)).header("date", "Thu, 01 Jan 2026 00:00:00 GMT");
    script.put("POST", SERVER, late);
    Walked::of(&script).await.warns_at("clock", &["seconds behind this machine's", "timedatectl"]);
    let script = right().await;
    let early = open(Scripted::json(200, &metadata(&script))).header("date", "Fri, 01 Jan 2100 00:00:00 GMT");
    script.put("GET", METADATA, early);
    Walked::of(&script).await.warns_at("authorization_server.clock", &["seconds ahead of"]);
}

#[tokio::test]
async fn a_preflight_that_is_asked_for_a_token() {
    for line in [challenge("x"), Scripted::redirect(302, "/login"), Scripted::status(403)] {
        let script = right().await;
        script.put("OPTIONS", SERVER, line);
        Walked::of(&script).await.fails_at("cors.server", &["OPTIONS: ", "Inspector", "without a token"]);
    }
}

#[tokio::test]
async fn a_server_that_no_page_may_ask() {
    let script = right().await;
    script.put("OPTIONS", SERVER, Scripted::status(405));
    Walked::of(&script).await.fails_at("cors.server", &["OPTIONS: 405", "Access-Control-Allow-Origin: *"]);
    script.put("OPTIONS", SERVER, open(Scripted::status(204)).header("access-control-allow-headers", "*"));
    Walked::of(&script).await.fails_at("cors.server", &["does not have authorization", "* does not cover"]);
    script.put("OPTIONS", SERVER, preflight());
    let unread = challenge(&script.url(RESOURCE_METADATA)).without("access-control-allow-origin");
    script.put("POST", SERVER, unread);
    Walked::of(&script).await.fails_at("cors.server", &["401 to a POST: no Access-Control-Allow-Origin"]);
    let good = || challenge(&script.url(RESOURCE_METADATA));
    script.put("POST", SERVER, good());
    script.put_given("origin: ", "POST", SERVER, Scripted::status(403));
    Walked::of(&script).await.fails_at("cors.server", &["403 for a POST with an Origin"]);
    script.put_given("origin: ", "POST", SERVER, Scripted::Nothing);
    Walked::of(&script).await.fails_at("cors.server", &["POST from a page: the connection broke"]);
    script.put_given("origin: ", "POST", SERVER, good());
    Walked::of(&script).await.is_right();
    let unseen = good().without("access-control-expose-headers");
    script.put_given("origin: ", "POST", SERVER, unseen);
    Walked::of(&script).await.warns_at("cors.server", &["does not have WWW-Authenticate, Mcp-Session-Id"]);
}
