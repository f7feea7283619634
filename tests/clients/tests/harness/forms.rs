//! Forms as a browser reads them out of HTML: where they go and what they send back.
//!
//! Knows the HTML that a server-rendered page is made of, not every HTML there is.

/// A form on a page.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Form {
    /// The `action`, as written.
    pub(super) action: String,
    /// Name and value of every field that has a value before anybody types.
    pub(super) fields: Vec<(String, String)>,
}

impl Form {
    /// All forms of a page, in order.
    pub(super) fn all_in(html: &str) -> Vec<Self> {
        let mut forms = Vec::new();
        let mut open: Option<Self> = None;
        for tag in tags(html) {
            match (tag.name, &mut open) {
                ("form", _) => {
                    forms.extend(open.take());
                    let action = tag.attribute("action").unwrap_or_default();
                    open = Some(Self { action, fields: Vec::new() });
                }
                ("/form", _) => forms.extend(open.take()),
                ("input", Some(form)) => form.fields.extend(tag.sent_field()),
                _ => {}
            }
        }
        forms.extend(open);
        forms
    }

    /// Fills in or replaces a field.
    pub(super) fn set(&mut self, name: &str, value: &str) {
        self.fields.retain(|(known, _)| known != name);
        self.fields.push((name.to_owned(), value.to_owned()));
    }
}

struct Tag<'a> {
    name: &'a str,
    attributes: Vec<(&'a str, String)>,
}

impl Tag<'_> {
    fn attribute(&self, name: &str) -> Option<String> {
        self.attributes.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone())
    }

    /// What an `input` sends if nobody touches it. Buttons send only when pressed, and boxes when ticked.
    fn sent_field(&self) -> Option<(String, String)> {
        let name = self.attribute("name")?;
        let value = self.attribute("value");
        match self.attribute("type").as_deref() {
            Some("submit" | "button" | "image" | "reset" | "file") => None,
            Some("checkbox" | "radio") => {
                self.attribute("checked")?;
                Some((name, value.unwrap_or_else(|| "on".to_owned())))
            }
            _ => Some((name, value.unwrap_or_default())),
        }
    }
}

/// Every tag of the page, without comments and what stands between the tags.
fn tags(html: &str) -> Vec<Tag<'_>> {
    let mut tags = Vec::new();
    let mut rest = html;
    while let Some((_, after)) = rest.split_once('<') {
        if let Some(comment) = after.strip_prefix("!--") {
            rest = comment.split_once("-->").map_or("", |(_, after)| after);
            continue;
        }
        let name_end = after.find(|c: char| c.is_whitespace() || c == '>').unwrap_or(after.len());
        let (name, after) = after.split_at(name_end);
        let (attributes, after) = attributes(after);
        tags.push(Tag { name, attributes });
        rest = after;
    }
    tags
}

/// The attributes up to the `>`, and what follows it.
fn attributes(mut rest: &str) -> (Vec<(&str, String)>, &str) {
    let mut found = Vec::new();
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_whitespace() || c == '/');
        if let Some(after) = rest.strip_prefix('>') {
            return (found, after);
        }
        if rest.is_empty() {
            return (found, rest);
        }
        let name_end = rest.find(|c: char| c.is_whitespace() || c == '=' || c == '>').unwrap_or(rest.len());
        let (name, after) = rest.split_at(name_end);
        let Some(value) = after.strip_prefix('=') else {
            found.push((name, String::new()));
            rest = after;
            continue;
        };
        let quoted = ['"', '\''].into_iter().find_map(|quote| value.strip_prefix(quote)?.split_once(quote));
        let (value, after) = quoted.unwrap_or_else(|| {
            value.split_at(value.find(|c: char| c.is_whitespace() || c == '>').unwrap_or(value.len()))
        });
        found.push((name, unescape(value)));
        rest = after;
    }
}

/// The references that a careful writer of attributes uses. `&amp;` comes last, so that its `&` starts no
/// other.
fn unescape(text: &str) -> String {
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&#39;", "'")
        .replace("&#x27;", "'")
        .replace("&amp;", "&")
}

mod tests {
    use super::Form;

    fn form(action: &str, fields: &[(&str, &str)]) -> Form {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Form { action: action.to_owned(), fields }
    }

    #[test]
    fn a_form_sends_its_hidden_fields_and_not_its_buttons() {
        let page = r#"<!doctype html><body><p>a &lt; b</p>
            <form method="post" action="/consent?a=1&amp;b=2">
              <input type="hidden" name="form_token" value="t&quot;&amp;lt;">
              <input type=hidden name=bare value=x><input type="hidden" name="empty" value="">
              <input type="checkbox" name="scope" value="read" checked>
              <input type="checkbox" name="scope" value="write">
              <button type="submit" name="decision" value="allow">Allow</button>
              <input type="submit" name="decision" value="deny">
            </form>"#;
        let sent = [("form_token", "t\"&lt;"), ("bare", "x"), ("empty", ""), ("scope", "read")];
        assert_eq!(Form::all_in(page), [form("/consent?a=1&b=2", &sent)]);
    }

    #[test]
    fn fields_belong_to_the_form_they_stand_in() {
        let page = r#"<input name="outside" value="0"><form action="/a"><input name="x" value="1"/></form>
            <!-- <form action="/no"> --><form action="/b"><input name="y" value="2"></form>"#;
        assert_eq!(Form::all_in(page), [form("/a", &[("x", "1")]), form("/b", &[("y", "2")])]);
    }
}
