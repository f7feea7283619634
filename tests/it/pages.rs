//! The pages: who gets in, who is kept out, and what a form can and cannot change.

use std::collections::BTreeSet;

use tokio::task::JoinSet;
use vestibule::clock::Seconds;
use vestibule::oauth::ids::{UserId, UserName};
use vestibule::oauth::scope::Scope;
use vestibule::oauth::secret::{Secret, SecretKind};
use vestibule::store::users::{self, Role, User};
use vestibule::store::{resources, setup_link};

use crate::harness::{Answer, Browser, ClientApp, R1, R2, Server, Tokens};

const SESSION: &str = "__Host-vestibule";
const DEVICE: &str = "__Host-vestibule-device";

/// Refused before it is hashed, but counted like any other guess.
fn wrong_password() -> String {
    "x".repeat(300)
}

async fn guess(server: &Server, browser: &mut Browser, name: &str) -> u16 {
    let page = browser.get(server, "/login").await;
    let answer = browser.sign_in(server, &page, name, &wrong_password()).await;
    assert_eq!(answer.header("retry-after").is_some(), answer.status.as_u16() == 429);
    answer.status.as_u16()
}

/// The page on which alice is asked about R1.
async fn asked(server: &Server, app: &ClientApp, browser: &mut Browser, more: &[(&str, &str)]) -> Answer {
    let page = browser.go(server, &app.authorize_url(more)).await;
    assert!(page.text().contains("Allow access?"), "{}", page.text());
    page
}

fn field(page: &Answer, name: &str) -> String {
    page.field(name).unwrap_or_else(|| panic!("no {name} in {}", page.text()))
}

#[tokio::test]
async fn a_web_14_every_failed_sign_in_looks_the_same_and_writes_down_no_name() {
    let server = Server::start().await;
    server.command(|tx| {
        let name = |name| UserName::parse(name).expect("a name");
        let bob = users::find_by_name(tx, &name("bob"))?.expect("bob is a fixture");
        users::disable(tx, &bob.id, bob.created_at)?;
        let carol =
            User { id: UserId::new(), name: name("carol"), role: Role::Member, disabled_at: None, ..bob };
        users::insert(tx, &carol, None).map(drop)
    });
    let mut browser = Browser::new();
    let page = browser.get(&server, "/login").await;
    let mut answers = BTreeSet::new();
    for name in ["alice", "bob", "carol", "nobody", "not a name", "correct horse"] {
        let password = if name == "bob" { "correct horse battery staple" } else { "a wrong one" };
        let answer = browser.sign_in(&server, &page, name, password).await;
        assert_eq!(answer.status.as_u16(), 401, "{name}");
        assert!(answer.text().contains("Wrong name or password. Check the name and type the password again"));
        answers.insert(answer.text().replace(&format!("value=\"{name}\""), "value=\"\""));
    }
    assert_eq!(answers.len(), 1, "{answers:#?}");
    let rows = server.audit();
    let failures: Vec<_> = rows.iter().filter(|row| row.0 == "user.login.failure").collect();
    assert_eq!(failures.len(), 6);
    let known: Vec<_> = failures.iter().filter_map(|row| row.1.as_deref()).collect();
    assert_eq!(known, ["carol", "bob", "alice"]);
    assert!(failures.iter().all(|row| !row.3.to_string().contains("horse")), "{failures:?}");
}

#[tokio::test]
async fn a_web_15_guesses_at_once_count_as_guesses_one_after_the_other() {
    let server = std::sync::Arc::new(Server::start().await);
    let mut browser = Browser::new();
    browser.get(&server, "/login").await;
    let mut guesses = JoinSet::new();
    for number in 0..30 {
        let (server, mut browser) = (std::sync::Arc::clone(&server), browser.clone());
        let name = ["alice", "Alice", " ALICE "][number % 3];
        guesses.spawn(async move { guess(&server, &mut browser, name).await });
    }
    let answers = guesses.join_all().await;
    assert_eq!(answers.iter().filter(|status| **status == 401).count(), 10, "{answers:?}");
    assert_eq!(answers.iter().filter(|status| **status == 429).count(), 20, "{answers:?}");
    assert_eq!(guess(&server, &mut browser, "bob").await, 401, "A-WEB-17: bob has a bucket of his own");
    server.advance(6);
    assert_eq!(guess(&server, &mut browser, "alice").await, 401, "nobody is locked out for good");
}

