//! A client application: it builds authorization URLs and talks to the token endpoint.

use serde_json::Value;
use url::form_urlencoded;
use vestibule::oauth::client_assertion::ASSERTION_TYPE;
use vestibule::oauth::pkce::PkceVerifier;

use super::server::{Asked, SECRET};
use super::{Answer, Browser, ClientKey, Server};

/// A PKCE pair.
#[derive(Clone, Debug)]
pub struct Pkce {
    pub verifier: String,
    pub challenge: String,
}

impl Pkce {
    pub fn new() -> Self {
        let bytes = vestibule::crypto::random::bytes::<32>();
        let verifier = vestibule::crypto::digest::to_base64url(&bytes);
        let challenge = PkceVerifier::parse(&verifier).expect("43 characters").challenge();
        Self { verifier, challenge }
    }
}

/// One of the fixtures' clients, or any other.
#[derive(Clone, Debug)]
pub struct ClientApp {
    pub id: String,
    pub secret: Option<String>,
    pub redirect_uri: String,
    pub pkce: Pkce,
}

/// What a token answer holds.
#[derive(Clone, Debug)]
pub struct Tokens {
    pub access: String,
    pub refresh: Option<String>,
    pub scope: Option<String>,
    pub claims: Value,
}

impl Tokens {
    /// Reads a successful answer, and holds it to what every token answer promises (RFC 6749 5.1).
    #[track_caller]
    pub fn of(answer: &Answer) -> Self {
        assert_eq!(answer.status.as_u16(), 200, "{}", answer.text());
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let body = answer.json();
        assert_eq!(body["token_type"], "Bearer");
        assert!(body["expires_in"].as_u64().is_some_and(|seconds| seconds > 0), "{body}");
        let text = |name: &str| body[name].as_str().map(str::to_owned);
        let access = text("access_token").expect("an access token");
        Self { claims: claims(&access), access, refresh: text("refresh_token"), scope: text("scope") }
    }

    pub fn refresh(&self) -> &str {
        self.refresh.as_deref().expect("a refresh token")
    }
}

/// The claims of a token, unverified: for looking at.
pub fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).expect("a compact JWS");
    let bytes = vestibule::crypto::digest::from_base64url(payload).expect("base64url");
    serde_json::from_slice(&bytes).expect("JSON")
}

impl ClientApp {
    /// A client of the fixtures.
    pub fn fixture(id: &str) -> Self {
        let (secret, redirect_uri) = match id {
            "pub" | "evil" => (None, "https://app.test/cb"),
            "nat" => (None, "http://127.0.0.1:49152/cb"),
            "conf" => (Some(SECRET.to_owned()), "https://conf.test/cb"),
            "post" => (Some(SECRET.to_owned()), "https://post.test/cb"),
            "pkj" => (None, "https://pkj.test/cb"),
            "svc" => (Some(SECRET.to_owned()), ""),
            other => panic!("{other} is not one of the fixtures"),
        };
        Self { id: id.to_owned(), secret, redirect_uri: redirect_uri.to_owned(), pkce: Pkce::new() }
    }

    /// A public client that registers itself (RFC 7591).
    pub async fn registered(server: &Server, redirect_uri: &str) -> Self {
        let body = serde_json::json!({ "client_name": "A stranger", "redirect_uris": [redirect_uri] });
        let answer = server.post("/oauth/register").json(&body).send().await;
        assert_eq!(answer.status.as_u16(), 201, "{}", answer.text());
        let id = answer.json()["client_id"].as_str().expect("a client_id").to_owned();
        Self { id, secret: None, redirect_uri: redirect_uri.to_owned(), pkce: Pkce::new() }
    }

