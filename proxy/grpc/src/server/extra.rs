//! Health and reflection, as gRPC's own tools ask for them: tonic's services.
//!
//! Both answer anybody who reaches the port, signed or not: they tell that the node serves, and what is published anyway.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use http::{Request, Response};
use hyper::body::Incoming;
use tonic::body::Body;
use tonic_health::ServingStatus;
use tonic_health::pb::health_server::HealthServer;
use tonic_health::server::{HealthReporter, HealthService};
use tower_service::Service;

use crate::proto::{DESCRIPTORS, SERVICE};

/// The largest message that these services read. Unit: bytes.
const MESSAGE_BYTES: usize = 64 * 1024;

/// An answer under way.
pub(super) type Extras = Pin<Box<dyn Future<Output = Response<Body>> + Send>>;
/// A service of tonic's.
pub(super) type ExtraService = Arc<dyn Fn(Request<Incoming>) -> Extras + Send + Sync>;

/// Health and reflection.
pub(super) struct Extra {
    health: HealthReporter,
    stopping: tokio::sync::OnceCell<()>,
    services: Vec<(&'static str, ExtraService)>,
}

impl Extra {
    /// Healthy from the start: a front is served once its node is ready.
    pub(super) fn new() -> Extra {
        let health = HealthReporter::new();
        let serving = health.set_service_status(SERVICE, ServingStatus::Serving);
        // Nobody else holds its lock yet, so this waits for nothing.
        let told = pin!(serving).poll(&mut Context::from_waker(Waker::noop()));
        debug_assert_eq!(told, Poll::Ready(()));
        let reflected = || {
            tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(DESCRIPTORS)
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        };
        let (now, before) = (reflected().build_v1(), reflected().build_v1alpha());
        let now = now
            .expect("descriptors made by our own build are sound")
            .max_decoding_message_size(MESSAGE_BYTES);
        let before = before
            .expect("descriptors made by our own build are sound")
            .max_decoding_message_size(MESSAGE_BYTES);
        let of_health = HealthServer::new(HealthService::from_health_reporter(health.clone()))
            .max_decoding_message_size(MESSAGE_BYTES);
        let services = vec![
            ("grpc.health.v1.Health", boxed(of_health)),
            ("grpc.reflection.v1.ServerReflection", boxed(now)),
            ("grpc.reflection.v1alpha.ServerReflection", boxed(before)),
        ];
        Extra { health, stopping: tokio::sync::OnceCell::new(), services }
    }

    /// The service of that name.
    pub(super) fn service(&self, name: &str) -> Option<ExtraService> {
        self.services.iter().find(|(known, _)| *known == name).map(|(_, service)| Arc::clone(service))
    }

    /// Tells whoever watches that the node is about to stop: once, however many connections say so.
    pub(super) async fn stopping(&self) {
        let tell = async {
            for service in ["", SERVICE] {
                self.health.set_service_status(service, ServingStatus::NotServing).await;
            }
        };
        self.stopping.get_or_init(|| tell).await;
    }
}

fn boxed<S>(service: S) -> ExtraService
where
    S: Service<Request<Incoming>, Response = Response<Body>, Error = std::convert::Infallible>,
    S: Clone + Send + Sync + 'static,
    S::Future: Send + 'static,
{
    Arc::new(move |request| {
        let answer = service.clone().call(request);
        Box::pin(async move { answer.await.unwrap_or_else(|never| match never {}) })
    })
}
