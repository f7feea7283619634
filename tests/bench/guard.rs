//! What it costs to stand in front of a server: requests against a proxy that checks nothing, what a request takes longer
//! than without either, and what streams that stay open weigh.

use std::net::SocketAddr;

use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
};

use crate::{
    ceilings,
    contest::{Contest, Side},
    options::Options,
    process::{self, Process},
    report::{Outcome, Row},
    requests::{CONNECTIONS, bearer, calling},
    vestibule::{GUARDED, Vestibule},
};

/// Requests against the bare proxy.
pub(crate) const REQUESTS: &str = "guard";
/// The same, of a kind that the audit tells of.
pub(crate) const CALLS: &str = "guard_audited";
/// One at a time, against the server behind without anything in between.
pub(crate) const ADDED: &str = "guard_added_p50";
/// Memory with a thousand open streams.
pub(crate) const STREAMS: &str = "guard_1k_streams";
/// All of them.
pub(crate) const ROWS: [&str; 4] = [REQUESTS, CALLS, ADDED, STREAMS];

/// As much as a small answer of a tool.
const ANSWER_BYTES: usize = 300;
const STREAM_COUNT: usize = 1000;

/// The servers of these rows; they run as long as the contests do.
pub(crate) struct Guard {
    upstream: Process,
    proxy: Process,
    server: Vestibule,
    token: String,
}

impl Guard {
    /// Starts a server, a bare proxy before it, and ours before it.
    pub(crate) async fn start(directory: &TempDir) -> Result<Guard, String> {
        let upstream = ceilings::constant(directory.path(), ANSWER_BYTES)?;
        let proxy = ceilings::proxy(directory.path(), upstream.address())?;
        let (server, token) = guarding(upstream.address()).await?;
        Ok(Guard { upstream, proxy, server, token })
    }

    /// The contests that are asked for.
    pub(crate) fn contests(guard: &Result<Guard, String>, options: &Options) -> Vec<Contest> {
        let mut contests = Vec::new();
        // What is audited pays for a row on the disk, and the bare proxy writes nothing: that one is for reading.
        for (name, method, goal) in [(REQUESTS, "tools/list", Some(70.0)), (CALLS, "tools/call", None)] {
            if options.wants(name) {
                let ours = guard.as_ref().map(|guard| guard.ours(method, CONNECTIONS)).map_err(Clone::clone);
                let bare = guard.as_ref().map(|guard| bare(&guard.proxy, method, CONNECTIONS));
                contests.push(Contest::new(name, goal, ours, bare.map_err(Clone::clone)));
            }
        }
        if options.wants(ADDED) {
            let ours = guard.as_ref().map(|guard| guard.ours("tools/list", 1)).map_err(Clone::clone);
            let bare = guard.as_ref().map(|guard| bare(&guard.upstream, "tools/list", 1));
            contests.push(Contest::new(ADDED, None, ours, bare.map_err(Clone::clone)));
        }
        contests
    }

    fn ours(&self, method: &str, connections: usize) -> Side {
        let address = self.server.process().address();
        let (path, token) = (format!("/{GUARDED}"), bearer(&self.token));
        let makers = (0..connections).map(|_| calling(address, &path, &token, method)).collect();
        Side::new(self.server.process(), makers)
    }
}

/// The same requests, as the server behind gets them: without a token.
fn bare(server: &Process, method: &str, connections: usize) -> Side {
    let makers = (0..connections).map(|_| calling(server.address(), "/mcp", "", method)).collect();
    Side::new(server, makers)
}

async fn guarding(upstream: SocketAddr) -> Result<(Vestibule, String), String> {
    let (server, mut person) = Vestibule::guarding(upstream)?;
    let token = person.access_token(server.process().address()).await?;
    Ok((server, token))
}

/// What a request takes longer than without a guard.
pub(crate) fn added(contest: &Contest) -> Row {
    let ours = contest.ours(|sample| Some(sample.p50_ms * 1000.0));
    let direct = contest.ceiling(|sample| Some(sample.p50_ms * 1000.0));
    let added = ours.zip(direct).map(|(ours, direct)| ours - direct);
    let figure = added.ok_or_else(|| contest.failure().unwrap_or("no rounds".to_owned()));
    Row { ceiling: direct, ..Row::under(ADDED, "us", 300.0, figure) }
}

/// How much memory ours holds while a thousand streams are open, each with its first event through.
pub(crate) async fn streams(directory: &TempDir) -> Row {
    let megabytes = match open_streams(directory).await {
        Ok(Some(bytes)) => Ok(bytes as f64 / 1e6),
        Ok(None) => {
            let skipped = Outcome::Skipped("memory is not to be read on this system".to_owned());
            return Row::new(STREAMS, "MB", "< 100 MB".to_owned(), skipped);
        }
        Err(reason) => Err(reason),
    };
    Row::under(STREAMS, "MB", 100.0, megabytes)
}

async fn open_streams(directory: &TempDir) -> Result<Option<u64>, String> {
    let upstream = ceilings::events(directory.path())?;
    let (server, token) = guarding(upstream.address()).await?;
    let address = server.process().address();
    let mut opening = JoinSet::new();
    for _ in 0..STREAM_COUNT {
        opening.spawn(open_stream(address, bearer(&token)));
    }
    let mut open = Vec::with_capacity(STREAM_COUNT);
    while let Some(stream) = opening.join_next().await {
        open.push(stream.map_err(|error| error.to_string())??);
    }
    Ok(process::resident_bytes(server.process().id()))
}

/// Opens a stream, and waits for its first event.
async fn open_stream(address: SocketAddr, token: String) -> Result<TcpStream, String> {
    let failed = |error: std::io::Error| format!("a stream: {error}");
    let mut stream = TcpStream::connect(address).await.map_err(failed)?;
    let request =
        format!("GET /{GUARDED} HTTP/1.1\r\nHost: {address}\r\nAccept: text/event-stream\r\n{token}\r\n");
    stream.write_all(request.as_bytes()).await.map_err(failed)?;
    let mut seen = Vec::new();
    while !seen.windows(5).any(|bytes| bytes == b"begun") {
        if stream.read_buf(&mut seen).await.map_err(failed)? == 0 {
            let said = String::from_utf8_lossy(&seen);
            return Err(format!("a stream ended: {}", said.lines().next().unwrap_or("without a word")));
        }
    }
    Ok(stream)
}
