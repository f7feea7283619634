//! Bodies in pieces: those that pass through, of which nothing is kept, and nothing but the next piece is waited for.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};

use super::Link;

type Pieces = Pin<Box<dyn Body<Data = Bytes, Error = io::Error> + Send>>;

/// How many pieces that are there already may pass before the end is asked for again. Most bodies are over by then, and
/// need no timer of their own.
const PIECES_UNASKED: u32 = 16;

/// A body of an answer that comes from elsewhere, piece by piece.
pub struct Stream {
    /// `None` once it was cut off.
    pieces: Option<Pieces>,
    end: Option<Pin<Box<dyn Future<Output = Cut> + Send>>>,
    /// Pieces since the end was asked for.
    unasked: u32,
    companion: Option<Box<dyn Send>>,
}

/// What whoever reads a body sees of its being cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// An end like any other: of what could have gone on for ever, nothing is missing.
    Ended,
    /// That it broke: half of something must not look like all of it.
    Broken,
}

impl Stream {
    /// Pieces that arrive from somewhere.
    pub fn new<B>(pieces: B) -> Self
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let pieces: Pieces = Box::pin(pieces.map_err(io::Error::other));
        Self { pieces: Some(pieces), end: None, unasked: 0, companion: None }
    }

    /// The same, cut off when `end` is ready: its source is let go, and whoever reads it sees what `end` says.
    #[must_use]
    pub fn until(self, end: impl Future<Output = Cut> + Send + 'static) -> Self {
        Self { end: Some(Box::pin(end)), ..self }
    }

    /// The same, with something that is dropped when the body has ended or is not wanted any more.
    #[must_use]
    pub fn with(self, companion: impl Send + 'static) -> Self {
        Self { companion: Some(Box::new(companion)), ..self }
    }

    fn poll_pieces(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let Some(pieces) = &mut self.pieces else { return Poll::Ready(None) };
        let Some(end) = &mut self.end else { return pieces.as_mut().poll_frame(cx) };
        let is_end_due = self.unasked == PIECES_UNASKED;
        if !is_end_due && let Poll::Ready(next) = pieces.as_mut().poll_frame(cx) {
            self.unasked += 1;
            return Poll::Ready(next);
        }
        self.unasked = 0;
        let Poll::Ready(cut) = end.as_mut().poll(cx) else {
            return if is_end_due { pieces.as_mut().poll_frame(cx) } else { Poll::Pending };
        };
        // What ended by itself is not cut off any more.
        let is_over = pieces.is_end_stream();
        self.pieces = None;
        Poll::Ready(match cut {
            Cut::Broken if !is_over => Some(Err(io::Error::other("cut off"))),
            _ => None,
        })
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Stream(..)")
    }
}

impl Body for Stream {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let next = ready!(self.poll_pieces(cx));
        if !matches!(next, Some(Ok(_))) {
            self.companion = None;
        }
        Poll::Ready(next)
    }

    fn is_end_stream(&self) -> bool {
        self.pieces.as_ref().is_none_or(|pieces| pieces.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        match (&self.pieces, &self.end) {
            (Some(pieces), None) => pieces.size_hint(),
            // It may end before.
            _ => SizeHint::default(),
        }
    }
}

/// Looks at each piece of a request's body before it is handed on, and at its end (`None`); `Err` breaks the body off, so
/// that whoever receives it never sees its end.
pub type Inspector = Box<dyn FnMut(Option<&[u8]>) -> Result<(), &'static str> + Send>;

/// A request's body, to be handed on piece by piece. Each piece has to arrive in time; the whole may take as long as it
/// takes.
pub struct RequestBody {
    /// What was looked at already.
    ahead: Option<Bytes>,
    incoming: Incoming,
    link: Arc<Link>,
    inspector: Option<Inspector>,
    patience: Duration,
    timer: Option<Pin<Box<Sleep>>>,
    taken_at: Taken,
    companion: Option<Box<dyn Send>>,
}

/// How whoever takes a body gets on.
#[derive(Clone, Debug)]
pub struct Taken(Arc<Mutex<Progress>>);

#[derive(Debug)]
struct Progress {
    /// When the last piece was taken, or the end; `None`: there is no piece that could be.
    last: Option<Instant>,
    has_begun: bool,
}

