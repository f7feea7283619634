//! Dynamic client registration (RFC 7591): what real clients send, what they get, and what becomes of those that
//! never come back.

mod settings;

use serde_json::{Value, json};
use vestibule::clock::Seconds;
use vestibule::oauth::client::{Client, Credential, RegisteredBy};
use vestibule::oauth::ids::ClientId;
use vestibule::store::clients;
use vestibule::store::purge::{self, Retention};

use crate::harness::{Answer, Browser, ClientApp, Pkce, R1, Server, Tokens, client};

const CB: &str = "https://app.test/cb";

async fn register(server: &Server, body: &Value) -> Answer {
    server.post("/oauth/register").json(body).send().await
}

/// Registers, and holds the answer to what readers demand of it.
async fn registered(server: &Server, body: &Value) -> Value {
    let answer = register(server, body).await;
    assert_readable(server, body, &answer)
}

/// What readers demand of the answer: 201, not cached, no nulls, no empty strings or lists, a secret just where the
/// method needs one and then with its end (RFC 7591 3.2.1).
#[track_caller]
pub fn assert_readable(server: &Server, body: &Value, answer: &Answer) -> Value {
    assert_eq!(answer.status.as_u16(), 201, "{body}: {}", answer.text());
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    let json = answer.json();
    for (name, value) in json.as_object().expect("an object") {
        assert!(!value.is_null() && *value != json!("") && *value != json!([]), "{name} in {json}");
    }
    for name in ["redirect_uris", "grant_types", "response_types"] {
        assert!(
            json[name].as_array().is_some_and(|list| list.iter().all(Value::is_string)),
            "{name} in {json}"
        );
    }
    assert_eq!(json["redirect_uris"], body["redirect_uris"], "byte for byte");
    assert_eq!(json["client_id_issued_at"], server.now().as_i64());
    let public = json["token_endpoint_auth_method"] == "none";
    assert_eq!(json.get("client_secret").is_none(), public, "{json}");
    assert_eq!(json.get("client_secret_expires_at"), (!public).then_some(&json!(0)), "{json}");
    json
}

/// What clients of the field send; the members that answers must hold as they were.
fn bodies() -> Vec<Value> {
    let both = json!(["authorization_code", "refresh_token"]);
    vec![
        json!({ "client_name": "TS", "redirect_uris": [CB] }),
        json!({
            "client_name": "FastMCP Client", "redirect_uris": ["http://localhost:51234/callback"],
            "token_endpoint_auth_method": "none", "grant_types": both, "response_types": ["code"],
            "scope": "a b c d offline_access", "application_type": "native"
        }),
        json!({
            "client_name": "MCP CLI Client", "client_uri": "https://github.com/geelen/mcp-remote",
            "software_id": "2e6dc280-f3c3-4e01-99a7-8181dbd1d23d", "software_version": "0.1.0",
            "redirect_uris": ["http://localhost:3335/oauth/callback"], "token_endpoint_auth_method": "none"
        }),
        json!({
            "client_name": "MCP Inspector", "redirect_uris": ["http://127.0.0.1:6276/oauth/callback"], "scope": "",
            "application_type": "native", "token_endpoint_auth_method": "none", "logo_uri": "", "contacts": []
        }),
        json!({
            "client_name": "Visual Studio Code", "client_uri": "https://code.visualstudio.com",
            "grant_types": ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"],
            "redirect_uris": [
                "https://insiders.vscode.dev/redirect", "https://vscode.dev/redirect", "http://127.0.0.1/",
                "http://127.0.0.1:33418/"
            ],
            "response_types": ["code"], "token_endpoint_auth_method": "none", "application_type": "native"
        }),
        json!({
            "client_name": "Cursor", "redirect_uris": [
                "cursor://anysphere.cursor-mcp/oauth/callback", "https://www.cursor.com/agents/mcp/oauth/callback",
                "http://localhost:8787/callback"
            ]
        }),
        json!({
            "client_name": "Claude", "redirect_uris": ["https://claude.ai/api/mcp/auth_callback"],
            "grant_types": both, "response_types": ["code"], "token_endpoint_auth_method": "client_secret_post"
        }),
        json!({
            "client_name": "Basic", "redirect_uris": [CB], "token_endpoint_auth_method": "client_secret_basic"
        }),
    ]
}

