//! A server in this process: a real socket on a port of the system's choice, its own directory, a clock by hand.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use vestibule::app::App;
use vestibule::clock::{Clock, UnixTime};
use vestibule::config::Settings;
use vestibule::crypto::jwk::Algorithm;
use vestibule::crypto::jws::SigningKey;
use vestibule::crypto::password;
use vestibule::http::Method;
use vestibule::oauth::client::{Assertion, Client, Credential, KeySource, RegisteredBy};
use vestibule::oauth::grant_type::{AuthMethod, GrantType};
use vestibule::oauth::ids::{ClientId, UserId, UserName};
use vestibule::oauth::issuer::Issuer;
use vestibule::oauth::key_set::KeySet;
use vestibule::oauth::redirect_uri::RedirectUri;
use vestibule::oauth::resource::{Admission, Resource, ResourceUri};
use vestibule::oauth::scope::Scope;
use vestibule::oauth::secret::SecretHash;
use vestibule::outgoing::Names;
use vestibule::store::users::{Role, User};
use vestibule::store::{Fault, Store, WriteTx, clients, resources, schema, signing_keys, users};
use vestibule::{routes, server};

use super::{Answer, ClientKey, Connection};

/// The fixtures of the attack catalogue.
pub const ISSUER: &str = "https://as.test";
pub const R1: &str = "https://r1.test/mcp";
pub const R2: &str = "https://r2.test/mcp";
pub const SECRET: &str = "a-secret-of-the-fixtures-with-enough-characters";
pub const PASSWORD: &str = "correct horse battery staple";
const START: UnixTime = UnixTime::new(1_800_000_000);

/// A running server; it stops when the test lets go of it.
pub struct Server {
    pub app: Arc<App>,
    pub address: SocketAddr,
    pub directory: Arc<TempDir>,
    clock: Clock,
    names: Names,
    stop: Option<oneshot::Sender<()>>,
    serving: Option<JoinHandle<()>>,
}

impl Server {
    /// A server with the catalogue's fixtures: alice, bob and mallory; the clients `pub`, `nat`, `conf`, `post`,
    /// `pkj` (by key) and `svc` (client_credentials, allowed R1 only, scope `a b`); the resources R1 (scopes `a b`) and R2 (`c d`).
    pub async fn start() -> Self {
        Self::start_with(|_| {}).await
    }

    /// [`Server::start`] with other settings.
    pub async fn start_with(change: impl FnOnce(&mut Settings)) -> Self {
        Self::start_among(Names::by_hand(|_| Vec::new()), change).await
    }

    /// [`Server::start_with`], in a world whose hosts have these addresses.
    pub async fn start_among(names: Names, change: impl FnOnce(&mut Settings)) -> Self {
        let directory = Arc::new(tempfile::tempdir().expect("a directory"));
        let db = directory.path().join("vestibule.db");
        let issuer = Issuer::parse(ISSUER).expect("the fixture is an issuer");
        schema::create(&db, &issuer, START).expect("a new database");
        let store = Store::open(&db).expect("the new database");
        store
            .write_and_wait(|tx| {
                let key = SigningKey::generate(Algorithm::Es256);
                signing_keys::insert(tx, Algorithm::Es256, &key, START, START)?;
                fill(tx)
            })
            .expect("the fixtures");
        drop(store);
        let mut settings = Settings { db, ..Settings::default() };
        change(&mut settings);
        Self::run(settings, directory, Clock::by_hand(START), names).await
    }

    async fn run(settings: Settings, directory: Arc<TempDir>, clock: Clock, names: Names) -> Self {
        let store = Store::open(&settings.db).expect("the database");
        let app = Arc::new(App::new(settings, store, clock.clone(), names.clone()).expect("an application"));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("its address");
        let (stop, stopped) = oneshot::channel::<()>();
        let (handled, closing) = (Arc::clone(&app), Arc::clone(&app));
        let serving = tokio::spawn(async move {
            let proxies = handled.settings.trusted_proxies.clone();
            let settings = server::Settings { proxies, ..server::Settings::default() };
            let handler = move |request| routes::answer(Arc::clone(&handled), request);
            let stop = async {
                drop(stopped.await);
                closing.close();
            };
            server::serve(listener, settings, handler, stop).await;
        });
        Self { app, address, directory, clock, names, stop: Some(stop), serving: Some(serving) }
    }

