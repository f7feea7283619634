//! A JSON document as clients read it, and in which way it is none.

use std::fmt;

use serde_json::{Map, Value};
use url::Url;

use crate::outgoing::{BodyEnd, ProbeAnswer, ProbeRefusal};

/// What was asked for, or why nothing came.
pub(super) type Heard = Result<ProbeAnswer, ProbeRefusal>;

/// A JSON object.
#[derive(Clone, Debug)]
pub(super) struct Document(Map<String, Value>);

/// Why there is no document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NoDocument {
    /// Nothing was answered.
    Unanswered(ProbeRefusal),
    /// There is none, by this status.
    Status(u16),
    /// It is said to be elsewhere.
    Redirect(u16, String),
    /// A page.
    Html,
    /// Another type, or none.
    OtherType(String),
    /// Compressed, although nothing was to be.
    Encoded(String),
    /// Not all of it came, and why.
    Unfinished(&'static str),
    /// JSON by its type, and not by itself.
    NotJson,
    /// JSON, and no object.
    NotAnObject,
}

impl fmt::Display for NoDocument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unanswered(why) => why.fmt(f),
            Self::Status(status) => write!(f, "{status}"),
            Self::Redirect(status, to) => write!(f, "{status}, a redirect to {to}"),
            Self::Html => f.write_str("200, with an HTML page in place of JSON"),
            Self::OtherType(media_type) if media_type.is_empty() => {
                f.write_str("200, without a Content-Type")
            }
            Self::OtherType(media_type) => write!(f, "200, as {media_type} in place of application/json"),
            Self::Encoded(encoding) => write!(f, "200, compressed ({encoding}) although it was not to be"),
            Self::Unfinished(why) => write!(f, "200, but {why}"),
            Self::NotJson => f.write_str("200, but what it sends as JSON is none"),
            Self::NotAnObject => f.write_str("200, but its JSON is no object"),
        }
    }
}

impl NoDocument {
    /// What the owner of `url` can do.
    pub(super) fn mend(&self, url: &Url) -> String {
        let path = url.path();
        match self {
            Self::Unanswered(_) => format!("See the log of the reverse proxy and of the server for {path}."),
            Self::Status(401 | 403) => format!(
                "Let everybody read {url} without signing in: take the reverse proxy's login off /.well-known/ (nginx: \
                 auth_request off; Traefik: a router without forwardAuth; Caddy: forward_auth for other paths only)."
            ),
            Self::Status(404 | 405 | 410) => format!(
                "Serve the document at {url}; if the server does, let the reverse proxy hand /.well-known/ on to it."
            ),
            Self::Status(500..=599) => {
                format!("See the server's log for {path}: clients stop at a 5xx, and try no other URL.")
            }
            Self::Status(_) => format!("Answer {url} with 200 and the document, or with 404."),
            Self::Redirect(..) => {
                format!(
                    "Answer {url} itself, without a redirect: not to a login page, not to https, not to a slash."
                )
            }
            Self::Html => format!(
                "Hand {path} on to the server before the web app's catch-all sees it (nginx: location /.well-known/ with \
                 proxy_pass; Caddy: handle /.well-known/* first; Traefik: a router for PathPrefix(`/.well-known/`) with a \
                 higher priority)."
            ),
            Self::OtherType(_) => "Send it with Content-Type: application/json.".to_owned(),
            Self::Encoded(_) => "Send it uncompressed to whoever says Accept-Encoding: identity.".to_owned(),
            Self::Unfinished(_) => {
                format!("See what stands at {url}: such a document has a few KB, and comes at once.")
            }
            Self::NotJson | Self::NotAnObject => format!("Let {url} answer one JSON object."),
        }
    }
}

impl Document {
    /// The document that was asked for.
    pub(super) fn of(heard: &Heard) -> Result<Self, NoDocument> {
        let answer = heard.as_ref().map_err(|why| NoDocument::Unanswered(why.clone()))?;
        let status = answer.status.as_u16();
        if answer.status.is_redirection() {
            return Err(NoDocument::Redirect(status, location(answer)));
        }
        if status != 200 {
            return Err(NoDocument::Status(status));
        }
        Self::in_body(answer)
    }

