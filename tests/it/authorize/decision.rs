//! The person's decision: whose it is, to what, and how often it counts.

use vestibule::clock::Seconds;
use vestibule::oauth::client::Credential;
use vestibule::oauth::grant_type::{AuthMethod, GrantType};
use vestibule::oauth::secret::SecretHash;
use vestibule::store::clients;

use crate::harness::{Browser, ClientApp, R1, R2, Server, Tokens, client};

#[tokio::test]
async fn a_az_10_20_nothing_that_a_form_or_the_way_back_says_changes_what_was_asked() {
    let server = Server::start().await;
    let app = ClientApp::fixture("pub");
    let mut browser = Browser::signed_in(&server, "alice").await;
    let page = browser.go(&server, &app.authorize_url(&[("resource", R1), ("scope", "a")])).await;
    let (token, id) = (page.field("form_token").unwrap(), page.field("authorization").unwrap());
    let again = format!(
        "/oauth/authorize?authorization={id}&response_type=token&scope=b&state=x&resource=https%3A%2F%2Fr2.test%2Fmcp\
         &redirect_uri=https%3A%2F%2Fevil.test&code_challenge=x&prompt=none"
    );
    let next = browser.get(&server, &again).await;
    assert_eq!(next.location(), format!("/consent?authorization={id}"));
    let fields = [
        ("form_token", token.as_str()),
        ("authorization", &id),
        ("decision", "allow"),
        ("scope", "a b"),
        ("scopes", "b"),
        ("resource", R2),
        ("redirect_uri", "https://evil.test/"),
        ("client_id", "nat"),
        ("user", "bob"),
        ("code_challenge", "x"),
        ("state", "x"),
    ];
    let answer = browser.post(&server, "/consent", &fields).await;
    let answer = browser.go(&server, &answer.location()).await;
    assert!(answer.location().starts_with("https://app.test/cb?code="), "A-RURI-30: {}", answer.location());
    assert_eq!(answer.location_param("state").as_deref(), Some("a-state"));
    let code = answer.location_param("code").unwrap();
    let tokens = Tokens::of(&app.redeem(&server, &code, &[]).await);
    assert_eq!(tokens.scope.as_deref(), Some("a"));
    assert_eq!(tokens.claims["aud"], R1);
    assert_eq!(tokens.claims["sub"], server.user("alice").id.as_str());
}

#[tokio::test]
async fn a_az_11_a_decision_counts_once_and_not_after_a_logout() {
    let server = Server::start().await;
    let app = ClientApp::fixture("nat");
    let mut browser = Browser::signed_in(&server, "alice").await;
    let page = browser.go(&server, &app.authorize_url(&[("resource", R1)])).await;
    let first = browser.decide(&server, &page, "allow").await;
    let code = first.location_param("code").expect("a code");
    let before = server.rows();
    // Whatever is clicked next, the first answer is the answer: once more while it is good, then no more.
    for decision in ["allow", "deny"] {
        assert_eq!(browser.decide(&server, &page, decision).await.location(), first.location());
    }
    assert_eq!(server.rows(), before);
    Tokens::of(&app.redeem(&server, &code, &[]).await);
    let before = server.rows();
    for decision in ["allow", "deny"] {
        browser.decide(&server, &page, decision).await.assert_problem_page(400);
    }
    assert_eq!(server.rows(), before);

    let page = browser.go(&server, &app.authorize_url(&[("resource", R1)])).await;
    let signed_in = browser.clone();
    let logout = browser.get(&server, "/logout").await;
    let token = logout.field("form_token").expect("the page asks");
    assert_eq!(browser.post(&server, "/logout", &[("form_token", token)]).await.status.as_u16(), 303);
    let before = server.rows();
    // With the cookies of before, and with those that are left.
    for mut browser in [signed_in, browser] {
        let answer = browser.decide(&server, &page, "allow").await;
        let refused = answer.status.as_u16() == 403;
        assert!(refused || answer.field("password").is_some(), "{} {}", answer.status, answer.text());
    }
    assert_eq!(server.rows(), before);
}

