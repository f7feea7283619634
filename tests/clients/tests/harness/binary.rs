//! Where the built binary is, and building it when it is missing or older than its sources.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::SystemTime;
use std::{env, fs};

/// The `vestibule` executable of this build. Cargo names it only to tests of its own package, so it is
/// looked up beside this test's executable.
///
/// `cargo test` at the root has built it already; `cargo test -p vestibule-clients` has not, and then one
/// `cargo build` does. Panics if that fails, with cargo's words above.
pub(super) fn path() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let profile_dir = profile_dir();
        let binary = profile_dir.join(format!("vestibule{}", env::consts::EXE_SUFFIX));
        if !is_current(&binary) {
            build(&profile_dir);
        }
        binary
    })
}

/// `target/debug` for a test that runs as `target/debug/deps/clients-0123456789abcdef`.
fn profile_dir() -> PathBuf {
    let test = env::current_exe().expect("the system knows which program it runs");
    test.ancestors().nth(2).expect("cargo puts tests into target/PROFILE/deps").to_path_buf()
}

/// Whether the binary exists and nothing that cargo noted as its source has changed since.
fn is_current(binary: &Path) -> bool {
    let (Ok(built), Ok(noted)) = (modified(binary), fs::read_to_string(binary.with_extension("d"))) else {
        return false;
    };
    let Some((_, sources)) = noted.split_once(':') else {
        return false;
    };
    // Make's notation: spaces separate, and a space inside a name is written with a backslash.
    let sources = sources.trim().replace("\\ ", "\0");
    sources
        .split_whitespace()
        .all(|source| modified(Path::new(&source.replace('\0', " "))).is_ok_and(|changed| changed <= built))
}

fn modified(path: &Path) -> std::io::Result<SystemTime> {
    fs::metadata(path)?.modified()
}

/// What `cargo test` tells its tests about their package. Handed on, it would be taken for a changed
/// environment by build scripts that watch it (ring's does), and each build would undo the other's work.
const OF_THIS_PACKAGE: [&str; 9] = [
    "CARGO_MANIFEST_DIR",
    "CARGO_MANIFEST_LINKS",
    "CARGO_PKG_NAME",
    "CARGO_PKG_VERSION",
    "CARGO_PKG_VERSION_MAJOR",
    "CARGO_PKG_VERSION_MINOR",
    "CARGO_PKG_VERSION_PATCH",
    "CARGO_PKG_VERSION_PRE",
    "CARGO_PRIMARY_PACKAGE",
];

fn build(profile_dir: &Path) {
    let profile = match profile_dir.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(name) => name,
    };
    let target_dir = profile_dir.parent().expect("a profile's directory lies in the target directory");
    let mut cargo = Command::new(env!("CARGO"));
    for name in OF_THIS_PACKAGE {
        cargo.env_remove(name);
    }
    let status = cargo
        .args(["build", "--package", "vestibule", "--bin", "vestibule", "--profile", profile, "--target-dir"])
        .arg(target_dir)
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
        .status()
        .expect("cargo started these tests, so it can be started again");
    assert!(status.success(), "vestibule did not build; see cargo's message above");
}