#[tokio::test]
async fn c_dcr_01_02_03_08_what_real_clients_send_is_accepted_echoed_and_works() {
    let server = Server::start().await;
    for body in bodies() {
        let json = registered(&server, &body).await;
        for (name, sent) in body.as_object().expect("an object") {
            let dropped =
                ["", "grant_types", "scope", "contacts"].contains(&name.as_str()) || *sent == json!("");
            assert!(dropped || json[name] == *sent, "{name}: {json}");
        }
        assert_eq!(json["grant_types"], json!(["authorization_code", "refresh_token"]));
        assert_eq!(json["response_types"], json!(["code"]));
        let default = body.get("token_endpoint_auth_method").cloned().unwrap_or("none".into());
        assert_eq!(json["token_endpoint_auth_method"], default, "design 2.2: nothing asked for, no secret");
        let text = |value: &Value| value.as_str().map(str::to_owned);
        for redirect in json["redirect_uris"].as_array().expect("a list") {
            let app = ClientApp {
                id: text(&json["client_id"]).expect("an id"),
                secret: text(&json["client_secret"]),
                redirect_uri: text(redirect).expect("a URI"),
                pkce: Pkce::new(),
            };
            let tokens = app.tokens(&server, "alice", &[("resource", R1)]).await;
            Tokens::of(&app.refresh(&server, tokens.refresh(), &[]).await);
        }
    }
}

#[tokio::test]
async fn c_dcr_04_07_a_dcr_07_08_what_is_unknown_or_not_offered_is_dropped_and_the_echo_shows_it() {
    let server = Server::start().await;
    for grants in [
        json!(["password", "implicit", "client_credentials"]),
        json!(["urn:ietf:params:oauth:grant-type:token-exchange"]),
        json!(["authorization_code"]),
        json!([]),
        json!(["made-up", ""]),
    ] {
        for method in ["none", "client_secret_basic"] {
            // Where the catalogue refuses `none` with client_credentials, design 2.2 drops the grant.
            let body = json!({
                "redirect_uris": [CB], "grant_types": grants, "response_types": ["token", "id_token"],
                "token_endpoint_auth_method": method, "x_foo": { "a": [1, null] }, "contacts": ["a@b.test"],
                "software_statement": "eyJhbGciOiJub25lIn0.e30.", "scope": "a zzz", "audience": [R1],
                "resource": [R1], "registered_by": "owner", "first_used_at": 1
            });
            let json = registered(&server, &body).await;
            assert_eq!(json["grant_types"], json!(["authorization_code", "refresh_token"]));
            assert_eq!(json["response_types"], json!(["code"]));
            assert_eq!(json["scope"], "a");
            for member in ["x_foo", "contacts", "software_statement", "audience", "resource", "registered_by"]
            {
                assert_eq!(json.get(member), None);
            }
            let app = ClientApp {
                id: json["client_id"].as_str().expect("an id").to_owned(),
                secret: json["client_secret"].as_str().map(str::to_owned),
                redirect_uri: CB.to_owned(),
                pkce: Pkce::new(),
            };
            for more in [None, Some(("resource", R1))] {
                let mut fields = vec![("grant_type", "client_credentials")];
                fields.extend(more);
                app.token(&server, &fields).await.assert_refused("unauthorized_client");
            }
            server.advance(10);
        }
    }
}

#[tokio::test]
async fn a_dcr_03_c_bcp_22_c_dcr_09_ids_and_secrets_are_ours_and_nobody_registers_over_another() {
    let server = Server::start().await;
    let alice = server.user("alice").id;
    let mut seen = std::collections::BTreeSet::new();
    for id in ["alice", "pub", "conf", "svc", alice.as_str(), "https://claude.ai/oauth/x", ""] {
        for _ in 0..3 {
            let body = json!({
                "client_id": id, "client_secret": "mine", "client_id_issued_at": 0, "client_secret_expires_at": 1,
                "registration_access_token": "x", "client_name": "The conf client", "redirect_uris": [CB],
                "token_endpoint_auth_method": "client_secret_post"
            });
            let json = registered(&server, &body).await;
            for member in ["client_id", "client_secret"] {
                let made = json[member].as_str().expect("a text");
                assert!(made.len() >= 22 && !made.starts_with("https:"), "C-CM-21: {made}");
                assert!(seen.insert(made.to_owned()), "{member} twice: {made}");
            }
            assert_eq!(json.get("registration_access_token"), None, "C-DCM-07");
            assert_eq!(json.get("registration_client_uri"), None, "C-DCM-07");
        }
    }
    ClientApp::fixture("conf").tokens(&server, "alice", &[("resource", R1)]).await;
}

