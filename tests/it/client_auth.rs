//! Client authentication: a secret by header or by body, never both, never half.
//!
//! That a comparison takes the same time whatever is right in it (A-CA-12) is no matter for a timed test: what is
//! presented is hashed first, so nobody chooses the bytes that are compared, and the hashes are compared by `subtle`
//! (`SecretHash`, `crypto::digest::equal`). What can be asserted here: the answers are the same byte for byte, guesses
//! are throttled, and no password hash is paid for on this path (A-CA-13).

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use vestibule::crypto::digest::sha256;
use vestibule::http::TrustedProxies;
use vestibule::oauth::client::{Client, Credential};
use vestibule::oauth::grant_type::{AuthMethod, GrantType};
use vestibule::oauth::ids::ClientId;
use vestibule::oauth::secret::SecretHash;
use vestibule::store::clients;

use crate::harness::{Answer, Browser, ClientApp, R1, SECRET, Server, Tokens, client};

const MACHINE: [(&str, &str); 1] = [("grant_type", "client_credentials")];

fn machine(id: &str, secret: &str) -> Client {
    let hash = SecretHash::of(secret);
    let credential = Credential::Secret { hash, method: AuthMethod::ClientSecretBasic };
    client(id, credential, &[], &[GrantType::ClientCredentials])
}

/// A token request of a machine client with this `Authorization` header.
async fn with_header(server: &Server, header: &str) -> Answer {
    server.post("/oauth/token").header("authorization", header).form(&MACHINE).send().await
}

/// A token request of a machine client with these more fields, and no header.
async fn with_body(server: &Server, more: &[(&str, &str)]) -> Answer {
    let fields: Vec<_> = MACHINE.iter().chain(more).copied().collect();
    server.post("/oauth/token").form(&fields).send().await
}

fn basic_of(pair: impl AsRef<[u8]>) -> String {
    format!("Basic {}", STANDARD.encode(pair))
}

#[tokio::test]
async fn a_ca_01_02_a_secret_may_hold_any_character_percent_encoded_or_not() {
    let server = Server::start().await;
    for (n, secret) in
        ["se:cret", ":", "100%", "%", "a+b", "a b", "a%2Bb", "%25", "a&b=c", "schön", "🦀", "\"\\"]
            .into_iter()
            .enumerate()
    {
        for id in [format!("machine{n}"), format!("https://machine.test/{n}?a=1&b=%20")] {
            let new = machine(&id, secret);
            assert!(server.command(move |tx| clients::insert(tx, &new, "{}")));
            // RFC 6749 2.3.1 wants both encoded.
            Tokens::of(&server.post("/oauth/token").basic(&id, secret).form(&MACHINE).send().await);
            Tokens::of(&with_body(&server, &[("client_id", &id), ("client_secret", secret)]).await);
            // Many clients encode neither. An id with a colon can only come encoded: the first one ends it.
            let raw = with_header(&server, &basic_of(format!("{id}:{secret}"))).await;
            if id.contains(':') {
                raw.assert_refused("invalid_client");
            } else {
                Tokens::of(&raw);
            }
            // Being read in two ways opens no door: neither reading of another secret is this one.
            with_header(&server, &basic_of(format!("machine{n}:{secret}x")))
                .await
                .assert_refused("invalid_client");
        }
    }
}

