//! Which addresses belong to a server on the internet, and which lead back into the house.
//!
//! A stranger chooses what is fetched, so an address that this machine reaches and the stranger does not is a way in
//! (RFC 6890, the IANA registries of special-purpose addresses). What is not known to be public is special.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};

/// Whether an address is one of a public server: of no special-purpose block, and no other spelling of one.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => match v6.to_ipv4_mapped().or_else(|| translated(v6)) {
            Some(v4) => is_public_v4(v4),
            None => is_public_v6(v6),
        },
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    /// Network and prefix length.
    const SPECIAL: [(Ipv4Addr, u32); 16] = [
        (Ipv4Addr::new(0, 0, 0, 0), 8),
        (Ipv4Addr::new(10, 0, 0, 0), 8),
        (Ipv4Addr::new(100, 64, 0, 0), 10),
        (Ipv4Addr::new(127, 0, 0, 0), 8),
        (Ipv4Addr::new(169, 254, 0, 0), 16),
        (Ipv4Addr::new(172, 16, 0, 0), 12),
        (Ipv4Addr::new(192, 0, 0, 0), 24),
        (Ipv4Addr::new(192, 0, 2, 0), 24),
        (Ipv4Addr::new(192, 52, 193, 0), 24),
        (Ipv4Addr::new(192, 88, 99, 0), 24),
        (Ipv4Addr::new(192, 168, 0, 0), 16),
        (Ipv4Addr::new(198, 18, 0, 0), 15),
        (Ipv4Addr::new(198, 51, 100, 0), 24),
        (Ipv4Addr::new(203, 0, 113, 0), 24),
        (Ipv4Addr::new(224, 0, 0, 0), 4),
        (Ipv4Addr::new(240, 0, 0, 0), 4),
    ];
    let shares = |(network, prefix): (Ipv4Addr, u32)| {
        (u32::from(network) ^ u32::from(address)).leading_zeros() >= prefix
    };
    !SPECIAL.into_iter().any(shares)
}

/// Only 2000::/3 is given out to the public, and parts of it are special again.
fn is_public_v6(address: Ipv6Addr) -> bool {
    const GLOBAL: (Ipv6Addr, u32) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);
    const SPECIAL: [(Ipv6Addr, u32); 4] = [
        // Protocol assignments: Teredo, benchmarking, ORCHID.
        (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
        (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
        // 6to4 carries an IPv4 address inside.
        (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
        (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
    ];
    let shares = |(network, prefix): (Ipv6Addr, u32)| {
        (u128::from(network) ^ u128::from(address)).leading_zeros() >= prefix
    };
    shares(GLOBAL) && !SPECIAL.into_iter().any(shares)
}

/// The IPv4 address behind the well-known NAT64 prefix (RFC 6052 2.1): networks without IPv4 reach all of IPv4 by it.
fn translated(address: Ipv6Addr) -> Option<Ipv4Addr> {
    match address.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some(Ipv4Addr::from(u32::from(high) << 16 | u32::from(low))),
        _ => None,
    }
}

/// Whether an address is of this very machine, or of its site. A house numbers all its machines publicly in IPv6 and
/// keeps the world out at its door; and a machine's firewall stands between it and others, not between it and itself.
pub(super) fn is_of_this_site(address: IpAddr) -> bool {
    let address = address.to_canonical();
    own_address_towards(address).is_some_and(|own| is_one_site(own, address))
}

/// What this machine would send from. The kernel is asked for the way, and nothing is sent.
fn own_address_towards(address: IpAddr) -> Option<IpAddr> {
    let any: IpAddr = match address {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect((address, 443)).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

fn is_one_site(own: IpAddr, other: IpAddr) -> bool {
    /// What a home is given at least, where it is given more than one network (RFC 6177 2).
    const SITE_PREFIX: u32 = 56;
    match (own, other) {
        (IpAddr::V4(own), IpAddr::V4(other)) => own == other,
        (IpAddr::V6(own), IpAddr::V6(other)) => {
            (u128::from(own) ^ u128::from(other)).leading_zeros() >= SITE_PREFIX
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_address_of_this_machine_or_of_its_site_is_inside() {
        let one = |own: &str, other: &str| is_one_site(own.parse().unwrap(), other.parse().unwrap());
        for (own, other) in [
            ("2a02:8070:1:2300::5", "2a02:8070:1:2300::10"),
            ("2a02:8070:1:2300::5", "2a02:8070:1:23ff:ffff::1"),
            ("1.1.1.1", "1.1.1.1"),
        ] {
            assert!(one(own, other), "{other}");
        }
        for (own, other) in [
            ("2a02:8070:1:2300::5", "2a02:8070:1:2400::5"),
            ("2a02:8070:1:2300::5", "2606:4700::1111"),
            ("1.1.1.1", "1.1.1.2"),
            ("192.168.1.5", "1.1.1.1"),
            ("fd00::5", "2606:4700::1111"),
            ("192.168.1.5", "2606:4700::1111"),
        ] {
            assert!(!one(own, other), "{other}");
        }
        assert!(is_of_this_site(Ipv4Addr::LOCALHOST.into()), "whoever sends there sends to itself");
        assert!(is_of_this_site(Ipv4Addr::LOCALHOST.to_ipv6_mapped().into()));
        assert!(!is_of_this_site(Ipv4Addr::new(1, 1, 1, 1).into()));
    }

    fn public(text: &str) -> bool {
        is_public(text.parse().unwrap_or_else(|_| panic!("{text} is an address")))
    }

    #[test]
    fn a_cimd_03_every_special_ipv4_block_is_refused_to_its_edges() {
        for special in [
            "0.0.0.0",
            "0.255.255.255",
            "10.0.0.0",
            "10.255.255.255",
            "100.64.0.0",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.255",
            "169.254.169.254",
            "172.16.0.0",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.0.0",
            "192.168.255.255",
            "198.18.0.0",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.7",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
        ] {
            assert!(!public(special), "{special}");
        }
        for fine in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "172.15.255.255",
            "172.32.0.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
        ] {
            assert!(public(fine), "{fine}");
        }
    }

    #[test]
    fn a_cimd_04_no_spelling_of_ipv6_leads_into_the_house() {
        for special in [
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:7f00:1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "::ffff:0:127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b::10.1.2.3",
            "64:ff9b:1::1.1.1.1",
            "100::1",
            "2001::1",
            "2001:2::1",
            "2001:20::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "2002:101:101::",
            "3fff::1",
            "3fff:fff:ffff::1",
            "4000::1",
            "5f00::1",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!public(special), "{special}");
        }
        for fine in ["2606:4700::1111", "2001:200::1", "2a00:1450::1", "::ffff:1.1.1.1", "64:ff9b::1.1.1.1"] {
            assert!(public(fine), "{fine}");
        }
    }
}
