//! The thread that sends, and how one export is sent.
//!
//! A connection per export: there is one every few seconds, and a collector behind a load balancer likes it better than an idle one.

use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::uri::{Authority, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::resource::v1::Resource as ProtoResource;
use opentelemetry_proto::transform::common::tonic::{Attributes, ResourceAttributesWithSchema};
use opentelemetry_proto::transform::trace::tonic::group_spans_by_resource_and_scope;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::trace::{SpanData, SpanExporter};
use prost::Message;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, oneshot};

use super::otlp_metrics::{self, Window};
use super::settings::OtlpSettings;
use super::{FLUSH_TIMEOUT, TelemetryError};
use crate::metrics::{Counter, Registry, names};

/// Exports of spans waiting for the thread; the SDK sends one at a time, so more than one means that it has given up on one.
const MAX_WAITING_EXPORTS: usize = 4;
/// A collector's answer is a few bytes; more than this is not read.
const MAX_ANSWER_BYTES: usize = 64 * 1024;
/// Where systems keep the authorities they trust, in the order they are tried.
const SYSTEM_AUTHORITIES: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// What is exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signal {
    Traces,
    Metrics,
}

impl Signal {
    pub(super) fn name(self) -> &'static str {
        match self {
            Signal::Traces => "traces",
            Signal::Metrics => "metrics",
        }
    }
}

