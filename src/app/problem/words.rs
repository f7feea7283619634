//! What a person is told of a refusal that no client hears of: one text for each.

use super::Words;
use crate::oauth::refusal::PageRefusal;

/// The text for a refusal.
pub(super) const fn words(refusal: &PageRefusal) -> Words {
    match refusal {
        PageRefusal::ClientMissing => CLIENT_MISSING,
        PageRefusal::ClientUnknown => CLIENT_UNKNOWN,
        PageRefusal::RedirectUriMissing => REDIRECT_URI_MISSING,
        PageRefusal::RedirectUriUnknown(_) => REDIRECT_URI_UNKNOWN,
        PageRefusal::AppLink(_) => APP_LINK,
        PageRefusal::AuthorizationUnknown => AUTHORIZATION_UNKNOWN,
        PageRefusal::AuthorizationAnswered => AUTHORIZATION_ANSWERED,
        PageRefusal::FormTokenWrong => FORM_TOKEN_WRONG,
        PageRefusal::CrossSite => CROSS_SITE,
        PageRefusal::FormMalformed => FORM_MALFORMED,
        PageRefusal::SetupLinkInvalid => SETUP_LINK_INVALID,
        PageRefusal::VisitLost => VISIT_LOST,
        PageRefusal::PlaceUnknown(_) => PLACE_UNKNOWN,
        PageRefusal::NotAdmitted(_) => NOT_ADMITTED,
    }
}

const CLIENT_MISSING: Words = Words {
    title: "Which app?",
    what: "The request does not say which app it is for.",
    why: "client_id is missing, or is there twice.",
    next: "Go back to the app and connect again. If it stays so, tell its makers what this page says.",
    command: None,
};

const CLIENT_UNKNOWN: Words = Words {
    title: "Unknown app",
    what: "This server does not know the app that sent you.",
    why: "It was removed here, or it registered itself long ago and was never used, or it means another server.",
    next: "In the app, remove the server and add it again: it will register afresh.",
    command: None,
};

const REDIRECT_URI_MISSING: Words = Words {
    title: "Back to where?",
    what: "The request does not say where its answer should go.",
    why: "redirect_uri is missing or is there twice, and the app registered more than one address.",
    next: "Go back to the app and connect again. If it stays so, tell its makers what this page says.",
    command: None,
};

const REDIRECT_URI_UNKNOWN: Words = Words {
    title: "Not an address of this app",
    what: "The app wants its answer at an address that it did not register.",
    why: "An answer goes to registered addresses only, character for character, so that nobody else gets it.",
    next: "In the app, remove the server and add it again: it will register afresh. If an admin added the app, \
           compare this address with the registered ones:",
    command: Some("vestibule client show CLIENT_ID"),
};

const APP_LINK: Words = Words {
    title: "No links into apps here",
    what: "The app wants its answer by a link of a scheme of its own.",
    why: "Any app on a device can claim such links, and whoever runs this server does not want them used.",
    next: "Use an app that is answered on the web or on this computer. If you run this server, allow them with:",
    command: Some("vestibule serve --app-links on"),
};

const AUTHORIZATION_UNKNOWN: Words = Words {
    title: "Nothing is waiting here",
    what: "The request that this page belongs to has expired or is not yours.",
    why: "A request waits for some minutes, and for one person.",
    next: "Go back to the app and connect again.",
    command: None,
};

const AUTHORIZATION_ANSWERED: Words = Words {
    title: "The app has its answer",
    what: "The request that this page belongs to was answered already.",
    why: "A request gets one answer, and this one went to the app.",
    next: "Close this page and go back to the app. If it still waits there, connect again.",
    command: None,
};

const FORM_TOKEN_WRONG: Words = Words {
    title: "This form is too old",
    what: "The form was not made for this browser as it is now.",
    why: "Since the page was opened, somebody signed in or out here, or the app is no longer what it showed; or the \
           browser kept no cookie of this server.",
    next: "Go back, reload the page, and send the form again. If it stays so, allow cookies for this server, and \
           open it at the address that it printed when it started.",
    command: None,
};

const CROSS_SITE: Words = Words {
    title: "Not from our page",
    what: "The form was sent by another site.",
    why: "Only forms on this server's own pages count, so that no other site can act for you.",
    next: "Open this server at the address that it printed when it started, and send the form from there.",
    command: None,
};

const FORM_MALFORMED: Words = Words {
    title: "The form is incomplete",
    what: "The form cannot be read: something is missing, doubled, or not one of the choices.",
    why: "What arrived is not what a form of this server sends.",
    next: "Go back, reload the page, and send the form again.",
    command: None,
};

const SETUP_LINK_INVALID: Words = Words {
    title: "This link leads nowhere",
    what: "The set-up link is wrong, used, or more than an hour old.",
    why: "It makes the first admin once; while there is an admin, there is no such link.",
    next: "Stop and start the server: it prints a new link while there is no admin. If there is one, sign in.",
    command: None,
};

const VISIT_LOST: Words = Words {
    title: "The way back was lost",
    what: "The sign-in cannot be taken along to where you came from.",
    why: "It counts once, for a minute, and in the browser that asked for it; that browser has to keep cookies.",
    next: "Open the page that you wanted again. If it stays so, allow cookies for it.",
    command: None,
};

const PLACE_UNKNOWN: Words = Words {
    title: "Nobody signs in for this here",
    what: "The page that you came from is not one that this server knows.",
    why: "It is not registered here, or it is at this server's own host, where it would be sent your session.",
    next: "If you run this server, give that one a host name of its own and register it:",
    command: Some("vestibule resource add https://app.home.example"),
};

const NOT_ADMITTED: Words = Words {
    title: "Not for you",
    what: "You are signed in, but the page that you wanted is for others.",
    why: "Whoever runs this server has said who may see it, and you are not among them.",
    next: "Ask them to add you, or sign in as somebody else.",
    command: None,
};
