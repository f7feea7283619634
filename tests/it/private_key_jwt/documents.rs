//! Clients that are named by a document and have keys: ChatGPT's, which may also come without, and stricter ones.

use serde_json::{Value, json};
use vestibule::crypto::public_key::AssertionAlgorithm;

use super::{by_key, reason};
use crate::harness::{Answer, Browser, ClientApp, ClientKey, Host, Pkce, R1, Reply, Server, Tokens};

const NAME: &str = "chat.test";
const PATH: &str = "/oauth/client.json";
const JWKS: &str = "/oauth/jwks.json";

/// A host, a server that reaches it, and the client whose document is there.
struct World {
    host: Host,
    server: Server,
    client: ClientApp,
}

impl World {
    /// With a document that says this besides.
    async fn with(more: &Value) -> Self {
        let host = Host::start(&[NAME]).await;
        let server = Server::start_among(host.names(), |settings| host.trusted_by(settings)).await;
        let redirect_uri = "https://chat.test/connector/cb".to_owned();
        let client = ClientApp { id: host.url(NAME, PATH), secret: None, redirect_uri, pkce: Pkce::new() };
        let world = Self { host, server, client };
        world.publish(more);
        world
    }

    /// Fresh for a minute.
    fn publish(&self, more: &Value) {
        self.host.put(PATH, Reply::json_with(&[("cache-control", "max-age=60")], &self.document(more)));
    }

    fn document(&self, more: &Value) -> Value {
        let mut document = json!({
            "client_id": self.client.id, "client_name": "Chat", "redirect_uris": [self.client.redirect_uri],
            "grant_types": ["authorization_code", "refresh_token", "client_credentials"],
        });
        for (name, value) in more.as_object().expect("an object") {
            document[name] = value.clone();
        }
        document
    }

    fn publish_keys(&self, keys: &Value) {
        self.host.put(JWKS, Reply::json_with(&[("cache-control", "max-age=60")], keys));
    }

    async fn code(&self) -> String {
        self.client.code(&self.server, &mut Browser::new(), "alice", &[("resource", R1)]).await
    }

    /// Redeems a code by this key.
    async fn redeem(&self, key: &ClientKey, code: &str) -> Answer {
        let assertion = key.assertion(&self.server, &self.client.id);
        self.client.redeem(&self.server, code, &by_key(&assertion)).await
    }

    /// Refreshes by this key.
    async fn refresh(&self, key: &ClientKey, token: &str) -> Answer {
        let assertion = key.assertion(&self.server, &self.client.id);
        self.client.refresh(&self.server, token, &by_key(&assertion)).await
    }

    /// Asks about a token by this key.
    async fn introspect(&self, key: &ClientKey, token: &str) -> Answer {
        let assertion = key.assertion(&self.server, &self.client.id);
        let fields = [&[("token", token)][..], &by_key(&assertion)].concat();
        self.server.post("/oauth/introspect").form(&fields).send().await
    }
}

/// What ChatGPT publishes: by key, or by nothing, in a list that no specification has.
fn chatgpt(world: &World) -> Value {
    json!({
        "token_endpoint_auth_method": "private_key_jwt", "token_endpoint_auth_signing_alg": "RS256",
        "token_endpoint_auth_methods_supported": ["none", "private_key_jwt"], "jwks_uri": world.host.url(NAME, JWKS),
    })
}

#[tokio::test]
async fn chatgpts_document_works_with_its_key_and_without() {
    let world = World::with(&json!({})).await;
    let key = ClientKey::new(AssertionAlgorithm::Rs256);
    world.publish(&chatgpt(&world));
    world.publish_keys(&key.jwks());
    let tokens = Tokens::of(&world.redeem(&key, &world.code().await).await);
    let tokens = Tokens::of(&world.refresh(&key, tokens.refresh()).await);
    assert_eq!(world.introspect(&key, &tokens.access).await.json()["active"], true);
    assert_eq!(world.host.hits(), 2, "one document, one key set");

    // Without the key it is a public client: PKCE is its proof, and where that is not enough, it has none.
    let bare = Tokens::of(&world.client.redeem(&world.server, &world.code().await, &[]).await);
    let bare = Tokens::of(&world.client.refresh(&world.server, bare.refresh(), &[]).await);
    let fields = [("token", bare.access.as_str()), ("client_id", &world.client.id)];
    world.server.post("/oauth/introspect").form(&fields).send().await.assert_refused("invalid_client");
    assert_eq!(world.server.post("/oauth/revoke").form(&fields).send().await.status.as_u16(), 200);
    assert_eq!(world.introspect(&key, &bare.access).await.json(), json!({ "active": false }));
    assert_eq!(
        world
            .client
            .redeem(&world.server, &world.code().await, &[("code_verifier", "x")])
            .await
            .status
            .as_u16(),
        400
    );
}

