//! The token, revocation and introspection endpoints.

use serde_json::Value;
use vestibule::crypto::public_key::AssertionAlgorithm;
use vestibule::oauth::assertion_problem::AssertionProblem;
use vestibule::oauth::client::{Assertion, Credential, KeySource};
use vestibule::oauth::client_assertion::ASSERTION_TYPE;
use vestibule::oauth::grant_type::GrantType;
use vestibule::oauth::key_set_url::KeySetUrl;
use vestibule::oauth::refresh_token::RefreshToken;
use vestibule::oauth::refusal::TokenRefusal as Refusal;
use vestibule::store::{clients, users};

use super::{Row, table};
use crate::harness::{Answer, Browser, ClientApp, ClientKey, Pkce, R1, R2, SECRET, Server, Tokens, client};

table! {
    Refusal;
    Refusal::ParameterRepeated(_) = Refusal::ParameterRepeated("code") => "parameter_repeated",
        "invalid_request", "A parameter is there more than once; only resource may repeat.";
    Refusal::ParameterMissing(_) = Refusal::ParameterMissing("code") => "parameter_missing",
        "invalid_request", "A required parameter is missing.";
    Refusal::GrantTypeUnsupported = Refusal::GrantTypeUnsupported => "grant_type_unsupported",
        "unsupported_grant_type", "This grant_type is not supported; the metadata lists those that are.";
    Refusal::ScopeMalformed = Refusal::ScopeMalformed => "scope_malformed",
        "invalid_scope", "The scope is malformed or too long.";
    Refusal::ScopeNotGranted = Refusal::ScopeNotGranted => "scope_not_granted",
        "invalid_scope", "None of these scopes was granted.";
    Refusal::ResourceMalformed = Refusal::ResourceMalformed => "resource_malformed",
        "invalid_target", "A resource is not an absolute URI without fragment.";
    Refusal::ResourcesTooMany = Refusal::ResourcesTooMany => "resources_too_many",
        "invalid_target", "There are more than 10 resource parameters.";
    Refusal::ResourceUnknown(_) = Refusal::ResourceUnknown(vec![]) => "resource_unknown",
        "invalid_target", "A resource is not registered here; the server log names the command that adds it.";
    Refusal::ResourceNotGranted(_) = Refusal::ResourceNotGranted(vec![]) => "resource_not_granted",
        "invalid_target", "A resource is not part of the grant; ask for it in a new authorization request.";
    Refusal::ResourceNotAllowed(_) = Refusal::ResourceNotAllowed(vec![]) => "resource_not_allowed",
        "invalid_target", "A resource is not on this client's allow-list.";
    Refusal::ClientMissing = Refusal::ClientMissing => "client_missing",
        "invalid_client", "The request names no client.";
    Refusal::ClientAuthenticatedTwice = Refusal::ClientAuthenticatedTwice => "client_authenticated_twice",
        "invalid_request", "Send the client's secret in the header or in the body, not in both.";
    Refusal::BasicMalformed = Refusal::BasicMalformed => "basic_malformed",
        "invalid_client", "The Authorization header is not HTTP Basic with client_id and secret.";
    Refusal::ClientIdsDiffer = Refusal::ClientIdsDiffer => "client_ids_differ",
        "invalid_client", "The header and the body name different clients.";
    Refusal::ClientMethodUnsupported = Refusal::ClientMethodUnsupported => "client_method_unsupported",
        "invalid_client",
        "This way of client authentication is not supported; the metadata lists those that are.";
    Refusal::ClientUnknown = Refusal::ClientUnknown => "client_unknown",
        "invalid_client", "Client authentication failed; if the client was removed, register again.";
    Refusal::SecretMissing = Refusal::SecretMissing => "secret_missing",
        "invalid_client", "Client authentication failed; if the client was removed, register again.";
    Refusal::SecretWrong = Refusal::SecretWrong => "secret_wrong",
        "invalid_client", "Client authentication failed; if the client was removed, register again.";
    Refusal::AssertionMissing = Refusal::AssertionMissing => "assertion_missing",
        "invalid_client", "Client authentication failed; if the client was removed, register again.";
    Refusal::AssertionUnexpected = Refusal::AssertionUnexpected => "assertion_unexpected",
        "invalid_client", "Client authentication failed; if the client was removed, register again.";
    Refusal::Assertion(_) = Refusal::Assertion(AssertionProblem::NotCompact) => "assertion_not_compact",
        "invalid_client", "Client authentication failed; if the client was removed, register again.";
    Refusal::AssertionReplayed = Refusal::AssertionReplayed => "assertion_replayed",
        "invalid_client", "Client authentication failed; if the client was removed, register again.";
    Refusal::KeysRefused(_) = Refusal::KeysRefused("canary".to_owned()) => "keys_refused",
        "invalid_client", "Client authentication failed; if the client was removed, register again.";
    Refusal::KeysUnavailable(_) = Refusal::KeysUnavailable("canary".to_owned()) => "keys_unavailable",
        "temporarily_unavailable", "The client's keys cannot be fetched at the moment; try again soon.";
    Refusal::GrantTypeNotAllowed = Refusal::GrantTypeNotAllowed => "grant_type_not_allowed",
        "unauthorized_client", "The client is not registered for this grant_type.";
    Refusal::PublicClient = Refusal::PublicClient => "public_client",
        "unauthorized_client", "client_credentials needs a client with a secret.";
    Refusal::CodeUnknown = Refusal::CodeUnknown => "code_unknown",
        "invalid_grant", "The code is not valid; start a new authorization request.";
    Refusal::CodeExpired = Refusal::CodeExpired => "code_expired",
        "invalid_grant", "The code is not valid; start a new authorization request.";
    Refusal::CodeReplayed = Refusal::CodeReplayed => "code_replayed",
        "invalid_grant", "The code is not valid; start a new authorization request.";
    Refusal::CodeSpent = Refusal::CodeSpent => "code_spent",
        "invalid_grant", "The code is not valid; start a new authorization request.";
    Refusal::CodeOfAnotherClient = Refusal::CodeOfAnotherClient => "code_of_another_client",
        "invalid_grant", "The code is not valid; start a new authorization request.";
    Refusal::RedirectUriDiffers = Refusal::RedirectUriDiffers => "redirect_uri_differs",
        "invalid_grant", "redirect_uri is not the one of the authorization request.";
    Refusal::VerifierMalformed = Refusal::VerifierMalformed => "verifier_malformed",
        "invalid_request", "code_verifier has 43 to 128 unreserved characters.";
    Refusal::VerifierWrong = Refusal::VerifierWrong => "verifier_wrong",
        "invalid_grant", "code_verifier does not answer the code_challenge.";
    Refusal::CodeBurnt = Refusal::CodeBurnt => "code_burnt",
        "invalid_grant", "The code is not valid; start a new authorization request.";
    Refusal::RefreshTokenUnknown = Refusal::RefreshTokenUnknown => "refresh_token_unknown",
        "invalid_grant", "The refresh token is not valid; start a new authorization request.";
    Refusal::RefreshTokenOfAnotherClient = Refusal::RefreshTokenOfAnotherClient => "refresh_token_of_another_client",
        "invalid_grant", "The refresh token is not valid; start a new authorization request.";
    Refusal::RefreshTokenReplayed = Refusal::RefreshTokenReplayed => "refresh_token_replayed",
        "invalid_grant", "The refresh token is not valid; start a new authorization request.";
    Refusal::RefreshTokenNewer = Refusal::RefreshTokenNewer => "refresh_token_newer",
        "invalid_grant", "The refresh token is not valid; start a new authorization request.";
    Refusal::GrantRevoked = Refusal::GrantRevoked => "grant_revoked",
        "invalid_grant", "The refresh token is not valid; start a new authorization request.";
    Refusal::GrantExpired = Refusal::GrantExpired => "grant_expired",
        "invalid_grant", "The refresh token is not valid; start a new authorization request.";
    Refusal::UserDisabled = Refusal::UserDisabled => "user_disabled",
        "invalid_grant", "The grant has ended; start a new authorization request.";
    Refusal::UserNotAdmitted = Refusal::UserNotAdmitted => "user_not_admitted",
        "invalid_grant", "The grant has ended; start a new authorization request.";
}

