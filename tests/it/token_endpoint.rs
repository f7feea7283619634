//! The token endpoint whatever the grant: how a request must look, and what every answer promises.

use vestibule::http::Method;
use vestibule::oauth::client::Credential;
use vestibule::oauth::grant_type::GrantType;
use vestibule::store::clients;

use crate::harness::{Answer, Browser, ClientApp, Connection, R1, R2, SECRET, Server, Tokens, client};

mod wire;

type Fields = Vec<(String, String)>;

fn owned(fields: &[(&str, &str)]) -> Fields {
    fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

async fn post(server: &Server, fields: &Fields) -> Answer {
    server.post("/oauth/token").form(fields).send().await
}

/// Requests that would succeed, one per grant, with every parameter that means something at this endpoint. The client
/// is one that sends its secret in the body, but for client_credentials.
async fn good_requests(server: &Server) -> Vec<Fields> {
    let app = ClientApp::fixture("post");
    let mut browser = Browser::new();
    let code = app.code(server, &mut browser, "alice", &[("resource", R1)]).await;
    let refresh = app.tokens(server, "alice", &[("resource", R1)]).await;
    let who = |id: &'static str| [("client_id", id), ("client_secret", SECRET), ("scope", "a")];
    vec![
        owned(
            &[
                &[
                    ("grant_type", "authorization_code"),
                    ("code", &code),
                    ("redirect_uri", &app.redirect_uri),
                    ("code_verifier", &app.pkce.verifier),
                    ("resource", R1),
                ][..],
                &who("post"),
            ]
            .concat(),
        ),
        owned(
            &[
                &[
                    ("grant_type", "refresh_token"),
                    ("refresh_token", refresh.refresh()),
                    ("resource", R1),
                ][..],
                &who("post"),
            ]
            .concat(),
        ),
        owned(&[&[("grant_type", "client_credentials")][..], &who("svc")].concat()),
    ]
}

#[tokio::test]
async fn a_tk_01_c_o21_13_every_parameter_twice_is_refused_and_spends_nothing() {
    let server = Server::start().await;
    let requests = good_requests(&server).await;
    let before = server.contents();
    for good in &requests {
        for (name, value) in good {
            if name == "resource" {
                continue;
            }
            for second in [value.as_str(), "another"] {
                let mut twice = good.clone();
                twice.push((name.clone(), second.to_owned()));
                let answer = post(&server, &twice).await;
                answer.assert_refused("invalid_request");
                assert_eq!(server.audit()[0].3["reason"], "parameter_repeated", "{name}");
                // The other one first: whichever is read, nobody gets anything.
                let mut swapped = good.clone();
                swapped.insert(0, (name.clone(), second.to_owned()));
                let answer = post(&server, &swapped).await;
                let allowed: &[&str] = match name.as_str() {
                    "client_id" | "client_secret" => &["invalid_request", "invalid_client"],
                    _ => &["invalid_request"],
                };
                assert!(allowed.contains(&answer.error().as_str()), "{name}: {}", answer.text());
            }
        }
        // Parameters of other endpoints are no different: a request that repeats one was put together wrongly.
        for name in ["state", "token", "nonce", "username"] {
            let mut twice = good.clone();
            twice.extend(owned(&[(name, "1"), (name, "1")]));
            post(&server, &twice).await.assert_refused("invalid_request");
        }
    }
    assert_eq!(server.contents(), before, "G6");
    for good in &requests {
        Tokens::of(&post(&server, good).await);
    }
}

#[tokio::test]
async fn a_tk_01_names_are_case_sensitive_and_have_no_brackets() {
    let server = Server::start().await;
    let requests = good_requests(&server).await;
    for good in &requests {
        for (name, _) in good {
            let error = match name.as_str() {
                "client_id" | "client_secret" => "invalid_client",
                "grant_type" | "code" | "code_verifier" | "refresh_token" => "invalid_request",
                // What may be left out would be, and the request succeed.
                _ => continue,
            };
            for other in
                [format!("{name}[]"), name.to_uppercase(), format!(" {name}"), format!("{name}\u{200b}")]
            {
                let mut renamed = good.clone();
                for (have, _) in &mut renamed {
                    if have == name {
                        *have = other.clone();
                    }
                }
                post(&server, &renamed).await.assert_refused(error);
            }
        }
    }
    // Beside the right one they are unknown parameters, and ignored.
    for good in &requests {
        let mut more = good.clone();
        for (name, _) in good {
            more.extend(owned(&[(&format!("{name}[]"), "x"), (&name.to_uppercase(), "x")]));
        }
        Tokens::of(&post(&server, &more).await);
    }
}

#[tokio::test]
async fn c_o21_11_unknown_parameters_are_ignored_however_often_they_come() {
    let server = Server::start().await;
    for mut good in good_requests(&server).await {
        let more = [("foo", "bar"), ("foo", "bar"), ("", "x"), ("audience", R2), ("id_token_hint", "é\"\\")];
        good.splice(0..0, owned(&more));
        let tokens = Tokens::of(&post(&server, &good).await);
        assert_eq!(tokens.claims["aud"], R1);
    }
}

#[tokio::test]
async fn c_o21_12_an_empty_parameter_is_absent() {
    let server = Server::start().await;
    let requests = good_requests(&server).await;
    for good in &requests {
        for (name, _) in good {
            let error = match name.as_str() {
                "client_id" | "client_secret" => "invalid_client",
                "grant_type" | "code" | "code_verifier" | "refresh_token" => "invalid_request",
                _ => continue,
            };
            let mut emptied = good.clone();
            for (have, value) in &mut emptied {
                if have == name {
                    value.clear();
                }
            }
            post(&server, &emptied).await.assert_refused(error);
        }
    }
    for good in requests {
        // One that is there and one that is empty is one; what may be left out may be empty.
        let mut padded: Fields = good.iter().map(|(name, _)| (name.clone(), String::new())).collect();
        padded.extend(
            good.into_iter()
                .filter(|(name, _)| !["scope", "resource", "redirect_uri"].contains(&name.as_str())),
        );
        let tokens = Tokens::of(&post(&server, &padded).await);
        assert_eq!((&tokens.claims["aud"], tokens.scope.as_deref()), (&R1.into(), Some("a b")));
    }
}

#[tokio::test]
async fn c_bcp_10_grants_that_are_not_offered_are_refused_as_such() {
    let server = Server::start().await;
    let app = ClientApp::fixture("conf");
    for grant in [
        "password",
        "implicit",
        "none",
        "authorization_code ",
        "Authorization_Code",
        "AUTHORIZATION_CODE",
        "authorization_code refresh_token",
        "client_credentials\u{301}",
        "urn:ietf:params:oauth:grant-type:device_code",
        "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "urn:ietf:params:oauth:grant-type:token-exchange",
        "urn:openid:params:grant-type:ciba",
    ] {
        let fields = [("grant_type", grant), ("username", "alice"), ("password", "x"), ("scope", "a")];
        app.token(&server, &fields).await.assert_refused("unsupported_grant_type");
    }
    app.token(&server, &[]).await.assert_refused("invalid_request");
    let metadata = server.get("/.well-known/oauth-authorization-server").send().await.json();
    let offered = ["authorization_code", "refresh_token", "client_credentials"];
    assert_eq!(metadata["grant_types_supported"], serde_json::json!(offered));
}

#[tokio::test]
async fn a_tk_03_c_bcp_16_a_grant_is_for_the_clients_that_were_registered_for_it() {
    let server = Server::start().await;
    let svc = ClientApp::fixture("svc");
    let code = [("grant_type", "authorization_code"), ("code", "x"), ("code_verifier", &svc.pkce.verifier)];
    svc.token(&server, &code).await.assert_refused("unauthorized_client");
    svc.refresh(&server, "vrt_x", &[]).await.assert_refused("unauthorized_client");
    for id in ["conf", "post"] {
        let app = ClientApp::fixture(id);
        let answer = app.token(&server, &[("grant_type", "client_credentials")]).await;
        answer.assert_refused("unauthorized_client");
    }
    // Whoever was not registered for refreshing is given nothing to refresh with.
    let row = client("once", Credential::Public, &["https://app.test/cb"], &[GrantType::AuthorizationCode]);
    server.command(move |tx| clients::insert(tx, &row, "{}"));
    let once = ClientApp { id: "once".to_owned(), ..ClientApp::fixture("pub") };
    let tokens = once.tokens(&server, "alice", &[("resource", R1)]).await;
    assert_eq!(tokens.refresh, None);
    once.refresh(&server, "vrt_x", &[]).await.assert_refused("unauthorized_client");
}

#[tokio::test]
async fn c_o21_15_08_only_post_is_served_and_only_the_body_is_read() {
    let server = Server::start().await;
    let good = "grant_type=client_credentials&client_id=svc&client_secret=";
    for path in ["/oauth/token", "/token"] {
        for method in [Method::GET, Method::PUT, Method::DELETE, Method::PATCH] {
            let target = format!("{path}?{good}{SECRET}");
            let answer = server.ask(method.clone(), &target).send().await;
            assert_eq!(answer.status.as_u16(), 405, "{method}");
            assert_eq!(answer.header("allow"), Some("POST, OPTIONS"));
            assert_eq!(answer.header("cache-control"), Some("no-store"), "{method}");
            assert_eq!(answer.error(), "invalid_request");
        }
        let none: &[(&str, &str)] = &[];
        let query = format!("{path}?{good}{SECRET}");
        server.post(&query).form(none).send().await.assert_refused("invalid_client");
        let query = format!("{path}?grant_type=client_credentials");
        server.post(&query).basic("svc", SECRET).form(none).send().await.assert_refused("invalid_request");
        let query = format!("{path}?client_secret={SECRET}");
        let body = [("grant_type", "client_credentials"), ("client_id", "svc")];
        server.post(&query).form(&body).send().await.assert_refused("invalid_client");
        // What is in the query neither adds to the body nor repeats it.
        let query = format!("{path}?grant_type=password&client_id=conf&resource={R2}");
        let answer = server
            .post(&query)
            .basic("svc", SECRET)
            .form(&[("grant_type", "client_credentials")])
            .send()
            .await;
        assert_eq!(Tokens::of(&answer).claims["aud"], R1);
    }
}

#[tokio::test]
async fn a_tk_04_any_page_may_ask_and_none_with_cookies() {
    let server = Server::start().await;
    for origin in ["https://app.test", "https://evil.test", "null", "https://app.test.evil"] {
        let answer = server
            .ask(Method::OPTIONS, "/oauth/token")
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "authorization,mcp-protocol-version")
            .send()
            .await;
        assert_eq!(answer.status.as_u16(), 204);
        assert_eq!(answer.header("access-control-allow-headers"), Some("authorization,mcp-protocol-version"));
        let refused = server.post("/oauth/token").header("origin", origin).form(&[("a", "b")]).send().await;
        refused.assert_refused("invalid_client");
        for answer in [answer, refused] {
            // No cookie adds anything here, so `*` is safe where credentials are not allowed.
            assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
            assert_eq!(answer.header("access-control-allow-credentials"), None);
        }
    }
}