#[tokio::test]
async fn a_ca_03_16_an_authorization_header_is_basic_to_the_letter_or_nothing() {
    let server = Server::start().await;
    let new = machine("machine", SECRET);
    assert!(server.command(move |tx| clients::insert(tx, &new, "{}")));
    let right = STANDARD.encode(format!("machine:{SECRET}"));
    for scheme in ["Basic", "basic", "BASIC", "bAsIc"] {
        Tokens::of(&with_header(&server, &format!("{scheme} {right}")).await);
    }
    let unpadded = right.trim_end_matches('=');
    assert_ne!(unpadded, right, "the fixture's secret shows the padding");
    let (front, back) = right.split_at(8);
    let before = server.contents();
    for wrong in [
        "",
        "Basic",
        "Basic ",
        &right,
        &format!("Basic{right}"),
        &format!("Basic {unpadded}"),
        &format!("Basic {right}="),
        &format!("Basic  {right}"),
        &format!("Basic\t{right}"),
        &format!("Basic {right} x"),
        &format!("Basic {right},"),
        &format!("Basic {right}, Basic {right}"),
        &format!("Basic {front} {back}"),
        &format!("Basic \"{right}\""),
        &format!("Basic {}", URL_SAFE_NO_PAD.encode("machine:\u{3ff}\u{3ff}?")),
        &basic_of("machine"),
        &basic_of(""),
        &basic_of(":"),
        &basic_of(format!(":{SECRET}")),
        &basic_of(b"machine:\xff\xfe"),
        &basic_of(format!("machine:{SECRET}\n")),
        &basic_of(format!("machine\0:{SECRET}")),
        &basic_of(format!("MACHINE:{SECRET}")),
        &basic_of(format!(" machine:{SECRET}")),
        // Other schemes, with the right words or without.
        &format!("Bearer {right}"),
        &format!("Digest {right}"),
        "Negotiate YII=",
        "*",
    ] {
        with_header(&server, wrong).await.assert_refused("invalid_client");
    }
    assert_eq!(server.contents(), before, "G6");
    // A challenge that names a way which works (RFC 6749 5.2).
    let answer = with_header(&server, "Bearer x").await;
    assert!(answer.header("www-authenticate").is_some_and(|challenge| challenge.starts_with("Basic ")));
}

#[tokio::test]
async fn a_ca_04_two_authorization_headers_are_none() {
    let server = Server::start().await;
    let right = basic_of(format!("svc:{SECRET}"));
    for (first, second) in
        [(&right, "Basic eA=="), (&"Basic eA==".to_owned(), right.as_str()), (&right, &right)]
    {
        let asked =
            server.post("/oauth/token").header("authorization", first).header("authorization", second);
        asked.form(&MACHINE).send().await.assert_refused("invalid_client");
    }
}

#[tokio::test]
async fn a_ca_05_a_secret_in_the_header_and_in_the_body_is_refused_whichever_is_right() {
    let server = Server::start().await;
    let before = server.contents();
    for (header, body) in [(SECRET, SECRET), (SECRET, "wrong"), ("wrong", SECRET)] {
        for more in [&[("client_secret", body)][..], &[("client_id", "svc"), ("client_secret", body)]] {
            let fields: Vec<_> = MACHINE.iter().chain(more).copied().collect();
            let answer = server.post("/oauth/token").basic("svc", header).form(&fields).send().await;
            answer.assert_refused("invalid_request");
        }
    }
    // Nor twice in one place.
    let twice = [("client_id", "svc"), ("client_secret", SECRET), ("client_secret", "wrong")];
    with_body(&server, &twice).await.assert_refused("invalid_request");
    assert_eq!(server.contents(), before, "G6");
}

#[tokio::test]
async fn a_ca_06_07_a_client_id_beside_the_header_must_be_the_same() {
    let server = Server::start().await;
    let ask = async |id: &str| -> Answer {
        let fields = [MACHINE[0], ("client_id", id)];
        server.post("/oauth/token").basic("svc", SECRET).form(&fields).send().await
    };
    for other in ["conf", "pub", "nobody", "SVC", "svc ", "s\u{e9}"] {
        ask(other).await.assert_refused("invalid_client");
    }
    Tokens::of(&ask("svc").await);
    // An empty one is none (RFC 6749 3.2).
    Tokens::of(&ask("").await);
    let twice = [MACHINE[0], ("client_id", "svc"), ("client_id", "conf")];
    let answer = server.post("/oauth/token").basic("svc", SECRET).form(&twice).send().await;
    answer.assert_refused("invalid_request");
}

