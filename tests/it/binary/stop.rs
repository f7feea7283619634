//! SIGTERM: what has begun is answered, nothing new is taken, and the file is closed in order.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::*;

#[tokio::test]
async fn sigterm_answers_what_has_begun_ends_with_0_and_leaves_one_whole_file() {
    let house = House::new();
    let server = house.serve("127.0.0.1:0", &[]);
    house.ok(&["resource", "add", RESOURCE, "--scopes", "read"], "");
    house.ok(&["user", "add", "alice", "--password-stdin"], PASSWORD);
    let client_id = add_client(&house);
    let mut alice = Person::new(server.address, &server.issuer, "alice", PASSWORD);
    let mut wire = connect(server.address).await;
    let token = Code::from(&mut alice, &client_id).await.refresh_token(&mut wire).await;

    // A refresh of which the server has the head, as its `100 Continue` shows, and `wire` idle beside it.
    let body = format!("grant_type=refresh_token&refresh_token={token}&client_id={client_id}");
    let mut begun = TcpStream::connect(server.address).expect("it listens");
    begun.set_read_timeout(Some(Duration::from_secs(60))).expect("a timeout");
    let head = format!(
        "POST /oauth/token HTTP/1.1\r\nHost: {}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {}\r\nExpect: 100-continue\r\n\r\n",
        server.address,
        body.len()
    );
    begun.write_all(head.as_bytes()).expect("it reads");
    let mut interim = [0; 25];
    begun.read_exact(&mut interim).expect("it asks for the body");
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");

    server.program.terminate();
    // The signal has arrived once nobody new is let in.
    while let Ok(stream) = TcpStream::connect(server.address) {
        drop(stream);
        tokio::task::yield_now().await;
    }
    begun.write_all(body.as_bytes()).expect("it still reads");
    let mut answer = String::new();
    match begun.read_to_string(&mut answer) {
        Ok(_) => {}
        Err(why) => assert_eq!(why.kind(), ErrorKind::ConnectionReset, "after {answer:?}"),
    }
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(wire.ask("GET", "/healthz", &[], String::new()).await.is_err(), "idle connections are closed");
    let done = server.program.wait();
    assert_eq!(done.status, Some(0), "{done:?}");
    for secret in [&token, PASSWORD] {
        assert!(!done.err.contains(secret), "a secret is in the log");
    }

    // All is in the one file, which could be copied away by itself.
    for name in ["vestibule.db-wal", "vestibule.db-shm"] {
        assert!(!house.path(name).exists(), "{name} is left");
    }
    assert_eq!(integrity(&house.path("vestibule.db")), "ok");
    let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
    let body: Value = serde_json::from_str(body).expect("JSON");
    let again = house.serve("127.0.0.1:0", &[]);
    let mut wire = connect(again.address).await;
    let answer = refresh(&mut wire, &client_id, &text(&body, "refresh_token")).await.expect("an answer");
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.text());
}
