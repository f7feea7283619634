//! What is in the file: what is refused, what is never there, keys, history, backups.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};
use vestibule::clock::UnixTime;
use vestibule::commands::serve::{self, OtherIssuer};
use vestibule::store::{signing_keys, users};

use super::*;

#[test]
fn a_missing_database_is_refused_and_not_made() {
    let shell = Shell::new();
    for line in [
        "user list",
        "client list",
        "resource add https://a.example",
        "audit",
        "key rotate",
        "backup copy.db",
    ] {
        shell
            .run(line)
            .refused(&["there is no database at vestibule.db", "vestibule serve --db vestibule.db"]);
    }
    assert_eq!(fs::read_dir(shell.directory.path()).unwrap().count(), 0);
}

#[test]
fn a_db_empty_foreign_and_newer_files_are_refused_and_left_alone() {
    let newer = Shell::with_database();
    let mut bytes = newer.bytes();
    // user_version, in the header at offset 60 (SQLite file format 1.3).
    bytes[60..64].copy_from_slice(&999_u32.to_be_bytes());
    // Another program's application_id, at offset 68.
    let mut other = newer.bytes();
    other[68..72].copy_from_slice(&1_u32.to_be_bytes());
    for (bytes, word) in [
        (Vec::new(), "is empty"),
        (
            b"#!/bin/sh\necho no database here, but long enough to be read as one\n".repeat(20),
            "not a database of vestibule",
        ),
        (other, "not a database of vestibule"),
        (bytes, "newer vestibule"),
    ] {
        let shell = Shell::new();
        let path = shell.path("vestibule.db");
        fs::write(&path, &bytes).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        shell.write("nothing.toml", "");
        for line in [
            "user list",
            "apply nothing.toml",
            "serve --listen 127.0.0.1:0",
            "restore vestibule.db --db other.db",
        ] {
            let done = shell.run(line);
            assert_eq!(done.status, 1, "{line} {word}");
            assert!(done.err.contains(word) || line.starts_with("restore"), "{line}: {}", done.err);
        }
        assert!(fs::read(&path).unwrap() == bytes, "{word}");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o644, "{word}");
        assert!(!shell.path("other.db").exists());
    }
}

#[test]
fn no_secret_is_in_the_file_in_the_clear() {
    let shell = with_example();
    // Open throughout, so that the log is not folded away.
    let opening = serve::open(shell.settings(), OtherIssuer::Refuse, UnixTime::new(1)).unwrap();
    let link = opening.setup_link.clone().unwrap();
    let applied = shell.run("apply vestibule.toml --json").json();
    let dashboard = applied["changes"]
        .as_array()
        .unwrap()
        .iter()
        .find_map(|change| change["client_secret"].as_str())
        .unwrap();
    let added = shell.run("client add --name Machine --json").json();
    let rotated = shell.run("client rotate-secret backup-job --json").json();
    let bytes = shell.bytes();
    assert!(contains(&bytes, "backup-job"), "the log is looked at too");
    let given = "5".repeat(64);
    let added = added["client_secret"].as_str().unwrap();
    let rotated = rotated["client_secret"].as_str().unwrap();
    let token = link.split_once("token=").unwrap().1;
    for secret in [PASSWORD, &given, dashboard, added, rotated, token] {
        assert!(!contains(&bytes, secret), "{secret}");
    }
    for line in ["user list", "client list", "client show backup-job", "audit"] {
        for form in ["", " --json"] {
            let shown = shell.ok(&format!("{line}{form}"));
            assert!(!shown.contains("vcs_") && !shown.contains("argon2"), "{line}: {shown}");
        }
    }
}

#[test]
fn key_rotate_publishes_before_it_signs_and_keeps_the_old_key_for_its_tokens() {
    let shell = Shell::with_database();
    shell.ok(&format!("resource add {NOTES} --token-lifetime 5h"));
    let old = shell.run("key list --json").json()[0].clone();
    let new = shell.run("key rotate --json").json();
    let at = |value: &Value| value.as_i64().unwrap();
    assert_eq!(at(&new["active_from"]) - at(&new["created_at"]), 300);
    assert_eq!(new["state"], "next");
    let list = shell.run("key list --json").json();
    assert_eq!((&list[0]["kid"], &list[1]["kid"]), (&new["kid"], &old["kid"]));
    assert_eq!(list[1]["state"], "signs");
    assert_eq!(list[1]["retired_at"], new["active_from"]);
    assert_eq!(
        at(&list[1]["published_until"]) - at(&new["active_from"]),
        5 * 3600 + 300,
        "the longest token's life"
    );
    // Whom the server asks at any second signs with a key that is published.
    let store = shell.store();
    for offset in [0, 299, 300, 301, 100_000] {
        let now = UnixTime::new(at(&new["created_at"]) + offset);
        let current = store.read(|tx| signing_keys::current(tx, now)).unwrap();
        assert_eq!(
            json!(current),
            if offset < 300 { old["kid"].clone() } else { new["kid"].clone() },
            "{offset}"
        );
    }
}

