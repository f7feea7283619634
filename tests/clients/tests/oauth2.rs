//! The `oauth2` crate: a plain OAuth client that has never heard of MCP, with `resource` as an extra
//! parameter (RFC 8707).

use oauth2::basic::{BasicClient, BasicErrorResponseType, BasicTokenResponse};
use oauth2::{
    AuthType, AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointNotSet, EndpointSet,
    HttpRequest, HttpResponse, IntrospectionUrl, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl,
    RefreshToken, RequestTokenError, RevocationUrl, Scope, StandardRevocableToken,
    TokenIntrospectionResponse, TokenResponse, TokenUrl,
};
use url::Url;

use crate::harness::{Answer, Browser, Person, RegisteredClient, Vestibule, Visit};
use crate::resource_server::{AccessToken, Verifier};

const BOB: Person = Person { name: "bob", password: "the house behind the hall" };
/// Nobody listens there: the browser stops before it.
const REDIRECT_URI: &str = "http://127.0.0.1:41417/back";
/// Two resources that need not run: their names are all that matters here.
const NOTES: &str = "https://notes.home.example/mcp";
const LIGHTS: &str = "https://lights.home.example/mcp";

type Client = BasicClient<EndpointSet, EndpointNotSet, EndpointSet, EndpointSet, EndpointSet>;

/// Vestibule with Bob and two resources.
async fn vestibule() -> Vestibule {
    let vestibule = Vestibule::start().await;
    vestibule.add_user(&BOB).await;
    vestibule.add_resource(NOTES, "read write").await;
    vestibule.add_resource(LIGHTS, "read write").await;
    vestibule
}

fn client(vestibule: &Vestibule, registered: &RegisteredClient) -> Client {
    // `oauth2` revokes over https only. `http` below undoes this, as a proxy in front of Vestibule would.
    let revocation = vestibule.url("/oauth/revoke").replace("http://", "https://");
    let client = BasicClient::new(ClientId::new(registered.client_id.clone()))
        .set_auth_uri(AuthUrl::new(vestibule.url("/oauth/authorize")).unwrap())
        .set_token_uri(TokenUrl::new(vestibule.url("/oauth/token")).unwrap())
        .set_introspection_url(IntrospectionUrl::new(vestibule.url("/oauth/introspect")).unwrap())
        .set_revocation_url(RevocationUrl::new(revocation).unwrap())
        .set_redirect_uri(RedirectUrl::new(REDIRECT_URI.to_owned()).unwrap());
    match &registered.client_secret {
        Some(secret) => client.set_client_secret(ClientSecret::new(secret.clone())),
        None => client,
    }
}

/// The HTTP function: `reqwest` without redirects, since a token endpoint has none.
async fn http(request: HttpRequest) -> Result<HttpResponse, reqwest::Error> {
    let mut request = reqwest::Request::try_from(request)?;
    request.url_mut().set_scheme("http").expect("https may become http");
    let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
    let response = http.execute(request).await?;
    let (status, headers) = (response.status(), response.headers().clone());
    let mut answer = HttpResponse::new(response.bytes().await?.to_vec());
    *answer.status_mut() = status;
    *answer.headers_mut() = headers;
    Ok(answer)
}

/// Asks Bob. The verifier belongs to the visit's code.
async fn ask(client: &Client, resources: &[&str], answer: Answer) -> (Visit, PkceCodeVerifier) {
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let mut request = client
        .authorize_url(CsrfToken::new_random)
        .set_pkce_challenge(challenge)
        .add_scope(Scope::new("read".to_owned()))
        .add_scope(Scope::new("write".to_owned()));
    for resource in resources {
        request = request.add_extra_param("resource", *resource);
    }
    let (url, state) = request.url();
    let visit = Browser::of(BOB).visit(url.as_str(), REDIRECT_URI, answer).await;
    assert_eq!(visit.parameter("state").as_ref(), Some(state.secret()));
    let issuer = Url::parse(client.auth_uri()).unwrap().origin().ascii_serialization();
    assert_eq!(visit.parameter("iss"), Some(issuer), "RFC 9207: the answer says whose it is");
    (visit, verifier)
}

/// Asks Bob, who allows it, and exchanges the code.
async fn sign_in(client: &Client, resource: &str) -> BasicTokenResponse {
    let (visit, verifier) = ask(client, &[resource], Answer::Allow).await;
    assert_eq!(visit.forms_sent, ["/login", "/consent"]);
    let code = AuthorizationCode::new(visit.parameter("code").expect("allowed, so there is a code"));
    let request = client.exchange_code(code).set_pkce_verifier(verifier);
    request.add_extra_param("resource", resource).request_async(&http).await.unwrap()
}

/// The access token as `resource` reads it.
async fn read_at(resource: &str, vestibule: &Vestibule, tokens: &BasicTokenResponse) -> AccessToken {
    Verifier::fetch(vestibule.issuer(), resource).await.verify_now(tokens.access_token().secret()).unwrap()
}

