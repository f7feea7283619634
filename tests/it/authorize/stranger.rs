//! A client that registered itself chose its own redirect URI, so before somebody has signed in nobody is sent there
//! without a click (RFC 9700 4.11.2; D8 of the catalogue).

use crate::harness::{Answer, Browser, ClientApp, R1, Server};

/// The targets of the page's links to other origins.
fn outward_links(page: &Answer) -> Vec<String> {
    let text = page.text();
    let links = text.split("<a ").skip(1).filter_map(|tag| tag.split("href=\"").nth(1));
    let links = links.filter_map(|rest| rest.split('"').next());
    links.filter(|link| !link.starts_with('/')).map(|link| link.replace("&amp;", "&")).collect()
}

/// What can be wrong with a request once its redirect URI is right.
const WRONG: [(&str, &str, &str); 4] = [
    ("response_type", "token", "unsupported_response_type"),
    ("scope", "\"", "invalid_scope"),
    ("resource", "https://unknown.test/mcp", "invalid_target"),
    ("prompt", "none", "login_required"),
];

#[tokio::test]
async fn c_bcp_04_05_before_sign_in_a_stranger_hears_of_an_error_by_a_link_only() {
    let server = Server::start().await;
    for redirect in ["https://stranger.test/cb", "cursor://stranger/cb"] {
        let app = ClientApp::registered(&server, redirect).await;
        for (name, value, error) in WRONG {
            let url = app.authorize_url(&[(name, value), ("state", "s&\"<b>")]);
            let page = Browser::new().get(&server, &url).await;
            page.assert_problem_page(400);
            let links = outward_links(&page);
            let [link] = links.as_slice() else { panic!("one link: {links:?}") };
            assert!(link.starts_with(&format!("{redirect}?error={error}&")), "{link}");
            assert!(link.ends_with("&state=s%26%22%3Cb%3E&iss=https%3A%2F%2Fas.test"), "{link}");
            let json = server.get(&url).send().await;
            assert_eq!((json.status.as_u16(), json.error().as_str()), (400, error));
        }
    }
}

#[tokio::test]
async fn c_bcp_04_after_sign_in_a_stranger_hears_of_an_error_by_redirect() {
    let server = Server::start().await;
    let app = ClientApp::registered(&server, "https://stranger.test/cb").await;
    let mut browser = Browser::signed_in(&server, "alice").await;
    for (name, value, error) in &WRONG[..3] {
        let answer = browser.get(&server, &app.authorize_url(&[(name, value)])).await;
        answer.assert_redirected_error(error, Some("a-state"));
        assert!(answer.location().starts_with("https://stranger.test/cb?"));
    }
    let page = browser.go(&server, &app.authorize_url(&[("resource", R1)])).await;
    assert!(page.text().contains("Unverified") && page.text().contains("stranger.test"), "C-MCP-02");
    let answer = browser.decide(&server, &page, "deny").await;
    answer.assert_redirected_error("access_denied", Some("a-state"));
}

#[tokio::test]
async fn d8_a_program_on_this_computer_and_a_client_of_the_owners_are_told_at_once() {
    let server = Server::start().await;
    let mut apps = vec![ClientApp::fixture("pub"), ClientApp::fixture("conf"), ClientApp::fixture("nat")];
    for redirect in ["http://127.0.0.1:3118/callback", "http://localhost:9/cb", "http://[::1]/cb"] {
        apps.push(ClientApp::registered(&server, redirect).await);
    }
    for app in apps {
        for (name, value, error) in WRONG {
            let answer = Browser::new().get(&server, &app.authorize_url(&[(name, value)])).await;
            answer.assert_redirected_error(error, Some("a-state"));
            assert!(answer.location().starts_with(&app.redirect_uri), "{}", answer.location());
        }
    }
}

#[tokio::test]
async fn an_unregistered_resource_is_named_to_the_owner_with_the_command_that_adds_it() {
    let server = Server::start().await;
    let app = ClientApp::registered(&server, "https://stranger.test/cb").await;
    let url = app.authorize_url(&[("resource", R1), ("resource", "https://new.test/mcp")]);
    let page = Browser::new().get(&server, &url).await;
    page.assert_problem_page(400);
    assert!(page.text().contains("vestibule resource add"));
    let (event, user, client, metadata) = server.audit().swap_remove(0);
    assert_eq!((event.as_str(), user), ("oauth.authorize.refused", None));
    assert_eq!(client.as_deref(), Some(app.id.as_str()));
    assert_eq!(metadata["error"], "invalid_target");
    assert_eq!(metadata["extra_resources"], serde_json::json!(["https://new.test/mcp"]));
    let text = metadata.to_string();
    assert!(text.contains("vestibule resource add 'https://new.test/mcp'"), "{text}");
}
