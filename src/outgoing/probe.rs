//! One request, and what came of it, whatever it is: for whoever wants to know how a server behaves, and not just what it
//! has to say.
//!
//! The owner names where to, so an address may be anybody's. Nothing is followed, nothing is kept, and little is read.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{ACCEPT_ENCODING, CONTENT_TYPE, DATE, HOST, HeaderMap, USER_AGENT};
use hyper::rt::{Read, Write};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};
use url::{Host, Url};

use super::names::Names;
use super::party::Party;
use super::trust::{TlsRefusal, Trust, TrustLists};
use crate::clock::UnixTime;

/// How long one of several addresses may take to answer.
const CONNECT_TIME: Duration = Duration::from_secs(3);

/// Room for the head of an answer.
const HEAD_BYTES: usize = 64 * 1024;

/// How much of a body is read; nothing that a client needs is longer.
const BODY_BYTES_MAX: usize = 256 * 1024;

/// Who asks where the probe does not say otherwise: what everything says that is built on Node.
const AGENT: &str = "node";

/// Sends probes.
pub struct Prober {
    names: Names,
    trust: TrustLists,
    time: Duration,
    /// Where a host answered last, so that an address that never answers costs its time once.
    answering: Mutex<HashMap<String, SocketAddr>>,
}

/// One request.
#[derive(Clone, Debug)]
pub struct Probe {
    method: Method,
    url: Url,
    headers: Vec<(&'static str, String)>,
    body: String,
}

impl Probe {
    /// A request without headers and body.
    pub fn new(method: Method, url: &Url) -> Self {
        Self { method, url: url.clone(), headers: Vec::new(), body: String::new() }
    }

    /// With a header; of two of one name the last counts.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// With a body of this type.
    #[must_use]
    pub fn body(mut self, content_type: &str, body: impl Into<String>) -> Self {
        self.body = body.into();
        self.header("content-type", content_type)
    }
}

/// What was answered.
#[derive(Clone, Debug)]
pub struct ProbeAnswer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, as far as it was read.
    pub body: Bytes,
    /// How the body ended.
    pub end: BodyEnd,
}

/// How a body ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyEnd {
    /// It is all there.
    Complete,
    /// It is longer than 256 KiB.
    TooLong,
    /// It did not come to its end in time.
    TooSlow,
    /// It broke off.
    Broken,
    /// It is a stream of events, which has no end, and was not read.
    Stream,
}

impl ProbeAnswer {
    /// A header, if it is there and is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The media type without its parameters, in lower case; empty where none is declared.
    pub fn media_type(&self) -> String {
        let declared = self.header(CONTENT_TYPE.as_str()).unwrap_or_default();
        declared.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    }

    /// When it was sent, by the server's clock.
    pub fn date(&self) -> Option<UnixTime> {
        let date = httpdate::parse_http_date(self.header(DATE.as_str())?).ok()?;
        let seconds = date.duration_since(std::time::UNIX_EPOCH).ok()?.as_secs();
        i64::try_from(seconds).ok().map(UnixTime::new)
    }
}

/// How a host can be reached.
#[derive(Clone, Debug)]
pub struct Reached {
    /// Whose list its certificate rests on; `None` without TLS.
    pub trust: Option<Trust>,
    /// Those of its addresses at which nobody answers, although this machine has a way there.
    pub silent: Vec<IpAddr>,
}

/// Why nothing was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProbeRefusal {
    /// No request can be made of it.
    Unaskable,
    /// The name has no address.
    NameUnknown,
    /// Nobody listens at this address.
    ConnectionRefused(SocketAddr),
    /// No way leads to this address, and why.
    Unreachable(SocketAddr, String),
    /// TLS failed.
    Tls(TlsRefusal),
    /// Nothing came in time.
    TooSlow(Awaited),
    /// The connection broke, or what came is no HTTP, and what about it.
    Broken(String),
}

/// What did not come in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Awaited {
    /// The addresses of the name.
    Addresses,
    /// A connection to this address.
    Connection(SocketAddr),
    /// The end of the TLS handshake.
    Tls,
    /// The head of the answer.
    Answer,
}

