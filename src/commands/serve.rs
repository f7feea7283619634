//! `vestibule serve`: opens the database, takes the address, says what to do next, and serves until it is stopped.

use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::answer::{Form, print_warning};
use super::database::{create, ensure_signing_key, issuer_of};
use super::descriptors::{make_room, shortage};
use super::failure::Failure;
use super::flags::Given;
use super::guards::{self, Own, Replaced, path_under};
use crate::app::{App, housekeeping};
use crate::audit::{Entry, Event, Origin};
use crate::clock::{Clock, UnixTime};
use crate::config::{Settings, span};
use crate::log;
use crate::oauth::issuer::Issuer;
use crate::oauth::resource::Resource;
use crate::oauth::secret::{Secret, SecretKind};
use crate::outgoing::Names;
use crate::routes;
use crate::server;
use crate::store::{Fault, ReadTx, Store, audit_logs, instance, resources, setup_link, users};

/// How to serve.
#[derive(clap::Args, Default)]
#[command(after_help = "\
Examples:
  vestibule serve
  vestibule serve --guard notes=http://127.0.0.1:3000/mcp
  vestibule serve --issuer https://auth.home.example --trusted-proxies 127.0.0.1
  vestibule serve --issuer https://new.home.example --change-issuer

Every setting is a flag, an environment variable, or a line in the file that --config names; a flag counts more than a
variable, and a variable more than the file. Spans of time are written 60s, 15m, 24h, 30d. A settings file:
  listen = \"0.0.0.0:8080\"
  issuer = \"https://auth.home.example\"
  trusted_proxies = [\"172.16.0.0/12\"]")]
pub struct Args {
    /// The settings.
    #[command(flatten)]
    pub settings: Given,
    /// Serve under another issuer than the database knows: every token out there becomes void
    #[arg(long)]
    pub change_issuer: bool,
}

/// What to do when the issuer is not the one that the database knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OtherIssuer {
    /// Refuse: usually it is a mistake, and every token out there would become void.
    Refuse,
    /// Take it over, as the owner asked for.
    Adopt,
}

/// All that is needed to serve, and what to tell the person who started it.
pub struct Opening {
    /// The settings.
    pub settings: Settings,
    /// Who we are.
    pub issuer: Issuer,
    /// The open database.
    pub store: Store,
    /// The address, taken: connections wait in the kernel's queue until they are served.
    pub listener: TcpListener,
    /// Where it listens, with the port that port 0 became.
    pub address: SocketAddr,
    /// The first admin's link, while there is none.
    pub setup_link: Option<String>,
    /// Whether the database was made just now.
    pub is_new: bool,
    /// The servers that are guarded.
    pub guarded: Vec<Guarded>,
    /// What may surprise the person.
    pub warnings: Vec<String>,
}

/// A guarded server, for the announcement.
#[derive(Clone, Debug, Serialize)]
pub struct Guarded {
    /// What to give clients.
    pub url: String,
    /// Where its requests go.
    pub upstream: String,
    /// Where they went until this start, if that was somewhere else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub was: Option<String>,
    /// Where it should be guarded anew, because it lies under an issuer of before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub moved_to: Option<String>,
}

impl Guarded {
    fn of(resource: Resource, replaced: &[Replaced], issuer: &Issuer, former: &[Issuer]) -> Option<Self> {
        let guard = resource.guard?;
        let was = replaced.iter().find(|replaced| replaced.uri == resource.uri);
        let left_behind = former.iter().find_map(|former| path_under(former, &resource.uri));
        Some(Self {
            was: was.map(|replaced| replaced.was.as_str().to_owned()),
            moved_to: left_behind.map(|path| issuer.url(path)),
            url: resource.uri.to_string(),
            upstream: guard.upstream.as_str().to_owned(),
        })
    }
}

