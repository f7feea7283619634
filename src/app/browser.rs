//! What a browser carries for us: the session's cookie, the cookie that binds forms before anybody has signed in,
//! the cookie by which it is known again, and the tokens in the forms.

use crate::clock::{Seconds, UnixTime};
use crate::crypto::digest::{equal, from_base64url, hmac_sha256, sha256, to_base64url};
use crate::crypto::random;
use crate::http::{Request, Response};
use crate::limits::Key;
use crate::oauth::ids::UserName;
use crate::oauth::issuer::Issuer;
use crate::oauth::refresh_token::ChainKey;
use crate::oauth::refusal::PageRefusal;
use crate::oauth::secret::{Secret, SecretHash, SecretKind};
use crate::store::sessions::{self, SignedIn};
use crate::store::{Fault, ReadTx};

/// How long a browser is known again after a sign-in; browsers keep no cookie longer than 400 days.
const DEVICE_LIFETIME: Seconds = Seconds::days(365);
const NONCE_LENGTH: usize = 16;

/// How cookies are named and marked here.
pub struct Browser {
    session: &'static str,
    form: &'static str,
    device: &'static str,
    attributes: &'static str,
    origin: String,
}

/// Proof that a form was made by us, for this browser, and sent from one of our pages.
pub struct GenuineForm(());

/// The token that goes into a form, and the cookie that must come along where the browser had none.
pub struct FormToken {
    token: String,
    new_cookie: Option<String>,
}

impl FormToken {
    /// For the form.
    pub fn as_str(&self) -> &str {
        &self.token
    }

    /// Adds the cookie to the page with the form, where one is needed.
    pub fn with_cookie(self, response: Response) -> Response {
        match self.new_cookie {
            Some(cookie) => response.with_header("set-cookie", &cookie),
            None => response,
        }
    }
}

impl Browser {
    pub(super) fn new(issuer: &Issuer) -> Self {
        // The prefix makes browsers refuse the cookie from a sister host or without TLS (RFC 6265bis 4.1.3.2).
        let (session, form, device, attributes) = if issuer.is_https() {
            (
                "__Host-vestibule",
                "__Host-vestibule-form",
                "__Host-vestibule-device",
                "; Path=/; HttpOnly; SameSite=Lax; Secure",
            )
        } else {
            ("vestibule", "vestibule-form", "vestibule-device", "; Path=/; HttpOnly; SameSite=Lax")
        };
        Self { session, form, device, attributes, origin: issuer.as_str().to_owned() }
    }

    /// The hash of the session that a request claims to belong to.
    pub fn session(&self, request: &Request) -> Option<SecretHash> {
        request.cookie(self.session).filter(|cookie| !cookie.is_empty()).map(SecretHash::of)
    }

    /// Who is signed in where the request comes from.
    pub fn signed_in(
        &self,
        tx: &ReadTx<'_>,
        request: &Request,
        now: UnixTime,
    ) -> Result<Option<SignedIn>, Fault> {
        match self.session(request) {
            Some(session) => sessions::find(tx, &session, now),
            None => Ok(None),
        }
    }

    /// The cookie of a new session.
    pub fn session_cookie(&self, session: &Secret, lifetime: Seconds) -> String {
        format!("{}={}; Max-Age={}{}", self.session, session.expose(), lifetime.as_u32(), self.attributes)
    }

    /// The cookie that makes a browser forget its session.
    pub fn no_session_cookie(&self) -> String {
        format!("{}=; Max-Age=0{}", self.session, self.attributes)
    }

    /// The cookie by which this browser is known again as one in which this person has signed in. It lets nobody in;
    /// it only keeps the wrong guesses of others from throttling the owner.
    pub fn device_cookie(&self, key: &ChainKey, name: &UserName) -> String {
        let value = device(key, name, &random::bytes());
        format!("{}={value}; Max-Age={}{}", self.device, DEVICE_LIFETIME.as_u32(), self.attributes)
    }

    /// The bucket of the browser that the request comes from, if this person has signed in there before.
    pub fn known_device(&self, request: &Request, key: &ChainKey, name: &UserName) -> Option<Key> {
        let value = request.cookie(self.device)?;
        device_nonce(key, name, value).map(|nonce| Key::device(&nonce))
    }

