//! That nobody is led back into the house: special addresses, by themselves and by names, whatever the resolver says.

use std::net::{IpAddr, SocketAddr};

use super::{NAME, PATH, World, assert_known, assert_refused, client, document, visit};
use crate::harness::{Host, House, Person, Reply, Resolver, Server};

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap_or_else(|_| panic!("{text} is an address"))
}

#[tokio::test]
async fn a_cimd_03_04_c_cm_13_a_special_address_is_refused_and_nobody_connects_to_it() {
    let canary = Host::start(&["127.0.0.1"]).await;
    let resolver = canary.resolver();
    // Whoever trusts the authority and still must not connect.
    let roots = canary.authority.clone();
    let server = Server::start_among(resolver.names(), |settings| settings.fetch_roots = Some(roots)).await;
    let port = canary.address.port();
    for host in [
        "127.0.0.1",
        "127.1.2.3",
        "0.0.0.0",
        "10.0.0.1",
        "100.64.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "192.0.0.8",
        "192.0.2.1",
        "192.168.1.1",
        "198.18.0.1",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "255.255.255.255",
        "[::1]",
        "[::]",
        "[::7f00:1]",
        "[::ffff:7f00:1]",
        "[::ffff:a9fe:a9fe]",
        "[64:ff9b::7f00:1]",
        "[64:ff9b:1::1]",
        "[100::1]",
        "[2001::1]",
        "[2001:db8::1]",
        "[2002:7f00:1::]",
        "[3fff::1]",
        "[fc00::1]",
        "[fd00::2]",
        "[fe80::1]",
        "[fec0::1]",
        "[ff02::1]",
    ] {
        let url = format!("https://{host}:{port}/x");
        visit(&server, &url).await.assert_problem_page(400);
        server.advance(4);
        let (_, _, _, metadata) = server.audit().swap_remove(0);
        assert_eq!(metadata["reason"], "client_document_not_fetched", "{url}");
        assert!(
            metadata["mend"].as_str().is_some_and(|mend| mend.contains("--fetch-networks ")),
            "{metadata}"
        );
    }
    assert_refused(&server, &format!("https://127.0.0.1:{port}/x"), 400, "(address_special: 127.0.0.1)")
        .await;
    assert_refused(&server, &format!("https://[::1]:{port}/x"), 400, "(address_special: ::1)").await;
    // Other spellings of the same addresses are no names of documents to begin with.
    for spelling in [
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "127.0.0.01",
        "[::ffff:127.0.0.1]",
        "[0:0:0:0:0:0:0:1]",
        "[::FFFF:7f00:1]",
        "[fe80::1%25lo]",
        "[fe80::1%lo]",
        "%31%32%37.0.0.1",
    ] {
        visit(&server, &format!("https://{spelling}:{port}/x")).await.assert_problem_page(400);
        assert_eq!(server.audit()[0].3["reason"], "client_document_url", "{spelling}");
    }
    assert_eq!((resolver.questions().len(), canary.connections()), (0, 0));
}

#[tokio::test]
async fn a_cimd_05_all_addresses_of_a_name_are_looked_at_before_any_is_connected_to() {
    let host = Host::start(&["*.client.test"]).await;
    let resolver = Resolver::new(|name, _| match name {
        "good.client.test" => vec![ip("127.0.0.1")],
        "inner.client.test" => vec![ip("192.168.1.10")],
        "after.client.test" => vec![ip("127.0.0.1"), ip("10.0.0.1")],
        "before.client.test" => vec![ip("10.0.0.1"), ip("127.0.0.1")],
        "neighbour.client.test" => vec![ip("127.0.0.1"), ip("127.0.0.2")],
        "six.client.test" => vec![ip("127.0.0.1"), ip("::1")],
        "mapped.client.test" => vec![ip("::ffff:10.0.0.1"), ip("127.0.0.1")],
        "translated.client.test" => vec![ip("64:ff9b::a00:1"), ip("127.0.0.1")],
        "metadata.client.test" => vec![ip("169.254.169.254")],
        _ => Vec::new(),
    });
    let server = Server::start_among(resolver.names(), |settings| host.trusted_by(settings)).await;
    for (name, led_to) in [
        ("inner", "192.168.1.10"),
        ("after", "10.0.0.1"),
        ("before", "10.0.0.1"),
        ("neighbour", "127.0.0.2"),
        ("six", "::1"),
        ("mapped", "::ffff:10.0.0.1"),
        ("translated", "64:ff9b::a00:1"),
        ("metadata", "169.254.169.254"),
    ] {
        let url = host.url(&format!("{name}.client.test"), PATH);
        host.put(PATH, Reply::json(&document(&url)));
        assert_refused(&server, &url, 400, &format!("(address_special: {led_to})")).await;
    }
    assert_refused(&server, &host.url("nowhere.client.test", PATH), 503, "(name_unknown)").await;
    assert_eq!(host.connections(), 0);
    let url = host.url("good.client.test", PATH);
    host.put(PATH, Reply::json(&document(&url)));
    assert_known(&visit(&server, &url).await, "the same without such an address");
}

