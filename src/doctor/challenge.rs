//! What the 401 says (RFC 6750 3, RFC 9728 5.1): where the metadata is, and what to ask for.

use url::Url;

use super::spelling::{inserted, is_secure, origin};
use super::step::{Harm, Notes, Step};
use crate::http::{Challenge, challenges};
use crate::outgoing::ProbeAnswer;

/// What a client takes from it.
#[derive(Clone, Debug, Default)]
pub(super) struct Challenged {
    /// Where the protected resource metadata is.
    pub(super) metadata: Option<Url>,
    /// The scopes to ask for.
    pub(super) scope: Option<String>,
}

/// Reads the challenge of a 401 from `server`.
pub(super) fn judge(answer: &ProbeAnswer, server: &Url, notes: &mut Notes) -> Challenged {
    let wanted = inserted(server, "oauth-protected-resource");
    let header = format!("WWW-Authenticate: Bearer resource_metadata=\"{wanted}\"");
    let all = challenges(&answer.headers);
    let Some(bearer) = all.iter().find(|challenge| challenge.is("Bearer")) else {
        judge_without_bearer(answer, &all, &header, notes);
        return Challenged::default();
    };
    let scope = judge_scope(bearer, notes);
    judge_error(bearer, notes);
    let metadata = judge_metadata(bearer, server, &header, notes);
    if let Some(url) = &metadata
        && notes.is_blank(Step::Challenge)
    {
        let scope = scope.as_deref().map_or(String::new(), |scope| format!(", scope {scope:?}"));
        notes.ok(Step::Challenge, format!("Bearer, with resource_metadata {url}{scope}"));
    }
    Challenged { metadata, scope }
}

fn judge_without_bearer(answer: &ProbeAnswer, all: &[Challenge], header: &str, notes: &mut Notes) {
    let schemes: Vec<_> = all.iter().map(Challenge::scheme).collect();
    if !schemes.is_empty() {
        return notes.fail(
            Step::Challenge,
            format!("{}, and no Bearer", schemes.join(", ")),
            "An MCP client has no password to give; it looks for Bearer, and finds no way to sign in.",
            format!(
                "Take the reverse proxy's own login (basic auth and the like) off this path, and let the MCP server answer \
                 {header}"
            ),
        );
    }
    let seen = match answer.headers.contains_key("www-authenticate") {
        true => "it cannot be read",
        false => "it is missing",
    };
    notes.fail(
        Step::Challenge,
        seen,
        "A client learns from it where the metadata is; without it those of MCP's revision 2025-06-18 stop here.",
        format!(
            "Answer {header}; where nginx asks by auth_request, it drops the header unless auth_request_set and add_header \
             ... always hand it on."
        ),
    );
}

fn judge_metadata(bearer: &Challenge, server: &Url, header: &str, notes: &mut Notes) -> Option<Url> {
    let Some(parameter) = bearer.parameter("resource_metadata") else {
        notes.fail(
            Step::Challenge,
            "Bearer, without resource_metadata",
            "A client learns from it where the metadata is; those of MCP's revision 2025-06-18 look nowhere else.",
            format!("Answer {header}"),
        );
        return None;
    };
    let text = parameter.value.as_str();
    if !parameter.is_well_formed {
        notes.fail(
            Step::Challenge,
            format!("resource_metadata {text} stands without the quotes that it needs"),
            "A URL is no token of HTTP: some clients read it all the same, others nothing at all.",
            format!("Answer {header}"),
        );
    }
    let Ok(url) = Url::parse(text) else {
        notes.fail(
            Step::Challenge,
            format!("resource_metadata {text:?} is relative"),
            "Clients take it for an absolute URL as RFC 9728 5.1 has it, and fail on this one.",
            format!(
                "Write it out: {header}; if the server makes it from its own URL, tell it its public one."
            ),
        );
        return None;
    };
    if !is_secure(&url) {
        notes.fail(
            Step::Challenge,
            format!("resource_metadata {url} is plain http"),
            "Clients fetch metadata by https alone; this is what a server says that does not know of the TLS before it.",
            format!(
                "Tell the server its public URL, or let it believe X-Forwarded-Proto of the reverse proxy, so that it \
                 answers {header}"
            ),
        );
    } else if origin(&url) != origin(server) {
        notes.fail_with(
            Harm::NamedClients,
            Step::Challenge,
            format!("resource_metadata is at {}, and the server at {}", origin(&url), origin(server)),
            "Clients built on rmcp (Codex, Goose) take it from the server's own origin only, so that nobody else can speak \
             for the server.",
            format!(
                "Tell the server its public URL (behind a reverse proxy also by the Host header), so that it answers {header}"
            ),
        );
    }
    Some(url)
}

