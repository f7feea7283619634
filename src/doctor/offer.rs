//! What an authorization server offers by its metadata (RFC 8414 2), against what clients need.

use serde_json::Value;
use url::Url;

use super::document::{Document, Heard};
use super::resource_metadata::{TYPES_MEND, TYPES_WHY, get, judge_length};
use super::server_metadata::ServerMetadata;
use super::spelling::{is_secure, origin};
use super::step::{Harm, Notes, Step};
use crate::outgoing::Prober;

/// The members that are lists.
const LISTS: [&str; 8] = [
    "scopes_supported",
    "response_types_supported",
    "response_modes_supported",
    "grant_types_supported",
    "token_endpoint_auth_methods_supported",
    "code_challenge_methods_supported",
    "subject_types_supported",
    "id_token_signing_alg_values_supported",
];

/// What the rest of the walk goes by.
#[derive(Clone, Debug)]
pub(super) struct Offer {
    /// `authorization_endpoint`.
    pub(super) authorization: Option<Url>,
    /// `token_endpoint`.
    pub(super) token: Option<Url>,
    /// `registration_endpoint`.
    pub(super) registration: Option<Url>,
    /// Whether a client can be named by the URL of its document.
    pub(super) takes_documents: bool,
    /// Whether every authorization response is to have `iss`.
    pub(super) promises_iss: bool,
}

/// Reads the metadata, and judges each part of it.
pub(super) fn judge(metadata: &ServerMetadata, notes: &mut Notes) -> Offer {
    let document = &metadata.document;
    judge_types(metadata, notes);
    judge_pkce(document, notes);
    let promises_iss = document.is_true("authorization_response_iss_parameter_supported");
    let offer = Offer {
        authorization: endpoint(document, "authorization_endpoint", notes),
        token: endpoint(document, "token_endpoint", notes),
        registration: optional(document, "registration_endpoint", notes),
        takes_documents: document.is_true("client_id_metadata_document_supported"),
        promises_iss,
    };
    if let (Some(authorization), Some(issuer)) = (&offer.authorization, document.text("issuer"))
        && let Ok(issuer) = Url::parse(issuer)
        && origin(authorization) != origin(&issuer)
        && !promises_iss
    {
        notes.warn(
            Step::Endpoints,
            format!("the authorization endpoint is at {}, and the issuer at {}", origin(authorization), origin(&issuer)),
            "Codex (0.150 and later) accepts that only where iss is promised, lest one server's answer pass for another's.",
            "Send iss in every authorization response (RFC 9207) and promise it, or move the endpoint to the issuer's origin.",
        );
    }
    if notes.is_blank(Step::Endpoints) {
        notes.ok(
            Step::Endpoints,
            "authorization and token endpoints are named, and nobody on the way can read along",
        );
    }
    judge_grants(document, notes);
    judge_client_authentication(document, &offer, notes);
    judge_acquaintance(&offer, notes);
    judge_iss(promises_iss, notes);
    judge_scopes(document, notes);
    offer
}

fn judge_types(metadata: &ServerMetadata, notes: &mut Notes) {
    let document = &metadata.document;
    let wrong = document.ill_typed(&LISTS);
    if !wrong.is_empty() {
        notes.fail(Step::Metadata, wrong.join(", "), TYPES_WHY, TYPES_MEND);
    }
    if !metadata.is_openid {
        return;
    }
    let required = ["jwks_uri", "subject_types_supported", "id_token_signing_alg_values_supported"];
    let missing: Vec<_> = required.into_iter().filter(|name| document.get(name).is_none()).collect();
    if !missing.is_empty() {
        notes.fail(
            Step::Metadata,
            format!("it lacks {}", missing.join(", ")),
            "OpenID Connect Discovery requires them, and clients built on the TypeScript SDK (Claude Code, mcp-remote, \
             Inspector) refuse the document without.",
            "Add them, or serve RFC 8414 metadata at /.well-known/oauth-authorization-server, which needs none of them.",
        );
    }
}

fn judge_pkce(document: &Document, notes: &mut Notes) {
    let seen = match document.list("code_challenge_methods_supported") {
        Some(methods) if methods.contains(&"S256") => return notes.ok(Step::Pkce, "S256"),
        Some(methods) => format!("code_challenge_methods_supported is {methods:?}, without \"S256\""),
        None => "code_challenge_methods_supported is missing".to_owned(),
    };
    notes.fail(
        Step::Pkce,
        seen,
        "A client that cannot see S256 must not go on (MCP authorization, code protection), and the SDKs stop here.",
        "Say \"code_challenge_methods_supported\": [\"S256\"], in both kinds of metadata, and check the verifier.",
    );
}

