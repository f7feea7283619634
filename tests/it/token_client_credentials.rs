//! client_credentials: a machine client gets only what is on its allow-list.

use serde_json::{Value, json};
use vestibule::oauth::client::{Client, Credential};
use vestibule::oauth::grant_type::{AuthMethod, GrantType};
use vestibule::oauth::resource::ResourceUri;
use vestibule::oauth::scope::Scope;
use vestibule::oauth::secret::SecretHash;
use vestibule::store::clients;

use crate::harness::{Answer, ClientApp, R1, R2, SECRET, Server, Tokens, client};

const R3: &str = "https://r3.test/mcp";

/// A machine client with this allow-list and limit.
fn machine(server: &Server, id: &str, audience: &[&str], scope: Option<&str>) -> ClientApp {
    let credential =
        Credential::Secret { hash: SecretHash::of(SECRET), method: AuthMethod::ClientSecretBasic };
    let row = Client {
        audience: audience.iter().map(|uri| ResourceUri::parse(uri).expect("a resource")).collect(),
        scope: scope.map(|scope| Scope::parse(scope).expect("a scope")),
        ..client(id, credential, &[], &[GrantType::ClientCredentials])
    };
    assert!(server.command(move |tx| clients::insert(tx, &row, "{}")));
    ClientApp { id: id.to_owned(), ..ClientApp::fixture("svc") }
}

/// Asks for a token for these resources.
async fn ask(server: &Server, app: &ClientApp, resources: &[&str], more: &[(&str, &str)]) -> Answer {
    let mut fields = vec![("grant_type", "client_credentials")];
    fields.extend(resources.iter().map(|uri| ("resource", *uri)));
    fields.extend_from_slice(more);
    app.token(server, &fields).await
}

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

    let both = machine(&server, "both", &[R2, R1], None);
    let tokens = Tokens::of(&ask(&server, &both, &[], &[]).await);
    assert_eq!(tokens.claims["aud"], json!([R2, R1]), "in the order of the list");
    assert_eq!(tokens.scope.as_deref(), Some("a b c d"));
}

#[tokio::test]
async fn a_res_01_02_outside_its_allow_list_it_gets_nothing_and_the_audit_names_what_it_asked_for() {
    let server = Server::start().await;
    let svc = ClientApp::fixture("svc");
    let before = server.contents();
    let evil = "https://evil.test";
    let cases: [(&[&str], &[&str]); 6] = [
        (&[R2], &[R2]),
        (&[R1, R2], &[R2]),
        (&[R2, R1], &[R2]),
        // Registered or not makes no difference to a client that may not name it.
        (&[evil], &[evil]),
        (&[R1, evil, R2], &[evil, R2]),
        // Nor does it help to name itself where there is a list.
        (&["urn:svc"], &["urn:svc"]),
    ];
    for (resources, extra) in cases {
        let answer = ask(&server, &svc, resources, &[]).await;
        answer.assert_refused("invalid_target");
        assert_eq!(answer.json().get("access_token"), None);
        let (event, _, client, metadata) = &server.audit()[0];
        assert_eq!((event.as_str(), client.as_deref()), ("oauth.token.exchange.failure", Some("svc")));
        assert_eq!(metadata["extra_resources"], json!(extra));
        assert_eq!(metadata["reason"], "resource_not_allowed");
        assert_eq!(metadata["grant_type"], "client_credentials");
    }
    assert_eq!(server.contents(), before, "G6");
}

#[tokio::test]
async fn c_ri_08_of_several_allowed_resources_it_may_name_any_part() {
    let server = Server::start().await;
    let both = machine(&server, "both", &[R1, R2], None);
    let cases: [(&[&str], Value, &str); 5] = [
        (&[R1], json!(R1), "a b"),
        (&[R2], json!(R2), "c d"),
        (&[R2, R1], json!([R1, R2]), "a b c d"),
        (&[R1, R1], json!(R1), "a b"),
        (&["HTTPS://R2.Test:443/mcp/"], json!(R2), "c d"),
    ];
    for (resources, aud, scope) in cases {
        let tokens = Tokens::of(&ask(&server, &both, resources, &[]).await);
        assert_eq!(tokens.claims["aud"], aud, "{resources:?}");
        assert_eq!(tokens.scope.as_deref(), Some(scope), "{resources:?}");
        assert_eq!(tokens.claims["scope"], scope);
    }
}

