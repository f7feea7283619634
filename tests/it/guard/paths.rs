//! Paths: what the guard decides about is what the server behind reads, however it decodes, folds or tidies up; whatever
//! could be read otherwise is refused, and the server behind never hears of it.

use super::*;

/// All of a host, and a part of it that only bob may use, in front of one server.
async fn nested() -> (Behind, Server, String) {
    let behind = Behind::start().await;
    let server = Server::start().await;
    let whole = Guard {
        upstream: UpstreamUrl::parse(&behind.url("")).expect("an upstream"),
        rules: Rules::default(),
        identity: Identity::Headers,
    };
    let admin =
        Guard { upstream: UpstreamUrl::parse(&behind.url("/admin")).expect("an upstream"), ..whole.clone() };
    register(&server, Resource { guard: Some(whole), ..resource("https://whole.test", "read") });
    register(&server, Resource { guard: Some(admin), ..resource("https://whole.test/admin", "read") });
    server.admit_only("https://whole.test/admin", &["bob"]);
    let token = tokens(&server, "https://whole.test").await.access;
    (behind, server, token)
}

async fn at(server: &Server, host: &str, target: &str, token: &str) -> RawAnswer {
    server.raw(format!(
        "GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\r\n"
    ))
    .await
}

/// Targets below `/notes` or beside it, none of which may be asked for.
const TWO_READINGS: [&str; 73] = [
    "//notes",
    "/notes//",
    "/notes//files",
    "///notes",
    "/notes/../files",
    "/notes/..",
    "/notes/../",
    "/notes/./",
    "/notes/.",
    "/./notes",
    "/x/../notes",
    "/notes/..%2ffiles",
    "/notes/..%2Ffiles",
    "/notes%2f..%2ffiles",
    "/notes%2Ffiles",
    "/notes/%2e%2e/files",
    "/notes/%2E%2E/files",
    "/notes/.%2e/files",
    "/notes/%2e./files",
    "/notes/%2e",
    "/notes/%252e%252e/files",
    "/notes/%25%32%65%25%32%65/files",
    "/notes/%2%65%2%65/files",
    "/notes/%252%65%252%65/files",
    "/notes/%25%32e%25%32e/files",
    "/notes/.%25%32%65/files",
    "/notes/%25%32%66",
    "/notes/%25%35%63..",
    "/notes/..%5cfiles",
    "/notes/%5c..%5cfiles",
    "/notes/..\\files",
    "/notes\\..\\files",
    "/notes/..%255cfiles",
    "/notes/..;/files",
    "/notes/..;x=y/files",
    "/notes/.;/files",
    "/notes/..%3b/files",
    "/notes/%2e%2e;x/files",
    "/notes/;/x",
    "/notes/x/;a=b",
    "/notes/;/../files",
    "/notes/..%20/files",
    "/notes/..%20",
    "/notes/.%20./files",
    "/notes/..%2500/files",
    "/notes/..%00/files",
    "/notes%00",
    "/notes%00/x",
    "/notes/x%00.txt",
    "/notes/%0d%0aX:y",
    "/notes/%0a",
    "/notes/%09",
    "/notes/..%09",
    "/notes/%7f",
    "/notes/%250a",
    "/notes/%c0%ae%c0%ae/files",
    "/notes/%c0%af..",
    "/notes/%e0%80%ae",
    "/notes/%f0%80%80%ae",
    "/notes/%c1%9c..",
    "/notes/%ff",
    "/notes/%ed%a0%80",
    "/notes/%c3",
    "/notes/%25c0%25ae",
    "/notes/%",
    "/notes/%2",
    "/notes/%zz",
    "/notes/%u002e%u002e/files",
    "/notes/%%32%65",
    "/notes/%25",
    "/notes/100%25",
    "/notes/x?%/../..",
    "/notes/..?x",
];

#[tokio::test]
async fn a_path_that_somebody_reads_otherwise_is_refused() {
    let (behind, server) = world().await;
    let token = tokens(&server, NOTES).await.access;
    for target in TWO_READINGS {
        let answer = at(&server, "as.test", target, &token).await;
        if matches!(target, "/notes/%25" | "/notes/100%25" | "/notes/x?%/../..") {
            assert_eq!(answer.status(), 200, "{target} has one reading");
            continue;
        }
        assert!(matches!(answer.status(), 400 | 404), "{target}: {}", answer.text());
    }
    assert_eq!(behind.asked().len(), 3);
    for asked in behind.asked() {
        assert!(asked.target().starts_with("/mcp/"), "{}", asked.target());
    }
}

