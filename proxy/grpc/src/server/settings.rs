//! Settings of the front. Every wait and every buffer has its bound here or as a constant beside the code it bounds.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Settings of the gRPC front.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GrpcSettings {
    /// How long a request may take before nobody waits for it; a caller's own timeout may be shorter. Default 10,000.
    pub request_timeout_millis: u64,
    /// How long a request's message may take to arrive. Default 60,000: 16 MB at 270 KB/s.
    pub body_timeout_millis: u64,
    /// How long a peer may take to take in an answer, all of it. Default 60,000: 16 MB at 270 KB/s.
    pub write_timeout_millis: u64,
    /// How long a TLS handshake may take. Default 10,000.
    pub tls_handshake_timeout_millis: u64,
    /// Calls under way on one connection; a client waits to begin more. Default 128.
    pub max_concurrent_calls: u32,
    /// Requests in progress at a time, all connections together; more are throttled. Default 4,096.
    pub max_requests_in_flight: usize,
    /// Memory for messages under way, all connections together: requests that are not whole yet, answers that their peers have
    /// not taken in yet. More requests are throttled. Default 256 MiB: sixteen of the largest requests.
    pub max_message_bytes_in_flight: usize,
}

impl Default for GrpcSettings {
    fn default() -> Self {
        GrpcSettings {
            request_timeout_millis: 10_000,
            body_timeout_millis: 60_000,
            write_timeout_millis: 60_000,
            tls_handshake_timeout_millis: 10_000,
            max_concurrent_calls: 128,
            max_requests_in_flight: 4096,
            max_message_bytes_in_flight: 256 << 20,
        }
    }
}

macro_rules! durations {
    ($($name:ident, $millis:ident;)*) => {
        impl GrpcSettings {
            $(pub(super) fn $name(&self) -> Duration { Duration::from_millis(self.$millis) })*
        }
    };
}

durations! {
    request_timeout, request_timeout_millis;
    body_timeout, body_timeout_millis;
    write_timeout, write_timeout_millis;
    tls_handshake_timeout, tls_handshake_timeout_millis;
}
