//! Discovery: what the documents say, that it is true, and that nothing a request says changes it.

use std::collections::BTreeSet;

use ring::signature::{ECDSA_P256_SHA256_FIXED, ED25519, UnparsedPublicKey};
use serde_json::{Value, json};
use vestibule::clock::{Seconds, UnixTime};
use vestibule::crypto::digest::{from_base64url, sha256, to_base64url};
use vestibule::crypto::jwk::Algorithm;
use vestibule::crypto::jws::SigningKey;
use vestibule::oauth::client_assertion::ASSERTION_TYPE;
use vestibule::store::{resources, signing_keys};

use crate::harness::{Browser, ClientApp, ClientKey, ISSUER, R1, R2, Server, Tokens, resource};

const AUTHORIZATION_SERVER: &str = "/.well-known/oauth-authorization-server";
const OPENID: &str = "/.well-known/openid-configuration";
const JWKS: &str = "/.well-known/jwks.json";

/// The documents as published; a change shows here, and is a change for every client.
const SNAPSHOTS: [(&str, &str); 2] = [
    (AUTHORIZATION_SERVER, include_str!("../vectors/oauth-authorization-server.json")),
    (OPENID, include_str!("../vectors/openid-configuration.json")),
];

async fn document(server: &Server, path: &str) -> Value {
    let answer = server.get(path).send().await;
    assert_eq!(answer.status.as_u16(), 200, "{path}: {}", answer.text());
    answer.json()
}

fn list<'a>(document: &'a Value, member: &str) -> Vec<&'a str> {
    let list = document[member].as_array().unwrap_or_else(|| panic!("{member} is a list: {document}"));
    list.iter().map(|word| word.as_str().expect("a word")).collect()
}

/// Every string in it, with the path to it; asserts that nothing is null or empty (C-MD-04).
fn strings(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Null => panic!("a member without a value is left out"),
        Value::String(text) => {
            assert!(!text.is_empty());
            found.push(text.clone());
        }
        Value::Array(list) => {
            assert!(!list.is_empty(), "a list of nothing is left out");
            list.iter().for_each(|value| strings(value, found));
        }
        Value::Object(members) => members.values().for_each(|value| strings(value, found)),
        Value::Bool(_) | Value::Number(_) => {}
    }
}

#[tokio::test]
async fn c_md_04_06_09_the_documents_are_as_written_down() {
    let server = Server::start().await;
    for (path, snapshot) in SNAPSHOTS {
        let document = document(&server, path).await;
        let expected: Value = serde_json::from_str(snapshot).expect("the snapshot is JSON");
        assert_eq!(document, expected, "{path} is now\n{document:#}");
        let mut found = Vec::new();
        strings(&document, &mut found);
        assert!(
            found.iter().all(|text| text != "plain" && text != "HS256" && text != "password"),
            "{found:?}"
        );
        assert_eq!(document["code_challenge_methods_supported"], json!(["S256"]));
    }
}

#[tokio::test]
async fn c_md_02_08_the_issuer_is_the_configured_one_and_anybody_may_read_and_keep_it() {
    let server = Server::start().await;
    for path in [AUTHORIZATION_SERVER, OPENID, JWKS] {
        let answer = server.get(path).header("origin", "https://any.test").send().await;
        assert_eq!(answer.header("content-type"), Some("application/json"));
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
        assert_eq!(answer.header("access-control-allow-credentials"), None);
        assert_eq!(answer.header("cache-control"), Some("public, max-age=300"));
        assert_eq!(answer.header("set-cookie"), None);
        assert_eq!(answer.headers.get_all("cache-control").iter().count(), 1);
        if path != JWKS {
            assert_eq!(answer.json()["issuer"], ISSUER);
        }
    }
    // An issuer without a path has its documents at the root alone (RFC 8414 3.1).
    for path in [
        "/.well-known/oauth-authorization-server//",
        "/.well-known/oauth-authorization-server/mcp",
        "/.well-known/openid-configuration/mcp",
        "/mcp/.well-known/openid-configuration",
        "/mcp/.well-known/oauth-authorization-server",
        "/oauth/.well-known/oauth-authorization-server",
        "/.well-known/jwks",
    ] {
        assert_eq!(server.get(path).send().await.status.as_u16(), 404, "C-MD-01: {path}");
    }
}