#[tokio::test]
async fn a_ca_08_a_secret_may_come_either_way_and_a_public_client_has_none() {
    let server = Server::start().await;
    let mut alice = Browser::new();
    for id in ["conf", "post"] {
        let app = ClientApp::fixture(id);
        for by_header in [true, false] {
            let code = app.code(&server, &mut alice, "alice", &[("resource", R1)]).await;
            let mut fields = vec![
                ("grant_type", "authorization_code"),
                ("code", &code),
                ("code_verifier", &app.pkce.verifier),
            ];
            let answer = if by_header {
                server.post("/oauth/token").basic(id, SECRET).form(&fields).send().await
            } else {
                fields.extend([("client_id", id), ("client_secret", SECRET)]);
                server.post("/oauth/token").form(&fields).send().await
            };
            Tokens::of(&answer);
        }
    }
    let app = ClientApp::fixture("pub");
    let code = app.code(&server, &mut alice, "alice", &[("resource", R1)]).await;
    let before = server.contents();
    let posing = ClientApp { secret: Some("made-up".to_owned()), ..app.clone() };
    posing.redeem(&server, &code, &[]).await.assert_refused("invalid_client");
    app.redeem(&server, &code, &[("client_secret", "made-up")]).await.assert_refused("invalid_client");
    // A secret of another client makes it nobody else either.
    app.redeem(&server, &code, &[("client_secret", SECRET)]).await.assert_refused("invalid_client");
    app.token(&server, &MACHINE).await.assert_refused("unauthorized_client");
    let introspection = [("token", "x"), ("client_id", "pub")];
    let answer = server.post("/oauth/introspect").form(&introspection).send().await;
    answer.assert_refused("invalid_client");
    assert_eq!(server.contents(), before, "G6");
    // The header with an empty secret is how some libraries say "public".
    let fields =
        [("grant_type", "authorization_code"), ("code", &code), ("code_verifier", &app.pkce.verifier)];
    Tokens::of(&server.post("/oauth/token").basic("pub", "").form(&fields).send().await);
}

#[tokio::test]
async fn a_ca_09_10_a_confidential_client_is_nothing_without_its_whole_secret() {
    let server = Server::start().await;
    let conf = ClientApp::fixture("conf");
    let mut alice = Browser::new();
    let code = conf.code(&server, &mut alice, "alice", &[("resource", R1)]).await;
    let tokens = Tokens::of(&conf.redeem(&server, &code, &[]).await);
    let code = conf.code(&server, &mut alice, "alice", &[("resource", R1)]).await;
    let before = server.contents();
    let token = [
        vec![
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", &conf.redirect_uri),
            ("code_verifier", &conf.pkce.verifier),
        ],
        vec![("grant_type", "refresh_token"), ("refresh_token", tokens.refresh())],
        MACHINE.to_vec(),
    ]
    .map(|fields| ("/oauth/token", fields));
    let others = ["/oauth/revoke", "/oauth/introspect"]
        .into_iter()
        .flat_map(|path| [&tokens.access, tokens.refresh()].map(|token| (path, vec![("token", token)])));
    let hash = vestibule::crypto::digest::to_base64url(&sha256(SECRET.as_bytes()));
    for (path, fields) in token.into_iter().chain(others) {
        // By its name alone, without any name, and with all but the secret.
        let named = [&fields[..], &[("client_id", "conf")]].concat();
        server.post(path).form(&named).send().await.assert_refused("invalid_client");
        server.post(path).form(&fields).send().await.assert_refused("invalid_client");
        server.post(path).basic("conf", "").form(&fields).send().await.assert_refused("invalid_client");
        let empty = [&named[..], &[("client_secret", "")]].concat();
        server.post(path).form(&empty).send().await.assert_refused("invalid_client");
        for wrong in [&SECRET[..SECRET.len() - 1], &SECRET[1..], &SECRET.to_ascii_uppercase(), &hash] {
            server
                .post(path)
                .basic("conf", wrong)
                .form(&fields)
                .send()
                .await
                .assert_refused("invalid_client");
        }
        // The hundred guesses that an address may make would not last.
        server.advance(10);
    }
    assert_eq!(server.contents(), before, "G6");
    assert_eq!(conf.introspect(&server, &tokens.access).await["active"], true);
    Tokens::of(&conf.refresh(&server, tokens.refresh(), &[]).await);
}

#[tokio::test]
async fn a_ca_11_a_rotated_secret_is_dead_at_once() {
    // Secrets do not expire, and there is no overlap in which two are good: `client_secret_expires_at` is always 0.
    let server = Server::start().await;
    let svc = ClientApp::fixture("svc");
    Tokens::of(&svc.token(&server, &MACHINE).await);
    let id = ClientId::parse("svc").expect("a client_id");
    server.command(move |tx| {
        let mut client = clients::find(tx, &id)?.expect("a fixture");
        let hash = SecretHash::of("the new one");
        client.credential = Credential::Secret { hash, method: AuthMethod::ClientSecretBasic };
        clients::update(tx, &client)
    });
    svc.token(&server, &MACHINE).await.assert_refused("invalid_client");
    let renewed = ClientApp { secret: Some("the new one".to_owned()), ..svc };
    Tokens::of(&renewed.token(&server, &MACHINE).await);
}

