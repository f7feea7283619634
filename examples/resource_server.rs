//! A resource server: a list of notes over HTTP, for callers with an access token of Vestibule's and for nobody else.
//!
//! ```sh
//! cargo run --example resource_server -- http://127.0.0.1:8080 [127.0.0.1:3000] [http://127.0.0.1:3000/notes]
//! #                                      issuer                listen           the URI that clients know it by
//! ```
//!
//! From top to bottom: what is answered ([`answer`]), who may ([`admit`]), when a token is good ([`verify`]), which
//! keys are believed ([`Keys`]), and the little HTTP beneath. It knows nothing of Vestibule but its issuer: what it
//! does works with every issuer of JWT access tokens (RFC 9068), and what it answers leads every MCP client to it.

use std::collections::HashMap;
use std::error::Error;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{self, HeaderMap};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use ring::signature::{ECDSA_P256_SHA256_FIXED, ED25519, UnparsedPublicKey};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, timeout};
use url::Url;

/// Where a client learns whom we trust (RFC 9728 3): this path, with the resource's own path behind it.
const METADATA: &str = "/.well-known/oauth-protected-resource";
/// What tokens can allow here.
const SCOPES: [&str; 2] = ["read", "write"];
/// How far our clock and the issuer's may be apart.
const LEEWAY_SECONDS: i64 = 60;
/// A key that the issuer withdrew is believed for at most so long.
const KEYS_STAY_FRESH: Duration = Duration::from_secs(600);
/// Anybody can make up a `kid`; the issuer is asked again at most so often.
const BETWEEN_FETCHES: Duration = Duration::from_secs(60);
/// The issuer is near; if it takes longer, it is down.
const FETCH_PATIENCE: Duration = Duration::from_secs(5);
const JWKS_BYTES_MAX: usize = 64 * 1024;
const NOTE_BYTES_MAX: usize = 4 * 1024;
const NOTES_MAX: usize = 100;

struct Api {
    /// Our own URI as it was registered, letter by letter: tokens carry it in `aud`.
    resource: String,
    /// The same, in its parts.
    url: Url,
    keys: Keys,
    notes: Mutex<Vec<String>>,
}

/// Everything that is answered.
async fn answer(api: &Api, request: Request<Incoming>) -> Answer {
    let path = request.uri().path();
    // Clients look at the path-inserted place first and at the root then. Both are for everybody: whoever has no
    // token yet learns here where to get one.
    if request.method() == Method::GET && (path == METADATA || path == api.metadata_path()) {
        return Answer::new(StatusCode::OK, api.metadata());
    }
    if path != api.url.path() {
        return Answer::error(StatusCode::NOT_FOUND, "not_found", "There is nothing here.");
    }
    match *request.method() {
        Method::GET => match admit(api, request.headers(), "read").await {
            Ok(_) => Answer::new(StatusCode::OK, json!({ "notes": *api.notes() })),
            Err(refusal) => refusal.answer(api),
        },
        Method::POST => match admit(api, request.headers(), "write").await {
            Ok(claims) => api.add_note(&claims, request).await,
            Err(refusal) => refusal.answer(api),
        },
        _ => Answer::error(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "Use GET or POST."),
    }
}

impl Api {
    /// For `https://host/notes` it is `/.well-known/oauth-protected-resource/notes`.
    fn metadata_path(&self) -> String {
        format!("{METADATA}{}", self.url.path().trim_end_matches('/'))
    }

    /// Protected resource metadata (RFC 9728 2).
    fn metadata(&self) -> Value {
        json!({
            "resource": self.resource,
            "resource_name": "Notes",
            "authorization_servers": [self.keys.issuer],
            "scopes_supported": SCOPES,
            "bearer_methods_supported": ["header"],
        })
    }

