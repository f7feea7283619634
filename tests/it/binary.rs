//! The built binary as people meet it: started in an empty directory, asked from a shell, killed, stopped, started
//! again.

mod crash;
mod first_day;
mod stop;

use std::net::SocketAddr;

use serde_json::Value;

use crate::harness::{Answer, House, Person, Pkce, Wire};

const PASSWORD: &str = "correct horse battery staple";
const RESOURCE: &str = "https://notes.home.example/mcp";
const REDIRECT_URI: &str = "http://127.0.0.1/callback";

/// A client's answer, as tests look at it.
fn text(answer: &Value, name: &str) -> String {
    answer[name].as_str().unwrap_or_else(|| panic!("no {name} in {answer}")).to_owned()
}

/// A public client, added from the shell: its `client_id`.
fn add_client(house: &House) -> String {
    let added =
        house.json(&["client", "add", "--name", "Editor", "--public", "--redirect-uri", REDIRECT_URI]);
    text(&added, "client_id")
}

/// A code, and what it takes to redeem it.
struct Code {
    code: String,
    client_id: String,
    pkce: Pkce,
}

impl Code {
    /// The person lets the client in.
    async fn from(person: &mut Person, client_id: &str) -> Self {
        let pkce = Pkce::new();
        let query = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs([
                ("response_type", "code"),
                ("client_id", client_id),
                ("redirect_uri", REDIRECT_URI),
                ("resource", RESOURCE),
                ("code_challenge", &pkce.challenge),
                ("code_challenge_method", "S256"),
            ])
            .finish();
        let location = person.allow(&format!("/oauth/authorize?{query}")).await;
        let url = url::Url::parse(&location).expect("a URL");
        let code = url.query_pairs().find(|(name, _)| name == "code");
        let code = code.unwrap_or_else(|| panic!("no code in {location}")).1.into_owned();
        Self { code, client_id: client_id.to_owned(), pkce }
    }

    async fn redeem(&self, wire: &mut Wire) -> Answer {
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", self.code.as_str()),
            ("redirect_uri", REDIRECT_URI),
            ("client_id", &self.client_id),
            ("code_verifier", &self.pkce.verifier),
        ];
        wire.post("/oauth/token", &[], &fields).await.expect("an answer")
    }

    /// The refresh token of a redemption that must work.
    async fn refresh_token(&self, wire: &mut Wire) -> String {
        let answer = self.redeem(wire).await;
        assert_eq!(answer.status.as_u16(), 200, "{}", answer.text());
        text(&answer.json(), "refresh_token")
    }
}

async fn connect(address: SocketAddr) -> Wire {
    Wire::open(address).await.expect("it listens")
}

async fn refresh(wire: &mut Wire, client_id: &str, token: &str) -> Result<Answer, String> {
    let fields = [("grant_type", "refresh_token"), ("refresh_token", token), ("client_id", client_id)];
    wire.post("/oauth/token", &[], &fields).await
}

/// What SQLite finds wrong with a file; `ok` if nothing.
fn integrity(path: &std::path::Path) -> String {
    let file = rusqlite::Connection::open(path).expect("a database");
    file.query_row("pragma integrity_check", [], |row| row.get(0)).expect("an answer")
}
