//! Consent: what the page tells, who may answer it, and that an answer is to what was shown and to nothing else.

use std::sync::Arc;

use serde_json::json;
use tokio::sync::Barrier;
use tokio::task::JoinSet;
use vestibule::clock::UnixTime;
use vestibule::oauth::client::Credential;
use vestibule::oauth::grant_type::GrantType;
use vestibule::store::{clients, resources, users};

use crate::harness::{
    Answer, Browser, ClientApp, ISSUER, PASSWORD, R1, R2, Server, Tokens, client, resource,
};

/// A consent page in a signed-in browser, and the form on it.
struct Asked {
    browser: Browser,
    page: Answer,
    id: String,
    token: String,
}

impl Asked {
    async fn open(server: &Server, app: &ClientApp, name: &str, more: &[(&str, &str)]) -> Self {
        let browser = Browser::signed_in(server, name).await;
        Self::open_in(server, browser, app, more).await
    }

    async fn open_in(server: &Server, mut browser: Browser, app: &ClientApp, more: &[(&str, &str)]) -> Self {
        let page = browser.go(server, &app.authorize_url(more)).await;
        assert!(page.text().contains("Allow access?"), "{}", page.text());
        let id = page.field("authorization").expect("a request");
        let token = page.field("form_token").expect("a form");
        Self { browser, page, id, token }
    }

