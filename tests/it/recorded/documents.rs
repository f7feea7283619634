//! Client ID metadata documents as their vendors publish them (fetched by others between August and October 2026), and
//! the redirects with which those clients come. `codex_server.json` is put together from what its vendor says of it.
//!
//! Every document counts as one registration would: exactly, but for the port of a loopback redirect.

use std::fs;
use std::path::Path;

use serde_json::Value;
use vestibule::oauth::redirect_uri::RedirectUri;

/// File, document, redirects that the client sends, redirects that are not its own.
type Row = (&'static str, &'static str, &'static [&'static str], &'static [&'static str]);

const ROWS: [Row; 11] = [
    (
        "claude",
        "https://claude.ai/oauth/mcp-oauth-client-metadata",
        &["https://claude.ai/api/mcp/auth_callback"],
        &[
            "https://claude.ai/api/mcp/auth_callback/",
            "https://claude.ai:8443/api/mcp/auth_callback",
            "https://claude.ai.evil.test/api/mcp/auth_callback",
            "https://claude.com/api/mcp/auth_callback",
        ],
    ),
    (
        "claude_code",
        "https://claude.ai/oauth/claude-code-client-metadata",
        &["http://localhost:3118/callback", "http://127.0.0.1:53124/callback", "http://localhost:1/callback"],
        &[
            "http://localhost:3118/other",
            "http://localhost:3118/callback/",
            "http://localhost:3118/callback?next=1",
            "https://localhost:3118/callback",
            "http://[::1]:3118/callback",
            "http://localhost.evil.test:3118/callback",
        ],
    ),
    (
        "vs_code",
        "https://vscode.dev/oauth/client-metadata.json",
        &[
            "http://127.0.0.1:33418/",
            "http://127.0.0.1:51234/",
            "http://127.0.0.1:51234",
            "https://vscode.dev/redirect",
        ],
        &["http://localhost:33418/", "http://127.0.0.1:33418/other", "https://insiders.vscode.dev/redirect"],
    ),
    (
        "chatgpt",
        "https://chatgpt.com/oauth/client.json",
        &["https://chatgpt.com/connector_platform_oauth_redirect"],
        &[
            "https://chatgpt.com/connector/oauth/mcp",
            "https://chatgpt.com/connector_platform_oauth_redirect/",
        ],
    ),
    (
        "chatgpt_2026_08",
        "https://chatgpt.com/oauth/client.json",
        &["https://chatgpt.com/connector_platform_oauth_redirect"],
        &["https://chatgpt.com/connector/oauth/mcp"],
    ),
    (
        "chatgpt_connector",
        "https://chatgpt.com/oauth/mcp/client.json",
        &["https://chatgpt.com/connector/oauth/mcp"],
        &[
            "https://chatgpt.com/connector/oauth/other",
            "https://chatgpt.com/connector_platform_oauth_redirect",
        ],
    ),
    (
        // Where the metadata promises `iss` (RFC 9207), as here.
        "codex",
        "https://chatgpt.com/oauth/codex/client.json",
        &["http://127.0.0.1:43119/callback", "http://localhost:43119/callback"],
        &["http://127.0.0.1:43119/callback/ICU4T-v9BpDz", "http://[::1]:43119/callback"],
    ),
    (
        // Where it does not: a document and a path for each MCP server.
        "codex_server",
        "https://chatgpt.com/oauth/codex/ICU4T-v9BpDz/client.json",
        &["http://127.0.0.1:43119/callback/ICU4T-v9BpDz"],
        &["http://127.0.0.1:43119/callback", "http://127.0.0.1:43119/callback/abc123ABC_-x"],
    ),
    (
        "zed",
        "https://zed.dev/oauth/client-metadata.json",
        &["http://127.0.0.1:49152/callback"],
        &["http://localhost:49152/callback"],
    ),
    (
        "goose",
        "https://goose-docs.ai/oauth/client-metadata.json",
        &["http://127.0.0.1:49152/oauth_callback", "http://[::1]:49152/oauth_callback"],
        &["http://localhost:49152/oauth_callback", "http://127.0.0.1:49152/callback"],
    ),
    (
        // It sends another path than its document lists, and every server that compares refuses it.
        "opencode",
        "https://opencode.ai/oauth/opencode/client.json",
        &["http://127.0.0.1:19876/callback"],
        &["http://127.0.0.1:19876/mcp/oauth/callback"],
    ),
];

fn directory() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/client_documents")
}

#[test]
fn a_document_is_what_its_url_says_and_lists_the_redirects_that_its_client_sends() {
    for (file, url, theirs, others) in ROWS {
        let text = fs::read_to_string(directory().join(format!("{file}.json"))).expect(file);
        assert!(text.len() < 5 * 1024, "{file}: what a server reads at most");
        let document: Value = serde_json::from_str(&text).expect(file);
        assert_eq!(document["client_id"], url, "{file}");
        assert!(document["client_name"].is_string(), "{file}");
        let redirects: Vec<RedirectUri> = document["redirect_uris"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|uri| RedirectUri::parse(uri.as_str().expect("a text")).expect("one that may be registered"))
            .collect();
        let matches = |redirect: &str| redirects.iter().any(|registered| registered.matches(redirect));
        for redirect in theirs {
            assert!(matches(redirect), "{file}: {redirect}");
        }
        for redirect in others {
            assert!(!matches(redirect), "{file}: {redirect}");
        }
    }
}

#[test]
fn no_document_is_forgotten() {
    let mut files: Vec<String> = fs::read_dir(directory())
        .expect("the documents")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    files.sort_unstable();
    let mut listed: Vec<String> = ROWS.iter().map(|(file, ..)| format!("{file}.json")).collect();
    listed.sort_unstable();
    assert_eq!(files, listed);
}
