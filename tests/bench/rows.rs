//! The rows of the table: which servers meet over which request, and what the goal is.

use tempfile::TempDir;

use crate::{
    ceilings,
    contest::{Contest, Side, median},
    guard::{self, Guard},
    load::Wire,
    options::Options,
    process::Process,
    report::{Outcome, Row},
    requests::{self, CONNECTIONS, Machine, Tokens, on_all_connections},
    vestibule::{self, NotFilled, Seeds, Vestibule},
};

const DISCOVERY: &str = "/.well-known/oauth-authorization-server";
const JWKS: &str = "/.well-known/jwks.json";
const TOKENS: &str = "client_credentials";
const TOKENS_P99: &str = "client_credentials_p99";
const REFRESH: &str = "refresh";
const REFRESH_WRITE: &str = "refresh_write";
const ONE_MILLION: &str = "refresh_1m_grants";
const INTROSPECT_NEW: &str = "introspect_new";
const INTROSPECT_SEEN: &str = "introspect_seen";
/// The rows that need servers to meet.
const CONTESTS: [&str; 9] = [
    "discovery",
    "jwks",
    TOKENS,
    TOKENS_P99,
    REFRESH,
    REFRESH_WRITE,
    ONE_MILLION,
    INTROSPECT_NEW,
    INTROSPECT_SEEN,
];
/// What a document weighs while the product does not answer with one.
const USUAL_DOCUMENT_BYTES: usize = 1200;

/// Our server with everything that its rows need; kept as long as they run.
struct Ours {
    server: Vestibule,
    seeds: Seeds,
}

/// The rows where two servers meet, in the order of the table.
pub(crate) async fn contests(options: &Options) -> Result<Vec<Row>, String> {
    if !CONTESTS.iter().chain(&guard::ROWS).any(|name| options.wants(name)) {
        return Ok(Vec::new());
    }
    let directory = vestibule::directory()?;
    let mut ours = start();
    let stage = Stage { directory: &directory, options };
    let mut contests = Vec::new();
    // The ceilings run until the last round, and so must outlive the contests.
    let mut servers = Vec::new();
    for (name, goal, path) in [("discovery", 90.0, DISCOVERY), ("jwks", 90.0, JWKS)] {
        if options.wants(name) {
            let contest = stage.document(&ours, name, goal, path, &mut servers).await;
            contests.push(contest);
        }
    }
    stage.signatures(&mut ours, &mut contests, &mut servers).await;
    let (filled, skipped) = stage.one_million(&mut ours, &mut contests).await;
    let guarded = guard::ROWS.iter().any(|name| options.wants(name)).then(|| Guard::start(&directory));
    let guarded = match guarded {
        Some(starting) => Some(starting.await),
        None => None,
    };
    contests.extend(guarded.iter().flat_map(|guarded| Guard::contests(guarded, options)));
    for round in 0..options.pace.rounds {
        for contest in &mut contests {
            eprintln!("round {} of {}: {}", round + 1, options.pace.rounds, contest.name);
            contest.round(options.pace.run).await;
        }
    }
    drop((filled, guarded));
    let mut rows = Vec::new();
    for contest in &contests {
        if contest.name == guard::ADDED {
            rows.push(guard::added(contest));
        } else if options.wants(contest.name) {
            rows.push(Row::of(contest));
        }
        if contest.name == TOKENS && options.wants(TOKENS_P99) {
            rows.push(p99(contest));
        }
    }
    rows.extend(skipped);
    if options.wants(guard::STREAMS) {
        rows.push(guard::streams(&directory).await);
    }
    Ok(rows)
}

/// What the setting up of every contest needs.
struct Stage<'a> {
    directory: &'a TempDir,
    options: &'a Options,
}