#[tokio::test]
async fn a_cimd_05_a_name_of_this_house_is_not_even_looked_up_unless_the_owner_permits_its_network() {
    let names = [
        "localhost",
        "a.localhost",
        "nas",
        "nas.local",
        "host.docker.internal",
        "metadata.google.internal",
        "router.lan",
        "nas.home.arpa",
        "fritz.home",
        "wiki.corp",
        "www.intranet",
        "box.localdomain",
    ];
    let resolver = Resolver::new(|_, _| vec![ip("127.0.0.1")]);
    let server = Server::start_among(resolver.names(), |_| {}).await;
    for name in names {
        visit(&server, &format!("https://{name}/x")).await.assert_problem_page(400);
        assert_eq!(server.audit()[0].3["reason"], "client_document_not_fetched", "{name}");
        visit(&server, &format!("https://{name}./x")).await.assert_problem_page(400);
    }
    assert_refused(&server, "https://nas.local/x", 400, "(name_special)").await;
    assert_eq!(resolver.questions(), [""; 0]);
    // A public name with the resolver's own dot at its end would be the same host under another name.
    assert_refused(&server, "https://client.test./x", 400, "(url_unsuitable)").await;
    assert_eq!(resolver.questions(), [""; 0]);

    let host = Host::start(&["nas.local"]).await;
    let server = Server::start_among(resolver.names(), |settings| host.trusted_by(settings)).await;
    let url = host.url("nas.local", PATH);
    host.put(PATH, Reply::json(&document(&url)));
    assert_known(&visit(&server, &url).await, "developed at home, with the owner's leave");
}

/// Answers that change between the check and the connection (DNS rebinding). The resolver is asked once, so there is
/// nothing in between: whatever it would say next is never heard.
#[tokio::test]
async fn a_cimd_06_the_address_that_was_looked_at_is_the_one_that_is_connected_to() {
    for (answers, known) in [(["127.0.0.1", "127.0.0.2"], true), (["127.0.0.2", "127.0.0.1"], false)] {
        let host = Host::start(&[NAME]).await;
        let inside = SocketAddr::new(ip("127.0.0.2"), host.address.port());
        let canary = Host::start_at(inside, &[NAME], |_| {}).await;
        let resolver = Resolver::new(move |_, asked_before| vec![ip(answers[asked_before.min(1)])]);
        let server = Server::start_among(resolver.names(), |settings| host.trusted_by(settings)).await;
        let url = host.url(NAME, PATH);
        host.put(PATH, Reply::json(&document(&url)));
        let answer = visit(&server, &url).await;
        if known {
            assert_known(&answer, "the first answer is a good one");
        } else {
            answer.assert_problem_page(400);
        }
        assert_eq!(resolver.questions(), [NAME], "one question");
        assert_eq!((host.connections(), canary.connections()), (usize::from(known), 0));
    }
}

#[tokio::test]
async fn a_name_with_many_addresses_does_not_make_this_server_knock_at_all_of_them() {
    let host = Host::start(&[NAME]).await;
    let port = host.address.port();
    // Nobody listens at the addresses before the last.
    let resolver = Resolver::new(move |_, asked_before| {
        let others = (2..10).map(|last| ip(&format!("127.0.0.{last}")));
        let skipped = if asked_before == 0 { 1 } else { 0 };
        others.skip(skipped).chain([ip("127.0.0.1")]).collect()
    });
    let server = Server::start_among(resolver.names(), |settings| {
        host.trusted_by(settings);
        settings.fetch_networks = vestibule::http::Networks::parse(["127.0.0.0/24"]).expect("a network");
    })
    .await;
    for (path, known) in [("/8th", true), ("/9th", false)] {
        let url = format!("https://{NAME}:{port}{path}");
        host.put(path, Reply::json(&document(&url)));
        assert_eq!(visit(&server, &url).await.header("location").is_some(), known, "{path}");
    }
}

#[tokio::test]
async fn a_cimd_26_this_server_does_not_ask_itself() {
    let world = World::new().await;
    for own in ["https://as.test/x", "https://as.test/.well-known/oauth-authorization-server"] {
        assert_refused(&world.server, own, 400, "client_document_own_host").await;
    }
    assert_eq!((world.resolver.questions().len(), world.host.connections()), (0, 0));
}

/// The program itself, with all the variables set by which other programs find their way out.
#[tokio::test]
async fn a_cimd_25_a_proxy_in_the_environment_is_not_used() {
    let host = Host::start(&["127.0.0.1"]).await;
    let url = host.url("127.0.0.1", PATH);
    host.put(PATH, Reply::json(&document(&url)));
    let proxy = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    proxy.set_nonblocking(true).expect("a socket");
    let way = format!("http://{}", proxy.local_addr().expect("its address"));
    let variables = ["https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"];
    let environment = variables.map(|name| (name, way.as_str()));
    let authority = host.authority.to_str().expect("a path");
    let flags = ["--fetch-networks", "127.0.0.1", "--fetch-roots", authority];
    let serving = House::new().serve_in(&environment, "127.0.0.1:0", &flags);
    let mut person = Person::new(serving.address, &serving.issuer, "nobody", "nothing");
    let answer = person.open(&client(&url).authorize_url(&[])).await;
    assert_known(&answer, "straight on");
    assert_eq!(host.hits(), 1);
    assert!(
        proxy.accept().is_err_and(|why| why.kind() == std::io::ErrorKind::WouldBlock),
        "nobody came by there"
    );
}
