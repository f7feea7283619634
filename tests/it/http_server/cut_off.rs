//! Every silence has its deadline, and the end of the server spares what runs.

use super::*;

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
    assert_eq!(header_of(&answer, "retry-after"), Some("5"));
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
