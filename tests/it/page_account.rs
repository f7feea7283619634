//! The account: whose grants are shown, and who can take them back.

use vestibule::oauth::ids::UserName;
use vestibule::store::{clients, resources, users};

use crate::harness::{Answer, Browser, ClientApp, ISSUER, R1, R2, Server, Tokens};

/// The grants' ids on the page, as its forms would send them.
fn grants(page: &Answer) -> Vec<String> {
    let text = page.text();
    let ids = text.split(r#"name="grant" value=""#).skip(1);
    ids.filter_map(|rest| rest.split('"').next()).map(str::to_owned).collect()
}

#[tokio::test]
async fn c_o21_36_what_is_taken_back_is_over_at_once_and_nothing_else_is() {
    let server = Server::start().await;
    let (one, two) = (ClientApp::fixture("conf"), ClientApp::fixture("pub"));
    let taken = one.tokens(&server, "alice", &[("resource", R1)]).await;
    let kept = two.tokens(&server, "alice", &[("resource", R2)]).await;
    let bobs = one.tokens(&server, "bob", &[("resource", R1)]).await;
    let mut alice = Browser::signed_in(&server, "alice").await;
    let page = alice.get(&server, "/account").await;
    let ids = grants(&page);
    assert_eq!(ids.len(), 2, "her own, the newest first: {}", page.text());
    for text in ["The conf client", "The pub client", R1, R2] {
        assert!(page.text().contains(text), "{text}");
    }
    let fields = [("form_token", page.field("form_token").expect("a form")), ("grant", ids[1].clone())];
    alice.post(&server, "/account", &fields).await;
    one.refresh(&server, taken.refresh(), &[]).await.assert_refused("invalid_grant");
    assert_eq!(one.introspect(&server, &taken.access).await["active"], false);
    assert_eq!(one.introspect(&server, taken.refresh()).await["active"], false);
    Tokens::of(&two.refresh(&server, kept.refresh(), &[]).await);
    Tokens::of(&one.refresh(&server, bobs.refresh(), &[]).await);
    assert_eq!(one.introspect(&server, &bobs.access).await["active"], true);
    assert_eq!(grants(&alice.get(&server, "/account").await), ids[..1]);
    // A second click finds nothing left to do, and writes nothing down.
    let (before, rows) = (server.contents(), server.audit().len());
    assert_eq!(alice.post(&server, "/account", &fields).await.location(), "/account");
    assert_eq!((server.contents(), server.audit().len()), (before, rows));
}

#[tokio::test]
async fn a_web_26_the_grant_of_somebody_else_or_of_nobody_cannot_be_touched_or_told_apart() {
    let server = Server::start().await;
    let app = ClientApp::fixture("pub");
    let hers = app.tokens(&server, "alice", &[("resource", R1)]).await;
    app.tokens(&server, "mallory", &[("resource", R1)]).await;
    let mut mallory = Browser::signed_in(&server, "mallory").await;
    let page = mallory.get(&server, "/account").await;
    let token = page.field("form_token").expect("a form");
    let own = grants(&page);
    let alices = Browser::signed_in(&server, "alice").await.get(&server, "/account").await;
    let theirs = grants(&alices);
    assert!(!own.contains(&theirs[0]));
    let (before, rows) = (server.contents(), server.audit().len());
    let mut seen = std::collections::BTreeSet::new();
    for id in [theirs[0].as_str(), "0", "-1", "9223372036854775807", "424242"] {
        let answer =
            mallory.post(&server, "/account", &[("form_token", token.as_str()), ("grant", id)]).await;
        seen.insert((answer.status.as_u16(), answer.location(), answer.text()));
    }
    assert_eq!(seen.len(), 1, "{seen:?}");
    for id in ["", "x", "1 or 1=1", "9223372036854775808", "1e3", &format!("{},{}", own[0], theirs[0]), "0x1"]
    {
        let fields = [("form_token", token.as_str()), ("grant", id)];
        mallory.post(&server, "/account", &fields).await.assert_problem_page(400);
    }
    let both = [("form_token", token.as_str()), ("grant", own[0].as_str()), ("grant", &theirs[0])];
    mallory.post(&server, "/account", &both).await.assert_problem_page(400);
    assert_eq!((server.contents(), server.audit().len()), (before, rows));
    Tokens::of(&app.refresh(&server, hers.refresh(), &[]).await);
}

#[tokio::test]
async fn a_web_01_02_nothing_is_taken_back_by_a_link_by_another_site_or_after_the_sign_out() {
    let server = Server::start().await;
    let app = ClientApp::fixture("pub");
    app.tokens(&server, "alice", &[("resource", R1)]).await;
    let mut alice = Browser::signed_in(&server, "alice").await;
    let mut other = Browser::signed_in(&server, "alice").await;
    let page = alice.get(&server, "/account").await;
    let (token, grant) = (page.field("form_token").expect("a form"), grants(&page).remove(0));
    let of_another_session = other.get(&server, "/account").await.field("form_token").expect("a form");
    let of_another_purpose = alice.get(&server, "/logout").await.field("form_token").expect("a form");
    let before = server.contents();
    for presented in [None, Some(""), Some("x"), Some(&*of_another_session), Some(&*of_another_purpose)] {
        let mut fields = vec![("grant", grant.as_str())];
        fields.extend(presented.map(|presented| ("form_token", presented)));
        let asked = server.post("/account").header("cookie", &alice.cookie()).header("origin", ISSUER);
        asked.form(&fields).send().await.assert_problem_page(403);
    }
    let fields = [("form_token", token.as_str()), ("grant", &grant)];
    for (header, value) in
        [("origin", "https://evil.test"), ("origin", "null"), ("sec-fetch-site", "cross-site")]
    {
        let asked = server.post("/account").header("cookie", &alice.cookie()).header(header, value);
        asked.form(&fields).send().await.assert_problem_page(403);
    }
    alice.get(&server, &format!("/account?grant={grant}&form_token={token}")).await;
    assert_eq!(server.contents(), before);
    let mut copy = alice.clone();
    alice.post(&server, "/logout", &[("form_token", of_another_purpose)]).await;
    let before = server.contents();
    assert_eq!(copy.post(&server, "/account", &fields).await.location(), "/account");
    assert_eq!(copy.get(&server, "/account").await.location(), "/login");
    assert_eq!(server.contents(), before);
}

#[tokio::test]
async fn only_what_is_alive_is_listed() {
    let server = Server::start().await;
    let app = ClientApp::fixture("pub");
    let tokens = app.tokens(&server, "bob", &[("resource", R1)]).await;
    server.advance(20 * 86_400);
    app.refresh(&server, tokens.refresh(), &[]).await;
    server.advance(30 * 86_400 - 1);
    let mut bob = Browser::signed_in(&server, "bob").await;
    assert_eq!(grants(&bob.get(&server, "/account").await).len(), 1);
    server.advance(1);
    assert_eq!(grants(&bob.get(&server, "/account").await).len(), 0, "unused for thirty days");
}

#[tokio::test]
async fn a_web_10_a_name_from_outside_is_text_and_a_resource_that_left_is_shown_by_its_uri() {
    let server = Server::start().await;
    let app = ClientApp::fixture("pub");
    app.tokens(&server, "alice", &[("resource", R1), ("scope", "a")]).await;
    server.command(|tx| {
        let name = UserName::parse("alice").expect("a name");
        let alice = users::find_by_name(tx, &name)?.expect("a fixture");
        users::update(tx, &alice.id, Some("\"><img/src=x>@evil.test"), alice.role)?;
        let all = clients::list(tx)?;
        let mut client = all.into_iter().find(|client| client.id.as_str() == "pub").expect("a fixture");
        client.name = "</h3><script>alert(1)</script>\u{202e}".to_owned();
        clients::update(tx, &client)?;
        let all = resources::list(tx)?;
        resources::remove(tx, &all.iter().find(|resource| resource.uri.as_str() == R1).expect("R1").uri)
    });
    let mut alice = Browser::signed_in(&server, "alice").await;
    let page = alice.get(&server, "/account").await.text();
    assert!(!page.contains("<script") && !page.contains("<img"), "{page}");
    assert!(page.contains("&lt;script&gt;alert(1)") && page.contains(R1), "{page}");
}

#[tokio::test]
async fn the_first_steps_are_for_the_admin_of_a_server_without_resources() {
    let server = Server::start().await;
    let has_steps = async |name: &str| {
        let mut browser = Browser::signed_in(&server, name).await;
        browser.get(&server, "/account").await.text().contains("vestibule resource add")
    };
    assert!(!has_steps("alice").await);
    server.command(|tx| {
        for resource in resources::list(tx)? {
            resources::remove(tx, &resource.uri)?;
        }
        Ok(())
    });
    assert!(has_steps("alice").await);
    assert!(!has_steps("bob").await);
}
