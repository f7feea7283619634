//! Sign-in: a name and a password. Says for whom one signs in when a client sent the browser here.

use maud::{Markup, html};

use crate::view::html::{Cursor, Field, FieldKind, alert, authorization, form, hidden, name, shell};

/// What the sign-in page shows. The form POSTs `username`, `password`, `form_token` and, where there is
/// one, `authorization`, or `to` and `state`, to `/login`.
#[derive(Clone, Copy, Debug, Default)]
pub struct View<'a> {
    /// Ties the form to this browser.
    pub form_token: &'a str,
    /// The id of the authorization request that waits for this sign-in.
    pub authorization: Option<&'a str>,
    /// Where the browser wants to go at another host, and how it is known again there.
    pub visit: Option<(&'a str, &'a str)>,
    /// The user name as typed before; empty at first.
    pub name: &'a str,
    /// Why the last attempt failed, in a sentence that does not tell whether the user exists.
    pub message: Option<&'a str>,
    /// The client that asks, as it calls itself.
    pub client_name: Option<&'a str>,
    /// The resource that it asks for, as registered here.
    pub resource_name: Option<&'a str>,
}

/// The sign-in page.
pub fn page(view: &View<'_>) -> Markup {
    let (in_name, in_password) = match view.name {
        "" => (Cursor::Here, Cursor::Elsewhere),
        _ => (Cursor::Elsewhere, Cursor::Here),
    };
    let username = Field {
        name: "username",
        label: "User name",
        kind: FieldKind::Username,
        autocomplete: "username",
        value: view.name,
        hint: None,
        cursor: in_name,
    };
    let password = Field {
        name: "password",
        label: "Password",
        kind: FieldKind::Password,
        autocomplete: "current-password",
        value: "",
        hint: None,
        cursor: in_password,
    };
    let fields = html! {
        (authorization(view.authorization))
        @if let Some((to, state)) = view.visit {
            (hidden("to", to))
            (hidden("state", state))
        }
        (username.markup())
        (password.markup())
        div class="actions" { button class="primary" type="submit" { "Sign in" } }
    };
    let content = html! {
        h1 { "Sign in" }
        (purpose(view))
        (alert(view.message))
        (form("/login", view.form_token, &fields))
        p class="foot" {
            "Forgot the password? Whoever runs this server can set a new one with "
            code { "vestibule user passwd" } "."
        }
    };
    shell("Sign in", &content)
}

fn purpose(view: &View<'_>) -> Markup {
    html! {
        @match (view.client_name, view.resource_name) {
            (Some(client), Some(resource)) => {
                p class="lead" { "Sign in to continue to " (name(client)) ", which asks for access to " (name(resource)) "." }
            }
            (Some(client), None) => p class="lead" { "Sign in to continue to " (name(client)) "." },
            (None, Some(resource)) => p class="lead" { "Sign in to continue to " (name(resource)) "." },
            (None, None) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: View<'_> = View {
        form_token: "t",
        authorization: None,
        visit: None,
        name: "",
        message: None,
        client_name: None,
        resource_name: None,
    };

    /// The names of the inputs in which the cursor starts.
    fn cursors(view: &View<'_>) -> Vec<String> {
        let page = page(view).into_string();
        let inputs = page.split("<input").skip(1).filter_map(|rest| rest.split('>').next());
        inputs
            .filter(|input| input.contains(" autofocus"))
            .filter_map(|input| Some(input.split("id=\"").nth(1)?.split('"').next()?.to_owned()))
            .collect()
    }

    #[test]
    fn the_cursor_starts_where_something_is_missing() {
        assert_eq!(cursors(&FIRST), ["username"]);
        assert_eq!(cursors(&View { name: "alice", ..FIRST }), ["password"]);
    }

    #[test]
    fn the_waiting_request_is_carried_only_where_there_is_one() {
        assert!(!page(&FIRST).into_string().contains("name=\"authorization\""));
        let waiting = page(&View { authorization: Some("a1"), ..FIRST }).into_string();
        assert!(waiting.contains(r#"<input type="hidden" name="authorization" value="a1">"#));
    }
}
