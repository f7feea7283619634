//! A request as handlers see it: the head as it came, and a body that arrives in time and in measure.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::Uri;
use hyper::body::{Body as _, Incoming};
use hyper::header::{ACCEPT, CONTENT_ENCODING, HeaderMap};

use super::{Form, Link, Malformed, Method, RequestBody, Status, content_type, cookie};

/// A request whose head has passed the screen.
#[derive(Debug)]
pub struct Request {
    inner: hyper::Request<Incoming>,
    link: Arc<Link>,
}

/// A request's head, taken apart.
#[derive(Debug)]
pub struct Head {
    /// The method.
    pub method: Method,
    /// The target as it came.
    pub target: Uri,
    /// The headers as they came.
    pub headers: HeaderMap,
}

/// Why a body is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyRefusal {
    /// Longer than the handler's limit.
    TooLarge,
    /// Not there in time.
    TooSlow,
    /// Ended early, or badly chunked.
    Broken,
    /// Compressed; nothing is ever inflated here.
    Encoded,
    /// Not declared as the type that the handler reads.
    WrongType,
    /// A form that cannot be decoded without guessing.
    Malformed(Malformed),
}

impl BodyRefusal {
    /// The status of the answer.
    pub fn status(&self) -> Status {
        match self {
            Self::TooLarge => Status::PAYLOAD_TOO_LARGE,
            Self::TooSlow => Status::REQUEST_TIMEOUT,
            Self::Encoded | Self::WrongType => Status::UNSUPPORTED_MEDIA_TYPE,
            Self::Broken | Self::Malformed(_) => Status::BAD_REQUEST,
        }
    }

    /// A sentence for the caller; it contains nothing of what was sent.
    pub fn describe(&self) -> &'static str {
        match self {
            Self::TooLarge => "The request body is too large.",
            Self::TooSlow => "The request body did not arrive in time.",
            Self::Broken => "The request body ended early or is badly chunked.",
            Self::Encoded => "Compressed request bodies are not accepted.",
            Self::WrongType => "The Content-Type of the request is not the one that is expected here.",
            Self::Malformed(malformed) => malformed.describe(),
        }
    }
}

impl Request {
    pub(crate) fn new(inner: hyper::Request<Incoming>, link: Arc<Link>) -> Self {
        Self { inner, link }
    }

    /// The method; one of GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS.
    pub fn method(&self) -> &Method {
        self.inner.method()
    }

    /// The target as hyper keeps it, to be shared without copying.
    pub(crate) fn target(&self) -> &Uri {
        self.inner.uri()
    }

    /// The path as it was sent: never normalised, never decoded, always visible ASCII.
    pub fn path(&self) -> &str {
        self.inner.uri().path()
    }

    /// What follows the first `?`, as it was sent; empty if there is none.
    pub fn query(&self) -> &str {
        self.inner.uri().query().unwrap_or_default()
    }

