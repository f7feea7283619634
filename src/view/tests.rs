//! Rules that hold for every page, checked on every page in plain, full and hostile dress.

use std::collections::HashSet;
use std::fs;

use super::consent::{Access, Choice, ClientOrigin, History, Registration, Resource, Scope};
use super::{account, consent, login, logout, problem, setup};
use crate::view::html::style_sheet;

/// Tries to leave an attribute, to open a tag and to turn the reading direction.
const HOSTILE: &str = "\"' onfocus=alert(1) style=x><script>alert(1)</script>\u{202E}";

/// Every page with `text` wherever a view takes text.
fn pages(text: &str) -> Vec<(&'static str, String)> {
    [consents(text), ways_in_and_out(text), problems(text), accounts(text)].concat()
}

fn consents(text: &str) -> Vec<(&'static str, String)> {
    let resources = [Resource { name: text, uri: text }, Resource { name: text, uri: text }];
    let scopes = [Scope { name: text, words: text }, Scope { name: text, words: text }];
    let choices = resources.map(|resource| Choice { resource, scopes: &scopes });
    let asked = consent::View {
        form_token: text,
        logout_token: text,
        authorization: text,
        user_name: text,
        client_name: text,
        registration: Registration::Itself,
        client_origin: ClientOrigin::Host(text),
        history: History::New,
        redirect_target: text,
        access: Access::Named { resources: &resources, scopes: &scopes },
    };
    let choosing = consent::View {
        registration: Registration::Admin,
        client_origin: ClientOrigin::AppLink(text),
        history: History::Allowed(text),
        access: Access::Choose(&choices),
        ..asked
    };
    let bare = consent::View {
        client_origin: ClientOrigin::LocalApp,
        history: History::Known,
        access: Access::Named { resources: &[], scopes: &[] },
        ..asked
    };
    vec![
        ("consent", consent::page(&asked).into_string()),
        ("consent-choose", consent::page(&choosing).into_string()),
        ("consent-bare", consent::page(&bare).into_string()),
    ]
}

fn ways_in_and_out(text: &str) -> Vec<(&'static str, String)> {
    let sign_in = login::View {
        form_token: text,
        authorization: Some(text),
        visit: Some((text, text)),
        name: text,
        message: Some(text),
        client_name: Some(text),
        resource_name: Some(text),
    };
    let confirm = logout::View::Confirm { form_token: text, user_name: text, authorization: Some(text) };
    let first = setup::View { token: text, form_token: text, name: text, email: text, message: Some(text) };
    let plain = login::View { client_name: None, message: None, ..sign_in };
    vec![
        ("login", login::page(&sign_in).into_string()),
        ("login-plain", login::page(&plain).into_string()),
        ("logout", logout::page(&confirm).into_string()),
        ("logout-done", logout::page(&logout::View::Done).into_string()),
        ("setup", setup::page(&first).into_string()),
    ]
}

fn problems(text: &str) -> Vec<(&'static str, String)> {
    let back = problem::Back { path: "/login", authorization: Some(text), words: "Start again" };
    let trouble = problem::View {
        status: 400,
        title: text,
        what: text,
        subject: Some(text),
        why: text,
        next: text,
        command: Some(text),
        link: Some(problem::Link::Back(back)),
    };
    let onward = problem::Onward { url: text, destination: text };
    let strangers = problem::View { link: Some(problem::Link::Onward(onward)), ..trouble };
    vec![
        ("problem", problem::page(&trouble).into_string()),
        ("problem-onward", problem::page(&strangers).into_string()),
    ]
}

fn accounts(text: &str) -> Vec<(&'static str, String)> {
    let grants = [account::Grant {
        id: text,
        client_name: text,
        resources: &[(text, text)],
        scopes: &[text, text],
        since: text,
        last_used: Some(text),
    }];
    let mine = account::View {
        form_token: text,
        logout_token: text,
        user_name: text,
        email: Some(text),
        role: account::Role::Admin,
        notice: Some(text),
        grants: &grants,
        first_steps: Some(account::FirstSteps { issuer: text }),
    };
    let empty = account::View { grants: &[], first_steps: None, ..mine };
    vec![
        ("account", account::page(&mine).into_string()),
        ("account-empty", account::page(&empty).into_string()),
    ]
}

/// A start tag: its element, and its attributes in order.
struct Tag {
    element: String,
    attributes: Vec<(String, String)>,
}