const FIRST: &[(&str, &str)] = &[("resource", R1)];

#[test]
fn the_table_says_what_the_source_says() {
    for (example, row) in examples().iter().zip(ROWS) {
        let (code, description) = example.wire();
        assert_eq!((code.as_str(), description), (row.error, row.description));
    }
}

#[tokio::test]
async fn every_refusal_of_the_token_endpoint_to_its_bytes() {
    for row in ROWS {
        let server = Server::start().await;
        let answer = match row.reason {
            reason if reason.starts_with("code_") || reason.ends_with("_differs") => {
                with_code(&server, reason).await
            }
            reason if reason.starts_with("verifier_") => with_code(&server, reason).await,
            reason
                if ["client_", "secret_", "assertion_", "keys_"]
                    .iter()
                    .any(|start| reason.starts_with(start)) =>
            {
                by_client(&server, "/oauth/token", reason).await
            }
            "parameter_repeated" | "parameter_missing" | "basic_malformed" => {
                by_client(&server, "/oauth/token", row.reason).await
            }
            reason if FRESH.contains(&reason) => without_grant(&server, reason).await,
            reason => with_refresh_token(&server, reason).await,
        };
        row.assert_answered(&answer);
        let (event, _, _, metadata) = &server.audit()[0];
        assert_eq!((&metadata["reason"], &metadata["error"]), (&row.reason.into(), &row.error.into()));
        let replayed = ["code_replayed", "refresh_token_replayed"].contains(&row.reason);
        let expected = if replayed { "oauth.token.replay" } else { "oauth.token.exchange.failure" };
        assert_eq!(event, expected);
    }
}

