//! How this server stands in front of a resource that knows nothing of OAuth: where its requests go, which scope each
//! call needs, and what the server behind is told of who calls.

use std::fmt;

use super::error::Malformed;
use super::scope::Scope;

/// How a resource is guarded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guard {
    /// Where its requests go.
    pub upstream: UpstreamUrl,
    /// What calls need besides a token for the resource.
    pub rules: Rules,
    /// How the server behind learns who calls.
    pub identity: Identity,
}

/// How the server behind learns who calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identity {
    /// By headers, which it believes because nobody else reaches it.
    Headers,
    /// By headers, and by a short-lived token that it can check with this server's keys.
    HeadersAndToken,
}

/// The URL of a server behind: http or https, no user information, no query, no fragment; without a slash at its end, so
/// that the rest of a path can follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamUrl {
    text: String,
    url: url::Url,
}

impl UpstreamUrl {
    /// Reads a URL. A slash at its end is not kept.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        const SHAPE: Malformed = Malformed(
            "an upstream is an http or https URL such as http://127.0.0.1:3000/mcp, without user information, query or fragment",
        );
        let text = text.strip_suffix('/').unwrap_or(text);
        let url = url::Url::parse(text).map_err(|_| SHAPE)?;
        let is_plain = url.username().is_empty() && url.password().is_none();
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() || !is_plain || url.port() == Some(0)
        {
            return Err(SHAPE);
        }
        // What is written is what is sent: a path that would be read otherwise, such as one with dots, is none.
        let (_, rest) = text.split_once("://").ok_or(SHAPE)?;
        let written = rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/");
        if url.query().is_some() || url.fragment().is_some() || text.len() > 2048 || url.path() != written {
            return Err(SHAPE);
        }
        Ok(Self { text: text.to_owned(), url })
    }

    /// As written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The whole URL.
    pub const fn url(&self) -> &url::Url {
        &self.url
    }

    /// Host and port, as its requests carry them in `Host`.
    pub fn authority(&self) -> &str {
        &self.url[url::Position::BeforeHost..url::Position::AfterPort]
    }

    /// The path, before which nothing and after which a slash or nothing stands.
    pub fn path(&self) -> &str {
        let path = self.url.path();
        path.strip_suffix('/').unwrap_or(path)
    }
}

/// A rule: which scopes a JSON-RPC method needs, perhaps for one of its tools only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    method: Pattern,
    /// `None`: whatever the method is called with.
    target: Option<Pattern>,
    needed: Scope,
}

/// A text in which `*` stands for any text.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pattern(String);

/// What a JSON-RPC message asks for, as far as rules look at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Call<'a> {
    /// The method; empty for an answer to a question of the server's.
    pub method: &'a str,
    /// What it is called with.
    pub target: Target<'a>,
}

/// What a method is called with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target<'a> {
    /// `params.name` of a tool or a prompt, `params.uri` of a resource.
    Named(&'a str),
    /// Neither.
    None,
    /// Something that cannot be read as either, so that every rule for the method counts.
    Unclear,
}

/// The rules of a resource, in the owner's order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules(Vec<Rule>);

const RULES_MAX: usize = 100;

/// What clients ask of servers (MCP): those without a slash, and of the others enough that a pattern which begins one of
/// them, such as `tools*`, is known for what it is.
const METHODS: [&str; 15] = [
    "initialize",
    "ping",
    "completion/complete",
    "logging/setLevel",
    "notifications/initialized",
    "prompts/get",
    "prompts/list",
    "resources/list",
    "resources/read",
    "resources/subscribe",
    "resources/templates/list",
    "resources/unsubscribe",
    "server/discover",
    "tools/call",
    "tools/list",
];

