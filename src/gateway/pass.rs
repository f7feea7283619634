//! A request at a guarded resource: who asks, what for, and then on to the server behind, streaming both ways.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::asker::{Asker, named};
use super::bearer::{self, Admitted, BearerRefusal};
use super::look::{self, LookRefusal, Seen};
use super::{headers, path};
use crate::app::App;
use crate::app::sites::Site;
use crate::audit::{Entry, Event};
use crate::clock::{Seconds, UnixTime};
use crate::http::{Head, HeaderValue, Method, Request, RequestBody, Response, Status, Stream};
use crate::oauth::claims::{AccessTokenClaims, IdentityClaims};
use crate::oauth::guard::{Guard, Identity};
use crate::oauth::resource::{Resource, ResourceUri};
use crate::outgoing::{Outbound, UpstreamRefusal};
use crate::store::{Fault, signing_keys};

/// How long a token lasts that tells a server behind who calls.
const IDENTITY_LIFETIME: Seconds = Seconds::minutes(1);

/// How often an open stream asks whether it may go on.
const WATCH: Duration = Duration::from_secs(2);

/// What pages of other origins may read of an answer.
const EXPOSED: &str = "WWW-Authenticate, Mcp-Session-Id, Retry-After";

/// Calls that the audit tells of; others come by the thousand and change nothing.
const TOLD: [&str; 4] = ["initialize", "tools/call", "resources/read", "prompts/get"];

/// Answers a request at a guarded resource. `host` is the host that was asked.
pub(super) async fn answer(
    app: &Arc<App>,
    request: Request,
    site: &Site,
    guard: &Guard,
    host: &str,
    now: UnixTime,
) -> Response {
    let resource = site.resource();
    if !path::is_plain(request.path()) {
        return refused(Status::BAD_REQUEST, "This path could be read in two ways; write it plainly.")
            .because("path_not_plain");
    }
    let visit = Visit {
        app,
        resource,
        guard,
        asker: Asker::of(&request),
        path: request.path().to_owned(),
        host_is_issuers: app.issuer.is_at(host),
        now,
    };
    let admitted = match bearer::admit(app, &request, resource, now) {
        Ok(Ok(admitted)) => admitted,
        Ok(Err(refusal)) => return visit.refuse(&refusal, &[]).await,
        Err(why) => return faulty(&why),
    };
    request.take_your_time();
    let told = match visit.tell(&admitted, &request, host) {
        Ok(told) => told,
        Err(why) => return faulty(&why),
    };
    let url = path::behind(&guard.upstream, site.path(), request.path(), request.query());
    let (head, body) = request.into_parts();
    let (body, seen) = match visit.look(&admitted, &head, body).await {
        Ok(looked) => looked,
        Err(response) => return response,
    };
    let Head { method, mut headers, .. } = head;
    headers::upward(&mut headers, &app.settings.identity_headers, &told);
    let sent = app.upstreams.send(Outbound { method, uri: url, headers, body }).await;
    visit.record_calls(&admitted, &seen);
    match sent {
        Ok(reply) => visit.hand_down(reply, site.path(), &admitted),
        Err(why) => unanswered(&why, &guard.upstream),
    }
}

/// One request.
struct Visit<'a> {
    app: &'a Arc<App>,
    resource: &'a Arc<Resource>,
    guard: &'a Guard,
    asker: Asker,
    path: String,
    host_is_issuers: bool,
    now: UnixTime,
}