#[tokio::test]
async fn a_dcr_01_a_registration_is_bounded() {
    let server = Server::start().await;
    let many = |count: usize| (0..count).map(|n| format!("https://app.test/{n}")).collect::<Vec<_>>();
    registered(&server, &json!({ "redirect_uris": many(20) })).await;
    registered(&server, &json!({ "redirect_uris": [CB], "client_name": "x".repeat(256) })).await;
    let before = server.rows();
    for body in [
        json!({ "redirect_uris": [CB], "client_name": "x".repeat(257) }),
        json!({ "redirect_uris": [CB], "client_name": "x".repeat(60_000) }),
        json!({ "redirect_uris": [CB], "software_version": "x".repeat(300) }),
        json!({ "redirect_uris": [CB], "client_uri": format!("https://x.test/{}", "x".repeat(3000)) }),
        json!({ "redirect_uris": [CB], "grant_types": vec!["x"; 1000] }),
    ] {
        register(&server, &body).await.assert_refused("invalid_client_metadata");
    }
    for count in [21, 1000] {
        let answer = register(&server, &json!({ "redirect_uris": many(count) })).await;
        assert_eq!(answer.status.as_u16(), 400);
    }
    let long = json!({ "redirect_uris": [format!("https://app.test/{}", "x".repeat(2048))] });
    register(&server, &long).await.assert_refused("invalid_redirect_uri");
    for length in [65_537, 10_485_760] {
        let head = format!(
            "POST /oauth/register HTTP/1.1\r\nHost: as.test\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
        );
        let answer = server.raw(head).await;
        assert_eq!(answer.status(), 413);
        let json: Value = serde_json::from_str(answer.body()).expect("JSON");
        assert_eq!(json["error"], "invalid_request");
    }
    assert_eq!(server.rows(), before);
}

#[tokio::test]
async fn a_dcr_02_a_name_cannot_pose_as_another_and_the_page_says_that_it_is_a_claim() {
    let server = Server::start().await;
    for (sent, kept) in [
        ("<script>alert(1)</script>", "<script>alert(1)</script>"),
        ("\"><img src=x onerror=alert(1)>", "\"><img src=x onerror=alert(1)>"),
        ("Cl\u{200b}au\u{2060}de", "Claude"),
        ("\u{202e}edualC", "edualC"),
        ("Claude\u{2066}\u{e0041}", "Claude"),
        ("Claude\n\nAllowed by your admin\r\n", "ClaudeAllowed by your admin"),
        ("  Claude  ", "Claude"),
        ("Cⅼaude", "Cⅼaude"),
        ("👩\u{200d}💻", "👩💻"),
        ("", "names.test"),
        (" \t\u{feff} ", "names.test"),
    ] {
        let body = json!({ "redirect_uris": ["https://names.test/cb"], "client_name": sent });
        let json = registered(&server, &body).await;
        assert_eq!(json["client_name"], kept, "{sent:?}");
        let id = json["client_id"].as_str().expect("an id").to_owned();
        let app = ClientApp {
            id,
            secret: None,
            redirect_uri: "https://names.test/cb".to_owned(),
            pkce: Pkce::new(),
        };
        let mut browser = Browser::new();
        let login = browser.go(&server, &app.authorize_url(&[("resource", R1)])).await;
        let answer = browser.sign_in(&server, &login, "alice", crate::harness::PASSWORD).await;
        let consent = browser.go(&server, &answer.location()).await;
        for page in [&login, &consent] {
            assert!(!page.text().contains("<script") && !page.text().contains("<img"), "{}", page.text());
            assert!(!page.text().contains(['\u{202e}', '\u{200b}', '\u{2066}']));
        }
        let text = consent.text();
        assert!(text.contains("Unverified") && text.contains("names.test") && text.contains("new"), "{text}");
        // It shows the same wherever else it stands.
        browser.decide(&server, &consent, "allow").await;
        let account = browser.get(&server, "/account").await;
        assert!(!account.text().contains("<script") && !account.text().contains("<img"));
    }
}

