//! Set-up: one link, one admin, one hour.

use std::sync::Arc;

use tokio::sync::Barrier;
use tokio::task::JoinSet;
use vestibule::clock::Seconds;
use vestibule::oauth::ids::{UserId, UserName};
use vestibule::oauth::secret::{Secret, SecretKind};
use vestibule::store::setup_link;
use vestibule::store::users::{self, Role, User};

use crate::harness::{Answer, Browser, ISSUER, Server};

/// A server without an admin, and the link that it printed.
async fn without_admin() -> (Arc<Server>, String) {
    let server = Arc::new(Server::start().await);
    let (link, alice) = (Secret::new(SecretKind::SetupLink), server.user("alice").id);
    let (hash, expires) = (link.hash(), server.now().plus(Seconds::hours(1)));
    server.command(move |tx| {
        users::remove(tx, &alice)?;
        setup_link::replace(tx, &hash, expires)
    });
    (server, link.expose().to_owned())
}

/// What a person fills in.
struct Filled {
    browser: Browser,
    token: String,
    link: String,
}

impl Filled {
    async fn open(server: &Server, link: &str) -> Self {
        let mut browser = Browser::new();
        let page = browser.get(server, &format!("/setup?token={link}")).await;
        let token = page.field("form_token").unwrap_or_else(|| panic!("no form: {}", page.text()));
        Self { browser, token, link: link.to_owned() }
    }

    async fn send(&mut self, server: &Server, name: &str, password: &str) -> Answer {
        let fields = [
            ("form_token", self.token.as_str()),
            ("token", &self.link),
            ("username", name),
            ("password", password),
        ];
        self.browser.post(server, "/setup", &fields).await
    }
}

