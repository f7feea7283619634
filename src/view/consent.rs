//! Consent: who asks, for what, where the answer goes, and the two buttons.
//!
//! The name is the least certain thing on the page and is marked so; where the answer is sent is what counts.

use maud::{Markup, html};

use crate::view::html::{authorization, form, isolated, name, shell, uri, word};

/// What the consent page shows.
///
/// The form POSTs `decision` (`allow` or `deny`), `form_token`, `authorization` and, under
/// [`Access::Choose`], `resource` (the URI; absent on a denial) to `/consent`. "Switch user" POSTs
/// `logout_token`, as its `form_token`, and `authorization` to `/logout`.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// Ties the decision to this browser.
    pub form_token: &'a str,
    /// Ties "Switch user" to this browser.
    pub logout_token: &'a str,
    /// The id of the pending authorization request.
    pub authorization: &'a str,
    /// Who would give the access.
    pub user_name: &'a str,
    /// The client as it calls itself.
    pub client_name: &'a str,
    /// Who says that it is called so.
    pub registration: Registration<'a>,
    /// Where its answer goes, in kind.
    pub client_origin: ClientOrigin<'a>,
    /// Whether it was here before.
    pub history: History<'a>,
    /// The redirect URI, whole.
    pub redirect_target: &'a str,
    /// What it would reach, and what it might do there.
    pub access: Access<'a>,
}

/// How a client came to be known here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registration<'a> {
    /// It registered itself (RFC 7591): its name is a claim.
    Itself,
    /// It is named by the URL of its metadata document, whose host vouches for what stands there.
    Document {
        /// The host, in its ASCII form.
        host: &'a str,
        /// The whole URL.
        url: &'a str,
    },
    /// An admin added it and chose the name.
    Admin,
}

/// Where a client lives, as far as its redirect URI proves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientOrigin<'a> {
    /// An https host, in its ASCII form (`xn--...`), so that look-alike letters show.
    Host(&'a str),
    /// A loopback address: some program on the computer in front of the user.
    LocalApp,
    /// A private-use scheme such as `cursor`: whichever app the system has for such links.
    AppLink(&'a str),
}

/// What this user and this server know of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum History<'a> {
    /// It came by itself, and was first seen today.
    New,
    /// Seen before, but not allowed this by this user.
    Known,
    /// This user allowed the same before, on that day.
    Allowed(&'a str),
}

/// What the client would reach, and what it might do there.
#[derive(Clone, Copy, Debug)]
pub enum Access<'a> {
    /// What the request names.
    Named {
        /// Empty if it names none and none could be derived.
        resources: &'a [Resource<'a>],
        /// What it might do there; empty if the request names nothing.
        scopes: &'a [Scope<'a>],
    },
    /// The request names no resource and several are open to this user: one is to be picked.
    Choose(&'a [Choice<'a>]),
}

/// One of several resources, and what the client might do there if it is the one that is picked.
#[derive(Clone, Copy, Debug)]
pub struct Choice<'a> {
    /// Where.
    pub resource: Resource<'a>,
    /// What; empty if nothing is named.
    pub scopes: &'a [Scope<'a>],
}

/// A registered resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resource<'a> {
    /// Its registered name.
    pub name: &'a str,
    /// Its registered URI.
    pub uri: &'a str,
}

/// A scope and what it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scope<'a> {
    /// The scope as in the request; empty: it names none that would narrow what may be done.
    pub name: &'a str,
    /// What it lets the client do, as an entry of a list under "It may": "Read your notes".
    pub words: &'a str,
}

/// The consent page.
pub fn page(view: &View<'_>) -> Markup {
    let decision = html! {
        (authorization(Some(view.authorization)))
        (access(&view.access))
        h2 { "Where the answer goes" }
        p { (origin(view.client_origin)) }
        p { (uri(view.redirect_target)) }
        (cautions(view))
        // Deny comes first: it is what the Enter key presses, and nothing is granted by accident.
        div class="actions" {
            button type="submit" name="decision" value="deny" formnovalidate { "Deny" }
            button class="primary" type="submit" name="decision" value="allow" { "Allow" }
        }
        // A browser that hands a link to an app shows what it showed before, which would look as if nothing happened.
        @if let ClientOrigin::AppLink(_) = view.client_origin {
            p class="foot" { "Your answer opens the app. This page stays open behind it; you can close it then." }
        }
    };
    let switch_user = html! {
        (authorization(Some(view.authorization)))
        p class="foot" {
            "Signed in as " (name(view.user_name)) ". Not you? "
            button class="link" type="submit" { "Switch user" }
        }
    };
    let content = html! {
        h1 {
            "Allow “" (name(view.client_name)) "” access?"
            @if view.history == History::New { " " span class="badge" { "new" } }
        }
        (standing(view))
        (form("/consent", view.form_token, &decision))
        (form("/logout", view.logout_token, &switch_user))
    };
    shell("Allow access?", &content)
}