    /// A header's value. `None` if it is absent, given more than once, or not visible ASCII.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.inner.headers().get_all(name).iter();
        match (values.next(), values.next()) {
            (Some(value), None) => value.to_str().ok(),
            _ => None,
        }
    }

    /// The host and port that are asked, as `Host` names them, or as a trusted proxy that changed `Host` says in
    /// `X-Forwarded-Host`. `None` where there is none, or where the target names another one: two readers could differ in
    /// which they believe (RFC 9112 3.2.2).
    pub fn host(&self) -> Option<&str> {
        let host = self.header("host")?;
        if self.inner.uri().authority().is_some_and(|other| !other.as_str().eq_ignore_ascii_case(host)) {
            return None;
        }
        if self.is_from_trusted_proxy() && self.inner.headers().contains_key("x-forwarded-host") {
            return self.header("x-forwarded-host");
        }
        Some(host)
    }

    /// Whether the peer is one of the proxies whose `X-Forwarded-*` is believed.
    pub fn is_from_trusted_proxy(&self) -> bool {
        self.link.proxies().contains(self.link.peer())
    }

    /// The token of an `Authorization: Bearer` header (RFC 6750 2.1): one header, one space, the characters of a token.
    pub fn bearer(&self) -> Option<&str> {
        let (scheme, token) = self.header("authorization")?.split_once(' ')?;
        let known = |b: u8| b.is_ascii_alphanumeric() || b"-._~+/=".contains(&b);
        let is_token = !token.is_empty() && token.bytes().all(known);
        (scheme.eq_ignore_ascii_case("bearer") && is_token).then_some(token)
    }

    /// All headers, except that hyper keeps the body's framing to itself.
    pub fn headers(&self) -> &HeaderMap {
        self.inner.headers()
    }

    /// A cookie's value. `None` if it is absent, or was sent with two different values.
    pub fn cookie(&self, name: &str) -> Option<&str> {
        cookie::find(self.inner.headers(), name)
    }

    /// Who is asking: the peer, or what a trusted proxy says in `X-Forwarded-For`.
    pub fn client_ip(&self) -> IpAddr {
        self.link.proxies().client(self.link.peer(), self.inner.headers())
    }

    /// Whether the caller asked for HTML by name, as browsers do; `*/*` does not ask for it.
    pub fn accepts_html(&self) -> bool {
        let ranges = self.inner.headers().get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
        ranges.flat_map(|value| value.split(',')).any(|range| {
            let mut parts = range.split(';').map(str::trim);
            let is_html = parts.next().is_some_and(|essence| essence.eq_ignore_ascii_case("text/html"));
            is_html && !parts.any(|weight| matches!(weight, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
        })
    }

    /// The body, if it has at most `limit` bytes and arrives in time. A second call finds nothing.
    ///
    /// # Errors
    /// After a [`BodyRefusal`] the rest of the body is never read, and the connection ends with the answer.
    pub async fn body(&mut self, limit: usize) -> Result<Bytes, BodyRefusal> {
        let encodings = self.inner.headers().get_all(CONTENT_ENCODING);
        if encodings.iter().any(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity")) {
            return Err(BodyRefusal::Encoded);
        }
        // A declared length is refused before a byte is read, and before `100 Continue` is sent.
        if self.inner.body().size_hint().lower() > limit as u64 {
            return Err(BodyRefusal::TooLarge);
        }
        let reading = collect(self.inner.body_mut(), limit);
        let bytes = tokio::time::timeout(self.link.body_time(), reading)
            .await
            .map_err(|_| BodyRefusal::TooSlow)??;
        self.link.body_done();
        Ok(bytes)
    }

    /// Head and body apart, for a handler that hands both on.
    pub fn into_parts(self) -> (Head, RequestBody) {
        let (head, body) = self.inner.into_parts();
        let head = Head { method: head.method, target: head.uri, headers: head.headers };
        (head, RequestBody::new(body, self.link))
    }

    /// Says that this answer may take longer than others: it is somebody else's.
    pub fn take_your_time(&self) {
        self.link.be_patient();
    }

    /// The body as a form, if that is what it is declared to be.
    ///
    /// # Errors
    /// As for [`Request::body`], and for another `Content-Type` or a form that cannot be decoded.
    pub async fn form(&mut self, limit: usize) -> Result<Form, BodyRefusal> {
        if !content_type::is_declared(self.inner.headers(), "application/x-www-form-urlencoded") {
            return Err(BodyRefusal::WrongType);
        }
        let body = self.body(limit).await?;
        Form::parse(&body).map_err(BodyRefusal::Malformed)
    }

    /// The bytes of a body that is declared to be JSON. They are not parsed here.
    ///
    /// # Errors
    /// As for [`Request::body`], and for another `Content-Type`.
    pub async fn json(&mut self, limit: usize) -> Result<Bytes, BodyRefusal> {
        if !content_type::is_declared(self.inner.headers(), "application/json") {
            return Err(BodyRefusal::WrongType);
        }
        self.body(limit).await
    }
}

/// Reads to the end. A body in one piece, which is nearly every body, is not copied.
async fn collect(body: &mut Incoming, limit: usize) -> Result<Bytes, BodyRefusal> {
    let first = next_piece(body).await?.unwrap_or_default();
    if first.len() > limit {
        return Err(BodyRefusal::TooLarge);
    }
    let mut whole = match next_piece(body).await? {
        None => return Ok(first),
        Some(second) => {
            let mut whole = BytesMut::from(first);
            whole.extend_from_slice(&second);
            whole
        }
    };
    while whole.len() <= limit {
        match next_piece(body).await? {
            Some(piece) => whole.extend_from_slice(&piece),
            None => return Ok(whole.freeze()),
        }
    }
    Err(BodyRefusal::TooLarge)
}

/// The next piece of data; trailers are ignored.
async fn next_piece(body: &mut Incoming) -> Result<Option<Bytes>, BodyRefusal> {
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame.map_err(|_| BodyRefusal::Broken)?.into_data() {
            return Ok(Some(data));
        }
    }
    Ok(None)
}
