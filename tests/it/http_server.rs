//! The HTTP layer over real sockets, byte for byte: what is refused, what is cut off, what survives.
//!
//! Every deadline test sets the deadline under test to a fraction of a second and all others to an hour, so
//! that nothing else can end the connection.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, oneshot};
use vestibule::http::{BodyRefusal, Request, Response, Status, TrustedProxies};
use vestibule::log::{self, LogWriter};
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
fn methods_that_are_not_ours_are_refused() {
    let server = Server::start();
    assert_turned_away(&server, "CONNECT as.test:443 HTTP/1.1\r\nHost: as.test\r\n\r\n", 405);
    assert_turned_away(&server, "TRACE / HTTP/1.1\r\nHost: as.test\r\n\r\n", 405);
    for method in ["BREW", "get", "Post", "PROPFIND"] {
        assert_turned_away(&server, format!("{method} / HTTP/1.1\r\nHost: as.test\r\n\r\n"), 501);
    }
    assert_eq!(body_of(&server.exchange("OPTIONS * HTTP/1.0\r\n\r\n")), "OPTIONS * ");
    assert_turned_away(&server, "GET * HTTP/1.1\r\nHost: as.test\r\n\r\n", 400);
}

#[test]
fn a_http_08_and_09_a_body_has_one_length() {
    let server = Server::start();
    let chunked = "Transfer-Encoding: chunked";
    for framing in [
        format!("Content-Length: 5\r\n{chunked}"),
        format!("{chunked}\r\nContent-Length: 5"),
        format!("{chunked}\r\n{chunked}"),
        format!("Transfer-Encoding: identity\r\n{chunked}"),
        "Transfer-Encoding: gzip, chunked".to_owned(),
        "Content-Length: 5\r\nContent-Length: 5".to_owned(),
        "Content-Length: 5\r\nX: y\r\ncONTENT-lENGTH: 5".to_owned(),
    ] {
        let request = format!("POST /body HTTP/1.1\r\nHost: as.test\r\n{framing}\r\n\r\n0\r\n\r\n");
        assert_turned_away_anywhere(&server, &request, 400);
    }
    // These hyper refuses by itself, and must go on doing so.
    for framing in
        ["Transfer-Encoding: chunked, identity", "Transfer-Encoding : chunked", "Content-Length: 5, 5"]
    {
        let answer = server.exchange(format!("POST /body HTTP/1.1\r\nHost: as.test\r\n{framing}\r\n\r\n"));
        assert!(answer.is_empty() || status_of(&answer) == 400, "{framing} {answer}");
    }
    assert_eq!(server.handled(), 14, "nothing but the good request before each bad one was handled");
}

#[test]
fn a_http_11_a_request_names_one_host() {
    let server = Server::start();
    assert_turned_away_anywhere(&server, "GET / HTTP/1.1\r\n\r\n", 400);
    for host in ["", "a@b", "a/b", "as.test:x", "as.test, b", &"a".repeat(10_240)] {
        assert_turned_away(&server, format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"), 400);
    }
    assert_turned_away_anywhere(&server, "GET / HTTP/1.1\r\nHost: as.test\r\nHost: as.test\r\n\r\n", 400);
    assert_eq!(status_of(&server.exchange("GET / HTTP/1.0\r\n\r\n")), 200, "HTTP/1.0 knows no Host");
}

#[test]
fn a_http_14_targets_are_visible_ascii_without_a_fragment() {
    let server = Server::start();
    for target in ["/\u{e9}", "/?\u{e9}", "/a#b", "/?a#b"] {
        assert_turned_away_anywhere(&server, &format!("GET {target} HTTP/1.1\r\nHost: as.test\r\n\r\n"), 400);
    }
    for byte in [0, 0x7f, 0x80, 0xff] {
        for (before, after) in
            [("GET /", " HTTP/1.1\r\nHost: x\r\n\r\n"), ("GET /?", " HTTP/1.1\r\nHost: x\r\n\r\n")]
        {
            let request = [before.as_bytes(), &[byte], after.as_bytes()].concat();
            assert_eq!(status_of(&server.exchange(request)), 400, "{byte:#x} in {before:?}");
        }
    }
    assert_turned_away(&server, "GET / HTTP/1.1\nHost: as.test\r\n\r\n", 400);
    assert_eq!(server.handled(), 8);
}

#[test]
fn a_http_26_an_expectation_is_met_or_refused_before_the_body() {
    let server = Server::start();
    let post =
        |headers: &str| format!("POST /body HTTP/1.1\r\nHost: as.test\r\nConnection: close\r\n{headers}\r\n");
    assert_turned_away(&server, post("Expect: 200-ok\r\nContent-Length: 2\r\n"), 417);
    let mut stream = server.connect();
    stream.write_all(post("Expect: 100-Continue\r\nContent-Length: 2\r\n").as_bytes()).unwrap();
    let mut interim = [0; 25];
    stream.read_exact(&mut interim).unwrap();
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"hi").unwrap();
    assert_eq!(body_of(&read_to_close(&mut stream)), "hi");
    let answer = server.exchange(post("Expect: 100-continue\r\nContent-Length: 65\r\n"));
    assert_eq!(status_of(&answer), 413, "and no 100 before it");
}

