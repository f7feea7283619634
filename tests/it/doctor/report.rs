//! The report as people read it, and wrong usage.

use super::*;

async fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
    let done = tokio::task::spawn_blocking(move || {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        House::new().run(&arguments, "")
    });
    let done = done.await.expect("it ends");
    (done.status, done.out, done.err)
}

#[tokio::test]
async fn people_read_a_line_a_step_what_mends_it_below_and_the_verdict_last() {
    let script = right().await;
    put_document(
        &script,
        METADATA,
        &with(metadata(&script), "code_challenge_methods_supported", Value::Null),
    );
    script.put("POST", "/token", Scripted::redirect(308, "/token/\u{1b}[2J"));
    let (status, out, err) = run(&["doctor", &script.url(SERVER)]).await;
    assert_eq!((status, err.as_str()), (Some(1), ""));
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines[0], "The MCP server");
    assert_eq!(
        lines[1],
        format!("  ok    URL                     {} (plain http, on this machine alone)", script.url(SERVER))
    );
    let at = lines.iter().position(|line| line.starts_with("  fail  PKCE  ")).expect("the failure");
    assert_eq!(lines[at], "  fail  PKCE                    code_challenge_methods_supported is missing");
    assert!(lines[at + 1].starts_with("        A client that cannot see S256 must not go on"));
    assert!(lines[at + 2..at + 4].iter().any(|line| line.starts_with("        Mend: Say ")), "{out}");
    assert_eq!(lines.last(), Some(&"2 things keep clients from connecting."));
    assert!(
        !out.contains('\u{1b}'),
        "no colour for a pipe, and nothing of a stranger's that a terminal obeys"
    );
    let long: Vec<_> = lines.iter().filter(|line| line.starts_with("        ") && line.len() > 110).collect();
    assert_eq!(long, Vec::<&&str>::new());
}

#[tokio::test]
async fn a_verdict_counts_what_keeps_clients_away() {
    let script = right().await;
    let (status, out, _) = run(&["doctor", &script.url(SERVER)]).await;
    let good = "\n\nClients connect; one warning says which may not.\n";
    assert!(status == Some(0) && out.ends_with(good), "{out}");
    let before = out.trim_end_matches(good).lines().last().expect("the last step");
    assert!(before.starts_with("  skip  calls with a token      not made, for want of a token"), "{before}");
    script.remove("/jwks");
    let (status, out, _) = run(&["doctor", &script.url(SERVER)]).await;
    assert_eq!((status, out.lines().last()), (Some(1), Some("One thing keeps clients from connecting.")));
}

/// The exit status, and the verdict as people read it.
async fn verdict(script: &Script) -> (Option<i32>, String) {
    let (status, out, _) = run(&["doctor", &script.url(SERVER)]).await;
    (status, out.lines().last().expect("a verdict").to_owned())
}

#[tokio::test]
async fn a_verdict_says_who_is_kept_out() {
    let script = right().await;
    script.put("OPTIONS", SERVER, Scripted::status(405));
    script.put("OPTIONS", "/token", Scripted::status(405));
    let pages = "Clients connect, but those in a web page do not.";
    assert_eq!(verdict(&script).await, (Some(1), pages.to_owned()));
    script.remove("/jwks");
    let both = "3 things keep clients from connecting, 2 of them only those in a web page.";
    assert_eq!(verdict(&script).await, (Some(1), both.to_owned()));
    let report = Walked::of(&script).await.report;
    let counted = json!({
        "failures": 3, "clients": 1, "named_clients": 0, "web_pages": 2, "exposures": 0, "warnings": 1,
    });
    assert_eq!(report["verdict"], counted);

    let script = right().await;
    script.put_given("user-agent: openai-mcp", "POST", SERVER, Scripted::status(403));
    let named = "Clients connect, but not those that one failure names.";
    assert_eq!(verdict(&script).await, (Some(1), named.to_owned()));
}

#[tokio::test]
async fn a_verdict_says_that_a_door_is_open_and_not_that_it_is_shut() {
    let script = Script::start(Stage::Plain).await;
    script.put("POST", SERVER, Scripted::json(200, &json!({ "jsonrpc": "2.0", "id": 0, "result": {} })));
    let open = "Clients connect; one thing lets in whoever should stay out.";
    assert_eq!(verdict(&script).await, (Some(1), open.to_owned()));
    let walked = Walked::of(&script).await;
    assert_eq!(walked.marked("fail")[0]["harm"], "exposure");
}

