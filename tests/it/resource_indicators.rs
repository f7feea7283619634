//! Resource indicators on the grants that a person gives (RFC 8707): bound at authorize, narrowed at the token
//! endpoint, never wider again.

use serde_json::{Value, json};
use vestibule::clock::Seconds;
use vestibule::oauth::resource::ResourceUri;
use vestibule::store::resources;

use crate::harness::{Browser, ClientApp, R1, R2, Server, Tokens, resource};

mod later;
mod relatives;
mod spelling;

/// A server on which R3 is registered too, without scopes.
async fn with_r3() -> Server {
    let server = Server::start().await;
    add(&server, R3, "");
    server
}

const R3: &str = "https://R3.test/Mcp/";
const BOTH: &[(&str, &str)] = &[("resource", R1), ("resource", R2)];
const FIRST: &[(&str, &str)] = &[("resource", R1)];
const SECOND: &[(&str, &str)] = &[("resource", R2)];

fn add(server: &Server, uri: &str, scopes: &str) {
    let resource = resource(uri, scopes);
    let now = server.now();
    assert!(server.command(move |tx| resources::insert(tx, &resource, now)));
}

/// The reason in the newest audit row, with what it says of resources.
fn newest(server: &Server) -> (String, Value, Value) {
    let (event, user, client, metadata) = server.audit().remove(0);
    assert_eq!(event, "oauth.token.exchange.failure");
    assert_eq!((user.as_deref(), client.as_deref()), (Some("alice"), Some("pub")), "whom it concerns");
    let reason = metadata["reason"].as_str().expect("a reason").to_owned();
    (reason, metadata["extra_resources"].clone(), metadata["mend"].clone())
}

#[tokio::test]
async fn several_resources_make_an_array_and_one_a_string_in_the_registered_spelling() {
    let server = with_r3().await;
    let app = ClientApp::fixture("pub");
    let three: &[(&str, &str)] =
        &[("resource", "https://r3.test/Mcp"), ("resource", R1), ("resource", "https://r2.test:443/mcp/")];
    let tokens = app.tokens(&server, "alice", three).await;
    assert_eq!(tokens.claims["aud"], json!([R3, R1, R2]));
    assert_eq!(tokens.scope.as_deref(), Some("a b c d"));
    let one = app.tokens(&server, "alice", &[("resource", "https://r3.test/Mcp")]).await;
    assert_eq!(one.claims["aud"], R3);
    assert_eq!(one.scope, None, "R3 makes no difference between scopes");
    let twice = app.tokens(&server, "alice", &[("resource", R1), ("resource", "HTTPS://r1.test/mcp/")]).await;
    assert_eq!(twice.claims["aud"], R1);
}

#[tokio::test]
async fn a_res_07_c_ri_06_the_code_may_be_redeemed_for_a_part_and_the_grant_keeps_to_it() {
    let server = Server::start().await;
    let app = ClientApp::fixture("pub");
    for (part, aud, scope, other) in [(FIRST, R1, "a b", SECOND), (SECOND, R2, "c d", FIRST)] {
        let mut browser = Browser::new();
        let code = app.code(&server, &mut browser, "alice", BOTH).await;
        let tokens = Tokens::of(&app.redeem(&server, &code, part).await);
        assert_eq!((&tokens.claims["aud"], tokens.scope.as_deref()), (&json!(aud), Some(scope)));
        app.refresh(&server, tokens.refresh(), other).await.assert_refused("invalid_target");
        assert_eq!(newest(&server).0, "resource_not_granted");
        app.refresh(&server, tokens.refresh(), BOTH).await.assert_refused("invalid_target");
        let next = Tokens::of(&app.refresh(&server, tokens.refresh(), &[]).await);
        assert_eq!((&next.claims["aud"], next.scope.as_deref()), (&json!(aud), Some(scope)));
    }
}

#[tokio::test]
async fn a_res_07_08_another_resource_is_refused_and_the_code_is_still_good() {
    let server = with_r3().await;
    let app = ClientApp::fixture("pub");
    let unknown = "https://nobody.test/mcp";
    let mut browser = Browser::new();
    let code = app.code(&server, &mut browser, "alice", FIRST).await;
    let before = server.contents();
    // More often than wrong verifiers are forgiven: these are no guesses.
    for _ in 0..3 {
        for more in [SECOND, BOTH, &[("resource", R3), ("resource", R2)]] {
            app.redeem(&server, &code, more).await.assert_refused("invalid_target");
            assert_eq!(newest(&server).0, "resource_not_granted");
        }
        app.redeem(&server, &code, &[("resource", unknown)]).await.assert_refused("invalid_target");
        let mend = format!("vestibule resource add '{unknown}'");
        assert_eq!(newest(&server), ("resource_unknown".to_owned(), json!([unknown]), json!(mend)));
    }
    assert_eq!(server.contents(), before, "G6");
    let tokens = Tokens::of(&app.redeem(&server, &code, FIRST).await);
    assert_eq!(tokens.claims["aud"], R1);
}