fn judge_scope(bearer: &Challenge, notes: &mut Notes) -> Option<String> {
    let scope = bearer.parameter("scope")?.value.clone();
    if scope.split(' ').any(|one| one == "offline_access") {
        notes.warn(
            Step::Challenge,
            format!("scope {scope:?} has offline_access"),
            "It belongs to no resource (MCP authorization 2026-07-28); a client asks for it where the authorization server \
             offers it.",
            "Leave it out of the challenge, and list it in scopes_supported of the authorization server.",
        );
    }
    (!scope.trim().is_empty()).then_some(scope)
}

fn judge_error(bearer: &Challenge, notes: &mut Notes) {
    // ChatGPT shows its sign-in at invalid_token only, so that one is common, and does no harm.
    let error = bearer.parameter("error").map(|error| error.value.as_str());
    if let Some(error) = error.filter(|error| *error != "invalid_token") {
        notes.warn(
            Step::Challenge,
            format!("error {error:?}, although no token was sent"),
            "Clients take it for what is wrong with a token that they have (RFC 6750 3.1), and act on that.",
            "Leave error out where no token came.",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::step::Mark;
    use crate::http::{HeaderMap, Status};
    use crate::outgoing::BodyEnd;

    /// What a challenge is found to be, and where it leads.
    fn judged(value: Option<&str>) -> (Vec<(Mark, String)>, Challenged) {
        let mut headers = HeaderMap::new();
        if let Some(value) = value {
            headers.insert("www-authenticate", value.parse().unwrap());
        }
        let body = bytes::Bytes::new();
        let answer = ProbeAnswer { status: Status::UNAUTHORIZED, headers, body, end: BodyEnd::Complete };
        let mut notes = Notes::default();
        let challenged = judge(&answer, &Url::parse("https://h.test/mcp").unwrap(), &mut notes);
        let findings = notes.into_findings().into_iter().filter(|one| one.step() == Step::Challenge);
        (findings.map(|one| (one.mark(), one.seen().to_owned())).collect(), challenged)
    }

    const GOOD: &str = "https://h.test/.well-known/oauth-protected-resource/mcp";

    #[test]
    fn a_good_challenge_says_where_and_what_for() {
        let (findings, challenged) =
            judged(Some(&format!(r#"Bearer resource_metadata="{GOOD}", scope="a b""#)));
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].0, Mark::Ok);
        assert_eq!(challenged.metadata.unwrap().as_str(), GOOD);
        assert_eq!(challenged.scope.as_deref(), Some("a b"));
        let (findings, _) = judged(Some(&format!(
            r#"Bearer error="invalid_token", error_description="x", resource_metadata="{GOOD}""#
        )));
        assert_eq!(findings[0].0, Mark::Ok);
    }

    #[test]
    fn each_bad_one_is_named() {
        for (value, mark, words) in [
            (None, Mark::Fail, "missing"),
            (Some("(odd)"), Mark::Fail, "cannot be read"),
            (Some(r#"Basic realm="x""#), Mark::Fail, "Basic, and no Bearer"),
            (Some("Bearer"), Mark::Fail, "without resource_metadata"),
            (Some(r#"Bearer resource_metadata="/.well-known/x""#), Mark::Fail, "relative"),
            (Some(r#"Bearer resource_metadata="http://h.test/x""#), Mark::Fail, "plain http"),
            (Some(r#"Bearer resource_metadata="https://other.test/x""#), Mark::Fail, "https://other.test"),
            (Some("Bearer resource_metadata=https://h.test/x"), Mark::Fail, "quotes"),
            (
                Some(r#"Bearer resource_metadata="https://h.test/x", scope="a offline_access""#),
                Mark::Warn,
                "offline_access",
            ),
            (
                Some(r#"Bearer resource_metadata="https://h.test/x", error="insufficient_scope""#),
                Mark::Warn,
                "insufficient_scope",
            ),
        ] {
            let (findings, _) = judged(value);
            assert_eq!(findings.len(), 1, "{value:?}: {findings:?}");
            assert!(findings[0].0 == mark && findings[0].1.contains(words), "{value:?}: {findings:?}");
        }
    }
}