    /// A second server process on the same database, as far as the database can tell.
    pub async fn twin(&self) -> Self {
        let names = self.names.clone();
        Self::run(self.app.settings.clone(), Arc::clone(&self.directory), self.clock.clone(), names).await
    }

    /// A server on another file than this one's: a copy, made before.
    pub async fn twin_on(&self, db: PathBuf) -> Self {
        let settings = Settings { db, ..self.app.settings.clone() };
        Self::run(settings, Arc::clone(&self.directory), self.clock.clone(), self.names.clone()).await
    }

    /// Stops it, and starts it again on the same file: what was only in memory is gone.
    pub async fn restart(self) -> Self {
        self.restart_with(|_| {}).await
    }

    /// [`Server::restart`] with other settings.
    pub async fn restart_with(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        let (mut settings, directory) = (self.app.settings.clone(), Arc::clone(&self.directory));
        let (clock, names) = (self.clock.clone(), self.names.clone());
        change(&mut settings);
        drop(self.stop.take());
        if let Some(serving) = self.serving.take() {
            serving.await.expect("the server stops in order");
        }
        drop(self);
        Self::run(settings, directory, clock, names).await
    }

    /// Turns the clock by so many seconds, backwards if negative.
    pub fn advance(&self, seconds: i64) {
        self.clock.advance(seconds);
    }

    pub fn now(&self) -> UnixTime {
        self.clock.now()
    }

    /// Changes the database as a command does: over a connection of its own.
    pub fn command<T: Send + 'static>(
        &self,
        change: impl FnOnce(&WriteTx<'_>) -> Result<T, Fault> + Send + 'static,
    ) -> T {
        let store = Store::open(self.app.store.path()).expect("the database");
        store.write_and_wait(change).expect("the change")
    }

    /// The newest audit rows, the newest first: event, user's name, client, metadata.
    pub fn audit(&self) -> Vec<(String, Option<String>, Option<String>, serde_json::Value)> {
        let filter = vestibule::store::audit_logs::Filter::default();
        let rows =
            self.app.store.read(|tx| vestibule::store::audit_logs::list(tx, &filter)).expect("the audit log");
        rows.into_iter()
            .rev()
            .map(|row| {
                let metadata = serde_json::from_str(&row.metadata).expect("metadata is JSON");
                (row.event, row.user_name, row.client_id, metadata)
            })
            .collect()
    }

    pub fn get(&self, target: &str) -> Asked<'_> {
        self.ask(Method::GET, target)
    }

    pub fn post(&self, target: &str) -> Asked<'_> {
        self.ask(Method::POST, target)
    }

    pub fn ask(&self, method: Method, target: &str) -> Asked<'_> {
        Asked { server: self, method, target: target.to_owned(), headers: Vec::new(), body: Vec::new() }
    }

    /// The id of a user of the fixtures.
    pub fn user(&self, name: &str) -> User {
        let name = UserName::parse(name).expect("a name");
        self.app.store.read(|tx| users::find_by_name(tx, &name)).expect("the users").expect("the user")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
    }
}