impl Taken {
    fn new() -> Self {
        Self(Arc::new(Mutex::new(Progress { last: Some(Instant::now()), has_begun: false })))
    }

    /// When somebody last took a piece, or the end; now, while there is no piece that could be taken.
    pub fn at(&self) -> Instant {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).last.unwrap_or_else(Instant::now)
    }

    /// Whether anything of it was taken.
    pub fn has_begun(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).has_begun
    }

    /// Notes that somebody asks, and whether something was there.
    fn note(&self, was_there: bool) {
        let mut progress = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        progress.last = was_there.then(Instant::now);
        progress.has_begun |= was_there;
    }
}

impl RequestBody {
    pub(super) fn new(incoming: Incoming, link: Arc<Link>) -> Self {
        let patience = link.body_time();
        Self {
            ahead: None,
            incoming,
            link,
            inspector: None,
            patience,
            timer: None,
            taken_at: Taken::new(),
            companion: None,
        }
    }

    /// The next piece, taken out; `None` at the end.
    pub async fn next(&mut self) -> Option<io::Result<Bytes>> {
        std::future::poll_fn(|cx| self.poll_piece(cx)).await
    }

    /// Puts a piece back in front.
    #[must_use]
    pub fn preceded_by(mut self, piece: Bytes) -> Self {
        self.ahead = Some(piece);
        self
    }

    /// Has every piece that is still to come looked at.
    #[must_use]
    pub fn inspected(mut self, inspector: Inspector) -> Self {
        self.inspector = Some(inspector);
        self
    }

    /// The same, with something that is dropped when the body was handed on, or is not wanted any more.
    #[must_use]
    pub fn with(mut self, companion: impl Send + 'static) -> Self {
        self.companion = Some(Box::new(companion));
        self
    }

    /// Tells how whoever takes it gets on.
    pub fn taken(&self) -> Taken {
        self.taken_at.clone()
    }

    /// Whether nothing comes.
    pub fn is_empty(&self) -> bool {
        self.ahead.is_none() && self.incoming.is_end_stream()
    }

    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        loop {
            let frame = match Pin::new(&mut self.incoming).poll_frame(cx) {
                Poll::Ready(frame) => frame,
                Poll::Pending => {
                    let patience = self.patience;
                    let timer =
                        self.timer.get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + patience)));
                    ready!(timer.as_mut().poll(cx));
                    return Poll::Ready(Some(Err(io::ErrorKind::TimedOut.into())));
                }
            };
            self.timer = None;
            return Poll::Ready(match frame {
                // Trailers are for the next hop, which is us.
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(piece) => {
                        // Who knows the length need not ask for the end.
                        if self.incoming.is_end_stream() {
                            self.link.body_done();
                        }
                        Some(Ok(piece))
                    }
                    Err(_) => continue,
                },
                Some(Err(why)) => Some(Err(io::Error::other(why))),
                None => {
                    self.link.body_done();
                    None
                }
            });
        }
    }
}

impl fmt::Debug for RequestBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RequestBody(..)")
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let this = &mut *self;
        if let Some(piece) = this.ahead.take() {
            this.taken_at.note(true);
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
        let next = this.poll_piece(cx);
        this.taken_at.note(next.is_ready());
        let piece = match ready!(next) {
            Some(Ok(piece)) => Some(piece),
            Some(Err(why)) => return Poll::Ready(Some(Err(why))),
            None => None,
        };
        // Whoever knows the length never asks for the end, so it has to be looked at before the last piece is out.
        let is_last = piece.is_none() || this.incoming.is_end_stream();
        let verdict = this.inspector.as_mut().map_or(Ok(()), |inspect| {
            if piece.is_some() {
                inspect(piece.as_deref())?;
            }
            if is_last { inspect(None) } else { Ok(()) }
        });
        Poll::Ready(match verdict {
            Ok(()) => piece.map(|piece| Ok(Frame::data(piece))),
            Err(why) => Some(Err(io::Error::other(why))),
        })
    }

    fn is_end_stream(&self) -> bool {
        self.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        let ahead = self.ahead.as_ref().map_or(0, |piece| piece.len() as u64);
        let mut hint = self.incoming.size_hint();
        if let Some(upper) = hint.upper() {
            hint.set_upper(upper + ahead);
        }
        hint.set_lower(hint.lower() + ahead);
        hint
    }
}
