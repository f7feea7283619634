//! Forward authentication: what a reverse proxy is told when it asks whether a request may go on, and how a person's browser
//! gets to be let on.

use vestibule::clock::UnixTime;
use vestibule::http::{Status, TrustedProxies};
use vestibule::oauth::guard::{Guard, Identity, Rules, UpstreamUrl};
use vestibule::oauth::resource::{Admission, Resource};
use vestibule::store::{resources, sessions, users};

use crate::harness::{Answer, Browser, ClientApp, ISSUER, Listening, PASSWORD, Server, resource};

const APP: &str = "https://app.test";
const MCP: &str = "https://mcp.test/mcp";

/// A server that trusts a proxy at 127.0.0.1, before a whole host and before a path of another.
async fn world() -> Server {
    let server = Server::start_with(|settings| {
        settings.trusted_proxies = TrustedProxies::parse(["127.0.0.1"]).expect("a proxy");
    })
    .await;
    for (uri, scopes) in [(APP, ""), (MCP, "read")] {
        let resource = resource(uri, scopes);
        server.command(move |tx| resources::insert(tx, &resource, UnixTime::new(1_800_000_000)).map(drop));
    }
    server
}

/// What the proxy asks for a request.
struct Proxied<'a> {
    server: &'a Server,
    headers: Vec<(String, String)>,
}

impl<'a> Proxied<'a> {
    fn of(server: &'a Server, method: &str, url: &str) -> Self {
        let (scheme, rest) = url.split_once("://").expect("a URL");
        let (host, path) = rest.split_at(rest.find('/').expect("a path"));
        let headers = [
            ("x-forwarded-method", method),
            ("x-forwarded-proto", scheme),
            ("x-forwarded-host", host),
            ("x-forwarded-uri", path),
            ("x-forwarded-for", "192.0.2.7"),
        ];
        Self { server, headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec() }
    }

    /// Instead of what is there.
    fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(other, _)| other != name);
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(other, _)| other != name);
        self
    }

    async fn ask(self) -> Answer {
        self.ask_at("/verify").await
    }

    async fn ask_at(self, path: &str) -> Answer {
        let asked =
            self.headers.iter().fold(self.server.get(path), |asked, (name, value)| asked.header(name, value));
        asked.send().await
    }
}

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

/// The path and query of a URL, if it lies at an origin.
fn below<'a>(url: &'a str, origin: &str) -> &'a str {
    url.strip_prefix(origin).unwrap_or_else(|| panic!("{url} is not at {origin}"))
}

/// A person in front of two hosts: cookies here, and cookies there.
#[derive(Default)]
struct Person {
    here: Browser,
    there: Browser,
}

impl Person {
    /// Opens a page behind the proxy.
    async fn open(&mut self, server: &Server, url: &str) -> Answer {
        let answer = Proxied::of(server, "GET", url)
            .header("accept", "text/html,*/*;q=0.8")
            .header("sec-fetch-mode", "navigate")
            .header("cookie", &self.there.cookie())
            .ask()
            .await;
        self.there.keep(&answer);
        answer
    }

    /// Comes back with a ticket.
    async fn arrive(&mut self, server: &Server, location: &str, host: &str) -> Answer {
        let path = below(location, &format!("https://{}", host.trim_end_matches(":443")));
        let answer = server
            .get(path)
            .header("host", host)
            .header("accept", "text/html")
            .header("cookie", &self.there.cookie());
        let answer = answer.send().await;
        self.there.keep(&answer);
        answer
    }

    /// Signs in on the way to a page, and gets there.
    async fn enter(&mut self, server: &Server, url: &str, name: &str) -> Answer {
        let away = self.open(server, url).await.location();
        let page = self.here.go(server, below(&away, ISSUER)).await;
        let location = match page.header("location") {
            Some(location) => location.to_owned(),
            None => {
                let answer = self.here.sign_in(server, &page, name, PASSWORD).await;
                let next = answer.location();
                self.here.get(server, &next).await.location()
            }
        };
        let back = self.arrive(server, &location, "app.test").await;
        assert_eq!(back.location(), url);
        self.open(server, url).await
    }
}

