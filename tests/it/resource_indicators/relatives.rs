//! A refresh that names the parent or a child of what was granted: some clients name the server rightly when they ask
//! for access, and by its base URL when they refresh. It means what was granted, and never anything else.

use serde_json::{Value, json};

use super::{BOTH, FIRST, add, newest};
use crate::harness::{Browser, ClientApp, R1, R2, Server, Tokens};

const RELATIVES: [&str; 7] = [
    "https://r1.test",
    "https://r1.test/",
    "https://R1.test:443/",
    "https://r1.test/mcp/sse",
    "https://r1.test/mcp/sse/",
    "https://r1.test/mcp/a/b",
    "https://r1.test/mcp/%61",
];

#[tokio::test]
async fn a_parent_or_a_child_of_the_granted_resource_is_read_as_the_granted_one() {
    let server = Server::start().await;
    let app = ClientApp::fixture("pub");
    let mut tokens = app.tokens(&server, "alice", &[("resource", R1), ("scope", "a")]).await;
    for relative in RELATIVES {
        for more in [&[("resource", relative)][..], &[("resource", R1), ("resource", relative)]] {
            tokens = Tokens::of(&app.refresh(&server, tokens.refresh(), more).await);
            assert_eq!(tokens.claims["aud"], R1, "{relative}");
            assert_eq!(tokens.scope.as_deref(), Some("a"), "no scope comes with it");
            let (event, _, _, metadata) = server.audit().remove(0);
            assert_eq!(
                (event.as_str(), &metadata["resources"]),
                ("oauth.token.exchange.success", &json!([R1]))
            );
        }
    }
    assert_eq!(server.value::<String>("select resources from grants"), R1, "the grant is what it was");
    assert_eq!(server.count("resources"), 2);
}

#[tokio::test]
async fn of_two_granted_resources_it_is_the_one_on_its_origin_and_the_grant_keeps_to_it() {
    let server = Server::start().await;
    let app = ClientApp::fixture("pub");
    let both = app.tokens(&server, "alice", BOTH).await;
    let more = [("resource", "https://r2.test/mcp/sse"), ("resource", "https://r1.test")];
    let next = Tokens::of(&app.refresh(&server, both.refresh(), &more).await);
    assert_eq!(next.claims["aud"], json!([R1, R2]));
    let one = Tokens::of(&app.refresh(&server, next.refresh(), &more[..1]).await);
    assert_eq!((&one.claims["aud"], one.scope.as_deref()), (&json!(R2), Some("c d")));
    // What was narrowed stays narrowed, whatever it is called.
    app.refresh(&server, one.refresh(), &more[1..]).await.assert_refused("invalid_target");
    assert_eq!(newest(&server).0, "resource_unknown");
}

#[tokio::test]
async fn a_res_07_what_is_registered_means_itself_and_what_is_no_relative_means_nothing() {
    let server = Server::start().await;
    let app = ClientApp::fixture("pub");
    let tokens = app.tokens(&server, "alice", FIRST).await;
    for (registered, scopes) in [("https://r1.test", "a b"), ("https://r1.test/mcp/admin", "a b")] {
        add(&server, registered, scopes);
        let before = server.contents();
        let spelled = [registered.to_owned(), format!("{registered}/"), registered.replace("r1", "R1")];
        for uri in &spelled {
            app.refresh(&server, tokens.refresh(), &[("resource", uri)])
                .await
                .assert_refused("invalid_target");
            assert_eq!(newest(&server), ("resource_not_granted".to_owned(), json!([uri]), Value::Null));
        }
        assert_eq!(server.contents(), before, "G6");
    }
    // The parent is taken now, the child below the child is not.
    let more = [("resource", "https://r1.test/mcp/admin/users")];
    assert_eq!(Tokens::of(&app.refresh(&server, tokens.refresh(), &more).await).claims["aud"], R1);

    let before = server.contents();
    for stranger in [
        "https://r1.test/mcp-evil",
        "https://r1.test/other",
        "https://r1.test/mcp/../admin",
        "https://r1.test/mcp/%2e%2e/admin",
        "https://r1.test/mcp?x",
        "https://r1.test/?x",
        "https://r1.test//",
        "https://r1.test.evil/",
        "https://r1.test.evil/mcp",
        "https://sub.r1.test/mcp",
        "https://r1.test:8443",
        "http://r1.test",
        "https://evil.test/https://r1.test/mcp",
        "https://nobody.test",
    ] {
        for more in [&[("resource", stranger)][..], &[("resource", R1), ("resource", stranger)]] {
            let answer = app.refresh(&server, tokens.refresh(), more).await;
            answer.assert_refused("invalid_target");
            assert_eq!(newest(&server).1, json!([stranger]), "the log and the audit name what was sent");
            assert_eq!(newest(&server).0, "resource_unknown", "{stranger}");
        }
    }
    assert_eq!(server.contents(), before, "G6");
}

#[tokio::test]
async fn where_two_granted_resources_share_an_origin_nobody_can_say_which_is_meant() {
    let server = Server::start().await;
    add(&server, "https://r1.test/other", "a b");
    let app = ClientApp::fixture("pub");
    let more = [("resource", R1), ("resource", "https://r1.test/other")];
    let tokens = app.tokens(&server, "alice", &more).await;
    for relative in RELATIVES {
        let answer = app.refresh(&server, tokens.refresh(), &[("resource", relative)]).await;
        answer.assert_refused("invalid_target");
        assert_eq!(newest(&server).0, "resource_unknown");
    }
    let one = Tokens::of(&app.refresh(&server, tokens.refresh(), &more[..1]).await);
    Tokens::of(&app.refresh(&server, one.refresh(), &[("resource", RELATIVES[0])]).await);
}

#[tokio::test]
async fn a_res_05_only_a_refresh_reads_it_so() {
    let server = Server::start().await;
    let (svc, app) = (ClientApp::fixture("svc"), ClientApp::fixture("pub"));
    let mut browser = Browser::new();
    let code = app.code(&server, &mut browser, "alice", FIRST).await;
    let before = server.contents();
    for relative in RELATIVES {
        let more = [("resource", relative)];
        app.redeem(&server, &code, &more).await.assert_refused("invalid_target");
        let machine = [("grant_type", "client_credentials"), ("resource", relative)];
        svc.token(&server, &machine).await.assert_refused("invalid_target");
        let answer = Browser::new().get(&server, &app.authorize_url(&more)).await;
        answer.assert_redirected_error("invalid_target", Some("a-state"));
    }
    assert_eq!(server.contents(), before, "G6");
}

#[tokio::test]
async fn a_relative_does_not_outlive_the_resource_or_the_admission() {
    let server = Server::start().await;
    let app = ClientApp::fixture("pub");
    let tokens = app.tokens(&server, "alice", FIRST).await;
    let more = [("resource", RELATIVES[0])];
    server.admit_only(R1, &["bob"]);
    app.refresh(&server, tokens.refresh(), &more).await.assert_refused("invalid_grant");
    server.admit_only(R1, &["alice"]);
    server.forget_resource(R1);
    app.refresh(&server, tokens.refresh(), &more).await.assert_refused("invalid_grant");
    assert_eq!(newest(&server).0, "user_not_admitted");
}
