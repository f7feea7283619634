//! Who is at the other end: the peer, or what a trusted proxy says.

use std::net::{IpAddr, SocketAddr};

use hyper::HeaderMap;

/// The networks whose `X-Forwarded-For` is believed. Empty by default: nobody's is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<Network>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Network {
    address: IpAddr,
    prefix: u32,
}

/// The text is neither an address nor `address/prefix`; it is kept for the message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotANetwork(pub String);

impl std::fmt::Display for NotANetwork {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{:?} is not a network; write 192.0.2.7, 10.0.0.0/8 or fd00::/8", self.0)
    }
}

impl std::error::Error for NotANetwork {}

impl TrustedProxies {
    /// Reads addresses and networks (`192.0.2.7`, `10.0.0.0/8`, `fd00::/8`).
    ///
    /// # Errors
    /// The first text that is no network.
    pub fn parse<'a>(networks: impl IntoIterator<Item = &'a str>) -> Result<Self, NotANetwork> {
        let parse = |text: &str| Network::parse(text).ok_or_else(|| NotANetwork(text.to_owned()));
        networks.into_iter().map(parse).collect::<Result<_, _>>().map(Self)
    }

    /// Whether this address belongs to a trusted proxy.
    pub fn contains(&self, ip: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(ip))
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

impl Network {
    fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address = address.parse::<IpAddr>().ok()?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            Some(digits) => digits.parse().ok().filter(|prefix| *prefix <= width)?,
            None => width,
        };
        Some(Self { address, prefix })
    }

    fn contains(&self, ip: IpAddr) -> bool {
        match (self.address, ip.to_canonical()) {
            (IpAddr::V4(network), IpAddr::V4(ip)) => {
                let differing = u32::from(network) ^ u32::from(ip);
                differing.leading_zeros() >= self.prefix
            }
            (IpAddr::V6(network), IpAddr::V6(ip)) => {
                let differing = u128::from(network) ^ u128::from(ip);
                differing.leading_zeros() >= self.prefix
            }
            _ => false,
        }
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

    #[test]
    fn networks_are_read_strictly() {
        for text in
            ["", "10.0.0.0/33", "::/129", "10.0.0/8", "10.0.0.0/", "10.0.0.0/x", "home", "10.0.0.0/-1"]
        {
            assert_eq!(TrustedProxies::parse([text]), Err(NotANetwork(text.to_owned())));
        }
        let all = TrustedProxies::parse(["0.0.0.0/0"]).unwrap();
        assert!(all.contains("192.0.2.1".parse().unwrap()));
        assert!(all.contains("::ffff:192.0.2.1".parse().unwrap()));
        assert!(!all.contains("2001:db8::1".parse().unwrap()));
    }
}