#[tokio::test]
async fn a_az_22_a_consent_page_is_good_in_the_session_that_saw_it_only() {
    let server = Server::start().await;
    let app = ClientApp::fixture("pub");
    let mut alice = Browser::signed_in(&server, "alice").await;
    let mut bob = Browser::signed_in(&server, "bob").await;
    let page = alice.go(&server, &app.authorize_url(&[("resource", R1)])).await;
    let before = server.rows();
    for mut other in [bob.clone(), Browser::signed_in(&server, "alice").await] {
        other.decide(&server, &page, "allow").await.assert_problem_page(403);
    }
    let login = Browser::new().decide(&server, &page, "allow").await;
    assert!(login.field("password").is_some(), "nobody at all is asked who they are");
    let mut after = server.rows();
    after.insert("sessions".to_owned(), before["sessions"]);
    assert_eq!(after, before);
    // Bob opening alice's request may decide for himself alone, and what alice has approved is not for him.
    let id = page.field("authorization").unwrap();
    let token = page.field("form_token").unwrap();
    let fields = [("form_token", token.as_str()), ("authorization", &id), ("decision", "allow")];
    let approved = alice.post(&server, "/consent", &fields).await;
    bob.go(&server, &approved.location()).await.assert_problem_page(400);
    assert_eq!(server.rows()["authorization_codes"], 0);
    let code = alice.go(&server, &approved.location()).await.location_param("code").unwrap();
    let tokens = Tokens::of(&app.redeem(&server, &code, &[]).await);
    assert_eq!(tokens.claims["sub"], server.user("alice").id.as_str());
}

#[tokio::test]
async fn a_request_that_bob_takes_over_is_bobs() {
    let server = Server::start().await;
    let app = ClientApp::fixture("pub");
    let mut alice = Browser::signed_in(&server, "alice").await;
    let page = alice.go(&server, &app.authorize_url(&[("resource", R1)])).await;
    let id = page.field("authorization").unwrap();
    let mut bob = Browser::signed_in(&server, "bob").await;
    let theirs = bob.go(&server, &format!("/oauth/authorize?authorization={id}")).await;
    let code = bob.decide(&server, &theirs, "allow").await.location_param("code").unwrap();
    let tokens = Tokens::of(&app.redeem(&server, &code, &[]).await);
    assert_eq!(tokens.claims["sub"], server.user("bob").id.as_str());
    alice.decide(&server, &page, "allow").await.assert_problem_page(400);
    assert_eq!(server.rows()["authorization_codes"], 1);
}

#[tokio::test]
async fn a_denial_is_told_to_the_client_and_grants_nothing() {
    let server = Server::start().await;
    let app = ClientApp::fixture("pub");
    let mut browser = Browser::signed_in(&server, "alice").await;
    let page = browser.go(&server, &app.authorize_url(&[("resource", R1)])).await;
    let before = server.rows();
    let answer = browser.decide(&server, &page, "deny").await;
    answer.assert_redirected_error("access_denied", Some("a-state"));
    assert_eq!(server.rows(), before);
    let (event, user, client, metadata) = server.audit().swap_remove(0);
    assert_eq!((event.as_str(), user.as_deref()), ("oauth.authorize.refused", Some("alice")));
    assert_eq!((client.as_deref(), &metadata["reason"]), (Some("pub"), &"denied".into()));
    // It is not remembered: the next time the person is asked again.
    let page = browser.go(&server, &app.authorize_url(&[("resource", R1)])).await;
    assert!(page.field("form_token").is_some());
}

#[tokio::test]
async fn only_the_two_buttons_decide() {
    let server = Server::start().await;
    let app = ClientApp::fixture("pub");
    let mut browser = Browser::signed_in(&server, "alice").await;
    let page = browser.go(&server, &app.authorize_url(&[("resource", R1)])).await;
    let before = server.rows();
    for decision in ["", "ALLOW", "yes", "true", "allow deny"] {
        browser.decide(&server, &page, decision).await.assert_problem_page(400);
    }
    let (token, id) = (page.field("form_token").unwrap(), page.field("authorization").unwrap());
    for fields in [
        vec![("form_token", token.as_str()), ("authorization", &id)],
        vec![("form_token", &token), ("authorization", &id), ("decision", "deny"), ("decision", "allow")],
        vec![("form_token", &token), ("decision", "allow")],
    ] {
        browser.post(&server, "/consent", &fields).await.assert_problem_page(400);
    }
    assert_eq!(server.rows(), before);
    assert!(browser.decide(&server, &page, "allow").await.location_param("code").is_some());
}

