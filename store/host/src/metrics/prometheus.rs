//! Prometheus' text exposition format, version 0.0.4.
//!
//! Histograms are exposed in seconds at every second bucket bound (two to an octave), which halves the lines and keeps every
//! bound a scraper sees fixed for the life of the metric.

use std::fmt::Write;

use super::histogram::BUCKETS;
use super::{FamilyReading, HistogramReading, Kind, Value, bucket_bound_nanos};

/// One exposed bound for this many of ours.
const BOUNDS_STEP: usize = 2;

pub(super) fn render(families: &[FamilyReading]) -> String {
    let mut out = String::with_capacity(16 * 1024);
    for family in families.iter().filter(|family| !family.series.is_empty()) {
        let name = family.family.name;
        let kind = match family.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        line(&mut out, format_args!("# HELP {name} {}", escaped_help(&family.family.help_line())));
        line(&mut out, format_args!("# TYPE {name} {kind}"));
        for series in &family.series {
            let labels = label_list(&series.labels);
            match &series.value {
                Value::Count(count) => {
                    line(&mut out, format_args!("{name}{} {count}", braced(&labels, None)))
                }
                Value::Number(number) => {
                    line(&mut out, format_args!("{name}{} {}", braced(&labels, None), float(*number)));
                }
                Value::Distribution(reading) => distribution(&mut out, name, &labels, reading),
            }
        }
    }
    out
}

fn distribution(out: &mut String, name: &str, labels: &str, reading: &HistogramReading) {
    let mut below = 0;
    for (index, count) in reading.counts.iter().enumerate() {
        below += count;
        let Some(bound) = bucket_bound_nanos(index) else { continue };
        if index % BOUNDS_STEP == 0 || index + 2 == BUCKETS {
            let le = float(bound as f64 / 1e9);
            line(out, format_args!("{name}_bucket{} {below}", braced(labels, Some(&le))));
        }
    }
    line(out, format_args!("{name}_bucket{} {}", braced(labels, Some("+Inf")), reading.count));
    line(out, format_args!("{name}_sum{} {}", braced(labels, None), float(reading.sum_nanos as f64 / 1e9)));
    line(out, format_args!("{name}_count{} {}", braced(labels, None), reading.count));
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("a String takes every write");
    out.push('\n');
}

fn label_list(labels: &[(&'static str, String)]) -> String {
    let parts: Vec<String> =
        labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped_label(value))).collect();
    parts.join(",")
}

fn braced(labels: &str, le: Option<&str>) -> String {
    match (labels.is_empty(), le) {
        (true, None) => String::new(),
        (false, None) => format!("{{{labels}}}"),
        (true, Some(le)) => format!("{{le=\"{le}\"}}"),
        (false, Some(le)) => format!("{{{labels},le=\"{le}\"}}"),
    }
}

fn float(number: f64) -> String {
    if number.is_nan() {
        "NaN".to_owned()
    } else if number.is_infinite() {
        if number > 0.0 { "+Inf".to_owned() } else { "-Inf".to_owned() }
    } else {
        format!("{number}")
    }
}

fn escaped_help(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\n', "\\n")
}

fn escaped_label(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\n', "\\n").replace('"', "\\\"")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use crate::metrics::{Family, Registry};

    #[test]
    fn counters_gauges_and_labels_are_written_and_escaped() {
        let registry = Registry::new();
        let hits = Family { name: "t_hits_total", dax: Some("Hits"), help: "Back\\slash\nand line." };
        registry.counter(hits, &[("table", "a\"b\\c\nd"), ("operation", "GetItem")]).add(3);
        registry.gauge(Family { name: "t_open", dax: None, help: "Open." }, &[]).set(-4);
        registry.gauge_fn(Family { name: "t_ratio", dax: None, help: "Ratio." }, &[], || 0.25);
        registry.gauge_fn(Family { name: "t_none", dax: None, help: "Nothing." }, &[], || f64::INFINITY);
        assert_eq!(
            registry.prometheus(),
            "# HELP t_hits_total DAX Hits: Back\\\\slash\\nand line.\n# TYPE t_hits_total counter\n\
             t_hits_total{table=\"a\\\"b\\\\c\\nd\",operation=\"GetItem\"} 3\n\
             # HELP t_open Open.\n# TYPE t_open gauge\nt_open -4\n\
             # HELP t_ratio Ratio.\n# TYPE t_ratio gauge\nt_ratio 0.25\n\
             # HELP t_none Nothing.\n# TYPE t_none gauge\nt_none +Inf\n"
        );
    }

    #[test]
    fn a_histogram_is_cumulative_in_seconds_and_ends_at_infinity() {
        let registry = Registry::new();
        let took = registry
            .histogram(Family { name: "t_seconds", dax: None, help: "Time." }, &[("operation", "Query")]);
        took.record(Duration::from_millis(1));
        took.record(Duration::from_millis(1));
        took.record(Duration::from_secs(500));
        let text = registry.prometheus();
        let buckets: Vec<(f64, u64)> = text
            .lines()
            .filter(|line| line.starts_with("t_seconds_bucket"))
            .map(|line| {
                let le = line.split("le=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a bound");
                let count = line.rsplit(' ').next().expect("a count").parse().expect("a number");
                (if le == "+Inf" { f64::INFINITY } else { le.parse().expect("a float") }, count)
            })
            .collect();
        assert!(buckets.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1), "{buckets:?}");
        assert_eq!(buckets.last(), Some(&(f64::INFINITY, 3)));
        let first_with_both = buckets.iter().find(|(_, count)| *count == 2).expect("the two fast ones");
        assert!(first_with_both.0 > 0.001 && first_with_both.0 < 0.0015, "{first_with_both:?}");
        assert!(text.contains("t_seconds_sum{operation=\"Query\"} 500.002\n"), "{text}");
        assert!(text.contains("t_seconds_count{operation=\"Query\"} 3\n"));
    }

    #[test]
    fn nothing_recorded_is_nothing_exposed() {
        let registry = Registry::new();
        registry.histogram(Family { name: "t_seconds", dax: None, help: "Time." }, &[]);
        assert_eq!(registry.prometheus(), "");
    }
}
