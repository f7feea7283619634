//! How a client with keys comes to be known: it registers itself, the owner adds it, or a file names it.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use vestibule::crypto::public_key::AssertionAlgorithm;

use super::{by_key, reason, token};
use crate::harness::{Browser, ClientApp, ClientKey, Host, House, Pkce, R1, Reply, Server, Tokens};

const CB: &str = "https://app.test/cb";

/// Registers a client with these members besides.
async fn register(server: &Server, more: Value) -> (ClientApp, Value) {
    let mut body = json!({ "redirect_uris": [CB], "token_endpoint_auth_method": "private_key_jwt" });
    for (name, value) in more.as_object().expect("an object") {
        body[name] = value.clone();
    }
    let answer = server.post("/oauth/register").json(&body).send().await;
    assert_eq!(answer.status.as_u16(), 201, "{}", answer.text());
    let registered = answer.json();
    let id = registered["client_id"].as_str().expect("a client_id").to_owned();
    (ClientApp { id, secret: None, redirect_uri: CB.to_owned(), pkce: Pkce::new() }, registered)
}

/// Signs in with it, and goes on with it, by its key; without it, nothing.
async fn assert_connects(server: &Server, app: &ClientApp, key: &ClientKey) {
    let code = app.code(server, &mut Browser::new(), "alice", &[("resource", R1)]).await;
    app.redeem(server, &code, &[]).await.assert_refused("invalid_client");
    assert_eq!(reason(server), "assertion_missing");
    let sign = || key.assertion(server, &app.id);
    let tokens = Tokens::of(&app.redeem(server, &code, &by_key(&sign())).await);
    app.refresh(server, tokens.refresh(), &[]).await.assert_refused("invalid_client");
    let tokens = Tokens::of(&app.refresh(server, tokens.refresh(), &by_key(&sign())).await);
    let fields = [("token", tokens.access.as_str())];
    let answer =
        server.post("/oauth/introspect").form(&[&fields[..], &by_key(&sign())].concat()).send().await;
    assert_eq!(answer.json()["active"], true, "{}", answer.text());
    token(server, &sign()).await.assert_refused("unauthorized_client");
}

#[tokio::test]
async fn c_dcr_02_a_client_registers_its_public_keys_and_is_told_which_are_kept() {
    let server = Server::start().await;
    for key in ClientKey::of_each_kind() {
        let useless = json!({ "kty": "EC", "crv": "P-384", "kid": "x", "x": "AA", "y": "AA" });
        let mut jwk = key.jwk();
        jwk["x5c"] = json!(["AA"]);
        let (app, registered) = register(&server, json!({ "jwks": { "keys": [useless, jwk] } })).await;
        assert_eq!(registered["token_endpoint_auth_method"], "private_key_jwt");
        let kept = registered["jwks"]["keys"].as_array().expect("its keys");
        assert_eq!((kept.len(), &kept[0]["kid"]), (1, &json!(key.kid())), "{registered}");
        assert!(kept[0].get("x5c").is_none(), "{registered}");
        for absent in ["client_secret", "client_secret_expires_at", "jwks_uri"] {
            assert!(registered.get(absent).is_none(), "{registered}");
        }
        assert_connects(&server, &app, &key).await;
    }
}

#[tokio::test]
async fn a_dcr_05_a_registered_jwks_uri_is_asked_when_a_key_is_needed_and_not_before() {
    let host = Host::start(&["keys.test"]).await;
    let resolver = host.resolver();
    let server = Server::start_among(resolver.names(), |settings| host.trusted_by(settings)).await;
    let key = ClientKey::new(AssertionAlgorithm::EdDsa);
    let url = host.url("keys.test", "/jwks");
    host.put("/jwks", Reply::json(&key.jwks()));
    let (app, registered) = register(&server, json!({ "jwks_uri": url })).await;
    assert_eq!((&registered["jwks_uri"], registered.get("jwks")), (&json!(url), None));
    let code = app.code(&server, &mut Browser::new(), "alice", &[("resource", R1)]).await;
    assert_eq!((host.connections(), resolver.questions().len()), (0, 0));
    let assertion = key.assertion(&server, &app.id);
    Tokens::of(&app.redeem(&server, &code, &by_key(&assertion)).await);
    assert_eq!(host.hits(), 1);
    assert_connects(&server, &app, &key).await;
    // Addresses of the house can be registered, for nobody looks; and then nobody goes there either.
    for inner in
        ["https://10.0.0.1/jwks", "https://169.254.169.254/", "https://localhost/jwks", "https://[::1]/"]
    {
        let (app, _) = register(&server, json!({ "jwks_uri": inner })).await;
        token(&server, &key.assertion(&server, &app.id)).await;
        assert!(matches!(reason(&server).as_str(), "keys_refused" | "keys_unavailable"), "{inner}");
    }
    assert_eq!(host.hits(), 1);
}

