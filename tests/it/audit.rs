//! What is written down: every decision with whom it concerns, never a secret, and nothing that breaks its line.

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use vestibule::clock::Seconds;
use vestibule::http::TrustedProxies;
use vestibule::oauth::secret::{Secret, SecretKind};
use vestibule::store::audit_logs::{self, Entry};
use vestibule::store::{setup_link, users};

use crate::harness::{Browser, ClientApp, Listening, PASSWORD, Pkce, R1, R2, SECRET, Server, Tokens};

/// Every row, the oldest first, with all its columns.
fn rows(server: &Server) -> Vec<Entry> {
    let filter = audit_logs::Filter::default();
    server.app.store.read(|tx| audit_logs::list(tx, &filter)).expect("the audit log")
}

/// Asserts what the newest row says; of the metadata, at least this.
#[track_caller]
fn assert_newest(server: &Server, event: &str, user: Option<&str>, client: Option<&str>, metadata: &Value) {
    let (newest, name, id, said) = server.audit().swap_remove(0);
    assert_eq!((newest.as_str(), name.as_deref(), id.as_deref()), (event, user, client), "{said}");
    for (key, value) in metadata.as_object().expect("an object") {
        assert_eq!(&said[key], value, "{key} of {said}");
    }
}

#[tokio::test]
async fn every_decision_about_a_person_and_a_code_leaves_a_row_that_names_them() {
    let server = Server::start().await;
    let (app, alice) = (ClientApp::fixture("pub"), Some("alice"));
    let mut browser = Browser::new();
    let page = browser.get(&server, "/login").await;
    browser.sign_in(&server, &page, "alice", "a wrong one").await;
    assert_newest(&server, "user.login.failure", alice, None, &json!({ "reason": "password_wrong" }));
    browser.sign_in(&server, &page, "nobody", "a wrong one").await;
    assert_newest(&server, "user.login.failure", None, None, &json!({ "reason": "user_unknown" }));
    browser.sign_in(&server, &page, "Alice ", PASSWORD).await;
    assert_newest(&server, "user.login.success", alice, None, &json!({}));

    let page = browser.go(&server, &app.authorize_url(&[("resource", R1)])).await;
    browser.decide(&server, &page, "deny").await;
    let denied = json!({ "error": "access_denied", "reason": "denied" });
    assert_newest(&server, "oauth.authorize.refused", alice, Some("pub"), &denied);
    let unknown = "https://unknown.test/mcp";
    Browser::new().get(&server, &app.authorize_url(&[("resource", unknown)])).await;
    let refused = json!({ "error": "invalid_target", "extra_resources": [unknown],
                          "mend": "vestibule resource add 'https://unknown.test/mcp'" });
    assert_newest(&server, "oauth.authorize.refused", None, Some("pub"), &refused);
    let code = app.code(&server, &mut browser, "alice", &[("resource", R1)]).await;
    let granted = json!({ "resources": [R1], "scope": "a b" });
    assert_newest(&server, "oauth.authorize.granted", alice, Some("pub"), &granted);

    // A failed exchange concerns the person whose code it was.
    let failure = |error: &str, reason: &str| json!({ "grant_type": "authorization_code", "error": error, "reason": reason });
    let wrong = ClientApp { pkce: Pkce::new(), ..app.clone() };
    wrong.redeem(&server, &code, &[]).await.assert_refused("invalid_grant");
    let failed = failure("invalid_grant", "verifier_wrong");
    assert_newest(&server, "oauth.token.exchange.failure", alice, Some("pub"), &failed);
    let wrong = ClientApp { redirect_uri: "https://app.test/other".to_owned(), ..app.clone() };
    wrong.redeem(&server, &code, &[]).await.assert_refused("invalid_grant");
    let failed = failure("invalid_grant", "redirect_uri_differs");
    assert_newest(&server, "oauth.token.exchange.failure", alice, Some("pub"), &failed);
    let other = ClientApp { pkce: app.pkce.clone(), ..ClientApp::fixture("conf") };
    other.redeem(&server, &code, &[]).await.assert_refused("invalid_grant");
    let failed = failure("invalid_grant", "code_of_another_client");
    assert_newest(&server, "oauth.token.exchange.failure", alice, Some("conf"), &failed);
    app.redeem(&server, &code, &[("resource", R2)]).await.assert_refused("invalid_target");
    let failed =
        json!({ "error": "invalid_target", "reason": "resource_not_granted", "extra_resources": [R2] });
    assert_newest(&server, "oauth.token.exchange.failure", alice, Some("pub"), &failed);
    let tokens = Tokens::of(&app.redeem(&server, &code, &[]).await);
    let (jti, grant) = (&tokens.claims["jti"], &tokens.claims["grant_id"]);
    let success =
        json!({ "grant_type": "authorization_code", "resources": [R1], "scope": "a b", "jti": jti });
    assert_newest(&server, "oauth.token.exchange.success", alice, Some("pub"), &success);
    app.redeem(&server, &code, &[]).await.assert_refused("invalid_grant");
    let replay = json!({ "reason": "code_replayed", "grant_id": grant });
    assert_newest(&server, "oauth.token.replay", alice, Some("pub"), &replay);
}

