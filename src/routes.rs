//! The whole surface on one screen: path and method to handler. Paths are matched exactly; nothing is normalised, so
//! nothing that stands before this server can read a path differently. Some clients and proxies end a path with a slash:
//! where programs ask, that is one more spelling, listed like any other.

use std::sync::Arc;

use serde::Serialize;

use crate::app::sites::lies_in;
use crate::app::{App, View};
use crate::clock::UnixTime;
use crate::endpoints::{authorize, discovery, health, introspect, register, revoke, token};
use crate::gateway;
use crate::http::{Method, Request, Response, Status};
use crate::oauth::metadata::path;
use crate::pages::{account, consent, login, logout, setup, style, visit};

/// Answers one request: at the issuer's host what is listed here is ours, and what is guarded lies beyond; at the host of
/// a guarded server everything does.
pub async fn answer(app: Arc<App>, request: Request) -> Response {
    let now = app.clock.now();
    match gateway::elsewhere(&app, &request, now) {
        Ok(None) if methods_of(request.path()).is_some() => ours(&app, request, now).await,
        Ok(view) => beyond(&app, view, request, now).await,
        Err(why) => gateway::faulty(&why),
    }
}

/// What is guarded, or nothing.
async fn beyond(app: &Arc<App>, view: Option<View>, request: Request, now: UnixTime) -> Response {
    match gateway::answer(app, view, request, now).await {
        Ok(response) => response,
        Err(request) if *request.method() == Method::OPTIONS => preflight(&request, None),
        // A proxy would ask here in vain, and would not say why.
        Err(request) if matches!(request.path(), "/verify" | visit::ARRIVAL) => unserved(&request, None).because(
            "host_is_guarded; mend: something is guarded at this host, so nothing there is this server's own; give what \
             a proxy asks about a host of its own",
        ),
        Err(request) => unserved(&request, None),
    }
}

async fn ours(app: &Arc<App>, request: Request, now: UnixTime) -> Response {
    if !matches!(request.path(), "/healthz" | "/style.css" | "/verify" | visit::ARRIVAL) {
        app.arrivals.note(request.header("host"));
    }
    let methods = methods_of(request.path());
    // HEAD is GET; the server leaves the body out.
    let verb = match *request.method() {
        Method::GET | Method::HEAD => Verb::Get,
        Method::POST => Verb::Post,
        Method::OPTIONS => return preflight(&request, methods),
        _ => return unserved(&request, methods),
    };
    match (verb, request.path()) {
        (
            Verb::Get,
            "/.well-known/oauth-authorization-server" | "/.well-known/oauth-authorization-server/",
        ) => discovery::authorization_server(app, now).for_any_origin(),
        (Verb::Get, "/.well-known/openid-configuration" | "/.well-known/openid-configuration/") => {
            discovery::openid_configuration(app, now).for_any_origin()
        }
        (Verb::Get, path::JWKS | "/.well-known/jwks.json/") => discovery::jwks(app, now).for_any_origin(),

        (Verb::Get, path::AUTHORIZE | "/authorize" | "/oauth/authorize/" | "/authorize/") => {
            authorize::get(app, request, now).await
        }
        (Verb::Post, path::AUTHORIZE | "/authorize" | "/oauth/authorize/" | "/authorize/") => {
            authorize::post(app, request, now).await
        }
        (Verb::Post, path::TOKEN | "/token" | "/oauth/token/" | "/token/") => {
            token::post(app, request, now).await.for_any_origin()
        }
        (Verb::Post, path::REGISTER | "/register" | "/oauth/register/" | "/register/") => {
            register::post(app, request, now).await.for_any_origin()
        }
        (Verb::Post, path::REVOKE | "/revoke" | "/oauth/revoke/" | "/revoke/") => {
            revoke::post(app, request, now).await.for_any_origin()
        }
        (Verb::Post, path::INTROSPECT | "/oauth/introspect/") => {
            introspect::post(app, request, now).await.for_any_origin()
        }

        (Verb::Get, "/login") => login::get(app, request, now).await,
        (Verb::Post, "/login") => login::post(app, request, now).await,
        (Verb::Get, "/consent") => consent::get(app, request, now).await,
        (Verb::Post, "/consent") => consent::post(app, request, now).await,
        (Verb::Get, "/setup") => setup::get(app, request, now).await,
        (Verb::Post, "/setup") => setup::post(app, request, now).await,
        (Verb::Get, "/logout") => logout::get(app, request, now).await,
        (Verb::Post, "/logout") => logout::post(app, request, now).await,
        (Verb::Get, "/account") => account::get(app, request, now).await,
        (Verb::Post, "/account") => account::post(app, request, now).await,
        (Verb::Get, "/visit") => visit::get(app, request, now).await,
        (Verb::Get, visit::ARRIVAL) => visit::arrive(app, request, now).await,
        (Verb::Get, "/style.css") => style::get(),
        (Verb::Get, "/") => Response::see_other("/account"),

        (Verb::Get, "/verify") => gateway::verify(app, request, now).await,
        (Verb::Get, "/healthz") => health::get(app),
        _ => unserved(&request, methods),
    }
}

