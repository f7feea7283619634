//! What the file keeps of refresh tokens: across restarts, faults and restored copies, and never the tokens themselves.

use vestibule::crypto::digest::{from_base64url, sha256};

use super::{generation, is_revoked};
use crate::harness::{Browser, ClientApp, PASSWORD, R1, SECRET, Server, Tokens};

#[tokio::test]
async fn a_rt_06_17_a_restart_forgets_neither_what_was_spent_nor_what_was_promised() {
    let server = Server::start().await;
    let app = ClientApp::fixture("pub");
    let first = app.tokens(&server, "alice", &[("resource", R1)]).await;
    let second = Tokens::of(&app.refresh(&server, first.refresh(), &[]).await);

    let server = server.restart().await;
    let again = Tokens::of(&app.refresh(&server, first.refresh(), &[]).await);
    assert_eq!(again.refresh(), second.refresh(), "within the window, also from another process");

    server.advance(61);
    let server = server.restart().await;
    app.refresh(&server, first.refresh(), &[]).await.assert_refused("invalid_grant");
    assert!(is_revoked(&server));

    let server = server.restart().await;
    app.refresh(&server, second.refresh(), &[]).await.assert_refused("invalid_grant");
    assert!(is_revoked(&server));
}

#[tokio::test]
async fn a_rt_07_a_write_that_fails_spends_nothing_and_accuses_nobody() {
    let server = Server::start().await;
    let app = ClientApp::fixture("pub");
    let first = app.tokens(&server, "alice", &[("resource", R1)]).await;
    let second = Tokens::of(&app.refresh(&server, first.refresh(), &[]).await);
    let code = app.code(&server, &mut Browser::new(), "alice", &[("resource", R1)]).await;
    // The spent token would revoke by now.
    server.advance(59);
    let before = server.contents();
    let blocker = server.connection();
    blocker.execute_batch("begin immediate").expect("the lock");
    // The server waits for the lock as long as SQLite is told to, five seconds, once for all of them.
    let (rotation, repetition, redemption) = tokio::join!(
        app.refresh(&server, second.refresh(), &[]),
        app.refresh(&server, first.refresh(), &[]),
        app.redeem(&server, &code, &[]),
    );
    for answer in [rotation, repetition, redemption] {
        assert_eq!(answer.status.as_u16(), 503, "{}", answer.text());
        assert_eq!(answer.error(), "temporarily_unavailable");
        assert!(answer.header("retry-after").is_some());
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
    blocker.execute_batch("rollback").expect("the lock is given back");
    assert_eq!(server.contents(), before, "nothing was kept of it");

    assert_eq!(Tokens::of(&app.refresh(&server, first.refresh(), &[]).await).refresh(), second.refresh());
    let third = Tokens::of(&app.refresh(&server, second.refresh(), &[]).await);
    assert_eq!(generation(&server), 3);
    assert!(!is_revoked(&server));
    Tokens::of(&app.refresh(&server, third.refresh(), &[]).await);
    Tokens::of(&app.redeem(&server, &code, &[]).await);
}

#[tokio::test]
async fn a_rt_08_a_token_newer_than_a_restored_copy_is_refused_and_is_no_replay() {
    let server = Server::start().await;
    let app = ClientApp::fixture("pub");
    let first = app.tokens(&server, "alice", &[("resource", R1)]).await;
    let second = Tokens::of(&app.refresh(&server, first.refresh(), &[]).await);
    let copy = server.directory.path().join("copy.db");
    server.app.store.backup(&copy).expect("a copy");
    let third = Tokens::of(&app.refresh(&server, second.refresh(), &[]).await);
    let fourth = Tokens::of(&app.refresh(&server, third.refresh(), &[]).await);
    server.advance(61);

    let restored = server.twin_on(copy).await;
    let before = restored.contents();
    for newer in [&third, &fourth] {
        app.refresh(&restored, newer.refresh(), &[]).await.assert_refused("invalid_grant");
        let (event, user, _, metadata) = restored.audit().remove(0);
        assert_eq!((event.as_str(), user.as_deref()), ("oauth.token.exchange.failure", Some("alice")));
        assert_eq!(metadata["reason"], "refresh_token_newer");
    }
    assert_eq!(restored.contents(), before, "G6");
    // Whoever kept the older token goes on, along the very same chain.
    let again = Tokens::of(&app.refresh(&restored, second.refresh(), &[]).await);
    assert_eq!(again.refresh(), third.refresh());
}

#[tokio::test]
async fn a_rt_21_the_file_holds_hashes_of_secrets_and_never_one_of_them() {
    let server = Server::start().await;
    let conf = ClientApp::fixture("conf");
    let mut alice = Browser::new();
    let code = conf.code(&server, &mut alice, "alice", &[("resource", R1)]).await;
    let first = Tokens::of(&conf.redeem(&server, &code, &[]).await);
    let second = Tokens::of(&conf.refresh(&server, first.refresh(), &[]).await);
    // Refusals are written down as well, and must not write down what was presented.
    conf.redeem(&server, "vac_a-code-that-nobody-made", &[]).await.assert_refused("invalid_grant");
    server.advance(61);
    conf.refresh(&server, first.refresh(), &[]).await.assert_refused("invalid_grant");
    conf.revoke(&server, &second.access).await;

    // A refresh token's secret is in the middle of its bytes, and could be kept without the rest.
    let inner = |token: &str| {
        let bytes = from_base64url(&token["vrt_".len()..]).expect("base64url");
        bytes[12..44].to_vec()
    };
    let mut secrets: Vec<(&str, Vec<u8>)> = vec![
        ("code", code.clone().into_bytes()),
        ("code, bare", code.as_bytes()["vac_".len()..].to_vec()),
        ("code, bytes", from_base64url(&code["vac_".len()..]).expect("base64url")),
        ("made-up code", b"a-code-that-nobody-made".to_vec()),
        ("verifier", conf.pkce.verifier.clone().into_bytes()),
        ("client secret", SECRET.as_bytes().to_vec()),
        ("password", PASSWORD.as_bytes().to_vec()),
    ];
    for tokens in [&first, &second] {
        secrets.push(("refresh token", tokens.refresh().as_bytes()[4..].to_vec()));
        secrets.push(("refresh token, secret", inner(tokens.refresh())));
        secrets.push(("access token", tokens.access.clone().into_bytes()));
        let signature = tokens.access.rsplit('.').next().expect("three parts");
        secrets.push(("access token, signature", signature.as_bytes().to_vec()));
    }
    for (name, value) in &alice.cookies {
        assert!(value.len() > 20, "{name} is worth looking for");
        secrets.push(("cookie", value.clone().into_bytes()));
    }
    let holds = |bytes: &[u8], what: &[u8]| bytes.windows(what.len()).any(|window| window == what);
    let look = |bytes: &[u8]| {
        // What proves that the search would find them: the hashes are there.
        for known in [sha256(code.as_bytes()), sha256(SECRET.as_bytes()), sha256(&inner(second.refresh()))] {
            assert!(holds(bytes, &known));
        }
        for (name, secret) in &secrets {
            assert!(!holds(bytes, secret), "the {name} is in the file");
        }
    };
    look(&server.bytes_at_rest());
    let checkpoint = "pragma wal_checkpoint(truncate)";
    server.connection().execute_batch(checkpoint).expect("the log goes into the file");
    look(&std::fs::read(server.app.store.path()).expect("the file"));
}