/// A command on the database of a server that runs.
fn on(house: &House, server: &Server, arguments: &[&str]) -> Value {
    let db = server.app.store.path().to_str().expect("a path").to_owned();
    house.json(&[arguments, &["--db", &db]].concat())
}

fn write(path: &Path, value: &Value) {
    fs::write(path, value.to_string()).expect("the file");
}

#[tokio::test]
async fn the_owner_adds_a_machine_by_the_file_with_its_public_keys_or_by_their_url() {
    let host = Host::start(&["keys.test"]).await;
    let server = Server::start_among(host.names(), |settings| host.trusted_by(settings)).await;
    let (house, key) = (House::new(), ClientKey::new(AssertionAlgorithm::Es256));
    write(&house.path("public.json"), &key.jwks());
    let url = host.url("keys.test", "/jwks");
    host.put("/jwks", Reply::json(&key.jwks()));
    for keys in [["--jwks", "public.json"], ["--jwks-uri", &url]] {
        let add = [&["client", "add", "--name", "Build", "--audience", R1][..], &keys].concat();
        let added = on(&house, &server, &add);
        assert_eq!(added["token_endpoint_auth_method"], "private_key_jwt");
        assert_eq!(added["grant_types"], json!(["client_credentials"]));
        assert!(added.get("client_secret").is_none(), "{added}");
        assert_eq!(
            (added.get("jwks").is_some(), added.get("jwks_uri").is_some()),
            (keys[0] == "--jwks", keys[0] != "--jwks")
        );
        let id = added["client_id"].as_str().expect("a client_id");
        let tokens = Tokens::of(&token(&server, &key.assertion(&server, id)).await);
        assert_eq!((&tokens.claims["aud"], &tokens.claims["sub"]), (&json!(R1), &json!(id)));
        let shown = on(&house, &server, &["client", "show", id]);
        assert_eq!(shown["jwks"], added["jwks"]);
        let db = server.app.store.path().to_str().expect("a path").to_owned();
        let refused = house.run(&["client", "rotate-secret", id, "--db", &db], "");
        assert!(refused.status == Some(1) && refused.err.contains("keys"), "{refused:?}");
    }
    assert_eq!(host.hits(), 1);
}

