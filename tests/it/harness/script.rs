//! A server that answers by a table, so that a set-up that is broken in one way is a correct one with one row changed.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use rcgen::CertificateParams;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use vestibule::clock::Clock;

use super::host::{certified, pem, self_signed};

/// A row's answer.
#[derive(Clone, Debug)]
pub enum Scripted {
    /// Status, headers, body.
    Answer(u16, Vec<(String, String)>, String),
    /// Nothing, for as long as the other side has patience.
    Silence,
    /// The end of the connection.
    Nothing,
}

impl Scripted {
    /// An answer without a body.
    pub fn status(status: u16) -> Self {
        Self::Answer(status, Vec::new(), String::new())
    }

    /// A JSON document.
    pub fn json(status: u16, document: &serde_json::Value) -> Self {
        Self::Answer(status, Vec::new(), document.to_string()).header("content-type", "application/json")
    }

    /// A page.
    pub fn html(status: u16, title: &str) -> Self {
        let page =
            format!("<!doctype html><html><head><title>{title}</title></head><body>{title}</body></html>");
        Self::Answer(status, Vec::new(), page).header("content-type", "text/html; charset=utf-8")
    }

    /// A redirect.
    pub fn redirect(status: u16, to: &str) -> Self {
        Self::status(status).header("location", to)
    }

    /// With a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        if let Self::Answer(_, headers, _) = &mut self {
            headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }

    /// Without a header.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        if let Self::Answer(_, headers, _) = &mut self {
            headers.retain(|(have, _)| have != name);
        }
        self
    }

    fn bytes(&self, method: &str) -> Option<Vec<u8>> {
        let (status, headers, body) = match self {
            Self::Answer(status, headers, body) => (status, headers, body),
            Self::Nothing => return Some(Vec::new()),
            Self::Silence => return None,
        };
        let mut text =
            format!("HTTP/1.1 {status} -\r\ncontent-length: {}\r\nconnection: close\r\n", body.len());
        if !headers.iter().any(|(name, _)| name == "date") {
            let now = Duration::from_secs(Clock::machine().now().as_i64().unsigned_abs());
            text.push_str(&format!("date: {}\r\n", httpdate::fmt_http_date(UNIX_EPOCH + now)));
        }
        for (name, value) in headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str("\r\n");
        if method != "HEAD" {
            text.push_str(body);
        }
        Some(text.into_bytes())
    }
}

/// One request as it arrived.
#[derive(Clone, Debug)]
pub struct Spoken {
    pub method: String,
    /// Path and query.
    pub target: String,
    /// The request line and the headers, in lower case.
    pub head: String,
    pub body: String,
}

struct Row {
    method: String,
    path: String,
    /// Only for requests with a header line that begins so.
    given: Option<&'static str>,
    said: Scripted,
}

#[derive(Default)]
struct Play {
    rows: Vec<Row>,
    spoken: Vec<Spoken>,
}

