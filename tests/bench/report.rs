//! The table: our figure, the ceiling of the same run, the share, the goal, and whether it was met.

use std::{fs, path::Path, thread};

use serde::Serialize;

use crate::contest::{Contest, Pace, Sample, median};

/// What became of a row.
#[derive(Serialize)]
#[serde(tag = "is", content = "why", rename_all = "snake_case")]
pub(crate) enum Outcome {
    /// The goal was met.
    Met,
    /// It was not.
    Missed,
    /// There is no goal; the figure is for reading.
    ForReading,
    /// The goal supposes a calmer machine.
    NotJudged(String),
    /// There was nothing to measure yet.
    Skipped(String),
    /// The product, or a ceiling, did something unexpected.
    Failed(String),
}

/// A row of the table. Figures are medians over the rounds; what was not measured is none.
#[derive(Serialize)]
pub(crate) struct Row {
    /// What is measured; filters look for words in it.
    pub(crate) name: &'static str,
    /// Of `ours` and `ceiling`.
    pub(crate) unit: &'static str,
    /// Our figure.
    pub(crate) ours: Option<f64>,
    /// What it is held against.
    pub(crate) ceiling: Option<f64>,
    /// Ours in percent of the ceiling, round by round.
    pub(crate) shares: Vec<f64>,
    /// Server processor time per request in microseconds: ours, the ceiling's.
    pub(crate) processor_us: [Option<f64>; 2],
    /// p50, p99 and the maximum in milliseconds: ours, the ceiling's.
    pub(crate) latency_ms: [[Option<f64>; 3]; 2],
    /// In words.
    pub(crate) goal: String,
    /// What became of it.
    pub(crate) outcome: Outcome,
}

impl Row {
    /// A row without figures yet.
    pub(crate) fn new(name: &'static str, unit: &'static str, goal: String, outcome: Outcome) -> Row {
        Row {
            name,
            unit,
            ours: None,
            ceiling: None,
            shares: Vec::new(),
            processor_us: [None; 2],
            latency_ms: [[None; 3]; 2],
            goal,
            outcome,
        }
    }

    /// The row of a contest, judged by the median of the shares.
    pub(crate) fn of(contest: &Contest) -> Row {
        let shares = contest.shares();
        let outcome = match (contest.failure(), contest.goal_percent, median(shares.clone())) {
            (Some(reason), _, _) => Outcome::Failed(reason),
            (None, Some(goal), Some(share)) if share >= goal => Outcome::Met,
            (None, Some(_), Some(_)) => Outcome::Missed,
            (None, Some(_), None) => Outcome::Failed("no rounds".to_owned()),
            (None, None, _) => Outcome::ForReading,
        };
        let goal = contest.goal_percent.map_or("-".to_owned(), |goal| format!(">= {goal} %"));
        let rate = |sample: &Sample| Some(sample.rate);
        let processor = |sample: &Sample| sample.processor_us;
        let latencies: [fn(&Sample) -> Option<f64>; 3] =
            [|sample| Some(sample.p50_ms), |sample| Some(sample.p99_ms), |sample| Some(sample.max_ms)];
        Row {
            ours: contest.ours(rate),
            ceiling: contest.ceiling(rate),
            processor_us: [contest.ours(processor), contest.ceiling(processor)],
            latency_ms: [
                latencies.map(|figure| contest.ours(figure)),
                latencies.map(|figure| contest.ceiling(figure)),
            ],
            shares,
            ..Row::new(contest.name, "req/s", goal, outcome)
        }
    }

    /// The row of a figure that has to stay under `limit`.
    pub(crate) fn under(
        name: &'static str,
        unit: &'static str,
        limit: f64,
        figure: Result<f64, String>,
    ) -> Row {
        let outcome = match &figure {
            Err(reason) => Outcome::Failed(reason.clone()),
            Ok(figure) if *figure < limit => Outcome::Met,
            Ok(_) => Outcome::Missed,
        };
        Row { ours: figure.ok(), ..Row::new(name, unit, format!("< {limit} {unit}"), outcome) }
    }

    /// Did anything unexpected happen?
    pub(crate) fn failed(&self) -> bool {
        matches!(self.outcome, Outcome::Failed(_))
    }
}

/// Prints the table to stdout.
pub(crate) fn print(rows: &[Row], pace: Pace) {
    let cores = thread::available_parallelism().map_or(0, usize::from);
    println!(
        "\n{} round(s) of {} s a side, in turns; medians; {cores} cores shared by server and load.\n\
         Only shares compare: req/s moves with whatever else the machine does. us = server CPU per request.\n",
        pace.rounds,
        pace.run.as_secs()
    );
    println!(
        "{:<24}{:>14}{:>14}  {:<20}{:<11}{:>8}{:>8}{:>9}{:>9}  outcome",
        "row", "ours", "ceiling", "share (range)", "goal", "us", "ceil us", "p99 ms", "ceil p99"
    );
    for row in rows {
        println!(
            "{:<24}{:>14}{:>14}  {:<20}{:<11}{:>8}{:>8}{:>9}{:>9}  {}",
            row.name,
            with_unit(row.ours, row.unit),
            with_unit(row.ceiling, row.unit),
            share(&row.shares),
            row.goal,
            number(row.processor_us[0], 1),
            number(row.processor_us[1], 1),
            number(row.latency_ms[0][1], 2),
            number(row.latency_ms[1][1], 2),
            in_words(&row.outcome)
        );
    }
    let missed = rows.iter().filter(|row| matches!(row.outcome, Outcome::Missed)).count();
    let failed = rows.iter().filter(|row| row.failed()).count();
    println!("\n{} rows, {missed} missed their goal, {failed} failed", rows.len());
}

/// Writes the rows as one JSON array.
pub(crate) fn write_json(rows: &[Row], file: &Path) -> Result<(), String> {
    let text = serde_json::to_string_pretty(rows).map_err(|error| error.to_string())?;
    fs::write(file, text + "\n").map_err(|error| format!("{}: {error}", file.display()))
}

fn with_unit(figure: Option<f64>, unit: &str) -> String {
    let decimals = if unit == "req/s" { 0 } else { 1 };
    figure.map_or("-".to_owned(), |figure| format!("{figure:.decimals$} {unit}"))
}

fn number(figure: Option<f64>, decimals: usize) -> String {
    figure.map_or("-".to_owned(), |figure| format!("{figure:.decimals$}"))
}

fn share(shares: &[f64]) -> String {
    let Some(middle) = median(shares.to_vec()) else {
        return "-".to_owned();
    };
    let least = shares.iter().copied().fold(f64::INFINITY, f64::min);
    let most = shares.iter().copied().fold(0.0, f64::max);
    format!("{middle:.0} % ({least:.0}..{most:.0})")
}

fn in_words(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Met => "met".to_owned(),
        Outcome::Missed => "MISSED".to_owned(),
        Outcome::ForReading => "no goal".to_owned(),
        Outcome::NotJudged(reason) => format!("not judged: {reason}"),
        Outcome::Skipped(reason) => format!("skipped: {reason}"),
        Outcome::Failed(reason) => format!("FAILED: {reason}"),
    }
}