fn admins(server: &Server) -> usize {
    let everybody = server.app.store.read(users::list).expect("the users");
    everybody.iter().filter(|user| user.role == Role::Admin).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_web_27_twenty_set_ups_in_the_same_moment_with_one_name_make_exactly_one_admin() {
    let (server, link) = without_admin().await;
    let barrier = Arc::new(Barrier::new(20));
    let mut attempts = JoinSet::new();
    for number in 0..20 {
        let mut filled = Filled::open(&server, &link).await;
        let (server, barrier) = (Arc::clone(&server), Arc::clone(&barrier));
        attempts.spawn(async move {
            barrier.wait().await;
            let name = if number % 2 == 0 { "root".to_owned() } else { format!("root{number}") };
            let status = filled.send(&server, &name, "12345678").await.status.as_u16();
            (status, filled.browser)
        });
    }
    let answers = attempts.join_all().await;
    let won: Vec<_> = answers.iter().filter(|(status, _)| *status == 303).collect();
    assert_eq!(won.len(), 1);
    assert!(answers.iter().all(|(status, _)| matches!(status, 303 | 400)));
    assert_eq!(admins(&server), 1);
    assert_eq!((server.count("sessions"), server.count("setup_link"), server.count("users")), (1, 0, 3));
    assert_eq!(won[0].1.clone().get(&server, "/account").await.status.as_u16(), 200);
    let rows = server.audit().into_iter().filter(|row| row.0 == "user.setup.completed").count();
    assert_eq!(rows, 1);
}

#[tokio::test]
async fn a_link_is_not_used_up_by_looking_and_is_dead_once_it_is_used() {
    let (server, link) = without_admin().await;
    let path = format!("/setup?token={link}");
    for _ in 0..3 {
        assert_eq!(server.get(&path).send().await.status.as_u16(), 200);
    }
    let mut late = Filled::open(&server, &link).await;
    let mut filled = Filled::open(&server, &link).await;
    assert_eq!(filled.send(&server, "Root", "12345678").await.location(), "/account");
    assert_eq!(server.user("root").role, Role::Admin);
    server.get(&path).send().await.assert_problem_page(400);
    let page = Browser::new().get(&server, &path).await;
    page.assert_problem_page(400);
    assert!(page.text().contains(r#"href="/login">Sign in</a>"#), "the way on: {}", page.text());
    late.send(&server, "other", "12345678").await.assert_problem_page(400);
    filled.send(&server, "other", "12345678").await.assert_problem_page(403);
    assert_eq!(admins(&server), 1);
}

#[tokio::test]
async fn while_there_is_no_admin_the_sign_in_says_how_there_will_be_one() {
    let (server, _link) = without_admin().await;
    assert!(server.get("/login").send().await.text().contains("Open the set-up link"));
    let server = Server::start().await;
    assert!(!server.get("/login").send().await.text().contains("set-up link"));
}

#[tokio::test]
async fn a_link_is_dead_after_an_hour() {
    let (server, link) = without_admin().await;
    server.advance(3599);
    let mut filled = Filled::open(&server, &link).await;
    server.advance(1);
    server.get(&format!("/setup?token={link}")).send().await.assert_problem_page(400);
    let before = server.contents();
    filled.send(&server, "root", "12345678").await.assert_problem_page(400);
    assert_eq!(server.contents(), before);
}

#[tokio::test]
async fn a_web_27_a_link_is_dead_while_there_is_an_admin_whoever_made_them() {
    let (server, link) = without_admin().await;
    let mut filled = Filled::open(&server, &link).await;
    let now = server.now();
    let made = User {
        id: UserId::new(),
        name: UserName::parse("root").expect("a name"),
        email: None,
        role: Role::Admin,
        created_at: now,
        disabled_at: Some(now),
    };
    // Even one who is disabled: the house has an owner.
    server.command(move |tx| users::insert(tx, &made, None).map(drop));
    let before = server.contents();
    server.get(&format!("/setup?token={link}")).send().await.assert_problem_page(400);
    filled.send(&server, "other", "12345678").await.assert_problem_page(400);
    assert_eq!(server.contents(), before);
}

#[tokio::test]
async fn a_new_link_voids_the_one_before_and_a_wrong_one_opens_nothing() {
    let (server, old) = without_admin().await;
    let new = Secret::new(SecretKind::SetupLink);
    let (hash, expires) = (new.hash(), server.now().plus(Seconds::hours(1)));
    server.command(move |tx| setup_link::replace(tx, &hash, expires));
    let before = server.contents();
    for wrong in [old.as_str(), "", "x", &new.expose()[1..], &format!("{}x", new.expose()), "%00"] {
        server.get(&format!("/setup?token={wrong}")).send().await.assert_problem_page(400);
    }
    let twice = format!("/setup?token={0}&token={0}", new.expose());
    server.get(&twice).send().await.assert_problem_page(400);
    assert_eq!(server.contents(), before);
    Filled::open(&server, new.expose()).await;
}

#[tokio::test]
async fn a_web_01_02_a_set_up_counts_only_from_our_own_page_in_the_same_browser() {
    let (server, link) = without_admin().await;
    let filled = Filled::open(&server, &link).await;
    let other = Filled::open(&server, &link).await;
    let before = server.contents();
    let fields = |token: Option<&str>| {
        let mut fields = vec![
            ("token", link.clone()),
            ("username", "root".to_owned()),
            ("password", "12345678".to_owned()),
        ];
        fields.extend(token.map(|token| ("form_token", token.to_owned())));
        fields
    };
    for token in [None, Some(""), Some("wrong"), Some(other.token.as_str())] {
        let asked = server.post("/setup").header("cookie", &filled.browser.cookie()).header("origin", ISSUER);
        asked.form(&fields(token)).send().await.assert_problem_page(403);
    }
    for (header, value) in
        [("origin", "https://evil.test"), ("origin", "null"), ("sec-fetch-site", "cross-site")]
    {
        let asked = server.post("/setup").header("cookie", &filled.browser.cookie()).header(header, value);
        asked.form(&fields(Some(&filled.token))).send().await.assert_problem_page(403);
    }
    assert_eq!(server.contents(), before);
}

#[tokio::test]
async fn a_password_has_8_to_256_characters_of_any_kind_and_works_as_it_was_typed() {
    for password in ["12345678", &"é".repeat(256), "  spaces around  ", "a\u{1}b\u{7f}c\u{1F600}&=+%41"] {
        let (server, link) = without_admin().await;
        let mut filled = Filled::open(&server, &link).await;
        for wrong in ["1234567", "ééééééé", &"é".repeat(257)] {
            let answer = filled.send(&server, "root", wrong).await;
            assert_eq!(answer.status.as_u16(), 400);
            assert!(answer.text().contains("Choose a password") && !answer.text().contains(wrong));
        }
        assert_eq!(filled.send(&server, "root", password).await.location(), "/account", "{password:?}");
        for (typed, status) in [(format!("{password} "), 401), (password.to_owned(), 303)] {
            let mut browser = Browser::new();
            let page = browser.get(&server, "/login").await;
            let answer = browser.sign_in(&server, &page, "root", &typed).await;
            assert_eq!(answer.status.as_u16(), status, "{typed:?}");
        }
    }
}
