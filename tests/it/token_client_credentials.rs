//! client_credentials: a machine client gets only what is on its allow-list.

use serde_json::json;

use crate::harness::{ClientApp, R1, R2, Server, Tokens};

#[tokio::test]
async fn a_res_04_without_resource_the_token_is_for_the_whole_allow_list() {
    let server = Server::start().await;
    let svc = ClientApp::fixture("svc");
    let answer = svc.token(&server, &[("grant_type", "client_credentials")]).await;
    let tokens = Tokens::of(&answer);
    assert_eq!(tokens.claims["aud"], R1);
    assert_eq!(tokens.claims["sub"], "svc");
    assert_eq!(tokens.claims["client_id"], "svc");
    assert_eq!(tokens.scope.as_deref(), Some("a b"));
    assert_eq!(tokens.refresh, None, "RFC 6749 4.4.3");
    assert_eq!(tokens.claims["exp"].as_i64().unwrap() - tokens.claims["iat"].as_i64().unwrap(), 3600);
    let (event, _, client, metadata) = &server.audit()[0];
    assert_eq!((event.as_str(), client.as_deref()), ("oauth.token.exchange.success", Some("svc")));
    assert_eq!(metadata["resources"], json!([R1]));
}

#[tokio::test]
async fn a_res_01_02_outside_its_allow_list_it_gets_nothing_and_the_audit_names_what_it_asked_for() {
    let server = Server::start().await;
    let svc = ClientApp::fixture("svc");
    for resources in [&[R2][..], &[R1, R2]] {
        let mut fields = vec![("grant_type", "client_credentials")];
        fields.extend(resources.iter().map(|uri| ("resource", *uri)));
        svc.token(&server, &fields).await.assert_refused("invalid_target");
        let (event, _, client, metadata) = &server.audit()[0];
        assert_eq!((event.as_str(), client.as_deref()), ("oauth.token.exchange.failure", Some("svc")));
        assert_eq!(metadata["extra_resources"], json!([R2]));
        assert_eq!(metadata["reason"], "resource_not_allowed");
    }
}
