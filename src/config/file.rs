//! The settings file: TOML, one line per setting.

use std::fs;
use std::path::Path;

use super::{ConfigRefusal, KEYS, Setting};

/// The settings that a file makes, in its order, as text.
pub(super) fn read(path: &Path) -> Result<Vec<(&'static Setting, String)>, ConfigRefusal> {
    let refuse = |why: String| ConfigRefusal { at: path.display().to_string(), why };
    let text = fs::read_to_string(path).map_err(|source| {
        refuse(format!("it cannot be read ({source}): name the settings file with --config"))
    })?;
    let table: toml::Table = text.parse().map_err(|source: toml::de::Error| {
        let line = source.span().map_or(1, |span| line_of(&text, span.start));
        refuse(format!("line {line}: {}", source.message()))
    })?;
    table.iter().map(|(key, value)| entry(key, value).map_err(refuse)).collect()
}

fn entry(key: &str, value: &toml::Value) -> Result<(&'static Setting, String), String> {
    let setting = KEYS.iter().find(|setting| setting.key == key).ok_or_else(|| match nearest(key) {
        Some(meant) => format!("there is no setting {key:?}: did you mean {meant:?}?"),
        None => {
            let all: Vec<_> = KEYS.iter().map(|setting| setting.key).collect();
            format!("there is no setting {key:?}: there are {}", all.join(", "))
        }
    })?;
    let text = match value {
        toml::Value::String(text) => text.clone(),
        toml::Value::Integer(number) => number.to_string(),
        toml::Value::Array(list) => {
            let words: Option<Vec<_>> = list.iter().map(toml::Value::as_str).collect();
            words.ok_or_else(|| format!("{key}: a list holds texts only: put each in quotes"))?.join(",")
        }
        _ => return Err(format!("{key}: write a text in quotes, a number, or a list of texts")),
    };
    Ok((setting, text))
}

/// The key that was probably meant: at most three letters away.
fn nearest(key: &str) -> Option<&'static str> {
    KEYS.iter()
        .map(|setting| (distance(key, setting.key), setting.key))
        .min()
        .filter(|(distance, _)| *distance <= 3)
        .map(|(_, key)| key)
}

/// How many letters must be added, removed or replaced to make one word the other (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (above, letter) in one.chars().enumerate() {
        let mut diagonal = above;
        let mut left = above + 1;
        for (cell, wanted) in row.iter_mut().skip(1).zip(&other) {
            let replaced = diagonal + usize::from(letter != *wanted);
            diagonal = *cell;
            *cell = replaced.min(diagonal + 1).min(left + 1);
            left = *cell;
        }
        if let Some(first) = row.first_mut() {
            *first = above + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

fn line_of(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|b| *b == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_key_is_told_apart_from_an_unknown_one() {
        assert_eq!(nearest("isuer"), Some("issuer"));
        assert_eq!(nearest("trusted_proxy"), Some("trusted_proxies"));
        assert_eq!(nearest("colour_of_the_door"), None);
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
