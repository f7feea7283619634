//! Rows that are not what this server wrote: the request that meets one fails, and no other.

use rusqlite::Connection;

use super::FIRST;
use crate::harness::{Answer, Browser, ClientApp, Server, Tokens};

/// What meets the damage.
#[derive(Clone, Copy, Debug)]
enum Meets {
    Authorize,
    Code,
    Refresh,
    Introspect,
    Machine,
}

use Meets::{Authorize, Code, Introspect, Machine, Refresh};

/// The column of a table that is overwritten, where, and with what; and the requests that need it.
const DAMAGES: &[(&str, &str, &str, &str, &[Meets])] = &[
    ("clients", "redirect_uris", "id = 'conf'", "'not-a-uri'", &[Authorize, Code, Refresh, Introspect]),
    ("clients", "grant_types", "id = 'conf'", "'refresh_token zzz'", &[Authorize, Code, Refresh, Introspect]),
    ("clients", "audience", "id = 'svc'", "'%'", &[Machine]),
    ("clients", "scope", "id = 'svc'", "'a\"b'", &[Machine]),
    ("clients", "name", "id = 'conf'", "cast(x'ff' as text)", &[Authorize, Code, Refresh, Introspect]),
    ("clients", "auth_method", "id = 'conf'", "'none'", &[Authorize, Code, Refresh, Introspect]),
    ("clients", "auth_method", "id = 'svc'", "'zzz'", &[Machine]),
    ("clients", "secret_hash", "id = 'svc'", "x'00'", &[Machine]),
    ("clients", "secret_hash", "id = 'conf'", "null", &[Code, Refresh, Introspect]),
    ("clients", "registered_by", "id = 'svc'", "'nobody'", &[Machine]),
    ("resources", "uri", "uri like '%r1%'", "'r1'", &[Authorize, Code, Refresh, Machine]),
    ("resources", "scopes", "uri like '%r1%'", "char(10)", &[Authorize, Code, Refresh, Machine]),
    ("resources", "token_lifetime", "uri like '%r1%'", "-1", &[Authorize, Code, Refresh, Machine]),
    ("resources", "name", "uri like '%r1%'", "cast(x'c328' as text)", &[Authorize, Code, Refresh, Machine]),
    ("grants", "resources", "true", "'x'", &[Refresh]),
    ("grants", "scope", "true", "'\"'", &[Refresh]),
    ("grants", "user_id", "true", "'alice'", &[Refresh]),
    ("grants", "current_hash", "true", "x'00'", &[Refresh]),
    ("grants", "generation", "true", "-1", &[Refresh]),
    ("authorization_codes", "resources", "redeemed_at is null", "'x'", &[Code]),
    ("authorization_codes", "code_challenge", "redeemed_at is null", "x''", &[Code]),
    ("authorization_codes", "scope", "redeemed_at is null", "'é'", &[Code]),
    ("authorization_codes", "wrong_verifiers", "redeemed_at is null", "-7", &[Code]),
    ("users", "name", "name = 'alice'", "'NOT A NAME'", &[Code, Refresh]),
];

struct Scene {
    server: Server,
    app: ClientApp,
    browser: Browser,
    tokens: Tokens,
    code: String,
}

impl Scene {
    async fn new() -> Self {
        let server = Server::start().await;
        let app = ClientApp::fixture("conf");
        let mut browser = Browser::new();
        let tokens = app.tokens(&server, "alice", FIRST).await;
        let code = app.code(&server, &mut browser, "alice", FIRST).await;
        Self { server, app, browser, tokens, code }
    }

    async fn meet(&self, meets: Meets) -> Answer {
        let Self { server, app, .. } = self;
        match meets {
            Authorize => {
                let asked = server.get(&app.authorize_url(FIRST));
                asked.header("cookie", &self.browser.cookie()).send().await
            }
            Code => app.redeem(server, &self.code, &[]).await,
            Refresh => app.refresh(server, self.tokens.refresh(), &[]).await,
            Introspect => {
                let secret = app.secret.as_deref().expect("a secret");
                let form = [("token", self.tokens.access.as_str())];
                server.post("/oauth/introspect").basic(&app.id, secret).form(&form).send().await
            }
            Machine => ClientApp::fixture("svc").token(server, &[("grant_type", "client_credentials")]).await,
        }
    }

    /// Another program, which keeps none of our rules.
    fn vandal(&self) -> Connection {
        let connection = self.server.connection();
        let rules = "pragma foreign_keys = off; pragma ignore_check_constraints = on;";
        connection.execute_batch(rules).expect("no rules");
        connection
    }
}

/// Changes with every commit of another connection.
fn data_version(connection: &Connection) -> i64 {
    connection.query_row("pragma data_version", [], |row| row.get(0)).expect("a number")
}

#[tokio::test]
async fn a_db_10_a_damaged_row_fails_the_request_that_meets_it_and_no_other() {
    for (table, column, place, garbage, meets) in DAMAGES {
        let scene = Scene::new().await;
        let vandal = scene.vandal();
        let kept = format!("create temp table kept as select * from {table} where {place}");
        vandal.execute(&kept, []).expect("a copy");
        let damage = format!("update {table} set {column} = {garbage} where {place}");
        assert!(vandal.execute(&damage, []).expect("damage") >= 1, "{damage}");
        let before = data_version(&vandal);
        for meets in *meets {
            let answer = scene.meet(*meets).await;
            assert_eq!(answer.status.as_u16(), 500, "{damage}, {meets:?}: {}", answer.text());
            assert_eq!(answer.error(), "server_error", "{damage}, {meets:?}");
            assert_eq!(answer.header("cache-control"), Some("no-store"));
            assert_eq!(answer.header("retry-after"), None, "it does not mend itself");
            for word in [table, column, &"corrupt", &"could not", &"row"] {
                assert!(!answer.text().contains(word), "{word}: {}", answer.text());
            }
        }
        assert_eq!(data_version(&vandal), before, "{damage}: nothing was committed");
        // The server lives, and when the row is mended all is as before: nothing was spent.
        assert_eq!(scene.server.get("/healthz").send().await.status.as_u16(), 200);
        let mend = format!("replace into {table} select * from kept");
        assert!(vandal.execute(&mend, []).expect("the old row") >= 1);
        for meets in [Refresh, Code, Machine] {
            Tokens::of(&scene.meet(meets).await);
        }
    }
}

#[tokio::test]
async fn a_damaged_key_is_a_fault_and_not_an_empty_key_set() {
    let scene = Scene::new().await;
    // A process that has not read the key yet.
    let fresh = scene.server.twin().await;
    scene.vandal().execute("update signing_keys set pkcs8 = x'00'", []).expect("damage");
    for path in ["/.well-known/jwks.json", "/.well-known/oauth-authorization-server"] {
        let answer = fresh.get(path).send().await;
        assert_eq!((answer.status.as_u16(), answer.error().as_str()), (500, "server_error"), "{path}");
    }
    let svc = ClientApp::fixture("svc");
    let answer = svc.token(&fresh, &[("grant_type", "client_credentials")]).await;
    assert_eq!((answer.status.as_u16(), answer.error().as_str()), (500, "server_error"));
}
