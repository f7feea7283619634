//! `user` and `resource`: who may sign in, and what tokens can be for.

use serde_json::json;
use vestibule::clock::UnixTime;
use vestibule::crypto::password;
use vestibule::oauth::secret::SecretHash;
use vestibule::store::{sessions, users};

use super::*;

#[test]
fn user_add_takes_a_password_and_user_list_shows_everybody() {
    let shell = Shell::with_database();
    let added = shell.feed(
        "user add Alice --email alice@home.example --admin --password-stdin --json",
        &format!("{PASSWORD}\n"),
    );
    let added = added.json();
    assert_eq!(added["name"], "alice");
    assert!(added["id"].as_str().unwrap().starts_with("usr_"));
    let list = shell.run("user list --json").json();
    assert_eq!(list, json!([added]));
    assert_eq!(list[0]["email"], "alice@home.example");
    assert_eq!((&list[0]["admin"], &list[0]["disabled"]), (&json!(true), &json!(false)));
    let store = shell.store();
    let hash = store
        .read(|tx| users::password_hash(tx, &users::find_by_name(tx, &name("alice"))?.unwrap().id))
        .unwrap();
    assert!(password::verify(PASSWORD, hash.as_deref()), "the line's end is not of the password");

    shell
        .feed("user add alice --password-stdin", PASSWORD)
        .refused(&["alice", "vestibule user passwd alice"]);
    shell.feed("user add bob --password-stdin", "seven77\n").refused(&["8 to 256"]);
    shell.feed("user add bob --password-stdin", &"x".repeat(257)).refused(&["8 to 256"]);
    shell.feed("user add \"bo b\" --password-stdin", PASSWORD).refused(&["bo b", "a-z"]);
    shell
        .feed("user add bob --email nowhere --password-stdin", PASSWORD)
        .refused(&["nowhere", "alice@home.example"]);
    assert_eq!(
        shell.feed("user add bob --password-stdin", &"é".repeat(8)).status,
        0,
        "characters, not bytes"
    );
}

#[test]
fn user_passwd_ends_the_sessions() {
    let shell = Shell::with_database();
    shell.add_user("alice");
    let (store, session) = (shell.store(), SecretHash::of("a cookie"));
    let far = UnixTime::new(i64::from(u32::MAX));
    let sign_in = move || {
        store.write_and_wait(move |tx| {
            let alice = users::find_by_name(tx, &name("alice"))?.unwrap();
            sessions::insert(tx, &session, &alice.id, far, UnixTime::new(1))
        })
    };
    let signed_in =
        || shell.store().read(|tx| Ok(sessions::find(tx, &session, UnixTime::new(2))?.is_some())).unwrap();
    sign_in().unwrap();
    assert!(signed_in());
    assert_eq!(shell.feed("user passwd alice --password-stdin", "another password").status, 0);
    assert!(!signed_in());
    sign_in().unwrap();
    shell.ok("user disable alice");
    shell.ok("user enable alice");
    assert!(!signed_in(), "who was kept out signs in anew");
    shell.feed("user passwd bob --password-stdin", PASSWORD).refused(&["bob", "vestibule user add bob"]);
}

#[test]
fn the_last_admin_who_can_sign_in_cannot_be_disabled_or_removed() {
    let shell = Shell::with_database();
    shell.add_user("alice --admin");
    shell.add_user("bob --admin");
    shell.add_user("carol");
    shell.ok("user disable bob");
    for line in ["user disable alice", "user remove alice"] {
        shell.run(line).refused(&["alice", "nobody else owns", "--admin"]);
    }
    shell.ok("user enable bob");
    shell.ok("user disable alice");
    shell.run("user remove bob").refused(&["bob"]);
    shell.ok("user remove alice");
    shell.ok("user remove carol");
    assert_eq!(shell.run("user list --json").json().as_array().unwrap().len(), 1);
}

#[test]
fn resource_add_list_and_remove() {
    let shell = Shell::with_database();
    shell.add_user("alice");
    let line = format!(
        "resource add {NOTES} --name Notes --scopes \"b a\" --users alice --upstream http://127.0.0.1:3000/mcp --token-lifetime 1h --json"
    );
    let added = shell.run(&line).json();
    let wanted = json!({"uri": NOTES, "name": "Notes", "scopes": ["a", "b"], "users": ["alice"],
                        "upstream": "http://127.0.0.1:3000/mcp", "token_lifetime": 3600});
    assert_eq!(added, wanted);
    let plain = shell.run("resource add https://plain.example/ --json").json();
    assert_eq!(plain, json!({"uri": "https://plain.example/", "name": "plain.example", "scopes": []}));
    assert_eq!(shell.run("resource list --json").json(), json!([wanted, plain]));

    shell.run("resource add HTTPS://Notes.Home.Example:443/mcp/").refused(&[
        NOTES,
        "vestibule resource set",
        "vestibule resource remove",
    ]);
    shell.run("resource add https://x.example --users alice,bob").refused(&["bob", "vestibule user add bob"]);
    shell.run("resource add https://x.example#a").refused(&["https://x.example#a"]);
    shell.run("resource add https://x.example --token-lifetime 59s").refused(&["1m to 7d"]);
    shell.run("resource add https://x.example --token-lifetime 8d").refused(&["1m to 7d"]);
    shell
        .run("resource add https://x.example --upstream file:///etc/passwd")
        .refused(&["file:///etc/passwd", "http://"]);

    shell.ok("resource remove HTTPS://notes.home.example/mcp/");
    shell.run(&format!("resource remove {NOTES}")).refused(&["vestibule resource list"]);
    assert_eq!(shell.run("resource list --json").json(), json!([plain]));
}

#[test]
fn a_guard_at_a_path_of_this_servers_own_is_refused_wherever_it_is_named() {
    let shell = Shell::with_database();
    let upstream = "--upstream http://127.0.0.1:3000/mcp";
    for path in ["", "/", "/account", "/oauth", "/.well-known", "/login/"] {
        let uri = format!("http://127.0.0.1:8080{path}");
        let words = [uri.as_str(), "of this server's own", "choose another"];
        shell.run(&format!("resource add {uri} {upstream}")).refused(&words);
        let text = format!("[[resources]]\nuri = \"{uri}\"\nupstream = \"http://127.0.0.1:3000/mcp\"\n");
        for shell in [&shell, &Shell::new()] {
            shell.write("guard.toml", &text);
            shell.run("apply guard.toml").refused(&words);
            shell.run("apply guard.toml --dry-run").refused(&words);
        }
    }
    let new = Shell::new();
    new.run("serve --listen 127.0.0.1:0 --guard login=http://127.0.0.1:3000/mcp")
        .refused(&["/login", "choose another"]);
    new.run("serve --guard a=http://127.0.0.1:1 --guard a=http://127.0.0.1:2").refused(&["a is named twice"]);
    shell.ok(&format!("resource add http://127.0.0.1:8080/notes {upstream}"));
    shell.ok(&format!("resource add https://login.example/login {upstream}"));
    assert_eq!(shell.run("resource list --json").json().as_array().map(Vec::len), Some(2));
}