#[tokio::test]
async fn the_wrong_guesses_of_others_do_not_lock_the_owner_out_of_a_known_browser() {
    let server = Server::start().await;
    let mut known = Browser::signed_in(&server, "alice").await;
    known.cookies.remove(SESSION);
    let mut stranger = Browser::new();
    while guess(&server, &mut stranger, "alice").await != 429 {}
    for name in ["nobody", "n2", "n3", "n4", "n5", "n6"] {
        for _ in 0..10 {
            guess(&server, &mut stranger, name).await;
        }
    }
    let page = stranger.get(&server, "/login").await;
    let answer = stranger.sign_in(&server, &page, "alice", "correct horse battery staple").await;
    assert_eq!(answer.status.as_u16(), 429, "from a browser that nobody knows, the limit holds");

    // The cookie of one person is no way around the limit for another, and neither is a made-up one.
    let page = known.get(&server, "/login").await;
    assert_eq!(known.sign_in(&server, &page, "bob", &wrong_password()).await.status.as_u16(), 429);
    let mut forged = known.clone();
    forged.cookies.entry(DEVICE.to_owned()).and_modify(|value| value.push('A'));
    assert_eq!(forged.sign_in(&server, &page, "alice", &wrong_password()).await.status.as_u16(), 429);

    let answer = known.sign_in(&server, &page, "alice", "correct horse battery staple").await;
    assert_eq!(answer.status.as_u16(), 303, "{}", answer.text());
    assert_eq!(answer.location(), "/account");
}

#[tokio::test]
async fn a_known_browser_is_throttled_too() {
    let server = Server::start().await;
    let mut known = Browser::signed_in(&server, "alice").await;
    known.cookies.remove(SESSION);
    let mut answers = Vec::new();
    for _ in 0..11 {
        answers.push(guess(&server, &mut known, "alice").await);
    }
    assert_eq!(answers.iter().filter(|status| **status == 401).count(), 10, "{answers:?}");
}

#[tokio::test]
async fn a_web_05_a_sign_in_makes_a_new_session_and_ends_the_one_before() {
    let server = Server::start().await;
    let mut browser = Browser::new();
    browser.cookies.insert(SESSION.to_owned(), "planted".to_owned());
    let page = browser.get(&server, "/login").await;
    browser.sign_in(&server, &page, "alice", "correct horse battery staple").await;
    assert_ne!(browser.cookies[SESSION], "planted");
    let mut old = browser.clone();
    let again = ClientApp::fixture("pub").authorize_url(&[("resource", R1), ("prompt", "login")]);
    let page = browser.go(&server, &again).await;
    assert!(page.text().contains("The pub client"), "the page says for whom: {}", page.text());
    browser.sign_in(&server, &page, "alice", "correct horse battery staple").await;
    assert_eq!(old.get(&server, "/account").await.location(), "/login");
    assert_eq!(browser.get(&server, "/account").await.status.as_u16(), 200);
}

