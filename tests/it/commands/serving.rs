//! `serve` until it serves, and the settings.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;

use serde_json::Value;
use vestibule::clock::UnixTime;
use vestibule::commands::serve::{self, OtherIssuer};
use vestibule::config::Settings;
use vestibule::oauth::issuer::Issuer;
use vestibule::store::{Store, instance};

use super::*;

#[test]
fn serve_makes_the_first_admins_link_until_there_is_an_admin() {
    let shell = Shell::new();
    let open = || serve::open(shell.settings(), OtherIssuer::Refuse, UnixTime::new(1)).unwrap();
    let first = open();
    assert!(first.is_new);
    assert_eq!(first.issuer.as_str(), format!("http://{}", first.address));
    let link = first.setup_link.clone().unwrap();
    assert!(link.starts_with(&format!("{}/setup?token=vsl_", first.issuer)));
    drop(first);
    let second = open();
    assert!(!second.is_new);
    assert_ne!(second.setup_link.unwrap(), link, "a link is for one start");
    shell.add_user("alice --admin");
    assert_eq!(open().setup_link, None);
}

#[test]
fn serve_refuses_another_issuer_unless_it_is_meant() {
    let shell = Shell::new();
    let (old, new) = ("https://auth.home.example", "https://new.home.example");
    let open = |issuer: Option<&str>, other| {
        let issuer = issuer.map(|text| Issuer::parse(text).unwrap());
        serve::open(Settings { issuer, ..shell.settings() }, other, UnixTime::new(1))
    };
    assert_eq!(open(Some(old), OtherIssuer::Refuse).unwrap().issuer.as_str(), old);
    assert_eq!(open(None, OtherIssuer::Refuse).unwrap().issuer.as_str(), old);
    let refusal = open(Some(new), OtherIssuer::Refuse).err().unwrap().to_string();
    assert!(
        refusal.contains(old) && refusal.contains(new) && refusal.contains("--change-issuer"),
        "{refusal}"
    );
    assert_eq!(open(None, OtherIssuer::Refuse).unwrap().issuer.as_str(), old);
    assert_eq!(open(Some(new), OtherIssuer::Adopt).unwrap().issuer.as_str(), new);
    assert_eq!(open(None, OtherIssuer::Refuse).unwrap().issuer.as_str(), new);
    assert_eq!(shell.run("audit --event instance.issuer --json").json()[0]["metadata"]["subject"], new);
}

#[test]
fn serve_warns_of_what_will_not_work() {
    let warnings = |listen: &str, issuer: Option<&str>| {
        let shell = Shell::new();
        let settings = Settings {
            listen: listen.parse().unwrap(),
            issuer: issuer.map(|text| Issuer::parse(text).unwrap()),
            ..shell.settings()
        };
        serve::open(settings, OtherIssuer::Refuse, UnixTime::new(1)).unwrap().warnings.join("\n")
    };
    assert_eq!(warnings("127.0.0.1:0", None), "");
    assert_eq!(warnings("0.0.0.0:0", Some("https://auth.home.example")), "");
    assert!(warnings("0.0.0.0:0", None).contains("--issuer"));
    assert!(warnings("127.0.0.1:0", Some("http://auth.home.example")).contains("plain http"));
}

#[test]
fn an_address_in_use_leaves_no_database_behind() {
    let shell = Shell::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    shell.run(&format!("serve --listen {address}")).refused(&[&address.to_string(), "--listen"]);
    assert!(!shell.path("vestibule.db").exists());
}

#[test]
fn serve_says_what_to_do_and_stops_when_asked_to() {
    for (signal, line) in [("TERM", "--json"), ("INT", "serve --json --db vestibule.db")] {
        let shell = Shell::new();
        let mut command = shell.command(line);
        let mut server = command.env("VESTIBULE_LISTEN", "127.0.0.1:0").spawn().unwrap();
        let mut out = BufReader::new(server.stdout.take().unwrap());
        let mut announced = String::new();
        out.read_line(&mut announced).unwrap();
        let announced: Value = serde_json::from_str(&announced).unwrap();
        assert_eq!(announced["new"], true);
        assert_eq!(announced["issuer"], format!("http://{}", announced["listen"].as_str().unwrap()));
        assert!(announced["setup_link"].as_str().unwrap().contains("/setup?token="));
        let address = announced["listen"].as_str().unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: here\r\nconnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        let sent =
            Command::new("kill").args([format!("-{signal}"), server.id().to_string()]).status().unwrap();
        assert!(sent.success());
        let done = finish(server, "");
        assert_eq!(done.status, 0, "{}", done.err);
        assert!(!done.err.contains("vsl_"), "the link is for the terminal, not for the log");
    }
}

#[test]
fn settings_come_from_flags_over_environment_over_file() {
    let shell = Shell::new();
    shell.write("nothing.toml", "");
    shell.write("v.toml", "db = \"file.db\"\nissuer = \"https://file.example\"\n");
    let run = |line: &str, variables: &[(&str, &str)]| {
        let mut command = shell.command(line);
        command.envs(variables.iter().copied());
        finish(command.spawn().unwrap(), "")
    };
    let config = ("VESTIBULE_CONFIG", "v.toml");
    assert_eq!(run("apply nothing.toml", &[config]).status, 0);
    assert!(shell.path("file.db").exists());
    assert_eq!(run("apply nothing.toml", &[config, ("VESTIBULE_DB", "variable.db")]).status, 0);
    assert!(shell.path("variable.db").exists());
    assert_eq!(run("apply nothing.toml --db flag.db", &[config, ("VESTIBULE_DB", "v2.db")]).status, 0);
    assert!(shell.path("flag.db").exists() && !shell.path("v2.db").exists());
    let store = Store::open(&shell.path("file.db")).unwrap();
    assert_eq!(store.read(instance::find).unwrap().issuer.as_str(), "https://file.example");

    shell.write("v.toml", "isuer = \"https://file.example\"\n");
    run("user list", &[config]).refused(&["v.toml", "\"isuer\"", "\"issuer\""]);
    shell.write("v.toml", "colour_of_the_door = 1\n");
    run("user list", &[config]).refused(&["colour_of_the_door", "access_token_lifetime", "listen"]);
    shell.write("v.toml", "code_lifetime = 1\n");
    run("user list", &[config]).refused(&["code_lifetime", "10s to 10m"]);
    shell.write("v.toml", "listen = [\n");
    run("user list", &[config]).refused(&["v.toml", "line"]);
    run("user list", &[("VESTIBULE_ACCESS_TOKEN_LIFETIME", "0")])
        .refused(&["VESTIBULE_ACCESS_TOKEN_LIFETIME", "1m to 7d"]);
    shell.run("serve --listen nowhere").refused(&["--listen", "nowhere", "127.0.0.1:8080"]);
}
