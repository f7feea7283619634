//! A request at a guarded resource: who asks, what for, and then on to the server behind, streaming both ways.

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use super::asker::Asker;
use super::bearer::{self, Admitted, BearerRefusal};
use super::calls::{Calls, in_words};
use super::leave::{Lasting, Leave};
use super::look::{self, LookRefusal, Seen};
use super::{headers, path};
use crate::app::sites::Site;
use crate::app::{App, View};
use crate::clock::{Seconds, UnixTime};
use crate::http::{
    Head, HeaderName, HeaderValue, Request, RequestBody, Response, Status, Taken, for_any_origin,
};
use crate::oauth::claims::IdentityClaims;
use crate::oauth::error::ErrorCode;
use crate::oauth::guard::{Guard, Identity, UpstreamUrl};
use crate::oauth::resource::Resource;
use crate::outgoing::{Outbound, Reply, UpstreamRefusal};
use crate::store::{Fault, signing_keys};

/// How long a token lasts that tells a server behind who calls.
const IDENTITY_LIFETIME: Seconds = Seconds::minutes(1);

/// The header with that token.
const IDENTITY_TOKEN: HeaderName = HeaderName::from_static("x-vestibule-token");

/// Answers a request at a guarded resource. `host` is the host that was asked.
pub(super) async fn answer(
    app: &Arc<App>,
    view: &View,
    request: Request,
    site: &Site,
    guard: &Guard,
    host: &str,
    now: UnixTime,
) -> Response {
    let resource = site.resource();
    let visit = Visit {
        app,
        resource,
        guard,
        asker: Asker::of(&request),
        path: request.path().to_owned(),
        host_is_issuers: app.issuer.is_at(host),
        now,
    };
    let admitted = match bearer::admit(app, view, &request, resource, now) {
        Ok(Ok(admitted)) => Arc::new(admitted),
        Ok(Err(refusal)) => return visit.refuse(&refusal, &[]).await,
        Err(why) => return faulty(&why),
    };
    if bearer::is_in_query(&request) {
        return refused(Status::BAD_REQUEST, "Send the access token in the Authorization header alone.")
            .because("token_in_query")
            .for_any_origin();
    }
    request.take_your_time();
    let told = match visit.tell(&admitted, &request, host) {
        Ok(told) => told,
        Err(why) => return faulty(&why),
    };
    let url = path::behind(&guard.upstream, site.path(), request.path(), request.query());
    let (head, body) = request.into_parts();
    // A body may take its time, and is no way to be let in on a day that is over.
    let leave = Leave::new(app, view, resource, &admitted);
    let looked = tokio::select! {
        // Most are there at once, and need no timer.
        biased;
        looked = visit.look(&admitted, &head, body) => looked,
        refusal = leave.refused() => return visit.refuse(&refusal, &[]).await,
    };
    let (body, seen) = match looked {
        Ok(looked) => looked,
        Err(response) => return response,
    };
    let Head { method, mut headers, .. } = head;
    headers::upward(&mut headers, &app.settings.identity_headers, told);
    // Rows that are not on the disk yet are held in memory.
    if let Err(why) = app.store.catch_up().await {
        return faulty(&why);
    }
    let calls = visit.calls(&admitted, &seen, body.taken());
    let body = body.with(calls);
    let outbound = Outbound { method: method.clone(), uri: url, headers, body };
    let sent = tokio::select! {
        biased;
        sent = app.upstreams.send(outbound) => Ok(sent),
        refusal = leave.refused() => Err(refusal),
    };
    match sent {
        Ok(Ok(reply)) => {
            let lasting = Lasting::of(&method, &seen, &reply.headers);
            visit.hand_down(reply, lasting, site.path(), leave)
        }
        Ok(Err(why)) => unanswered(&why, &guard.upstream, seen.id()),
        Err(refusal) => visit.refuse(&refusal, &seen.calls()).await,
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
        let mut identity: Vec<(HeaderName, String)> = Vec::new();
        let mut tell = |name: &Option<HeaderName>, value: Option<&str>| {
            if let (Some(name), Some(value)) = (name, value) {
                identity.push((name.clone(), value.to_owned()));
            }
        };
        tell(&names.user, caller.user_name.as_deref());
        tell(&names.email, caller.email.as_deref());
        tell(&names.client, Some(&claims.client_id));
        let scope = admitted.scope().to_string();
        tell(&names.scope, Some(&scope).filter(|scope| !scope.is_empty()).map(String::as_str));
        if self.guard.identity == Identity::HeadersAndToken {
            identity.push((IDENTITY_TOKEN, self.identity_token(admitted)?));
        }
        let scheme = if self.resource.uri.canonical().starts_with("https:") { "https" } else { "http" };
        let upstream = self.guard.upstream.authority();
        Ok(headers::Told { client_ip: request.client_ip(), host, scheme, upstream, identity })
    }

    fn identity_token(&self, admitted: &Admitted) -> Result<String, Fault> {
        let (claims, caller) = (admitted.claims(), admitted.caller());
        let scope = admitted.scope().to_string();
        let kid = self.app.store.read(|tx| signing_keys::current(tx, self.now))?;
        let identity = IdentityClaims {
            iss: self.app.issuer.as_str(),
            aud: self.resource.uri.as_str(),
            sub: &claims.sub,
            exp: self.now.plus(IDENTITY_LIFETIME),
            iat: self.now,
            client_id: &claims.client_id,
            scope: Some(scope.as_str()).filter(|scope| !scope.is_empty()),
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
        let looked = match rules.is_empty() {
            true => look::in_passing(&head.headers, body).await,
            false => look::by_rules(rules, admitted.scope(), &head.headers, body, &self.app.room).await,
        };
        match looked {
            Ok(looked) => Ok(looked),
            Err(LookRefusal::Insufficient { scope, called }) => {
                let claims = Arc::clone(admitted.claims());
                Err(self.refuse(&BearerRefusal::Insufficient(scope, claims), &called).await)
            }
            Err(refusal) => {
                // What broke off was nothing yet; whatever else is refused is a decision.
                if !matches!(refusal, LookRefusal::Broken) {
                    let refused = (ErrorCode::InvalidRequest, refusal.reason());
                    let (asker, claims) = (&self.asker, Some(admitted.claims()));
                    let remembered = asker.remember(self.app, self.resource, refused, claims, None, self.now);
                    remembered.await.map_err(|why| faulty(&why))?;
                }
                let response = rpc_error(refusal.status(), refusal.code(), refusal.describe(), None);
                Err(response.because(refusal.reason()).for_any_origin())
            }
        }
    }

    /// What is remembered of a call once its body was handed on.
    fn calls(&self, admitted: &Admitted, seen: &Seen, taken: Taken) -> Calls {
        Calls {
            app: Arc::clone(self.app),
            origin: self.asker.origin().clone(),
            claims: Arc::clone(admitted.claims()),
            resource: Arc::clone(self.resource),
            seen: seen.clone(),
            taken,
            now: self.now,
        }
    }

    /// The answer of the server behind, on its way down. A stream ends when whoever reads it may no longer.
    fn hand_down(&self, reply: Reply, lasting: Lasting, own: &str, leave: Leave) -> Response {
        let mut headers = reply.headers;
        headers::downward(&mut headers);
        let location = headers.get("location").and_then(|location| location.to_str().ok());
        if let Some(location) = location.and_then(|to| path::in_front(&self.guard.upstream, own, to))
            && let Ok(location) = HeaderValue::from_str(&location)
        {
            headers.insert("location", location);
        }
        for_any_origin(&mut headers);
        if !headers.contains_key("x-content-type-options") {
            headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
        }
        if self.host_is_issuers {
            headers::beside_our_pages(&mut headers);
        }
        Response::streamed(reply.status, headers, reply.body.until(leave.cut(lasting)))
    }
}

/// A JSON-RPC error (5.1), which is what an MCP client can show, in the body of an HTTP error.
#[derive(Serialize)]
struct RpcError<'a> {
    jsonrpc: &'static str,
    error: RpcFault<'a>,
    /// Left out where it is not known: MCP has no `null` there.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<Value>,
}

