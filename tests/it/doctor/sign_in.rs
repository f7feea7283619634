//! Becoming known, the page for the person, and the token endpoint.

use super::*;

#[tokio::test]
async fn a_registration_that_is_closed() {
    for status in [401, 403] {
        let script = right().await;
        let refusal =
            json!({ "error": "invalid_token", "error_description": "an initial access token is needed" });
        script.put("POST", "/register", Scripted::json(status, &refusal));
        let walked = Walked::of(&script).await;
        walked.fails_at(
            "registration",
            &[
                &format!("{status}: registration is closed"),
                "an initial access token is needed",
                "Cursor",
                "--registration on",
            ],
        );
        assert_eq!(walked.seen("authorization"), "skipped: no client is registered to ask it");
    }
}

#[tokio::test]
async fn a_registration_that_fails() {
    let script = right().await;
    let refusal = json!({ "error": "invalid_redirect_uri", "error_description": "https only" });
    for (line, words) in [
        (Scripted::json(400, &refusal), "invalid_redirect_uri (https only)"),
        (Scripted::redirect(301, "/register/"), "301, a redirect to /register/"),
        (Scripted::html(200, "Notes"), "HTML page"),
        (Scripted::status(404), "nothing at that place"),
        (Scripted::status(429), "too many registrations"),
        (Scripted::status(500), "500"),
        (Scripted::Nothing, "the connection broke"),
        (Scripted::json(201, &with(registered(&script), "client_id", Value::Null)), "no client_id"),
        (
            Scripted::json(201, &with(registered(&script), "redirect_uris", Value::Null)),
            "redirect_uris is missing",
        ),
        (Scripted::json(201, &with(registered(&script), "client_secret", json!(""))), "empty"),
    ] {
        script.put("POST", "/register", line);
        Walked::of(&script).await.fails_at("registration", &[words]);
    }
    script.put("POST", "/register", Scripted::json(200, &registered(&script)));
    Walked::of(&script).await.warns_at("registration", &["200 in place of 201"]);
}

#[tokio::test]
async fn a_page_that_no_person_can_use() {
    let script = right().await;
    let back = "http://localhost:3118/callback";
    let iss = url::form_urlencoded::byte_serialize(script.url("").as_bytes()).collect::<String>();
    for (line, words) in [
        (Scripted::html(400, "Unknown redirect"), "400 (\"Unknown redirect\")"),
        (
            Scripted::json(400, &json!({ "error": "invalid_scope", "error_description": "read" })),
            "invalid_scope: read",
        ),
        (
            Scripted::redirect(302, &format!("{back}?error=invalid_target&state=x&iss={iss}")),
            "vestibule resource add",
        ),
        (Scripted::redirect(302, &format!("{back}?code=x&state=x&iss={iss}")), "without asking anybody"),
        (Scripted::status(404), "finds nothing"),
        (Scripted::status(401), "without a token"),
        (Scripted::json(200, &json!({})), "no page"),
        (Scripted::status(502), "502"),
        (Scripted::Nothing, "the connection broke"),
    ] {
        script.put("GET", "/authorize", line);
        Walked::of(&script).await.fails_at("authorization", &[words]);
    }
    script.put("GET", "/authorize", Scripted::redirect(303, "/login?next=secret"));
    let walked = Walked::of(&script).await;
    walked.is_right();
    assert_eq!(walked.seen("authorization"), format!("ok: 303, on to {}", script.url("/login")));
}

#[tokio::test]
async fn a_page_that_hides_the_error_which_programs_are_told() {
    let script = right().await;
    script.put("GET", "/authorize", Scripted::html(400, "Oh no"));
    let refusal = json!({ "error": "invalid_scope", "error_description": "no read" });
    script.put_given("accept: application/json", "GET", "/authorize", Scripted::json(400, &refusal));
    Walked::of(&script).await.fails_at("authorization", &["it refuses with invalid_scope: no read"]);
}

#[tokio::test]
async fn a_resource_that_our_own_server_does_not_know() {
    let house = House::new();
    let server = house.serve("127.0.0.1:0", &["--client-documents", "off"]);
    let script = right().await;
    let document = with(resource_metadata(&script), "authorization_servers", json!([server.issuer]));
    put_document(&script, RESOURCE_METADATA, &document);
    let command = format!("vestibule resource add {}", script.url(SERVER));
    Walked::of(&script).await.fails_at("authorization", &["invalid_target", &command]);
    house.ok(&["resource", "add", &script.url(SERVER)], "");
    let walked = Walked::of(&script).await;
    assert_eq!(walked.marked("fail"), Vec::<&Value>::new());
}

#[tokio::test]
async fn an_answer_without_the_iss_that_was_promised() {
    let script = right().await;
    let back = "http://localhost:3118/callback?error=access_denied&state=x";
    for (more, words) in
        [("", "missing from the answer"), ("&iss=https%3A%2F%2Fother.test", "names another issuer")]
    {
        script.put("GET", "/authorize", Scripted::redirect(302, &format!("{back}{more}")));
        Walked::of(&script)
            .await
            .fails_at_all(&[("iss", &[words, "mcp-remote"]), ("authorization", &["access_denied"])]);
    }
}

