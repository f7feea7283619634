//! Connections that stay open, and requests that leave at one moment.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::Barrier;
use tokio::task::{JoinHandle, JoinSet};
use vestibule::http::Status;

use super::server::Asked;
use super::{Answer, Server};

/// A connection that is kept open.
pub struct Connection {
    sender: SendRequest<Full<Bytes>>,
    driver: JoinHandle<Result<(), hyper::Error>>,
}

impl Connection {
    pub async fn open(server: &Server) -> Self {
        let stream = TcpStream::connect(server.address).await.expect("the server listens");
        stream.set_nodelay(true).expect("an open socket");
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.expect("HTTP/1.1");
        Self { sender, driver: tokio::spawn(connection) }
    }

    pub async fn send(&mut self, request: hyper::Request<Full<Bytes>>) -> Answer {
        let response = self.sender.send_request(request).await.expect("an answer");
        let (head, body) = response.into_parts();
        let body = body.collect().await.expect("its body").to_bytes().to_vec();
        Answer::new(Status::from_u16(head.status.as_u16()).expect("a status"), head.headers, body)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// Many callers, each with an open connection, who all speak at once.
pub struct Crowd(Vec<Connection>);

impl Crowd {
    /// So many callers; the first speaks to the first server, the second to the second, and so on around.
    pub async fn open(servers: &[&Server], size: usize) -> Self {
        let mut connections = Vec::with_capacity(size);
        for server in servers.iter().cycle().take(size) {
            connections.push(Connection::open(server).await);
        }
        Self(connections)
    }

    /// Sends one request over each connection, all behind one barrier. The answers come in the requests' order.
    pub async fn ask(&mut self, requests: Vec<Asked<'_>>) -> Vec<Answer> {
        assert_eq!(requests.len(), self.0.len(), "one request for each caller");
        let barrier = Arc::new(Barrier::new(requests.len()));
        let mut callers = JoinSet::new();
        for (at, (mut connection, asked)) in self.0.drain(..).zip(requests).enumerate() {
            let (request, barrier) = (asked.into_request(), Arc::clone(&barrier));
            callers.spawn(async move {
                connection.sender.ready().await.expect("the connection is still open");
                barrier.wait().await;
                let answer = connection.send(request).await;
                (at, connection, answer)
            });
        }
        let mut answered = callers.join_all().await;
        answered.sort_by_key(|(at, ..)| *at);
        let (connections, answers) =
            answered.into_iter().map(|(_, connection, answer)| (connection, answer)).unzip();
        self.0 = connections;
        answers
    }
}

/// Waits for something that somebody else on this thread will bring about.
pub async fn until(done: impl Fn() -> bool) {
    /// Longer than anything takes on a slow machine: a test that waits so long has failed.
    const PATIENCE: Duration = Duration::from_secs(60);
    let waiting = async {
        while !done() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect("it comes about");
}

/// Lets everything go on that can: where server, hosts and callers share a thread, all have come as far as they get
/// without each other's help.
pub async fn settle() {
    for _ in 0..1000 {
        tokio::task::yield_now().await;
    }
}