#[tokio::test]
async fn a_tk_13_every_field_is_data_and_never_a_pattern_or_a_statement() {
    let server = Server::start().await;
    let requests = good_requests(&server).await;
    let before = server.contents();
    let probes = [
        "'",
        "\"",
        "' or '1'='1",
        "\";--",
        "x'; drop table clients;--",
        "%",
        "_",
        "*",
        "\\",
        "\u{202e}",
        "\u{0}",
        "\u{7f}",
        "é",
        "\u{1f512}",
        "../../etc/passwd",
        "{{7*7}}",
        "<script>alert(1)</script>",
        "-1",
        "1e400",
        "null",
    ];
    for good in &requests {
        for (name, _) in good.iter().filter(|(name, _)| name != "scope") {
            for probe in probes {
                let mut probing = good.clone();
                for (have, value) in &mut probing {
                    if have == name {
                        *value = probe.to_owned();
                    }
                }
                let answer = post(&server, &probing).await;
                assert!(answer.status.is_client_error(), "{name}={probe:?}: {}", answer.text());
                // What is a single character is part of every word, so it proves nothing.
                assert!(probe.len() < 4 || !answer.text().contains(probe), "{name}={probe:?}");
                server.advance(1);
            }
            server.advance(-(probes.len() as i64));
        }
    }
    assert_eq!(server.contents(), before, "G6");
    for good in &requests {
        Tokens::of(&post(&server, good).await);
    }
}