#[tokio::test]
async fn a_document_that_the_server_cannot_use_keeps_nobody_out_who_registers() {
    let house = House::new();
    // Refused without a look at the internet, as it is refused without a way there.
    let flags = ["--guard", "notes=http://127.0.0.1:9/mcp", "--client-document-hosts-refused", "claude.ai"];
    let server = house.serve("127.0.0.1:0", &flags);
    let walked = walk(&format!("{}/notes", server.issuer), &[]).await;
    walked.warns_at(
        "client_document",
        &[
            "for https://claude.ai/",
            "Clients that register are not concerned",
            "Claude Code",
            "register only where they are not",
            "--client-documents off",
        ],
    );
    assert!(walked.seen("registration").starts_with("ok: 201"));
    let walked = walk(&format!("{}/notes", server.issuer), &["--no-register"]).await;
    walked.warns_at("client_document", &["Clients that register are not concerned"]);
}

#[tokio::test]
async fn a_document_that_the_server_cannot_use_where_nobody_registers() {
    let script = right().await;
    let document = with(metadata(&script), "client_id_metadata_document_supported", json!(true));
    put_document(&script, METADATA, &document);
    script.put("POST", "/register", Scripted::status(403));
    script.put("GET", "/authorize", Scripted::html(503, "Cannot be read"));
    let words: &[&str] = &["503 (\"Cannot be read\")", "Claude Code", "--client-documents off"];
    Walked::of(&script)
        .await
        .fails_at_all(&[("registration", &["403: registration is closed"]), ("client_document", words)]);
}

#[tokio::test]
async fn a_token_endpoint_that_redirects() {
    let script = right().await;
    script.put("POST", "/token", Scripted::redirect(301, "/token/"));
    Walked::of(&script)
        .await
        .fails_at("token", &["301, a redirect to /token/", "POST becomes a GET", "without a redirect"]);
}

#[tokio::test]
async fn a_token_endpoint_that_answers_a_page() {
    let script = right().await;
    for status in [200, 400, 500, 502] {
        script.put("POST", "/token", Scripted::html(status, "Notes"));
        let expected = format!("{status}, with an HTML page (\"Notes\")");
        Walked::of(&script).await.fails_at("token", &[&expected, "TypeScript SDK", "POST /token"]);
    }
}

#[tokio::test]
async fn a_token_endpoint_that_clients_cannot_use() {
    let script = right().await;
    let error = |error: &str| json!({ "error": error });
    for (line, words) in [
        (Scripted::status(404), "404, with"),
        (Scripted::status(405), "hand POST on to it"),
        (Scripted::json(401, &error("invalid_client")), "for the client that has just registered"),
        (Scripted::json(400, &error("invalid_target")), "vestibule resource add"),
        (Scripted::json(400, &error("unsupported_grant_type")), "Support authorization_code"),
        (Scripted::json(500, &error("server_error")), "At a 5xx"),
        (Scripted::json(200, &json!({ "access_token": "x" })), "for a code that nobody issued"),
        (Scripted::json(400, &json!({ "message": "no" })), "JSON that has no error"),
        (Scripted::Nothing, "the connection broke"),
    ] {
        script.put("POST", "/token", line);
        Walked::of(&script).await.fails_at("token", &[words]);
    }
    for line in [Scripted::json(200, &error("invalid_grant")), Scripted::json(400, &error("invalid_request"))]
    {
        script.put("POST", "/token", line);
        Walked::of(&script).await.warns_at("token", &["invalid_grant"]);
    }
    // Without a registration nobody can know the client.
    script.put("POST", "/token", Scripted::json(401, &error("invalid_client")));
    walk(&script.url(SERVER), &["--no-register"]).await.is_right();
}

#[tokio::test]
async fn endpoints_that_no_page_may_ask() {
    let script = right().await;
    for path in ["/register", "/token"] {
        script.put("OPTIONS", path, Scripted::status(404));
    }
    let words: &[&str] = &["OPTIONS: 404", "Access-Control-Allow-Origin: *"];
    Walked::of(&script).await.fails_at_all(&[("cors.registration", words), ("cors.token", words)]);
}

#[tokio::test]
async fn a_command_that_mends_does_nothing_else_whoever_named_what_is_in_it() {
    let script = right().await;
    let foreign = format!("{}$(id)';id'", script.url(SERVER));
    put_document(&script, RESOURCE_METADATA, &with(resource_metadata(&script), "resource", json!(foreign)));
    let refusal = json!({ "error": "invalid_target" });
    script.put("GET", "/authorize", Scripted::json(400, &refusal));
    script.put("POST", "/token", Scripted::json(400, &refusal));
    let command = format!(r"vestibule resource add '{}$(id)'\'';id'\'''", script.url(SERVER));
    Walked::of(&script).await.fails_at_all(&[
        ("resource", &[]),
        ("authorization", &[&command]),
        ("token", &[&command]),
    ]);
    let script = right().await;
    let elsewhere = format!("{}?$(id)", script.url(SERVER)).replace("http:", "https:");
    script.put("POST", SERVER, Scripted::redirect(307, &elsewhere));
    let walked = Walked::of(&script).await;
    let mend = walked.marked("fail")[0]["mend"].as_str().expect("a text");
    assert!(mend.ends_with(&format!("vestibule doctor '{elsewhere}'")), "{mend}");
}
