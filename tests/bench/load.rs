//! The load generator: raw keep-alive HTTP/1.1 over TCP, in a closed loop, a task per connection.
//! It knows nothing of OAuth: what is asked, and what the answer must hold, is the maker's business.

use std::{
    net::SocketAddr,
    str,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
    time::timeout,
};

use crate::histogram::Histogram;

/// What a maker has to say.
pub(crate) enum Next {
    /// The request stands in the buffer.
    Request,
    /// It has nothing left to ask; the connection ends before its time.
    Exhausted,
}

/// Makes the requests of one connection.
///
/// In: the body of the last answer (empty at the start of a run and after a refusal), and the empty buffer
/// for the bytes of the next request. It is called once more after the last answer, so that a chain of
/// refresh tokens learns its newest one. An error is an answer that is not what it should be.
pub(crate) type Maker = Box<dyn FnMut(&[u8], &mut Vec<u8>) -> Result<Next, String> + Send>;

/// What one run found.
pub(crate) struct Run {
    /// From the first request to the last answer.
    pub(crate) elapsed: Duration,
    /// One entry per answer with a 2xx status.
    pub(crate) latencies: Histogram,
    /// How many answers had another status.
    pub(crate) refused: u64,
    /// The first of them, in words.
    pub(crate) first_refusal: Option<String>,
}

/// Asks over one connection per maker for `duration`. The makers stay as they are afterwards, for the next run.
/// An error is a connection that broke, an answer that is not HTTP, or what a maker objected to.
pub(crate) async fn run(
    address: SocketAddr,
    makers: &mut Vec<Maker>,
    duration: Duration,
) -> Result<Run, String> {
    let mut wires = Vec::with_capacity(makers.len());
    for maker in makers.drain(..) {
        wires.push((Wire::open(address).await?, maker));
    }
    let start = Instant::now();
    let mut tasks = JoinSet::new();
    for (wire, maker) in wires {
        tasks.spawn(converse(wire, maker, start + duration));
    }
    let mut run = Run { elapsed: duration, latencies: Histogram::new(), refused: 0, first_refusal: None };
    let mut last_answer = start;
    // A server that stops answering must not hold the whole bench.
    let patience = duration + Duration::from_secs(10);
    while let Some(task) =
        timeout(patience, tasks.join_next()).await.map_err(|_| "no answer for 10 s".to_owned())?
    {
        let (maker, talk) = task.map_err(|error| format!("a connection's task failed: {error}"))??;
        makers.push(maker);
        run.latencies.add(&talk.latencies);
        run.refused += talk.refused;
        run.first_refusal = run.first_refusal.or(talk.first_refusal);
        last_answer = last_answer.max(talk.end);
    }
    run.elapsed = last_answer - start;
    Ok(run)
}

/// What one connection found.
struct Talk {
    latencies: Histogram,
    refused: u64,
    first_refusal: Option<String>,
    end: Instant,
}

async fn converse(mut wire: Wire, mut maker: Maker, until: Instant) -> Result<(Maker, Talk), String> {
    let mut talk = Talk { latencies: Histogram::new(), refused: 0, first_refusal: None, end: Instant::now() };
    let (mut request, mut last) = (Vec::new(), Vec::new());
    loop {
        request.clear();
        match maker(&last, &mut request)? {
            Next::Request if talk.end < until => {}
            Next::Request | Next::Exhausted => return Ok((maker, talk)),
        }
        let asked = Instant::now();
        let answer = wire.exchange(&request).await?;
        talk.end = Instant::now();
        last.clear();
        if (200..300).contains(&answer.status) {
            talk.latencies.record(talk.end - asked);
            last.extend_from_slice(answer.body);
        } else {
            talk.refused += 1;
            talk.first_refusal.get_or_insert_with(|| answer.in_words());
        }
    }
}

/// One keep-alive connection.
pub(crate) struct Wire {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// An answer, as it lies in the connection's buffer.
pub(crate) struct Answer<'a> {
    /// The status code.
    pub(crate) status: u16,
    /// Status line and headers.
    pub(crate) head: &'a str,
    /// The body, whole.
    pub(crate) body: &'a [u8],
}

impl Answer<'_> {
    /// The values of a header, in order; the name in any case.
    pub(crate) fn headers<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        headers(self.head, name)
    }

    /// Status and the beginning of the body, for a reason in the table.
    pub(crate) fn in_words(&self) -> String {
        let body: String = String::from_utf8_lossy(self.body).chars().take(160).collect();
        format!("answered {} {}", self.status, body.split_whitespace().collect::<Vec<_>>().join(" "))
    }
}

impl Wire {
    /// Connects.
    pub(crate) async fn open(address: SocketAddr) -> Result<Wire, String> {
        let stream = TcpStream::connect(address).await.map_err(|error| format!("connect: {error}"))?;
        // Without it the kernel waits for more to send, and measures itself.
        stream.set_nodelay(true).map_err(|error| format!("TCP_NODELAY: {error}"))?;
        Ok(Wire { stream, buffer: Vec::with_capacity(4096) })
    }

    /// Sends the bytes of one request and reads its answer. Bodies need a Content-Length.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> Result<Answer<'_>, String> {
        self.stream.write_all(request).await.map_err(|error| format!("send: {error}"))?;
        self.buffer.clear();
        let (head_end, whole) = loop {
            if let Some(head_end) = end_of_head(&self.buffer) {
                break (head_end, head_end + content_length(&self.buffer[..head_end])?);
            }
            self.read_more().await?;
        };
        while self.buffer.len() < whole {
            self.read_more().await?;
        }
        let head = str::from_utf8(&self.buffer[..head_end]).map_err(|_| "a head that is not UTF-8")?;
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).ok_or("no status line")?;
        Ok(Answer { status, head, body: &self.buffer[head_end..whole] })
    }

    async fn read_more(&mut self) -> Result<(), String> {
        match self.stream.read_buf(&mut self.buffer).await {
            Ok(0) => Err("the server closed the connection before its answer was whole".to_owned()),
            Ok(_) => Ok(()),
            Err(error) => Err(format!("receive: {error}")),
        }
    }
}

fn end_of_head(buffer: &[u8]) -> Option<usize> {
    buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n").map(|position| position + 4)
}

fn headers<'a>(head: &'a str, name: &'a str) -> impl Iterator<Item = &'a str> {
    head.split("\r\n").filter_map(move |line| {
        let (found, value) = line.split_once(':')?;
        found.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

fn content_length(head: &[u8]) -> Result<usize, String> {
    let head = str::from_utf8(head).map_err(|_| "a head that is not UTF-8")?;
    match headers(head, "content-length").next() {
        Some(length) => length.parse().map_err(|_| format!("Content-Length {length:?} is no number")),
        None if head.contains(" 204 ") => Ok(0),
        None => Err("an answer without Content-Length".to_owned()),
    }
}
