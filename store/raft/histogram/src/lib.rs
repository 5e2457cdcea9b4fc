//! Stands in for the crate `base2histogram`, with which the Raft library counts the sizes of its batches.
//!
//! On first use that crate computes tables for all its sixteen resolutions, 26 MiB that stay, of which the library uses
//! 2 KiB: a third of what an idle node may take. The library's counts are shown to nobody here (its feature `runtime-stats`
//! is off), so one bucket for each power of two is plenty. Only what the library calls is here; it goes when the
//! crate makes its tables one by one.

use std::fmt;
use std::marker::PhantomData;

/// Buckets: one for zero, one for each length in bits.
const BUCKETS: usize = u64::BITS as usize + 1;

/// How often values of each length in bits were recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Histogram<T = ()> {
    counts: [u64; BUCKETS],
    of: PhantomData<T>,
}

impl<T> Histogram<T> {
    /// Nothing recorded.
    pub fn new() -> Histogram<T> {
        Histogram { counts: [0; BUCKETS], of: PhantomData }
    }

    /// Records a value.
    pub fn record(&mut self, value: u64) {
        self.record_n(value, 1);
    }

    /// Records a value as often as said.
    pub fn record_n(&mut self, value: u64, times: u64) {
        let bucket = (u64::BITS - value.leading_zeros()) as usize;
        self.counts[bucket] = self.counts[bucket].saturating_add(times);
    }

    /// What was recorded, in a few numbers.
    pub fn percentile_stats(&self) -> PercentileStats {
        let at = |permille| self.at_permille(permille);
        PercentileStats {
            samples: self.samples(),
            p0_1: at(1),
            p1: at(10),
            p5: at(50),
            p10: at(100),
            p50: at(500),
            p90: at(900),
            p99: at(990),
            p99_9: at(999),
        }
    }

    fn samples(&self) -> u64 {
        self.counts.iter().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// The least value of the bucket that this part of all values lies in or below. 0 where nothing was recorded.
    fn at_permille(&self, permille: u128) -> u64 {
        let rank = (u128::from(self.samples()) * permille).div_ceil(1_000);
        let mut seen = 0;
        let found = self.counts.iter().position(|count| {
            seen += u128::from(*count);
            seen >= rank
        });
        match found {
            None | Some(0) => 0,
            Some(bits) => 1 << (bits - 1),
        }
    }
}

impl<T> Default for Histogram<T> {
    fn default() -> Histogram<T> {
        Histogram::new()
    }
}

/// A distribution in a few numbers. Values are the least of their bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PercentileStats {
    /// Values recorded.
    pub samples: u64,
    /// One in a thousand is at or below it.
    pub p0_1: u64,
    /// One in a hundred is at or below it.
    pub p1: u64,
    /// One in twenty is at or below it.
    pub p5: u64,
    /// One in ten is at or below it.
    pub p10: u64,
    /// The median.
    pub p50: u64,
    /// Nine in ten are at or below it.
    pub p90: u64,
    /// 99 in a hundred are at or below it.
    pub p99: u64,
    /// 999 in a thousand are at or below it.
    pub p99_9: u64,
}

impl fmt::Display for PercentileStats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of them, p50 {}, p99 {}", self.samples, self.p50, self.p99)
    }
}

/// Distributions, a line each.
#[derive(Debug, Clone, Default)]
pub struct AsciiChart {
    lines: Vec<(String, PercentileStats)>,
}

impl AsciiChart {
    /// No lines.
    pub fn new() -> AsciiChart {
        AsciiChart::default()
    }

    /// One line more.
    #[allow(clippy::should_implement_trait, reason = "the name is the replaced crate's")]
    pub fn add(mut self, name: impl Into<String>, histogram: Histogram) -> AsciiChart {
        self.lines.push((name.into(), histogram.percentile_stats()));
        self
    }

    /// The only form there is.
    pub fn detailed(self) -> AsciiChart {
        self
    }
}

impl fmt::Display for AsciiChart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines.iter().try_for_each(|(name, stats)| writeln!(f, "{name}: {stats}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_the_least_of_their_power_of_two() {
        let mut histogram = Histogram::<()>::new();
        assert_eq!(histogram.percentile_stats().p99, 0);
        histogram.record(0);
        histogram.record_n(5, 98);
        histogram.record(u64::MAX);
        let stats = histogram.percentile_stats();
        assert_eq!((stats.samples, stats.p0_1, stats.p1), (100, 0, 0));
        assert_eq!((stats.p5, stats.p50, stats.p99, stats.p99_9), (4, 4, 4, 1 << 63));
    }

    #[test]
    fn no_count_overflows() {
        let mut histogram = Histogram::<()>::new();
        histogram.record_n(1, u64::MAX);
        histogram.record_n(1, 7);
        histogram.record_n(2, 7);
        assert_eq!(histogram.percentile_stats().samples, u64::MAX);
    }
}