/// The OAuth error of a refused token request.
fn refusal<T, RE>(
    result: Result<T, RequestTokenError<RE, oauth2::basic::BasicErrorResponse>>,
) -> BasicErrorResponseType
where
    RE: std::error::Error + 'static,
{
    match result {
        Err(RequestTokenError::ServerResponse(response)) => response.error().clone(),
        Err(other) => panic!("not an OAuth error: {other:?}"),
        Ok(_) => panic!("not refused"),
    }
}

fn invalid_target() -> BasicErrorResponseType {
    BasicErrorResponseType::Extension("invalid_target".to_owned())
}

/// `client add` for somebody who signs people in.
async fn interactive_client(vestibule: &Vestibule, name: &str, kind: &[&str]) -> RegisteredClient {
    let grants = ["--grant", "authorization_code", "--grant", "refresh_token"];
    vestibule
        .add_client(&[&["--name", name, "--redirect-uri", REDIRECT_URI], &grants[..], kind].concat())
        .await
}

async fn public_client(vestibule: &Vestibule) -> RegisteredClient {
    let client = interactive_client(vestibule, "A public app", &["--public"]).await;
    assert!(client.client_secret.is_none(), "a public client keeps no secret");
    client
}

async fn confidential_client(vestibule: &Vestibule) -> RegisteredClient {
    let client = interactive_client(vestibule, "A web app", &[]).await;
    assert!(client.client_secret.is_some(), "a confidential client has a secret");
    client
}

async fn machine_client(vestibule: &Vestibule) -> RegisteredClient {
    let flags =
        ["--name", "A night job", "--grant", "client_credentials", "--audience", NOTES, "--scopes", "read"];
    vestibule.add_client(&flags).await
}

#[tokio::test]
async fn a_public_client_signs_in_with_pkce_and_refreshes() {
    let vestibule = vestibule().await;
    let registered = public_client(&vestibule).await;
    let client = client(&vestibule, &registered);

    let tokens = sign_in(&client, NOTES).await;
    let token = read_at(NOTES, &vestibule, &tokens).await;
    assert_eq!((token.audience(), &token.client_id), (vec![NOTES], &registered.client_id));
    assert!(token.has_scope("read") && token.has_scope("write"));
    let granted: Vec<&str> =
        tokens.scopes().expect("scope is always answered").iter().map(|s| s.as_str()).collect();
    assert_eq!(granted, ["read", "write"]);

    let refresh = tokens.refresh_token().expect("an interactive grant has one");
    let rotated: BasicTokenResponse =
        client.exchange_refresh_token(refresh).request_async(&http).await.unwrap();
    assert_ne!(rotated.refresh_token().map(RefreshToken::secret), Some(refresh.secret()));
    let refreshed = read_at(NOTES, &vestibule, &rotated).await;
    assert_ne!(refreshed.jti, token.jti);
    assert_eq!((refreshed.sub.as_str(), refreshed.audience()), (token.sub.as_str(), token.audience()));
}

#[tokio::test]
async fn a_confidential_client_authenticates_by_header_or_in_the_body() {
    let vestibule = vestibule().await;
    let registered = confidential_client(&vestibule).await;
    for auth_type in [AuthType::BasicAuth, AuthType::RequestBody] {
        let client = client(&vestibule, &registered).set_auth_type(auth_type);
        let (visit, verifier) = ask(&client, &[NOTES], Answer::Allow).await;
        let code = AuthorizationCode::new(visit.parameter("code").expect("allowed, so there is a code"));
        let tokens =
            client.exchange_code(code).set_pkce_verifier(verifier).request_async(&http).await.unwrap();
        assert_eq!(read_at(NOTES, &vestibule, &tokens).await.client_id, registered.client_id);
    }
}

#[tokio::test]
async fn a_confidential_client_without_its_secret_gets_nothing() {
    let vestibule = vestibule().await;
    let mut registered = confidential_client(&vestibule).await;
    registered.client_secret = Some("not the secret".to_owned());
    let client = client(&vestibule, &registered);
    let (visit, verifier) = ask(&client, &[NOTES], Answer::Allow).await;
    let code = AuthorizationCode::new(visit.parameter("code").expect("allowed, so there is a code"));
    let result = client.exchange_code(code).set_pkce_verifier(verifier).request_async(&http).await;
    assert_eq!(refusal(result), BasicErrorResponseType::InvalidClient);
}

#[tokio::test]
async fn a_code_is_worth_nothing_without_its_verifier() {
    let vestibule = vestibule().await;
    let client = client(&vestibule, &public_client(&vestibule).await);
    let (visit, _verifier) = ask(&client, &[NOTES], Answer::Allow).await;
    let code = AuthorizationCode::new(visit.parameter("code").expect("allowed, so there is a code"));
    let (_, of_another) = PkceCodeChallenge::new_random_sha256();
    let result = client.exchange_code(code).set_pkce_verifier(of_another).request_async(&http).await;
    assert_eq!(refusal(result), BasicErrorResponseType::InvalidGrant);
}

