//! The first request of a client, which has no token: it must be told 401, whoever asks, and nothing else.

use serde_json::json;

use super::document::{Heard, argument, is_html, location, page_title, shortened};
use super::meant;
use super::spelling::{Difference, ServerUrl, share_path};
use super::step::{Harm, Notes, Step};
use crate::http::{Method, Status};
use crate::outgoing::{Awaited, Probe, ProbeAnswer, ProbeRefusal, Prober};

/// The revision of MCP that the walk speaks.
pub(super) const PROTOCOL_VERSION: &str = "2025-06-18";

/// Names by which clients come, and which of them do.
pub(super) const AGENTS: [(&str, &str); 3] = [
    ("Claude-User", "claude.ai"),
    ("python-httpx/0.28.1", "claude.ai and what is written in Python"),
    ("openai-mcp/1.0.0", "ChatGPT"),
];

/// How the first request went.
#[derive(Clone, Debug)]
pub(super) enum Called {
    /// 401, as it should.
    Challenged(ProbeAnswer),
    /// Anybody may use the server.
    Open,
    /// There is no MCP server, and what was meant is told: nothing else of this URL is worth a look.
    Elsewhere,
    /// Anything else.
    Otherwise,
}

/// `initialize`, as a client sends it before it has a token.
pub(super) fn initialize(server: &ServerUrl) -> Probe {
    let body = json!({
        "jsonrpc": "2.0",
        "id": 0,
        "method": "initialize",
        "params": {
            "protocolVersion": PROTOCOL_VERSION,
            "capabilities": {},
            "clientInfo": { "name": "vestibule-doctor", "version": env!("CARGO_PKG_VERSION") },
        },
    });
    Probe::new(Method::POST, server.url())
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", PROTOCOL_VERSION)
        .body("application/json", body.to_string())
}

/// Makes the first requests: a call, a stream, and the call again by other names.
pub(super) async fn call(server: &ServerUrl, prober: &Prober, notes: &mut Notes) -> Called {
    let heard = prober.ask(initialize(server)).await;
    if let Ok(answer) = &heard
        && matches!(answer.status.as_u16(), 404 | 405 | 410)
        && bot_rule(answer).is_none()
        && let Some(meant) = meant::look(server, prober).await
    {
        meant::judge(server, answer.status, &meant, notes);
        return Called::Elsewhere;
    }
    let called = judge_call(server, &heard, notes);
    let Ok(first) = heard else { return called };
    let stream = Probe::new(Method::GET, server.url())
        .header("accept", "text/event-stream")
        .header("mcp-protocol-version", PROTOCOL_VERSION);
    judge_stream(&prober.ask(stream).await, &called, notes);
    if matches!(called, Called::Otherwise) {
        notes.skip(Step::Agents, "the call itself does not get through");
        return called;
    }
    let mut others = Vec::new();
    for (agent, who) in AGENTS {
        let heard = prober.ask(initialize(server).header("user-agent", agent)).await;
        others.push((agent, who, heard));
    }
    judge_agents(Step::Agents, first.status, &others, notes);
    called
}

fn judge_call(server: &ServerUrl, heard: &Heard, notes: &mut Notes) -> Called {
    let answer = match heard {
        Ok(answer) => answer,
        Err(why) => {
            judge_silence(why, notes);
            return Called::Otherwise;
        }
    };
    let status = answer.status.as_u16();
    if status == 401 {
        notes.ok(Step::Call, "401");
        return Called::Challenged(answer.clone());
    }
    if let Some(who) = bot_rule(answer) {
        notes.fail(
            Step::Call,
            format!("{status}, from {who}"),
            "It takes programs for bots, and every MCP client is a program: none gets through.",
            BOT_MEND,
        );
        return Called::Otherwise;
    }
    match status {
        200..=299 if is_html(answer) => notes.fail(
            Step::Call,
            format!("{status}, with an HTML page{}", titled(answer)),
            "A client that POSTs expects JSON, or 401; it takes this for a server without authorization that is broken.",
            "See whether the URL is the MCP server's own, often with /mcp at its end, and whether a login page stands in \
             front of it: a client needs a 401 in its place.",
        ),
        200..=299 => {
            notes.fail_with(
                Harm::Exposure,
                Step::Call,
                format!("{status}: there is no authorization in front of this server, anybody may use it"),
                "Clients take this for a server that needs no sign-in, and so does everybody else who finds the URL.",
                "Put a guard in front of it, and give clients the guard's URL: vestibule serve --guard NAME=URL",
            );
            return Called::Open;
        }
        300..=399 => judge_redirect(server, answer, notes),
        _ => judge_refused(answer, notes),
    }
    Called::Otherwise
}

