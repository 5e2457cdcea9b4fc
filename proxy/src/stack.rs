//! The decorators, top to bottom.

use std::sync::Arc;

use api::Shared;
use host::clock::Clock;
use host::metrics::Registry;
use store::Embedded;

use crate::cache::Cache;
use crate::layer::{Cached, Encoders, LimitSettings, Limited, Resolved, Traced};

/// The stack that all fronts share. `store` is below it, `cache` is fed by the store; `encoders` are the fronts' own.
pub fn build(
    store: Arc<Embedded>,
    cache: Arc<Cache>,
    encoders: Encoders,
    limits: &LimitSettings,
    clock: Arc<dyn Clock>,
    registry: &Registry,
) -> Shared {
    let catalog = store.catalog();
    // Nearest to the store: what it answers from memory never reaches it.
    let cached = Cached::new(store, cache, encoders);
    // Above the cache, which keys by table and index ids, and below whatever does not care which tables there are.
    let resolved = Resolved::new(cached, catalog);
    // Above all work, so that what is refused costs nothing.
    let limited = Limited::new(resolved, limits);
    // Outermost, so that it counts and times what the caller saw, refusals included.
    let traced = Traced::new(limited, clock, registry);
    // Boxed once, here, so that each front is compiled against one small type and all share the stack.
    Shared::new(traced)
}
