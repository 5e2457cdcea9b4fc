//! What other nodes ask of this one where it is the primary, besides requests of clients.

use std::sync::Arc;

use api::Context;
use grpc::peer::{Demand as GrpcDemand, Granting, PeerService};
use store::Embedded;
use store::attribute_lists::Demand;

/// Answers them from this node's store, which refuses what only the primary may say.
pub struct AsPrimary(pub Arc<Embedded>);

impl PeerService for AsPrimary {
    fn define_attribute_list<'a>(
        &'a self,
        cx: Context,
        names: Vec<String>,
        demand: GrpcDemand,
    ) -> Granting<'a> {
        let demand = match demand {
            GrpcDemand::Client => Demand::Client,
            GrpcDemand::Answer => Demand::Answer,
        };
        Box::pin(async move { self.0.define_attribute_list(&cx, names.into(), demand).await })
    }

    fn take_passing_ids<'a>(&'a self, cx: Context) -> Granting<'a> {
        Box::pin(async move { self.0.take_passing_ids(&cx).await })
    }

    fn read_index<'a>(&'a self, cx: Context) -> Granting<'a> {
        Box::pin(async move {
            self.0.catch_up(&cx).await?;
            Ok(self.0.version().index)
        })
    }
}
