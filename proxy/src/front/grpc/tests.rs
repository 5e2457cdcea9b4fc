//! The client over the front.

use api::Request;
use grpc::client::Endpoint;
use grpc::{GrpcDb, GrpcDbSettings};
use host::clock::SystemClock;
use socket::dial::{Dial, Dialing, Stream};

use super::*;

mod forwarded;
mod signed;

/// Connects to a server in memory.
struct Near<D>(GrpcServer<D>);

impl<D: DynamoDb> Dial for Near<D> {
    fn dial<'a>(&'a self, _: &'a str, _: u16) -> Dialing<'a> {
        let (near, far) = tokio::io::duplex(1 << 16);
        let server = self.0.clone();
        tokio::spawn(async move { server.serve_connection(far, std::future::pending()).await });
        Box::pin(async move { Ok(Box::new(near) as Box<dyn Stream>) })
    }
}

fn system() -> Arc<System> {
    Arc::new(System::new(Arc::new(SystemClock::new())))
}

fn endpoint() -> Endpoint {
    Endpoint { host: "node.example".into(), port: 8500, tls: None }
}

fn request(op: api::OpKind, json: &str) -> Request {
    http_front::codec::decode_request(op, json.as_bytes()).unwrap()
}