impl Tag {
    fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// The tags of a page as a browser would see them. End tags appear with their slash.
fn tags(page: &str) -> Vec<Tag> {
    page.split('<').skip(1).map(|rest| parse(rest.split_once('>').map_or(rest, |(tag, _)| tag))).collect()
}

fn parse(tag: &str) -> Tag {
    let (element, mut rest) = tag.split_once([' ', '\n']).unwrap_or((tag, ""));
    let mut attributes = Vec::new();
    while !rest.trim().is_empty() {
        rest = rest.trim_start();
        let end = rest.find(['=', ' ']).unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        let (value, after) = match after.strip_prefix("=\"") {
            Some(quoted) => quoted.split_once('"').expect("maud closes its quotes"),
            None => ("", after),
        };
        attributes.push((name.to_ascii_lowercase(), value.to_owned()));
        rest = after;
    }
    Tag { element: element.to_ascii_lowercase(), attributes }
}

#[test]
fn no_page_carries_a_style_a_script_or_an_event_attribute() {
    for (page, text) in pages(HOSTILE) {
        for tag in tags(&text) {
            assert!(
                !["script", "style", "base", "iframe", "object"].contains(&tag.element.as_str()),
                "{page}"
            );
            for (name, value) in &tag.attributes {
                assert!(name != "style" && !name.starts_with("on"), "{page}: {} has {name}", tag.element);
                // The one link to a stranger: whoever fills it in has checked the address.
                if tag.attribute("rel") == Some("external noreferrer") {
                    assert_eq!(page, "problem-onward");
                    continue;
                }
                let elsewhere = ["src", "href", "action", "formaction"].contains(&name.as_str());
                let ours =
                    value.starts_with('/') && !value.starts_with("//") || value.starts_with("data:image/");
                assert!(!elsewhere || ours, "{page}: {name}={value}");
            }
        }
    }
}

#[test]
fn a_name_cannot_turn_the_sentence_around_it() {
    let reading_order = |text: &str| {
        let mut outside = String::new();
        let mut depth = 0_usize;
        for part in text.split('<') {
            let (tag, words) = part.split_once('>').unwrap_or(("", part));
            match tag {
                "/bdi" => depth -= 1,
                opened if opened.starts_with("bdi") => depth += 1,
                _ => {}
            }
            if depth == 0 {
                outside.push_str(words);
            }
        }
        outside
    };
    for (page, text) in pages(HOSTILE) {
        if !page.starts_with("consent") && page != "login-plain" && page != "logout" {
            continue;
        }
        let body = text.split_once("<body>").map_or("", |(_, body)| body);
        let outside = reading_order(body);
        // The day of an earlier consent is our own text and needs no isolation.
        let dates = usize::from(page == "consent-choose");
        assert_eq!(outside.matches('\u{202E}').count(), dates, "{page}: {outside}");
    }
}

#[test]
fn every_form_posts_and_carries_its_token() {
    for (page, text) in pages("text") {
        let forms: Vec<_> = text.split("<form").skip(1).collect();
        for form in &forms {
            let inside = form.split("</form>").next().unwrap_or_default();
            assert!(inside.starts_with(" method=\"post\" action=\"/"), "{page}");
            assert_eq!(inside.matches(r#"name="form_token" value="text""#).count(), 1, "{page}");
        }
        let expected = match page {
            "logout-done" | "problem" | "problem-onward" => 0,
            "consent" | "consent-choose" | "consent-bare" | "account" => 2,
            _ => 1,
        };
        assert_eq!(forms.len(), expected, "{page}");
    }
}

#[test]
fn every_input_has_a_label_and_no_id_is_given_twice() {
    for (page, text) in pages("text") {
        let tags = tags(&text);
        let ids: Vec<_> = tags.iter().filter_map(|tag| tag.attribute("id")).collect();
        assert_eq!(ids.len(), ids.iter().collect::<HashSet<_>>().len(), "{page}: {ids:?}");
        let labelled: HashSet<_> =
            tags.iter().filter(|tag| tag.element == "label").filter_map(|tag| tag.attribute("for")).collect();
        for input in tags.iter().filter(|tag| tag.element == "input") {
            let seen = input.attribute("type") != Some("hidden");
            let has_label = input.attribute("id").is_some_and(|id| labelled.contains(id));
            assert!(!seen || has_label, "{page}: {:?}", input.attributes);
        }
        for tag in &tags {
            for key in ["aria-describedby", "aria-labelledby"] {
                assert!(tag.attribute(key).is_none_or(|id| ids.contains(&id)), "{page}: {key}");
            }
        }
    }
}

#[test]
fn every_page_has_a_language_a_title_one_heading_and_stays_out_of_search() {
    for (page, text) in pages("text") {
        for needed in [
            r#"<html lang="en">"#,
            r#"<meta name="viewport""#,
            r#"<meta name="robots" content="noindex">"#,
            r#"<link rel="stylesheet" href="/style.css">"#,
            "<title>",
        ] {
            assert_eq!(text.matches(needed).count(), 1, "{page}: {needed}");
        }
        assert_eq!(tags(&text).iter().filter(|tag| tag.element == "h1").count(), 1, "{page}");
    }
}

/// `cargo test --lib draw_the_pages -- --ignored` writes every page to `target/pages`, to be opened in a
/// browser. Text is short, long without a space, or hostile.
#[test]
#[ignore = "writes files to look at"]
fn draw_the_pages() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/target/pages");
    fs::create_dir_all(directory).expect("target is writable");
    fs::write(format!("{directory}/style.css"), style_sheet()).expect("target is writable");
    let long = format!("https://{}.example/{}", "long".repeat(40), "W".repeat(200));
    for (dress, text) in [("short", "Notes"), ("long", &long), ("hostile", HOSTILE)] {
        for (page, markup) in pages(text) {
            let markup = markup.replace("href=\"/style.css\"", "href=\"style.css\"");
            fs::write(format!("{directory}/{page}-{dress}.html"), markup).expect("target is writable");
        }
    }
}
