//! A client that goes round: each call to the next node of a cluster, and over each protocol in turn.
//!
//! It knows of no versions and nothing of what it was answered before. So whatever one call did, the next sees it or not by what the
//! nodes promise each other alone.

use std::sync::atomic::{AtomicUsize, Ordering};

use api::op::ReturnOnFailure;
use api::{Answer, Context, DynamoDb, Error, Request};

use crate::clients::{Clients, PROTOCOLS};
use crate::cluster::Cluster;

/// Clients of all nodes.
pub struct Spread {
    nodes: Vec<Clients>,
    turn: AtomicUsize,
}

impl Spread {
    /// Over the nodes that run.
    pub fn over(cluster: &Cluster) -> Spread {
        let nodes = cluster.running().map(|(_, node)| Clients::of(node)).collect();
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
