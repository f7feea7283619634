//! A TCP connection on which every kind of silence has its own deadline.
//!
//! hyper's `header_read_timeout` counts the pause between two requests as reading a header, and makes a
//! new timer for every request. Here one timer per direction serves a whole connection, is moved only when
//! it has to be, and tells a half-sent head (short) from a pause between requests (long). How long a body
//! may take is `Request::body`'s affair, and how long a handler may take is the server's.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

use super::Link;
use super::head_watch::{Awaiting, HeadLimits, HeadWatch};

/// How long a refused sender may go on sending before the connection is torn down. Closing at once would
/// make the kernel send a reset, and the reset would take the answer with it.
const LINGER: Duration = Duration::from_secs(1);

/// The patience and the limits of a [`Socket`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadlines {
    /// From the accept, or from the first byte of a later head, to the head's end.
    pub(crate) head: Duration,
    /// Between two requests.
    pub(crate) idle: Duration,
    /// Between two writes that the client takes.
    pub(crate) write_stall: Duration,
    /// The longest request target in bytes.
    pub(crate) target_bytes: usize,
    /// The longest head in bytes.
    pub(crate) head_bytes: usize,
}

/// A connection with its watch and its timers.
#[derive(Debug)]
pub(crate) struct Socket {
    stream: TcpStream,
    link: Arc<Link>,
    deadlines: Deadlines,
    watch: HeadWatch,
    read_wait: Option<ReadWait>,
    read_timer: Timer,
    write_wait: Option<Instant>,
    write_timer: Option<Timer>,
    linger: Option<Timer>,
}

/// What the read timer stands for.
#[derive(Clone, Copy, Debug)]
struct ReadWait {
    number: u64,
    awaiting: Awaiting,
    until: Instant,
}

impl Socket {
    /// Takes over a fresh connection; its first head is due from now on.
    pub(crate) fn new(stream: TcpStream, link: Arc<Link>, deadlines: Deadlines) -> Self {
        let until = Instant::now() + deadlines.head;
        let limits = HeadLimits { target: deadlines.target_bytes, head: deadlines.head_bytes };
        Self {
            stream,
            link,
            deadlines,
            watch: HeadWatch::new(limits),
            read_wait: Some(ReadWait { number: 0, awaiting: Awaiting::Head, until }),
            read_timer: Timer::new(until),
            write_wait: None,
            write_timer: None,
            linger: None,
        }
    }

    /// Ready when the client was silent for longer than what it owes us allows.
    fn poll_read_deadline(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.link.is_answering() {
            self.read_wait = None;
            return Poll::Pending;
        }
        let (number, awaiting) = (self.watch.number(), self.watch.awaiting());
        let until = match self.read_wait {
            Some(wait) if wait.number == number && wait.awaiting == awaiting => wait.until,
            _ => {
                let patience = match awaiting {
                    Awaiting::Head => self.deadlines.head,
                    Awaiting::NextRequest => self.deadlines.idle,
                };
                let until = Instant::now() + patience;
                self.read_wait = Some(ReadWait { number, awaiting, until });
                until
            }
        };
        self.read_timer.poll_until(until, cx)
    }

    /// Ready when the client took nothing for too long.
    fn poll_write_deadline(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let until = *self.write_wait.get_or_insert_with(|| Instant::now() + self.deadlines.write_stall);
        self.write_timer.get_or_insert_with(|| Timer::new(until)).poll_until(until, cx)
    }

    fn written(&mut self, cx: &mut Context<'_>, outcome: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match outcome {
            Poll::Pending => {
                ready!(self.poll_write_deadline(cx));
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
            done => {
                self.write_wait = None;
                done
            }
        }
    }

    /// Ready when the client has stopped sending, or has sent for long enough after its refusal.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let timer = self.linger.get_or_insert_with(|| Timer::new(Instant::now() + LINGER));
        let mut scrap = [0; 4096];
        loop {
            let until = timer.deadline();
            if timer.poll_until(until, cx).is_ready() {
                return Poll::Ready(());
            }
            let mut buffer = ReadBuf::new(&mut scrap);
            match ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => {}
                _ => return Poll::Ready(()),
            }
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let before = buffer.filled().len();
        match Pin::new(&mut this.stream).poll_read(cx, buffer) {
            Poll::Ready(Ok(())) => {
                let fresh = buffer.filled().get(before..).unwrap_or_default();
                if let Err(refusal) = this.watch.observe(fresh) {
                    this.link.note_bad_head(this.watch.number(), refusal);
                }
                Poll::Ready(Ok(()))
            }
            Poll::Pending => {
                ready!(this.poll_read_deadline(cx));
                Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
            }
            failed => failed,
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.written(cx, outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.written(cx, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
        // An answer is out. hyper does not read again if its last read was pending (it looks for a hang-up
        // while a handler works), so the wait for the next request has to begin here.
        if self.poll_read_deadline(cx).is_ready() {
            cx.waker().wake_by_ref();
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
        if self.link.is_body_pending() {
            ready!(self.poll_linger(cx));
        }
        Poll::Ready(Ok(()))
    }
}

/// A timer that is moved rather than made anew.
#[derive(Debug)]
struct Timer(Pin<Box<Sleep>>);

impl Timer {
    fn new(until: Instant) -> Self {
        Self(Box::pin(sleep_until(until)))
    }

    fn deadline(&self) -> Instant {
        self.0.deadline()
    }

    /// Ready once `until` has passed. A later instant than the one it is set to is only looked at when the
    /// timer goes off, so that moving the deadline of a busy connection costs nothing.
    fn poll_until(&mut self, until: Instant, cx: &mut Context<'_>) -> Poll<()> {
        if until < self.0.deadline() {
            self.0.as_mut().reset(until);
        }
        loop {
            ready!(self.0.as_mut().poll(cx));
            if self.0.deadline() >= until {
                return Poll::Ready(());
            }
            self.0.as_mut().reset(until);
        }
    }
}
