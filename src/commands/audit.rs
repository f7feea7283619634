//! `vestibule audit`: what happened.

use std::io::{self, Write};
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use super::answer::{Answer, Form, json_line, plain};
use super::database::Database;
use super::failure::Failure;
use crate::audit::Event;
use crate::clock::UnixTime;
use crate::config::{Settings, span};
use crate::store::audit_logs::{self, Entry, Filter};

/// How long a new row may wait until it is shown.
const POLL: Duration = Duration::from_millis(500);

/// Which rows to show.
#[derive(clap::Args)]
#[command(after_help = "\
Examples:
  vestibule audit --since 2h                          the last two hours
  vestibule audit --follow                            as it happens
  vestibule audit --event oauth.token --user alice    every token given to alice, or refused
  vestibule audit --since 2026-11-23 --json           one JSON list; with --follow one JSON value per line")]
pub(super) struct Args {
    /// Go on as it happens, until stopped
    #[arg(long)]
    pub(super) follow: bool,
    /// From then on: 2h (back from now), 2026-11-23, 2026-11-23T22:39:04Z, or seconds since 1970
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only this event, or those that begin with it and a dot
    #[arg(long)]
    event: Option<String>,
    /// Only what concerns this person, by name or sub
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Only what concerns this client
    #[arg(long, value_name = "ID")]
    client: Option<String>,
}

/// A row in JSON.
#[derive(Serialize)]
struct Shown<'a> {
    id: i64,
    at: UnixTime,
    time: String,
    event: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ip: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<&'a str>,
    metadata: Value,
}

impl<'a> From<&'a Entry> for Shown<'a> {
    fn from(entry: &'a Entry) -> Self {
        Self {
            id: entry.id,
            at: entry.at,
            time: entry.at.to_string(),
            event: &entry.event,
            user: entry.user_name.as_deref(),
            user_id: entry.user_id.as_deref(),
            client_id: entry.client_id.as_deref(),
            ip: entry.ip.as_deref(),
            user_agent: entry.user_agent.as_deref(),
            // A row that cannot be read is still history: it is shown as it is.
            metadata: serde_json::from_str(&entry.metadata)
                .unwrap_or_else(|_| Value::String(entry.metadata.clone())),
        }
    }
}

/// Shows the rows that there are.
pub(super) fn run(settings: &Settings, args: &Args) -> Result<Answer, Failure> {
    let database = Database::open(settings)?;
    let filter = filter(args, database.now)?;
    let entries = database.read(|tx| Ok(audit_logs::list(tx, &filter)?))?;
    let text: String = entries.iter().map(|entry| line(entry) + "\n").collect();
    let text = if text.is_empty() { "Nothing that matches.".to_owned() } else { text };
    Ok(Answer::new(text, entries.iter().map(Shown::from).collect::<Vec<_>>()))
}

/// Shows the rows that there are and those that come, until the process is stopped or nobody reads any more.
pub(super) fn follow(settings: &Settings, args: &Args, form: Form) -> Result<(), Failure> {
    let database = Database::open(settings)?;
    let mut filter = filter(args, database.now)?;
    let mut out = io::stdout().lock();
    loop {
        for entry in database.read(|tx| Ok(audit_logs::list(tx, &filter)?))? {
            filter.after = entry.id;
            match form {
                Form::Text => writeln!(out, "{}", line(&entry))?,
                Form::Json => writeln!(out, "{}", json_line(&Shown::from(&entry)))?,
            }
        }
        out.flush()?;
        std::thread::sleep(POLL);
    }
}

fn filter(args: &Args, now: UnixTime) -> Result<Filter, Failure> {
    if let Some(text) = &args.event
        && !Event::ALL.iter().any(|event| event.is_within(text))
    {
        let events: Vec<_> = Event::ALL.iter().map(|event| event.as_str()).collect();
        return Err(Failure::new(format!(
            "could not find the event {text:?}: there are {}; name one, or what some of them begin with up to a dot, \
             such as oauth.token",
            events.join(", ")
        )));
    }
    Ok(Filter {
        after: 0,
        since: args.since.as_deref().map(|text| since(text, now)).transpose()?,
        event: args.event.clone(),
        user: args.user.clone(),
        client_id: args.client.clone(),
    })
}

/// Reads a point in time. A bare number is seconds since 1970, and never a span: `--since 0` is everything.
fn since(text: &str, now: UnixTime) -> Result<UnixTime, Failure> {
    if let Ok(seconds) = text.parse() {
        return Ok(UnixTime::new(seconds));
    }
    let date = UnixTime::parse(text);
    date.or_else(|| span::parse(text).ok().map(|span| now.minus(span))).ok_or_else(|| {
        Failure::new(format!(
            "could not read the time {text:?}: write 2h (back from now), 2026-11-23, 2026-11-23T22:39:04Z, or seconds since 1970"
        ))
    })
}

/// One row as one line: time, event, then what is known as `name=value`.
fn line(entry: &Entry) -> String {
    let mut line = format!("{}  {}", entry.at, entry.event);
    let mut add = |name: &str, value: &str| {
        let value = plain(value);
        let quoted = value.is_empty() || value.contains([' ', '"', '=']);
        line.push_str(&if quoted { format!("  {name}={value:?}") } else { format!("  {name}={value}") });
    };
    let user = entry.user_name.as_deref().or(entry.user_id.as_deref());
    for (name, value) in [("user", user), ("client", entry.client_id.as_deref()), ("ip", entry.ip.as_deref())]
    {
        if let Some(value) = value {
            add(name, value);
        }
    }
    if let Ok(Value::Object(members)) = serde_json::from_str(&entry.metadata) {
        for (name, value) in &members {
            match value {
                Value::String(text) => add(name, text),
                Value::Array(list) => {
                    let words: Vec<_> = list.iter().filter_map(Value::as_str).collect();
                    add(name, &words.join(" "));
                }
                other => add(name, &other.to_string()),
            }
        }
    }
    if let Some(agent) = &entry.user_agent {
        add("agent", agent);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_span_back_a_date_or_seconds() {
        let now = UnixTime::new(1_000_000);
        for (text, seconds) in [("2h", 992_800), ("0", 0), ("5", 5), ("1970-01-02", 86_400), ("60s", 999_940)]
        {
            assert_eq!(since(text, now).unwrap(), UnixTime::new(seconds), "{text}");
        }
        assert!(since("yesterday", now).is_err());
    }

    #[test]
    fn a_row_is_one_line_whatever_a_stranger_put_into_it() {
        let entry = Entry {
            id: 1,
            at: UnixTime::new(0),
            event: "user.login.failure".to_owned(),
            user_id: None,
            user_name: None,
            client_id: None,
            ip: Some("192.0.2.1".to_owned()),
            user_agent: Some("a\n1970-01-01T00:00:00Z  user.login.success".to_owned()),
            metadata: r#"{"reason":"no\u001b[2J"}"#.to_owned(),
        };
        assert_eq!(
            line(&entry),
            "1970-01-01T00:00:00Z  user.login.failure  ip=192.0.2.1  reason=\"no [2J\"  \
             agent=\"a 1970-01-01T00:00:00Z  user.login.success\""
        );
    }
}
