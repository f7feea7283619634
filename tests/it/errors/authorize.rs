//! The authorization endpoint, once it is known where an answer may go.

use url::form_urlencoded;
use vestibule::oauth::client::Credential;
use vestibule::oauth::grant_type::GrantType;
use vestibule::oauth::refusal::AuthorizeRefusal as Refusal;
use vestibule::store::clients;

use super::{Row, table};
use crate::harness::{Answer, Browser, ClientApp, PASSWORD, R1, Server, client};

table! {
    Refusal;
    Refusal::ParameterRepeated(_) = Refusal::ParameterRepeated("nonce") => "parameter_repeated",
        "invalid_request", "A parameter is there more than once; only resource may repeat.";
    Refusal::ResponseTypeMissing = Refusal::ResponseTypeMissing => "response_type_missing",
        "invalid_request", "response_type is missing.";
    Refusal::ResponseTypeUnsupported = Refusal::ResponseTypeUnsupported => "response_type_unsupported",
        "unsupported_response_type", "Only response_type=code is supported.";
    Refusal::ResponseModeUnsupported = Refusal::ResponseModeUnsupported => "response_mode_unsupported",
        "invalid_request", "Only response_mode=query is supported.";
    Refusal::ChallengeMissing = Refusal::ChallengeMissing => "challenge_missing",
        "invalid_request", "PKCE is required: code_challenge is missing.";
    Refusal::ChallengeMethodUnsupported = Refusal::ChallengeMethodUnsupported => "challenge_method_unsupported",
        "invalid_request", "PKCE is required with code_challenge_method=S256.";
    Refusal::ChallengeMalformed = Refusal::ChallengeMalformed => "challenge_malformed",
        "invalid_request", "code_challenge is not 43 characters of base64url.";
    Refusal::ScopeMalformed = Refusal::ScopeMalformed => "scope_malformed",
        "invalid_scope", "The scope is malformed or too long.";
    Refusal::ResourceMalformed = Refusal::ResourceMalformed => "resource_malformed",
        "invalid_target", "A resource is not an absolute URI without fragment.";
    Refusal::ResourcesTooMany = Refusal::ResourcesTooMany => "resources_too_many",
        "invalid_target", "There are more than 10 resource parameters.";
    Refusal::ResourceUnknown(_) = Refusal::ResourceUnknown(vec![]) => "resource_unknown",
        "invalid_target", "A resource is not registered here; the server log names the command that adds it.";
    Refusal::UserNotAdmitted(_) = Refusal::UserNotAdmitted(vec![]) => "user_not_admitted",
        "access_denied", "The resource does not admit this user.";
    Refusal::GrantTypeNotAllowed = Refusal::GrantTypeNotAllowed => "grant_type_not_allowed",
        "unauthorized_client", "The client is not registered for authorization_code.";
    Refusal::RequestObject = Refusal::RequestObject => "request_object",
        "request_not_supported", "Request objects are not supported.";
    Refusal::RequestUri = Refusal::RequestUri => "request_uri",
        "request_uri_not_supported", "request_uri is not supported.";
    Refusal::PromptMalformed = Refusal::PromptMalformed => "prompt_malformed",
        "invalid_request", "prompt or max_age is malformed.";
    Refusal::LoginRequired = Refusal::LoginRequired => "login_required",
        "login_required", "Nobody is signed in.";
    Refusal::ConsentRequired = Refusal::ConsentRequired => "consent_required",
        "consent_required", "The user has not agreed to this yet.";
    Refusal::Denied = Refusal::Denied => "denied",
        "access_denied", "The user said no.";
}

#[test]
fn the_table_says_what_the_source_says() {
    for (example, row) in examples().iter().zip(ROWS) {
        let (code, description) = example.wire();
        assert_eq!((code.as_str(), description), (row.error, row.description));
    }
}

