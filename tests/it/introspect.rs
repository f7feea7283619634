//! Introspection (RFC 7662): who may ask, about what, and that what has ended has ended at once.

use rusqlite::params;
use serde_json::json;
use vestibule::crypto::jwk::Algorithm;
use vestibule::crypto::jws::SigningKey;
use vestibule::http::Method;
use vestibule::oauth::claims::{ACCESS_TOKEN_TYP, AccessTokenClaims};
use vestibule::oauth::client::{Client, Credential};
use vestibule::oauth::grant_type::AuthMethod;
use vestibule::oauth::ids::{ClientId, GrantId};
use vestibule::oauth::resource::ResourceUri;
use vestibule::oauth::secret::SecretHash;
use vestibule::store::{clients, grants, revoked_tokens, signing_keys, users};

use crate::harness::{Answer, ClientApp, ISSUER, R1, R2, SECRET, Server, Tokens, client};

const FIRST: &[(&str, &str)] = &[("resource", R1)];
const INACTIVE: &str = r#"{"active":false}"#;

/// A resource server's own client: it asks, and nobody signs in to it.
fn resource_server(server: &Server, id: &str, resource: &str) -> ClientApp {
    let credential =
        Credential::Secret { hash: SecretHash::of(SECRET), method: AuthMethod::ClientSecretBasic };
    let audience = vec![ResourceUri::parse(resource).expect("a resource")];
    let row = Client { audience, ..client(id, credential, &[], &[]) };
    assert!(server.command(move |tx| clients::insert(tx, &row, "{}")));
    ClientApp { id: id.to_owned(), ..ClientApp::fixture("svc") }
}

async fn ask(server: &Server, app: &ClientApp, token: &str) -> Answer {
    server.post("/oauth/introspect").basic(&app.id, SECRET).form(&[("token", token)]).send().await
}

#[track_caller]
fn assert_inactive(answer: &Answer, about: &str) {
    assert_eq!((answer.status.as_u16(), answer.text().as_str()), (200, INACTIVE), "{about}");
    assert_eq!(answer.header("cache-control"), Some("no-store"), "{about}");
    assert_eq!(answer.header("content-type"), Some("application/json"), "{about}");
}

/// A fresh token that a look has put among those seen before.
async fn seen(server: &Server, app: &ClientApp) -> Tokens {
    let tokens = app.tokens(server, "alice", FIRST).await;
    assert_eq!(app.introspect(server, &tokens.access).await["active"], true);
    tokens
}

/// The key that signs, as it is in the database.
fn own_key(server: &Server, typ: &str) -> SigningKey {
    let sql = "select pkcs8 from signing_keys";
    let pkcs8: Vec<u8> = server.connection().query_row(sql, [], |row| row.get(0)).expect("a key");
    SigningKey::from_pkcs8(Algorithm::Es256, &pkcs8, typ).expect("an ES256 key")
}

#[tokio::test]
async fn c_in_09_a_live_token_is_described_with_what_its_resource_server_needs() {
    let server = Server::start().await;
    let (app, rs) = (ClientApp::fixture("pub"), resource_server(&server, "rs1", R1));
    let tokens = app.tokens(&server, "alice", &[("resource", R1), ("scope", "a")]).await;
    let answer = ask(&server, &rs, &tokens.access).await;
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let claims = &tokens.claims;
    let expected = json!({
        "active": true,
        "scope": "a",
        "client_id": "pub",
        "username": "alice",
        "token_type": "Bearer",
        "exp": claims["exp"],
        "iat": claims["iat"],
        "sub": claims["sub"],
        "aud": R1,
        "iss": ISSUER,
        "jti": claims["jti"],
    });
    assert_eq!(answer.json(), expected);
    let svc = ClientApp::fixture("svc");
    let machine = Tokens::of(&svc.token(&server, &[("grant_type", "client_credentials")]).await);
    let described = rs.introspect(&server, &machine.access).await;
    assert_eq!((&described["sub"], &described["aud"]), (&json!("svc"), &json!(R1)));
    assert_eq!(described.get("username"), None);
}

