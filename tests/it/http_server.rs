//! The HTTP layer over real sockets, byte for byte: what is refused, what is cut off, what survives.
//!
//! Every deadline test sets the deadline under test to a fraction of a second and all others to an hour, so
//! that nothing else can end the connection.

mod bodies;
mod cut_off;
mod log_lines;
mod refused;

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, oneshot};
use vestibule::http::{BodyRefusal, Request, Response, Status, TrustedProxies};
use vestibule::server::{Limits, Settings, serve};

const HOUR: Duration = Duration::from_secs(3600);
const SOON: Duration = Duration::from_millis(200);
/// A client's patience: longer than any deadline under test, shorter than the hour.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server with an echo for a handler, on a runtime of its own.
struct Server {
    address: SocketAddr,
    handled: Arc<AtomicUsize>,
    /// Lets a handler at `/wait` go on.
    release: Arc<Notify>,
    /// Says that a handler at `/wait` has begun.
    waiting: Arc<Notify>,
    stop: Option<oneshot::Sender<()>>,
    runtime: Option<tokio::runtime::Runtime>,
    serving: Option<tokio::task::JoinHandle<()>>,
}

impl Server {
    fn start() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let mut settings = Settings { limits: patient(), ..Settings::default() };
        change(&mut settings);
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let (handled, release, waiting) = <(Arc<AtomicUsize>, Arc<Notify>, Arc<Notify>)>::default();
        let (stop, stopped) = oneshot::channel::<()>();
        let handler = {
            let (handled, release, waiting) = (handled.clone(), release.clone(), waiting.clone());
            move |request| echo(request, handled.clone(), release.clone(), waiting.clone())
        };
        let serving = runtime.spawn(serve(listener, settings, handler, async {
            let _ = stopped.await;
        }));
        let (runtime, stop, serving) = (Some(runtime), Some(stop), Some(serving));
        Self { address, handled, release, waiting, stop, runtime, serving }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// Sends everything, then reads until the server closes.
    fn exchange(&self, request: impl AsRef<[u8]>) -> String {
        let mut stream = self.connect();
        stream.write_all(request.as_ref()).unwrap();
        read_to_close(&mut stream)
    }

    /// Sends a request that asks to be the last, and returns the body of its answer.
    fn get(&self, path: &str, headers: &str) -> String {
        let text = format!("GET {path} HTTP/1.1\r\nHost: as.test\r\nConnection: close\r\n{headers}\r\n");
        body_of(&self.exchange(text)).to_owned()
    }

    fn handled(&self) -> usize {
        self.handled.load(Ordering::SeqCst)
    }

    fn block_on<F: Future>(&self, future: F) -> F::Output {
        let patient = async { tokio::time::timeout(PATIENCE, future).await.expect("in time") };
        self.runtime.as_ref().unwrap().block_on(patient)
    }

