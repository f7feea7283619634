//! This server's own surface beside what it guards: nothing that is guarded can stand before it, and nothing that is
//! served beside it can act in its name.

use vestibule::http::{Method, TrustedProxies};
use vestibule::routes;

use super::*;
use crate::harness::{Answer, Browser};

/// A server that guards all of the issuer's own host, in so far as it can.
async fn shadowed() -> (Behind, Server, String) {
    let behind = Behind::start().await;
    let server = Server::start().await;
    for uri in [
        ISSUER,
        "https://as.test/token",
        "https://as.test/oauth",
        "https://as.test/.well-known",
        "https://as.test/login",
    ] {
        register(&server, guarded(&behind, uri, "", &[]));
    }
    let token = tokens(&server, ISSUER).await.access;
    (behind, server, token)
}

async fn under(server: &Server, host: &str, method: Method, target: &str, token: &str) -> Answer {
    server
        .ask(method, target)
        .header("host", host)
        .header("authorization", &format!("Bearer {token}"))
        .send()
        .await
}

#[tokio::test]
async fn nothing_that_is_guarded_stands_before_this_servers_own_surface() {
    let (behind, server, token) = shadowed().await;
    for host in ["as.test", "AS.TEST", "as.test:443"] {
        for (path, methods) in routes::SURFACE {
            for method in [Method::GET, Method::POST, Method::PUT, Method::DELETE] {
                let answer = under(&server, host, method.clone(), path, &token).await;
                let is_served = methods.split(", ").any(|served| served == method.as_str());
                assert_eq!(answer.status == Status::METHOD_NOT_ALLOWED, !is_served, "{host} {method} {path}");
            }
        }
        let metadata =
            under(&server, host, Method::GET, "/.well-known/oauth-authorization-server", &token).await;
        assert_eq!(metadata.json()["issuer"], ISSUER, "{host}");
        let own = under(&server, host, Method::GET, "/.well-known/oauth-protected-resource", &token).await;
        assert_eq!(own.json()["resource"], ISSUER, "{host}");
    }
    assert_eq!(behind.asked().len(), 0);
    // What is not this server's own is the guarded one's.
    for host in ["as.test", "as.test:443"] {
        assert_eq!(
            under(&server, host, Method::GET, "/elsewhere", &token).await.status,
            Status::OK,
            "{host}"
        );
        assert_eq!(behind.last().target(), "/mcp/elsewhere");
    }
}

#[tokio::test]
async fn the_surface_stays_where_it_was_when_something_beside_it_is_guarded() {
    let (_behind, server) = world().await;
    for host in ["as.test", "as.test:443", "unknown.test", "127.0.0.1"] {
        let answer = server.get("/.well-known/openid-configuration").header("host", host).send().await;
        assert_eq!(answer.status, Status::OK, "{host}");
        assert_eq!(server.get("/login").header("host", host).send().await.status, Status::OK, "{host}");
    }
}

#[tokio::test]
async fn a_guarded_host_has_nothing_of_this_servers_own() {
    let (behind, server) = world().await;
    let token = tokens(&server, FILES).await.access;
    for host in ["files.test", "FILES.test", "files.test:443"] {
        for (path, _) in routes::SURFACE {
            for method in [Method::GET, Method::POST, Method::OPTIONS] {
                let answer = under(&server, host, method.clone(), path, &token).await;
                // A page may learn that a document is missing (Fetch 4.8).
                let is_preflight = method == Method::OPTIONS && path.starts_with("/.well-known/");
                let expected = if is_preflight { Status::NO_CONTENT } else { Status::NOT_FOUND };
                assert_eq!(answer.status, expected, "{host} {method} {path}");
            }
        }
    }
    assert_eq!(behind.connections(), 0);
}