#[tokio::test]
async fn a_dcr_04_05_c_dcr_11_14_links_are_https_also_in_their_translations() {
    let server = Server::start().await;
    let before = server.rows();
    let wrong = [
        "javascript:alert(1)",
        "JavaScript:alert(1)",
        "data:text/html,x",
        "file:///etc/passwd",
        "http://169.254.169.254/latest/meta-data",
        "http://app.test/logo.png",
        "//app.test/logo.png",
        "logo.png",
        "https:",
        " javascript:alert(1)",
    ];
    let members = [
        "client_uri",
        "logo_uri",
        "tos_uri",
        "policy_uri",
        "jwks_uri",
        "sector_identifier_uri",
        "initiate_login_uri",
        "backchannel_logout_uri",
        "client_uri#ja",
        "logo_uri#de-AT",
    ];
    for (number, link) in wrong.into_iter().enumerate() {
        for member in members {
            let mut body = json!({ "redirect_uris": [CB] });
            body[member] = link.into();
            let answer = register(&server, &body).await;
            answer.assert_refused("invalid_client_metadata");
            server.advance(10);
        }
        let mut body = json!({ "redirect_uris": [CB] });
        body[members[number]] = json!([link]);
        register(&server, &body).await.assert_refused("invalid_client_metadata");
    }
    let keys = json!({ "redirect_uris": [CB], "jwks": { "keys": [] }, "jwks_uri": "https://x.test/jwks" });
    register(&server, &keys).await.assert_refused("invalid_client_metadata");
    assert_eq!(server.rows(), before);
    let good = json!({ "redirect_uris": [CB], "logo_uri": "https://app.test/logo.png", "client_uri#de": "https://x.test" });
    assert_eq!(registered(&server, &good).await["logo_uri"], "https://app.test/logo.png");
}

#[tokio::test]
async fn a_dcr_17_c_dcr_05_a_member_of_the_wrong_type_is_refused_and_is_never_our_fault() {
    let server = Server::start().await;
    let before = server.rows();
    let strange =
        [json!(5), json!(true), json!({ "a": 1 }), json!([[CB]]), json!([null]), json!([5]), json!([CB, {}])];
    for member in
        ["client_name", "token_endpoint_auth_method", "scope", "grant_types", "software_id", "logo_uri"]
    {
        for value in &strange {
            let mut body = json!({ "redirect_uris": [CB] });
            body[member] = value.clone();
            let answer = register(&server, &body).await;
            if member == "grant_types" && value == &json!([CB]) {
                continue;
            }
            answer.assert_refused("invalid_client_metadata");
            server.advance(10);
        }
    }
    for value in &strange {
        let answer = register(&server, &json!({ "redirect_uris": value })).await;
        answer.assert_refused("invalid_client_metadata");
    }
    for missing in [json!({}), json!({ "redirect_uris": null }), json!({ "redirect_uris": [] })] {
        register(&server, &missing).await.assert_refused("invalid_redirect_uri");
    }
    assert_eq!(server.rows(), before);
}

