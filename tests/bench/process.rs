//! Servers in processes of their own: start, learn the address, read what they cost, end.
//! The processor time of one server is only its own when it shares a process with nobody.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

/// How long a server may take to say where it listens, and to end when asked to.
const PATIENCE: Duration = Duration::from_secs(10);
/// The kernel counts processor time for `/proc` in ticks of 10 ms on every Linux (`USER_HZ`).
const TICK_SECONDS: f64 = 0.01;

/// A running server. Dropping it kills it.
pub(crate) struct Process {
    child: Child,
    address: SocketAddr,
}

impl Process {
    /// Starts the command and waits for the first `http://127.0.0.1:PORT` on its stdout. Its stderr goes to the file
    /// `log`; an error quotes the end of it.
    pub(crate) fn start(mut command: Command, log: &Path) -> Result<Process, String> {
        let stderr = File::create(log).map_err(|error| format!("{}: {error}", log.display()))?;
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .map_err(|error| format!("start {:?}: {error}", command.get_program()))?;
        let Some(stdout) = child.stdout.take() else {
            return Err("the server has no stdout".to_owned());
        };
        let (said, heard) = mpsc::channel();
        // Reads on to the end: a full pipe would stop the server in the middle of a run.
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if let Some(address) = address_in(&line) {
                    // Only the first is waited for.
                    let _ = said.send(address);
                }
            }
        });
        match heard.recv_timeout(PATIENCE) {
            Ok(address) => Ok(Process { child, address }),
            Err(_) => {
                // It may have ended by itself, which is what is reported.
                let _ = child.kill();
                let _ = child.wait();
                Err(format!("the server did not say where it listens{}", last_line(log)))
            }
        }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to end, as a service manager does, and waits. An error when it does not.
    pub(crate) fn stop(mut self) -> Result<(), String> {
        let asked = Command::new("kill")
            .args(["-TERM", &self.id().to_string()])
            .status()
            .map_err(|error| format!("kill -TERM: {error}"))?;
        let deadline = Instant::now() + PATIENCE;
        while asked.success() && Instant::now() < deadline {
            match self.child.try_wait() {
                Ok(Some(_)) => return Ok(()),
                Ok(None) => thread::sleep(Duration::from_millis(2)),
                Err(error) => return Err(format!("wait for the server's end: {error}")),
            }
        }
        Err(format!("the server did not end within {} s of SIGTERM", PATIENCE.as_secs()))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// User and system time of a process so far, in seconds; none where there is no `/proc`.
pub(crate) fn processor_seconds(id: u32) -> Option<f64> {
    let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The name in parentheses may hold anything; fields are counted from behind it.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some((user + system) as f64 * TICK_SECONDS)
}

/// Memory of a process that is in RAM, in bytes; none where there is no `/proc`.
pub(crate) fn resident_bytes(id: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
}

/// The first `http://127.0.0.1:PORT` of a line.
fn address_in(line: &str) -> Option<SocketAddr> {
    line.split("http://127.0.0.1:").skip(1).find_map(|rest| {
        let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
        Some(SocketAddr::from(([127, 0, 0, 1], digits.parse().ok()?)))
    })
}

fn last_line(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    text.lines().last().map(|line| format!("; its last words: {line}")).unwrap_or_default()
}

/// A file of this name for a server's stderr, beside its data.
pub(crate) fn log_in(directory: &Path) -> PathBuf {
    directory.join("stderr.log")
}

/// Holds the search for the address against the lines that servers print.
pub(crate) fn check() {
    for (line, port) in [
        ("listening on http://127.0.0.1:8080", Some(8080)),
        ("issuer http://127.0.0.1, listens http://127.0.0.1:41/, db", Some(41)),
        ("http://127.0.0.1:/", None),
        ("http://127.0.0.1:99999", None),
        ("", None),
    ] {
        assert_eq!(address_in(line).map(|address| address.port()), port, "{line:?}");
    }
}
