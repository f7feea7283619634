//! When access ends that is taken back, for the person who took it.

use crate::clock::Seconds;
use crate::config::span;
use crate::oauth::resource::Resource;

/// Two sentences: at once at the servers that this one guards, and with the last token, whose lifetime the `setting` or
/// the resource says, at those that check tokens themselves.
pub(super) fn ends(resources: &[Resource], setting: Seconds) -> String {
    let checking = resources.iter().filter(|resource| resource.guard.is_none());
    let longest = checking.map(|resource| resource.token_lifetime.unwrap_or(setting)).max();
    format!(
        "At guarded servers access ends at once: the next request is refused, and open streams end within five seconds. \
         Only a server that checks tokens itself takes one that is out there until it ends, in at most {}.",
        span::write(longest.unwrap_or(setting))
    )
}