#[tokio::test]
async fn what_looks_odd_and_has_one_reading_passes_as_it_is() {
    let (behind, server) = world().await;
    let token = tokens(&server, NOTES).await.access;
    for rest in [
        "",
        "/",
        "/a.b",
        "/..a",
        "/a..",
        "/...",
        "/a%20b",
        "/a;v=1",
        "/a;v=1/b",
        "/%C3%A9",
        "/%c3%a9",
        "/%F0%9F%98%80",
        "/a%3fb",
        "/a%23b",
        "/a%3Bb",
        "/%7Ea",
        "/@a:b",
        "/a+b",
        "/a'(b)!*,$&=",
        "/a%25b",
        "/a%2520b",
        "/%6d%63%70",
        "/A/B",
        "/a?",
        "/a?b=/../..//%2f%00%zz",
        "/?x",
        "?x",
    ] {
        let answer = at(&server, "as.test", &format!("/notes{rest}"), &token).await;
        assert_eq!(answer.status(), 200, "{rest}");
        let bare = rest.strip_suffix('?').unwrap_or(rest);
        assert_eq!(behind.last().target(), format!("/mcp{bare}"), "{rest}");
    }
}

#[tokio::test]
async fn beside_a_guarded_path_there_is_nothing() {
    let (behind, server) = world().await;
    let token = tokens(&server, NOTES).await.access;
    for target in [
        "/note",
        "/notes-evil",
        "/notesx",
        "/NOTES",
        "/Notes",
        "/notes.",
        "/notes;x",
        "/notes;",
        "/notes%20",
        "/%6eotes",
        "/%6Eotes/x",
        "/n%6ftes",
        "/notes%3fx",
        "/notes%23",
        "/notes:80",
        "/notes@x",
        "/x/notes",
        "/notes*",
        "/not%65s/",
    ] {
        assert_eq!(at(&server, "as.test", target, &token).await.status(), 404, "{target}");
    }
    assert_eq!(behind.connections(), 0);
}

#[tokio::test]
async fn a_part_with_an_entry_of_its_own_is_not_reached_through_the_whole() {
    let (behind, server, token) = nested().await;
    assert_eq!(at(&server, "whole.test", "/x", &token).await.status(), 200);
    assert_eq!(at(&server, "whole.test", "/admin/x", &token).await.status(), 401);
    for target in [
        "/%61dmin",
        "/%61dmin/x",
        "/adm%69n/x",
        "/%41dmin/x",
        "/ADMIN",
        "/Admin/x",
        "/admin;x",
        "/admin;x/y",
        "/admin;",
        "/admin%3b",
        "/admin%3bx/y",
        "/admin%20",
        "/admin%20/x",
        "/admin.",
        "/admin./x",
        "/admin%3f",
        "/admin%3fx",
        "/admin%23",
        "/%2561dmin/x",
        "/%25%36%31dmin/x",
        "/adm%2569n",
        "/admin%2520",
        "/admin%253fx",
        "/admin%2e",
        "/%e0%b8%80/../admin",
        "/x/..%2fadmin",
        "//admin",
        "/./admin",
        "/;/admin",
        "/;x/admin",
        "/admin%0a",
        "/admi%C5%84/../admin",
        "/admin::$DATA",
        "/admin%3a%3a$INDEX_ALLOCATION/x",
        "/a\u{64}min%00",
        "/adm\\in",
    ] {
        let answer = at(&server, "whole.test", target, &token).await;
        // A name that no server takes for the other one may pass; that is none of these.
        assert!(matches!(answer.status(), 400 | 401 | 404), "{target}: {}", answer.text());
    }
    assert_eq!(behind.asked().len(), 1);
    for (target, behind_it) in
        [("/administrators", "/administrators"), ("/admin-2/x", "/admin-2/x"), ("/x/admin", "/x/admin")]
    {
        assert_eq!(at(&server, "whole.test", target, &token).await.status(), 200, "{target}");
        assert_eq!(behind.last().target(), behind_it);
    }
}

#[tokio::test]
async fn a_server_at_the_root_of_its_host_is_asked_for_what_was_asked() {
    let (behind, server, token) = nested().await;
    for target in ["/", "/x", "/x/", "/x?y", "/.well-known/x", "/token", "/login", "/oauth/authorize"] {
        assert_eq!(at(&server, "whole.test", target, &token).await.status(), 200, "{target}");
        assert_eq!(behind.last().target(), target);
    }
    let (before, bob) =
        (behind.asked().len(), tokens_of(&server, "bob", "https://whole.test/admin").await.access);
    for (target, behind_it) in [("/admin", "/admin"), ("/admin/", "/admin/"), ("/admin/x?y", "/admin/x?y")] {
        assert_eq!(at(&server, "whole.test", target, &bob).await.status(), 200, "{target}");
        assert_eq!(behind.last().target(), behind_it);
    }
    assert_eq!(behind.asked().len(), before + 3);
}

