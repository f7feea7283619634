//! The purge: what has had its time goes, in bites, and what has not stays.

use vestibule::clock::{Seconds, UnixTime};
use vestibule::crypto::jwk::Algorithm;
use vestibule::crypto::jws::SigningKey;
use vestibule::oauth::ids::{ClientId, UserId, UserName};
use vestibule::oauth::secret::{Secret, SecretKind};
use vestibule::store::purge::{self, Retention};
use vestibule::store::users::{self, Role, User};
use vestibule::store::{audit_logs, clients, grants, revoked_tokens, sessions, signing_keys};

use crate::harness::{Browser, ClientApp, R1, Server, Tokens};

const KEEP: Retention = Retention {
    audit: Seconds::days(90),
    unused_clients: Seconds::hours(24),
    idle_grants: Seconds::days(30),
};
const DAY: i64 = 86_400;

/// One bite at the server's time.
fn bite(server: &Server) -> usize {
    let now = server.now();
    server.command(move |tx| purge::bite(tx, KEEP, now))
}

/// Bites until nothing is left.
fn purge_all(server: &Server) -> usize {
    let mut gone = 0;
    loop {
        match bite(server) {
            0 => return gone,
            more => gone += more,
        }
    }
}

#[tokio::test]
async fn each_thing_goes_at_its_own_time_and_not_a_second_before() {
    let server = Server::start().await;
    let app = ClientApp::fixture("pub");
    let mut browser = Browser::signed_in(&server, "alice").await;
    // A request that waits, one that was answered, its code, and a session.
    browser.go(&server, &app.authorize_url(&[("resource", R1)])).await;
    app.code(&server, &mut browser, "alice", &[("resource", R1)]).await;
    let end = server.now().plus(Seconds::hours(1));
    server.command(move |tx| revoked_tokens::insert(tx, "a-token", end));
    let counts = || {
        ["authorizations", "authorization_codes", "sessions", "revoked_tokens"]
            .map(|table| server.count(table))
    };
    assert_eq!(counts(), [2, 1, 1, 1]);
    let mut passed = 0;
    for (seconds, left) in [
        (15 * 60, [0, 1, 1, 1]),
        (3600, [0, 1, 1, 0]),
        // A code ends after a minute and is kept for a day more, so that a replay is recognised.
        (60 + DAY, [0, 0, 1, 0]),
        (14 * DAY, [0, 0, 0, 0]),
    ] {
        server.advance(seconds - passed - 1);
        assert_eq!(purge_all(&server), 0, "a second before {seconds}");
        server.advance(1);
        assert_eq!(purge_all(&server), if passed == 0 { 2 } else { 1 }, "at {seconds}");
        assert_eq!(counts(), left, "at {seconds}");
        passed = seconds;
    }
}

#[tokio::test]
async fn a_code_19_a_replay_revokes_as_long_as_the_code_is_remembered() {
    let server = Server::start().await;
    let app = ClientApp::fixture("pub");
    let mut browser = Browser::new();
    let code = app.code(&server, &mut browser, "alice", &[("resource", R1)]).await;
    let tokens = Tokens::of(&app.redeem(&server, &code, &[]).await);
    server.advance(DAY + 59);
    purge_all(&server);
    app.redeem(&server, &code, &[]).await.assert_refused("invalid_grant");
    assert_eq!(server.audit()[0].0, "oauth.token.replay");
    app.refresh(&server, tokens.refresh(), &[]).await.assert_refused("invalid_grant");
    // Forgotten, it is any wrong code, and nothing more happens.
    server.advance(1);
    assert_eq!(purge_all(&server), 1);
    app.redeem(&server, &code, &[]).await.assert_refused("invalid_grant");
    assert_eq!(server.audit()[0].3["reason"], "code_unknown");
}

#[tokio::test]
async fn c_dcr_12_registrations_that_nobody_used_go_after_a_day_and_no_other_client_does() {
    let server = Server::start().await;
    let used = ClientApp::registered(&server, "https://used.test/cb").await;
    let unused = ClientApp::registered(&server, "https://unused.test/cb").await;
    let waiting = ClientApp::registered(&server, "https://waiting.test/cb").await;
    let tokens = used.tokens(&server, "alice", &[("resource", R1)]).await;
    server.advance(DAY - 60);
    // Somebody is about to sign in for it: it must not vanish under their hands.
    let page = Browser::new().go(&server, &waiting.authorize_url(&[("resource", R1)])).await;
    assert!(page.field("password").is_some());
    server.advance(59);
    purge_all(&server);
    let exists = |app: &ClientApp| {
        let id = ClientId::parse(&app.id).expect("an id");
        server.app.store.read(|tx| clients::find(tx, &id)).expect("the clients").is_some()
    };
    assert!(exists(&unused));
    server.advance(1);
    purge_all(&server);
    assert_eq!([&used, &unused, &waiting].map(exists), [true, false, true]);
    server.advance(15 * 60);
    purge_all(&server);
    assert_eq!([&used, &unused, &waiting].map(exists), [true, false, false]);
    server.advance(20 * DAY);
    purge_all(&server);
    assert!(exists(&used) && exists(&ClientApp::fixture("nat")), "the owner's stay, used or not");
    Tokens::of(&used.refresh(&server, tokens.refresh(), &[]).await);
}