impl Rule {
    /// Reads `METHOD[:NAME]=SCOPE[ SCOPE]`, such as `tools/call:delete_*=write`.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        const SHAPE: Malformed = Malformed(
            "a rule is METHOD=SCOPE or METHOD:NAME=SCOPE with * for any text, such as tools/call:delete_*=write",
        );
        let (call, needed) = text.rsplit_once('=').ok_or(SHAPE)?;
        let needed = Scope::parse(needed)?;
        let (method, target) = match call.split_once(':') {
            Some((method, target)) => (method, Some(Pattern::parse(target).ok_or(SHAPE)?)),
            None => (call, None),
        };
        if needed.is_empty() {
            return Err(SHAPE);
        }
        Ok(Self { method: Pattern::parse(method).ok_or(SHAPE)?, target, needed })
    }

    /// The scopes that a call needs which it covers.
    pub const fn needed(&self) -> &Scope {
        &self.needed
    }

    /// Whether there can be a method that it is about: one with a slash, as nearly all of MCP's have and all that are to
    /// come, or one that is known. A rule without would protect nothing.
    pub fn is_about_a_method(&self) -> bool {
        self.method.0.contains('/') || METHODS.iter().any(|method| self.method.matches(method))
    }

    /// The same rule for tools, where a tool's name was written in the place of a method.
    #[must_use]
    pub fn of_tools(&self) -> Self {
        let target = self.target.clone().unwrap_or_else(|| self.method.clone());
        Self { method: Pattern("tools/call".to_owned()), target: Some(target), needed: self.needed.clone() }
    }

    /// The method, as its owner wrote it.
    pub fn method(&self) -> &str {
        &self.method.0
    }

    fn covers(&self, call: &Call<'_>) -> bool {
        let target = match (&self.target, call.target) {
            (None, _) | (Some(_), Target::Unclear) => true,
            (Some(pattern), Target::Named(name)) => pattern.matches(name),
            (Some(_), Target::None) => false,
        };
        target && self.method.matches(call.method)
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.method.0)?;
        if let Some(target) = &self.target {
            write!(f, ":{}", target.0)?;
        }
        write!(f, "={}", self.needed)
    }
}

impl Rules {
    /// Takes rules together.
    pub fn of(rules: Vec<Rule>) -> Result<Self, Malformed> {
        if rules.len() > RULES_MAX {
            return Err(Malformed("a resource has at most 100 rules"));
        }
        Ok(Self(rules))
    }

    /// Reads what was stored: a rule a line.
    pub fn from_stored(text: &str) -> Result<Self, Malformed> {
        Self::of(text.lines().map(Rule::parse).collect::<Result<_, _>>()?)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One after the other.
    pub fn iter(&self) -> impl Iterator<Item = &Rule> {
        self.0.iter()
    }

    /// All that a call needs, from every rule that covers it.
    pub fn needed(&self, call: &Call<'_>) -> Scope {
        let covering = self.0.iter().filter(|rule| rule.covers(call));
        covering.fold(Scope::empty(), |all, rule| all.union(&rule.needed))
    }

    /// Every scope that some rule needs.
    pub fn scopes(&self) -> Scope {
        self.0.iter().fold(Scope::empty(), |all, rule| all.union(&rule.needed))
    }

    /// Whether what this method is called with makes no difference, so that nobody need wait for it.
    pub fn depend_on_method_alone(&self, method: &str) -> bool {
        self.0.iter().all(|rule| rule.target.is_none() || !rule.method.matches(method))
    }
}

/// As it is stored: a rule a line.
impl fmt::Display for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, rule) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str("\n")?;
            }
            rule.fmt(f)?;
        }
        Ok(())
    }
}

impl Pattern {
    fn parse(text: &str) -> Option<Self> {
        let is_fine = !text.is_empty() && text.len() <= 256 && !text.contains(|c: char| c.is_control());
        is_fine.then(|| Self(text.to_owned()))
    }

