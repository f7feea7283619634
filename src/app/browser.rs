//! What a browser carries for us: the session's cookie, the cookie that binds forms before anybody has signed in,
//! and the tokens in the forms.

use crate::clock::{Seconds, UnixTime};
use crate::crypto::digest::{equal, sha256, to_base64url};
use crate::http::{Request, Response};
use crate::oauth::issuer::Issuer;
use crate::oauth::refusal::PageRefusal;
use crate::oauth::secret::{Secret, SecretHash, SecretKind};
use crate::store::sessions::{self, SignedIn};
use crate::store::{Fault, ReadTx};

/// How cookies are named and marked here.
pub struct Browser {
    session: &'static str,
    form: &'static str,
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
        let (session, form, attributes) = if issuer.is_https() {
            ("__Host-vestibule", "__Host-vestibule-form", "; Path=/; HttpOnly; SameSite=Lax; Secure")
        } else {
            ("vestibule", "vestibule-form", "; Path=/; HttpOnly; SameSite=Lax")
        };
        Self { session, form, attributes, origin: issuer.as_str().to_owned() }
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

fn token(cookie: &str, purpose: &str) -> String {
    to_base64url(&sha256(format!("form\n{cookie}\n{purpose}").as_bytes()))
}
