//! The names of all metrics, in one place, with what DAX calls them.
//!
//! The scheme: `forebay_`, DAX's name in snake case where DAX has the metric, `_bytes`, `_seconds` or `_ratio` where there is a
//! unit, `_total` on counters. What DAX spreads over several metrics (GetItemRequestCount, PutItemRequestCount, …) is one
//! family with a label here. Labels used: `operation` (the API's own name, `GetItem`), `outcome`, `cache` (`item`, `query`),
//! `protocol` (`http`, `dax`, `grpc`), `signal`, `result`. A table's name is never a label: tables have no bound.
//!
//! Naming a family here registers nothing; whoever counts registers it.

use super::{Family, Kind};

/// Requests handled, by operation. With the label `operation` it is also DAX's per-operation count
/// (GetItemRequestCount and so on).
pub const TOTAL_REQUEST_COUNT: Family = Family {
    name: "forebay_total_request_count_total",
    dax: Some("TotalRequestCount"),
    help: "Requests handled, by operation. With the label `operation` it is also DAX's per-operation count (GetItemRequestCount and so on).",
};

/// Requests answered with an error that the caller caused, by operation.
pub const ERROR_REQUEST_COUNT: Family = Family {
    name: "forebay_error_request_count_total",
    dax: Some("ErrorRequestCount"),
    help: "Requests answered with an error that the caller caused, by operation.",
};

/// Requests answered with an error that the service caused, by operation.
pub const FAULT_REQUEST_COUNT: Family = Family {
    name: "forebay_fault_request_count_total",
    dax: Some("FaultRequestCount"),
    help: "Requests answered with an error that the service caused, by operation.",
};

/// Requests answered with any error, by operation.
pub const FAILED_REQUEST_COUNT: Family = Family {
    name: "forebay_failed_request_count_total",
    dax: Some("FailedRequestCount"),
    help: "Requests answered with any error, by operation.",
};

/// Requests refused because a bound was reached, by operation.
pub const THROTTLED_REQUEST_COUNT: Family = Family {
    name: "forebay_throttled_request_count_total",
    dax: Some("ThrottledRequestCount"),
    help: "Requests refused because a bound was reached, by operation.",
};

/// Requests passed on to the primary.
pub const FORWARDS: Family =
    Family { name: "forebay_forwards_total", dax: None, help: "Requests passed on to the primary." };

/// Attempts to reach the primary that found none, or one that is it no longer.
pub const FORWARDS_AGAIN: Family = Family {
    name: "forebay_forwards_again_total",
    dax: None,
    help: "Attempts to reach the primary that found none, or one that is it no longer.",
};

/// Writes acknowledged here before they were applied here.
pub const WRITES_OWED: Family = Family {
    name: "forebay_writes_owed_total",
    dax: None,
    help: "Writes acknowledged here before they were applied here.",
};

/// Writes of which this node could not tell the outcome.
pub const WRITES_DOUBTED: Family = Family {
    name: "forebay_writes_doubted_total",
    dax: None,
    help: "Writes of which this node could not tell the outcome.",
};

/// 1 while reads pass the cache by that may be of a write of unknown outcome, or of one whose log is not known here yet; else 0.
pub const IN_DOUBT: Family = Family {
    name: "forebay_in_doubt",
    dax: None,
    help: "1 while reads pass the cache by that may be of a write of unknown outcome, or of one whose log is not known here yet; else 0.",
};

/// 1 on the primary, 0 on a replica.
pub const IS_PRIMARY: Family =
    Family { name: "forebay_is_primary", dax: None, help: "1 on the primary, 0 on a replica." };

/// Times this node has learned of another primary.
pub const FAILOVERS: Family = Family {
    name: "forebay_failovers_total",
    dax: None,
    help: "Times this node has learned of another primary.",
};

/// How long ago this node certainly held all that was committed; -1 where that was never so.
pub const REPLICA_LAG_MILLIS: Family = Family {
    name: "forebay_replica_lag_milliseconds",
    dax: None,
    help: "How long ago this node certainly held all that was committed; -1 where that was never so.",
};

/// Versions that the primary had applied, when it was last asked, and this node had not.
pub const REPLICA_LAG_VERSIONS: Family = Family {
    name: "forebay_replica_lag_versions",
    dax: None,
    help: "Versions that the primary had applied, when it was last asked, and this node had not.",
};

/// How long a cached item may be served, of a table of which nothing else is said; 0 is for ever.
pub const RECORD_TTL_MILLIS: Family = Family {
    name: "forebay_record_ttl_milliseconds",
    dax: None,
    help: "How long a cached item may be served, of a table of which nothing else is said; 0 is for ever.",
};

