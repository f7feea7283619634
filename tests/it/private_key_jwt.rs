//! `private_key_jwt` over the wire (RFC 7523 2.2): who shows by a signature that they are the client, once, at each
//! endpoint that asks. Which texts are good assertions at all, `client_assertion.rs` tells.

mod asked;
mod documents;
mod fetched;
mod once;
mod registered;

use serde_json::Value;
use vestibule::oauth::client::{Assertion, Client, Credential, KeySource};
use vestibule::oauth::client_assertion::ASSERTION_TYPE;
use vestibule::oauth::grant_type::GrantType;
use vestibule::oauth::key_set_url::KeySetUrl;
use vestibule::oauth::resource::ResourceUri;
use vestibule::store::clients;

use crate::harness::{Answer, ClientKey, R1, Server, client};

/// The endpoints that authenticate clients, by all their paths.
const ENDPOINTS: [&str; 5] = ["/oauth/token", "/token", "/oauth/revoke", "/revoke", "/oauth/introspect"];

/// What every request here asks for besides: a machine's token, or what is to be said of one that is none.
const ASKED: [(&str, &str); 2] = [("grant_type", "client_credentials"), ("token", "a.b.c")];

/// The parameters of an assertion.
fn by_key(assertion: &str) -> [(&str, &str); 2] {
    [("client_assertion_type", ASSERTION_TYPE), ("client_assertion", assertion)]
}

/// Asks an endpoint with an assertion and nothing else that says who asks.
async fn ask(server: &Server, path: &str, assertion: &str) -> Answer {
    server.post(path).form(&[&ASKED[..], &by_key(assertion)].concat()).send().await
}

/// Asks for a machine's token.
async fn token(server: &Server, assertion: &str) -> Answer {
    ask(server, "/oauth/token", assertion).await
}

/// The owner adds a machine that signs with keys.
fn add_machine(server: &Server, id: &str, source: KeySource) {
    let credential = Credential::Keys { source, assertion: Assertion::Required };
    let machine = Client {
        audience: vec![ResourceUri::parse(R1).expect("a resource")],
        ..client(id, credential, &[], &[GrantType::ClientCredentials])
    };
    assert!(server.command(move |tx| clients::insert(tx, &machine, "{}")));
}

/// The same with keys that are to be fetched.
fn add_machine_at(server: &Server, id: &str, jwks_uri: &str) {
    add_machine(server, id, KeySource::At(KeySetUrl::parse(jwks_uri).expect("a URL")));
}

/// A good assertion under another name of its key.
fn named(key: &ClientKey, kid: &str, claims: &Value) -> String {
    let header = serde_json::json!({ "alg": key.algorithm().as_str(), "kid": kid });
    key.sign(&header.to_string(), &claims.to_string())
}

/// The reason in the newest audit row.
fn reason(server: &Server) -> String {
    server.audit()[0].3["reason"].as_str().expect("a reason").to_owned()
}

/// The same claims without one of them.
fn without(mut claims: Value, name: &str) -> Value {
    claims.as_object_mut().expect("claims").remove(name).expect("it was there");
    claims
}
