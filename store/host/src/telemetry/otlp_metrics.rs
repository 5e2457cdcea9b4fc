//! The registry's metrics as OTLP messages.

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint, ResourceMetrics,
    ScopeMetrics, Sum, metric, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;

use crate::metrics::{FamilyReading, HistogramReading, Kind, Reading, Value, bucket_bound_nanos};

/// When the counts began and when they were read. Unit: nanoseconds since 1970.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    pub(super) start: u64,
    pub(super) now: u64,
}

/// One export of everything that was read.
pub(super) fn request(
    families: &[FamilyReading],
    resource: &Resource,
    window: Window,
) -> ExportMetricsServiceRequest {
    let metrics = families
        .iter()
        .filter(|family| !family.series.is_empty())
        .map(|family| Metric {
            name: family.family.name.to_owned(),
            description: family.family.help_line(),
            unit: if family.kind == Kind::Histogram { "s".to_owned() } else { String::new() },
            metadata: Vec::new(),
            data: Some(data(family, window)),
        })
        .collect();
    let scope = InstrumentationScope { name: "forebay".to_owned(), ..Default::default() };
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            resource: Some(resource.clone()),
            scope_metrics: vec![ScopeMetrics { scope: Some(scope), metrics, schema_url: String::new() }],
            schema_url: String::new(),
        }],
    }
}

fn data(family: &FamilyReading, window: Window) -> metric::Data {
    let cumulative = AggregationTemporality::Cumulative as i32;
    match family.kind {
        Kind::Counter => metric::Data::Sum(Sum {
            data_points: family.series.iter().map(|series| number(series, window)).collect(),
            aggregation_temporality: cumulative,
            is_monotonic: true,
        }),
        Kind::Gauge => metric::Data::Gauge(Gauge {
            data_points: family.series.iter().map(|series| number(series, window)).collect(),
        }),
        Kind::Histogram => metric::Data::Histogram(Histogram {
            data_points: family.series.iter().filter_map(|series| distribution(series, window)).collect(),
            aggregation_temporality: cumulative,
        }),
    }
}

fn number(series: &Reading, window: Window) -> NumberDataPoint {
    let value = match &series.value {
        Value::Count(count) => number_data_point::Value::AsInt(i64::try_from(*count).unwrap_or(i64::MAX)),
        Value::Number(number) => number_data_point::Value::AsDouble(*number),
        Value::Distribution(reading) => {
            number_data_point::Value::AsInt(i64::try_from(reading.count).unwrap_or(i64::MAX))
        }
    };
    NumberDataPoint {
        attributes: attributes(&series.labels),
        start_time_unix_nano: window.start,
        time_unix_nano: window.now,
        value: Some(value),
        ..Default::default()
    }
}

fn distribution(series: &Reading, window: Window) -> Option<HistogramDataPoint> {
    let Value::Distribution(reading) = &series.value else { return None };
    let HistogramReading { counts, count, sum_nanos } = reading;
    Some(HistogramDataPoint {
        attributes: attributes(&series.labels),
        start_time_unix_nano: window.start,
        time_unix_nano: window.now,
        count: *count,
        sum: Some(*sum_nanos as f64 / 1e9),
        bucket_counts: counts.clone(),
        // One bound fewer than buckets: the last bucket has none, as OTLP wants it.
        explicit_bounds: (0..counts.len())
            .filter_map(bucket_bound_nanos)
            .map(|nanos| nanos as f64 / 1e9)
            .collect(),
        ..Default::default()
    })
}

fn attributes(labels: &[(&'static str, String)]) -> Vec<KeyValue> {
    labels
        .iter()
        .map(|(key, value)| KeyValue {
            key: (*key).to_owned(),
            value: Some(AnyValue { value: Some(any_value::Value::StringValue(value.clone())) }),
            ..Default::default()
        })
        .collect()
}
