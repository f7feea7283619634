//! Which spellings name a registered resource, and how many may be named.

use serde_json::json;

use super::{BOTH, FIRST, newest};
use crate::harness::{Browser, ClientApp, R1, Server, Tokens};

/// Scheme and host in any case, the default port, one slash at the end: nothing else is normalised.
const SAME: [&str; 6] = [
    "https://r1.test/mcp/",
    "https://r1.test:443/mcp",
    "https://R1.TEST/mcp",
    "HTTPS://r1.test/mcp",
    "https://r1.test:/mcp",
    "HttpS://R1.tesT:443/mcp/",
];

const OTHER: [&str; 12] = [
    "https://r1.test/mcp/../admin",
    "https://r1.test/./mcp",
    "https://r1.test/%6dcp",
    "https://r1.test/mcp?x",
    "https://r1.test/mcp?",
    "https://r1.test/mcp-evil",
    "https://r1.test/mcp//",
    "https://r1.test/MCP",
    "https://r1.test:8443/mcp",
    "https://r1.test./mcp",
    "http://r1.test/mcp",
    "https://r1.test.evil.test/mcp",
];

const MALFORMED: [&str; 12] = [
    "https://user@r1.test/mcp",
    "https://r1.test@evil.test/mcp",
    "https://r1.test/mcp#x",
    "https://r1.test/mcp#",
    "r1.test/mcp",
    "/mcp",
    "*",
    "https://",
    "https:r1.test/mcp",
    " https://r1.test/mcp",
    "https://r1.test/mcp https://r2.test/mcp",
    "https://r\u{131}.test/mcp",
];

#[tokio::test]
async fn a_res_05_the_documented_spellings_are_accepted_everywhere_and_aud_is_the_registered_one() {
    let server = Server::start().await;
    let (svc, app) = (ClientApp::fixture("svc"), ClientApp::fixture("pub"));
    let mut tokens = app.tokens(&server, "alice", BOTH).await;
    for same in SAME {
        let machine = svc.token(&server, &[("grant_type", "client_credentials"), ("resource", same)]).await;
        assert_eq!(Tokens::of(&machine).claims["aud"], R1, "{same}");
        tokens = Tokens::of(&app.refresh(&server, tokens.refresh(), &[("resource", same)]).await);
        assert_eq!(tokens.claims["aud"], R1, "{same}");
        let mut browser = Browser::new();
        let code = app.code(&server, &mut browser, "bob", &[("resource", same)]).await;
        let bobs = Tokens::of(&app.redeem(&server, &code, FIRST).await);
        assert_eq!(bobs.claims["aud"], R1, "{same}");
        assert_eq!(server.audit()[0].3["resources"], json!([R1]));
    }
}

#[tokio::test]
async fn a_res_05_c_ri_01_02_03_every_other_spelling_is_another_resource_or_none() {
    // The base of a granted resource is another one as well; a refresh alone reads it otherwise (`relatives`).
    let server = Server::start().await;
    let (svc, app) = (ClientApp::fixture("svc"), ClientApp::fixture("pub"));
    let tokens = app.tokens(&server, "alice", FIRST).await;
    let mut browser = Browser::new();
    let code = app.code(&server, &mut browser, "alice", FIRST).await;
    let before = server.contents();
    for wrong in OTHER.into_iter().chain(MALFORMED).chain(["https://r1.test", "https://r1.test/"]) {
        let machine = svc.token(&server, &[("grant_type", "client_credentials"), ("resource", wrong)]).await;
        machine.assert_refused("invalid_target");
        for more in [&[("resource", wrong)][..], &[("resource", R1), ("resource", wrong)]] {
            app.redeem(&server, &code, more).await.assert_refused("invalid_target");
            if OTHER.contains(&wrong) || MALFORMED.contains(&wrong) {
                app.refresh(&server, tokens.refresh(), more).await.assert_refused("invalid_target");
            }
        }
        let answer = Browser::new().get(&server, &app.authorize_url(&[("resource", wrong)])).await;
        answer.assert_redirected_error("invalid_target", Some("a-state"));
    }
    assert_eq!(server.contents(), before, "G6");
    Tokens::of(&app.redeem(&server, &code, &[]).await);
    Tokens::of(&app.refresh(&server, tokens.refresh(), &[]).await);
}

#[tokio::test]
async fn a_registered_query_belongs_to_the_resource() {
    let server = Server::start().await;
    let tenant = "https://r9.test/mcp?tenant=1";
    super::add(&server, tenant, "");
    let app = ClientApp::fixture("pub");
    let tokens = app.tokens(&server, "alice", &[("resource", tenant)]).await;
    assert_eq!(tokens.claims["aud"], tenant);
    for other in ["https://r9.test/mcp", "https://r9.test/mcp?tenant=2", "https://r9.test/mcp?Tenant=1"] {
        app.refresh(&server, tokens.refresh(), &[("resource", other)]).await.assert_refused("invalid_target");
    }
}

