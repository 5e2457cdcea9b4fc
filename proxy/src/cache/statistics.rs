//! What the caches count. Names and meanings stand in [`host::metrics::names`]; counts are striped, so that a hit writes
//! only to a cache line of its own thread.

use std::sync::Weak;

use host::metrics::{Counter, Histogram, Registry, names};

use super::Cache;

/// The counters of one cache of the two.
#[derive(Debug, Clone)]
pub struct Statistics {
    /// Items answered from the cache, by GetItem.
    pub get_hits: Counter,
    /// Items not found there, by GetItem.
    pub get_misses: Counter,
    /// Items answered from the cache, by BatchGetItem.
    pub batch_hits: Counter,
    /// Items not found there, by BatchGetItem.
    pub batch_misses: Counter,
    /// Pages of Query answered from the cache.
    pub query_hits: Counter,
    /// Pages of Query not found there.
    pub query_misses: Counter,
    /// Pages of Scan answered from the cache.
    pub scan_hits: Counter,
    /// Pages of Scan not found there.
    pub scan_misses: Counter,
    /// Hits that said that there is no item.
    pub item_negative_hits: Counter,
    /// Hits that were empty pages.
    pub query_negative_hits: Counter,
    /// Fills of items that a write overtook.
    pub item_voided_fills: Counter,
    /// Fills of pages that a write overtook.
    pub query_voided_fills: Counter,
    /// Misses of items that waited for another's read.
    pub item_coalesced: Counter,
    /// Misses of pages that waited for another's read.
    pub query_coalesced: Counter,
    /// Pages found void by their stamps when asked for, then read again and put in their place.
    pub pages_voided: Counter,
    /// Those that turned out the same: what the stamps cost too much.
    pub pages_voided_unchanged: Counter,
    /// How long ago the pages served in mode `ttl` had been read. Everything else that is served is as of the version
    /// applied, whose age is nothing where the node itself is the primary.
    pub served_age: Histogram,
    /// Bytes of items evicted to make room.
    pub item_evicted_bytes: Counter,
    /// Bytes of pages evicted to make room.
    pub query_evicted_bytes: Counter,
}

const ITEM: &str = "item";
const QUERY: &str = "query";

impl Statistics {
    /// Makes the counters, or finds them where the registry has them already.
    pub fn new(registry: &Registry) -> Statistics {
        let by_operation = |family, operation| registry.counter(family, &[("operation", operation)]);
        let by_cache = |family, cache| registry.counter(family, &[("cache", cache)]);
        let plain = |family| registry.counter(family, &[]);
        Statistics {
            get_hits: by_operation(names::ITEM_CACHE_HITS, "GetItem"),
            get_misses: by_operation(names::ITEM_CACHE_MISSES, "GetItem"),
            batch_hits: by_operation(names::ITEM_CACHE_HITS, "BatchGetItem"),
            batch_misses: by_operation(names::ITEM_CACHE_MISSES, "BatchGetItem"),
            query_hits: plain(names::QUERY_CACHE_HITS),
            query_misses: plain(names::QUERY_CACHE_MISSES),
            scan_hits: plain(names::SCAN_CACHE_HITS),
            scan_misses: plain(names::SCAN_CACHE_MISSES),
            item_negative_hits: by_cache(names::NEGATIVE_HITS, ITEM),
            query_negative_hits: by_cache(names::NEGATIVE_HITS, QUERY),
            item_voided_fills: by_cache(names::VOIDED_FILLS, ITEM),
            query_voided_fills: by_cache(names::VOIDED_FILLS, QUERY),
            item_coalesced: by_cache(names::COALESCED_MISSES, ITEM),
            query_coalesced: by_cache(names::COALESCED_MISSES, QUERY),
            pages_voided: plain(names::PAGES_VOIDED),
            pages_voided_unchanged: plain(names::PAGES_VOIDED_UNCHANGED),
            served_age: registry.histogram(names::SERVED_AGE_SECONDS, &[("cache", QUERY)]),
            item_evicted_bytes: by_cache(names::EVICTED_SIZE, ITEM),
            query_evicted_bytes: by_cache(names::EVICTED_SIZE, QUERY),
        }
    }
}

/// Registers what is read off the caches whenever metrics are: entries, bytes, share of `cache_bytes`, whether anything is in doubt.
pub(super) fn register_gauges(registry: &Registry, cache: &Weak<Cache>) {
    let gauge = |family, label: &[(&'static str, &str)], read: fn(&Cache) -> f64| {
        let cache = cache.clone();
        registry.gauge_fn(family, label, move || cache.upgrade().map_or(0.0, |cache| read(&cache)));
    };
    gauge(names::CACHE_ENTRIES, &[("cache", ITEM)], |cache| cache.items().len() as f64);
    gauge(names::CACHE_ENTRIES, &[("cache", QUERY)], |cache| cache.pages().len() as f64);
    gauge(names::ESTIMATED_DB_SIZE, &[("cache", ITEM)], |cache| cache.items().weight() as f64);
    gauge(names::ESTIMATED_DB_SIZE, &[("cache", QUERY)], |cache| cache.pages().weight() as f64);
    gauge(names::CACHE_MEMORY_UTILIZATION, &[], |cache| {
        cache.bytes() as f64 / cache.settings().cache_bytes.bytes() as f64
    });
    gauge(names::IN_DOUBT, &[], |cache| f64::from(u8::from(cache.doubts())));
}