    async fn add_note(&self, claims: &Claims, request: Request<Incoming>) -> Answer {
        let Ok(body) = Limited::new(request.into_body(), NOTE_BYTES_MAX).collect().await else {
            let text = "A note has at most 4096 bytes.";
            return Answer::error(StatusCode::PAYLOAD_TOO_LARGE, "too_large", text);
        };
        let note = format!("{} by {}", String::from_utf8_lossy(&body.to_bytes()), claims.sub);
        let mut notes = self.notes();
        if notes.len() >= NOTES_MAX {
            return Answer::error(StatusCode::INSUFFICIENT_STORAGE, "full", "There is room for 100 notes.");
        }
        notes.push(note);
        Answer::new(StatusCode::CREATED, json!({ "notes": notes.len() }))
    }

    fn notes(&self) -> std::sync::MutexGuard<'_, Vec<String>> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// Who may.

/// Why somebody may not.
enum Refusal {
    /// They showed no token, so there is nothing wrong with it: they are told where to get one.
    NoToken { needed: &'static str },
    /// Why it is not believed.
    InvalidToken { why: &'static str, needed: &'static str },
    /// The token is good, but not for this.
    InsufficientScope { granted: String, needed: &'static str },
    /// Not their fault: the issuer's keys are not to be had.
    NoKeys,
}

/// The claims of the caller's token, if it is one of ours and allows what is `needed`.
async fn admit(api: &Api, headers: &HeaderMap, needed: &'static str) -> Result<Claims, Refusal> {
    // A token in the query or in a form is not looked for: addresses end up in logs (OAuth 2.1 5.1.1).
    let mut sent = headers.get_all(header::AUTHORIZATION).iter();
    let credentials = sent.next().and_then(|value| value.to_str().ok()).and_then(|text| text.split_once(' '));
    let Some((scheme, token)) = credentials else { return Err(Refusal::NoToken { needed }) };
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Refusal::NoToken { needed });
    }
    if sent.next().is_some() {
        return Err(Refusal::InvalidToken { why: "there are two Authorization headers", needed });
    }
    let claims = verify(token.trim(), &api.keys, &api.resource).await.map_err(|wrong| match wrong {
        Wrong::Token(why) => Refusal::InvalidToken { why, needed },
        Wrong::NoKeys => Refusal::NoKeys,
    })?;
    if claims.scopes().any(|scope| scope == needed) {
        return Ok(claims);
    }
    // What they have belongs in the answer too, else a client that asks for what it is told to would lose it.
    let granted: Vec<_> = claims.scopes().filter(|scope| SCOPES.contains(scope)).collect();
    Err(Refusal::InsufficientScope { granted: granted.join(" "), needed })
}

impl Refusal {
    /// RFC 6750 3, and `resource_metadata` (RFC 9728 5.1) by which an MCP client finds the issuer.
    fn answer(self, api: &Api) -> Answer {
        let mut place = api.url.clone();
        place.set_path(&api.metadata_path());
        let challenge = |scope: &str| format!("Bearer resource_metadata=\"{place}\", scope=\"{scope}\"");
        match self {
            Self::NoToken { needed } => Answer::new(StatusCode::UNAUTHORIZED, json!({ "error": "no_token" }))
                .challenge(challenge(needed)),
            Self::InvalidToken { why, needed } => {
                let words =
                    format!("{}, error=\"invalid_token\", error_description=\"{why}\"", challenge(needed));
                Answer::error(StatusCode::UNAUTHORIZED, "invalid_token", why).challenge(words)
            }
            Self::InsufficientScope { granted, needed } => {
                let words = challenge(format!("{granted} {needed}").trim_start());
                Answer::error(StatusCode::FORBIDDEN, "insufficient_scope", "The token does not allow this.")
                    .challenge(format!("{words}, error=\"insufficient_scope\""))
            }
            Self::NoKeys => {
                let text = "The issuer does not answer, so no token can be checked. Try again in a minute.";
                Answer::error(StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable", text)
            }
        }
    }
}

// When a token is good.

/// What is wrong.
enum Wrong {
    /// The token. The words are ours alone, so that they fit into a header.
    Token(&'static str),
    /// The issuer does not answer.
    NoKeys,
}

#[derive(Deserialize)]
struct JoseHeader {
    alg: String,
    typ: String,
    kid: String,
    /// Extensions that must be understood (RFC 7515 4.1.11). We understand none.
    crit: Option<Value>,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    aud: Audience,
    sub: String,
    exp: i64,
    #[serde(default)]
    scope: String,
}

impl Claims {
    fn scopes(&self) -> impl Iterator<Item = &str> {
        self.scope.split(' ').filter(|scope| !scope.is_empty())
    }
}

/// One value is a string, several are an array (RFC 7519 4.1.3).
#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

impl Audience {
    fn contains(&self, uri: &str) -> bool {
        match self {
            Self::One(one) => one == uri,
            Self::Many(many) => many.iter().any(|one| one == uri),
        }
    }
}

/// Checks a token as RFC 9068 4 demands, in an order in which nothing in it is believed before its signature.
async fn verify(token: &str, keys: &Keys, resource: &str) -> Result<Claims, Wrong> {
    let wrong = |why| Err(Wrong::Token(why));
    let mut parts = token.split('.');
    let (Some(head), Some(payload), Some(signature), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return wrong("it is no JWT");
    };
    let header: JoseHeader = part(head)?;
    let Some(key) = keys.find(&header.kid).await? else { return wrong("no key of the issuer made it") };
    // The key says which algorithm, never the token: else `none`, or a MAC with the public key as its secret, would do.
    if header.alg != key.alg {
        return wrong("its alg is not the one of its key");
    }
    // An ID token, or whatever else the issuer signs, is no access token.
    let typ = header.typ.to_ascii_lowercase();
    if typ.strip_prefix("application/").unwrap_or(&typ) != "at+jwt" {
        return wrong("it is no access token");
    }
    if header.crit.is_some() {
        return wrong("it has extensions that are not understood");
    }
    let Ok(signature) = URL_SAFE_NO_PAD.decode(signature) else { return wrong("its signature is malformed") };
    let Some((signed, _)) = token.rsplit_once('.') else { return wrong("it is no JWT") };
    if key.public.verify(signed.as_bytes(), &signature).is_err() {
        return wrong("its signature is not the issuer's");
    }
    let claims: Claims = part(payload)?;
    if claims.iss != keys.issuer {
        return wrong("another issuer made it");
    }
    // Without this, every server that somebody gave a token to could use it at every other one.
    if !claims.aud.contains(resource) {
        return wrong("it is for another resource");
    }
    if claims.exp.saturating_add(LEEWAY_SECONDS) <= now() {
        return wrong("it has expired");
    }
    Ok(claims)
}

fn part<T: DeserializeOwned>(text: &str) -> Result<T, Wrong> {
    let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| Wrong::Token("it is malformed"))?;
    serde_json::from_slice(&bytes).map_err(|_| Wrong::Token("it lacks what an access token has"))
}

#[expect(clippy::disallowed_methods, reason = "an example is a program of its own, with a clock of its own")]
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

// Which keys are believed.

/// A public key, and the one algorithm that it is used with.
struct Key {
    alg: &'static str,
    public: UnparsedPublicKey<Vec<u8>>,
}

#[derive(Deserialize)]
struct Jwk {
    kid: Option<String>,
    kty: String,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
}

impl Jwk {
    /// `None` for a kind that we do not know: an issuer may have keys for others too.
    fn key(&self) -> Option<Key> {
        let coordinate = |text: &Option<String>| {
            let bytes = URL_SAFE_NO_PAD.decode(text.as_deref()?).ok()?;
            (bytes.len() == 32).then_some(bytes)
        };
        if self.purpose.as_deref().is_some_and(|purpose| purpose != "sig") {
            return None;
        }
        match (self.kty.as_str(), self.crv.as_deref()) {
            ("EC", Some("P-256")) => {
                // An uncompressed point (SEC 1 2.3.3).
                let point = [vec![4], coordinate(&self.x)?, coordinate(&self.y)?].concat();
                Some(Key { alg: "ES256", public: UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point) })
            }
            ("OKP", Some("Ed25519")) => {
                Some(Key { alg: "EdDSA", public: UnparsedPublicKey::new(&ED25519, coordinate(&self.x)?) })
            }
            _ => None,
        }
    }
}

/// The issuer's keys, fetched when they are first needed and again when they may have changed.
struct Keys {
    issuer: String,
    known: RwLock<Known>,
    /// Held while fetching: of many callers with an unknown `kid`, one asks the issuer and the others wait for it.
    last_fetch: tokio::sync::Mutex<Option<Instant>>,
}

#[derive(Default)]
struct Known {
    by_kid: HashMap<String, Arc<Key>>,
    fetched_at: Option<Instant>,
}

impl Keys {
    async fn find(&self, kid: &str) -> Result<Option<Arc<Key>>, Wrong> {
        if let (Some(key), true) = self.known(kid) {
            return Ok(Some(key));
        }
        let mut last_fetch = self.last_fetch.lock().await;
        let (key, fresh) = self.known(kid);
        let too_soon = last_fetch.is_some_and(|then| then.elapsed() < BETWEEN_FETCHES);
        if !(key.is_some() && fresh || too_soon) {
            *last_fetch = Some(Instant::now());
            if let Err(why) = self.fetch().await {
                // The keys we have stay: an issuer that is down for a while has not withdrawn them.
                eprintln!("could not fetch the keys of {}: {why}; is it running?", self.issuer);
            }
        }
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        if known.fetched_at.is_none() { Err(Wrong::NoKeys) } else { Ok(known.by_kid.get(kid).cloned()) }
    }

