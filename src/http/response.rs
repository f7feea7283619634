//! What a handler answers: a value until the server writes it.

use std::borrow::Cow;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Frame, SizeHint};
use hyper::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION,
    PRAGMA, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use serde::Serialize;

use super::{Status, Stream};

const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// No script, no frame, nothing from elsewhere. There is no `form-action`: Chromium applies it to the
/// redirects that follow a form, and would block the way back to the client.
const PAGE_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'",
);

/// A response.
#[derive(Debug)]
pub struct Response {
    status: Status,
    headers: HeaderMap,
    body: Content,
    reason: Option<Cow<'static, str>>,
}

#[derive(Debug)]
enum Content {
    Whole(Bytes),
    Streamed(Stream),
}

/// A response's body as hyper takes it.
#[derive(Debug)]
pub(crate) enum Answer {
    /// All of it at once.
    Whole(Full<Bytes>),
    /// Piece by piece.
    Streamed(Stream),
}

impl Body for Answer {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match self.get_mut() {
            Self::Whole(body) => Pin::new(body).poll_frame(cx).map_err(|never| match never {}),
            Self::Streamed(body) => Pin::new(body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(body) => body.is_end_stream(),
            Self::Streamed(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(body) => body.size_hint(),
            Self::Streamed(body) => body.size_hint(),
        }
    }
}

impl Response {
    /// An answer without a body.
    pub fn new(status: Status) -> Self {
        let mut headers = HeaderMap::with_capacity(4);
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        Self { status, headers, body: Content::Whole(Bytes::new()), reason: None }
    }

    /// A value as JSON. One that cannot be written as JSON is our fault, and answers 500.
    pub fn json<T: Serialize>(status: Status, value: &T) -> Self {
        match serde_json::to_vec(value) {
            Ok(bytes) => Self::json_bytes(status, bytes.into()),
            Err(fault) => {
                let body = Bytes::from_static(br#"{"error":"server_error"}"#);
                Self::json_bytes(Status::INTERNAL_SERVER_ERROR, body)
                    .because(format!("an answer could not be written as JSON: {fault}"))
            }
        }
    }

    /// JSON that is already written; nothing is copied.
    pub fn json_bytes(status: Status, bytes: Bytes) -> Self {
        Self::typed(status, JSON, bytes)
    }

    /// A page, with the headers that keep it from being framed, sniffed or scripted. Other sites learn nothing from
    /// `Referer`; with `no-referrer` browsers would hide the `Origin` of our own forms from us as well.
    pub fn html(status: Status, page: String) -> Self {
        let mut response =
            Self::typed(status, HeaderValue::from_static("text/html; charset=utf-8"), page.into());
        response.headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
        response.headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
        response.headers.insert(CONTENT_SECURITY_POLICY, PAGE_POLICY);
        response
    }

    /// Plain text.
    pub fn text(status: Status, text: impl Into<Bytes>) -> Self {
        Self::typed(status, HeaderValue::from_static("text/plain; charset=utf-8"), text.into())
    }

    /// Anything else, such as a style sheet. `content_type` is a constant of ours.
    ///
    /// # Panics
    /// If `content_type` is not visible ASCII.
    pub fn bytes(status: Status, content_type: &'static str, bytes: impl Into<Bytes>) -> Self {
        Self::typed(status, HeaderValue::from_static(content_type), bytes.into())
    }

    /// 303, so that the browser goes on with GET and never repeats a body elsewhere. A location that is no
    /// plain URI text answers 400 instead.
    pub fn see_other(location: &str) -> Self {
        let is_plain = !location.is_empty() && location.bytes().all(|byte| byte.is_ascii_graphic());
        match HeaderValue::from_str(location) {
            Ok(value) if is_plain => {
                let mut response = Self::new(Status::SEE_OTHER);
                response.headers.insert(LOCATION, value);
                response
            }
            _ => {
                let body = concat!(
                    r#"{"error":"invalid_request","#,
                    r#""error_description":"The address to go on to cannot be written in a header."}"#
                );
                Self::json_bytes(Status::BAD_REQUEST, Bytes::from_static(body.as_bytes()))
                    .because("the location is no legal header value")
            }
        }
    }

    /// An answer that comes from elsewhere: its headers as they are, and its body as it arrives.
    pub fn streamed(status: Status, headers: HeaderMap, body: Stream) -> Self {
        Self { status, headers, body: Content::Streamed(body), reason: None }
    }

    fn typed(status: Status, content_type: HeaderValue, body: Bytes) -> Self {
        let mut response = Self::new(status);
        response.headers.insert(CONTENT_TYPE, content_type);
        response.body = Content::Whole(body);
        response
    }

    /// Appends a header. A value that cannot stand in a header is left out and noted in the log, by name
    /// only: the value may be a secret.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        match (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value)) {
            (Ok(name), Ok(value)) => {
                self.headers.append(name, value);
            }
            _ => tracing::warn!(header = name, "a response header was left out: its value is not legal"),
        }
        self
    }

