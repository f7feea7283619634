//! Signing out: a question first, since a mere link must not sign anybody out, and then the word that it is done.

use maud::{Markup, html};

use crate::view::html::{authorization, form, name, shell};

/// What the sign-out page shows.
#[derive(Clone, Copy, Debug)]
pub enum View<'a> {
    /// Asks. The form POSTs `form_token` and, where there is one, `authorization` to `/logout`.
    Confirm {
        /// Ties the form to this browser.
        form_token: &'a str,
        /// Who is signed in.
        user_name: &'a str,
        /// The id of the authorization request to go on with as somebody else.
        authorization: Option<&'a str>,
    },
    /// Says that nobody is signed in any more.
    Done,
}

/// The sign-out page.
pub fn page(view: &View<'_>) -> Markup {
    let content = match *view {
        View::Confirm { form_token, user_name, authorization: id } => {
            let fields = html! {
                (authorization(id))
                div class="actions" {
                    a class="button" href="/account" { "Stay" }
                    button class="primary" type="submit" { "Sign out" }
                }
            };
            html! {
                h1 { "Sign out?" }
                p class="lead" { "You are signed in as " (name(user_name)) "." }
                p { "Apps that you allowed keep their access. To take it back, see " a href="/account" { "your account" } "." }
                (form("/logout", form_token, &fields))
            }
        }
        View::Done => html! {
            h1 { "Signed out" }
            p class="lead" { "This browser is no longer signed in." }
            p { "Apps that you allowed keep their access until you take it back on your account page." }
            p class="actions" { a class="button" href="/login" { "Sign in again" } }
        },
    };
    shell("Sign out", &content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_question_has_a_form() {
        let ask = View::Confirm { form_token: "t", user_name: "alice", authorization: None };
        assert!(page(&ask).into_string().contains(r#"<form method="post" action="/logout">"#));
        assert!(!page(&View::Done).into_string().contains("<form"));
    }
}
