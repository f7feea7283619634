//! refresh_token: each token is good once, a lost answer can be asked for again, and a token that comes back later
//! takes its grant with it. What ends a grant is in `ends`, disks and restarts in `kept`, and what happens at one
//! moment in `races`.

mod ends;
mod kept;

use serde_json::json;
use vestibule::clock::Seconds;
use vestibule::crypto::digest::{from_base64url, to_base64url};
use vestibule::oauth::client::Credential;
use vestibule::oauth::grant_type::GrantType;
use vestibule::oauth::ids::GrantId;
use vestibule::oauth::refresh_token::{ChainKey, RefreshToken};
use vestibule::store::clients;

use crate::harness::{Browser, ClientApp, R1, R2, SECRET, Server, Tokens, client};

/// How many rotations the only grant has seen, counted from 1.
fn generation(server: &Server) -> i64 {
    server.value("select generation from grants")
}

fn is_revoked(server: &Server) -> bool {
    server.value("select revoked_at is not null from grants")
}

#[tokio::test]
async fn a_rt_01_a_spent_token_that_comes_back_takes_the_whole_grant_with_it() {
    let server = Server::start().await;
    let conf = ClientApp::fixture("conf");
    let first = conf.tokens(&server, "alice", &[("resource", R1)]).await;
    let second = Tokens::of(&conf.refresh(&server, first.refresh(), &[]).await);
    server.advance(60);
    conf.refresh(&server, first.refresh(), &[]).await.assert_refused("invalid_grant");
    let (event, user, client, metadata) = server.audit().remove(0);
    assert_eq!(event, "oauth.token.replay");
    assert_eq!((user.as_deref(), client.as_deref()), (Some("alice"), Some("conf")));
    assert_eq!(metadata["reason"], "refresh_token_replayed");
    assert!(is_revoked(&server));
    for token in [&first, &second] {
        conf.refresh(&server, token.refresh(), &[]).await.assert_refused("invalid_grant");
        assert_eq!(conf.introspect(&server, &token.access).await, json!({ "active": false }));
        assert_eq!(conf.introspect(&server, token.refresh()).await, json!({ "active": false }));
    }
    // A grant of its own that the same person gave to the same client is another family.
    let other = conf.tokens(&server, "alice", &[("resource", R1)]).await;
    Tokens::of(&conf.refresh(&server, other.refresh(), &[]).await);
}

#[tokio::test]
async fn a_rt_02_within_the_window_a_lost_answer_can_be_asked_for_again() {
    let server = Server::start().await;
    let app = ClientApp::fixture("pub");
    let first = app.tokens(&server, "alice", &[("resource", R1)]).await;
    let second = Tokens::of(&app.refresh(&server, first.refresh(), &[]).await);
    assert_ne!(second.refresh(), first.refresh());
    let before = server.contents();
    for seconds in [0, 1, 58] {
        server.advance(seconds);
        let again = Tokens::of(&app.refresh(&server, first.refresh(), &[]).await);
        assert_eq!(again.refresh(), second.refresh());
        assert_ne!(again.claims["jti"], second.claims["jti"]);
    }
    assert_eq!(
        server.contents(),
        before,
        "a repeated rotation changes nothing, and does not move the window"
    );
    // 60 s after the rotation, however often it was repeated, it is over.
    server.advance(1);
    app.refresh(&server, first.refresh(), &[]).await.assert_refused("invalid_grant");
    assert!(is_revoked(&server));
}

#[tokio::test]
async fn a_rt_03_the_window_is_for_the_predecessor_alone() {
    let server = Server::start().await;
    let app = ClientApp::fixture("pub");
    let first = app.tokens(&server, "alice", &[("resource", R1)]).await;
    let second = Tokens::of(&app.refresh(&server, first.refresh(), &[]).await);
    let third = Tokens::of(&app.refresh(&server, second.refresh(), &[]).await);
    assert_eq!(generation(&server), 3);
    app.refresh(&server, first.refresh(), &[]).await.assert_refused("invalid_grant");
    assert!(is_revoked(&server), "the grandparent, in the same second");
    app.refresh(&server, third.refresh(), &[]).await.assert_refused("invalid_grant");
}

#[tokio::test]
async fn a_rt_20_a_window_of_0_switches_repeated_rotations_off() {
    let server = Server::start_with(|settings| settings.lifetimes.refresh_retry = Seconds::new(0)).await;
    let app = ClientApp::fixture("pub");
    let first = app.tokens(&server, "alice", &[("resource", R1)]).await;
    let second = Tokens::of(&app.refresh(&server, first.refresh(), &[]).await);
    app.refresh(&server, first.refresh(), &[]).await.assert_refused("invalid_grant");
    assert!(is_revoked(&server));
    app.refresh(&server, second.refresh(), &[]).await.assert_refused("invalid_grant");
}