#[tokio::test]
async fn a_ca_12_13_guessing_secrets_is_throttled_by_address_and_costs_no_password_hash() {
    let server = Server::start_with(|settings| {
        settings.trusted_proxies = TrustedProxies::parse(["127.0.0.1"]).expect("a network");
    })
    .await;
    let stored = server.value::<Vec<u8>>("select secret_hash from clients where id = 'svc'");
    assert_eq!(stored, sha256(SECRET.as_bytes()), "one SHA-256, not argon2");
    let from = async |address: &str, secret: &str| -> Answer {
        let asked = server.post("/oauth/token").header("x-forwarded-for", address).basic("svc", secret);
        asked.form(&MACHINE).send().await
    };
    for n in 0..100 {
        from("192.0.2.1", &n.to_string()).await.assert_refused("invalid_client");
    }
    let audited = server.value::<i64>("select count(*) from audit_logs");
    for n in 100..110 {
        let answer = from("192.0.2.1", &n.to_string()).await;
        assert_eq!(answer.status.as_u16(), 429, "{}", answer.text());
        assert!(answer.header("retry-after").is_some());
    }
    assert_eq!(server.value::<i64>("select count(*) from audit_logs"), audited);
    // Neither the client nor its neighbours behind one address are locked out.
    Tokens::of(&from("192.0.2.2", SECRET).await);
    Tokens::of(&from("192.0.2.1", SECRET).await);
    server.advance(60);
    from("192.0.2.1", "again").await.assert_refused("invalid_client");
}

#[tokio::test]
async fn a_ca_14_credentials_in_the_query_are_not_read() {
    let server = Server::start().await;
    let in_query = format!("/oauth/token?client_id=svc&client_secret={SECRET}");
    server.post(&in_query).form(&MACHINE).send().await.assert_refused("invalid_client");
    let named = [MACHINE[0], ("client_id", "svc")];
    server.post(&in_query).form(&named).send().await.assert_refused("invalid_client");
    // They are not in the way either: what was not read is not twice.
    Tokens::of(&server.post(&in_query).basic("svc", SECRET).form(&MACHINE).send().await);
}

#[tokio::test]
async fn a_ca_15_nobody_learns_which_clients_exist() {
    let server = Server::start().await;
    let id = ClientId::parse("post").expect("a client_id");
    assert!(server.command(move |tx| clients::remove(tx, &id)));
    let mut answers = Vec::new();
    for (id, secret) in [
        ("post", SECRET),
        ("svc", "wrong"),
        ("svc", ""),
        ("pub", "wrong"),
        ("nobody", SECRET),
        ("nobody", ""),
        ("usr_AAAAAAAAAAAAAAAAAAAAAA", SECRET),
    ] {
        let by_body = with_body(&server, &[("client_id", id), ("client_secret", secret)]).await;
        by_body.assert_refused("invalid_client");
        answers.push(by_body);
    }
    for (id, secret) in [("post", SECRET), ("svc", "wrong"), ("nobody", SECRET)] {
        let by_header = server.post("/oauth/token").basic(id, secret).form(&MACHINE).send().await;
        by_header.assert_refused("invalid_client");
        answers.push(by_header);
    }
    for pair in answers.windows(2) {
        let [one, other] = [&pair[0], &pair[1]].map(|answer| {
            let mut headers = answer.headers.clone();
            headers.remove("date");
            (headers, answer.text())
        });
        assert_eq!(one, other);
    }
}

#[tokio::test]
async fn a_ca_16_an_assertion_that_is_none_is_refused_and_one_beside_a_secret_too() {
    let server = Server::start().await;
    let assertion = [
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", "eyJhbGciOiJub25lIn0.e30."),
    ];
    let ask = || server.post("/oauth/token");
    let alone = [&MACHINE[..], &assertion].concat();
    ask().form(&alone).send().await.assert_refused("invalid_client");
    ask().basic("svc", SECRET).form(&alone).send().await.assert_refused("invalid_request");
    let beside = [&alone[..], &[("client_id", "svc"), ("client_secret", SECRET)]].concat();
    ask().form(&beside).send().await.assert_refused("invalid_request");
    with_body(&server, &[]).await.assert_refused("invalid_client");
}
