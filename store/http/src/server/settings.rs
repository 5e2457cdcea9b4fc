//! Settings of the front. Every wait and every buffer has its bound here or as a constant beside the code it bounds.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Settings of the HTTP front.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HttpSettings {
    /// How long a request may take before nobody waits for it. Default 10,000: SDKs give up after their own time anyway.
    pub request_timeout_millis: u64,
    /// How long a request's head may take from its first byte. Default 10,000.
    pub head_timeout_millis: u64,
    /// How long a request's body may take. Default 60,000: 16 MB at 270 KB/s.
    pub body_timeout_millis: u64,
    /// How long a connection may lie idle between requests. Default 120,000: longer than SDKs keep theirs, so that it is
    /// they who close.
    pub idle_timeout_millis: u64,
    /// How long a peer may take to take in an answer, all of it. Default 60,000: 16 MB at 270 KB/s.
    pub write_timeout_millis: u64,
    /// How long a TLS handshake may take. Default 10,000.
    pub tls_handshake_timeout_millis: u64,
    /// Requests in progress at a time, all connections together; more are throttled. Default 4,096.
    pub max_requests_in_flight: usize,
    /// Memory for bodies under way beyond each connection's own buffer, all connections together: requests that are not
    /// whole yet, answers that their peers have not taken in yet. More requests are throttled, and a peer that lets more
    /// answers wait is cut off. Default 256 MiB: sixteen of the largest requests.
    pub max_body_bytes_in_flight: usize,
    /// Answers of at least this size are compressed for clients that ask. Default 4,096, where DynamoDB begins.
    pub compress_from_bytes: usize,
}

impl Default for HttpSettings {
    fn default() -> Self {
        HttpSettings {
            request_timeout_millis: 10_000,
            head_timeout_millis: 10_000,
            body_timeout_millis: 60_000,
            idle_timeout_millis: 120_000,
            write_timeout_millis: 60_000,
            tls_handshake_timeout_millis: 10_000,
            max_requests_in_flight: 4096,
            max_body_bytes_in_flight: 256 << 20,
            compress_from_bytes: 4096,
        }
    }
}

macro_rules! durations {
    ($($name:ident, $millis:ident;)*) => {
        impl HttpSettings {
            $(pub(super) fn $name(&self) -> Duration { Duration::from_millis(self.$millis) })*
        }
    };
}

durations! {
    request_timeout, request_timeout_millis;
    head_timeout, head_timeout_millis;
    body_timeout, body_timeout_millis;
    idle_timeout, idle_timeout_millis;
    write_timeout, write_timeout_millis;
    tls_handshake_timeout, tls_handshake_timeout_millis;
}