#[tokio::test]
async fn c_md_03_c_bcp_25_a_web_11_12_no_header_changes_a_body_or_a_redirect() {
    let server = Server::start().await;
    let app = ClientApp::fixture("pub");
    let authorize = app.authorize_url(&[("prompt", "none")]);
    let targets = [AUTHORIZATION_SERVER, OPENID, JWKS, "/login", "/", &authorize];
    let lies = [
        "X-Forwarded-Host: evil.test\r\n",
        "X-Forwarded-Proto: http\r\nX-Forwarded-Port: 81\r\nX-Forwarded-Prefix: /evil.test\r\n",
        "Forwarded: host=evil.test;proto=http;for=1.2.3.4\r\n",
        "X-Original-URL: /account\r\nX-Rewrite-URL: /evil.test\r\n",
        "X-Original-Host: evil.test\r\nX-Host: evil.test\r\nX-HTTP-Host-Override: evil.test\r\n",
        "X-Forwarded-For: evil.test\r\nX-Real-IP: evil.test\r\nRemote-User: alice\r\n",
        "Origin: https://evil.test\r\nReferer: https://evil.test/\r\n",
    ];
    for target in targets {
        let honest = server.raw_request("GET", target, "").await;
        let (status, location) = (honest.status(), honest.header("location").map(str::to_owned));
        assert!(matches!(status, 200 | 303), "{target}: {}", honest.text());
        let mut others = Vec::new();
        for lie in lies {
            others.push(server.raw_request("GET", target, lie).await);
        }
        for host in ["evil.test", "evil.test:81", "[::1]:9", "localhost"] {
            let head = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
            others.push(server.raw(head).await);
        }
        let absolute =
            format!("GET http://evil.test{target} HTTP/1.1\r\nHost: evil.test\r\nConnection: close\r\n\r\n");
        others.push(server.raw(absolute).await);
        for other in others {
            assert_eq!(other.status(), status, "{}", other.text());
            assert_eq!(other.header("location").map(str::to_owned), location);
            assert!(!other.text().contains("evil.test"), "{}", other.text());
            // The sign-in page has a token of its own for each browser.
            if target != "/login" {
                assert_eq!(other.body(), honest.body());
            }
        }
    }
}

#[tokio::test]
async fn c_md_05_11_every_endpoint_that_is_named_is_there_and_no_other() {
    let server = Server::start().await;
    for path in [AUTHORIZATION_SERVER, OPENID] {
        let document = document(&server, path).await;
        let members = document.as_object().expect("an object");
        let mut named = BTreeSet::new();
        for (member, url) in members {
            if !member.ends_with("_endpoint") && member != "jwks_uri" {
                continue;
            }
            let path = url.as_str().and_then(|url| url.strip_prefix(ISSUER));
            let path = path.unwrap_or_else(|| panic!("{member} is ours: {url}"));
            named.insert(member.as_str());
            let get = server.get(path).send().await;
            let post = server.post(path).form::<&str, &str>(&[]).send().await;
            let served = [&get, &post].iter().any(|answer| !matches!(answer.status.as_u16(), 404 | 405));
            assert!(served, "{member} {path}");
        }
        let expected = [
            "authorization_endpoint",
            "introspection_endpoint",
            "jwks_uri",
            "registration_endpoint",
            "revocation_endpoint",
            "token_endpoint",
        ];
        assert_eq!(named, BTreeSet::from(expected));
    }
}

