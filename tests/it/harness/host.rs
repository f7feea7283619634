//! A host on the internet, as far as the server can tell: TLS with a certificate for its names, on loopback, and
//! documents that a test puts there.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine;
use rcgen::{BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring as with_ring;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use vestibule::config::Settings;
use vestibule::http::Networks;
use vestibule::outgoing::Names;

/// What a host answers.
#[derive(Clone, Debug)]
pub enum Reply {
    /// These bytes, and the end of the connection.
    Bytes(Vec<u8>),
    /// The same, but not before the test gives leave, once for each time.
    Held(Arc<Semaphore>, Vec<u8>),
    /// These bytes, and a connection that breaks instead of ending, as when somebody on the way cuts it.
    Torn(Vec<u8>),
    /// These bytes, and then nothing, for as long as the other side has patience.
    Stalled(Vec<u8>),
    /// The first bytes, then one of the others every tenth of a second, and never an end.
    Dripping(Vec<u8>, Vec<u8>),
    /// The first bytes, then the others again and again, and never an end.
    Endless(Vec<u8>, Vec<u8>),
}

impl Reply {
    /// A JSON document.
    pub fn json(document: &serde_json::Value) -> Self {
        Self::answer("200 OK", &[("content-type", "application/json")], document.to_string().as_bytes())
    }

    /// A JSON document with more headers.
    pub fn json_with(headers: &[(&str, &str)], document: &serde_json::Value) -> Self {
        let json = [("content-type", "application/json")];
        Self::answer("200 OK", &[&json, headers].concat(), document.to_string().as_bytes())
    }

    /// This reply, when the test gives leave.
    pub fn held(self, leave: &Arc<Semaphore>) -> Self {
        match self {
            Self::Bytes(bytes) => Self::Held(Arc::clone(leave), bytes),
            other => panic!("{other:?} is not held"),
        }
    }

    /// Any answer.
    pub fn answer(status: &str, headers: &[(&str, &str)], body: &[u8]) -> Self {
        let mut bytes = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n", body.len());
        for (name, value) in headers {
            bytes.push_str(&format!("{name}: {value}\r\n"));
        }
        bytes.push_str("\r\n");
        let mut bytes = bytes.into_bytes();
        bytes.extend_from_slice(body);
        Self::Bytes(bytes)
    }
}

#[derive(Default)]
struct Desk {
    replies: HashMap<String, Reply>,
    /// Every request, head and all.
    asked: Vec<String>,
    connections: usize,
}

/// A running host; it stops when the test lets go of it.
pub struct Host {
    pub address: SocketAddr,
    /// The certificate of the authority that vouches for it, PEM.
    pub authority: PathBuf,
    desk: Arc<Mutex<Desk>>,
    listening: JoinHandle<()>,
    _directory: TempDir,
}

impl Host {
    /// A host with a good certificate for these names.
    pub async fn start(names: &[&str]) -> Self {
        Self::start_at(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), names, |_| {}).await
    }

    /// [`Host::start`] at an address, with a certificate that `spoil` has changed.
    pub async fn start_at(
        address: SocketAddr,
        names: &[&str],
        spoil: impl FnOnce(&mut CertificateParams),
    ) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let (acceptor, authority) = certified(names, spoil);
        let path = directory.path().join("authority.pem");
        std::fs::write(&path, pem(&authority)).expect("the certificate");
        let listener = TcpListener::bind(address).await.expect("a port");
        let address = listener.local_addr().expect("its address");
        let desk = Arc::new(Mutex::new(Desk::default()));
        let served = Arc::clone(&desk);
        let listening = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                served.lock().unwrap_or_else(PoisonError::into_inner).connections += 1;
                let (acceptor, desk) = (acceptor.clone(), Arc::clone(&served));
                tokio::spawn(async move {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        converse(stream, &desk).await;
                    }
                });
            }
        });
        Self { address, authority: path, desk, listening, _directory: directory }
    }

    /// A URL here.
    pub fn url(&self, name: &str, path: &str) -> String {
        format!("https://{name}:{}{path}", self.address.port())
    }

    /// Puts something at a path; 404 stands everywhere else.
    pub fn put(&self, path: &str, reply: Reply) {
        self.desk().replies.insert(path.to_owned(), reply);
    }

    /// The requests so far, head and all.
    pub fn asked(&self) -> Vec<String> {
        self.desk().asked.clone()
    }

    /// How many requests there were.
    pub fn hits(&self) -> usize {
        self.desk().asked.len()
    }

    /// How many connections there were, whether or not a request came by them.
    pub fn connections(&self) -> usize {
        self.desk().connections
    }

    /// Nobody listens any more.
    pub fn go_down(&self) {
        self.listening.abort();
    }

    /// Settings of a server that may fetch from loopback, and trusts this host's authority.
    pub fn trusted_by(&self, settings: &mut Settings) {
        settings.fetch_networks = Networks::parse(["127.0.0.1"]).expect("a network");
        settings.fetch_roots = Some(self.authority.clone());
    }

    /// A world in which every name leads to this host.
    pub fn names(&self) -> Names {
        let ip: IpAddr = self.address.ip();
        Names::by_hand(move |_| vec![ip])
    }

    /// The same, which remembers what it is asked.
    pub fn resolver(&self) -> Resolver {
        let ip: IpAddr = self.address.ip();
        Resolver::new(move |_, _| vec![ip])
    }

    fn desk(&self) -> std::sync::MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who knows the addresses of names, and remembers each question.