/// Why an export did not arrive.
#[derive(Debug, thiserror::Error)]
pub(super) enum ExportError {
    #[error("no connection: {0}")]
    Connect(io::Error),
    #[error("the exchange failed: {0}")]
    Exchange(#[from] hyper::Error),
    #[error("the answer cannot be read: {0}")]
    Answer(Box<dyn std::error::Error + Send + Sync>),
    #[error("the request cannot be made: {0}")]
    Request(#[from] http::Error),
    #[error("the endpoint answered {0}")]
    Status(http::StatusCode),
    #[error("no answer within {0:?}")]
    Timeout(Duration),
}

/// Sends one body to the endpoint.
pub(super) struct Poster {
    authority: Authority,
    base: String,
    headers: HeaderMap,
    timeout: Duration,
    tls: Option<(tokio_rustls::TlsConnector, ServerName<'static>)>,
    sent: [Counter; 2],
    failed: [Counter; 2],
}

impl Poster {
    pub(super) fn new(otlp: &OtlpSettings, registry: &Registry) -> Result<Self, TelemetryError> {
        let wrong = |field, reason: String| TelemetryError::Otlp { field, reason };
        if !(0.0..=1.0).contains(&otlp.sampling_ratio) {
            return Err(wrong("sampling_ratio", format!("{} is not between 0 and 1", otlp.sampling_ratio)));
        }
        if otlp.interval.get().is_zero() || otlp.timeout.get().is_zero() {
            return Err(wrong("interval", "interval and timeout must be longer than nothing".to_owned()));
        }
        let not_url = || {
            let reason = format!("{:?} is not a URL such as http://127.0.0.1:4318", otlp.endpoint);
            wrong("endpoint", reason)
        };
        let uri: Uri = otlp.endpoint.parse().map_err(|_| not_url())?;
        let authority = uri.authority().cloned().ok_or_else(not_url)?;
        let tls = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTP => None,
            Some(scheme) if *scheme == Scheme::HTTPS => {
                let host = authority.host().trim_matches(['[', ']']).to_owned();
                let name = ServerName::try_from(host).map_err(|_| not_url())?;
                Some((connector(otlp.ca_file.as_deref())?, name))
            }
            _ => return Err(not_url()),
        };
        let mut headers = HeaderMap::new();
        for (name, value) in &otlp.headers {
            let header = HeaderName::try_from(name)
                .map_err(|_| wrong("headers", format!("{name:?} is not a header name")))?;
            let mut value = HeaderValue::try_from(value.reveal())
                .map_err(|_| wrong("headers", format!("the value of {name} cannot stand in a header")))?;
            value.set_sensitive(true);
            headers.insert(header, value);
        }
        let counted = |result: &str| {
            [Signal::Traces, Signal::Metrics].map(|signal| {
                registry.counter(names::OTLP_EXPORTS, &[("signal", signal.name()), ("result", result)])
            })
        };
        Ok(Poster {
            authority,
            base: uri.path().trim_end_matches('/').to_owned(),
            headers,
            timeout: otlp.timeout.get(),
            tls,
            sent: counted("ok"),
            failed: counted("failed"),
        })
    }

    async fn post(&self, signal: Signal, body: Bytes) -> Result<(), ExportError> {
        let result = tokio::time::timeout(self.timeout, self.exchange(signal, body))
            .await
            .unwrap_or(Err(ExportError::Timeout(self.timeout)));
        match &result {
            Ok(()) => self.sent[signal as usize].increment(),
            Err(error) => {
                self.failed[signal as usize].increment();
                let signal = signal.name();
                tracing::warn!(%error, signal, endpoint = %self.authority, "telemetry was not exported");
            }
        }
        result
    }

    async fn exchange(&self, signal: Signal, body: Bytes) -> Result<(), ExportError> {
        let port = self.authority.port_u16().unwrap_or(if self.tls.is_some() { 443 } else { 80 });
        let host = self.authority.host().trim_matches(['[', ']']);
        let stream = socket::lookup::connect(host, port).await.map_err(ExportError::Connect)?;
        match &self.tls {
            None => self.send(stream, signal, body).await,
            Some((connector, name)) => {
                let stream = connector.connect(name.clone(), stream).await.map_err(ExportError::Connect)?;
                self.send(stream, signal, body).await
            }
        }
    }

    async fn send<IO>(&self, stream: IO, signal: Signal, body: Bytes) -> Result<(), ExportError>
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let mut request = Request::post(format!("{}/v1/{}", self.base, signal.name()))
            .header(HOST, self.authority.as_str())
            .header(CONTENT_TYPE, "application/x-protobuf")
            .body(Full::new(body))?;
        request.headers_mut().extend(self.headers.clone());
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let exchange = async {
            let answer = sender.send_request(request).await?;
            let status = answer.status();
            Limited::new(answer.into_body(), MAX_ANSWER_BYTES)
                .collect()
                .await
                .map_err(ExportError::Answer)?;
            if status.is_success() { Ok(()) } else { Err(ExportError::Status(status)) }
        };
        tokio::pin!(connection, exchange);
        // The connection does the work of the exchange, so both are driven; its own end is no answer.
        let mut open = true;
        loop {
            tokio::select! {
                answer = &mut exchange => return answer,
                ended = &mut connection, if open => {
                    ended?;
                    open = false;
                }
            }
        }
    }
}

fn connector(ca_file: Option<&Path>) -> Result<tokio_rustls::TlsConnector, TelemetryError> {
    let wrong = |reason: String| TelemetryError::Otlp { field: "ca_file", reason };
    let file = match ca_file {
        Some(file) => file.to_owned(),
        None => SYSTEM_AUTHORITIES.iter().map(PathBuf::from).find(|file| file.exists()).ok_or_else(|| {
            wrong(
                "the system keeps no list of authorities where one is looked for; name a PEM file".to_owned(),
            )
        })?,
    };
    let mut roots = RootCertStore::empty();
    let found = crate::tls::certificates(&file).map_err(|error| wrong(error.to_string()))?;
    // A system's bundle may hold a certificate that is too odd for us; one usable authority is enough.
    let (usable, _) = roots.add_parsable_certificates(found);
    if usable == 0 {
        return Err(wrong(format!("{} holds no usable authority", file.display())));
    }
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong(error.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(tokio_rustls::TlsConnector::from(Arc::new(config)))
}

/// Spans on their way to the thread, and where the outcome goes.
type Spans = (Bytes, oneshot::Sender<Result<(), ExportError>>);

/// The thread that sends.
#[derive(Debug)]
pub(super) struct Export {
    resource: Resource,
    spans: mpsc::Sender<Spans>,
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

/// What the SDK's batches need to reach the thread.
#[derive(Debug, Clone)]
pub(super) struct SpanSender {
    resource: Resource,
    spans: mpsc::Sender<Spans>,
}

impl Export {
    pub(super) fn start(
        poster: Arc<Poster>,
        registry: Registry,
        resource: &Resource,
        interval: Duration,
        start_nanos: u64,
    ) -> io::Result<Self> {
        let (spans, waiting) = mpsc::channel(MAX_WAITING_EXPORTS);
        let (stop, stopped) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let attributes =
            resource.iter().map(|(key, value)| opentelemetry::KeyValue::new(key.clone(), value.clone()));
        let metrics = MetricsExport {
            poster: poster.clone(),
            registry,
            resource: ProtoResource {
                attributes: Attributes::from(attributes.collect::<Vec<_>>()).0,
                ..Default::default()
            },
            start_nanos,
        };
        let thread = std::thread::Builder::new()
            .name("telemetry".to_owned())
            .spawn(move || runtime.block_on(run(poster, metrics, interval, waiting, stopped)))?;
        Ok(Export { resource: resource.clone(), spans, stop, thread })
    }

    pub(super) fn sender(&self) -> SpanSender {
        SpanSender { resource: self.resource.clone(), spans: self.spans.clone() }
    }

    /// Sends the metrics a last time and ends the thread.
    pub(super) fn stop(self) {
        // A thread that is gone already has said why by its panic.
        let _ = self.stop.send(());
        if self.thread.join().is_err() {
            tracing::error!("the telemetry thread panicked; the last export is lost");
        }
    }
}

struct MetricsExport {
    poster: Arc<Poster>,
    registry: Registry,
    resource: ProtoResource,
    start_nanos: u64,
}

impl MetricsExport {
    async fn send(&self) -> Result<(), ExportError> {
        let window = Window { start: self.start_nanos, now: super::start_nanos() };
        let request = otlp_metrics::request(&self.registry.read(), &self.resource, window);
        self.poster.post(Signal::Metrics, request.encode_to_vec().into()).await
    }
}

async fn run(
    poster: Arc<Poster>,
    metrics: MetricsExport,
    interval: Duration,
    mut waiting: mpsc::Receiver<Spans>,
    stopped: oneshot::Receiver<()>,
) {
    let send_spans = async {
        while let Some((body, outcome)) = waiting.recv().await {
            // The SDK may have given up on this batch; whether it still listens makes no difference.
            let _ = outcome.send(poster.post(Signal::Traces, body).await);
        }
    };
    let send_metrics = async {
        loop {
            tokio::time::sleep(interval).await;
            // A failure has been logged and counted; the next export carries the same counts.
            let _ = metrics.send().await;
        }
    };
    tokio::select! {
        () = async { tokio::join!(send_spans, send_metrics); } => {}
        _ = stopped => {}
    }
    if tokio::time::timeout(FLUSH_TIMEOUT, metrics.send()).await.is_err() {
        tracing::warn!(signal = Signal::Metrics.name(), "the last metrics were not sent in time");
    }
}

/// The SDK's exporter of spans: encodes on the SDK's thread, sends on ours.
#[derive(Debug)]
pub(super) struct SpanPoster {
    to: SpanSender,
}

impl SpanPoster {
    pub(super) fn new(to: SpanSender) -> Self {
        SpanPoster { to }
    }
}

impl SpanExporter for SpanPoster {
    fn export(&self, batch: Vec<SpanData>) -> impl Future<Output = OTelSdkResult> + Send {
        let resource = ResourceAttributesWithSchema::from(&self.to.resource);
        let request =
            ExportTraceServiceRequest { resource_spans: group_spans_by_resource_and_scope(batch, &resource) };
        let spans = self.to.spans.clone();
        async move {
            let (outcome, told) = oneshot::channel();
            let body = Bytes::from(request.encode_to_vec());
            spans.send((body, outcome)).await.map_err(|_| OTelSdkError::AlreadyShutdown)?;
            match told.await {
                Ok(Ok(())) => Ok(()),
                Ok(Err(error)) => Err(OTelSdkError::InternalFailure(error.to_string())),
                Err(_) => Err(OTelSdkError::AlreadyShutdown),
            }
        }
    }
}
