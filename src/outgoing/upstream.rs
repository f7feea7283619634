//! Requests to the servers behind the guard, which their owner named: over connections that are kept, and streaming both
//! ways.

use std::fmt;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::body::{Body as _, Incoming};
use hyper::header::{CONNECTION, CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING};
use hyper::{Method, Request, Response, StatusCode, Uri};

use super::connections::{Answer, Connection, Kept, Place, Unanswered};
use super::tls::Tls;
use crate::http::{RequestBody, Stream, Taken};

/// The connections to the servers behind.
pub struct Upstreams {
    kept: Arc<Kept>,
    tls: Tls,
    first_byte: Duration,
}

/// A request on its way to a server behind.
#[derive(Debug)]
pub struct Outbound {
    /// The method.
    pub method: Method,
    /// Scheme, host, path and query, as the server behind is to see them.
    pub uri: String,
    /// All headers but those that frame the body.
    pub headers: HeaderMap,
    /// The body.
    pub body: RequestBody,
}

/// What a server behind answers: its head, and a body that is still on its way.
#[derive(Debug)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// The headers as they came.
    pub headers: HeaderMap,
    /// The body.
    pub body: Stream,
}

/// Why a server behind has not answered.
#[derive(Debug)]
pub enum UpstreamRefusal {
    /// No connection could be opened, and why.
    Unreachable(String),
    /// Nothing came in time.
    TooSlow,
    /// The connection broke, or what came is no HTTP.
    Broken(String),
    /// The body of the request broke off, or was broken off.
    BodyBroken,
}

impl fmt::Display for UpstreamRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(why) => write!(f, "upstream_unreachable: {why}"),
            Self::TooSlow => f.write_str("upstream_too_slow"),
            Self::Broken(why) => write!(f, "upstream_broken: {why}"),
            Self::BodyBroken => f.write_str("request_body_broken"),
        }
    }
}

impl Upstreams {
    /// `own_roots` is a PEM file of authorities that are trusted besides the system's; `first_byte` is how long a server
    /// may take from the request to the head of its answer.
    pub fn new(own_roots: Option<PathBuf>, first_byte: Duration) -> Self {
        Self { kept: Arc::default(), tls: Tls::new(own_roots), first_byte }
    }

    /// Sends a request, and waits for the head of the answer. Dropped, it ends the request at the server behind as well.
    pub async fn send(&self, outbound: Outbound) -> Result<Reply, UpstreamRefusal> {
        let Outbound { method, uri, headers, body } = outbound;
        let broken = |why: &str| UpstreamRefusal::Broken(why.to_owned());
        let (place, target) = split(&uri).ok_or_else(|| broken("its URL cannot be sent"))?;
        let taken = body.taken();
        let framing = framing(&method, &body);
        let is_head = method == Method::HEAD;
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() = target;
        *request.headers_mut() = headers;
        request.headers_mut().extend(framing);
        if is_head {
            request.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        let (response, connection) = self.in_time(self.ask(&place, request), &taken).await??;
        let (head, body) = response.into_parts();
        if head.status.is_informational() {
            return Err(broken("it changed the protocol, which nobody asked for"));
        }
        if !is_well_framed(&head.headers) {
            return Err(broken("its answer's length is given in two ways"));
        }
        // Some servers send a body all the same, a moment later, and it would be taken for somebody else's answer.
        let has_no_body = is_head || matches!(head.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        let home = (!has_no_body).then(|| (Arc::clone(&self.kept), place));
        let body = Stream::new(Answer::new(body, connection, home));
        Ok(Reply { status: head.status, headers: head.headers, body })
    }

    /// Asks over a connection that was kept, or else over a new one. What may have arrived is not sent again.
    async fn ask(
        &self,
        place: &Place,
        mut request: Request<RequestBody>,
    ) -> Result<(Response<Incoming>, Connection), UpstreamRefusal> {
        while let Some(connection) = self.kept.take(place) {
            match connection.send(request).await {
                Ok(answered) => return Ok(answered),
                // It was closed a moment ago.
                Err(Unanswered::Unsent(unsent)) => request = *unsent,
                Err(Unanswered::Failed(why)) => return Err(refusal(&why)),
            }
        }
        let connection = Connection::open(place, &self.tls).await;
        let connection = connection.map_err(|why| UpstreamRefusal::Unreachable(innermost(&why)))?;
        match connection.send(request).await {
            Ok(answered) => Ok(answered),
            Err(Unanswered::Unsent(_)) => Err(UpstreamRefusal::Broken("it closed the connection".to_owned())),
            Err(Unanswered::Failed(why)) => Err(refusal(&why)),
        }
    }

    /// The time runs from the last moment at which something of the request was taken: a large body is no fault of the
    /// server that it goes to.
    async fn in_time<T>(&self, answer: impl Future<Output = T>, taken: &Taken) -> Result<T, UpstreamRefusal> {
        let mut answer = pin!(answer);
        loop {
            let until = taken.at() + self.first_byte;
            match tokio::time::timeout_at(until, &mut answer).await {
                Ok(answer) => return Ok(answer),
                Err(_) if taken.at() + self.first_byte > until => {}
                Err(_) => return Err(UpstreamRefusal::TooSlow),
            }
        }
    }
}

/// How a body is framed where hyper would leave it to chance.
fn framing(method: &Method, body: &RequestBody) -> Option<(HeaderName, HeaderValue)> {
    match (body.is_end_stream(), body.size_hint().exact()) {
        // RFC 9110 8.6: methods that usually have a body say that there is none.
        (true, _) if matches!(*method, Method::POST | Method::PUT | Method::PATCH) => {
            Some((CONTENT_LENGTH, HeaderValue::from_static("0")))
        }
        // It would be left out of methods that seldom have one.
        (false, None) => Some((TRANSFER_ENCODING, HeaderValue::from_static("chunked"))),
        _ => None,
    }
}

/// Whether all who read an answer agree on where it ends (RFC 9112 6.3): its length is given once, by a number or by
/// chunks. hyper is content with more, and would hand it on.
fn is_well_framed(headers: &HeaderMap) -> bool {
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    match (lengths.next(), codings.next()) {
        (None, None) => true,
        (Some(length), None) => lengths.next().is_none() && length.as_bytes().iter().all(u8::is_ascii_digit),
        (None, Some(coding)) => {
            codings.next().is_none() && coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked")
        }
        (Some(_), Some(_)) => false,
    }
}

fn refusal(why: &hyper::Error) -> UpstreamRefusal {
    match why.is_user() {
        true => UpstreamRefusal::BodyBroken,
        false => UpstreamRefusal::Broken(innermost(why)),
    }
}

/// Where a server is, and what is asked of it there.
fn split(url: &str) -> Option<(Place, Uri)> {
    let parts = url.parse::<Uri>().ok()?.into_parts();
    Some(((parts.scheme?, parts.authority?), parts.path_and_query?.into()))
}

/// The sentence at the bottom of a chain of errors, which says what happened.
fn innermost(why: &dyn std::error::Error) -> String {
    let mut innermost = why.to_string();
    let mut source = why.source();
    while let Some(cause) = source {
        innermost = cause.to_string();
        source = cause.source();
    }
    innermost
}
