//! The `rmcp` client: from a bare URL to a tool's answer, and on past everything that ends a token.
//!
//! All of discovery, registration, PKCE and refresh is the client's own code.

use std::sync::Arc;

use oauth2::TokenResponse;
use rmcp::ServiceExt;
use rmcp::model::CallToolRequestParams;
use rmcp::service::{RoleClient, RunningService, ServiceError};
use rmcp::transport::StreamableHttpClientTransport;
use rmcp::transport::auth::{
    AuthClient, AuthorizationManager, AuthorizationRequest, CredentialStore, InMemoryCredentialStore,
    OAuthState,
};
use rmcp::transport::streamable_http_client::StreamableHttpClientTransportConfig;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use crate::harness::{Answer, Browser, Person, Vestibule};
use crate::resource_server::McpServer;

const ALICE: Person = Person { name: "alice", password: "a vestibule is a small hall" };
/// Nobody listens there: the browser stops before it.
const REDIRECT_URI: &str = "http://127.0.0.1:33418/callback";

/// A homelab: Vestibule, one MCP server known to it, and Alice at her browser.
struct Homelab {
    vestibule: Vestibule,
    mcp: McpServer,
    browser: Browser,
}

impl Homelab {
    async fn new() -> Self {
        let vestibule = Vestibule::start_on_kept_port().await;
        vestibule.add_user(&ALICE).await;
        let mcp = McpServer::start(vestibule.issuer()).await;
        vestibule.add_resource(mcp.url(), "read write").await;
        Self { vestibule, mcp, browser: Browser::of(ALICE) }
    }

    /// The client's first visit: it knows the MCP URL and nothing else.
    async fn sign_in(&mut self) -> Client {
        let store = InMemoryCredentialStore::new();
        let mut manager = AuthorizationManager::new(self.mcp.url()).await.unwrap();
        manager.set_credential_store(store.clone());
        let mut oauth = OAuthState::Unauthorized(manager);

        let request = AuthorizationRequest::new(REDIRECT_URI)
            .with_client_name("A client made elsewhere")
            .with_challenge(self.challenge().await);
        oauth.start_authorization(request).await.unwrap();
        let authorize_url = oauth.get_authorization_url().await.unwrap();
        let visit = self.browser.visit(&authorize_url, REDIRECT_URI, Answer::Allow).await;
        assert_eq!(visit.forms_sent, ["/login", "/consent"]);
        let consent = visit.consent_page.expect("a consent page was answered");
        assert!(consent.contains("A client made elsewhere") && consent.contains(self.mcp.url()), "{consent}");
        oauth.handle_callback_url(visit.callback.as_str()).await.unwrap();

        let manager = oauth.into_authorization_manager().expect("the callback was taken");
        self.connect(manager, store).await
    }

    /// What a request without a token is told.
    async fn challenge(&self) -> String {
        let refused = ().serve(StreamableHttpClientTransport::from_uri(self.mcp.url())).await;
        let Err(error) = refused else { panic!("a session without a token") };
        assert!(error.is_authorization_required(), "{error}");
        error.auth_challenge().expect("401 comes with a challenge").to_owned()
    }

    async fn connect(&self, manager: AuthorizationManager, store: InMemoryCredentialStore) -> Client {
        let http = AuthClient::new(reqwest::Client::default(), manager);
        let manager = Arc::clone(&http.auth_manager);
        let config = StreamableHttpClientTransportConfig::with_uri(self.mcp.url());
        let session = ().serve(StreamableHttpClientTransport::with_client(http, config)).await.unwrap();
        Client { session, manager, store }
    }
}

/// A client with a session, and the store where it keeps its tokens.
struct Client {
    session: RunningService<RoleClient, ()>,
    manager: Arc<Mutex<AuthorizationManager>>,
    store: InMemoryCredentialStore,
}

impl Client {
    async fn call(&self, tool: &'static str, arguments: Value) -> Result<String, ServiceError> {
        let arguments = arguments.as_object().expect("arguments are an object").clone();
        let result =
            self.session.call_tool(CallToolRequestParams::new(tool).with_arguments(arguments)).await?;
        Ok(result.content[0].as_text().expect("these tools answer with text").text.clone())
    }

    /// Works if the client holds, or can get, a token that the MCP server takes.
    async fn assert_connected(&self) {
        assert_eq!(self.call("echo", json!({ "text": "hello" })).await.unwrap(), "hello");
    }