/// How long a cached page may be served, of a table of which nothing else is said; 0 caches none.
pub const QUERY_TTL_MILLIS: Family = Family {
    name: "forebay_query_ttl_milliseconds",
    dax: None,
    help: "How long a cached page may be served, of a table of which nothing else is said; 0 caches none.",
};

/// Requests that came by a protocol, those of other nodes included.
pub const PROTOCOL_REQUESTS: Family = Family {
    name: "forebay_protocol_requests_total",
    dax: None,
    help: "Requests that came by a protocol, those of other nodes included.",
};

/// Connections of other nodes that were refused.
pub const PEERS_REFUSED: Family = Family {
    name: "forebay_peers_refused_total",
    dax: None,
    help: "Connections of other nodes that were refused.",
};

/// Items answered from the item cache, by operation.
pub const ITEM_CACHE_HITS: Family = Family {
    name: "forebay_item_cache_hits_total",
    dax: Some("ItemCacheHits"),
    help: "Items answered from the item cache, by operation.",
};

/// Items asked of the item cache and not found there, by operation.
pub const ITEM_CACHE_MISSES: Family = Family {
    name: "forebay_item_cache_misses_total",
    dax: Some("ItemCacheMisses"),
    help: "Items asked of the item cache and not found there, by operation.",
};

/// Query pages answered from the query cache.
pub const QUERY_CACHE_HITS: Family = Family {
    name: "forebay_query_cache_hits_total",
    dax: Some("QueryCacheHits"),
    help: "Query pages answered from the query cache.",
};

/// Query pages asked of the query cache and not found there.
pub const QUERY_CACHE_MISSES: Family = Family {
    name: "forebay_query_cache_misses_total",
    dax: Some("QueryCacheMisses"),
    help: "Query pages asked of the query cache and not found there.",
};

/// Scan pages answered from the query cache.
pub const SCAN_CACHE_HITS: Family = Family {
    name: "forebay_scan_cache_hits_total",
    dax: Some("ScanCacheHits"),
    help: "Scan pages answered from the query cache.",
};

/// Scan pages asked of the query cache and not found there.
pub const SCAN_CACHE_MISSES: Family = Family {
    name: "forebay_scan_cache_misses_total",
    dax: Some("ScanCacheMisses"),
    help: "Scan pages asked of the query cache and not found there.",
};

/// Bytes that left the caches to make room, by cache.
pub const EVICTED_SIZE: Family = Family {
    name: "forebay_evicted_size_bytes_total",
    dax: Some("EvictedSize"),
    help: "Bytes that left the caches to make room, by cache.",
};

/// Bytes held by the caches, by cache.
pub const ESTIMATED_DB_SIZE: Family = Family {
    name: "forebay_estimated_db_size_bytes",
    dax: Some("EstimatedDbSize"),
    help: "Bytes held by the caches, by cache.",
};

/// Share of `cache_bytes` in use, 0 to 1.
pub const CACHE_MEMORY_UTILIZATION: Family = Family {
    name: "forebay_cache_memory_utilization_ratio",
    dax: Some("CacheMemoryUtilization"),
    help: "Share of `cache_bytes` in use, 0 to 1.",
};

/// Open client connections, by protocol.
pub const CLIENT_CONNECTIONS: Family = Family {
    name: "forebay_client_connections",
    dax: Some("ClientConnections"),
    help: "Open client connections, by protocol.",
};

/// CPU time of the process, user and system, in seconds; its rate divided by the cores is the utilization.
pub const CPU_SECONDS: Family = Family {
    name: "forebay_process_cpu_seconds_total",
    dax: Some("CPUUtilization"),
    help: "CPU time of the process, user and system, in seconds; its rate divided by the cores is the utilization.",
};

/// Bytes read from clients, by protocol.
pub const NETWORK_BYTES_IN: Family = Family {
    name: "forebay_network_bytes_in_total",
    dax: Some("NetworkBytesIn"),
    help: "Bytes read from clients, by protocol.",
};

/// Bytes written to clients, by protocol.
pub const NETWORK_BYTES_OUT: Family = Family {
    name: "forebay_network_bytes_out_total",
    dax: Some("NetworkBytesOut"),
    help: "Bytes written to clients, by protocol.",
};

/// Cache hits whose answer was an absence, by cache.
pub const NEGATIVE_HITS: Family = Family {
    name: "forebay_negative_hits_total",
    dax: None,
    help: "Cache hits whose answer was an absence, by cache.",
};