#[tokio::test]
async fn c_in_01_a_tk_06_only_a_client_that_shows_its_secret_is_told_anything() {
    let server = Server::start().await;
    let conf = ClientApp::fixture("conf");
    let live = conf.tokens(&server, "alice", FIRST).await;
    let open = ClientApp::fixture("pub").tokens(&server, "alice", FIRST).await;
    let post = || server.post("/oauth/introspect");
    for token in [&live.access, &open.access, live.refresh(), open.refresh(), "x"] {
        let token = ("token", token);
        for answer in [
            post().form(&[token]).send().await,
            // A public client proves nothing, not even for its own token.
            post().form(&[token, ("client_id", "pub")]).send().await,
            post().form(&[token, ("client_id", "pub"), ("client_secret", SECRET)]).send().await,
            post().form(&[token, ("client_id", "conf")]).send().await,
            post().basic("pub", "").form(&[token]).send().await,
            post().basic("conf", "wrong").form(&[token]).send().await,
            post().basic("nobody", SECRET).form(&[token]).send().await,
            post().header("authorization", &format!("Bearer {}", live.access)).form(&[token]).send().await,
        ] {
            answer.assert_refused("invalid_client");
            assert!(!answer.text().contains("active"));
        }
    }
    // The scan: never anything but 401, until even that is too often.
    server.advance(3600);
    let mut statuses = Vec::new();
    for n in 0..120 {
        let fields = [("token", format!("token-{n}")), ("client_id", "conf".to_owned())];
        statuses.push(post().form(&fields).send().await.status.as_u16());
    }
    assert_eq!(statuses, [[401; 100].as_slice(), &[429; 20]].concat());
    let fresh = conf.tokens(&server, "alice", FIRST).await;
    assert_eq!(conf.introspect(&server, &fresh.access).await["active"], true, "who is right is served");
}