#[tokio::test]
async fn the_owner_is_told_what_is_wrong_with_keys_and_never_shown_one() {
    let (house, server) = (House::new(), Server::start().await);
    let db = server.app.store.path().to_str().expect("a path").to_owned();
    let key = ClientKey::new(AssertionAlgorithm::Es256);
    let mut private = key.jwk();
    private["d"] = json!("canary-of-a-private-key");
    write(&house.path("private.json"), &json!({ "keys": [private] }));
    write(&house.path("one.json"), &key.jwk());
    write(&house.path("empty.json"), &json!({ "keys": [] }));
    write(&house.path("good.json"), &key.jwks());
    fs::write(house.path("text.pem"), "-----BEGIN PUBLIC KEY-----").expect("the file");
    let before = server.contents();
    for (arguments, status, words) in [
        (&["--jwks", "private.json"][..], 1, "public half alone"),
        (&["--jwks", "one.json"], 1, r#"{"keys":"#),
        (&["--jwks", "empty.json"], 1, "holds no key"),
        (&["--jwks", "text.pem"], 1, "no JSON"),
        (&["--jwks", "missing.json"], 1, "missing.json"),
        (&["--jwks-uri", "http://keys.test/jwks"], 1, "https"),
        (&["--jwks-uri", "https://u:p@keys.test/jwks"], 1, "user information"),
        (&["--jwks", "good.json", "--public"], 2, "--public"),
        (&["--jwks", "good.json", "--jwks-uri", "https://keys.test/jwks"], 2, "--jwks-uri"),
    ] {
        let add = ["client", "add", "--name", "Build", "--audience", R1, "--db", &db];
        let done = house.run(&[&add[..], arguments].concat(), "");
        assert_eq!(done.status, Some(status), "{arguments:?}: {done:?}");
        assert!(done.err.contains(words), "{arguments:?}: {}", done.err);
        assert!(!done.err.contains("canary") && !done.out.contains("canary"), "{done:?}");
    }
    assert_eq!(server.contents(), before);
}

#[tokio::test]
async fn a_file_names_clients_with_keys_and_a_second_run_changes_nothing() {
    let host = Host::start(&["keys.test"]).await;
    let server = Server::start_among(host.names(), |settings| host.trusted_by(settings)).await;
    let (house, key) = (House::new(), ClientKey::new(AssertionAlgorithm::Es256));
    let url = host.url("keys.test", "/jwks");
    host.put("/jwks", Reply::json(&key.jwks()));
    write(&house.path("public.json"), &key.jwks());
    let clients = json!({ "clients": [
        { "client_id": "by-file", "audience": [R1], "jwks_file": "public.json" },
        { "client_id": "by-url", "audience": [R1], "jwks_uri": url },
        { "client_id": "https://own.test/client", "audience": [R1], "jwks_file": "public.json" },
    ] });
    write(&house.path("clients.json"), &clients);
    let apply = || on(&house, &server, &["apply", "clients.json"]);
    let first = apply();
    assert_eq!(first["changed"], 3, "{first}");
    assert!(!first.to_string().contains("client_secret"), "{first}");
    for id in ["by-file", "by-url", "https://own.test/client"] {
        Tokens::of(&token(&server, &key.assertion(&server, id)).await);
    }
    let before = server.contents();
    assert_eq!(apply()["changed"], 0);
    assert_eq!(server.contents(), before, "twice the same");
    // In another order and with more in it, they are the same keys.
    let mut more = key.jwk();
    more["use"] = json!("sig");
    write(&house.path("public.json"), &json!({ "keys": [{ "kty": "EC", "crv": "P-521" }, more], "x": 1 }));
    assert_eq!(apply()["changed"], 0);

    let new = ClientKey::new(AssertionAlgorithm::EdDsa);
    write(&house.path("public.json"), &new.jwks());
    let changed = apply();
    assert_eq!(changed["changed"], 2, "{changed}");
    for id in ["by-file", "https://own.test/client"] {
        token(&server, &key.assertion(&server, id)).await.assert_refused("invalid_client");
        Tokens::of(&token(&server, &new.assertion(&server, id)).await);
    }
    Tokens::of(&token(&server, &key.assertion(&server, "by-url")).await);
    // From keys to a secret: what it had is void.
    let secret = "a-secret-of-the-owner-with-enough-characters";
    write(
        &house.path("clients.json"),
        &json!({ "clients": [{ "client_id": "by-url", "audience": [R1], "secret": secret }] }),
    );
    assert_eq!(apply()["changed"], 1);
    token(&server, &key.assertion(&server, "by-url")).await.assert_refused("invalid_client");
    assert_eq!(reason(&server), "assertion_unexpected");
    let fields = [("grant_type", "client_credentials")];
    Tokens::of(&server.post("/oauth/token").basic("by-url", secret).form(&fields).send().await);
}

#[tokio::test]
async fn a_file_that_names_two_ways_for_a_client_is_refused_whole() {
    let (house, server) = (House::new(), Server::start().await);
    let db = server.app.store.path().to_str().expect("a path").to_owned();
    let key = ClientKey::new(AssertionAlgorithm::Es256);
    write(&house.path("public.json"), &key.jwks());
    let mut private = key.jwk();
    private["d"] = json!("canary-of-a-private-key");
    write(&house.path("private.json"), &json!({ "keys": [private] }));
    let before = server.contents();
    let secret = "a-secret-of-the-owner-with-enough-characters";
    for more in [
        json!({ "jwks_file": "public.json", "jwks_uri": "https://keys.test/jwks" }),
        json!({ "jwks_file": "public.json", "secret": secret }),
        json!({ "jwks_uri": "https://keys.test/jwks", "secret": secret }),
        json!({ "jwks_file": "public.json", "public": true }),
        json!({ "jwks_file": "private.json" }),
        json!({ "jwks_file": "missing.json" }),
        json!({ "jwks_uri": "http://keys.test/jwks" }),
        json!({ "jwks": key.jwks() }),
    ] {
        let mut client = json!({ "client_id": "odd", "audience": [R1] });
        for (name, value) in more.as_object().expect("an object") {
            client[name] = value.clone();
        }
        write(
            &house.path("clients.json"),
            &json!({ "clients": [{ "client_id": "fine", "public": true }, client] }),
        );
        let done = house.run(&["apply", "clients.json", "--db", &db], "");
        assert_eq!(done.status, Some(1), "{more}: {done:?}");
        assert!(!done.err.contains("canary") && !done.err.contains(secret), "{done:?}");
    }
    assert_eq!(server.contents(), before);
}