impl Stage<'_> {
    /// A document against a constant of the same size.
    async fn document(
        &self,
        ours: &Result<Ours, String>,
        name: &'static str,
        goal: f64,
        path: &str,
        servers: &mut Vec<Process>,
    ) -> Contest {
        let makers = || on_all_connections(|| requests::document(path));
        let size = match ours {
            Ok(ours) => body_bytes(&ours.server, path).await,
            Err(reason) => Err(reason.clone()),
        };
        let ceiling =
            ceilings::constant(self.directory.path(), *size.as_ref().unwrap_or(&USUAL_DOCUMENT_BYTES));
        let our_side = match (ours, size) {
            (Ok(ours), Ok(_)) => Ok(Side::new(ours.server.process(), makers())),
            (_, Err(reason)) => Err(reason),
            (Err(reason), _) => Err(reason.clone()),
        };
        Contest::new(name, Some(goal), our_side, side(ceiling, servers, makers()))
    }

    /// All that is held against one signature per request, and the refresh against its write alone.
    async fn signatures(
        &self,
        ours: &mut Result<Ours, String>,
        contests: &mut Vec<Contest>,
        servers: &mut Vec<Process>,
    ) {
        let machine =
            Machine { id: "m".repeat(22), secret: "s".repeat(43), resource: "https://r.test/mcp".into() };
        let signed = || on_all_connections(|| requests::client_credentials(&machine));
        let signature = ceilings::signature(self.directory.path());
        let against = |our_side, name, goal| {
            let ceiling = signature.as_ref().map(|server| Side::new(server, signed())).map_err(Clone::clone);
            Contest::new(name, Some(goal), our_side, ceiling)
        };
        if self.options.wants(TOKENS) || self.options.wants(TOKENS_P99) {
            contests.push(against(token_side(ours), TOKENS, 80.0));
        }
        if self.options.wants(REFRESH) {
            contests.push(against(refresh_side(ours).await, REFRESH, 55.0));
        }
        if self.options.wants(REFRESH_WRITE) {
            let makers = (0..CONNECTIONS).map(requests::bare_write).collect();
            let ceiling = side(ceilings::bare_write(self.directory.path()), servers, makers);
            contests.push(Contest::new(REFRESH_WRITE, None, refresh_side(ours).await, ceiling));
        }
        if self.options.wants(INTROSPECT_NEW) {
            contests.push(against(introspect_new_side(ours), INTROSPECT_NEW, 50.0));
        }
        if self.options.wants(INTROSPECT_SEEN) {
            contests.push(against(introspect_seen_side(ours).await, INTROSPECT_SEEN, 100.0));
        }
        servers.extend(signature);
    }

    /// The refresh in a file full of grants against the one in a file with none but the bench's own. Hands out
    /// the server of the full file, to be kept, and a row instead of a contest where there is no such file yet.
    async fn one_million(
        &self,
        ours: &mut Result<Ours, String>,
        contests: &mut Vec<Contest>,
    ) -> (Option<Vestibule>, Option<Row>) {
        if !self.options.wants(ONE_MILLION) {
            return (None, None);
        }
        eprintln!("filling a file with {} grants", self.options.grants);
        let (full, server) = match self.filled().await {
            Ok((side, server)) => (Ok(side), Some(server)),
            Err(NotFilled::Failed(reason)) => (Err(reason), None),
            Err(NotFilled::SchemaNotReady) => {
                let skipped = Outcome::Skipped("schema not ready".to_owned());
                return (None, Some(Row::new(ONE_MILLION, "req/s", ">= 85 %".to_owned(), skipped)));
            }
        };
        contests.push(Contest::new(ONE_MILLION, Some(85.0), full, refresh_side(ours).await));
        (server, None)
    }

    /// A server whose live grants lie evenly among the others: each rotation meets a page of its own, as in
    /// a file that grew over years.
    async fn filled(&self) -> Result<(Side, Vestibule), NotFilled> {
        let portions = self.options.portions;
        let Ours { mut server, mut seeds } = start().map_err(NotFilled::Failed)?;
        // The one that the fill copies.
        seeds.person.grants(server.process().address(), 1).await.map_err(NotFilled::Failed)?;
        let mut tokens = Vec::new();
        for _ in 0..portions {
            server = server.grow(self.options.grants / portions as u64)?;
            let more = seeds.person.grants(server.process().address(), CONNECTIONS / portions).await;
            tokens.extend(more.map_err(NotFilled::Failed)?);
        }
        Ok((chains(&server, &seeds, tokens), server))
    }
}

