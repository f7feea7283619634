//! Dynamic client registration (RFC 7591).

use std::sync::Arc;

use super::{busy, error, fault, unreadable};
use crate::app::App;
use crate::audit::{Entry, Event, Origin};
use crate::clock::UnixTime;
use crate::http::{Request, Response, Status};
use crate::limits::{Key, Kind, Wait};
use crate::oauth::registration::register;
use crate::store::{Fault, clients, resources};

/// The longest registration.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// `POST /oauth/register`: 201 with what was granted.
pub async fn post(app: &Arc<App>, mut request: Request, now: UnixTime) -> Response {
    if let Err(Wait(wait)) = app.limits.take(Kind::Registration, Key::address(request.client_ip()), now) {
        return busy(wait);
    }
    let body = match request.json(BODY_BYTES_MAX).await {
        Ok(body) => body,
        Err(refusal) => return unreadable(&refusal),
    };
    let origin = Origin::of_request(request.client_ip(), request.header("user-agent"));
    let answer = app
        .store
        .write(move |tx| {
            let known = resources::all_scopes(tx)?;
            let (client, registered) = match register(&body, &known, now) {
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
