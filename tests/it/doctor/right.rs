//! Set-ups that are right, and what the walk asks of them.

use super::*;

#[tokio::test]
async fn a_server_behind_our_own_guard_passes_wholly() {
    let house = House::new();
    // Documents of clients are fetched from the internet, which a test does not reach.
    let guard = ["--guard", "notes=http://127.0.0.1:9/mcp", "--client-documents", "off"];
    let server = house.serve("127.0.0.1:0", &guard);
    let walked = walk(&format!("{}/notes", server.issuer), &[]).await;
    walked.is_right();
    let skipped: Vec<_> = walked.marked("skipped").iter().map(|finding| &finding["step"]).collect();
    assert_eq!(skipped, ["resource_metadata.path", "client_document", "calls"]);
    // Nobody is at home behind the guard, which no walk without a token can see: it says so.
    assert_eq!(
        walked.seen("calls"),
        "skipped: not made, for want of a token: whether the server answers them, and its tools work, is not known"
    );
    // The guard answers in the spelling that was typed, as far as a request tells it.
    let walked = walk(&format!("{}/notes/", server.issuer), &[]).await;
    walked.warns_at("resource_metadata.root", &["says something else"]);
}

#[tokio::test]
async fn a_right_set_up_of_anybodys_passes_wholly() {
    let script = right().await;
    let walked = Walked::of(&script).await;
    walked.is_right();
    assert_eq!(walked.seen("registration"), "ok: 201, as client-1, and removed again");
    assert_eq!(walked.seen("authorization"), "ok: 200, a page (\"Sign in\")");
    assert_eq!(walked.seen("clock"), "ok: right");
}

#[tokio::test]
async fn it_asks_as_clients_ask_follows_nobody_and_cleans_up_behind_itself() {
    let script = right().await;
    Walked::of(&script).await.is_right();
    let spoken = script.spoken();
    let first = &spoken[0];
    assert_eq!((first.method.as_str(), first.target.as_str()), ("POST", SERVER));
    for header in [
        "accept: application/json, text/event-stream",
        "mcp-protocol-version: ",
        "user-agent: node",
        "content-type: application/json",
    ] {
        assert!(first.head.contains(&format!("\r\n{header}")), "{header}: {}", first.head);
    }
    assert!(first.body.contains(r#""method":"initialize""#));
    for agent in ["claude-user", "python-httpx/", "openai-mcp/"] {
        assert!(
            spoken
                .iter()
                .any(|one| one.target == SERVER && one.head.contains(&format!("user-agent: {agent}")))
        );
    }
    let authorize = spoken.iter().find(|one| one.target.starts_with("/authorize?")).expect("it was asked");
    let query: Vec<(String, String)> =
        url::form_urlencoded::parse(authorize.target.split_once('?').unwrap().1.as_bytes())
            .into_owned()
            .collect();
    let value = |name: &str| query.iter().find(|(have, _)| have == name).map(|(_, value)| value.as_str());
    assert_eq!(value("client_id"), Some("client-1"));
    assert_eq!(value("resource"), Some(script.url(SERVER).as_str()));
    assert_eq!(value("code_challenge_method"), Some("S256"));
    assert_eq!(value("scope"), Some("read"));
    assert_eq!(value("code_challenge").map(str::len), Some(43));

    let registrations =
        spoken.iter().filter(|one| (one.method.as_str(), one.target.as_str()) == ("POST", "/register"));
    assert_eq!(registrations.count(), 1);
    let last_of_it = spoken.iter().find(|one| one.method == "DELETE").expect("it was taken back");
    assert!(
        last_of_it.target == "/register/1" && last_of_it.head.contains("authorization: bearer of-client-1")
    );
    let with_token = spoken.iter().filter(|one| one.head.contains("\r\nauthorization: "));
    assert_eq!(with_token.count(), 1, "no other request has a credential");
}

#[tokio::test]
async fn without_registration_it_leaves_nothing_behind() {
    let script = right().await;
    let walked = walk(&script.url(SERVER), &["--no-register"]).await;
    walked.is_right();
    assert_eq!(walked.seen("registration"), "skipped: --no-register");
    assert!(walked.seen("authorization").starts_with("skipped: "));
    assert!(
        script.spoken().iter().all(|one| one.method == "OPTIONS" || !one.target.starts_with("/register"))
    );
}

#[tokio::test]
async fn a_registration_that_cannot_be_taken_back_is_told() {
    let script = right().await;
    let elsewhere = Script::start(Stage::Plain).await;
    // The token is the server's own: it goes to no other, whatever the answer says.
    let body = with(registered(&script), "registration_client_uri", json!(elsewhere.url("/register/1")));
    script.put("POST", "/register", Scripted::json(201, &body));
    let walked = Walked::of(&script).await;
    walked.is_right();
    assert!(walked.seen("registration").contains("client-1, which stays behind"));
    assert_eq!(elsewhere.spoken().len(), 0);
}

#[tokio::test]
async fn a_client_by_document_is_tried_where_documents_are_taken() {
    let script = right().await;
    put_document(
        &script,
        METADATA,
        &with(metadata(&script), "client_id_metadata_document_supported", json!(true)),
    );
    let walked = Walked::of(&script).await;
    walked.is_right();
    assert!(walked.seen("client_document").starts_with("ok: it knows https://claude.ai/"));
}

#[tokio::test]
async fn an_issuer_with_a_path_is_looked_for_where_clients_look() {
    for place in [
        "/.well-known/oauth-authorization-server/realms/home",
        "/.well-known/openid-configuration/realms/home",
        "/realms/home/.well-known/openid-configuration",
    ] {
        let script = right().await;
        let issuer = script.url("/realms/home");
        script.remove(METADATA);
        let document = with(metadata(&script), "issuer", json!(issuer));
        let document = with(document, "subject_types_supported", json!(["public"]));
        let document = with(document, "id_token_signing_alg_values_supported", json!(["ES256"]));
        put_document(&script, place, &document);
        let document = with(resource_metadata(&script), "authorization_servers", json!([issuer]));
        put_document(&script, RESOURCE_METADATA, &document);
        let walked = Walked::of(&script).await;
        walked.is_right();
        assert!(walked.seen("metadata").contains(place), "{}", walked.seen("metadata"));
    }
}