#[test]
fn r_12_heads_have_limits_and_one_more_is_refused() {
    let server = Server::start();
    let target = |length: usize| format!("GET /{} HTTP/1.0\r\n\r\n", "a".repeat(length - 1));
    assert_eq!(status_of(&server.exchange(target(8192))), 200);
    let refused = |request: String, status| {
        let answer = server.exchange(request);
        assert_eq!(status_of(&answer), status, "{answer}");
        assert!(body_of(&answer).starts_with(r#"{"error":"invalid_request""#));
    };
    refused(target(8193), 414);
    refused(target(20_000), 414);
    let head = |length: usize| format!("GET / HTTP/1.0\r\na: {}\r\n\r\n", "b".repeat(length - 23));
    assert_eq!(status_of(&server.exchange(head(16_384))), 200);
    refused(head(16_385), 431);
    let fields = |count: usize| format!("GET / HTTP/1.0\r\n{}\r\n", "a: b\r\n".repeat(count));
    assert_eq!(status_of(&server.exchange(fields(80))), 200);
    refused(fields(81), 431);
    assert_eq!(status_of(&server.exchange(fields(101))), 431, "hyper's own limit");
    assert_eq!(
        status_of(&server.exchange("GET / HTTP/1.0\r\n".to_owned() + &"a: b\r\n".repeat(100_000))),
        431
    );
}

#[test]
fn a_http_05_bodies_are_bounded_and_never_inflated() {
    let server = Server::start();
    let post = |headers: &str, body: &str| {
        server.exchange(format!("POST /body HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n{body}"))
    };
    let sized = |length: usize| post(&format!("Content-Length: {length}\r\n"), &"a".repeat(length));
    let chunked = |chunk: usize, count: usize| {
        let chunk = format!("{chunk:x}\r\n{}\r\n", "a".repeat(chunk));
        post("Transfer-Encoding: chunked\r\n", &(chunk.repeat(count) + "0\r\n\r\n"))
    };
    assert_eq!(body_of(&sized(64)), "a".repeat(64));
    assert_eq!(status_of(&sized(65)), 413);
    assert_eq!(body_of(&chunked(64, 1)), "a".repeat(64));
    assert_eq!(body_of(&chunked(1, 64)), "a".repeat(64));
    assert_eq!(status_of(&chunked(65, 1)), 413);
    assert_eq!(status_of(&chunked(1, 65)), 413);
    // The answer arrives although megabytes are still being sent.
    assert_eq!(status_of(&sized(200_000)), 413);
    assert_eq!(status_of(&post("Content-Encoding: gzip\r\nContent-Length: 1\r\n", "a")), 415);
    assert_eq!(body_of(&post("Content-Encoding: identity\r\nContent-Length: 1\r\n", "a")), "a");
}

#[test]
fn a_http_02_a_body_is_read_as_what_it_is_declared_to_be() {
    let server = Server::start();
    let post = |path: &str, headers: &str, body: &str| {
        let length = body.len();
        server.exchange(format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
        ))
    };
    let form = "Content-Type: application/x-www-form-urlencoded\r\n";
    let json = "Content-Type: application/json; charset=utf-8\r\n";
    assert_eq!(body_of(&post("/form", form, "a=1&a=%32+")), "1|2 ");
    assert_eq!(body_of(&post("/json", json, "{}")), "{}");
    for headers in
        ["", json, &form.repeat(2), "Content-Type: application/json, application/x-www-form-urlencoded\r\n"]
    {
        assert_eq!(status_of(&post("/form", headers, "a=1")), 415, "{headers}");
    }
    assert_eq!(status_of(&post("/json", form, "{}")), 415);
    for body in ["a=%", "a=%c0%af", "a=%00", "a=%zz"] {
        let answer = post("/form", form, body);
        assert_eq!(status_of(&answer), 400, "A-HTTP-15 {body}");
        assert!(!body_of(&answer).contains(body), "the sentence has no data");
    }
}

#[test]
fn a_http_06_a_body_that_ends_early_is_broken() {
    let server = Server::start();
    let mut stream = server.connect();
    stream.write_all(b"POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let answer = read_to_close(&mut stream);
    assert!(answer.is_empty() || status_of(&answer) == 400, "{answer}");
    for chunks in ["x\r\n", "1\r\nab\r\n0\r\n\r\n", "-1\r\n", "fffffffffffffffff\r\n"] {
        let head = "POST /body HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
        let answer = server.exchange(format!("{head}{chunks}"));
        assert_eq!(status_of(&answer), 400, "{chunks:?} {answer}");
        assert_eq!(body_of(&answer), BodyRefusal::Broken.describe());
    }
}

#[test]
fn a_http_29_an_unread_body_ends_the_connection_and_is_never_a_request() {
    let server = Server::start();
    let inner = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n";
    for framing in [
        format!("Content-Length: {}\r\n\r\n{inner}", inner.len()),
        format!("Content-Length: 1000000\r\n\r\n{inner}"),
        format!("Transfer-Encoding: chunked\r\n\r\n{inner}"),
    ] {
        let answer = server.exchange(format!("POST /unread HTTP/1.1\r\nHost: x\r\n{framing}"));
        assert_eq!(status_of(&answer), 401);
        assert_eq!(header_of(&answer, "connection"), Some("close"));
        assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{answer}");
    }
    assert_eq!(server.handled(), 3);
}

#[test]
fn a_chunked_request_is_the_last_of_its_connection() {
    let server = Server::start();
    let answer = server.exchange(
        "POST /body HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n\
         GET /second HTTP/1.1\r\nHost: x\r\n\r\n",
    );
    assert_eq!(body_of(&answer), "hi");
    assert_eq!(header_of(&answer, "connection"), Some("close"));
    assert_eq!(server.handled(), 1);
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

/// Waits for the server to close, and checks that it was patient for as long as it says.
fn assert_cut_off(stream: &mut TcpStream, since: Instant) -> String {
    let answer = read_to_close(stream);
    assert!(since.elapsed() >= SOON, "cut off after only {:?}", since.elapsed());
    answer
}

#[test]
fn a_http_18_a_connection_without_a_whole_head_is_closed() {
    let server = Server::with(|settings| settings.limits.header_time = SOON);
    for sent in ["", "G", "\r\n\r\n", "GET / HTTP/1.1\r\nHost: x\r\n", "GET / HTTP/1.1\n"] {
        let since = Instant::now();
        let mut stream = server.connect();
        stream.write_all(sent.as_bytes()).unwrap();
        assert_eq!(assert_cut_off(&mut stream, since), "", "{sent:?}");
    }
    assert_eq!(server.handled(), 0);
}

#[test]
fn a_http_18_dripping_bytes_does_not_move_the_deadline() {
    let server = Server::with(|settings| settings.limits.header_time = SOON);
    let mut stream = server.connect();
    stream.write_all(b"GET / HTTP/1.1\r\na: ").unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    let since = Instant::now();
    let mut byte = [0];
    // Each turn reads for 20 ms, then sends one byte more, until the server has closed.
    let end = loop {
        match stream.read(&mut byte) {
            Err(fault) if fault.kind() == std::io::ErrorKind::WouldBlock => {}
            end => break end,
        }
        assert!(since.elapsed() < PATIENCE, "never closed");
        let _ = stream.write_all(b"b");
    };
    assert_eq!(end.unwrap_or(0), 0);
}

#[test]
fn a_second_head_has_the_short_deadline_from_its_first_byte() {
    let server = Server::with(|settings| settings.limits.header_time = SOON);
    let mut stream = server.connect();
    stream.write_all(b"GET /p HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    read_one(&mut stream);
    let since = Instant::now();
    stream.write_all(b"GET /p HT").unwrap();
    assert_eq!(assert_cut_off(&mut stream, since), "");
}

#[test]
fn a_connection_that_idles_between_requests_is_closed() {
    let server = Server::with(|settings| settings.limits.idle_time = SOON);
    let mut stream = server.connect();
    for _ in 0..2 {
        stream.write_all(b"GET /p HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        read_one(&mut stream);
    }
    assert_eq!(read_to_close(&mut stream), "");
}

#[test]
fn the_idle_deadline_spares_a_request_that_is_being_answered() {
    let server = Server::with(|settings| {
        settings.limits.idle_time = Duration::from_millis(20);
        settings.limits.header_time = SOON;
    });
    let mut stream = server.connect();
    stream.write_all(b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    server.block_on(server.waiting.notified());
    // Ten times the idle deadline, measured by a connection whose end takes that long.
    let since = Instant::now();
    assert_cut_off(&mut server.connect(), since);
    server.release.notify_one();
    assert_eq!(body_of(&read_to_close(&mut stream)), "waited");
}

#[test]
fn a_http_20_a_body_that_does_not_arrive_is_refused() {
    let server = Server::with(|settings| settings.limits.body_time = SOON);
    for framing in ["Content-Length: 10\r\n\r\nabc", "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"] {
        let since = Instant::now();
        let mut stream = server.connect();
        stream.write_all(format!("POST /body HTTP/1.1\r\nHost: x\r\n{framing}").as_bytes()).unwrap();
        let answer = assert_cut_off(&mut stream, since);
        assert_eq!(status_of(&answer), 408);
        assert_eq!(header_of(&answer, "connection"), Some("close"));
    }
}

#[test]
fn a_handler_that_takes_too_long_is_given_up() {
    let server = Server::with(|settings| settings.limits.request_time = SOON);
    let since = Instant::now();
    let answer = server.exchange("GET /wait HTTP/1.0\r\n\r\n");
    assert!(since.elapsed() >= SOON);
    assert_eq!(status_of(&answer), 503);
    assert!(body_of(&answer).contains("temporarily_unavailable"));
}

#[test]
fn a_http_21_a_client_that_never_reads_is_cut_off() {
    let server = Server::with(|settings| {
        settings.limits.write_stall = SOON;
        settings.limits.connections = 1;
    });
    let mut deaf = server.connect();
    deaf.write_all(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    // There is room for one connection only: this one is served once the deaf one is gone.
    assert_eq!(server.get("/p", ""), "GET /p ");
    assert_eq!(server.handled(), 2);
}

#[test]
fn at_the_cap_a_connection_waits_for_its_turn() {
    let server = Server::with(|settings| settings.limits.connections = 1);
    let mut first = server.connect();
    first.write_all(b"GET /p HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    read_one(&mut first);
    let mut second = server.connect();
    second.write_all(b"GET /second HTTP/1.0\r\n\r\n").unwrap();
    for _ in 0..20 {
        first.write_all(b"GET /p HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        read_one(&mut first);
    }
    assert_eq!(server.handled(), 21, "the second connection has not been served");
    drop(first);
    assert_eq!(body_of(&read_to_close(&mut second)), "GET /second ");
}

#[test]
fn a_http_33_clients_that_go_away_leave_the_server_whole() {
    let server = Server::with(|settings| settings.limits.connections = 8);
    let whole = b"POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi";
    for length in 0..whole.len() {
        let mut stream = server.connect();
        stream.write_all(whole.get(..length).unwrap()).unwrap();
    }
    for _ in 0..8 {
        let mut stream = server.connect();
        stream.write_all(b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        server.block_on(server.waiting.notified());
    }
    assert_eq!(server.get("/p", ""), "GET /p ", "every slot was given back");
}

#[test]
fn r_23_a_shutdown_finishes_what_runs_and_accepts_nothing_new() {
    let mut server = Server::start();
    let mut idle = server.connect();
    idle.write_all(b"GET /p HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    read_one(&mut idle);
    let mut running = server.connect();
    running.write_all(b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    server.block_on(server.waiting.notified());
    server.stop();
    assert_eq!(read_to_close(&mut idle), "", "an idle connection is closed at once");
    // Another test's server may have been given the port by now, so a connection proves nothing.
    if let Ok(mut late) = TcpStream::connect(server.address) {
        let _ = late.write_all(b"GET /late HTTP/1.0\r\n\r\n");
    }
    server.release.notify_one();
    let answer = read_to_close(&mut running);
    assert_eq!(body_of(&answer), "waited");
    let serving = server.serving.take().unwrap();
    server.block_on(serving).unwrap();
    assert_eq!(server.handled(), 2);
}

#[test]
fn a_shutdown_does_not_wait_for_ever() {
    let mut server = Server::with(|settings| settings.limits.drain = SOON);
    let mut running = server.connect();
    running.write_all(b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    server.block_on(server.waiting.notified());
    let since = Instant::now();
    server.stop();
    assert_eq!(assert_cut_off(&mut running, since), "");
    let serving = server.serving.take().unwrap();
    server.block_on(serving).unwrap();
}

/// What a log wrote, for a test to look at.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_log_01_every_request_leaves_one_line_without_its_query() {
    let written = Written::default();
    let writer = LogWriter::start(written.clone());
    // One thread, so that its own subscriber sees every event of the server.
    let guard = tracing::subscriber::set_default(log::subscriber(tracing::Level::TRACE, &writer));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let client = tokio::task::spawn_blocking(move || {
            let agent = "x\u{1b}[31m status=200 \"q".replace('\u{1b}', "\t");
            for request in [
                format!("GET /p?code=canary HTTP/1.0\r\nUser-Agent: {agent}\r\nCookie: canary\r\n\r\n"),
                "POST /because?x=canary HTTP/1.0\r\nAuthorization: Bearer canary\r\n\r\n".to_owned(),
                "BREW /pot?canary HTTP/1.0\r\n\r\n".to_owned(),
                format!("GET /{} HTTP/1.0\r\nUser-Agent: canary\u{e9}\r\n\r\n", "a".repeat(1000)),
            ] {
                let mut stream = TcpStream::connect(address).unwrap();
                stream.write_all(request.as_bytes()).unwrap();
                read_to_close(&mut stream);
            }
            let mut leaver = TcpStream::connect(address).unwrap();
            leaver.write_all(b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
            leaver
        });
        let waiting = Arc::new(Notify::new());
        let began = waiting.clone();
        let handler = move |request| echo(request, Arc::default(), Arc::default(), began.clone());
        let settings = Settings { limits: Limits { drain: SOON, ..patient() }, ..Settings::default() };
        serve(listener, settings, handler, async {
            drop(client.await.unwrap());
            waiting.notified().await;
        })
        .await;
    });
    drop(guard);
    drop(writer);
    let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
    assert!(!text.contains("canary"), "{text}");
    let lines = text.lines().filter(|line| line.contains(" INFO request ")).collect::<Vec<_>>();
    assert_eq!(lines.len(), 5, "{text}");
    for (line, parts) in lines.iter().zip([
        &[" method=GET path=/p status=200 ms=", " ip=127.0.0.1", r#" agent="x\u{9}[31m status=200 \"q""#][..],
        &[" method=POST path=/because status=403 ms=", r#" reason="a reason\u{a}in two lines""#],
        &[" method=BREW path=/pot status=501 ms=", r#" reason="This method is not known"#],
        &[" path=\"/aaa", "…\" status=200", " agent=\"(not ASCII)\""],
        &[" path=/wait ms=", r#" reason="the client went away before the answer""#],
    ]) {
        for part in parts {
            assert!(line.contains(part), "{part} is missing: {line}");
        }
    }
}
