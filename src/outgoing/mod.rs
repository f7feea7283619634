//! Connections that this server opens itself: few, guarded, and never on a stranger's terms.
//!
//! A stranger names a URL, and this server asks for it from inside the house. So a fetch asks the resolver once, looks at
//! every address that comes back, connects to one of those and to no other, follows nobody elsewhere, and takes little
//! and for a short time. It knows nothing of what a document is for. No proxy is used, whatever the environment says:
//! behind one, nobody could tell where a request ends.
//!
//! The servers behind the guard are another matter: the owner named them, and their connections are kept and reused. So
//! are probes: the owner wants to know how a server of anybody's behaves, and is told.

mod address;
mod certificate;
mod connections;
mod fetch;
mod flight;
mod freshness;
mod names;
mod party;
mod probe;
mod tls;
mod trust;
mod upstream;

pub use address::is_public;
pub use fetch::{FetchRefusal, Fetched, Fetcher};
pub use names::Names;
pub use party::Party;
pub use probe::{Awaited, BodyEnd, Probe, ProbeAnswer, ProbeRefusal, Prober, Reached};
pub use trust::{TlsRefusal, Trust};
pub use upstream::{Outbound, Reply, UpstreamRefusal, Upstreams};

use std::io;
use std::path::Path;

/// Whether a file can serve as a list of authorities, and if not, why.
pub fn check_roots(path: &Path) -> io::Result<()> {
    tls::authorities(path).map(drop)
}
