//! File descriptors: how many connections the process may have open, and what to say where those are few.
//!
//! Many systems let a process have 1024 files unless it asks for more, and a stream through the guard takes two: one to
//! the client, one to the server behind.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Besides connections: the database with its log, the listener, the terminal, documents that are fetched.
const OTHERS: u64 = 128;

/// What a connection takes.
const EACH: u64 = 2;

/// Asks the system for as many descriptors as this many connections take, and says how many connections it may be.
pub(super) fn make_room(connections: usize) -> usize {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let needed = (connections as u64).saturating_mul(EACH).saturating_add(OTHERS);
    // `None` is without limit.
    let Some(current) = current.filter(|current| *current < needed) else { return connections };
    let wanted = maximum.map_or(needed, |maximum| needed.min(maximum));
    let raised = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum });
    fitting(if raised.is_ok() { wanted } else { current }, connections)
}

/// How many connections fit into a number of descriptors; at least one, or nobody could be told what is wrong.
fn fitting(descriptors: u64, connections: usize) -> usize {
    let room = descriptors.saturating_sub(OTHERS) / EACH;
    usize::try_from(room).unwrap_or(usize::MAX).clamp(1, connections)
}

/// What the owner is told where not all connections fit that they asked for.
pub(super) fn shortage(asked: usize, room: usize) -> Option<String> {
    let needed = (asked as u64).saturating_mul(EACH).saturating_add(OTHERS);
    (room < asked).then(|| {
        format!(
            "at most {room} connections can be open at once instead of {asked}, because the system lets this process have \
             few files; let it have {needed} (LimitNOFILE={needed} in a unit of systemd, ulimit -n {needed} in a \
             shell), or ask for less: --connections-max {room}"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_connections_fit_as_leave_room_for_the_rest() {
        for (descriptors, asked, room) in [
            (8320, 4096, 4096),
            (1_000_000, 4096, 4096),
            (1024, 4096, 448),
            (130, 4096, 1),
            (10, 4096, 1),
            (1024, 5, 5),
        ] {
            assert_eq!(fitting(descriptors, asked), room, "{descriptors}");
        }
        assert_eq!(shortage(5, 5), None);
        assert!(shortage(4096, 448).is_some_and(|text| text.contains("LimitNOFILE=8320")));
    }
}
