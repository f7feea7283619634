//! A list of hosts as an owner writes it: `claude.ai`, or `*.example.org` for every name below.

/// Names of hosts, each alone or with a `*.` in front.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hosts(Vec<Pattern>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Pattern {
    Exactly(String),
    /// With the dot in front.
    Below(String),
}

impl Hosts {
    /// Reads names with commas or spaces between; case does not matter. `Err`: what is wrong, and how to write it.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let words = text.split([',', ' ']).filter(|word| !word.is_empty());
        words
            .map(|word| Pattern::parse(word).ok_or_else(|| refusal(word)))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Whether one of them names this host, which is in lower case.
    pub fn contains(&self, host: &str) -> bool {
        self.0.iter().any(|pattern| match pattern {
            Pattern::Exactly(name) => name == host,
            Pattern::Below(suffix) => host.strip_suffix(suffix.as_str()).is_some_and(|rest| !rest.is_empty()),
        })
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Pattern {
    fn parse(word: &str) -> Option<Self> {
        let (below, name) = match word.strip_prefix("*.") {
            Some(name) => (true, name),
            None => (false, word),
        };
        let known = |b: u8| b.is_ascii_alphanumeric() || b"-._[]:".contains(&b);
        if name.is_empty() || name.starts_with('.') || name.ends_with('.') || !name.bytes().all(known) {
            return None;
        }
        let name = name.to_ascii_lowercase();
        Some(if below { Self::Below(format!(".{name}")) } else { Self::Exactly(name) })
    }
}

fn refusal(word: &str) -> String {
    format!(
        "{word:?} is no host: write claude.ai, or *.example.org for every host below it, without https://"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_named_exactly_or_by_what_it_lies_below() {
        let hosts = Hosts::parse("claude.ai, *.Example.org").unwrap();
        for named in ["claude.ai", "a.example.org", "a.b.example.org"] {
            assert!(hosts.contains(named), "{named}");
        }
        for other in
            ["example.org", "evilclaude.ai", "claude.ai.evil.test", "a.claude.ai", "evilexample.org", ""]
        {
            assert!(!hosts.contains(other), "{other}");
        }
        assert!(!Hosts::default().contains("claude.ai"));
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for wrong in
            ["https://claude.ai", "claude.ai/x", "*", "*.", ".example.org", "example.org.", "a*.example.org"]
        {
            assert!(Hosts::parse(wrong).is_err(), "{wrong}");
        }
    }
}
