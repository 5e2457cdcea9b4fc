//! Clients of one node: one of each protocol.

use std::sync::Arc;

use api::Shared;
use dax::{DaxDb, DaxDbSettings};
use grpc::client::{Endpoint, Lane};
use grpc::{GrpcDb, GrpcDbSettings};
use host::clock::SystemClock;
use http_front::client::{HttpDb, HttpDbSettings};
use proxy::surroundings::System;
use socket::dial::Tcp;

use crate::dialling::{Pinned, Place};
use crate::node::Node;

/// The protocols, as the metrics call them.
pub const PROTOCOLS: [&str; 3] = ["http", "dax", "grpc"];

/// One client of each protocol, all of one node. Nothing is connected yet.
pub struct Clients {
    /// Over HTTP.
    pub http: HttpDb,
    /// Over DAX.
    pub dax: DaxDb,
    /// Over gRPC.
    pub grpc: GrpcDb,
}

impl Clients {
    /// New ones of a node.
    pub fn of(node: &Node) -> Clients {
        let system = Arc::new(System::new(Arc::new(SystemClock::new())));
        let http = HttpDbSettings::new(format!("http://{}", node.http));
        let http = HttpDb::new(http, None, None, Arc::clone(&system) as _);
        // It would choose by the roster: held to its own node, it goes where its turn is.
        let place = Place::new(node.dax.expect("the port is open"));
        let pinned = Arc::new(Pinned::new(place, Arc::default()));
        let dax = DaxDbSettings::new("dax://node:8111");
        let dax = DaxDb::with_dial(dax, None, None, Arc::clone(&system) as _, pinned);
        let endpoint = Endpoint { host: node.grpc.ip().to_string(), port: node.grpc.port(), tls: None };
        let grpc = GrpcDb::new(endpoint, Lane::Client, GrpcDbSettings::default(), Arc::new(Tcp), system);
        Clients {
            http: http.expect("good settings"),
            dax: dax.expect("good settings"),
            grpc: grpc.expect("a good endpoint"),
        }
    }

    /// Each with the name of its protocol, in the order of [`PROTOCOLS`].
    pub fn each(self) -> [(&'static str, Shared); 3] {
        let [http, dax, grpc] = PROTOCOLS;
        [(http, Shared::new(self.http)), (dax, Shared::new(self.dax)), (grpc, Shared::new(self.grpc))]
    }
}