    /// The document in an answer of whatever status.
    pub(super) fn in_body(answer: &ProbeAnswer) -> Result<Self, NoDocument> {
        if let Some(encoding) = answer.header("content-encoding").filter(|encoding| *encoding != "identity") {
            return Err(NoDocument::Encoded(encoding.to_owned()));
        }
        if is_html(answer) {
            return Err(NoDocument::Html);
        }
        let media_type = answer.media_type();
        if media_type != "application/json" && !is_json_dialect(&media_type) {
            return Err(NoDocument::OtherType(media_type));
        }
        match answer.end {
            BodyEnd::Complete | BodyEnd::Stream => {}
            BodyEnd::TooLong => return Err(NoDocument::Unfinished("it is longer than 256 KiB")),
            BodyEnd::TooSlow => return Err(NoDocument::Unfinished("it does not come to its end in time")),
            BodyEnd::Broken => return Err(NoDocument::Unfinished("it breaks off")),
        }
        match serde_json::from_slice(&answer.body) {
            Ok(Value::Object(members)) => Ok(Self(members)),
            Ok(_) => Err(NoDocument::NotAnObject),
            Err(_) => Err(NoDocument::NotJson),
        }
    }

    /// A member of whatever kind.
    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// A member that is a text.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str)
    }

    /// Whether a member is `true`.
    pub(super) fn is_true(&self, name: &str) -> bool {
        self.0.get(name).and_then(Value::as_bool) == Some(true)
    }

    /// A member that is a list, with the texts in it.
    pub(super) fn list(&self, name: &str) -> Option<Vec<&str>> {
        let values = self.0.get(name)?.as_array()?;
        Some(values.iter().filter_map(Value::as_str).collect())
    }

    /// The names of the members that are null, and of those of `lists` that are no lists of texts: readers that check
    /// types refuse the whole document for one.
    pub(super) fn ill_typed(&self, lists: &[&str]) -> Vec<String> {
        let nulls =
            self.0.iter().filter(|(_, value)| value.is_null()).map(|(name, _)| format!("{name} is null"));
        let is_list = |value: &Value| value.as_array().is_some_and(|list| list.iter().all(Value::is_string));
        let others = lists
            .iter()
            .filter(|name| self.0.get(**name).is_some_and(|value| !value.is_null() && !is_list(value)))
            .map(|name| format!("{name} is no list of texts"));
        nulls.chain(others).collect()
    }
}

fn is_json_dialect(media_type: &str) -> bool {
    media_type.starts_with("application/") && media_type.ends_with("+json")
}

/// Whether an answer is a page, by its type or by how it begins.
pub(super) fn is_html(answer: &ProbeAnswer) -> bool {
    let start: Vec<u8> = answer.body.iter().copied().skip_while(u8::is_ascii_whitespace).take(14).collect();
    let start = start.to_ascii_lowercase();
    answer.media_type() == "text/html" || start.starts_with(b"<!doctype html") || start.starts_with(b"<html")
}

/// Where a redirect leads.
pub(super) fn location(answer: &ProbeAnswer) -> String {
    answer.header("location").unwrap_or("nowhere").to_owned()
}

/// The title of a page, for a person.
pub(super) fn page_title(answer: &ProbeAnswer) -> Option<String> {
    let text = String::from_utf8_lossy(&answer.body);
    let (_, rest) = text.split_once("<title")?;
    let (_, rest) = rest.split_once('>')?;
    let (title, _) = rest.split_once("</")?;
    let title: String = title.split_whitespace().collect::<Vec<_>>().join(" ");
    (!title.is_empty()).then(|| shortened(&title))
}

/// A stranger's words as one argument of a command, which a person may copy into their shell: it runs nothing of them.
pub(super) fn argument(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/@%+=,".contains(&byte);
    match text.bytes().all(is_plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

/// A stranger's words, no more of them than fit on a line.
pub(super) fn shortened(text: &str) -> String {
    cut(text, 160)
}

/// The beginning of a text, and a sign that it goes on.
pub(super) fn cut(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}
