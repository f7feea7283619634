//! Certificates: each fault is named for what it is.

use rcgen::{CertificateParams, CustomExtension, date_time_ymd};

use super::*;

/// What is found of a server with such a certificate, by whoever knows its authority.
async fn walked(stage: Stage) -> Walked {
    let script = Script::start(stage).await;
    put_everything(&script);
    walk(&script.url(SERVER), &["--roots", script.authority.to_str().expect("a path")]).await
}

#[tokio::test]
async fn a_certificate_of_an_own_authority_is_fine_for_whoever_knows_it() {
    let walked = walked(Stage::Certified(vec!["127.0.0.1"])).await;
    walked.warns_at("certificate", &["only by the authorities that --roots names", "NODE_EXTRA_CA_CERTS"]);
    assert!(walked.seen("token").starts_with("ok: "), "and the walk goes on");
}

#[tokio::test]
async fn a_certificate_of_an_authority_that_only_this_machine_knows() {
    let script = Script::start(Stage::Certified(vec!["127.0.0.1"])).await;
    put_everything(&script);
    // Names the machine's list of authorities, as OpenSSL has it.
    let variables = vec![("SSL_CERT_FILE", script.authority.clone())];
    let walked = walk_with(variables, &script.url(SERVER), &[]).await;
    walked.warns_at("certificate", &["that only this machine knows", "Claude Code, mcp-remote, Python"]);
}

#[tokio::test]
async fn a_certificate_of_an_authority_that_nobody_knows() {
    let script = Script::start(Stage::Certified(vec!["127.0.0.1"])).await;
    put_everything(&script);
    let walked = Walked::of(&script).await;
    walked.fails_at(
        "certificate",
        &[
            "of an authority that nobody knows (The authority of a test)",
            "Every client refuses",
            "--roots FILE",
        ],
    );
    assert_eq!(walked.seen("call"), "skipped: not reached");
    assert_eq!(script.spoken().len(), 0);
}

#[tokio::test]
async fn an_expired_certificate() {
    let spoil = |params: &mut CertificateParams| {
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 2, 3);
    };
    let walked = walked(Stage::Spoilt(vec!["127.0.0.1"], spoil)).await;
    walked.fails_at("certificate", &["its certificate expired at 2021-02-03T00:00:00Z", "Renew it"]);
}

#[tokio::test]
async fn a_certificate_that_is_not_valid_yet() {
    let spoil = |params: &mut CertificateParams| params.not_before = date_time_ymd(2100, 1, 1);
    let walked = walked(Stage::Spoilt(vec!["127.0.0.1"], spoil)).await;
    walked.fails_at("certificate", &["valid from 2100-01-01T00:00:00Z on, and not yet", "clocks"]);
}

#[tokio::test]
async fn a_certificate_of_another_name() {
    let walked = walked(Stage::Certified(vec!["other.test", "192.0.2.7"])).await;
    walked.fails_at("certificate", &["its certificate is for other.test, 192.0.2.7", "names 127.0.0.1"]);
}

#[tokio::test]
async fn a_self_signed_certificate() {
    let script = Script::start(Stage::SelfSigned(vec!["127.0.0.1"])).await;
    Walked::of(&script)
        .await
        .fails_at("certificate", &["signed by itself", "public authority", "TRAEFIK DEFAULT CERT"]);
}

#[tokio::test]
async fn a_certificate_without_its_chain() {
    let spoil = |params: &mut CertificateParams| {
        // Authority information access: caIssuers, http://ca/ (RFC 5280 4.2.2.1), as public authorities write it.
        let access = b"\x30\x18\x30\x16\x06\x08\x2b\x06\x01\x05\x05\x07\x30\x02\x86\x0ahttp://ca/";
        let extension = CustomExtension::from_oid_content(&[1, 3, 6, 1, 5, 5, 7, 1, 1], access.to_vec());
        params.custom_extensions.push(extension);
    };
    let script = Script::start(Stage::Spoilt(vec!["127.0.0.1"], spoil)).await;
    Walked::of(&script)
        .await
        .fails_at("certificate", &["it does not send the certificate of", "fullchain.pem"]);
}

#[tokio::test]
async fn a_port_that_speaks_no_tls() {
    let script = right().await;
    let walked = walk(&format!("https://{}/mcp", script.address), &[]).await;
    walked.fails_at("certificate", &["does not speak TLS", "plain http"]);
}

#[tokio::test]
async fn the_authorization_servers_certificate_counts_as_much() {
    let auth = Script::start(Stage::SelfSigned(vec!["127.0.0.1"])).await;
    let script = right().await;
    put_document(
        &script,
        RESOURCE_METADATA,
        &with(resource_metadata(&script), "authorization_servers", json!([auth.url("")])),
    );
    let walked = Walked::of(&script).await;
    walked.fails_at("authorization_server.certificate", &["signed by itself"]);
    assert_eq!(walked.seen("metadata"), "skipped: not reached");
}
