//! A program on somebody's computer that signs them in: code + PKCE with a redirect to loopback (RFC 8252), then a
//! call with the access token, then a refresh.
//!
//! ```sh
//! cargo run --example native_app -- http://127.0.0.1:8080 http://127.0.0.1:3000/notes
//! #                                 issuer                the resource that the tokens are for
//! ```
//!
//! [`run`] is the whole story, a function per chapter; below it is the little HTTP that they need. It shows what the
//! tokens say and never the tokens: a terminal has a history, and logs have readers.

use std::collections::HashMap;
use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::{Method, Request, Response, StatusCode, header};
use hyper_util::rt::{TokioIo, TokioTimer};
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom as _, SystemRandom};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;
use url::{Url, form_urlencoded};

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

const PERSON_PATIENCE: Duration = Duration::from_secs(600);
const SERVER_PATIENCE: Duration = Duration::from_secs(10);
const BODY_BYTES_MAX: usize = 1024 * 1024;

async fn run(issuer: &str, resource: &str) -> Result<()> {
    let metadata = discover(issuer).await?;
    // The port is the system's choice: no program can be sure of one, so issuers leave it free on loopback.
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let redirect_uri = format!("http://{}/callback", listener.local_addr()?);
    let client_id = register(&metadata, &redirect_uri).await?;

    let request = AuthorizationRequest::new(client_id, redirect_uri)?;
    // It opens nothing by itself: on a machine without a screen, the URL can be carried to one.
    println!("Open this in your browser:\n\n    {}\n", request.url(&metadata, resource)?);
    let redirect = timeout(PERSON_PATIENCE, wait_for_redirect(listener, &request.state)).await;
    let code = code_in(redirect.map_err(|_| "nobody signed in within ten minutes")??, &metadata)?;

    let tokens = redeem(&metadata, &request, &code).await?;
    println!("Signed in. The access token says: {:#}", claims(&tokens.access_token)?);
    call(resource, &tokens.access_token).await;

    let refresh_token = tokens.refresh_token.ok_or("there is no refresh token")?;
    let fresh = refresh(&metadata, &request, &refresh_token).await?;
    println!("Refreshed. The new access token says: {:#}", claims(&fresh.access_token)?);
    call(resource, &fresh.access_token).await;
    // The answer to a refresh brings the next refresh token; the one before is spent. A real program writes it down
    // before it does anything else.
    println!("The refresh token was {}.", if fresh.refresh_token.is_some() { "replaced" } else { "kept" });
    Ok(())
}

/// Authorization server metadata (RFC 8414 2), as much as we need.
#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    registration_endpoint: Option<String>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

async fn discover(issuer: &str) -> Result<Metadata> {
    let address = format!("{issuer}/.well-known/oauth-authorization-server");
    let metadata: Metadata = http(Request::get(&address), String::new()).await?.json()?;
    // Byte by byte (RFC 8414 3.3): else whoever can answer for one issuer could pass for another.
    if metadata.issuer != issuer {
        return Err(format!("{issuer} says that it is {:?}; use that if it is right", metadata.issuer).into());
    }
    Ok(metadata)
}

/// Registers this program (RFC 7591), as a public client: a secret inside a program that everybody has is none.
/// A real program does so once, and keeps its `client_id` with the issuer's name beside it.
async fn register(metadata: &Metadata, redirect_uri: &str) -> Result<String> {
    let endpoint = metadata.registration_endpoint.as_deref().ok_or("the issuer lets nobody register")?;
    let body = json!({
        "client_name": "Native app example",
        "application_type": "native",
        "redirect_uris": [redirect_uri],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
    });
    let request = Request::post(endpoint).header(header::CONTENT_TYPE, "application/json");
    let registered: Value = http(request, body.to_string()).await?.json()?;
    Ok(registered["client_id"].as_str().ok_or("the issuer gave no client_id")?.to_owned())
}