/// How it speaks.
pub enum Stage {
    /// In the clear.
    Plain,
    /// By TLS, with a certificate for these names, of an authority that nobody knows.
    Certified(Vec<&'static str>),
    /// The same with a certificate that was changed before it was signed.
    Spoilt(Vec<&'static str>, fn(&mut CertificateParams)),
    /// By TLS, with a certificate that its own key has signed.
    SelfSigned(Vec<&'static str>),
}

/// A running server; it stops when the test lets go of it.
pub struct Script {
    pub address: SocketAddr,
    /// The certificate of the authority that vouches for it, PEM; nobody's where it speaks in the clear.
    pub authority: PathBuf,
    origin: String,
    play: Arc<Mutex<Play>>,
    listening: JoinHandle<()>,
    _directory: TempDir,
}

impl Script {
    /// A server with an empty table: 404 everywhere.
    pub async fn start(stage: Stage) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let authority = directory.path().join("authority.pem");
        let tls: Option<(TlsAcceptor, Vec<u8>)> = match stage {
            Stage::Plain => None,
            Stage::Certified(names) => Some(certified(&names, |_| {})),
            Stage::Spoilt(names, spoil) => Some(certified(&names, spoil)),
            Stage::SelfSigned(names) => Some(self_signed(&names)),
        };
        if let Some((_, certificate)) = &tls {
            std::fs::write(&authority, pem(certificate)).expect("the certificate");
        }
        let scheme = if tls.is_some() { "https" } else { "http" };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let address = listener.local_addr().expect("its address");
        let play = Arc::new(Mutex::new(Play::default()));
        let played = Arc::clone(&play);
        let listening = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (tls, play) = (tls.clone(), Arc::clone(&played));
                tokio::spawn(async move {
                    match tls {
                        None => speak(stream, &play).await,
                        Some((acceptor, _)) => {
                            if let Ok(stream) = acceptor.accept(stream).await {
                                speak(stream, &play).await;
                            }
                        }
                    }
                });
            }
        });
        let origin = format!("{scheme}://{address}");
        Self { address, authority, origin, play, listening, _directory: directory }
    }

    /// The same server by a name, which leads to it where a test says so.
    #[must_use]
    pub fn called(mut self, name: &str) -> Self {
        let scheme = self.origin.split(':').next().unwrap_or_default();
        self.origin = format!("{scheme}://{name}:{}", self.address.port());
        self
    }

    /// A URL here.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }

    /// Sets a row, in place of the one for this method and path.
    pub fn put(&self, method: &str, path: &str, said: Scripted) {
        self.row(method, path, None, said);
    }

    /// Sets a row that counts more for requests with a header line, in lower case, that begins like this.
    pub fn put_given(&self, given: &'static str, method: &str, path: &str, said: Scripted) {
        self.row(method, path, Some(given), said);
    }

    /// Takes out a path with all its rows.
    pub fn remove(&self, path: &str) {
        self.play().rows.retain(|row| row.path != path);
    }

    /// The requests so far.
    pub fn spoken(&self) -> Vec<Spoken> {
        self.play().spoken.clone()
    }

    fn row(&self, method: &str, path: &str, given: Option<&'static str>, said: Scripted) {
        let rows = &mut self.play().rows;
        rows.retain(|row| row.method != method || row.path != path || row.given != given);
        rows.push(Row { method: method.to_owned(), path: path.to_owned(), given, said });
    }

    fn play(&self) -> std::sync::MutexGuard<'_, Play> {
        self.play.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

impl Play {
    /// The answer: a row with a condition that holds counts first; HEAD is GET where nothing else is said.
    fn answer(&self, spoken: &Spoken) -> Scripted {
        let path = spoken.target.split('?').next().unwrap_or_default();
        let holds = |given: &str| spoken.head.lines().any(|said| said.starts_with(given));
        let find = |method: &str| {
            let rows = self.rows.iter().filter(|row| row.method == method && row.path == path);
            let fitting = rows.filter(|row| row.given.is_none_or(holds));
            fitting.max_by_key(|row| row.given.is_some())
        };
        let row = match spoken.method.as_str() {
            "HEAD" => find("HEAD").or_else(|| find("GET")),
            method => find(method),
        };
        row.map_or_else(|| Scripted::status(404).header("content-type", "text/plain"), |row| row.said.clone())
    }
}

async fn speak(mut stream: impl AsyncRead + AsyncWrite + Unpin, play: &Mutex<Play>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) if head.is_empty() && !byte.is_ascii_uppercase() => {
                // No method begins so; it may be TLS.
                let _ = stream.write_all(b"HTTP/1.1 400 -\r\nconnection: close\r\n\r\n").await;
                return;
            }
            Ok(byte) => head.push(byte),
            // Whoever only looks whether somebody is there goes again.
            Err(_) => return,
        }
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let mut words = head.split(' ');
    let method = words.next().unwrap_or_default().to_owned();
    let target = words.next().unwrap_or_default().to_owned();
    let head = head.to_ascii_lowercase();
    let length = head.lines().find_map(|said| said.strip_prefix("content-length: "));
    let mut body = vec![0; length.and_then(|length| length.parse().ok()).unwrap_or_default()];
    if stream.read_exact(&mut body).await.is_err() {
        return;
    }
    let spoken = Spoken { method, target, head, body: String::from_utf8_lossy(&body).into_owned() };
    let said = {
        let mut play = play.lock().unwrap_or_else(PoisonError::into_inner);
        let said = play.answer(&spoken);
        play.spoken.push(spoken.clone());
        said
    };
    match said.bytes(&spoken.method) {
        Some(bytes) => {
            let _ = stream.write_all(&bytes).await;
            let _ = stream.shutdown().await;
        }
        None => drop(stream.read_u8().await),
    }
}
