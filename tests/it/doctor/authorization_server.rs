//! The authorization server's metadata: where it is, and what it offers.

use tokio::net::TcpSocket;

use super::*;

/// What is wrong where the metadata has this in place of what is right.
async fn with_metadata(name: &str, value: Value) -> Walked {
    let script = right().await;
    put_document(&script, METADATA, &with(metadata(&script), name, value));
    Walked::of(&script).await
}

#[tokio::test]
async fn an_authorization_server_that_is_not_there() {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let issuer = format!("http://{}", socket.local_addr().unwrap());
    let script = right().await;
    put_document(
        &script,
        RESOURCE_METADATA,
        &with(resource_metadata(&script), "authorization_servers", json!([issuer])),
    );
    let walked = Walked::of(&script).await;
    walked.fails_at("authorization_server.address", &["refuses connections"]);
    assert_eq!(walked.seen("metadata"), "skipped: not reached");
}

#[tokio::test]
async fn no_metadata_where_clients_look() {
    let script = right().await;
    script.remove(METADATA);
    Walked::of(&script).await.fails_at("metadata", &[METADATA, ": 404", "every one stops here"]);
    script.put("GET", METADATA, Scripted::html(200, "Notes"));
    Walked::of(&script).await.fails_at("metadata", &["HTML page", "catch-all"]);
}

#[tokio::test]
async fn metadata_behind_the_issuers_path_alone() {
    let script = right().await;
    let issuer = script.url("/realms/home");
    script.remove(METADATA);
    let behind = "/realms/home/.well-known/oauth-authorization-server";
    put_document(&script, behind, &with(metadata(&script), "issuer", json!(issuer)));
    put_document(
        &script,
        RESOURCE_METADATA,
        &with(resource_metadata(&script), "authorization_servers", json!([issuer])),
    );
    Walked::of(&script).await.fails_at(
        "metadata",
        &[
            &format!("it stands at {}", script.url(behind)),
            "before the issuer's path",
            "/.well-known/oauth-authorization-server/realms/home",
        ],
    );
}

#[tokio::test]
async fn a_page_or_a_fault_before_the_metadata() {
    let script = right().await;
    let document = with(metadata(&script), "subject_types_supported", json!(["public"]));
    let document = with(document, "id_token_signing_alg_values_supported", json!(["ES256"]));
    put_document(&script, "/.well-known/openid-configuration", &document);
    script.remove(METADATA);
    Walked::of(&script).await.is_right();
    script.put("GET", METADATA, Scripted::html(200, "Notes"));
    Walked::of(&script).await.fails_at("metadata", &["HTML page", "at a 404 alone"]);
    script.put("GET", METADATA, Scripted::status(503));
    Walked::of(&script).await.fails_at("metadata", &[": 503", "at a 404 alone"]);
    script.put("GET", METADATA, Scripted::redirect(302, "/elsewhere"));
    Walked::of(&script).await.warns_at("metadata", &["302, a redirect to /elsewhere"]);
}

#[tokio::test]
async fn openid_metadata_without_what_openid_requires() {
    let script = right().await;
    script.remove(METADATA);
    put_document(&script, "/.well-known/openid-configuration", &metadata(&script));
    Walked::of(&script).await.fails_at(
        "metadata",
        &["it lacks subject_types_supported, id_token_signing_alg_values_supported", "TypeScript SDK"],
    );
}

#[tokio::test]
async fn an_issuer_that_differs_in_a_slash() {
    let script = right().await;
    put_document(&script, METADATA, &with(metadata(&script), "issuer", json!(script.url("/"))));
    Walked::of(&script).await.fails_at(
        "issuer",
        &[
            "they differ in a slash at the end",
            "byte for byte",
            "Claude Code",
            "\"authorization_servers\": [",
        ],
    );
}

#[tokio::test]
async fn an_issuer_that_is_another() {
    with_metadata("issuer", json!("https://auth.home.example"))
        .await
        .fails_at("issuer", &["https://auth.home.example", "--issuer"]);
    with_metadata("issuer", Value::Null).await.fails_at("issuer", &["it is missing"]);
}

#[tokio::test]
async fn no_s256() {
    with_metadata("code_challenge_methods_supported", Value::Null)
        .await
        .fails_at("pkce", &["code_challenge_methods_supported is missing", "[\"S256\"]"]);
    with_metadata("code_challenge_methods_supported", json!(["plain"]))
        .await
        .fails_at("pkce", &["without \"S256\""]);
}

#[tokio::test]
async fn endpoints_that_no_client_can_use() {
    let nowhere = with_metadata("authorization_endpoint", Value::Null).await;
    nowhere.fails_at("endpoints", &["authorization_endpoint is missing"]);
    let relative = with_metadata("token_endpoint", json!("/token")).await;
    relative.fails_at("endpoints", &["token_endpoint is \"/token\", which is no absolute URL"]);
}

#[tokio::test]
async fn endpoints_in_the_clear() {
    // Nobody is asked there: a name that is none has no address.
    let walked = with_metadata("token_endpoint", json!("http://auth.invalid./token")).await;
    let failed: Vec<_> = walked.marked("fail").iter().map(|finding| finding["step"].clone()).collect();
    assert_eq!(failed, ["endpoints", "token", "cors.token"]);
    says(walked.marked("fail")[0], &["plain http", "X-Forwarded-Proto"]);
}

