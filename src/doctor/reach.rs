//! From a URL to an open connection: its scheme, its name, its addresses, its certificate.

use std::net::IpAddr;

use url::Url;

use super::spelling::{Difference, ServerUrl, is_address, is_loopback, is_secure};
use super::step::{Notes, Step};
use crate::outgoing::{Awaited, ProbeRefusal, Prober, Reached, TlsRefusal, Trust, is_public};

/// One of the two servers on the way, and the steps at which it is reached.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    address: Step,
    certificate: Step,
    /// Why cloud clients have to reach it.
    cloud: &'static str,
}

/// The MCP server.
pub(super) const SERVER: Place = Place {
    address: Step::Address,
    certificate: Step::Certificate,
    cloud: "claude.ai and ChatGPT connect from their vendors' networks and cannot reach it; Claude Code, VS Code and \
            mcp-remote can, where the address means the same to them",
};

/// The authorization server.
pub(super) const AUTHORIZATION_SERVER: Place = Place {
    address: Step::ServerAddress,
    certificate: Step::ServerCertificate,
    cloud: "claude.ai and ChatGPT ask for metadata and tokens from their vendors' networks and cannot reach it; Claude \
            Code, VS Code and mcp-remote can, where the address means the same to them",
};

const MAKE_PUBLIC: &str = "If cloud clients are to connect, give it a public name with TLS (a forwarded port, a tunnel such \
                           as Cloudflare Tunnel or Tailscale Funnel); if not, leave it as it is.";

/// Judges the URL as it was typed.
pub(super) fn judge_url(server: &ServerUrl, notes: &mut Notes) {
    let (url, typed) = (server.url(), server.typed());
    if !is_secure(url) {
        notes.fail(
            Step::Url,
            format!("{typed} is plain http"),
            "claude.ai, ChatGPT and mcp-remote refuse it, and whoever shares the network can read the tokens.",
            "Put a reverse proxy with TLS in front (Caddy gets certificates by itself), and give clients the https URL.",
        );
        return;
    }
    if url.scheme() == "https" && is_address(url) && !is_loopback(url) {
        notes.warn(
            Step::Url,
            format!("{typed} names an address in place of a name"),
            "Hardly any authority gives certificates for addresses, and some clients refuse addresses.",
            "Give it a name in DNS, also if the address is a private one, and give clients the URL with the name.",
        );
        return;
    }
    match Difference::between(typed, url.as_str()) {
        Some(difference) if difference != Difference::RootSlash => notes.warn(
            Step::Url,
            format!("clients spell {typed} as {url}"),
            "What a client compares is then another text than what was typed.",
            format!("Give clients {url}, and name it so in the metadata."),
        ),
        _ if url.scheme() == "http" => {
            notes.ok(Step::Url, format!("{typed} (plain http, on this machine alone)"));
        }
        _ => notes.ok(Step::Url, typed),
    }
}

/// Opens a connection. `false`: there is none, and no use in asking for more.
pub(super) async fn reach(place: Place, url: &Url, prober: &Prober, notes: &mut Notes) -> bool {
    let addresses = match prober.look_up(url).await {
        Ok(addresses) => addresses,
        Err(why) => {
            judge_refusal(place, url, &why, notes);
            return false;
        }
    };
    match prober.reach(url).await {
        Ok(reached) => {
            judge_addresses(place, url, &addresses, &reached, notes);
            judge_trust(place, reached.trust, notes);
            true
        }
        Err(why) => {
            if matches!(why, ProbeRefusal::Tls(_) | ProbeRefusal::TooSlow(Awaited::Tls)) {
                let found = Reached { trust: None, silent: Vec::new() };
                judge_addresses(place, url, &addresses, &found, notes);
            }
            judge_refusal(place, url, &why, notes);
            false
        }
    }
}

/// Where an address leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Public,
    Loopback,
    Private,
    Shared,
    Special,
}

fn kind(address: IpAddr) -> Kind {
    match address.to_canonical() {
        ip if ip.is_loopback() => Kind::Loopback,
        IpAddr::V4(ip) if ip.is_private() => Kind::Private,
        IpAddr::V6(ip) if ip.is_unique_local() => Kind::Private,
        // 100.64.0.0/10 (RFC 6598): carriers use it, and Tailscale.
        IpAddr::V4(ip) if ip.octets()[0] == 100 && ip.octets()[1] & 0xc0 == 64 => Kind::Shared,
        ip if is_public(ip) => Kind::Public,
        _ => Kind::Special,
    }
}

