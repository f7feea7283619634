//! A contest of two servers: ours and its ceiling, in turns, so that what else the machine does meets both.
//! Req/s of one setting moves by a factor of two between runs on a shared machine; the ratio within a round
//! moves far less, and the processor time per request hardly at all.

use std::{net::SocketAddr, time::Duration};

use crate::{
    load::{self, Maker, Run},
    process::{self, Process},
};

/// Runs before each timed one, so that caches and branch predictors have met the request.
const WARM_UP: Duration = Duration::from_millis(200);

/// How long and how often.
#[derive(Clone, Copy)]
pub(crate) struct Pace {
    /// Of one timed run.
    pub(crate) run: Duration,
    /// Timed runs of each side.
    pub(crate) rounds: u32,
}

/// A server and what it is asked.
pub(crate) struct Side {
    address: SocketAddr,
    id: u32,
    makers: Vec<Maker>,
    before: Vec<Maker>,
}

/// What one timed run found.
#[derive(Clone, Copy)]
pub(crate) struct Sample {
    /// Answers a second.
    pub(crate) rate: f64,
    /// Half of the answers came within this many milliseconds.
    pub(crate) p50_ms: f64,
    /// And 99 % within this many.
    pub(crate) p99_ms: f64,
    /// The slowest one.
    pub(crate) max_ms: f64,
    /// User and system time of the server per answer, in microseconds.
    pub(crate) processor_us: Option<f64>,
}

/// Two sides and what they have shown so far. A side that failed is out for good; the other goes on alone.
pub(crate) struct Contest {
    /// The row's name.
    pub(crate) name: &'static str,
    /// The share of the ceiling that is the goal, in percent; none where the figure is only for reading.
    pub(crate) goal_percent: Option<f64>,
    ours: Result<Side, String>,
    ceiling: Result<Side, String>,
    /// Of ours and of the ceiling, a pair per round.
    pub(crate) rounds: Vec<(Option<Sample>, Option<Sample>)>,
}

impl Side {
    /// One connection per maker.
    pub(crate) fn new(server: &Process, makers: Vec<Maker>) -> Side {
        Side { address: server.address(), id: server.id(), makers, before: Vec::new() }
    }

    /// With requests that are made before each run, untimed and for as long: they supply what the run uses up.
    pub(crate) fn supplied_by(self, before: Vec<Maker>) -> Side {
        Side { before, ..self }
    }

    async fn sample(&mut self, run: Duration) -> Result<Sample, String> {
        if !self.before.is_empty() {
            unrefused(load::run(self.address, &mut self.before, WARM_UP + run).await?)?;
        }
        unrefused(load::run(self.address, &mut self.makers, WARM_UP).await?)?;
        let before = process::processor_seconds(self.id);
        let found = unrefused(load::run(self.address, &mut self.makers, run).await?)?;
        let after = process::processor_seconds(self.id);
        let answers = found.latencies.count() as f64;
        Ok(Sample {
            rate: answers / found.elapsed.as_secs_f64(),
            p50_ms: found.latencies.quantile_ms(0.5),
            p99_ms: found.latencies.quantile_ms(0.99),
            max_ms: found.latencies.max_ms(),
            processor_us: before.zip(after).map(|(before, after)| (after - before) * 1e6 / answers),
        })
    }
}

impl Contest {
    /// Two sides, or the reason why one cannot take part.
    pub(crate) fn new(
        name: &'static str,
        goal_percent: Option<f64>,
        ours: Result<Side, String>,
        ceiling: Result<Side, String>,
    ) -> Contest {
        Contest { name, goal_percent, ours, ceiling, rounds: Vec::new() }
    }

    /// One run of each side. Who goes first changes from round to round: the second finds a warmer machine.
    pub(crate) async fn round(&mut self, run: Duration) {
        let pair = if self.rounds.len().is_multiple_of(2) {
            let ceiling = sample(&mut self.ceiling, run).await;
            (sample(&mut self.ours, run).await, ceiling)
        } else {
            (sample(&mut self.ours, run).await, sample(&mut self.ceiling, run).await)
        };
        self.rounds.push(pair);
    }

    /// Why there is no figure of ours, or of the ceiling.
    pub(crate) fn failure(&self) -> Option<String> {
        let ceiling = self.ceiling.as_ref().err().map(|reason| format!("the ceiling: {reason}"));
        self.ours.as_ref().err().cloned().or(ceiling)
    }

    /// The median over the rounds of one figure of ours.
    pub(crate) fn ours(&self, figure: impl Fn(&Sample) -> Option<f64>) -> Option<f64> {
        // A side that failed half-way has no figure at all, rather than one of its good rounds.
        self.ours.as_ref().ok()?;
        median(self.rounds.iter().filter_map(|(ours, _)| figure(ours.as_ref()?)).collect())
    }

    /// The same of the ceiling.
    pub(crate) fn ceiling(&self, figure: impl Fn(&Sample) -> Option<f64>) -> Option<f64> {
        self.ceiling.as_ref().ok()?;
        median(self.rounds.iter().filter_map(|(_, ceiling)| figure(ceiling.as_ref()?)).collect())
    }

    /// Our share of the ceiling's rate in each round, in percent.
    pub(crate) fn shares(&self) -> Vec<f64> {
        let pairs = self.rounds.iter().filter_map(|(ours, ceiling)| ours.zip(*ceiling));
        pairs.map(|(ours, ceiling)| 100.0 * ours.rate / ceiling.rate).collect()
    }
}

async fn sample(side: &mut Result<Side, String>, run: Duration) -> Option<Sample> {
    match side.as_mut().ok()?.sample(run).await {
        Ok(sample) => Some(sample),
        Err(reason) => {
            *side = Err(reason);
            None
        }
    }
}

/// A run without refusals and with answers; otherwise the reason.
fn unrefused(run: Run) -> Result<Run, String> {
    match (&run.first_refusal, run.latencies.count()) {
        (Some(reason), count) => Err(format!(
            "{} of {} answers were refusals; the first {reason}",
            run.refused,
            run.refused + count
        )),
        (None, 0) => Err("no answers".to_owned()),
        (None, _) => Ok(run),
    }
}

/// The middle value, or the mean of the two in the middle; none of none.
pub(crate) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let upper = *values.get(middle)?;
    Some(if values.len().is_multiple_of(2) { (values[middle - 1] + upper) / 2.0 } else { upper })
}

/// Holds the median against known ones.
pub(crate) fn check() {
    for (values, expected) in [
        (vec![], None),
        (vec![3.0], Some(3.0)),
        (vec![9.0, 1.0, 2.0], Some(2.0)),
        (vec![4.0, 1.0, 2.0, 9.0], Some(3.0)),
    ] {
        assert_eq!(median(values.clone()), expected, "{values:?}");
    }
}
