//! Pages: what a person is told where no client may hear of it.

use super::super::error::ErrorCode;

/// Why a person sees a page about a problem, and no client hears of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PageRefusal {
    /// The request names no client, or two.
    ClientMissing,
    /// No such client.
    ClientUnknown,
    /// The client registered several redirect URIs, and the request names none, or two.
    RedirectUriMissing,
    /// The client did not register this redirect URI.
    RedirectUriUnknown(String),
    /// The answer would go to an app by a scheme of its own, which the owner does not want.
    AppLink(String),
    /// The pending request is not known, has expired, or waits for somebody else.
    AuthorizationUnknown,
    /// The request was answered, and the answer cannot be given again: the code was redeemed or has ended, is somebody
    /// else's, or was an error.
    AuthorizationAnswered,
    /// The form was not made for this browser, or is too old.
    FormTokenWrong,
    /// The form came from another site.
    CrossSite,
    /// The form cannot be read.
    FormMalformed,
    /// The set-up link is wrong, used, or past its hour.
    SetupLinkInvalid,
    /// The way back to a server that asks this one cannot be found: its ticket was used or has ended, or the browser is
    /// not the one that came.
    VisitLost,
    /// Nobody can sign in for this server, by its origin: it is not registered, or at a host where no cookie may be.
    PlaceUnknown(String),
    /// This server, by its origin, does not admit whoever is signed in.
    NotAdmitted(String),
}

impl PageRefusal {
    /// The HTTP status of the page.
    pub const fn http_status(&self) -> u16 {
        match self {
            Self::FormTokenWrong | Self::CrossSite | Self::NotAdmitted(_) => 403,
            _ => 400,
        }
    }

    /// The word for a caller that asked for JSON instead of a page.
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::ClientUnknown => ErrorCode::InvalidClient,
            Self::NotAdmitted(_) => ErrorCode::AccessDenied,
            Self::PlaceUnknown(_) => ErrorCode::InvalidTarget,
            _ => ErrorCode::InvalidRequest,
        }
    }

    /// The reason in one word, for the log and the audit.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::ClientMissing => "client_missing",
            Self::ClientUnknown => "client_unknown",
            Self::RedirectUriMissing => "redirect_uri_missing",
            Self::RedirectUriUnknown(_) => "redirect_uri_unknown",
            Self::AppLink(_) => "app_link",
            Self::AuthorizationUnknown => "authorization_unknown",
            Self::AuthorizationAnswered => "authorization_answered",
            Self::FormTokenWrong => "form_token_wrong",
            Self::CrossSite => "cross_site",
            Self::FormMalformed => "form_malformed",
            Self::SetupLinkInvalid => "setup_link_invalid",
            Self::VisitLost => "visit_lost",
            Self::PlaceUnknown(_) => "place_unknown",
            Self::NotAdmitted(_) => "not_admitted",
        }
    }
}
