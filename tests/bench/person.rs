//! A person with a browser, as far as it takes to sign in, to allow a client, and to bring home refresh tokens.
//! Follows redirects and sends back the forms that it is shown; holds the cookies.

use std::net::SocketAddr;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::{
    digest,
    rand::{SecureRandom, SystemRandom},
};
use url::{Url, form_urlencoded};

use crate::{
    load::Wire,
    requests::{self, TokenAnswer},
};

/// Where the client waits for its answer; nobody listens there, the person reads the address bar.
pub(crate) const REDIRECT_URI: &str = "http://127.0.0.1:7777/callback";
/// Pages and redirects between the first request and the answer to the client, at most.
const STEPS: usize = 12;

/// Who signs in, and for what.
#[derive(Clone)]
pub(crate) struct Person {
    /// The user's name.
    pub(crate) name: String,
    /// The password.
    pub(crate) password: String,
    /// A public client with [`REDIRECT_URI`].
    pub(crate) client_id: String,
    /// The resource that the client asks for.
    pub(crate) resource: String,
    cookies: Vec<(String, String)>,
}

/// What came back to one step in the browser.
struct Page {
    status: u16,
    location: Option<String>,
    body: String,
    in_words: String,
}

/// Where the person is led next.
enum Step {
    Get(String),
    Post(&'static str, Vec<(String, String)>),
    Code(String),
}

impl Person {
    /// Somebody who is not signed in.
    pub(crate) fn new(name: &str, password: &str, client_id: &str, resource: &str) -> Person {
        Person {
            name: name.to_owned(),
            password: password.to_owned(),
            client_id: client_id.to_owned(),
            resource: resource.to_owned(),
            cookies: Vec::new(),
        }
    }

    /// Lets the client in `count` times, each a grant of its own, and hands out their refresh tokens.
    pub(crate) async fn grants(&mut self, address: SocketAddr, count: usize) -> Result<Vec<String>, String> {
        let mut tokens = Vec::with_capacity(count);
        for _ in 0..count {
            let answer = self.grant(address).await.map_err(|reason| format!("sign-in: {reason}"))?;
            tokens.push(answer.refresh_token.ok_or("a code was redeemed without refresh_token")?);
        }
        Ok(tokens)
    }

    /// Lets the client in, and hands out its access token.
    pub(crate) async fn access_token(&mut self, address: SocketAddr) -> Result<String, String> {
        let answer = self.grant(address).await.map_err(|reason| format!("sign-in: {reason}"))?;
        Ok(answer.access_token)
    }

    /// One authorization code flow with PKCE.
    async fn grant(&mut self, address: SocketAddr) -> Result<TokenAnswer, String> {
        let verifier = random_text()?;
        let challenge = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, verifier.as_bytes()).as_ref());
        let query = form_urlencoded::Serializer::new(String::new())
            .extend_pairs([
                ("response_type", "code"),
                ("client_id", &self.client_id),
                ("redirect_uri", REDIRECT_URI),
                ("resource", &self.resource),
                ("state", "bench"),
                ("code_challenge", &challenge),
                ("code_challenge_method", "S256"),
            ])
            .finish();
        let code = self.browse(address, format!("/oauth/authorize?{query}")).await?;
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", REDIRECT_URI),
            ("client_id", &self.client_id),
            ("code_verifier", &verifier),
        ];
        let page = self.step(address, &requests::post("/oauth/token", "", &fields)).await?;
        match page.status {
            200 => requests::token_answer(page.body.as_bytes()),
            _ => Err(format!("/oauth/token {}", page.in_words)),
        }
    }

    /// From the client's link to the code that comes back to it.
    async fn browse(&mut self, address: SocketAddr, link: String) -> Result<String, String> {
        let mut next = Step::Get(link);
        for _ in 0..STEPS {
            let (path, request) = match next {
                Step::Code(code) => return Ok(code),
                Step::Get(path) => {
                    let bytes = with_headers(&requests::get(&path), &self.cookie_line());
                    (path, bytes)
                }
                Step::Post(path, fields) => (path.to_owned(), self.form(address, path, &fields)),
            };
            let page = self.step(address, &request).await?;
            next = self.lead(page).map_err(|reason| format!("{} {reason}", without_query(&path)))?;
        }
        Err(format!("no answer to the client within {STEPS} steps"))
    }

    /// Where a page leads: on, back to the client, or to its form with everything filled in.
    fn lead(&self, page: Page) -> Result<Step, String> {
        if let Some(location) = page.location.filter(|_| (300..400).contains(&page.status)) {
            if location.starts_with(REDIRECT_URI) {
                return code_in(&location).map(Step::Code);
            }
            return local_path(&location).map(Step::Get);
        }
        if page.status != 200 {
            return Err(page.in_words);
        }
        // A page may have other forms, such as the one to sign out.
        let form = |path: &str| hidden_inputs(form_to(&page.body, path).unwrap_or_default());
        if page.body.contains("name=\"decision\"") {
            let mut fields = form("/consent");
            fields.push(("decision".to_owned(), "allow".to_owned()));
            return Ok(Step::Post("/consent", fields));
        }
        if page.body.contains("name=\"password\"") {
            let mut fields = form("/login");
            fields.push(("username".to_owned(), self.name.clone()));
            fields.push(("password".to_owned(), self.password.clone()));
            return Ok(Step::Post("/login", fields));
        }
        Err("showed neither a sign-in nor a consent form".to_owned())
    }

    /// A form with what a browser says of one on the server's own page. The server was started without `--issuer`,
    /// so its origin is its address.
    fn form(&self, address: SocketAddr, path: &str, fields: &[(String, String)]) -> Vec<u8> {
        let fields: Vec<(&str, &str)> =
            fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let cookies = self.cookie_line();
        let headers = format!("Origin: http://{address}\r\nSec-Fetch-Site: same-origin\r\n{cookies}");
        requests::post(path, &headers, &fields)
    }

    /// One request on a connection of its own, and the cookies of its answer.
    async fn step(&mut self, address: SocketAddr, request: &[u8]) -> Result<Page, String> {
        let mut wire = Wire::open(address).await?;
        let answer = wire.exchange(request).await?;
        for cookie in answer.headers("set-cookie") {
            let pair = cookie.split(';').next().unwrap_or_default();
            if let Some((name, value)) = pair.split_once('=') {
                self.cookies.retain(|(known, _)| known != name);
                self.cookies.push((name.to_owned(), value.to_owned()));
            }
        }
        Ok(Page {
            status: answer.status,
            location: answer.headers("location").next().map(str::to_owned),
            body: String::from_utf8_lossy(answer.body).into_owned(),
            in_words: answer.in_words(),
        })
    }

    fn cookie_line(&self) -> String {
        if self.cookies.is_empty() {
            return String::new();
        }
        let pairs: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        format!("Cookie: {}\r\n", pairs.join("; "))
    }
}

