//! URLs at which there is no MCP server, and what the doctor takes them for.

use super::*;

const AT_ROOT: &str = "/.well-known/oauth-protected-resource";

#[tokio::test]
async fn the_issuers_own_url_is_an_authorization_servers() {
    let house = House::new();
    let server = house.serve("127.0.0.1:0", &[]);
    for url in [server.issuer.clone(), format!("{}/", server.issuer)] {
        let walked = walk(&url, &[]).await;
        let seen = format!("405 Method Not Allowed: {url} is an authorization server, and no MCP server");
        walked.fails_at("call", &[&seen, "vestibule serve prints", "vestibule resource list"]);
        assert_eq!(walked.seen("metadata"), "skipped: not reached");
    }
}

#[tokio::test]
async fn the_issuer_of_one_guarded_server_names_it() {
    let house = House::new();
    let server = house.serve("127.0.0.1:0", &["--guard", "notes=http://127.0.0.1:9/mcp"]);
    let notes = format!("{}/notes", server.issuer);
    let command = format!("Probably {notes} is meant: vestibule doctor {notes}");
    walk(&server.issuer, &[]).await.fails_at("call", &["is an authorization server", &command]);
}

#[tokio::test]
async fn a_path_at_which_there_is_nothing_of_a_host_that_names_its_resource() {
    let script = right().await;
    put_document(&script, AT_ROOT, &resource_metadata(&script));
    for status in [404, 405, 410] {
        script.put("POST", "/mpc", Scripted::status(status));
        let walked = walk(&script.url("/mpc"), &[]).await;
        let command = format!("vestibule doctor {}", script.url(SERVER));
        walked.fails_at("call", &[&status.to_string(), "no MCP server at this path", &command]);
        assert_eq!(walked.seen("resource"), "skipped: not reached", "it is no fault of the metadata");
    }
    let house = House::new();
    let server = house.serve("127.0.0.1:0", &["--guard", "notes=http://127.0.0.1:9/mcp"]);
    let seen = format!("404 Not Found, and the host's metadata names the resource {}/notes", server.issuer);
    walk(&format!("{}/note", server.issuer), &[]).await.fails_at("call", &[&seen]);
}

#[tokio::test]
async fn a_resource_in_a_command_does_nothing_else() {
    let script = right().await;
    script.put("POST", "/mpc", Scripted::status(404));
    let resource = format!("{}?$(id)';id'", script.url(SERVER));
    put_document(&script, AT_ROOT, &with(resource_metadata(&script), "resource", json!(resource)));
    let command = format!(r"vestibule doctor '{}?$(id)'\'';id'\'''", script.url(SERVER));
    walk(&script.url("/mpc"), &[]).await.fails_at("call", &[&command]);
}

#[tokio::test]
async fn what_is_no_other_resource_is_not_named() {
    for resource in [json!("urn:notes"), json!("mcp"), Value::Null, json!(["x"])] {
        let script = right().await;
        script.put("POST", "/mpc", Scripted::status(404));
        put_document(&script, AT_ROOT, &with(resource_metadata(&script), "resource", resource));
        let walked = walk(&script.url("/mpc"), &[]).await;
        assert_eq!(walked.seen("call"), "fail: 404 Not Found");
    }
    // The host names the very URL that was typed.
    let script = right().await;
    script.put("POST", SERVER, Scripted::status(405));
    put_document(&script, AT_ROOT, &resource_metadata(&script));
    Walked::of(&script).await.fails_at("call", &["older transport of /sse"]);
}

#[tokio::test]
async fn metadata_of_another_issuer_makes_no_authorization_server() {
    let script = right().await;
    script.put("POST", SERVER, Scripted::status(405));
    put_document(&script, "/.well-known/oauth-authorization-server/mcp", &metadata(&script));
    let walked = Walked::of(&script).await;
    assert_eq!(walked.seen("call"), "fail: 405 Method Not Allowed");
}
