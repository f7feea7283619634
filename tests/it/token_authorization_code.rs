//! authorization_code: a code is good once, for a minute, for its own client, with the right verifier. PKCE has a file
//! of its own, and what happens at one moment is in `races`.

mod pkce;

use serde_json::json;
use vestibule::http::TrustedProxies;
use vestibule::oauth::client::{Client, Credential};
use vestibule::oauth::grant_type::{AuthMethod, GrantType};
use vestibule::oauth::ids::ClientId;
use vestibule::oauth::redirect_uri::RedirectUri;
use vestibule::oauth::secret::SecretHash;
use vestibule::store::{clients, users};

use crate::harness::{Answer, Browser, ClientApp, R1, R2, Server, Tokens, client};

/// `evil`: another public client, with the same redirect URI even.
fn add_evil(server: &Server) -> ClientApp {
    let grants = [GrantType::AuthorizationCode, GrantType::RefreshToken];
    let evil = client("evil", Credential::Public, &["https://app.test/cb"], &grants);
    server.command(move |tx| clients::insert(tx, &evil, "{}"));
    ClientApp::fixture("evil")
}

/// Changes a client as the owner does.
fn change_client(server: &Server, id: &str, change: impl FnOnce(&mut Client) + Send + 'static) {
    let id = ClientId::parse(id).expect("a client_id");
    server.command(move |tx| {
        let mut client = clients::find(tx, &id)?.expect("one of the fixtures");
        change(&mut client);
        clients::update(tx, &client)
    });
}

/// Asserts that nothing of what the code led to is left.
async fn assert_taken_back(server: &Server, app: &ClientApp, tokens: &Tokens) {
    app.refresh(server, tokens.refresh(), &[]).await.assert_refused("invalid_grant");
    if app.secret.is_some() {
        assert_eq!(app.introspect(server, &tokens.access).await, json!({ "active": false }));
    }
}

#[tokio::test]
async fn a_code_01_02_12_a_replayed_code_takes_back_what_it_led_to_however_late() {
    let server = Server::start().await;
    let conf = ClientApp::fixture("conf");
    let mut alice = Browser::new();
    // The last two come when the code would have expired anyway.
    for late in [0, 30, 60, 601] {
        let code = conf.code(&server, &mut alice, "alice", &[("resource", R1)]).await;
        let tokens = Tokens::of(&conf.redeem(&server, &code, &[]).await);
        assert_eq!(conf.introspect(&server, &tokens.access).await["active"], true);
        server.advance(late);
        conf.redeem(&server, &code, &[]).await.assert_refused("invalid_grant");
        let (event, user, client, metadata) = server.audit().remove(0);
        assert_eq!(event, "oauth.token.replay");
        assert_eq!((user.as_deref(), client.as_deref()), (Some("alice"), Some("conf")), "{late} s");
        assert_eq!(metadata["reason"], "code_replayed");
        assert_taken_back(&server, &conf, &tokens).await;
        // G7: the third time is as the second.
        conf.redeem(&server, &code, &[]).await.assert_refused("invalid_grant");
    }
}

#[tokio::test]
async fn a_code_03_04_06_a_replay_that_is_wrong_in_anything_takes_nothing_back() {
    let server = Server::start().await;
    let (conf, post) = (ClientApp::fixture("conf"), ClientApp::fixture("post"));
    let code = conf.code(&server, &mut Browser::new(), "alice", &[("resource", R1)]).await;
    let tokens = Tokens::of(&conf.redeem(&server, &code, &[]).await);
    let before = server.contents();

    // Another client with everything that it could have overheard.
    let thief = ClientApp { pkce: conf.pkce.clone(), redirect_uri: conf.redirect_uri.clone(), ..post };
    thief.redeem(&server, &code, &[]).await.assert_refused("invalid_grant");
    let (event, user, client, metadata) = server.audit().remove(0);
    assert_eq!(event, "oauth.token.exchange.failure");
    assert_eq!((user.as_deref(), client.as_deref()), (Some("alice"), Some("post")));
    assert_eq!(metadata["reason"], "code_of_another_client");

    let guesser = ClientApp { pkce: ClientApp::fixture("conf").pkce, ..conf.clone() };
    for _ in 0..6 {
        guesser.redeem(&server, &code, &[]).await.assert_refused("invalid_grant");
    }
    let elsewhere = ClientApp { redirect_uri: "https://conf.test/other".to_owned(), ..conf.clone() };
    elsewhere.redeem(&server, &code, &[]).await.assert_refused("invalid_grant");
    conf.redeem(&server, &code, &[("resource", R2)]).await.assert_refused("invalid_target");
    let stranger = ClientApp { secret: Some("wrong".to_owned()), ..conf.clone() };
    stranger.redeem(&server, &code, &[]).await.assert_refused("invalid_client");

    assert_eq!(server.contents(), before, "G6");
    assert_eq!(conf.introspect(&server, &tokens.access).await["active"], true);
    Tokens::of(&conf.refresh(&server, tokens.refresh(), &[]).await);
}

