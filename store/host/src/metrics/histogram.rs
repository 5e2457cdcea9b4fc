//! Latency histograms: log-linear buckets, four to an octave, from 256 ns to about 69 s.
//!
//! A recorded duration lands in a bucket at most a quarter wide of its lower bound, so a quantile read from the buckets is at
//! most 25 % off, and 12 % on average. Buckets of a stripe are made when its thread first records, so that the many
//! series nobody uses cost a few hundred bytes.

use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::stripe;

/// Sub-buckets of an octave, as a power of two.
const SUB_BITS: u32 = 2;
const SUB: usize = 1 << SUB_BITS;
/// Everything below 2^LOW_BITS nanoseconds shares the first bucket: no request of ours is faster.
const LOW_BITS: u32 = 8;
/// Everything from 2^HIGH_BITS nanoseconds on shares the last bucket: every deadline of ours is shorter.
const HIGH_BITS: u32 = 36;
/// Buckets of a histogram, the open-ended last one included.
pub(super) const BUCKETS: usize = 1 + (HIGH_BITS - LOW_BITS) as usize * SUB + 1;

fn bucket_of(nanos: u64) -> usize {
    if nanos < 1 << LOW_BITS {
        return 0;
    }
    if nanos >= 1 << HIGH_BITS {
        return BUCKETS - 1;
    }
    let octave = nanos.ilog2();
    let sub = (nanos >> (octave - SUB_BITS)) as usize & (SUB - 1);
    1 + (octave - LOW_BITS) as usize * SUB + sub
}

/// The exclusive upper bound of bucket `index`. Unit: nanoseconds. `None` for the last bucket, which has no bound.
pub fn bucket_bound_nanos(index: usize) -> Option<u64> {
    if index + 1 >= BUCKETS {
        return None;
    }
    let octave = LOW_BITS + (index / SUB) as u32;
    let sub = (index % SUB) as u64;
    Some((1 << octave) + (sub << (octave - SUB_BITS)))
}

#[repr(align(128))]
#[derive(Default)]
struct Stripe {
    buckets: OnceLock<Box<Buckets>>,
}

struct Buckets {
    counts: [AtomicU64; BUCKETS],
    sum_nanos: AtomicU64,
}

impl Buckets {
    fn new() -> Box<Self> {
        Box::new(Buckets { counts: [const { AtomicU64::new(0) }; BUCKETS], sum_nanos: AtomicU64::new(0) })
    }
}

/// A distribution of durations. Clones share it.
#[derive(Clone)]
pub struct Histogram {
    // One pointer until something is recorded: a set has a histogram for every pair of operation and outcome, most unused.
    stripes: Arc<OnceLock<Box<[Stripe]>>>,
}

impl std::fmt::Debug for Histogram {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Histogram").field("count", &self.read().count).finish()
    }
}

impl Histogram {
    pub(super) fn new() -> Self {
        Histogram { stripes: Arc::new(OnceLock::new()) }
    }