#[tokio::test]
async fn a_rt_09_10_another_client_or_a_wrong_secret_gets_nothing_and_ends_nothing() {
    let server = Server::start().await;
    let grants = [GrantType::AuthorizationCode, GrantType::RefreshToken];
    let evil = client("evil", Credential::Public, &["https://app.test/cb"], &grants);
    server.command(move |tx| clients::insert(tx, &evil, "{}"));
    for owner in ["pub", "conf"].map(ClientApp::fixture) {
        let spent = owner.tokens(&server, "alice", &[("resource", R1)]).await;
        let current = Tokens::of(&owner.refresh(&server, spent.refresh(), &[]).await);
        // Out of the window: from the owner, the spent one would revoke.
        server.advance(61);
        let before = server.contents();
        for thief in ["evil", "nat", "pub", "conf", "post"].into_iter().filter(|id| *id != owner.id) {
            for token in [&spent, &current] {
                let answer = ClientApp::fixture(thief).refresh(&server, token.refresh(), &[]).await;
                answer.assert_refused("invalid_grant");
                let (event, _, client, metadata) = server.audit().remove(0);
                assert_eq!(
                    (event.as_str(), client.as_deref()),
                    ("oauth.token.exchange.failure", Some(thief))
                );
                assert_eq!(metadata["reason"], "refresh_token_of_another_client");
            }
        }
        for secret in [None, Some(""), Some("wrong"), Some(&SECRET[1..])] {
            let posing = ClientApp { secret: secret.map(str::to_owned), ..owner.clone() };
            if owner.secret.is_none() && secret.unwrap_or_default().is_empty() {
                continue;
            }
            for token in [&spent, &current] {
                posing.refresh(&server, token.refresh(), &[]).await.assert_refused("invalid_client");
            }
        }
        assert_eq!(server.contents(), before, "G6");
        Tokens::of(&owner.refresh(&server, current.refresh(), &[]).await);
    }
}

#[tokio::test]
async fn a_rt_11_a_made_up_token_revokes_nothing_however_true_it_looks() {
    let server = Server::start().await;
    let app = ClientApp::fixture("pub");
    let first = app.tokens(&server, "alice", &[("resource", R1)]).await;
    let second = Tokens::of(&app.refresh(&server, first.refresh(), &[]).await);
    server.advance(61);
    let before = server.contents();
    let (true_one, grant) = (second.refresh(), GrantId::new(server.value("select id from grants")));
    let bytes = from_base64url(&true_one["vrt_".len()..]).expect("base64url");
    let flipped = (0..bytes.len()).step_by(4).map(|at| {
        let mut bytes = bytes.clone();
        bytes[at] ^= 1;
        format!("vrt_{}", to_base64url(&bytes))
    });
    let strangers_key = ChainKey::new();
    let made_up = [
        RefreshToken::first(grant).expose(&strangers_key),
        RefreshToken::first(grant).successor(&strangers_key).expose(&strangers_key),
        // What only this server could have made, of this generation and of a grant that is not there.
        RefreshToken::first(grant).successor(&strangers_key).expose(&server.app.chain_key),
        RefreshToken::first(GrantId::new(99)).expose(&server.app.chain_key),
        RefreshToken::first(GrantId::new(-1)).expose(&server.app.chain_key),
        true_one[..true_one.len() - 1].to_owned(),
        true_one["vrt_".len()..].to_owned(),
        format!("{true_one}A"),
        format!("{true_one}\n"),
        format!("{true_one}{true_one}"),
        true_one.to_ascii_uppercase(),
        "vrt_".to_owned(),
        "🦀".to_owned(),
        "x".repeat(60_000),
        second.access.clone(),
    ];
    for wrong in flipped.chain(made_up) {
        app.refresh(&server, &wrong, &[]).await.assert_refused("invalid_grant");
        assert_eq!(server.audit()[0].3["reason"], "refresh_token_unknown", "{wrong:?}");
    }
    app.refresh(&server, "", &[]).await.assert_refused("invalid_request");
    app.refresh(&server, true_one, &[("refresh_token", "x")]).await.assert_refused("invalid_request");
    assert_eq!(server.contents(), before, "G6");
    Tokens::of(&app.refresh(&server, true_one, &[]).await);
}

#[tokio::test]
async fn a_rt_12_a_resource_beyond_the_grant_is_refused_and_the_token_still_good() {
    let server = Server::start().await;
    let app = ClientApp::fixture("pub");
    let tokens = app.tokens(&server, "alice", &[("resource", R1)]).await;
    let before = server.contents();
    let unknown = "https://unknown.test/mcp";
    for asked in [&[("resource", R2)][..], &[("resource", R1), ("resource", R2)], &[("resource", unknown)]] {
        app.refresh(&server, tokens.refresh(), asked).await.assert_refused("invalid_target");
        let (event, user, _, metadata) = server.audit().remove(0);
        assert_eq!((event.as_str(), user.as_deref()), ("oauth.token.exchange.failure", Some("alice")));
        assert_eq!(metadata["extra_resources"], json!([asked.last().expect("one").1]));
    }
    assert_eq!(server.contents(), before, "G6");
    let next = Tokens::of(&app.refresh(&server, tokens.refresh(), &[("resource", R1)]).await);
    assert_eq!(next.claims["aud"], R1);
}

