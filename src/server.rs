//! Sockets: accept, caps, deadlines, drain; one log line per request.
//!
//! Every request ends in exactly one answer and one line, whatever the handler does: `answer` owns both,
//! so no handler has to remember them. What a request is for is never known here.

use std::borrow::Cow;
use std::cell::Cell;
use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use hyper::Uri;
use hyper::body::{Body as _, Incoming};
use hyper::header::{CONNECTION, HeaderValue, TRANSFER_ENCODING, USER_AGENT};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;

use crate::http::{
    Answer, Deadlines, Link, Method, Refusal, Request, Response, Socket, Status, TrustedProxies, screen,
};

/// After how long a silence the other side is asked whether it is still there, and how often until it is given up.
const KEEPALIVE: TcpKeepalive =
    TcpKeepalive::new().with_time(Duration::from_secs(60)).with_interval(Duration::from_secs(15));

/// How much anybody may ask of the server, and how long anything may take.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections at once; the next ones wait in the kernel's queue.
    pub connections: usize,
    /// The longest request target in bytes.
    pub target_bytes: usize,
    /// The longest request head in bytes, request line included.
    pub header_bytes: usize,
    /// Header lines of one request; more than 100 are never possible.
    pub headers: usize,
    /// From the accept (or the first byte of a later request) to the end of the head.
    pub header_time: Duration,
    /// Between two requests on one connection.
    pub idle_time: Duration,
    /// From the handler's asking for the body to the body's end.
    pub body_time: Duration,
    /// From the end of the head to the handler's answer.
    pub request_time: Duration,
    /// How long a client may take nothing of an answer.
    pub write_stall: Duration,
    /// How long running requests may go on after the shutdown began.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 4096,
            target_bytes: 8 * 1024,
            header_bytes: 16 * 1024,
            headers: 80,
            header_time: Duration::from_secs(10),
            idle_time: Duration::from_secs(60),
            body_time: Duration::from_secs(30),
            request_time: Duration::from_secs(60),
            write_stall: Duration::from_secs(30),
            drain: Duration::from_secs(10),
        }
    }
}

/// What a server is told besides its listener and its handler.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The caps and the deadlines.
    pub limits: Limits,
    /// Whose `X-Forwarded-For` is believed.
    pub proxies: TrustedProxies,
}

/// Answers every request on `listener` with `handler` until `shutdown` is ready, then lets running requests
/// finish for at most `limits.drain`, and returns.
///
/// A handler's future is dropped at any await when its client goes away or its time is up. That is fine
/// for handlers that keep what must not be torn apart in one store transaction, which the store's own thread
/// finishes whether or not anybody waits for it.
pub async fn serve<H, F>(
    listener: TcpListener,
    settings: Settings,
    handler: H,
    shutdown: impl Future<Output = ()>,
) where
    H: Fn(Request) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response> + Send + 'static,
{
    let Settings { limits, proxies } = settings;
    let (limits, proxies) = (Arc::new(limits), Arc::new(proxies));
    let slots = Arc::new(Semaphore::new(limits.connections));
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        let (stream, peer, slot) = tokio::select! {
            () = &mut shutdown => break,
            Some(_) = connections.join_next() => continue,
            next = next_connection(&listener, &slots) => next,
        };
        let link = Arc::new(Link::new(peer, Arc::clone(&proxies), limits.body_time));
        let conversation = converse(stream, link, Arc::clone(&limits), handler.clone(), graceful.watcher());
        connections.spawn(async move {
            conversation.await;
            drop(slot);
        });
    }
    drop(listener);
    if tokio::time::timeout(limits.drain, graceful.shutdown()).await.is_err() {
        tracing::warn!(connections = connections.len() as u64, "still busy after the drain time: cut off");
    }
    connections.shutdown().await;
}

