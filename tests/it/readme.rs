//! The README against the program: its settings are the program's, and its test command is the one that is run.

use std::fs;
use std::path::Path;

use vestibule::config::KEYS;
use vestibule::doctor::{Part, Step, Verdict};

fn file(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name))
        .unwrap_or_else(|why| panic!("{name}: {why}"))
}

#[test]
fn the_settings_table_is_the_programs_own() {
    let mut table =
        String::from("| in the file | flag | environment | default | meaning |\n|---|---|---|---|---|\n");
    for setting in KEYS {
        let default =
            if setting.default.is_empty() { String::new() } else { format!("`{}`", setting.default) };
        table.push_str(&format!(
            "| `{}` | `--{} {}` | `{}` | {default} | {} |\n",
            setting.key, setting.flag, setting.value, setting.variable, setting.meaning
        ));
    }
    let readme = file("README.md");
    let (_, rest) = readme.split_once("<!-- settings:").expect("the table's beginning");
    let (_, rest) = rest.split_once("-->\n").expect("the table's beginning");
    let (written, _) = rest.split_once("<!-- end of settings -->").expect("the table's end");
    assert_eq!(written.trim(), table.trim(), "\nThe table in README.md should be:\n\n{table}");
}

#[test]
fn the_sample_of_the_doctor_has_the_steps_that_it_makes() {
    let readme = file("README.md");
    let (_, rest) = readme.split_once("<!-- doctor:").expect("the sample's beginning");
    let (_, rest) = rest.split_once("```text\n").expect("the sample's beginning");
    let (sample, _) = rest.split_once("```").expect("the sample's end");
    let mut part: Option<Part> = None;
    let mut made = 0;
    let mut verdict = Verdict::default();
    for line in sample.lines() {
        if let Some(step) = Step::ALL.iter().find(|step| line == step.part().title()) {
            part = Some(step.part());
        }
        let marks = ["  ok    ", "  warn  ", "  fail  ", "  skip  "];
        let Some(told) = marks.iter().find_map(|mark| line.strip_prefix(mark)) else { continue };
        let is_made =
            |step: &&Step| Some(step.part()) == part && told.starts_with(&format!("{}  ", step.title()));
        assert!(Step::ALL.iter().any(|step| is_made(&step)), "no such step: {line}");
        made += 1;
        if line.starts_with("  fail") {
            verdict.failures += 1;
            match part {
                Some(Part::Browser) => verdict.web_pages += 1,
                _ => verdict.clients += 1,
            }
        }
    }
    assert_eq!(sample.lines().last(), Some(verdict.to_string().as_str()));
    assert!(made > 5, "{sample}");
}

#[test]
fn the_test_command_is_the_one_that_has_to_pass() {
    let command = "cargo test --workspace";
    assert!(file("README.md").contains(&format!("\n{command}\n")));
    assert!(file(".ci/run").contains(command));
}

#[test]
fn every_example_that_the_readme_names_is_there() {
    let readme = file("README.md");
    let named: Vec<&str> =
        readme.split("](examples/").skip(1).filter_map(|rest| rest.split(')').next()).collect();
    assert!(named.len() >= 3, "{named:?}");
    for name in named {
        let there = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name);
        assert!(there.exists(), "{name}");
    }
}
