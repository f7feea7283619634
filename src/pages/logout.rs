//! Signing out. A link only asks, since another site can make a browser follow one; the form does it.

use std::sync::Arc;

use super::{Fields, Halt, authorization_in_query, go_on, go_to, page};
use crate::app::App;
use crate::audit::{Entry, Event, Origin};
use crate::clock::UnixTime;
use crate::http::{Request, Response, Status};
use crate::oauth::ids::AuthorizationId;
use crate::store::sessions;
use crate::view::logout::{self, View};

const PURPOSE: &str = "logout";

/// Asks whoever is signed in; says that it is done where nobody is.
pub async fn get(app: &Arc<App>, request: Request, now: UnixTime) -> Response {
    ask(app, &request, now).unwrap_or_else(|halt| halt.answer(&request))
}

/// Ends the session, here and in the browser.
pub async fn post(app: &Arc<App>, mut request: Request, now: UnixTime) -> Response {
    match sign_out(app, &mut request, now).await {
        Ok(response) => response,
        Err(halt) => halt.answer(&request),
    }
}

fn ask(app: &App, request: &Request, now: UnixTime) -> Result<Response, Halt> {
    let authorization = authorization_in_query(request)?;
    let signed_in = app.store.read(|tx| app.browser.signed_in(tx, request, now))?;
    let Some(signed_in) = signed_in else {
        return Ok(match &authorization {
            Some(id) => go_on(id),
            None => page(Status::OK, logout::page(&View::Done)),
        });
    };
    let token = app.browser.form_token(request, PURPOSE);
    let view = View::Confirm {
        form_token: token.as_str(),
        user_name: signed_in.user().name.as_str(),
        authorization: authorization.as_ref().map(AuthorizationId::as_str),
    };
    let response = page(Status::OK, logout::page(&view));
    Ok(token.with_cookie(response))
}

async fn sign_out(app: &Arc<App>, request: &mut Request, now: UnixTime) -> Result<Response, Halt> {
    let fields = Fields::read(request).await?;
    app.browser.check_form(request, PURPOSE, fields.token()?)?;
    let authorization = fields.authorization()?;
    if let Some(session) = app.browser.session(request) {
        let origin = Origin::of_request(request.client_ip(), request.header("user-agent"));
        app.store
            .write(move |tx| {
                if let Some(signed_in) = sessions::find(tx, &session, now)? {
                    Entry::new(Event::Logout, &origin).user(&signed_in.user().id).record(tx, now)?;
                }
                sessions::remove(tx, &session)
            })
            .await?;
    }
    // Without a session, the page itself says that it is done.
    let next = authorization.as_ref().map_or_else(|| go_to("/logout"), go_on);
    Ok(next.with_header("set-cookie", &app.browser.no_session_cookie()))
}
