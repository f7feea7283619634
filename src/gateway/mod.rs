//! Standing in front of MCP servers that know nothing of OAuth.
//!
//! The registry is the routing table: a request whose host and path lie in a guarded resource's URI is the guard's. Who
//! asks is known by their token and by nothing else; whether it still stands is asked at every request, and of every open
//! stream. What passes is handed on as it is, and the server behind is told who it is.
//!
//! ```text
//! path       paths that every reader reads alike     bearer     who asks
//! json       JSON as it passes by                    message    JSON-RPC as it passes by
//! look       what a body calls, against the rules    headers    what goes up, and what comes down
//! challenge  what whoever may not pass is told       metadata   how clients find us (RFC 9728)
//! pass       one request, all of it                  leave      how long what was let in may go on
//! verify     for a proxy that passes it itself       asker      what becomes of one that may not pass
//! calls      what was called, for the audit
//! ```

mod asker;
mod bearer;
mod calls;
mod challenge;
mod headers;
mod json;
mod leave;
mod look;
mod message;
mod metadata;
mod pass;
mod path;
mod verify;

use std::sync::Arc;

use crate::app::sites::Sites;
use crate::app::{App, View};
use crate::clock::UnixTime;
use crate::http::{Method, Request, Response};
use crate::store::Fault;

pub use pass::faulty;
pub use verify::get as verify;

/// The view by which a request is for a host that is not the issuer's, at which something is guarded: then nothing there is
/// this server's own.
pub fn elsewhere(app: &App, request: &Request, now: UnixTime) -> Result<Option<View>, Fault> {
    let Some(host) = request.host().filter(|host| !app.issuer.is_at(host)) else { return Ok(None) };
    let view = app.view(now)?;
    let is_guarded = view.sites().at(host).any(|site| site.resource().guard.is_some());
    Ok(is_guarded.then_some(view))
}

/// Answers a request that is not for this server's own surface, by the view that said so, if one did. `Err` gives the
/// request back: nothing is guarded there.
pub async fn answer(
    app: &Arc<App>,
    view: Option<View>,
    request: Request,
    now: UnixTime,
) -> Result<Response, Request> {
    let view = match view.map_or_else(|| app.view(now), Ok) {
        Ok(view) => view,
        Err(why) => return Ok(pass::faulty(&why)),
    };
    let Some(host) = request.host().map(str::to_owned) else { return Err(request) };
    if let Some(response) = well_known(app, view.sites(), &request, &host) {
        return Ok(response);
    }
    let sites = view.sites();
    let Some(site) = sites.find(&host, request.path()) else { return Err(request) };
    let Some(guard) = site.resource().guard.as_ref() else { return Err(request) };
    if !path::is_plain(request.path()) || path::lies_elsewhere(sites, &host, site, request.path()) {
        return Ok(pass::two_readings());
    }
    if let Some(response) = pass::preflight(&request) {
        return Ok(response);
    }
    Ok(pass::answer(app, &view, request, site, guard, &host, now).await)
}

fn well_known(app: &App, sites: &Sites, request: &Request, host: &str) -> Option<Response> {
    let document = metadata::answer(app, sites, host, request.path())?;
    match *request.method() {
        Method::GET | Method::HEAD => Some(document.for_any_origin()),
        Method::OPTIONS => Some(Response::to_preflight(request, "GET, HEAD, OPTIONS")),
        _ => None,
    }
}
