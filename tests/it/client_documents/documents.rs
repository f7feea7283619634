//! What a document has to say, and what it must not say, to make a client.

use serde_json::{Value, json};
use vestibule::crypto::public_key::AssertionAlgorithm;

use super::{NAME, PATH, World, assert_known, assert_refused, document, visit, with};
use crate::harness::{Browser, ClientKey, Host, R1, Reply};

/// Asserts that the document with these changes makes no client, for this reason, and that the next one counts at once.
async fn assert_no_client(world: &World, changes: Value, reason: &str) {
    world.publish(&with(world.document(), changes.clone()));
    assert_refused(&world.server, &world.client.id, 400, &format!("({reason})")).await;
    assert!(world.kept().is_none(), "{changes}");
    // Longer than it takes until this address may have others fetched.
    world.server.advance(60);
}

/// Asserts that the document with these changes makes a client.
async fn assert_client(world: &World, changes: Value) {
    world.publish(&with(world.document(), changes.clone()));
    assert_known(&visit(&world.server, &world.client.id).await, changes);
    world.server.sql("delete from clients where id = ?1", [&world.client.id]);
    world.server.advance(60);
}

#[tokio::test]
async fn a_cimd_12_c_cm_10_a_document_names_the_url_that_it_came_from_byte_for_byte() {
    let world = World::new().await;
    let id = world.client.id.clone();
    let port = format!(":{}", world.host.address.port());
    for other in [
        json!(id.replace(&port, "")),
        json!(id.replace(&port, ":443")),
        json!(id.replace(&port, &format!(":0{}", &port[1..]))),
        json!(id.replace(NAME, "Client.test")),
        json!(id.replace(NAME, "client.test.")),
        json!(id.replace(NAME, "evil.test")),
        json!(id.replace("https:", "HTTPS:")),
        json!(id.replace("https:", "http:")),
        json!(format!("{id}/")),
        json!(format!("{id}?")),
        json!(format!("{id}#")),
        json!(format!(" {id}")),
        json!(format!("{id}\n")),
        json!(format!("{id}\u{0}")),
        json!(id.replace("client.json", "client%2Ejson")),
        json!(id.replace("client.json", "Client.json")),
        json!(id.replace("/oauth/", "/oauth/./")),
        json!(id.replace("/oauth/", "//oauth/")),
        json!([id]),
        json!({ "": id }),
        json!(""),
        json!(1),
        json!(true),
        Value::Null,
    ] {
        assert_no_client(&world, json!({ "client_id": other }), "id_differs").await;
    }
    assert_client(&world, json!({})).await;
    // Percent-encoding has two cases, and each is a name of its own.
    for (path, other) in [("/a%2fb", "/a%2Fb"), ("/a%2Fb", "/a%2fb"), ("/a%7eb", "/a~b")] {
        let url = world.host.url(NAME, path);
        world.host.put(path, Reply::json(&document(&world.host.url(NAME, other))));
        assert_refused(&world.server, &url, 400, "(id_differs)").await;
        world.host.put(path, Reply::json(&document(&url)));
        assert_known(&visit(&world.server, &url).await, path);
    }
}

#[tokio::test]
async fn c_mcp_03_a_cimd_14_a_document_has_a_name_and_at_least_one_redirect_uri() {
    let world = World::new().await;
    for name in [json!(null), json!(""), json!("  "), json!("\u{200b}\u{202e}\u{feff}"), json!("\r\n")] {
        assert_no_client(&world, json!({ "client_name": name }), "name_missing").await;
    }
    for name in [json!(7), json!(["A"]), json!({ "en": "A" }), json!("x".repeat(257))] {
        assert_no_client(&world, json!({ "client_name": name }), "member_malformed").await;
    }
    for none in [json!(null), json!([])] {
        assert_no_client(&world, json!({ "redirect_uris": none }), "redirect_uri_missing").await;
    }
    let many = |count: usize| vec!["https://client.test/cb"; count];
    for wrong in [
        json!("https://client.test/cb"),
        json!({}),
        json!([1]),
        json!([null]),
        json!([["x"]]),
        json!(many(21)),
    ] {
        assert_no_client(&world, json!({ "redirect_uris": wrong }), "member_malformed").await;
    }
    assert_client(&world, json!({ "redirect_uris": many(20) })).await;
    for wrong in [
        "javascript:alert(1)",
        "JavaScript:alert(1)",
        "data:text/html,x",
        "file:///etc/passwd",
        "vbscript:x",
        "about:blank",
        "blob:https://client.test/x",
        "ws://client.test/",
        "http://client.test/cb",
        "http://10.0.0.1/cb",
        "//client.test/cb",
        "https://client.test/cb#x",
        "https://u@client.test/cb",
        "https://*.client.test/cb",
        "https://client.test/cb?code=x",
        "https:///cb",
        "/cb",
        "",
        "https://client.test/c b",
        "http://127.0.0.1.evil.test/cb",
        "http://localhost.evil.test/",
    ] {
        let uris = json!({ "redirect_uris": ["https://client.test/cb", wrong] });
        assert_no_client(&world, uris, "redirect_uri_invalid").await;
    }
}

