//! Registration.

use serde_json::{Value, json};
use vestibule::oauth::redirect_uri::AppLinks;
use vestibule::oauth::refusal::RegistrationRefusal as Refusal;

use super::{Row, table};
use crate::harness::Server;

const DANGEROUS: &str = "a redirect URI of this scheme would be acted on by the browser itself";

table! {
    Refusal;
    Refusal::NotAnObject = Refusal::NotAnObject => "not_an_object",
        "invalid_client_metadata", "The body is not a JSON object with each member once.";
    Refusal::MemberMalformed(_) = Refusal::MemberMalformed("scope") => "member_malformed",
        "invalid_client_metadata", "A member has the wrong type, is too long, or has too many values.";
    Refusal::RedirectUriMissing = Refusal::RedirectUriMissing => "redirect_uri_missing",
        "invalid_redirect_uri", "redirect_uris has at least one URI.";
    Refusal::RedirectUriInvalid(_) = Refusal::RedirectUriInvalid(DANGEROUS) => "redirect_uri_invalid",
        "invalid_redirect_uri", "a redirect URI of this scheme would be acted on by the browser itself";
    Refusal::AuthMethodUnsupported = Refusal::AuthMethodUnsupported => "auth_method_unsupported",
        "invalid_client_metadata",
        "This token_endpoint_auth_method is not supported; the metadata lists those that are.";
    Refusal::LinkInvalid(_) = Refusal::LinkInvalid("logo_uri") => "link_invalid",
        "invalid_client_metadata", "A link in the metadata is not an https URL.";
    Refusal::KeysTwice = Refusal::KeysTwice => "keys_twice",
        "invalid_client_metadata", "Send jwks or jwks_uri, not both.";
    Refusal::KeysMissing = Refusal::KeysMissing => "keys_missing",
        "invalid_client_metadata", "private_key_jwt needs jwks or jwks_uri.";
    Refusal::KeysMalformed = Refusal::KeysMalformed => "keys_malformed",
        "invalid_client_metadata",
        "jwks is no set of public keys for RS256, ES256 or EdDSA, or holds a private key.";
    Refusal::AppLink = Refusal::AppLink => "app_link",
        "invalid_redirect_uri", "This server does not send people back to apps by schemes of their own.";
}

#[test]
fn the_table_says_what_the_source_says() {
    for (example, row) in examples().iter().zip(ROWS) {
        let (code, description) = example.wire();
        assert_eq!((code.as_str(), description), (row.error, row.description));
    }
}

fn provoking(reason: &str) -> Value {
    let uri = "https://canary.test/cb";
    match reason {
        "not_an_object" => json!(["canary"]),
        "member_malformed" => json!({ "redirect_uris": "canary" }),
        "redirect_uri_missing" => json!({ "redirect_uris": [], "client_name": "canary" }),
        "redirect_uri_invalid" => json!({ "redirect_uris": ["javascript:canary"] }),
        "auth_method_unsupported" => {
            json!({ "redirect_uris": [uri], "token_endpoint_auth_method": "canary" })
        }
        "link_invalid" => json!({ "redirect_uris": [uri], "logo_uri": "javascript:canary" }),
        "keys_twice" => json!({ "redirect_uris": [uri], "jwks": {}, "jwks_uri": uri }),
        "keys_missing" => {
            json!({ "redirect_uris": [uri], "token_endpoint_auth_method": "private_key_jwt" })
        }
        "keys_malformed" => json!({
            "redirect_uris": [uri], "token_endpoint_auth_method": "private_key_jwt",
            "jwks": { "keys": [{ "kty": "oct", "k": "canary" }] },
        }),
        "app_link" => json!({ "redirect_uris": [uri, "canary://x"] }),
        other => panic!("no request provokes {other}"),
    }
}

#[tokio::test]
async fn every_refusal_of_registration_to_its_bytes() {
    let open = Server::start().await;
    let strict = Server::start_with(|settings| settings.app_links = AppLinks::Refused).await;
    let before = (open.contents(), strict.contents());
    for row in ROWS {
        let server = if row.reason == "app_link" { &strict } else { &open };
        for path in ["/oauth/register", "/register"] {
            row.assert_answered(&server.post(path).json(&provoking(row.reason)).send().await);
            let (event, _, _, metadata) = &server.audit()[0];
            assert_eq!(event, "client.refused");
            assert_eq!((&metadata["reason"], &metadata["error"]), (&row.reason.into(), &row.error.into()));
        }
    }
    assert_eq!((open.contents(), strict.contents()), before, "G6");
}

#[tokio::test]
async fn every_way_in_which_a_redirect_uri_may_be_wrong_has_its_sentence() {
    let server = Server::start().await;
    let long = format!("https://canary.test/{}", "x".repeat(2048));
    for (uri, description) in [
        ("", "a redirect URI has 1 to 2048 characters"),
        (&long, "a redirect URI has 1 to 2048 characters"),
        ("https://can ary.test", "a redirect URI is visible ASCII; write other hosts as xn--..."),
        ("https://canary.test/#x", "a redirect URI has no fragment and no character that no URI has"),
        ("canary", "a redirect URI is absolute"),
        ("1canary:x", "a redirect URI is absolute"),
        ("data:canary", DANGEROUS),
        ("https://canary@app.test", "a redirect URI has no user information"),
        ("https://*.canary.test", "a redirect URI is matched exactly; wildcards are not supported"),
        (
            "http://canary.test/cb",
            "http is for loopback only (http://127.0.0.1, http://[::1], http://localhost); elsewhere use https",
        ),
        ("https://app.test/?code=canary", "a redirect URI's query has no parameter that the response adds"),
        ("https:canary", "an https redirect URI has a host and, if any, a port from 1 to 65535"),
    ] {
        let row = Row { reason: "redirect_uri_invalid", error: "invalid_redirect_uri", description };
        let body = json!({ "redirect_uris": ["https://app.test/cb", uri] });
        row.assert_answered(&server.post("/oauth/register").json(&body).send().await);
    }
}
