//! Under which names requests arrive. Clients compare the issuer byte by byte, and pages' forms count only from the
//! issuer's own origin, so a server that is reached under another name fails in ways that nobody understands.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use crate::oauth::issuer::Issuer;

/// How many other names are told; a stranger could invent any number.
const TOLD_MAX: usize = 20;

/// Tells the owner once of each other name.
pub struct Arrivals {
    issuer: Issuer,
    told: Mutex<HashSet<String>>,
}

impl Arrivals {
    pub(super) fn new(issuer: &Issuer) -> Self {
        Self { issuer: issuer.clone(), told: Mutex::default() }
    }

    /// Notes the `Host` of a request for something that carries the issuer.
    pub fn note(&self, host: Option<&str>) {
        let Some(host) = host.filter(|host| !self.issuer.is_at(host)) else {
            return;
        };
        if self.is_news(host) {
            let issuer = &self.issuer;
            tracing::warn!(
                "asked for as {host}, but the issuer is {issuer}: clients that compare the two refuse to sign in; give \
                 them {issuer}, let the reverse proxy pass the Host on, or change the issuer: --issuer https://{host} \
                 --change-issuer"
            );
        }
    }

    fn is_news(&self, host: &str) -> bool {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.len() < TOLD_MAX && told.insert(host.to_ascii_lowercase())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_other_name_is_told_once_and_not_for_ever() {
        let arrivals = Arrivals::new(&Issuer::parse("https://as.test:8443").unwrap());
        assert_eq!(arrivals.issuer.authority(), "as.test:8443");
        assert!(arrivals.is_news("192.168.1.2") && !arrivals.is_news("192.168.1.2"));
        let told = (0..100).filter(|number| arrivals.is_news(&format!("h{number}"))).count();
        assert_eq!(told, TOLD_MAX - 1);
    }
}
