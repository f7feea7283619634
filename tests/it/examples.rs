//! What users copy from `examples/` works as it stands: the file by `apply`, the two programs as cargo built them.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use tokio::net::TcpListener;
use url::Url;
use vestibule::clock::Clock;
use vestibule::crypto::digest::{from_base64url, to_base64url};
use vestibule::crypto::jwk::Algorithm;
use vestibule::crypto::jws::SigningKey;
use vestibule::http::{Response, Status};
use vestibule::server;

use crate::harness::{Answer, House, Person, Program, Wire, ask};

const PASSWORD: &str = "correct horse battery staple";

#[tokio::test]
async fn the_example_file_applies_a_second_time_changes_nothing_and_what_it_says_is_so() {
    let house = House::new();
    let secret = "5".repeat(64);
    fs::copy(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/vestibule.toml"),
        house.path("vestibule.toml"),
    )
    .expect("a copy");
    fs::write(house.path("alice.password"), format!("{PASSWORD}\n")).expect("a file");
    fs::write(house.path("backup-job.secret"), format!("{secret}\n")).expect("a file");
    assert_eq!(house.json(&["apply", "vestibule.toml", "--issuer", "http://127.0.0.1:8080"])["changed"], 7);
    let everything =
        || ["user list", "resource list", "client list", "audit"].map(|line| house.json(&words(line)));
    let before = everything();
    assert_eq!(house.json(&["apply", "vestibule.toml"])["changed"], 0);
    assert_eq!(everything(), before);

    let server = house.serve("127.0.0.1:0", &[]);
    let mut wire = Wire::open(server.address).await.expect("it listens");
    let machine = [
        ("grant_type", "client_credentials"),
        ("client_id", "backup-job"),
        ("client_secret", secret.as_str()),
    ];
    let answer = wire.post("/oauth/token", &[], &machine).await.expect("an answer").json();
    assert_eq!(claims(&answer["access_token"])["aud"], "https://notes.home.example/mcp");
    assert_eq!(answer["scope"], "notes:read");
    let mut alice = Person::new(server.address, &server.issuer, "alice", PASSWORD);
    let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    let url = format!(
        "/oauth/authorize?response_type=code&client_id=dashboard&code_challenge={challenge}\
         &code_challenge_method=S256&resource=https%3A%2F%2Fdoor.home.example%2Fmcp"
    );
    let location = alice.allow(&url).await;
    assert!(location.starts_with("https://dash.home.example/callback?code="), "{location}");
}

#[tokio::test]
async fn the_native_app_signs_somebody_in_and_the_resource_server_lets_it_in_and_nobody_else() {
    let house = House::new();
    let server = house.serve("127.0.0.1:0", &[]);
    house.ok(&["user", "add", "alice", "--password-stdin"], PASSWORD);
    let mut notes = Program::example("resource_server", &[&server.issuer, "127.0.0.1:0"]);
    // The line that it prints is the line that is typed.
    let line = notes.line_with("vestibule resource add");
    let (line, scopes) = line.trim().split_once(" --scopes ").expect("it names its scopes");
    let mut typed = words(line.strip_prefix("vestibule ").expect("a command"));
    typed.extend(["--scopes", scopes.trim_matches('"')]);
    let resource = typed[2];
    house.ok(&typed, "");

    let mut app = Program::example("native_app", &[&server.issuer, resource]);
    let url = app.line_with("/oauth/authorize").trim().to_owned();
    let mut alice = Person::new(server.address, &server.issuer, "alice", PASSWORD);
    let back = Url::parse(&alice.allow(&url).await).expect("the redirect is a URL");
    let callback: SocketAddr = back.authority().parse().expect("a loopback address");
    // Whatever else comes there is turned away, and the app goes on waiting.
    for target in ["/callback?code=of-mallory&state=guessed", "/callback", "/favicon.ico"] {
        assert_eq!(ask(callback, "GET", target, &[], "").await.status.as_u16(), 404, "{target}");
    }
    let target = format!("{}?{}", back.path(), back.query().expect("parameters"));
    let page = ask(callback, "GET", &target, &[], "").await;
    assert_eq!((page.status.as_u16(), page.text().contains("close this page")), (200, true));
    let done = app.wait();
    assert_eq!(done.status, Some(0), "{done:?}");
    for words in ["Signed in.", "Refreshed.", "The refresh token was replaced.", &server.issuer, resource] {
        assert!(done.out.contains(words), "{words}: {}", done.out);
    }
    assert_eq!(done.out.matches("The resource accepted it: 200 OK").count(), 2, "{}", done.out);
    for secret in ["eyJ", "vrt_"] {
        assert!(!done.out.contains(secret) && !done.err.contains(secret), "{done:?}");
    }
    assert_eq!(house.json(&["grant", "list"])[0]["resources"], json!([resource]));

    // The same issuer, the same key, a good token: for another resource.
    let place = Url::parse(resource).expect("a URL");
    let place: SocketAddr = place.authority().parse().expect("an address");
    house.ok(&["resource", "add", "https://door.example/mcp", "--scopes", "read write"], "");
    for (audience, scopes, status) in
        [("https://door.example/mcp", "read", 401), (resource, "read", 200), (resource, "write", 403)]
    {
        let token = machine_token(&house, server.address, audience, scopes).await;
        let answer = bearer(place, "GET", &token).await;
        assert_eq!(answer.status.as_u16(), status, "{audience} {scopes}: {}", answer.text());
    }
}