/// 43 characters of 256 random bits: a PKCE verifier, or a password.
pub(crate) fn random_text() -> Result<String, String> {
    let mut bytes = [0; 32];
    SystemRandom::new().fill(&mut bytes).map_err(|_| "no randomness")?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

fn with_headers(request: &[u8], lines: &str) -> Vec<u8> {
    let bare = request.strip_suffix(b"\r\n").unwrap_or(request);
    [bare, lines.as_bytes(), b"\r\n"].concat()
}

fn without_query(path: &str) -> &str {
    path.split('?').next().unwrap_or(path)
}

/// Path and query of a redirect to the server itself, absolute or not.
fn local_path(location: &str) -> Result<String, String> {
    if location.starts_with('/') {
        return Ok(location.to_owned());
    }
    let url = Url::parse(location).map_err(|error| format!("redirects to {location:?}: {error}"))?;
    Ok(url.query().map_or(url.path().to_owned(), |query| format!("{}?{query}", url.path())))
}

fn code_in(location: &str) -> Result<String, String> {
    let url = Url::parse(location).map_err(|error| format!("redirects to {location:?}: {error}"))?;
    let found = |wanted: &str| {
        url.query_pairs().find(|(name, _)| name == wanted).map(|(_, value)| value.into_owned())
    };
    found("code").ok_or_else(|| {
        let error = found("error").unwrap_or_default();
        format!("sent the client away with {error}: {}", found("error_description").unwrap_or_default())
    })
}

/// The part of a page that is the form to this path.
fn form_to<'a>(html: &'a str, path: &str) -> Option<&'a str> {
    let (_, rest) = html.split_once(&format!(" action=\"{path}\""))?;
    rest.split("</form>").next()
}

/// Name and value of every hidden input of a form.
fn hidden_inputs(html: &str) -> Vec<(String, String)> {
    html.split("<input")
        .skip(1)
        .filter_map(|rest| {
            let tag = rest.split('>').next()?;
            let hidden = attribute(tag, "type").as_deref() == Some("hidden");
            hidden
                .then(|| Some((attribute(tag, "name")?, attribute(tag, "value").unwrap_or_default())))
                .flatten()
        })
        .collect()
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
    let value = rest.split('"').next()?;
    let plain = value.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&#39;", "'");
    Some(plain.replace("&amp;", "&"))
}

/// Holds the reading of pages against one.
pub(crate) fn check() {
    let page = r#"<form><input type="hidden" name="form_token" value="a&amp;lt;b"><input name="username" type="text">
        <input class="x" type="hidden" name="authorization" value=""></form>"#;
    let expected = [("form_token", "a&lt;b"), ("authorization", "")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(hidden_inputs(page), expected);
    assert_eq!(code_in(&format!("{REDIRECT_URI}?state=s&code=c%2Fd")), Ok("c/d".to_owned()));
    assert!(code_in(&format!("{REDIRECT_URI}?error=access_denied")).is_err());
    assert_eq!(local_path("http://127.0.0.1:1/login?a=b"), Ok("/login?a=b".to_owned()));
}
