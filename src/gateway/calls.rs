//! What was called, for the audit.

use std::sync::Arc;

use super::asker::named;
use super::look::{Seen, UNCLEAR};
use crate::app::App;
use crate::audit::{Entry, Event, Origin};
use crate::clock::UnixTime;
use crate::http::Taken;
use crate::oauth::claims::AccessTokenClaims;
use crate::oauth::resource::Resource;

/// Calls that the audit tells of; others come by the thousand and change nothing.
const TOLD: [&str; 5] = ["initialize", "tools/call", "resources/read", "prompts/get", UNCLEAR];

/// What a body calls, to be remembered when it was handed on, or as much of it as anybody wanted. It goes with the body,
/// so that no call is forgotten because its client did not wait for the answer.
pub(super) struct Calls {
    pub(super) app: Arc<App>,
    pub(super) origin: Origin,
    pub(super) claims: Arc<AccessTokenClaims>,
    pub(super) resource: Arc<Resource>,
    pub(super) seen: Seen,
    /// How the body gets on.
    pub(super) taken: Taken,
    pub(super) now: UnixTime,
}

impl Drop for Calls {
    /// Behind the answer: nothing depends on it.
    fn drop(&mut self) {
        // What nobody could be reached with was called nowhere.
        if !self.taken.has_begun() {
            return;
        }
        let calls = self.seen.calls();
        let told: Vec<_> = calls.into_iter().filter(|(method, _)| TOLD.contains(&method.as_str())).collect();
        if told.is_empty() {
            return;
        }
        let (origin, claims) = (self.origin.clone(), Arc::clone(&self.claims));
        let (resource, now) = (Arc::clone(&self.resource), self.now);
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
}

/// `tools/call:delete_note`.
pub(super) fn in_words((method, target): &(String, Option<String>)) -> String {
    let text = match target {
        Some(target) => format!("{method}:{target}"),
        None => method.clone(),
    };
    text.chars().take(256).collect()
}