/// The next connection, once there is room for it.
async fn next_connection(
    listener: &TcpListener,
    slots: &Arc<Semaphore>,
) -> (TcpStream, SocketAddr, OwnedSemaphorePermit) {
    let slot = loop {
        // The semaphore is never closed, so this ends at the first turn.
        if let Ok(slot) = Arc::clone(slots).acquire_owned().await {
            break slot;
        }
    };
    let mut has_complained = false;
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => return (stream, peer, slot),
            Err(fault) if is_about_one_connection(&fault) => {}
            Err(fault) => {
                // Usually no file descriptors are left. Open connections go on and will free some.
                if !has_complained {
                    tracing::error!(%fault, "cannot accept connections; trying again ten times a second");
                    has_complained = true;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

fn is_about_one_connection(fault: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(fault.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

/// Speaks HTTP/1.1 on a connection until one of both sides ends it.
async fn converse<H, F>(stream: TcpStream, link: Arc<Link>, limits: Arc<Limits>, handler: H, stop: Watcher)
where
    H: Fn(Request) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response> + Send + 'static,
{
    // Small answers leave at once, and a client that is gone without a word is noticed though nothing is sent to it. A
    // socket that cannot do that is about to fail anyway.
    let _ = stream.set_nodelay(true);
    let _ = SockRef::from(&stream).set_tcp_keepalive(&KEEPALIVE);
    let deadlines = Deadlines {
        head: limits.header_time,
        idle: limits.idle_time,
        write_stall: limits.write_stall,
        target_bytes: limits.target_bytes,
        head_bytes: limits.header_bytes,
    };
    // Room for a head that is too long, so that it gets a proper answer.
    let buffer = 2 * limits.header_bytes + limits.target_bytes.max(8 * 1024);
    let io = TokioIo::new(Socket::new(stream, Arc::clone(&link), deadlines));
    let requests = Cell::new(0);
    let service = service_fn(move |request| {
        let number = requests.replace(requests.get() + 1);
        answer(request, number, &handler, &link, &limits)
    });
    let connection = http1::Builder::new()
        // The socket has its own deadlines; hyper's would cut off a connection between two requests.
        .header_read_timeout(None)
        .max_buf_size(buffer)
        .serve_connection(io, service);
    // A connection that breaks is the client's affair: it was either answered or is gone.
    let _ = stop.watch(connection).await;
}

/// One request, one answer, one line.
///
/// The handler's future is boxed: those of a whole application are kilobytes, and hyper moves what it is
/// given several times.
fn answer<H, F>(
    request: hyper::Request<Incoming>,
    number: u64,
    handler: &H,
    link: &Arc<Link>,
    limits: &Limits,
) -> impl Future<Output = Result<hyper::Response<Answer>, Infallible>> + use<H, F>
where
    H: Fn(Request) -> F,
    F: Future<Output = Response>,
{
    link.begin_answer(!request.body().is_end_stream());
    let screened = match link.bad_head(number) {
        Some(refusal) => Err(refusal),
        None => screen(&request, limits.headers),
    };
    // Behind a chunked body the socket's watch is blind, so nothing may follow; nor after a refusal.
    let is_last = screened.is_err() || request.headers().contains_key(TRANSFER_ENCODING);
    let request = Request::new(request, Arc::clone(link));
    let line = RequestLine::begin(&request);
    let handled = match screened {
        Ok(()) => catch_unwind(AssertUnwindSafe(|| Box::pin(handler(request)))).map_err(|_| panicked()),
        Err(refusal) => Err(turn_away(refusal)),
    };
    let (link, request_time) = (Arc::clone(link), limits.request_time);
    async move {
        let mut response = match handled {
            Ok(handled) => in_time(handled, request_time, &link).await,
            Err(response) => response,
        };
        let is_body_unread = link.is_body_pending();
        let line = line.answered(response.status(), response.take_reason());
        // A whole answer ends here; one that streams ends, and has its line, when the last piece is out.
        let mut response = response.into_hyper(Ending { link, line });
        if is_last || is_body_unread {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        Ok(response)
    }
}

/// When to try again what took too long: it was given up, but the work behind it may go on for a moment.
const RETRY_AFTER: &str = "5";

/// What is due when an answer has left.
struct Ending {
    link: Arc<Link>,
    #[expect(dead_code, reason = "it is written when it is dropped")]
    line: RequestLine,
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.link.end_answer();
    }
}

/// The handler's answer; 503 if it takes too long without having said that it may, and 500 if it panics: one broken
/// request must not take the others of its connection with it.
async fn in_time<F: Future<Output = Response>>(
    mut handled: Pin<Box<F>>,
    request_time: Duration,
    link: &Link,
) -> Response {
    // What a panic may have left half-done is this request's own; everything shared is behind locks that
    // notice, or in the store.
    let mut attempt = |cx: &mut Context<'_>| {
        catch_unwind(AssertUnwindSafe(|| handled.as_mut().poll(cx)))
            .unwrap_or_else(|_| Poll::Ready(panicked()))
    };
    // Most answers are there at once and need no timer.
    if let Poll::Ready(response) = poll_fn(|cx| Poll::Ready(attempt(cx))).await {
        return response;
    }
    if link.is_patient() {
        return poll_fn(attempt).await;
    }
    match tokio::time::timeout(request_time, poll_fn(&mut attempt)).await {
        Ok(response) => response,
        Err(_) if link.is_patient() => poll_fn(attempt).await,
        Err(_) => error(Status::SERVICE_UNAVAILABLE, "temporarily_unavailable", "This took too long.")
            .with_header("retry-after", RETRY_AFTER)
            .because("the request's time was up"),
    }
}

fn panicked() -> Response {
    let body = Bytes::from_static(br#"{"error":"server_error"}"#);
    Response::json_bytes(Status::INTERNAL_SERVER_ERROR, body).no_store().because("the handler panicked")
}

fn turn_away(refusal: Refusal) -> Response {
    let response = error(refusal.status(), "invalid_request", refusal.describe());
    let response = match refusal {
        Refusal::MethodNotAllowed => {
            response.with_header("allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")
        }
        _ => response,
    };
    response.because(refusal.describe())
}

fn error(status: Status, word: &'static str, description: &'static str) -> Response {
    #[derive(serde::Serialize)]
    struct Body {
        error: &'static str,
        error_description: &'static str,
    }
    Response::json(status, &Body { error: word, error_description: description }).no_store()
}

/// The log line of a request. It is written when dropped, so that a request whose client went away, or
/// that the shutdown cut off, leaves one as well. The query never appears in it: codes and secrets do.
struct RequestLine {
    method: Method,
    target: Uri,
    client: IpAddr,
    agent: Option<HeaderValue>,
    started: Instant,
    status: Option<Status>,
    reason: Option<Cow<'static, str>>,
}

impl RequestLine {
    fn begin(request: &Request) -> Self {
        Self {
            method: request.method().clone(),
            target: request.target().clone(),
            client: request.client_ip(),
            agent: request.headers().get(USER_AGENT).cloned(),
            started: Instant::now(),
            status: None,
            reason: None,
        }
    }

    /// The line of a request that has its answer.
    fn answered(mut self, status: Status, reason: Option<Cow<'static, str>>) -> Self {
        self.status = Some(status);
        self.reason = reason;
        self
    }
}

impl Drop for RequestLine {
    fn drop(&mut self) {
        let reason = match self.status {
            Some(_) => self.reason.as_deref(),
            None => Some("the client went away before the answer"),
        };
        tracing::info!(
            target: "request",
            method = self.method.as_str(),
            path = self.target.path(),
            status = self.status.map(|status| status.as_u16()),
            ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX),
            ip = %self.client,
            agent = self.agent.as_ref().map(|agent| agent.to_str().unwrap_or("(not ASCII)")),
            reason,
        );
    }
}
