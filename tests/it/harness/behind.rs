//! A server behind the guard that knows nothing of OAuth: it notes every byte of what it is asked, and answers what a test
//! puts there.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

/// Longer than anything takes on a slow machine: a test that waits so long has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// How much of a body is kept; all of it is counted.
const KEPT_BYTES_MAX: usize = 1024 * 1024;

/// What it answers.
#[derive(Clone, Debug)]
pub enum Said {
    /// These bytes, once all of the request is there.
    Whole(Vec<u8>),
    /// These bytes, and the end of the connection.
    Last(Vec<u8>),
    /// These bytes, and more when the test says so, until somebody has had enough.
    Held(Vec<u8>),
    /// These bytes, and then something for ever, as fast as it is taken.
    Flood(Vec<u8>),
    /// Nothing at all.
    Silence,
    /// Nothing at all, and not a byte of the body is read either.
    Deaf,
    /// The end of the connection.
    Nothing,
    /// These bytes as soon as the head is there, whatever the body does.
    AtOnce(Vec<u8>),
}

impl Said {
    /// A small JSON document.
    pub fn json(body: &str) -> Self {
        Self::Whole(
            format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            )
            .into_bytes(),
        )
    }

    /// These bytes, once all of the request is there.
    pub fn whole(bytes: &str) -> Self {
        Self::Whole(bytes.as_bytes().to_vec())
    }

    /// A stream of events that has begun.
    pub fn events() -> Self {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
        Self::Held(format!("{head}{}", chunk("data: begun\n\n")).into_bytes())
    }
}

/// A piece of a chunked body.
pub fn chunk(text: &str) -> String {
    format!("{:x}\r\n{text}\r\n", text.len())
}

/// One request as it arrived.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The request line and the headers.
    pub head: String,
    /// The first megabyte of the body, still chunked if it came so.
    pub body: Vec<u8>,
    /// The body's length on the wire.
    pub length: usize,
    /// Whether the body came to its end.
    pub is_whole: bool,
}

impl Asked {
    /// The request line.
    pub fn line(&self) -> &str {
        self.head.lines().next().unwrap_or_default()
    }

    /// The target of the request line.
    pub fn target(&self) -> &str {
        self.line().split(' ').nth(1).unwrap_or_default()
    }

    /// A header's values, one after the other.
    pub fn header(&self, name: &str) -> Option<String> {
        let values: Vec<&str> = self
            .head
            .lines()
            .skip(1)
            .filter_map(|line| line.split_once(": "))
            .filter(|(have, _)| have.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
            .collect();
        (!values.is_empty()).then(|| values.join(", "))
    }

    /// The names of all headers, in lower case.
    pub fn names(&self) -> Vec<String> {
        let lines = self.head.lines().skip(1);
        lines.filter_map(|line| Some(line.split_once(':')?.0.to_ascii_lowercase())).collect()
    }
}

#[derive(Default)]
struct Desk {
    said: Option<Said>,
    asked: Vec<Asked>,
}

/// What is known of the connections at any moment.
#[derive(Clone, Debug, Default)]
struct Now {
    open: usize,
    /// Heads that are here, whatever of their bodies is.
    begun: usize,
    /// Requests that are in the notes.
    noted: usize,
    /// The first megabyte of the body that arrives.
    arriving: Vec<u8>,
    /// How much of floods was taken.
    taken: usize,
}

/// A running server; it stops when the test lets go of it.
pub struct Behind {
    pub address: SocketAddr,
    desk: Arc<Mutex<Desk>>,
    more: watch::Sender<Vec<u8>>,
    now: watch::Sender<Now>,
    connections: Arc<Semaphore>,
    listening: JoinHandle<()>,
}

impl Behind {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("its address");
        let desk = Arc::new(Mutex::new(Desk::default()));
        let (more, now) = (watch::Sender::new(Vec::new()), watch::Sender::new(Now::default()));
        let connections = Arc::new(Semaphore::new(0));
        let (counted, served) = (Arc::clone(&connections), (Arc::clone(&desk), more.clone(), now.clone()));
        let listening = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counted.add_permits(1);
                let (desk, more, now) = served.clone();
                tokio::spawn(async move {
                    now.send_modify(|now| now.open += 1);
                    Conversation { stream, desk: &desk, now: &now }.hold(more.subscribe()).await;
                    now.send_modify(|now| now.open -= 1);
                });
            }
        });
        Self { address, desk, more, now, connections, listening }
    }

    /// Where it listens, as an upstream.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// What it answers from now on; an empty JSON object until something is said.
    pub fn say(&self, said: Said) {
        self.desk().said = Some(said);
    }

    /// Adds to every answer that is held.
    pub fn push(&self, bytes: &str) {
        self.more.send_modify(|more| more.extend_from_slice(bytes.as_bytes()));
    }

    /// The requests so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.desk().asked.clone()
    }

    /// The last request.
    pub fn last(&self) -> Asked {
        self.desk().asked.last().expect("it was asked").clone()
    }

    /// How many connections there were.
    pub fn connections(&self) -> usize {
        self.connections.available_permits()
    }

    /// Waits until so many connections are open.
    pub async fn until_open(&self, count: usize) {
        self.until("so many open connections", |now| now.open == count).await;
    }

    /// Waits until so many requests have begun, whatever of their bodies is there.
    pub async fn until_begun(&self, count: usize) {
        self.until("so many requests that have begun", |now| now.begun >= count).await;
    }

    /// Waits until so many requests are in the notes.
    pub async fn until_asked(&self, count: usize) {
        self.until("so many requests", |now| now.noted >= count).await;
    }

    /// Waits until this is there of the body that arrives.
    pub async fn until_arrived(&self, text: &str) {
        let text = text.as_bytes();
        self.until("that part of a body", |now| now.arriving.windows(text.len()).any(|part| part == text))
            .await;
    }

    /// How many bytes of floods were taken so far.
    pub fn taken(&self) -> usize {
        self.now.borrow().taken
    }

    async fn until(&self, what: &str, is_there: impl FnMut(&Now) -> bool) {
        let mut now = self.now.subscribe();
        let waited = tokio::time::timeout(PATIENCE, now.wait_for(is_there)).await;
        let reached = waited.map(|now| now.is_ok());
        assert_eq!(reached, Ok(true), "the server behind never saw {what}: {:?}", self.now.borrow());
    }

    fn desk(&self) -> std::sync::MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Behind {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

struct Conversation<'a> {
    stream: TcpStream,
    desk: &'a Mutex<Desk>,
    now: &'a watch::Sender<Now>,
}