#[derive(Serialize)]
struct RpcFault<'a> {
    code: i32,
    message: &'a str,
}

pub(super) fn refused(status: Status, message: &str) -> Response {
    refused_call(status, message, None)
}

/// The refusal of a call with this id.
fn refused_call(status: Status, message: &str, id: Option<Value>) -> Response {
    let code = if status.is_server_error() { -32_603 } else { -32_600 };
    rpc_error(status, code, message, id)
}

fn rpc_error(status: Status, code: i32, message: &str, id: Option<Value>) -> Response {
    let body = RpcError { jsonrpc: "2.0", error: RpcFault { code, message }, id };
    Response::json(status, &body).no_store()
}

/// The server behind has not answered.
fn unanswered(why: &UpstreamRefusal, upstream: &UpstreamUrl, id: Option<Value>) -> Response {
    let (status, message, mend) = match why {
        UpstreamRefusal::Unreachable(_) => (
            Status::BAD_GATEWAY,
            "The server behind this one cannot be reached. Whoever runs it should start it, or look where it listens.",
            Some(
                "start the server behind, or say where it listens: --guard, or vestibule resource set URI --upstream",
            ),
        ),
        UpstreamRefusal::TooSlow => (
            Status::GATEWAY_TIMEOUT,
            "The server behind this one did not answer in time.",
            Some("give it more time: --upstream-time"),
        ),
        UpstreamRefusal::Broken(_) => {
            let mend = Some("see the log of the server behind");
            (Status::BAD_GATEWAY, "The server behind this one broke off.", mend)
        }
        // The client's own, who could fill the log with what the server behind has no part in.
        UpstreamRefusal::BodyBroken => {
            (Status::BAD_REQUEST, "The body of the request broke off, or is ambiguous.", None)
        }
    };
    if let Some(mend) = mend {
        tracing::warn!(upstream = upstream.as_str(), %why, mend, "a guarded server has not answered");
    }
    refused_call(status, message, id).because(why.to_string()).for_any_origin()
}

/// The path of a request is not the same to everybody.
pub(super) fn two_readings() -> Response {
    refused(Status::BAD_REQUEST, "This path could be read in two ways; write it plainly.")
        .because("path_not_plain")
        .for_any_origin()
}

/// Our fault; its text goes to the log alone.
pub fn faulty(why: &Fault) -> Response {
    tracing::error!("{why}");
    let answer =
        refused(Status::SERVICE_UNAVAILABLE, "This server cannot reach its storage; try again soon.");
    answer.with_header("retry-after", "5").because("fault").for_any_origin()
}

/// What a browser asks before a page of another origin may ask. Never needs a token, and never goes further: the server
/// behind knows nothing of what it would have to allow.
pub(super) fn preflight(request: &Request) -> Option<Response> {
    request
        .is_preflight()
        .then(|| Response::to_preflight(request, "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"))
}