#[tokio::test]
async fn a_person_who_denies_sends_back_access_denied() {
    let vestibule = vestibule().await;
    let client = client(&vestibule, &public_client(&vestibule).await);
    let (visit, _) = ask(&client, &[NOTES], Answer::Deny).await;
    assert_eq!(visit.parameter("error").as_deref(), Some("access_denied"));
    assert_eq!(visit.parameter("code"), None);
}

#[tokio::test]
async fn an_unknown_resource_is_refused_before_anybody_signs_in() {
    let vestibule = vestibule().await;
    let client = client(&vestibule, &public_client(&vestibule).await);
    let (visit, _) = ask(&client, &["https://stranger.example/mcp"], Answer::Allow).await;
    assert_eq!(visit.parameter("error").as_deref(), Some("invalid_target"));
    assert_eq!(visit.forms_sent, [""; 0]);
}

#[tokio::test]
async fn several_resources_survive_the_browser_and_are_narrowed_for_good() {
    let vestibule = vestibule().await;
    let client = client(&vestibule, &public_client(&vestibule).await);
    let (visit, verifier) = ask(&client, &[NOTES, LIGHTS], Answer::Allow).await;
    let code = AuthorizationCode::new(visit.parameter("code").expect("allowed, so there is a code"));
    let tokens: BasicTokenResponse =
        client.exchange_code(code).set_pkce_verifier(verifier).request_async(&http).await.unwrap();
    let mut audience = read_at(NOTES, &vestibule, &tokens).await.audience().join(" ");
    assert!(audience == format!("{NOTES} {LIGHTS}") || audience == format!("{LIGHTS} {NOTES}"), "{audience}");

    let narrow =
        client.exchange_refresh_token(tokens.refresh_token().unwrap()).add_extra_param("resource", LIGHTS);
    let narrowed = narrow.request_async(&http).await.unwrap();
    audience = read_at(LIGHTS, &vestibule, &narrowed).await.audience().join(" ");
    assert_eq!(audience, LIGHTS);
    let refresh = narrowed.refresh_token().unwrap();
    let wider = client.exchange_refresh_token(refresh).add_extra_param("resource", NOTES);
    assert_eq!(refusal(wider.request_async(&http).await), invalid_target());
}

#[tokio::test]
async fn a_machine_gets_a_token_for_its_audience_and_no_other() {
    let vestibule = vestibule().await;
    let registered = machine_client(&vestibule).await;
    let client = client(&vestibule, &registered);

    let request = client.exchange_client_credentials().add_extra_param("resource", NOTES);
    let tokens = request.add_scope(Scope::new("read".to_owned())).request_async(&http).await.unwrap();
    assert!(tokens.refresh_token().is_none(), "RFC 6749 4.4.3");
    let token = read_at(NOTES, &vestibule, &tokens).await;
    assert_eq!((token.audience(), &token.sub), (vec![NOTES], &registered.client_id));
    assert!(token.has_scope("read") && !token.has_scope("write"));

    let unnamed = client.exchange_client_credentials().request_async(&http).await.unwrap();
    assert_eq!(read_at(NOTES, &vestibule, &unnamed).await.audience(), [NOTES]);

    let other = client.exchange_client_credentials().add_extra_param("resource", LIGHTS);
    assert_eq!(refusal(other.request_async(&http).await), invalid_target());
}

#[tokio::test]
async fn introspection_tells_what_a_token_is_until_it_is_revoked() {
    let vestibule = vestibule().await;
    let registered = confidential_client(&vestibule).await;
    let client = client(&vestibule, &registered);
    let tokens = sign_in(&client, NOTES).await;

    let told = client.introspect(tokens.access_token()).request_async(&http).await.unwrap();
    assert!(told.active());
    assert_eq!(told.client_id().map(|id| id.as_str()), Some(registered.client_id.as_str()));
    assert_eq!(told.aud().cloned(), Some(vec![NOTES.to_owned()]));
    assert_eq!(told.iss(), Some(vestibule.issuer()));
    assert!(told.exp().is_some() && told.sub().is_some());

    let refresh = tokens.refresh_token().expect("an interactive grant has one");
    // `oauth2` has one word for tokens that can be introspected; the server tells them apart.
    let as_introspected = oauth2::AccessToken::new(refresh.secret().clone());
    let told = client.introspect(&as_introspected).request_async(&http).await.unwrap();
    assert!(told.active());

    let revocation = client.revoke_token(StandardRevocableToken::from(refresh)).unwrap();
    revocation.request_async(&http).await.unwrap();
    let told = client.introspect(&as_introspected).request_async(&http).await.unwrap();
    assert!(!told.active());
    let result = client.exchange_refresh_token(refresh).request_async(&http).await;
    assert_eq!(refusal(result), BasicErrorResponseType::InvalidGrant);
}

#[tokio::test]
async fn revoking_a_token_that_nobody_knows_succeeds() {
    let vestibule = vestibule().await;
    let client = client(&vestibule, &public_client(&vestibule).await);
    let unknown = RefreshToken::new("never issued".to_owned());
    let revocation = client.revoke_token(StandardRevocableToken::from(unknown)).unwrap();
    revocation.request_async(&http).await.expect("RFC 7009 2.2");
}