#[tokio::test]
async fn guesses_from_one_address_are_throttled_and_a_right_request_is_served_all_the_same() {
    let server = Server::start().await;
    let svc = ClientApp::fixture("svc");
    let wrong = [("grant_type", "client_credentials"), ("client_id", "svc"), ("client_secret", "wrong")];
    for _ in 0..100 {
        server.post("/oauth/token").form(&wrong).send().await.assert_refused("invalid_client");
    }
    let logged = server.audit().len();
    for _ in 0..5 {
        let answer = server.post("/oauth/token").form(&wrong).send().await;
        assert_eq!((answer.status.as_u16(), answer.error().as_str()), (429, "temporarily_unavailable"));
        assert_eq!(answer.header("retry-after"), Some("1"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
    }
    assert_eq!(server.audit().len(), logged, "the log is not a stranger's to fill");
    Tokens::of(&svc.token(&server, &[("grant_type", "client_credentials")]).await);
    server.advance(1);
    server.post("/oauth/token").form(&wrong).send().await.assert_refused("invalid_client");
}

#[tokio::test]
async fn what_is_wrong_and_no_guess_is_answered_as_ever_and_fills_no_log() {
    let server = Server::start().await;
    let wrong = [("grant_type", "urn:x"), ("client_id", "pub")];
    let mut connection = Connection::open(&server).await;
    for _ in 0..400 {
        let request = server.post("/oauth/token").form(&wrong).into_request();
        connection.send(request).await.assert_refused("unsupported_grant_type");
    }
    assert_eq!(server.audit_count(), 300);
    server.advance(1);
    server.post("/oauth/token").form(&wrong).send().await.assert_refused("unsupported_grant_type");
    assert_eq!(server.audit_count(), 301);
}

/// `exp` is cut to the second and the answer takes its time, so a client that counts the same number from when it
/// hears of it would still use what the resource refuses.
#[tokio::test]
async fn a_client_is_told_an_end_that_comes_a_little_before_the_token_s_own() {
    let server = Server::start().await;
    for good in good_requests(&server).await {
        let answer = post(&server, &good).await;
        let claims = Tokens::of(&answer).claims;
        let told = server.now().as_i64() + answer.json()["expires_in"].as_i64().unwrap();
        assert_eq!(told, claims["exp"].as_i64().unwrap() - 2, "{good:?}");
    }
}
