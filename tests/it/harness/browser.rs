//! A person's browser: cookies, redirects within our origin, forms by name.

use std::collections::BTreeMap;

use super::server::{ISSUER, PASSWORD};
use super::{Answer, Server};

/// A browser with its own cookies. Cloning it copies them, as a second tab shares them.
#[derive(Clone, Debug, Default)]
pub struct Browser {
    pub cookies: BTreeMap<String, String>,
}

impl Browser {
    pub fn new() -> Self {
        Self::default()
    }

    /// A browser in which somebody of the fixtures has signed in.
    pub async fn signed_in(server: &Server, name: &str) -> Self {
        let mut browser = Self::new();
        let page = browser.get(server, "/login").await;
        let answer = browser.sign_in(server, &page, name, PASSWORD).await;
        assert_eq!(answer.status.as_u16(), 303, "{name} cannot sign in: {}", answer.text());
        browser
    }

    /// GET, without following anything.
    pub async fn get(&mut self, server: &Server, target: &str) -> Answer {
        let answer =
            server.get(target).header("accept", "text/html").header("cookie", &self.cookie()).send().await;
        self.keep(&answer);
        answer
    }

    /// GET, and on through our own pages until a page or another origin.
    pub async fn go(&mut self, server: &Server, target: &str) -> Answer {
        let mut answer = self.get(server, target).await;
        for _ in 0..10 {
            match own_path(&answer) {
                Some(path) => answer = self.get(server, &path).await,
                None => return answer,
            }
        }
        panic!("redirects without end: {}", answer.location());
    }

    /// POST as a browser does from one of our pages, without following anything.
    pub async fn post<V: AsRef<str>>(
        &mut self,
        server: &Server,
        target: &str,
        fields: &[(&str, V)],
    ) -> Answer {
        let answer = server
            .post(target)
            .header("accept", "text/html")
            .header("cookie", &self.cookie())
            .header("origin", ISSUER)
            .header("sec-fetch-site", "same-origin")
            .form(fields)
            .send()
            .await;
        self.keep(&answer);
        answer
    }

    /// Fills in the sign-in form.
    pub async fn sign_in(&mut self, server: &Server, page: &Answer, name: &str, password: &str) -> Answer {
        let token = page.field("form_token").expect("the page has a form");
        let waiting = ["authorization", "to", "state"].map(|name| (name, page.field(name)));
        let waiting = waiting.iter().filter_map(|(name, value)| Some((*name, value.as_deref()?)));
        let typed = [("form_token", token.as_str()), ("username", name), ("password", password)];
        let fields: Vec<(&str, &str)> = typed.into_iter().chain(waiting).collect();
        self.post(server, "/login", &fields).await
    }

    /// Answers the consent page, and goes on until the client's redirect.
    pub async fn decide(&mut self, server: &Server, page: &Answer, decision: &str) -> Answer {
        let token = page.field("form_token").unwrap_or_else(|| panic!("no consent page: {}", page.text()));
        let authorization = page.field("authorization").expect("the page names its request");
        let fields =
            [("form_token", token.as_str()), ("authorization", &authorization), ("decision", decision)];
        let answer = self.post(server, "/consent", &fields).await;
        match own_path(&answer) {
            Some(path) => self.go(server, &path).await,
            None => answer,
        }
    }

    /// Goes to an authorization URL, signs in if asked, allows if asked, and ends at the client's redirect or at a
    /// problem.
    pub async fn allow(&mut self, server: &Server, target: &str, name: &str) -> Answer {
        let mut page = self.go(server, target).await;
        if page.status.as_u16() == 200 && page.field("password").is_some() {
            let answer = self.sign_in(server, &page, name, PASSWORD).await;
            page = match own_path(&answer) {
                Some(path) => self.go(server, &path).await,
                None => answer,
            };
        }
        if page.status.as_u16() == 200 { self.decide(server, &page, "allow").await } else { page }
    }

    pub fn cookie(&self) -> String {
        self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }

    /// Keeps the cookies of an answer.
    pub fn keep(&mut self, answer: &Answer) {
        for line in answer.headers.get_all("set-cookie") {
            let line = line.to_str().expect("a cookie is ASCII");
            for attribute in ["; HttpOnly", "; Path=/", "; SameSite=Lax", "; Secure"] {
                assert!(line.contains(attribute), "A-WEB-06: {attribute} is missing in {line}");
            }
            assert!(line.starts_with("__Host-") && !line.contains("Domain"), "A-WEB-06: {line}");
            let (pair, attributes) = line.split_once(';').expect("attributes");
            let (name, value) = pair.split_once('=').expect("name and value");
            if attributes.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
    }
}

/// The path of a redirect to one of our own pages.
pub fn own_path(answer: &Answer) -> Option<String> {
    let location = answer.header("location")?;
    location.starts_with('/').then(|| location.to_owned())
}
