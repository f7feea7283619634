//! The product in a process of its own: the release binary, seeded by its own command line, on a file in a
//! temporary directory. Written against the contract only; nothing here knows how the product is made.

use std::{
    fs::{self, File},
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use rusqlite::Connection;
use serde::Deserialize;
use tempfile::TempDir;

use crate::{
    person::{self, Person, REDIRECT_URI},
    process::{self, Process},
    requests::{self, Machine},
};

/// The binary under test, built by `cargo bench` in the release profile.
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_vestibule");

const RESOURCE: &str = "https://mcp.bench.test/mcp";
const USER: &str = "bench";
/// The guarded server's name, and its path at ours.
pub(crate) const GUARDED: &str = "guarded";

/// A running server and its data.
pub(crate) struct Vestibule {
    process: Process,
    file: PathBuf,
    // Last, so that the directory goes when nobody writes into it any more.
    _directory: TempDir,
}

/// Who may use a seeded server.
#[derive(Clone)]
pub(crate) struct Seeds {
    /// For client_credentials and introspection.
    pub(crate) machine: Machine,
    /// For grants with refresh tokens.
    pub(crate) person: Person,
}

/// What one start on a new file cost.
pub(crate) struct ColdStart {
    /// From exec to the first 200 of `/healthz`.
    pub(crate) until_ready: Duration,
    /// Resident memory then, in bytes; none where there is no `/proc`.
    pub(crate) resident_bytes: Option<u64>,
}

/// Why a file has no more grants than before.
pub(crate) enum NotFilled {
    /// The file has no table `grants`.
    SchemaNotReady,
    /// Anything else, in words.
    Failed(String),
}

/// What `client add --json` prints.
#[derive(Deserialize)]
struct AddedClient {
    client_id: String,
    client_secret: Option<String>,
}

/// A directory on the disk that holds the build: `/tmp` is memory on many systems, where no write is ever slow.
pub(crate) fn directory() -> Result<TempDir, String> {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).map_err(|error| format!("a directory: {error}"))
}

impl Vestibule {
    /// Starts on a new file and a free port.
    pub(crate) fn start() -> Result<Vestibule, String> {
        let directory = directory()?;
        let file = directory.path().join("vestibule.db");
        let process = serve(&file, SocketAddr::from(([127, 0, 0, 1], 0)), &[])?;
        Ok(Vestibule { process, file, _directory: directory })
    }

    /// Starts on a new file and a free port, in front of a server; and somebody who may use that.
    pub(crate) fn guarding(upstream: SocketAddr) -> Result<(Vestibule, Person), String> {
        let directory = directory()?;
        let file = directory.path().join("vestibule.db");
        let guard = format!("{GUARDED}=http://{upstream}/mcp");
        let process = serve(&file, SocketAddr::from(([127, 0, 0, 1], 0)), &["--guard", &guard])?;
        let server = Vestibule { process, file, _directory: directory };
        let resource = format!("http://{}/{GUARDED}", server.process.address());
        let person = server.add_person(&resource)?;
        Ok((server, person))
    }

    /// The server's process.
    pub(crate) fn process(&self) -> &Process {
        &self.process
    }

    /// Registers a resource, a machine client, a public client and a user.
    pub(crate) fn seed(&self) -> Result<Seeds, String> {
        self.command(&["resource", "add", RESOURCE, "--name", "Bench", "--scopes", "read write"], "")?;
        let person = self.add_person(RESOURCE)?;
        let machine = self.add_client(&[
            "--name",
            "bench machine",
            "--grant",
            "client_credentials",
            "--audience",
            RESOURCE,
            "--scopes",
            "read",
        ])?;
        let secret = machine.client_secret.ok_or("client add --json printed no client_secret")?;
        Ok(Seeds {
            machine: Machine { id: machine.client_id, secret, resource: RESOURCE.to_owned() },
            person,
        })
    }

    /// Adds a user, and a public client for them.
    fn add_person(&self, resource: &str) -> Result<Person, String> {
        let password = person::random_text()?;
        self.command(&["user", "add", USER, "--password-stdin"], &format!("{password}\n"))?;
        let app = self.add_client(&[
            "--name",
            "bench app",
            "--public",
            "--redirect-uri",
            REDIRECT_URI,
            "--grant",
            "authorization_code",
            "--grant",
            "refresh_token",
        ])?;
        Ok(Person::new(USER, &password, &app.client_id, resource))
    }

    /// Ends the server, has the file grow by `rows` grants, and starts it again where it listened before.
    pub(crate) fn grow(self, rows: u64) -> Result<Vestibule, NotFilled> {
        let Vestibule { process, file, _directory } = self;
        let address = process.address();
        process.stop().map_err(NotFilled::Failed)?;
        fill_grants(&file, rows)?;
        // The same address is the same issuer, without which the file would be refused.
        let process = serve(&file, address, &[]).map_err(NotFilled::Failed)?;
        Ok(Vestibule { process, file, _directory })
    }

