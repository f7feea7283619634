//! Guards as they are declared and announced: never in front of this server itself, and never changed or left behind without
//! a word.

use std::io::{BufRead, BufReader};

use serde_json::json;

use super::*;

const UPSTREAM: &str = "http://127.0.0.1:3000/mcp";

/// What a server announces; it is asked to stop at once.
fn announced(shell: &Shell, line: &str) -> (String, Value) {
    let say = |form: &str| {
        let mut server = shell.command(&format!("serve --listen 127.0.0.1:0 {line} {form}")).spawn().unwrap();
        let mut out = BufReader::new(server.stdout.take().unwrap());
        let mut said = String::new();
        out.read_line(&mut said).unwrap();
        assert!(Command::new("kill").arg(server.id().to_string()).status().unwrap().success());
        std::io::Read::read_to_string(&mut out, &mut said).unwrap();
        let done = finish(server, "");
        assert_eq!(done.status, 0, "{}", done.err);
        said
    };
    let text = say("");
    (text, serde_json::from_str(&say("--json")).unwrap())
}

#[test]
fn an_upstream_that_is_this_server_itself_is_refused_wherever_it_is_named() {
    let shell = Shell::with_database();
    shell.write("v.toml", "listen = \"0.0.0.0:9000\"\n");
    for (upstream, flags) in [
        ("http://127.0.0.1:8080/mcp", ""),
        ("http://LOCALHOST:9000", "--config v.toml"),
        ("http://0.0.0.0:9000", "--config v.toml"),
        ("http://127.0.0.1:9000/mcp", "--config v.toml"),
        ("http://127.1.2.3:9000/mcp", "--config v.toml"),
        ("http://[::1]:9000/mcp", "--config v.toml"),
        ("http://127.0.0.1:8080/mcp", "--config v.toml"),
    ] {
        let words = [upstream, "this server itself", "name the URL of the server behind"];
        let uri = "https://files.home.example/mcp";
        shell.run(&format!("resource add {uri} --upstream {upstream} {flags}")).refused(&words);
        shell.write("guard.toml", &format!("[[resources]]\nuri = \"{uri}\"\nupstream = \"{upstream}\"\n"));
        shell.run(&format!("apply guard.toml {flags}")).refused(&words);
        shell.ok(&format!("resource add {uri} --upstream {UPSTREAM} {flags}"));
        shell.run(&format!("resource set {uri} --upstream {upstream} {flags}")).refused(&words);
        shell.ok(&format!("resource remove {uri}"));
    }
    let uri = "https://files.home.example/mcp";
    // Where nothing says that it listens there, somebody else may.
    for fine in [
        "http://localhost:8080/mcp",
        "http://127.0.0.1:8081/mcp",
        "http://127.0.0.2:8080/mcp",
        "https://127.0.0.1/mcp",
    ] {
        shell.ok(&format!("resource add {uri} --upstream {fine}"));
        shell.ok(&format!("resource remove {uri}"));
    }
    // What goes there already, because the server listens elsewhere, does not stand in the way of other changes.
    shell.ok(&format!("resource add {uri} --upstream http://127.0.0.1:7000/mcp"));
    shell.write("v.toml", "listen = \"127.0.0.1:7000\"\n");
    shell.ok(&format!("resource set {uri} --name Files --config v.toml"));
}

#[test]
fn serve_refuses_to_guard_itself() {
    let shell = Shell::new();
    shell
        .run("serve --listen 127.0.0.1:0 --issuer http://127.0.0.1:8080 --guard notes=http://127.0.0.1:8080/mcp")
        .refused(&["http://127.0.0.1:8080/mcp", "this server itself, at its issuer"]);
    // And it leaves no new database behind.
    shell.run("resource list").refused(&["vestibule.db"]);
}

#[test]
fn another_upstream_for_a_guard_is_told_with_the_one_that_it_was() {
    let shell = Shell::new();
    let issuer = "https://auth.home.example";
    let (text, json) = announced(&shell, &format!("--issuer {issuer} --guard notes={UPSTREAM}"));
    let line = format!("    {issuer}/notes  ->  {UPSTREAM}\n");
    assert!(text.contains(&line), "{text}");
    assert_eq!(json["guarded"], json!([{"url": format!("{issuer}/notes"), "upstream": UPSTREAM}]));

    let (text, _) = announced(&shell, "--guard notes=http://127.0.0.1:3001/mcp");
    let line = format!("    {issuer}/notes  ->  http://127.0.0.1:3001/mcp (was {UPSTREAM})\n");
    assert!(text.contains(&line), "{text}");
    let (text, _) = announced(&shell, "--guard notes=http://127.0.0.1:3001/mcp");
    assert!(!text.contains("(was "), "{text}");
}

#[test]
fn what_lies_at_an_issuer_of_before_is_told_with_how_to_guard_it_anew() {
    let shell = Shell::new();
    let (old, new) = ("https://old.home.example", "https://new.home.example");
    announced(&shell, &format!("--issuer {old} --guard notes={UPSTREAM}"));
    shell.ok("resource add https://files.home.example/mcp --upstream http://127.0.0.1:3001/mcp");
    let at_hand = "\n    https://files.home.example/mcp  ->  http://127.0.0.1:3001/mcp\n";
    for line in [&format!("--issuer {new} --change-issuer"), ""] {
        let (text, json) = announced(&shell, line);
        let (guarded, left) = text.split_once("\nAt an issuer of before").unwrap_or_else(|| panic!("{text}"));
        assert!(guarded.contains(at_hand) && !guarded.contains("/notes"), "{text}");
        for words in [
            format!("    {old}/notes  ->  {UPSTREAM}\n"),
            format!("vestibule resource add {new}/notes --upstream {UPSTREAM}\n"),
            format!("vestibule resource remove {old}/notes\n"),
        ] {
            assert!(left.contains(&words), "{words:?} is not in {text}");
        }
        assert_eq!(json["guarded"][1]["moved_to"], format!("{new}/notes"));
        assert_eq!(json["guarded"][0].get("moved_to"), None);
    }
    let (text, _) = announced(&shell, &format!("--guard notes={UPSTREAM}"));
    let (guarded, left) = text.split_once("\nAt an issuer of before").unwrap_or_else(|| panic!("{text}"));
    assert!(guarded.contains(&format!("    {new}/notes  ->  {UPSTREAM}\n")), "{text}");
    assert!(
        left.contains(&format!("guarded anew as {new}/notes")) && !left.contains("resource add"),
        "{text}"
    );
    shell.ok(&format!("resource remove {old}/notes"));
    let (text, _) = announced(&shell, "");
    assert!(!text.contains("At an issuer of before"), "{text}");
    // The way back is no way ahead of itself.
    let (text, _) = announced(&shell, &format!("--issuer {old} --change-issuer"));
    assert!(text.contains(&format!("vestibule resource add {old}/notes")), "{text}");
}
