//! The log line of a request.

use super::*;
use crate::harness::Listening;

#[test]
fn a_log_01_every_request_leaves_one_line_without_its_query() {
    // One thread, so that whoever listens on it hears of every event of the server.
    let listening = Listening::begin();
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
    let text = listening.end();
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