#[tokio::test]
async fn every_decision_about_a_client_a_grant_and_a_session_leaves_a_row_that_names_them() {
    let server = Server::start().await;
    let (app, alice) = (ClientApp::fixture("pub"), Some("alice"));
    let ghost = ClientApp { id: "ghost".to_owned(), ..ClientApp::fixture("conf") };
    ghost.token(&server, &[("grant_type", "client_credentials")]).await.assert_refused("invalid_client");
    let unknown = json!({ "error": "invalid_client", "reason": "client_unknown" });
    assert_newest(&server, "oauth.token.exchange.failure", None, Some("ghost"), &unknown);

    let registered = ClientApp::registered(&server, "https://stranger.test/cb").await;
    let named = json!({ "subject": "A stranger" });
    assert_newest(&server, "client.registered", None, Some(&registered.id), &named);
    server.post("/oauth/register").json(&json!({ "redirect_uris": [] })).send().await;
    let refused = json!({ "error": "invalid_redirect_uri", "reason": "redirect_uri_missing" });
    assert_newest(&server, "client.refused", None, None, &refused);

    let mut browser = Browser::new();
    let code = app.code(&server, &mut browser, "alice", &[("resource", R1)]).await;
    let first = Tokens::of(&app.redeem(&server, &code, &[]).await);
    let second = Tokens::of(&app.refresh(&server, first.refresh(), &[]).await);
    let success = json!({ "grant_type": "refresh_token", "jti": second.claims["jti"], "grant_id": second.claims["grant_id"] });
    assert_newest(&server, "oauth.token.exchange.success", alice, Some("pub"), &success);
    ClientApp::fixture("conf").refresh(&server, second.refresh(), &[]).await.assert_refused("invalid_grant");
    let another = json!({ "reason": "refresh_token_of_another_client" });
    assert_newest(&server, "oauth.token.exchange.failure", None, Some("conf"), &another);
    app.refresh(&server, second.refresh(), &[("resource", R2)]).await.assert_refused("invalid_target");
    assert_newest(
        &server,
        "oauth.token.exchange.failure",
        alice,
        Some("pub"),
        &json!({ "extra_resources": [R2] }),
    );
    app.revoke(&server, &second.access).await;
    assert_newest(
        &server,
        "oauth.token.revoked",
        alice,
        Some("pub"),
        &json!({ "jti": second.claims["jti"] }),
    );
    server.advance(61);
    app.refresh(&server, first.refresh(), &[]).await.assert_refused("invalid_grant");
    let replay = json!({ "reason": "refresh_token_replayed", "grant_id": first.claims["grant_id"] });
    assert_newest(&server, "oauth.token.replay", alice, Some("pub"), &replay);

    let third = app.tokens(&server, "alice", &[("resource", R1)]).await;
    let page = browser.get(&server, "/account").await;
    let fields = ["form_token", "grant"].map(|name| (name, page.field(name).expect("a grant")));
    browser.post(&server, "/account", &fields).await;
    let taken = json!({ "grant_id": third.claims["grant_id"], "resources": [R1] });
    assert_newest(&server, "oauth.grant.revoked", alice, Some("pub"), &taken);
    let page = browser.get(&server, "/logout").await;
    browser.post(&server, "/logout", &[("form_token", page.field("form_token").expect("a form"))]).await;
    assert_newest(&server, "user.logout", alice, None, &json!({}));

    let tokens = app.tokens(&server, "bob", &[("resource", R1)]).await;
    app.revoke(&server, tokens.refresh()).await;
    let revoked = json!({ "grant_id": tokens.claims["grant_id"] });
    assert_newest(&server, "oauth.token.revoked", Some("bob"), Some("pub"), &revoked);
    app.refresh(&server, tokens.refresh(), &[]).await.assert_refused("invalid_grant");
    let ended = json!({ "reason": "grant_revoked" });
    assert_newest(&server, "oauth.token.exchange.failure", Some("bob"), Some("pub"), &ended);
    let tokens = app.tokens(&server, "mallory", &[("resource", R1)]).await;
    let (mallory, now) = (server.user("mallory").id, server.now());
    server.command(move |tx| users::disable(tx, &mallory, now));
    app.refresh(&server, tokens.refresh(), &[]).await.assert_refused("invalid_grant");
    let disabled = json!({ "reason": "user_disabled" });
    assert_newest(&server, "oauth.token.exchange.failure", Some("mallory"), Some("pub"), &disabled);
}