/// Whoever shows a key shows a right one: a wrong one is never taken for none.
#[tokio::test]
async fn a_client_that_may_come_without_its_key_may_not_come_with_another() {
    let world = World::with(&json!({})).await;
    let key = ClientKey::new(AssertionAlgorithm::Rs256);
    world.publish(&chatgpt(&world));
    world.publish_keys(&key.jwks());
    let code = world.code().await;
    for stranger in [AssertionAlgorithm::Es256, AssertionAlgorithm::EdDsa].map(ClientKey::new) {
        world.redeem(&stranger, &code).await.assert_refused("invalid_client");
        assert_eq!(reason(&world.server), "assertion_kid_unknown");
    }
    let secret = [("client_secret", "a secret that it never had")];
    world.client.redeem(&world.server, &code, &secret).await.assert_refused("invalid_client");
    world
        .client
        .redeem(&world.server, &code, &[("client_assertion", "x")])
        .await
        .assert_refused("invalid_client");
    let assertion = key.assertion(&world.server, &world.client.id);
    world
        .client
        .redeem(&world.server, &code, &by_key(&assertion)[1..])
        .await
        .assert_refused("invalid_client");
    Tokens::of(&world.redeem(&key, &code).await);
}

#[tokio::test]
async fn c_cm_22_without_none_in_the_list_the_key_is_asked_for() {
    let world = World::with(&json!({})).await;
    let key = ClientKey::new(AssertionAlgorithm::Es256);
    world.publish_keys(&key.jwks());
    let uri = json!(world.host.url(NAME, JWKS));
    for strict in [
        json!({ "token_endpoint_auth_method": "private_key_jwt", "jwks_uri": uri }),
        json!({ "token_endpoint_auth_method": "private_key_jwt", "jwks": key.jwks() }),
        json!({ "token_endpoint_auth_methods_supported": ["private_key_jwt"], "jwks_uri": uri }),
        json!({ "token_endpoint_auth_methods_supported": ["private_key_jwt", "tls_client_auth"], "jwks": key.jwks() }),
        json!({
            "token_endpoint_auth_method": "private_key_jwt", "jwks_uri": uri,
            "token_endpoint_auth_methods_supported": ["private_key_jwt", "client_secret_basic", 7, "NONE"],
        }),
        json!({
            "token_endpoint_auth_method": "private_key_jwt", "jwks_uri": uri,
            "token_endpoint_auth_methods_supported": "none",
        }),
    ] {
        world.server.advance(120);
        world.publish(&strict);
        let code = world.code().await;
        world.client.redeem(&world.server, &code, &[]).await.assert_refused("invalid_client");
        assert_eq!(reason(&world.server), "assertion_missing", "{strict}");
        let tokens = Tokens::of(&world.redeem(&key, &code).await);
        world.client.refresh(&world.server, tokens.refresh(), &[]).await.assert_refused("invalid_client");
        world.client.revoke(&world.server, tokens.refresh()).await.assert_refused("invalid_client");
        let tokens = Tokens::of(&world.refresh(&key, tokens.refresh()).await);
        assert_eq!(world.introspect(&key, &tokens.access).await.json()["active"], true, "{strict}");
    }
}

/// A client that nobody added acts for people only, however well it proves who it is.
#[tokio::test]
async fn a_document_gets_no_token_for_itself() {
    let world = World::with(&json!({})).await;
    let key = ClientKey::new(AssertionAlgorithm::Es256);
    world.publish(&json!({ "token_endpoint_auth_method": "private_key_jwt", "jwks": key.jwks() }));
    Tokens::of(&world.redeem(&key, &world.code().await).await);
    for resource in ["", R1] {
        let assertion = key.assertion(&world.server, &world.client.id);
        let fields = [("grant_type", "client_credentials"), ("resource", resource)];
        let answer =
            world.server.post("/oauth/token").form(&[&fields[..], &by_key(&assertion)].concat()).send().await;
        answer.assert_refused("unauthorized_client");
        assert_eq!(reason(&world.server), "grant_type_not_allowed");
    }
}

