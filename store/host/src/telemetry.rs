//! What the process tells about itself: logs to stderr, and traces and metrics to an OpenTelemetry endpoint when one is set.
//!
//! A process has one tracing subscriber, installed by [`start`]. **Spans of a request are made at level DEBUG** by crates whose name
//! begins with `forebay` (`tracing::debug_span!`). Without an endpoint and with logs at INFO nothing listens to DEBUG, and such a span
//! costs one load and a compare; [`enabled`] answers the same for code that would otherwise compute a span's fields. With an endpoint
//! they are sampled, batched on a thread of the SDK's own, and sent from a thread of ours, so that no front's runtime does
//! any of it; a full batch queue drops spans rather than slow a request.
//!
//! Metrics are the [`Registry`]'s, read at an interval and sent as cumulative sums, gauges and histograms; so OTLP and the admin port
//! show the same numbers. An endpoint that is down costs a log line per failed export and nothing else.

mod export;
mod otlp_metrics;
mod settings;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracerProvider};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, filter};

use crate::metrics::Registry;
use export::{Export, Poster, Signal, SpanPoster};

pub use settings::{LogFormat, OtlpProtocol, OtlpSettings, TelemetrySettings};

/// Spans waiting to be sent; one more is dropped.
pub const MAX_QUEUED_SPANS: usize = 8_192;
/// Spans in one export.
pub const MAX_SPANS_PER_EXPORT: usize = 512;
/// How long the last export may take when the process stops.
pub const FLUSH_TIMEOUT: Duration = Duration::from_secs(3);

static SPANS: AtomicBool = AtomicBool::new(false);

/// Whether spans of requests go anywhere. One relaxed load.
#[inline]
pub fn enabled() -> bool {
    SPANS.load(Ordering::Relaxed)
}

/// Why telemetry cannot start. Every message names the field and says what to do.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The log filter cannot be parsed.
    #[error(
        "telemetry.log = {filter:?} is not a log filter: {reason}; write a level such as info, or target=level pairs"
    )]
    Filter {
        /// The filter.
        filter: String,
        /// Why.
        reason: String,
    },
    /// A field of the OTLP settings is wrong.
    #[error("telemetry.otlp.{field} is wrong: {reason}")]
    Otlp {
        /// The field.
        field: &'static str,
        /// What is wrong and what would be right.
        reason: String,
    },
    /// The exporter's thread cannot be started.
    #[error("cannot start the telemetry thread: {0}; check the limits on threads and file descriptors")]
    Thread(std::io::Error),
    /// A subscriber is already installed in this process.
    #[error("telemetry has been started twice in one process; start it once")]
    Twice,
}

/// The running telemetry. Hold it until the process ends and call [`Telemetry::stop`].
#[derive(Debug)]
pub struct Telemetry {
    exporting: Option<Exporting>,
}

#[derive(Debug)]
struct Exporting {
    spans: SdkTracerProvider,
    export: Export,
}

/// Installs the subscriber and starts exporting, if an endpoint is set.
///
/// `service_instance` tells this process from others of the same service, for example the node's id.
pub fn start(
    settings: &TelemetrySettings,
    registry: &Registry,
    service_instance: &str,
) -> Result<Telemetry, TelemetryError> {
    let filter = log_filter(&settings.log)?;
    let text = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let logs = match settings.format {
        LogFormat::Text => text.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).boxed(),
        LogFormat::Json => text.json().flatten_event(true).boxed(),
    };
    let logs = logs.with_filter(filter);
    let exporting =
        settings.otlp.as_ref().map(|otlp| start_export(otlp, registry, service_instance)).transpose()?;
    let traces = exporting.as_ref().map(|exporting| {
        let ours = filter::Targets::new().with_target("forebay", LevelFilter::DEBUG);
        tracing_opentelemetry::layer()
            .with_tracer(exporting.spans.tracer("forebay"))
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_filter(ours)
    });
    tracing_subscriber::registry().with(logs).with(traces).try_init().map_err(|_| TelemetryError::Twice)?;
    SPANS.store(exporting.is_some(), Ordering::Relaxed);
    Ok(Telemetry { exporting })
}

/// Refuses a log filter that can't be meant so, before anything is started.
pub fn check(settings: &TelemetrySettings) -> Result<(), TelemetryError> {
    log_filter(&settings.log).map(drop)
}

/// A word alone is a level. The filter itself would take another word for the name of a target, and then log nothing else.
fn log_filter(text: &str) -> Result<EnvFilter, TelemetryError> {
    let wrong = |reason: String| TelemetryError::Filter { filter: text.to_owned(), reason };
    let words = text.split(',').map(str::trim);
    for word in words.filter(|word| !word.contains(['=', '[', ']', '{', '}'])) {
        if word.is_empty() || word.parse::<LevelFilter>().is_err() {
            return Err(wrong(format!(
                "{word:?} is no level; there are off, error, warn, info, debug, trace"
            )));
        }
    }
    EnvFilter::try_new(text).map_err(|error| wrong(error.to_string()))
}

fn start_export(
    otlp: &OtlpSettings,
    registry: &Registry,
    service_instance: &str,
) -> Result<Exporting, TelemetryError> {
    let resource = Resource::builder_empty()
        .with_attributes([
            KeyValue::new("service.name", otlp.service_name.clone()),
            KeyValue::new("service.instance.id", service_instance.to_owned()),
            KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        ])
        .build();
    let poster = Arc::new(Poster::new(otlp, registry)?);
    let export = Export::start(poster, registry.clone(), &resource, otlp.interval.get(), start_nanos())
        .map_err(TelemetryError::Thread)?;
    let batch = BatchConfigBuilder::default()
        .with_max_queue_size(MAX_QUEUED_SPANS)
        .with_max_export_batch_size(MAX_SPANS_PER_EXPORT)
        .with_scheduled_delay(otlp.interval.get())
        .build();
    let processor =
        BatchSpanProcessor::builder(SpanPoster::new(export.sender())).with_batch_config(batch).build();
    let spans = SdkTracerProvider::builder()
        .with_span_processor(processor)
        .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(otlp.sampling_ratio))))
        .with_resource(resource)
        .build();
    Ok(Exporting { spans, export })
}

impl Telemetry {
    /// Sends what is waiting, metrics included, for at most [`FLUSH_TIMEOUT`] each. Blocks, so call it from no runtime's thread, last.
    pub fn stop(self) {
        let Some(exporting) = self.exporting else { return };
        SPANS.store(false, Ordering::Relaxed);
        if let Err(error) = exporting.spans.shutdown_with_timeout(FLUSH_TIMEOUT) {
            tracing::warn!(%error, signal = Signal::Traces.name(), "the last spans were not sent");
        }
        exporting.export.stop();
    }
}

#[allow(clippy::disallowed_methods, reason = "OTLP dates every point by the wall clock")]
fn start_nanos() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_is_no_level_does_not_silence_the_log() {
        for good in
            ["info", "INFO", "info,openraft=warn", "forebay_proxy=debug", "off", "warn,forebay[call]=trace"]
        {
            log_filter(good).expect(good);
        }
        for bad in ["inof", "", "info,", "info,forebay_proxy", "forebay_proxy=inof"] {
            let error = log_filter(bad).expect_err(bad).to_string();
            assert!(error.contains("telemetry.log") && error.contains("info"), "{bad}: {error}");
        }
    }
}