#[tokio::test]
async fn the_proxy_is_told_what_a_token_allows_today() {
    let server = world().await;
    let tokens = ClientApp::fixture("pub").tokens(&server, "alice", &[("resource", MCP)]).await;
    let changed = resource(MCP, "other");
    server.command(move |tx| resources::update(tx, &changed));
    let asked = Proxied::of(&server, "POST", "https://mcp.test/mcp");
    let answer = asked.header("authorization", &bearer(&tokens.access)).ask().await;
    assert_eq!((answer.status, answer.header("x-vestibule-scope")), (Status::OK, Some("")));
}

#[tokio::test]
async fn what_the_guard_stands_before_is_not_passed_by_asking() {
    let server = world().await;
    let upstream = UpstreamUrl::parse("http://127.0.0.1:1").expect("a URL");
    let guard = Guard { upstream, rules: Rules::default(), identity: Identity::Headers };
    let notes = Resource { guard: Some(guard), ..resource("https://as.test/notes", "read") };
    let uri = notes.uri.to_string();
    server.command(move |tx| resources::insert(tx, &notes, UnixTime::new(1_800_000_000)).map(drop));
    let tokens = ClientApp::fixture("pub").tokens(&server, "alice", &[("resource", &uri)]).await;
    let asked = Proxied::of(&server, "POST", &uri);
    let answer = asked.header("authorization", &bearer(&tokens.access)).ask().await;
    assert_eq!(answer.status, Status::FORBIDDEN, "its rules would not be looked at");
}

#[tokio::test]
async fn a_machine_with_a_token_is_let_on_and_the_proxy_learns_who_it_is() {
    let server = world().await;
    let tokens = ClientApp::fixture("pub").tokens(&server, "alice", &[("resource", MCP)]).await;
    let url = "https://mcp.test/mcp";
    let answer =
        Proxied::of(&server, "POST", url).header("authorization", &bearer(&tokens.access)).ask().await;
    assert_eq!(answer.status, Status::OK, "{}", answer.text());
    for (header, value) in [("user", "alice"), ("email", ""), ("client", "pub"), ("scope", "read")] {
        assert_eq!(answer.header(&format!("x-vestibule-{header}")), Some(value), "{header}");
    }
    // Below it as well, and nowhere else.
    for (place, status) in [
        ("https://mcp.test/mcp/x?y", Status::OK),
        ("https://mcp.test/other", Status::FORBIDDEN),
        ("https://mcp.test/mcp-evil", Status::FORBIDDEN),
        ("https://app.test/", Status::UNAUTHORIZED),
        ("http://mcp.test/mcp", Status::FORBIDDEN),
        ("https://mcp.test:8443/mcp", Status::FORBIDDEN),
        ("https://mcp.test/mcp/../other", Status::BAD_REQUEST),
        ("https://mcp.test/mcp/%2e%2e/other", Status::BAD_REQUEST),
        ("https://mcp.test//mcp", Status::FORBIDDEN),
    ] {
        let asked = Proxied::of(&server, "POST", place).header("authorization", &bearer(&tokens.access));
        assert_eq!(asked.ask().await.status, status, "{place}");
    }
}

#[tokio::test]
async fn a_path_that_somebody_takes_for_another_resources_is_let_on_by_nobodys_token() {
    let server = world().await;
    let admin = resource("https://mcp.test/mcp/admin", "read");
    server.command(move |tx| resources::insert(tx, &admin, UnixTime::new(1_800_000_000)).map(drop));
    let tokens = ClientApp::fixture("pub").tokens(&server, "alice", &[("resource", MCP)]).await;
    for (path, status) in [
        ("/mcp/x", Status::OK),
        ("/mcp/administration", Status::OK),
        ("/mcp/admin", Status::UNAUTHORIZED),
        ("/mcp/admin/x", Status::UNAUTHORIZED),
        ("/mcp/ADMIN", Status::BAD_REQUEST),
        ("/mcp/%61dmin/x", Status::BAD_REQUEST),
        ("/mcp/admin;v=1/x", Status::BAD_REQUEST),
        ("/mcp/admin.", Status::BAD_REQUEST),
        // However far behind it stands.
        (&format!("/mcp/{}/x", "a".repeat(3000)), Status::OK),
        (&format!("/mcp/{}/../admin", "a".repeat(3000)), Status::BAD_REQUEST),
    ] {
        let asked = Proxied::of(&server, "POST", &format!("https://mcp.test{path}"));
        let answer = asked.header("authorization", &bearer(&tokens.access)).ask().await;
        assert_eq!(answer.status, status, "{path}");
    }
}

