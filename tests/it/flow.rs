//! From an authorization URL to a token that a resource server accepts, in one piece.

use crate::harness::{Browser, ClientApp, R1, Server, Tokens};

#[tokio::test]
async fn a_person_signs_in_agrees_and_the_client_has_a_token_for_the_resource() {
    let server = Server::start().await;
    let app = ClientApp::fixture("pub");
    let mut browser = Browser::new();
    let code = app
        .code(&server, &mut browser, "alice", &[("resource", R1), ("scope", "a zzz offline_access")])
        .await;
    let tokens = Tokens::of(&app.redeem(&server, &code, &[]).await);
    assert_eq!(tokens.claims["aud"], R1);
    assert_eq!(tokens.claims["sub"], server.user("alice").id.as_str());
    assert_eq!(tokens.scope.as_deref(), Some("a offline_access"));
    let next = Tokens::of(&app.refresh(&server, tokens.refresh(), &[]).await);
    assert_ne!(next.refresh(), tokens.refresh());
    assert_eq!(next.claims["aud"], R1);
}
