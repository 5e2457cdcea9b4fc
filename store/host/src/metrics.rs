//! The process's own metrics: counters, gauges and latency histograms, kept cheap enough for the hot path.
//!
//! A metric is made once, at start, through the [`Registry`], and then held by whoever counts; counting never looks a name up.
//! Counters and histograms are striped: a thread that counts owns a stripe and adds with a plain load and store, so that a count
//! costs about a nanosecond and no two cores fight for a line. Sums are exact, never sampled; a reading taken while others
//! count may lag by what is in flight.
//!
//! One scheme of names: what DAX has too is called `forebay_` plus DAX's name in snake case (`ItemCacheHits` becomes
//! `forebay_item_cache_hits_total`), its HELP begins with DAX's own name; see [`names`]. The registry is read by
//! [`Registry::prometheus`] for the admin port and by [`crate::telemetry`] for OTLP, so both always agree.
//!
//! It does not rate, window or forget: whoever scrapes does that.

mod counter;
mod gauge;
mod histogram;
pub mod names;
pub mod process;
mod prometheus;
mod stripe;

use std::sync::{Arc, Mutex, PoisonError};

pub use counter::{Counter, CounterSet};
pub use gauge::Gauge;
pub use histogram::{Histogram, HistogramReading, HistogramSet, bucket_bound_nanos};

/// The name of a metric and what it means. All series of one family share these and differ in their labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Family {
    /// The exposed name, `forebay_…`, with the unit last and `_total` on counters.
    pub name: &'static str,
    /// The name of the same metric in DAX, if it has one.
    pub dax: Option<&'static str>,
    /// What is counted, in one sentence, unit included.
    pub help: &'static str,
}

impl Family {
    /// The help line as exposed: DAX's name first, where there is one.
    pub fn help_line(&self) -> String {
        match self.dax {
            Some(dax) => format!("DAX {dax}: {}", self.help),
            None => self.help.to_owned(),
        }
    }
}

/// One label of a series.
pub type Label<'a> = (&'static str, &'a str);

/// What kind of metric a family is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only rises.
    Counter,
    /// Rises and falls.
    Gauge,
    /// A distribution of durations.
    Histogram,
}

/// What one series reads at one moment.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A whole count.
    Count(u64),
    /// A number that need not be whole, such as seconds of CPU.
    Number(f64),
    /// A distribution.
    Distribution(HistogramReading),
}

/// One series at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// Its labels, in the order given when it was made.
    pub labels: Vec<(&'static str, String)>,
    /// Its value.
    pub value: Value,
}

/// One family at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct FamilyReading {
    /// Name and meaning.
    pub family: Family,
    /// What it is.
    pub kind: Kind,
    /// Its series, in the order they were made. Histograms nothing was recorded in are left out.
    pub series: Vec<Reading>,
}

type NumberFn = Arc<dyn Fn() -> f64 + Send + Sync>;

enum Source {
    Counter(Counter),
    Gauge(Gauge),
    Histogram(Histogram),
    Callback(NumberFn),
}

struct Series {
    labels: Vec<(&'static str, String)>,
    source: Source,
}

struct Entry {
    family: Family,
    kind: Kind,
    series: Vec<Series>,
}

/// All metrics of a process. Clones share the metrics.
#[derive(Clone, Default)]
pub struct Registry {
    // Taken when a metric is made and when all are read, never when one is counted.
    entries: Arc<Mutex<Vec<Entry>>>,
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        f.debug_struct("Registry").field("families", &entries.len()).finish()
    }
}

impl Registry {
    /// An empty registry.
    pub fn new() -> Self {
        Registry::default()
    }