/// Does it: returns when the process is asked to stop.
pub fn run(settings: Settings, args: &Args, form: Form) -> Result<(), Failure> {
    let other_issuer = if args.change_issuer { OtherIssuer::Adopt } else { OtherIssuer::Refuse };
    let opening = open(settings, other_issuer, Clock::machine().now())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(cannot_serve)?;
    runtime.block_on(async {
        // Before anything is announced: whoever reads the announcement may stop us at once.
        let stop = Stop::new().map_err(cannot_serve)?;
        announce(&opening, form)?;
        serve(opening, stop).await
    })
}

/// Takes the address, opens the database or makes a new one, and makes the first admin's link where there is no admin.
pub fn open(mut settings: Settings, other_issuer: OtherIssuer, now: UnixTime) -> Result<Opening, Failure> {
    // First, so that an address that is in use leaves no new database behind.
    let listener = TcpListener::bind(settings.listen).map_err(|source| {
        Failure::new(format!(
            "could not listen on {}: {source}; stop what listens there, or name another address with --listen",
            settings.listen
        ))
    })?;
    let address = listener.local_addr().map_err(cannot_serve)?;
    let is_new = !settings.db.exists();
    let store = if is_new {
        let issuer = settings.issuer.clone().unwrap_or_else(|| issuer_of(address));
        // Likewise: a wrong name leaves none behind.
        let own = Own { issuer: issuer.clone(), listen: Some(address) };
        settings.guards.iter().try_for_each(|server| guards::uri(&own, server).map(drop))?;
        create(&settings.db, &issuer, settings.signing_algorithm, now)?
    } else {
        let store = Store::open(&settings.db)?;
        ensure_signing_key(&store, settings.signing_algorithm, now)?;
        store
    };
    let issuer = settle_issuer(&store, settings.issuer.as_ref(), other_issuer, now)?;
    let own = Own { issuer: issuer.clone(), listen: Some(address) };
    let replaced = guards::declare(&store, &own, &settings.guards, now)?;
    let (registered, former) = store.read(|tx| Ok((resources::list(tx)?, former_issuers(tx, &issuer)?)))?;
    let guarded = registered.into_iter();
    let guarded = guarded.filter_map(|resource| Guarded::of(resource, &replaced, &issuer, &former)).collect();
    let setup_link = make_setup_link(&store, &settings, &issuer, now)?;
    let mut warnings = warnings(&settings, &issuer, address);
    let room = make_room(settings.connections_max);
    warnings.extend(shortage(settings.connections_max, room));
    settings.connections_max = room;
    Ok(Opening { settings, issuer, store, listener, address, setup_link, is_new, guarded, warnings })
}

/// The database's issuer, or the one that was asked for if the owner means it.
fn settle_issuer(
    store: &Store,
    asked: Option<&Issuer>,
    other_issuer: OtherIssuer,
    now: UnixTime,
) -> Result<Issuer, Failure> {
    let known = store.read(instance::find)?.issuer;
    let Some(asked) = asked.filter(|asked| **asked != known) else { return Ok(known) };
    if other_issuer == OtherIssuer::Refuse {
        return Err(Failure::new(format!(
            "could not serve as {asked}: the database's issuer is {known}, and every token out there names it; \
             leave --issuer out, or change it on purpose with --change-issuer"
        )));
    }
    let changed = asked.clone();
    store.write_and_wait(move |tx| {
        instance::change_issuer(tx, &changed)?;
        let origin = Origin::of_command();
        let reason = format!("{IT_WAS}{known}");
        Entry::new(Event::IssuerChanged, &origin).subject(changed.as_str()).reason(&reason).record(tx, now)
    })?;
    Ok(asked.clone())
}

/// Before the issuer of before, in the audit row of its change.
const IT_WAS: &str = "it was ";

