//! From a host's name to its addresses, asked once per fetch.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use super::party::{Party, Turns};

/// How many questions of one party may be open at once. The system's resolver keeps a thread for as long as it likes,
/// also when nobody waits any more, and passwords need threads of the same pool.
const AT_ONCE: usize = 8;

/// Who knows the addresses of names.
#[derive(Clone)]
pub struct Names(Source);

#[derive(Clone)]
enum Source {
    System(Arc<Turns<Arc<Semaphore>>>),
    ByHand(Arc<Answer>),
}

type Answer = dyn Fn(&str) -> Vec<IpAddr> + Send + Sync;

impl Names {
    /// The resolver of this machine.
    pub fn system() -> Self {
        Self(Source::System(Arc::new(Turns::new(AT_ONCE))))
    }

    /// What `answer` says at each question, as a test wants it.
    pub fn by_hand(answer: impl Fn(&str) -> Vec<IpAddr> + Send + Sync + 'static) -> Self {
        Self(Source::ByHand(Arc::new(answer)))
    }

    /// Every address of `host` with `port`; an address in place of a name is its own.
    pub(super) async fn look_up(&self, host: &str, port: u16, party: Party) -> io::Result<Vec<SocketAddr>> {
        let questions = match &self.0 {
            Source::System(questions) => Arc::clone(questions.of(party)),
            Source::ByHand(answer) => {
                return Ok(answer(host).into_iter().map(|ip| SocketAddr::new(ip, port)).collect());
            }
        };
        let question = questions.acquire_owned().await.map_err(io::Error::other)?;
        let host = host.to_owned();
        let asked = spawn_blocking(move || {
            let answer = (host.as_str(), port).to_socket_addrs().map(Iterator::collect);
            drop(question);
            answer
        });
        asked.await.map_err(io::Error::other)?
    }
}
