//! Signing in: what every failure looks like, how often anybody may try, and what a form cannot do.
//! `pages.rs` has the plain cases.

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::Barrier;
use tokio::task::JoinSet;
use vestibule::http::TrustedProxies;
use vestibule::oauth::ids::{UserId, UserName};
use vestibule::store::users::{self, User};

use crate::harness::{Answer, Browser, ClientApp, ISSUER, PASSWORD, R1, Server};

const SESSION: &str = "__Host-vestibule";
const FORM: &str = "__Host-vestibule-form";

/// A server that stands behind a proxy, so that a test may come from any address.
async fn behind_a_proxy() -> Arc<Server> {
    let proxies = TrustedProxies::parse(["127.0.0.1"]).expect("an address");
    Arc::new(Server::start_with(|settings| settings.trusted_proxies = proxies).await)
}

/// A sign-in with the given form, from the given address.
async fn try_from(server: &Server, from: &str, page: &Page, name: &str, password: &str) -> Answer {
    let fields = [("form_token", page.token.as_str()), ("username", name), ("password", password)];
    server
        .post("/login")
        .header("accept", "text/html")
        .header("cookie", &page.cookie)
        .header("origin", ISSUER)
        .header("sec-fetch-site", "same-origin")
        .header("x-forwarded-for", from)
        .form(&fields)
        .send()
        .await
}

/// Refused before it is hashed, but counted like any other guess.
fn too_long() -> String {
    "x".repeat(300)
}

/// A sign-in form, and the cookies that go with it.
#[derive(Clone)]
struct Page {
    token: String,
    cookie: String,
}

impl Page {
    async fn open(server: &Server) -> Self {
        let mut browser = Browser::new();
        let page = browser.get(server, "/login").await;
        Self { token: page.field("form_token").expect("a form"), cookie: browser.cookie() }
    }
}

fn statuses(answers: &[Answer], status: u16) -> usize {
    answers.iter().filter(|answer| answer.status.as_u16() == status).count()
}

#[tokio::test]
async fn a_web_14_no_failure_tells_who_lives_here_by_status_headers_or_length() {
    let server = behind_a_proxy().await;
    server.command(|tx| {
        let name = |name| UserName::parse(name).expect("a name");
        let model = users::find_by_name(tx, &name("bob"))?.expect("bob is a fixture");
        let hash = users::password_hash(tx, &model.id)?;
        let off = User {
            id: UserId::new(),
            name: name("bobby"),
            disabled_at: Some(model.created_at),
            ..model.clone()
        };
        users::insert(tx, &off, hash.as_deref())?;
        let bare = User { id: UserId::new(), name: name("carol"), ..model };
        users::insert(tx, &bare, None).map(drop)
    });
    let page = Page::open(&server).await;
    // One length, so that the answers can be compared to the byte; the right password of those who may not use it.
    let people = [
        ("alice", "wrong"),
        ("bobby", PASSWORD),
        ("carol", PASSWORD),
        ("nobod", PASSWORD),
        ("al ce", PASSWORD),
    ];
    let long = "x".repeat(300);
    let mut seen = BTreeSet::new();
    for round in 0..2 {
        for (number, (name, password)) in people.iter().enumerate() {
            let password = if round == 0 { password } else { long.as_str() };
            let answer = try_from(&server, &format!("192.0.2.{number}"), &page, name, password).await;
            seen.insert(told(&answer, name));
        }
    }
    assert_eq!(seen.len(), 1, "{seen:#?}");
    assert!(seen.iter().all(|told| told.starts_with("401") && !told.contains("set-cookie")), "{seen:#?}");

    // Nor does the limit tell: every name has one.
    let mut seen = BTreeSet::new();
    for (number, (name, _)) in people.iter().enumerate() {
        for _ in 0..8 {
            try_from(&server, &format!("198.51.100.{number}"), &page, name, &long).await;
        }
        let answer = try_from(&server, &format!("198.51.100.{number}"), &page, name, PASSWORD).await;
        seen.insert(told(&answer, name));
    }
    assert_eq!(seen.len(), 1, "{seen:#?}");
    assert!(seen.iter().all(|told| told.starts_with("429")), "{seen:#?}");
}