/// The issuers of before, as far as the audit log remembers.
fn former_issuers(tx: &ReadTx<'_>, issuer: &Issuer) -> Result<Vec<Issuer>, Fault> {
    let event = Some(Event::IssuerChanged.as_str().to_owned());
    let changes = audit_logs::list(tx, &audit_logs::Filter { event, ..Default::default() })?;
    let former = changes.iter().filter_map(|change| {
        let metadata: serde_json::Value = serde_json::from_str(&change.metadata).ok()?;
        Issuer::parse(metadata.get("reason")?.as_str()?.strip_prefix(IT_WAS)?).ok()
    });
    Ok(former.filter(|former| former != issuer).collect())
}

/// A fresh link for the first admin; the one of an earlier start is void.
fn make_setup_link(
    store: &Store,
    settings: &Settings,
    issuer: &Issuer,
    now: UnixTime,
) -> Result<Option<String>, Failure> {
    let secret = Secret::new(SecretKind::SetupLink);
    let (hash, expires_at) = (secret.hash(), now.plus(settings.lifetimes.setup_link));
    let made = store.write_and_wait(move |tx| {
        if users::has_admin(tx)? {
            return Ok(false);
        }
        setup_link::replace(tx, &hash, expires_at)?;
        Ok(true)
    })?;
    Ok(made.then(|| issuer.url(&format!("/setup?token={}", secret.expose()))))
}

fn warnings(settings: &Settings, issuer: &Issuer, address: SocketAddr) -> Vec<String> {
    let mut warnings = Vec::new();
    if address.ip().is_unspecified() && settings.issuer.is_none() && issuer.is_loopback() {
        warnings.push(format!(
            "everybody in the network can reach {address}, but the issuer {issuer} works on this machine only; \
             name the URL that people use: --issuer https://auth.home.example"
        ));
    } else if *issuer != issuer_of(address) && issuer.is_loopback() && settings.issuer.is_none() {
        warnings.push(format!(
            "the issuer is {issuer}, as the database knows it, but the server listens on {address}; listen there, or \
             change the issuer: --issuer {} --change-issuer",
            issuer_of(address)
        ));
    }
    if !issuer.is_https() && !issuer.is_loopback() {
        warnings.push(format!(
            "the issuer {issuer} is plain http: whoever shares the network can read passwords and tokens, and many \
             clients refuse it; put a reverse proxy with TLS in front and use --issuer https://..."
        ));
    }
    warnings
}

/// What was opened, in JSON.
#[derive(Serialize)]
struct Announcement<'a> {
    listen: String,
    issuer: &'a str,
    db: String,
    new: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    setup_link: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    guarded: &'a [Guarded],
}

/// Tells the person who started the server what it is, and what to do next.
fn announce(opening: &Opening, form: Form) -> io::Result<()> {
    for warning in &opening.warnings {
        print_warning(warning)?;
    }
    let db = opening.settings.db.canonicalize().unwrap_or_else(|_| PathBuf::from(&opening.settings.db));
    let mut out = io::stdout().lock();
    match form {
        Form::Json => {
            let announcement = Announcement {
                listen: opening.address.to_string(),
                issuer: opening.issuer.as_str(),
                db: db.display().to_string(),
                new: opening.is_new,
                setup_link: opening.setup_link.as_deref(),
                guarded: &opening.guarded,
            };
            writeln!(out, "{}", serde_json::to_string(&announcement).map_err(io::Error::from)?)?;
        }
        Form::Text => {
            writeln!(out, "listening on  {}", opening.address)?;
            writeln!(out, "issuer        {}", opening.issuer)?;
            writeln!(out, "database      {}{}", db.display(), if opening.is_new { " (new)" } else { "" })?;
            announce_guarded(&mut out, &opening.guarded)?;
            if let Some(link) = &opening.setup_link {
                let validity = in_words(opening.settings.lifetimes.setup_link.as_u32())
                    .unwrap_or_else(|| span::write(opening.settings.lifetimes.setup_link));
                writeln!(
                    out,
                    "\nMake the first admin here (valid for {validity}, for the first admin only):\n"
                )?;
                writeln!(out, "    {link}")?;
                if !opening.guarded.is_empty() {
                    return out.flush();
                }
                writeln!(out, "\nThen name the servers that tokens can be for:\n")?;
                writeln!(out, "    vestibule resource add https://notes.home.example/mcp --name Notes")?;
                writeln!(out, "\nand give a client that server's URL. It finds its way here by itself.")?;
            }
        }
    }
    out.flush()
}