    /// The key with that `kid`, and whether what we know is fresh.
    fn known(&self, kid: &str) -> (Option<Arc<Key>>, bool) {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let fresh = known.fetched_at.is_some_and(|then| then.elapsed() < KEYS_STAY_FRESH);
        (known.by_kid.get(kid).cloned(), fresh)
    }

    async fn fetch(&self) -> Result<(), Box<dyn Error + Send + Sync>> {
        let metadata: Value = get(&format!("{}/.well-known/oauth-authorization-server", self.issuer)).await?;
        // Byte by byte (RFC 8414 3.3): a document that names another issuer is not this issuer's.
        if metadata["issuer"] != self.issuer {
            return Err(format!("its metadata is of the issuer {}", metadata["issuer"]).into());
        }
        let jwks: Value = get(metadata["jwks_uri"].as_str().ok_or("its metadata names no jwks_uri")?).await?;
        let by_kid = jwks["keys"].as_array().ok_or("its JWKS has no keys")?.iter().filter_map(|value| {
            let jwk: Jwk = serde_json::from_value(value.clone()).ok()?;
            Some((jwk.kid.clone()?, Arc::new(jwk.key()?)))
        });
        let known = Known { by_kid: by_kid.collect(), fetched_at: Some(Instant::now()) };
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = known;
        Ok(())
    }
}

// The little HTTP beneath.

/// A JSON document from the issuer. Plain http, so it is asked for on loopback only.
async fn get(address: &str) -> Result<Value, Box<dyn Error + Send + Sync>> {
    let url = on_loopback(address)?;
    let fetched = timeout(FETCH_PATIENCE, async {
        let stream = TcpStream::connect(&*url.socket_addrs(|| None)?).await?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let request = Request::get(&url[url::Position::BeforePath..])
            .header(header::HOST, url.authority())
            .header(header::ACCEPT, "application/json")
            .body(Full::<Bytes>::default())?;
        let response = sender.send_request(request).await?;
        if response.status() != StatusCode::OK {
            return Err(format!("{url} answered {}", response.status()).into());
        }
        let body = Limited::new(response.into_body(), JWKS_BYTES_MAX).collect().await?;
        Ok(serde_json::from_slice(&body.to_bytes())?)
    });
    fetched.await?
}

/// Keys that came over a network in the clear could be anybody's. For an issuer elsewhere, put an HTTP client with
/// TLS in [`get`]'s place, and drop this.
fn on_loopback(address: &str) -> Result<Url, Box<dyn Error + Send + Sync>> {
    let url = Url::parse(address).map_err(|why| format!("{address:?} is no URL: {why}"))?;
    let loopback = match url.host() {
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    };
    if url.scheme() != "http" || !loopback {
        return Err(format!("{url} is not http on loopback, and this example has no TLS").into());
    }
    Ok(url)
}

struct Answer {
    status: StatusCode,
    challenge: Option<String>,
    body: Value,
}

impl Answer {
    fn new(status: StatusCode, body: Value) -> Self {
        Self { status, challenge: None, body }
    }