fn titled(answer: &ProbeAnswer) -> String {
    page_title(answer).map_or(String::new(), |title| format!(" ({title:?})"))
}

fn judge_silence(why: &ProbeRefusal, notes: &mut Notes) {
    let (reason, mend) = match why {
        ProbeRefusal::TooSlow(Awaited::Answer) => (
            "claude.ai gives up after ten seconds, and others not much later.",
            "See whether what stands in front of the server reaches it, and whether it answers without a token at all: the \
             401 must come before anything slow.",
        ),
        _ => (
            "No client gets an answer.",
            "See whether the port speaks HTTP, and what the log of the reverse proxy and of the server say.",
        ),
    };
    notes.fail(Step::Call, why.to_string(), reason, mend);
}

fn judge_redirect(server: &ServerUrl, answer: &ProbeAnswer, notes: &mut Notes) {
    let (status, to) = (answer.status.as_u16(), location(answer));
    let seen = format!("{status}, a redirect to {}", shortened(&to));
    let absolute = server.url().join(&to).ok().filter(|absolute| share_path(server.url(), absolute));
    let difference = absolute.as_ref().and_then(|to| Difference::between(server.url().as_str(), to.as_str()));
    match (difference, &absolute) {
        (Some(Difference::Scheme), Some(absolute)) if absolute.scheme() == "http" => notes.fail(
            Step::Call,
            seen,
            "It leads from https to plain http, where no client takes its token: the server does not know of the TLS before it.",
            format!(
                "Let the server believe X-Forwarded-Proto of the reverse proxy (uvicorn and FastMCP: FORWARDED_ALLOW_IPS), and \
                 give clients the path that it wants: {}",
                absolute.path()
            ),
        ),
        (Some(difference @ (Difference::Scheme | Difference::TrailingSlash)), Some(absolute)) => notes.fail(
            Step::Call,
            seen,
            format!(
                "On the way a POST becomes a GET, or the token is left behind, or the metadata names another URL than the \
                 one that was typed ({difference})."
            ),
            format!(
                "Give clients {absolute}, and walk it again: vestibule doctor {}",
                argument(absolute.as_str())
            ),
        ),
        _ => notes.fail(
            Step::Call,
            seen,
            "A client waits for a 401 to begin its sign-in; a redirect, as to a login page, ends its connection, and no \
             person sees that page.",
            "Take the reverse proxy's own login off this path (nginx: auth_request off; Traefik: no forwardAuth middleware \
             on this router; Caddy: forward_auth for other paths only), and let the MCP server or vestibule serve --guard \
             NAME=URL answer 401 there.",
        ),
    }
}