    /// Forbids every cache to keep this answer (RFC 6749 5.1).
    #[must_use]
    pub fn no_store(mut self) -> Self {
        self.headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        self.headers.insert(PRAGMA, HeaderValue::from_static("no-cache"));
        self
    }

    /// Says to the operator why; only the log line shows it.
    #[must_use]
    pub fn because(mut self, reason: impl Into<Cow<'static, str>>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    /// The status.
    pub fn status(&self) -> Status {
        self.status
    }

    /// A header's first value, if it is visible ASCII.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The reason for the log, which the wire never sees.
    pub(crate) fn take_reason(&mut self) -> Option<Cow<'static, str>> {
        self.reason.take()
    }

    /// For the wire. `companion` is dropped when a streamed body has ended, and at once otherwise.
    pub(crate) fn into_hyper(self, companion: impl Send + Unpin + 'static) -> hyper::Response<Answer> {
        let body = match self.body {
            Content::Whole(bytes) => Answer::Whole(Full::new(bytes)),
            Content::Streamed(stream) => Answer::Streamed(stream.with(companion)),
        };
        let mut response = hyper::Response::new(body);
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_goes_only_where_a_header_can_say() {
        let response = Response::see_other("https://app.test/cb?code=1");
        assert_eq!(response.status(), Status::SEE_OTHER);
        assert_eq!(response.header("location"), Some("https://app.test/cb?code=1"));
        for location in
            ["", "https://app.test/\r\nSet-Cookie: a=b", "https://app.test/ b", "https://app.test/é"]
        {
            let response = Response::see_other(location);
            assert_eq!(response.status(), Status::BAD_REQUEST, "{location:?}");
            assert_eq!(response.header("location"), None);
        }
    }

    #[test]
    fn headers_are_appended_and_never_split() {
        let response = Response::new(Status::OK)
            .with_header("set-cookie", "a=1")
            .with_header("Set-Cookie", "b=2")
            .with_header("set-cookie", "c=3\r\nx: y");
        let cookies = response.headers.get_all("set-cookie").iter().collect::<Vec<_>>();
        assert_eq!(cookies, ["a=1", "b=2"]);
    }

    #[test]
    fn a_value_that_is_no_json_is_a_server_error() {
        let broken = std::collections::BTreeMap::from([((1, 2), 3)]);
        let response = Response::json(Status::OK, &broken);
        assert_eq!(response.status(), Status::INTERNAL_SERVER_ERROR);
        let Content::Whole(body) = response.body else { panic!("a body that streams") };
        assert_eq!(&body[..], br#"{"error":"server_error"}"#);
    }

    #[test]
    fn every_answer_forbids_sniffing_and_a_page_forbids_framing() {
        assert_eq!(Response::new(Status::OK).header("x-content-type-options"), Some("nosniff"));
        let page = Response::html(Status::OK, String::new());
        assert_eq!(page.header("x-frame-options"), Some("DENY"));
        assert_eq!(page.header("referrer-policy"), Some("same-origin"));
        let policy = page.header("content-security-policy").unwrap();
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"));
        assert!(!policy.contains("form-action"));
    }
}
