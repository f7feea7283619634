//! Rules, as `resource add`, `resource set` and `apply` take them: one that protects nothing, or that nobody could meet, is
//! refused with what to write instead.

use serde_json::json;

use super::*;

const SERVER: &str = "http://127.0.0.1:8080/notes";
const GUARD: &str = "--upstream http://127.0.0.1:3000/mcp";
const DELETE: &str = "tools/call:delete_*=write";

fn entry(more: &str) -> String {
    format!("[[resources]]\nuri = \"{SERVER}\"\nupstream = \"http://127.0.0.1:3000/mcp\"\n{more}")
}

#[test]
fn a_rule_that_is_about_no_method_is_refused_with_the_one_that_was_meant() {
    let shell = Shell::with_database();
    let words = ["delete_*=write", "protect nothing", DELETE];
    shell.run(&format!("resource add {SERVER} {GUARD} --require delete_*=write")).refused(&words);
    shell.write("rules.toml", &entry("require = [\"delete_*=write\"]\n"));
    shell.run("apply rules.toml").refused(&words);
    assert_eq!(shell.run("resource list --json").json(), json!([]));
    shell.ok(&format!("resource add {SERVER} {GUARD} --require *=read --require ping=read"));
    shell.run(&format!("resource set {SERVER} --require delete_*=write")).refused(&words);
}

#[test]
fn a_rules_scope_that_is_not_among_the_scopes_is_refused_with_what_to_write() {
    let shell = Shell::with_database();
    let words = [DELETE, "the scope write", "(read)", "--scopes \"read write\""];
    let rule = format!("--require {DELETE}");
    shell.run(&format!("resource add {SERVER} {GUARD} --scopes read {rule}")).refused(&words);
    shell.write("rules.toml", &entry(&format!("scopes = [\"read\"]\nrequire = [\"{DELETE}\"]\n")));
    shell.run("apply rules.toml").refused(&words);
    assert_eq!(shell.run("resource list --json").json(), json!([]));

    // The scopes that are stored count as those that are given, and so do the rules.
    shell.ok(&format!("resource add {SERVER} {GUARD} --scopes read"));
    let before = shell.run("resource list --json").json();
    shell.run(&format!("resource set {SERVER} {rule}")).refused(&words);
    shell.write("rules.toml", &entry(&format!("require = [\"{DELETE}\"]\n")));
    shell.run("apply rules.toml").refused(&words);
    assert_eq!(shell.run("resource list --json").json(), before);
    shell.ok(&format!("resource set {SERVER} {rule} --scopes \"read write\""));
    shell.run(&format!("resource set {SERVER} --scopes read")).refused(&words);
    shell.ok(&format!("resource set {SERVER} --scopes read --no-require"));
}

#[test]
fn where_no_scopes_are_listed_they_are_those_of_the_rules() {
    let shell = Shell::with_database();
    let added = shell.run(&format!("resource add {SERVER} {GUARD} --require {DELETE} --json")).json();
    assert_eq!(added["scopes"], json!(["write"]));
    shell.ok(&format!("resource remove {SERVER}"));
    shell.ok(&format!("resource add {SERVER} {GUARD}"));
    let said = shell.ok(&format!("resource set {SERVER} --require {DELETE}"));
    assert!(said.contains("scopes: none -> write\n"), "{said}");
}

#[test]
fn add_and_list_show_the_rules() {
    let shell = Shell::with_database();
    let said =
        shell.ok(&format!("resource add {SERVER} {GUARD} --require {DELETE} --require resources/*=read"));
    assert!(
        said.ends_with("\nCalls that need a scope:\n    tools/call:delete_*=write\n    resources/*=read\n"),
        "{said}"
    );
    let list = shell.ok("resource list");
    assert!(
        list.lines().next().is_some_and(|line| line.ends_with("UPSTREAM                   REQUIRE")),
        "{list}"
    );
    assert!(list.contains("tools/call:delete_*=write, resources/*=read"), "{list}");
}
