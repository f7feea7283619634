//! That a host proves by TLS who it is.

use rcgen::{CertificateParams, DnType, date_time_ymd};
use std::net::{Ipv4Addr, SocketAddr};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use vestibule::crypto::public_key::AssertionAlgorithm;
use vestibule::oauth::client::{Assertion, Credential, KeySource};
use vestibule::oauth::client_assertion::ASSERTION_TYPE;
use vestibule::oauth::grant_type::GrantType;
use vestibule::oauth::key_set_url::KeySetUrl;
use vestibule::store::clients;

use super::{NAME, PATH, assert_known, assert_refused, document, visit};
use crate::harness::{ClientKey, Host, Reply, Server};

const ANYWHERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// A host with such a certificate, and a server that trusts the authority which signed it.
async fn world(names: &[&str], spoil: impl FnOnce(&mut CertificateParams)) -> (Host, Server, String) {
    let host = Host::start_at(ANYWHERE, names, spoil).await;
    let server = Server::start_among(host.names(), |settings| host.trusted_by(settings)).await;
    let url = host.url(NAME, PATH);
    host.put(PATH, Reply::json(&document(&url)));
    (host, server, url)
}

#[tokio::test]
async fn a_cimd_11_a_certificate_that_does_not_prove_it_is_refused_before_anything_is_asked() {
    for (host, server, url) in [
        world(&[NAME], |params| params.not_after = date_time_ymd(2024, 1, 1)).await,
        world(&[NAME], |params| params.not_before = date_time_ymd(4000, 1, 1)).await,
        world(&["other.test"], |_| {}).await,
        world(&["*.client.test"], |_| {}).await,
        world(&["127.0.0.1"], |_| {}).await,
        // The name where nobody has looked for it these twenty years (RFC 9525 2).
        world(&["other.test"], |params| params.distinguished_name.push(DnType::CommonName, NAME)).await,
        world(&[], |params| params.distinguished_name.push(DnType::CommonName, NAME)).await,
    ] {
        assert_refused(&server, &url, 503, "(tls: ").await;
        assert_eq!(host.hits(), 0, "no request goes to somebody else");
        let mend = server.audit()[0].3["mend"].as_str().expect("what mends it").to_owned();
        assert!(mend.contains("--fetch-roots"), "{mend}");
    }
    let (_host, server, url) = world(&[NAME], |params| params.not_before = date_time_ymd(2024, 1, 1)).await;
    assert_known(&visit(&server, &url).await, "the same with a good one");
}

#[tokio::test]
async fn a_cimd_11_an_authority_counts_only_if_it_is_trusted_here() {
    let (stranger, friend) = (Host::start(&[NAME]).await, Host::start(&[NAME]).await);
    let url = stranger.url(NAME, PATH);
    stranger.put(PATH, Reply::json(&document(&url)));
    let server = Server::start_among(friend.names(), |settings| friend.trusted_by(settings)).await;
    assert_refused(&server, &url, 503, "(tls: ").await;
    assert_eq!((stranger.hits(), friend.connections()), (0, 0));
    let url = friend.url(NAME, PATH);
    friend.put(PATH, Reply::json(&document(&url)));
    assert_known(&visit(&server, &url).await, "of the authority that is trusted");
}

/// A ServerHello of that version and with a cipher suite of its time (RFC 4346 7.4.1.3, RFC 5246 7.4.1.3).
fn server_hello(minor: u8) -> Vec<u8> {
    let mut hello = vec![3, minor];
    hello.extend([7; 32]);
    hello.extend([0, 0xc0, 0x14, 0]);
    let mut record = vec![22, 3, minor, 0, hello.len() as u8 + 4, 2, 0, 0, hello.len() as u8];
    record.extend(hello);
    record
}

#[tokio::test]
async fn a_cimd_11_old_tls_and_no_tls_are_refused() {
    for first_bytes in [
        server_hello(1),
        server_hello(2),
        server_hello(0),
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}".to_vec(),
        Vec::new(),
    ] {
        let listener = TcpListener::bind(ANYWHERE).await.expect("a port");
        let url = format!("https://{NAME}:{}{PATH}", listener.local_addr().expect("its address").port());
        let talking = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let _ = stream.read(&mut [0; 4096]).await;
                let _ = stream.write_all(&first_bytes).await;
            }
        });
        let (host, server, _) = world(&[NAME], |_| {}).await;
        assert_refused(&server, &url, 503, "(tls: ").await;
        assert_eq!(host.connections(), 0);
        talking.abort();
    }
}

/// What TLS says of a certificate can hold all of its names, and they are a stranger's.
#[tokio::test]
async fn a_certificate_with_a_thousand_names_is_told_in_a_few_words() {
    let names: Vec<String> = (0..1000).map(|n| format!("name-{n}.of.a-stranger.test")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let (host, server, url) = world(&names, |_| {}).await;
    assert_refused(&server, &url, 503, "(tls: ").await;
    let key = ClientKey::new(AssertionAlgorithm::Es256);
    let source = KeySource::At(KeySetUrl::parse(&host.url(NAME, "/jwks")).expect("a URL"));
    let credential = Credential::Keys { source, assertion: Assertion::Required };
    let machine = crate::harness::client("machine", credential, &[], &[GrantType::ClientCredentials]);
    server.command(move |tx| clients::insert(tx, &machine, "{}"));
    let assertion = key.assertion(&server, "machine");
    let fields = [
        ("grant_type", "client_credentials"),
        ("client_assertion_type", ASSERTION_TYPE),
        ("client_assertion", &assertion),
    ];
    assert_eq!(server.post("/oauth/token").form(&fields).send().await.status.as_u16(), 503);
    for (_, _, _, metadata) in server.audit() {
        assert!(metadata.to_string().len() < 500, "{metadata}");
    }
}