impl Visit<'_> {
    /// Tells whoever may not pass why. `called` is what it wanted to call.
    async fn refuse(&self, refusal: &BearerRefusal, called: &[(String, Option<String>)]) -> Response {
        let subject = called.first().map(in_words);
        self.asker.refuse(self.app, self.resource, &self.path, refusal, subject, self.now).await
    }

    /// Who calls, as the server behind is to be told.
    fn tell<'t>(
        &'t self,
        admitted: &Admitted,
        request: &Request,
        host: &'t str,
    ) -> Result<headers::Told<'t>, Fault> {
        let names = &self.app.settings.identity_headers;
        let (claims, caller) = (admitted.claims(), admitted.caller());
        let mut identity: Vec<(&str, String)> = Vec::new();
        let mut tell = |name: &'t Option<String>, value: Option<&str>| {
            if let (Some(name), Some(value)) = (name, value) {
                identity.push((name, value.to_owned()));
            }
        };
        tell(&names.user, caller.user_name.as_deref());
        tell(&names.email, caller.email.as_deref());
        tell(&names.client, Some(&claims.client_id));
        tell(&names.scope, claims.scope.as_deref());
        if self.guard.identity == Identity::HeadersAndToken {
            identity.push(("x-vestibule-token", self.identity_token(admitted)?));
        }
        let scheme = if self.resource.uri.canonical().starts_with("https:") { "https" } else { "http" };
        let upstream = self.guard.upstream.authority();
        Ok(headers::Told { client_ip: request.client_ip(), host, scheme, upstream, identity })
    }

    fn identity_token(&self, admitted: &Admitted) -> Result<String, Fault> {
        let (claims, caller) = (admitted.claims(), admitted.caller());
        let kid = self.app.store.read(|tx| signing_keys::current(tx, self.now))?;
        let identity = IdentityClaims {
            iss: self.app.issuer.as_str(),
            aud: self.resource.uri.as_str(),
            sub: &claims.sub,
            exp: self.now.plus(IDENTITY_LIFETIME),
            iat: self.now,
            client_id: &claims.client_id,
            scope: claims.scope.as_deref(),
            preferred_username: caller.user_name.as_deref(),
            email: caller.email.as_deref(),
        };
        self.app.sign_identity(&kid, &identity)
    }

    /// Looks at what is called, and refuses what the rules do not allow.
    async fn look(
        &self,
        admitted: &Admitted,
        head: &Head,
        body: RequestBody,
    ) -> Result<(RequestBody, Seen), Response> {
        let Guard { rules, .. } = self.guard;
        if rules.is_empty() {
            return Ok(look::in_passing(&head.method, &head.headers, body));
        }
        let looked = look::by_rules(rules, admitted.scope(), &head.method, &head.headers, body).await;
        match looked {
            Ok(looked) => Ok(looked),
            Err(LookRefusal::Insufficient { scope, called }) => {
                let claims = Arc::clone(admitted.claims());
                Err(self.refuse(&BearerRefusal::Insufficient(scope, claims), &called).await)
            }
            Err(refusal) => {
                let response = rpc_error(refusal.status(), refusal.code(), refusal.describe());
                Err(open(response.because(refusal.reason())))
            }
        }
    }

    /// Remembers what was called, behind the answer: nothing depends on it.
    fn record_calls(&self, admitted: &Admitted, seen: &Seen) {
        let calls = seen.calls();
        let told: Vec<_> = calls.into_iter().filter(|(method, _)| TOLD.contains(&method.as_str())).collect();
        if told.is_empty() {
            return;
        }
        let (origin, claims) = (self.asker.origin().clone(), Arc::clone(admitted.claims()));
        let (resource, now) = (Arc::clone(self.resource), self.now);
        self.app.store.write_behind(move |tx| {
            let (user, client) = named(&claims);
            told.iter().try_for_each(|call| {
                let subject = in_words(call);
                Entry::new(Event::GuardPassed, &origin)
                    .of(user.as_ref(), client.as_ref())
                    .resources([&resource.uri])
                    .subject(&subject)
                    .record(tx, now)
            })
        });
    }

    /// The answer of the server behind, on its way down. A stream ends when whoever reads it may no longer.
    fn hand_down(&self, reply: crate::outgoing::Reply, own: &str, admitted: &Admitted) -> Response {
        let mut headers = reply.headers;
        headers::downward(&mut headers);
        let location = headers.get("location").and_then(|location| location.to_str().ok());
        if let Some(location) = location.and_then(|to| path::in_front(&self.guard.upstream, own, to))
            && let Ok(location) = HeaderValue::from_str(&location)
        {
            headers.insert("location", location);
        }
        if !headers.contains_key("access-control-allow-origin") {
            headers.insert("access-control-allow-origin", HeaderValue::from_static("*"));
            headers.insert("access-control-expose-headers", HeaderValue::from_static(EXPOSED));
        }
        if !headers.contains_key("x-content-type-options") {
            headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
        }
        if self.host_is_issuers {
            // Nothing that is served beside our own pages may run as if it were one of them.
            headers.append("content-security-policy", HeaderValue::from_static("sandbox"));
        }
        let ended =
            may_no_longer(Arc::clone(self.app), Arc::clone(admitted.claims()), self.resource.uri.clone());
        let body: Stream = reply.body.until(ended);
        Response::streamed(reply.status, headers, body)
    }
}

