//! Problems that no client hears of: a page for a person, JSON for a program.

use vestibule::oauth::redirect_uri::AppLinks;
use vestibule::oauth::refusal::PageRefusal as Refusal;
use vestibule::oauth::visit::VisitState;

use super::{Row, table};
use crate::harness::{Answer, Browser, ClientApp, R1, Server};

table! {
    Refusal;
    Refusal::ClientMissing = Refusal::ClientMissing => "client_missing",
        "invalid_request", "The request does not say which app it is for.";
    Refusal::ClientUnknown = Refusal::ClientUnknown => "client_unknown",
        "invalid_client", "This server does not know the app that sent you.";
    Refusal::RedirectUriMissing = Refusal::RedirectUriMissing => "redirect_uri_missing",
        "invalid_request", "The request does not say where its answer should go.";
    Refusal::RedirectUriUnknown(_) = Refusal::RedirectUriUnknown(String::new()) => "redirect_uri_unknown",
        "invalid_request", "The app wants its answer at an address that it did not register.";
    Refusal::AppLink(_) = Refusal::AppLink(String::new()) => "app_link",
        "invalid_request", "The app wants its answer by a link of a scheme of its own.";
    Refusal::AuthorizationUnknown = Refusal::AuthorizationUnknown => "authorization_unknown",
        "invalid_request", "The request that this page belongs to has expired or is not yours.";
    Refusal::AuthorizationAnswered = Refusal::AuthorizationAnswered => "authorization_answered",
        "invalid_request", "The request that this page belongs to was answered already.";
    Refusal::FormTokenWrong = Refusal::FormTokenWrong => "form_token_wrong",
        "invalid_request", "The form was not made for this browser as it is now.";
    Refusal::CrossSite = Refusal::CrossSite => "cross_site",
        "invalid_request", "The form was sent by another site.";
    Refusal::FormMalformed = Refusal::FormMalformed => "form_malformed",
        "invalid_request", "The form cannot be read: something is missing, doubled, or not one of the choices.";
    Refusal::SetupLinkInvalid = Refusal::SetupLinkInvalid => "setup_link_invalid",
        "invalid_request", "The set-up link is wrong, used, or more than an hour old.";
    Refusal::VisitLost = Refusal::VisitLost => "visit_lost",
        "invalid_request", "The sign-in cannot be taken along to where you came from.";
    Refusal::PlaceUnknown(_) = Refusal::PlaceUnknown(String::new()) => "place_unknown",
        "invalid_target", "The page that you came from is not one that this server knows.";
    Refusal::NotAdmitted(_) = Refusal::NotAdmitted(String::new()) => "not_admitted",
        "access_denied", "You are signed in, but the page that you wanted is for others.";
}

#[test]
fn the_table_says_what_the_source_says() {
    for (example, row) in examples().iter().zip(ROWS) {
        assert_eq!(example.code().as_str(), row.error);
    }
}

/// The id of a request that got its answer.
async fn answered(server: &Server) -> String {
    let mut alice = Browser::signed_in(server, "alice").await;
    let page = alice.go(server, &ClientApp::fixture("pub").authorize_url(&[("resource", R1)])).await;
    alice.decide(server, &page, "deny").await.assert_redirected_error("access_denied", Some("a-state"));
    page.field("authorization").expect("the page names its request")
}

async fn provoke(server: &Server, reason: &str, answered: &str, accept: &str) -> Answer {
    let app = ClientApp::fixture("pub");
    let login = [("form_token", "canary"), ("username", "canary"), ("password", "canary")];
    let asked = match reason {
        "client_missing" => server.get("/oauth/authorize?state=canary"),
        "client_unknown" => server.get(&app.authorize_url(&[("client_id", "canary")])),
        "redirect_uri_missing" => {
            server.get(&ClientApp::fixture("nat").authorize_url(&[("redirect_uri", "")]))
        }
        "redirect_uri_unknown" => {
            server.get(&app.authorize_url(&[("redirect_uri", "https://canary.test/cb")]))
        }
        "app_link" => server.get(
            &ClientApp::fixture("nat")
                .authorize_url(&[("redirect_uri", "com.example.app:/cb"), ("state", "canary")]),
        ),
        "authorization_unknown" => server.get("/consent?authorization=canary"),
        "authorization_answered" => {
            server.get(&format!("/oauth/authorize?authorization={answered}&state=canary"))
        }
        "form_token_wrong" => server.post("/login").form(&login),
        "cross_site" => server.post("/login").header("origin", "https://canary.test").form(&login),
        "form_malformed" => server.get("/oauth/authorize?state=canary%zz"),
        "setup_link_invalid" => server.get("/setup?token=canary"),
        "visit_lost" => server.get("/visit?state=canary"),
        "place_unknown" => {
            let state = VisitState::of("canary");
            server.get(&format!("/visit?to=https%3A%2F%2Fcanary.test%2F&state={state}"))
        }
        other => panic!("no request provokes {other}"),
    };
    asked.header("accept", accept).send().await
}

#[tokio::test]
async fn every_refusal_of_a_page_to_its_bytes() {
    let server = Server::start_with(|settings| settings.app_links = AppLinks::Refused).await;
    let answered = answered(&server).await;
    let before = server.contents();
    // One leaves a row in the audit, and needs somebody who is signed in: see verify.rs.
    for row in ROWS.iter().filter(|row| row.reason != "not_admitted") {
        let status = match row.reason {
            "form_token_wrong" | "cross_site" => 403,
            _ => 400,
        };
        let json = provoke(&server, row.reason, &answered, "*/*").await;
        assert_eq!((json.status.as_u16(), json.text()), (status, row.json()), "{}", row.reason);
        assert_eq!(json.header("content-type"), Some("application/json"));
        let page = provoke(&server, row.reason, &answered, "text/html,*/*;q=0.8").await;
        page.assert_problem_page(status);
        assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
        assert!(page.text().contains(row.description), "{}: {}", row.reason, page.text());
        // A person is shown the address that was refused, as text; nothing else of the request is repeated.
        let shown = page.text().contains("canary");
        let is_about_it = matches!(row.reason, "redirect_uri_unknown" | "place_unknown");
        assert_eq!(shown, is_about_it, "{}: {}", row.reason, page.text());
        assert!(!page.text().contains("\"https://canary"), "never as a link");
        for answer in [json, page] {
            assert_eq!(answer.header("cache-control"), Some("no-store"), "{}", row.reason);
            assert_eq!(answer.header("location"), None, "{}", row.reason);
            assert_eq!(answer.header("access-control-allow-origin"), None, "{}", row.reason);
        }
    }
    assert_eq!(server.contents(), before, "G6");
}