#[tokio::test]
async fn who_asks_is_refused_alike_at_all_three_endpoints() {
    let server = Server::start().await;
    for row in ROWS {
        let by_client_alone = row.error == "invalid_client"
            || matches!(
                row.reason,
                "client_authenticated_twice"
                    | "keys_unavailable"
                    | "parameter_repeated"
                    | "parameter_missing"
            );
        if !by_client_alone || row.reason == "code_of_another_client" {
            continue;
        }
        for path in ["/oauth/token", "/token", "/oauth/revoke", "/revoke", "/oauth/introspect"] {
            row.assert_answered(&by_client(&server, path, row.reason).await);
        }
    }
}

/// Requests that are refused for the client that sends them, or before anything is looked at.
async fn by_client(server: &Server, path: &str, reason: &str) -> Answer {
    let asked = server.post(path);
    let canary = ("token", "canary");
    let asked = match reason {
        "parameter_repeated" => {
            asked.basic("conf", SECRET).form(&[canary, ("state", "canary"), ("state", "canary")])
        }
        "parameter_missing" => asked.basic("conf", SECRET).form(&[("code", "canary")]),
        "client_missing" => asked.form(&[canary]),
        "client_authenticated_twice" => {
            asked.basic("conf", SECRET).form(&[canary, ("client_secret", SECRET)])
        }
        "basic_malformed" => asked.header("authorization", "Basic canary").form(&[canary]),
        "client_ids_differ" => asked.basic("conf", SECRET).form(&[canary, ("client_id", "canary")]),
        "client_method_unsupported" => {
            asked.form(&[canary, ("client_id", "conf"), ("client_assertion", "canary")])
        }
        "client_unknown" => asked.basic("canary", SECRET).form(&[canary]),
        "secret_missing" => asked.form(&[canary, ("client_id", "conf")]),
        "assertion_missing" => asked.form(&[canary, ("client_id", "pkj")]),
        "assertion_not_compact" => asked.form(&signed("canary")),
        "assertion_unexpected" => {
            asked.form(&signed(&ClientKey::new(AssertionAlgorithm::Es256).assertion(server, "conf")))
        }
        "assertion_replayed" => {
            let assertion = ClientKey::pkj().assertion(server, "pkj");
            let once = server.post(path).form(&signed(&assertion)).send().await;
            assert_ne!(once.status.as_u16(), 401, "{}", once.text());
            asked.form(&signed(&assertion))
        }
        // One host leads back to this machine, the other to nowhere.
        "keys_refused" => asked.form(&signed(&with_keys_at(server, &format!("https://127.0.0.1{path}")))),
        "keys_unavailable" => {
            asked.form(&signed(&with_keys_at(server, &format!("https://nowhere.test{path}"))))
        }
        "secret_wrong" => asked.basic("conf", "canary").form(&[canary]),
        other => panic!("no request provokes {other}"),
    };
    asked.send().await
}

