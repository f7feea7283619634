//! What a client in a web page needs besides (Fetch standard, CORS): a browser asks first, without a token, and shows the
//! page nothing that is not allowed.

use std::fmt;

use url::Url;

use super::call::initialize;
use super::document::{Heard, location, shortened};
use super::resource_metadata::get;
use super::spelling::ServerUrl;
use super::step::{Notes, Step};
use crate::http::{HeaderMap, Method};
use crate::outgoing::{Probe, ProbeAnswer, ProbeRefusal, Prober};

/// The page that asks: MCP's Inspector.
const ORIGIN: &str = "http://localhost:6274";

/// Who runs in a page.
const WHO: &str = "MCP's Inspector, the MCP portal of Cloudflare, and whatever else runs in a web page see an answer only as \
                   far as CORS allows; programs do not care.";

/// What is wrong with an answer, for a page of another origin.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Fault {
    /// Nothing was answered.
    Unanswered(ProbeRefusal),
    /// A browser's question without a token is asked for one.
    WantsToken(u16),
    /// It is sent elsewhere.
    Redirect(u16, String),
    /// Any other status outside 2xx.
    Status(u16),
    /// No origin is allowed.
    NoOrigin,
    /// Another origin is allowed.
    OtherOrigin(String),
    /// These headers may not be sent.
    Headers(Vec<&'static str>),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unanswered(why) => why.fmt(f),
            Self::WantsToken(status) => write!(f, "{status}: it asks for a token"),
            Self::Redirect(status, to) => write!(f, "{status}, a redirect to {}", shortened(to)),
            Self::Status(status) => status.fmt(f),
            Self::NoOrigin => f.write_str("no Access-Control-Allow-Origin"),
            Self::OtherOrigin(origin) => write!(f, "Access-Control-Allow-Origin is {origin} alone"),
            Self::Headers(missing) => {
                write!(f, "Access-Control-Allow-Headers does not have {}", missing.join(", "))
            }
        }
    }
}

impl Fault {
    /// What the owner can do at `path`.
    fn mend(&self, path: &str) -> String {
        match self {
            Self::WantsToken(_) | Self::Redirect(..) => format!(
                "Let OPTIONS {path} through without a token: no browser sends one with it (nginx: if ($request_method = \
                 OPTIONS) {{ return 204; }} with the headers; Traefik: a headers middleware with accessControlAllowOriginList \
                 before the one that checks; Caddy: respond to method OPTIONS first)."
            ),
            Self::Headers(_) => format!(
                "Answer OPTIONS {path} with Access-Control-Allow-Headers that repeats what Access-Control-Request-Headers asks \
                 for; * does not cover authorization."
            ),
            _ => format!(
                "Answer OPTIONS {path} with 204, Access-Control-Allow-Origin: *, Access-Control-Allow-Methods and \
                 Access-Control-Allow-Headers, and every other answer there with Access-Control-Allow-Origin: *."
            ),
        }
    }
}

/// A browser's question before it sends `method` with `headers`.
fn preflight(url: &Url, method: &str, headers: &[&str]) -> Probe {
    Probe::new(Method::OPTIONS, url)
        .header("origin", ORIGIN)
        .header("access-control-request-method", method)
        .header("access-control-request-headers", headers.join(","))
}