/// The authorization URL of a request that is refused by itself; `None` where it takes a person.
fn url(app: &ClientApp, reason: &str) -> Option<String> {
    let changed = |name, value| Some(app.authorize_url(&[(name, value)]));
    match reason {
        "parameter_repeated" => Some(app.authorize_url(&[]) + "&nonce=canary&nonce=canary"),
        "response_type_missing" => changed("response_type", ""),
        "response_type_unsupported" => changed("response_type", "canary"),
        "response_mode_unsupported" => changed("response_mode", "canary"),
        "challenge_missing" => changed("code_challenge", ""),
        "challenge_method_unsupported" => changed("code_challenge_method", "canary"),
        "challenge_malformed" => changed("code_challenge", "canary"),
        "scope_malformed" => changed("scope", "canary\""),
        "resource_malformed" => changed("resource", "canary"),
        "resources_too_many" => Some(app.authorize_url(&[("resource", R1); 11])),
        "resource_unknown" => changed("resource", "https://canary.test/mcp"),
        "request_object" => changed("request", "canary"),
        "request_uri" => changed("request_uri", "https://canary.test/"),
        "prompt_malformed" => changed("prompt", "none canary"),
        "login_required" => changed("prompt", "none"),
        _ => None,
    }
}

/// Requests that a person must have looked at, or a client that is not as the others.
async fn in_person(server: &Server, app: &ClientApp, reason: &str) -> Answer {
    let first = ("resource", R1);
    match reason {
        "user_not_admitted" => {
            server.admit_only(R1, &["bob"]);
            let mut browser = Browser::signed_in(server, "alice").await;
            browser.get(server, &app.authorize_url(&[first])).await
        }
        "grant_type_not_allowed" => {
            let row =
                client("machine", Credential::Public, &[&app.redirect_uri], &[GrantType::ClientCredentials]);
            server.command(move |tx| clients::insert(tx, &row, "{}"));
            let machine = ClientApp { id: "machine".to_owned(), ..app.clone() };
            Browser::new().get(server, &machine.authorize_url(&[])).await
        }
        "consent_required" => {
            let mut browser = Browser::signed_in(server, "alice").await;
            browser.get(server, &app.authorize_url(&[first, ("prompt", "none")])).await
        }
        "denied" => {
            let mut browser = Browser::new();
            let page = browser.go(server, &app.authorize_url(&[first])).await;
            let signed_in = browser.sign_in(server, &page, "alice", PASSWORD).await;
            let page = browser.go(server, &signed_in.location()).await;
            browser.decide(server, &page, "deny").await
        }
        other => panic!("no request provokes {other}"),
    }
}

#[tokio::test]
async fn every_refusal_of_the_authorization_endpoint_to_its_bytes() {
    for row in ROWS {
        let server = Server::start().await;
        let app = ClientApp::fixture("pub");
        let answer = match url(&app, row.reason) {
            Some(url) => Browser::new().get(&server, &url).await,
            None => in_person(&server, &app, row.reason).await,
        };
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs([
            ("error", row.error),
            ("error_description", row.description),
            ("state", "a-state"),
            ("iss", "https://as.test"),
        ]);
        assert_eq!(answer.location(), format!("https://app.test/cb?{}", query.finish()), "{}", row.reason);
        assert_eq!((answer.status.as_u16(), answer.text().as_str()), (303, ""), "{}", row.reason);
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{}", row.reason);
        assert_eq!(answer.header("access-control-allow-origin"), None, "C-BCP-21");
        let (event, _, _, metadata) = &server.audit()[0];
        assert_eq!(event, "oauth.authorize.refused");
        assert_eq!((&metadata["reason"], &metadata["error"]), (&row.reason.into(), &row.error.into()));
    }
}

#[tokio::test]
async fn c_bcp_04_a_client_that_registered_itself_gets_a_page_until_somebody_has_signed_in() {
    let server = Server::start().await;
    let stranger = ClientApp::registered(&server, "https://stranger.test/cb").await;
    for row in ROWS {
        let Some(url) = url(&stranger, row.reason) else { continue };
        let machine = server.get(&url).send().await;
        assert_eq!((machine.status.as_u16(), machine.text()), (400, row.json()), "{}", row.reason);
        let page = Browser::new().get(&server, &url).await;
        page.assert_problem_page(400);
        assert!(page.is_html() && page.text().contains(row.description), "{}", row.reason);
        assert_eq!(server.audit()[0].3["reason"], row.reason);
    }
}
