//! Something went wrong, told to a person: what happened, why, and what to do next.

use maud::{Markup, html};

use crate::view::html::{command, shell, uri, word};

/// What the problem page shows.
#[derive(Clone, Copy, Debug)]
pub struct View<'a> {
    /// The HTTP status of the answer, shown small.
    pub status: u16,
    /// The problem in a few words. Ours, never a stranger's text.
    pub title: &'a str,
    /// What happened, a sentence.
    pub what: &'a str,
    /// The value in question (a URI, a client id), shown isolated on its own line.
    pub subject: Option<&'a str>,
    /// Why, a sentence.
    pub why: &'a str,
    /// What to do next, a sentence.
    pub next: &'a str,
    /// A command line that mends it.
    pub command: Option<&'a str>,
    /// Where to go from here.
    pub link: Option<Link<'a>>,
}

/// Where a problem page leads, in a click.
#[derive(Clone, Copy, Debug)]
pub enum Link<'a> {
    /// To a page of ours.
    Back(Back<'a>),
    /// To where the client would hear of it.
    Onward(Onward<'a>),
}

/// A link to one of our own pages. The path is fixed in the source, so that no request can choose where it
/// leads.
#[derive(Clone, Copy, Debug)]
pub struct Back<'a> {
    /// The page.
    pub path: &'static str,
    /// The id of the authorization request to go on with; base64url, as we made it.
    pub authorization: Option<&'a str>,
    /// What the link says.
    pub words: &'static str,
}

/// A link to a client, which nobody follows without a click: the client chose the address itself, and this server
/// sends nobody to a stranger's address by itself.
#[derive(Clone, Copy, Debug)]
pub struct Onward<'a> {
    /// The answer's URL, made from a redirect URI that was checked; never of a scheme that runs as a script.
    pub url: &'a str,
    /// Where it leads, in short: a host, or the scheme of an app's links.
    pub destination: &'a str,
}

/// The problem page.
pub fn page(view: &View<'_>) -> Markup {
    let content = html! {
        p class="status" { "Error " (view.status) }
        h1 { (view.title) }
        p class="lead" { (view.what) }
        @if let Some(subject) = view.subject { p { (uri(subject)) } }
        h2 { "Why" }
        p { (view.why) }
        h2 { "What to do" }
        p { (view.next) }
        @if let Some(line) = view.command { (command(line)) }
        @if let Some(link) = view.link { p class="actions" { (anchor(link)) } }
    };
    shell(view.title, &content)
}

fn anchor(link: Link<'_>) -> Markup {
    html! {
        @match link {
            Link::Back(Back { path, authorization: Some(id), words }) => {
                a class="button" href={ (path) "?authorization=" (id) } { (words) }
            }
            Link::Back(Back { path, authorization: None, words }) => a class="button" href=(path) { (words) },
            Link::Onward(Onward { url, destination }) => {
                a class="button" href=(url) rel="external noreferrer" { "Tell the app, at " (word(destination)) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(link: Link<'_>) -> String {
        let view = View {
            status: 400,
            title: "Expired",
            what: "",
            subject: None,
            why: "",
            next: "",
            command: None,
            link: Some(link),
        };
        page(&view).into_string()
    }

    #[test]
    fn the_way_back_stays_on_our_pages() {
        let back = Back { path: "/login", authorization: Some("\"//evil"), words: "Try again" };
        let page = shown(Link::Back(back));
        assert!(page.contains(r#"href="/login?authorization=&quot;//evil""#), "{page}");
        let page = shown(Link::Back(Back { authorization: None, ..back }));
        assert!(page.contains(r#"<a class="button" href="/login">Try again</a>"#), "{page}");
    }
}