fn signed(assertion: &str) -> [(&str, &str); 3] {
    [("token", "canary"), ("client_assertion_type", ASSERTION_TYPE), ("client_assertion", assertion)]
}

/// A good assertion of a client whose keys are to be fetched from that URL.
fn with_keys_at(server: &Server, url: &str) -> String {
    let source = KeySource::At(KeySetUrl::parse(url).expect("a URL"));
    let credential = Credential::Keys { source, assertion: Assertion::Required };
    let fetched = client(url, credential, &[], &[GrantType::ClientCredentials]);
    server.command(move |tx| clients::insert(tx, &fetched, "{}"));
    ClientKey::new(AssertionAlgorithm::Es256).assertion(server, url)
}

const FRESH: [&str; 8] = [
    "grant_type_unsupported",
    "scope_malformed",
    "resource_malformed",
    "resources_too_many",
    "resource_unknown",
    "resource_not_allowed",
    "grant_type_not_allowed",
    "public_client",
];

/// Requests that need nothing beforehand.
async fn without_grant(server: &Server, reason: &str) -> Answer {
    let svc = ClientApp::fixture("svc");
    let grant = ("grant_type", "client_credentials");
    match reason {
        "grant_type_unsupported" => svc.token(server, &[("grant_type", "canary")]).await,
        "scope_malformed" => svc.token(server, &[grant, ("scope", "canary\"")]).await,
        "resource_malformed" => svc.token(server, &[grant, ("resource", "canary")]).await,
        "resources_too_many" => {
            let many = [&[grant][..], &[("resource", R1); 11]].concat();
            svc.token(server, &many).await
        }
        "resource_unknown" => {
            server.forget_resource(R1);
            svc.token(server, &[grant]).await
        }
        "resource_not_allowed" => svc.token(server, &[grant, ("resource", "https://canary.test")]).await,
        "grant_type_not_allowed" => svc.refresh(server, "canary", &[]).await,
        "public_client" => ClientApp::fixture("pub").token(server, &[grant]).await,
        other => panic!("no request provokes {other}"),
    }
}

/// Requests with a code.
async fn with_code(server: &Server, reason: &str) -> Answer {
    let mut app = ClientApp::fixture("pub");
    let mut browser = Browser::new();
    let code = app.code(server, &mut browser, "alice", FIRST).await;
    let right = app.pkce.clone();
    match reason {
        "code_unknown" => app.redeem(server, "canary", &[]).await,
        "code_expired" => {
            server.advance(60);
            app.redeem(server, &code, &[]).await
        }
        "code_replayed" => {
            Tokens::of(&app.redeem(server, &code, &[]).await);
            app.redeem(server, &code, &[]).await
        }
        "code_spent" => {
            Tokens::of(&app.redeem(server, &code, &[]).await);
            app.pkce = Pkce::new();
            app.redeem(server, &code, &[]).await
        }
        "code_of_another_client" => {
            let thief = ClientApp { pkce: right, ..ClientApp::fixture("conf") };
            thief.redeem(server, &code, &[]).await
        }
        "redirect_uri_differs" => {
            app.redirect_uri = "https://canary.test/cb".to_owned();
            app.redeem(server, &code, &[]).await
        }
        "verifier_malformed" => {
            app.pkce.verifier = "canary".to_owned();
            app.redeem(server, &code, &[]).await
        }
        "verifier_wrong" => {
            app.pkce = Pkce::new();
            app.redeem(server, &code, &[]).await
        }
        "code_burnt" => {
            app.pkce = Pkce::new();
            for _ in 0..5 {
                app.redeem(server, &code, &[]).await.assert_refused("invalid_grant");
            }
            app.pkce = right;
            app.redeem(server, &code, &[]).await
        }
        other => panic!("no request provokes {other}"),
    }
}