    /// The parameters of an authorization request, to be changed by a test.
    pub fn authorize_params(&self) -> Vec<(String, String)> {
        [
            ("response_type", "code"),
            ("client_id", &self.id),
            ("redirect_uri", &self.redirect_uri),
            ("code_challenge", &self.pkce.challenge),
            ("code_challenge_method", "S256"),
            ("state", "a-state"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
    }

    /// An authorization URL with more parameters; one with the name of a standard one replaces it, and an empty value
    /// takes it away. `resource` adds up.
    pub fn authorize_url(&self, more: &[(&str, &str)]) -> String {
        let mut params = self.authorize_params();
        for (name, value) in more {
            if *name != "resource" {
                params.retain(|(have, _)| have != name);
            }
            if !value.is_empty() {
                params.push(((*name).to_owned(), (*value).to_owned()));
            }
        }
        url_with(&params)
    }

    /// A whole authorization by somebody who allows it: the code.
    pub async fn code(
        &self,
        server: &Server,
        browser: &mut Browser,
        name: &str,
        more: &[(&str, &str)],
    ) -> String {
        let answer = browser.allow(server, &self.authorize_url(more), name).await;
        assert_eq!(answer.location_param("error"), None, "{}", answer.location());
        answer.location_param("code").unwrap_or_else(|| panic!("no code in {}", answer.location()))
    }

    /// A token request with this client's own authentication.
    pub async fn token(&self, server: &Server, fields: &[(&str, &str)]) -> Answer {
        self.token_request(server, fields).send().await
    }

    /// [`ClientApp::token`], not yet sent.
    pub fn token_request<'a>(&self, server: &'a Server, fields: &[(&str, &str)]) -> Asked<'a> {
        let mut fields = fields.to_vec();
        let asked = server.post("/oauth/token");
        match &self.secret {
            Some(secret) if self.id != "post" => asked.basic(&self.id, secret).form(&fields),
            Some(secret) => {
                fields.extend([("client_id", self.id.as_str()), ("client_secret", secret)]);
                asked.form(&fields)
            }
            None if self.id == "pkj" => {
                let assertion = ClientKey::pkj().assertion(server, &self.id);
                fields.extend([("client_assertion_type", ASSERTION_TYPE), ("client_assertion", &assertion)]);
                asked.form(&fields)
            }
            None => {
                fields.push(("client_id", &self.id));
                asked.form(&fields)
            }
        }
    }

    /// Redeems a code.
    pub async fn redeem(&self, server: &Server, code: &str, more: &[(&str, &str)]) -> Answer {
        self.redemption(server, code, more).send().await
    }

    /// [`ClientApp::redeem`], not yet sent.
    pub fn redemption<'a>(&self, server: &'a Server, code: &str, more: &[(&str, &str)]) -> Asked<'a> {
        let mut fields = vec![
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &self.redirect_uri),
            ("code_verifier", &self.pkce.verifier),
        ];
        fields.extend_from_slice(more);
        self.token_request(server, &fields)
    }

    /// Refreshes.
    pub async fn refresh(&self, server: &Server, token: &str, more: &[(&str, &str)]) -> Answer {
        let mut fields = vec![("grant_type", "refresh_token"), ("refresh_token", token)];
        fields.extend_from_slice(more);
        self.token(server, &fields).await
    }

    /// A whole authorization and redemption.
    pub async fn tokens(&self, server: &Server, name: &str, more: &[(&str, &str)]) -> Tokens {
        let mut browser = Browser::new();
        let code = self.code(server, &mut browser, name, more).await;
        Tokens::of(&self.redeem(server, &code, &[]).await)
    }

    /// Introspects as this client.
    pub async fn introspect(&self, server: &Server, token: &str) -> Value {
        let secret = self.secret.as_deref().expect("a confidential client");
        let answer =
            server.post("/oauth/introspect").basic(&self.id, secret).form(&[("token", token)]).send().await;
        assert_eq!(answer.status.as_u16(), 200, "{}", answer.text());
        answer.json()
    }

    /// Revokes as this client.
    pub async fn revoke(&self, server: &Server, token: &str) -> Answer {
        let fields = [("token", token), ("client_id", self.id.as_str())];
        match &self.secret {
            Some(secret) => {
                server.post("/oauth/revoke").basic(&self.id, secret).form(&fields[..1]).send().await
            }
            None => server.post("/oauth/revoke").form(&fields).send().await,
        }
    }
}

/// `/oauth/authorize` with these parameters.
pub fn url_with(params: &[(String, String)]) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(params);
    format!("/oauth/authorize?{}", query.finish())
}
