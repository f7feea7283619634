//! Vestibule as its owner runs it: the server in an empty directory, and its commands beside it.

use std::fs::{self, File};
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpSocket;
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::time::timeout;
use url::Url;

use super::Person;
use super::binary;

/// How long a start may take before the test gives up. Far more than it needs: only a hang reaches it.
const START: Duration = Duration::from_secs(30);

/// A running server with its database. The process ends and the directory goes when this is dropped.
pub(crate) struct Vestibule {
    process: Child,
    announced: Announced,
    /// Bound but never listening, so that nothing else is given the port while the server is down.
    kept_port: Option<TcpSocket>,
    // Last: the process is gone before its directory is.
    dir: TempDir,
}

/// What the server says on standard output when it is ready.
struct Announced {
    issuer: String,
    set_up_link: Option<String>,
}

/// What `client add --json` prints, as far as a client needs it.
#[derive(Deserialize)]
pub(crate) struct RegisteredClient {
    pub(crate) client_id: String,
    /// Absent for a public client.
    pub(crate) client_secret: Option<String>,
}

impl Vestibule {
    /// Starts on a free port with a new database, and waits until it has said where it listens and how
    /// to make the first admin.
    pub(crate) async fn start() -> Self {
        Self::start_new("127.0.0.1:0", None).await
    }

    /// Like [`Vestibule::start`], on a port that stays its own through [`Vestibule::restart`].
    pub(crate) async fn start_on_kept_port() -> Self {
        let socket = TcpSocket::new_v4().expect("the system gives sockets");
        // With this on both sides, a bound socket and a listening one share a port.
        socket.set_reuseaddr(true).expect("SO_REUSEADDR exists");
        socket.bind(([127, 0, 0, 1], 0).into()).expect("loopback has a free port");
        let address = socket.local_addr().expect("a bound socket has an address").to_string();
        Self::start_new(&address, Some(socket)).await
    }

    async fn start_new(listen: &str, kept_port: Option<TcpSocket>) -> Self {
        let dir = TempDir::new().expect("a temporary directory");
        let (process, announced) = serve(&dir, listen, FirstStart::Yes).await;
        Self { process, announced, kept_port, dir }
    }

    /// Ends the process as a power cut would, and starts it again on the same database and port.
    pub(crate) async fn restart(&mut self) {
        assert!(self.kept_port.is_some(), "only a server from start_on_kept_port() can come back");
        self.process.kill().await.expect("the server can be killed");
        let before = self.issuer().to_owned();
        let listen = before.trim_start_matches("http://");
        (self.process, self.announced) = serve(&self.dir, listen, FirstStart::No).await;
        assert_eq!(self.issuer(), before, "the issuer must not change by a restart");
    }

    /// `http://127.0.0.1:PORT`, as announced.
    pub(crate) fn issuer(&self) -> &str {
        &self.announced.issuer
    }

    /// The one-time link for the first admin.
    pub(crate) fn set_up_link(&self) -> &str {
        self.announced.set_up_link.as_deref().expect("a first start prints a set-up link")
    }

    /// A URL of this server.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.issuer())
    }

    /// `vestibule user add`.
    pub(crate) async fn add_user(&self, person: &Person) {
        let password = format!("{}\n", person.password);
        self.command(&["user", "add", person.name, "--password-stdin"], &password).await;
    }

    /// `vestibule resource add`.
    pub(crate) async fn add_resource(&self, uri: &str, scopes: &str) {
        self.command(&["resource", "add", uri, "--scopes", scopes], "").await;
    }

    /// `vestibule client add --json` with the flags given.
    pub(crate) async fn add_client(&self, flags: &[&str]) -> RegisteredClient {
        let printed = self.command(&[&["client", "add", "--json"], flags].concat(), "").await;
        serde_json::from_str(&printed).unwrap_or_else(|error| panic!("client add --json: {error}: {printed}"))
    }

    /// Runs a command on this server's database and gives its standard output. Panics with its standard
    /// error if it fails.
    async fn command(&self, arguments: &[&str], input: &str) -> String {
        let mut child = vestibule(&self.dir)
            .args(arguments)
            .args(["--db", "vestibule.db"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("vestibule starts");
        let mut stdin = child.stdin.take().expect("standard input is piped");
        // A command that reads nothing may be gone already; its exit status says the rest.
        let _unread = stdin.write_all(input.as_bytes()).await;
        drop(stdin);
        let output = child.wait_with_output().await.expect("a child can be waited for");
        assert!(
            output.status.success(),
            "vestibule {arguments:?}: {}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).expect("vestibule prints UTF-8")
    }
}

impl Drop for Vestibule {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- what the server logged\n{}", log(&self.dir));
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum FirstStart {
    Yes,
    No,
}

/// The binary in the directory, in an empty environment: no setting of the developer's reaches it.
fn vestibule(dir: &TempDir) -> Command {
    let mut command = Command::new(binary::path());
    command.env_clear().current_dir(dir.path()).kill_on_drop(true);
    command
}

async fn serve(dir: &TempDir, listen: &str, first_start: FirstStart) -> (Child, Announced) {
    let stderr = File::options().create(true).append(true).open(dir.path().join("log"));
    let mut process = vestibule(dir)
        .args(["serve", "--listen", listen, "--db", "vestibule.db"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(stderr.expect("a file in an own directory"))
        .spawn()
        .expect("vestibule starts");
    let stdout = process.stdout.take().expect("standard output is piped");
    let (line_sender, mut lines) = mpsc::unbounded_channel();
    // Reads on after the start too: a full pipe would stop the server.
    tokio::spawn(async move {
        let mut reader = BufReader::new(stdout).lines();
        while let Ok(Some(line)) = reader.next_line().await {
            let _no_longer_wanted = line_sender.send(line);
        }
    });

    let mut said = String::new();
    let ready = async {
        while let Some(line) = lines.recv().await {
            said.push_str(&line);
            said.push('\n');
            let announced = announced(&said);
            if let Some(announced) = announced
                && (announced.set_up_link.is_some() || first_start == FirstStart::No)
            {
                return Some(announced);
            }
        }
        None
    };
    let announced = timeout(START, ready).await;
    let Ok(Some(announced)) = announced else {
        panic!("vestibule serve did not become ready.\n--- it said\n{said}\n--- it logged\n{}", log(dir));
    };
    (process, announced)
}

/// The URLs in the server's greeting: the issuer is the one that is a bare origin with a port, the set-up
/// link the one under `/setup`.
fn announced(said: &str) -> Option<Announced> {
    let urls: Vec<(&str, Url)> = said
        .split_whitespace()
        .filter(|word| word.starts_with("http://127.0.0.1:"))
        .filter_map(|word| Url::parse(word).ok().map(|url| (word, url)))
        .collect();
    let issuer = urls.iter().find(|(word, url)| url.path() == "/" && !word.ends_with('/'))?.0;
    let set_up_link = urls.iter().find(|(_, url)| url.path() == "/setup");
    Some(Announced {
        issuer: issuer.to_owned(),
        set_up_link: set_up_link.map(|(word, _)| (*word).to_owned()),
    })
}

fn log(dir: &TempDir) -> String {
    fs::read_to_string(dir.path().join("log")).unwrap_or_default()
}

#[tokio::test]
async fn a_first_start_prints_a_set_up_link_that_opens() {
    let vestibule = Vestibule::start().await;
    let response = reqwest::get(vestibule.set_up_link()).await.expect("the link leads to the server");
    assert_eq!(response.status(), reqwest::StatusCode::OK);
    let page = response.text().await.expect("a page arrives whole");
    assert!(page.contains(r#"action="/setup""#), "{page}");
}
