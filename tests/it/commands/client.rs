//! `client` and `grant`: what asks for tokens, and what it was given.

use serde_json::{Value, json};
use vestibule::clock::Seconds;
use vestibule::oauth::client::Credential;
use vestibule::oauth::ids::ClientId;
use vestibule::oauth::resource::ResourceUri;
use vestibule::oauth::scope::Scope;
use vestibule::oauth::secret::SecretHash;
use vestibule::store::{clients, consents, grants, users};

use super::*;

#[test]
fn client_add_shows_the_secret_once() {
    let shell = Shell::with_database();
    shell.ok(&format!("resource add {NOTES}"));
    let done = shell.run(&format!(
        "client add --name Job --audience {NOTES} --audience https://x.example --scopes \"b a\" --json"
    ));
    assert!(
        done.err.contains("warning") && done.err.contains("vestibule resource add https://x.example"),
        "{}",
        done.err
    );
    assert!(!done.err.contains("notes.home"), "{}", done.err);
    let job = done.json();
    let (id, secret) = (job["client_id"].as_str().unwrap(), job["client_secret"].as_str().unwrap());
    assert_eq!(job["client_name"], "Job");
    assert_eq!(job["grant_types"], json!(["client_credentials"]));
    assert_eq!(job["audience"], json!([NOTES, "https://x.example"]));
    assert_eq!(job["scope"], "a b");
    assert_eq!(job["redirect_uris"], json!([]));
    assert_eq!(job["token_endpoint_auth_method"], "client_secret_basic");
    let hash = |id: &str| {
        let id = ClientId::parse(id).unwrap();
        match shell.store().read(|tx| clients::find(tx, &id)).unwrap().unwrap().credential {
            Credential::Secret { hash, .. } => hash,
            Credential::Public | Credential::Keys { .. } => panic!("a machine has a secret"),
        }
    };
    assert!(hash(id) == SecretHash::of(secret));
    let rotated = shell.run(&format!("client rotate-secret {id} --json")).json();
    assert!(hash(id) == SecretHash::of(rotated["client_secret"].as_str().unwrap()));
    assert_ne!(rotated["client_secret"], secret);
    let shown = shell.run(&format!("client show {id} --json")).json();
    assert_eq!((&shown["client_id"], &shown["client_secret"]), (&json!(id), &Value::Null));
    shell.ok(&format!("client remove {id}"));
    shell.run(&format!("client show {id}")).refused(&["vestibule client list"]);
}

#[test]
fn a_clients_parts_must_fit_together() {
    let shell = Shell::with_database();
    let web = shell.run("client add --name Web --redirect-uri https://app.example/cb --json").json();
    assert_eq!(web["grant_types"], json!(["authorization_code", "refresh_token"]));
    let public = shell.run("client add --name Cli --public --redirect-uri http://127.0.0.1/cb --json").json();
    assert_eq!(
        (&public["client_secret"], &public["token_endpoint_auth_method"]),
        (&Value::Null, &json!("none"))
    );
    let id = public["client_id"].as_str().unwrap();
    shell.run(&format!("client rotate-secret {id}")).refused(&["public client"]);
    for (line, word) in [
        ("--public", "client_credentials needs a secret"),
        ("--grant authorization_code", "redirect URI"),
        ("--grant refresh_token", "authorization_code"),
        ("--grant password", "client_credentials"),
        ("--redirect-uri http://app.example/cb", "loopback"),
        ("--redirect-uri javascript:alert(1)", "browser"),
        ("--audience nowhere", "absolute"),
    ] {
        shell.run(&format!("client add --name X {line}")).refused(&[word]);
    }
    assert_eq!(shell.run("client list --json").json().as_array().unwrap().len(), 2);
}

#[test]
fn clients_that_register_themselves_again_and_again_are_one_line() {
    let shell = Shell::with_database();
    let store = shell.store();
    for at in 0..5 {
        register_itself(&store, "Claude", at);
    }
    register_itself(&store, "Evil\u{1b}[2J", 9);
    let text = shell.ok("client list");
    assert_eq!(text.lines().count(), 3, "{text}");
    assert!(text.contains("itself, 5 times"), "{text}");
    assert!(!text.contains('\u{1b}'), "a terminal must not obey a client's name");
    assert_eq!(shell.run("client list --json").json().as_array().unwrap().len(), 6);
}

#[test]
fn grant_list_shows_who_gave_what_and_grant_revoke_takes_it_back() {
    let shell = Shell::with_database();
    shell.add_user("alice");
    shell.add_user("bob");
    let store = shell.store();
    let client = register_itself(&store, "Claude", 1);
    let (id, now) = (client.clone(), vestibule::clock::Clock::machine().now());
    let (scope, notes) = (Scope::parse("notes:read").unwrap(), ResourceUri::parse(NOTES).unwrap());
    let (given, resource) = (scope.clone(), notes.clone());
    store
        .write_and_wait(move |tx| {
            let alice = users::find_by_name(tx, &name("alice"))?.unwrap().id;
            consents::record(tx, &alice, &id, Some(&resource), &given, now)?;
            let grant = grants::NewGrant {
                client_id: &id,
                user_id: &alice,
                scope: &given,
                resources: std::slice::from_ref(&resource),
                auth_time: now,
                expires_at: now.plus(Seconds::days(1)),
            };
            grants::insert(tx, &grant, now)
        })
        .unwrap();
    let list = shell.run("grant list --json").json();
    assert_eq!(list[0]["user"], "alice");
    assert_eq!(list[0]["client_id"], client.as_str());
    assert_eq!((&list[0]["scope"], &list[0]["resources"]), (&json!("notes:read"), &json!([NOTES])));
    assert_eq!(shell.run("grant list --user alice --json").json(), list);
    assert_eq!(shell.run(&format!("grant list --client {client} --json")).json(), list);
    assert_eq!(shell.run("grant list --user bob --json").json(), json!([]));
    shell.run("grant list --user carol").refused(&["carol"]);
    shell.run("grant list --client nobody").refused(&["nobody"]);

    let number = &list[0]["id"];
    assert_eq!(
        shell.run(&format!("grant revoke {number} --json")).json(),
        json!({"id": number, "revoked": true})
    );
    assert_eq!(shell.run(&format!("grant revoke {number} --json")).json()["revoked"], false);
    assert_eq!(shell.run("grant list --json").json(), json!([]));
    shell.run("grant revoke 999").refused(&["999", "vestibule grant list"]);
    let consent = store
        .read(|tx| {
            consents::find(tx, &users::find_by_name(tx, &name("alice"))?.unwrap().id, &client, Some(&notes))
        })
        .unwrap();
    assert_eq!(consent, None, "the client must ask again");
    let told = shell.run("audit --event oauth.grant --user alice --json").json();
    assert_eq!(told.as_array().unwrap().len(), 1);
    assert_eq!(told[0]["metadata"]["grant_id"], *number);
}
