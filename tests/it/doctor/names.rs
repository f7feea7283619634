//! Servers with names and certificates, in a world in which every name leads to the test's own servers; and servers that
//! take their time.

use std::net::IpAddr;
use std::time::Duration;

use vestibule::clock::Clock;
use vestibule::doctor::{Mark, Registration, Report, ServerUrl, Step};
use vestibule::outgoing::{Names, Prober};

use super::*;

/// Longer than anything takes that is answered at all.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is answered here is answered sooner; what is not keeps a test waiting for so long.
const SHORT: Duration = Duration::from_secs(2);

fn world(addresses: &[&str]) -> Names {
    let addresses: Vec<IpAddr> =
        addresses.iter().map(|address| address.parse().expect("an address")).collect();
    Names::by_hand(move |_| addresses.clone())
}

async fn walk_url(url: &str, names: Names, script: &Script, time: Duration) -> Report {
    let roots = script.authority.exists().then(|| script.authority.clone());
    let prober = Prober::new(names, roots, time);
    let url = ServerUrl::parse(url).expect("a URL");
    vestibule::doctor::walk(&url, Registration::Try, &prober, &Clock::machine()).await
}

/// What is worth a warning, or fails, and what was seen there; besides that the address and the authority are a test's.
fn marked(report: &Report, mark: Mark) -> Vec<(Step, String)> {
    let usual = ["this machine alone", "--roots"];
    let marked = report.steps.iter().filter(|finding| finding.mark() == mark);
    let marked = marked.map(|finding| (finding.step(), finding.seen().to_owned()));
    marked.filter(|(_, seen)| !usual.iter().any(|words| seen.contains(words))).collect()
}

async fn named() -> Script {
    let script = Script::start(Stage::Certified(vec!["notes.test"])).await.called("notes.test");
    put_everything(&script);
    script
}

#[tokio::test]
async fn a_server_with_a_name_and_a_certificate() {
    let script = named().await;
    let report = walk_url(&script.url(SERVER), world(&["127.0.0.1"]), &script, PATIENCE).await;
    assert_eq!((marked(&report, Mark::Fail), marked(&report, Mark::Warn)), (vec![], vec![]));
    assert!(report.verdict.is_good());
}

#[tokio::test]
async fn a_name_without_an_address() {
    let script = named().await;
    let report = walk_url(&script.url(SERVER), world(&[]), &script, PATIENCE).await;
    assert_eq!(marked(&report, Mark::Fail), [(Step::Address, "notes.test has no address".to_owned())]);
}

#[tokio::test]
async fn an_address_at_which_nobody_answers_beside_one_at_which_somebody_does() {
    let script = named().await;
    let report = walk_url(&script.url(SERVER), world(&["127.0.0.2", "127.0.0.1"]), &script, PATIENCE).await;
    assert_eq!(marked(&report, Mark::Fail), []);
    let seen = report.steps.iter().find(|finding| finding.step() == Step::Address).expect("the step");
    assert_eq!(seen.seen(), "notes.test is 127.0.0.2, 127.0.0.1, but nobody answers at 127.0.0.2");
}

#[tokio::test]
async fn an_address_to_which_no_way_leads() {
    let script = named().await;
    // Documentation's own network (RFC 5737): nobody is there, whether a router says so or nothing does.
    let report = walk_url(&script.url(SERVER), world(&["192.0.2.1"]), &script, SHORT).await;
    let failed = marked(&report, Mark::Fail);
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert!(failed[0].0 == Step::Address && failed[0].1.contains("192.0.2.1"), "{failed:?}");
}

#[tokio::test]
async fn an_address_in_place_of_a_name() {
    let script = named().await;
    let url = format!("https://192.0.2.1:{}/mcp", script.address.port());
    let report = walk_url(&url, world(&[]), &script, SHORT).await;
    assert_eq!(
        marked(&report, Mark::Warn)[0],
        (Step::Url, format!("{url} names an address in place of a name"))
    );
}

#[tokio::test]
async fn a_url_that_clients_spell_otherwise() {
    let script = named().await;
    let url = script.url(SERVER).replace("notes.test", "Notes.Test");
    let report = walk_url(&url, world(&["127.0.0.1"]), &script, PATIENCE).await;
    let warned = marked(&report, Mark::Warn);
    assert_eq!(warned[0], (Step::Url, format!("clients spell {url} as {}", script.url(SERVER))));
    assert_eq!((warned[1].0, warned.len()), (Step::Resource, 2), "{warned:?}");
}

#[tokio::test]
async fn plain_http_off_this_machine() {
    let script = Script::start(Stage::Plain).await.called("notes.test");
    put_everything(&script);
    let report = walk_url(&script.url(SERVER), world(&["127.0.0.1"]), &script, PATIENCE).await;
    let failed: Vec<_> = marked(&report, Mark::Fail);
    assert_eq!(failed[0], (Step::Url, format!("{} is plain http", script.url(SERVER))));
    let steps: Vec<_> = failed.iter().map(|(step, _)| *step).collect();
    let wanted = [
        Step::Url,
        Step::Challenge,
        Step::AuthorizationServers,
        Step::Endpoints,
        Step::Endpoints,
        Step::Endpoints,
    ];
    assert_eq!(steps, wanted);
}

#[tokio::test]
async fn an_authorization_server_that_other_machines_do_not_reach() {
    let script = named().await;
    for (issuer, words) in [
        (format!("http://localhost:{}", script.address.port()), "each client's own machine"),
        (format!("http://auth.test:{}", script.address.port()), "plain http"),
        ("https://192.0.2.1".to_owned(), "an address of no public network"),
    ] {
        let document = with(resource_metadata(&script), "authorization_servers", json!([issuer]));
        put_document(&script, RESOURCE_METADATA, &document);
        let report = walk_url(&script.url(SERVER), world(&["127.0.0.1"]), &script, SHORT).await;
        let failed = marked(&report, Mark::Fail);
        assert_eq!(failed[0].0, Step::AuthorizationServers);
        assert!(failed[0].1.contains(words), "{failed:?}");
    }
}

#[tokio::test]
async fn a_redirect_from_https_to_plain_http() {
    let script = named().await;
    script.put("POST", SERVER, Scripted::redirect(307, &script.url("/mcp/").replace("https:", "http:")));
    let report = walk_url(&script.url(SERVER), world(&["127.0.0.1"]), &script, PATIENCE).await;
    let failed = report.steps.iter().find(|finding| finding.mark() == Mark::Fail).expect("it fails");
    let advice = failed.advice().expect("a failure has advice");
    assert_eq!(failed.step(), Step::Call);
    assert!(advice.why.contains("from https to plain http") && advice.mend.contains("X-Forwarded-Proto"));
}

#[tokio::test]
async fn a_server_that_never_answers() {
    let script = right().await;
    script.put("POST", SERVER, Scripted::Silence);
    let report = walk_url(&script.url(SERVER), world(&[]), &script, SHORT).await;
    assert_eq!(marked(&report, Mark::Fail), [(Step::Call, "no answer came in time".to_owned())]);
}

#[tokio::test]
async fn a_server_that_never_ends_its_handshake() {
    // The kernel takes the connection, and nobody takes it from there.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let script = right().await;
    let url = format!("https://{}/mcp", listener.local_addr().expect("its address"));
    let report = walk_url(&url, world(&[]), &script, SHORT).await;
    let seen = "the TLS handshake came to no end in time".to_owned();
    assert_eq!(marked(&report, Mark::Fail), [(Step::Certificate, seen)]);
}
