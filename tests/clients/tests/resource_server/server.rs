//! The MCP server on its socket: metadata for everyone, `/mcp` behind the door.

mod tests;

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, WWW_AUTHENTICATE};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

use super::access_token::{AccessToken, Verifier};
use super::door::Door;
use super::tools::Tools;

type Body = BoxBody<Bytes, Infallible>;
type Mcp = StreamableHttpService<Tools, LocalSessionManager>;

/// A running MCP server; it stops when this is dropped.
pub(crate) struct McpServer {
    door: Arc<Door>,
    accepting: JoinHandle<()>,
}

impl McpServer {
    /// Starts on a free loopback port, with the keys that `issuer` publishes.
    pub(crate) async fn start(issuer: &str) -> Self {
        let (listener, origin) = listen().await;
        let verifier = Verifier::fetch(issuer, &format!("{origin}/mcp")).await;
        Self::serve(listener, Door::new(&origin, issuer, verifier))
    }

    fn serve(listener: TcpListener, door: Door) -> Self {
        let door = Arc::new(door);
        let config = StreamableHttpServerConfig::default().with_sse_keep_alive(None);
        let mcp = Mcp::new(|| Ok(Tools::new()), Arc::default(), config);
        let accepting = tokio::spawn(accept(listener, Arc::clone(&door), mcp));
        Self { door, accepting }
    }

    /// The URL that a person would type into a client; the resource's identifier too.
    pub(crate) fn url(&self) -> &str {
        &self.door.resource
    }

    /// The token of the request that was let in last.
    pub(crate) fn last_token(&self) -> AccessToken {
        self.door.last_admitted()
    }

    /// Answers 401 `invalid_token` to that token from now on.
    pub(crate) fn withdraw(&self, token: &AccessToken) {
        self.door.withdraw(token);
    }
}

impl Drop for McpServer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
    let address = listener.local_addr().expect("a bound socket has an address");
    (listener, format!("http://{address}"))
}

async fn accept(listener: TcpListener, door: Arc<Door>, mcp: Mcp) {
    // Owns the connections, so that they end with the server.
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let (door, mcp) = (Arc::clone(&door), mcp.clone());
        let service = service_fn(move |request| {
            let (door, mcp) = (Arc::clone(&door), mcp.clone());
            async move { Ok::<_, Infallible>(answer(request, &door, &mcp).await) }
        });
        connections.spawn(async move {
            // A client that goes away in the middle is no concern of the server's.
            let _gone = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn answer(request: Request<Incoming>, door: &Door, mcp: &Mcp) -> Response<Body> {
    match request.uri().path() {
        "/.well-known/oauth-protected-resource/mcp" | "/.well-known/oauth-protected-resource" => {
            let body = door.metadata().to_string();
            let response = Response::builder().header(CONTENT_TYPE, "application/json");
            response.body(Full::new(Bytes::from(body)).boxed()).expect("the parts are valid")
        }
        "/mcp" => guarded(request, door, mcp).await,
        _ => empty(Response::builder().status(StatusCode::NOT_FOUND)),
    }
}

async fn guarded(request: Request<Incoming>, door: &Door, mcp: &Mcp) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let Ok(body) = body.collect().await else {
        return empty(Response::builder().status(StatusCode::BAD_REQUEST));
    };
    let body = body.to_bytes();
    match door.admit(&parts.headers, &body) {
        Ok(()) => mcp.handle(Request::from_parts(parts, Full::new(body))).await,
        Err(challenge) => {
            empty(Response::builder().status(challenge.status).header(WWW_AUTHENTICATE, challenge.header))
        }
    }
}

fn empty(response: hyper::http::response::Builder) -> Response<Body> {
    response.body(Full::default().boxed()).expect("the parts are valid")
}
