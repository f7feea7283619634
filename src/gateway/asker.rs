//! Where a request comes from, for the limits and the audit; and what becomes of one that may not pass.

use std::sync::Arc;

use super::bearer::BearerRefusal;
use super::challenge;
use super::pass::{faulty, refused};
use crate::app::App;
use crate::audit::{Entry, Event, Origin};
use crate::clock::{Seconds, UnixTime};
use crate::http::{Request, Response, Status};
use crate::limits::{Key, Kind, Wait};
use crate::oauth::claims::AccessTokenClaims;
use crate::oauth::error::ErrorCode;
use crate::oauth::ids::{ClientId, UserId};
use crate::oauth::resource::Resource;
use crate::store::Fault;

/// Where a request comes from.
pub(super) struct Asker {
    origin: Origin,
    payer: Key,
}

impl Asker {
    /// Of a request.
    pub(super) fn of(request: &Request) -> Self {
        Self {
            origin: Origin::of_request(request.client_ip(), request.header("user-agent")),
            payer: Key::address(request.client_ip()),
        }
    }

    /// For a row of the audit.
    pub(super) const fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Tells whoever may not pass why, and remembers it, within the limits. A request without a token is no decision, nor is
    /// one with a token that has ended by itself: every client begins with the one, and goes on by the other. `path` is
    /// what was asked for, and `subject` what it wanted to call there.
    pub(super) async fn refuse(
        &self,
        app: &Arc<App>,
        resource: &Arc<Resource>,
        path: &str,
        refusal: &BearerRefusal,
        subject: Option<String>,
        now: UnixTime,
    ) -> Response {
        let response = challenge::refuse(resource, path, refusal);
        if matches!(refusal, BearerRefusal::Missing | BearerRefusal::Expired(_)) {
            return response.because(refusal.reason()).for_any_origin();
        }
        if refusal.is_guess()
            && let Err(Wait(wait)) = app.limits.take(Kind::TokenGuess, self.payer, now)
        {
            return busy(wait);
        }
        let (refused, claims) = ((error_of(refusal), refusal.reason()), refusal.claims());
        let recorded = match refusal.is_guess() {
            true => self.record(app, resource, refused, claims, subject, now).await,
            false => self.remember(app, resource, refused, claims, subject, now).await,
        };
        match recorded {
            Ok(()) => response.because(log_reason(refusal)).for_any_origin(),
            Err(why) => faulty(&why),
        }
    }

    /// Remembers that something was refused, by its error and its reason, which was no guess. Within the limits: the audit
    /// is nobody's to fill, whoever they are.
    pub(super) async fn remember(
        &self,
        app: &Arc<App>,
        resource: &Arc<Resource>,
        refused: (ErrorCode, &'static str),
        claims: Option<&Arc<AccessTokenClaims>>,
        subject: Option<String>,
        now: UnixTime,
    ) -> Result<(), Fault> {
        match app.limits.take(Kind::RefusalRow, self.payer, now) {
            Ok(()) => self.record(app, resource, refused, claims, subject, now).await,
            Err(_) => Ok(()),
        }
    }

    async fn record(
        &self,
        app: &Arc<App>,
        resource: &Arc<Resource>,
        (error, reason): (ErrorCode, &'static str),
        claims: Option<&Arc<AccessTokenClaims>>,
        subject: Option<String>,
        now: UnixTime,
    ) -> Result<(), Fault> {
        let (origin, resource, claims) = (self.origin.clone(), Arc::clone(resource), claims.cloned());
        let recorded = app.store.write(move |tx| {
            let (user, client) = claims.as_deref().map_or((None, None), named);
            let entry =
                Entry::new(Event::GuardRefused, &origin).refused(error, reason).resources([&resource.uri]);
            let entry = entry.of(user.as_ref(), client.as_ref());
            match &subject {
                Some(subject) => entry.subject(subject).record(tx, now),
                None => entry.record(tx, now),
            }
        });
        recorded.await
    }
}

/// The person and the client that a token names.
pub(super) fn named(claims: &AccessTokenClaims) -> (Option<UserId>, Option<ClientId>) {
    (UserId::parse(&claims.sub).ok(), ClientId::parse(&claims.client_id).ok())
}

const fn error_of(refusal: &BearerRefusal) -> ErrorCode {
    match refusal {
        BearerRefusal::Insufficient(..) => ErrorCode::InsufficientScope,
        BearerRefusal::Closed(_) => ErrorCode::AccessDenied,
        _ => ErrorCode::InvalidToken,
    }
}

fn log_reason(refusal: &BearerRefusal) -> String {
    match refusal {
        BearerRefusal::ForOthers(claims) => {
            let others: Vec<_> = claims.aud.iter().collect();
            format!("{} {}", refusal.reason(), others.join(" "))
        }
        BearerRefusal::Insufficient(scope, _) => format!("{} {scope}", refusal.reason()),
        BearerRefusal::Closed(_) => {
            format!(
                "{}; mend: vestibule resource set URI --users, with the person among them",
                refusal.reason()
            )
        }
        _ => refusal.reason().to_owned(),
    }
}

fn busy(wait: Seconds) -> Response {
    refused(Status::TOO_MANY_REQUESTS, "Too many wrong tokens; wait as long as Retry-After says.")
        .with_header("retry-after", &wait.as_u32().max(1).to_string())
        .because("throttled")
        .for_any_origin()
}
