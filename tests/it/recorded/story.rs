//! What happens between a client and this server, from discovery to the last refresh, told from a recording.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use url::form_urlencoded::{byte_serialize, parse};
use vestibule::oauth::ids::ClientId;
use vestibule::oauth::pkce::PkceVerifier;
use vestibule::store::clients;

use crate::harness::{Answer, Browser, ISSUER, PASSWORD, R1, Server, Tokens};

/// Header fields as a client sends them.
pub(super) type Headers = &'static [(&'static str, &'static str)];

/// A client as it was recorded. `{name}` in a text stands for what differs from run to run: `client_id`,
/// `client_secret`, `challenge`, `verifier`, `code` and `refresh_token`.
pub(super) struct Recorded {
    pub discovery: Discovery,
    pub registration: Registration,
    /// PKCE's secret, in this client's length and alphabet.
    pub verifier: &'static str,
    pub connections: &'static [Connection],
}

/// How it finds the endpoints.
pub(super) struct Discovery {
    pub headers: Headers,
    /// Where it looks first, in this order; nothing is there.
    pub misses: &'static [&'static str],
    /// What it reads.
    pub document: &'static str,
    /// The members without which its reader gives up.
    pub demands: &'static [&'static str],
}

/// How it registers (RFC 7591).
pub(super) struct Registration {
    pub headers: Headers,
    /// Byte for byte.
    pub body: &'static str,
    /// The members of the answer without which its reader gives up.
    pub demands: &'static [&'static str],
}

/// One authorization and what comes of it.
pub(super) struct Connection {
    /// The query of the authorization URL, byte for byte.
    pub query: &'static str,
    /// What is granted.
    pub scope: &'static str,
    pub token: Exchange,
    pub refreshes: &'static [Exchange],
}

/// One request to the token endpoint.
pub(super) struct Exchange {
    pub headers: Headers,
    pub authentication: Authentication,
    /// The form, byte for byte.
    pub body: &'static str,
}

/// How it proves who it is (RFC 6749 2.3.1).
#[derive(Clone, Copy)]
pub(super) enum Authentication {
    /// In the form: a secret, or nothing but the `client_id`.
    Form,
    /// HTTP Basic with id and secret as they are.
    BasicAsItIs,
    /// HTTP Basic with id and secret in the form's encoding.
    BasicEncoded,
    /// HTTP Basic with every character encoded that is no letter or digit, as oauth4webapi does.
    BasicAllEncoded,
}

/// What a client calls itself from its registration on: an id that it was given, or the URL of its document.
#[derive(Clone)]
pub(super) struct Identity {
    pub client_id: String,
    pub client_secret: Option<String>,
}

/// Tells the story of a client that registers itself, and holds every answer to what the client needs.
pub(super) async fn replay(recorded: &Recorded) {
    let server = Server::start().await;
    discover(&server, &recorded.discovery).await;
    let identity = register(&server, &recorded.registration).await;
    for connection in recorded.connections {
        connect(&server, &identity, recorded.verifier, connection).await;
    }
    lose(&server, &identity, recorded.verifier, &recorded.connections[0]).await;
}

/// Discovery: what is missing says so in JSON, and what is read has all that this reader and every other one wants.
pub(super) async fn discover(server: &Server, discovery: &Discovery) {
    let look = async |path: &str| {
        let asked = server.get(path);
        discovery.headers.iter().fold(asked, |asked, (name, value)| asked.header(name, value)).send().await
    };
    for path in discovery.misses {
        let answer = look(path).await;
        assert_eq!((answer.status.as_u16(), answer.is_json()), (404, true), "{path}");
    }
    let answer = look(discovery.document).await;
    assert_eq!((answer.status.as_u16(), answer.is_json()), (200, true), "{}", discovery.document);
    let metadata = answer.json();
    assert_eq!(metadata["issuer"], ISSUER, "byte for byte");
    assert_no_blanks(&metadata);
    assert_has(&metadata, discovery.demands);
    let lists = |name: &str, word: &str| {
        metadata[name].as_array().is_some_and(|list| list.iter().any(|item| item == word))
    };
    assert!(lists("code_challenge_methods_supported", "S256") && lists("response_types_supported", "code"));
    assert!(lists("grant_types_supported", "refresh_token") && lists("scopes_supported", "offline_access"));
    for method in ["none", "client_secret_post", "client_secret_basic"] {
        assert!(lists("token_endpoint_auth_methods_supported", method), "{method}");
    }
    for endpoint in ["authorization_endpoint", "token_endpoint", "registration_endpoint", "jwks_uri"] {
        let url = metadata[endpoint].as_str().unwrap_or_else(|| panic!("no {endpoint}"));
        assert!(url.starts_with(&format!("{ISSUER}/")), "{endpoint} is on the issuer's origin: {url}");
    }
}

