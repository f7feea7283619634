//! Which names are URLs of documents, and that no other makes this server ask anybody anything.

use serde_json::json;

use super::{PATH, World, assert_known, assert_refused, client, document, kept, visit};
use crate::harness::{Browser, ClientKey, Pkce, Reply};
use vestibule::oauth::client_assertion::ASSERTION_TYPE;

#[tokio::test]
async fn a_cimd_01_c_cm_01_only_https_names_a_document_and_whatever_else_is_an_unknown_client() {
    let world = World::new().await;
    let https = world.client.id.strip_prefix("https:").expect("a URL").to_owned();
    for scheme in ["http:", "ftp:", "wss:", "file:", "HTTP:", "", "https:https:", "view-source:https:"] {
        let answer = visit(&world.server, &format!("{scheme}{https}")).await;
        answer.assert_problem_page(400);
        assert!(answer.text().contains("<h1>Unknown app</h1>"), "{scheme}: {}", answer.text());
        assert_eq!(world.server.audit()[0].3["reason"], "client_unknown", "{scheme}");
    }
    for other in ["https:client.test/x", "file:///etc/passwd", "data:application/json,{}", "client.test"] {
        visit(&world.server, other).await.assert_problem_page(400);
        assert_eq!(world.server.audit()[0].3["reason"], "client_unknown", "{other}");
    }
    assert_refused(&world.server, &format!("HTTPS:{https}"), 400, "client_document_url").await;
    assert_refused(&world.server, &format!("hTTps:{https}"), 400, "client_document_url").await;
    assert_eq!((world.resolver.questions().len(), world.host.connections()), (0, 0));
}

#[tokio::test]
async fn a_cimd_02_c_cm_02_03_04_05_07_a_url_that_could_be_read_two_ways_is_refused_before_any_question() {
    let world = World::new().await;
    let port = world.host.address.port();
    let at = |rest: &str| format!("https://client.test:{port}{rest}");
    let mut urls: Vec<String> =
        ["", "/", "?x", "/#", "/x#", "/x#y", "/a/../b", "/./b", "/a/.", "/a/..", "/.."]
            .iter()
            .chain(&[
                "/%2e%2e/b",
                "/%2E%2e/b",
                "/%2E/b",
                "/.%2e/b",
                "/a/%2e",
                "\\x",
                "/\\x",
                "/<x>",
                "/\"x",
                "/x`",
            ])
            .map(|rest| at(rest))
            .collect();
    urls.extend(
        [
            format!("https://u@client.test:{port}/x"),
            format!("https://u:p@client.test:{port}/x"),
            format!("https://@client.test:{port}/x"),
            format!("https://:@client.test:{port}/x"),
            format!("https://client.test:{port}@evil.test/x"),
            format!("https://Client.test:{port}/x"),
            format!("https://client%2etest:{port}/x"),
            format!("https://%63lient.test:{port}/x"),
        ]
        .into_iter(),
    );
    urls.extend(
        [
            "https:///x",
            "https:////client.test/x",
            "https://client.test:443/x",
            "https://client.test:0/x",
            "https://client.test:/x",
            "https://client.test:65536/x",
            "https://client.test:+8443/x",
            "https://client.test:08443/x",
            "https://client.test:8443:8443/x",
            "https://[client.test]/x",
            "https://client^test/x",
            "https://client..test:x/x",
        ]
        .map(str::to_owned),
    );
    let before = world.server.contents();
    for url in &urls {
        let answer = visit(&world.server, url).await;
        answer.assert_problem_page(400);
        assert!(!answer.text().contains("<x>"), "it is shown as text: {}", answer.text());
        assert_eq!(world.server.audit()[0].3["reason"], "client_document_url", "{url}");
    }
    // These are no client_id at all.
    for rest in ["/ x", "/\tx", "/x\r\nHost: evil.test", "/\u{fc}", "/x\0", "/\u{200b}"] {
        visit(&world.server, &at(rest)).await.assert_problem_page(400);
        assert_eq!(world.server.audit()[0].3["reason"], "client_unknown", "{rest:?}");
    }
    visit(&world.server, &at(&format!("/{}", "x".repeat(512)))).await.assert_problem_page(400);
    assert_refused(&world.server, &at("/a/../b"), 400, "client_document_url").await;
    assert_eq!((world.resolver.questions().len(), world.host.connections()), (0, 0));
    assert_eq!(world.server.contents(), before, "G6");
}