#[tokio::test]
async fn c_md_05_every_grant_that_is_named_works_and_no_other_is_known() {
    let server = Server::start().await;
    let document = document(&server, AUTHORIZATION_SERVER).await;
    let app = ClientApp::fixture("conf");
    for grant in list(&document, "grant_types_supported") {
        match grant {
            "authorization_code" => drop(app.tokens(&server, "alice", &[("resource", R1)]).await),
            "refresh_token" => {
                let tokens = app.tokens(&server, "alice", &[("resource", R1)]).await;
                Tokens::of(&app.refresh(&server, tokens.refresh(), &[]).await);
            }
            "client_credentials" => {
                let fields = [("grant_type", "client_credentials")];
                Tokens::of(&ClientApp::fixture("svc").token(&server, &fields).await);
            }
            other => panic!("{other} is advertised, and no test shows that it works"),
        }
    }
    for other in [
        "password",
        "implicit",
        "urn:ietf:params:oauth:grant-type:device_code",
        "urn:ietf:params:oauth:grant-type:token-exchange",
        "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "urn:openid:params:grant-type:ciba",
        "AUTHORIZATION_CODE",
        "authorization_code ",
    ] {
        let fields = [("grant_type", other), ("username", "alice"), ("password", crate::harness::PASSWORD)];
        app.token(&server, &fields).await.assert_refused("unsupported_grant_type");
    }
}

#[tokio::test]
async fn c_md_05_every_way_of_client_authentication_that_is_named_works_and_no_other() {
    let server = Server::start().await;
    let document = document(&server, AUTHORIZATION_SERVER).await;
    let by_method = |method: &str| match method {
        "none" => ClientApp::fixture("pub"),
        "client_secret_basic" => ClientApp::fixture("conf"),
        "client_secret_post" => ClientApp::fixture("post"),
        "private_key_jwt" => ClientApp::fixture("pkj"),
        other => panic!("{other} is advertised, and no test shows that it works"),
    };
    for method in list(&document, "token_endpoint_auth_methods_supported") {
        by_method(method).tokens(&server, "alice", &[("resource", R1)]).await;
    }
    for method in list(&document, "revocation_endpoint_auth_methods_supported") {
        let app = by_method(method);
        let tokens = app.tokens(&server, "alice", &[("resource", R1)]).await;
        let asked = server.post("/oauth/revoke");
        let mut fields = vec![("token", tokens.refresh()), ("client_id", app.id.as_str())];
        let answer = match (&app.secret, method) {
            (Some(secret), "client_secret_basic") => {
                asked.basic(&app.id, secret).form(&fields[..1]).send().await
            }
            (Some(secret), _) => {
                fields.push(("client_secret", secret));
                asked.form(&fields).send().await
            }
            (None, "private_key_jwt") => {
                let assertion = ClientKey::pkj().assertion(&server, &app.id);
                fields.extend([("client_assertion_type", ASSERTION_TYPE), ("client_assertion", &assertion)]);
                asked.form(&fields).send().await
            }
            (None, _) => asked.form(&fields).send().await,
        };
        assert_eq!(answer.status.as_u16(), 200, "{method}: {}", answer.text());
        app.refresh(&server, tokens.refresh(), &[]).await.assert_refused("invalid_grant");
    }
    let methods = list(&document, "introspection_endpoint_auth_methods_supported");
    assert!(!methods.contains(&"none"), "C-IN-01");
    for method in methods {
        let app = by_method(method);
        let token = app.tokens(&server, "alice", &[("resource", R1)]).await.access;
        let mut fields = vec![("token", token.as_str())];
        let mut asked = server.post("/oauth/introspect");
        let assertion = ClientKey::pkj().assertion(&server, "pkj");
        match (&app.secret, method) {
            (Some(secret), "client_secret_basic") => asked = asked.basic(&app.id, secret),
            (Some(secret), _) => fields.extend([("client_id", app.id.as_str()), ("client_secret", secret)]),
            (None, _) => {
                fields.extend([("client_assertion_type", ASSERTION_TYPE), ("client_assertion", &assertion)]);
            }
        }
        let answer = asked.form(&fields).send().await;
        assert_eq!(answer.status.as_u16(), 200, "{method}: {}", answer.text());
        assert_eq!(answer.json()["active"], true);
    }
    let assertion = [
        ("grant_type", "client_credentials"),
        ("client_id", "svc"),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJzdmMifQ."),
    ];
    server.post("/oauth/token").form(&assertion).send().await.assert_refused("invalid_client");
    for method in ["client_secret_jwt", "tls_client_auth"] {
        let body = json!({ "redirect_uris": ["https://x.test/cb"], "token_endpoint_auth_method": method });
        let answer = server.post("/oauth/register").json(&body).send().await;
        answer.assert_refused("invalid_client_metadata");
    }
}