    fn stop(&mut self) {
        let _ = self.stop.take().unwrap().send(());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn patient() -> Limits {
    Limits {
        header_time: HOUR,
        idle_time: HOUR,
        body_time: HOUR,
        request_time: HOUR,
        write_stall: HOUR,
        drain: HOUR,
        ..Limits::default()
    }
}

async fn echo(
    mut request: Request,
    handled: Arc<AtomicUsize>,
    release: Arc<Notify>,
    waiting: Arc<Notify>,
) -> Response {
    handled.fetch_add(1, Ordering::SeqCst);
    let read = match request.path() {
        "/body" => request.body(64).await.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
        "/json" => request.json(64).await.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
        "/form" => request.form(64).await.map(|form| form.all("a").collect::<Vec<_>>().join("|")),
        "/unread" => return Response::text(Status::UNAUTHORIZED, "no"),
        "/panic" => panic!("on purpose"),
        "/large" => return Response::text(Status::OK, vec![b'x'; 64 << 20]),
        "/wait" => {
            waiting.notify_one();
            release.notified().await;
            Ok("waited".to_owned())
        }
        "/ip" => Ok(request.client_ip().to_string()),
        "/cookie" => Ok(format!("{:?}", request.cookie("a"))),
        "/agent" => Ok(format!("{:?}", request.header("user-agent"))),
        "/html" => Ok(request.accepts_html().to_string()),
        "/because" => return Response::text(Status::FORBIDDEN, "").because("a reason\nin two lines"),
        _ => Ok(format!("{} {} {}", request.method(), request.path(), request.query())),
    };
    match read {
        Ok(text) => Response::text(Status::OK, text),
        Err(refusal) => Response::text(refusal.status(), refusal.describe()),
    }
}

fn read_to_close(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    // A reset after the answer is a close as well; silence until the end of patience is not.
    if let Err(fault) = stream.read_to_end(&mut answer) {
        assert_eq!(fault.kind(), std::io::ErrorKind::ConnectionReset, "the server did not close");
    }
    String::from_utf8(answer).unwrap()
}

/// Reads one answer with a `Content-Length` and leaves the connection open.
fn read_one(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let mut byte = [0];
    while !answer.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        answer.push(byte[0]);
    }
    let head = String::from_utf8(answer).unwrap();
    let length = header_of(&head, "content-length").unwrap().parse().unwrap();
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    head + std::str::from_utf8(&body).unwrap()
}

fn status_of(answer: &str) -> u16 {
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("{answer:?}"))
}

fn header_of<'a>(answer: &'a str, name: &str) -> Option<&'a str> {
    let head = answer.split("\r\n\r\n").next().unwrap();
    head.lines()
        .filter_map(|line| line.split_once(": "))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value)
}

fn body_of(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").map_or("", |(_, body)| body)
}