#[tokio::test]
async fn keys_in_a_document_are_changed_by_changing_the_document() {
    let [_, old, new] = ClientKey::of_each_kind();
    let inline =
        |key: &ClientKey| json!({ "token_endpoint_auth_method": "private_key_jwt", "jwks": key.jwks() });
    let world = World::with(&inline(&old)).await;
    // Fresh for an hour: whoever has a new key need not wait for it.
    world.host.put(PATH, Reply::json(&world.document(&inline(&old))));
    let tokens = Tokens::of(&world.redeem(&old, &world.code().await).await);
    let hits = world.host.hits();
    world.host.put(PATH, Reply::json(&world.document(&inline(&new))));
    world.refresh(&new, tokens.refresh()).await.assert_refused("invalid_client");
    assert_eq!(reason(&world.server), "assertion_kid_unknown", "it was read this minute");
    let tokens = Tokens::of(&world.refresh(&old, tokens.refresh()).await);
    assert_eq!(world.host.hits(), hits);
    world.server.advance(60);
    let tokens = Tokens::of(&world.refresh(&new, tokens.refresh()).await);
    assert_eq!(world.host.hits(), hits + 1, "without anybody at a browser");
    world.refresh(&old, tokens.refresh()).await.assert_refused("invalid_client");
    let changed = world.server.audit().iter().filter(|(event, ..)| event == "client.changed").count();
    assert_eq!((changed, world.server.count("consents")), (1, 0), "C-CM-20: whoever agreed is asked again");
    assert_eq!(world.server.count("grants"), 1, "and stays signed in meanwhile");
}

#[tokio::test]
async fn a_document_may_take_its_keys_back_and_is_public_from_then_on() {
    let key = ClientKey::new(AssertionAlgorithm::Es256);
    let world =
        World::with(&json!({ "token_endpoint_auth_method": "private_key_jwt", "jwks": key.jwks() })).await;
    let tokens = Tokens::of(&world.redeem(&key, &world.code().await).await);
    world.publish(&json!({ "token_endpoint_auth_method": "none" }));
    world.server.advance(60);
    world.refresh(&key, tokens.refresh()).await.assert_refused("invalid_client");
    assert_eq!(reason(&world.server), "assertion_unexpected");
    Tokens::of(&world.client.refresh(&world.server, tokens.refresh(), &[]).await);
}

#[tokio::test]
async fn a_key_is_good_while_the_host_of_its_document_is_down_and_not_when_the_document_is_gone() {
    let key = ClientKey::new(AssertionAlgorithm::Es256);
    let keyed = json!({ "token_endpoint_auth_method": "private_key_jwt", "jwks": key.jwks() });
    let world = World::with(&keyed).await;
    let tokens = Tokens::of(&world.redeem(&key, &world.code().await).await);
    world.host.put(PATH, Reply::answer("502 Bad Gateway", &[], b""));
    world.server.advance(3600);
    let tokens = Tokens::of(&world.refresh(&key, tokens.refresh()).await);
    world.host.put(PATH, Reply::answer("404 Not Found", &[], b""));
    world.refresh(&key, tokens.refresh()).await.assert_refused("invalid_client");
    assert_eq!(reason(&world.server), "keys_refused");
    world.publish(&keyed);
    let tokens = Tokens::of(&world.refresh(&key, tokens.refresh()).await);
    // For too long: nobody is told to register again because somebody else's host is down.
    world.host.put(PATH, Reply::answer("502 Bad Gateway", &[], b""));
    world.server.advance(7 * 24 * 3600);
    for answer in [world.refresh(&key, tokens.refresh()).await, world.introspect(&key, &tokens.access).await]
    {
        assert_eq!((answer.status.as_u16(), answer.error().as_str()), (503, "temporarily_unavailable"));
        assert_eq!(answer.header("retry-after"), Some("5"));
    }
    for (_, _, id, metadata) in world.server.audit().into_iter().take(2) {
        assert_eq!(
            (id.as_deref(), &metadata["reason"]),
            (Some(&*world.client.id), &json!("keys_unavailable"))
        );
        assert_eq!(metadata["mend"], "its makers have to mend what their server answers", "{metadata}");
    }
    world.publish(&keyed);
    Tokens::of(&world.refresh(&key, tokens.refresh()).await);
}