/// A token of Vestibule's for a machine that is allowed just that.
async fn machine_token(house: &House, vestibule: SocketAddr, audience: &str, scopes: &str) -> String {
    let client = house.json(&["client", "add", "--name", "Job", "--audience", audience, "--scopes", scopes]);
    let text = |name: &str| client[name].as_str().expect("it is there").to_owned();
    let (id, secret) = (text("client_id"), text("client_secret"));
    let fields = [("grant_type", "client_credentials"), ("client_id", &id), ("client_secret", &secret)];
    let mut wire = Wire::open(vestibule).await.expect("it listens");
    let answer = wire.post("/oauth/token", &[], &fields).await.expect("an answer").json();
    answer["access_token"].as_str().expect("a token").to_owned()
}

#[tokio::test]
async fn the_resource_server_leads_whoever_has_no_token_to_the_issuer() {
    let issuer = StandIn::start().await;
    let notes = Notes::start(&issuer.issuer);
    let metadata = format!("http://{}/.well-known/oauth-protected-resource/notes", notes.address);
    for (method, scope) in [("GET", "read"), ("POST", "write")] {
        for headers in [&[][..], &[("authorization", "Basic YTpi")]] {
            let answer = ask(notes.address, method, "/notes", headers, "").await;
            assert_eq!(answer.status.as_u16(), 401);
            let challenge = format!("Bearer resource_metadata=\"{metadata}\", scope=\"{scope}\"");
            assert_eq!(answer.header("www-authenticate"), Some(challenge.as_str()));
        }
    }
    for path in ["/.well-known/oauth-protected-resource/notes", "/.well-known/oauth-protected-resource"] {
        let document = ask(notes.address, "GET", path, &[], "").await.json();
        assert_eq!(document["resource"], notes.resource);
        assert_eq!(document["authorization_servers"], json!([issuer.issuer]));
        assert_eq!(document["scopes_supported"], json!(["read", "write"]));
    }
    for (method, path, status) in [("GET", "/", 404), ("GET", "/notes/", 404), ("DELETE", "/notes", 405)] {
        assert_eq!(ask(notes.address, method, path, &[], "").await.status.as_u16(), status);
    }
    assert_eq!(issuer.fetches.load(Ordering::Relaxed), 0, "nothing had to be checked");
}

