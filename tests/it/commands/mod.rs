//! The command line, run as a shell runs it: exit status, stdout, stderr, and what is in the file afterwards.

mod apply;
mod client;
mod database;
mod guards;
mod people;
mod resource_rules;
mod resource_set;
mod serving;
mod taken_back;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;
use vestibule::clock::UnixTime;
use vestibule::config::Settings;
use vestibule::oauth::client::{Client, Credential, RegisteredBy};
use vestibule::oauth::grant_type::GrantType;
use vestibule::oauth::ids::{ClientId, UserName};
use vestibule::oauth::redirect_uri::RedirectUri;
use vestibule::store::{Store, clients};

const NOTES: &str = "https://notes.home.example/mcp";
const PASSWORD: &str = "correct horse battery";

/// A shell in a directory of its own.
struct Shell {
    directory: TempDir,
}

/// What a command left behind.
struct Done {
    status: i32,
    out: String,
    err: String,
}

impl Done {
    fn json(&self) -> Value {
        assert_eq!(self.status, 0, "{}", self.err);
        serde_json::from_str(&self.out).unwrap_or_else(|_| panic!("no JSON: {}", self.out))
    }

    /// The command failed with one line on stderr that has all these words.
    fn refused(&self, words: &[&str]) {
        assert_eq!(self.status, 1, "{} {}", self.out, self.err);
        let lines: Vec<_> = self.err.lines().filter(|line| !line.contains(" warning: ")).collect();
        assert_eq!(lines.len(), 1, "{}", self.err);
        assert!(lines[0].starts_with("vestibule: "), "{}", self.err);
        assert_eq!(self.out, "");
        for word in words {
            assert!(self.err.contains(word), "{word:?} is not in {}", self.err);
        }
    }
}

impl Shell {
    /// Without a database.
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    /// With a database that is empty but for its key.
    fn with_database() -> Self {
        let shell = Self::new();
        shell.write("nothing.toml", "");
        shell.ok("apply nothing.toml");
        shell
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vestibule"));
        command.args(words(line)).current_dir(self.directory.path()).env_clear();
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn run(&self, line: &str) -> Done {
        self.feed(line, "")
    }

    fn feed(&self, line: &str, stdin: &str) -> Done {
        finish(self.command(line).spawn().unwrap(), stdin)
    }

    fn ok(&self, line: &str) -> String {
        let done = self.run(line);
        assert_eq!(done.status, 0, "{line}: {}", done.err);
        done.out
    }

    fn add_user(&self, line: &str) {
        let done = self.feed(&format!("user add {line} --password-stdin"), PASSWORD);
        assert_eq!(done.status, 0, "{}", done.err);
    }

    fn store(&self) -> Store {
        Store::open(&self.path("vestibule.db")).unwrap()
    }

    fn settings(&self) -> Settings {
        Settings {
            db: self.path("vestibule.db"),
            listen: "127.0.0.1:0".parse().unwrap(),
            ..Settings::default()
        }
    }

    /// Every byte of the database, its log included.
    fn bytes(&self) -> Vec<u8> {
        ["vestibule.db", "vestibule.db-wal"]
            .iter()
            .flat_map(|name| fs::read(self.path(name)).unwrap_or_default())
            .collect()
    }
}

/// A line as a shell splits it: at spaces, but not within double quotes.
fn words(line: &str) -> Vec<String> {
    let parts = line.split('"').enumerate();
    parts
        .flat_map(|(at, part)| match at % 2 {
            0 => part.split_whitespace().map(str::to_owned).collect(),
            _ => vec![part.to_owned()],
        })
        .collect()
}

fn finish(mut child: Child, stdin: &str) -> Done {
    // A command that does not read its input may be gone already.
    let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
    let output = child.wait_with_output().unwrap();
    Done {
        status: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

fn name(text: &str) -> UserName {
    UserName::parse(text).unwrap()
}

/// The example that users copy, with the two secrets that it wants beside it.
fn with_example() -> Shell {
    let shell = Shell::new();
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/vestibule.toml");
    fs::copy(example, shell.path("vestibule.toml")).unwrap();
    shell.write("alice.password", &format!("{PASSWORD}\n"));
    shell.write("backup-job.secret", &format!("{}\n", "5".repeat(64)));
    shell
}

/// A client as `POST /oauth/register` leaves it.
fn register_itself(store: &Store, client_name: &str, at: i64) -> ClientId {
    let client = Client {
        id: ClientId::new(),
        name: client_name.to_owned(),
        registered_by: RegisteredBy::Itself,
        credential: Credential::Public,
        redirect_uris: vec![RedirectUri::parse("https://claude.example/cb").unwrap()],
        grant_types: vec![GrantType::AuthorizationCode, GrantType::RefreshToken],
        scope: None,
        audience: Vec::new(),
        created_at: UnixTime::new(at),
        first_used_at: None,
    };
    let id = client.id.clone();
    assert!(store.write_and_wait(move |tx| clients::insert(tx, &client, "{}")).unwrap());
    id
}

#[test]
fn the_exit_status_is_0_for_done_1_for_failed_and_2_for_wrong_usage() {
    let shell = Shell::with_database();
    assert_eq!(shell.run("user list").status, 0);
    assert_eq!(shell.run("--help").status, 0);
    assert_eq!(shell.run("--version").status, 0);
    assert_eq!(shell.run("client show nobody").status, 1);
    for wrong in ["door", "user", "resource add", "user list --colour", "grant revoke all"] {
        let done = shell.run(wrong);
        assert_eq!((done.status, done.out.as_str()), (2, ""), "{wrong}");
        assert!(done.err.contains("--help"), "{wrong}: {}", done.err);
    }
}

#[test]
fn every_help_explains_itself_and_the_ones_that_change_things_by_example() {
    let shell = Shell::new();
    for command in [
        "serve",
        "user add",
        "resource add",
        "resource set",
        "client add",
        "key rotate",
        "audit",
        "apply",
        "backup",
        "restore",
        "doctor",
    ] {
        assert!(shell.ok(&format!("{command} --help")).contains("Example"), "{command}");
    }
}