#[tokio::test]
async fn a_web_02_a_form_counts_only_from_our_own_page_in_the_same_browser_for_its_own_purpose() {
    let server = Server::start().await;
    let mut browser = Browser::signed_in(&server, "alice").await;
    let page = browser.get(&server, "/logout").await;
    let token = field(&page, "form_token");
    for (header, value) in [
        ("origin", "https://evil.test"),
        ("origin", "null"),
        ("origin", "http://as.test"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ] {
        let asked = server.post("/logout").header("cookie", &browser.cookie()).header(header, value);
        asked.form(&[("form_token", &token)]).send().await.assert_problem_page(403);
    }
    for (path, token) in [("/logout", "made up"), ("/logout", ""), ("/account", &token), ("/setup", &token)] {
        let fields =
            [("form_token", token), ("grant", "1"), ("token", "t"), ("username", "u"), ("password", "p")];
        browser.post(&server, path, &fields).await.assert_problem_page(403);
    }
    let mut other = Browser::signed_in(&server, "alice").await;
    other.post(&server, "/logout", &[("form_token", &token)]).await.assert_problem_page(403);
    assert_eq!(browser.get(&server, "/account").await.status.as_u16(), 200, "still signed in");
}

#[tokio::test]
async fn a_web_24_signing_out_ends_the_session_on_the_server() {
    let server = Server::start().await;
    let mut browser = Browser::signed_in(&server, "alice").await;
    let mut copy = browser.clone();
    let page = browser.get(&server, "/logout").await;
    assert!(page.text().contains("Sign out?"));
    assert_eq!(browser.get(&server, "/account").await.status.as_u16(), 200, "a link alone signs nobody out");
    let token = field(&page, "form_token");
    let answer = browser.post(&server, "/logout", &[("form_token", &token)]).await;
    assert_eq!(answer.location(), "/logout");
    assert!(!browser.cookies.contains_key(SESSION));
    assert!(browser.get(&server, "/logout").await.text().contains("Signed out"));
    assert_eq!(copy.get(&server, "/account").await.location(), "/login");
    assert_eq!(server.audit()[0].0, "user.logout");
}

#[tokio::test]
async fn a_web_27_of_many_set_ups_at_once_one_makes_the_admin() {
    let server = std::sync::Arc::new(Server::start().await);
    let (link, alice) = (Secret::new(SecretKind::SetupLink), server.user("alice").id);
    let (hash, expires) = (link.hash(), server.now().plus(Seconds::hours(1)));
    server.command(move |tx| {
        users::remove(tx, &alice)?;
        setup_link::replace(tx, &hash, expires)
    });
    let mut attempts = JoinSet::new();
    for number in 0..20 {
        let (server, link) = (std::sync::Arc::clone(&server), link.expose().to_owned());
        attempts.spawn(async move {
            let mut browser = Browser::new();
            let page = browser.get(&server, &format!("/setup?token={link}")).await;
            if page.status.as_u16() != 200 {
                return page.status.as_u16();
            }
            let token = field(&page, "form_token");
            let name = format!("admin{number}");
            let fields = [
                ("form_token", token.as_str()),
                ("token", &link),
                ("username", &name),
                ("password", "12345678"),
            ];
            let answer = browser.post(&server, "/setup", &fields).await;
            if answer.status.as_u16() == 303 {
                let account = browser.go(&server, &answer.location()).await;
                assert!(account.text().contains(&name), "the new admin is signed in");
            }
            answer.status.as_u16()
        });
    }
    let answers = attempts.join_all().await;
    assert_eq!(answers.iter().filter(|status| **status == 303).count(), 1, "{answers:?}");
    assert_eq!(answers.iter().filter(|status| **status == 400).count(), 19, "{answers:?}");
    let everybody = server.app.store.read(users::list).expect("the users");
    assert_eq!(everybody.iter().filter(|user| user.role == Role::Admin).count(), 1);
    let spent = server.get(&format!("/setup?token={}", link.expose())).send().await;
    assert_eq!(spent.error(), "invalid_request");
}

#[tokio::test]
async fn a_set_up_that_needs_another_try_keeps_the_link() {
    let server = Server::start().await;
    let (link, alice) = (Secret::new(SecretKind::SetupLink), server.user("alice").id);
    let (hash, expires) = (link.hash(), server.now().plus(Seconds::hours(1)));
    server.command(move |tx| {
        users::remove(tx, &alice)?;
        setup_link::replace(tx, &hash, expires)
    });
    let mut browser = Browser::new();
    let page = browser.get(&server, &format!("/setup?token={}", link.expose())).await;
    let token = field(&page, "form_token");
    for (name, password, status) in
        [("alice", "short", 400), ("bob", "12345678", 400), ("alice", "12345678", 303)]
    {
        let fields = [
            ("form_token", token.as_str()),
            ("token", link.expose()),
            ("username", name),
            ("password", password),
        ];
        let answer = browser.post(&server, "/setup", &fields).await;
        assert_eq!(answer.status.as_u16(), status, "{name}: {}", answer.text());
    }
    assert_eq!(server.user("alice").role, Role::Admin);
}

#[tokio::test]
async fn a_web_04_nothing_that_the_consent_form_sends_back_changes_what_was_asked_for() {
    let server = Server::start().await;
    let app = ClientApp::fixture("pub");
    let mut browser = Browser::signed_in(&server, "alice").await;
    let page = asked(&server, &app, &mut browser, &[("resource", R1), ("scope", "a")]).await;
    let (token, id) = (field(&page, "form_token"), field(&page, "authorization"));
    let fields = [
        ("form_token", token.as_str()),
        ("authorization", &id),
        ("decision", "allow"),
        ("resource", R2),
        ("scope", "a b c d"),
        ("client_id", "conf"),
        ("redirect_uri", "https://conf.test/cb"),
        ("user", "bob"),
    ];
    let answer = browser.post(&server, "/consent", &fields).await;
    let answer = browser.go(&server, &answer.location()).await;
    assert!(answer.location().starts_with("https://app.test/cb?"), "{}", answer.location());
    let code = answer.location_param("code").expect("a code");
    let tokens = Tokens::of(&app.redeem(&server, &code, &[]).await);
    assert_eq!(tokens.claims["aud"], R1);
    assert_eq!(tokens.claims["sub"], server.user("alice").id.as_str());
    assert_eq!(tokens.scope.as_deref(), Some("a"));
}

#[tokio::test]
async fn a_consent_is_for_this_person_this_request_and_what_they_were_shown() {
    let server = Server::start().await;
    let app = ClientApp::fixture("pub");
    let mut alice = Browser::signed_in(&server, "alice").await;
    let page = asked(&server, &app, &mut alice, &[("resource", R1)]).await;
    let other = asked(&server, &app, &mut alice, &[("resource", R2)]).await;
    let (token, id) = (field(&page, "form_token"), field(&page, "authorization"));
    let form = |token: &str, id: &str, decision: &str| {
        [
            ("form_token", token.to_owned()),
            ("authorization", id.to_owned()),
            ("decision", decision.to_owned()),
        ]
    };
    let crossed = form(&token, &field(&other, "authorization"), "allow");
    alice.post(&server, "/consent", &crossed).await.assert_problem_page(403);
    let mut bob = Browser::signed_in(&server, "bob").await;
    bob.post(&server, "/consent", &form(&token, &id, "allow")).await.assert_problem_page(403);
    for decision in ["", "Allow", "maybe"] {
        alice.post(&server, "/consent", &form(&token, &id, decision)).await.assert_problem_page(400);
    }
    // The owner widens the resource while alice reads.
    server.command(|tx| {
        let mut all = resources::list(tx)?;
        let widened = all.iter_mut().find(|resource| resource.uri.as_str() == R1).expect("a fixture");
        widened.scopes = Scope::parse("a b all").expect("scopes");
        resources::update(tx, widened)
    });
    alice.post(&server, "/consent", &form(&token, &id, "allow")).await.assert_problem_page(403);
    let page = alice.go(&server, &format!("/oauth/authorize?authorization={id}")).await;
    assert!(page.text().contains("all"), "asked again, with what it has become");
    let answer = alice.decide(&server, &page, "deny").await;
    answer.assert_redirected_error("access_denied", Some("a-state"));
}

#[tokio::test]
async fn a_double_click_gives_one_code() {
    let server = Server::start().await;
    let app = ClientApp::fixture("pub");
    let mut browser = Browser::signed_in(&server, "alice").await;
    let page = asked(&server, &app, &mut browser, &[("resource", R1)]).await;
    let (token, id) = (field(&page, "form_token"), field(&page, "authorization"));
    let fields = [("form_token", token.as_str()), ("authorization", &id), ("decision", "allow")];
    let first = browser.post(&server, "/consent", &fields).await.location();
    let second = browser.post(&server, "/consent", &fields).await.location();
    assert_eq!(first, second);
    let answer = browser.get(&server, &first).await;
    assert!(answer.location_param("code").is_some());
    assert_eq!(browser.get(&server, &second).await.location(), answer.location(), "the same one again");
    assert_eq!(server.count("authorization_codes"), 1);
}

#[tokio::test]
async fn where_the_request_names_no_resource_a_person_chooses_one_of_those_offered() {
    let server = Server::start().await;
    let app = ClientApp::fixture("pub");
    let mut browser = Browser::signed_in(&server, "alice").await;
    let page = asked(&server, &app, &mut browser, &[]).await;
    assert_eq!(page.text().matches(r#"type="radio""#).count(), 2);
    let offers = |resource: &str, scope: &str| {
        let text = page.text();
        let choices: Vec<_> = text.split(r#"class="choice""#).skip(1).collect();
        let choice = choices.iter().find(|choice| choice.contains(resource)).expect("a choice");
        choice.split("</ul>").next().expect("its list").contains(&format!(">{scope}<"))
    };
    let offered = ["a", "b", "c", "d"].map(|scope| (offers(R1, scope), offers(R2, scope)));
    let (of_r1, of_r2) = ((true, false), (false, true));
    assert_eq!(offered, [of_r1, of_r1, of_r2, of_r2], "each says what it allows there: {}", page.text());
    let (token, id) = (field(&page, "form_token"), field(&page, "authorization"));
    let form = |resource: &'static str| {
        let mut fields = vec![("form_token", token.as_str()), ("authorization", &id), ("decision", "allow")];
        fields.extend((!resource.is_empty()).then_some(("resource", resource)));
        fields
    };
    for wrong in ["", "https://r3.test/mcp", "no uri"] {
        browser.post(&server, "/consent", &form(wrong)).await.assert_problem_page(400);
    }
    // Compared as resources are, so that a spelling does not matter.
    let answer = browser.post(&server, "/consent", &form("https://R2.test:443/mcp/")).await;
    let code = browser.go(&server, &answer.location()).await.location_param("code").expect("a code");
    let tokens = Tokens::of(&app.redeem(&server, &code, &[]).await);
    assert_eq!(tokens.claims["aud"], R2);
    assert_eq!(tokens.scope.as_deref(), Some("c d"));
}

#[tokio::test]
async fn a_web_26_people_take_back_their_own_grants_and_nobody_elses() {
    let server = Server::start().await;
    let app = ClientApp::fixture("pub");
    let tokens = app.tokens(&server, "alice", &[("resource", R1)]).await;
    let mut alice = Browser::signed_in(&server, "alice").await;
    let page = alice.get(&server, "/account").await;
    assert!(page.text().contains("The pub client") && page.text().contains(R1), "{}", page.text());
    let (token, grant) = (field(&page, "form_token"), field(&page, "grant"));

    let mut bob = Browser::signed_in(&server, "bob").await;
    // Bob has no grant and so no form; a token of his own, for this very purpose, comes from a grant of his.
    app.tokens(&server, "bob", &[("resource", R1)]).await;
    let his = bob.get(&server, "/account").await;
    let his_token = field(&his, "form_token");
    let answers = [&grant, "999999"].map(|id| [("form_token", his_token.clone()), ("grant", id.to_owned())]);
    for fields in answers {
        assert_eq!(bob.post(&server, "/account", &fields).await.location(), "/account");
    }
    let tokens = Tokens::of(&app.refresh(&server, tokens.refresh(), &[]).await);

    let fields = [("form_token", token), ("grant", grant)];
    assert_eq!(alice.post(&server, "/account", &fields).await.location(), "/account");
    assert!(alice.get(&server, "/account").await.field("grant").is_none());
    app.refresh(&server, tokens.refresh(), &[]).await.assert_refused("invalid_grant");
    let page = alice.go(&server, &app.authorize_url(&[("resource", R1)])).await;
    assert!(page.text().contains("Allow access?"), "what was taken back must be asked for again");
    let revoked = server.audit().into_iter().filter(|row| row.0 == "oauth.grant.revoked").collect::<Vec<_>>();
    assert_eq!(revoked.len(), 1);
    assert_eq!(revoked[0].1.as_deref(), Some("alice"));
}

#[tokio::test]
async fn no_cache_keeps_a_page_and_browsers_keep_the_style_sheet() {
    let server = Server::start().await;
    let mut browser = Browser::signed_in(&server, "alice").await;
    for path in ["/account", "/logout", "/login?authorization=none", "/setup?token=none"] {
        assert_eq!(browser.get(&server, path).await.header("cache-control"), Some("no-store"), "{path}");
    }
    let style = server.get("/style.css").send().await;
    assert_eq!(style.header("content-type"), Some("text/css; charset=utf-8"));
    assert_eq!(style.header("cache-control"), Some("public, max-age=3600"));
}

#[tokio::test]
async fn a_stranger_s_client_gets_its_error_by_a_link_and_never_by_a_redirect() {
    let server = Server::start().await;
    let metadata =
        serde_json::json!({ "redirect_uris": ["https://stranger.test/cb"], "client_name": "Stranger" });
    let registered = server.post("/oauth/register").json(&metadata).send().await.json();
    let app = ClientApp {
        id: registered["client_id"].as_str().expect("an id").to_owned(),
        redirect_uri: "https://stranger.test/cb".to_owned(),
        ..ClientApp::fixture("pub")
    };
    let url = app.authorize_url(&[("code_challenge", "")]);
    let page = Browser::new().get(&server, &url).await;
    page.assert_problem_page(400);
    let link = page.text().split("href=\"").find(|rest| rest.starts_with("https://")).map(str::to_owned);
    let link = link.and_then(|rest| rest.split('"').next().map(str::to_owned)).expect("a link");
    assert!(link.starts_with("https://stranger.test/cb?error=invalid_request"), "{link}");
    assert!(page.text().contains(">stranger.test<"), "the page names the host: {}", page.text());
    let answer = server.get(&url).send().await;
    answer.assert_problem_page(400);
    assert_eq!(answer.error(), "invalid_request");
}

#[tokio::test]
async fn a_problem_is_told_to_people_as_a_page_and_to_programs_as_json() {
    let server = Server::start().await;
    for (path, error) in [
        ("/oauth/authorize?client_id=nobody", "invalid_client"),
        ("/oauth/authorize?client_id=pub&redirect_uri=https://evil.test/", "invalid_request"),
        ("/oauth/authorize?authorization=AAAAAAAAAAAAAAAAAAAAAA", "invalid_request"),
        ("/login?authorization=AAAAAAAAAAAAAAAAAAAAAA", "invalid_request"),
        ("/consent", "invalid_request"),
        ("/setup", "invalid_request"),
        ("/login?%", "invalid_request"),
    ] {
        let page = Browser::new().get(&server, path).await;
        page.assert_problem_page(400);
        assert!(page.is_html() && page.text().contains("What to do"), "{path}");
        let answer = server.get(path).send().await;
        answer.assert_problem_page(400);
        assert_eq!(answer.error(), error, "{path}");
    }
}