#[derive(Clone)]
pub struct Resolver {
    questions: Arc<Mutex<Vec<String>>>,
    names: Names,
}

impl Resolver {
    /// Answers as `answer` says, which is told the name and how often this resolver was asked before.
    pub fn new(answer: impl Fn(&str, usize) -> Vec<IpAddr> + Send + Sync + 'static) -> Self {
        let questions: Arc<Mutex<Vec<String>>> = Arc::default();
        let asked = Arc::clone(&questions);
        let names = Names::by_hand(move |name| {
            let mut asked = asked.lock().unwrap_or_else(PoisonError::into_inner);
            asked.push(name.to_owned());
            answer(name, asked.len() - 1)
        });
        Self { questions, names }
    }

    /// For a server.
    pub fn names(&self) -> Names {
        self.names.clone()
    }

    /// The names that it was asked for so far.
    pub fn questions(&self) -> Vec<String> {
        self.questions.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

async fn converse(mut stream: impl AsyncRead + AsyncWrite + Unpin, desk: &Mutex<Desk>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    let reply = {
        let mut desk = desk.lock().unwrap_or_else(PoisonError::into_inner);
        desk.asked.push(head);
        let missing = || Reply::answer("404 Not Found", &[("content-type", "text/plain")], b"no");
        desk.replies.get(&path).cloned().unwrap_or_else(missing)
    };
    // Whoever has had enough is gone, which is no fault of the host's.
    match reply {
        Reply::Bytes(bytes) => end_with(&mut stream, &bytes).await,
        Reply::Held(leave, bytes) => {
            leave.acquire().await.expect("it is never closed").forget();
            end_with(&mut stream, &bytes).await;
        }
        // Without the alert that ends TLS in order (RFC 8446 6.1).
        Reply::Torn(bytes) => drop(say(&mut stream, &bytes).await),
        Reply::Stalled(bytes) => {
            let _ = say(&mut stream, &bytes).await;
            let _ = stream.read_u8().await;
        }
        Reply::Dripping(first, then) => {
            let mut ticks = tokio::time::interval(Duration::from_millis(100));
            let mut said = say(&mut stream, &first).await;
            for byte in then.iter().cycle() {
                if said.is_err() {
                    return;
                }
                ticks.tick().await;
                said = say(&mut stream, &[*byte]).await;
            }
        }
        Reply::Endless(first, then) => {
            let mut said = say(&mut stream, &first).await;
            while said.is_ok() {
                said = say(&mut stream, &then).await;
            }
        }
    }
}

async fn end_with(stream: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) {
    let _ = stream.write_all(bytes).await;
    let _ = stream.shutdown().await;
}

async fn say(stream: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> std::io::Result<()> {
    stream.write_all(bytes).await?;
    stream.flush().await
}

/// A server's side of TLS, and the certificate of the authority that signed its own.
pub(super) fn certified(
    names: &[&str],
    spoil: impl FnOnce(&mut CertificateParams),
) -> (TlsAcceptor, Vec<u8>) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "The authority of a test");
    let authority =
        CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("an authority");
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).expect("names");
    spoil(&mut params);
    let key = KeyPair::generate().expect("a key");
    let certificate = params.signed_by(&key, &authority).expect("a certificate");
    (acceptor(&certificate, &key), authority.der().to_vec())
}

/// A server's side of TLS, with a certificate that is its own authority, and that certificate.
pub(super) fn self_signed(names: &[&str]) -> (TlsAcceptor, Vec<u8>) {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).expect("names");
    // As openssl req -x509 makes them.
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    let certificate = params.self_signed(&key).expect("a certificate");
    (acceptor(&certificate, &key), certificate.der().to_vec())
}

fn acceptor(certificate: &Certificate, key: &KeyPair) -> TlsAcceptor {
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(with_ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("protocol versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .expect("a certificate and its key");
    TlsAcceptor::from(Arc::new(config))
}

pub(super) fn pem(certificate: &[u8]) -> String {
    let text = base64::engine::general_purpose::STANDARD.encode(certificate);
    let lines: Vec<&str> =
        text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).expect("base64 is ASCII")).collect();
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
}
