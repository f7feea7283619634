//! The shell around every page, and the pieces that pages share.
//!
//! Owns the style sheet, the mark, and two promises that hold because pages have no other way to do it:
//! a form carries its form token ([`form`]), and text that a stranger chose is isolated ([`name`], [`uri`], [`word`]).
//! Never writes an inline style, a script or an event attribute; the Content-Security-Policy forbids them.

use maud::{DOCTYPE, Markup, html};

/// Where the style sheet is served; every page links to it.
pub const STYLE_PATH: &str = "/style.css";

/// A name longer than this many characters is cut. It comes from its bearer and proves nothing, so what is
/// lost is less than what a wall of text would push off the screen.
const NAME_SHOWN: usize = 64;

/// The mark as the tab's icon. A `data:` URI, so that browsers do not ask for `/favicon.ico`.
const ICON: &str = "data:image/svg+xml,\
    %3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 24 24' fill='none' stroke='%232f8078' \
    stroke-width='2.4' stroke-linecap='round'%3E%3Cpath d='M4 21V11a8 8 0 0 1 16 0v10M2 21h20'/%3E\
    %3Cpath d='M9 21v-8a3 3 0 0 1 6 0v8z' fill='%232f8078' stroke='none'/%3E%3C/svg%3E";

/// The style sheet, to be served at [`STYLE_PATH`] as `text/css; charset=utf-8`.
pub fn style_sheet() -> &'static str {
    include_str!("style.css")
}

/// A whole document around `content`.
///
/// `title` is the page's own title. Never put a stranger's text into it: a title cannot be isolated.
pub fn shell(title: &str, content: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="robots" content="noindex";
                title { (title) " · Vestibule" }
                link rel="icon" href=(ICON);
                link rel="stylesheet" href=(STYLE_PATH);
            }
            body {
                header { (mark()) span { "Vestibule" } }
                main { (content) }
            }
        }
    }
}

/// An arch with a door: the hall between the street and the house.
fn mark() -> Markup {
    html! {
        svg class="mark" viewBox="0 0 24 24" width="28" height="28" aria-hidden="true" focusable="false" {
            path d="M4 21V11a8 8 0 0 1 16 0v10M2 21h20" fill="none" stroke="currentColor"
                stroke-width="2" stroke-linecap="round" {}
            path d="M9 21v-8a3 3 0 0 1 6 0v8z" fill="currentColor" {}
        }
    }
}

/// A form that POSTs to `action`. The only way to make one, so that none lacks its token.
pub fn form(action: &'static str, form_token: &str, content: &Markup) -> Markup {
    html! {
        form method="post" action=(action) {
            (hidden("form_token", form_token))
            (content)
        }
    }
}

/// A value that the form sends back as it is.
pub fn hidden(name: &'static str, value: &str) -> Markup {
    html! { input type="hidden" name=(name) value=(value); }
}

/// The pending authorization request that a form belongs to, if there is one.
pub fn authorization(id: Option<&str>) -> Markup {
    html! { @if let Some(id) = id { (hidden("authorization", id)) } }
}

/// A name that a stranger chose, isolated so that its characters cannot reorder the sentence around it,
/// and cut where it is longer than any honest name.
pub fn name(text: &str) -> Markup {
    let mut characters = text.chars();
    let shown: String = characters.by_ref().take(NAME_SHOWN).collect();
    let cut = characters.next().is_some();
    html! { bdi class="name" { (shown) @if cut { "…" } } }
}

/// A sentence or an address from elsewhere: isolated as [`name`] does, and never cut.
pub fn isolated(text: &str) -> Markup {
    html! { bdi { (text) } }
}

/// A URI on a line of its own: shown whole, left to right, broken anywhere rather than wider than the
/// screen; a very long one scrolls in its box and begins with its host.
pub fn uri(text: &str) -> Markup {
    html! { bdi class="uri" dir="ltr" { (text) } }
}

