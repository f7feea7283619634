//! `resource set`: what is named changes, and nothing else; each change is told from what to what.

use serde_json::json;

use super::*;

const SERVER: &str = "http://127.0.0.1:8080/notes";
const UPSTREAM: &str = "http://127.0.0.1:3000/mcp";
const DELETE: &str = "tools/call:delete_*=write";

/// A guarded server of which everything is set, and two people.
fn guarded() -> Shell {
    let shell = Shell::with_database();
    shell.add_user("alice");
    shell.add_user("bob");
    shell.ok(&format!(
        "resource add {SERVER} --name Notes --scopes \"read write\" --users alice --upstream {UPSTREAM} \
         --require {DELETE} --identity-token --token-lifetime 10m"
    ));
    shell
}

fn shown(shell: &Shell) -> Value {
    shell.run("resource list --json").json()[0].clone()
}

#[test]
fn set_changes_what_is_named_and_nothing_else_and_says_from_what_to_what() {
    let shell = guarded();
    let before = shown(&shell);
    for (flags, field, value, from, to) in [
        ("--name \"My notes\"", "name", json!("My notes"), "Notes", "My notes"),
        (
            "--scopes \"admin read write\"",
            "scopes",
            json!(["admin", "read", "write"]),
            "read write",
            "admin read write",
        ),
        ("--users bob,alice", "users", json!(["alice", "bob"]), "alice", "alice, bob"),
        ("--everyone", "users", Value::Null, "alice", "every user"),
        (
            "--upstream http://127.0.0.1:3001/mcp",
            "upstream",
            json!("http://127.0.0.1:3001/mcp"),
            UPSTREAM,
            "http://127.0.0.1:3001/mcp",
        ),
        (
            "--require tools/call:a=read --require ping=write",
            "require",
            json!(["tools/call:a=read", "ping=write"]),
            DELETE,
            "tools/call:a=read, ping=write",
        ),
        ("--no-require", "require", Value::Null, DELETE, "none"),
        ("--no-identity-token", "identity_token", Value::Null, "true", "false"),
        ("--token-lifetime 5m", "token_lifetime", json!(300), "10m", "5m"),
        ("--no-token-lifetime", "token_lifetime", Value::Null, "10m", "as the setting says"),
    ] {
        let shell = guarded();
        let said = shell.ok(&format!("resource set HTTP://127.0.0.1:8080/notes/ {flags}"));
        assert_eq!(said, format!("Changed {SERVER}:\n    {field}: {from} -> {to}\n"), "{flags}");
        let mut wanted = before.clone();
        match value {
            Value::Null => drop(wanted.as_object_mut().unwrap().remove(field)),
            value => wanted[field] = value,
        }
        assert_eq!(shown(&shell), wanted, "{flags}");
        let again = shell.run(&format!("resource set {SERVER} {flags} --json")).json();
        assert_eq!(again["differences"], json!([]), "{flags}");
        let rows = shell.run("audit --event resource.changed --json").json();
        assert_eq!(rows.as_array().unwrap().len(), 1, "what changes nothing leaves no row: {flags}");
        assert_eq!(rows[0]["metadata"]["subject"], SERVER);
    }
}

/// Every command of the README that sets something, as it is written there.
#[test]
fn what_the_readme_sets_can_be_set() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = fs::read_to_string(readme).unwrap();
    let shell = Shell::with_database();
    shell.add_user("alice");
    shell.add_user("bob");
    shell.ok(&format!("resource add {SERVER} --upstream {UPSTREAM}"));
    let quoted = readme.split('`').filter_map(|text| text.strip_prefix("vestibule resource set http"));
    let commands: Vec<_> = quoted.map(|rest| format!("resource set http{rest}")).collect();
    assert_eq!(commands.len(), 2);
    for command in commands {
        assert!(shell.ok(&command).starts_with("Changed "), "{command}");
    }
    let wanted = json!({"uri": SERVER, "name": "127.0.0.1:8080/notes", "scopes": ["read", "write"],
                        "users": ["alice", "bob"], "upstream": UPSTREAM, "require": [DELETE]});
    assert_eq!(shown(&shell), wanted);
}

#[test]
fn set_takes_a_guard_away_only_where_that_is_said() {
    let shell = guarded();
    let said = shell.ok(&format!("resource set {SERVER} --no-upstream"));
    for line in [
        format!("    upstream: {UPSTREAM} -> none (no longer guarded)"),
        format!("    require: {DELETE} -> none"),
        "    identity_token: true -> false".to_owned(),
    ] {
        assert!(said.lines().any(|have| have == line), "{line:?} is not in {said}");
    }
    let wanted = json!({"uri": SERVER, "name": "Notes", "scopes": ["read", "write"], "users": ["alice"],
                        "token_lifetime": 600});
    assert_eq!(shown(&shell), wanted);
    let words = [SERVER, "with an upstream", "--upstream"];
    shell.run(&format!("resource set {SERVER} --require {DELETE}")).refused(&words);
    shell.run(&format!("resource set {SERVER} --identity-token")).refused(&words);
    let said = shell.ok(&format!("resource set {SERVER} --upstream {UPSTREAM}"));
    assert!(said.contains(&format!("upstream: none -> {UPSTREAM}\n")), "{said}");
}

#[test]
fn set_refuses_what_is_not_there_and_changes_nothing_then() {
    let shell = guarded();
    let before = shown(&shell);
    shell.run("resource set https://x.example --name X").refused(&[
        "https://x.example",
        "vestibule resource list",
        "vestibule resource add",
    ]);
    shell.run(&format!("resource set {SERVER}")).refused(&["nothing is named", "--help"]);
    shell
        .run(&format!("resource set {SERVER} --name X --users alice,carol"))
        .refused(&["carol", "vestibule user add carol"]);
    for wrong in [
        "--users alice --everyone",
        "--upstream http://127.0.0.1:1 --no-upstream",
        "--require ping=a --no-require",
        "--no-upstream --identity-token",
        "--identity-token --no-identity-token",
        "--token-lifetime 5m --no-token-lifetime",
    ] {
        let done = shell.run(&format!("resource set {SERVER} {wrong}"));
        assert_eq!(done.status, 2, "{wrong}: {}", done.out);
    }
    assert_eq!(shown(&shell), before);
    let taken = shell.run(&format!("resource add {SERVER}"));
    taken.refused(&[&format!("vestibule resource set {SERVER}")]);
}
