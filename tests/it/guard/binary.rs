//! The built binary as a guard: what it holds at once with nothing set, how much memory that takes, and how it stops.

use std::time::{Duration, Instant};

use rustix::process::{Resource as Limited, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;
use crate::harness::{House, Line, Serving, ask};

const MEGABYTE: usize = 1024 * 1024;

/// A running binary that guards a server at `/notes`, and a machine's token for that.
async fn guarding(
    house: &House,
    behind: &Behind,
    start: impl FnOnce(&[&str]) -> Serving,
) -> (Serving, String) {
    let guard = format!("notes={}", behind.url("/mcp"));
    let serving = start(&["--guard", &guard]);
    let uri = format!("{}/notes", serving.issuer);
    let added = house.json(&["client", "add", "--name", "Machine", "--audience", &uri]);
    let text = |name: &str| added[name].as_str().expect("a text").to_owned();
    let body = format!(
        "grant_type=client_credentials&client_id={}&client_secret={}",
        text("client_id"),
        text("client_secret")
    );
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let answer = ask(serving.address, "POST", "/oauth/token", &form, &body).await;
    let token =
        answer.json()["access_token"].as_str().unwrap_or_else(|| panic!("{}", answer.text())).to_owned();
    (serving, token)
}

fn head(serving: &Serving, method: &str, token: &str, headers: &str) -> String {
    let host = serving.address;
    format!("{method} /notes HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n{headers}\r\n")
}

/// This process stands on both sides of every stream.
fn allow_many_sockets() {
    let Rlimit { maximum, .. } = getrlimit(Limited::Nofile);
    setrlimit(Limited::Nofile, Rlimit { current: maximum, maximum }).expect("as many as there may be");
}

#[tokio::test]
async fn a_thousand_streams_are_held_at_once_with_nothing_set() {
    allow_many_sockets();
    let (house, behind) = (House::new(), Behind::start().await);
    // Fewer files than systems let a process have at first.
    let (serving, token) = guarding(&house, &behind, |more| house.serve_with_files("-S -n 256", more)).await;
    behind.say(Said::events());
    let before = serving.program.memory_peak();
    let mut lines = Vec::new();
    for _ in 0..1000 {
        let mut line = Line::open(serving.address).await;
        line.say(head(&serving, "GET", &token, "Accept: text/event-stream\r\n")).await;
        line.until("data: begun").await;
        lines.push(line);
    }
    behind.until_open(1000).await;
    let each = (serving.program.memory_peak() - before) / 1000;
    assert!(each < 64 * 1024, "{each} bytes for a stream");
    // Everybody is heard, and there is room for others.
    behind.push(&chunk("data: news\n\n"));
    for line in &mut lines {
        line.until("data: news").await;
    }
    let health = ask(serving.address, "GET", "/healthz", &[], "").await;
    assert_eq!(health.status, Status::OK);
    // All of them end when the server stops, and it stops in its time.
    let since = Instant::now();
    serving.program.terminate();
    for mut line in lines {
        line.until("0\r\n\r\n").await;
    }
    let done = serving.program.wait();
    assert_eq!(done.status, Some(0), "{}", done.err);
    assert!(since.elapsed() < Duration::from_secs(10), "{:?}", since.elapsed());
}

#[tokio::test]
async fn where_few_files_are_to_be_had_the_owner_is_told_what_to_do() {
    let house = House::new();
    let serving = house.serve_with_files("-n 1024", &[]);
    assert_eq!(ask(serving.address, "GET", "/healthz", &[], "").await.status, Status::OK);
    serving.program.terminate();
    let said = serving.program.wait().err;
    assert!(said.contains("at most 448 connections can be open at once instead of 4096"), "{said}");
    assert!(said.contains("LimitNOFILE=8320") && said.contains("--connections-max 448"), "{said}");
}

#[tokio::test]
async fn a_hundred_megabytes_pass_in_little_memory_both_ways() {
    let (house, behind) = (House::new(), Behind::start().await);
    let (serving, token) = guarding(&house, &behind, |more| house.serve("127.0.0.1:0", more)).await;
    let before = serving.program.memory_peak();
    for (kind, megabytes) in [("application/octet-stream", 100), ("application/json", 40)] {
        let mut stream = TcpStream::connect(serving.address).await.expect("it listens");
        let length = megabytes * MEGABYTE + 2;
        let headers = format!("Content-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n");
        stream.write_all(head(&serving, "POST", &token, &headers).as_bytes()).await.expect("it reads");
        stream.write_all(b"\"").await.expect("it reads");
        let piece = vec![b'x'; MEGABYTE];
        for _ in 0..megabytes {
            stream.write_all(&piece).await.expect("it reads");
        }
        stream.write_all(b"\"").await.expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        assert_eq!((behind.last().length, behind.last().is_whole), (length, true));
    }
    behind.say(Said::Flood(b"HTTP/1.1 200 OK\r\n\r\n".to_vec()));
    let mut stream = TcpStream::connect(serving.address).await.expect("it listens");
    stream.write_all(head(&serving, "GET", &token, "").as_bytes()).await.expect("it reads");
    let (mut read, mut piece) = (0, vec![0; MEGABYTE]);
    while read < 100 * MEGABYTE {
        let more = stream.read(&mut piece).await.expect("more of it");
        assert!(more > 0, "it ended after {read} bytes");
        read += more;
    }
    drop(stream);
    behind.until_open(0).await;
    let grown = serving.program.memory_peak() - before;
    assert!(grown < 16 * MEGABYTE, "it grew by {grown} bytes");
}

#[tokio::test]
async fn what_is_being_answered_has_the_time_that_the_server_takes_to_stop() {
    let (house, behind) = (House::new(), Behind::start().await);
    let (serving, token) = guarding(&house, &behind, |more| house.serve("127.0.0.1:0", more)).await;
    // One answer has begun, one is waited for, and somebody listens.
    let begun = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
    behind.say(Said::Held(format!("{begun}{}", chunk("[1")).into_bytes()));
    let mut answer = Line::open(serving.address).await;
    answer.say(head(&serving, "GET", &token, "")).await;
    answer.until("[1").await;
    behind.say(Said::Held(Vec::new()));
    let mut waiting = Line::open(serving.address).await;
    waiting.say(head(&serving, "GET", &token, "")).await;
    behind.until_asked(2).await;
    behind.say(Said::events());
    let mut listening = Line::open(serving.address).await;
    listening.say(head(&serving, "GET", &token, "")).await;
    listening.until("data: begun").await;
    serving.program.terminate();
    // The signal has arrived once whoever listens is let go.
    assert_eq!(listening.end().await, crate::harness::End::Whole);
    behind.push(&format!("{}0\r\n\r\n", chunk(",2]")));
    answer.until(",2]").await;
    assert_eq!(answer.end().await, crate::harness::End::Whole);
    drop(waiting);
    let done = serving.program.wait();
    assert_eq!(done.status, Some(0), "{}", done.err);
}

#[tokio::test]
async fn what_does_not_end_is_cut_off_when_the_time_to_stop_is_over() {
    let (house, behind) = (House::new(), Behind::start().await);
    let (serving, token) = guarding(&house, &behind, |more| house.serve("127.0.0.1:0", more)).await;
    let begun = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    behind.say(Said::Held(format!("{begun}{}", chunk("[1")).into_bytes()));
    let mut answer = Line::open(serving.address).await;
    answer.say(head(&serving, "GET", &token, "")).await;
    answer.until("[1").await;
    let since = Instant::now();
    serving.program.terminate();
    assert_eq!(answer.end().await, crate::harness::End::Broken);
    assert_eq!(serving.program.wait().status, Some(0));
    let took = since.elapsed();
    assert!(took > Duration::from_secs(9) && took < Duration::from_secs(15), "{took:?}");
}
