//! Revocation (RFC 7009): whose token it is decides, what it was is over at once, and nobody learns of another's.

use std::sync::Arc;

use tokio::sync::Barrier;
use vestibule::http::Method;

use crate::harness::{Answer, Browser, ClientApp, R1, SECRET, Server, Tokens};

const FIRST: &[(&str, &str)] = &[("resource", R1)];

async fn revoke(server: &Server, app: &ClientApp, fields: &[(&str, &str)]) -> Answer {
    let mut fields = fields.to_vec();
    let asked = server.post("/oauth/revoke");
    match &app.secret {
        Some(secret) => asked.basic(&app.id, secret).form(&fields).send().await,
        None => {
            fields.push(("client_id", &app.id));
            asked.form(&fields).send().await
        }
    }
}

/// 200 with nothing in it, whatever was presented.
#[track_caller]
fn assert_done(answer: &Answer) {
    assert_eq!((answer.status.as_u16(), answer.text().as_str()), (200, ""));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

async fn is_active(server: &Server, app: &ClientApp, token: &str) -> bool {
    app.introspect(server, token).await["active"] == true
}

#[tokio::test]
async fn c_rv_01_only_a_posted_form_revokes() {
    let server = Server::start().await;
    let app = ClientApp::fixture("conf");
    let tokens = app.tokens(&server, "alice", FIRST).await;
    for path in ["/oauth/revoke", "/revoke"] {
        let target = format!("{path}?token={}&client_id=conf&client_secret={SECRET}", tokens.access);
        for method in [Method::GET, Method::PUT, Method::DELETE] {
            let answer = server.ask(method, &target).basic("conf", SECRET).send().await;
            assert_eq!((answer.status.as_u16(), answer.header("allow")), (405, Some("POST, OPTIONS")));
        }
        let none: &[(&str, &str)] = &[];
        let answer = server.post(&target).basic("conf", SECRET).form(none).send().await;
        answer.assert_refused("invalid_request");
    }
    assert!(is_active(&server, &app, &tokens.access).await);
    Tokens::of(&app.refresh(&server, tokens.refresh(), &[]).await);
}

#[tokio::test]
async fn c_rv_02_what_is_unknown_expired_or_garbage_is_answered_like_the_rest() {
    let server = Server::start().await;
    let app = ClientApp::fixture("conf");
    let old = app.tokens(&server, "alice", FIRST).await;
    server.advance(181 * 24 * 3600);
    let before = server.contents();
    let logged = server.audit().len();
    for token in [
        "x",
        "vrt_",
        "vrt_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "a.b.c",
        "..",
        "é\"\\\u{202e}",
        &old.access,
        &"x".repeat(60_000),
    ] {
        assert_done(&revoke(&server, &app, &[("token", token)]).await);
    }
    assert_eq!((server.contents(), server.audit().len()), (before, logged), "nothing was decided");
    // And a second time, which is no error either.
    let tokens = app.tokens(&server, "alice", FIRST).await;
    for _ in 0..2 {
        assert_done(&revoke(&server, &app, &[("token", tokens.refresh())]).await);
    }
    let revocations = server.audit().iter().filter(|row| row.0 == "oauth.token.revoked").count();
    assert_eq!(revocations, 1);
}

#[tokio::test]
async fn c_rv_03_no_hint_misleads() {
    let server = Server::start().await;
    let app = ClientApp::fixture("conf");
    for hint in ["access_token", "refresh_token", "zzz", "", "ACCESS_TOKEN", "id_token"] {
        let tokens = app.tokens(&server, "alice", FIRST).await;
        let access = [("token", tokens.access.as_str()), ("token_type_hint", hint)];
        assert_done(&revoke(&server, &app, &access).await);
        assert!(!is_active(&server, &app, &tokens.access).await, "{hint:?}");
        let refresh = [("token", tokens.refresh()), ("token_type_hint", hint)];
        assert_done(&revoke(&server, &app, &refresh).await);
        app.refresh(&server, tokens.refresh(), &[]).await.assert_refused("invalid_grant");
    }
}

#[tokio::test]
async fn c_rv_04_a_tk_09_nobody_revokes_what_is_anothers_and_nobody_learns_of_it() {
    let server = Server::start().await;
    let apps = ["pub", "conf", "post"].map(ClientApp::fixture);
    let conf = &apps[1];
    for owner in &apps {
        let tokens = owner.tokens(&server, "alice", FIRST).await;
        let logged = server.audit().len();
        for other in apps.iter().filter(|other| other.id != owner.id) {
            for token in [tokens.refresh(), &tokens.access] {
                assert_done(&revoke(&server, other, &[("token", token)]).await);
            }
        }
        assert_eq!(server.audit().len(), logged, "nothing happened");
        if owner.id == conf.id {
            assert!(is_active(&server, conf, &tokens.access).await);
        }
        let next = Tokens::of(&owner.refresh(&server, tokens.refresh(), &[]).await);
        // Its own, with no more than its client_id where that is all it has.
        assert_done(&revoke(&server, owner, &[("token", next.refresh())]).await);
        owner.refresh(&server, next.refresh(), &[]).await.assert_refused("invalid_grant");
        let (event, user, client, metadata) = &server.audit()[1];
        assert_eq!(event, "oauth.token.revoked");
        assert_eq!((user.as_deref(), client.as_deref()), (Some("alice"), Some(owner.id.as_str())));
        assert_eq!(metadata["grant_id"], next.claims["grant_id"]);
    }
}

#[tokio::test]
async fn c_rv_05_a_confidential_client_shows_its_secret() {
    let server = Server::start().await;
    let app = ClientApp::fixture("conf");
    let tokens = app.tokens(&server, "alice", FIRST).await;
    let token = ("token", tokens.refresh());
    let post = || server.post("/oauth/revoke");
    for answer in [
        post().form(&[token]).send().await,
        post().form(&[token, ("client_id", "conf")]).send().await,
        post().form(&[token, ("client_id", "conf"), ("client_secret", "wrong")]).send().await,
        post().basic("conf", "wrong").form(&[token]).send().await,
        post().basic("conf", "").form(&[token]).send().await,
        post().basic("nobody", SECRET).form(&[token]).send().await,
        post().header("authorization", "Bearer x").form(&[token]).send().await,
        post().form(&[token, ("client_id", "pub"), ("client_secret", SECRET)]).send().await,
    ] {
        answer.assert_refused("invalid_client");
    }
    let twice = post().basic("conf", SECRET).form(&[token, ("client_secret", SECRET)]).send().await;
    twice.assert_refused("invalid_request");
    Tokens::of(&app.refresh(&server, tokens.refresh(), &[]).await);
}

#[tokio::test]
async fn c_rv_06_the_refresh_token_takes_the_grant_and_every_access_token_with_it() {
    let server = Server::start().await;
    let app = ClientApp::fixture("conf");
    let one = app.tokens(&server, "alice", FIRST).await;
    let two = Tokens::of(&app.refresh(&server, one.refresh(), &[]).await);
    let other = app.tokens(&server, "alice", FIRST).await;
    for token in [&one.access, &two.access, &other.access] {
        assert!(is_active(&server, &app, token).await);
    }
    // Any token of the chain stands for the grant, also the one that was spent.
    assert_done(&revoke(&server, &app, &[("token", one.refresh())]).await);
    for token in [&one.access, &two.access] {
        assert!(!is_active(&server, &app, token).await);
    }
    for token in [one.refresh(), two.refresh()] {
        app.refresh(&server, token, &[]).await.assert_refused("invalid_grant");
        assert_eq!(server.audit()[0].3["reason"], "grant_revoked");
    }
    assert!(is_active(&server, &app, &other.access).await, "another grant of the same person and client");
    Tokens::of(&app.refresh(&server, other.refresh(), &[]).await);
}

#[tokio::test]
async fn c_rv_08_a_tk_10_an_access_token_goes_alone_and_at_once() {
    let server = Server::start().await;
    let app = ClientApp::fixture("conf");
    let one = app.tokens(&server, "alice", FIRST).await;
    let two = Tokens::of(&app.refresh(&server, one.refresh(), &[]).await);
    assert!(is_active(&server, &app, &one.access).await);
    assert_done(&revoke(&server, &app, &[("token", &one.access)]).await);
    assert!(!is_active(&server, &app, &one.access).await);
    assert!(is_active(&server, &app, &two.access).await);
    let (event, user, client, metadata) = &server.audit()[0];
    assert_eq!(
        (event.as_str(), user.as_deref(), client.as_deref()),
        ("oauth.token.revoked", Some("alice"), Some("conf"))
    );
    assert_eq!(metadata["jti"], one.claims["jti"]);
    let next = Tokens::of(&app.refresh(&server, two.refresh(), &[]).await);
    assert!(is_active(&server, &app, &next.access).await);
    // A machine's own, which belongs to no grant.
    let svc = ClientApp::fixture("svc");
    let machine = Tokens::of(&svc.token(&server, &[("grant_type", "client_credentials")]).await);
    assert!(is_active(&server, &svc, &machine.access).await);
    assert_done(&revoke(&server, &svc, &[("token", &machine.access)]).await);
    assert!(!is_active(&server, &svc, &machine.access).await);
    // Another server process on the same file knows it too.
    assert!(!is_active(&server.twin().await, &svc, &machine.access).await);
}

#[tokio::test]
async fn c_rv_09_without_a_token_or_with_two_nothing_is_revoked() {
    let server = Server::start().await;
    let app = ClientApp::fixture("conf");
    let (one, two) = (app.tokens(&server, "alice", FIRST).await, app.tokens(&server, "alice", FIRST).await);
    let cases: [&[(&str, &str)]; 5] = [
        &[],
        &[("token", "")],
        &[("TOKEN", one.refresh())],
        &[("token", one.refresh()), ("token", two.refresh())],
        &[("token", one.refresh()), ("token_type_hint", "a"), ("token_type_hint", "b")],
    ];
    for fields in cases {
        revoke(&server, &app, fields).await.assert_refused("invalid_request");
    }
    for tokens in [one, two] {
        Tokens::of(&app.refresh(&server, tokens.refresh(), &[]).await);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_tk_12_revoking_wins_over_refreshing_however_they_meet() {
    let server = Arc::new(Server::start().await);
    let app = ClientApp::fixture("conf");
    let mut browser = Browser::new();
    for round in 0..40 {
        let code = app.code(&server, &mut browser, "alice", FIRST).await;
        let tokens = Tokens::of(&app.redeem(&server, &code, &[]).await);
        let barrier = Arc::new(Barrier::new(2));
        let refreshing = tokio::spawn({
            let (server, app, barrier) = (Arc::clone(&server), app.clone(), Arc::clone(&barrier));
            let token = tokens.refresh().to_owned();
            async move {
                barrier.wait().await;
                app.refresh(&server, &token, &[]).await
            }
        });
        barrier.wait().await;
        assert_done(&revoke(&server, &app, &[("token", tokens.refresh())]).await);
        let refreshed = refreshing.await.expect("an answer");
        let mut refresh = vec![tokens.refresh().to_owned()];
        let mut access = vec![tokens.access];
        match refreshed.status.as_u16() {
            200 => {
                let next = Tokens::of(&refreshed);
                refresh.push(next.refresh().to_owned());
                access.push(next.access);
            }
            _ => refreshed.assert_refused("invalid_grant"),
        }
        for token in refresh {
            app.refresh(&server, &token, &[]).await.assert_refused("invalid_grant");
        }
        for token in access {
            assert!(!is_active(&server, &app, &token).await, "round {round}");
        }
    }
}