#[tokio::test]
async fn c_iss_01_02_iss_is_the_metadatas_issuer_once_with_every_answer() {
    let server = Server::start().await;
    let document = document(&server, AUTHORIZATION_SERVER).await;
    assert_eq!(document["authorization_response_iss_parameter_supported"], true);
    assert_eq!(document["resource_indicators_supported"], true);
    assert_eq!(document["response_types_supported"], json!(["code"]));
    assert_eq!(document["response_modes_supported"], json!(["query"]));
    let app = ClientApp::fixture("pub");
    let mut browser = Browser::new();
    let answer = browser.get(&server, &app.authorize_url(&[("prompt", "none")])).await;
    answer.assert_redirected_error("login_required", Some("a-state"));
    let answer = browser.allow(&server, &app.authorize_url(&[("resource", R1)]), "alice").await;
    assert_eq!(answer.location_param("iss").as_deref(), document["issuer"].as_str());
    for (more, error) in [
        (("scope", "\""), "invalid_scope"),
        (("resource", "https://unknown.test"), "invalid_target"),
        (("response_type", "token"), "unsupported_response_type"),
        (("code_challenge", ""), "invalid_request"),
    ] {
        let answer = browser.get(&server, &app.authorize_url(&[more])).await;
        answer.assert_redirected_error(error, Some("a-state"));
    }
    let page = browser.go(&server, &app.authorize_url(&[("resource", R2)])).await;
    browser.decide(&server, &page, "deny").await.assert_redirected_error("access_denied", Some("a-state"));
    let tokens = app.tokens(&server, "alice", &[("resource", R1)]).await;
    assert_eq!(tokens.claims["iss"], document["issuer"], "and the token's");
}

#[tokio::test]
async fn scopes_supported_are_those_of_the_resources_as_they_are_now() {
    let server = Server::start().await;
    for path in [AUTHORIZATION_SERVER, OPENID] {
        let document = document(&server, path).await;
        assert_eq!(list(&document, "scopes_supported"), ["a", "b", "c", "d", "offline_access"]);
    }
    server.command(|tx| resources::insert(tx, &resource("https://r3.test/mcp", "mail"), UnixTime::new(0)));
    for path in [AUTHORIZATION_SERVER, OPENID] {
        let document = document(&server, path).await;
        assert!(list(&document, "scopes_supported").contains(&"mail"), "at the very next request");
    }
}

fn header(token: &str) -> Value {
    let part = token.split('.').next().expect("a first part");
    serde_json::from_slice(&from_base64url(part).expect("base64url")).expect("JSON")
}

/// Verifies a token as a resource server does: by the published key that its header names.
fn verified_by(jwks: &Value, token: &str) -> bool {
    let kid = header(token)["kid"].clone();
    let keys = jwks["keys"].as_array().expect("keys");
    let Some(key) = keys.iter().find(|key| key["kid"] == kid) else { return false };
    let (signed, signature) = token.rsplit_once('.').expect("three parts");
    let signature = from_base64url(signature).expect("base64url");
    let coordinate =
        |name: &str| from_base64url(key[name].as_str().expect("a coordinate")).expect("base64url");
    if key["kty"] == "OKP" {
        let key = UnparsedPublicKey::new(&ED25519, coordinate("x"));
        return key.verify(signed.as_bytes(), &signature).is_ok();
    }
    let point = [vec![4], coordinate("x"), coordinate("y")].concat();
    let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point);
    key.verify(signed.as_bytes(), &signature).is_ok()
}