    fn form(&self, decision: &str) -> [(&'static str, String); 3] {
        [
            ("form_token", self.token.clone()),
            ("authorization", self.id.clone()),
            ("decision", decision.to_owned()),
        ]
    }

    /// Sends the form, and follows nothing.
    async fn answer(&mut self, server: &Server, decision: &str) -> Answer {
        let form = self.form(decision);
        self.browser.post(server, "/consent", &form).await
    }

    fn onward(&self) -> String {
        format!("/oauth/authorize?authorization={}", self.id)
    }
}

fn count_codes(server: &Server) -> usize {
    server.count("authorization_codes")
}

#[tokio::test]
async fn a_web_01_02_03_only_the_form_on_the_page_in_its_own_browser_decides() {
    let server = Server::start().await;
    let app = ClientApp::fixture("pub");
    let asked = Asked::open(&server, &app, "alice", &[("resource", R1)]).await;
    let browser = asked.browser.clone();
    let twin = Asked::open_in(&server, browser, &app, &[("resource", R1)]).await;
    let stranger = Asked::open(&server, &app, "mallory", &[("resource", R1)]).await;
    let of_logout = asked.browser.clone().get(&server, "/logout").await.field("form_token").expect("a form");
    let before = server.contents();
    let post = || server.post("/consent").header("cookie", &asked.browser.cookie()).header("origin", ISSUER);
    for token in [None, Some(""), Some("x"), Some(&*twin.token), Some(&*stranger.token), Some(&*of_logout)] {
        let mut fields = asked.form("allow").to_vec();
        fields.remove(0);
        fields.extend(token.map(|token| ("form_token", token.to_owned())));
        post().form(&fields).send().await.assert_problem_page(403);
    }
    for (header, value) in [
        ("origin", "https://evil.test"),
        ("origin", "null"),
        ("origin", "http://as.test"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ] {
        let post = server.post("/consent").header("cookie", &asked.browser.cookie()).header(header, value);
        post.form(&asked.form("allow")).send().await.assert_problem_page(403);
    }
    for field in ["form_token", "authorization", "decision"] {
        let mut fields = asked.form("allow").to_vec();
        let value = fields.iter().find(|(name, _)| *name == field).expect("a field").1.clone();
        fields.push((field, value));
        post().form(&fields).send().await.assert_problem_page(400);
    }
    let json = json!({ "form_token": asked.token, "authorization": asked.id, "decision": "allow" });
    assert_eq!(post().json(&json).send().await.status.as_u16(), 415);
    // A link shows the page, whatever is in it.
    let link = format!("/consent?authorization={}&decision=allow&form_token={}", asked.id, asked.token);
    let mut browser = asked.browser.clone();
    assert!(browser.get(&server, &link).await.text().contains("Allow access?"));
    let head =
        server.ask(vestibule::http::Method::HEAD, &link).header("cookie", &browser.cookie()).send().await;
    assert_eq!(head.status.as_u16(), 200);
    assert_eq!(server.contents(), before);
    // Whoever is not signed in, or is somebody else, decides nothing either.
    let mut nobody = Browser::new();
    let answer = nobody.post(&server, "/consent", &asked.form("allow")).await;
    assert!(nobody.go(&server, &answer.location()).await.field("password").is_some());
    let mut mallory = stranger.browser.clone();
    mallory.post(&server, "/consent", &asked.form("allow")).await.assert_problem_page(403);
    assert_eq!(server.contents(), before);
    let answer = browser.post(&server, "/consent", &asked.form("allow")).await;
    let answer = browser.go(&server, &answer.location()).await;
    assert!(answer.location_param("code").is_some(), "the form itself was in order");
}

#[tokio::test]
async fn a_az_10_what_is_granted_is_what_was_shown_whatever_the_form_is_made_to_say() {
    let server = Server::start().await;
    let app = ClientApp::fixture("pub");
    let mut asked = Asked::open(&server, &app, "alice", &[("resource", R1), ("scope", "a")]).await;
    let edits = [
        ("scope", "a b c d"),
        ("scope", "b"),
        ("resource", R2),
        ("client_id", "conf"),
        ("redirect_uri", "https://evil.test/"),
        ("state", "evil"),
        ("code_challenge", "evil"),
        ("user", "bob"),
        ("user_id", "bob"),
        ("prompt", "none"),
    ];
    let fields: Vec<_> =
        asked.form("allow").into_iter().chain(edits.map(|(name, value)| (name, value.to_owned()))).collect();
    let answer = asked.browser.post(&server, "/consent", &fields).await;
    let answer = asked.browser.go(&server, &answer.location()).await;
    assert!(answer.location().starts_with("https://app.test/cb?"), "{}", answer.location());
    assert_eq!(answer.location_param("state").as_deref(), Some("a-state"));
    let code = answer.location_param("code").expect("a code");
    let tokens = Tokens::of(&app.redeem(&server, &code, &[]).await);
    assert_eq!((tokens.claims["aud"].as_str(), tokens.scope.as_deref()), (Some(R1), Some("a")));
    assert_eq!(tokens.claims["sub"], server.user("alice").id.as_str());
    // Nor is more remembered than was shown.
    let page = asked.browser.go(&server, &app.authorize_url(&[("resource", R1), ("scope", "a b")])).await;
    assert!(page.text().contains("Allow access?"), "{}", page.text());
    let page = asked.browser.go(&server, &app.authorize_url(&[("resource", R2)])).await;
    assert!(page.text().contains("Allow access?"), "{}", page.text());
}

#[tokio::test]
async fn c_o21_35_the_page_names_the_app_what_it_reaches_each_scope_and_where_the_answer_goes() {
    let server = Server::start().await;
    let more = [("resource", R1), ("scope", "a b offline_access")];
    let shown = Asked::open(&server, &ClientApp::fixture("pub"), "alice", &more).await;
    let text = shown.page.text();
    for part in [
        "The pub client",
        "Added by an admin",
        "https://app.test/cb",
        ">app.test<",
        R1,
        ">a<",
        ">b<",
        ">offline_access<",
        "Stay signed in as you",
        "alice",
    ] {
        assert!(text.contains(part), "{part} is missing: {text}");
    }
    assert!(!text.contains("Unverified") && !text.contains(R2) && !text.contains("this computer"), "{text}");
    assert!(!text.contains(">new<") && !text.contains("first seen"), "the owner added it: {text}");
    assert!(text.find(">b<") < text.find(">offline_access<"), "what belongs to no server comes last: {text}");

    let stranger = ClientApp::registered(&server, "https://stranger.test/cb").await;
    let mut shown = Asked::open(&server, &stranger, "alice", &more).await;
    for part in ["A stranger", "Unverified", ">stranger.test<", ">new<", "first seen here today"] {
        assert!(shown.page.text().contains(part), "{part} is missing: {}", shown.page.text());
    }
    server.advance(86_400);
    let again = shown.browser.go(&server, &stranger.authorize_url(&more)).await;
    assert!(again.text().contains("A stranger"), "{}", again.text());
    assert!(!again.text().contains(">new<"), "only on its first day: {}", again.text());
    let shown = Asked::open(&server, &ClientApp::fixture("nat"), "alice", &more).await;
    for part in ["an app on this computer", "Any program on this computer", "http://127.0.0.1:49152/cb"] {
        assert!(shown.page.text().contains(part), "{part} is missing: {}", shown.page.text());
    }
    let link = ClientApp { redirect_uri: "com.example.app:/cb".to_owned(), ..ClientApp::fixture("nat") };
    let shown = Asked::open(&server, &link, "alice", &more).await;
    for part in ["app link", "com.example.app:/cb", "claims such links"] {
        assert!(shown.page.text().contains(part), "{part} is missing: {}", shown.page.text());
    }
}

#[tokio::test]
async fn who_asks_for_nothing_but_to_stay_is_not_said_to_do_nothing_else() {
    let server = Server::start().await;
    server.command(|tx| resources::insert(tx, &resource("https://r9.test", ""), UnixTime::new(1)).map(drop));
    let more = [("resource", "https://r9.test"), ("scope", "offline_access")];
    let shown = Asked::open(&server, &ClientApp::fixture("pub"), "alice", &more).await;
    let text = shown.page.text();
    let (all, stays) = (text.find("whatever you can do there"), text.find("Stay signed in as you"));
    assert!(all.is_some() && all < stays, "{text}");
}

#[tokio::test]
async fn a_web_10_a_hostile_app_shows_as_text_and_moves_nothing() {
    let server = Server::start().await;
    let hostile = [
        "</h1><script>alert(1)</script>",
        "\"' autofocus onfocus=alert(1) x=\"",
        "Claude\u{202e}\u{2066}\u{200b}\u{0}\r\n\u{1b}[2J",
        "<img src=x onerror=alert(1)>",
        "{{7*7}}${7*7}<%= 7*7 %>",
        "A very honest name that goes on and on and on and on and on and on and on and on and on and on",
    ];
    for name in hostile {
        let uri = "https://host.test/cb?x=%22%3E%3Cscript%3E";
        let body = json!({ "client_name": name, "redirect_uris": [uri], "client_uri": "https://host.test/<script>" });
        let answer = server.post("/oauth/register").json(&body).send().await;
        let answer = match answer.status.as_u16() {
            201 => answer,
            // A link with a bracket may be refused; the name may not pass without being made harmless.
            _ => {
                let body = json!({ "client_name": name, "redirect_uris": [uri] });
                server.post("/oauth/register").json(&body).send().await
            }
        };
        assert_eq!(answer.status.as_u16(), 201, "{name:?}: {}", answer.text());
        let id = answer.json()["client_id"].as_str().expect("an id").to_owned();
        let app = ClientApp { id, redirect_uri: uri.to_owned(), ..ClientApp::fixture("pub") };
        let more = [("resource", R1), ("state", "\"><script>alert(2)</script>\r\n")];
        let mut asked = Asked::open(&server, &app, "alice", &more).await;
        let login = format!("/login?authorization={}", asked.id);
        for page in [&asked.page, &Browser::new().get(&server, &login).await] {
            let text = page.text();
            for bad in ["<script", "<img", "\"' autofocus", "\u{202e}", "\u{1b}", "alert(2)"] {
                assert!(!text.contains(bad), "{bad:?} of {name:?}: {text}");
            }
        }
        let answer = asked.answer(&server, "deny").await;
        let answer = asked.browser.go(&server, &answer.location()).await;
        answer.assert_redirected_error("access_denied", Some("\"><script>alert(2)</script>\r\n"));
        server.advance(10);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_however_often_and_however_fast_somebody_clicks_there_is_one_code() {
    let server = Arc::new(Server::start().await);
    let app = ClientApp::fixture("pub");
    let asked = Arc::new(Asked::open(&server, &app, "alice", &[("resource", R1)]).await);
    let barrier = Arc::new(Barrier::new(20));
    let mut clicks = JoinSet::new();
    for number in 0..20 {
        let (server, asked, barrier) = (Arc::clone(&server), Arc::clone(&asked), Arc::clone(&barrier));
        clicks.spawn(async move {
            let mut browser = asked.browser.clone();
            barrier.wait().await;
            // Some change their mind in the same moment; whichever is first counts.
            let decision = if number % 4 == 3 { "deny" } else { "allow" };
            let answer = browser.post(&server, "/consent", &asked.form(decision)).await;
            assert_eq!(answer.status.as_u16(), 303, "{}", answer.text());
            browser.go(&server, &answer.location()).await
        });
    }
    let answers = clicks.join_all().await;
    let told: Vec<_> = answers.iter().filter(|answer| answer.status.as_u16() == 303).collect();
    assert!(answers.iter().all(|answer| matches!(answer.status.as_u16(), 303 | 400)));
    assert!(told.iter().all(|answer| answer.location() == told[0].location()), "the app hears one thing");
    // A code reaches the app whichever of the clicks the browser follows; a no is told once.
    let allowed = told[0].location_param("code").is_some();
    assert_eq!(told.len(), if allowed { 20 } else { 1 });
    assert_eq!(count_codes(&server), usize::from(allowed));
    assert_eq!(count_codes(&server), server.count("consents"));
}

#[tokio::test]
async fn a_az_22_a_yes_is_for_the_browser_of_whoever_said_it() {
    let server = Server::start().await;
    let app = ClientApp::fixture("pub");
    let mut asked = Asked::open(&server, &app, "alice", &[("resource", R1)]).await;
    asked.answer(&server, "allow").await;
    // Alice's browser has not followed the way back yet.
    let mut mallory = Browser::signed_in(&server, "mallory").await;
    mallory.get(&server, &asked.onward()).await.assert_problem_page(400);
    let page = Browser::new().go(&server, &asked.onward()).await;
    assert!(page.field("password").is_some(), "a stranger is asked to sign in: {}", page.text());
    assert_eq!(count_codes(&server), 0);
    let answer = asked.browser.get(&server, &asked.onward()).await;
    let code = answer.location_param("code").expect("hers still");
    let tokens = Tokens::of(&app.redeem(&server, &code, &[]).await);
    assert_eq!(tokens.claims["sub"], server.user("alice").id.as_str());
}

#[tokio::test]
async fn a_yes_comes_too_late_when_what_it_stands_on_is_gone() {
    let server = Server::start().await;
    server.command(|tx| {
        let code = [GrantType::AuthorizationCode, GrantType::RefreshToken];
        clients::insert(tx, &client("gone", Credential::Public, &["https://gone.test/cb"], &code), "{}")
            .map(drop)
    });
    let gone = ClientApp {
        id: "gone".to_owned(),
        redirect_uri: "https://gone.test/cb".to_owned(),
        ..ClientApp::fixture("pub")
    };
    let app = ClientApp::fixture("pub");

    let mut asked = Asked::open(&server, &gone, "alice", &[("resource", R1)]).await;
    let id = gone.id.clone();
    server
        .command(move |tx| clients::remove(tx, &vestibule::oauth::ids::ClientId::parse(&id).expect("an id")));
    asked.answer(&server, "allow").await.assert_problem_page(400);

    let mut asked = Asked::open(&server, &app, "bob", &[("resource", R1)]).await;
    let (bob, now) = (server.user("bob").id, server.now());
    server.command(move |tx| users::disable(tx, &bob, now));
    let answer = asked.answer(&server, "allow").await;
    assert!(asked.browser.go(&server, &answer.location()).await.field("password").is_some());

    let mut asked = Asked::open(&server, &app, "mallory", &[("resource", R1)]).await;
    server.command(|tx| {
        let all = resources::list(tx)?;
        let r1 = &all.iter().find(|resource| resource.uri.as_str() == R1).expect("a fixture").uri;
        resources::set_admitted(tx, r1, &[])
    });
    let restricted = server.app.store.read(resources::list).expect("the resources");
    let restricted = restricted.into_iter().find(|resource| resource.uri.as_str() == R1).expect("R1");
    server.command(move |tx| {
        let mut restricted = restricted;
        restricted.admission = vestibule::oauth::resource::Admission::Listed;
        resources::update(tx, &restricted)
    });
    let answer = asked.answer(&server, "allow").await;
    let answer = asked.browser.go(&server, &answer.location()).await;
    answer.assert_redirected_error("access_denied", Some("a-state"));

    let mut asked = Asked::open(&server, &app, "alice", &[("resource", R2)]).await;
    server.advance(15 * 60);
    asked.answer(&server, "allow").await.assert_problem_page(400);
    assert_eq!((count_codes(&server), server.count("consents")), (0, 0));
}

#[tokio::test]
async fn a_no_leaves_nothing_behind_and_is_said_once() {
    let server = Server::start().await;
    let app = ClientApp::fixture("pub");
    let mut asked = Asked::open(&server, &app, "alice", &[("resource", R1)]).await;
    let answer = asked.answer(&server, "deny").await;
    let answer = asked.browser.go(&server, &answer.location()).await;
    answer.assert_redirected_error("access_denied", Some("a-state"));
    assert_eq!((count_codes(&server), server.count("consents"), server.count("grants")), (0, 0, 0));
    asked.answer(&server, "allow").await;
    asked.browser.get(&server, &asked.onward()).await.assert_problem_page(400);
    assert_eq!(count_codes(&server), 0, "a no stays a no");
    let page = asked.browser.go(&server, &app.authorize_url(&[("resource", R1)])).await;
    assert!(page.text().contains("Allow access?"), "and is not remembered either");
}

#[tokio::test]
async fn a_yes_before_the_sign_in_that_was_asked_for_waits_for_that_sign_in() {
    let server = Server::start().await;
    let app = ClientApp::fixture("pub");
    let mut browser = Browser::signed_in(&server, "alice").await;
    let login =
        browser.get(&server, &app.authorize_url(&[("resource", R1), ("prompt", "login")])).await.location();
    let id = login.rsplit('=').next().expect("an id").to_owned();
    assert!(login.starts_with("/login?authorization="), "{login}");
    // Around the sign-in, straight to the question.
    let page = browser.get(&server, &format!("/consent?authorization={id}")).await;
    if page.status.as_u16() == 200 {
        let fields = [
            ("form_token", page.field("form_token").expect("a form")),
            ("authorization", id.clone()),
            ("decision", "allow".to_owned()),
        ];
        browser.post(&server, "/consent", &fields).await;
    }
    let page = browser.go(&server, &format!("/oauth/authorize?authorization={id}")).await;
    assert!(page.field("password").is_some(), "the sign-in is not skipped: {}", page.text());
    assert_eq!(count_codes(&server), 0);
    let answer = browser.sign_in(&server, &page, "alice", PASSWORD).await;
    let page = browser.go(&server, &answer.location()).await;
    let answer =
        if page.status.as_u16() == 200 { browser.decide(&server, &page, "allow").await } else { page };
    assert!(answer.location_param("code").is_some());
}