/// Requests with a refresh token.
async fn with_refresh_token(server: &Server, reason: &str) -> Answer {
    let app = ClientApp::fixture("pub");
    let tokens = app.tokens(server, "alice", FIRST).await;
    let token = tokens.refresh();
    match reason {
        "scope_not_granted" => app.refresh(server, token, &[("scope", "canary")]).await,
        "resource_not_granted" => app.refresh(server, token, &[("resource", R2)]).await,
        "refresh_token_unknown" => app.refresh(server, "canary", &[]).await,
        "refresh_token_of_another_client" => ClientApp::fixture("conf").refresh(server, token, &[]).await,
        "refresh_token_replayed" => {
            Tokens::of(&app.refresh(server, token, &[]).await);
            server.advance(60);
            app.refresh(server, token, &[]).await
        }
        "refresh_token_newer" => {
            // As if the database were a copy from before the last rotation.
            let key = &server.app.chain_key;
            let next = RefreshToken::parse(token, key).expect("a token of ours").successor(key);
            app.refresh(server, &next.expose(key), &[]).await
        }
        "grant_revoked" => {
            app.revoke(server, token).await;
            app.refresh(server, token, &[]).await
        }
        "grant_expired" => {
            server.advance(30 * 24 * 3600);
            app.refresh(server, token, &[]).await
        }
        "user_disabled" => {
            let (alice, now) = (server.user("alice").id, server.now());
            server.command(move |tx| users::disable(tx, &alice, now));
            app.refresh(server, token, &[]).await
        }
        "user_not_admitted" => {
            server.admit_only(R1, &[]);
            app.refresh(server, token, &[]).await
        }
        other => panic!("no request provokes {other}"),
    }
}

#[tokio::test]
async fn what_is_too_large_too_often_or_not_there_is_json_as_well() {
    let server = Server::start().await;
    let wrong = [("client_id", "canary")];
    for _ in 0..100 {
        server.post("/oauth/token").form(&wrong).send().await;
    }
    let busy = server.post("/oauth/token").form(&wrong).send().await;
    let large = server.post("/oauth/token").form(&[("a", "x".repeat(70_000))]).send().await;
    let typed = server.post("/oauth/token").json(&Value::Null).send().await;
    let (method, path) = (server.get("/oauth/token").send().await, server.get("/canary").send().await);
    for (answer, status, error, description) in [
        (busy, 429, "temporarily_unavailable", "Too many requests; wait as long as Retry-After says."),
        (large, 413, "invalid_request", "The request body is too large."),
        (
            typed,
            415,
            "invalid_request",
            "The Content-Type of the request is not the one that is expected here.",
        ),
        (method, 405, "invalid_request", "This path is not served with this method; see Allow."),
        (path, 404, "invalid_request", "There is nothing at this path."),
    ] {
        let row = Row { reason: "", error, description };
        assert_eq!((answer.status.as_u16(), answer.text()), (status, row.json()));
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{description}");
        assert_eq!(answer.header("content-type"), Some("application/json"), "{description}");
        assert_eq!(answer.header("retry-after").is_some(), status == 429);
    }
}