#[tokio::test]
async fn a_res_07_c_ri_07_another_resource_is_refused_and_the_refresh_token_is_still_good() {
    let server = Server::start().await;
    let app = ClientApp::fixture("pub");
    let tokens = app.tokens(&server, "alice", FIRST).await;
    let before = server.contents();
    let unknown = "https://nobody.test/it's";
    for more in [SECOND, BOTH] {
        app.refresh(&server, tokens.refresh(), more).await.assert_refused("invalid_target");
        assert_eq!(newest(&server), ("resource_not_granted".to_owned(), json!([R2]), Value::Null));
    }
    for more in [&[("resource", unknown)][..], &[("resource", R1), ("resource", R2), ("resource", unknown)]] {
        app.refresh(&server, tokens.refresh(), more).await.assert_refused("invalid_target");
        // The command can be pasted into a shell whatever the URI is.
        let mend = "vestibule resource add 'https://nobody.test/it%27s'";
        assert_eq!(newest(&server), ("resource_unknown".to_owned(), json!([unknown]), json!(mend)));
    }
    assert_eq!(server.contents(), before, "G6");
    // The very token that was refused is the current one still: its successor is no repetition.
    server.advance(3600);
    let next = Tokens::of(&app.refresh(&server, tokens.refresh(), FIRST).await);
    assert_eq!(next.claims["aud"], R1);
    app.refresh(&server, next.refresh(), SECOND).await.assert_refused("invalid_target");
    Tokens::of(&app.refresh(&server, next.refresh(), &[]).await);
}

#[tokio::test]
async fn a_res_07_what_was_narrowed_stays_narrowed() {
    let server = Server::start().await;
    let app = ClientApp::fixture("pub");
    let whole = app.tokens(&server, "alice", BOTH).await;
    assert_eq!(whole.claims["aud"], json!([R1, R2]));
    // Omitted means all that is bound, as often as one likes.
    let whole = Tokens::of(&app.refresh(&server, whole.refresh(), &[]).await);
    assert_eq!(whole.claims["aud"], json!([R1, R2]));
    let narrowed = Tokens::of(&app.refresh(&server, whole.refresh(), SECOND).await);
    assert_eq!((&narrowed.claims["aud"], narrowed.scope.as_deref()), (&json!(R2), Some("c d")));

    // The lost answer asked for again: the same successor, and nothing wider by asking for more.
    let again = Tokens::of(&app.refresh(&server, whole.refresh(), SECOND).await);
    assert_eq!(again.refresh(), narrowed.refresh());
    let omitted = Tokens::of(&app.refresh(&server, whole.refresh(), &[]).await);
    assert_eq!((&omitted.claims["aud"], omitted.refresh()), (&json!(R2), narrowed.refresh()));
    for wider in [FIRST, BOTH] {
        app.refresh(&server, whole.refresh(), wider).await.assert_refused("invalid_target");
    }

    let mut tokens = narrowed;
    for _ in 0..3 {
        for wider in [FIRST, BOTH] {
            app.refresh(&server, tokens.refresh(), wider).await.assert_refused("invalid_target");
        }
        server.advance(3600);
        tokens = Tokens::of(&app.refresh(&server, tokens.refresh(), &[]).await);
        assert_eq!((&tokens.claims["aud"], tokens.scope.as_deref()), (&json!(R2), Some("c d")));
    }
}

#[tokio::test]
async fn a_repeated_rotation_takes_nothing_from_the_token_that_both_hold() {
    let server = Server::start().await;
    let app = ClientApp::fixture("pub");
    let first = app.tokens(&server, "alice", BOTH).await;
    let one = Tokens::of(&app.refresh(&server, first.refresh(), &[]).await);
    // Two processes of one client refresh at once for different servers: both hold the same successor, which is as
    // wide as the first of them left it.
    let other = Tokens::of(&app.refresh(&server, first.refresh(), FIRST).await);
    assert_eq!((&other.claims["aud"], other.refresh()), (&json!(R1), one.refresh()));
    let next = Tokens::of(&app.refresh(&server, one.refresh(), &[]).await);
    assert_eq!(next.claims["aud"], json!([R1, R2]));
}

