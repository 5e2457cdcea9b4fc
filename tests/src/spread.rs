//! A client that goes round: each call to the next node of a cluster, and over each protocol in turn.
//!
//! It knows of no versions and nothing of what it was answered before. So whatever one call did, the next sees it or not by what the
//! nodes promise each other alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use api::op::ReturnOnFailure;
use api::{Answer, Context, DynamoDb, Error, Request};
use dax::{DaxDb, DaxDbSettings};
use grpc::client::{Endpoint, Lane};
use grpc::{GrpcDb, GrpcDbSettings};
use host::clock::SystemClock;
use http_front::client::{HttpDb, HttpDbSettings};
use proxy::surroundings::System;
use socket::dial::Tcp;

use crate::cluster::Cluster;
use crate::dialling::{Pinned, Place};
use crate::node::Node;

/// The protocols, as the metrics call them.
pub const PROTOCOLS: [&str; 3] = ["http", "dax", "grpc"];

/// Clients of all nodes.
pub struct Spread {
    nodes: Vec<Clients>,
    turn: AtomicUsize,
}

/// One client of each protocol, all of one node.
struct Clients {
    http: HttpDb,
    dax: DaxDb,
    grpc: GrpcDb,
}

impl Clients {
    fn of(node: &Node, system: &Arc<System>, numbers: &Arc<AtomicU64>) -> Clients {
        let http = HttpDbSettings::new(format!("http://{}", node.http));
        let http = HttpDb::new(http, None, None, Arc::clone(system) as _);
        // It would choose by the roster: held to its own node, it goes where its turn is.
        let place = Place::new(node.dax.expect("the port is open"));
        let pinned = Arc::new(Pinned::new(place, Arc::clone(numbers)));
        let dax = DaxDbSettings::new("dax://node:8111");
        let dax = DaxDb::with_dial(dax, None, None, Arc::clone(system) as _, pinned);
        let endpoint = Endpoint { host: node.grpc.ip().to_string(), port: node.grpc.port(), tls: None };
        let (settings, system) = (GrpcDbSettings::default(), Arc::clone(system) as _);
        let grpc = GrpcDb::new(endpoint, Lane::Client, settings, Arc::new(Tcp), system);
        Clients {
            http: http.expect("good settings"),
            dax: dax.expect("good settings"),
            grpc: grpc.expect("a good endpoint"),
        }
    }
}

impl Spread {
    /// Over the nodes that run.
    pub fn over(cluster: &Cluster) -> Spread {
        let system = Arc::new(System::new(Arc::new(SystemClock::new())));
        let numbers = Arc::default();
        let nodes = cluster.running().map(|(_, node)| Clients::of(node, &system, &numbers)).collect();
        Spread { nodes, turn: AtomicUsize::new(0) }
    }
}

impl DynamoDb for Spread {
    async fn call(&self, cx: Context, request: Request) -> Result<Answer, Error> {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let node = &self.nodes[turn % self.nodes.len()];
        // Every other protocol on the same node the next time round.
        let round = turn / self.nodes.len();
        match PROTOCOLS[(turn + round) % PROTOCOLS.len()] {
            "dax" if has_a_place_in_dax(&request) => node.dax.call(cx, request).await,
            "grpc" => node.grpc.call(cx, request).await,
            _ => node.http.call(cx, request).await,
        }
    }
}

/// DAX has no control operations, and can't ask for the item of a failed condition.
fn has_a_place_in_dax(request: &Request) -> bool {
    let asks_for_the_item = match request {
        Request::PutItem(input) => input.return_on_failure,
        Request::UpdateItem(input) => input.return_on_failure,
        Request::DeleteItem(input) => input.return_on_failure,
        _ => ReturnOnFailure::None,
    };
    request.kind().dax_method().is_some() && asks_for_the_item == ReturnOnFailure::None
}