#[test]
fn key_rotate_now_forgets_every_other_key() {
    let shell = Shell::with_database();
    shell.ok("key rotate");
    let new = shell.run("key rotate --now --json --config v.toml");
    new.refused(&["v.toml", "--config"]);
    shell.write("v.toml", "signing_algorithm = \"EdDSA\"\n");
    let new = shell.run("key rotate --now --json --config v.toml").json();
    assert_eq!((&new["state"], &new["algorithm"]), (&json!("signs"), &json!("EdDSA")));
    assert_eq!(shell.run("key list --json").json(), json!([new]));
}

#[test]
fn audit_tells_every_change_and_filters() {
    let shell = Shell::with_database();
    shell.add_user("alice");
    shell.add_user("bob");
    shell.ok(&format!("resource add {NOTES}"));
    let client = shell.run("client add --name Job --json").json();
    let id = client["client_id"].as_str().unwrap();
    shell.ok("user disable bob");
    shell.ok("key rotate");
    let count = |line: &str| shell.run(&format!("audit {line} --json")).json().as_array().unwrap().len();
    assert_eq!(count(""), 6);
    assert_eq!(count("--event user"), 3);
    assert_eq!(count("--event user.added"), 2);
    shell.run("audit --event use").refused(&["\"use\"", "user.added"]);
    assert_eq!(count("--user BOB"), 2);
    assert_eq!(count(&format!("--client {id}")), 1);
    assert_eq!(count("--since 1h"), 6);
    assert_eq!(count("--since 2020-01-01"), 6);
    assert_eq!(count("--since 4000000000"), 0);
    shell.run("audit --since yesterday").refused(&["yesterday", "2h"]);
    let rows = shell.run("audit --event user.changed --json").json();
    assert_eq!((&rows[0]["user"], &rows[0]["metadata"]["reason"]), (&json!("bob"), &json!("disabled")));
    assert!(shell.ok("audit --event user.changed").contains("user=bob"));
}

#[test]
fn audit_follow_shows_rows_as_they_come_until_nobody_reads() {
    let shell = Shell::with_database();
    shell.add_user("alice");
    let mut follower = shell.command("audit --follow --json").spawn().unwrap();
    let mut lines = BufReader::new(follower.stdout.take().unwrap()).lines();
    let mut next = || serde_json::from_str::<Value>(&lines.next().unwrap().unwrap()).unwrap();
    assert_eq!(next()["user"], "alice");
    shell.add_user("bob");
    assert_eq!(next()["user"], "bob");
    drop(lines);
    shell.add_user("carol");
    let done = finish(follower, "");
    assert_eq!((done.status, done.err.as_str()), (0, ""));
}

#[test]
fn a_backup_is_a_database_and_restore_never_replaces_one() {
    let shell = Shell::with_database();
    shell.add_user("alice");
    // As while the server runs: the last change is in the log only.
    let server = serve::open(shell.settings(), OtherIssuer::Refuse, UnixTime::new(1)).unwrap();
    shell.add_user("bob");
    shell.ok("backup copy.db");
    assert_eq!(fs::metadata(shell.path("copy.db")).unwrap().permissions().mode() & 0o777, 0o600);
    shell.run("backup copy.db").refused(&["copy.db exists already"]);
    let before = fs::read(shell.path("vestibule.db")).unwrap();
    shell.run("restore copy.db").refused(&["vestibule.db exists already"]);
    assert!(fs::read(shell.path("vestibule.db")).unwrap() == before);
    drop(server);

    let done = shell.run("restore copy.db --db back.db --json").json();
    assert_eq!(done, json!({"backup": "copy.db", "db": "back.db"}));
    assert_eq!(shell.run("user list --db back.db --json").json(), shell.run("user list --json").json());
    assert_eq!(shell.run("key list --db back.db --json").json(), shell.run("key list --json").json());
    shell.run("restore none.db --db x.db").refused(&["none.db", "no such file"]);
    shell.write("stale.db-wal", "the log of a database that was deleted");
    shell.run("restore copy.db --db stale.db").refused(&["stale.db-wal"]);
    assert!(!shell.path("stale.db").exists());
}

#[test]
fn a_command_takes_effect_while_the_server_runs() {
    let shell = Shell::new();
    let server = serve::open(shell.settings(), OtherIssuer::Refuse, UnixTime::new(1)).unwrap();
    shell.add_user("alice");
    let found = server.store.read(|tx| users::find_by_name(tx, &name("alice"))).unwrap();
    assert!(found.is_some());
}
