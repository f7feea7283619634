//! One connection's facts, shared by its socket, its requests and the server.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::TrustedProxies;
use super::screen::Refusal;

/// What is known about a connection besides its bytes.
#[derive(Debug)]
pub(crate) struct Link {
    peer: IpAddr,
    proxies: Arc<TrustedProxies>,
    body_time: Duration,
    answering: AtomicBool,
    body_pending: AtomicBool,
    patient: AtomicBool,
    bad_head: OnceLock<(u64, Refusal)>,
}

impl Link {
    /// A connection from `peer`, whose bodies have to arrive within `body_time`.
    pub(crate) fn new(peer: SocketAddr, proxies: Arc<TrustedProxies>, body_time: Duration) -> Self {
        Self {
            // A listener on `::` reports IPv4 peers as `::ffff:a.b.c.d`.
            peer: peer.ip().to_canonical(),
            proxies,
            body_time,
            answering: AtomicBool::new(false),
            body_pending: AtomicBool::new(false),
            patient: AtomicBool::new(false),
            bad_head: OnceLock::new(),
        }
    }

    pub(crate) fn peer(&self) -> IpAddr {
        self.peer
    }

    pub(crate) fn proxies(&self) -> &TrustedProxies {
        &self.proxies
    }

    pub(crate) fn body_time(&self) -> Duration {
        self.body_time
    }

    /// Whether a handler is at work, so that silence from the client is no fault of the client.
    pub(crate) fn is_answering(&self) -> bool {
        self.answering.load(Ordering::Relaxed)
    }

    /// Says that a request, with or without a body still to be read, goes to its handler.
    pub(crate) fn begin_answer(&self, body_pending: bool) {
        self.body_pending.store(body_pending, Ordering::Relaxed);
        self.patient.store(false, Ordering::Relaxed);
        self.answering.store(true, Ordering::Relaxed);
    }

    /// Says that the answer is done.
    pub(crate) fn end_answer(&self) {
        self.answering.store(false, Ordering::Relaxed);
    }

    /// Says that the handler's answer may take longer than others.
    pub(crate) fn be_patient(&self) {
        self.patient.store(true, Ordering::Relaxed);
    }

    /// Whether the handler's answer may take longer than others.
    pub(crate) fn is_patient(&self) -> bool {
        self.patient.load(Ordering::Relaxed)
    }

    /// Says that the body was read to its end.
    pub(crate) fn body_done(&self) {
        self.body_pending.store(false, Ordering::Relaxed);
    }

    /// Whether part of the current request was never read.
    pub(crate) fn is_body_pending(&self) -> bool {
        self.body_pending.load(Ordering::Relaxed)
    }

    /// Notes that the head with this number (from 0) has to be refused. The first note stays: the
    /// connection ends with that request.
    pub(crate) fn note_bad_head(&self, number: u64, refusal: Refusal) {
        let _ = self.bad_head.set((number, refusal));
    }

    /// What was noted about the head with this number.
    pub(crate) fn bad_head(&self, number: u64) -> Option<Refusal> {
        self.bad_head.get().filter(|(bad, _)| *bad == number).map(|(_, refusal)| *refusal)
    }
}