impl Conversation<'_> {
    /// Answers until somebody has had enough.
    async fn hold(mut self, mut pushed: watch::Receiver<Vec<u8>>) {
        while let Some(head) = self.head().await {
            let said = self.desk().said.clone().unwrap_or_else(|| Said::json("{}"));
            self.now.send_modify(|now| {
                now.begun += 1;
                now.arriving.clear();
            });
            match &said {
                Said::AtOnce(bytes) => drop(self.stream.write_all(bytes).await),
                Said::Deaf => return std::future::pending().await,
                _ => {}
            }
            let is_whole = self.asked(head).await;
            let written = match said {
                _ if !is_whole => return,
                Said::Whole(bytes) => self.stream.write_all(&bytes).await,
                Said::AtOnce(_) => Ok(()),
                Said::Last(bytes) => {
                    let _ = self.stream.write_all(&bytes).await;
                    return;
                }
                Said::Held(bytes) => match self.held(&bytes, &mut pushed).await {
                    true => Ok(()),
                    false => return,
                },
                Said::Flood(bytes) => return self.flood(&bytes).await,
                Said::Silence => {
                    let _ = self.stream.read_u8().await;
                    return;
                }
                Said::Nothing | Said::Deaf => return,
            };
            if written.is_err() {
                return;
            }
        }
    }

    fn desk(&self) -> std::sync::MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn head(&mut self) -> Option<String> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.stream.read_u8().await.ok()?);
        }
        Some(String::from_utf8_lossy(&head).into_owned())
    }

    /// Notes the request with its body; `false` if that did not come to its end.
    async fn asked(&mut self, head: String) -> bool {
        let lower = head.to_ascii_lowercase();
        let declared = lower.lines().find_map(|line| line.strip_prefix("content-length: "));
        let declared: Option<usize> = declared.and_then(|text| text.parse().ok());
        let is_chunked = lower.contains("\r\ntransfer-encoding: chunked\r\n");
        let (mut body, mut length, mut tail) = (Vec::new(), 0, Vec::new());
        let is_whole = loop {
            let is_whole = match declared {
                Some(declared) => length >= declared,
                None => !is_chunked || tail.ends_with(b"0\r\n\r\n"),
            };
            if is_whole {
                break true;
            }
            let mut piece = Vec::with_capacity(64 * 1024);
            match self.stream.read_buf(&mut piece).await {
                Ok(0) | Err(_) => break false,
                Ok(read) => {
                    length += read;
                    body.extend_from_slice(&piece[..read.min(KEPT_BYTES_MAX.saturating_sub(body.len()))]);
                    tail.extend_from_slice(&piece);
                    tail.drain(..tail.len().saturating_sub(5));
                    self.now.send_modify(|now| {
                        now.arriving.clone_from(&body);
                    });
                }
            }
        };
        self.desk().asked.push(Asked { head, body, length, is_whole });
        self.now.send_modify(|now| now.noted += 1);
        is_whole
    }

    async fn flood(mut self, bytes: &[u8]) {
        let mut sent = self.stream.write_all(bytes).await;
        let piece = vec![b'x'; 64 * 1024];
        while sent.is_ok() {
            sent = self.stream.write_all(&piece).await;
            self.now.send_modify(|now| now.taken += piece.len());
        }
    }

    /// Sends what there is, and goes on until the last chunk (`true`), or until the other side has gone.
    async fn held(&mut self, bytes: &[u8], pushed: &mut watch::Receiver<Vec<u8>>) -> bool {
        let mut sent = pushed.borrow_and_update().len();
        if self.stream.write_all(bytes).await.is_err() {
            return false;
        }
        let mut byte = [0];
        loop {
            tokio::select! {
                _ = self.stream.read(&mut byte) => return false,
                changed = pushed.changed() => {
                    if changed.is_err() {
                        return false;
                    }
                    let fresh = pushed.borrow_and_update().get(sent..).unwrap_or_default().to_vec();
                    sent += fresh.len();
                    if self.stream.write_all(&fresh).await.is_err() {
                        return false;
                    }
                    if fresh.ends_with(b"0\r\n\r\n") {
                        return true;
                    }
                }
            }
        }
    }
}