#[tokio::test]
async fn a_machine_without_a_token_is_shown_the_way_and_never_redirected() {
    let server = world().await;
    for (method, accept) in
        [("POST", "application/json, text/event-stream"), ("POST", "text/html"), ("GET", "*/*")]
    {
        let answer =
            Proxied::of(&server, method, "https://mcp.test/mcp").header("accept", accept).ask().await;
        assert_eq!(answer.status, Status::UNAUTHORIZED);
        assert_eq!(
            answer.header("www-authenticate"),
            Some(
                r#"Bearer resource_metadata="https://mcp.test/.well-known/oauth-protected-resource/mcp", scope="read""#
            )
        );
        assert_eq!(answer.header("location"), None);
    }
    // A page that asks by itself is no page that is opened, and a token that is wrong is not mended by signing in.
    let fetch = Proxied::of(&server, "GET", "https://app.test/").header("accept", "text/html");
    assert_eq!(fetch.header("sec-fetch-mode", "cors").ask().await.status, Status::UNAUTHORIZED);
    let wrong = Proxied::of(&server, "GET", "https://app.test/").header("accept", "text/html");
    let wrong = wrong.header("authorization", "Bearer wrong").ask().await;
    assert_eq!(wrong.status, Status::UNAUTHORIZED);
    assert!(wrong.header("www-authenticate").is_some_and(|value| value.contains("invalid_token")));
    // The proxy hands the metadata's path on.
    let path = "/.well-known/oauth-protected-resource/mcp";
    let document = server.get(path).header("host", "mcp.test").send().await;
    assert_eq!(document.json()["resource"], MCP);
}

#[tokio::test]
async fn what_was_asked_for_is_believed_from_a_trusted_proxy_alone() {
    let server = world().await;
    for (name, value) in [
        ("x-forwarded-host", "app.test, evil.test"),
        ("x-forwarded-host", "app.test/x"),
        ("x-forwarded-proto", "gopher"),
        ("x-forwarded-uri", "https://app.test/"),
        ("x-forwarded-uri", "/a b"),
        ("x-forwarded-uri", ""),
    ] {
        let answer = Proxied::of(&server, "GET", "https://app.test/").header(name, value).ask().await;
        assert_eq!(answer.status, Status::BAD_REQUEST, "{name}: {value}");
    }
    for name in ["x-forwarded-proto", "x-forwarded-host", "x-forwarded-uri"] {
        let answer = Proxied::of(&server, "GET", "https://app.test/").without(name).ask().await;
        assert_eq!(answer.status, Status::BAD_REQUEST, "without {name}");
    }
    // To this one nobody is a proxy.
    let stranger = Server::start().await;
    let tokens =
        ClientApp::fixture("pub").tokens(&stranger, "alice", &[("resource", crate::harness::R1)]).await;
    let asked =
        Proxied::of(&stranger, "GET", crate::harness::R1).header("authorization", &bearer(&tokens.access));
    assert_eq!(asked.ask().await.status, Status::FORBIDDEN);
}