#[tokio::test]
async fn c_at_01_02_03_07_an_access_token_is_at_jwt_with_all_claims_and_a_published_key() {
    let server = Server::start().await;
    let (app, svc) = (ClientApp::fixture("pub"), ClientApp::fixture("svc"));
    let person = app.tokens(&server, "alice", &[("resource", R1), ("scope", "a")]).await;
    let machine = Tokens::of(&svc.token(&server, &[("grant_type", "client_credentials")]).await);
    let jwks = document(&server, JWKS).await;
    for (tokens, client) in [(&person, "pub"), (&machine, "svc")] {
        let header = header(&tokens.access);
        assert_eq!((&header["typ"], &header["alg"]), (&json!("at+jwt"), &json!("ES256")));
        assert_eq!(header.as_object().map(serde_json::Map::len), Some(3), "{header}");
        let claims = &tokens.claims;
        let names: BTreeSet<_> = claims.as_object().expect("claims").keys().map(String::as_str).collect();
        let mut expected = BTreeSet::from(["iss", "aud", "sub", "exp", "iat", "jti", "client_id", "scope"]);
        if client == "pub" {
            // The grant is not in the list of design 2.3; introspection needs it to know when the grant ended.
            expected.extend(["auth_time", "grant_id"]);
        }
        assert_eq!(names, expected, "and no personal data");
        assert_eq!((&claims["client_id"], &claims["aud"]), (&json!(client), &json!(R1)));
        assert_eq!(claims["scope"].as_str(), tokens.scope.as_deref(), "C-AT-04");
        assert_eq!(claims["iat"], server.now().as_i64());
        assert_eq!(claims["exp"].as_i64(), Some(server.now().as_i64() + 3600), "C-MCP-09");
        assert!(verified_by(&jwks, &tokens.access));
        let forged = tokens.access.replacen('.', ".A", 1);
        assert!(!verified_by(&jwks, &forged));
    }
    assert_ne!(person.claims["sub"], "alice", "a sub is no name");
    assert_eq!(person.claims["sub"], server.user("alice").id.as_str());
    assert_eq!(machine.claims["sub"], "svc");
    assert_ne!(person.claims["jti"], machine.claims["jti"]);
}

#[tokio::test]
async fn c_at_09_every_token_has_its_own_jti() {
    let server = Server::start().await;
    let svc = ClientApp::fixture("svc");
    let mut seen = BTreeSet::new();
    for _ in 0..200 {
        let tokens = Tokens::of(&svc.token(&server, &[("grant_type", "client_credentials")]).await);
        let jti = tokens.claims["jti"].as_str().expect("a jti").to_owned();
        assert!(jti.len() >= 22, "128 bits: {jti}");
        assert!(seen.insert(jti));
    }
}