fn judge_addresses(place: Place, url: &Url, addresses: &[IpAddr], reached: &Reached, notes: &mut Notes) {
    let listed = list(addresses);
    let seen = match is_address(url) {
        true => listed,
        false => format!("{} is {listed}", url.host_str().unwrap_or_default()),
    };
    if let Some(silent) = reached.silent.first() {
        notes.warn(
            place.address,
            format!("{seen}, but nobody answers at {}", list(&reached.silent)),
            "Clients that try this address first wait for it, and some give up.",
            format!(
                "Make the server listen at {silent} and open its port there, or take the address out of DNS."
            ),
        );
    }
    let worst = addresses.iter().map(|ip| kind(*ip)).find(|kind| *kind != Kind::Public);
    let what = match worst {
        None if reached.silent.is_empty() => return notes.ok(place.address, seen),
        None => return,
        Some(Kind::Loopback) => "which is this machine alone",
        Some(Kind::Private) => "which is an address of a private network",
        Some(Kind::Shared) => "which is an address of a tailnet, or behind a carrier's NAT",
        Some(Kind::Public | Kind::Special) => "which is no address of the internet",
    };
    notes.warn(place.address, format!("{seen}, {what}"), format!("{}.", place.cloud), MAKE_PUBLIC);
}

fn list(addresses: &[IpAddr]) -> String {
    let texts: Vec<_> = addresses.iter().map(IpAddr::to_string).collect();
    texts.join(", ")
}

fn judge_trust(place: Place, trust: Option<Trust>, notes: &mut Notes) {
    const BRING_ALONG: &str = "Get a certificate of a public authority (by a DNS challenge also for a private name), or \
                               tell clients of the authority: NODE_EXTRA_CA_CERTS=FILE for Claude Code and mcp-remote, \
                               SSL_CERT_FILE=FILE for clients in Python.";
    match trust {
        None => notes.ok(place.certificate, "none is needed on this machine"),
        Some(Trust::Web) => notes.ok(place.certificate, "valid, of an authority that every client knows"),
        Some(Trust::Machine) => notes.warn(
            place.certificate,
            "valid, but of an authority that only this machine knows",
            "Cloud clients refuse it, and so does what brings its own list along: Claude Code, mcp-remote, Python.",
            BRING_ALONG,
        ),
        Some(Trust::Named) => notes.warn(
            place.certificate,
            "valid, but only by the authorities that --roots names",
            "Cloud clients refuse it, and so does every client that was not told of them.",
            BRING_ALONG,
        ),
    }
}

/// Why no connection came about.
fn judge_refusal(place: Place, url: &Url, why: &ProbeRefusal, notes: &mut Notes) {
    let host = url.host_str().unwrap_or_default();
    let port = url.port_or_known_default().unwrap_or_default();
    let nobody = "No client gets as far as a first request.";
    match why {
        ProbeRefusal::Tls(refusal) => judge_tls(place, host, refusal, notes),
        ProbeRefusal::NameUnknown | ProbeRefusal::TooSlow(Awaited::Addresses) => notes.fail(
            place.address,
            format!("{host} has no address"),
            nobody,
            format!("Make a DNS record for {host}; if there is one, see which resolver this machine asks."),
        ),
        ProbeRefusal::ConnectionRefused(address) => notes.fail(
            place.address,
            format!("{address} refuses connections"),
            nobody,
            format!("Start what should listen there, the reverse proxy or the server, and see whether port {port} is right."),
        ),
        ProbeRefusal::Unreachable(..) | ProbeRefusal::TooSlow(Awaited::Connection(_)) => notes.fail(
            place.address,
            why.to_string(),
            nobody,
            format!("See whether the address is right, and whether a firewall lets port {port} through."),
        ),
        ProbeRefusal::TooSlow(_) | ProbeRefusal::Broken(_) | ProbeRefusal::Unaskable => notes.fail(
            place.certificate,
            why.to_string(),
            nobody,
            format!("See what listens at port {port}, and what its log says of this connection."),
        ),
    }
}