#[tokio::test]
async fn a_cimd_13_c_cm_11_a_document_that_everybody_can_read_holds_no_secret() {
    let world = World::new().await;
    for secret in [
        json!({ "client_secret": "hunter2" }),
        json!({ "client_secret": "" }),
        json!({ "client_secret": false }),
        json!({ "client_secret_expires_at": 0 }),
        json!({ "client_secret_expires_at": 4_000_000_000_u32 }),
        json!({ "client_secret_expires_at": "never" }),
        json!({ "token_endpoint_auth_method": "client_secret_basic" }),
        json!({ "token_endpoint_auth_method": "client_secret_post" }),
        json!({
            "token_endpoint_auth_method": "client_secret_post",
            "token_endpoint_auth_methods_supported": ["none", "private_key_jwt"],
        }),
    ] {
        assert_no_client(&world, secret, "secret_in_document").await;
    }
    for method in
        ["client_secret_jwt", "tls_client_auth", "self_signed_tls_client_auth", "NONE", "none ", "x"]
    {
        let method = json!({ "token_endpoint_auth_method": method });
        assert_no_client(&world, method, "auth_method_unsupported").await;
    }
    for list in [json!(["client_secret_basic"]), json!(["client_secret_basic", "client_secret_post"])] {
        let list =
            json!({ "token_endpoint_auth_method": null, "token_endpoint_auth_methods_supported": list });
        assert_no_client(&world, list, "auth_method_unsupported").await;
    }
    for method in [json!(1), json!(["none"]), json!({})] {
        let method = json!({ "token_endpoint_auth_method": method });
        assert_no_client(&world, method, "member_malformed").await;
    }
    for none in [json!(null), json!(""), json!("none")] {
        assert_client(&world, json!({ "token_endpoint_auth_method": none })).await;
    }
}

#[tokio::test]
async fn a_cimd_13_a_document_holds_public_keys_only_whether_or_not_it_uses_them() {
    let world = World::new().await;
    let by_key = |jwks: Value| json!({ "token_endpoint_auth_method": "private_key_jwt", "jwks": jwks });
    for key in ClientKey::of_each_kind() {
        assert_client(&world, by_key(key.jwks())).await;
        for private in ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"] {
            let jwks = json!({ "keys": [key.jwk(), with(key.jwk(), json!({ private: "AA" }))] });
            assert_no_client(&world, by_key(jwks), "keys_malformed").await;
        }
    }
    let private = json!({ "keys": [with(ClientKey::pkj().jwk(), json!({ "d": "AA" }))] });
    assert_no_client(&world, json!({ "jwks": private }), "keys_malformed").await;
    let none =
        json!({ "token_endpoint_auth_method": null, "jwks": { "keys": [{ "kty": "oct", "k": "AA" }] } });
    assert_no_client(&world, none, "keys_malformed").await;
    // A public client may publish keys for other uses.
    assert_client(&world, json!({ "jwks": ClientKey::pkj().jwks() })).await;
    assert_client(&world, json!({ "jwks": { "keys": [] } })).await;
    assert_client(&world, json!({ "jwks_uri": "https://client.test/jwks" })).await;

    let key = ClientKey::new(AssertionAlgorithm::EdDsa);
    let twenty_one = json!({ "keys": vec![key.jwk(); 21] });
    for wrong in
        [json!({}), json!({ "keys": {} }), json!({ "keys": [] }), json!([key.jwk()]), json!("x"), twenty_one]
    {
        assert_no_client(&world, by_key(wrong), "keys_malformed").await;
    }
    let named = json!({ "token_endpoint_auth_method": "private_key_jwt" });
    assert_no_client(&world, named.clone(), "keys_missing").await;
    let both = json!({ "jwks": key.jwks(), "jwks_uri": "https://client.test/jwks" });
    assert_no_client(&world, both, "keys_twice").await;
    for link in [
        "http://client.test/jwks",
        "javascript:x",
        "https://u@client.test/j",
        "https://client.test/j#x",
        "/j",
    ] {
        assert_no_client(&world, with(named.clone(), json!({ "jwks_uri": link })), "link_invalid").await;
    }
}