fn judge_preflight(heard: &Heard, wanted: &[&'static str]) -> Result<(), Fault> {
    let answer = heard.as_ref().map_err(|why| Fault::Unanswered(why.clone()))?;
    let status = answer.status.as_u16();
    match status {
        200..=299 => {}
        300..=399 => return Err(Fault::Redirect(status, location(answer))),
        401 | 403 => return Err(Fault::WantsToken(status)),
        _ => return Err(Fault::Status(status)),
    }
    judge_origin(answer)?;
    let allowed = listed(&answer.headers, "access-control-allow-headers");
    let is_allowed = |name: &str| {
        allowed.iter().any(|one| one == name)
            || name != "authorization" && allowed.iter().any(|one| one == "*")
    };
    let missing: Vec<_> = wanted.iter().copied().filter(|name| !is_allowed(name)).collect();
    match missing.is_empty() {
        true => Ok(()),
        false => Err(Fault::Headers(missing)),
    }
}

fn judge_origin(answer: &ProbeAnswer) -> Result<(), Fault> {
    match answer.header("access-control-allow-origin") {
        Some("*" | ORIGIN) => Ok(()),
        Some(origin) => Err(Fault::OtherOrigin(origin.to_owned())),
        None => Err(Fault::NoOrigin),
    }
}

/// The words of a list that may stand in several headers, in lower case.
fn listed(headers: &HeaderMap, name: &str) -> Vec<String> {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(|word| word.trim().to_ascii_lowercase()).collect()
}

/// Asks the MCP server as a page does.
pub(super) async fn look_at_server(server: &ServerUrl, prober: &Prober, notes: &mut Notes) {
    const HEADERS: [&str; 5] =
        ["authorization", "content-type", "mcp-protocol-version", "mcp-session-id", "last-event-id"];
    let step = Step::CorsServer;
    let path = server.url().path();
    let asked = prober.ask(preflight(server.url(), "POST", &HEADERS)).await;
    if let Err(fault) = judge_preflight(&asked, &HEADERS) {
        return notes.fail(step, format!("OPTIONS: {fault}"), WHO, fault.mend(path));
    }
    let answer = match prober.ask(initialize(server).header("origin", ORIGIN)).await {
        Ok(answer) => answer,
        Err(why) => {
            return notes.fail(
                step,
                format!("POST from a page: {why}"),
                WHO,
                "See the server's log for the POST.",
            );
        }
    };
    if answer.status.as_u16() == 403 {
        return notes.fail(
            step,
            "403 for a POST with an Origin",
            "The server admits no pages, or checks the Origin before the token: what runs in a web page gets no further.",
            "Answer 401 whatever the Origin, or add the origins of pages that you use to those that the server allows.",
        );
    }
    if let Err(fault) = judge_origin(&answer) {
        return notes.fail(
            step,
            format!("{} to a POST: {fault}", answer.status.as_u16()),
            WHO,
            fault.mend(path),
        );
    }
    let exposed = listed(&answer.headers, "access-control-expose-headers");
    let missing: Vec<_> = [("www-authenticate", "WWW-Authenticate"), ("mcp-session-id", "Mcp-Session-Id")]
        .into_iter()
        .filter(|(name, _)| !exposed.iter().any(|one| one == name))
        .map(|(_, name)| name)
        .collect();
    if missing.is_empty() {
        return notes.ok(step, "a page may ask, and sees the challenge and its session");
    }
    notes.warn(
        step,
        format!("Access-Control-Expose-Headers does not have {}", missing.join(", ")),
        "A page does not see these headers: not where the metadata is, or not its session.",
        "Answer Access-Control-Expose-Headers: WWW-Authenticate, Mcp-Session-Id with every answer there.",
    );
}

/// Asks for a document as a page does.
pub(super) async fn look_at_document(step: Step, url: &Url, prober: &Prober, notes: &mut Notes) {
    let heard = prober.ask(get(url).header("origin", ORIGIN)).await;
    let read = heard.map_err(Fault::Unanswered).and_then(|answer| judge_origin(&answer));
    if let Err(fault) = read {
        return notes.fail(step, format!("GET: {fault}"), WHO, fault.mend(url.path()));
    }
    let wanted = ["mcp-protocol-version"];
    match judge_preflight(&prober.ask(preflight(url, "GET", &wanted)).await, &wanted) {
        Ok(()) => notes.ok(step, "a page may read it"),
        Err(fault) => notes.warn(
            step,
            format!("OPTIONS: {fault}"),
            "A page that sends MCP-Protocol-Version may not read it; the SDKs try once more without, others do not.",
            fault.mend(url.path()),
        ),
    }
}

/// Asks an endpoint as a page does, without sending anything to it.
pub(super) async fn look_at_endpoint(step: Step, url: &Url, prober: &Prober, notes: &mut Notes) {
    let wanted = ["authorization", "content-type"];
    match judge_preflight(&prober.ask(preflight(url, "POST", &wanted)).await, &wanted) {
        Ok(()) => notes.ok(step, "a page may ask"),
        Err(fault) => notes.fail(step, format!("OPTIONS: {fault}"), WHO, fault.mend(url.path())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{HeaderName, HeaderValue, Status};
    use crate::outgoing::BodyEnd;

    fn judged(status: u16, headers: &[(&'static str, &'static str)]) -> Result<(), Fault> {
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        let status = Status::from_u16(status).unwrap();
        let answer = ProbeAnswer { status, headers, body: bytes::Bytes::new(), end: BodyEnd::Complete };
        judge_preflight(&Ok(answer), &["authorization", "content-type"])
    }

    #[test]
    fn a_preflight_is_read_as_browsers_do() {
        const ANY: (&str, &str) = ("access-control-allow-origin", "*");
        const HEADERS: (&str, &str) = ("access-control-allow-headers", "Content-Type, Authorization");
        assert_eq!(judged(204, &[ANY, HEADERS]), Ok(()));
        assert_eq!(judged(200, &[("access-control-allow-origin", ORIGIN), HEADERS]), Ok(()));
        for (status, headers, fault) in [
            (401, &[ANY, HEADERS][..], Fault::WantsToken(401)),
            (302, &[("location", "/login")], Fault::Redirect(302, "/login".to_owned())),
            (405, &[ANY, HEADERS], Fault::Status(405)),
            (204, &[HEADERS], Fault::NoOrigin),
            (
                204,
                &[("access-control-allow-origin", "https://x.test"), HEADERS],
                Fault::OtherOrigin("https://x.test".to_owned()),
            ),
            (204, &[ANY], Fault::Headers(vec!["authorization", "content-type"])),
            (204, &[ANY, ("access-control-allow-headers", "*")], Fault::Headers(vec!["authorization"])),
        ] {
            assert_eq!(judged(status, headers), Err(fault));
        }
    }
}
