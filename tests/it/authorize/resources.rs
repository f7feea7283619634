//! Resources on their way through a browser (RFC 8707), and whom they admit.

use vestibule::oauth::ids::UserId;
use vestibule::oauth::resource::{Admission, ResourceUri};
use vestibule::store::resources;

use crate::harness::{Browser, ClientApp, PASSWORD, R1, R2, Server, Tokens, resource};

/// Closes a resource to everyone but these people.
fn restrict(server: &Server, uri: &'static str, scopes: &'static str, names: &[&str]) {
    let users: Vec<UserId> = names.iter().map(|name| server.user(name).id).collect();
    server.command(move |tx| {
        let restricted =
            vestibule::oauth::resource::Resource { admission: Admission::Listed, ..resource(uri, scopes) };
        resources::update(tx, &restricted)?;
        resources::set_admitted(tx, &ResourceUri::parse(uri).expect("a resource"), &users)
    });
}

#[tokio::test]
async fn one_and_several_resources_outlive_sign_in_and_consent() {
    let server = Server::start().await;
    let loud = "HTTPS://R1.TEST:443/mcp/";
    let cases: [(&[&str], serde_json::Value); 6] = [
        (&[R1], R1.into()),
        (&[R2], R2.into()),
        (&[loud], R1.into()),
        (&[R1, R2], [R1, R2].into_iter().collect()),
        (&[R2, R1], [R2, R1].into_iter().collect()),
        (&[R1, R1, loud], R1.into()),
    ];
    for id in ["pub", "conf", "nat"] {
        for (asked, aud) in &cases {
            let app = ClientApp::fixture(id);
            let more: Vec<_> = asked.iter().map(|uri| ("resource", *uri)).collect();
            let mut browser = Browser::new();
            let page = browser.go(&server, &app.authorize_url(&more)).await;
            // A mistake on the way costs nothing.
            let page = browser.sign_in(&server, &page, "alice", "not her password").await;
            assert_eq!(page.status.as_u16(), 401);
            let answer = browser.sign_in(&server, &page, "alice", PASSWORD).await;
            let consent = browser.go(&server, &answer.location()).await;
            if consent.status.as_u16() == 200 {
                for uri in [R1, R2] {
                    let named = aud == uri || aud.as_array().is_some_and(|all| all.contains(&uri.into()));
                    assert_eq!(
                        consent.text().contains(uri.trim_start_matches("https://")),
                        named,
                        "{asked:?}"
                    );
                }
            }
            let answer = if consent.status.as_u16() == 200 {
                browser.decide(&server, &consent, "allow").await
            } else {
                consent
            };
            let code = answer.location_param("code").expect("a code");
            let tokens = Tokens::of(&app.redeem(&server, &code, &[]).await);
            assert_eq!(tokens.claims["aud"], *aud, "{id} {asked:?}");
            let next = Tokens::of(&app.refresh(&server, tokens.refresh(), &[]).await);
            assert_eq!(next.claims["aud"], *aud);
        }
    }
}

#[tokio::test]
async fn c_ri_01_02_05_a_resource_is_a_known_absolute_uri_and_there_are_at_most_ten() {
    let server = Server::start().await;
    let app = ClientApp::fixture("pub");
    let long = format!("https://r1.test/{}", "x".repeat(2048));
    for wrong in [
        "mcp",
        "/mcp",
        "//r1.test/mcp",
        "https://r1.test/mcp#x",
        "https://u@r1.test/mcp",
        "*",
        "https://",
        "https:r1",
        "https://r1.test/mcp?x",
        "https://r1.test",
        "https://r1.test/mcp-evil",
        "https://r1.test/%6dcp",
        "https://r1.test/mcp/../admin",
        "https://r1.test:8443/mcp",
        "http://r1.test/mcp",
        "https://r1.test/MCP",
        "https://r1.test.evil.test/mcp",
        "https://r1.test/mcp//",
        "https://unknown.test",
        &long,
    ] {
        for also in [None, Some(("resource", R1))] {
            let mut more = vec![("resource", wrong)];
            more.extend(also);
            super::assert_error(&server, &app.authorize_url(&more), "invalid_target").await;
        }
    }
    let eleven = [("resource", R1); 11];
    super::assert_error(&server, &app.authorize_url(&eleven), "invalid_target").await;
    super::assert_accepted(&server, &app.authorize_url(&eleven[..10])).await;
    // An empty one is absent, and the array form of some libraries is another name.
    let url = format!("{}&resource=&resource%5B%5D=https%3A%2F%2Fevil.test", app.authorize_url(&[]));
    super::assert_accepted(&server, &url).await;
}

