//! What the owner says of registration: not at all, only with a token, and not for apps with schemes of their own.

use std::fs;

use serde_json::{Value, json};
use vestibule::config::{Flags, Switch, load};
use vestibule::http::TrustedProxies;
use vestibule::oauth::redirect_uri::AppLinks;
use vestibule::oauth::secret::SecretHash;

use super::{CB, register, registered};
use crate::harness::{Answer, Browser, ClientApp, ClientKey, Listening, R1, Server, Tokens};

const TOKEN: &str = "an.initial~access-token_of+the/owner=";

#[tokio::test]
async fn a_dcr_13_c_mcp_06_a_closed_registration_is_not_there_and_the_log_says_how_to_open_it() {
    let open = Server::start().await;
    let known = ClientApp::registered(&open, CB).await;
    let server = open.restart_with(|settings| settings.registration = Switch::Off).await;
    for path in ["/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"] {
        let metadata = server.get(path).send().await.json();
        assert!(metadata.get("registration_endpoint").is_none(), "{path}: {metadata}");
    }
    let (before, audit) = (server.contents(), server.audit_count());
    for path in ["/oauth/register", "/register"] {
        for body in [json!({ "redirect_uris": [CB] }), json!([]), json!("x".repeat(60_000))] {
            let listening = Listening::begin();
            let answer = server
                .post(path)
                .header("authorization", &format!("Bearer {TOKEN}"))
                .json(&body)
                .send()
                .await;
            let log = listening.end();
            assert_eq!((answer.status.as_u16(), answer.error().as_str()), (404, "invalid_request"));
            assert!(
                answer.text().contains("ask the owner of this server for a client_id"),
                "{}",
                answer.text()
            );
            assert_eq!(answer.header("cache-control"), Some("no-store"));
            assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "a page can read why");
            assert!(
                log.contains("registration_closed; mend: ") && log.contains("--registration on"),
                "{log}"
            );
            assert!(log.contains("vestibule client add"), "{log}");
        }
    }
    assert_eq!(
        (server.contents(), server.audit_count()),
        (before, audit),
        "it is not a stranger's to fill anything"
    );
    // Who is here already stays.
    known.tokens(&server, "alice", &[("resource", R1)]).await;
}

/// A server that wants a token of whoever registers, behind a proxy.
async fn guarded() -> Server {
    Server::start_with(|settings| {
        settings.registration_token = Some(SecretHash::of(TOKEN));
        settings.trusted_proxies = TrustedProxies::parse(["127.0.0.1"]).expect("a proxy");
    })
    .await
}

/// Registers from an address, with this header.
async fn from(server: &Server, address: &str, authorization: Option<&str>) -> Answer {
    let asked = server.post("/oauth/register").header("x-forwarded-for", address);
    let asked = match authorization {
        Some(authorization) => asked.header("authorization", authorization),
        None => asked,
    };
    asked.json(&json!({ "redirect_uris": [CB] })).send().await
}

#[tokio::test]
async fn c_dcr_13_where_a_token_is_needed_nobody_registers_without_it() {
    let server = guarded().await;
    let metadata = server.get("/.well-known/oauth-authorization-server").send().await.json();
    assert_eq!(metadata["registration_endpoint"], "https://as.test/oauth/register");
    let before = server.contents();
    let encoded = base64(TOKEN);
    for wrong in [
        None,
        Some(String::new()),
        Some("Bearer".to_owned()),
        Some("Bearer ".to_owned()),
        Some("Bearer x".to_owned()),
        Some(format!("Bearer {}", &TOKEN[1..])),
        Some(format!("Bearer {}", &TOKEN[..TOKEN.len() - 1])),
        Some(format!("Bearer {TOKEN}=")),
        Some(format!("Bearer  {TOKEN}")),
        Some(format!("Bearer {TOKEN} x")),
        Some(format!("Bearer\t{TOKEN}")),
        Some(format!("Bearer {}", TOKEN.to_uppercase())),
        Some(format!("Basic {encoded}")),
        Some(format!("DPoP {TOKEN}")),
        Some(TOKEN.to_owned()),
    ] {
        let listening = Listening::begin();
        let answer = from(&server, "203.0.113.1", wrong.as_deref()).await;
        let log = listening.end();
        answer.assert_refused("invalid_token");
        let challenge = answer.header("www-authenticate").unwrap_or_default().to_owned();
        assert!(challenge.starts_with("Bearer realm="), "{wrong:?}: {challenge}");
        assert!(log.contains("mend: ") && log.contains("--registration-token-file"), "{log}");
        assert!(!log.contains(TOKEN) && !answer.text().contains(TOKEN), "{log}");
    }
    // Nor where else somebody might put it.
    let body = json!({ "redirect_uris": [CB], "access_token": TOKEN, "initial_access_token": TOKEN });
    register(&server, &body).await.assert_refused("invalid_token");
    let target = format!("/oauth/register?access_token={TOKEN}");
    server.post(&target).json(&json!({ "redirect_uris": [CB] })).send().await.assert_refused("invalid_token");
    assert_eq!(server.contents(), before, "G6");

    for scheme in ["Bearer", "bearer", "BEARER"] {
        let answer = from(&server, "203.0.113.1", Some(&format!("{scheme} {TOKEN}"))).await;
        assert_eq!(answer.status.as_u16(), 201, "{}", answer.text());
    }
    assert!(!server.bytes_at_rest().windows(TOKEN.len()).any(|window| window == TOKEN.as_bytes()));
}