fn judge_refused(answer: &ProbeAnswer, notes: &mut Notes) {
    let status = answer.status.as_u16();
    let (why, mend) = match status {
        403 => (
            "Clients begin a sign-in at 401 alone; at 403 they give up.",
            "Make it answer 401 with WWW-Authenticate where no token came. If the server checks the Host header, tell it \
             its public name; if the reverse proxy or a firewall refuses, let this path through.",
        ),
        404 | 410 => (
            "There is no MCP server at this path, so no client connects.",
            "See what path the server itself listens at, often /mcp, and that the reverse proxy hands it on unchanged.",
        ),
        405 => (
            "Clients POST their calls; a server of the old kind takes them elsewhere.",
            "See whether this is the path for calls, often /mcp; a server that knows only the older transport of /sse needs \
             to be brought up to date.",
        ),
        407 | 421 => (
            "No client understands it as \"sign in\".",
            "The reverse proxy takes the request for another host's: name this host in its configuration, and send the Host \
             header on.",
        ),
        429 => (
            "No client gets further than this at the moment.",
            "Wait a minute and walk again; if it stays so, raise the limit for machine paths.",
        ),
        502..=504 => (
            "The reverse proxy does not reach the server behind it.",
            "Start the server, and see whether the proxy has its address and its port right.",
        ),
        500..=599 => (
            "The server fails before it asks for a token, so no client gets as far as its sign-in.",
            "See the server's own log for this request.",
        ),
        _ => (
            "The server looks at the request before it asks for a token, and clients begin a sign-in at 401 alone.",
            "Check the token first, and answer 401 with WWW-Authenticate where none came.",
        ),
    };
    notes.fail(Step::Call, format!("{status} {}{}", reason(answer.status), titled(answer)), why, mend);
}

/// What HTTP calls a status.
pub(super) fn reason(status: Status) -> &'static str {
    status.canonical_reason().unwrap_or_default()
}

fn judge_stream(heard: &Heard, called: &Called, notes: &mut Notes) {
    let answer = match heard {
        Ok(answer) => answer,
        Err(why) => {
            return notes.fail(
                Step::Stream,
                why.to_string(),
                "Clients open a stream of events beside their calls, and stumble where nothing comes.",
                "See what the log of the reverse proxy and of the server say of the GET.",
            );
        }
    };
    let status = answer.status.as_u16();
    match status {
        401 => notes.ok(Step::Stream, "401"),
        405 => notes.ok(Step::Stream, "405: there are no streams, which clients accept"),
        _ if matches!(called, Called::Open) => notes.ok(Step::Stream, format!("{status}, as without authorization")),
        _ if !matches!(called, Called::Challenged(_)) => notes.skip(Step::Stream, format!("{status}, as for the call")),
        300..=399 => notes.fail(
            Step::Stream,
            format!("{status}, a redirect to {}", shortened(&location(answer))),
            "Clients open a stream of events by GET, and older ones begin with it: a login page is no answer to them.",
            "Let the path answer 401 by every method: take the reverse proxy's own login off it also for GET.",
        ),
        200..=299 => notes.fail_with(
            Harm::Exposure,
            Step::Stream,
            format!("{status}: a GET needs no token, although a POST does"),
            "Anybody may listen to what the server tells its clients, and older clients take it for a server without \
             authorization.",
            "Ask for a token by every method, before anything else.",
        ),
        _ => notes.warn(
            Step::Stream,
            format!("{status} {}", reason(answer.status)),
            "Clients open a stream of events by GET; 401 or 405 is what they understand.",
            "Answer 401 by every method where no token came, or 405 where there are no streams.",
        ),
    }
}

/// Whether everybody is answered alike.
pub(super) fn judge_agents(step: Step, first: Status, others: &[(&str, &str, Heard)], notes: &mut Notes) {
    let mut has_differed = false;
    for (agent, who, heard) in others {
        let seen = match heard {
            Ok(answer) if answer.status == first => continue,
            Ok(answer) => {
                let by = bot_rule(answer).map_or(String::new(), |by| format!(" from {by}"));
                format!("{agent} is answered {}{by}, others {}", answer.status.as_u16(), first.as_u16())
            }
            Err(why) => format!("{agent} is not answered, others are: {why}"),
        };
        has_differed = true;
        notes.fail(step, seen, format!("That is how {who} comes, and it gets no further."), BOT_MEND);
    }
    if !has_differed {
        let agents: Vec<_> = others.iter().map(|(agent, ..)| *agent).collect();
        notes.ok(step, format!("the same answer to {}", agents.join(", ")));
    }
}