#[tokio::test]
async fn a_res_07_a_grant_without_a_resource_gets_none_at_the_token_endpoint() {
    let server = Server::start().await;
    server.forget_resource(R1);
    server.forget_resource(R2);
    let app = ClientApp::fixture("pub");
    let mut browser = Browser::new();
    let code = app.code(&server, &mut browser, "alice", &[]).await;
    add(&server, R1, "a b");
    app.redeem(&server, &code, FIRST).await.assert_refused("invalid_target");
    let tokens = Tokens::of(&app.redeem(&server, &code, &[]).await);
    assert_eq!(tokens.claims["aud"], "pub", "design.md 2.1: the last resort is the client itself");
    app.refresh(&server, tokens.refresh(), FIRST).await.assert_refused("invalid_target");
    let next = Tokens::of(&app.refresh(&server, tokens.refresh(), &[]).await);
    assert_eq!(next.claims["aud"], "pub");
}

#[tokio::test]
async fn without_resource_the_only_one_that_admits_the_person_is_meant() {
    let server = Server::start().await;
    server.admit_only(R2, &["bob"]);
    let app = ClientApp::fixture("pub");
    let tokens = app.tokens(&server, "alice", &[]).await;
    assert_eq!((&tokens.claims["aud"], tokens.scope.as_deref()), (&json!(R1), Some("a b")));
    // It is bound as if it had been named: another one that comes later is none of its business.
    app.refresh(&server, tokens.refresh(), SECOND).await.assert_refused("invalid_target");
    assert_eq!(Tokens::of(&app.refresh(&server, tokens.refresh(), FIRST).await).claims["aud"], R1);
}

#[tokio::test]
async fn a_res_10_scopes_belong_to_their_resource() {
    let server = Server::start().await;
    let app = ClientApp::fixture("pub");
    let asked: &[(&str, &str)] = &[("resource", R1), ("resource", R2), ("scope", "a c offline_access zzz")];
    let mut browser = Browser::new();
    let code = app.code(&server, &mut browser, "alice", asked).await;
    let tokens = Tokens::of(&app.redeem(&server, &code, &[]).await);
    assert_eq!(tokens.scope.as_deref(), Some("a c offline_access"));
    let second = Tokens::of(&app.refresh(&server, tokens.refresh(), SECOND).await);
    assert_eq!(second.scope.as_deref(), Some("c offline_access"));
    assert_eq!(second.claims["scope"], "c offline_access");
    // A scope of the other resource is no longer anything that could be asked for.
    app.refresh(&server, second.refresh(), &[("scope", "a")]).await.assert_refused("invalid_scope");
    let kept = Tokens::of(&app.refresh(&server, second.refresh(), &[("scope", "a c")]).await);
    assert_eq!(kept.scope.as_deref(), Some("c"));
    // Asked for alone: dropped, and the resource's default takes its place (design.md 2.3).
    let foreign = app.tokens(&server, "bob", &[("resource", R1), ("scope", "c d")]).await;
    assert_eq!(foreign.scope.as_deref(), Some("a b"));
}

#[tokio::test]
async fn the_strictest_of_several_token_lifetimes_wins() {
    let server = with_r3().await;
    for (uri, lifetime) in [(R1, 7200), (R2, 600)] {
        server.command(move |tx| {
            let uri = ResourceUri::parse(uri).expect("a resource");
            let mut resource = resources::find(tx, &uri)?.expect("registered");
            resource.token_lifetime = Some(Seconds::new(lifetime));
            resources::update(tx, &resource)
        });
    }
    let app = ClientApp::fixture("pub");
    let r3 = ("resource", R3);
    let (r1, r2) = (("resource", R1), ("resource", R2));
    for (resources, seconds) in [
        (&[r1][..], 7200),
        (&[r2], 600),
        (&[r3], 3600),
        (&[r1, r2], 600),
        (&[r2, r1, r3], 600),
        // A resource without a word of its own follows the setting, which may be the stricter one.
        (&[r1, r3], 3600),
    ] {
        let mut browser = Browser::new();
        let code = app.code(&server, &mut browser, "alice", resources).await;
        let answer = app.redeem(&server, &code, &[]).await;
        let tokens = Tokens::of(&answer);
        let life = tokens.claims["exp"].as_i64().unwrap() - tokens.claims["iat"].as_i64().unwrap();
        assert_eq!(life, seconds, "{resources:?}");
    }
    // Narrowed to the laxer one, its own word counts.
    let whole = app.tokens(&server, "alice", &[r1, r2]).await;
    let narrowed = app.refresh(&server, whole.refresh(), &[r1]).await;
    let narrowed = Tokens::of(&narrowed);
    assert_eq!(narrowed.claims["exp"].as_i64().unwrap() - narrowed.claims["iat"].as_i64().unwrap(), 7200);
}
