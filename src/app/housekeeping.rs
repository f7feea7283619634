//! What is done while nobody asks: what has expired goes, in small bites between the requests.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::App;
use crate::store::Fault;
use crate::store::purge::{self, Retention};

/// How often what has expired goes.
const ROUND: Duration = Duration::from_secs(5 * 60);

/// How many rounds pass between two looks at the grants, which means looking at every one of them.
const ROUNDS_A_DAY: u64 = 24 * 12;

/// Goes on until it is aborted. A round that fails is logged and made up for by the next.
pub async fn run(app: Arc<App>) {
    let mut rounds = interval_at(Instant::now() + ROUND, ROUND);
    rounds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for round in 1_u64.. {
        rounds.tick().await;
        if let Err(why) = clean_up(&app, round.is_multiple_of(ROUNDS_A_DAY).then_some(Grants)).await {
            tracing::warn!("{why}; what has expired stays until the next round");
        }
    }
}

/// That grants are looked at as well.
struct Grants;

async fn clean_up(app: &App, grants: Option<Grants>) -> Result<(), Fault> {
    let lifetimes = app.settings.lifetimes;
    let keep = Retention {
        audit: lifetimes.audit,
        unused_clients: lifetimes.unused_client,
        idle_grants: lifetimes.refresh_idle,
    };
    let now = app.clock.now();
    while app.store.write(move |tx| purge::bite(tx, keep, now)).await? > 0 {}
    if grants.is_some() {
        while app.store.write(move |tx| purge::bite_of_grants(tx, keep, now)).await? > 0 {}
    }
    Ok(())
}