/// The figures that one start gives, and the size of the binary.
pub(crate) fn starts(options: &Options) -> Vec<Row> {
    let mut rows = Vec::new();
    if options.wants("cold_start") || options.wants("idle_memory") {
        eprintln!("{} cold starts", options.starts);
        let starts: Result<Vec<_>, String> = (0..options.starts).map(|_| vestibule::cold_start()).collect();
        let figure = |of: fn(&vestibule::ColdStart) -> Option<f64>| {
            let starts = starts.as_ref().map_err(Clone::clone)?;
            median(starts.iter().filter_map(of).collect()).ok_or("not to be read on this system".to_owned())
        };
        let milliseconds = figure(|start| Some(start.until_ready.as_secs_f64() * 1e3));
        let megabytes = figure(|start| start.resident_bytes.map(|bytes| bytes as f64 / 1e6));
        rows.push(Row::under("cold_start", "ms", 35.0, milliseconds));
        rows.push(Row::under("idle_memory", "MB", 10.0, megabytes));
    }
    let megabytes = vestibule::binary_bytes().map(|bytes| bytes as f64 / 1e6);
    rows.push(Row::under("binary_size", "MB", 10.0, megabytes));
    rows.retain(|row| options.wants(row.name));
    rows
}

fn start() -> Result<Ours, String> {
    let server = Vestibule::start()?;
    let seeds = server.seed()?;
    Ok(Ours { server, seeds })
}

/// One side of a contest on a ceiling, which is then kept in `servers`.
fn side(
    server: Result<Process, String>,
    servers: &mut Vec<Process>,
    makers: Vec<crate::load::Maker>,
) -> Result<Side, String> {
    let server = server?;
    let side = Side::new(&server, makers);
    servers.push(server);
    Ok(side)
}

fn token_side(ours: &Result<Ours, String>) -> Result<Side, String> {
    let Ours { server, seeds } = ours.as_ref().map_err(Clone::clone)?;
    let makers = on_all_connections(|| requests::client_credentials(&seeds.machine));
    Ok(Side::new(server.process(), makers))
}

/// A grant per connection; every side that refreshes has its own.
async fn refresh_side(ours: &mut Result<Ours, String>) -> Result<Side, String> {
    let Ours { server, seeds } = ours.as_mut().map_err(|reason| reason.clone())?;
    let tokens = seeds.person.grants(server.process().address(), CONNECTIONS).await?;
    Ok(chains(server, seeds, tokens))
}

fn chains(server: &Vestibule, seeds: &Seeds, tokens: Vec<String>) -> Side {
    let chain = |token| requests::refreshing(&seeds.person.client_id, token);
    Side::new(server.process(), tokens.into_iter().map(chain).collect())
}

fn introspect_new_side(ours: &Result<Ours, String>) -> Result<Side, String> {
    let Ours { server, seeds } = ours.as_ref().map_err(Clone::clone)?;
    let tokens = Tokens::default();
    let makers = on_all_connections(|| requests::introspecting_once(&seeds.machine, &tokens));
    let minting = on_all_connections(|| requests::minting(&seeds.machine, &tokens));
    Ok(Side::new(server.process(), makers).supplied_by(minting))
}

async fn introspect_seen_side(ours: &Result<Ours, String>) -> Result<Side, String> {
    let Ours { server, seeds } = ours.as_ref().map_err(Clone::clone)?;
    let mut wire = Wire::open(server.process().address()).await?;
    let answer = wire.exchange(&requests::token_request(&seeds.machine)).await?;
    if answer.status != 200 {
        return Err(format!("/oauth/token {}", answer.in_words()));
    }
    let token = requests::token_answer(answer.body)?.access_token;
    let makers = on_all_connections(|| requests::introspecting_again(&seeds.machine, &token));
    Ok(Side::new(server.process(), makers))
}

/// The size of a document, or why there is none.
async fn body_bytes(server: &Vestibule, path: &str) -> Result<usize, String> {
    let mut wire = Wire::open(server.process().address()).await?;
    let answer = wire.exchange(&requests::get(path)).await?;
    match answer.status {
        200 => Ok(answer.body.len()),
        _ => Err(format!("{path} {}", answer.in_words())),
    }
}

/// The p99 of the runs of client_credentials. On a machine where the ceiling itself is slower than 8 ms, the
/// goal says nothing.
fn p99(contest: &Contest) -> Row {
    let (ours, ceiling) =
        (contest.ours(|sample| Some(sample.p99_ms)), contest.ceiling(|sample| Some(sample.p99_ms)));
    let figure = ours.ok_or_else(|| contest.failure().unwrap_or("no rounds".to_owned()));
    let mut row = Row::under(TOKENS_P99, "ms", 10.0, figure);
    row.ceiling = ceiling;
    if let (Outcome::Missed, Some(ceiling)) = (&row.outcome, ceiling.filter(|ceiling| *ceiling >= 8.0)) {
        row.outcome = Outcome::NotJudged(format!("the ceiling's p99 is {ceiling:.1} ms, not under 8"));
    }
    row
}