#[tokio::test]
async fn a_client_without_a_list_speaks_to_nobody_but_itself() {
    let server = Server::start().await;
    let alone = machine(&server, "alone", &[], Some("x"));
    let tokens = Tokens::of(&ask(&server, &alone, &[], &[]).await);
    assert_eq!((&tokens.claims["aud"], tokens.scope.as_deref()), (&json!("alone"), Some("x")));
    for resource in [R1, R2, "https://evil.test", "urn:alone"] {
        ask(&server, &alone, &[resource], &[]).await.assert_refused("invalid_target");
    }
    // A bare name is no URI, so not even its own.
    ask(&server, &alone, &["alone"], &[]).await.assert_refused("invalid_target");
}

#[tokio::test]
async fn an_allowed_resource_that_left_the_registry_is_refused_with_the_command_that_adds_it() {
    let server = Server::start().await;
    let wide = machine(&server, "wide", &[R1, R3], None);
    for resources in [&[][..], &[R3], &[R1, R3]] {
        ask(&server, &wide, resources, &[]).await.assert_refused("invalid_target");
        let (_, _, _, metadata) = &server.audit()[0];
        assert_eq!(metadata["reason"], "resource_unknown");
        assert_eq!(metadata["extra_resources"], json!([R3]));
        assert_eq!(metadata["mend"], format!("vestibule resource add '{R3}'"));
    }
    assert_eq!(Tokens::of(&ask(&server, &wide, &[R1], &[]).await).claims["aud"], R1);
    server.forget_resource(R1);
    ask(&server, &wide, &[R1], &[]).await.assert_refused("invalid_target");
}

#[tokio::test]
async fn a_res_10_a_scope_of_another_resource_or_beyond_the_limit_is_dropped() {
    let server = Server::start().await;
    let svc = ClientApp::fixture("svc");
    let narrow = machine(&server, "narrow", &[R1, R2], Some("b c"));
    // design.md 2.3: what is unknown is dropped, and where nothing is left it is the resource's default.
    for (app, resources, asked, granted) in [
        (&svc, &[R1][..], "a", "a"),
        (&svc, &[R1], "b a", "a b"),
        (&svc, &[R1], "a c zzz", "a"),
        (&svc, &[R1], "c d", "a b"),
        (&svc, &[R1], "offline_access", "a b"),
        (&svc, &[R1], "A", "a b"),
        (&svc, &[], "", "a b"),
        (&narrow, &[], "", "b c"),
        (&narrow, &[], "a b c d", "b c"),
        (&narrow, &[R1], "", "b"),
        (&narrow, &[R1], "a c", "b"),
        (&narrow, &[R2], "c b", "c"),
    ] {
        let tokens = Tokens::of(&ask(&server, app, resources, &[("scope", asked)]).await);
        assert_eq!(tokens.scope.as_deref(), Some(granted), "{} {resources:?} {asked:?}", app.id);
        assert_eq!(tokens.claims["scope"], granted);
    }
    for asked in ["a\tb", "a\"", "é", &"s".repeat(200)] {
        ask(&server, &svc, &[], &[("scope", asked)]).await.assert_refused("invalid_scope");
    }
}

#[tokio::test]
async fn a_res_11_c_o21_27_a_public_client_has_no_credentials_to_show() {
    let server = Server::start().await;
    for id in ["pub", "nat"] {
        ask(&server, &ClientApp::fixture(id), &[], &[]).await.assert_refused("unauthorized_client");
    }
    // Not even one that was registered for the grant by mistake.
    let row = client("open", Credential::Public, &[], &[GrantType::ClientCredentials]);
    server.command(move |tx| clients::insert(tx, &row, "{}"));
    let open = ClientApp { id: "open".to_owned(), ..ClientApp::fixture("pub") };
    for resources in [&[][..], &[R1]] {
        ask(&server, &open, resources, &[]).await.assert_refused("unauthorized_client");
    }
}

#[tokio::test]
async fn a_res_16_audience_is_not_a_parameter_of_this_server() {
    let server = Server::start().await;
    let svc = ClientApp::fixture("svc");
    for name in ["audience", "aud", "Resource", "resource[]", "resources"] {
        let tokens = Tokens::of(&ask(&server, &svc, &[], &[(name, R2)]).await);
        assert_eq!(tokens.claims["aud"], R1, "{name}");
    }
}

#[tokio::test]
async fn c_bcp_22_a_machine_is_never_taken_for_a_person() {
    let server = Server::start().await;
    let tokens = Tokens::of(&ask(&server, &ClientApp::fixture("svc"), &[], &[]).await);
    assert_eq!(tokens.claims["sub"], tokens.claims["client_id"]);
    for absent in ["auth_time", "grant_id"] {
        assert_eq!(tokens.claims.get(absent), None);
    }
    let alice = server.user("alice").id;
    assert!(vestibule::oauth::ids::ClientId::parse(alice.as_str()).is_err());
}