fn base64(text: &str) -> String {
    use ::base64::Engine;
    ::base64::engine::general_purpose::STANDARD.encode(format!("x:{text}"))
}

#[tokio::test]
async fn c_dcr_13_guesses_at_the_token_are_throttled_by_address() {
    let server = guarded().await;
    let right = format!("Bearer {TOKEN}");
    for n in 0..100 {
        let answer = from(&server, &format!("2001:db8::{n:x}"), Some(&format!("Bearer guess{n}"))).await;
        answer.assert_refused("invalid_token");
    }
    let before = (server.contents(), server.audit_count());
    for guess in ["Bearer guess", &right] {
        let answer = from(&server, "2001:db8::1", Some(guess)).await;
        assert_eq!(
            (answer.status.as_u16(), answer.error().as_str()),
            (429, "temporarily_unavailable"),
            "{guess}"
        );
        assert_eq!(answer.header("retry-after"), Some("1"));
    }
    assert_eq!((server.contents(), server.audit_count()), before);
    assert_eq!(from(&server, "2001:db8:0:1::1", Some(&right)).await.status.as_u16(), 201, "somebody else");
    server.advance(1);
    assert_eq!(from(&server, "2001:db8::1", Some(&right)).await.status.as_u16(), 201, "a second later");
    // Whoever has the token is bound as anybody else is.
    for _ in 1..60 {
        assert_eq!(from(&server, "2001:db8:0:1::1", Some(&right)).await.status.as_u16(), 201);
    }
    assert_eq!(from(&server, "2001:db8:0:1::1", Some(&right)).await.status.as_u16(), 429);
}

#[tokio::test]
async fn the_token_is_what_stands_in_the_file_and_can_be_shown_as_it_is() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("token");
    let read = |text: &str| {
        fs::write(&path, text).expect("the file");
        let value = path.to_str().expect("a path").to_owned();
        load(&Flags { config: None, values: vec![("registration_token_file", value)] })
    };
    for text in [TOKEN.to_owned(), format!("{TOKEN}\n"), format!("  {TOKEN}\r\n\n")] {
        assert_eq!(read(&text).expect("a token").registration_token, Some(SecretHash::of(TOKEN)));
    }
    // RFC 6750 2.1: what stands here and cannot be sent as a Bearer token would keep everybody out.
    let long = "x".repeat(513);
    for text in [
        "",
        "\n",
        "short",
        "two tokens of twenty-four",
        "pass!word$with&what(not)a;token",
        "t\u{f6}ken-of-the-owner-1234",
        &long,
    ] {
        let refusal = read(text).expect_err(text).to_string();
        assert!(
            refusal.contains("--registration-token-file") && refusal.contains("openssl rand"),
            "{refusal}"
        );
        assert!(
            text.is_empty() || !refusal.contains(text.trim()) || text.trim().is_empty(),
            "it is not shown"
        );
    }
    fs::remove_file(&path).expect("the file");
    let value = path.to_str().expect("a path").to_owned();
    let refusal =
        load(&Flags { config: None, values: vec![("registration_token_file", value)] }).expect_err("no file");
    assert!(refusal.to_string().contains("name a file with the token in it"), "{refusal}");
}

#[tokio::test]
async fn where_the_owner_wants_no_app_links_nobody_registers_one_and_nobody_is_sent_by_one() {
    let server = Server::start_with(|settings| settings.app_links = AppLinks::Refused).await;
    let before = server.contents();
    for uris in [json!(["cursor://anysphere/cb"]), json!([CB, "com.example.app:/cb"])] {
        register(&server, &json!({ "redirect_uris": uris })).await.assert_refused("invalid_redirect_uri");
        assert_eq!(server.audit()[0].3["reason"], "app_link");
    }
    assert_eq!(server.contents(), before, "G6");
    registered(&server, &json!({ "redirect_uris": [CB, "http://127.0.0.1:4000/cb"] })).await;
    // Not even the owner's own client, which has one since before.
    let nat = ClientApp { redirect_uri: "com.example.app:/cb".to_owned(), ..ClientApp::fixture("nat") };
    let asked = server.get(&nat.authorize_url(&[("resource", R1)])).header("accept", "text/html");
    asked.send().await.assert_problem_page(400);
    let nat = ClientApp { redirect_uri: "http://127.0.0.1:1111/cb".to_owned(), ..nat };
    nat.tokens(&server, "alice", &[("resource", R1)]).await;
}