#[tokio::test]
async fn a_code_08_09_a_code_is_of_no_use_to_another_client_and_not_spoilt_by_it() {
    let server = Server::start().await;
    let evil = add_evil(&server);
    let own = ClientApp::fixture("pub");
    let code = own.code(&server, &mut Browser::new(), "alice", &[("resource", R1)]).await;
    let before = server.contents();
    for (id, secret) in [(&evil.id, None), (&"conf".to_owned(), ClientApp::fixture("conf").secret)] {
        let thief = ClientApp { id: id.clone(), secret, ..own.clone() };
        // More often than wrong verifiers would be suffered.
        for _ in 0..6 {
            thief.redeem(&server, &code, &[]).await.assert_refused("invalid_grant");
        }
    }
    assert_eq!(server.contents(), before, "G6");
    Tokens::of(&own.redeem(&server, &code, &[]).await);
}

#[tokio::test]
async fn a_code_10_a_code_lives_for_a_minute() {
    let server = Server::start().await;
    let app = ClientApp::fixture("pub");
    let mut alice = Browser::new();
    for (age, good) in [(0, true), (59, true), (60, false), (61, false), (601, false)] {
        let code = app.code(&server, &mut alice, "alice", &[("resource", R1)]).await;
        server.advance(age);
        let before = server.contents();
        let answer = app.redeem(&server, &code, &[]).await;
        if good {
            Tokens::of(&answer);
        } else {
            answer.assert_refused("invalid_grant");
            assert_eq!(server.audit()[0].3["reason"], "code_expired", "{age} s");
            assert_eq!(server.contents(), before, "G6");
        }
    }
    // A clock that goes back brings no code to life that was redeemed.
    let code = app.code(&server, &mut alice, "alice", &[("resource", R1)]).await;
    Tokens::of(&app.redeem(&server, &code, &[]).await);
    server.advance(-3600);
    app.redeem(&server, &code, &[]).await.assert_refused("invalid_grant");
}

#[tokio::test]
async fn a_code_11_everything_must_be_right_at_once() {
    let server = Server::start().await;
    let evil = add_evil(&server);
    let right = ClientApp::fixture("pub");
    let mut alice = Browser::new();
    for case in 0..16_u8 {
        let wrong = |bit: u8| case & (1 << bit) != 0;
        let code = right.code(&server, &mut alice, "alice", &[("resource", R1)]).await;
        let mut app = right.clone();
        if wrong(0) {
            app.id.clone_from(&evil.id);
        }
        if wrong(1) {
            app.pkce = evil.pkce.clone();
        }
        if wrong(2) {
            app.redirect_uri.push_str("/2");
        }
        if wrong(3) {
            server.advance(60);
        }
        let answer = app.redeem(&server, &code, &[]).await;
        if case == 0 {
            Tokens::of(&answer);
        } else {
            answer.assert_refused("invalid_grant");
        }
    }
    assert_eq!(server.value::<i64>("select count(*) from grants"), 1);
}

#[tokio::test]
async fn a_code_13_15_what_only_resembles_a_code_is_none() {
    let server = Server::start().await;
    let app = ClientApp::fixture("pub");
    let mut alice = Browser::new();
    let earlier = app.tokens(&server, "alice", &[("resource", R1)]).await;
    let code = app.code(&server, &mut alice, "alice", &[("resource", R1)]).await;
    let (body, last) = code.split_at(code.len() - 1);
    let changed = format!("{body}{}", if last == "A" { "B" } else { "A" });
    let session = alice.cookies.values().next().expect("a session").clone();
    let before = server.contents();
    for wrong in [
        &changed,
        body,
        &code[1..],
        &code["vac_".len()..],
        &format!("{code}{code}"),
        &format!("{code}A"),
        &format!("{code}="),
        &format!("{code}\n"),
        &format!(" {code}"),
        &code.to_ascii_uppercase(),
        &code.to_ascii_lowercase(),
        // Tokens of other kinds.
        earlier.refresh(),
        &earlier.access,
        &session,
    ] {
        app.redeem(&server, wrong, &[]).await.assert_refused("invalid_grant");
        assert_eq!(server.audit()[0].3["reason"], "code_unknown", "{wrong:?}");
    }
    app.refresh(&server, &code, &[]).await.assert_refused("invalid_grant");
    assert_eq!(server.contents(), before, "G6");
    Tokens::of(&app.redeem(&server, &code, &[]).await);
}

