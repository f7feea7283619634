//! Dynamic client registration (RFC 7591).

use std::sync::Arc;

use super::{ErrorBody, busy, error, fault, unreadable};
use crate::app::App;
use crate::audit::{Entry, Event, Origin};
use crate::clock::UnixTime;
use crate::config::Switch;
use crate::http::{Request, Response, Status};
use crate::limits::{Key, Kind, Wait};
use crate::oauth::error::ErrorCode;
use crate::oauth::registration::register;
use crate::oauth::secret::SecretHash;
use crate::store::{Fault, clients, resources};

/// The longest registration.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// `POST /oauth/register`: 201 with what was granted.
pub async fn post(app: &Arc<App>, mut request: Request, now: UnixTime) -> Response {
    if app.settings.registration == Switch::Off {
        return closed();
    }
    if let Some(answer) = refuse_without_token(app, &request, now) {
        return answer;
    }
    if let Err(Wait(wait)) = app.limits.take(Kind::Registration, Key::address(request.client_ip()), now) {
        return busy(wait);
    }
    let body = match request.json(BODY_BYTES_MAX).await {
        Ok(body) => body,
        Err(refusal) => return unreadable(&refusal),
    };
    let origin = Origin::of_request(request.client_ip(), request.header("user-agent"));
    let app_links = app.settings.app_links;
    let answer = app
        .store
        .write(move |tx| {
            let known = resources::all_scopes(tx)?;
            let (client, registered) = match register(&body, &known, app_links, now) {
                Ok(pair) => pair,
                Err(refusal) => {
                    let (code, _) = refusal.wire();
                    Entry::new(Event::ClientRefused, &origin)
                        .refused(code, refusal.reason())
                        .record(tx, now)?;
                    return Ok(Err(refusal));
                }
            };
            let metadata = serde_json::to_string(&registered.metadata)
                .map_err(|source| Fault::new("write a client's metadata", source))?;
            clients::insert(tx, &client, &metadata)?;
            Entry::new(Event::ClientRegistered, &origin)
                .client(&client)
                .subject(&client.name)
                .record(tx, now)?;
            Ok(Ok(registered))
        })
        .await;
    match answer {
        Ok(Ok(registered)) => Response::json(Status::CREATED, &registered).no_store(),
        Ok(Err(refusal)) => {
            let (code, description) = refusal.wire();
            error(code, description).because(format!("{refusal:?}"))
        }
        Err(why) => fault(&why),
    }
}

/// The endpoint is not there, and discovery does not name it. Who comes all the same is told what to do.
fn closed() -> Response {
    let body = ErrorBody {
        error: ErrorCode::InvalidRequest.as_str(),
        error_description: "Registration is closed here; ask the owner of this server for a client_id.",
    };
    let mend = "registration_closed; mend: add the client by hand, vestibule client add, or open it, --registration on";
    Response::json(Status::NOT_FOUND, &body).no_store().because(mend)
}

/// The answer to whoever does not show the initial access token (RFC 7591 3), where the owner wants one.
fn refuse_without_token(app: &App, request: &Request, now: UnixTime) -> Option<Response> {
    let expected = app.settings.registration_token?;
    let key = Key::address(request.client_ip());
    if let Err(Wait(wait)) = app.limits.look(Kind::TokenGuess, key, now) {
        return Some(busy(wait));
    }
    if request.bearer().is_some_and(|token| SecretHash::of(token) == expected) {
        return None;
    }
    // Looked at before; here the guess is paid for.
    let _ = app.limits.take(Kind::TokenGuess, key, now);
    let description =
        "Registration needs the token that the owner of this server gives out, as a Bearer token.";
    let mend = "initial_access_token_wrong; mend: give the client the token in the file of --registration-token-file";
    Some(error(ErrorCode::InvalidToken, description).because(mend))
}
