//! `apply`: a file as the truth, all of it or nothing, and twice the same.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::json;
use vestibule::clock::UnixTime;
use vestibule::crypto::password;
use vestibule::oauth::secret::SecretHash;
use vestibule::store::{instance, sessions, users};

use super::*;

#[test]
fn apply_makes_a_database_and_a_second_run_changes_nothing() {
    let shell = with_example();
    let planned = shell.run("apply vestibule.toml --dry-run --json").json();
    assert_eq!((&planned["dry_run"], &planned["changed"]), (&json!(true), &json!(7)));
    assert!(!planned.to_string().contains("client_secret"), "a dry run makes no secret");
    assert!(!shell.path("vestibule.db").exists());

    let first = shell.run("apply vestibule.toml --json --issuer https://auth.home.example").json();
    assert_eq!((&first["new_database"], &first["changed"]), (&json!(true), &json!(7)));
    let dashboard =
        first["changes"].as_array().unwrap().iter().find(|change| change["name"] == "dashboard").unwrap();
    assert!(dashboard["client_secret"].as_str().unwrap().starts_with("vcs_"));
    assert_eq!(fs::metadata(shell.path("vestibule.db")).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(shell.store().read(instance::find).unwrap().issuer.as_str(), "https://auth.home.example");

    let rows = shell.run("audit --json").json();
    let second = shell.ok("apply vestibule.toml");
    assert!(second.ends_with("Nothing to change.\n"), "{second}");
    assert_eq!(second.lines().filter(|line| line.starts_with("= ")).count(), 7);
    assert_eq!(shell.run("apply vestibule.toml --json").json()["changed"], 0);
    assert_eq!(shell.run("audit --json").json(), rows, "nothing happened, so nothing is told");
}

#[test]
fn apply_takes_the_same_data_as_json() {
    let shell = with_example();
    let text = fs::read_to_string(shell.path("vestibule.toml")).unwrap();
    let data: toml::Table = text.parse().unwrap();
    shell.write("vestibule.json", &serde_json::to_string(&data).unwrap());
    shell.ok("apply vestibule.toml");
    assert_eq!(shell.run("apply vestibule.json --json").json()["changed"], 0);
}

#[test]
fn apply_changes_what_differs_and_leaves_alone_what_is_not_named() {
    let shell = with_example();
    shell.ok("apply vestibule.toml");
    shell.add_user("carol");
    shell.ok("user disable bob");
    let session = SecretHash::of("a cookie");
    let store = shell.store();
    let sign_in = session;
    store
        .write_and_wait(move |tx| {
            let alice = users::find_by_name(tx, &name("alice"))?.unwrap();
            sessions::insert(tx, &sign_in, &alice.id, UnixTime::new(i64::from(u32::MAX)), UnixTime::new(1))
        })
        .unwrap();
    let text = fs::read_to_string(shell.path("vestibule.toml")).unwrap();
    let text = text
        .replace("name = \"Notes\"", "name = \"My notes\"")
        .replace("scopes = \"notes:read\"", "scopes = [\"notes:write\"]");
    shell.write("vestibule.toml", &text);
    shell.write("alice.password", "another password");
    let changes = shell.ok("apply vestibule.toml");
    for line in [
        "~ user alice",
        "    password: a new one",
        "= user bob",
        "~ resource https://notes.home.example/mcp",
        "    name: Notes -> My notes",
        "= resource https://door.home.example/mcp",
        "~ client backup-job",
        "    scopes: notes:read -> notes:write",
        "= client dashboard",
        "3 changes.",
    ] {
        assert!(changes.lines().any(|have| have == line), "{line:?} is not in {changes}");
    }
    let (bob, alice, carol, signed_in) = store
        .read(|tx| {
            let find = |text| Ok(users::find_by_name(tx, &name(text))?.unwrap());
            let alice: users::User = find("alice")?;
            let hash = users::password_hash(tx, &alice.id)?;
            Ok((find("bob")?, hash, find("carol")?, sessions::find(tx, &session, UnixTime::new(2))?))
        })
        .unwrap();
    assert!(bob.disabled_at.is_some(), "the file does not say that bob may come back");
    assert!(carol.disabled_at.is_none());
    assert!(password::verify("another password", alice.as_deref()));
    assert!(signed_in.is_none(), "a new password ends the sessions of the old one");
}

#[test]
fn apply_does_all_or_nothing() {
    let bad =
        "[[users]]\nname = \"alice\"\n[[resources]]\nuri = \"https://a.example\"\nusers = [\"mallory\"]\n";
    let shell = Shell::new();
    shell.write("bad.toml", bad);
    shell.run("apply bad.toml").refused(&["mallory", "vestibule user add mallory"]);
    assert!(!shell.path("vestibule.db").exists());
    let shell = Shell::with_database();
    shell.write("bad.toml", bad);
    shell.run("apply bad.toml").refused(&["mallory"]);
    assert_eq!(shell.run("user list --json").json(), json!([]));
}

#[test]
fn apply_refuses_what_it_does_not_understand_and_never_shows_a_secret() {
    let shell = Shell::with_database();
    for (text, words) in [
        ("[[users]]\nnmae = \"alice\"\n", ["bad.toml", "line 2", "nmae"]),
        ("[[user]]\nname = \"alice\"\n", ["user", "users", "line 1"]),
        ("[[users]]\nname = \"alice\"\npassword = 12345678\n", ["line 3", "text", "quotes"]),
        ("[[users]]\nname = \"alice\"\npassword = \"1234567\"\n", ["password", "8 to 256", "choose"]),
        ("[[users]]\nname = \"a\"\n[[users]]\nname = \"A\"\n", ["user a", "twice", "leave out"]),
        ("[[clients]]\nclient_id = \"c\"\nsecret = \"1234567\"\n", ["32 to 512", "openssl rand", "secret"]),
        ("[[clients]]\nclient_id = \"c\"\npublic = true\n", ["client_credentials", "public", "secret"]),
        (
            "[[clients]]\nclient_id = \"c\"\nsecret_file = \"none\"\n",
            ["secret_file", "none", "cannot be read"],
        ),
        ("[[resources]]\nuri = \"https://a.example\"\ntoken_lifetime = 1\n", ["token lifetime", "1m", "7d"]),
        ("[[resources]]\nuri = \"a.example\"\n", ["a.example", "absolute", "https://"]),
    ] {
        shell.write("bad.toml", text);
        let done = shell.run("apply bad.toml");
        done.refused(&words);
        assert!(!done.err.contains("1234567"), "{}", done.err);
    }
    shell.write("bad.json", "{\"users\": [{\"name\": \"alice\", \"password\": 12345678}]}");
    let done = shell.run("apply bad.json");
    done.refused(&["text", "quotes"]);
    assert!(!done.err.contains("12345678"), "{}", done.err);
    shell.write("bad.yaml", "");
    shell.run("apply bad.yaml").refused(&["NAME.toml or NAME.json"]);
}

#[test]
fn apply_keeps_an_owner_and_takes_no_client_over() {
    let shell = Shell::with_database();
    shell.add_user("alice --admin");
    shell.write("a.toml", "[[users]]\nname = \"alice\"\n");
    shell.run("apply a.toml").refused(&["nobody would own", "admin = true"]);
    let id = register_itself(&shell.store(), "Claude", 1);
    shell.write(
        "b.toml",
        &format!(
            "[[clients]]\nclient_id = \"{id}\"\npublic = true\nredirect_uris = [\"https://x.example\"]\n"
        ),
    );
    shell.run("apply b.toml").refused(&["registered itself", "another client_id"]);
}

/// A guarded server of which everything is said, as a file says it.
const GUARDED: &str = r#"
[[users]]
name = "alice"
[[resources]]
uri = "https://files.home.example/mcp"
name = "Files"
users = ["alice"]
scopes = ["read", "write"]
upstream = "http://127.0.0.1:3001/mcp"
require = ["tools/call:delete_*=write"]
identity_token = true
token_lifetime = "10m"
"#;

#[test]
fn apply_leaves_of_a_resource_what_the_file_does_not_say() {
    let shell = Shell::new();
    shell.write("all.toml", GUARDED);
    shell.ok("apply all.toml");
    let before = shell.run("resource list --json").json();
    for left_out in ["name", "users", "scopes", "upstream", "require", "identity_token", "token_lifetime"] {
        let (people, server) = GUARDED.split_once("[[resources]]\n").unwrap();
        let kept = server.lines().filter(|line| !line.starts_with(&format!("{left_out} = ")));
        let less = kept.collect::<Vec<_>>().join("\n");
        assert_ne!(less, server.trim_end(), "{left_out} is in the file");
        shell.write("less.toml", &format!("{people}[[resources]]\n{less}\n"));
        let said = shell.ok("apply less.toml");
        assert!(said.contains("= resource ") && said.ends_with("Nothing to change.\n"), "{left_out}: {said}");
    }
    shell.write("bare.toml", "[[resources]]\nuri = \"https://files.home.example/mcp\"\n");
    assert_eq!(shell.run("apply bare.toml --json").json()["changed"], 0);
    assert_eq!(shell.run("resource list --json").json(), before);
}

#[test]
fn apply_takes_a_guard_away_where_the_file_says_so_and_tells_it() {
    let shell = Shell::new();
    shell.write("all.toml", GUARDED);
    shell.ok("apply all.toml");
    let entry = "[[resources]]\nuri = \"https://files.home.example/mcp\"\n";
    shell.write("open.toml", &format!("{entry}upstream = \"\"\nusers = \"everyone\"\n"));
    let planned = shell.ok("apply open.toml --dry-run");
    for line in [
        "~ resource https://files.home.example/mcp",
        "    users: alice -> every user",
        "    upstream: http://127.0.0.1:3001/mcp -> none (no longer guarded)",
        "    require: tools/call:delete_*=write -> none",
        "    identity_token: true -> false",
    ] {
        assert!(planned.lines().any(|have| have == line), "{line:?} is not in {planned}");
    }
    let done = shell.run("apply open.toml --json").json();
    let users = json!({"field": "users", "from": "alice", "to": "every user"});
    assert_eq!(done["changes"][0]["differences"][0], users);
    let left = json!([{"uri": "https://files.home.example/mcp", "name": "Files", "scopes": ["read", "write"],
                       "token_lifetime": 600}]);
    assert_eq!(shell.run("resource list --json").json(), left);
    shell.write("rules.toml", &format!("{entry}require = [\"ping=read\"]\n"));
    shell.run("apply rules.toml").refused(&["https://files.home.example/mcp", "with an upstream"]);
    shell.write("word.toml", &format!("{entry}users = \"alice\"\n"));
    shell.run("apply word.toml").refused(&["\"alice\"", "a list of names", "\"everyone\""]);
}