/// Fills that were refused because a write overtook them, by cache.
pub const VOIDED_FILLS: Family = Family {
    name: "forebay_voided_fills_total",
    dax: None,
    help: "Fills that were refused because a write overtook them, by cache.",
};

/// Misses that waited for the same read of another request instead of reading, by cache.
pub const COALESCED_MISSES: Family = Family {
    name: "forebay_coalesced_misses_total",
    dax: None,
    help: "Misses that waited for the same read of another request instead of reading, by cache.",
};

/// Cached pages that a write may have changed, found so when asked for, read again and replaced.
pub const PAGES_VOIDED: Family = Family {
    name: "forebay_pages_voided_total",
    dax: None,
    help: "Cached pages that a write may have changed, found so when asked for, read again and replaced.",
};

/// Those of the voided pages that turned out the same.
pub const PAGES_VOIDED_UNCHANGED: Family = Family {
    name: "forebay_pages_voided_unchanged_total",
    dax: None,
    help: "Those of the voided pages that turned out the same.",
};

/// Entries held, by cache.
pub const CACHE_ENTRIES: Family =
    Family { name: "forebay_cache_entries", dax: None, help: "Entries held, by cache." };

/// Time from a decoded request to its answer, by operation and outcome, in seconds.
pub const REQUEST_SECONDS: Family = Family {
    name: "forebay_request_seconds",
    dax: None,
    help: "Time from a decoded request to its answer, by operation and outcome, in seconds.",
};

/// Age of what was served from memory, where it may be out of date, by cache, in seconds.
pub const SERVED_AGE_SECONDS: Family = Family {
    name: "forebay_served_age_seconds",
    dax: None,
    help: "Age of what was served from memory, where it may be out of date, by cache, in seconds.",
};

/// Connections closed at once because the bound on open connections was reached, by protocol.
pub const CONNECTIONS_REFUSED: Family = Family {
    name: "forebay_connections_refused_total",
    dax: None,
    help: "Connections closed at once because the bound on open connections was reached, by protocol.",
};

/// Failures to accept a connection, by protocol.
pub const ACCEPT_ERRORS: Family = Family {
    name: "forebay_accept_errors_total",
    dax: None,
    help: "Failures to accept a connection, by protocol.",
};

/// Requests that could not be decoded, by protocol.
pub const MALFORMED_FRAMES: Family = Family {
    name: "forebay_malformed_frames_total",
    dax: None,
    help: "Requests that could not be decoded, by protocol.",
};

/// Time from proposing a command to its applied result, in seconds.
pub const COMMIT_SECONDS: Family = Family {
    name: "forebay_commit_seconds",
    dax: None,
    help: "Time from proposing a command to its applied result, in seconds.",
};

/// Time of one synced write to the log, in seconds.
pub const LOG_SYNC_SECONDS: Family = Family {
    name: "forebay_log_sync_seconds",
    dax: None,
    help: "Time of one synced write to the log, in seconds.",
};

/// Log index that the state has reached.
pub const APPLIED_INDEX: Family =
    Family { name: "forebay_applied_index", dax: None, help: "Log index that the state has reached." };

/// Resident memory of the process, in bytes.
pub const RESIDENT_BYTES: Family = Family {
    name: "forebay_process_resident_bytes",
    dax: None,
    help: "Resident memory of the process, in bytes.",
};

/// Cores the process may use.
pub const CORES: Family =
    Family { name: "forebay_process_cores", dax: None, help: "Cores the process may use." };

/// Seconds since the process started.
pub const UPTIME_SECONDS: Family =
    Family { name: "forebay_process_uptime_seconds", dax: None, help: "Seconds since the process started." };

/// Exports to the OpenTelemetry endpoint, by signal and result.
pub const OTLP_EXPORTS: Family = Family {
    name: "forebay_otlp_exports_total",
    dax: None,
    help: "Exports to the OpenTelemetry endpoint, by signal and result.",
};

/// When the certificate of a section of the settings runs out, in seconds since 1970.
pub const CERTIFICATE_EXPIRY: Family = Family {
    name: "forebay_certificate_expiry_timestamp_seconds",
    dax: None,
    help: "When the certificate of a section of the settings runs out, in seconds since 1970.",
};