    /// Looks for the parts between the stars one after the other, each as early as it can be, which finds a match if
    /// there is one.
    fn matches(&self, text: &str) -> bool {
        let mut parts = self.0.split('*');
        let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else { return false };
        let Some(last) = parts.next_back() else { return rest.is_empty() };
        for part in parts {
            match rest.find(part) {
                Some(at) => rest = rest.get(at + part.len()..).unwrap_or_default(),
                None => return false,
            }
        }
        rest.ends_with(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn needed(rules: &[&str], method: &str, target: Target<'_>) -> String {
        let rules = rules.iter().map(|rule| Rule::parse(rule).unwrap()).collect();
        Rules::of(rules).unwrap().needed(&Call { method, target }).to_string()
    }

    #[test]
    fn a_rule_covers_methods_and_names_by_their_patterns() {
        let rules = ["tools/call:delete_*=write", "tools/call:*admin*=admin", "resources/*=read"];
        for (method, target, scope) in [
            ("tools/call", Target::Named("delete_note"), "write"),
            ("tools/call", Target::Named("delete_"), "write"),
            ("tools/call", Target::Named("delete_admin"), "admin write"),
            ("tools/call", Target::Named("Delete_note"), ""),
            ("tools/call", Target::Named("undelete_note"), ""),
            ("tools/call", Target::None, ""),
            ("tools/call", Target::Unclear, "admin write"),
            ("tools/list", Target::None, ""),
            ("resources/read", Target::Named("file:///x"), "read"),
            ("resources", Target::None, ""),
            ("", Target::None, ""),
        ] {
            assert_eq!(needed(&rules, method, target), scope, "{method} {target:?}");
        }
        assert_eq!(needed(&["*=all"], "", Target::None), "all", "an answer of the client's is covered too");
    }

    #[test]
    fn a_star_stands_for_any_text_also_for_none() {
        for (pattern, text, matches) in [
            ("a", "a", true),
            ("a", "ab", false),
            ("*", "", true),
            ("a*", "a", true),
            ("a*b", "ab", true),
            ("a*b", "aXbXb", true),
            ("a*b", "aXbX", false),
            ("a*a", "a", false),
            ("*a*b*", "xaybz", true),
            ("*ab*", "a_b", false),
            ("**", "x", true),
        ] {
            assert_eq!(Pattern(pattern.to_owned()).matches(text), matches, "{pattern} {text}");
        }
    }

    #[test]
    fn rules_are_stored_as_they_are_written() {
        let text = "tools/call:delete_*=write\nresources/read:file:///a=b=read write\ntools/list=read";
        let rules = Rules::from_stored(text).unwrap();
        assert_eq!(rules.to_string(), text);
        assert_eq!(rules.scopes().to_string(), "read write");
        assert!(rules.depend_on_method_alone("tools/list") && !rules.depend_on_method_alone("tools/call"));
        assert_eq!(Rules::from_stored(""), Ok(Rules::default()));
        for wrong in ["", "=write", "tools/call", "tools/call=", "tools/call:=w", "a=\"", "a=b\tc"] {
            assert!(Rule::parse(wrong).is_err(), "{wrong:?}");
        }
        assert!(Rules::of(vec![Rule::parse("a=b").unwrap(); 101]).is_err());
    }

    #[test]
    fn a_rule_is_about_a_method_or_protects_nothing() {
        for rule in
            ["tools/call:x=a", "tasks/get=a", "initialize=a", "ping=a", "*=a", "*:x=a", "tools*=a", "*call=a"]
        {
            assert!(Rule::parse(rule).unwrap().is_about_a_method(), "{rule}");
        }
        for (rule, mended) in [
            ("delete_*=write", "tools/call:delete_*=write"),
            ("*delete*=a b", "tools/call:*delete*=a b"),
            ("call:delete=write", "tools/call:delete=write"),
            ("Ping=a", "tools/call:Ping=a"),
        ] {
            let rule = Rule::parse(rule).unwrap();
            assert!(!rule.is_about_a_method(), "{rule}");
            assert_eq!(rule.of_tools().to_string(), mended);
        }
    }

    #[test]
    fn an_upstream_is_where_requests_go_and_nothing_else() {
        for (text, authority, path) in [
            ("http://127.0.0.1:3000/mcp", "127.0.0.1:3000", "/mcp"),
            ("http://127.0.0.1:3000/mcp/", "127.0.0.1:3000", "/mcp"),
            ("http://127.0.0.1:3000", "127.0.0.1:3000", ""),
            ("http://127.0.0.1:3000/", "127.0.0.1:3000", ""),
            ("https://notes.lan/a/b", "notes.lan", "/a/b"),
            ("http://[::1]:80/x", "[::1]", "/x"),
        ] {
            let upstream = UpstreamUrl::parse(text).unwrap();
            assert_eq!((upstream.authority(), upstream.path()), (authority, path), "{text}");
        }
        for wrong in [
            "",
            "127.0.0.1:3000",
            "ftp://h/",
            "file:///etc/passwd",
            "http://",
            "http://u@h/",
            "http://u:p@h/",
            "http://h/?x",
            "http://h/#x",
            "http://h:0/",
            "http://h/a/../b",
            "http://h/%2e%2e/b",
            "http://h/./b",
            "http://h\\b",
        ] {
            assert!(UpstreamUrl::parse(wrong).is_err(), "{wrong}");
        }
    }
}
