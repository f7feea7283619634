//! The person at the browser: follows redirects, keeps cookies, signs in, answers the consent page, and
//! stops where the browser would be sent back to the client.

use std::collections::BTreeMap;

use reqwest::header::{ACCEPT, COOKIE, HeaderMap, LOCATION, ORIGIN, SET_COOKIE};
use reqwest::{Client, Method, StatusCode, redirect};
use url::Url;

use super::forms::Form;

/// More pages and redirects than any sign-in has; more means that it goes in circles.
const MOST_STEPS: usize = 20;

/// Somebody with an account.
#[derive(Clone, Copy)]
pub(crate) struct Person {
    pub(crate) name: &'static str,
    pub(crate) password: &'static str,
}

/// What the person presses on the consent page.
#[derive(Clone, Copy)]
pub(crate) enum Answer {
    Allow,
    Deny,
}

/// Where a visit ended, and what was asked on the way.
#[derive(Debug)]
pub(crate) struct Visit {
    /// The redirect to the client, with all its parameters.
    pub(crate) callback: Url,
    /// The actions of the forms that were sent, in order: `["/login", "/consent"]`.
    pub(crate) forms_sent: Vec<String>,
    /// The last consent page, as HTML.
    pub(crate) consent_page: Option<String>,
}

impl Visit {
    /// The value of a parameter of the callback, if it is there once.
    pub(crate) fn parameter(&self, name: &str) -> Option<String> {
        let mut values = self.callback.query_pairs().filter(|(known, _)| known == name);
        let value = values.next().map(|(_, value)| value.into_owned());
        assert!(values.next().is_none(), "{name} came twice: {}", self.callback);
        value
    }
}

/// A browser with its cookies, in the hands of one person.
pub(crate) struct Browser {
    http: Client,
    cookies: BTreeMap<String, String>,
    person: Person,
}

/// A page, or the redirect to the client.
enum Arrival {
    Page { address: Url, html: String },
    Client(Url),
}

impl Browser {
    pub(crate) fn of(person: Person) -> Self {
        let http = Client::builder().redirect(redirect::Policy::none()).no_proxy().build();
        Self {
            http: http.expect("a client without TLS has nothing to fail on"),
            cookies: BTreeMap::new(),
            person,
        }
    }

    /// Opens an authorization URL and answers what is asked until the browser is sent to `redirect_uri`.
    /// Panics with the page if it finds no form that it knows.
    pub(crate) async fn visit(&mut self, authorize_url: &str, redirect_uri: &str, answer: Answer) -> Visit {
        let client = Url::parse(redirect_uri).expect("the test's redirect URI is a URL");
        let mut forms_sent = Vec::new();
        let mut consent_page = None;
        let mut arrival = self.open(authorize_url, &client).await;
        for _ in 0..MOST_STEPS {
            let (address, html) = match arrival {
                Arrival::Client(callback) => {
                    return Visit { callback, forms_sent, consent_page };
                }
                Arrival::Page { address, html } => (address, html),
            };
            let form = self.filled_in(&html, answer);
            if form.action == "/consent" {
                consent_page = Some(html);
            }
            forms_sent.push(form.action.clone());
            arrival = self.send(&address, &form, &client).await;
        }
        panic!("no end after {MOST_STEPS} pages: {forms_sent:?}");
    }

    /// The form that the person would send on this page.
    fn filled_in(&self, html: &str, answer: Answer) -> Form {
        let mut forms = Form::all_in(html);
        let position = forms.iter().position(|form| matches!(form.action.as_str(), "/login" | "/consent"));
        let Some(position) = position else { panic!("a page without a form that is known:\n{html}") };
        let mut form = forms.swap_remove(position);
        if form.action == "/login" {
            form.set("username", self.person.name);
            form.set("password", self.person.password);
        } else {
            form.set(
                "decision",
                match answer {
                    Answer::Allow => "allow",
                    Answer::Deny => "deny",
                },
            );
        }
        form
    }

    async fn open(&mut self, address: &str, client: &Url) -> Arrival {
        let address = Url::parse(address).expect("an authorization URL is a URL");
        self.request(Method::GET, address, None, client).await
    }

    async fn send(&mut self, page: &Url, form: &Form, client: &Url) -> Arrival {
        let action = page.join(&form.action).expect("a form's action is a URL");
        self.request(Method::POST, action, Some(&form.fields), client).await
    }

    /// One request and the redirects after it.
    async fn request(
        &mut self,
        mut method: Method,
        mut address: Url,
        mut body: Option<&[(String, String)]>,
        client: &Url,
    ) -> Arrival {
        for _ in 0..MOST_STEPS {
            let mut request =
                self.http.request(method.clone(), address.clone()).header(ACCEPT, "text/html,*/*;q=0.8");
            if !self.cookies.is_empty() {
                let cookies: Vec<_> =
                    self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
                request = request.header(COOKIE, cookies.join("; "));
            }
            if let Some(fields) = body {
                request = request
                    .header(ORIGIN, address.origin().ascii_serialization())
                    .header("sec-fetch-site", "same-origin")
                    .form(fields);
            }
            let response = request.send().await.unwrap_or_else(|error| panic!("{address}: {error}"));
            self.keep_cookies(response.headers());
            let status = response.status();
            if !status.is_redirection() {
                let html = response.text().await.expect("a page arrives whole");
                assert_eq!(status, StatusCode::OK, "{method} {address}:\n{html}");
                return Arrival::Page { address, html };
            }
            let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
            let location =
                location.unwrap_or_else(|| panic!("{method} {address}: {status} without Location"));
            address = address.join(location).unwrap_or_else(|error| panic!("Location {location}: {error}"));
            if is_at(&address, client) {
                return Arrival::Client(address);
            }
            // 307 and 308 would send the form again, elsewhere: the password with it.
            assert!(body.is_none() || matches!(status.as_u16(), 302 | 303), "{status} after a form");
            (method, body) = (Method::GET, None);
        }
        panic!("redirected in circles, last to {address}");
    }

    fn keep_cookies(&mut self, headers: &HeaderMap) {
        for header in headers.get_all(SET_COOKIE) {
            let header = header.to_str().expect("cookies are ASCII");
            let (pair, attributes) = header.split_once(';').unwrap_or((header, ""));
            let (name, value) = pair.split_once('=').expect("a cookie has a name and a value");
            let gone = attributes.split(';').any(|one| one.trim().eq_ignore_ascii_case("max-age=0"));
            if gone {
                self.cookies.remove(name.trim());
            } else {
                self.cookies.insert(name.trim().to_owned(), value.trim().to_owned());
            }
        }
    }
}

/// Whether the address is the client's redirect URI, whatever its parameters.
fn is_at(address: &Url, client: &Url) -> bool {
    address.origin() == client.origin() && address.path() == client.path()
}