    /// A counter. Asking again for the same family and labels gives the same counter.
    pub fn counter(&self, family: Family, labels: &[Label<'_>]) -> Counter {
        self.get_or_make(
            family,
            Kind::Counter,
            labels,
            |source| if let Source::Counter(found) = source { Some(found.clone()) } else { None },
            || {
                let made = Counter::new();
                (Source::Counter(made.clone()), made)
            },
        )
    }

    /// One counter for each of `values` of `label`, to be indexed by position: how a per-operation count is kept.
    pub fn counter_set(&self, family: Family, label: &'static str, values: &[&'static str]) -> CounterSet {
        CounterSet::new(values.iter().map(|value| self.counter(family, &[(label, value)])).collect())
    }

    /// A gauge. Asking again for the same family and labels gives the same gauge.
    pub fn gauge(&self, family: Family, labels: &[Label<'_>]) -> Gauge {
        self.get_or_make(
            family,
            Kind::Gauge,
            labels,
            |source| if let Source::Gauge(found) = source { Some(found.clone()) } else { None },
            || {
                let made = Gauge::default();
                (Source::Gauge(made.clone()), made)
            },
        )
    }

    /// A gauge that is asked for its value whenever metrics are read. `read` must not block and must not use this registry.
    /// Registering the same family and labels again replaces the callback.
    pub fn gauge_fn(
        &self,
        family: Family,
        labels: &[Label<'_>],
        read: impl Fn() -> f64 + Send + Sync + 'static,
    ) {
        self.put_callback(family, Kind::Gauge, labels, Arc::new(read));
    }

    /// A counter that somebody else keeps, asked for its value whenever metrics are read; the same rules as [`Registry::gauge_fn`].
    pub fn counter_fn(
        &self,
        family: Family,
        labels: &[Label<'_>],
        read: impl Fn() -> f64 + Send + Sync + 'static,
    ) {
        self.put_callback(family, Kind::Counter, labels, Arc::new(read));
    }

    /// A histogram of durations. Asking again for the same family and labels gives the same histogram.
    pub fn histogram(&self, family: Family, labels: &[Label<'_>]) -> Histogram {
        self.get_or_make(
            family,
            Kind::Histogram,
            labels,
            |source| if let Source::Histogram(found) = source { Some(found.clone()) } else { None },
            || {
                let made = Histogram::new();
                (Source::Histogram(made.clone()), made)
            },
        )
    }

    /// One histogram for each pair of a value of the first label and a value of the second, to be indexed by both positions:
    /// how latency is kept per operation and outcome. Unused pairs take no buckets and are not exposed.
    pub fn histogram_set(
        &self,
        family: Family,
        first: (&'static str, &[&'static str]),
        second: (&'static str, &[&'static str]),
    ) -> HistogramSet {
        let mut made = Vec::with_capacity(first.1.len() * second.1.len());
        for one in first.1 {
            for two in second.1 {
                made.push(self.histogram(family, &[(first.0, one), (second.0, two)]));
            }
        }
        HistogramSet::new(made, second.1.len())
    }

    /// All families at this moment, in the order they were first made.
    pub fn read(&self) -> Vec<FamilyReading> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries
            .iter()
            .map(|entry| FamilyReading {
                family: entry.family,
                kind: entry.kind,
                series: entry.series.iter().filter_map(read_series).collect(),
            })
            .collect()
    }

    /// All metrics in Prometheus' text format, version 0.0.4.
    pub fn prometheus(&self) -> String {
        prometheus::render(&self.read())
    }

    fn get_or_make<M>(
        &self,
        family: Family,
        kind: Kind,
        labels: &[Label<'_>],
        found: impl Fn(&Source) -> Option<M>,
        make: impl FnOnce() -> (Source, M),
    ) -> M {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = entry_of(&mut entries, family, kind);
        if let Some(series) = entry.series.iter().find(|series| same_labels(&series.labels, labels)) {
            return found(&series.source)
                .expect("a series is read by a callback or counted by its holder, its maker decides once");
        }
        let (source, metric) = make();
        entry.series.push(Series { labels: owned(labels), source });
        metric
    }

    fn put_callback(&self, family: Family, kind: Kind, labels: &[Label<'_>], read: NumberFn) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = entry_of(&mut entries, family, kind);
        let source = Source::Callback(read);
        match entry.series.iter_mut().find(|series| same_labels(&series.labels, labels)) {
            Some(series) => series.source = source,
            None => entry.series.push(Series { labels: owned(labels), source }),
        }
    }
}

fn entry_of(entries: &mut Vec<Entry>, family: Family, kind: Kind) -> &mut Entry {
    let at = match entries.iter().position(|entry| entry.family.name == family.name) {
        Some(at) => at,
        None => {
            entries.push(Entry { family, kind, series: Vec::new() });
            entries.len() - 1
        }
    };
    let entry = &mut entries[at];
    assert!(entry.kind == kind, "metric {} is registered as {:?} and as {kind:?}", family.name, entry.kind);
    entry
}

fn same_labels(held: &[(&'static str, String)], asked: &[Label<'_>]) -> bool {
    held.len() == asked.len() && held.iter().zip(asked).all(|(a, b)| a.0 == b.0 && a.1 == b.1)
}

fn owned(labels: &[Label<'_>]) -> Vec<(&'static str, String)> {
    labels.iter().map(|(name, value)| (*name, (*value).to_owned())).collect()
}

fn read_series(series: &Series) -> Option<Reading> {
    let value = match &series.source {
        Source::Counter(counter) => Value::Count(counter.value()),
        Source::Gauge(gauge) => Value::Number(gauge.value() as f64),
        Source::Callback(read) => Value::Number(read()),
        Source::Histogram(histogram) => {
            let reading = histogram.read();
            if reading.count == 0 {
                return None;
            }
            Value::Distribution(reading)
        }
    };
    Some(Reading { labels: series.labels.clone(), value })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const PUTS: Family = Family { name: "test_puts_total", dax: Some("Puts"), help: "Puts." };
    const OPEN: Family = Family { name: "test_open", dax: None, help: "Open things." };
    const TOOK: Family = Family { name: "test_took_seconds", dax: None, help: "Time taken." };

    #[test]
    fn the_same_family_and_labels_are_the_same_metric() {
        let registry = Registry::new();
        registry.counter(PUTS, &[("operation", "PutItem")]).add(2);
        registry.counter(PUTS, &[("operation", "PutItem")]).add(3);
        registry.counter(PUTS, &[("operation", "GetItem")]).add(7);
        let read = registry.read();
        assert_eq!(read.len(), 1);
        assert_eq!(read[0].series[0].value, Value::Count(5));
        assert_eq!(read[0].series[1].value, Value::Count(7));
    }

    #[test]
    fn a_replaced_callback_is_the_only_one_asked() {
        let registry = Registry::new();
        registry.gauge_fn(OPEN, &[], || 1.0);
        registry.gauge_fn(OPEN, &[], || 2.5);
        assert_eq!(registry.read()[0].series, [Reading { labels: vec![], value: Value::Number(2.5) }]);
    }

    #[test]
    #[should_panic(expected = "registered as Counter and as Gauge")]
    fn a_name_cannot_be_two_kinds() {
        let registry = Registry::new();
        registry.counter(PUTS, &[]);
        registry.gauge(PUTS, &[]);
    }

    #[test]
    fn a_histogram_set_is_indexed_by_both_labels_and_shows_only_used_pairs() {
        let registry = Registry::new();
        let took = registry.histogram_set(
            TOOK,
            ("operation", &["GetItem", "PutItem"]),
            ("outcome", &["hit", "miss"]),
        );
        took.get(1, 0).record(Duration::from_micros(3));
        let read = registry.read();
        assert_eq!(read[0].series.len(), 1);
        assert_eq!(
            read[0].series[0].labels,
            [("operation", "PutItem".to_owned()), ("outcome", "hit".to_owned())]
        );
    }
}