const BOT_MEND: &str = "Take the machine paths (the MCP server's own, /.well-known/ and the endpoints of the authorization \
                        server) out of the bot rules: in Cloudflare switch off \"Block AI bots\" and Bot Fight Mode for \
                        this host, which no WAF exception covers; elsewhere allow these paths whatever the user agent.";

/// Who answered in the server's place because it takes the client for a bot.
fn bot_rule(answer: &ProbeAnswer) -> Option<&'static str> {
    let status = answer.status.as_u16();
    if status == 401 {
        return None;
    }
    let has = |name: &str| answer.headers.contains_key(name);
    let server = answer.header("server").unwrap_or_default().to_ascii_lowercase();
    let text = String::from_utf8_lossy(&answer.body);
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    let is_refusal = matches!(status, 403 | 429 | 503);
    if has("cf-mitigated")
        || is_refusal && server == "cloudflare" && is_html(answer)
        || says(&["<title>Just a moment...", "Attention Required! | Cloudflare"])
    {
        return Some("Cloudflare's bot rules");
    }
    if has("x-datadome") && is_refusal || says(&["captcha-delivery.com"]) {
        return Some("DataDome's bot rules");
    }
    if is_refusal && server == "akamaighost" {
        return Some("Akamai's bot rules");
    }
    if has("x-amzn-waf-action") {
        return Some("AWS WAF's bot rules");
    }
    if has("x-vercel-mitigated") {
        return Some("Vercel's bot rules");
    }
    if says(&["_Incapsula_Resource", "Incapsula incident"]) {
        return Some("Imperva's bot rules");
    }
    if says(&["Making sure you&#39;re not a bot!", "Making sure you're not a bot!", "anubis_challenge"]) {
        return Some("Anubis");
    }
    if is_refusal && says(&["CrowdSec"]) {
        return Some("CrowdSec");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::{HeaderMap, HeaderName, HeaderValue};
    use crate::outgoing::BodyEnd;

    fn answer(status: u16, headers: &[(&'static str, &'static str)], body: &str) -> ProbeAnswer {
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)))
            .collect();
        ProbeAnswer {
            status: Status::from_u16(status).unwrap(),
            headers,
            body: body.to_owned().into(),
            end: BodyEnd::Complete,
        }
    }

    #[test]
    fn bot_rules_are_known_by_how_they_answer() {
        let html = ("content-type", "text/html; charset=UTF-8");
        for (status, headers, body, who) in [
            (403, &[("cf-mitigated", "challenge")][..], "", "Cloudflare"),
            (403, &[("server", "cloudflare"), html], "", "Cloudflare"),
            (503, &[html], "<html><title>Just a moment...</title>", "Cloudflare"),
            (403, &[("x-datadome", "protected")], "", "DataDome"),
            (403, &[("server", "AkamaiGHost"), html], "<h1>Access Denied</h1>", "Akamai"),
            (405, &[("x-amzn-waf-action", "captcha")], "", "AWS"),
            (429, &[("x-vercel-mitigated", "challenge")], "", "Vercel"),
            (200, &[html], "<title>Making sure you&#39;re not a bot!</title>", "Anubis"),
            (403, &[html], "<title>CrowdSec Ban</title>", "CrowdSec"),
        ] {
            let found = bot_rule(&answer(status, headers, body));
            assert!(found.is_some_and(|found| found.contains(who)), "{who}: {found:?}");
        }
        for (status, headers) in [
            (401, &[("server", "cloudflare"), html][..]),
            (401, &[("cf-mitigated", "challenge")]),
            (403, &[("server", "nginx"), html]),
            (403, &[("server", "cloudflare"), ("content-type", "application/json")]),
            (502, &[("server", "cloudflare"), html]),
        ] {
            assert_eq!(bot_rule(&answer(status, headers, "")), None, "{status} {headers:?}");
        }
    }
}
