//! A JSON document from a URL that a stranger named.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::{Body as _, Incoming};
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HOST, HeaderMap, USER_AGENT};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_rustls::client::TlsStream;
use url::{Host, Url};

use super::address::{is_of_this_site, is_public};
use super::flight::Airspace;
use super::freshness;
use super::names::Names;
use super::party::{Party, Turns};
use super::tls::Tls;
use crate::clock::Seconds;
use crate::http::Networks;

/// From the first wait to the last byte.
const TIME: Duration = Duration::from_secs(5);

/// How long one of several addresses may take to answer.
const CONNECT_TIME: Duration = Duration::from_secs(2);

/// How many addresses of one host are tried. Whoever runs its name could otherwise have this server knock at as many
/// doors of others as fit into an answer.
const ADDRESSES_MAX: usize = 8;

/// How many fetches of one party may be under way at once.
const AT_ONCE: usize = 8;

/// How much of what TLS says of a failure is told: it may name every name of a stranger's certificate.
const TLS_CHARS_MAX: usize = 80;

/// Room for the head of an answer.
const HEAD_BYTES: usize = 16 * 1024;

/// Who we say that we are.
const AGENT: &str = concat!("vestibule/", env!("CARGO_PKG_VERSION"));

/// Fetches documents, few at a time and each once.
pub struct Fetcher {
    names: Names,
    permitted: Networks,
    tls: Tls,
    turns: Turns<Semaphore>,
    airspace: Airspace,
}

/// A document.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// What it says; declared to be JSON, and not read yet.
    pub body: Bytes,
    /// For how long it may be used before it is asked for again: one minute to one day.
    pub fresh_for: Seconds,
}

/// Why there is no document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FetchRefusal {
    /// Not https, or no host that could be asked.
    UrlUnsuitable,
    /// A name that means something in this house only.
    NameSpecial,
    /// The name leads, perhaps among others, to an address that is not a public server's.
    AddressSpecial(IpAddr),
    /// The name has no address.
    NameUnknown,
    /// Nobody answers there.
    Unreachable,
    /// TLS failed: the certificate is expired, of another name, or of no authority that is trusted.
    Tls(String),
    /// Any status but 200; redirects are not followed.
    Status(u16),
    /// Not declared to be JSON.
    NotJson,
    /// Compressed, although nothing was to be.
    Encoded,
    /// Longer than the limit.
    TooLarge,
    /// Not there in time.
    TooSlow,
    /// The answer is no HTTP, or broke off.
    Broken,
    /// Too many fetches at once, here or from that host.
    Crowded,
}

impl FetchRefusal {
    /// The reason in one word, for the log and the audit.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::UrlUnsuitable => "url_unsuitable",
            Self::NameSpecial => "name_special",
            Self::AddressSpecial(_) => "address_special",
            Self::NameUnknown => "name_unknown",
            Self::Unreachable => "unreachable",
            Self::Tls(_) => "tls",
            Self::Status(_) => "status",
            Self::NotJson => "not_json",
            Self::Encoded => "encoded",
            Self::TooLarge => "too_large",
            Self::TooSlow => "too_slow",
            Self::Broken => "broken",
            Self::Crowded => "crowded",
        }
    }

    /// Whether the host may be well again in a moment, so that what it said before still counts. A host that says that
    /// there is no such document has spoken, and so has one that sends another thing, or elsewhere.
    pub const fn is_outage(&self) -> bool {
        match self {
            Self::NameUnknown
            | Self::Unreachable
            | Self::Tls(_)
            | Self::TooSlow
            | Self::Broken
            | Self::Crowded => true,
            Self::Status(status) => !matches!(status, 200..=399 | 404 | 410),
            Self::UrlUnsuitable
            | Self::NameSpecial
            | Self::AddressSpecial(_)
            | Self::NotJson
            | Self::Encoded
            | Self::TooLarge => false,
        }
    }
}

/// For the log; a page has sentences of its own.
impl fmt::Display for FetchRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AddressSpecial(address) => write!(f, "{}: {address}", self.reason()),
            Self::Tls(why) => write!(f, "{}: {why}", self.reason()),
            Self::Status(status) => write!(f, "{} {status}", self.reason()),
            _ => f.write_str(self.reason()),
        }
    }
}

impl Fetcher {
    /// `permitted` are networks that may be fetched from although they are special, and `own_roots` a PEM file of
    /// authorities that are trusted besides the system's.
    pub fn new(names: Names, permitted: Networks, own_roots: Option<PathBuf>) -> Self {
        Self {
            names,
            permitted,
            tls: Tls::new(own_roots),
            turns: Turns::new(AT_ONCE),
            airspace: Airspace::default(),
        }
    }