#[tokio::test]
async fn c_in_02_a_tk_07_whatever_is_wrong_the_answer_is_the_same_byte_for_byte() {
    let server = Server::start().await;
    let rs = resource_server(&server, "rs1", R1);
    let app = ClientApp::fixture("conf");
    let expired = app.tokens(&server, "alice", FIRST).await;
    server.advance(3601);
    let revoked = app.tokens(&server, "alice", FIRST).await;
    app.revoke(&server, &revoked.access).await;
    let ended = app.tokens(&server, "alice", FIRST).await;
    app.revoke(&server, ended.refresh()).await;
    let foreign = app.tokens(&server, "alice", &[("resource", R2)]).await;
    let live = app.tokens(&server, "alice", FIRST).await;
    assert_eq!(rs.introspect(&server, &live.access).await["active"], true);

    let (header, rest) = live.access.split_once('.').expect("a compact JWS");
    let (payload, signature) = rest.split_once('.').expect("a compact JWS");
    let stranger = SigningKey::generate(Algorithm::Es256);
    let stranger = SigningKey::from_pkcs8(Algorithm::Es256, &stranger, ACCESS_TOKEN_TYP).expect("a key");
    let by_stranger = stranger.sign(&serde_json::to_vec(&live.claims).expect("JSON"));
    let (_, strangers_signature) = by_stranger.rsplit_once('.').expect("a compact JWS");
    let encode = |text: &str| vestibule::crypto::digest::to_base64url(text.as_bytes());
    let bad = [
        ("garbage", "x".to_owned()),
        ("nearly a JWS", "..".to_owned()),
        ("expired", expired.access),
        ("revoked alone", revoked.access),
        ("revoked with its grant", ended.access),
        ("for another server", foreign.access),
        ("a stranger's", by_stranger.clone()),
        ("a stranger's under our key's name", format!("{header}.{payload}.{strangers_signature}")),
        ("unsigned", format!("{header}.{payload}.")),
        ("alg none", format!("{}.{payload}.", encode(r#"{"alg":"none","typ":"at+jwt"}"#))),
        ("of another type", own_key(&server, "JWT").sign(&serde_json::to_vec(&live.claims).expect("JSON"))),
        ("not claims", own_key(&server, ACCESS_TOKEN_TYP).sign(b"[]")),
        ("with more behind it", format!("{}.x", live.access)),
        ("with a space", format!("{} ", live.access)),
        ("padded", format!("{}=", live.access)),
        ("cut", live.access[..live.access.len() - 1].to_owned()),
        ("without its signature's name", format!("{payload}.{signature}")),
        ("a refresh token", live.refresh().to_owned()),
    ];
    for (about, token) in &bad {
        assert_inactive(&ask(&server, &rs, token).await, about);
        // The hint changes nothing.
        let fields = [("token", token.as_str()), ("token_type_hint", "refresh_token")];
        let hinted = server.post("/oauth/introspect").basic("rs1", SECRET).form(&fields).send().await;
        assert_inactive(&hinted, about);
    }
    assert_eq!(rs.introspect(&server, &live.access).await["active"], true);
}

#[tokio::test]
async fn c_in_03_claims_under_our_own_key_are_checked_too() {
    let server = Server::start().await;
    let rs = resource_server(&server, "rs1", R1);
    let tokens = ClientApp::fixture("pub").tokens(&server, "alice", FIRST).await;
    let key = own_key(&server, ACCESS_TOKEN_TYP);
    let claims: AccessTokenClaims = serde_json::from_value(tokens.claims).expect("claims");
    let signed = |claims: &AccessTokenClaims| key.sign(&serde_json::to_vec(claims).expect("JSON"));
    assert_eq!(rs.introspect(&server, &signed(&claims)).await["active"], true, "the signer is right");
    let wrong = [
        ("issuer", AccessTokenClaims { iss: "https://as.test/".to_owned(), ..claims.clone() }),
        ("end", AccessTokenClaims { exp: server.now(), ..claims.clone() }),
        ("grant", AccessTokenClaims { grant_id: Some(999), ..claims.clone() }),
        ("person", AccessTokenClaims { sub: server.user("bob").id.as_str().to_owned(), ..claims.clone() }),
        ("client", AccessTokenClaims { client_id: "conf".to_owned(), ..claims.clone() }),
        ("no such client", AccessTokenClaims { client_id: "nobody".to_owned(), ..claims.clone() }),
    ];
    for (about, claims) in wrong {
        assert_inactive(&ask(&server, &rs, &signed(&claims)).await, about);
    }
}

#[tokio::test]
async fn a_jwt_21_a_flipped_bit_anywhere_makes_it_nobodys_token() {
    let server = Server::start().await;
    let app = ClientApp::fixture("conf");
    let live = seen(&server, &app).await;
    for at in 0..live.access.len() {
        // The lowest bit of every character, and the next one where that leaves the form's alphabet.
        let mut changed = live.access.clone().into_bytes();
        changed[at] ^= if changed[at] == b'-' || changed[at] == b'.' { 2 } else { 1 };
        let changed = String::from_utf8(changed).expect("ASCII");
        assert_inactive(&ask(&server, &app, &changed).await, &format!("character {at}"));
    }
    assert_eq!(app.introspect(&server, &live.access).await["active"], true);
}

#[tokio::test]
async fn c_in_04_a_res_14_a_token_concerns_its_client_and_its_audience() {
    let server = Server::start().await;
    let (one, two) = (resource_server(&server, "rs1", R1), resource_server(&server, "rs2", R2));
    let (conf, post) = (ClientApp::fixture("conf"), ClientApp::fixture("post"));
    let both: &[(&str, &str)] = &[("resource", R1), ("resource", R2)];
    let (first, second) =
        (conf.tokens(&server, "alice", FIRST).await, conf.tokens(&server, "alice", &both[1..]).await);
    let wide = conf.tokens(&server, "alice", both).await;
    let active = async |app: &ClientApp, tokens: &Tokens| {
        app.introspect(&server, &tokens.access).await["active"] == true
    };
    for (app, tokens, expected) in [
        (&one, &first, true),
        (&one, &second, false),
        (&one, &wide, true),
        (&two, &first, false),
        (&two, &second, true),
        (&two, &wide, true),
        (&conf, &first, true),
        (&post, &first, false),
        (&post, &wide, false),
    ] {
        assert_eq!(active(app, tokens).await, expected, "{} {}", app.id, tokens.claims["aud"]);
    }
    // A resource server that was given its URI in another spelling is the same.
    let spelled = resource_server(&server, "rs3", "HTTPS://R1.test:443/mcp/");
    assert!(active(&spelled, &first).await);
}

#[tokio::test]
async fn c_in_05_only_post_is_served() {
    let server = Server::start().await;
    let conf = ClientApp::fixture("conf");
    let tokens = conf.tokens(&server, "alice", FIRST).await;
    let target = format!("/oauth/introspect?token={}", tokens.access);
    for method in [Method::GET, Method::PUT, Method::DELETE] {
        let answer = server.ask(method, &target).basic("conf", SECRET).send().await;
        assert_eq!((answer.status.as_u16(), answer.header("allow")), (405, Some("POST, OPTIONS")));
    }
    let none: &[(&str, &str)] = &[];
    server.post(&target).basic("conf", SECRET).form(none).send().await.assert_refused("invalid_request");
    for fields in [&[("token", "")][..], &[("token", "a"), ("token", "b")], &[("Token", "a")]] {
        let answer = server.post("/oauth/introspect").basic("conf", SECRET).form(fields).send().await;
        answer.assert_refused("invalid_request");
    }
}

#[tokio::test]
async fn c_in_06_a_refresh_token_is_shown_to_the_client_that_holds_it() {
    let server = Server::start().await;
    let (conf, post) = (ClientApp::fixture("conf"), ClientApp::fixture("post"));
    let rs = resource_server(&server, "rs1", R1);
    let tokens = conf.tokens(&server, "alice", FIRST).await;
    for other in [&post, &rs] {
        assert_inactive(&ask(&server, other, tokens.refresh()).await, &other.id);
    }
    let described = conf.introspect(&server, tokens.refresh()).await;
    assert_eq!((&described["active"], &described["token_type"]), (&json!(true), &json!("refresh_token")));
    assert_eq!((&described["client_id"], &described["scope"]), (&json!("conf"), &json!("a b")));
    let now = server.now().as_i64();
    assert_eq!(described["exp"], now + 30 * 24 * 3600, "when it ends unless it is used");
    let next = Tokens::of(&conf.refresh(&server, tokens.refresh(), &[]).await);
    assert_inactive(&ask(&server, &conf, tokens.refresh()).await, "spent");
    assert_eq!(conf.introspect(&server, next.refresh()).await["active"], true);
    conf.revoke(&server, next.refresh()).await;
    assert_inactive(&ask(&server, &conf, next.refresh()).await, "revoked");
    let idle = conf.tokens(&server, "alice", FIRST).await;
    server.advance(30 * 24 * 3600);
    assert_inactive(&ask(&server, &conf, idle.refresh()).await, "not used for too long");
}

#[tokio::test]
async fn a_refresh_token_of_somebody_shut_out_is_not_active() {
    let server = Server::start().await;
    let conf = ClientApp::fixture("conf");
    let tokens = conf.tokens(&server, "alice", FIRST).await;
    let (alice, now) = (server.user("alice").id, server.now());
    server.command(move |tx| users::disable(tx, &alice, now));
    assert_inactive(&ask(&server, &conf, tokens.refresh()).await, "it refreshes nothing any more");
}

#[tokio::test]
async fn a_tk_10_what_has_ended_is_inactive_at_the_next_question_also_when_it_was_seen_before() {
    let server = Server::start().await;
    let twin = server.twin().await;
    let (conf, rs) = (ClientApp::fixture("conf"), resource_server(&server, "rs1", R1));
    let grant_of = |tokens: &Tokens| GrantId::new(tokens.claims["grant_id"].as_i64().expect("a grant"));

    let by_grant = seen(&server, &conf).await;
    let by_jti = seen(&server, &conf).await;
    let untouched = seen(&server, &conf).await;
    for tokens in [&by_grant, &by_jti, &untouched] {
        assert_eq!(rs.introspect(&twin, &tokens.access).await["active"], true);
    }
    let (grant, now) = (grant_of(&by_grant), server.now());
    assert!(server.command(move |tx| grants::revoke(tx, grant, "by the owner", now)));
    let (jti, end) = (by_jti.claims["jti"].as_str().expect("a name").to_owned(), now);
    server.command(move |tx| revoked_tokens::insert(tx, &jti, end));
    for server in [&server, &twin] {
        for app in [&conf, &rs] {
            assert_inactive(&ask(server, app, &by_grant.access).await, "its grant was revoked");
            assert_inactive(&ask(server, app, &by_jti.access).await, "it was revoked itself");
            assert_eq!(app.introspect(server, &untouched.access).await["active"], true);
        }
    }

    let alice = server.user("alice").id;
    let id = alice.clone();
    server.command(move |tx| users::disable(tx, &id, now));
    assert_inactive(&ask(&twin, &rs, &untouched.access).await, "the person was disabled");
    let id = alice.clone();
    server.command(move |tx| users::enable(tx, &id));
    assert_eq!(rs.introspect(&twin, &untouched.access).await["active"], true);
    server.command(|tx| clients::remove(tx, &ClientId::parse("conf").expect("a client_id")));
    for server in [&server, &twin] {
        assert_inactive(&ask(server, &rs, &untouched.access).await, "the client was removed");
    }
    let other = ClientApp::fixture("post").tokens(&server, "alice", FIRST).await;
    assert_eq!(rs.introspect(&twin, &other.access).await["active"], true);
    server.command(move |tx| users::remove(tx, &alice));
    assert_inactive(&ask(&twin, &rs, &other.access).await, "the person was removed");
}

#[tokio::test]
async fn a_withdrawn_key_takes_its_tokens_with_it_also_those_seen_before() {
    let server = Server::start().await;
    let conf = ClientApp::fixture("conf");
    let old = seen(&server, &conf).await;
    let now = server.now();
    let kid = server.command(move |tx| {
        let key = SigningKey::generate(Algorithm::Es256);
        signing_keys::insert(tx, Algorithm::Es256, &key, now, now)
    });
    assert_eq!(conf.introspect(&server, &old.access).await["active"], true, "published beside the new one");
    assert_eq!(server.sql("delete from signing_keys where kid <> ?1", params![kid]), 1);
    assert_inactive(&ask(&server, &conf, &old.access).await, "its key is gone");
    let new = seen(&server, &conf).await;
    assert_ne!(new.access.split('.').next(), old.access.split('.').next());
    // The grant is as good as before.
    Tokens::of(&conf.refresh(&server, old.refresh(), &[]).await);
}

#[tokio::test]
async fn c_in_03_the_clock_ends_a_token_to_the_second() {
    let server = Server::start().await;
    let conf = ClientApp::fixture("conf");
    let tokens = seen(&server, &conf).await;
    server.advance(3599);
    assert_eq!(conf.introspect(&server, &tokens.access).await["active"], true);
    server.advance(1);
    assert_inactive(&ask(&server, &conf, &tokens.access).await, "exp is the first second without it");
}

#[tokio::test]
async fn c_in_08_a_thousand_made_up_tokens_are_a_thousand_times_inactive() {
    let server = Server::start().await;
    let conf = ClientApp::fixture("conf");
    let before = server.contents();
    for n in 0..1000 {
        assert_inactive(&ask(&server, &conf, &format!("made-up-{n}")).await, "made up");
    }
    assert_eq!(server.contents(), before, "G6");
}

#[tokio::test]
async fn nothing_of_a_person_but_their_name_is_told() {
    let server = Server::start().await;
    server.sql("update users set email = 'alice@home.example'", []);
    let conf = ClientApp::fixture("conf");
    let tokens = conf.tokens(&server, "alice", FIRST).await;
    for text in [tokens.claims.to_string(), conf.introspect(&server, &tokens.access).await.to_string()] {
        assert!(!text.contains("home.example"), "{text}");
    }
    assert_eq!(tokens.claims.get("username"), None);
}