/// What is known of the client, below its name.
fn standing(view: &View<'_>) -> Markup {
    html! {
        @match view.registration {
            Registration::Itself => p class="lead" { strong { "Unverified: " } "the name is what the app says of itself." },
            Registration::Document { host, url } => {
                p class="lead" { "Vouched for by " strong { (word(host)) } ", where the app describes itself:" }
                p { (uri(url)) }
            }
            Registration::Admin => p class="lead" { "Added by an admin of this server." },
        }
        @if let History::Allowed(day) = view.history { p { "You allowed this before, on " (day) "." } }
    }
}

fn access(access: &Access<'_>) -> Markup {
    html! {
        @match access {
            Access::Named { resources, scopes } => {
                h2 { "What it reaches" }
                @if resources.is_empty() {
                    p { "No server behind this one. It only learns that you signed in." }
                } @else {
                    ul class="plain" { @for resource in *resources { li { (label(resource)) } } }
                }
                @if !resources.is_empty() || !scopes.is_empty() {
                    h2 { "It may" }
                    (permissions(scopes, None))
                }
            }
            Access::Choose(offered) => {
                fieldset {
                    legend { "What may it reach? Choose one." }
                    @for (number, choice) in offered.iter().enumerate() { (radio(number, choice)) }
                }
            }
        }
    }
}

/// One of the choices. What it would allow stands beside the label: a screen reader says it after the name.
fn radio(number: usize, choice: &Choice<'_>) -> Markup {
    let id = format!("resource-{number}");
    let allows = format!("{id}-allows");
    html! {
        div class="choice" {
            input type="radio" id=(id) name="resource" value=(choice.resource.uri) aria-describedby=(allows) required;
            div {
                label for=(id) { (label(&choice.resource)) }
                p class="hint" { "It may" }
                (permissions(choice.scopes, Some(&allows)))
            }
        }
    }
}

fn label(resource: &Resource<'_>) -> Markup {
    html! { strong { (name(resource.name)) } " " (uri(resource.uri)) }
}

