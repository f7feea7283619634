//! Latencies counted in buckets: 64 to a power of two, so a quantile is true to 1.6 %.
//! It keeps counts, never single samples, and so costs the same for a second as for an hour.

use std::time::Duration;

/// Buckets to a power of two, as a number of bits.
const SUB_BITS: u32 = 6;
const SUB_COUNT: usize = 1 << SUB_BITS;
/// Enough for every `u64` of nanoseconds.
const BUCKETS: usize = SUB_COUNT * (64 - SUB_BITS as usize + 1);

/// Counts of latencies in nanoseconds.
pub(crate) struct Histogram {
    counts: Vec<u64>,
    total: u64,
    max: u64,
}

impl Histogram {
    /// An empty histogram.
    pub(crate) fn new() -> Histogram {
        Histogram { counts: vec![0; BUCKETS], total: 0, max: 0 }
    }

    /// Counts one latency.
    pub(crate) fn record(&mut self, latency: Duration) {
        let nanoseconds = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        self.counts[bucket(nanoseconds)] += 1;
        self.total += 1;
        self.max = self.max.max(nanoseconds);
    }

    /// Takes in what another connection counted.
    pub(crate) fn add(&mut self, other: &Histogram) {
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *mine += theirs;
        }
        self.total += other.total;
        self.max = self.max.max(other.max);
    }

    /// How many latencies were counted.
    pub(crate) fn count(&self) -> u64 {
        self.total
    }

    /// The latency in milliseconds that the share `quantile` (0 to 1) of all requests did not exceed;
    /// 0 when nothing was counted.
    pub(crate) fn quantile_ms(&self, quantile: f64) -> f64 {
        let wanted = (quantile * self.total as f64).ceil() as u64;
        let mut seen = 0;
        for (index, count) in self.counts.iter().enumerate() {
            seen += count;
            if *count > 0 && seen >= wanted {
                return upper_edge(index).min(self.max) as f64 / 1e6;
            }
        }
        0.0
    }

    /// The longest latency in milliseconds, exactly.
    pub(crate) fn max_ms(&self) -> f64 {
        self.max as f64 / 1e6
    }
}

/// The bucket of a value: the values below 64 one by one, then by exponent and the six bits below
/// the leading one.
fn bucket(value: u64) -> usize {
    let exponent = (63 - (value | 1).leading_zeros()).saturating_sub(SUB_BITS);
    if value < SUB_COUNT as u64 {
        return value as usize;
    }
    exponent as usize * SUB_COUNT + (value >> exponent) as usize
}

/// The greatest value that falls into a bucket.
fn upper_edge(index: usize) -> u64 {
    if index < SUB_COUNT * 2 {
        return index as u64;
    }
    let exponent = index / SUB_COUNT - 1;
    let leading = (index - exponent * SUB_COUNT) as u128;
    u64::try_from(((leading + 1) << exponent) - 1).unwrap_or(u64::MAX)
}

/// Holds the buckets against values whose quantiles are known.
pub(crate) fn check() {
    let mut histogram = Histogram::new();
    for microseconds in 1..=1000 {
        histogram.record(Duration::from_micros(microseconds));
    }
    for (quantile, expected) in [(0.5, 0.5), (0.99, 0.99), (1.0, 1.0)] {
        let found = histogram.quantile_ms(quantile);
        assert!((found / expected - 1.0).abs() < 0.016, "quantile {quantile}: {found}, not {expected}");
    }
    for value in (0..64).map(|bit| 1u64 << bit).chain([0, 63, 65, 127, 129, u64::MAX]) {
        let edge = upper_edge(bucket(value));
        assert!(edge >= value && bucket(edge) == bucket(value), "the bucket of {value} ends at {edge}");
    }
}