/// Registration, with the client's own body.
pub(super) async fn register(server: &Server, registration: &Registration) -> Identity {
    let asked = server.post("/oauth/register");
    let asked = registration.headers.iter().fold(asked, |asked, (name, value)| asked.header(name, value));
    let answer = asked.body("application/json", registration.body.as_bytes().to_vec()).send().await;
    let sent: Value = serde_json::from_str(registration.body).expect("the recording is JSON");
    let registered = crate::register::assert_readable(server, &sent, &answer);
    assert_has(&registered, registration.demands);
    let method = sent.get("token_endpoint_auth_method").and_then(Value::as_str).unwrap_or("none");
    assert_eq!(registered["token_endpoint_auth_method"], method, "as it was asked for");
    assert_eq!(registered["client_name"], sent["client_name"]);
    let text = |name: &str| registered[name].as_str().map(str::to_owned);
    Identity { client_id: text("client_id").expect("an id"), client_secret: text("client_secret") }
}

/// A person is sent here by the client, signs in, agrees; the client gets its tokens and keeps them fresh.
pub(super) async fn connect(server: &Server, identity: &Identity, verifier: &str, connection: &Connection) {
    let mut words = Words::of(identity, verifier);
    let query = words.fill(connection.query);
    let location = authorize(server, &query).await;
    let value = |name: &str| {
        let mut pairs = parse(query.as_bytes()).filter(|(key, _)| key == name);
        pairs.next().map(|(_, value)| value.into_owned())
    };
    let redirect = value("redirect_uri").expect("it says where its answer goes");
    let answer =
        location.strip_prefix(&redirect).unwrap_or_else(|| panic!("{location} is not at {redirect}"));
    let answer = answer.strip_prefix('?').unwrap_or_else(|| panic!("{location}"));
    let pairs: Vec<_> = answer.split('&').filter_map(|pair| pair.split_once('=')).collect();
    let raw = |text: &str, name: &str| {
        text.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')).map(str::to_owned)
    };
    assert_eq!(raw(answer, "state"), raw(&query, "state"), "byte for byte");
    assert_eq!(raw(answer, "iss").as_deref(), Some("https%3A%2F%2Fas.test"), "RFC 9207");
    assert_eq!(pairs.len(), 2 + usize::from(value("state").is_some()), "nothing else: {answer}");
    words.code = raw(answer, "code").expect("a code");
    assert!(
        words.code.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)),
        "read undecoded by some"
    );

    let tokens = exchange(server, &words, &connection.token).await;
    assert_eq!((tokens.claims["aud"].as_str(), tokens.scope.as_deref()), (Some(R1), Some(connection.scope)));
    assert_eq!(tokens.claims["client_id"], identity.client_id);
    words.refresh_token = tokens.refresh().to_owned();
    for refresh in connection.refreshes {
        let next = exchange(server, &words, refresh).await;
        assert_eq!(next.claims["aud"], R1, "{}", refresh.body);
        assert_eq!(next.scope, tokens.scope, "{}", refresh.body);
        // A second process of the client that holds the same token, and a first whose answer was lost.
        let again = exchange(server, &words, refresh).await;
        assert_eq!(again.refresh(), next.refresh());
        assert_ne!(next.refresh(), words.refresh_token, "rotated");
        words.refresh_token = next.refresh().to_owned();
        server.advance(61);
    }
}

/// The person's part, until the browser leaves for the client.
async fn authorize(server: &Server, query: &str) -> String {
    let mut browser = Browser::new();
    let login = browser.go(server, &format!("/oauth/authorize?{query}")).await;
    assert!(login.field("password").is_some(), "{} {}", login.status, login.text());
    let answer = browser.sign_in(server, &login, "alice", PASSWORD).await;
    let page = browser.go(server, &answer.location()).await;
    if let Some(location) = page.header("location") {
        // A web app that this person allowed the same before.
        return location.to_owned();
    }
    let field = |name: &str| page.field(name).unwrap_or_else(|| panic!("no {name}: {}", page.text()));
    let (token, id) = (field("form_token"), field("authorization"));
    let mut fields = vec![("form_token", token.as_str()), ("authorization", &id), ("decision", "allow")];
    // Where the client named no resource, the person chooses.
    fields.extend(page.field("resource").is_some().then_some(("resource", R1)));
    let answer = browser.post(server, "/consent", &fields).await;
    browser.go(server, &answer.location()).await.location()
}

