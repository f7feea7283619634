//! A server behind the guard that knows nothing of OAuth: it notes every byte of what it is asked, and answers what a test
//! puts there.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

/// What it answers.
#[derive(Clone, Debug)]
pub enum Said {
    /// These bytes, once all of the request is there.
    Whole(Vec<u8>),
    /// These bytes, and more when the test says so, until somebody has had enough.
    Held(Vec<u8>),
    /// Nothing at all.
    Silence,
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
    /// The body, still chunked if it came so.
    pub body: Vec<u8>,
    /// Whether the body came to its end.
    pub is_whole: bool,
}

impl Asked {
    /// The request line.
    pub fn line(&self) -> &str {
        self.head.lines().next().unwrap_or_default()
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
}

struct Desk {
    said: Said,
    asked: Vec<Asked>,
}

/// A running server; it stops when the test lets go of it.
pub struct Behind {
    pub address: SocketAddr,
    desk: Arc<Mutex<Desk>>,
    more: watch::Sender<Vec<u8>>,
    open: watch::Receiver<usize>,
    connections: Arc<Semaphore>,
    listening: JoinHandle<()>,
}

impl Behind {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("its address");
        let desk = Arc::new(Mutex::new(Desk { said: Said::json("{}"), asked: Vec::new() }));
        let (more, _) = watch::channel(Vec::new());
        let (opened, open) = watch::channel(0);
        let connections = Arc::new(Semaphore::new(0));
        let (served, pushed, counted) = (Arc::clone(&desk), more.clone(), Arc::clone(&connections));
        let listening = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counted.add_permits(1);
                let (desk, pushed, opened) = (Arc::clone(&served), pushed.subscribe(), opened.clone());
                tokio::spawn(async move {
                    opened.send_modify(|count| *count += 1);
                    converse(stream, &desk, pushed).await;
                    opened.send_modify(|count| *count -= 1);
                });
            }
        });
        Self { address, desk, more, open, connections, listening }
    }

    /// Where it listens, as an upstream.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// What it answers from now on.
    pub fn say(&self, said: Said) {
        self.desk().said = said;
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
        let mut open = self.open.clone();
        open.wait_for(|open| *open == count).await.expect("it listens");
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

async fn converse(mut stream: TcpStream, desk: &Mutex<Desk>, mut pushed: watch::Receiver<Vec<u8>>) {
    loop {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            match stream.read_u8().await {
                Ok(byte) => head.push(byte),
                Err(_) => return,
            }
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        let said = desk.lock().unwrap_or_else(PoisonError::into_inner).said.clone();
        if let Said::AtOnce(bytes) = &said {
            let _ = stream.write_all(bytes).await;
        }
        let (body, is_whole) = body(&mut stream, &head).await;
        desk.lock().unwrap_or_else(PoisonError::into_inner).asked.push(Asked { head, body, is_whole });
        let written = match said {
            _ if !is_whole => return,
            Said::Whole(bytes) => stream.write_all(&bytes).await,
            Said::AtOnce(_) => Ok(()),
            Said::Held(bytes) => return hold(stream, &bytes, &mut pushed).await,
            Said::Silence => {
                let _ = stream.read_u8().await;
                return;
            }
            Said::Nothing => return,
        };
        if written.is_err() {
            return;
        }
    }
}

/// Sends what there is, and goes on until the other side has gone.
async fn hold(mut stream: TcpStream, bytes: &[u8], pushed: &mut watch::Receiver<Vec<u8>>) {
    let mut sent = pushed.borrow_and_update().len();
    if stream.write_all(bytes).await.is_err() {
        return;
    }
    let mut byte = [0];
    loop {
        tokio::select! {
            _ = stream.read(&mut byte) => return,
            changed = pushed.changed() => {
                if changed.is_err() {
                    return;
                }
                let fresh = pushed.borrow_and_update().get(sent..).unwrap_or_default().to_vec();
                sent += fresh.len();
                if stream.write_all(&fresh).await.is_err() {
                    return;
                }
            }
        }
    }
}

/// The body that a head announces, and whether all of it came.
async fn body(stream: &mut TcpStream, head: &str) -> (Vec<u8>, bool) {
    let head = head.to_ascii_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .and_then(|text| text.parse().ok());
    let is_chunked = head.contains("\r\ntransfer-encoding: chunked\r\n");
    let mut body = Vec::new();
    loop {
        let is_whole = match length {
            Some(length) => body.len() >= length,
            None => !is_chunked || body.ends_with(b"0\r\n\r\n"),
        };
        if is_whole {
            return (body, true);
        }
        match stream.read_buf(&mut body).await {
            Ok(0) | Err(_) => return (body, false),
            Ok(_) => {}
        }
    }
}