impl fmt::Display for ProbeRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unaskable => f.write_str("no request can be made of this URL"),
            Self::NameUnknown => f.write_str("the name has no address"),
            Self::ConnectionRefused(address) => write!(f, "{address} refuses connections"),
            Self::Unreachable(address, why) => write!(f, "{address} cannot be reached: {why}"),
            Self::Tls(why) => why.fmt(f),
            Self::TooSlow(Awaited::Addresses) => f.write_str("the name's addresses did not come in time"),
            Self::TooSlow(Awaited::Connection(address)) => write!(f, "{address} does not answer"),
            Self::TooSlow(Awaited::Tls) => f.write_str("the TLS handshake came to no end in time"),
            Self::TooSlow(Awaited::Answer) => f.write_str("no answer came in time"),
            Self::Broken(why) => write!(f, "the connection broke: {why}"),
        }
    }
}

impl Prober {
    /// `roots` is a PEM file of authorities that are believed besides the web's and this machine's; `time` is how long
    /// one request may take from the first look at the name to the last byte.
    pub fn new(names: Names, roots: Option<PathBuf>, time: Duration) -> Self {
        Self { names, trust: TrustLists::new(roots), time, answering: Mutex::default() }
    }

    /// The addresses of a URL's host.
    pub async fn look_up(&self, url: &Url) -> Result<Vec<IpAddr>, ProbeRefusal> {
        let addresses = self.addresses(url, Instant::now() + self.time).await?;
        Ok(addresses.iter().map(SocketAddr::ip).collect())
    }

    /// Opens a connection to a URL's host, with TLS where it says so, and tries each of its addresses.
    pub async fn reach(&self, url: &Url) -> Result<Reached, ProbeRefusal> {
        let deadline = Instant::now() + self.time;
        let addresses = self.addresses(url, deadline).await?;
        let (_, trust) = self.open(url, deadline).await?;
        if addresses.len() == 1 {
            return Ok(Reached { trust, silent: Vec::new() });
        }
        let mut tries = JoinSet::new();
        for address in addresses {
            tries.spawn(async move { (address.ip(), is_silent(address).await) });
        }
        let mut silent = Vec::new();
        while let Some(tried) = tries.join_next().await {
            silent.extend(tried.ok().filter(|(_, is_silent)| *is_silent).map(|(ip, _)| ip));
        }
        silent.sort();
        Ok(Reached { trust, silent })
    }

    /// Sends one request, and takes what is answered.
    pub async fn ask(&self, probe: Probe) -> Result<ProbeAnswer, ProbeRefusal> {
        let deadline = Instant::now() + self.time;
        let (wire, _) = self.open(&probe.url, deadline).await?;
        match wire {
            Wire::Plain(stream) => converse(stream, probe, deadline).await,
            Wire::Tls(stream) => converse(stream, probe, deadline).await,
        }
    }

    async fn addresses(&self, url: &Url, deadline: Instant) -> Result<Vec<SocketAddr>, ProbeRefusal> {
        let port = url.port_or_known_default().ok_or(ProbeRefusal::Unaskable)?;
        let name = match url.host().ok_or(ProbeRefusal::Unaskable)? {
            Host::Ipv4(ip) => return Ok(vec![SocketAddr::from((ip, port))]),
            Host::Ipv6(ip) => return Ok(vec![SocketAddr::from((ip, port))]),
            Host::Domain(name) => name,
        };
        let asked = timeout_at(deadline, self.names.look_up(name, port, Party::Known)).await;
        let mut addresses = asked
            .map_err(|_| ProbeRefusal::TooSlow(Awaited::Addresses))?
            .map_err(|_| ProbeRefusal::NameUnknown)?;
        addresses.dedup();
        match addresses.is_empty() {
            true => Err(ProbeRefusal::NameUnknown),
            false => Ok(addresses),
        }
    }

    async fn open(&self, url: &Url, deadline: Instant) -> Result<(Wire, Option<Trust>), ProbeRefusal> {
        let stream = self.connect(url, deadline).await?;
        if url.scheme() != "https" {
            return Ok((Wire::Plain(TokioIo::new(stream)), None));
        }
        let host = url.host_str().ok_or(ProbeRefusal::Unaskable)?;
        let secured = timeout_at(deadline, self.trust.connect(host, stream)).await;
        let (stream, trust) =
            secured.map_err(|_| ProbeRefusal::TooSlow(Awaited::Tls))?.map_err(ProbeRefusal::Tls)?;
        Ok((Wire::Tls(Box::new(TokioIo::new(stream))), Some(trust)))
    }

