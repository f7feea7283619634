//! Requests to the servers behind the guard, which their owner named: over connections that are kept, and streaming both
//! ways.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::Body as _;
use hyper::header::{CONNECTION, CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::{Method, Request, StatusCode, Uri};
use hyper_util::client::legacy::connect::{Connected, Connection, capture_connection};
use hyper_util::client::legacy::{Client, Error};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tower_service::Service;

use super::tls::Tls;
use crate::http::{RequestBody, Stream, Taken};

/// From the first look at the name to an open connection.
const CONNECT_TIME: Duration = Duration::from_secs(5);

/// How long a connection is kept without use. Node closes its side after five seconds, and a request that meets the
/// closing is lost.
const IDLE_TIME: Duration = Duration::from_secs(4);

/// After how long a silence the other side is asked whether it is still there.
const KEEPALIVE: Duration = Duration::from_secs(60);

/// The connections to the servers behind.
pub struct Upstreams {
    client: Client<Connector, RequestBody>,
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
        let connector = Connector { tls: Arc::new(Tls::new(own_roots)) };
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIME)
            .set_host(false)
            .build(connector);
        Self { client, first_byte }
    }

    /// Sends a request, and waits for the head of the answer. Dropped, it ends the request at the server behind as well.
    pub async fn send(&self, outbound: Outbound) -> Result<Reply, UpstreamRefusal> {
        let Outbound { method, uri, headers, body } = outbound;
        let taken = body.taken();
        let framing = framing(&method, &body);
        let is_head = method == Method::HEAD;
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() =
            uri.parse().map_err(|_| UpstreamRefusal::Broken("its URL cannot be sent".to_owned()))?;
        *request.headers_mut() = headers;
        request.headers_mut().extend(framing);
        if is_head {
            request.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        let connection = capture_connection(&mut request);
        let response =
            self.in_time(self.client.request(request), &taken).await?.map_err(|why| refusal(&why))?;
        let (head, body) = response.into_parts();
        // Some servers send a body all the same, a moment later, and it would be taken for somebody else's answer.
        let has_no_body = is_head || matches!(head.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        if has_no_body && let Some(connection) = connection.connection_metadata().as_ref() {
            connection.poison();
        }
        let broken = |why: &str| Err(UpstreamRefusal::Broken(why.to_owned()));
        if head.status.is_informational() {
            return broken("it changed the protocol, which nobody asked for");
        }
        if !is_well_framed(&head.headers) {
            return broken("its answer's length is given in two ways");
        }
        Ok(Reply { status: head.status, headers: head.headers, body: Stream::new(body) })
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

fn refusal(why: &Error) -> UpstreamRefusal {
    if why.is_connect() {
        return UpstreamRefusal::Unreachable(innermost(why));
    }
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(why);
    while let Some(cause) = source {
        if cause.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_user) {
            return UpstreamRefusal::BodyBroken;
        }
        source = cause.source();
    }
    UpstreamRefusal::Broken(innermost(why))
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

/// Opens connections, with TLS where the URL says so.
#[derive(Clone)]
struct Connector {
    tls: Arc<Tls>,
}

impl Service<Uri> for Connector {
    type Response = Wire;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Wire>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let tls = Arc::clone(&self.tls);
        Box::pin(async move {
            let opened = tokio::time::timeout(CONNECT_TIME, open(&uri, &tls)).await;
            opened.unwrap_or_else(|_| {
                Err(io::Error::new(io::ErrorKind::TimedOut, "no connection in five seconds"))
            })
        })
    }
}

async fn open(uri: &Uri, tls: &Tls) -> io::Result<Wire> {
    let host = uri.host().ok_or_else(|| io::Error::other("the URL has no host"))?;
    let is_tls = uri.scheme_str() == Some("https");
    let port = uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let stream = TcpStream::connect((bare, port)).await?;
    stream.set_nodelay(true)?;
    // A stream of events may be silent for hours, and its server may be gone.
    SockRef::from(&stream).set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE))?;
    if is_tls {
        return Ok(Wire::Tls(Box::new(TokioIo::new(tls.connect(host, stream).await?))));
    }
    Ok(Wire::Plain(TokioIo::new(stream)))
}

/// An open connection.
enum Wire {
    Plain(TokioIo<TcpStream>),
    Tls(Box<TokioIo<TlsStream<TcpStream>>>),
}

impl Connection for Wire {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl Read for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_read(cx, buffer),
        }
    }
}

impl Write for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_shutdown(cx),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_write_vectored(cx, slices),
        }
    }
}