#[tokio::test]
async fn a_failure_says_whom_it_harms() {
    let key = json!({ "keys": [{ "kty": "EC", "use": "sig", "d": "x" }] });
    let back = "http://localhost:3118/callback?code=x";
    for (method, path, line, harm) in [
        ("GET", SERVER, Scripted::status(200), "exposure"),
        ("GET", "/jwks", Scripted::json(200, &key), "exposure"),
        ("POST", "/token", Scripted::json(200, &json!({ "access_token": "x" })), "exposure"),
        ("GET", "/jwks", Scripted::status(404), "clients"),
        ("POST", "/token", Scripted::status(404), "clients"),
        ("OPTIONS", "/token", Scripted::status(404), "web_pages"),
    ] {
        let script = right().await;
        script.put(method, path, line);
        assert_eq!(Walked::of(&script).await.marked("fail")[0]["harm"], harm, "{method} {path}");
    }
    let script = right().await;
    let document = with(metadata(&script), "authorization_response_iss_parameter_supported", Value::Null);
    put_document(&script, METADATA, &document);
    script.put("GET", "/authorize", Scripted::redirect(302, back));
    assert_eq!(Walked::of(&script).await.marked("fail")[0]["harm"], "exposure");

    let slash = with(resource_metadata(&script), "resource", json!(script.url("/mcp/")));
    let parent = with(resource_metadata(&script), "resource", json!(script.url("/")));
    let other = with(resource_metadata(&script), "resource", json!(script.url("/other")));
    for (document, harm) in [(slash, "named_clients"), (parent, "named_clients"), (other, "clients")] {
        put_document(&script, RESOURCE_METADATA, &document);
        let walked = Walked::of(&script).await;
        let failed = walked.marked("fail");
        assert_eq!((&failed[0]["step"], &failed[0]["harm"]), (&json!("resource"), &json!(harm)));
    }
}

#[tokio::test]
async fn a_registration_that_is_closed_spares_clients_that_are_named_by_a_document() {
    let script = right().await;
    let document = with(metadata(&script), "client_id_metadata_document_supported", json!(true));
    put_document(&script, METADATA, &document);
    script.put("POST", "/register", Scripted::status(403));
    let named = "Clients connect, but not those that one failure names.";
    assert_eq!(verdict(&script).await, (Some(1), named.to_owned()));
    let spared = "Clients that name themselves by a document are not concerned.";
    Walked::of(&script).await.fails_at("registration", &["Cursor", spared]);
}

#[tokio::test]
async fn wrong_usage_is_2_and_says_how_to_write_it() {
    for arguments in [
        &["doctor"][..],
        &["doctor", "notes.home.example/mcp"],
        &["doctor", "https://h/#x"],
        &["doctor", "https://h/", "--colour"],
    ] {
        let (status, out, err) = run(arguments).await;
        assert_eq!((status, out.as_str()), (Some(2), ""), "{arguments:?}");
        assert!(err.contains("--help"), "{err}");
    }
    let (_, _, err) = run(&["doctor", "notes.home.example/mcp"]).await;
    assert!(err.contains("https://notes.home.example/mcp"), "{err}");
    let (status, out, err) = run(&["doctor", "https://h/", "--roots", "missing.pem"]).await;
    assert_eq!((status, out.as_str()), (Some(1), ""));
    assert!(err.starts_with("vestibule: could not use the authorities in missing.pem: "), "{err}");
}

#[tokio::test]
async fn a_stranger_cannot_fill_the_report_nor_have_a_terminal_obey_it_in_either_form() {
    let script = right().await;
    let methods = ["\u{9b}2J\u{202e}\u{7f}"; 9000];
    let document = with(metadata(&script), "code_challenge_methods_supported", json!(methods[..]));
    put_document(
        &script,
        METADATA,
        &with(document, "token_endpoint_auth_methods_supported", json!(methods[..])),
    );
    for form in [&["doctor", &script.url(SERVER)][..], &["doctor", &script.url(SERVER), "--json"]] {
        let (status, out, _) = run(form).await;
        assert_eq!(status, Some(1));
        assert!(out.len() < 64 * 1024, "{}", out.len());
        let obeyed = |c: char| c != '\n' && c.is_control() || c == '\u{202e}';
        assert!(!out.contains(obeyed), "{form:?}");
    }
}
