//! Requests byte for byte, for what no well-behaved client sends.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::Server;

/// Longer than any answer takes on a slow machine: a test that waits so long has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// An answer as it came over the wire.
#[derive(Debug)]
pub struct RawAnswer(String);

impl Server {
    /// Sends these bytes over a connection of their own, and reads until the server closes it; they should ask for
    /// that by `Connection: close`.
    pub async fn raw(&self, request: impl AsRef<[u8]>) -> RawAnswer {
        let mut stream = TcpStream::connect(self.address).await.expect("the server listens");
        stream.write_all(request.as_ref()).await.expect("the server reads");
        let mut answer = Vec::new();
        // What arrived before a reset counts.
        let closed = timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
        assert!(closed.is_ok(), "it never closed: {}", String::from_utf8_lossy(&answer));
        RawAnswer(String::from_utf8_lossy(&answer).into_owned())
    }

    /// A request without a body, with more header lines, each ending in CR LF.
    pub async fn raw_request(&self, method: &str, target: &str, headers: &str) -> RawAnswer {
        let head =
            format!("{method} {target} HTTP/1.1\r\nHost: as.test\r\nConnection: close\r\n{headers}\r\n");
        self.raw(head).await
    }
}

impl RawAnswer {
    /// The status; 0 where nothing came.
    pub fn status(&self) -> u16 {
        self.0.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let head = self.0.split("\r\n\r\n").next().unwrap_or_default();
        head.lines().skip(1).find_map(|line| {
            let (have, value) = line.split_once(':')?;
            have.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub fn body(&self) -> &str {
        self.0.split_once("\r\n\r\n").map_or("", |(_, body)| body)
    }

    pub fn text(&self) -> &str {
        &self.0
    }
}