fn endpoint(document: &Document, name: &'static str, notes: &mut Notes) -> Option<Url> {
    if document.text(name).is_none_or(str::is_empty) {
        notes.fail(
            Step::Endpoints,
            format!("{name} is missing"),
            "No client can sign anybody in without it.",
            format!("Name it: \"{name}\": \"https://...\"."),
        );
        return None;
    }
    optional(document, name, notes)
}

fn optional(document: &Document, name: &'static str, notes: &mut Notes) -> Option<Url> {
    let text = document.text(name).filter(|text| !text.is_empty())?;
    let Ok(url) = Url::parse(text) else {
        notes.fail(
            Step::Endpoints,
            format!("{name} is {text:?}, which is no absolute URL"),
            "Clients take it as it stands, and fail on it.",
            format!("Write it out: \"{name}\": \"https://...\"."),
        );
        return None;
    };
    if !is_secure(&url) {
        notes.fail(
            Step::Endpoints,
            format!("{name} is {url}, which is plain http"),
            "The TypeScript SDK (v2) refuses it, and whoever shares the network could read codes and tokens.",
            "Tell the authorization server that TLS stands before it (its public URL, or X-Forwarded-Proto), so that it \
             names https.",
        );
    }
    Some(url)
}

fn judge_grants(document: &Document, notes: &mut Notes) {
    let types = document.list("response_types_supported");
    if !types.as_ref().is_some_and(|types| types.contains(&"code")) {
        let seen = match types {
            None => "response_types_supported is missing".to_owned(),
            Some(types) => format!("response_types_supported is {types:?}, without \"code\""),
        };
        notes.fail(
            Step::Grants,
            seen,
            "RFC 8414 2 requires it, and every MCP client asks for a code; the TypeScript SDK refuses metadata without.",
            "Say \"response_types_supported\": [\"code\"].",
        );
    }
    match document.list("grant_types_supported") {
        Some(grants) if !grants.contains(&"authorization_code") => notes.fail(
            Step::Grants,
            format!("grant_types_supported is {grants:?}, without \"authorization_code\""),
            "It is the grant by which every MCP client signs a person in.",
            "Support authorization_code, and list it.",
        ),
        Some(grants) if grants.contains(&"refresh_token") => {}
        _ => notes.warn(
            Step::Grants,
            "grant_types_supported does not list \"refresh_token\"",
            "Clients then do not ask for a refresh token, and their person signs in again whenever an access token ends.",
            "Issue refresh tokens, and say \"grant_types_supported\": [\"authorization_code\", \"refresh_token\"].",
        ),
    }
    if notes.is_blank(Step::Grants) {
        notes.ok(Step::Grants, "code, authorization_code, refresh_token");
    }
}

fn judge_client_authentication(document: &Document, offer: &Offer, notes: &mut Notes) {
    // RFC 8414 2: omitted, it means client_secret_basic alone.
    let methods =
        document.list("token_endpoint_auth_methods_supported").unwrap_or_else(|| vec!["client_secret_basic"]);
    if methods.contains(&"none") {
        return notes.ok(Step::ClientAuth, methods.join(", "));
    }
    let seen = format!("\"none\" is not among token_endpoint_auth_methods_supported: {}", methods.join(", "));
    let mend = "List \"none\" and take public clients: their codes are protected by PKCE.";
    match offer.registration {
        None => notes.fail(
            Step::ClientAuth,
            seen,
            "Clients named by a document have no secret: Claude, Claude Code, VS Code and Codex do not connect.",
            mend,
        ),
        Some(_) => notes.warn(
            Step::ClientAuth,
            seen,
            "Programs on somebody's computer (Claude Code, VS Code, Cursor) ask to be public clients, and claude.ai uses its \
             document only where \"none\" is listed.",
            mend,
        ),
    }
}