#[tokio::test]
async fn a_code_14_a_code_that_is_no_text_or_too_long_is_the_callers_fault() {
    let server = Server::start().await;
    let app = ClientApp::fixture("pub");
    let before = server.contents();
    let send = async |code: &str| -> Answer {
        let (verifier, id) = (&app.pkce.verifier, &app.id);
        let form =
            format!("grant_type=authorization_code&client_id={id}&code_verifier={verifier}&code={code}");
        server.post("/oauth/token").body("application/x-www-form-urlencoded", form.into_bytes()).send().await
    };
    for malformed in ["%00", "vac_%00", "%ff", "%c0%af", "%ed%a0%80", "%", "%4", "%zz"] {
        send(malformed).await.assert_refused("invalid_request");
    }
    send("").await.assert_refused("invalid_request");
    for unknown in ["%F0%9F%A6%80".to_owned(), "🦀".to_owned(), "x".repeat(60_000)] {
        send(&unknown).await.assert_refused("invalid_grant");
    }
    // The catalogue has 400; the body's limit is reached before anything is read.
    let answer = send(&"x".repeat(1_000_000)).await;
    assert_eq!((answer.status.as_u16(), answer.error().as_str()), (413, "invalid_request"));
    assert_eq!(server.contents(), before, "G6");
}

#[tokio::test]
async fn a_code_16_a_disabled_person_gets_no_token_and_the_code_waits_its_minute_for_them() {
    let server = Server::start().await;
    let app = ClientApp::fixture("pub");
    let code = app.code(&server, &mut Browser::new(), "bob", &[("resource", R1)]).await;
    let (bob, now) = (server.user("bob").id, server.now());
    let id = bob.clone();
    server.command(move |tx| users::disable(tx, &id, now));
    let before = server.contents();
    app.redeem(&server, &code, &[]).await.assert_refused("invalid_grant");
    let (_, user, _, metadata) = server.audit().remove(0);
    assert_eq!((user.as_deref(), &metadata["reason"]), (Some("bob"), &json!("user_disabled")));
    assert_eq!(server.contents(), before, "G6");
    let id = bob.clone();
    server.command(move |tx| users::enable(tx, &id));
    Tokens::of(&app.redeem(&server, &code, &[]).await);
    // A person who is gone takes their codes with them.
    let code = app.code(&server, &mut Browser::new(), "bob", &[("resource", R1)]).await;
    server.command(move |tx| users::remove(tx, &bob));
    app.redeem(&server, &code, &[]).await.assert_refused("invalid_grant");
}

#[tokio::test]
async fn a_code_17_what_the_client_lost_since_it_asked_it_cannot_use() {
    let server = Server::start().await;
    let (own, conf, post) =
        (ClientApp::fixture("pub"), ClientApp::fixture("conf"), ClientApp::fixture("post"));
    let mut alice = Browser::new();

    let code = own.code(&server, &mut alice, "alice", &[("resource", R1)]).await;
    let other = RedirectUri::parse("https://app.test/other").expect("a redirect");
    change_client(&server, "pub", |client| client.redirect_uris = vec![other]);
    own.redeem(&server, &code, &[]).await.assert_refused("invalid_grant");
    let fields =
        [("grant_type", "authorization_code"), ("code", &code), ("code_verifier", &own.pkce.verifier)];
    own.token(&server, &fields).await.assert_refused("invalid_grant");

    let code = conf.code(&server, &mut alice, "alice", &[("resource", R1)]).await;
    change_client(&server, "conf", |client| {
        let hash = SecretHash::of("another secret");
        client.credential = Credential::Secret { hash, method: AuthMethod::ClientSecretBasic };
    });
    conf.redeem(&server, &code, &[]).await.assert_refused("invalid_client");
    let renewed = ClientApp { secret: Some("another secret".to_owned()), ..conf };
    Tokens::of(&renewed.redeem(&server, &code, &[]).await);

    let code = post.code(&server, &mut alice, "alice", &[("resource", R1)]).await;
    let id = ClientId::parse("post").expect("a client_id");
    assert!(server.command(move |tx| clients::remove(tx, &id)));
    post.redeem(&server, &code, &[]).await.assert_refused("invalid_client");
    assert_eq!(server.value::<i64>("select count(*) from authorization_codes where client_id = 'post'"), 0);
}

