//! What is said to somebody who takes access back, or puts something in the place of what was: what ends, when, and what
//! is left.

use serde_json::json;
use vestibule::clock::{Clock, Seconds};
use vestibule::oauth::resource::ResourceUri;
use vestibule::oauth::scope::Scope;
use vestibule::store::{grants, users};

use super::*;

const AT_ONCE: &str = "At guarded servers access ends at once: the next request is refused, and open streams end within five seconds.";

/// A grant by alice for the notes.
fn grant(store: &Store, client: &ClientId) -> i64 {
    let (client, now) = (client.clone(), Clock::machine().now());
    let id = store.write_and_wait(move |tx| {
        let alice = users::find_by_name(tx, &name("alice"))?.unwrap().id;
        let grant = grants::NewGrant {
            client_id: &client,
            user_id: &alice,
            scope: &Scope::empty(),
            resources: &[ResourceUri::parse(NOTES).unwrap()],
            auth_time: now,
            expires_at: now.plus(Seconds::days(1)),
        };
        grants::insert(tx, &grant, now)
    });
    id.unwrap().as_i64()
}

#[test]
fn revoking_one_of_several_grants_names_those_that_remain() {
    let shell = Shell::with_database();
    shell.add_user("alice");
    let store = shell.store();
    let (claude, other) = (register_itself(&store, "Claude", 1), register_itself(&store, "Other", 1));
    let (first, second, third) = (grant(&store, &claude), grant(&store, &claude), grant(&store, &claude));
    grant(&store, &other);
    let said = shell.ok(&format!("grant revoke {second}"));
    assert!(said.contains(&format!("these remain: {third}, {first}.")), "{said}");
    let said = shell.run(&format!("grant revoke {third} --json")).json();
    assert_eq!(said, json!({"id": third, "revoked": true, "remaining": [first]}));
    let said = shell.ok(&format!("grant revoke {third}"));
    assert!(said.contains("nothing changed") && said.contains(&format!("these remain: {first}.")), "{said}");
    let said = shell.ok(&format!("grant revoke {first}"));
    assert!(said.contains(AT_ONCE) && !said.contains("remain"), "{said}");
}

#[test]
fn taking_back_says_when_access_ends_and_where() {
    let shell = Shell::with_database();
    shell.add_user("alice --admin");
    shell.add_user("bob");
    let store = shell.store();
    let client = register_itself(&store, "Claude", 1);
    let id = grant(&store, &client);
    for (line, longest) in [
        (format!("grant revoke {id}"), "1h"),
        // The longest lifetime counts that a server has which checks tokens itself.
        (format!("resource add {NOTES} --token-lifetime 5h"), ""),
        (
            "resource add https://x.example --token-lifetime 6h --upstream http://127.0.0.1:3000".to_owned(),
            "",
        ),
        (format!("grant revoke {}", grant(&store, &client)), "5h"),
        (format!("client remove {client}"), "5h"),
        ("user disable bob".to_owned(), "5h"),
        ("user remove bob".to_owned(), "5h"),
    ] {
        let said = shell.ok(&line);
        if !longest.is_empty() {
            let end = format!(
                "{AT_ONCE} Only a server that checks tokens itself takes one that is out there until it ends, in at most \
                 {longest}."
            );
            assert!(said.contains(&end), "{line}: {said}");
        }
    }
    for command in ["grant revoke", "client remove", "user disable", "user remove"] {
        let help = shell.ok(&format!("{command} --help")).split_whitespace().collect::<Vec<_>>().join(" ");
        for words in [AT_ONCE, "Only a server that checks tokens itself"] {
            assert!(help.contains(words), "{command}: {help}");
        }
    }
}

#[test]
fn who_checks_tokens_for_a_server_without_a_guard_is_said() {
    let said = Shell::with_database().ok(&format!("resource add {NOTES}"));
    let words = "The server itself, or the reverse proxy that asks /verify, must check them";
    assert!(said.contains(words), "{said}");
}

#[test]
fn restoring_begins_with_stopping_the_server_and_moving_all_of_the_database() {
    let help = Shell::new().ok("restore --help");
    for words in ["Stop the server first", "vestibule.db-wal", "vestibule.db-shm", "mv vestibule.db* "] {
        assert!(help.contains(words), "{words}: {help}");
    }
}

#[test]
fn an_event_that_there_is_not_is_answered_with_those_that_there_are() {
    let shell = Shell::with_database();
    let words =
        ["\"oauth.tokens\"", "oauth.token.exchange.success", "guard.refused", "instance.issuer.changed"];
    shell.run("audit --event oauth.tokens").refused(&words);
    shell.run("audit --event oauth.tokens --follow").refused(&words);
    for known in ["oauth", "oauth.token", "oauth.token.exchange.success"] {
        assert_eq!(shell.run(&format!("audit --event {known} --json")).json(), json!([]), "{known}");
    }
}