fn judge_acquaintance(offer: &Offer, notes: &mut Notes) {
    match (&offer.registration, offer.takes_documents) {
        (Some(_), true) => notes.ok(Step::Acquaintance, "registration (RFC 7591), and client metadata documents"),
        (Some(_), false) => notes.ok(Step::Acquaintance, "registration (RFC 7591)"),
        (None, true) => notes.warn(
            Step::Acquaintance,
            "client metadata documents alone, no registration_endpoint",
            "Cursor, Gemini CLI, Inspector, mcp-remote and fastmcp know registration only, unless somebody gives them a \
             client_id.",
            "Offer registration as well (RFC 7591; in Vestibule --registration on), or make clients for them by hand.",
        ),
        (None, false) => notes.fail(
            Step::Acquaintance,
            "neither registration_endpoint nor client_id_metadata_document_supported",
            "No client can become known by itself: each stops, or asks its person for a client_id that nobody has.",
            "Offer registration (RFC 7591) or client metadata documents; Vestibule offers both. An identity provider that \
             knows neither, as Authelia, needs one in front that does.",
        ),
    }
}

fn judge_iss(promised: bool, notes: &mut Notes) {
    if promised {
        return notes.ok(Step::IssPromise, "promised in every authorization response");
    }
    notes.warn(
        Step::IssPromise,
        "authorization_response_iss_parameter_supported is not true",
        "ChatGPT uses its well-known client document only where it is, Codex wants it for endpoints of another origin, and \
         MCP has announced to require it.",
        "Send iss in every authorization response, errors too (RFC 9207), and promise it (in Vestibule: --iss-promise on).",
    );
}

fn judge_scopes(document: &Document, notes: &mut Notes) {
    let scopes = document.list("scopes_supported").unwrap_or_default();
    if !scopes.contains(&"offline_access") {
        notes.warn(
            Step::Scopes,
            "offline_access is not among them",
            "claude.ai and ChatGPT ask for a refresh token by it where it is listed; without one their person signs in again \
             whenever an access token ends.",
            "List offline_access, and issue refresh tokens for it.",
        );
    }
    judge_length(Step::Scopes, &scopes, notes);
    if notes.is_blank(Step::Scopes) {
        notes.ok(Step::Scopes, scopes.join(" "));
    }
}

/// Fetches the keys that tokens are checked with, and looks at them.
pub(super) async fn look_at_keys(metadata: &ServerMetadata, prober: &Prober, notes: &mut Notes) {
    let Some(text) = metadata.document.text("jwks_uri") else {
        return notes.ok(Step::Keys, "no jwks_uri: tokens are checked in another way");
    };
    let Ok(url) = Url::parse(text) else {
        return notes.fail(
            Step::Keys,
            format!("jwks_uri is {text:?}, which is no absolute URL"),
            "The MCP server finds no keys, and refuses every token.",
            "Write it out: \"jwks_uri\": \"https://...\".",
        );
    };
    judge_keys(&url, &prober.ask(get(&url)).await, notes);
}

fn judge_keys(url: &Url, heard: &Heard, notes: &mut Notes) {
    /// Members that no public key has (RFC 7518 6.2.2, 6.3.2, 6.4.1).
    const PRIVATE: [&str; 2] = ["d", "k"];
    let document = match Document::of(heard) {
        Ok(document) => document,
        Err(why) => {
            return notes.fail(
                Step::Keys,
                format!("{url}: {why}"),
                "The MCP server finds no keys, and refuses every token.",
                why.mend(url),
            );
        }
    };
    let keys = document.get("keys").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if keys.iter().any(|key| PRIVATE.iter().any(|name| key.get(name).is_some())) {
        return notes.fail_with(
            Harm::Exposure,
            Step::Keys,
            format!("{url} shows a private key"),
            "Whoever has read it can make tokens that every MCP server here accepts.",
            "Take it down at once, make a new key, and publish its public half alone.",
        );
    }
    let is_usable = |key: &&Value| {
        let text = |name: &str| key.get(name).and_then(Value::as_str);
        matches!(text("kty"), Some("RSA" | "EC" | "OKP"))
            && text("use").is_none_or(|purpose| purpose == "sig")
    };
    let usable: Vec<&Value> = keys.iter().filter(is_usable).collect();
    if usable.is_empty() {
        return notes.fail(
            Step::Keys,
            format!("{url} has no key that a signature can be checked with"),
            "The MCP server can check no token, and refuses every one.",
            "Publish the public keys that tokens are signed with: RSA, EC or OKP, with \"use\": \"sig\" or without use.",
        );
    }
    notes.ok(
        Step::Keys,
        format!(
            "{url}: {}",
            if usable.len() == 1 { "one key".to_owned() } else { format!("{} keys", usable.len()) }
        ),
    );
}