fn announce_guarded(out: &mut impl Write, guarded: &[Guarded]) -> io::Result<()> {
    let was = |guarded: &Guarded| guarded.was.as_ref().map_or(String::new(), |was| format!(" (was {was})"));
    let (left_behind, at_hand): (Vec<_>, Vec<_>) =
        guarded.iter().partition(|guarded| guarded.moved_to.is_some());
    if !at_hand.is_empty() {
        writeln!(out, "\nGuarded; give clients these URLs:\n")?;
    }
    for guarded in at_hand {
        writeln!(out, "    {}  ->  {}{}", guarded.url, guarded.upstream, was(guarded))?;
    }
    if !left_behind.is_empty() {
        writeln!(
            out,
            "\nAt an issuer of before, so that clients come only while that address still leads here:\n"
        )?;
    }
    for Guarded { url, upstream, moved_to, .. } in left_behind {
        let Some(moved_to) = moved_to else { continue };
        writeln!(out, "    {url}  ->  {upstream}")?;
        if guarded.iter().any(|guarded| guarded.url == *moved_to) {
            writeln!(out, "        it is guarded anew as {moved_to}; take this one away:")?;
        } else {
            writeln!(
                out,
                "        guard it anew, with the users, scopes and rules that `vestibule resource list` shows:"
            )?;
            writeln!(out, "        vestibule resource add {moved_to} --upstream {upstream}")?;
        }
        writeln!(out, "        vestibule resource remove {url}")?;
    }
    Ok(())
}

/// A span in words, where it is a whole number of hours or minutes.
fn in_words(seconds: u32) -> Option<String> {
    let (count, unit) = match seconds {
        _ if seconds.is_multiple_of(3600) => (seconds / 3600, "hour"),
        _ if seconds.is_multiple_of(60) => (seconds / 60, "minute"),
        _ => return None,
    };
    Some(format!("{count} {unit}{}", if count == 1 { "" } else { "s" }))
}

/// Serves what was opened until `stop`, and lets running requests finish.
async fn serve(opening: Opening, mut stop: Stop) -> Result<(), Failure> {
    let Opening { settings, store, listener, .. } = opening;
    // Kept until the end: dropping it writes out what is left.
    let _log = log::start(tracing::Level::INFO, io::stderr()).map_err(|source| {
        Failure::new(format!("could not start the log: {source}; start the server once only"))
    })?;
    listener.set_nonblocking(true).map_err(cannot_serve)?;
    let listener = tokio::net::TcpListener::from_std(listener).map_err(cannot_serve)?;
    let limits = server::Limits { connections: settings.connections_max, ..server::Limits::default() };
    let proxies = settings.trusted_proxies.clone();
    let app = Arc::new(App::new(settings, store, Clock::machine(), Names::system())?);
    let housekeeping = tokio::spawn(housekeeping::run(Arc::clone(&app)));
    let (handled, stopped) = (Arc::clone(&app), Arc::clone(&app));
    let asked = async move {
        stop.asked().await;
        stopped.close();
    };
    let handler = move |request| routes::answer(Arc::clone(&handled), request);
    server::serve(listener, server::Settings { limits, proxies }, handler, asked).await;
    housekeeping.abort();
    let _ = housekeeping.await;
    // Last: what was written is written out, and the file is closed in order.
    drop(app);
    Ok(())
}

/// The signals that ask a server to stop: SIGTERM of a service manager, SIGINT of a terminal.
struct Stop {
    terminate: Signal,
    interrupt: Signal,
}

impl Stop {
    fn new() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn asked(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

fn cannot_serve(source: io::Error) -> Failure {
    Failure::new(format!(
        "could not serve: {source}; look at the limits of the process and the memory of the machine"
    ))
}