enum Verb {
    Get,
    Post,
}

/// Every path and its methods, for the answers to whoever asks otherwise; OPTIONS stands where programs in a page of
/// another origin may ask, which for pages and the authorization endpoint none may (RFC 9700 2.6). The match above is
/// what counts, and a test walks this list through it.
pub const SURFACE: [(&str, &str); 35] = [
    ("/.well-known/oauth-authorization-server", "GET, HEAD, OPTIONS"),
    ("/.well-known/oauth-authorization-server/", "GET, HEAD, OPTIONS"),
    ("/.well-known/openid-configuration", "GET, HEAD, OPTIONS"),
    ("/.well-known/openid-configuration/", "GET, HEAD, OPTIONS"),
    (path::JWKS, "GET, HEAD, OPTIONS"),
    ("/.well-known/jwks.json/", "GET, HEAD, OPTIONS"),
    (path::TOKEN, "POST, OPTIONS"),
    ("/oauth/token/", "POST, OPTIONS"),
    ("/token", "POST, OPTIONS"),
    ("/token/", "POST, OPTIONS"),
    (path::REGISTER, "POST, OPTIONS"),
    ("/oauth/register/", "POST, OPTIONS"),
    ("/register", "POST, OPTIONS"),
    ("/register/", "POST, OPTIONS"),
    (path::REVOKE, "POST, OPTIONS"),
    ("/oauth/revoke/", "POST, OPTIONS"),
    ("/revoke", "POST, OPTIONS"),
    ("/revoke/", "POST, OPTIONS"),
    (path::INTROSPECT, "POST, OPTIONS"),
    ("/oauth/introspect/", "POST, OPTIONS"),
    (path::AUTHORIZE, "GET, HEAD, POST"),
    ("/oauth/authorize/", "GET, HEAD, POST"),
    ("/authorize", "GET, HEAD, POST"),
    ("/authorize/", "GET, HEAD, POST"),
    ("/login", "GET, HEAD, POST"),
    ("/consent", "GET, HEAD, POST"),
    ("/setup", "GET, HEAD, POST"),
    ("/logout", "GET, HEAD, POST"),
    ("/account", "GET, HEAD, POST"),
    ("/visit", "GET, HEAD"),
    (visit::ARRIVAL, "GET, HEAD"),
    ("/style.css", "GET, HEAD"),
    ("/", "GET, HEAD"),
    ("/verify", "GET, HEAD"),
    ("/healthz", "GET, HEAD"),
];

/// Below it lies what programs look for, some of it nowhere: a client in a page tries several documents, and must see
/// that one is missing rather than a failure of the network.
const WELL_KNOWN: &str = "/.well-known/";

/// Whether a path, or what lies below it, is this server's own.
pub fn is_taken(path: &str) -> bool {
    SURFACE.iter().any(|(served, _)| lies_in(served, path))
}

fn methods_of(path: &str) -> Option<&'static str> {
    SURFACE.iter().find(|(served, _)| *served == path).map(|(_, methods)| *methods)
}

/// What a preflight for this path, which is ours with these methods or not at all, is told; `None` where no page of
/// another origin may ask.
fn cross_origin_methods(path: &str, methods: Option<&'static str>) -> Option<&'static str> {
    match methods {
        Some(methods) => Some(methods).filter(|methods| methods.contains("OPTIONS")),
        None => path.starts_with(WELL_KNOWN).then_some("GET, HEAD, OPTIONS"),
    }
}

/// What a browser asks before a page of another origin may ask. Never needs anything, and changes nothing.
fn preflight(request: &Request, methods: Option<&'static str>) -> Response {
    let Some(methods) = cross_origin_methods(request.path(), methods) else {
        return unserved(request, methods);
    };
    Response::to_preflight(request, methods)
}

/// 405 for a path that is served otherwise, 404 for any other: JSON, but to whoever asks for HTML.
fn unserved(request: &Request, methods: Option<&'static str>) -> Response {
    #[derive(Serialize)]
    struct Body {
        error: &'static str,
        error_description: &'static str,
    }

    let (status, description) = match methods {
        Some(_) => (Status::METHOD_NOT_ALLOWED, "This path is not served with this method; see Allow."),
        None => (Status::NOT_FOUND, "There is nothing at this path."),
    };
    let response = if request.accepts_html() {
        Response::text(status, format!("{description}\n"))
    } else {
        Response::json(status, &Body { error: "invalid_request", error_description: description })
    };
    // Caches may keep both statuses unasked (RFC 9110 15.1), and what is not served today may be tomorrow.
    let mut response = response.no_store();
    if let Some(methods) = methods {
        response = response.with_header("allow", methods);
    }
    match cross_origin_methods(request.path(), methods) {
        Some(_) => response.for_any_origin(),
        None => response,
    }
}
