//! The account: who I am, which apps have access, and how to take it back.

use maud::{Markup, html};

use crate::view::html::{command, form, hidden, isolated, name, shell, uri, word};

/// What the account page shows.
///
/// Each grant's form POSTs `grant` (its id) and `form_token` to `/account`; signing out POSTs
/// `logout_token`, as its `form_token`, to `/logout`.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// Ties the grants' forms to this browser.
    pub form_token: &'a str,
    /// Ties signing out to this browser.
    pub logout_token: &'a str,
    /// Who is signed in.
    pub user_name: &'a str,
    /// Their address, where one is known.
    pub email: Option<&'a str>,
    /// What they may do here.
    pub role: Role,
    /// What the last click did, such as "Claude has no access any more."
    pub notice: Option<&'a str>,
    /// The live grants, newest first.
    pub grants: &'a [Grant<'a>],
    /// What to do on a new server; for an admin as long as there is no resource.
    pub first_steps: Option<FirstSteps<'a>>,
}

/// What a user may do on this server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Signs in and allows apps.
    User,
    /// Runs the server, too.
    Admin,
}

/// One app's access.
#[derive(Clone, Copy, Debug)]
pub struct Grant<'a> {
    /// The grant's id, sent back to revoke it.
    pub id: &'a str,
    /// The client as it calls itself.
    pub client_name: &'a str,
    /// The resources that it may reach: registered name and URI.
    pub resources: &'a [(&'a str, &'a str)],
    /// The scopes granted.
    pub scopes: &'a [&'a str],
    /// The day it was allowed, as text.
    pub since: &'a str,
    /// When it was last used, as text; `None` if never.
    pub last_used: Option<&'a str>,
}

/// What the page for a new server needs to know.
#[derive(Clone, Copy, Debug)]
pub struct FirstSteps<'a> {
    /// This server's issuer, which MCP servers name as their authorization server.
    pub issuer: &'a str,
}

/// The account page.
pub fn page(view: &View<'_>) -> Markup {
    let content = html! {
        h1 { "Your account" }
        @if let Some(notice) = view.notice { p class="note" role="status" { (notice) } }
        p class="lead" {
            "Signed in as " (name(view.user_name))
            @if let Some(email) = view.email { ", " (isolated(email)) }
            @if view.role == Role::Admin { " " span class="badge" { "admin" } }
        }
        @if let Some(steps) = &view.first_steps { (first_steps(steps)) }
        section aria-labelledby="grants" {
            h2 id="grants" { "Apps with access" }
            @if view.grants.is_empty() {
                p class="muted" { "None. An app appears here once you have allowed it." }
            } @else {
                ul class="cards" { @for grant in view.grants { (card(view.form_token, grant)) } }
            }
        }
        section aria-labelledby="session" {
            h2 id="session" { "This browser" }
            (form("/logout", view.logout_token, &html! { button type="submit" { "Sign out" } }))
        }
    };
    shell("Your account", &content)
}

fn card(form_token: &str, grant: &Grant<'_>) -> Markup {
    let take_back = html! {
        (hidden("grant", grant.id))
        button class="danger" type="submit" { "Take back" span class="unseen" { " the access of " (name(grant.client_name)) } }
    };
    html! {
        li {
            h3 { (name(grant.client_name)) }
            @for (resource, address) in grant.resources {
                p { (name(resource)) " " (uri(address)) }
            }
            @if !grant.scopes.is_empty() {
                p class="scopes" { @for scope in grant.scopes { (word(scope)) " " } }
            }
            p class="muted" {
                "Allowed " (grant.since) ". "
                @match grant.last_used {
                    Some(when) => { "Last used " (when) "." }
                    None => "Not used yet.",
                }
            }
            (form("/account", form_token, &take_back))
        }
    }
}

fn first_steps(steps: &FirstSteps<'_>) -> Markup {
    html! {
        section class="note" aria-labelledby="next" {
            h2 id="next" { "What next" }
            p { "No server is registered yet, so no app can ask for one. Run these where the database lies, or with " code { "--db" } "." }
            ol {
                li {
                    "Register an MCP server by the address that apps connect to:"
                    (command("vestibule resource add https://notes.example/mcp --name Notes"))
                }
                li { "Tell that server who signs people in. Its authorization server is:" (command(steps.issuer)) }
                li {
                    "Let others in, each with a password of their own:"
                    (command("vestibule user add bob"))
                }
                li { "Enter the server's address in your app. It will lead you back here to sign in." }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRANT: Grant<'_> = Grant {
        id: "g1",
        client_name: "Claude",
        resources: &[],
        scopes: &[],
        since: "1 May",
        last_used: None,
    };

    const VIEW: View<'_> = View {
        form_token: "t",
        logout_token: "l",
        user_name: "alice",
        email: None,
        role: Role::User,
        notice: None,
        grants: &[],
        first_steps: None,
    };

    #[test]
    fn each_grant_is_taken_back_by_its_own_form() {
        let grants = [GRANT, Grant { id: "g2", ..GRANT }];
        let page = page(&View { grants: &grants, ..VIEW }).into_string();
        assert_eq!(page.matches(r#"action="/account""#).count(), 2);
        for id in ["g1", "g2"] {
            assert_eq!(page.matches(&format!(r#"name="grant" value="{id}""#)).count(), 1);
        }
    }

    #[test]
    fn the_first_steps_are_shown_only_when_asked_for() {
        assert!(!page(&VIEW).into_string().contains("vestibule resource add"));
        let steps = FirstSteps { issuer: "https://auth.example.org" };
        let page = page(&View { first_steps: Some(steps), ..VIEW }).into_string();
        assert!(page.contains("vestibule resource add") && page.contains("https://auth.example.org"));
    }
}