fn judge_tls(place: Place, host: &str, refusal: &TlsRefusal, notes: &mut Notes) {
    let mend = match refusal {
        TlsRefusal::Expired(_) => {
            "Renew it, and reload the reverse proxy so that it uses the new one; see why the renewal did not run by itself."
                .to_owned()
        }
        TlsRefusal::NotYetValid(_) => {
            "Set the clocks of both machines right (timedatectl), or wait until it is valid.".to_owned()
        }
        TlsRefusal::WrongName(_) => format!(
            "Get a certificate that names {host}, or give clients a URL with a name that it has; if the reverse proxy has \
             one, see whether its configuration for {host} uses it."
        ),
        TlsRefusal::SelfSigned(_) => format!(
            "Get a certificate of a public authority for {host} (Caddy does by itself, Traefik with a certificate resolver; \
             by a DNS challenge also for a private name). \"TRAEFIK DEFAULT CERT\" means that no router has one for {host}."
        ),
        TlsRefusal::AuthorityUnknown(_) => format!(
            "Get a certificate of a public authority for {host}. If the authority is your own, walk on with --roots FILE, \
             and tell clients of it: NODE_EXTRA_CA_CERTS=FILE for Claude Code and mcp-remote, SSL_CERT_FILE=FILE for \
             clients in Python."
        ),
        TlsRefusal::ChainIncomplete(_) => {
            "Send the whole chain: in nginx, ssl_certificate names fullchain.pem and not cert.pem; browsers fetch what is \
             missing, clients do not."
                .to_owned()
        }
        TlsRefusal::NotTls => {
            "See whether the port is right: this one speaks plain http, perhaps because TLS ends elsewhere.".to_owned()
        }
        TlsRefusal::Other(_) => format!(
            "See the log of what ends TLS there, and whether it has a certificate for {host}; Caddy and others break off \
             where they have none."
        ),
    };
    let why = "Every client refuses the connection before it sends anything.";
    notes.fail(place.certificate, refusal.to_string(), why, mend);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::step::Mark;

    #[test]
    fn addresses_are_told_apart_by_who_reaches_them() {
        for (address, expected) in [
            ("9.9.9.9", Kind::Public),
            ("2606:4700::1111", Kind::Public),
            ("127.0.0.1", Kind::Loopback),
            ("::1", Kind::Loopback),
            ("::ffff:127.0.0.1", Kind::Loopback),
            ("192.168.1.2", Kind::Private),
            ("10.0.0.1", Kind::Private),
            ("fd12::1", Kind::Private),
            ("100.64.0.1", Kind::Shared),
            ("100.127.255.254", Kind::Shared),
            ("100.128.0.1", Kind::Public),
            ("169.254.1.1", Kind::Special),
            ("fe80::1", Kind::Special),
        ] {
            assert_eq!(kind(address.parse().unwrap()), expected, "{address}");
        }
    }

    #[test]
    fn whoever_is_not_on_the_internet_is_told_which_clients_stay_outside() {
        let judged = |addresses: &[&str]| {
            let addresses: Vec<IpAddr> = addresses.iter().map(|address| address.parse().unwrap()).collect();
            let mut notes = Notes::default();
            let reached = Reached { trust: None, silent: Vec::new() };
            judge_addresses(SERVER, &Url::parse("https://h.test").unwrap(), &addresses, &reached, &mut notes);
            let findings = notes.into_findings().into_iter();
            let found: Vec<_> = findings.filter(|finding| finding.step() == Step::Address).collect();
            assert_eq!(found.len(), 1);
            (found[0].mark(), found[0].seen().to_owned())
        };
        assert_eq!(judged(&["9.9.9.9"]), (Mark::Ok, "h.test is 9.9.9.9".to_owned()));
        for (addresses, words) in [
            (&["192.168.1.2"][..], "192.168.1.2, which is an address of a private network"),
            (&["9.9.9.9", "fd12::1"], "9.9.9.9, fd12::1, which is an address of a private network"),
            (&["100.100.1.1"], "of a tailnet"),
            (&["127.0.0.1"], "this machine alone"),
            (&["169.254.1.1"], "no address of the internet"),
        ] {
            let (mark, seen) = judged(addresses);
            assert!(mark == Mark::Warn && seen.contains(words), "{seen}");
        }
    }
}
