//! What the owner says: no documents, some hosts only, and clients of their own that count more than any document.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::Semaphore;
use vestibule::config::{Flags, Switch, load};
use vestibule::oauth::client::{Credential, RegisteredBy};
use vestibule::oauth::grant_type::GrantType;
use vestibule::oauth::ids::ClientId;
use vestibule::store::clients;

use super::{NAME, PATH, World, assert_known, assert_refused, client, document, kept, visit};
use crate::harness::{Browser, House, R1, Reply, Server, Tokens, until};

async fn promised(server: &Server) -> [Value; 2] {
    let paths = ["/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"];
    let mut promised = Vec::new();
    for path in paths {
        let metadata = server.get(path).send().await.json();
        promised.push(metadata["client_id_metadata_document_supported"].clone());
    }
    promised.try_into().expect("two documents")
}

#[tokio::test]
async fn c_mcp_06_documents_can_be_switched_off_and_then_nobody_is_asked_and_nothing_is_promised() {
    let world = World::new().await;
    assert_eq!(promised(&world.server).await, [true, true]);
    let tokens = world.client.tokens(&world.server, "alice", &[("resource", R1)]).await;
    let (hits, questions) = (world.host.hits(), world.resolver.questions());
    let server = world.server.restart_with(|settings| settings.client_documents.fetching = Switch::Off).await;
    assert_eq!(promised(&server).await, [false, false]);
    let unknown = world.host.url(NAME, "/unknown");
    for id in [unknown.as_str(), &world.client.id, "HTTPS://client.test/x", "https://10.0.0.1/x"] {
        assert_refused(&server, id, 400, "client_documents_off").await;
    }
    let page = visit(&server, &unknown).await.text();
    assert!(page.contains("vestibule serve --client-documents on"), "{page}");
    // Whoever is signed in is not thrown out by it.
    Tokens::of(&world.client.refresh(&server, tokens.refresh(), &[]).await);
    assert_eq!((world.host.hits(), world.resolver.questions()), (hits, questions));
}

/// Settings as the owner writes them.
fn hosts(key: &'static str, list: &str) -> vestibule::config::ClientDocuments {
    let flags = Flags { config: None, values: vec![(key, list.to_owned())] };
    load(&flags).expect("good settings").client_documents
}

#[tokio::test]
async fn a_cimd_21_only_the_hosts_that_the_owner_lists_vouch_for_clients() {
    let world = World::with(|settings| {
        settings.client_documents = hosts("client_document_hosts", "client.test, *.trusted.test, 127.0.0.1");
    })
    .await;
    assert_known(&visit(&world.server, &world.client.id).await, "listed");
    let asked = world.resolver.questions().len();
    for other in
        ["evil.test", "a.client.test", "evilclient.test", "client.test.evil.test", "trusted.test", "10.0.0.1"]
    {
        let url = world.host.url(other, PATH);
        assert_refused(&world.server, &url, 400, "client_document_host_refused").await;
    }
    assert_eq!(world.resolver.questions().len(), asked);
    // Listed, and asked: this host has no certificate for that name.
    assert_refused(&world.server, &world.host.url("a.trusted.test", PATH), 503, "(tls: ").await;
    let mend = {
        visit(&world.server, &world.host.url("evil.test", PATH)).await;
        world.server.audit()[0].3["mend"].as_str().expect("what mends it").to_owned()
    };
    assert!(mend.contains("evil.test") && mend.contains("--client-document-hosts"), "{mend}");
}

#[tokio::test]
async fn a_cimd_21_a_refused_host_is_refused_even_if_it_is_listed_or_was_known() {
    let world = World::new().await;
    assert_known(&visit(&world.server, &world.client.id).await, "before");
    let refused = hosts("client_document_hosts_refused", "client.test *.evil.test");
    let allowed = hosts("client_document_hosts", "client.test, good.evil.test");
    let server = world
        .server
        .restart_with(|settings| {
            settings.client_documents.hosts_refused = refused.hosts_refused;
            settings.client_documents.hosts = allowed.hosts;
        })
        .await;
    let hits = world.host.hits();
    for id in [world.client.id.clone(), world.host.url("good.evil.test", PATH)] {
        assert_refused(&server, &id, 400, "client_document_host_refused").await;
    }
    assert_eq!(world.host.hits(), hits);
}

