//! Faults of ours: the database locked, its disk full, its rows damaged. What fails says so and changes nothing, the
//! rest goes on, and nobody restarts anything.

use std::process::Command;
use std::time::Duration;

use tokio::time::timeout;

use crate::harness::{Answer, Browser, ClientApp, R1, Server, Tokens};

mod damage;

const FIRST: &[(&str, &str)] = &[("resource", R1)];

/// Longer than a write waits for a lock (5 s), by so much that a slow machine does not matter; a hang would.
const PATIENCE: Duration = Duration::from_secs(60);

#[track_caller]
fn assert_unavailable(answer: &Answer) {
    assert_eq!(answer.status.as_u16(), 503, "{}", answer.text());
    assert_eq!(answer.header("retry-after"), Some("5"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.error(), "temporarily_unavailable");
}

/// One write of each kind, all at once: token by code, by refresh, by credentials, revocation, registration,
/// authorization.
async fn write_everything(server: &Server, code: &str, app: &ClientApp, tokens: &Tokens) -> [Answer; 6] {
    let svc = ClientApp::fixture("svc");
    let registration = serde_json::json!({ "redirect_uris": ["https://new.test/cb"] });
    let (a, b, c, d, e, f) = tokio::join!(
        app.redeem(server, code, &[]),
        app.refresh(server, tokens.refresh(), &[]),
        svc.token(server, &[("grant_type", "client_credentials")]),
        app.revoke(server, &tokens.access),
        server.post("/oauth/register").json(&registration).send(),
        server.get(&app.authorize_url(FIRST)).send(),
    );
    [a, b, c, d, e, f]
}

/// What only reads goes on.
async fn assert_readable(server: &Server, app: &ClientApp, tokens: &Tokens) {
    assert_eq!(app.introspect(server, &tokens.access).await["active"], true);
    for path in ["/.well-known/oauth-authorization-server", "/.well-known/jwks.json", "/login"] {
        assert_eq!(server.get(path).send().await.status.as_u16(), 200, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_db_12_c_rv_07_a_locked_database_is_503_in_time_and_well_again_afterwards() {
    let server = Server::start().await;
    let app = ClientApp::fixture("conf");
    let mut browser = Browser::new();
    let tokens = app.tokens(&server, "alice", FIRST).await;
    let code = app.code(&server, &mut browser, "alice", FIRST).await;
    let (before, logged) = (server.contents(), server.audit_count());

    let lock = server.connection();
    lock.execute_batch("begin immediate").expect("the lock");
    let refused = async {
        let answers = write_everything(&server, &code, &app, &tokens).await;
        answers.iter().for_each(assert_unavailable);
    };
    let read = assert_readable(&server, &app, &tokens);
    let (refused, ()) = tokio::join!(timeout(PATIENCE, refused), read);
    refused.expect("an answer within the busy timeout");
    assert_eq!((server.contents(), server.audit_count()), (before, logged), "G6");
    lock.execute_batch("rollback").expect("the lock is gone");

    // A minute of clock has not gone by, so the code is good; and the refresh token was never spent.
    let next = Tokens::of(&app.refresh(&server, tokens.refresh(), &[]).await);
    Tokens::of(&app.redeem(&server, &code, &[]).await);
    assert_eq!(app.introspect(&server, &tokens.access).await["active"], true, "503 was no revocation");
    app.revoke(&server, next.refresh()).await;
    app.refresh(&server, next.refresh(), &[]).await.assert_refused("invalid_grant");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_meets_a_page_when_the_database_is_locked() {
    let server = Server::start().await;
    let app = ClientApp::fixture("pub");
    let lock = server.connection();
    lock.execute_batch("begin immediate").expect("the lock");
    let mut browser = Browser::new();
    let url = app.authorize_url(FIRST);
    let page = timeout(PATIENCE, browser.get(&server, &url)).await.expect("an answer in time");
    page.assert_problem_page(503);
    assert!(page.is_html() && page.header("retry-after") == Some("5"), "{:?}", page.headers);
    lock.execute_batch("rollback").expect("the lock is gone");
    app.code(&server, &mut browser, "alice", FIRST).await;
}

/// Whether this process is the one whose files cannot grow.
const LIMITED: &str = "VESTIBULE_TEST_FILES_ARE_LIMITED";

/// A full disk, made of a limit on how large a file may get: it needs no root, is the same everywhere, and hits just
/// the write that is one too many. It holds for a whole process, so this test starts itself again in one of its own.
#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "nothing but its environment tells one run of this test from the other"
)]
fn r_13_a_full_disk_is_503_for_writes_only_and_well_again_when_there_is_room() {
    if std::env::var_os(LIMITED).is_some() {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        return runtime.expect("a runtime").block_on(fill_the_disk());
    }
    let name = "faults::r_13_a_full_disk_is_503_for_writes_only_and_well_again_when_there_is_room";
    let itself = std::env::current_exe().expect("this program");
    // 2048 blocks of 512 bytes; the signal that goes with the limit would end the process.
    let script = r#"trap '' XFSZ; ulimit -f 2048; exec "$0" --exact "$1" --nocapture"#;
    let ran = Command::new("sh").args(["-c", script]).arg(itself).arg(name).env(LIMITED, "1").output();
    let ran = ran.expect("a shell");
    let told = [ran.stdout, ran.stderr].concat();
    let told = String::from_utf8_lossy(&told);
    assert!(ran.status.success() && told.contains("1 passed"), "{told}");
}

async fn fill_the_disk() {
    let server = Server::start().await;
    let (app, svc) = (ClientApp::fixture("conf"), ClientApp::fixture("svc"));
    let mut browser = Browser::new();
    let tokens = app.tokens(&server, "alice", FIRST).await;
    let code = app.code(&server, &mut browser, "alice", FIRST).await;
    assert_readable(&server, &app, &tokens).await;

    let grant = [("grant_type", "client_credentials")];
    let mut given = 0;
    let refused = loop {
        let answer = svc.token(&server, &grant).await;
        if answer.status.as_u16() != 200 {
            break answer;
        }
        given += 1;
        assert!(given < 5000, "the limit does not hold");
    };
    assert_unavailable(&refused);
    let (before, logged) = (server.contents(), server.audit_count());
    for _ in 0..3 {
        write_everything(&server, &code, &app, &tokens).await.iter().for_each(assert_unavailable);
        assert_readable(&server, &app, &tokens).await;
    }
    assert_eq!((server.contents(), server.audit_count()), (before, logged), "G6");
    let successes = server.audit().iter().filter(|row| row.2.as_deref() == Some("svc")).count();
    assert_eq!(successes, given, "what was answered is there, and what was refused is not");

    // Room again: what is in the log goes into the database, and the log begins anew.
    let other = server.connection();
    let busy: i64 =
        other.query_row("pragma wal_checkpoint(truncate)", [], |row| row.get(0)).expect("a checkpoint");
    assert_eq!(busy, 0);
    let sound: String = other.query_row("pragma integrity_check", [], |row| row.get(0)).expect("a check");
    assert_eq!(sound, "ok");
    drop(other);
    Tokens::of(&svc.token(&server, &grant).await);
    Tokens::of(&app.redeem(&server, &code, &[]).await);
    let next = Tokens::of(&app.refresh(&server, tokens.refresh(), &[]).await);
    assert_eq!(app.revoke(&server, next.refresh()).await.status.as_u16(), 200);
    app.refresh(&server, next.refresh(), &[]).await.assert_refused("invalid_grant");
}