#[tokio::test]
async fn a_res_13_ten_resources_are_read_and_eleven_refused() {
    let server = Server::start().await;
    let app = ClientApp::fixture("pub");
    let svc = ClientApp::fixture("svc");
    let uris: Vec<String> = (0..10).map(|n| format!("https://s{n}.test/mcp")).collect();
    for uri in &uris {
        super::add(&server, uri, "");
    }
    let ten: Vec<_> = uris.iter().map(|uri| ("resource", uri.as_str())).collect();
    let mut eleven = ten.clone();
    eleven.push(("resource", &uris[0]));
    let mut browser = Browser::new();
    browser
        .get(&server, &app.authorize_url(&eleven))
        .await
        .assert_redirected_error("invalid_target", Some("a-state"));
    let code = app.code(&server, &mut browser, "alice", &ten).await;
    app.redeem(&server, &code, &eleven).await.assert_refused("invalid_target");
    assert_eq!(server.audit()[0].3["reason"], "resources_too_many");
    let tokens = Tokens::of(&app.redeem(&server, &code, &ten).await);
    assert_eq!(tokens.claims["aud"], json!(uris));
    app.refresh(&server, tokens.refresh(), &eleven).await.assert_refused("invalid_target");
    let next = Tokens::of(&app.refresh(&server, tokens.refresh(), &ten).await);
    assert_eq!(next.claims["aud"], json!(uris));
    // Repeating one counts, naming nothing does not.
    let grant = ("grant_type", "client_credentials");
    let with = |name, count| [&[grant][..], &vec![(name, R1); count]].concat();
    assert_eq!(Tokens::of(&svc.token(&server, &with("resource", 10)).await).claims["aud"], R1);
    for count in [11, 99] {
        svc.token(&server, &with("resource", count)).await.assert_refused("invalid_target");
    }
    let mut empty = with("resource", 10);
    empty.extend([("resource", ""); 20]);
    assert_eq!(Tokens::of(&svc.token(&server, &empty).await).claims["aud"], R1);
    svc.token(&server, &with("resource", 1000)).await.assert_refused("invalid_request");
}

#[tokio::test]
async fn a_resource_of_2048_characters_is_read_and_a_longer_one_refused() {
    let server = Server::start().await;
    let app = ClientApp::fixture("pub");
    let long = format!("https://r1.test/{}", "a".repeat(2048 - 16));
    super::add(&server, &long, "");
    let tokens = app.tokens(&server, "alice", &[("resource", &long)]).await;
    assert_eq!(tokens.claims["aud"], long);
    let longer = format!("{long}a");
    app.refresh(&server, tokens.refresh(), &[("resource", &longer)]).await.assert_refused("invalid_target");
    assert_eq!(newest_reason(&server), "resource_malformed");
    // One slash more names the same resource, but not at any length.
    let slash = format!("{long}/");
    app.refresh(&server, tokens.refresh(), &[("resource", &slash)]).await.assert_refused("invalid_target");
    Tokens::of(&app.refresh(&server, tokens.refresh(), &[]).await);
}

fn newest_reason(server: &Server) -> String {
    server.audit()[0].3["reason"].as_str().expect("a reason").to_owned()
}

#[tokio::test]
async fn an_unknown_resource_at_authorize_is_named_with_its_command() {
    let server = Server::start().await;
    let app = ClientApp::fixture("pub");
    let answer = Browser::new()
        .get(&server, &app.authorize_url(&[("resource", R1), ("resource", "https://nobody.test/mcp")]))
        .await;
    answer.assert_redirected_error("invalid_target", Some("a-state"));
    let (event, _, client, metadata) = &server.audit()[0];
    assert_eq!((event.as_str(), client.as_deref()), ("oauth.authorize.refused", Some("pub")));
    assert_eq!(metadata["extra_resources"], json!(["https://nobody.test/mcp"]));
    assert_eq!(metadata["mend"], "vestibule resource add 'https://nobody.test/mcp'");
    // And the same at the token endpoint, where it concerns somebody.
    let tokens = app.tokens(&server, "alice", FIRST).await;
    let more = [("resource", "https://nobody.test/mcp")];
    app.refresh(&server, tokens.refresh(), &more).await.assert_refused("invalid_target");
    assert_eq!(newest(&server).0, "resource_unknown");
}