#[tokio::test]
async fn a_log_04_the_peer_is_recorded_and_not_what_it_says_of_itself() {
    for (proxies, said, recorded) in [
        (&[][..], "203.0.113.9", "127.0.0.1"),
        (&["127.0.0.1"], "203.0.113.9", "203.0.113.9"),
        // The left end of the list is the stranger's own invention.
        (&["127.0.0.1"], "6.6.6.6, 203.0.113.9", "203.0.113.9"),
        (&["127.0.0.1", "10.0.0.0/8"], "6.6.6.6, 203.0.113.9, 10.1.2.3", "203.0.113.9"),
        (&["127.0.0.1"], "203.0.113.9, unknown", "127.0.0.1"),
        (&["10.0.0.0/8"], "203.0.113.9", "127.0.0.1"),
    ] {
        let proxies = TrustedProxies::parse(proxies.iter().copied()).expect("networks");
        let server = Server::start_with(|settings| settings.trusted_proxies = proxies).await;
        let asked = server
            .post("/oauth/token")
            .header("x-forwarded-for", said)
            .header("x-real-ip", "6.6.6.6")
            .header("forwarded", "for=6.6.6.6")
            .header("user-agent", &"curl/8 ".repeat(100));
        asked.form(&[("grant_type", "client_credentials"), ("client_id", "ghost")]).send().await;
        let row = rows(&server).pop().expect("a row");
        assert_eq!(row.ip.as_deref(), Some(recorded), "{said}");
        assert_eq!(row.user_agent.map(|agent| agent.len()), Some(256), "cut to what a page can show");
        assert_eq!(row.at, server.now());
    }
}