#[tokio::test]
async fn what_is_served_beside_our_pages_runs_as_nothing() {
    let trusted = TrustedProxies::parse(["127.0.0.1"]).expect("a network");
    let (behind, server) = world_with(|settings| settings.trusted_proxies = trusted).await;
    let token = tokens(&server, NOTES).await.access;
    behind.say(Said::whole(
        "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-security-policy: script-src *\r\n\
         x-content-type-options: sniff\r\ncontent-length: 4\r\n\r\n<b/>",
    ));
    for headers in [
        "Host: as.test\r\n",
        "Host: AS.test\r\n",
        "Host: as.test:443\r\n",
        "Host: inner:8080\r\nX-Forwarded-Host: as.test\r\n",
        "Host: inner:8080\r\nX-Forwarded-Host: AS.TEST:443\r\n",
    ] {
        let wire = format!(
            "GET /notes HTTP/1.1\r\n{headers}Authorization: Bearer {token}\r\nConnection: close\r\n\r\n"
        );
        let answer = server.raw(wire).await;
        assert_eq!(answer.status(), 200, "{headers}");
        let policies: Vec<_> =
            answer.text().lines().filter(|line| line.starts_with("content-security-policy")).collect();
        assert!(policies.contains(&"content-security-policy: sandbox"), "{headers}: {policies:?}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{headers}");
    }
    // At a host of its own it may do as it likes there.
    let token = tokens(&server, FILES).await.access;
    let wire = format!(
        "GET /mcp HTTP/1.1\r\nHost: files.test\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
    );
    let own = server.raw(wire).await;
    assert_eq!(own.header("content-security-policy"), Some("script-src *"));
}

#[tokio::test]
async fn a_server_behind_cannot_put_a_cookie_of_ours_into_a_browser() {
    let (behind, server) = world().await;
    for (host, target, uri) in [("as.test", "/notes", NOTES), ("files.test", "/mcp", FILES)] {
        let token = tokens(&server, uri).await.access;
        for cookie in [
            "__Host-vestibule=fixed; Path=/; Secure",
            "__host-VESTIBULE=fixed; Path=/; Secure",
            "__Host-vestibule-form=fixed; Path=/; Secure",
            "__Host-vestibule-device=fixed; Path=/; Secure",
            "vestibule=fixed; Path=/; Domain=test",
            "vestibule-form=fixed",
            "\tvestibule = fixed",
            "=vestibule=fixed; Path=/",
            "=__Host-vestibule=fixed; Path=/; Secure",
            "vestibule",
            "__Host-vestibule; Max-Age=0",
            "= vestibule=fixed",
            "",
            "; vestibule=fixed",
        ] {
            behind.say(Said::whole(&format!(
                "HTTP/1.1 200 OK\r\nset-cookie: theirs=1\r\nset-cookie: {cookie}\r\nset-cookie: also=2\r\ncontent-length: 0\r\n\r\n"
            )));
            let answer = under(&server, host, Method::GET, target, &token).await;
            let kept: Vec<_> = answer.headers.get_all("set-cookie").iter().collect();
            assert_eq!(kept, ["theirs=1", "also=2"], "{host}: {cookie}");
        }
    }
}

#[tokio::test]
async fn a_server_behind_says_nothing_for_all_of_the_issuers_host() {
    let (behind, server) = world().await;
    behind.say(Said::whole(
        "HTTP/1.1 200 OK\r\nclear-site-data: \"*\"\r\nstrict-transport-security: max-age=0\r\nalt-svc: h3=\":4444\"\r\n\
         nel: {\"report_to\":\"x\",\"max_age\":9}\r\nreport-to: {\"endpoints\":[]}\r\nservice-worker-allowed: /\r\n\
         public-key-pins: x\r\nexpect-ct: x\r\naccept-ch: x\r\norigin-agent-cluster: ?1\r\nset-login: logged-out\r\n\
         reporting-endpoints: x=\"https://evil.test\"\r\nspeculation-rules: \"/x\"\r\nx-kept: 1\r\ncontent-length: 0\r\n\r\n",
    ));
    let token = tokens(&server, NOTES).await.access;
    let beside = under(&server, "as.test", Method::GET, "/notes", &token).await;
    assert_eq!(beside.header("x-kept"), Some("1"));
    for name in [
        "clear-site-data",
        "strict-transport-security",
        "alt-svc",
        "nel",
        "report-to",
        "reporting-endpoints",
        "service-worker-allowed",
        "public-key-pins",
        "expect-ct",
        "accept-ch",
        "origin-agent-cluster",
        "set-login",
        "speculation-rules",
    ] {
        assert_eq!(beside.header(name), None, "{name}");
    }
    let token = tokens(&server, FILES).await.access;
    let own = under(&server, "files.test", Method::GET, "/mcp", &token).await;
    assert_eq!(own.header("strict-transport-security"), Some("max-age=0"), "its own host is its own");
}

#[tokio::test]
async fn a_person_signs_in_beside_what_is_guarded() {
    let (_behind, server, _) = shadowed().await;
    let mut browser = Browser::signed_in(&server, "bob").await;
    let page = browser.get(&server, "/account").await;
    assert_eq!(page.status, Status::OK);
}
