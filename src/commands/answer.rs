//! What a command answers: one thing in two forms, for people and, with `--json`, for programs.

use std::io::{self, Write};

use serde::Serialize;

use super::failure::Failure;

/// The answer of a command that was done.
pub struct Answer {
    text: String,
    json: String,
    warnings: Vec<String>,
    has_failed: bool,
}

/// Which form is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Sentences and tables.
    Text,
    /// One JSON value.
    Json,
}

impl Answer {
    /// The same in both forms.
    ///
    /// # Panics
    /// If `json` has keys that are no text, which none of ours has.
    pub fn new(text: impl Into<String>, json: impl Serialize) -> Self {
        Self { text: text.into(), json: json_line(&json), warnings: Vec::new(), has_failed: false }
    }

    /// With something that the person should know although all was done.
    #[must_use]
    pub fn warn(mut self, warning: impl Into<String>) -> Self {
        self.warnings.push(warning.into());
        self
    }

    /// With a bad end, of which the answer tells itself.
    #[must_use]
    pub fn of_a_failure(mut self) -> Self {
        self.has_failed = true;
        self
    }

    /// How the command ended, for its exit status.
    pub(super) const fn end(&self) -> Result<(), Failure> {
        if self.has_failed { Err(Failure::Answered) } else { Ok(()) }
    }

    /// Writes the answer to stdout and its warnings to stderr.
    pub fn print(&self, form: Form) -> io::Result<()> {
        for warning in &self.warnings {
            print_warning(warning)?;
        }
        let mut out = io::stdout().lock();
        match form {
            Form::Text => writeln!(out, "{}", self.text.trim_end()),
            Form::Json => writeln!(out, "{}", self.json),
        }?;
        out.flush()
    }
}

/// Writes a warning to stderr.
pub(super) fn print_warning(warning: &str) -> io::Result<()> {
    writeln!(io::stderr().lock(), "vestibule: warning: {}", plain(warning))
}

/// A table with a line of headings; `none` stands in for a table without rows.
pub(super) fn table<const N: usize>(headings: [&str; N], rows: &[[String; N]], none: &str) -> String {
    if rows.is_empty() {
        return none.to_owned();
    }
    let rows: Vec<[String; N]> = std::iter::once(headings.map(str::to_owned))
        .chain(rows.iter().map(|row| row.each_ref().map(|cell| plain(cell))))
        .collect();
    let mut widths = [0; N];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for row in &rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            line.push_str(&format!("{cell:width$}  "));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// Text from strangers, such as a client's name, so that a terminal shows it and never obeys it; always one line.
pub(super) fn plain(text: &str) -> String {
    text.chars().map(|c| if is_hidden(c) { ' ' } else { c }).collect()
}

/// A JSON value on one line, which a terminal shows and never obeys either: what it would obey is escaped.
///
/// # Panics
/// As [`Answer::new`].
pub(super) fn json_line(value: &impl Serialize) -> String {
    let json = serde_json::to_string(value).expect("an answer is made of texts, numbers, lists and maps");
    // Outside of texts nothing of the kind occurs.
    let escaped = |mut line: String, c: char| {
        if is_hidden(c) {
            line.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            line.push(c);
        }
        line
    };
    match json.contains(is_hidden) {
        true => json.chars().fold(String::new(), escaped),
        false => json,
    }
}

fn is_hidden(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_aligned_and_never_obeyed_by_a_terminal() {
        let rows = [["a\u{1b}[2Jb".to_owned(), "1".to_owned()], ["é".to_owned(), "2".to_owned()]];
        assert_eq!(table(["name", "n"], &rows, ""), "name    n\na [2Jb  1\né       2\n");
        assert_eq!(table::<1>(["name"], &[], "nobody"), "nobody");
    }

    #[test]
    fn json_means_the_same_and_is_never_obeyed_by_a_terminal() {
        let text = "a\u{1b}[2J\u{9b}2J\u{7f}\u{202e}é\u{1f600}\"\\";
        let line = json_line(&text);
        assert_eq!(line, r#""a\u001b[2J\u009b2J\u007f\u202eé😀\"\\""#);
        assert_eq!(serde_json::from_str::<String>(&line).unwrap(), text);
    }
}