#[tokio::test]
async fn a_dcr_01_keys_and_contacts_are_bounded_as_all_the_rest_is() {
    let server = Server::start().await;
    let jwk = ClientKey::pkj().jwk();
    let by_key = |count: usize| {
        let jwks = json!({ "keys": vec![jwk.clone(); count] });
        json!({ "redirect_uris": [CB], "token_endpoint_auth_method": "private_key_jwt", "jwks": jwks })
    };
    let twenty = register(&server, &by_key(20)).await;
    assert_eq!(twenty.status.as_u16(), 201);
    assert_eq!(twenty.json()["jwks"]["keys"].as_array().map(Vec::len), Some(1), "one and the same is one");
    let before = server.contents();
    register(&server, &by_key(21)).await.assert_refused("invalid_client_metadata");
    for large in [by_key(8000), json!({ "redirect_uris": [CB], "contacts": vec!["a@app.test"; 10_000] })] {
        assert_eq!(register(&server, &large).await.status.as_u16(), 413);
    }
    for wrong in
        [json!("x"), json!([]), json!({ "keys": "x" }), json!({ "keys": [1] }), json!({ "keys": [[]] })]
    {
        let body =
            json!({ "redirect_uris": [CB], "token_endpoint_auth_method": "private_key_jwt", "jwks": wrong });
        register(&server, &body).await.assert_refused("invalid_client_metadata");
    }
    let mut private = jwk.clone();
    private["d"] = json!("AA");
    let body = json!({ "redirect_uris": [CB], "token_endpoint_auth_method": "private_key_jwt", "jwks": { "keys": [private] } });
    register(&server, &body).await.assert_refused("invalid_client_metadata");
    assert_eq!(server.contents(), before, "G6");
    // Many contacts in a body that is short enough mean nothing here, and are not kept.
    let many = json!({ "redirect_uris": [CB], "contacts": vec!["a@b"; 5000] });
    let answer = register(&server, &many).await;
    assert_eq!((answer.status.as_u16(), answer.json().get("contacts")), (201, None));
}

#[tokio::test]
async fn a_dcr_08_who_registers_acts_for_people_and_never_for_itself() {
    let server = Server::start().await;
    let grants = json!(["client_credentials", "authorization_code"]);
    let asked = [("grant_type", "client_credentials"), ("resource", R1)];
    let by_nothing = registered(&server, &json!({ "redirect_uris": [CB], "grant_types": grants })).await;
    assert_eq!(by_nothing["grant_types"], json!(["authorization_code", "refresh_token"]));
    let id = by_nothing["client_id"].as_str().expect("an id");
    let fields = [&asked[..], &[("client_id", id)]].concat();
    server.post("/oauth/token").form(&fields).send().await.assert_refused("unauthorized_client");
    let body = json!({ "redirect_uris": [CB], "grant_types": grants, "token_endpoint_auth_method": "client_secret_basic" });
    let by_secret = registered(&server, &body).await;
    assert_eq!(by_secret["grant_types"], json!(["authorization_code", "refresh_token"]));
    let [id, secret] = ["client_id", "client_secret"].map(|name| by_secret[name].as_str().expect("a text"));
    server
        .post("/oauth/token")
        .basic(id, secret)
        .form(&asked)
        .send()
        .await
        .assert_refused("unauthorized_client");
}

/// There is no endpoint for it (RFC 7592); the owner's command does the same.
#[tokio::test]
async fn a_dcr_16_what_a_removed_client_had_is_worth_nothing() {
    let server = Server::start().await;
    let app = ClientApp::registered(&server, CB).await;
    let mut browser = Browser::new();
    let tokens = {
        let code = app.code(&server, &mut browser, "alice", &[("resource", R1)]).await;
        Tokens::of(&app.redeem(&server, &code, &[]).await)
    };
    let code = app.code(&server, &mut browser, "alice", &[("resource", R1)]).await;
    let page = browser.go(&server, &app.authorize_url(&[("resource", R1), ("prompt", "consent")])).await;
    let machine = ClientApp::fixture("svc");
    assert_eq!(
        machine.introspect(&server, &tokens.access).await["active"],
        true,
        "it is for R1, which svc may know"
    );
    let registration = format!("/oauth/register/{}", app.id);
    assert_eq!(server.ask(vestibule::http::Method::DELETE, &registration).send().await.status.as_u16(), 404);
    let house = crate::harness::House::new();
    house.ok(&["client", "remove", &app.id, "--db", server.app.store.path().to_str().expect("a path")], "");
    app.redeem(&server, &code, &[]).await.assert_refused("invalid_client");
    app.refresh(&server, tokens.refresh(), &[]).await.assert_refused("invalid_client");
    assert_eq!(machine.introspect(&server, &tokens.access).await, json!({ "active": false }));
    browser.decide(&server, &page, "allow").await.assert_problem_page(400);
    let again = browser.go(&server, &app.authorize_url(&[("resource", R1)])).await;
    again.assert_problem_page(400);
    let left: Vec<Value> = ["grants", "authorization_codes", "consents", "authorizations"]
        .iter()
        .map(|table| json!(server.count(table)))
        .collect();
    assert_eq!(left, [0, 0, 0, 0], "and nothing of it is left");
}
