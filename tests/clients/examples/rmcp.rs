//! A client made with `rmcp`, driven by `tests/interop`: for each line on stdin it calls the tool `echo` with that line,
//! and prints one line of JSON, `{"answer": ...}` or `{"error": ...}`. It opens the person's browser with `xdg-open`.

use std::error::Error;
use std::io;
use std::process::Command;

use rmcp::ServiceExt;
use rmcp::model::CallToolRequestParams;
use rmcp::service::{RoleClient, RunningService};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::auth::{AuthClient, AuthorizationManager, AuthorizationRequest, OAuthState};
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use serde_json::json;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;

type Outcome<T> = Result<T, Box<dyn Error>>;
type Session = RunningService<RoleClient, ()>;

#[tokio::main]
async fn main() -> Outcome<()> {
    let mut args = std::env::args().skip(1);
    let server = args.next().ok_or("usage: rmcp MCP-SERVER-URL [CLIENT-METADATA-URL]")?;
    let document = args.next();
    let mut session = None;
    // This waits on the main thread; the session lives on the workers of the runtime.
    for line in io::stdin().lines() {
        let said = match answer(&server, document.as_deref(), &mut session, &line?).await {
            Ok(answer) => json!({ "answer": answer }),
            Err(error) => json!({ "error": format!("{error:?}") }),
        };
        println!("{said}");
    }
    Ok(())
}

async fn answer(
    server: &str,
    document: Option<&str>,
    session: &mut Option<Session>,
    text: &str,
) -> Outcome<String> {
    let session = match session {
        Some(session) => session,
        none => none.insert(connect(server, document).await?),
    };
    let arguments = json!({ "text": text }).as_object().cloned().unwrap_or_default();
    let result = session.call_tool(CallToolRequestParams::new("echo").with_arguments(arguments)).await?;
    let text = result.content.first().and_then(|content| content.as_text()).ok_or("no text")?;
    Ok(text.text.clone())
}

/// From the server's URL to a session. The client registers itself, or is named by the URL of its metadata document.
async fn connect(server: &str, document: Option<&str>) -> Outcome<Session> {
    let callback = TcpListener::bind("127.0.0.1:0").await?;
    let redirect_uri = format!("http://{}/callback", callback.local_addr()?);
    let mut oauth = OAuthState::Unauthorized(AuthorizationManager::new(server).await?);
    let mut request = AuthorizationRequest::new(redirect_uri.as_str())
        .with_client_name("rmcp")
        .with_challenge(challenge(server).await?);
    if let Some(document) = document {
        request = request.with_client_metadata_url(document);
    }
    oauth.start_authorization(request).await?;
    let mut browser = Command::new("xdg-open").arg(oauth.get_authorization_url().await?).spawn()?;
    tokio::task::spawn_blocking(move || browser.wait()).await??;
    oauth.handle_callback_url(&come_back(&callback, &redirect_uri).await?).await?;

    let manager = oauth.into_authorization_manager().ok_or("not signed in")?;
    let http = AuthClient::new(reqwest::Client::default(), manager);
    let config = StreamableHttpClientTransportConfig::with_uri(server);
    Ok(().serve(StreamableHttpClientTransport::with_client(http, config)).await?)
}

/// What a request without a token is told.
async fn challenge(server: &str) -> Outcome<String> {
    match ().serve(StreamableHttpClientTransport::from_uri(server)).await {
        Ok(_) => Err("a session without a token".into()),
        Err(error) => Ok(error.auth_challenge().ok_or_else(|| error.to_string())?.to_owned()),
    }
}

/// The URL with which the browser comes back.
async fn come_back(callback: &TcpListener, redirect_uri: &str) -> io::Result<String> {
    loop {
        let (mut stream, _) = callback.accept().await?;
        let mut line = String::new();
        BufReader::new(&mut stream).read_line(&mut line).await?;
        let body = "<title>Done</title><p>Go back to the client.";
        let head = format!("Content-Type: text/html\r\nConnection: close\r\nContent-Length: {}", body.len());
        stream.write_all(format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n{body}").as_bytes()).await?;
        if let Some((_, query)) = line.split(' ').nth(1).and_then(|target| target.split_once("/callback?")) {
            return Ok(format!("{redirect_uri}?{query}"));
        }
    }
}