/// A word of a protocol inside a sentence: a host, a scheme, a scope.
pub fn word(text: &str) -> Markup {
    html! { bdi class="word" dir="ltr" { (text) } }
}

/// A command line to run, shown as it is to be typed.
pub fn command(line: &str) -> Markup {
    html! { pre { code dir="ltr" { (line) } } }
}

/// What went wrong with the last attempt, read out by screen readers at once.
pub fn alert(message: Option<&str>) -> Markup {
    html! { @if let Some(message) = message { p class="note alert" role="alert" { (message) } } }
}

/// A line of a form with its label.
#[derive(Clone, Copy, Debug)]
pub struct Field<'a> {
    /// The form's name for it; also the element's id.
    pub name: &'static str,
    /// What people read above it.
    pub label: &'a str,
    /// Which keyboard and which check the browser offers.
    pub kind: FieldKind,
    /// The value of `autocomplete`, by which password managers know the field.
    pub autocomplete: &'static str,
    /// What stands in it at first; a password field stays empty whatever is given.
    pub value: &'a str,
    /// A sentence under the label.
    pub hint: Option<&'a str>,
    /// Whether the cursor starts here. At most one field of a page.
    pub cursor: Cursor,
}

/// What a [`Field`] takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldKind {
    /// A user name: no capital, no spelling help.
    Username,
    /// An e-mail address; may stay empty.
    Email,
    /// A password that exists.
    Password,
    /// A password being chosen: the browser asks for eight characters.
    NewPassword,
}

/// Where the cursor is when the page opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cursor {
    /// In this field.
    Here,
    /// In another one.
    Elsewhere,
}

impl Field<'_> {
    /// The label, the hint and the input.
    ///
    /// No `maxlength`: browsers cut a pasted password to it without a word, and the owner would never know.
    pub fn markup(&self) -> Markup {
        let (kind, value, minimum) = match self.kind {
            FieldKind::Username => ("text", Some(self.value), None),
            FieldKind::Email => ("email", Some(self.value), None),
            FieldKind::Password => ("password", None, None),
            FieldKind::NewPassword => ("password", None, Some("8")),
        };
        let hint_id = self.hint.map(|_| format!("{}-hint", self.name));
        html! {
            div class="field" {
                label for=(self.name) { (self.label) }
                @if let (Some(hint), Some(id)) = (self.hint, &hint_id) { p class="hint" id=(id) { (hint) } }
                input id=(self.name) name=(self.name) type=(kind) value=[value] minlength=[minimum]
                    autocomplete=(self.autocomplete) autocapitalize="none" spellcheck="false"
                    required[self.kind != FieldKind::Email] autofocus[self.cursor == Cursor::Here]
                    aria-describedby=[hint_id.as_deref()];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stranger_s_name_is_escaped_isolated_and_cut() {
        let markup = name("<script>\u{202E}").into_string();
        assert_eq!(markup, "<bdi class=\"name\">&lt;script&gt;\u{202E}</bdi>");

        let long = name(&"é".repeat(NAME_SHOWN + 1)).into_string();
        assert_eq!(long, format!("<bdi class=\"name\">{}…</bdi>", "é".repeat(NAME_SHOWN)));
        let fits = name(&"é".repeat(NAME_SHOWN)).into_string();
        assert!(!fits.contains('…'), "a name that fits is not marked as cut");
    }

    #[test]
    fn a_password_is_never_sent_back_to_the_page() {
        for kind in [FieldKind::Password, FieldKind::NewPassword] {
            let field = Field {
                name: "password",
                label: "Password",
                kind,
                autocomplete: "current-password",
                value: "correct horse",
                hint: None,
                cursor: Cursor::Elsewhere,
            };
            assert!(!field.markup().into_string().contains("horse"));
        }
    }

    #[test]
    fn the_style_sheet_asks_nobody_else_for_anything() {
        assert!(!style_sheet().contains("url("));
        assert!(!style_sheet().contains("@import"));
    }
}
