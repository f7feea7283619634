//! Programs that run on their own, as a shell starts them: the built binary in a directory of its own, and the
//! examples.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

/// Longer than anything takes on a slow machine: a test that waits so long has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// A directory, and the binary in it.
pub struct House {
    directory: TempDir,
}

impl House {
    /// An empty one.
    pub fn new() -> Self {
        Self { directory: tempfile::tempdir().expect("a directory") }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vestibule"));
        command.args(arguments).current_dir(self.directory.path()).env_clear();
        command
    }

    /// Starts the server, and waits until it listens.
    pub fn serve(&self, listen: &str, more: &[&str]) -> Serving {
        let command = self.command(&[&["serve", "--listen", listen], more].concat());
        Self::until_it_listens(command).unwrap_or_else(|done| panic!("it does not serve: {done:?}"))
    }

    /// [`House::serve`] with these variables in its environment, and no others.
    pub fn serve_in(&self, environment: &[(&str, &str)], listen: &str, more: &[&str]) -> Serving {
        let mut command = self.command(&[&["serve", "--listen", listen], more].concat());
        command.envs(environment.iter().copied());
        Self::until_it_listens(command).unwrap_or_else(|done| panic!("it does not serve: {done:?}"))
    }

    /// [`House::serve`] by a shell that sets a limit on its files first, in the words of `ulimit`.
    pub fn serve_with_files(&self, limit: &str, more: &[&str]) -> Serving {
        let mut shell = Command::new("/bin/sh");
        let line = format!("ulimit {limit} && exec \"$0\" \"$@\"");
        shell.args(["-c", &line, env!("CARGO_BIN_EXE_vestibule"), "serve", "--listen", "127.0.0.1:0"]);
        shell.args(more).current_dir(self.directory.path()).env_clear();
        Self::until_it_listens(shell).unwrap_or_else(|done| panic!("it does not serve: {done:?}"))
    }

    /// [`House::serve`] where it served before, or elsewhere if a neighbour got that port in between: the issuer is
    /// in the file and no address is, so it makes no difference.
    pub fn serve_again(&self, address: SocketAddr) -> Serving {
        let there = self.command(&["serve", "--listen", &address.to_string()]);
        Self::until_it_listens(there).unwrap_or_else(|done| {
            assert!(done.err.contains("in use"), "{done:?}");
            self.serve("127.0.0.1:0", &[])
        })
    }

    /// [`House::serve`] by the bare word `vestibule`. (Its usual port may be somebody else's here.)
    pub fn serve_without_arguments(&self) -> Serving {
        let mut command = self.command(&[]);
        command.env("VESTIBULE_LISTEN", "127.0.0.1:0");
        Self::until_it_listens(command).unwrap_or_else(|done| panic!("it does not serve: {done:?}"))
    }

    fn until_it_listens(command: Command) -> Result<Serving, Done> {
        let mut program = Program::start(command);
        let Some(line) = program.find_line("listening on") else { return Err(program.wait()) };
        let address = line.split_whitespace().last().and_then(|text| text.parse().ok());
        let address = address.unwrap_or_else(|| panic!("no address in {line:?}"));
        let line = program.line_with("issuer");
        let issuer = line.split_whitespace().last().expect("the issuer is named").to_owned();
        Ok(Serving { program, address, issuer })
    }

    /// Runs a command to its end, with `stdin` typed into it.
    pub fn run(&self, arguments: &[&str], stdin: &str) -> Done {
        self.run_with(&[], arguments, stdin)
    }

    /// [`House::run`] with these variables in its environment, which is empty otherwise.
    pub fn run_with(&self, variables: &[(&str, &Path)], arguments: &[&str], stdin: &str) -> Done {
        let mut command = self.command(arguments);
        command.envs(variables.iter().copied());
        let mut program = Program::start(command);
        program.type_in(stdin);
        program.wait()
    }

    /// [`House::run`] for a command that must work: what it says.
    #[track_caller]
    pub fn ok(&self, arguments: &[&str], stdin: &str) -> String {
        let done = self.run(arguments, stdin);
        assert_eq!(done.status, Some(0), "{arguments:?}: {}", done.err);
        done.out
    }

    /// [`House::ok`] with `--json`.
    #[track_caller]
    pub fn json(&self, arguments: &[&str]) -> Value {
        let out = self.ok(&[arguments, &["--json"]].concat(), "");
        serde_json::from_str(&out).unwrap_or_else(|why| panic!("{arguments:?} answers {out:?}: {why}"))
    }
}

/// A running server.
pub struct Serving {
    pub program: Program,
    pub address: SocketAddr,
    pub issuer: String,
}

/// A running program; it is killed when the test lets go of it.
pub struct Program {
    child: Child,
    lines: Receiver<String>,
    said: String,
    complaints: Option<JoinHandle<String>>,
}