#[tokio::test]
async fn a_browser_signs_in_once_and_is_let_on_from_then_on() {
    let server = world().await;
    let mut alice = Person::default();
    let url = "https://app.test/page?a=1&b=%2F";
    let answer = alice.enter(&server, url, "alice").await;
    assert_eq!(answer.status, Status::OK);
    for (header, value) in [("user", "alice"), ("email", ""), ("client", ""), ("scope", "")] {
        assert_eq!(answer.header(&format!("x-vestibule-{header}")), Some(value), "{header}");
    }
    // What the page asks for by itself and what it sends is let on as well.
    for method in ["POST", "DELETE", "GET"] {
        let asked =
            Proxied::of(&server, method, "https://app.test/api/x").header("cookie", &alice.there.cookie());
        assert_eq!(asked.ask().await.status, Status::OK, "{method}");
    }
    let begun = server.audit().into_iter().find(|(event, ..)| event == "visit.begun").expect("a row");
    assert_eq!((begun.1.as_deref(), &begun.3["resources"][0]), (Some("alice"), &APP.into()));
    // The sign-in here does for the next host, without a word.
    let tool = resource("https://tool.test", "");
    server.command(move |tx| resources::insert(tx, &tool, UnixTime::new(1_800_000_000)).map(drop));
    let away = alice.open(&server, "https://tool.test/").await.location();
    let back = alice.here.get(&server, below(&away, ISSUER)).await.location();
    assert!(back.starts_with("https://tool.test/.vestibule/visit?ticket="), "{back}");
}

#[tokio::test]
async fn a_visit_counts_at_its_own_host_only() {
    let server = world().await;
    let tool = resource("https://tool.test", "");
    server.command(move |tx| resources::insert(tx, &tool, UnixTime::new(1_800_000_000)).map(drop));
    let mut alice = Person::default();
    assert_eq!(alice.enter(&server, "https://app.test/", "alice").await.status, Status::OK);
    // Whoever runs the app knows this cookie, and can do nothing with it elsewhere.
    let answer = alice.open(&server, "https://tool.test/").await;
    assert_eq!(answer.status, Status::SEE_OTHER);
    let here = alice.there.cookies.get("__Host-vestibule-visit").expect("a cookie").clone();
    let account = server.get("/account").header("cookie", &format!("__Host-vestibule={here}")).send().await;
    assert_eq!(account.location(), "/login");
}

/// Traefik asks under this server's own address, with all that the client sent and what its entry point adds, and goes by
/// `authResponseHeadersRegex` of `examples/forward_auth/traefik.yaml`: what matches is taken from the request, and set to
/// what the answer has of it.
#[tokio::test]
async fn traefiks_questions_are_understood_and_its_rules_for_answers_are_met() {
    let server = world().await;
    let tokens = ClientApp::fixture("pub").tokens(&server, "alice", &[("resource", MCP)]).await;
    let asked = |url| {
        Proxied::of(&server, "GET", url)
            .header("host", "127.0.0.1:8080")
            .header("x-forwarded-port", "443")
            .header("x-forwarded-server", "traefik")
            .header("x-real-ip", "192.0.2.7")
            .header("accept-encoding", "gzip")
            // It takes none of these for others, but hands them on.
            .header("x_forwarded_host", "app.test")
            .header("x_forwarded_uri", "/")
            .header("x.forwarded.host", "app.test")
            .header("forwarded", "host=app.test;proto=https")
            .header("x-vestibule-user", "mallory")
    };
    let yes = asked(MCP).header("authorization", &bearer(&tokens.access)).ask().await;
    assert_eq!((yes.status, yes.header("x-vestibule-user")), (Status::OK, Some("alice")));
    let told: Vec<_> = yes.headers.keys().filter(|name| name.as_str().starts_with("x-vestibule-")).collect();
    assert_eq!(told.len(), 4, "{told:?}");
    assert_eq!((yes.header("authorization"), yes.header("set-cookie")), (None, None));
    // A Location that is relative would be read as one of the address that it asks at.
    let page = asked("https://app.test/page").header("accept", "text/html").ask().await;
    assert_eq!(page.status, Status::SEE_OTHER);
    assert!(page.location().starts_with(&format!("{ISSUER}/visit?")), "{}", page.location());
    assert!(page.header("set-cookie").is_some_and(|cookie| cookie.starts_with("__Host-vestibule-visitor=")));
    let elsewhere = asked("https://mcp.test/other").header("authorization", &bearer(&tokens.access));
    assert_eq!(elsewhere.ask().await.status, Status::FORBIDDEN);
}