#[tokio::test]
async fn the_resource_server_believes_its_issuers_tokens_for_itself_while_they_last() {
    let issuer = StandIn::start().await;
    let notes = Notes::start(&issuer.issuer);
    let now = Clock::machine().now().as_i64();
    let good = json!({
        "iss": issuer.issuer, "aud": notes.resource, "sub": "alice", "client_id": "app", "jti": "1",
        "iat": now, "exp": now + 300, "scope": "read write",
    });
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        claims
    };
    let status = async |token: &str| bearer(notes.address, "GET", token).await.status.as_u16();
    for key in [&issuer.es256, &issuer.eddsa] {
        assert_eq!(status(&sign(key, &good)).await, 200);
        let several = with("aud", json!(["https://door.example/mcp", notes.resource]));
        assert_eq!(status(&sign(key, &several)).await, 200);
        // Clocks differ: a minute's grace less what this test takes, and no more.
        assert_eq!(status(&sign(key, &with("exp", json!(now - 20)))).await, 200);
    }
    let token = sign(&issuer.es256, &good);
    let (head, rest) = token.split_once('.').expect("a JWS");
    let (payload, signature) = rest.split_once('.').expect("a JWS");
    let kid = issuer.es256.jwk().kid();
    let forged =
        |header: Value| format!("{}.{payload}.{signature}", to_base64url(header.to_string().as_bytes()));
    let other_payload = to_base64url(with("sub", json!("mallory")).to_string().as_bytes());
    let pkcs8 = SigningKey::generate(Algorithm::Es256);
    let stranger = SigningKey::from_pkcs8(Algorithm::Es256, &pkcs8, "at+jwt").expect("a key");
    let signed = |claims: &Value| sign(&issuer.es256, claims);
    let refused = [
        signed(&with("exp", json!(now - 60))),
        signed(&with("exp", json!(i64::MIN))),
        signed(&with("exp", json!("tomorrow"))),
        signed(&with("exp", Value::Null)),
        signed(&with("iss", json!(format!("{}/", issuer.issuer)))),
        signed(&with("aud", json!("https://door.example/mcp"))),
        signed(&with("aud", json!(format!("{}/", notes.resource)))),
        signed(&with("aud", json!([]))),
        signed(&json!([])),
        sign(&issuer.id_token, &good),
        sign(&stranger, &good),
        forged(json!({ "alg": "none", "typ": "at+jwt", "kid": kid })),
        forged(json!({ "alg": "HS256", "typ": "at+jwt", "kid": kid })),
        forged(json!({ "alg": "EdDSA", "typ": "at+jwt", "kid": kid })),
        forged(json!({ "alg": "ES256", "typ": "at+jwt", "kid": issuer.eddsa.jwk().kid() })),
        forged(json!({ "alg": "ES256", "typ": "at+jwt" })),
        format!("{head}.{other_payload}.{signature}"),
        format!("{head}.{payload}."),
        format!("{head}.{payload}"),
        format!("{token}.x"),
        "garbage".to_owned(),
        "..".to_owned(),
        "Ä".to_owned(),
        "a".repeat(20_000),
    ];
    for token in &refused {
        let answer = bearer(notes.address, "GET", token).await;
        // A header that is not even text is not a token that was sent.
        let is_text = token.is_ascii();
        assert_eq!(answer.status.as_u16(), 401, "{token}: {}", answer.text());
        let challenge = answer.header("www-authenticate").expect("a challenge");
        assert_eq!(challenge.contains("error=\"invalid_token\""), is_text, "{token}: {challenge}");
    }
    assert_eq!(status(&token).await, 200, "and it still serves");
    assert_eq!(issuer.fetches.load(Ordering::Relaxed), 1, "no unknown kid made it ask again within a minute");
}

#[tokio::test]
async fn the_resource_server_lets_read_read_and_write_write() {
    let issuer = StandIn::start().await;
    let notes = Notes::start(&issuer.issuer);
    let exp = Clock::machine().now().as_i64() + 300;
    let token = |scope: Option<&str>| {
        let claims = json!({
            "iss": issuer.issuer, "aud": notes.resource, "sub": "alice", "exp": exp, "scope": scope.unwrap_or(""),
        });
        sign(&issuer.es256, &claims)
    };
    for (scope, method, status, asks_for) in [
        (Some("read"), "GET", 200, None),
        (Some("read"), "POST", 403, Some("read write")),
        (Some("write"), "POST", 201, None),
        (Some("write\" x"), "GET", 403, Some("read")),
        (None, "GET", 403, Some("read")),
        (Some("read write"), "POST", 201, None),
    ] {
        let answer = bearer(notes.address, method, &token(scope)).await;
        assert_eq!(answer.status.as_u16(), status, "{scope:?} {method}: {}", answer.text());
        let challenge = answer.header("www-authenticate").unwrap_or_default();
        assert_eq!(challenge.contains("error=\"insufficient_scope\""), asks_for.is_some(), "{challenge}");
        if let Some(scope) = asks_for {
            assert!(challenge.contains(&format!("scope=\"{scope}\"")), "{challenge}");
        }
    }
    let list = bearer(notes.address, "GET", &token(Some("read"))).await.json();
    assert_eq!(list["notes"].as_array().map(Vec::len), Some(2), "what was refused added nothing: {list}");
}