/// All of an answer that could differ, without the typed name and the date.
fn told(answer: &Answer, name: &str) -> String {
    let mut headers: Vec<_> = answer.headers.iter().filter(|(name, _)| *name != "date").collect();
    headers.sort_by_key(|(name, _)| name.as_str());
    let body = answer.text().replace(&format!("value=\"{name}\""), "value=\"\"");
    format!("{} {headers:?} {body}", answer.status.as_u16())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_web_15_fifty_guesses_at_once_from_fifty_addresses_never_exceed_what_a_name_allows() {
    let server = behind_a_proxy().await;
    let page = Page::open(&server).await;
    let barrier = Arc::new(Barrier::new(50));
    let mut guesses = JoinSet::new();
    for number in 0..50 {
        let (server, page, barrier) = (Arc::clone(&server), page.clone(), Arc::clone(&barrier));
        guesses.spawn(async move {
            barrier.wait().await;
            try_from(&server, &format!("192.0.2.{number}"), &page, "alice", "a wrong one").await
        });
    }
    let answers = guesses.join_all().await;
    assert_eq!((statuses(&answers, 401), statuses(&answers, 429)), (10, 40));
    let failures = server.audit().into_iter().filter(|row| row.0 == "user.login.failure").count();
    assert_eq!(failures, 10, "what is not looked at does not fill the log");
    // The right password does not help a stranger's browser either, or the limit would not limit.
    assert_eq!(try_from(&server, "192.0.2.99", &page, "alice", PASSWORD).await.status.as_u16(), 429);
    server.advance(6);
    let answer = try_from(&server, "192.0.2.99", &page, "alice", PASSWORD).await;
    assert_eq!(answer.status.as_u16(), 303, "nobody is locked out for good");
}

#[tokio::test]
async fn a_web_15_17_18_an_address_has_one_budget_however_it_is_written_and_whoever_signs_in_between() {
    let server = behind_a_proxy().await;
    let page = Page::open(&server).await;
    let guess = async |from: &str, name: &str| {
        try_from(&server, from, &page, name, &too_long()).await.status.as_u16()
    };
    for number in 0..50 {
        // One IPv6 /64 is one bucket.
        assert_eq!(guess(&format!("2001:db8::{number:x}"), &format!("n{number}")).await, 401);
        // One IPv4 address is one bucket, in all its spellings.
        let spelling = ["203.0.113.7", "::ffff:203.0.113.7", "203.0.113.7:4711"][number % 3];
        assert_eq!(guess(spelling, &format!("m{number}")).await, 401, "{spelling}");
        // Somebody with an account here who signs in between guesses at the others is slowed down all the same.
        if number % 10 == 9 {
            let own = try_from(&server, "203.0.113.7", &page, "mallory", PASSWORD).await;
            assert_eq!(own.status.as_u16() == 303, number < 49, "{number}");
        }
    }
    for from in ["2001:db8::ffff:ffff", "203.0.113.7", "::ffff:203.0.113.7"] {
        assert_eq!(guess(from, "fresh").await, 429, "{from}");
    }
    assert_eq!(guess("2001:db8:0:1::1", "fresh").await, 401, "the next /64 is somebody else");
    assert_eq!(guess("203.0.113.8", "fresh").await, 401);
    // The proxy itself, which is loopback, is no exception (A-WEB-18).
    for number in 0..50 {
        assert_eq!(guess("not an address", &format!("l{number}")).await, 401);
    }
    assert_eq!(
        guess("not an address", "fresh").await,
        429,
        "what cannot be read counts for the proxy (A-WEB-12)"
    );
    server.advance(36);
    assert_eq!(guess("203.0.113.7", "fresh").await, 401);
    assert_eq!(guess("203.0.113.7", "fresh").await, 429);
}

#[tokio::test]
async fn a_web_12_17_no_header_field_or_spelling_opens_a_new_budget_for_a_name() {
    let server = Server::start().await;
    let page = Page::open(&server).await;
    let spellings =
        ["alice", "ALICE", " alice", "alice ", "\talice\n", "AlIcE", "\u{a0}alice\u{2003}", "alice\r\n"];
    let mut looked_at = 0;
    for number in 0..32 {
        let from = format!("192.0.2.{number}");
        let answer = server
            .post("/login")
            .header("cookie", &page.cookie)
            .header("origin", ISSUER)
            .header("x-forwarded-for", &from)
            .header("x-real-ip", &from)
            .header("forwarded", &format!("for={from}"))
            .form(&[
                ("form_token", page.token.as_str()),
                ("username", spellings[number % spellings.len()]),
                ("password", &too_long()),
                ("nonce", &number.to_string()),
            ])
            .send()
            .await;
        looked_at += usize::from(answer.status.as_u16() == 401);
    }
    assert_eq!(looked_at, 10);
    let mut owner = Browser::new();
    let form = owner.get(&server, "/login").await;
    assert_eq!(owner.sign_in(&server, &form, "alice@x", &too_long()).await.status.as_u16(), 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_web_20_of_two_hundred_sign_ins_at_once_each_is_answered_and_the_server_goes_on() {
    let server = behind_a_proxy().await;
    let page = Page::open(&server).await;
    let barrier = Arc::new(Barrier::new(200));
    let mut crowd = JoinSet::new();
    for number in 0..200 {
        let (server, page, barrier) = (Arc::clone(&server), page.clone(), Arc::clone(&barrier));
        crowd.spawn(async move {
            let (name, password) =
                if number == 0 { ("alice".to_owned(), PASSWORD) } else { (format!("n{number}"), "wrong") };
            barrier.wait().await;
            try_from(&server, &format!("192.0.2.{number}"), &page, &name, password).await
        });
    }
    for answer in crowd.join_all().await {
        let status = answer.status.as_u16();
        assert!(matches!(status, 303 | 401 | 429 | 503), "{status} {}", answer.text());
        assert_eq!(answer.header("retry-after").is_some(), matches!(status, 429 | 503), "{status}");
    }
    assert_eq!(try_from(&server, "192.0.2.201", &page, "bob", PASSWORD).await.status.as_u16(), 303);
    // Whoever was only turned away by the crowd has lost no try.
    assert_eq!(try_from(&server, "192.0.2.0", &page, "alice", PASSWORD).await.status.as_u16(), 303);
}

#[tokio::test]
async fn a_web_01_02_a_sign_in_counts_only_from_our_own_page_in_the_same_browser() {
    let server = Server::start().await;
    let page = Page::open(&server).await;
    let other = Page::open(&server).await;
    let before = server.contents();
    let right = [("username", "alice"), ("password", PASSWORD)];
    for token in [None, Some(""), Some("wrong"), Some(other.token.as_str())] {
        let mut fields = right.to_vec();
        fields.extend(token.map(|token| ("form_token", token)));
        let asked = server.post("/login").header("cookie", &page.cookie).header("origin", ISSUER);
        asked.form(&fields).send().await.assert_problem_page(403);
    }
    assert_eq!(server.contents(), before);
    let mut signed_in = Browser::signed_in(&server, "bob").await;
    let logout = signed_in.get(&server, "/logout").await.field("form_token").expect("a form");
    let fields = [("form_token", logout.as_str()), right[0], right[1]];
    signed_in.post(&server, "/login", &fields).await.assert_problem_page(403);
    let before = server.contents();
    let fields = [("form_token", page.token.as_str()), right[0], right[1]];
    for (header, value) in [
        ("origin", "https://evil.test"),
        ("origin", "null"),
        ("origin", ""),
        ("origin", "https://as.test.evil.test"),
        ("origin", "https://as.test:8443"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ] {
        let asked = server.post("/login").header("cookie", &page.cookie).header(header, value);
        let answer = asked.form(&fields).send().await;
        answer.assert_problem_page(403);
        assert_eq!(answer.header("set-cookie"), None, "{header}: {value}");
    }
    // Without the cookie, the token is worth nothing; a field twice is no field; the URL is no form.
    server.post("/login").form(&fields).send().await.assert_problem_page(403);
    let twice = [fields[0], ("username", "alice"), ("username", "bob"), fields[2]];
    server.post("/login").header("cookie", &page.cookie).form(&twice).send().await.assert_problem_page(400);
    let url =
        format!("/login?form_token={}&username=alice&password=correct+horse+battery+staple", page.token);
    assert_eq!(server.get(&url).header("cookie", &page.cookie).send().await.status.as_u16(), 200);
    let in_url = server.post(&url).header("cookie", &page.cookie).form::<&str, &str>(&[]).send().await;
    in_url.assert_problem_page(403);
    let json = serde_json::json!({ "form_token": page.token, "username": "alice", "password": PASSWORD });
    let answer = server.post("/login").header("cookie", &page.cookie).json(&json).send().await;
    assert_eq!(answer.status.as_u16(), 415);
    assert_eq!(server.contents(), before);
    let done = server.post("/login").header("cookie", &page.cookie).header("origin", ISSUER).form(&fields);
    assert_eq!(done.send().await.status.as_u16(), 303, "the form itself was in order");
}

#[tokio::test]
async fn a_web_05_what_was_planted_before_the_sign_in_opens_nothing_afterwards() {
    let server = Server::start().await;
    let mallory = Browser::signed_in(&server, "mallory").await;
    // Mallory plants her own live session, and an old form, in the browser of alice.
    let mut alice = mallory.clone();
    let page = alice.get(&server, "/logout").await;
    let planted = page.field("form_token").expect("a form");
    let login = ClientApp::fixture("pub").authorize_url(&[("resource", R1), ("prompt", "login")]);
    let page = alice.go(&server, &login).await;
    alice.sign_in(&server, &page, "alice", PASSWORD).await;
    assert!(alice.get(&server, "/account").await.text().contains("alice"));
    assert_eq!(mallory.clone().get(&server, "/account").await.location(), "/login");
    alice.post(&server, "/logout", &[("form_token", &planted)]).await.assert_problem_page(403);
    // Two cookies of one name: none counts, so that whoever can add one cannot choose.
    let both = format!("{}; {SESSION}=planted", alice.cookie());
    assert_eq!(server.get("/account").header("cookie", &both).send().await.location(), "/login");
}

#[tokio::test]
async fn a_session_ends_with_its_time_and_with_its_person() {
    let server = Server::start().await;
    let mut alice = Browser::signed_in(&server, "alice").await;
    let mut bob = Browser::signed_in(&server, "bob").await;
    let (id, now) = (server.user("bob").id, server.now());
    server.command(move |tx| users::disable(tx, &id, now));
    assert_eq!(bob.get(&server, "/account").await.location(), "/login");
    server.advance(14 * 86_400 - 1);
    assert_eq!(alice.get(&server, "/account").await.status.as_u16(), 200);
    server.advance(1);
    assert_eq!(alice.get(&server, "/account").await.location(), "/login");
}

#[tokio::test]
async fn a_web_11_12_30_no_header_says_who_we_are_or_who_somebody_is() {
    let server = Server::start().await;
    let evil = [
        ("x-forwarded-host", "evil.test"),
        ("x-forwarded-proto", "http"),
        ("x-forwarded-prefix", "/evil.test"),
        ("forwarded", "host=evil.test;proto=http"),
        ("x-original-url", "https://evil.test/account"),
        ("x-rewrite-url", "/evil.test"),
        ("host", "evil.test"),
        ("remote-user", "alice"),
        ("x-remote-user", "alice"),
    ];
    let login = ClientApp::fixture("pub").authorize_url(&[("resource", R1)]);
    for path in
        ["/login", "/account", "/logout", "/", login.as_str(), "/.well-known/oauth-authorization-server"]
    {
        let mut asked = server.get(path).header("accept", "text/html");
        for (name, value) in evil {
            asked = asked.header(name, value);
        }
        let answer = asked.send().await;
        assert!(!format!("{:?}{}", answer.headers, answer.text()).contains("evil.test"), "{path}");
        if let Some(location) = answer.header("location") {
            assert!(location.starts_with('/') && !location.starts_with("//"), "{path}: {location}");
        }
        assert!(!answer.text().contains("Signed in as"), "{path}");
    }
}

#[tokio::test]
async fn c_bcp_02_06_a_sign_in_leads_to_our_own_pages_whatever_the_form_says() {
    let server = Server::start().await;
    for target in
        ["https://evil.test", "//evil.test", "/\\evil.test", "javascript:alert(1)", "AAAAAAAAAAAAAAAAAAAAA\n"]
    {
        let mut browser = Browser::new();
        let page = browser.get(&server, "/login").await;
        let token = page.field("form_token").expect("a form");
        let fields = [
            ("form_token", token.as_str()),
            ("username", "alice"),
            ("password", PASSWORD),
            ("authorization", target),
        ];
        browser.post(&server, "/login", &fields).await.assert_problem_page(400);
        assert!(!browser.cookies.contains_key(SESSION), "{target}");
        let more = ["next", "continue", "return_to", "redirect_uri", "url"].map(|name| (name, target));
        let fields: Vec<_> = fields[..3].iter().copied().chain(more).collect();
        let answer = browser.post(&server, "/login", &fields).await;
        assert_eq!((answer.status.as_u16(), answer.location().as_str()), (303, "/account"), "{target}");
    }
}

#[tokio::test]
async fn a_web_06_the_cookies_of_a_page_and_of_a_sign_in_and_their_ages() {
    let server = Server::start().await;
    let mut browser = Browser::new();
    // The harness holds every cookie to its flags.
    let page = browser.get(&server, "/login").await;
    let cookies = |answer: &Answer| {
        let lines = answer.headers.get_all("set-cookie").iter();
        lines.map(|line| line.to_str().expect("ASCII").to_owned()).collect::<Vec<_>>()
    };
    let form = cookies(&page);
    assert_eq!(form.len(), 1, "{form:?}");
    assert!(form[0].starts_with(&format!("{FORM}=vbr_")) && !form[0].contains("Max-Age"), "{form:?}");
    assert!(cookies(&browser.get(&server, "/login").await).is_empty(), "one form cookie is enough");
    let done = cookies(&browser.sign_in(&server, &page, "alice", PASSWORD).await);
    assert_eq!(done.len(), 2, "{done:?}");
    assert!(
        done[0].starts_with(&format!("{SESSION}=vss_")) && done[0].contains("; Max-Age=1209600;"),
        "{done:?}"
    );
    assert!(done[1].starts_with("__Host-vestibule-device=") && !done[1].contains("alice"), "{done:?}");
}

#[tokio::test]
async fn a_web_08_09_every_page_forbids_frames_scripts_and_what_is_not_ours() {
    let server = Server::start().await;
    let mut signed_in = Browser::signed_in(&server, "alice").await;
    let consent = ClientApp::fixture("pub").authorize_url(&[("resource", R1)]);
    let mut pages = vec![signed_in.go(&server, &consent).await];
    for path in ["/account", "/logout", "/consent?authorization=none", "/setup?token=none"] {
        pages.push(signed_in.get(&server, path).await);
    }
    for path in ["/login", "/logout", "/setup", "/oauth/authorize?client_id=nobody"] {
        pages.push(Browser::new().get(&server, path).await);
    }
    let page = Browser::new().get(&server, "/login").await;
    pages.push(Browser::new().sign_in(&server, &page, "alice", PASSWORD).await);
    for page in pages {
        assert!(page.is_html(), "{:?}", page.headers);
        let policy = page.header("content-security-policy").expect("a policy");
        let parts: BTreeSet<_> = policy.split("; ").collect();
        for part in ["default-src 'none'", "style-src 'self'", "base-uri 'none'", "frame-ancestors 'none'"] {
            assert!(parts.contains(part), "{policy}");
        }
        // Chromium applies form-action to the redirect back to the client.
        assert!(!policy.contains("form-action") && !policy.contains("script-src"), "{policy}");
        assert_eq!(page.header("referrer-policy"), Some("same-origin"));
        assert_eq!(page.header("cache-control"), Some("no-store"));
        let text = page.text();
        assert!(!text.contains("<script") && !text.contains("style=") && !text.contains("<style"), "{text}");
        for attribute in [" src=\"", " href=\"", " action=\""] {
            for rest in text.split(attribute).skip(1) {
                assert!(
                    rest.starts_with('/') && !rest.starts_with("//") || rest.starts_with("data:image/svg"),
                    "{rest}"
                );
            }
        }
    }
}
