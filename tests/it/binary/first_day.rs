//! The first day: an empty directory, the set-up link, a few commands, a client that signs in.

use super::*;

#[tokio::test]
async fn from_an_empty_directory_to_a_client_that_is_signed_in_and_out_again() {
    let house = House::new();
    let mut server = house.serve_without_arguments();
    assert_eq!(server.issuer, format!("http://{}", server.address));
    let link = server.program.line_with("/setup?token=").trim().to_owned();

    let mut alice = Person::new(server.address, &server.issuer, "alice", PASSWORD);
    let answer = alice.become_admin(&link).await;
    assert_eq!((answer.status.as_u16(), answer.header("location")), (303, Some("/account")));
    assert!(alice.open("/account").await.text().contains("alice"));
    let mut mallory = Person::new(server.address, &server.issuer, "mallory", PASSWORD);
    mallory.become_admin(&link).await.assert_problem_page(400);

    // From a shell, while the server runs; each is true at its next request.
    house.ok(&["resource", "add", RESOURCE, "--name", "Notes", "--scopes", "read write"], "");
    house.ok(&["user", "add", "bob", "--password-stdin"], &format!("{PASSWORD}\n"));
    let users = house.json(&["user", "list"]);
    let users: Vec<_> = users.as_array().expect("a list").iter().map(|user| text(user, "name")).collect();
    assert_eq!(users, ["alice", "bob"]);
    let client_id = add_client(&house);

    let mut bob = Person::new(server.address, &server.issuer, "bob", PASSWORD);
    let mut wire = connect(server.address).await;
    let code = Code::from(&mut bob, &client_id).await;
    let token = code.refresh_token(&mut wire).await;
    let answer = refresh(&mut wire, &client_id, &token).await.expect("an answer").json();
    assert_eq!(answer["scope"], "read write");
    let token = text(&answer, "refresh_token");

    let grants = house.json(&["grant", "list"]);
    assert_eq!(grants.as_array().map(Vec::len), Some(1), "{grants}");
    assert_eq!((&grants[0]["user"], &grants[0]["client_id"]), (&"bob".into(), &client_id.as_str().into()));
    assert_eq!(grants[0]["resources"][0], RESOURCE);
    let audit = house.json(&["audit", "--user", "bob"]);
    let events: Vec<_> = audit.as_array().expect("a list").iter().map(|entry| text(entry, "event")).collect();
    for event in ["user.login.success", "oauth.authorize.granted", "oauth.token.exchange.success"] {
        assert!(events.iter().any(|one| one == event), "{event} is not in {events:?}");
    }
    assert!(!audit.to_string().contains(&token) && !audit.to_string().contains(PASSWORD));

    let backup = house.path("backup.db");
    house.ok(&["backup", "backup.db"], "");
    assert_eq!(integrity(&backup), "ok");
    house.ok(&["restore", "backup.db", "--db", "again.db"], "");
    assert_eq!(house.json(&["grant", "list", "--db", "again.db"]), grants);

    let id = grants[0]["id"].to_string();
    house.ok(&["grant", "revoke", &id], "");
    let refused = refresh(&mut wire, &client_id, &token).await.expect("an answer");
    refused.assert_refused("invalid_grant");
    assert_eq!(house.json(&["grant", "list"]), serde_json::json!([]));
    server.program.kill();
}

#[test]
fn a_second_server_at_the_address_says_so_in_one_line_and_leaves_no_file() {
    let house = House::new();
    let server = house.serve("127.0.0.1:0", &[]);
    let address = server.address.to_string();
    let other = House::new();
    let done = other.run(&["serve", "--listen", &address], "");
    assert_eq!((done.status, done.out.as_str(), done.err.lines().count()), (Some(1), "", 1), "{done:?}");
    for words in ["vestibule: ", &address, "in use", "--listen"] {
        assert!(done.err.contains(words), "{words}: {}", done.err);
    }
    assert!(!other.path("vestibule.db").exists());
}

#[test]
fn another_issuer_is_refused_until_it_is_meant() {
    let house = House::new();
    let server = house.serve("127.0.0.1:0", &["--issuer", "https://auth.home.example"]);
    server.program.kill();
    let done = house.run(&["serve", "--listen", "127.0.0.1:0", "--issuer", "https://new.home.example"], "");
    assert_eq!((done.status, done.err.lines().count()), (Some(1), 1), "{done:?}");
    for words in ["https://auth.home.example", "https://new.home.example", "--change-issuer"] {
        assert!(done.err.contains(words), "{words}: {}", done.err);
    }
    assert_eq!(house.serve("127.0.0.1:0", &[]).issuer, "https://auth.home.example");
    let meant = ["--issuer", "https://new.home.example", "--change-issuer"];
    assert_eq!(house.serve("127.0.0.1:0", &meant).issuer, "https://new.home.example");
}
