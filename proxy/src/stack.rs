//! The decorators, top to bottom.

use std::sync::Arc;
use std::time::Duration;

use api::service::Catalog;
use api::{DynamoDb, Shared};
use host::clock::Clock;
use host::metrics::Registry;
use store::Embedded;

use crate::cache::Cache;
use crate::layer::route::{Member, Way};
use crate::layer::{Cached, Encoders, LimitSettings, Limited, Resolved, Routed, Traced};

/// What a stack is made of besides its store.
pub struct Parts<'a> {
    /// Fed by the store below.
    pub cache: Arc<Cache>,
    /// The fronts' own.
    pub encoders: Encoders,
    /// What is taken on at a time.
    pub limits: &'a LimitSettings,
    /// For times of requests.
    pub clock: Arc<dyn Clock>,
    /// For counts.
    pub registry: &'a Registry,
}

/// The stack that all fronts of a node share, over a store that stands alone.
pub fn build(store: Arc<Embedded>, parts: Parts<'_>) -> Shared {
    let catalog = store.catalog();
    // Nearest to the store: what it answers from memory never reaches it.
    let cached = Cached::new(store, parts.cache, parts.encoders);
    // Above the cache, which keys by table and index ids, and below whatever does not care which tables there are.
    let resolved = Resolved::new(cached, catalog);
    top(resolved, parts.limits, parts.clock, parts.registry)
}

/// The same on a node of a cluster: over its own store and the way to the primary's. Nothing older than `max_lag` is answered
/// without asking the primary.
pub fn build_routed<M: Member, W: Way>(
    member: Arc<M>,
    catalog: Arc<dyn Catalog>,
    way: W,
    max_lag: Duration,
    parts: Parts<'_>,
) -> Shared {
    // Below the cache: a hit asks nobody, and what is asked for after a miss, with a permit in hand, may come from another node.
    let routed = Routed::new(member, way, Arc::clone(&parts.cache), max_lag, parts.registry);
    let cached = Cached::new(routed, parts.cache, parts.encoders);
    // As above; and a table that this node has not heard of yet is the primary's to refuse.
    let resolved = Resolved::among_others(cached, catalog);
    top(resolved, parts.limits, parts.clock, parts.registry)
}

fn top<D: DynamoDb>(
    resolved: D,
    limits: &LimitSettings,
    clock: Arc<dyn Clock>,
    registry: &Registry,
) -> Shared {
    // Above all work, so that what is refused costs nothing.
    let limited = Limited::new(resolved, limits);
    // Outermost, so that it counts and times what the caller saw, refusals included.
    let traced = Traced::new(limited, clock, registry);
    // Boxed once, here, so that each front is compiled against one small type and all share the stack.
    Shared::new(traced)
}