/// A request on its way.
pub struct Asked<'a> {
    server: &'a Server,
    method: Method,
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Asked<'_> {
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// HTTP Basic, percent-encoded as RFC 6749 2.3.1 has it.
    pub fn basic(self, id: &str, secret: &str) -> Self {
        use base64::Engine;
        let encode = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let pair = format!("{}:{}", encode(id), encode(secret));
        let header = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair));
        self.header("authorization", &header)
    }

    /// A form; names may repeat.
    pub fn form<N: AsRef<str>, V: AsRef<str>>(self, fields: &[(N, V)]) -> Self {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(fields.iter().map(|(name, value)| (name.as_ref(), value.as_ref())));
        self.body("application/x-www-form-urlencoded", form.finish().into_bytes())
    }

    pub fn json(self, value: &serde_json::Value) -> Self {
        self.body("application/json", value.to_string().into_bytes())
    }

    pub fn body(mut self, content_type: &str, body: Vec<u8>) -> Self {
        self.body = body;
        self.header("content-type", content_type)
    }

    /// Sends it over a connection of its own.
    pub async fn send(self) -> Answer {
        let mut connection = Connection::open(self.server).await;
        connection.send(self.into_request()).await
    }

    /// The request as hyper has it, for a connection that is open already.
    pub fn into_request(self) -> hyper::Request<Full<Bytes>> {
        let mut request = hyper::Request::builder().method(self.method).uri(self.target);
        if !self.headers.iter().any(|(name, _)| name == "host") {
            request = request.header("host", "as.test");
        }
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        request.body(Full::new(Bytes::from(self.body))).expect("a request")
    }
}

fn fill(tx: &WriteTx<'_>) -> Result<(), Fault> {
    // One argon2 for all: it is made to be slow.
    let hash = password::hash(PASSWORD);
    for name in ["alice", "bob", "mallory"] {
        let user = User {
            id: UserId::new(),
            name: UserName::parse(name).expect("a name"),
            email: None,
            role: if name == "alice" { Role::Admin } else { Role::Member },
            created_at: START,
            disabled_at: None,
        };
        users::insert(tx, &user, Some(&hash))?;
    }
    for (uri, scopes) in [(R1, "a b"), (R2, "c d")] {
        resources::insert(tx, &resource(uri, scopes), START)?;
    }
    let code = [GrantType::AuthorizationCode, GrantType::RefreshToken];
    let native = [
        "http://127.0.0.1:1111/cb",
        "http://[::1]:1111/cb",
        "http://localhost:1111/cb",
        "com.example.app:/cb",
    ];
    let all = [GrantType::AuthorizationCode, GrantType::RefreshToken, GrantType::ClientCredentials];
    let jwks = KeySet::from_value(&ClientKey::pkj().jwks()).expect("a key set");
    let keys = Credential::Keys { source: KeySource::Here(jwks), assertion: Assertion::Required };
    let secret = |method| Credential::Secret { hash: SecretHash::of(SECRET), method };
    for fixture in [
        client("pub", Credential::Public, &["https://app.test/cb"], &code),
        client("nat", Credential::Public, &native, &code),
        client("conf", secret(AuthMethod::ClientSecretBasic), &["https://conf.test/cb"], &code),
        client("post", secret(AuthMethod::ClientSecretPost), &["https://post.test/cb"], &code),
        Client {
            audience: vec![ResourceUri::parse(R1).expect("a resource")],
            ..client("pkj", keys, &["https://pkj.test/cb"], &all)
        },
        Client {
            scope: Scope::parse("a b").ok(),
            audience: vec![ResourceUri::parse(R1).expect("a resource")],
            ..client("svc", secret(AuthMethod::ClientSecretBasic), &[], &[GrantType::ClientCredentials])
        },
    ] {
        clients::insert(tx, &fixture, "{}")?;
    }
    Ok(())
}

/// A resource that admits everyone.
pub fn resource(uri: &str, scopes: &str) -> Resource {
    Resource {
        uri: ResourceUri::parse(uri).expect("a resource"),
        name: uri.to_owned(),
        scopes: Scope::parse(scopes).expect("scopes"),
        admission: Admission::Everyone,
        token_lifetime: None,
        guard: None,
    }
}

/// A client of the owner's.
pub fn client(id: &str, credential: Credential, redirect_uris: &[&str], grant_types: &[GrantType]) -> Client {
    Client {
        id: ClientId::parse(id).expect("a client_id"),
        name: format!("The {id} client"),
        registered_by: RegisteredBy::Owner,
        credential,
        redirect_uris: redirect_uris.iter().map(|uri| RedirectUri::parse(uri).expect("a redirect")).collect(),
        grant_types: grant_types.to_vec(),
        scope: None,
        audience: Vec::new(),
        created_at: START,
        first_used_at: None,
    }
}