#[tokio::test]
async fn a_consent_is_remembered_for_its_person_client_resource_and_scopes_alone() {
    let server = Server::start().await;
    let (app, other) = (ClientApp::fixture("pub"), ClientApp::fixture("conf"));
    let mut browser = Browser::new();
    app.code(&server, &mut browser, "alice", &[("resource", R1), ("scope", "a")]).await;
    let asked = async |browser: &mut Browser, app: &ClientApp, more: &[(&str, &str)]| {
        let answer = browser.go(&server, &app.authorize_url(more)).await;
        answer.status.as_u16() == 200
    };
    assert!(!asked(&mut browser, &app, &[("resource", R1), ("scope", "a")]).await);
    assert!(asked(&mut browser, &app, &[("resource", R1), ("scope", "a b")]).await);
    assert!(asked(&mut browser, &app, &[("resource", R1), ("scope", "a offline_access")]).await);
    assert!(asked(&mut browser, &app, &[("resource", R2), ("scope", "c")]).await);
    assert!(asked(&mut browser, &app, &[("resource", R1), ("resource", R2), ("scope", "a")]).await);
    assert!(asked(&mut browser, &other, &[("resource", R1), ("scope", "a")]).await);
    let mut bob = Browser::signed_in(&server, "bob").await;
    assert!(asked(&mut bob, &app, &[("resource", R1), ("scope", "a")]).await);
    // What was allowed piece by piece is allowed together.
    app.code(&server, &mut browser, "alice", &[("resource", R1), ("scope", "b")]).await;
    assert!(!asked(&mut browser, &app, &[("resource", R1), ("scope", "a b")]).await);
}

#[tokio::test]
async fn only_whom_somebody_vouches_for_is_let_in_without_the_page() {
    let server = Server::start().await;
    // A confidential client of the owner's on this computer: the secret vouches for it.
    server.command(|tx| {
        let method = AuthMethod::ClientSecretBasic;
        let secret = SecretHash::of("a-secret-of-the-fixtures-with-enough-characters");
        let credential = Credential::Secret { hash: secret, method };
        let grants = [GrantType::AuthorizationCode, GrantType::RefreshToken];
        clients::insert(tx, &client("desk", credential, &["http://127.0.0.1/cb"], &grants), "{}")
    });
    let mut desk = ClientApp { id: "desk".to_owned(), ..ClientApp::fixture("conf") };
    "http://127.0.0.1:5000/cb".clone_into(&mut desk.redirect_uri);
    let mut apps =
        vec![(desk, false), (ClientApp::fixture("conf"), false), (ClientApp::fixture("pub"), false)];
    apps.push((ClientApp::fixture("nat"), true));
    for (redirect, asks) in [
        ("https://claude.ai/api/mcp/auth_callback", false),
        ("http://localhost:1/cb", true),
        ("cursor://a/b", true),
    ] {
        apps.push((ClientApp::registered(&server, redirect).await, asks));
    }
    for (app, asks) in apps {
        let mut browser = Browser::new();
        app.code(&server, &mut browser, "bob", &[("resource", R1)]).await;
        let answer = browser.go(&server, &app.authorize_url(&[("resource", R1)])).await;
        assert_eq!(answer.status.as_u16() == 200, asks, "{} {}", app.id, app.redirect_uri);
    }
}

#[tokio::test]
async fn a_resource_that_changes_while_a_person_reads_is_shown_again() {
    let server = Server::start().await;
    let app = ClientApp::fixture("pub");
    let mut browser = Browser::signed_in(&server, "alice").await;
    let page = browser.go(&server, &app.authorize_url(&[("resource", R1)])).await;
    server.command(|tx| {
        let mut changed = crate::harness::resource(R1, "a b admin");
        changed.token_lifetime = Some(Seconds::hours(2));
        vestibule::store::resources::update(tx, &changed)
    });
    let answer = browser.decide(&server, &page, "allow").await;
    // A yes to the old page is no yes to the new one.
    answer.assert_problem_page(403);
    assert_eq!(server.rows()["authorization_codes"], 0);
    let page = browser.go(&server, &app.authorize_url(&[("resource", R1)])).await;
    assert!(page.text().contains("admin"));
}