    /// The document at `url`, if it is there within five seconds and has at most `bytes_max` bytes.
    pub async fn fetch(&self, url: &Url, bytes_max: usize, party: Party) -> Result<Fetched, FetchRefusal> {
        // What may be refused unasked is, before anything is counted or looked up.
        let host = self.host_of(url)?;
        let seat = self.airspace.board(flight_of(url, bytes_max, party));
        seat.outcome(async {
            let turn = self.airspace.host_turn(host, party).ok_or(FetchRefusal::Crowded)?;
            let fetched = tokio::time::timeout(TIME, self.fetch_alone(url, host, bytes_max, party)).await;
            drop(turn);
            fetched.unwrap_or(Err(FetchRefusal::TooSlow))
        })
        .await
    }

    /// Whether that very document is being fetched, so that one more who asks for it costs its host nothing.
    pub fn is_fetching(&self, url: &Url, bytes_max: usize, party: Party) -> bool {
        self.airspace.is_under_way(&flight_of(url, bytes_max, party))
    }

    /// The host, if its name alone is no reason against it.
    fn host_of<'a>(&self, url: &'a Url) -> Result<&'a str, FetchRefusal> {
        let host = url.host_str().filter(|_| url.scheme() == "https").ok_or(FetchRefusal::UrlUnsuitable)?;
        match url.host() {
            Some(Host::Ipv4(ip)) => self.check(ip.into())?,
            Some(Host::Ipv6(ip)) => self.check(ip.into())?,
            // Where the owner permits addresses of the house, its names are permitted as well.
            Some(Host::Domain(name)) if self.permitted.is_empty() && is_local_name(name) => {
                return Err(FetchRefusal::NameSpecial);
            }
            Some(Host::Domain(name)) if name.ends_with('.') => return Err(FetchRefusal::UrlUnsuitable),
            Some(Host::Domain(_)) => {}
            None => return Err(FetchRefusal::UrlUnsuitable),
        }
        Ok(host)
    }

    fn check(&self, address: IpAddr) -> Result<(), FetchRefusal> {
        if is_public(address) || self.permitted.contains(address) {
            return Ok(());
        }
        Err(FetchRefusal::AddressSpecial(address))
    }

    async fn fetch_alone(
        &self,
        url: &Url,
        host: &str,
        bytes_max: usize,
        party: Party,
    ) -> Result<Fetched, FetchRefusal> {
        let _turn = self.turns.of(party).acquire().await.map_err(|_| FetchRefusal::Crowded)?;
        let stream = self.connect(url, host, party).await?;
        let stream = self
            .tls
            .connect(host, stream)
            .await
            .map_err(|why| FetchRefusal::Tls(why.to_string().chars().take(TLS_CHARS_MAX).collect()))?;
        let response = ask(stream, url).await?;
        read(response, bytes_max).await
    }

    /// Asks for the addresses once, looks at all of them, and connects to one that it looked at. One address of the
    /// house among public ones makes the name suspect as a whole.
    async fn connect(&self, url: &Url, host: &str, party: Party) -> Result<TcpStream, FetchRefusal> {
        let port = url.port_or_known_default().ok_or(FetchRefusal::UrlUnsuitable)?;
        let addresses = match url.host() {
            Some(Host::Ipv4(ip)) => vec![SocketAddr::from((ip, port))],
            Some(Host::Ipv6(ip)) => vec![SocketAddr::from((ip, port))],
            _ => self.names.look_up(host, port, party).await.map_err(|_| FetchRefusal::NameUnknown)?,
        };
        for address in &addresses {
            self.check(address.ip())?;
        }
        let mut refusal = FetchRefusal::NameUnknown;
        for address in addresses.into_iter().take(ADDRESSES_MAX) {
            if is_of_this_site(address.ip()) && !self.permitted.contains(address.ip()) {
                return Err(FetchRefusal::AddressSpecial(address.ip()));
            }
            match tokio::time::timeout(CONNECT_TIME, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(_)) | Err(_) => refusal = FetchRefusal::Unreachable,
            }
        }
        Err(refusal)
    }
}

/// What can be shared of a fetch: whoever waits for less must not be handed more, and a stranger's waits longer.
fn flight_of(url: &Url, bytes_max: usize, party: Party) -> String {
    format!("{party:?} {bytes_max} {url}")
}

