//! `vestibule doctor`: the built binary against a server that is set up rightly, and against the same server with one
//! thing wrong. Each thing is named at its step, with who stumbles and what mends it, and nothing else is.

mod authorization_server;
mod meant;
mod names;
mod report;
mod resource;
mod right;
mod server;
mod sign_in;
mod tls;

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::harness::{House, Script, Scripted, Stage};

const SERVER: &str = "/mcp";
const RESOURCE_METADATA: &str = "/.well-known/oauth-protected-resource/mcp";
const METADATA: &str = "/.well-known/oauth-authorization-server";

/// A server that is set up rightly: an MCP server, its metadata and its authorization server in one place.
async fn right() -> Script {
    let script = Script::start(Stage::Plain).await;
    put_everything(&script);
    script
}

fn put_everything(script: &Script) {
    script.put("POST", SERVER, challenge(&script.url(RESOURCE_METADATA)));
    script.put("GET", SERVER, challenge(&script.url(RESOURCE_METADATA)));
    script.put("OPTIONS", SERVER, preflight());
    put_document(script, RESOURCE_METADATA, &resource_metadata(script));
    put_document(script, METADATA, &metadata(script));
    let key = json!({ "kty": "EC", "crv": "P-256", "x": "x", "y": "y", "use": "sig", "kid": "1" });
    script.put("GET", "/jwks", Scripted::json(200, &json!({ "keys": [key] })));
    script.put("OPTIONS", "/register", preflight());
    script.put("POST", "/register", Scripted::json(201, &registered(script)));
    script.put("DELETE", "/register/1", Scripted::status(204));
    script.put("GET", "/authorize", Scripted::html(200, "Sign in"));
    script.put("OPTIONS", "/token", preflight());
    script.put("POST", "/token", Scripted::json(400, &json!({ "error": "invalid_grant" })));
}

/// A document that pages may read.
fn put_document(script: &Script, path: &str, document: &Value) {
    script.put("GET", path, open(Scripted::json(200, document)));
    script.put("OPTIONS", path, preflight());
}

fn open(line: Scripted) -> Scripted {
    line.header("access-control-allow-origin", "*")
}

fn preflight() -> Scripted {
    let allowed = "Authorization, Content-Type, MCP-Protocol-Version, Mcp-Session-Id, Last-Event-ID";
    open(Scripted::status(204)).header("access-control-allow-headers", allowed)
}