#[tokio::test]
async fn a_proxy_that_knows_yes_and_no_alone_hears_no_more_and_nothing_of_it_is_remembered() {
    let server = world().await;
    let tokens = ClientApp::fixture("pub").tokens(&server, "alice", &[("resource", MCP)]).await;
    let asked = || Proxied::of(&server, "GET", MCP);
    let yes = asked().header("authorization", &bearer(&tokens.access)).ask_at("/verify?brief").await;
    assert_eq!((yes.status, yes.header("x-vestibule-user")), (Status::OK, Some("alice")));
    let rows = server.audit().len();
    // A token that is wrong, none at all, a page, a place that nobody knows, a path that is not plain.
    for no in [
        asked().header("authorization", "Bearer wrong"),
        asked(),
        asked().header("accept", "text/html"),
        Proxied::of(&server, "GET", "https://evil.test/"),
        Proxied::of(&server, "GET", "https://mcp.test/mcp/../x"),
        asked().without("x-forwarded-uri"),
    ] {
        let no = no.ask_at("/verify?brief").await;
        assert_eq!((no.status, no.text().as_str()), (Status::FORBIDDEN, ""));
        for header in ["www-authenticate", "location", "set-cookie"] {
            assert_eq!(no.header(header), None, "{header}");
        }
    }
    assert_eq!(server.audit().len(), rows);
    assert_eq!(asked().header("authorization", "Bearer wrong").ask().await.status, Status::UNAUTHORIZED);
    assert_eq!(server.audit().len(), rows + 1);
}

/// Something that the owner or the person does.
type End = fn(&Server);

#[tokio::test]
async fn a_visit_ends_with_the_session_the_person_or_their_admission() {
    let ends: [(&str, End); 5] = [
        ("signed out everywhere", |server| {
            let id = server.user("alice").id;
            server.command(move |tx| sessions::remove_all_of(tx, &id));
        }),
        ("disabled", |server| {
            let (id, now) = (server.user("alice").id, server.now());
            server.command(move |tx| users::disable(tx, &id, now));
        }),
        ("removed", |server| {
            let id = server.user("alice").id;
            server.command(move |tx| users::remove(tx, &id));
        }),
        ("not admitted any more", |server| admit(server, "bob")),
        ("past its time", |server| server.advance(14 * 24 * 3600)),
    ];
    for (why, end) in ends {
        let server = world().await;
        let mut alice = Person::default();
        assert_eq!(alice.enter(&server, "https://app.test/", "alice").await.status, Status::OK, "{why}");
        end(&server);
        let answer = alice.open(&server, "https://app.test/").await;
        assert_eq!(answer.status, Status::SEE_OTHER, "{why}");
    }
}

/// Admits one person alone to the app.
fn admit(server: &Server, name: &str) {
    let id = server.user(name).id;
    let app = Resource { admission: Admission::Listed, ..resource(APP, "") };
    server.command(move |tx| {
        resources::update(tx, &app)?;
        resources::set_admitted(tx, &app.uri, &[id])
    });
}

#[tokio::test]
async fn whoever_is_not_admitted_reads_why_and_gets_no_ticket() {
    let server = world().await;
    admit(&server, "bob");
    let mut alice = Person { here: Browser::signed_in(&server, "alice").await, ..Person::default() };
    let away = alice.open(&server, "https://app.test/").await.location();
    let page = alice.here.get(&server, below(&away, ISSUER)).await;
    page.assert_problem_page(403);
    assert!(page.text().contains("Not for you") && page.text().contains(APP), "{}", page.text());
    let (event, user, _, metadata) = server.audit().remove(0);
    assert_eq!((event.as_str(), user.as_deref()), ("guard.refused", Some("alice")));
    assert_eq!(metadata["reason"], "not_admitted");
}

/// A ticket that waits: where the browser is sent back to.
async fn ticket(server: &Server, person: &mut Person, url: &str, name: &str) -> String {
    person.here = Browser::signed_in(server, name).await;
    let away = person.open(server, url).await.location();
    person.here.get(server, below(&away, ISSUER)).await.location()
}