    fn error(status: StatusCode, error: &str, description: &str) -> Self {
        Self::new(status, json!({ "error": error, "error_description": description }))
    }

    fn challenge(self, challenge: String) -> Self {
        Self { challenge: Some(challenge), ..self }
    }

    fn response(self) -> Result<Response<Full<Bytes>>, hyper::http::Error> {
        let mut response = Response::builder()
            .status(self.status)
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::CACHE_CONTROL, "no-store");
        if let Some(challenge) = self.challenge {
            response = response.header(header::WWW_AUTHENTICATE, challenge);
        }
        response.body(Full::from(self.body.to_string()))
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("resource_server: {why}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &[String]) -> Result<(), Box<dyn Error + Send + Sync>> {
    let (issuer, listen, resource) = match arguments {
        [issuer] => (issuer, "127.0.0.1:3000", None),
        [issuer, listen] => (issuer, listen.as_str(), None),
        [issuer, listen, resource] => (issuer, listen.as_str(), Some(resource)),
        _ => return Err("use it like this: resource_server ISSUER [LISTEN] [RESOURCE-URI]".into()),
    };
    on_loopback(issuer)?;
    let listen: SocketAddr = listen.parse().map_err(|_| "LISTEN is an address like 127.0.0.1:3000")?;
    let listener =
        TcpListener::bind(listen).await.map_err(|why| format!("cannot listen on {listen}: {why}"))?;
    let address = listener.local_addr()?;
    let resource = resource.cloned().unwrap_or_else(|| format!("http://{address}/notes"));
    let url = Url::parse(&resource).ok().filter(|url| url.has_host() && url.fragment().is_none());
    let url = url.ok_or("RESOURCE-URI is the URL that clients use, like https://notes.example/notes")?;
    let keys =
        Keys { issuer: issuer.clone(), known: RwLock::default(), last_fetch: tokio::sync::Mutex::default() };
    println!("notes  at {resource}\nlistening on {address}, for tokens of {issuer}\n");
    println!("Tell Vestibule of it, once:\n");
    println!("    vestibule resource add {resource} --name Notes --scopes \"{}\"\n", SCOPES.join(" "));
    println!("and give a client that URI. Without one at hand:\n");
    println!("    cargo run --example native_app -- {issuer} {resource}");
    serve(listener, Arc::new(Api { resource, url, keys, notes: Mutex::default() })).await
}

async fn serve(listener: TcpListener, api: Arc<Api>) -> Result<(), Box<dyn Error + Send + Sync>> {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // Out of file descriptors, most likely: some will be free in a moment.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let api = Arc::clone(&api);
        tokio::spawn(async move {
            let handler = hyper::service::service_fn(async |request| answer(&api, request).await.response());
            // The timer is what ends connections that send half a request and then nothing.
            let mut http = hyper::server::conn::http1::Builder::new();
            let connection = http.timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), handler);
            // A caller who went away is nothing to tell anybody.
            let _ = connection.await;
        });
    }
}
