//! Set-up: the first admin, made through the one-time link that the server printed when it started.

use maud::{Markup, html};

use crate::view::html::{Cursor, Field, FieldKind, alert, form, hidden, shell};

/// What the set-up page shows. The form POSTs `token`, `form_token`, `username`, `email` (may be empty) and
/// `password` to `/setup`.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// The one-time token of the link.
    pub token: &'a str,
    /// Ties the form to this browser.
    pub form_token: &'a str,
    /// The user name as typed before; empty at first.
    pub name: &'a str,
    /// The e-mail address as typed before; empty at first.
    pub email: &'a str,
    /// Why the last attempt failed and what to change.
    pub message: Option<&'a str>,
}

/// The set-up page.
pub fn page(view: &View<'_>) -> Markup {
    let username = Field {
        name: "username",
        label: "User name",
        kind: FieldKind::Username,
        autocomplete: "username",
        value: view.name,
        hint: None,
        cursor: Cursor::Here,
    };
    let email = Field {
        name: "email",
        label: "E-mail (optional)",
        kind: FieldKind::Email,
        autocomplete: "email",
        value: view.email,
        hint: None,
        cursor: Cursor::Elsewhere,
    };
    let password = Field {
        name: "password",
        label: "Password",
        kind: FieldKind::NewPassword,
        autocomplete: "new-password",
        value: "",
        hint: Some("8 to 256 characters. Length helps more than odd signs."),
        cursor: Cursor::Elsewhere,
    };
    let fields = html! {
        (hidden("token", view.token))
        (username.markup())
        (email.markup())
        (password.markup())
        div class="actions" { button class="primary" type="submit" { "Create the admin" } }
    };
    let content = html! {
        h1 { "Welcome" }
        p class="lead" {
            "Nobody lives here yet. Choose a name and a password for the first admin; after that, this link is spent."
        }
        (alert(view.message))
        (form("/setup", view.form_token, &fields))
    };
    shell("Set up", &content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_typed_is_kept_and_only_the_e_mail_may_be_missing() {
        let view = View { token: "one-time", form_token: "t", name: "alice", email: "a@b.c", message: None };
        let page = page(&view).into_string();
        assert!(page.contains(r#"value="alice""#) && page.contains(r#"value="a@b.c""#));
        assert!(page.contains(r#"<input type="hidden" name="token" value="one-time">"#));
        assert_eq!(page.matches(" required").count(), 2);
    }
}