    /// Lets the client believe that it got its access token at the beginning of time.
    async fn outlive_access_token(&self) {
        let mut credentials = self.store.load().await.unwrap().expect("the client is signed in");
        credentials.token_received_at = Some(0);
        self.store.save(credentials).await.unwrap();
    }

    async fn refresh_token(&self) -> String {
        let credentials = self.store.load().await.unwrap().expect("the client is signed in");
        let token = credentials.token_response.expect("the client has tokens");
        token.refresh_token().expect("a client that registers for it gets one").secret().clone()
    }
}

#[tokio::test]
async fn a_bare_mcp_url_is_enough_to_connect() {
    let mut homelab = Homelab::new().await;
    let client = homelab.sign_in().await;

    let tools = client.session.list_all_tools().await.unwrap();
    assert_eq!(tools.len(), 3);
    client.assert_connected().await;
    assert_eq!(client.call("add", json!({ "a": 2, "b": 40 })).await.unwrap(), "42");

    let token = homelab.mcp.last_token();
    assert_eq!(token.audience(), [homelab.mcp.url()]);
    assert_eq!(token.lifetime(), 3600);
    assert_ne!(token.sub, token.client_id, "the subject is Alice, not her client");
}

#[tokio::test]
async fn an_expired_access_token_is_refreshed_and_every_refresh_rotates() {
    let mut homelab = Homelab::new().await;
    let client = homelab.sign_in().await;
    client.assert_connected().await;
    let first = homelab.mcp.last_token();

    let mut spent = vec![client.refresh_token().await];
    for _ in 0..3 {
        client.outlive_access_token().await;
        client.assert_connected().await;
        let rotated = client.refresh_token().await;
        assert!(!spent.contains(&rotated), "a refresh token came back");
        spent.push(rotated);
    }

    let last = homelab.mcp.last_token();
    assert_ne!(last.jti, first.jti);
    assert_eq!((last.sub.as_str(), last.audience()), (first.sub.as_str(), first.audience()));
}

#[tokio::test]
async fn a_token_that_the_mcp_server_rejects_is_refreshed_within_the_call() {
    let mut homelab = Homelab::new().await;
    let client = homelab.sign_in().await;
    client.assert_connected().await;
    let rejected = homelab.mcp.last_token();
    homelab.mcp.withdraw(&rejected);

    client.assert_connected().await;
    assert_ne!(homelab.mcp.last_token().jti, rejected.jti);
}

#[tokio::test]
async fn a_restart_of_vestibule_signs_nobody_out() {
    let mut homelab = Homelab::new().await;
    let client = homelab.sign_in().await;
    client.outlive_access_token().await;
    homelab.vestibule.restart().await;
    client.assert_connected().await;

    // The client starts anew as well, with what it stored: no registration, no browser.
    let mut manager = AuthorizationManager::new(homelab.mcp.url()).await.unwrap();
    manager.set_credential_store(client.store.clone());
    assert!(manager.initialize_from_store().await.unwrap());
    client.outlive_access_token().await;
    homelab.connect(manager, client.store.clone()).await.assert_connected().await;
}

#[tokio::test]
async fn a_tool_that_needs_more_is_reached_by_asking_for_more() {
    let mut homelab = Homelab::new().await;
    let client = homelab.sign_in().await;
    let refused = client.call("keep", json!({ "text": "milk" })).await.unwrap_err();
    let challenge = refused.auth_challenge().expect("403 comes with a challenge");
    assert!(
        challenge.contains("insufficient_scope") && challenge.contains(r#"scope="write""#),
        "{challenge}"
    );

    let authorize_url = client.manager.lock().await.request_scope_upgrade("write").await.unwrap();
    let visit = homelab.browser.visit(&authorize_url, REDIRECT_URI, Answer::Allow).await;
    // Still signed in, but nobody has consented to `write` yet.
    assert_eq!(visit.forms_sent, ["/consent"]);
    let parameter =
        |name| visit.parameter(name).unwrap_or_else(|| panic!("{name} is missing: {}", visit.callback));
    let (code, state, issuer) = (parameter("code"), parameter("state"), parameter("iss"));
    let manager = client.manager.lock().await;
    manager.exchange_code_for_token_with_issuer(&code, &state, Some(&issuer)).await.unwrap();
    drop(manager);

    assert_eq!(client.call("keep", json!({ "text": "milk" })).await.unwrap(), "kept: milk");
    assert!(homelab.mcp.last_token().has_scope("read"), "what was granted before is still there");
}