/// Everything that was said in confidence.
#[derive(Default)]
struct Canaries(Vec<(&'static str, String)>);

impl Canaries {
    fn plant(&mut self, what: &'static str, secret: &str) {
        assert!(secret.len() >= 8, "{what} is too short to be looked for: {secret}");
        self.0.push((what, secret.to_owned()));
        let encoded: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
        if encoded != secret {
            self.0.push((what, encoded));
        }
    }

    fn plant_browser(&mut self, browser: &Browser) {
        for value in browser.cookies.values() {
            self.plant("a cookie", value);
        }
    }

    fn plant_tokens(&mut self, tokens: &Tokens) {
        self.plant("an access token", &tokens.access);
        self.plant("an access token's signature", tokens.access.rsplit('.').next().expect("a signature"));
        self.plant("a refresh token", tokens.refresh());
    }

    /// Asserts that none of them is in there.
    #[track_caller]
    fn assert_absent(&self, place: &str, bytes: &[u8]) {
        for (what, secret) in &self.0 {
            let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{place} has {what}: {secret}");
        }
    }
}

#[tokio::test]
async fn a_log_02_no_secret_of_a_whole_life_is_in_the_log_the_audit_or_the_file() {
    let listening = Listening::begin();
    let server = Server::start().await;
    let mut canaries = Canaries::default();
    canaries.plant("a password", PASSWORD);
    canaries.plant("a client's secret", SECRET);
    first_admin(&server, &mut canaries).await;
    let browser = a_sign_in(&server, &mut canaries).await;
    for id in ["pub", "conf", "post"] {
        a_life(&server, &ClientApp::fixture(id), browser.clone(), &mut canaries).await;
    }
    out_of_place(&server, &mut canaries).await;
    let text = listening.end();
    assert!(text.lines().filter(|line| line.contains(" INFO request ")).count() > 40, "{text}");
    canaries.assert_absent("the log", text.as_bytes());
    let audit = format!("{:?}", rows(&server));
    assert!(rows(&server).len() > 20);
    canaries.assert_absent("the audit log", audit.as_bytes());
    let mut files = 0;
    for file in std::fs::read_dir(server.directory.path()).expect("the directory") {
        let path = file.expect("a file").path();
        canaries.assert_absent(&path.display().to_string(), &std::fs::read(&path).expect("its bytes"));
        files += 1;
    }
    assert!(files >= 2, "the database and what is still in its log");
}

/// Set-up, with a link and a new password.
async fn first_admin(server: &Server, canaries: &mut Canaries) {
    let (link, alice) = (Secret::new(SecretKind::SetupLink), server.user("alice").id);
    let (hash, expires) = (link.hash(), server.now().plus(Seconds::hours(1)));
    server.command(move |tx| {
        users::remove(tx, &alice)?;
        setup_link::replace(tx, &hash, expires)
    });
    canaries.plant("the set-up link", link.expose());
    let mut browser = Browser::new();
    let page = browser.get(server, &format!("/setup?token={}", link.expose())).await;
    let token = page.field("form_token").expect("a form");
    canaries.plant("a form's token", &token);
    for password in ["canary1", "a canary's new password"] {
        let fields = [
            ("form_token", token.as_str()),
            ("token", link.expose()),
            ("username", "root"),
            ("password", password),
        ];
        browser.post(server, "/setup", &fields).await;
    }
    canaries.plant("a new password", "a canary's new password");
    canaries.plant_browser(&browser);
    // Once spent, it is as secret as before to whoever reads a log.
    browser.get(server, &format!("/setup?token={}", link.expose())).await.assert_problem_page(400);
}

/// A password in the wrong field, a wrong one, and the right one.
async fn a_sign_in(server: &Server, canaries: &mut Canaries) -> Browser {
    let mut browser = Browser::new();
    let page = browser.get(server, "/login").await;
    canaries.plant_browser(&browser);
    canaries.plant("a form's token", &page.field("form_token").expect("a form"));
    for (name, password) in [("canary-in-the-wrong-field", "x"), ("bob", "canary-of-a-wrong-password")] {
        browser.sign_in(server, &page, name, password).await;
    }
    canaries.plant("a password in the wrong field", "canary-in-the-wrong-field");
    canaries.plant("a wrong password", "canary-of-a-wrong-password");
    let answer = browser.sign_in(server, &page, "bob", PASSWORD).await;
    assert_eq!(answer.status.as_u16(), 303);
    canaries.plant_browser(&browser);
    browser
}

/// Code, tokens, refresh, introspection, replay, revocation.
async fn a_life(server: &Server, app: &ClientApp, mut browser: Browser, canaries: &mut Canaries) {
    let code = app.code(server, &mut browser, "bob", &[("resource", R1)]).await;
    canaries.plant("a code", &code);
    canaries.plant("a verifier", &app.pkce.verifier);
    let wrong = ClientApp { pkce: Pkce::new(), ..app.clone() };
    canaries.plant("a wrong verifier", &wrong.pkce.verifier);
    wrong.redeem(server, &code, &[]).await.assert_refused("invalid_grant");
    let first = Tokens::of(&app.redeem(server, &code, &[]).await);
    let second = Tokens::of(&app.refresh(server, first.refresh(), &[]).await);
    for tokens in [&first, &second] {
        canaries.plant_tokens(tokens);
        if app.secret.is_some() {
            app.introspect(server, &tokens.access).await;
            app.introspect(server, tokens.refresh()).await;
        }
    }
    app.revoke(server, &first.access).await;
    app.redeem(server, &code, &[]).await.assert_refused("invalid_grant");
    app.refresh(server, second.refresh(), &[]).await.assert_refused("invalid_grant");
    app.revoke(server, second.refresh()).await;
}

/// Secrets where none belongs, and a secret that a client is given when it registers.
async fn out_of_place(server: &Server, canaries: &mut Canaries) {
    let canary = "canary-that-is-out-of-place";
    canaries.plant("a secret out of place", canary);
    for target in
        ["/oauth/token", "/oauth/authorize", "/login", "/consent", "/nowhere", "/oauth/revoke", "/setup"]
    {
        let target =
            format!("{target}?code={canary}&client_secret={canary}&password={canary}&token={canary}");
        let headers = [
            ("authorization", format!("Bearer {canary}")),
            ("cookie", format!("__Host-vestibule={canary}; other={canary}")),
            ("referer", format!("https://app.test/?code={canary}")),
        ];
        for method in [vestibule::http::Method::GET, vestibule::http::Method::POST] {
            let mut asked = server.ask(method, &target);
            for (name, value) in &headers {
                asked = asked.header(name, value);
            }
            let fields = [
                ("grant_type", "refresh_token"),
                ("refresh_token", canary),
                ("client_secret", canary),
                ("client_id", "conf"),
                ("form_token", canary),
            ];
            asked.form(&fields).send().await;
        }
    }
    server.post("/oauth/token").basic("conf", canary).form(&[("grant_type", "refresh_token")]).send().await;
    let body = json!({ "redirect_uris": ["https://conf.test/cb"], "client_name": "Confidential",
                       "token_endpoint_auth_method": "client_secret_basic" });
    let answer = server.post("/oauth/register").json(&body).send().await.json();
    canaries.plant("a registered client's secret", answer["client_secret"].as_str().expect("a secret"));
}

#[tokio::test]
async fn a_log_01_whatever_is_sent_a_request_is_one_line_and_a_row_is_one_line() {
    let listening = Listening::begin();
    let server = Server::start().await;
    let evil = "x\r\n2026-01-01T00:00:00Z INFO request forged=1\u{1b}[2J\u{2028}\u{85}\u{202e}y";
    let encoded: String = url::form_urlencoded::byte_serialize(evil.as_bytes()).collect();
    // What a header can hold at all goes over a bare socket.
    let agent = "x\u{2028}y\tINFO request forged=1 \"\\";
    let mut requests = 0;
    for target in [
        format!("/oauth/authorize?client_id=pub&state={encoded}"),
        format!("/{encoded}"),
        "/login".to_owned(),
    ] {
        let mut socket = tokio::net::TcpStream::connect(server.address).await.expect("the server listens");
        let request = format!(
            "GET {target} HTTP/1.1\r\nHost: as.test\r\nUser-Agent: {agent}\r\nConnection: close\r\n\r\n"
        );
        socket.write_all(request.as_bytes()).await.expect("it is sent");
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer).await.expect("an answer");
        assert!(answer.starts_with(b"HTTP/1.1 "));
        requests += 1;
    }
    let body = json!({ "client_name": evil, "redirect_uris": ["https://evil.test/cb"] });
    let registered = server.post("/oauth/register").json(&body).send().await.json();
    let id = registered["client_id"].as_str().expect("an id");
    let app = ClientApp {
        id: id.to_owned(),
        redirect_uri: "https://evil.test/cb".to_owned(),
        ..ClientApp::fixture("pub")
    };
    let mut browser = Browser::new();
    let login =
        browser.get(&server, &app.authorize_url(&[("state", evil), ("resource", R1)])).await.location();
    let page = browser.get(&server, &login).await;
    browser.sign_in(&server, &page, evil, evil).await;
    let unknown = format!("https://unknown.test/{encoded}");
    browser.get(&server, &app.authorize_url(&[("state", evil), ("resource", &unknown)])).await;
    browser.get(&server, &app.authorize_url(&[("state", evil), ("resource", evil), ("scope", evil)])).await;
    let fields = [("grant_type", evil), ("client_id", "pub"), ("code", evil), ("resource", evil)];
    server.post("/oauth/token").header("user-agent", "a\tb").form(&fields).send().await;
    requests += 7;

    let text = listening.end();
    assert!(text.ends_with('\n') && !text.contains("\n\n"));
    let lines: Vec<_> = text.trim_end_matches('\n').split('\n').collect();
    assert_eq!(lines.len(), requests, "{text}");
    for line in lines {
        let (stamp, rest) = line.split_once(' ').expect("a stamp");
        assert!(vestibule::clock::UnixTime::parse(stamp).is_some(), "{line}");
        assert!(rest.starts_with("INFO request method="), "{line}");
        let disturbing =
            |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}');
        assert!(!line.contains(disturbing), "{line:?}");
        assert!(line.len() < 4096, "{line}");
    }
    for row in rows(&server) {
        for text in
            [Some(&row.metadata), row.user_agent.as_ref(), row.client_id.as_ref()].into_iter().flatten()
        {
            assert!(!text.contains(|c: char| c.is_control() && c != '\t'), "{row:?}");
            assert!(!text.contains(['\u{2028}', '\u{202e}']), "{row:?}");
        }
    }
}

#[tokio::test]
async fn what_revocation_introspection_and_the_authorization_page_refuse_leaves_a_row_too() {
    let server = Server::start().await;
    for path in ["/oauth/revoke", "/oauth/introspect"] {
        let before = server.audit().len();
        let answer = server.post(path).basic("conf", "wrong").form(&[("token", "x")]).send().await;
        answer.assert_refused("invalid_client");
        let rows = server.audit();
        let (event, _, client, metadata) = &rows[0];
        assert_eq!((rows.len() - before, event.as_str()), (1, "oauth.token.exchange.failure"), "{path}");
        assert_eq!(
            (client.as_deref(), &metadata["reason"]),
            (Some("conf"), &serde_json::json!("secret_wrong"))
        );
    }
    let answer = server.get("/oauth/authorize?client_id=nobody").header("accept", "text/html").send().await;
    answer.assert_problem_page(400);
    let (event, _, client, metadata) = &server.audit()[0];
    assert_eq!((event.as_str(), client.as_deref()), ("oauth.authorize.refused", Some("nobody")));
    assert_eq!(metadata["reason"], "client_unknown");
}