#[tokio::test]
async fn response_and_grant_types() {
    with_metadata("response_types_supported", Value::Null)
        .await
        .fails_at("grants", &["is missing", "RFC 8414 2"]);
    with_metadata("response_types_supported", json!(["token"]))
        .await
        .fails_at("grants", &["without \"code\""]);
    with_metadata("grant_types_supported", json!(["refresh_token"]))
        .await
        .fails_at("grants", &["without \"authorization_code\""]);
    with_metadata("grant_types_supported", json!(["authorization_code"]))
        .await
        .warns_at("grants", &["does not list \"refresh_token\"", "signs in again"]);
    with_metadata("grant_types_supported", Value::Null).await.warns_at("grants", &["refresh_token"]);
}

#[tokio::test]
async fn no_public_clients() {
    let methods = || json!(["client_secret_post"]);
    with_metadata("token_endpoint_auth_methods_supported", methods())
        .await
        .warns_at("client_authentication", &["\"none\" is not among", "client_secret_post"]);
    with_metadata("token_endpoint_auth_methods_supported", Value::Null)
        .await
        .warns_at("client_authentication", &["client_secret_basic"]);
}

#[tokio::test]
async fn no_way_to_become_known() {
    let walked = with_metadata("registration_endpoint", Value::Null).await;
    walked.fails_at(
        "acquaintance",
        &[
            "neither registration_endpoint nor client_id_metadata_document_supported",
            "No client can become known",
        ],
    );
    assert!(walked.seen("registration").starts_with("skipped: "));
    // A client that nobody knows is asked for all the same.
    assert!(walked.seen("token").starts_with("ok: "));
}

#[tokio::test]
async fn documents_alone() {
    let script = right().await;
    let document = with(metadata(&script), "registration_endpoint", Value::Null);
    let document = with(document, "client_id_metadata_document_supported", json!(true));
    put_document(&script, METADATA, &document);
    Walked::of(&script)
        .await
        .warns_at("acquaintance", &["Cursor, Gemini CLI, Inspector, mcp-remote and fastmcp"]);
    put_document(
        &script,
        METADATA,
        &with(document, "token_endpoint_auth_methods_supported", json!(["private_key_jwt"])),
    );
    let walked = Walked::of(&script).await;
    walked.fails_at("client_authentication", &["Clients named by a document have no secret"]);
}

#[tokio::test]
async fn no_promise_of_iss() {
    with_metadata("authorization_response_iss_parameter_supported", Value::Null)
        .await
        .warns_at("iss", &["ChatGPT", "--iss-promise on"]);
}

#[tokio::test]
async fn an_authorization_endpoint_of_another_origin() {
    let (script, other) = (right().await, right().await);
    let document = with(metadata(&script), "authorization_endpoint", json!(other.url("/authorize")));
    put_document(&script, METADATA, &document);
    Walked::of(&script).await.is_right();
    put_document(
        &script,
        METADATA,
        &with(document, "authorization_response_iss_parameter_supported", json!(false)),
    );
    let walked = Walked::of(&script).await;
    let warned: Vec<_> = walked.marked("warn").iter().map(|finding| finding["step"].clone()).collect();
    assert_eq!((walked.status, warned), (0, vec![json!("address"), json!("endpoints"), json!("iss")]));
}

#[tokio::test]
async fn keys_that_check_nothing() {
    let script = right().await;
    for (keys, words) in [
        (json!({ "keys": [] }), "no key that a signature can be checked with"),
        (json!({}), "no key that a signature can be checked with"),
        (json!({ "keys": [{ "kty": "RSA", "use": "enc" }] }), "no key that a signature can be checked with"),
        (json!({ "keys": [{ "kty": "EC", "d": "x" }] }), "shows a private key"),
        (json!({ "keys": [{ "kty": "oct", "k": "x" }] }), "shows a private key"),
    ] {
        script.put("GET", "/jwks", Scripted::json(200, &keys));
        Walked::of(&script).await.fails_at("keys", &[words]);
    }
    script.remove("/jwks");
    Walked::of(&script).await.fails_at("keys", &["/jwks: 404", "refuses every token"]);
    with_metadata("jwks_uri", json!("/jwks")).await.fails_at("keys", &["no absolute URL"]);
    with_metadata("jwks_uri", Value::Null).await.is_right();
}

#[tokio::test]
async fn scopes_that_make_people_sign_in_every_hour_or_read_too_much() {
    with_metadata("scopes_supported", json!(["read"]))
        .await
        .warns_at("scopes", &["offline_access", "signs in again"]);
    let mut many: Vec<String> = (0..30).map(|number| format!("scope{number}")).collect();
    many.push("offline_access".to_owned());
    with_metadata("scopes_supported", json!(many)).await.warns_at("scopes", &["31 scopes"]);
}

#[tokio::test]
async fn metadata_of_the_wrong_type() {
    let script = right().await;
    let mut document = metadata(&script);
    document["service_documentation"] = Value::Null;
    put_document(&script, METADATA, &document);
    Walked::of(&script).await.fails_at("metadata", &["service_documentation is null", "TypeScript SDK"]);
}