#[tokio::test]
async fn a_document_is_one_json_object_that_says_each_thing_once() {
    let world = World::new().await;
    let good = world.document().to_string();
    let open = good.strip_suffix('}').expect("an object");
    let id = &world.client.id;
    for text in [
        String::new(),
        "null".to_owned(),
        "[]".to_owned(),
        format!("[{good}]"),
        format!("\"{id}\""),
        format!("{good}{good}"),
        format!("{good} x"),
        open.to_owned(),
        format!("{open},}}"),
        format!("{open},\"client_id\":\"{id}\"}}"),
        format!("{open},\"client_name\":\"Another\"}}"),
        format!("{open},\"client\\u005fname\":\"Another\"}}"),
        format!("{open},\"x\":{{\"a\":1,\"a\":2}}}}"),
        format!("{open},\"x\":NaN}}"),
        format!("{open},\"x\":1e999}}"),
        format!("{open},\"x\":\"\\ud800\"}}"),
        format!("{open},\"x\":{}1{}}}", "[".repeat(1000), "]".repeat(1000)),
        format!("/* */{good}"),
        format!("<html>{good}</html>"),
    ] {
        world
            .host
            .put(PATH, Reply::answer("200 OK", &[("content-type", "application/json")], text.as_bytes()));
        assert_refused(&world.server, id, 400, "(not_an_object)").await;
        world.server.advance(60);
    }
    let spaced = format!("\r\n\t {good} \n");
    world.host.put(PATH, Reply::answer("200 OK", &[("content-type", "application/json")], spaced.as_bytes()));
    assert_known(&visit(&world.server, id).await, "space around it");
    // A member is what JSON makes of it: escapes are a spelling of the text, not of another client.
    world.server.sql("delete from clients where id = ?1", [id]);
    let escaped = good.replace('/', "\\/").replace("client.test", "cl\\u0069ent.test");
    world
        .host
        .put(PATH, Reply::answer("200 OK", &[("content-type", "application/json")], escaped.as_bytes()));
    assert_known(&visit(&world.server, id).await, "escapes");
}

#[tokio::test]
async fn a_member_of_the_wrong_type_is_never_our_fault() {
    let world = World::new().await;
    let members = [
        "client_name",
        "redirect_uris",
        "grant_types",
        "response_types",
        "token_endpoint_auth_method",
        "token_endpoint_auth_methods_supported",
        "scope",
        "application_type",
        "client_uri",
        "logo_uri",
        "tos_uri",
        "policy_uri",
        "software_id",
        "software_version",
        "jwks",
        "jwks_uri",
        "contacts",
        "client_uri#de",
    ];
    for member in members {
        for value in [json!(-1.5), json!(false), json!([[]]), json!({ "x": {} }), json!("x".repeat(3000))] {
            world.publish(&with(world.document(), json!({ member: value })));
            let answer = visit(&world.server, &world.client.id).await;
            assert!(matches!(answer.status.as_u16(), 303 | 400), "{member}: {value}: {}", answer.text());
            world.server.advance(60);
        }
    }
}

#[tokio::test]
async fn a_cimd_19_20_c_cm_14_what_a_document_points_to_is_not_fetched_for_a_page() {
    let canary = Host::start(&[NAME]).await;
    let world = World::new().await;
    let there = canary.url(NAME, "/logo.png");
    for link in [there.as_str(), "https://169.254.169.254/latest/meta-data/", "https://localhost/logo.png"] {
        let links = json!({
            "logo_uri": link, "client_uri": link, "tos_uri": link, "policy_uri": link, "jwks_uri": link,
            "token_endpoint_auth_method": "private_key_jwt", "sector_identifier_uri": link, "client_uri#de": link,
        });
        world.publish(&with(world.document(), links));
        world.server.advance(60);
        let mut browser = Browser::signed_in(&world.server, "alice").await;
        let page = browser.go(&world.server, &world.client.authorize_url(&[("resource", R1)])).await;
        let text = page.text();
        assert!(text.contains("A client of the world") && !text.contains("<img"), "{text}");
        assert!(!text.contains("logo.png") && !text.contains("meta-data"), "C-CM-19: {text}");
    }
    for link in
        ["javascript:alert(1)", "data:image/svg+xml,<svg/>", "http://client.test/", "file:///etc/passwd", "x"]
    {
        for member in ["logo_uri", "client_uri", "tos_uri", "policy_uri", "jwks_uri", "logo_uri#ja"] {
            world.publish(&with(world.document(), json!({ member: link })));
            world.server.advance(60);
            visit(&world.server, &world.client.id).await.assert_problem_page(400);
        }
    }
    assert_eq!(canary.connections(), 0);
    assert_eq!(world.resolver.questions().iter().filter(|name| *name != NAME).count(), 0);
}