    /// Records one duration.
    #[inline]
    pub fn record(&self, took: Duration) {
        self.record_nanos(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Records one duration, given in nanoseconds.
    #[inline]
    pub fn record_nanos(&self, nanos: u64) {
        let mine = stripe::mine();
        let stripes = self.stripes.get_or_init(|| (0..stripe::ALL).map(|_| Stripe::default()).collect());
        let buckets = stripes[mine].buckets.get_or_init(Buckets::new);
        stripe::add(&buckets.counts[bucket_of(nanos)], mine, 1);
        stripe::add(&buckets.sum_nanos, mine, nanos);
    }

    /// The distribution over all threads.
    pub fn read(&self) -> HistogramReading {
        let mut reading = HistogramReading { counts: vec![0; BUCKETS], count: 0, sum_nanos: 0 };
        let stripes = self.stripes.get().map(|stripes| &stripes[..]).unwrap_or_default();
        for buckets in stripes.iter().filter_map(|stripe| stripe.buckets.get()) {
            for (total, count) in reading.counts.iter_mut().zip(&buckets.counts) {
                *total += count.load(Ordering::Relaxed);
            }
            reading.sum_nanos = reading.sum_nanos.wrapping_add(buckets.sum_nanos.load(Ordering::Relaxed));
        }
        // The count is summed from the buckets just read, so that the two can never disagree in one exposition.
        reading.count = reading.counts.iter().sum();
        reading
    }
}

/// A histogram at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistogramReading {
    /// Recorded durations by bucket, not cumulative; [`bucket_bound_nanos`] has the bounds.
    pub counts: Vec<u64>,
    /// All recorded durations.
    pub count: u64,
    /// Their sum. Unit: nanoseconds.
    pub sum_nanos: u64,
}

impl HistogramReading {
    /// The upper bound of the bucket that the quantile `q` (0 to 1) falls into. Unit: nanoseconds. `None` when nothing was
    /// recorded; the last bound there is when the quantile lies beyond it.
    pub fn quantile_nanos(&self, q: f64) -> Option<u64> {
        if self.count == 0 {
            return None;
        }
        let rank = ((self.count as f64 * q.clamp(0.0, 1.0)).ceil() as u64).max(1);
        let mut seen = 0;
        let at = self.counts.iter().position(|count| {
            seen += count;
            seen >= rank
        })?;
        bucket_bound_nanos(at).or(Some(1 << HIGH_BITS))
    }
}

/// Histograms of one family, indexed by the positions of their two labels' values.
#[derive(Debug, Clone)]
pub struct HistogramSet {
    histograms: Arc<[Histogram]>,
    seconds: usize,
}

impl HistogramSet {
    pub(super) fn new(histograms: Vec<Histogram>, seconds: usize) -> Self {
        HistogramSet { histograms: histograms.into(), seconds }
    }

    /// The histogram of the first label's value at `first` and the second's at `second`. Panics beyond the lists the set was
    /// made with.
    #[inline]
    pub fn get(&self, first: usize, second: usize) -> &Histogram {
        assert!(second < self.seconds, "the second label has {} values, asked for {second}", self.seconds);
        &self.histograms[first * self.seconds + second]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_lies_below_its_bucket_bound_and_at_or_above_the_one_before() {
        for nanos in (0..70).flat_map(|bit| {
            let base = 1u64.checked_shl(bit).unwrap_or(u64::MAX);
            [base.wrapping_sub(1), base, base.saturating_add(1), base.saturating_add(base / 3)]
        }) {
            let bucket = bucket_of(nanos);
            if let Some(bound) = bucket_bound_nanos(bucket) {
                assert!(nanos < bound, "{nanos} is in bucket {bucket} below {bound}");
            }
            if bucket > 0 {
                let before = bucket_bound_nanos(bucket - 1).expect("only the last has none");
                assert!(nanos >= before, "{nanos} is in bucket {bucket} above {before}");
            }
        }
    }

    #[test]
    fn bounds_rise_by_a_quarter_at_most() {
        for index in 1..BUCKETS - 1 {
            let (low, high) = (bucket_bound_nanos(index - 1), bucket_bound_nanos(index));
            let (low, high) = (low.expect("bounded"), high.expect("bounded"));
            assert!(high > low && (high - low) * 4 <= low, "{low} to {high}");
        }
        assert_eq!(bucket_bound_nanos(BUCKETS - 1), None);
    }

    #[test]
    fn quantiles_are_within_a_quarter() {
        let histogram = Histogram::new();
        assert_eq!(histogram.read().quantile_nanos(0.5), None);
        for micros in 1..=1_000 {
            histogram.record(Duration::from_micros(micros));
        }
        let read = histogram.read();
        assert_eq!((read.count, read.sum_nanos), (1_000, 500_500_000));
        for (q, exact) in [(0.5, 500_000.0), (0.99, 990_000.0), (1.0, 1_000_000.0)] {
            let got = read.quantile_nanos(q).expect("recorded") as f64;
            assert!(got >= exact && got <= exact * 1.25, "{q}: {got} for {exact}");
        }
    }

    #[test]
    fn a_duration_beyond_all_bounds_is_counted_in_the_last_bucket() {
        let histogram = Histogram::new();
        histogram.record(Duration::from_secs(1_000));
        histogram.record(Duration::MAX);
        let read = histogram.read();
        assert_eq!(read.counts[BUCKETS - 1], 2);
        assert_eq!(read.quantile_nanos(0.5), Some(1 << HIGH_BITS));
    }
}