/// Names that only a local resolver gives a meaning to (RFC 6761, RFC 6762, RFC 8375, and what home routers use).
fn is_local_name(name: &str) -> bool {
    const ENDINGS: [&str; 9] =
        ["localhost", "local", "localdomain", "internal", "intranet", "lan", "home", "home.arpa", "corp"];
    let name = name.strip_suffix('.').unwrap_or(name);
    let ends_in =
        |ending: &str| name.strip_suffix(ending).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    !name.contains('.') || ENDINGS.into_iter().any(ends_in)
}

/// Sends the request and takes the head of the answer. The connection ends with the returned body.
async fn ask(stream: TlsStream<TcpStream>, url: &Url) -> Result<Answer, FetchRefusal> {
    let broken = |_: hyper::Error| FetchRefusal::Broken;
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(HEAD_BYTES)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(broken)?;
    let mut driving = JoinSet::new();
    driving.spawn(async move { drop(connection.await) });
    let authority = &url[url::Position::BeforeHost..url::Position::AfterPort];
    let request = Request::get(&url[url::Position::BeforePath..url::Position::AfterQuery])
        .header(HOST, authority)
        .header(ACCEPT, "application/json")
        .header(ACCEPT_ENCODING, "identity")
        .header(USER_AGENT, AGENT)
        .body(Empty::<Bytes>::new())
        .map_err(|_| FetchRefusal::UrlUnsuitable)?;
    let response = sender.send_request(request).await.map_err(broken)?;
    Ok(Answer { response, _driving: driving })
}

struct Answer {
    response: Response<Incoming>,
    /// Dropped, it ends the connection.
    _driving: JoinSet<()>,
}

async fn read(answer: Answer, bytes_max: usize) -> Result<Fetched, FetchRefusal> {
    let Answer { response, _driving } = answer;
    let (head, mut body) = response.into_parts();
    if head.status != StatusCode::OK {
        return Err(FetchRefusal::Status(head.status.as_u16()));
    }
    if !is_json(&head.headers) {
        return Err(FetchRefusal::NotJson);
    }
    if head.headers.get_all(CONTENT_ENCODING).iter().any(|encoding| encoding != "identity") {
        return Err(FetchRefusal::Encoded);
    }
    if body.size_hint().lower() > bytes_max as u64 {
        return Err(FetchRefusal::TooLarge);
    }
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| FetchRefusal::Broken)?.into_data() else { continue };
        if whole.len() + data.len() > bytes_max {
            return Err(FetchRefusal::TooLarge);
        }
        whole.extend_from_slice(&data);
    }
    Ok(Fetched { body: whole.freeze(), fresh_for: freshness::of(&head.headers) })
}

/// Whether an answer is declared, once, as `application/json` or as one of its dialects (RFC 6839 3.1), in UTF-8.
fn is_json(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return false };
    let Ok(value) = value.to_str() else { return false };
    let mut parts = value.split(';').map(|part| part.trim().to_ascii_lowercase());
    let essence = parts.next().unwrap_or_default();
    let subtype = essence.strip_prefix("application/").unwrap_or_default();
    let is_dialect = subtype.strip_suffix("+json").is_some_and(|dialect| !dialect.is_empty());
    let is_utf8 = |parameter: String| match parameter.split_once('=') {
        Some(("charset", charset)) => charset.trim_matches('"') == "utf-8",
        _ => true,
    };
    (subtype == "json" || is_dialect) && parts.all(is_utf8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cimd_05_names_of_this_house_are_told_from_names_of_the_world() {
        for local in
            ["localhost", "a.localhost", "nas", "nas.local", "x.internal", "printer.lan", "a.home.arpa"]
        {
            assert!(is_local_name(local) && is_local_name(&format!("{local}.")), "{local}");
        }
        for public in ["claude.ai", "local.example", "mylocal.com", "x.notlocal.org", "home.example"] {
            assert!(!is_local_name(public), "{public}");
        }
    }

    #[test]
    fn a_cimd_08_only_json_is_json() {
        let json = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.append(CONTENT_TYPE, value.parse().unwrap());
            is_json(&headers)
        };
        for good in [
            "application/json",
            "Application/JSON; charset=utf-8",
            "application/json;charset=\"UTF-8\"",
            "application/jwk-set+json",
            "application/cimd+json",
        ] {
            assert!(json(good), "{good}");
        }
        for bad in [
            "",
            "text/html",
            "text/plain",
            "text/json",
            "application/json, text/html",
            "application/jsonx",
            "application/+json",
            "application/json; charset=utf-16",
            "text/html; x=application/json",
        ] {
            assert!(!json(bad), "{bad}");
        }
        assert!(!is_json(&HeaderMap::new()));
    }
}