#[tokio::test]
async fn a_code_18_redirect_uri_may_be_left_out_but_not_differ() {
    let server = Server::start().await;
    let mut alice = Browser::new();
    let (own, native) = (ClientApp::fixture("pub"), ClientApp::fixture("nat"));
    for (app, others) in [
        (
            own,
            ["https://app.test/cb/", "https://app.test/cb?x", "https://evil.test/cb", "HTTPS://app.test/cb"],
        ),
        // At the authorization endpoint the port was free; here it is the one that was asked for.
        (
            native,
            [
                "http://127.0.0.1:1111/cb",
                "http://127.0.0.1/cb",
                "http://localhost:49152/cb",
                "http://[::1]:49152/cb",
            ],
        ),
    ] {
        let code = app.code(&server, &mut alice, "alice", &[("resource", R1)]).await;
        let before = server.contents();
        for other in others {
            let elsewhere = ClientApp { redirect_uri: other.to_owned(), ..app.clone() };
            elsewhere.redeem(&server, &code, &[]).await.assert_refused("invalid_grant");
        }
        assert_eq!(server.contents(), before, "G6: the code is not burnt");
        Tokens::of(&app.redeem(&server, &code, &[]).await);
        // OAuth 2.1 4.1.3 has no redirect_uri here.
        let code = app.code(&server, &mut alice, "alice", &[("resource", R1)]).await;
        let fields =
            [("grant_type", "authorization_code"), ("code", &code), ("code_verifier", &app.pkce.verifier)];
        Tokens::of(&app.token(&server, &fields).await);
    }
}

#[tokio::test]
async fn a_code_19_21_parameters_come_in_the_body_once_by_post() {
    let server = Server::start().await;
    let app = ClientApp::fixture("pub");
    let code = app.code(&server, &mut Browser::new(), "alice", &[("resource", R1)]).await;
    let verifier = &app.pkce.verifier;
    let before = server.contents();
    let all = format!(
        "/oauth/token?grant_type=authorization_code&client_id=pub&code={code}&code_verifier={verifier}"
    );
    server.post(&all).form::<&str, &str>(&[]).send().await.assert_refused("invalid_client");
    server.post(&all).form(&[("client_id", "pub")]).send().await.assert_refused("invalid_request");
    let rest = [("grant_type", "authorization_code"), ("client_id", "pub"), ("code_verifier", verifier)];
    server.post(&all).form(&rest).send().await.assert_refused("invalid_request");
    let answer = server.get(&all).send().await;
    assert_eq!((answer.status.as_u16(), answer.header("allow")), (405, Some("POST, OPTIONS")));
    for second in [code.as_str(), "vac_another"] {
        app.redeem(&server, &code, &[("code", second)]).await.assert_refused("invalid_request");
    }
    app.redeem(&server, &code, &[("grant_type", "refresh_token")]).await.assert_refused("invalid_request");
    assert_eq!(server.contents(), before, "G6");
    Tokens::of(&app.redeem(&server, &code, &[]).await);
}

#[tokio::test]
async fn a_code_20_guesses_are_throttled_by_address_and_lock_nobody_out() {
    let server = Server::start_with(|settings| {
        settings.trusted_proxies = TrustedProxies::parse(["127.0.0.1"]).expect("a network");
    })
    .await;
    let app = ClientApp::fixture("pub");
    let code = app.code(&server, &mut Browser::new(), "alice", &[("resource", R1)]).await;
    let from = async |address: &str, code: &str| -> Answer {
        app.redemption(&server, code, &[]).header("x-forwarded-for", address).send().await
    };
    for n in 0..100 {
        from("192.0.2.1", &format!("vac_{n}")).await.assert_refused("invalid_grant");
    }
    let audited = server.value::<i64>("select count(*) from audit_logs");
    for n in 100..110 {
        let answer = from("192.0.2.1", &format!("vac_{n}")).await;
        assert_eq!(answer.status.as_u16(), 429, "{}", answer.text());
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let wait: i64 = answer.header("retry-after").expect("how long").parse().expect("seconds");
        assert!((1..=60).contains(&wait), "{wait}");
    }
    assert_eq!(server.value::<i64>("select count(*) from audit_logs"), audited, "the log is not his to fill");
    // The same client_id from elsewhere is served, and from there too once it is right.
    from("192.0.2.2", "vac_a").await.assert_refused("invalid_grant");
    Tokens::of(&from("192.0.2.1", &code).await);
    server.advance(5);
    from("192.0.2.1", "vac_b").await.assert_refused("invalid_grant");
}

#[tokio::test]
async fn a_code_23_a_client_without_the_grant_type_redeems_nothing() {
    let server = Server::start().await;
    let (app, svc) = (ClientApp::fixture("conf"), ClientApp::fixture("svc"));
    let code = app.code(&server, &mut Browser::new(), "alice", &[("resource", R1)]).await;
    let before = server.contents();
    let thief = ClientApp { id: svc.id, secret: svc.secret, ..app.clone() };
    thief.redeem(&server, &code, &[]).await.assert_refused("unauthorized_client");
    assert_eq!(server.contents(), before, "G6");
    Tokens::of(&app.redeem(&server, &code, &[]).await);
}
