//! How long what was let in may go on. A token is good for asking; what was asked for may last longer, and is asked about
//! every two seconds: whether whoever gets it would still be let in.
//!
//! A stream of events that a client listens to goes on for as long as it likes, so it ends with its token: whoever stole
//! that hears nothing more from then on, and everybody else opens the stream anew with a fresh one, as they do after every
//! lost connection. An answer to a call has an end of its own, and a call that was allowed is not spoilt because it takes
//! its time: it may outlive its token, though not for ever.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::bearer::{self, Admitted, BearerRefusal};
use super::look::Seen;
use crate::app::{App, Epoch, View};
use crate::clock::{Seconds, UnixTime};
use crate::http::{Cut, HeaderMap, Method};
use crate::oauth::resource::Resource;
use crate::store::Fault;

/// How often it is asked about.
const ROUND: Duration = Duration::from_secs(2);

/// For how long an answer may outlive its token.
const GRACE: Seconds = Seconds::hours(1);

/// The leave that somebody who was admitted has.
pub(super) struct Leave {
    app: Arc<App>,
    resource: Arc<Resource>,
    admitted: Arc<Admitted>,
    /// When it was found that they are admitted.
    epoch: Epoch,
}

/// What lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lasting {
    /// Somebody listens to events, and would for ever.
    Listening,
    /// Events that come in answer to a call.
    Events,
    /// Anything else, of which half is worth nothing.
    Document,
}

impl Lasting {
    /// What an answer is, by what was asked and by its headers.
    pub(super) fn of(method: &Method, seen: &Seen, headers: &HeaderMap) -> Self {
        let kind = headers.get("content-type").map(|value| value.as_bytes()).unwrap_or_default();
        let essence = kind.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
        match essence.eq_ignore_ascii_case(b"text/event-stream") {
            true if *method == Method::GET || seen.listens() => Self::Listening,
            true => Self::Events,
            false => Self::Document,
        }
    }

    /// What its end before its time looks like.
    const fn cut(self) -> Cut {
        match self {
            Self::Listening | Self::Events => Cut::Ended,
            Self::Document => Cut::Broken,
        }
    }
}

impl Leave {
    pub(super) fn new(
        app: &Arc<App>,
        view: &View,
        resource: &Arc<Resource>,
        admitted: &Arc<Admitted>,
    ) -> Self {
        let (app, resource, admitted) = (Arc::clone(app), Arc::clone(resource), Arc::clone(admitted));
        Self { app, resource, admitted, epoch: view.epoch() }
    }

    /// Ready when whoever waits for an answer would not be let in any more: why.
    pub(super) async fn refused(&self) -> BearerRefusal {
        self.ended(GRACE).await
    }

    /// Ready when an answer has to be cut off. Listening ends at once when the server stops; what has an end of its own
    /// has the time that the server takes to stop.
    pub(super) async fn cut(self, lasting: Lasting) -> Cut {
        match lasting {
            Lasting::Listening => tokio::select! {
                _ = self.ended(Seconds::new(0)) => {}
                () = self.app.closing() => {}
            },
            Lasting::Events | Lasting::Document => drop(self.ended(GRACE).await),
        }
        lasting.cut()
    }

    async fn ended(&self, grace: Seconds) -> BearerRefusal {
        let claims = self.admitted.claims();
        let (mut epoch, mut has_warned) = (self.epoch, false);
        loop {
            sleep(ROUND).await;
            let now = self.app.clock.now();
            if now >= claims.exp.plus(grace) {
                return BearerRefusal::Ended(Arc::clone(claims));
            }
            match self.ask_again(epoch, now) {
                Ok(Ok(today)) => epoch = today,
                Ok(Err(refusal)) => return refusal,
                // Whoever was admitted stays so while the database cannot be asked, and no longer than their token
                // allows; the next request cannot pass.
                Err(why) if !has_warned => {
                    tracing::warn!(%why, "an open answer goes on unasked");
                    has_warned = true;
                }
                Err(_) => {}
            }
        }
    }

    /// Whether they are still admitted; if so, in which epoch that was found. What was found in an epoch holds in all of it.
    fn ask_again(&self, epoch: Epoch, now: UnixTime) -> Result<Result<Epoch, BearerRefusal>, Fault> {
        let view = self.app.view(now)?;
        if view.epoch() == epoch {
            return Ok(Ok(epoch));
        }
        let asked = bearer::readmit(&self.app, &view, &self.admitted, &self.resource)?;
        Ok(asked.map(|()| view.epoch()))
    }
}
