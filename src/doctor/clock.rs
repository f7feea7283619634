//! Whether a server's clock is right, as far as ours is: tokens are for minutes, and both sides look at the time.

use super::step::{Notes, Step};
use crate::clock::UnixTime;

/// So far clocks may differ before somebody refuses a fresh token.
const TOLERANCE: u32 = 60;

/// Compares what a server says is the time with what it is here.
pub(super) fn judge(step: Step, date: Option<UnixTime>, now: UnixTime, notes: &mut Notes) {
    let Some(date) = date else { return notes.skip(step, "it does not tell the time (no Date header)") };
    let (ahead, behind) = (date.since(now).as_u32(), now.since(date).as_u32());
    let (by, direction) = if ahead > 0 { (ahead, "ahead of") } else { (behind, "behind") };
    if by <= TOLERANCE {
        return notes.ok(step, "right");
    }
    notes.warn(
        step,
        format!("it is {by} seconds {direction} this machine's"),
        "Tokens that one machine makes are not valid yet, or not any more, at the other.",
        "Let both machines take their time from the network (timedatectl set-ntp true).",
    );
}