/// What a program left behind.
#[derive(Debug)]
pub struct Done {
    /// `None` when a signal ended it.
    pub status: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Program {
    /// An example of this build, without anything from our environment.
    pub fn example(name: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new(example(name));
        command.args(arguments).env_clear();
        Self::start(command)
    }

    fn start(mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|why| panic!("{command:?}: {why}"));
        let (said, lines) = channel();
        let out = BufReader::new(child.stdout.take().expect("it is piped"));
        thread::spawn(move || {
            // Nobody listens any more once the test has ended.
            out.lines().map_while(Result::ok).try_for_each(|line| said.send(line))
        });
        let mut err = child.stderr.take().expect("it is piped");
        let complaints = Some(thread::spawn(move || {
            let mut bytes = Vec::new();
            let _ = err.read_to_end(&mut bytes);
            String::from_utf8_lossy(&bytes).into_owned()
        }));
        Self { child, lines, said: String::new(), complaints }
    }

    /// Types something in, and that was all.
    fn type_in(&mut self, text: &str) {
        // A program that reads nothing may be gone already.
        let _ = self.child.stdin.take().expect("nothing was typed yet").write_all(text.as_bytes());
    }

    /// The next line on stdout that has these words in it.
    #[track_caller]
    pub fn line_with(&mut self, words: &str) -> String {
        self.find_line(words).unwrap_or_else(|| {
            let _ = self.child.kill();
            panic!("it never said {words:?}, but {:?}", self.wait_on())
        })
    }

    /// [`Program::line_with`], or `None` at the end of all lines.
    fn find_line(&mut self, words: &str) -> Option<String> {
        while let Ok(line) = self.lines.recv_timeout(PATIENCE) {
            self.said.push_str(&line);
            self.said.push('\n');
            if line.contains(words) {
                return Some(line);
            }
        }
        None
    }

    /// The most memory that it has had so far, in bytes.
    pub fn memory_peak(&self) -> usize {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("the kernel tells");
        let kilobytes: usize = line.trim().trim_end_matches(" kB").parse().expect("a number");
        kilobytes * 1024
    }

    /// SIGKILL, and its end.
    pub fn kill(mut self) {
        self.child.kill().expect("it runs");
        assert_eq!(self.wait_on().status, None, "it was killed");
    }

    /// SIGTERM, as a service manager stops it.
    pub fn terminate(&self) {
        let sent = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        assert!(sent.expect("there is a kill").success());
    }

    /// Waits for its end.
    pub fn wait(mut self) -> Done {
        self.wait_on()
    }

    fn wait_on(&mut self) -> Done {
        drop(self.child.stdin.take());
        // Both pipes first: they end with the program.
        while let Ok(line) = self.lines.recv_timeout(PATIENCE) {
            self.said.push_str(&line);
            self.said.push('\n');
        }
        let err = self.complaints.take().expect("it has not ended before").join().expect("a reader");
        let status = self.child.wait().expect("it ends").code();
        Done { status, out: std::mem::take(&mut self.said), err }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An example as cargo built it: beside the directory of this test's executable. `cargo test` has built it; after
/// `cargo test --test it`, which builds no examples, one `cargo build` does.
fn example(name: &str) -> PathBuf {
    static BUILDS: Mutex<()> = Mutex::new(());
    let test = std::env::current_exe().expect("the system knows which program it runs");
    let profile = test.ancestors().nth(2).expect("cargo puts tests into target/PROFILE/deps");
    let built = profile.join("examples").join(name);
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name).with_extension("rs");
    let changed = |path: &Path| fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
    let _one_at_a_time = BUILDS.lock().unwrap_or_else(PoisonError::into_inner);
    if changed(&built).is_none_or(|built| changed(&source).is_none_or(|source| built < source)) {
        build_examples(profile);
    }
    built
}

/// What `cargo test` tells its tests about their package. Handed on, it would be taken for a changed environment by
/// build scripts that watch it (ring's does), and each build would undo the other's work.
const OF_THIS_PACKAGE: [&str; 9] = [
    "CARGO_MANIFEST_DIR",
    "CARGO_MANIFEST_LINKS",
    "CARGO_MANIFEST_PATH",
    "CARGO_PKG_NAME",
    "CARGO_PKG_VERSION",
    "CARGO_PKG_VERSION_MAJOR",
    "CARGO_PKG_VERSION_MINOR",
    "CARGO_PKG_VERSION_PATCH",
    "CARGO_PKG_VERSION_PRE",
];

fn build_examples(profile: &Path) {
    let target = profile.parent().expect("a profile's directory lies in the target directory");
    let name = profile.file_name().and_then(OsStr::to_str).filter(|name| *name != "debug").unwrap_or("dev");
    let mut cargo = Command::new(env!("CARGO"));
    for variable in OF_THIS_PACKAGE {
        cargo.env_remove(variable);
    }
    cargo.args(["build", "--examples", "--profile", name, "--target-dir"]).arg(target);
    let status = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).status().expect("cargo started these tests");
    assert!(status.success(), "the examples did not build; see cargo's message above");
}
