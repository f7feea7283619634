//! The ceilings: what the machine could do if the product did nothing but the one thing that cannot be left out.
//! Each is a bare hyper server in a process of its own; this binary starts itself again as that server.

use std::{
    convert::Infallible,
    env,
    future::Future,
    io::{self, Read},
    net::SocketAddr,
    path::Path,
    pin::Pin,
    process::Command,
    sync::Arc,
    task::{Context, Poll},
    thread,
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{
    Request, Response,
    body::{Body, Frame, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioIo},
};
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
};
use tokio::{net::TcpListener, runtime};
use url::form_urlencoded;

use crate::{bare_write::BareWriter, process::Process};

/// The hidden first argument that makes this binary a ceiling.
pub(crate) const ARGUMENT: &str = "--ceiling";

/// Header and claims of an access token for one resource, in base64url.
const SIGNING_INPUT_BYTES: usize = 593;

/// Starts the server that answers every request with `body_bytes` constant bytes.
pub(crate) fn constant(directory: &Path, body_bytes: usize) -> Result<Process, String> {
    start("constant", &body_bytes.to_string(), directory)
}

/// Starts the server that parses the form and makes one ES256 signature per request.
pub(crate) fn signature(directory: &Path) -> Result<Process, String> {
    start("signature", "", directory)
}

/// Starts the server that parses the form and rotates one row per request, durably, in a file in `directory`.
pub(crate) fn bare_write(directory: &Path) -> Result<Process, String> {
    let file = directory.join("ceiling.db");
    start("bare-write", &file.to_string_lossy(), directory)
}

/// Starts the server that answers every request with a stream of events that begins at once and never ends.
pub(crate) fn events(directory: &Path) -> Result<Process, String> {
    start("events", "", directory)
}

/// Starts the proxy that hands everything on to the server at `upstream`, streaming both ways, and looks at nothing.
pub(crate) fn proxy(directory: &Path, upstream: SocketAddr) -> Result<Process, String> {
    start("proxy", &upstream.to_string(), directory)
}

fn start(kind: &str, setting: &str, directory: &Path) -> Result<Process, String> {
    let this = env::current_exe().map_err(|error| format!("this binary's own path: {error}"))?;
    let mut command = Command::new(this);
    command.args([ARGUMENT, kind, setting]);
    Process::start(command, &directory.join(format!("ceiling-{kind}.log")))
}

/// Is a ceiling until the process that started it goes away. An error is a wrong argument or a lack of means.
pub(crate) fn serve(kind: &str, setting: &str) -> Result<(), String> {
    // The other end of stdin closes with the bench, however it ends; nobody is left behind.
    thread::spawn(|| {
        let _ = io::stdin().read(&mut [0]);
        std::process::exit(0);
    });
    let runtime = runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_io()
        .build()
        .map_err(|error| error.to_string())?;
    match kind {
        "constant" => {
            let body = Bytes::from(vec![b'x'; setting.parse().map_err(|_| "a body size is a number")?]);
            runtime.block_on(accept(move |_| {
                let body = body.clone();
                async move { Ok(whole(body)) }
            }))
        }
        "signature" => {
            let signer = Arc::new(Signer::new()?);
            runtime.block_on(accept(move |request| {
                let signer = signer.clone();
                async move { signer.answer(request).await.map(whole) }
            }))
        }
        "bare-write" => {
            let writer = BareWriter::open(Path::new(setting)).map_err(|error| error.to_string())?;
            runtime.block_on(accept(move |request| {
                let writer = writer.clone();
                async move { rotate(writer, request).await.map(whole) }
            }))
        }
        "events" => runtime.block_on(accept(|_| async { Ok(Response::new(Events::default())) })),
        "proxy" => {
            let upstream = setting.parse().map_err(|_| "an upstream is an address")?;
            runtime.block_on(async move {
                let client = Client::builder(TokioExecutor::new()).build_http();
                accept(move |request| hand_on(client.clone(), upstream, request)).await
            })
        }
        other => Err(format!("no ceiling is called {other}")),
    }
}

fn whole(body: Bytes) -> Response<Full<Bytes>> {
    Response::new(Full::new(body))
}

/// Hands every request to `answer`; no deadlines, no limits, no log.
async fn accept<A, F, B>(answer: A) -> Result<(), String>
where
    A: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Result<Response<B>, String>> + Send,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: std::error::Error + Send + Sync,
{
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(|error| error.to_string())?;
    println!("http://{}", listener.local_addr().map_err(|error| error.to_string())?);
    loop {
        let (stream, _) = listener.accept().await.map_err(|error| error.to_string())?;
        stream.set_nodelay(true).map_err(|error| error.to_string())?;
        let answer = answer.clone();
        tokio::spawn(async move {
            let service = service_fn(answer);
            // A connection that the load generator closed is no news.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

/// One event, and then silence for ever.
#[derive(Default)]
struct Events {
    has_begun: bool,
}

impl Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let events = self.get_mut();
        if std::mem::replace(&mut events.has_begun, true) {
            return Poll::Pending;
        }
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"data: begun\n\n")))))
    }
}

async fn hand_on(
    client: Client<HttpConnector, Incoming>,
    upstream: SocketAddr,
    mut request: Request<Incoming>,
) -> Result<Response<Incoming>, String> {
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    *request.uri_mut() =
        format!("http://{upstream}{path}").parse().map_err(|_| "a path that is none".to_owned())?;
    client.request(request).await.map_err(|error| error.to_string())
}

struct Signer {
    key: EcdsaKeyPair,
    random: SystemRandom,
    input: String,
}

impl Signer {
    fn new() -> Result<Signer, String> {
        let random = SystemRandom::new();
        let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random)
            .map_err(|_| "no key")
            .and_then(|pkcs8| {
                EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &random)
                    .map_err(|_| "ring refuses its own key")
            })?;
        Ok(Signer { key, random, input: "a".repeat(SIGNING_INPUT_BYTES) })
    }

    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Result<Bytes, String> {
        form_field(request, "grant_type").await?;
        let signature = self.key.sign(&self.random, self.input.as_bytes()).map_err(|_| "no signature")?;
        let signature = URL_SAFE_NO_PAD.encode(signature.as_ref());
        Ok(token_answer(&format!("{}.{signature}", self.input)))
    }
}

async fn rotate(writer: BareWriter, request: Request<Incoming>) -> Result<Bytes, String> {
    let row = form_field(request, "row").await?;
    writer.rotate(row.parse().map_err(|_| "a row is a number")?).await?;
    Ok(token_answer(&"a".repeat(SIGNING_INPUT_BYTES + 87)))
}

fn token_answer(token: &str) -> Bytes {
    let text =
        format!(r#"{{"access_token":"{token}","token_type":"Bearer","expires_in":3600,"scope":"read"}}"#);
    Bytes::from(text)
}

/// Reads the whole form, as a token endpoint has to, and hands out one field of it.
async fn form_field(request: Request<Incoming>, name: &str) -> Result<String, String> {
    let body = request.into_body().collect().await.map_err(|error| error.to_string())?.to_bytes();
    let mut found = None;
    for (key, value) in form_urlencoded::parse(&body) {
        if key == name {
            found = Some(value.into_owned());
        }
    }
    found.ok_or_else(|| format!("the form has no {name}"))
}