    async fn connect(&self, url: &Url, deadline: Instant) -> Result<TcpStream, ProbeRefusal> {
        let mut addresses = self.addresses(url, deadline).await?;
        let host = url[url::Position::BeforeHost..url::Position::AfterPort].to_owned();
        if let Some(before) = self.answering().get(&host) {
            addresses.sort_by_key(|address| address != before);
        }
        let mut refusal = ProbeRefusal::NameUnknown;
        for address in addresses {
            let until = deadline.min(Instant::now() + CONNECT_TIME);
            match timeout_at(until, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    self.answering().insert(host, address);
                    return Ok(stream);
                }
                Ok(Err(why)) if why.kind() == io::ErrorKind::ConnectionRefused => {
                    refusal = ProbeRefusal::ConnectionRefused(address);
                }
                Ok(Err(why)) => refusal = ProbeRefusal::Unreachable(address, why.to_string()),
                Err(_) => refusal = ProbeRefusal::TooSlow(Awaited::Connection(address)),
            }
        }
        Err(refusal)
    }

    fn answering(&self) -> std::sync::MutexGuard<'_, HashMap<String, SocketAddr>> {
        self.answering.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether nobody answers at an address to which this machine knows a way.
async fn is_silent(address: SocketAddr) -> bool {
    match tokio::time::timeout(CONNECT_TIME, TcpStream::connect(address)).await {
        Ok(Ok(_)) => false,
        // A machine without IPv6 can say nothing of IPv6.
        Ok(Err(why)) => {
            !matches!(why.kind(), io::ErrorKind::NetworkUnreachable | io::ErrorKind::AddrNotAvailable)
        }
        Err(_) => true,
    }
}

enum Wire {
    Plain(TokioIo<TcpStream>),
    Tls(Box<TokioIo<tokio_rustls::client::TlsStream<TcpStream>>>),
}

/// One request over an open connection, which ends with it.
async fn converse(
    stream: impl Read + Write + Unpin + Send + 'static,
    probe: Probe,
    deadline: Instant,
) -> Result<ProbeAnswer, ProbeRefusal> {
    let broken = |why: hyper::Error| ProbeRefusal::Broken(why.to_string());
    let (mut sender, connection) =
        http1::Builder::new().max_buf_size(HEAD_BYTES).handshake(stream).await.map_err(broken)?;
    let mut driving = JoinSet::new();
    driving.spawn(async move { drop(connection.await) });
    let request = request(probe).ok_or(ProbeRefusal::Unaskable)?;
    let sent = timeout_at(deadline, sender.send_request(request)).await;
    let response = sent.map_err(|_| ProbeRefusal::TooSlow(Awaited::Answer))?.map_err(broken)?;
    Ok(read(response, deadline).await)
}

fn request(probe: Probe) -> Option<Request<Full<Bytes>>> {
    let Probe { method, url, headers, body } = probe;
    let mut request = Request::new(Full::new(Bytes::from(body)));
    *request.method_mut() = method;
    *request.uri_mut() = url[url::Position::BeforePath..url::Position::AfterQuery].parse().ok()?;
    let authority = &url[url::Position::BeforeHost..url::Position::AfterPort];
    let head = request.headers_mut();
    head.insert(HOST, authority.parse().ok()?);
    head.insert(USER_AGENT, AGENT.parse().ok()?);
    head.insert(ACCEPT_ENCODING, "identity".parse().ok()?);
    for (name, value) in headers {
        head.insert(name, value.parse().ok()?);
    }
    Some(request)
}

/// The answer, with as much of its body as there is room and time for.
async fn read(response: Response<Incoming>, deadline: Instant) -> ProbeAnswer {
    let (head, mut body) = response.into_parts();
    let mut answer = ProbeAnswer {
        status: head.status,
        headers: head.headers,
        body: Bytes::new(),
        end: BodyEnd::Complete,
    };
    if answer.media_type() == "text/event-stream" {
        answer.end = BodyEnd::Stream;
        return answer;
    }
    let mut whole = BytesMut::new();
    answer.end = loop {
        let frame = match timeout_at(deadline, body.frame()).await {
            Err(_) => break BodyEnd::TooSlow,
            Ok(None) => break BodyEnd::Complete,
            Ok(Some(Err(_))) => break BodyEnd::Broken,
            Ok(Some(Ok(frame))) => frame,
        };
        let Ok(data) = frame.into_data() else { continue };
        if whole.len() + data.len() > BODY_BYTES_MAX {
            break BodyEnd::TooLong;
        }
        whole.extend_from_slice(&data);
    };
    answer.body = whole.freeze();
    answer
}