    /// A token for a form on a page for this browser. `purpose` is what the form does and to what, so that a token for
    /// one thing is none for another.
    pub fn form_token(&self, request: &Request, purpose: &str) -> FormToken {
        match self.binding(request) {
            Some(cookie) => FormToken { token: token(cookie, purpose), new_cookie: None },
            None => {
                let secret = Secret::new(SecretKind::Browser);
                FormToken {
                    token: token(secret.expose(), purpose),
                    new_cookie: Some(format!("{}={}{}", self.form, secret.expose(), self.attributes)),
                }
            }
        }
    }

    /// Checks that a form is genuine: sent by one of our own pages (Fetch Metadata, `Origin`), with a token that was
    /// made for this browser and this purpose.
    pub fn check_form(
        &self,
        request: &Request,
        purpose: &str,
        presented: &str,
    ) -> Result<GenuineForm, PageRefusal> {
        let site = request.header("sec-fetch-site");
        let foreign_site = site.is_some_and(|site| !matches!(site, "same-origin" | "none"));
        let origin = request.header("origin");
        let foreign_origin = match (origin, site) {
            (Some(origin), _) => origin != self.origin,
            // Browsers send `Origin` with every POST; without either header it is no browser, and has no cookies to
            // abuse but its own.
            (None, _) => request.headers().contains_key("origin"),
        };
        if foreign_site || foreign_origin {
            return Err(PageRefusal::CrossSite);
        }
        let expected = self.binding(request).map(|cookie| token(cookie, purpose));
        match expected {
            Some(expected) if equal(expected.as_bytes(), presented.as_bytes()) => Ok(GenuineForm(())),
            _ => Err(PageRefusal::FormTokenWrong),
        }
    }

    /// What binds a form to a browser: its session, or the form cookie where there is none.
    fn binding<'a>(&self, request: &'a Request) -> Option<&'a str> {
        [self.session, self.form]
            .into_iter()
            .find_map(|name| request.cookie(name).filter(|cookie| !cookie.is_empty()))
    }
}

/// The device cookie's value: a nonce, and its tag for this name under this database's key. The name is not in it.
fn device(key: &ChainKey, name: &UserName, nonce: &[u8; NONCE_LENGTH]) -> String {
    // The word keeps this apart from everything else under the key, and the nonce's length from the name.
    let tag = hmac_sha256(key.as_bytes(), &[b"device", nonce, name.as_str().as_bytes()]);
    format!("{}.{}", to_base64url(nonce), to_base64url(&tag))
}

fn device_nonce(key: &ChainKey, name: &UserName, value: &str) -> Option<[u8; NONCE_LENGTH]> {
    let (nonce, _) = value.split_once('.')?;
    let nonce = from_base64url(nonce)?.try_into().ok()?;
    equal(device(key, name, &nonce).as_bytes(), value.as_bytes()).then_some(nonce)
}

fn token(cookie: &str, purpose: &str) -> String {
    to_base64url(&sha256(format!("form\n{cookie}\n{purpose}").as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_known_for_its_own_person_under_its_own_key_only() {
        let (key, nonce) = (ChainKey::new(), [7; NONCE_LENGTH]);
        let [alice, bob] = ["alice", "bob"].map(|name| UserName::parse(name).unwrap());
        let value = device(&key, &alice, &nonce);
        assert_eq!(device_nonce(&key, &alice, &value), Some(nonce));
        assert_eq!(device_nonce(&key, &bob, &value), None);
        assert_eq!(device_nonce(&ChainKey::new(), &alice, &value), None);
        for wrong in ["", ".", &value[1..], &format!("{value}A"), &value.replace('.', "")] {
            assert_eq!(device_nonce(&key, &alice, wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_web_06_with_tls_every_cookie_has_the_host_prefix_and_its_flags() {
        let browser = Browser::new(&Issuer::parse("https://auth.home.example").unwrap());
        let (session, name) = (Secret::new(SecretKind::Session), UserName::parse("alice").unwrap());
        for cookie in [
            browser.session_cookie(&session, Seconds::new(60)),
            browser.no_session_cookie(),
            browser.device_cookie(&ChainKey::new(), &name),
        ] {
            assert!(cookie.starts_with("__Host-vestibule"), "{cookie}");
            for flag in ["; Path=/", "; HttpOnly", "; SameSite=Lax", "; Secure"] {
                assert!(cookie.contains(flag), "{cookie}");
            }
            assert!(!cookie.contains("Domain"), "{cookie}");
        }
    }
}
