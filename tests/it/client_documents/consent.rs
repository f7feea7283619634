//! What the consent page says of a client whose document somebody wrote: who vouches for it, and where the answer goes.

use serde_json::json;

use super::{PATH, World, client, document, with};
use crate::harness::{Answer, Browser, ClientApp, Host, R1, Reply, Server};

async fn page(server: &Server, client: &ClientApp) -> Answer {
    let mut alice = Browser::signed_in(server, "alice").await;
    let page = alice.go(server, &client.authorize_url(&[("resource", R1)])).await;
    assert!(page.text().contains("<h1>Allow"), "{}", page.text());
    page
}

#[tokio::test]
async fn c_cm_18_c_mcp_02_a_cimd_24_the_page_names_the_host_that_vouches_and_the_host_that_gets_the_answer() {
    let world = World::new().await;
    let redirects = json!({
        "redirect_uris": ["https://client.test/cb", "https://other.test/cb", "http://127.0.0.1/cb", "http://localhost/cb",
                          "cursor://anysphere/cb"],
        "client_name": "Claude <b>by</b> Anthropic",
    });
    world.publish(&with(world.document(), redirects));
    let vouched = r#"Vouched for by <strong><bdi class="word" dir="ltr">client.test</bdi></strong>"#;
    for (redirect_uri, origin, warned) in [
        ("https://client.test/cb", r#"<bdi class="word" dir="ltr">client.test</bdi>"#, None),
        ("https://other.test/cb", r#"<bdi class="word" dir="ltr">other.test</bdi>"#, None),
        (
            "http://127.0.0.1:4000/cb",
            "an app on this computer",
            Some("vouches for the name, not for the program that asks"),
        ),
        (
            "http://localhost/cb",
            "an app on this computer",
            Some("vouches for the name, not for the program that asks"),
        ),
        (
            "cursor://anysphere/cb",
            r#"<bdi class="word" dir="ltr">cursor</bdi>"#,
            Some("claims such links could receive"),
        ),
    ] {
        let client = ClientApp { redirect_uri: redirect_uri.to_owned(), ..client(&world.client.id) };
        let text = page(&world.server, &client).await.text();
        assert!(text.contains(vouched), "{text}");
        assert!(text.contains(&format!(r#"<bdi class="uri" dir="ltr">{}</bdi>"#, world.client.id)), "{text}");
        assert!(text.contains(&format!(r#"<bdi class="uri" dir="ltr">{redirect_uri}</bdi>"#)), "{text}");
        assert!(text.contains(origin), "{redirect_uri}: {text}");
        let warnings =
            ["vouches for the name, not for the program that asks", "claims such links could receive"];
        for warning in warnings {
            assert_eq!(text.contains(warning), warned == Some(warning), "{redirect_uri}: {text}");
        }
        assert!(text.contains("Claude &lt;b&gt;by&lt;/b&gt; Anthropic") && !text.contains("<b>by"), "{text}");
        assert!(!text.contains("Unverified") && !text.contains("Added by an admin"), "{text}");
        assert!(text.contains("first seen here today"), "{text}");
    }
}

/// Whoever agreed once to a program on the computer is asked again: the host does not vouch for the next one.
#[tokio::test]
async fn a_cimd_24_a_program_on_the_computer_that_calls_itself_so_is_asked_about_each_time() {
    let world = World::new().await;
    let local = ClientApp { redirect_uri: "http://127.0.0.1:4000/cb".to_owned(), ..client(&world.client.id) };
    let mut alice = Browser::signed_in(&world.server, "alice").await;
    for _ in 0..2 {
        let page = alice.go(&world.server, &local.authorize_url(&[("resource", R1)])).await;
        assert!(page.text().contains("<h1>Allow"), "{}", page.text());
        alice.decide(&world.server, &page, "allow").await;
    }
    let silent = local.authorize_url(&[("resource", R1), ("prompt", "none")]);
    let answer = alice.go(&world.server, &silent).await;
    answer.assert_redirected_error("consent_required", Some("a-state"));
}

#[tokio::test]
async fn a_cimd_23_a_host_with_other_letters_shows_as_what_it_is() {
    // "claude.test" with a Cyrillic a, and "client.test" with a letter of the same kind.
    for host_name in ["xn--clude-4ve.test", "xn--bcher-kva.example"] {
        let host = Host::start(&[host_name]).await;
        let server = Server::start_among(host.names(), |settings| host.trusted_by(settings)).await;
        let url = host.url(host_name, PATH);
        host.put(PATH, Reply::json(&document(&url)));
        let text = page(&server, &client(&url)).await.text();
        assert!(text.contains(&format!(r#"dir="ltr">{host_name}</bdi></strong>"#)), "{text}");
        assert!(text.is_ascii() || !text.contains(['\u{430}', '\u{fc}']), "{text}");
    }
}

#[tokio::test]
async fn a_web_10_a_name_cannot_bring_markup_or_turn_the_sentence_around() {
    let world = World::new().await;
    let name = "\u{202e}\u{2066}</bdi><script>alert(1)</script>\u{200b}\r\nClaude\" onload=\"x";
    world.publish(&with(world.document(), json!({ "client_name": name })));
    let text = page(&world.server, &world.client).await.text();
    assert!(!text.contains("<script") && !text.contains(['\u{202e}', '\u{2066}', '\u{200b}']), "{text}");
    assert!(text.contains("&lt;script&gt;"), "{text}");
    let (kept, ..) = world.kept().expect("the client");
    assert!(!kept.contains(|c: char| c.is_control() || c == '\u{202e}'), "{kept:?}");
}