#[tokio::test]
async fn audit_rows_go_after_ninety_days() {
    let server = Server::start().await;
    Browser::signed_in(&server, "alice").await;
    server.advance(DAY);
    Browser::signed_in(&server, "bob").await;
    server.advance(89 * DAY - 1);
    purge_all(&server);
    assert_eq!(server.audit().len(), 2);
    server.advance(1);
    purge_all(&server);
    let left = server.audit();
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].1.as_deref(), Some("bob"));
}

#[tokio::test]
async fn keys_that_left_the_jwks_go_and_no_other_key_does() {
    let server = Server::start().await;
    server.advance(10);
    let now = server.now();
    let pkcs8 = SigningKey::generate(Algorithm::Es256);
    let new = server.command(move |tx| {
        let kid = signing_keys::insert(tx, Algorithm::Es256, &pkcs8, now, now)?;
        signing_keys::retire_others(tx, &kid, now, now.plus(Seconds::hours(1)))?;
        Ok(kid)
    });
    server.advance(3599);
    assert_eq!((purge_all(&server), server.count("signing_keys")), (0, 2));
    server.advance(1);
    assert_eq!((purge_all(&server), server.count("signing_keys")), (1, 1));
    server.advance(1000 * DAY);
    purge_all(&server);
    let left = server.app.store.read(|tx| signing_keys::current(tx, server.now())).expect("a key");
    assert_eq!(left, new);
}

#[tokio::test]
async fn grants_go_a_week_after_their_end_and_live_ones_never() {
    let server = Server::start().await;
    let app = ClientApp::fixture("pub");
    let revoked = app.tokens(&server, "alice", &[("resource", R1)]).await;
    let idle = app.tokens(&server, "bob", &[("resource", R1)]).await;
    let mut live = app.tokens(&server, "mallory", &[("resource", R1)]).await.refresh().to_owned();
    assert_eq!(app.revoke(&server, revoked.refresh()).await.status.as_u16(), 200);
    let bite = || {
        let now = server.now();
        server.command(move |tx| purge::bite_of_grants(tx, KEEP, now))
    };
    server.advance(7 * DAY - 1);
    assert_eq!(bite(), 0);
    server.advance(1);
    assert_eq!((bite(), server.count("grants")), (1, 2));
    server.advance(13 * DAY);
    live = Tokens::of(&app.refresh(&server, &live, &[]).await).refresh().to_owned();
    server.advance(10 * DAY - 1);
    assert_eq!(bite(), 0);
    server.advance(1);
    app.refresh(&server, idle.refresh(), &[]).await.assert_refused("invalid_grant");
    assert_eq!((bite(), server.count("grants")), (1, 1));
    Tokens::of(&app.refresh(&server, &live, &[]).await);
    // What is gone stays gone: its token is no longer anything.
    app.refresh(&server, revoked.refresh(), &[]).await.assert_refused("invalid_grant");
    assert_eq!(grants_of(&server, "mallory"), 1);
}

fn grants_of(server: &Server, name: &str) -> usize {
    let user = server.user(name).id;
    let now = server.now();
    let live = server.app.store.read(|tx| grants::list_live(tx, Some(&user), None, Seconds::days(30), now));
    live.expect("the grants").len()
}

#[tokio::test]
async fn a_purge_takes_bites_so_that_nobody_waits_behind_it() {
    let server = Server::start().await;
    let (user, now) = (server.user("alice").id, server.now());
    let keep = Secret::new(SecretKind::Session);
    let kept = keep.hash();
    server.command(move |tx| {
        for _ in 0..1200 {
            sessions::insert(tx, &Secret::new(SecretKind::Session).hash(), &user, now, now)?;
        }
        sessions::insert(tx, &kept, &user, now.plus(Seconds::new(1)), now)?;
        for number in 0..700 {
            let metadata = format!(r#"{{"number":{number}}}"#);
            let row = audit_logs::NewEntry {
                event: "test",
                user_id: None,
                client_id: None,
                ip: None,
                user_agent: None,
                metadata: &metadata,
            };
            audit_logs::insert(tx, &row, UnixTime::new(0))?;
        }
        Ok(())
    });
    let bites: Vec<_> = std::iter::repeat_with(|| bite(&server)).take(4).collect();
    assert_eq!(bites, [1000, 700, 200, 0]);
    assert_eq!((server.count("sessions"), server.audit().len()), (1, 0));
}

#[tokio::test]
async fn a_person_who_is_removed_takes_everything_of_theirs_along_but_the_history() {
    let server = Server::start().await;
    let app = ClientApp::fixture("pub");
    let tokens = app.tokens(&server, "alice", &[("resource", R1)]).await;
    let mut alice = Browser::signed_in(&server, "alice").await;
    let (id, rows) = (server.user("alice").id, server.audit().len());
    let sub = id.as_str().to_owned();
    server.command(move |tx| users::remove(tx, &id));
    let left = format!("{:?}", server.contents());
    assert!(!left.contains(&sub), "{left}");
    assert_eq!(server.audit().len(), rows);
    assert_eq!(alice.get(&server, "/account").await.location(), "/login");
    app.refresh(&server, tokens.refresh(), &[]).await.assert_refused("invalid_grant");
    // Whoever takes the name next is somebody else.
    let now = server.now();
    let again = User {
        id: UserId::new(),
        name: UserName::parse("alice").expect("a name"),
        email: None,
        role: Role::Member,
        created_at: now,
        disabled_at: None,
    };
    server.command(move |tx| users::insert(tx, &again, None).map(drop));
    assert_eq!(alice.get(&server, "/account").await.location(), "/login");
    app.refresh(&server, tokens.refresh(), &[]).await.assert_refused("invalid_grant");
}