/// Ready when the token would not be admitted any more, or when the server stops.
async fn may_no_longer(app: Arc<App>, claims: Arc<AccessTokenClaims>, uri: ResourceUri) {
    let mut rounds = tokio::time::interval(WATCH);
    rounds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    rounds.tick().await;
    loop {
        tokio::select! {
            () = app.closing() => return,
            _ = rounds.tick() => {}
        }
        match app.store.read(|tx| bearer::still_admitted(tx, &claims, &uri)) {
            Ok(true) => {}
            Ok(false) => return,
            // Whoever was admitted stays so while the database cannot be asked; the next request cannot pass.
            Err(why) => tracing::warn!(%why, "an open stream goes on unasked"),
        }
    }
}

/// `tools/call:delete_note`.
fn in_words((method, target): &(String, Option<String>)) -> String {
    let text = match target {
        Some(target) => format!("{method}:{target}"),
        None => method.clone(),
    };
    text.chars().take(256).collect()
}

/// A JSON-RPC error (5.1), which is what an MCP client can show, in the body of an HTTP error. It has no `id`: nobody knows
/// whether there is one, and MCP's schema has no `null` there.
#[derive(Serialize)]
struct RpcError<'a> {
    jsonrpc: &'static str,
    error: RpcFault<'a>,
}

#[derive(Serialize)]
struct RpcFault<'a> {
    code: i32,
    message: &'a str,
}

pub(super) fn refused(status: Status, message: &str) -> Response {
    let code = if status.is_server_error() { -32_603 } else { -32_600 };
    rpc_error(status, code, message)
}

fn rpc_error(status: Status, code: i32, message: &str) -> Response {
    let body = RpcError { jsonrpc: "2.0", error: RpcFault { code, message } };
    Response::json(status, &body).no_store()
}

/// The server behind has not answered.
fn unanswered(why: &UpstreamRefusal, upstream: &crate::oauth::guard::UpstreamUrl) -> Response {
    let (status, message, mend) = match why {
        UpstreamRefusal::Unreachable(_) => (
            Status::BAD_GATEWAY,
            "The server behind this one cannot be reached. Whoever runs it should start it, or look where it listens.",
            "start the server behind, or register where it listens: vestibule apply",
        ),
        UpstreamRefusal::TooSlow => (
            Status::GATEWAY_TIMEOUT,
            "The server behind this one did not answer in time.",
            "give it more time: --upstream-time",
        ),
        UpstreamRefusal::Broken(_) => {
            (Status::BAD_GATEWAY, "The server behind this one broke off.", "see the log of the server behind")
        }
        UpstreamRefusal::BodyBroken => (
            Status::BAD_REQUEST,
            "The body of the request broke off, or is ambiguous.",
            "none here: it is the client's",
        ),
    };
    tracing::warn!(upstream = upstream.as_str(), %why, mend, "a guarded server has not answered");
    open(refused(status, message).because(why.to_string()))
}

/// Our fault; its text goes to the log alone.
pub fn faulty(why: &Fault) -> Response {
    tracing::error!("{why}");
    let answer =
        refused(Status::SERVICE_UNAVAILABLE, "This server cannot reach its storage; try again soon.");
    open(answer.with_header("retry-after", "5").because("fault"))
}

/// An answer of ours that a page of any origin may read.
pub(super) fn open(response: Response) -> Response {
    response
        .with_header("access-control-allow-origin", "*")
        .with_header("access-control-expose-headers", EXPOSED)
}

/// What a browser asks before a page of another origin may ask (Fetch 4.8). Never needs a token, and never goes further:
/// the server behind knows nothing of what it would have to allow.
pub(super) fn preflight(request: &Request) -> Option<Response> {
    let is_preflight = *request.method() == Method::OPTIONS
        && request.headers().contains_key("origin")
        && request.headers().contains_key("access-control-request-method");
    let headers = request.header("access-control-request-headers").unwrap_or("authorization, content-type");
    is_preflight.then(|| {
        open(Response::new(Status::NO_CONTENT))
            .with_header("access-control-allow-methods", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")
            .with_header("access-control-allow-headers", headers)
            .with_header("access-control-max-age", "86400")
            .with_header("vary", "access-control-request-headers")
    })
}