#[tokio::test]
async fn a_cimd_22_a_client_that_the_owner_added_under_a_url_is_what_it_was_added_as() {
    let world = World::new().await;
    let code = [GrantType::AuthorizationCode, GrantType::RefreshToken];
    let own = crate::harness::client(&world.client.id, Credential::Public, &["https://own.test/cb"], &code);
    world.server.command(move |tx| clients::insert(tx, &own, "{}"));
    let before = world.kept();
    let own = crate::harness::ClientApp {
        redirect_uri: "https://own.test/cb".to_owned(),
        ..client(&world.client.id)
    };
    own.tokens(&world.server, "alice", &[("resource", R1)]).await;
    visit(&world.server, &world.client.id).await.assert_problem_page(400);
    assert_eq!(
        world.server.audit()[0].3["reason"],
        "redirect_uri_unknown",
        "the document's redirect is not its own"
    );
    let page =
        Browser::signed_in(&world.server, "bob").await.go(&world.server, &own.authorize_url(&[])).await;
    assert!(page.text().contains("Added by an admin") && !page.text().contains("Vouched"), "{}", page.text());
    assert_eq!((world.host.connections(), world.resolver.questions().len(), world.kept()), (0, 0, before));
    // Also where no document counts at all.
    let server = world.server.restart_with(|settings| settings.client_documents.fetching = Switch::Off).await;
    own.tokens(&server, "alice", &[("resource", R1)]).await;
}

#[tokio::test]
async fn a_cimd_22_the_owner_comes_first_also_while_the_document_is_on_its_way() {
    let world = World::new().await;
    let leave = Arc::new(Semaphore::new(0));
    world.host.put(PATH, Reply::json(&document(&world.client.id)).held(&leave));
    let adding = async {
        until(|| world.host.hits() > 0).await;
        let code = [GrantType::AuthorizationCode];
        let own =
            crate::harness::client(&world.client.id, Credential::Public, &["https://own.test/cb"], &code);
        world.server.command(move |tx| clients::insert(tx, &own, "{}"));
        leave.add_permits(1);
    };
    let (answer, ()) = tokio::join!(visit(&world.server, &world.client.id), adding);
    answer.assert_problem_page(400);
    let id = ClientId::parse(&world.client.id).expect("an id");
    let found =
        world.server.app.store.read(|tx| clients::find(tx, &id)).expect("the clients").expect("the client");
    assert_eq!(found.registered_by, RegisteredBy::Owner);
    assert_eq!(kept(&world.server, &world.client.id).expect("the client").1, "https://own.test/cb");
    assert_eq!(world.server.count("client_documents"), 0);
}

#[tokio::test]
async fn a_cimd_22_the_owner_takes_a_documents_place_on_purpose_only() {
    let world = World::new().await;
    let tokens = world.client.tokens(&world.server, "alice", &[("resource", R1)]).await;
    let (house, db) = (House::new(), world.server.app.store.path().to_str().expect("a path").to_owned());
    let own = json!({ "clients": [{ "client_id": world.client.id, "public": true, "redirect_uris": ["https://own.test/cb"] }] });
    std::fs::write(house.path("own.json"), own.to_string()).expect("the file");
    let before = world.kept();
    let refused = house.run(&["apply", "own.json", "--db", &db], "");
    assert!(refused.status == Some(1) && refused.err.contains("vestibule client remove"), "{refused:?}");
    assert_eq!(world.kept(), before);
    house.ok(&["client", "remove", &world.client.id, "--db", &db], "");
    house.ok(&["apply", "own.json", "--db", &db], "");
    world.client.refresh(&world.server, tokens.refresh(), &[]).await.assert_refused("invalid_grant");
    visit(&world.server, &world.client.id).await.assert_problem_page(400);
    assert_eq!(kept(&world.server, &world.client.id).expect("the client").1, "https://own.test/cb");
}

#[tokio::test]
async fn a_document_with_an_app_link_is_refused_where_the_owner_wants_none() {
    use vestibule::oauth::redirect_uri::AppLinks;
    let link = json!({ "redirect_uris": ["https://client.test/cb", "cursor://anysphere/cb"] });
    let world = World::with(|settings| settings.app_links = AppLinks::Refused).await;
    world.publish(&super::with(world.document(), link.clone()));
    assert_refused(&world.server, &world.client.id, 400, "(app_link)").await;
    let world = World::new().await;
    world.publish(&super::with(world.document(), link));
    assert_known(&visit(&world.server, &world.client.id).await, "as usual");
}