#[tokio::test]
async fn the_jwks_shows_public_keys_by_thumbprint_and_nothing_private() {
    let server = Server::start().await;
    let now = server.now();
    server.command(move |tx| {
        let key = SigningKey::generate(Algorithm::EdDsa);
        signing_keys::insert(tx, Algorithm::EdDsa, &key, now.plus(Seconds::hours(1)), now)
    });
    let jwks = document(&server, JWKS).await;
    let keys = jwks["keys"].as_array().expect("keys");
    assert_eq!(keys.len(), 2);
    for key in keys {
        let text = |name: &str| key[name].as_str().unwrap_or_else(|| panic!("{name} in {key}"));
        let names: BTreeSet<_> = key.as_object().expect("a key").keys().map(String::as_str).collect();
        // RFC 7638 3.2: the required members, in order.
        let (expected, thumbed) = match text("kty") {
            "EC" => {
                assert_eq!((text("crv"), text("alg")), ("P-256", "ES256"));
                let thumbed =
                    format!(r#"{{"crv":"P-256","kty":"EC","x":"{}","y":"{}"}}"#, text("x"), text("y"));
                (BTreeSet::from(["kty", "crv", "x", "y", "kid", "alg", "use"]), thumbed)
            }
            _ => {
                assert_eq!((text("kty"), text("crv"), text("alg")), ("OKP", "Ed25519", "EdDSA"));
                let thumbed = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, text("x"));
                (BTreeSet::from(["kty", "crv", "x", "kid", "alg", "use"]), thumbed)
            }
        };
        assert_eq!(names, expected, "no d, no p, no k");
        assert_eq!(text("use"), "sig");
        assert_eq!(text("kid"), to_base64url(&sha256(thumbed.as_bytes())));
    }
}

#[tokio::test]
async fn r_20_a_key_is_published_before_it_signs_and_stays_while_its_tokens_live() {
    let server = Server::start().await;
    let svc = ClientApp::fixture("svc");
    let token =
        async || Tokens::of(&svc.token(&server, &[("grant_type", "client_credentials")]).await).access;
    let old = token().await;
    let old_kid = header(&old)["kid"].clone();
    let jwks = document(&server, JWKS).await;
    assert_eq!(jwks["keys"].as_array().map(Vec::len), Some(1));

    let now = server.now();
    let new_kid = server.command(move |tx| {
        let active_from = now.plus(Seconds::minutes(10));
        let key = SigningKey::generate(Algorithm::Es256);
        let kid = signing_keys::insert(tx, Algorithm::Es256, &key, active_from, now)?;
        signing_keys::retire_others(tx, &kid, active_from, active_from.plus(Seconds::hours(1)))?;
        Ok(kid)
    });
    let jwks = document(&server, JWKS).await;
    assert_eq!(jwks["keys"].as_array().map(Vec::len), Some(2), "at the very next request");
    let between = token().await;
    assert_eq!(header(&between)["kid"], old_kid, "caches have not seen the new one yet");

    server.advance(600);
    let next = token().await;
    assert_eq!(header(&next)["kid"], new_kid.as_str());
    let jwks = document(&server, JWKS).await;
    assert_eq!(jwks["keys"][0]["kid"], new_kid.as_str(), "the one that signs comes first");
    for token in [&old, &between, &next] {
        assert!(verified_by(&jwks, token));
    }
    let app = ClientApp::fixture("conf");
    let mine = app.tokens(&server, "alice", &[("resource", R1)]).await.access;
    assert_eq!(app.introspect(&server, &mine).await["active"], true);

    server.advance(3600);
    let jwks = document(&server, JWKS).await;
    assert_eq!(jwks["keys"].as_array().map(Vec::len), Some(1));
    assert!(!verified_by(&jwks, &old) && verified_by(&jwks, &next));
}

#[tokio::test]
async fn a_key_of_another_kind_signs_as_it_says() {
    let server = Server::start().await;
    let now = server.now();
    server.command(move |tx| {
        let key = SigningKey::generate(Algorithm::EdDsa);
        let kid = signing_keys::insert(tx, Algorithm::EdDsa, &key, now.plus(Seconds::new(1)), now)?;
        let retired = now.plus(Seconds::new(1));
        signing_keys::retire_others(tx, &kid, retired, retired.plus(Seconds::hours(1)))
    });
    server.advance(1);
    let svc = ClientApp::fixture("svc");
    let token = Tokens::of(&svc.token(&server, &[("grant_type", "client_credentials")]).await).access;
    assert_eq!(header(&token)["alg"], "EdDSA");
    assert!(verified_by(&document(&server, JWKS).await, &token));
}