#[tokio::test]
async fn an_upstream_without_a_path_gets_the_root() {
    let behind = Behind::start().await;
    let server = Server::start().await;
    let guard = Guard {
        upstream: UpstreamUrl::parse(&behind.url("/")).expect("an upstream"),
        rules: Rules::default(),
        identity: Identity::Headers,
    };
    register(&server, Resource { guard: Some(guard), ..resource(NOTES, "") });
    let token = tokens(&server, NOTES).await.access;
    for (target, behind_it) in
        [("/notes", "/"), ("/notes/", "/"), ("/notes/x", "/x"), ("/notes?x", "/?x"), ("/notes/?x", "/?x")]
    {
        assert_eq!(at(&server, "as.test", target, &token).await.status(), 200, "{target}");
        assert_eq!(behind.last().target(), behind_it);
    }
}

#[tokio::test]
async fn a_very_long_path_is_refused_at_the_door() {
    let (behind, server) = world().await;
    let token = tokens(&server, NOTES).await.access;
    for (length, status) in [(8000, 200), (9000, 414), (100_000, 414)] {
        let target = format!("/notes/{}", "a".repeat(length));
        let answer = at(&server, "as.test", &target, &token).await.status();
        assert!(answer == status || (length == 100_000 && answer == 431), "{length}: {answer}");
    }
    assert_eq!(behind.asked().len(), 1);
}

/// Takes out dot segments (RFC 3986 5.2.4), and empty ones, as servers do.
fn tidied(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split(['/', '\\']) {
        match segment.split(';').next().unwrap_or_default() {
            "" | "." => {}
            ".." => drop(kept.pop()),
            name => kept.push(name),
        }
    }
    format!("/{}", kept.join("/"))
}

/// Decodes percent signs once, byte by byte.
fn decoded(path: &[u8]) -> Vec<u8> {
    let digit = |at: usize| path.get(at).and_then(|byte| char::from(*byte).to_digit(16));
    let (mut out, mut at) = (Vec::new(), 0);
    while let Some(byte) = path.get(at) {
        match (byte, digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                out.push((high * 16 + low) as u8);
                at += 3;
            }
            (byte, ..) => {
                out.push(*byte);
                at += 1;
            }
        }
    }
    out
}

#[tokio::test]
async fn r_28_whatever_passes_stays_below_the_upstream_however_often_it_is_decoded() {
    let (behind, server) = world().await;
    let token = tokens(&server, NOTES).await.access;
    let pieces = [
        "/", "/", ".", "..", "%2e", "%2E", "%2f", "%5c", "\\", "%25", "2e", "2f", "32", "%32", "65", "%65",
        "5c", ";", "%3b", "a", "%61", "%c0%ae", "%00", "%20", "?", "%3f", "x", "~", "%",
    ];
    let mut seed: u64 = 3;
    let mut next = |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % below
    };
    let mut passed = 0;
    let mut connection = crate::harness::Connection::open(&server).await;
    for _ in 0..1500 {
        let rest: String = (0..1 + next(7)).map(|_| pieces[next(pieces.len())]).collect();
        let target = format!("/notes/{rest}");
        let Ok(uri) = target.parse::<hyper::Uri>() else { continue };
        let asked = server.get(&uri.to_string()).header("authorization", &format!("Bearer {token}"));
        let answer = connection.send(asked.into_request()).await;
        if answer.header("connection") == Some("close") {
            connection = crate::harness::Connection::open(&server).await;
        }
        if answer.status != Status::OK {
            continue;
        }
        passed += 1;
        let last = behind.last();
        let mut seen = last.target().split('?').next().unwrap_or_default().as_bytes().to_vec();
        for times in 0..3 {
            let path = String::from_utf8(seen.clone()).unwrap_or_else(|_| panic!("{target} is no text"));
            let tidy = tidied(&path);
            assert!(
                tidy == "/mcp" || tidy.starts_with("/mcp/"),
                "{target} is {tidy} when decoded {times} times"
            );
            seen = decoded(&seen);
        }
    }
    assert!(passed > 100, "{passed} passed");
}
