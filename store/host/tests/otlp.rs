//! A receiving OpenTelemetry endpoint, and whether spans and metrics arrive there. A test binary of its own, because a process has
//! one subscriber.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use forebay_store_host::metrics::{Registry, names};
use forebay_store_host::settings::{HumanDuration, Secret};
use forebay_store_host::telemetry::{self, OtlpSettings, TelemetrySettings};
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::{metric, number_data_point};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

#[derive(Clone, Default)]
struct Received(Arc<Mutex<Vec<Posted>>>);

/// The path, the key in the headers, the body.
type Posted = (String, Option<String>, Bytes);

impl Received {
    fn of(&self, path: &str) -> Vec<Bytes> {
        let all = self.0.lock().expect("no panic");
        all.iter().filter(|(at, _, _)| at == path).map(|(_, _, body)| body.clone()).collect()
    }
}

/// Serves on a thread of its own and keeps what is posted. Answers its base URL.
fn receiver(received: Received) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("binds");
    listener.set_nonblocking(true).expect("non-blocking");
    let url = format!("http://{}/base/", listener.local_addr().expect("bound"));
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async move {
            let listener = tokio::net::TcpListener::from_std(listener).expect("registers");
            loop {
                let (stream, _) = listener.accept().await.expect("accepts");
                let received = received.clone();
                let service =
                    hyper::service::service_fn(move |request: http::Request<hyper::body::Incoming>| {
                        let received = received.clone();
                        async move {
                            let path = request.uri().path().to_owned();
                            let key = request
                                .headers()
                                .get("x-key")
                                .and_then(|key| key.to_str().ok())
                                .map(str::to_owned);
                            assert_eq!(request.headers()["content-type"], "application/x-protobuf");
                            let body = request.into_body().collect().await.expect("a body").to_bytes();
                            received.0.lock().expect("no panic").push((path, key, body));
                            Ok::<_, Infallible>(http::Response::new(Empty::<Bytes>::new()))
                        }
                    });
                hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service)
                    .await
                    .expect("serves");
            }
        });
    });
    url
}

fn spans(received: &Received) -> Vec<Span> {
    received
        .of("/base/v1/traces")
        .into_iter()
        .map(|body| ExportTraceServiceRequest::decode(body).expect("protobuf"))
        .flat_map(|request| request.resource_spans)
        .flat_map(|resource| resource.scope_spans)
        .flat_map(|scope| scope.spans)
        .collect()
}

#[test]
fn spans_and_metrics_arrive_at_the_endpoint() {
    let received = Received::default();
    let mut otlp = OtlpSettings::new(receiver(received.clone()));
    otlp.interval = HumanDuration::from_millis(50);
    otlp.headers.insert("x-key".to_owned(), Secret::new("hunter2"));
    let settings = TelemetrySettings { otlp: Some(otlp), ..TelemetrySettings::default() };

    let registry = Registry::new();
    registry.counter(names::ITEM_CACHE_HITS, &[("operation", "GetItem")]).add(41);
    registry.gauge(names::CLIENT_CONNECTIONS, &[("protocol", "http")]).set(3);
    let took = registry.histogram(names::REQUEST_SECONDS, &[("operation", "GetItem"), ("outcome", "hit")]);
    took.record(Duration::from_micros(12));

    assert!(!telemetry::enabled());
    let running = telemetry::start(&settings, &registry, "node-1").expect("starts");
    assert!(telemetry::enabled());
    assert!(matches!(
        telemetry::start(&TelemetrySettings::default(), &registry, "node-1"),
        Err(telemetry::TelemetryError::Twice)
    ));
    tracing::debug_span!(target: "forebay::front", "request", request_id = "r-1").in_scope(|| {
        tracing::debug_span!(target: "forebay_store::engine", "get_item").in_scope(|| ());
        tracing::trace_span!(target: "forebay::front", "too fine").in_scope(|| ());
        tracing::debug_span!(target: "hyper::proto", "not ours").in_scope(|| ());
    });
    registry.counter(names::ITEM_CACHE_HITS, &[("operation", "GetItem")]).increment();
    running.stop();
    assert!(!telemetry::enabled());

    let spans = spans(&received);
    let named = |name: &str| spans.iter().find(|span| span.name == name);
    let (outer, inner) = (named("request").expect("sent"), named("get_item").expect("sent"));
    assert_eq!(inner.parent_span_id, outer.span_id);
    assert_eq!(inner.trace_id, outer.trace_id);
    assert!(outer.attributes.iter().any(|attribute| attribute.key == "request_id"));
    assert_eq!(spans.len(), 2, "{spans:?}");

    let last = received.of("/base/v1/metrics").pop().expect("the last metrics are sent at the end");
    let last = ExportMetricsServiceRequest::decode(last).expect("protobuf");
    let resource = last.resource_metrics[0].resource.as_ref().expect("a resource");
    assert!(resource.attributes.iter().any(|attribute| attribute.key == "service.name"));
    let metrics = &last.resource_metrics[0].scope_metrics[0].metrics;
    let data = |name: &str| {
        metrics
            .iter()
            .find(|metric| metric.name == name)
            .and_then(|metric| metric.data.clone())
            .expect("sent")
    };
    let metric::Data::Sum(hits) = data("forebay_item_cache_hits_total") else { panic!("a counter is a sum") };
    assert!(hits.is_monotonic);
    assert_eq!(hits.data_points[0].value, Some(number_data_point::Value::AsInt(42)));
    let metric::Data::Gauge(open) = data("forebay_client_connections") else { panic!("a gauge is a gauge") };
    assert_eq!(open.data_points[0].value, Some(number_data_point::Value::AsDouble(3.0)));
    let metric::Data::Histogram(took) = data("forebay_request_seconds") else { panic!("a histogram") };
    let point = &took.data_points[0];
    assert_eq!((point.count, point.sum), (1, Some(0.000_012)));
    assert_eq!(point.bucket_counts.len(), point.explicit_bounds.len() + 1);
    let at = point.bucket_counts.iter().position(|count| *count == 1).expect("one");
    assert!(point.explicit_bounds[at - 1] <= 0.000_012 && 0.000_012 < point.explicit_bounds[at]);

    let keys: Vec<_> = received.0.lock().expect("no panic").iter().map(|(_, key, _)| key.clone()).collect();
    assert!(keys.iter().all(|key| key.as_deref() == Some("hunter2")));
}
