//! Connections to the servers behind the guard, kept between requests.
//!
//! None has a task of its own: whoever sends a request over one drives it, and whoever reads the answer does so to its end.
//! What two tasks would have to tell each other costs more than all that the guard asks about a request. A connection that
//! is kept stands still, and what has happened to it meanwhile shows when it is wanted again.

use std::collections::HashMap;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::http::uri::{Authority, Scheme};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::time::Instant;

use super::tls::Tls;
use crate::http::RequestBody;

/// From the first look at the name to an open connection.
const CONNECT_TIME: Duration = Duration::from_secs(5);

/// How long a connection is kept without use. Node closes its side after five seconds, and a request that meets the
/// closing is lost.
const IDLE_TIME: Duration = Duration::from_secs(4);

/// After how long a silence the other side is asked whether it is still there.
const KEEPALIVE: Duration = Duration::from_secs(60);

/// Where a server is.
pub(super) type Place = (Scheme, Authority);

/// The connections that are kept.
#[derive(Default)]
pub(super) struct Kept {
    /// The one that was used last at the end. Places are only taken out by [`sweep`], which runs while there are any.
    idle: Mutex<HashMap<Place, Vec<(Instant, Connection)>>>,
}

/// A connection, and the right to send over it.
pub(super) struct Connection {
    sender: SendRequest<RequestBody>,
    /// `None` once it has ended.
    driver: Option<Pin<Box<dyn Future<Output = hyper::Result<()>> + Send>>>,
}

/// Why a request was not answered.
pub(super) enum Unanswered {
    /// Nothing of it was sent.
    Unsent(Box<Request<RequestBody>>),
    /// It may have arrived.
    Failed(hyper::Error),
}

impl Kept {
    /// Takes one that still stands out.
    pub(super) fn take(&self, place: &Place) -> Option<Connection> {
        loop {
            let (since, mut connection) = {
                let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
                idle.get_mut(place)?.pop()?
            };
            if since.elapsed() < IDLE_TIME && connection.stands() {
                return Some(connection);
            }
        }
    }

    /// Keeps one over which nothing more comes.
    fn keep(self: &Arc<Self>, place: Place, connection: Connection) {
        // When the server stops, there is nothing to keep it for.
        let Ok(runtime) = Handle::try_current() else { return };
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let is_first = idle.is_empty();
        idle.entry(place).or_default().push((Instant::now(), connection));
        if is_first {
            runtime.spawn(sweep(Arc::downgrade(self)));
        }
    }
}

/// Closes what nobody has wanted for too long, until there is nothing left.
async fn sweep(kept: Weak<Kept>) {
    loop {
        tokio::time::sleep(IDLE_TIME).await;
        let Some(kept) = kept.upgrade() else { return };
        let mut idle = kept.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|_, connections| {
            connections.retain(|(since, _)| since.elapsed() < IDLE_TIME);
            !connections.is_empty()
        });
        if idle.is_empty() {
            return;
        }
    }
}

impl Connection {
    /// Opens one, with TLS where the scheme says so.
    pub(super) async fn open((scheme, authority): &Place, tls: &Tls) -> io::Result<Self> {
        let opening = async {
            let is_tls = *scheme == Scheme::HTTPS;
            let port = authority.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
            let host = authority.host();
            let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
            let stream = TcpStream::connect((bare, port)).await?;
            stream.set_nodelay(true)?;
            // A stream of events may be silent for hours, and its server may be gone.
            SockRef::from(&stream).set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE))?;
            match is_tls {
                true => Self::over(tls.connect(host, stream).await?).await,
                false => Self::over(stream).await,
            }
        };
        let opened = tokio::time::timeout(CONNECT_TIME, opening).await;
        opened
            .unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, "no connection in five seconds")))
    }

    async fn over(wire: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> io::Result<Self> {
        let (sender, connection) = http1::handshake(TokioIo::new(wire)).await.map_err(io::Error::other)?;
        Ok(Self { sender, driver: Some(Box::pin(connection)) })
    }

    /// Gets on with whatever is to be sent or received.
    fn drive(&mut self, cx: &mut Context<'_>) {
        let Some(driver) = &mut self.driver else { return };
        if driver.as_mut().poll(cx).is_ready() {
            // What it has ended with is told to whoever waits for an answer over it.
            self.driver = None;
        }
    }

    /// Whether a request can be sent over it: the other side has not closed it, has said nothing that nobody asked for,
    /// and nothing of the last request or answer is still on its way.
    fn stands(&mut self) -> bool {
        self.drive(&mut Context::from_waker(Waker::noop()));
        self.driver.is_some() && self.sender.is_ready()
    }

    /// Sends a request, and waits for the head of the answer. Whoever gives up closes the connection.
    pub(super) async fn send(
        mut self,
        request: Request<RequestBody>,
    ) -> Result<(Response<Incoming>, Self), Unanswered> {
        let mut answer = pin!(self.sender.try_send_request(request));
        let answered = poll_fn(|cx| {
            self.drive(cx);
            answer.as_mut().poll(cx)
        });
        match answered.await {
            Ok(response) => Ok((response, self)),
            Err(mut why) => Err(match why.take_message() {
                Some(request) => Unanswered::Unsent(Box::new(request)),
                None => Unanswered::Failed(why.into_error()),
            }),
        }
    }
}

/// The body of an answer, which drives its connection and gives it back at its end.
pub(super) struct Answer {
    body: Incoming,
    has_ended: bool,
    /// Something was handed on that may not be out yet.
    is_fresh: bool,
    /// How it broke off, told once everything before is out.
    broken: Option<hyper::Error>,
    connection: Option<Connection>,
    /// Where it is to be kept; `None`: nowhere.
    home: Option<(Arc<Kept>, Place)>,
}

impl Answer {
    pub(super) const fn new(
        body: Incoming,
        connection: Connection,
        home: Option<(Arc<Kept>, Place)>,
    ) -> Self {
        Self { body, has_ended: false, is_fresh: true, broken: None, connection: Some(connection), home }
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = &mut *self;
        if let Some(why) = this.broken.take() {
            return Poll::Ready(Some(Err(why)));
        }
        if let Some(connection) = &mut this.connection {
            connection.drive(cx);
        }
        let next = Pin::new(&mut this.body).poll_frame(cx);
        let was_fresh = std::mem::replace(&mut this.is_fresh, matches!(next, Poll::Ready(Some(Ok(_)))));
        match next {
            // Whoever hears of it drops what they have not sent yet, and the client would miss what did arrive.
            Poll::Ready(Some(Err(why))) if was_fresh => {
                this.broken = Some(why);
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Poll::Ready(None) => {
                this.has_ended = true;
                next
            }
            _ => next,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        let is_over = self.has_ended || self.body.is_end_stream();
        if let (true, Some((kept, place)), Some(mut connection)) =
            (is_over, self.home.take(), self.connection.take())
            && connection.stands()
        {
            kept.keep(place, connection);
        }
    }
}