fn challenge(metadata: &str) -> Scripted {
    open(Scripted::status(401))
        .header("access-control-expose-headers", "WWW-Authenticate, Mcp-Session-Id")
        .header("www-authenticate", &format!(r#"Bearer resource_metadata="{metadata}", scope="read""#))
}

fn resource_metadata(script: &Script) -> Value {
    json!({
        "resource": script.url(SERVER),
        "authorization_servers": [script.url("")],
        "scopes_supported": ["read"],
        "bearer_methods_supported": ["header"],
    })
}

fn metadata(script: &Script) -> Value {
    json!({
        "issuer": script.url(""),
        "authorization_endpoint": script.url("/authorize"),
        "token_endpoint": script.url("/token"),
        "registration_endpoint": script.url("/register"),
        "jwks_uri": script.url("/jwks"),
        "scopes_supported": ["read", "offline_access"],
        "response_types_supported": ["code"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_methods_supported": ["none"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
    })
}

fn registered(script: &Script) -> Value {
    json!({
        "client_id": "client-1",
        "redirect_uris": ["http://localhost:3118/callback"],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
        "registration_client_uri": script.url("/register/1"),
        "registration_access_token": "of-client-1",
    })
}

/// Sets a member of a document; null takes it out.
fn with(mut document: Value, name: &str, value: Value) -> Value {
    let members = document.as_object_mut().expect("an object");
    match value {
        Value::Null => drop(members.remove(name)),
        value => drop(members.insert(name.to_owned(), value)),
    }
    document
}

/// What the binary said of a URL.
struct Walked {
    status: i32,
    report: Value,
}

/// Runs `vestibule doctor URL --json`.
async fn walk(url: &str, more: &[&str]) -> Walked {
    walk_with(Vec::new(), url, more).await
}

/// [`walk`] with these variables in the environment.
async fn walk_with(variables: Vec<(&'static str, PathBuf)>, url: &str, more: &[&str]) -> Walked {
    let arguments: Vec<String> =
        ["doctor", url, "--json"].iter().chain(more).map(|argument| (*argument).to_owned()).collect();
    let house = House::new();
    // Elsewhere, since the server that it asks runs here.
    let done = tokio::task::spawn_blocking(move || {
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let variables: Vec<_> = variables.iter().map(|(name, value)| (*name, value.as_path())).collect();
        let done = house.run_with(&variables, &arguments, "");
        assert!(!house.path("vestibule.db").exists(), "it makes no database");
        done
    });
    let done = done.await.expect("it ends");
    assert_eq!(done.err, "", "all is in the report");
    let report = serde_json::from_str(&done.out).unwrap_or_else(|why| panic!("{why}: {}", done.out));
    Walked { status: done.status.expect("it ends by itself"), report }
}

impl Walked {
    /// Walks the MCP server of a script.
    async fn of(script: &Script) -> Self {
        walk(&script.url(SERVER), &[]).await
    }

    fn steps(&self) -> &[Value] {
        self.report["steps"].as_array().expect("a list")
    }

    /// What was found at a step with this mark.
    fn marked(&self, mark: &str) -> Vec<&Value> {
        self.steps().iter().filter(|finding| finding["mark"] == mark).collect()
    }

    /// What a step saw.
    #[track_caller]
    fn seen(&self, step: &str) -> String {
        let found = self.steps().iter().find(|finding| finding["step"] == step);
        let found = found.unwrap_or_else(|| panic!("no step {step}"));
        format!("{}: {}", found["mark"].as_str().expect("a mark"), found["seen"].as_str().expect("a text"))
    }

    /// Nothing keeps clients from connecting, and nothing is worth a warning but that the address is this machine's.
    #[track_caller]
    fn is_right(&self) {
        assert_eq!(self.status, 0, "{:#}", self.report);
        assert_eq!(self.marked("fail"), Vec::<&Value>::new());
        let warned: Vec<_> = self.marked("warn").iter().map(|finding| finding["step"].clone()).collect();
        assert_eq!(warned, ["address"], "{:#}", self.report);
    }

    /// One thing is wrong, at this step; all these words are in what is said of it.
    #[track_caller]
    fn fails_at(&self, step: &str, words: &[&str]) {
        self.fails_at_all(&[(step, words)]);
    }

    /// These things are wrong, and no others.
    #[track_caller]
    fn fails_at_all(&self, expected: &[(&str, &[&str])]) {
        assert_eq!(self.status, 1, "{:#}", self.report);
        let failed = self.marked("fail");
        let steps: Vec<_> = failed.iter().map(|finding| finding["step"].as_str().expect("a step")).collect();
        let wanted: Vec<_> = expected.iter().map(|(step, _)| *step).collect();
        assert_eq!(steps, wanted, "{failed:#?}");
        assert_eq!(self.report["verdict"]["failures"], expected.len());
        for (finding, (_, words)) in failed.iter().zip(expected) {
            says(finding, words);
        }
    }

    /// Clients connect, and this step warns, in these words.
    #[track_caller]
    fn warns_at(&self, step: &str, words: &[&str]) {
        assert_eq!(self.status, 0, "{:#}", self.report);
        let warned: Vec<_> =
            self.marked("warn").into_iter().filter(|finding| finding["step"] != "address").collect();
        assert_eq!(warned.len(), 1, "{warned:#?}");
        assert_eq!(warned[0]["step"], step);
        says(warned[0], words);
    }
}

/// A warning or a failure says what was seen, why it matters, and what mends it.
#[track_caller]
fn says(finding: &Value, words: &[&str]) {
    for part in ["seen", "why", "mend"] {
        assert!(finding[part].as_str().is_some_and(|text| text.len() > 2), "{part}: {finding:#}");
    }
    let text = ["seen", "why", "mend"].map(|part| finding[part].as_str().expect("a text")).join("\n");
    for word in words {
        assert!(text.contains(word), "{word:?} is not in {text}");
    }
}