#[tokio::test]
async fn without_a_resource_the_person_picks_one_and_nothing_that_was_not_offered() {
    let server = Server::start().await;
    server.command(|tx| {
        resources::insert(tx, &resource("https://r3.test/mcp", "e"), vestibule::clock::UnixTime::new(0))
    });
    restrict(&server, "https://r3.test/mcp", "e", &["bob"]);
    let app = ClientApp::fixture("pub");
    let mut browser = Browser::signed_in(&server, "alice").await;
    let page = browser.go(&server, &app.authorize_url(&[])).await;
    assert_eq!(page.text().matches("type=\"radio\"").count(), 2, "R1 and R2; R3 does not admit alice");
    assert!(!page.text().contains("r3.test") && !page.text().contains("checked"));
    let (token, id) = (page.field("form_token").unwrap(), page.field("authorization").unwrap());
    let fields = |resource: Option<&'static str>| {
        let mut fields = vec![("form_token", token.clone()), ("authorization", id.clone())];
        fields.push(("decision", "allow".to_owned()));
        fields.extend(resource.map(|uri| ("resource", uri.to_owned())));
        fields
    };
    let before = server.rows();
    for wrong in
        [None, Some(""), Some("https://r3.test/mcp"), Some("https://evil.test"), Some("x"), Some("*")]
    {
        browser.post(&server, "/consent", &fields(wrong)).await.assert_problem_page(400);
    }
    assert_eq!(server.rows(), before);
    let answer = browser.post(&server, "/consent", &fields(Some(R2))).await;
    let code = browser.go(&server, &answer.location()).await.location_param("code").unwrap();
    let tokens = Tokens::of(&app.redeem(&server, &code, &[]).await);
    assert_eq!((&tokens.claims["aud"], tokens.scope.as_deref()), (&R2.into(), Some("c d")));
    // A choice is made each time: it says nothing of the next.
    let page = browser.go(&server, &app.authorize_url(&[])).await;
    assert_eq!(page.text().matches("type=\"radio\"").count(), 2);
    browser.decide(&server, &page, "deny").await.assert_redirected_error("access_denied", Some("a-state"));
}

#[tokio::test]
async fn the_only_resource_that_admits_a_person_is_taken_without_asking_which() {
    let server = Server::start().await;
    restrict(&server, R2, "c d", &["bob"]);
    let app = ClientApp::fixture("pub");
    let mut browser = Browser::signed_in(&server, "alice").await;
    let page = browser.go(&server, &app.authorize_url(&[])).await;
    assert!(!page.text().contains("radio") && page.text().contains("r1.test/mcp"));
    let code = browser.decide(&server, &page, "allow").await.location_param("code").unwrap();
    assert_eq!(Tokens::of(&app.redeem(&server, &code, &[]).await).claims["aud"], R1);
    // And with none at all the token is for the client itself.
    restrict(&server, R1, "a b", &["bob"]);
    let tokens = app.tokens(&server, "mallory", &[]).await;
    assert_eq!(tokens.claims["aud"], "pub");
}

#[tokio::test]
async fn without_a_resource_the_clients_own_audience_comes_before_a_choice() {
    let server = Server::start().await;
    server.command(|tx| {
        let id = vestibule::oauth::ids::ClientId::parse("conf").expect("a client");
        let client = vestibule::store::clients::find(tx, &id)?.expect("the fixture");
        let audience = vec![ResourceUri::parse(R2).expect("a resource")];
        let client = vestibule::oauth::client::Client { audience, ..client };
        vestibule::store::clients::update(tx, &client)
    });
    let app = ClientApp::fixture("conf");
    assert_eq!(app.tokens(&server, "alice", &[]).await.claims["aud"], R2);
    // For a person's grant it is the default and no limit: the person decides.
    assert_eq!(app.tokens(&server, "alice", &[("resource", R1)]).await.claims["aud"], R1);
    restrict(&server, R2, "c d", &["bob"]);
    let answer = Browser::new().allow(&server, &app.authorize_url(&[]), "alice").await;
    answer.assert_redirected_error("access_denied", Some("a-state"));
}

#[tokio::test]
async fn a_az_23_whom_a_resource_does_not_admit_is_refused_on_every_way_in() {
    let server = Server::start().await;
    let app = ClientApp::fixture("pub");
    let before = app.tokens(&server, "mallory", &[("resource", R1)]).await;
    let mut early = Browser::new();
    app.code(&server, &mut early, "mallory", &[("resource", R1)]).await;
    let nat = ClientApp::fixture("nat");
    let open_page = early.go(&server, &nat.authorize_url(&[("resource", R1)])).await;
    let code = app.code(&server, &mut early, "mallory", &[("resource", R1)]).await;
    restrict(&server, R1, "a b", &["alice", "bob"]);
    let codes = server.rows()["authorization_codes"];
    for resources in [&[("resource", R1)][..], &[("resource", R1), ("resource", R2)]] {
        let url = app.authorize_url(resources);
        // A fresh sign-in, a live session with a remembered yes, and no page at all.
        let answer = Browser::new().allow(&server, &url, "mallory").await;
        answer.assert_redirected_error("access_denied", Some("a-state"));
        early.go(&server, &url).await.assert_redirected_error("access_denied", Some("a-state"));
        let answer = early.go(&server, &format!("{url}&prompt=none")).await;
        answer.assert_redirected_error("access_denied", Some("a-state"));
    }
    let answer = early.decide(&server, &open_page, "allow").await;
    answer.assert_redirected_error("access_denied", Some("a-state"));
    assert_eq!(server.rows()["authorization_codes"], codes);
    // A code and a refresh token from before.
    app.redeem(&server, &code, &[]).await.assert_refused("invalid_grant");
    app.refresh(&server, before.refresh(), &[]).await.assert_refused("invalid_grant");
    let tokens = app.tokens(&server, "alice", &[("resource", R1)]).await;
    assert_eq!(tokens.claims["aud"], R1, "whom it admits it still admits");
}
