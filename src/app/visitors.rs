//! The cookies of browsers at other hosts: the one by which a browser that was sent to the sign-in is known again, and the
//! one that it has once it came back.

use crate::clock::Seconds;
use crate::http::Request;
use crate::oauth::issuer::Issuer;
use crate::oauth::secret::Secret;
use crate::oauth::visit::Place;

/// How long a browser that was sent to the sign-in is known again.
const NONCE_LIFETIME: Seconds = Seconds::hours(1);

/// Whether browsers may be known at a place. A cookie goes to every port of its host, so whatever is served at the issuer's
/// own host would be sent everybody's session here.
pub fn may_visit(place: &Place, issuer: &Issuer) -> bool {
    fn host(authority: &str) -> &str {
        match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => host,
            _ => authority,
        }
    }
    host(place.authority()) != host(issuer.authority())
}

/// The secret by which a browser is known again, as the request shows it.
pub fn nonce<'a>(request: &'a Request, place: &Place) -> Option<&'a str> {
    request.cookie(&name("visitor", place)).filter(|value| !value.is_empty())
}

/// The cookie by which a browser is known again.
pub fn nonce_cookie(nonce: &Secret, place: &Place) -> String {
    cookie("visitor", nonce, NONCE_LIFETIME, place)
}

/// The visit that a request claims to belong to.
pub fn visit<'a>(request: &'a Request, place: &Place) -> Option<&'a str> {
    request.cookie(&name("visit", place)).filter(|value| !value.is_empty())
}

/// The cookie of a visit.
pub fn visit_cookie(visit: &Secret, lifetime: Seconds, place: &Place) -> String {
    cookie("visit", visit, lifetime, place)
}

/// The name says the port, because cookies are not kept apart by it.
fn name(what: &str, place: &Place) -> String {
    // The prefix makes browsers refuse the cookie from a sister host or without TLS (RFC 6265bis 4.1.3.2).
    let prefix = if place.scheme() == "https" { "__Host-" } else { "" };
    match place.port() {
        Some(port) => format!("{prefix}vestibule-{what}-{port}"),
        None => format!("{prefix}vestibule-{what}"),
    }
}

fn cookie(what: &str, secret: &Secret, lifetime: Seconds, place: &Place) -> String {
    let secure = if place.scheme() == "https" { "; Secure" } else { "" };
    let (name, lifetime) = (name(what, place), lifetime.as_u32());
    format!("{name}={}; Max-Age={lifetime}; Path=/; HttpOnly; SameSite=Lax{secure}", secret.expose())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_known_by_a_cookie_at_the_issuers_own_host() {
        let may = |place: &str, issuer: &str| {
            may_visit(&Place::parse(place).unwrap(), &Issuer::parse(issuer).unwrap())
        };
        assert!(may("https://app.home.example/", "https://auth.home.example"));
        assert!(may("http://[::1]:81/", "http://[::2]:81"));
        assert!(!may("https://auth.home.example:8443/", "https://auth.home.example"));
        assert!(!may("http://auth.home.example/", "https://auth.home.example:8443"));
        assert!(!may("http://[::1]/", "http://[::1]:81"));
    }
}
