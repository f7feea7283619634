//! The promises of `src/lib.rs`: who imports whom, where a third-party crate lives, how long a file and a function are,
//! and that the map names every module. Every complaint says file, line and the reason of the rule.

use std::fs;
use std::path::{Path, PathBuf};

/// From the top of the house to its ground; modules on one line are strangers to one another.
const LAYERS: [&[&str]; 10] = [
    &["main"],
    &["commands"],
    &["server", "routes"],
    &["endpoints", "pages", "gateway"],
    &["app"],
    &["audit", "limits"],
    &["store", "config", "doctor"],
    &["outgoing"],
    &["oauth", "http", "view", "log"],
    &["crypto", "clock"],
];

const HTTP_ALONE: &str = "hyper is an implementation of HTTP, which only those know who speak it";

/// What may be named only in these places, and why.
const ONLY_IN: [(&str, &[&str], &str); 18] = [
    ("hyper::", &["http/", "outgoing/", "server.rs"], HTTP_ALONE),
    ("socket2::", &["outgoing/", "server.rs"], "sockets are known where they are opened"),
    ("rustix::", &["commands/"], "what the process may take from the system is settled at its start"),
    ("hyper_util::", &["http/", "outgoing/", "server.rs"], HTTP_ALONE),
    ("http_body_util::", &["http/", "outgoing/", "server.rs"], HTTP_ALONE),
    ("tokio_rustls::", &["outgoing/"], "one place to read when the question is whom we trust"),
    ("rustls_native_certs::", &["outgoing/"], "one place to read when the question is whom we trust"),
    ("webpki_roots::", &["outgoing/"], "one place to read when the question is whom we trust"),
    ("rusqlite::", &["store/"], "whoever speaks SQL elsewhere decides behind the store's back"),
    ("ring::", &["crypto/"], "one place to read when the question is how something is signed"),
    ("argon2::", &["crypto/"], "one place to read when the question is how something is hashed"),
    ("subtle::", &["crypto/"], "one place to read when the question is how something is compared"),
    ("maud::", &["view/"], "markup is made where escaping is looked at"),
    ("clap::", &["commands/"], "the command line is not known below the commands"),
    ("rpassword::", &["commands/"], "only a command may ask a person on the terminal"),
    ("std::env", &["config.rs", "config/", "main.rs"], "what is set is read once, in config"),
    ("SystemTime::now", &["clock.rs"], "time is a parameter, so that every rule about it can be tested"),
    ("process::exit", &["main.rs"], "one exit, so that everything is closed in order"),
];

const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 80;

struct Source {
    path: PathBuf,
    /// Relative to `src/`.
    name: String,
    /// Without the unit tests at its end, which may do as they like.
    code: Vec<String>,
    lines: usize,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let mut directories = vec![root.clone()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory).expect("src can be read") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("a source is text");
                let name = path.strip_prefix(&root).expect("below src").to_string_lossy().into_owned();
                let lines = text.lines().count();
                let code = text
                    .lines()
                    .take_while(|line| !line.starts_with("#[cfg(test)]"))
                    .map(str::to_owned)
                    .collect();
                found.push(Source { path, name, code, lines });
            }
        }
    }
    assert!(found.len() > 50, "the walk finds the sources");
    found
}

impl Source {
    fn module(&self) -> &str {
        self.name.split(['/', '.']).next().unwrap_or_default()
    }

    /// Lines that are not comments, with their numbers.
    fn statements(&self) -> impl Iterator<Item = (usize, &str)> {
        let numbered = self.code.iter().enumerate().map(|(at, line)| (at + 1, line.as_str()));
        numbered.filter(|(_, line)| !line.trim_start().starts_with("//"))
    }
}

fn layer_of(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

fn complain(complaints: &[String]) {
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

#[test]
fn imports_go_down_only() {
    let mut complaints = Vec::new();
    for source in sources() {
        let (module, name) = (source.module(), &source.name);
        if name == "lib.rs" {
            continue;
        }
        let own = layer_of(module).unwrap_or_else(|| panic!("{name}: {module} has no place in the layers"));
        for (line, text) in source.statements() {
            for path in ["crate::", "vestibule::"].iter().flat_map(|root| text.split(root).skip(1)) {
                let used = path.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
                let Some(layer) = layer_of(used) else { continue };
                if used != module && layer <= own {
                    complaints.push(format!(
                        "src/{name}:{line}: {module} uses {used}, which does not lie below it"
                    ));
                }
            }
        }
    }
    complain(&complaints);
}

#[test]
fn a_third_party_crate_lives_in_one_place() {
    let mut complaints = Vec::new();
    for source in sources() {
        for (line, text) in source.statements() {
            for (what, places, why) in ONLY_IN {
                let named = text
                    .match_indices(what)
                    .any(|(at, _)| !text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_'));
                if named && !places.iter().any(|place| source.name.starts_with(place)) {
                    complaints
                        .push(format!("src/{}:{line}: {what} belongs to {places:?}: {why}", source.name));
                }
            }
        }
    }
    complain(&complaints);
}

#[test]
fn a_file_and_a_function_can_be_read_in_one_go() {
    let mut complaints = Vec::new();
    for source in sources() {
        if source.lines > FILE_LINES_MAX {
            complaints.push(format!("src/{}: {} lines; make two rooms of it", source.name, source.lines));
        }
        let mut begun: Option<(usize, usize)> = None;
        for (at, line) in source.code.iter().enumerate() {
            let indent = line.len() - line.trim_start().len();
            let head = line.trim_start();
            if begun.is_none() && (head.contains("fn ") && !head.starts_with("//")) && line.ends_with('{') {
                begun = Some((at, indent));
            } else if let Some((start, at_indent)) = begun
                && indent == at_indent
                && head == "}"
            {
                let length = at - start + 1;
                if length > FUNCTION_LINES_MAX {
                    complaints.push(format!(
                        "src/{}:{}: a function of {length} lines",
                        source.name,
                        start + 1
                    ));
                }
                begun = None;
            }
        }
    }
    complain(&complaints);
}

#[test]
fn every_file_says_what_it_owns_and_the_map_names_every_module() {
    let map = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).expect("the map");
    let mut complaints = Vec::new();
    for source in sources() {
        let first = source.code.first().map(String::as_str).unwrap_or_default();
        if !first.starts_with("//! ") && !first.starts_with("#![") {
            complaints.push(format!("src/{}:1: no sentence says what this file is for", source.name));
        }
        let module = source.module();
        if !matches!(module, "lib" | "main") && !map.contains(&format!("[`{module}`]")) {
            complaints.push(format!("src/lib.rs: the map does not name {module}"));
        }
    }
    complain(&complaints);
}

#[test]
fn no_test_file_is_forgotten() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    let main = fs::read_to_string(directory.join("main.rs")).expect("main.rs");
    let mut complaints = Vec::new();
    for entry in fs::read_dir(&directory).expect("tests/it") {
        let path = entry.expect("an entry").path();
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        if name != "main" && !main.contains(&format!("mod {name};")) {
            complaints.push(format!("tests/it/{name}.rs is no module of main.rs, so it never runs"));
        }
    }
    complain(&complaints);
}

#[test]
fn the_project_speaks_of_itself_alone() {
    let mut complaints = Vec::new();
    for source in sources() {
        for (at, line) in source.code.iter().enumerate() {
            for word in ["TODO", "FIXME", "XXX", "/work/", "unimplemented!", "todo!"] {
                if line.contains(word) {
                    complaints.push(format!("{}:{}: {word}", source.path.display(), at + 1));
                }
            }
        }
    }
    complain(&complaints);
}