async fn exchange(server: &Server, words: &Words, exchange: &Exchange) -> Tokens {
    let tokens = Tokens::of(&send(server, words, exchange).await);
    assert!(tokens.refresh.is_some() && tokens.scope.is_some(), "{}", exchange.body);
    tokens
}

async fn send(server: &Server, words: &Words, exchange: &Exchange) -> Answer {
    let mut asked = server.post("/oauth/token");
    for (name, value) in exchange.headers {
        asked = asked.header(name, value);
    }
    if let Some(basic) = words.basic(exchange.authentication) {
        asked = asked.header("authorization", &basic);
    }
    let form = words.fill(exchange.body).into_bytes();
    asked.body("application/x-www-form-urlencoded", form).send().await
}

/// What clients go by when something is lost: a dead token, and a registration that is gone.
async fn lose(server: &Server, identity: &Identity, verifier: &str, connection: &Connection) {
    let mut words = Words::of(identity, verifier);
    words.refresh_token = "vrt_gone".to_owned();
    words.code = "vac_gone".to_owned();
    let exchanges = || connection.refreshes.iter().chain([&connection.token]);
    for exchange in exchanges() {
        send(server, &words, exchange).await.assert_refused("invalid_grant");
    }
    let id = ClientId::parse(&identity.client_id).expect("a client_id");
    server.command(move |tx| clients::remove(tx, &id));
    for exchange in exchanges() {
        send(server, &words, exchange).await.assert_refused("invalid_client");
    }
    let url = format!("/oauth/authorize?{}", words.fill(connection.query));
    let look = server.get(&url).header("accept", "application/json").send().await;
    assert_eq!((look.status.as_u16(), look.error().as_str()), (400, "invalid_client"));
    Browser::new().get(server, &url).await.assert_problem_page(400);
}

/// What stands for the names in a recording.
struct Words {
    identity: Identity,
    verifier: String,
    challenge: String,
    code: String,
    refresh_token: String,
}

impl Words {
    fn of(identity: &Identity, verifier: &str) -> Self {
        let challenge = PkceVerifier::parse(verifier).expect("43 to 128 characters").challenge();
        Self {
            identity: identity.clone(),
            verifier: verifier.to_owned(),
            challenge,
            code: String::new(),
            refresh_token: String::new(),
        }
    }

    fn fill(&self, text: &str) -> String {
        let secret = self.identity.client_secret.as_deref().unwrap_or_default();
        let words = [
            ("{client_id}", self.identity.client_id.as_str()),
            ("{client_secret}", secret),
            ("{challenge}", &self.challenge),
            ("{verifier}", &self.verifier),
            ("{code}", &self.code),
            ("{refresh_token}", &self.refresh_token),
        ];
        words.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, &in_form(value)))
    }

    fn basic(&self, authentication: Authentication) -> Option<String> {
        let encode = match authentication {
            Authentication::Form => return None,
            Authentication::BasicAsItIs => str::to_owned,
            Authentication::BasicEncoded => in_form,
            Authentication::BasicAllEncoded => all_encoded,
        };
        let secret = self.identity.client_secret.as_deref().expect("a secret");
        let pair = format!("{}:{}", encode(&self.identity.client_id), encode(secret));
        Some(format!("Basic {}", STANDARD.encode(pair)))
    }
}

fn in_form(text: &str) -> String {
    byte_serialize(text.as_bytes()).collect()
}

fn all_encoded(text: &str) -> String {
    let encode = |b: u8| {
        if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") }
    };
    text.bytes().map(encode).collect()
}

#[track_caller]
fn assert_has(json: &Value, members: &[&str]) {
    for member in members {
        assert!(json.get(member).is_some(), "{member} in {json}");
    }
}

/// No null, and nothing empty.
#[track_caller]
fn assert_no_blanks(json: &Value) {
    for (name, value) in json.as_object().expect("an object") {
        let blank = value.is_null() || value == "" || value.as_array().is_some_and(Vec::is_empty);
        assert!(!blank, "{name} in {json}");
    }
}

#[test]
fn the_url_of_a_document_may_stand_where_an_id_does() {
    let client_id = "https://claude.ai/oauth/mcp-oauth-client-metadata".to_owned();
    let words = Words::of(&Identity { client_id, client_secret: None }, &"v".repeat(43));
    assert_eq!(
        words.fill("response_type=code&client_id={client_id}&code_challenge_method=S256"),
        "response_type=code&client_id=https%3A%2F%2Fclaude.ai%2Foauth%2Fmcp-oauth-client-metadata\
         &code_challenge_method=S256"
    );
    assert_eq!(words.basic(Authentication::Form), None);
}