    fn add_client(&self, arguments: &[&str]) -> Result<AddedClient, String> {
        let arguments = [&["client", "add", "--json"], arguments].concat();
        let printed = self.command(&arguments, "")?;
        serde_json::from_str(&printed)
            .map_err(|error| format!("client add --json printed no client: {error}"))
    }

    /// Runs an admin command on the file while the server runs, and hands out its stdout.
    fn command(&self, arguments: &[&str], input: &str) -> Result<String, String> {
        let name = arguments.iter().take(2).copied().collect::<Vec<_>>().join(" ");
        let failed = |reason: String| format!("vestibule {name}: {reason}");
        let mut child = Command::new(BINARY)
            .args(arguments)
            .arg("--db")
            .arg(&self.file)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| failed(error.to_string()))?;
        if let Some(mut stdin) = child.stdin.take() {
            // A command that reads nothing may be gone already; its exit status says what matters.
            let _ = stdin.write_all(input.as_bytes());
        }
        let output = child.wait_with_output().map_err(|error| failed(error.to_string()))?;
        if output.status.success() {
            return String::from_utf8(output.stdout).map_err(|_| failed("stdout is not UTF-8".to_owned()));
        }
        let last =
            String::from_utf8_lossy(&output.stderr).trim().lines().last().unwrap_or_default().to_owned();
        Err(failed(format!("{} {last}", output.status)))
    }
}

/// Starts on a new file, once, and looks at the clock and the memory.
pub(crate) fn cold_start() -> Result<ColdStart, String> {
    let directory = directory()?;
    let start = Instant::now();
    let process = serve(&directory.path().join("vestibule.db"), SocketAddr::from(([127, 0, 0, 1], 0)), &[])?;
    let status = first_line(process.address(), "/healthz")?;
    let until_ready = start.elapsed();
    if !status.starts_with("HTTP/1.1 200") {
        return Err(format!("/healthz answered {status:?}"));
    }
    Ok(ColdStart { until_ready, resident_bytes: process::resident_bytes(process.id()) })
}

/// Size of the binary in bytes.
pub(crate) fn binary_bytes() -> Result<u64, String> {
    fs::metadata(BINARY).map(|metadata| metadata.len()).map_err(|error| format!("{BINARY}: {error}"))
}

/// Writes `rows` more grants into the file of a stopped server: copies of the first one with other hashes, so
/// that they are spread over the file as grants that were given one by one. The file has at least one grant.
pub(crate) fn fill_grants(file: &Path, rows: u64) -> Result<(), NotFilled> {
    let failed = |error: rusqlite::Error| NotFilled::Failed(format!("fill the file: {error}"));
    let connection = Connection::open(file).map_err(failed)?;
    if !connection.table_exists(None, "grants").map_err(failed)? {
        return Err(NotFilled::SchemaNotReady);
    }
    // A power cut would only cost a file that is thrown away anyway.
    connection.execute_batch("pragma synchronous = off").map_err(failed)?;
    let rows = i64::try_from(rows).unwrap_or(i64::MAX);
    let written = connection
        .execute(
            "with recursive counter(n) as (select 1 union all select n + 1 from counter where n < ?1)
             insert into grants (client_id, user_id, scope, resources, auth_time, created_at, generation,
                 current_hash, previous_hash, rotated_at, expires_at)
             select client_id, user_id, scope, resources, auth_time, created_at, 2,
                 randomblob(32), randomblob(32), rotated_at, expires_at
             from counter cross join (select * from grants order by id limit 1)",
            [rows],
        )
        .map_err(failed)?;
    if i64::try_from(written) != Ok(rows) {
        return Err(NotFilled::Failed(format!("{written} grants were written, not {rows}")));
    }
    connection.execute_batch("pragma wal_checkpoint(truncate)").map_err(failed)?;
    // What the fill left to the page cache is written out now, and not during the first run.
    let synced = File::open(file).and_then(|file| file.sync_all());
    synced.map_err(|error| NotFilled::Failed(format!("{}: {error}", file.display())))
}

fn serve(file: &Path, listen: SocketAddr, settings: &[&str]) -> Result<Process, String> {
    let mut command = Command::new(BINARY);
    command.args(["serve", "--listen", &listen.to_string(), "--db"]).arg(file).args(settings);
    let directory = file.parent().unwrap_or(Path::new("."));
    Process::start(command, &process::log_in(directory))
        .map_err(|reason| format!("vestibule serve: {reason}"))
}

/// The status line of one GET, by the plainest means.
fn first_line(address: SocketAddr, path: &str) -> Result<String, String> {
    let failed = |error: std::io::Error| format!("{path}: {error}");
    let mut stream = TcpStream::connect(address).map_err(failed)?;
    stream.write_all(&requests::get(path)).map_err(failed)?;
    let mut buffer = [0; 1024];
    let length = stream.read(&mut buffer).map_err(failed)?;
    let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
    Ok(text.lines().next().unwrap_or_default().to_owned())
}
