//! Bodies: their declared type, their length, their encoding. The same for every endpoint that reads a form.

use crate::harness::{RawAnswer, SECRET, Server, Tokens};

const ENDPOINTS: [(&str, &str); 3] = [
    ("/oauth/token", "grant_type=client_credentials"),
    ("/oauth/revoke", "token=x"),
    ("/oauth/introspect", "token=x"),
];

/// Sends a form of the machine client's with these header lines instead of a Content-Type.
async fn send(server: &Server, path: &str, headers: &str, body: impl AsRef<[u8]>) -> RawAnswer {
    let body = body.as_ref();
    let mut request = format!(
        "POST {path} HTTP/1.1\r\nHost: as.test\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n",
        body.len()
    )
    .into_bytes();
    request.extend_from_slice(body);
    server.raw(request).await
}

fn form(more: &str) -> String {
    format!("client_id=svc&client_secret={SECRET}&{more}")
}

#[track_caller]
fn assert_unread(answer: &RawAnswer, status: u16, about: &str) {
    assert_eq!(answer.status(), status, "{about}: {}", answer.text());
    assert!(answer.body().starts_with(r#"{"error":"invalid_request","error_description":""#), "{about}");
    assert_eq!(answer.header("cache-control"), Some("no-store"), "{about}");
    assert_eq!(answer.header("content-type"), Some("application/json"), "{about}");
    assert!(!answer.body().contains(SECRET), "{about}");
}

#[tokio::test]
async fn a_http_02_the_body_is_a_form_when_it_is_declared_as_one_exactly_once() {
    let server = Server::start().await;
    for (path, body) in ENDPOINTS {
        for good in [
            "application/x-www-form-urlencoded",
            "Application/X-WWW-Form-URLEncoded",
            "application/x-www-form-urlencoded;",
            "application/x-www-form-urlencoded; charset=UTF-8",
            "application/x-www-form-urlencoded;charset=\"utf-8\"",
        ] {
            let answer = send(&server, path, &format!("Content-Type: {good}\r\n"), form(body)).await;
            assert_eq!(answer.status(), 200, "{path} {good}: {}", answer.text());
        }
        for bad in [
            "",
            "Content-Type:\r\n",
            "Content-Type: application/json\r\n",
            "Content-Type: text/plain\r\n",
            "Content-Type: multipart/form-data; boundary=x\r\n",
            "Content-Type: application/json, application/x-www-form-urlencoded\r\n",
            "Content-Type: application/x-www-form-urlencoded, application/json\r\n",
            "Content-Type: application/x-www-form-urlencoded; charset=utf-16\r\n",
            "Content-Type: application/x-www-form-urlencoded; charset\r\n",
            "Content-Type: application/x-www-form-urlencodedx\r\n",
            "Content-Type: application/x-www-form-urlencoded\r\nContent-Type: application/json\r\n",
            "Content-Type: application/x-www-form-urlencoded\r\n\
             Content-Type: application/x-www-form-urlencoded\r\n",
        ] {
            assert_unread(&send(&server, path, bad, form(body)).await, 415, bad);
        }
    }
}

#[tokio::test]
async fn a_http_03_json_is_no_form_whatever_it_says_it_is() {
    let server = Server::start().await;
    let object =
        format!(r#"{{"grant_type":"client_credentials","client_id":"svc","client_secret":"{SECRET}"}}"#);
    let deep = "[".repeat(10_000);
    for body in [&object, "null", "[]", "\"x\"", "{}", "\u{feff}{}", "{\"a\":1,}", "1e400", &deep] {
        for (path, _) in ENDPOINTS {
            let declared = send(&server, path, "Content-Type: application/json\r\n", body).await;
            assert_unread(&declared, 415, body);
            let disguised =
                send(&server, path, "Content-Type: application/x-www-form-urlencoded\r\n", body).await;
            assert_eq!(disguised.status(), 401, "an unknown parameter and no client: {}", disguised.text());
        }
    }
}

#[tokio::test]
async fn a_http_05_nothing_is_ever_inflated() {
    let server = Server::start().await;
    for encoding in ["gzip", "deflate", "br", "zstd", "identity, gzip", "x", ""] {
        for (path, body) in ENDPOINTS {
            let headers = format!(
                "Content-Type: application/x-www-form-urlencoded\r\nContent-Encoding: {encoding}\r\n"
            );
            assert_unread(&send(&server, path, &headers, form(body)).await, 415, encoding);
        }
    }
    let headers = "Content-Type: application/x-www-form-urlencoded\r\nContent-Encoding: identity\r\n";
    assert_eq!(
        send(&server, "/oauth/token", headers, form("grant_type=client_credentials")).await.status(),
        200
    );
}

#[tokio::test]
async fn a_http_15_a_broken_encoding_is_never_guessed_at() {
    let server = Server::start().await;
    let declared = "Content-Type: application/x-www-form-urlencoded\r\n";
    for (path, body) in ENDPOINTS {
        for broken in [
            &b"%"[..],
            b"%2",
            b"%zz",
            b"%+1",
            b"%c0%af",
            b"%ed%a0%80",
            b"%e0%80%af",
            b"%f4%90%80%80",
            b"%ff",
            b"\xff",
            b"%00",
            b"\0",
        ] {
            for place in ["state=", "client_secret=", "token=", "foo=", ""] {
                let mut sent = form(body).into_bytes();
                sent.push(b'&');
                sent.extend_from_slice(place.as_bytes());
                sent.extend_from_slice(broken);
                let answer = send(&server, path, declared, &sent).await;
                assert_unread(&answer, 400, &format!("{place}{}", broken.escape_ascii()));
            }
        }
        // A secret that would match if the end of it were dropped or replaced.
        for tail in ["%00", "%ff", "%"] {
            let sent = format!("{body}&client_id=svc&client_secret={SECRET}{tail}");
            assert_unread(&send(&server, path, declared, sent).await, 400, tail);
        }
    }
}

#[tokio::test]
async fn a_form_has_at_most_64_kib_and_100_parameters() {
    let server = Server::start().await;
    let declared = "Content-Type: application/x-www-form-urlencoded\r\n";
    for (path, body) in ENDPOINTS {
        let mut whole = form(body);
        whole.push_str("&pad=");
        whole.push_str(&"x".repeat(64 * 1024 - whole.len()));
        assert_eq!(send(&server, path, declared, &whole).await.status(), 200, "{path}");
        whole.push('x');
        assert_unread(&send(&server, path, declared, &whole).await, 413, path);
        let many = |count: usize| form(body) + &"&foo=1".repeat(count - 3);
        assert_eq!(send(&server, path, declared, many(100)).await.status(), 200, "{path}");
        assert_unread(&send(&server, path, declared, many(101)).await, 400, path);
    }
    // A megabyte in any field (A-TK-13).
    for name in ["code", "refresh_token", "client_id", "client_secret", "scope", "resource", "token"] {
        let fields = [(name, "x".repeat(1 << 20))];
        let answer = server.post("/oauth/token").form(&fields).send().await;
        assert_eq!(answer.status.as_u16(), 413, "{name}");
    }
}

#[tokio::test]
async fn the_alias_is_the_same_endpoint() {
    let server = Server::start().await;
    let fields = [("grant_type", "client_credentials")];
    for path in ["/token", "/oauth/token"] {
        Tokens::of(&server.post(path).basic("svc", SECRET).form(&fields).send().await);
        server.post(path).basic("svc", "wrong").form(&fields).send().await.assert_refused("invalid_client");
    }
}