/// Every family above with its kind, for documentation and for tests of the scheme.
pub const ALL: &[(Family, Kind)] = &[
    (TOTAL_REQUEST_COUNT, Kind::Counter),
    (ERROR_REQUEST_COUNT, Kind::Counter),
    (FAULT_REQUEST_COUNT, Kind::Counter),
    (FAILED_REQUEST_COUNT, Kind::Counter),
    (THROTTLED_REQUEST_COUNT, Kind::Counter),
    (ITEM_CACHE_HITS, Kind::Counter),
    (ITEM_CACHE_MISSES, Kind::Counter),
    (QUERY_CACHE_HITS, Kind::Counter),
    (QUERY_CACHE_MISSES, Kind::Counter),
    (SCAN_CACHE_HITS, Kind::Counter),
    (SCAN_CACHE_MISSES, Kind::Counter),
    (EVICTED_SIZE, Kind::Counter),
    (ESTIMATED_DB_SIZE, Kind::Gauge),
    (CACHE_MEMORY_UTILIZATION, Kind::Gauge),
    (CLIENT_CONNECTIONS, Kind::Gauge),
    (CPU_SECONDS, Kind::Counter),
    (NETWORK_BYTES_IN, Kind::Counter),
    (NETWORK_BYTES_OUT, Kind::Counter),
    (NEGATIVE_HITS, Kind::Counter),
    (VOIDED_FILLS, Kind::Counter),
    (COALESCED_MISSES, Kind::Counter),
    (PAGES_VOIDED, Kind::Counter),
    (PAGES_VOIDED_UNCHANGED, Kind::Counter),
    (CACHE_ENTRIES, Kind::Gauge),
    (REQUEST_SECONDS, Kind::Histogram),
    (SERVED_AGE_SECONDS, Kind::Histogram),
    (CONNECTIONS_REFUSED, Kind::Counter),
    (ACCEPT_ERRORS, Kind::Counter),
    (MALFORMED_FRAMES, Kind::Counter),
    (COMMIT_SECONDS, Kind::Histogram),
    (LOG_SYNC_SECONDS, Kind::Histogram),
    (APPLIED_INDEX, Kind::Gauge),
    (RESIDENT_BYTES, Kind::Gauge),
    (CORES, Kind::Gauge),
    (UPTIME_SECONDS, Kind::Gauge),
    (OTLP_EXPORTS, Kind::Counter),
    (PROTOCOL_REQUESTS, Kind::Counter),
    (FORWARDS, Kind::Counter),
    (FORWARDS_AGAIN, Kind::Counter),
    (WRITES_OWED, Kind::Counter),
    (WRITES_DOUBTED, Kind::Counter),
    (IN_DOUBT, Kind::Gauge),
    (IS_PRIMARY, Kind::Gauge),
    (FAILOVERS, Kind::Counter),
    (REPLICA_LAG_MILLIS, Kind::Gauge),
    (RECORD_TTL_MILLIS, Kind::Gauge),
    (QUERY_TTL_MILLIS, Kind::Gauge),
    (REPLICA_LAG_VERSIONS, Kind::Gauge),
    (PEERS_REFUSED, Kind::Counter),
    (CERTIFICATE_EXPIRY, Kind::Gauge),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn snake(dax: &str) -> String {
        let letters: Vec<char> = dax.chars().collect();
        let mut out = String::new();
        for (at, letter) in letters.iter().enumerate() {
            let after_lower = at > 0 && !letters[at - 1].is_uppercase();
            let starts_word = at > 0 && letters.get(at + 1).is_some_and(|next| next.is_lowercase());
            if letter.is_uppercase() && (after_lower || starts_word) {
                out.push('_');
            }
            out.push(letter.to_ascii_lowercase());
        }
        out
    }

    #[test]
    fn names_follow_the_scheme() {
        for (family, kind) in ALL {
            let name = family.name;
            assert!(name.starts_with("forebay_"), "{name}");
            assert!(name.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{name}");
            assert_eq!(name.ends_with("_total"), *kind == Kind::Counter, "{name}");
            assert_eq!(
                name.ends_with("_seconds"),
                *kind == Kind::Histogram || name.contains("uptime") || name.contains("timestamp"),
                "{name}"
            );
            assert!(family.help.ends_with('.'), "{name}");
            // CPU is the exception: we count seconds, which lose nothing, where DAX shows a percentage.
            if let Some(dax) = family.dax.filter(|dax| *dax != "CPUUtilization") {
                assert!(name.starts_with(&format!("forebay_{}", snake(dax))), "{name} for {dax}");
            }
        }
    }

    #[test]
    fn no_name_is_used_twice() {
        let mut names: Vec<_> = ALL.iter().map(|(family, _)| family.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ALL.len());
    }
}
