//! An answer, and the promises that hold for every answer (the G rules of the attack catalogue).

use serde_json::Value;
use vestibule::http::{HeaderMap, Status};

/// What the server said.
#[derive(Debug)]
pub struct Answer {
    pub status: Status,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    /// Takes an answer in, and holds it to what every answer promises.
    pub fn new(status: Status, headers: HeaderMap, body: Vec<u8>) -> Self {
        let answer = Self { status, headers, body };
        answer.keep_promises();
        answer
    }

    fn keep_promises(&self) {
        let context = || format!("{} {:?} {}", self.status, self.headers, self.text());
        assert_eq!(self.header("x-content-type-options"), Some("nosniff"), "{}", context());
        assert!(!matches!(self.status.as_u16(), 307 | 308), "G3: never 307 or 308: {}", context());
        if self.is_html() {
            let policy = self.header("content-security-policy").unwrap_or_default();
            assert!(
                policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"),
                "G2: {}",
                context()
            );
            assert_eq!(self.header("x-frame-options"), Some("DENY"), "{}", context());
            assert!(self.header("referrer-policy").is_some(), "G2: {}", context());
        }
        if self.status.is_client_error() && self.is_json() && !self.body.is_empty() {
            let body = self.json();
            if body["jsonrpc"] == "2.0" {
                // An MCP client shows these (JSON-RPC 2.0, 5.1). MCP has no null for an id that nobody knows.
                let is_error = body["error"]["code"].is_i64() && body["error"]["message"].is_string();
                assert!(is_error && body.get("id").is_none_or(|id| !id.is_null()), "{}", context());
                return;
            }
            let code = body["error"].as_str().unwrap_or_else(|| panic!("G2: no error: {}", context()));
            let description = body["error_description"].as_str().unwrap_or_default();
            for text in [code, description] {
                let allowed = |b: u8| matches!(b, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e);
                assert!(text.bytes().all(allowed), "C-O21-18: {}", context());
            }
        }
        for leak in ["panicked", "rusqlite", "SQLITE", "select ", ".rs:", "/src/"] {
            assert!(!self.text().contains(leak), "G5: {leak:?} in {}", context());
        }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub fn is_html(&self) -> bool {
        self.header("content-type").is_some_and(|kind| kind.starts_with("text/html"))
    }

    pub fn is_json(&self) -> bool {
        self.header("content-type").is_some_and(|kind| kind.starts_with("application/json"))
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|why| panic!("no JSON ({why}): {}", self.text()))
    }

    /// The `error` word of a JSON refusal.
    pub fn error(&self) -> String {
        self.json()["error"].as_str().unwrap_or_else(|| panic!("no error in {}", self.text())).to_owned()
    }

    /// Asserts a refusal at a machine endpoint: word, the status that belongs to it, JSON, never cached.
    #[track_caller]
    pub fn assert_refused(&self, error: &str) {
        let status = if matches!(error, "invalid_client" | "invalid_token") { 401 } else { 400 };
        assert_eq!((self.error().as_str(), self.status.as_u16()), (error, status), "{}", self.text());
        assert_eq!(self.header("cache-control"), Some("no-store"), "C-O21-16");
        assert_eq!(self.header("www-authenticate").is_some(), status == 401, "C-O21-17");
    }

    /// Asserts a page that tells a person of a problem, from which nobody is sent anywhere (C-BCP-03).
    #[track_caller]
    pub fn assert_problem_page(&self, status: u16) {
        assert_eq!(self.status.as_u16(), status, "{}", self.text());
        assert_eq!(self.header("location"), None);
        assert!(self.is_html() || self.is_json(), "{:?}", self.headers);
        assert!(!self.text().contains("http-equiv"), "no meta refresh");
    }

    /// Where the browser is sent.
    #[track_caller]
    pub fn location(&self) -> String {
        let location = self.header("location");
        location.unwrap_or_else(|| panic!("no Location: {} {}", self.status, self.text())).to_owned()
    }

    /// A parameter of the address that the browser is sent to, decoded; asserts that it is there at most once.
    #[track_caller]
    pub fn location_param(&self, name: &str) -> Option<String> {
        let url = url::Url::parse(&self.location()).expect("an absolute Location");
        let mut values =
            url.query_pairs().filter(|(key, _)| key == name).map(|(_, value)| value.into_owned());
        let value = values.next();
        assert_eq!(values.next(), None, "{name} twice in {url}");
        value
    }

    /// Asserts an error that went to the client by redirect, with `iss` and the given `state` (RFC 9207 2).
    #[track_caller]
    pub fn assert_redirected_error(&self, error: &str, state: Option<&str>) {
        assert_eq!(self.status.as_u16(), 303, "{}", self.text());
        assert_eq!(self.location_param("error").as_deref(), Some(error), "{}", self.location());
        assert_eq!(self.location_param("iss").as_deref(), Some(super::server::ISSUER));
        assert_eq!(self.location_param("state").as_deref(), state);
        assert_eq!(self.location_param("code"), None);
    }

    /// The value of a form's field in the page.
    pub fn field(&self, name: &str) -> Option<String> {
        let text = self.text();
        text.split("<input").skip(1).find_map(|rest| {
            let tag = &rest[..rest.find('>')?];
            let attribute = |key: &str| {
                let start = tag.find(&format!(" {key}=\""))? + key.len() + 3;
                let length = tag[start..].find('"')?;
                Some(unescape(&tag[start..start + length]))
            };
            (attribute("name")? == name).then(|| attribute("value").unwrap_or_default())
        })
    }
}

fn unescape(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&")
}
