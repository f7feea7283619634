//! Who is at the other end: the peer, or what a trusted proxy says.

use std::net::{IpAddr, SocketAddr};

use hyper::HeaderMap;

use super::networks::{Networks, NotANetwork};

/// The networks whose `X-Forwarded-For` is believed. Empty by default: nobody's is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies(Networks);

impl TrustedProxies {
    /// Reads addresses and networks, as [`Networks::parse`].
    ///
    /// # Errors
    /// The first text that is no network.
    pub fn parse<'a>(networks: impl IntoIterator<Item = &'a str>) -> Result<Self, NotANetwork> {
        Networks::parse(networks).map(Self)
    }

    /// Whether this address belongs to a trusted proxy.
    pub fn contains(&self, ip: IpAddr) -> bool {
        self.0.contains(ip)
    }

    /// The client behind `peer`: the peer itself unless it is trusted, else the right-most hop that is not.
    ///
    /// Every proxy appends the address that it saw, so only the right end of the list was written by
    /// somebody we trust. A hop that is no address makes the whole list worthless, and the peer stands.
    /// If all hops are trusted, the left-most one is the client.
    pub(crate) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        if !self.contains(peer) {
            return peer;
        }
        let mut client = peer;
        for line in headers.get_all("x-forwarded-for").iter().rev() {
            let Ok(line) = line.to_str() else {
                return peer;
            };
            for hop in line.rsplit(',') {
                let Some(ip) = parse_hop(hop.trim()) else {
                    return peer;
                };
                client = ip;
                if !self.contains(ip) {
                    return client;
                }
            }
        }
        client
    }
}

/// An address as proxies write it: bare, bracketed, or with a port.
fn parse_hop(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let ip = bare.parse::<IpAddr>().or_else(|_| text.parse::<SocketAddr>().map(|hop| hop.ip())).ok()?;
    Some(ip.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(trusted: &[&str], peer: &str, forwarded: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append("x-forwarded-for", value.parse().unwrap());
        }
        let proxies = TrustedProxies::parse(trusted.iter().copied()).unwrap();
        proxies.client(peer.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn a_log_04_a_stranger_cannot_choose_its_address() {
        assert_eq!(client(&[], "192.0.2.9", &["198.51.100.1"]), "192.0.2.9");
        assert_eq!(client(&["10.0.0.0/8"], "192.0.2.9", &["198.51.100.1"]), "192.0.2.9");
    }

    #[test]
    fn the_right_most_untrusted_hop_is_the_client() {
        let trusted = &["10.0.0.0/8", "fd00::/8"];
        assert_eq!(client(trusted, "10.0.0.1", &["1.2.3.4, 198.51.100.1"]), "198.51.100.1");
        assert_eq!(client(trusted, "10.0.0.1", &["1.2.3.4, 198.51.100.1, 10.9.9.9"]), "198.51.100.1");
        assert_eq!(client(trusted, "10.0.0.1", &["1.2.3.4", "198.51.100.1", "fd00::7"]), "198.51.100.1");
        assert_eq!(client(trusted, "10.0.0.1", &["198.51.100.1:4711"]), "198.51.100.1");
        assert_eq!(client(trusted, "10.0.0.1", &["[2001:db8::1]:4711"]), "2001:db8::1");
        assert_eq!(client(trusted, "10.0.0.1", &["::ffff:198.51.100.1"]), "198.51.100.1");
    }

    #[test]
    fn a_list_of_trusted_hops_only_begins_with_the_client() {
        assert_eq!(client(&["10.0.0.0/8"], "10.0.0.1", &["10.0.0.5, 10.0.0.2"]), "10.0.0.5");
        assert_eq!(client(&["10.0.0.0/8"], "10.0.0.1", &[]), "10.0.0.1");
    }

    #[test]
    fn an_unreadable_hop_leaves_the_peer() {
        for value in ["", "unknown", "1.2.3.4, ", "1.2.3.4, x", "1.2.3.4,,10.0.0.2", "1.2.3.4\t5", "[1.2.3.4"]
        {
            assert_eq!(client(&["10.0.0.0/8"], "10.0.0.1", &[value]), "10.0.0.1", "{value:?}");
        }
    }
}