#[tokio::test]
async fn nobody_can_be_signed_in_as_somebody_else_by_a_link() {
    let server = world().await;
    let (mut mallory, mut alice) = (Person::default(), Person::default());
    let link = ticket(&server, &mut mallory, "https://app.test/", "mallory").await;
    // A browser that never asked, and one that asked for itself.
    assert_eq!(alice.arrive(&server, &link, "app.test").await.location(), format!("{ISSUER}/visit"));
    alice.open(&server, "https://app.test/").await;
    assert_eq!(alice.arrive(&server, &link, "app.test").await.location(), format!("{ISSUER}/visit"));
    assert!(!alice.there.cookies.contains_key("__Host-vestibule-visit"));
    server.get("/visit").header("accept", "text/html").send().await.assert_problem_page(400);
    // It was not used up by that.
    assert_eq!(mallory.arrive(&server, &link, "app.test").await.location(), "https://app.test/");
}

#[tokio::test]
async fn a_ticket_counts_once_for_a_minute_at_its_own_host() {
    let server = world().await;
    let mut alice = Person::default();
    let lost = format!("{ISSUER}/visit");

    let link = ticket(&server, &mut alice, "https://app.test/", "alice").await;
    assert_eq!(alice.arrive(&server, &link, "app.test").await.location(), "https://app.test/");
    // Going back in the browser leads on; elsewhere it is nothing.
    assert_eq!(alice.arrive(&server, &link, "app.test").await.location(), "https://app.test/");
    alice.there.cookies.remove("__Host-vestibule-visit");
    assert_eq!(alice.arrive(&server, &link, "app.test").await.location(), lost);

    // The reverse proxy may write the port that is the scheme's own.
    let link = ticket(&server, &mut alice, "https://app.test/", "alice").await;
    assert_eq!(alice.arrive(&server, &link, "app.test:443").await.location(), "https://app.test/");
    alice.there.cookies.remove("__Host-vestibule-visit");

    let link = ticket(&server, &mut alice, "https://app.test/", "alice").await;
    server.advance(61);
    assert_eq!(alice.arrive(&server, &link, "app.test").await.location(), lost);

    let tool = resource("https://tool.test", "");
    server.command(move |tx| resources::insert(tx, &tool, UnixTime::new(1_800_000_000)).map(drop));
    let link = ticket(&server, &mut alice, "https://app.test/", "alice").await;
    let elsewhere = link.replace("https://app.test", "https://tool.test").replace("app.test", "tool.test");
    assert_eq!(alice.arrive(&server, &elsewhere, "tool.test").await.location(), lost);
    let host_differs = link.replacen("https://app.test", "https://tool.test", 1);
    assert_eq!(alice.arrive(&server, &host_differs, "tool.test").await.location(), lost);
    assert_eq!(alice.arrive(&server, &link, "app.test").await.location(), "https://app.test/");
}

/// nginx says for certain which host was asked only with its port behind it.
#[tokio::test]
async fn a_proxy_may_write_the_port_that_is_the_schemes_own() {
    let server = world().await;
    let upstream = UpstreamUrl::parse("http://127.0.0.1:1").expect("a URL");
    let guard = Guard { upstream, rules: Rules::default(), identity: Identity::Headers };
    let notes = Resource { guard: Some(guard), ..resource("https://as.test/notes", "") };
    server.command(move |tx| resources::insert(tx, &notes, UnixTime::new(1_800_000_000)).map(drop));
    for host in ["as.test", "as.test:443"] {
        let at = |path| server.get(path).header("host", "127.0.0.1:8080").header("x-forwarded-host", host);
        assert_eq!(at("/login").send().await.status, Status::OK, "{host}");
        assert_eq!(at("/notes").send().await.status, Status::UNAUTHORIZED, "{host}");
    }
    // At any other port only what is guarded there would be served.
    let elsewhere = server.get("/notes").header("host", "as.test:80").send().await;
    assert_eq!(elsewhere.status, Status::NOT_FOUND);
}