/// One sign-in, from the URL to the code.
struct AuthorizationRequest {
    client_id: String,
    redirect_uri: String,
    /// Comes back with the redirect, so that nobody can slip us a code of theirs.
    state: String,
    /// Proves at the token endpoint that whoever redeems the code is who asked for it (RFC 7636).
    verifier: String,
}

impl AuthorizationRequest {
    fn new(client_id: String, redirect_uri: String) -> Result<Self> {
        Ok(Self { client_id, redirect_uri, state: random_text()?, verifier: random_text()? })
    }

    fn url(&self, metadata: &Metadata, resource: &str) -> Result<Url> {
        let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, self.verifier.as_bytes()));
        // No scope: what the resource gives by default. And the resource itself (RFC 8707), to which the token is
        // then bound: at any other server it is worth nothing.
        let parameters = [
            ("response_type", "code"),
            ("client_id", &self.client_id),
            ("redirect_uri", &self.redirect_uri),
            ("resource", resource),
            ("state", &self.state),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ];
        Ok(Url::parse_with_params(&metadata.authorization_endpoint, parameters)?)
    }
}

/// 256 random bits, in 43 characters.
fn random_text() -> Result<String> {
    let mut bytes = [0; 32];
    SystemRandom::new().fill(&mut bytes).map_err(|_| "the system has no randomness")?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

type Parameters = HashMap<String, String>;

/// Waits for the browser to come back with our `state`. Anything on this computer can connect here, so everything
/// else is turned away, and the wait goes on.
async fn wait_for_redirect(listener: TcpListener, state: &str) -> Result<Parameters> {
    let (found, mut redirects) = mpsc::channel(1);
    let state: Arc<str> = Arc::from(state);
    loop {
        tokio::select! {
            Some(parameters) = redirects.recv() => return Ok(parameters),
            accepted = listener.accept() => {
                let (stream, _) = accepted?;
                let (found, state) = (found.clone(), Arc::clone(&state));
                // On its own: browsers open connections in advance, on which nothing may ever come.
                tokio::spawn(async move {
                    let page = async |request| answer_browser(&request, &state, &found);
                    let service = hyper::service::service_fn(page);
                    let mut http = hyper::server::conn::http1::Builder::new();
                    http.timer(TokioTimer::new()).keep_alive(false);
                    let _ = http.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        }
    }
}

fn answer_browser(
    request: &Request<Incoming>,
    state: &str,
    found: &mpsc::Sender<Parameters>,
) -> hyper::http::Result<Response<Full<Bytes>>> {
    let query = request.uri().query().unwrap_or_default();
    let pairs: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let parameters: Parameters = pairs.iter().cloned().collect();
    let ours = request.method() == Method::GET
        && request.uri().path() == "/callback"
        && parameters.get("state").is_some_and(|sent| sent == state)
        // Of a parameter that is there twice, nobody can say which one counts.
        && parameters.len() == pairs.len();
    let (status, text) = if ours {
        // Full only if the browser came twice; the first time is the one that counts.
        let _ = found.try_send(parameters);
        (StatusCode::OK, "You can close this page and go back to the program.")
    } else {
        (StatusCode::NOT_FOUND, "This is not what the program waits for.")
    };
    Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, "text/plain; charset=utf-8")
        .header(header::CONNECTION, "close")
        .body(Full::from(text))
}

/// The code that the redirect brought, if it came from the issuer that we asked.
fn code_in(mut redirect: Parameters, metadata: &Metadata) -> Result<String> {
    // With several issuers, one of them could send the browser back as if it were another (RFC 9207 2.4).
    match redirect.get("iss") {
        Some(iss) if *iss == metadata.issuer => {}
        None if !metadata.authorization_response_iss_parameter_supported => {}
        iss => {
            return Err(
                format!("the redirect is from the issuer {iss:?}, not from {}", metadata.issuer).into()
            );
        }
    }
    if let Some(error) = redirect.get("error") {
        let description = redirect.get("error_description").map(String::as_str).unwrap_or_default();
        return Err(format!("the issuer refused: {error:?} {description:?}").into());
    }
    Ok(redirect.remove("code").ok_or("the redirect has no code")?)
}

#[derive(Deserialize)]
struct Tokens {
    access_token: String,
    refresh_token: Option<String>,
}

async fn redeem(metadata: &Metadata, request: &AuthorizationRequest, code: &str) -> Result<Tokens> {
    let fields = [
        ("grant_type", "authorization_code"),
        ("code", code),
        ("redirect_uri", &request.redirect_uri),
        ("client_id", &request.client_id),
        ("code_verifier", &request.verifier),
    ];
    ask_for_tokens(metadata, &fields).await
}

async fn refresh(metadata: &Metadata, request: &AuthorizationRequest, token: &str) -> Result<Tokens> {
    let fields =
        [("grant_type", "refresh_token"), ("refresh_token", token), ("client_id", &request.client_id)];
    ask_for_tokens(metadata, &fields).await
}

async fn ask_for_tokens(metadata: &Metadata, fields: &[(&str, &str)]) -> Result<Tokens> {
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let request = Request::post(&metadata.token_endpoint)
        .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    http(request, body).await?.json()
}

/// What a token says, for a look at it. A client decides nothing by it: the token is the resource's to read.
fn claims(token: &str) -> Result<Value> {
    let payload = token.split('.').nth(1).ok_or("the access token is no JWT; that is the issuer's right")?;
    Ok(serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload)?)?)
}

/// Uses the token where it is for.
async fn call(resource: &str, token: &str) {
    let request = Request::get(resource).header(header::AUTHORIZATION, format!("Bearer {token}"));
    match http(request, String::new()).await {
        Ok(answer) if answer.status.is_success() => println!("The resource accepted it: {}\n", answer.status),
        Ok(answer) => println!("The resource did not accept it: {}\n", answer.status),
        Err(why) => println!("The resource does not answer: {why}\n"),
    }
}

// The little HTTP beneath.

struct Answer {
    status: StatusCode,
    body: Bytes,
}

impl Answer {
    /// The body of a success. Of a failure, what the server says of it.
    fn json<T: DeserializeOwned>(&self) -> Result<T> {
        if !self.status.is_success() {
            let problem: Value = serde_json::from_slice(&self.body).unwrap_or_default();
            let (error, description) = (&problem["error"], &problem["error_description"]);
            return Err(format!("the issuer answered {}: {error} {description}", self.status).into());
        }
        Ok(serde_json::from_slice(&self.body)?)
    }
}

/// One request on a connection of its own. There is no TLS here: for servers that are not on this computer, put an
/// HTTP client with TLS in its place.
async fn http(request: hyper::http::request::Builder, body: String) -> Result<Answer> {
    let mut request = request.body(Full::<Bytes>::from(body))?;
    let url = Url::parse(&request.uri().to_string())?;
    let loopback = match url.host() {
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    };
    if url.scheme() != "http" || !loopback {
        return Err(format!("{url} is not http on loopback, and this example has no TLS").into());
    }
    *request.uri_mut() = url[url::Position::BeforePath..url::Position::AfterQuery].parse()?;
    request.headers_mut().insert(header::HOST, url.authority().parse()?);
    let exchange = timeout(SERVER_PATIENCE, async {
        let stream = TcpStream::connect(&*url.socket_addrs(|| None)?).await?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let response = sender.send_request(request).await?;
        let status = response.status();
        let body = Limited::new(response.into_body(), BODY_BYTES_MAX).collect().await?.to_bytes();
        Ok(Answer { status, body })
    });
    exchange.await.map_err(|_| format!("{url} takes too long"))?
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let result = match arguments.as_slice() {
        [issuer, resource] => run(issuer, resource).await,
        _ => Err("use it like this: native_app ISSUER RESOURCE".into()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("native_app: {why}");
            ExitCode::FAILURE
        }
    }
}