/// What follows "It may".
fn permissions(scopes: &[Scope<'_>], id: Option<&str>) -> Markup {
    html! {
        @if scopes.is_empty() {
            p id=[id] { "Do there whatever you can do there. The request names nothing narrower." }
        } @else {
            ul class="ticks" id=[id] {
                @for scope in scopes {
                    li {
                        (isolated(scope.words))
                        @if !scope.name.is_empty() { " " span class="muted" { (word(scope.name)) } }
                    }
                }
            }
        }
    }
}

fn origin(origin: ClientOrigin<'_>) -> Markup {
    html! {
        @match origin {
            ClientOrigin::Host(host) => { "To the web site " strong { (word(host)) } },
            ClientOrigin::LocalApp => { "To " strong { "an app on this computer" } },
            ClientOrigin::AppLink(scheme) => {
                "To the app that opens " strong { (word(scheme)) ":" } " links (an app link)"
            }
        }
    }
}

fn cautions(view: &View<'_>) -> Markup {
    let where_to = match (view.client_origin, view.registration) {
        (ClientOrigin::Host(_), _) => None,
        // Everybody can read the document, and so can every program that wants to pass for the app.
        (ClientOrigin::LocalApp, Registration::Document { .. }) => Some(
            "Any program on this computer could receive this access and call itself by this name: its host vouches for \
             the name, not for the program that asks.",
        ),
        (ClientOrigin::LocalApp, _) => Some("Any program on this computer could receive this access."),
        (ClientOrigin::AppLink(_), _) => {
            Some("Any app on this device that claims such links could receive this access.")
        }
    };
    let first_time = match view.history {
        History::New => Some("This app was first seen here today."),
        History::Known | History::Allowed(_) => None,
    };
    html! {
        @if where_to.is_some() || first_time.is_some() {
            div class="note caution" {
                p {
                    @if let Some(sentence) = first_time { (sentence) " " }
                    @if let Some(sentence) = where_to { (sentence) " " }
                    "Allow it only if you just started this yourself."
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMED: Access<'_> = Access::Named {
        resources: &[Resource { name: "Notes", uri: "https://notes.example.org/mcp" }],
        scopes: &[Scope { name: "notes:read", words: "read your notes" }],
    };

    const VIEW: View<'_> = View {
        form_token: "t",
        logout_token: "l",
        authorization: "a1",
        user_name: "alice",
        client_name: "Claude",
        registration: Registration::Itself,
        client_origin: ClientOrigin::Host("claude.ai"),
        history: History::Known,
        redirect_target: "https://claude.ai/api/mcp/auth_callback",
        access: NAMED,
    };

    fn shown(view: &View<'_>) -> String {
        page(view).into_string()
    }

    #[test]
    fn the_page_names_who_what_and_where_to() {
        let page = shown(&VIEW);
        for text in [
            "Claude",
            "Notes",
            "notes.example.org/mcp",
            "read your notes",
            "claude.ai/api",
            "alice",
            "Unverified",
        ] {
            assert!(page.contains(text), "{text} is missing");
        }
    }

    #[test]
    fn what_a_scope_allows_is_never_cut() {
        let words = "Read ".repeat(100);
        let scopes = [Scope { name: "s", words: &words }];
        let named = Access::Named { resources: &[], scopes: &scopes };
        let choice = [Choice { resource: Resource { name: "A", uri: "https://a" }, scopes: &scopes }];
        for access in [named, Access::Choose(&choice)] {
            assert!(shown(&View { access, ..VIEW }).contains(&words));
        }
    }

    #[test]
    fn the_enter_key_denies() {
        let page = shown(&VIEW);
        let deny = page.find(r#"value="deny""#);
        let allow = page.find(r#"value="allow""#);
        assert!(deny.is_some() && allow.is_some() && deny < allow);
        assert!(
            !page.contains("autofocus"),
            "no button may be pressed by a key that was meant for another page"
        );
    }

    #[test]
    fn a_new_client_and_a_local_one_call_for_caution() {
        assert!(!shown(&VIEW).contains("caution"));
        assert!(shown(&View { history: History::New, ..VIEW }).contains("first seen here today"));
        let local = shown(&View { client_origin: ClientOrigin::LocalApp, ..VIEW });
        assert!(local.contains("Any program on this computer could receive this access."));
        let link = shown(&View { client_origin: ClientOrigin::AppLink("cursor"), ..VIEW });
        assert!(link.contains("claims such links"));
    }

    #[test]
    fn whoever_answers_by_a_link_into_an_app_is_told_that_the_page_stays() {
        let after_the_buttons = |client_origin| {
            let page = shown(&View { client_origin, ..VIEW });
            page.split_once(r#"value="allow""#).map(|(_, rest)| rest.contains("This page stays open"))
        };
        assert_eq!(after_the_buttons(ClientOrigin::AppLink("cursor")), Some(true));
        for other in [ClientOrigin::Host("claude.ai"), ClientOrigin::LocalApp] {
            assert_eq!(after_the_buttons(other), Some(false));
        }
    }

    #[test]
    fn c_mcp_02_the_host_that_vouches_is_shown_and_a_local_app_of_its_name_calls_for_caution() {
        let registration =
            Registration::Document { host: "claude.ai", url: "https://claude.ai/oauth/client-metadata" };
        let page = shown(&View { registration, ..VIEW });
        assert!(page.contains("Vouched for by <strong") && page.contains("claude.ai/oauth/client-metadata"));
        assert!(!page.contains("caution") && !page.contains("Unverified"));
        let local = shown(&View { registration, client_origin: ClientOrigin::LocalApp, ..VIEW });
        assert!(local.contains("vouches for the name, not for the program"));
    }

    #[test]
    fn only_a_client_that_registered_itself_is_unverified() {
        assert!(!shown(&View { registration: Registration::Admin, ..VIEW }).contains("Unverified"));
    }

    const OFFERED: [Choice<'_>; 2] = [
        Choice {
            resource: Resource { name: "A", uri: "https://a" },
            scopes: &[Scope { name: "a:read", words: "read A" }, Scope { name: "both", words: "do both" }],
        },
        Choice {
            resource: Resource { name: "B", uri: "https://b" },
            scopes: &[Scope { name: "both", words: "do both" }],
        },
    ];

    #[test]
    fn nothing_is_chosen_beforehand_and_a_denial_needs_no_choice() {
        let page = shown(&View { access: Access::Choose(&OFFERED), ..VIEW });
        assert_eq!(page.matches(r#"type="radio""#).count(), 2);
        assert!(!page.contains("checked"));
        assert!(page.contains(r#"value="deny" formnovalidate"#));
    }

    #[test]
    fn each_choice_says_what_it_allows_there_and_nothing_of_the_others() {
        let page = shown(&View { access: Access::Choose(&OFFERED), ..VIEW });
        let choices: Vec<_> = page.split(r#"<div class="choice">"#).skip(1).collect();
        let [first, second] = choices[..] else { panic!("two choices: {page}") };
        assert!(first.contains("read A") && first.contains("do both"), "{first}");
        assert!(!second.contains("read A") && second.contains("do both"), "{second}");
        for (number, choice) in choices.iter().enumerate() {
            assert!(choice.contains(&format!(r#"aria-describedby="resource-{number}-allows""#)), "{choice}");
            assert!(
                choice.contains(&format!(r#"<ul class="ticks" id="resource-{number}-allows""#)),
                "{choice}"
            );
        }
        assert!(!page.contains("<h2>It may</h2>"), "no list for all of them");
    }

    #[test]
    fn whoever_is_given_no_narrower_scope_is_said_to_be_able_to_do_all() {
        let resource = Resource { name: "A", uri: "https://a" };
        let choice = [Choice { resource, scopes: &[] }];
        for access in [Access::Choose(&choice), Access::Named { resources: &[resource], scopes: &[] }] {
            assert!(shown(&View { access, ..VIEW }).contains("whatever you can do there"));
        }
        let nothing = shown(&View { access: Access::Named { resources: &[], scopes: &[] }, ..VIEW });
        assert!(!nothing.contains("It may"), "{nothing}");
    }
}