#[tokio::test]
async fn the_resource_server_says_whose_fault_it_is_when_the_issuer_is_down() {
    let gone = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("its address");
    let notes = Notes::start(&format!("http://{gone}"));
    let token = sign(&StandIn::start().await.es256, &json!({}));
    let answer = bearer(notes.address, "GET", &token).await;
    assert_eq!((answer.status.as_u16(), answer.header("www-authenticate")), (503, None));
    // It has no TLS, and says so at once.
    let done = Program::example("resource_server", &["https://auth.home.example"]).wait();
    assert_eq!(done.status, Some(1));
    assert!(done.err.contains("http on loopback"), "{}", done.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_native_app_trusts_no_metadata_that_names_another_issuer() {
    let issuer = StandIn::start().await;
    let alias = format!("{}/", issuer.issuer);
    let done = Program::example("native_app", &[&alias, "http://127.0.0.1:3000/notes"]).wait();
    assert!(done.status == Some(1) && done.err.contains("says that it is"), "{done:?}");
    assert!(!done.out.contains("http"), "nobody is sent anywhere: {}", done.out);
}

/// The example resource server.
struct Notes {
    _program: Program,
    address: SocketAddr,
    resource: String,
}

impl Notes {
    fn start(issuer: &str) -> Self {
        let mut program = Program::example("resource_server", &[issuer, "127.0.0.1:0"]);
        let line = program.line_with("notes  at ");
        let resource = line.trim_start_matches("notes  at ").to_owned();
        let address = Url::parse(&resource).ok().and_then(|url| url.authority().parse().ok());
        Self { address: address.expect("it names its address"), _program: program, resource }
    }
}

/// An issuer that signs whatever it is asked to, with keys of every kind.
struct StandIn {
    issuer: String,
    es256: SigningKey,
    eddsa: SigningKey,
    /// The issuer's own key too, for tokens that are no access tokens.
    id_token: SigningKey,
    fetches: Arc<AtomicUsize>,
}

impl StandIn {
    async fn start() -> Self {
        let pkcs8 = SigningKey::generate(Algorithm::Es256);
        let key =
            |algorithm, pkcs8: &[u8], typ| SigningKey::from_pkcs8(algorithm, pkcs8, typ).expect("a key");
        let es256 = key(Algorithm::Es256, &pkcs8, "at+jwt");
        let id_token = key(Algorithm::Es256, &pkcs8, "JWT");
        let eddsa = key(Algorithm::EdDsa, &SigningKey::generate(Algorithm::EdDsa), "at+jwt");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let issuer = format!("http://{}", listener.local_addr().expect("its address"));
        let metadata = json!({
            "issuer": issuer, "jwks_uri": format!("{issuer}/keys"),
            "authorization_endpoint": format!("{issuer}/a"), "token_endpoint": format!("{issuer}/t"),
        });
        // Kinds that the example does not know are in real key sets too.
        let foreign = json!({ "kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": "rsa", "alg": "RS256" });
        let jwks = json!({ "keys": [foreign, es256.jwk(), {}, eddsa.jwk()] });
        let fetches = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&fetches);
        let handler = move |request: vestibule::http::Request| {
            let document = if request.path() == "/keys" { jwks.clone() } else { metadata.clone() };
            if request.path() == "/keys" {
                counted.fetch_add(1, Ordering::Relaxed);
            }
            std::future::ready(Response::json(Status::OK, &document))
        };
        tokio::spawn(server::serve(listener, server::Settings::default(), handler, std::future::pending()));
        Self { issuer, es256, eddsa, id_token, fetches }
    }
}

fn sign(key: &SigningKey, claims: &Value) -> String {
    key.sign(claims.to_string().as_bytes())
}

async fn bearer(address: SocketAddr, method: &str, token: &str) -> Answer {
    ask(address, method, "/notes", &[("authorization", &format!("Bearer {token}"))], "a note").await
}

fn claims(token: &Value) -> Value {
    let payload = token.as_str().and_then(|token| token.split('.').nth(1)).expect("a JWS");
    serde_json::from_slice(&from_base64url(payload).expect("base64url")).expect("JSON")
}

fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}