/// The request is refused with `status` in JSON before any handler, and the connection ends.
fn assert_turned_away(server: &Server, request: impl AsRef<[u8]>, status: u16) {
    let shown = String::from_utf8_lossy(request.as_ref()).chars().take(120).collect::<String>();
    let before = server.handled();
    let answer = server.exchange(request);
    assert_eq!(status_of(&answer), status, "{shown:?} {answer}");
    assert_eq!(header_of(&answer, "connection"), Some("close"), "{shown:?}");
    assert_eq!(header_of(&answer, "content-type"), Some("application/json"), "{shown:?}");
    assert_eq!(header_of(&answer, "cache-control"), Some("no-store"), "{shown:?}");
    assert!(body_of(&answer).starts_with(r#"{"error":"invalid_request","error_description":""#), "{answer}");
    assert_eq!(answer.matches("HTTP/1.1").count(), 1, "one answer: {answer}");
    assert_eq!(server.handled(), before, "no handler saw {shown:?}");
}

/// As [`assert_turned_away`], alone and as the second of two pipelined requests.
fn assert_turned_away_anywhere(server: &Server, request: &str, status: u16) {
    assert_turned_away(server, request, status);
    for first in [
        "GET /first HTTP/1.1\r\nHost: as.test\r\n\r\n",
        "POST /body HTTP/1.1\r\nHost: as.test\r\nContent-Length: 5\r\n\r\n12\r\n\n",
    ] {
        let answer = server.exchange(format!("{first}{request}"));
        assert_eq!(answer.matches("HTTP/1.1 200 OK").count(), 1, "{request:?} {answer}");
        let second = answer.rfind("HTTP/1.1 ").and_then(|start| answer.get(start..)).unwrap();
        assert_eq!(status_of(second), status, "{request:?} {answer}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 2, "{request:?} {answer}");
    }
}

#[test]
fn a_request_reaches_its_handler_as_it_was_sent() {
    let server = Server::start();
    for path in
        ["//token", "/./token", "/a/../token", "/token/", "/token;x", "/TOKEN", "/tok%65n", "/token%00"]
    {
        assert_eq!(server.get(path, ""), format!("GET {path} "), "A-HTTP-17");
    }
    assert_eq!(server.get("/p?a=%20&b", ""), "GET /p a=%20&b");
    assert_eq!(server.get("/p", "X-HTTP-Method-Override: POST\r\n"), "GET /p ", "A-HTTP-30");
    assert_eq!(server.get("/cookie", "Cookie: a=1; b=2\r\n"), r#"Some("1")"#);
    assert_eq!(server.get("/cookie", "Cookie: a=1\r\nCookie: a=2\r\n"), "None");
    assert_eq!(server.get("/agent", "User-Agent: x y\r\n"), r#"Some("x y")"#);
    assert_eq!(server.get("/agent", "User-Agent: x\r\nUser-Agent: x\r\n"), "None");
    assert_eq!(server.get("/agent", "User-Agent: \u{e9}\r\n"), "None", "A-HTTP-14");
    for (accept, wants) in [
        ("text/html,application/xhtml+xml;q=0.9,*/*;q=0.8", "true"),
        ("application/json, TEXT/HTML;q=0.1", "true"),
        ("*/*", "false"),
        ("application/json", "false"),
        ("text/html;q=0", "false"),
        ("text/htmlx", "false"),
    ] {
        assert_eq!(server.get("/html", &format!("Accept: {accept}\r\n")), wants, "{accept}");
    }
    assert_eq!(server.get("/html", ""), "false");
}

#[test]
fn a_http_12_an_absolute_target_is_routed_by_its_path() {
    let server = Server::start();
    assert_eq!(server.get("http://evil.test/p?q", ""), "GET /p q");
}

#[test]
fn a_log_04_only_a_trusted_proxy_names_the_client() {
    let forwarded = "X-Forwarded-For: 198.51.100.1, 203.0.113.5\r\nX-Forwarded-For: 203.0.113.6\r\n";
    assert_eq!(Server::start().get("/ip", forwarded), "127.0.0.1");
    let trusting = Server::with(|settings| {
        settings.proxies = TrustedProxies::parse(["127.0.0.1", "203.0.113.0/24"]).unwrap()
    });
    assert_eq!(trusting.get("/ip", forwarded), "198.51.100.1");
    assert_eq!(trusting.get("/ip", "X-Forwarded-For: 198.51.100.1, nonsense\r\n"), "127.0.0.1");
}

#[test]
fn connections_are_kept_and_requests_may_be_pipelined() {
    let server = Server::start();
    let mut stream = server.connect();
    for _ in 0..3 {
        stream.write_all(b"POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi").unwrap();
        assert_eq!(body_of(&read_one(&mut stream)), "hi");
    }
    let one = "GET /p HTTP/1.1\r\nHost: x\r\n\r\n";
    stream.write_all(one.repeat(50).as_bytes()).unwrap();
    for _ in 0..50 {
        assert_eq!(body_of(&read_one(&mut stream)), "GET /p ");
    }
    // The same one byte at a time, so that no two bytes can be read at once.
    stream.set_nodelay(true).unwrap();
    for byte in format!("POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi{one}").bytes() {
        stream.write_all(&[byte]).unwrap();
    }
    assert_eq!(body_of(&read_one(&mut stream)), "hi");
    assert_eq!(body_of(&read_one(&mut stream)), "GET /p ");
}

#[test]
fn head_has_the_headers_of_get_and_no_body() {
    let server = Server::start();
    let answer = server.exchange("HEAD /p HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert_eq!(status_of(&answer), 200);
    assert_eq!(header_of(&answer, "content-length"), Some("8"));
    assert_eq!(body_of(&answer), "");
}

#[test]
fn a_panic_costs_one_request_its_answer_and_nobody_else() {
    let server = Server::start();
    let mut stream = server.connect();
    stream.write_all(b"GET /panic HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let answer = read_one(&mut stream);
    assert_eq!(status_of(&answer), 500);
    assert_eq!(body_of(&answer), r#"{"error":"server_error"}"#);
    stream.write_all(b"GET /p HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    assert_eq!(body_of(&read_one(&mut stream)), "GET /p ");
}