#[tokio::test]
async fn a_http_03_a_body_that_is_no_json_object_is_refused() {
    let server = Server::start().await;
    let before = server.rows();
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let nested = format!(r#"{{"redirect_uris":["{CB}"],"x":{deep}}}"#);
    let twice = format!(r#"{{"redirect_uris":["{CB}"],"redirect_uris":["https://evil.test/"]}}"#);
    let bom = format!("\u{feff}{{\"redirect_uris\":[\"{CB}\"]}}");
    let comma = format!(r#"{{"redirect_uris":["{CB}",]}}"#);
    let after = format!(r#"{{"redirect_uris":["{CB}"]}} x"#);
    let number = format!(r#"{{"redirect_uris":["{CB}"],"client_name":1e400}}"#);
    let surrogate = r#"{"redirect_uris":["https://app.test/cb"],"client_name":"\ud800"}"#;
    for body in [
        "",
        "null",
        "[]",
        "\"x\"",
        "5",
        "{",
        &deep,
        &nested,
        &twice,
        &bom,
        &comma,
        &after,
        &number,
        surrogate,
        "[[\"https://app.test/cb\"]]",
    ] {
        let asked = server.post("/oauth/register").body("application/json", body.as_bytes().to_vec());
        asked.send().await.assert_refused("invalid_client_metadata");
    }
    let good = format!(r#"{{"redirect_uris":["{CB}"]}}"#);
    for kind in
        ["application/x-www-form-urlencoded", "text/plain", "application/jsonx", "multipart/form-data"]
    {
        let answer = server.post("/oauth/register").body(kind, good.as_bytes().to_vec()).send().await;
        assert_eq!((answer.status.as_u16(), answer.error().as_str()), (415, "invalid_request"), "{kind}");
    }
    let latin =
        server.post("/oauth/register").body("application/json", b"{\"client_name\":\"\xe9\"}".to_vec());
    latin.send().await.assert_refused("invalid_client_metadata");
    assert_eq!(server.rows(), before);
    // Names are case-sensitive: another case is another member.
    let other = json!({ "redirect_uris": [CB], "Redirect_Uris": ["https://evil.test/"], "CLIENT_NAME": "x" });
    assert_eq!(registered(&server, &other).await["client_name"], "app.test");
}

#[tokio::test]
async fn a_dcr_10_c_dcr_12_an_address_registers_sixty_at_once_and_then_one_every_ten_seconds() {
    let server = Server::start().await;
    let body = json!({ "redirect_uris": [CB] });
    for _ in 0..60 {
        registered(&server, &body).await;
    }
    let before = server.rows();
    for lie in ["203.0.113.1", "203.0.113.2, 127.0.0.1", "::1"] {
        let asked = server.post("/oauth/register").header("x-forwarded-for", lie).header("x-real-ip", lie);
        let answer = asked.json(&body).send().await;
        assert_eq!(answer.status.as_u16(), 429);
        assert_eq!(answer.error(), "temporarily_unavailable");
        assert_eq!(answer.header("retry-after"), Some("10"));
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "a page can read why");
    }
    assert_eq!(server.rows(), before);
    // It keeps nobody from signing in.
    ClientApp::fixture("pub").tokens(&server, "alice", &[("resource", R1)]).await;
    server.advance(10);
    registered(&server, &body).await;
    assert_eq!(register(&server, &body).await.status.as_u16(), 429);
}

#[tokio::test]
async fn a_dcr_10_of_a_thousand_that_were_never_used_the_oldest_make_room_and_nobody_is_turned_away() {
    let server = Server::start().await;
    let fixtures = server.rows()["clients"];
    let signing_in = ClientApp::registered(&server, "https://signing-in.test/cb").await;
    let used = ClientApp::registered(&server, "https://used.test/cb").await;
    used.tokens(&server, "alice", &[("resource", R1)]).await;
    Browser::new().go(&server, &signing_in.authorize_url(&[("resource", R1)])).await;
    let (old, later) = (server.now(), server.now().plus(Seconds::new(60)));
    server.command(move |tx| {
        for number in 0..999 {
            let strange = client(&format!("strange-{number}"), Credential::Public, &[CB], &[]);
            let created_at = if number == 500 { old.plus(Seconds::new(1)) } else { later };
            let strange = Client { registered_by: RegisteredBy::Itself, created_at, ..strange };
            clients::insert(tx, &strange, "{}")?;
        }
        Ok(())
    });
    server.advance(120);
    assert_eq!(server.rows()["clients"], fixtures + 1001);
    let newcomer = ClientApp::registered(&server, "https://newcomer.test/cb").await;
    assert_eq!(server.rows()["clients"], fixtures + 1001);
    let is_known = |id: &str| {
        let id = ClientId::parse(id).expect("an id");
        server.app.store.read(|tx| clients::find(tx, &id)).expect("the clients").is_some()
    };
    // The oldest of all is the one with which somebody is signing in.
    assert!(!is_known("strange-500") && is_known("strange-0"));
    for app in [&signing_in, &used, &newcomer, &ClientApp::fixture("pub")] {
        assert!(is_known(&app.id), "{}", app.redirect_uri);
    }
}

#[tokio::test]
async fn a_dcr_14_a_registration_needs_no_cookie_and_gives_none() {
    let server = Server::start().await;
    let browser = Browser::signed_in(&server, "alice").await;
    let asked = server
        .post("/oauth/register")
        .header("cookie", &browser.cookie())
        .header("origin", "https://evil.test")
        .header("sec-fetch-site", "cross-site");
    let answer = asked.json(&json!({ "redirect_uris": [CB] })).send().await;
    assert_eq!(answer.status.as_u16(), 201);
    assert_eq!(answer.header("set-cookie"), None);
    assert_eq!(answer.header("access-control-allow-credentials"), None);
    let (event, user, ..) = server.audit().swap_remove(0);
    assert_eq!((event.as_str(), user), ("client.registered", None));
}

/// Purges until there is nothing left to purge.
fn purge(server: &Server) {
    let now = server.now();
    let lifetimes = &server.app.settings.lifetimes;
    let keep = Retention {
        audit: lifetimes.audit,
        unused_clients: lifetimes.unused_client,
        idle_grants: Seconds::days(365),
    };
    while server.command(move |tx| purge::bite(tx, keep, now)) > 0 {}
}

#[tokio::test]
async fn a_dcr_11_who_never_comes_back_is_forgotten_after_a_day_and_nobody_else() {
    let server = Server::start().await;
    let fixtures = server.rows()["clients"];
    let unused = ClientApp::registered(&server, "https://unused.test/cb").await;
    let denied = ClientApp::registered(&server, "https://denied.test/cb").await;
    let agreed = ClientApp::registered(&server, "https://agreed.test/cb").await;
    let granted = ClientApp::registered(&server, "https://granted.test/cb").await;
    let mut browser = Browser::signed_in(&server, "alice").await;
    let page = browser.go(&server, &denied.authorize_url(&[("resource", R1)])).await;
    browser.decide(&server, &page, "deny").await;
    agreed.code(&server, &mut browser, "alice", &[("resource", R1)]).await;
    let tokens = granted.tokens(&server, "alice", &[("resource", R1)]).await;

    server.advance(24 * 3600 - 1);
    purge(&server);
    assert_eq!(server.rows()["clients"], fixtures + 4, "a day is a day");
    let late = ClientApp::registered(&server, "https://late.test/cb").await;
    // Somebody is looking at the sign-in page of this one, a day after it came.
    let waiting = denied;
    browser.go(&server, &waiting.authorize_url(&[("resource", R1)])).await;
    server.advance(1);
    purge(&server);
    for (app, known) in [(&unused, false), (&waiting, true), (&agreed, true), (&granted, true), (&late, true)]
    {
        let answer = Browser::new().get(&server, &app.authorize_url(&[("prompt", "none")])).await;
        let page = answer.text();
        assert_eq!(!page.contains("Unknown app"), known, "{}: {page}", app.redirect_uri);
    }
    let tokens = Tokens::of(&granted.refresh(&server, tokens.refresh(), &[]).await);

    server.advance(20 * 24 * 3600);
    purge(&server);
    assert_eq!(server.rows()["clients"], fixtures + 2, "used ones stay, and so do the owner's");
    Tokens::of(&granted.refresh(&server, tokens.refresh(), &[]).await);
    granted.tokens(&server, "bob", &[("resource", R1)]).await;
}

#[tokio::test]
async fn a_purge_goes_in_bites_and_reaches_everything() {
    let server = Server::start().await;
    let fixtures = server.rows()["clients"];
    for _ in 0..12 {
        for _ in 0..50 {
            ClientApp::registered(&server, CB).await;
        }
        server.advance(500);
    }
    server.advance(24 * 3600);
    let now = server.now();
    let keep = Retention {
        audit: Seconds::days(90),
        unused_clients: Seconds::hours(24),
        idle_grants: Seconds::days(365),
    };
    assert_eq!(server.command(move |tx| purge::bite(tx, keep, now)), 500);
    assert_eq!(server.rows()["clients"], fixtures + 100);
    purge(&server);
    assert_eq!(server.rows()["clients"], fixtures);
}