#[tokio::test]
async fn c_cm_06_07_a_port_and_a_query_are_part_of_the_name() {
    let world = World::new().await;
    let urls =
        ["?v=1", "?v=2", "?", "/", "/%2F", "//x", ";v=1"].map(|rest| format!("{}{rest}", world.client.id));
    for url in &urls {
        let (_, target) = url.split_once(&format!(":{}", world.host.address.port())).expect("a port");
        world.host.put(target, Reply::json(&document(url)));
        assert_known(&visit(&world.server, url).await, url);
        assert!(
            world.host.asked().last().expect("a request").starts_with(&format!("GET {target} HTTP/1.1\r\n"))
        );
    }
    assert!(urls.iter().all(|url| kept(&world.server, url).is_some()));
    assert_eq!(world.host.hits(), urls.len(), "each is a client of its own");
    assert!(world.kept().is_none());
}

#[tokio::test]
async fn a_request_that_names_two_clients_names_none() {
    let world = World::new().await;
    let url = world.client.authorize_url(&[]);
    for more in [&world.client.id, "pub"] {
        let encoded: String = url::form_urlencoded::byte_serialize(more.as_bytes()).collect();
        Browser::new()
            .get(&world.server, &format!("{url}&client_id={encoded}"))
            .await
            .assert_problem_page(400);
    }
    assert_eq!((world.resolver.questions().len(), world.host.connections()), (0, 0));
}

#[tokio::test]
async fn an_authorization_request_by_post_learns_the_client_as_well() {
    let world = World::new().await;
    let params = world.client.authorize_params();
    let answer =
        world.server.post("/oauth/authorize").header("accept", "text/html").form(&params).send().await;
    assert_known(&answer, "by POST");
    assert_eq!(world.host.hits(), 1);
}

/// Only an authorization request makes this server learn a client: there a person waits, who can be told.
#[tokio::test]
async fn no_other_endpoint_asks_for_the_document_of_a_client_that_nobody_used() {
    let world = World::new().await;
    let id = &world.client.id;
    let assertion = ClientKey::pkj().assertion(&world.server, id);
    let by_key = [("client_assertion_type", ASSERTION_TYPE), ("client_assertion", assertion.as_str())];
    let secret = "a secret that it never had";
    for path in ["/oauth/token", "/oauth/revoke", "/oauth/introspect"] {
        let fields = [("grant_type", "client_credentials"), ("token", "x"), ("client_id", id.as_str())];
        let ask = || world.server.post(path);
        ask().form(&fields).send().await.assert_refused("invalid_client");
        ask().basic(id, secret).form(&fields).send().await.assert_refused("invalid_client");
        ask().form(&[&fields[..], &by_key].concat()).send().await.assert_refused("invalid_client");
    }
    let body = json!({ "client_id": id, "redirect_uris": ["https://client.test/cb"] });
    let registered = world.server.post("/oauth/register").json(&body).send().await.json();
    assert!(
        registered["client_id"].as_str().is_some_and(|own| own.starts_with("c_")),
        "C-CM-21: {registered}"
    );
    assert_eq!((world.resolver.questions().len(), world.host.connections()), (0, 0));
}

#[tokio::test]
async fn c_cm_12_a_ruri_33_redirects_are_those_of_the_document_and_only_a_loopback_port_is_free() {
    let world = World::new().await;
    let redirects = json!(["https://client.test/cb", "http://127.0.0.1:3000/cb"]);
    world.publish(&super::with(world.document(), json!({ "redirect_uris": redirects })));
    let go = async |redirect_uri: &str| {
        let client = crate::harness::ClientApp {
            redirect_uri: redirect_uri.to_owned(),
            pkce: Pkce::new(),
            ..client(&world.client.id)
        };
        Browser::new().get(&world.server, &client.authorize_url(&[])).await
    };
    for known in [
        "https://client.test/cb",
        "http://127.0.0.1/cb",
        "http://127.0.0.1:4000/cb",
        "http://127.0.0.1:65535/cb",
    ] {
        assert_known(&go(known).await, known);
    }
    for unknown in [
        "http://127.0.0.1:4000/other",
        "http://127.0.0.1:4000/cb/",
        "http://127.0.0.1:4000/cb?x=1",
        "http://localhost:4000/cb",
        "http://[::1]:4000/cb",
        "https://127.0.0.1:4000/cb",
        "https://client.test:8443/cb",
        "https://client.test/cb/",
        "https://client.test/other",
        "https://evil.test/cb",
        "https://client.test.evil.test/cb",
        &world.client.id,
    ] {
        let answer = go(unknown).await;
        answer.assert_problem_page(400);
        assert_eq!(world.server.audit()[0].3["reason"], "redirect_uri_unknown", "{unknown}");
    }
    assert_eq!(world.host.hits(), 1);
    assert!(world.host.asked()[0].contains(PATH));
}