#[tokio::test]
async fn asking_at_a_guarded_host_is_in_vain_and_the_log_says_why() {
    let server = world().await;
    let guarded = Guard {
        upstream: UpstreamUrl::parse("http://127.0.0.1:1/mcp").expect("an upstream"),
        rules: Rules::default(),
        identity: Identity::Headers,
    };
    let guarded = Resource { guard: Some(guarded), ..resource("https://app.test/guarded", "") };
    server.command(move |tx| resources::insert(tx, &guarded, UnixTime::new(1_800_000_000)).map(drop));
    let listening = Listening::begin();
    let answer = Proxied::of(&server, "GET", "https://app.test/").header("host", "app.test").ask().await;
    assert_eq!(answer.status, Status::NOT_FOUND);
    let log = listening.end();
    assert!(log.contains("host_is_guarded; mend: "), "{log}");
}

#[tokio::test]
async fn nobody_is_sent_where_nothing_is_registered() {
    let server = world().await;
    let state = vestibule::oauth::visit::VisitState::of("x").to_string();
    let mut alice = Browser::signed_in(&server, "alice").await;
    for to in [
        "https://evil.test/",
        "https://app.test.evil.test/",
        "http://app.test/",
        "https://app.test:8443/",
        "https://as.test/account",
        "https://as.test:8443/",
        "https://mcp.test/",
    ] {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        let query = query.append_pair("to", to).append_pair("state", &state).finish();
        for page in ["/visit", "/login"] {
            let answer = alice.get(&server, &format!("{page}?{query}")).await;
            answer.assert_problem_page(400);
            assert!(answer.text().contains("Nobody signs in for this here"), "{to}");
        }
    }
    for query in
        ["to=https%3A%2F%2Fapp.test%2F", "state=x", "to=javascript%3A1&state=x", "to=%2F%2Fevil&state=x"]
    {
        alice.get(&server, &format!("/visit?{query}")).await.assert_problem_page(400);
        alice.get(&server, &format!("/login?{query}")).await.assert_problem_page(400);
    }
}

#[tokio::test]
async fn nobody_is_known_by_a_cookie_at_the_issuers_own_host() {
    let server = world().await;
    let own = resource("https://as.test/app", "");
    server.command(move |tx| resources::insert(tx, &own, UnixTime::new(1_800_000_000)).map(drop));
    let mut alice = Person { here: Browser::signed_in(&server, "alice").await, ..Person::default() };
    alice.there = alice.here.clone();
    assert_eq!(alice.open(&server, "https://as.test/app/").await.status, Status::UNAUTHORIZED);
    // A machine with a token may.
    let tokens =
        ClientApp::fixture("pub").tokens(&server, "alice", &[("resource", "https://as.test/app")]).await;
    let asked =
        Proxied::of(&server, "GET", "https://as.test/app").header("authorization", &bearer(&tokens.access));
    assert_eq!(asked.ask().await.status, Status::OK);
}

#[tokio::test]
async fn pages_that_are_opened_at_once_all_arrive() {
    let server = world().await;
    let mut alice = Person { here: Browser::signed_in(&server, "alice").await, ..Person::default() };
    let mut links = Vec::new();
    for url in ["https://app.test/1", "https://app.test/2"] {
        let away = alice.open(&server, url).await.location();
        links.push((alice.here.get(&server, below(&away, ISSUER)).await.location(), url));
    }
    for (link, url) in links {
        assert_eq!(alice.arrive(&server, &link, "app.test").await.location(), url);
    }
    assert_eq!(alice.open(&server, "https://app.test/3").await.status, Status::OK);
}

#[tokio::test]
async fn a_grant_that_is_revoked_lets_nobody_on() {
    let server = world().await;
    let tokens = ClientApp::fixture("pub").tokens(&server, "alice", &[("resource", MCP)]).await;
    let asked = || Proxied::of(&server, "GET", MCP).header("authorization", &bearer(&tokens.access)).ask();
    assert_eq!(asked().await.status, Status::OK);
    let (id, now) = (server.user("alice").id, server.now());
    server.command(move |tx| users::disable(tx, &id, now));
    assert_eq!(asked().await.status, Status::UNAUTHORIZED);
}