#[tokio::test]
async fn a_rt_13_14_what_was_narrowed_stays_narrowed() {
    let server = Server::start().await;
    let app = ClientApp::fixture("pub");
    let both = [("resource", R1), ("resource", R2)];
    let first = app.tokens(&server, "alice", &both).await;
    assert_eq!(first.claims["aud"], json!([R1, R2]));
    assert_eq!(first.scope.as_deref(), Some("a b c d"));
    let second = Tokens::of(&app.refresh(&server, first.refresh(), &[("resource", R1)]).await);
    assert_eq!((&second.claims["aud"], second.scope.as_deref()), (&json!(R1), Some("a b")));
    // The repeated rotation is bound to what the first one left, too.
    for wider in [&[("resource", R2)][..], &both] {
        app.refresh(&server, first.refresh(), wider).await.assert_refused("invalid_target");
        app.refresh(&server, second.refresh(), wider).await.assert_refused("invalid_target");
    }
    let repeated = Tokens::of(&app.refresh(&server, first.refresh(), &[]).await);
    assert_eq!(repeated.claims["aud"], R1);
    let third = Tokens::of(&app.refresh(&server, second.refresh(), &[]).await);
    assert_eq!((&third.claims["aud"], third.scope.as_deref()), (&json!(R1), Some("a b")));
}

#[tokio::test]
async fn a_rt_22_a_narrower_scope_and_an_older_sign_in_are_the_access_tokens_own() {
    let server = Server::start().await;
    let app = ClientApp::fixture("pub");
    let first = app.tokens(&server, "alice", &[("resource", R1), ("scope", "a b offline_access")]).await;
    assert_eq!(first.scope.as_deref(), Some("a b offline_access"));
    server.advance(3600);
    let narrow = Tokens::of(&app.refresh(&server, first.refresh(), &[("scope", "a")]).await);
    assert_eq!(narrow.scope.as_deref(), Some("a"));
    assert_eq!(narrow.claims["scope"], "a");
    // Who signed in when does not change by a refresh; when the token was made does.
    for claim in ["auth_time", "sub", "client_id", "iss"] {
        assert_eq!(narrow.claims[claim], first.claims[claim], "{claim}");
    }
    assert_eq!(narrow.claims["iat"].as_i64(), first.claims["iat"].as_i64().map(|at| at + 3600));
    // The grant keeps its scope (RFC 6749 6); what never was in it does not come in.
    let wide = Tokens::of(&app.refresh(&server, narrow.refresh(), &[("scope", "a b c admin")]).await);
    assert_eq!(wide.scope.as_deref(), Some("a b"));
    let before = server.contents();
    app.refresh(&server, wide.refresh(), &[("scope", "c d")]).await.assert_refused("invalid_scope");
    app.refresh(&server, wide.refresh(), &[("scope", "a\"b")]).await.assert_refused("invalid_scope");
    assert_eq!(server.contents(), before, "G6");
    let whole = Tokens::of(&app.refresh(&server, wide.refresh(), &[("scope", "")]).await);
    assert_eq!(whole.scope.as_deref(), Some("a b offline_access"));
}

#[tokio::test]
async fn a_rt_18_a_refresh_token_comes_with_every_code_of_a_client_that_may_refresh() {
    // The catalogue wants none without offline_access; by design.md 2.3 every interactive grant has one.
    let server = Server::start().await;
    for id in ["pub", "conf"] {
        let tokens =
            ClientApp::fixture(id).tokens(&server, "alice", &[("resource", R1), ("scope", "a")]).await;
        assert!(tokens.refresh.is_some());
        assert_eq!(tokens.scope.as_deref(), Some("a"));
    }
    let once = client("evil", Credential::Public, &["https://app.test/cb"], &[GrantType::AuthorizationCode]);
    server.command(move |tx| clients::insert(tx, &once, "{}"));
    let once = ClientApp::fixture("evil");
    let tokens = once.tokens(&server, "alice", &[("resource", R1), ("scope", "a offline_access")]).await;
    assert_eq!(tokens.refresh, None);
    let foreign = ClientApp::fixture("pub").tokens(&server, "alice", &[("resource", R1)]).await;
    once.refresh(&server, foreign.refresh(), &[]).await.assert_refused("unauthorized_client");
    Tokens::of(&ClientApp::fixture("pub").refresh(&server, foreign.refresh(), &[]).await);
}

#[tokio::test]
async fn a_rt_14_a_refresh_token_is_no_code_and_no_access_token() {
    let server = Server::start().await;
    let conf = ClientApp::fixture("conf");
    let tokens = conf.tokens(&server, "alice", &[("resource", R1)]).await;
    let code = conf.code(&server, &mut Browser::new(), "alice", &[("resource", R1)]).await;
    let before = server.contents();
    conf.redeem(&server, tokens.refresh(), &[]).await.assert_refused("invalid_grant");
    conf.refresh(&server, &code, &[]).await.assert_refused("invalid_grant");
    conf.refresh(&server, &tokens.access, &[]).await.assert_refused("invalid_grant");
    assert_eq!(server.contents(), before, "G6");
}
