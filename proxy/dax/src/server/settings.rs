//! Settings of the front. Every wait and every buffer has its bound here or as a constant beside the code it bounds.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Settings of the DAX front.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DaxSettings {
    /// How long a request may take before nobody waits for it. Default 10,000: clients wait 60 seconds.
    pub request_timeout_millis: u64,
    /// How long a request may take from its first byte to its last. Default 60,000: a client may leave a half-written one
    /// while it asks something else on another connection. There is no limit between requests: two clients never notice
    /// that a connection they keep was closed, and hang.
    pub frame_timeout_millis: u64,
    /// How long a new connection may take to begin as one of this wire. Default 30,000.
    pub preamble_timeout_millis: u64,
    /// How long a peer may take to take in all that is under way to it, however small the parts. Default 30,000.
    pub write_timeout_millis: u64,
    /// How long a stop waits for the next request of an idle connection whose client would hang if it were closed before:
    /// the clients for JavaScript. Default 6,000: they use each every 5 seconds. 0 closes at once. The node's drain ends it
    /// too.
    pub farewell_timeout_millis: u64,
    /// How long a TLS handshake may take. Default 10,000.
    pub tls_handshake_timeout_millis: u64,
    /// Requests in progress at a time, all connections together; more are throttled. Default 4,096.
    pub max_requests_in_flight: usize,
    /// Memory for requests that arrive, beyond each connection's own buffer, and for answers that their peers do not take in
    /// at once, all connections together; past it requests are throttled, and connections with such answers closed.
    /// Default 256 MiB: sixteen of the largest requests.
    pub max_frame_bytes_in_flight: usize,
}

impl Default for DaxSettings {
    fn default() -> DaxSettings {
        DaxSettings {
            request_timeout_millis: 10_000,
            frame_timeout_millis: 60_000,
            preamble_timeout_millis: 30_000,
            write_timeout_millis: 30_000,
            farewell_timeout_millis: 6_000,
            tls_handshake_timeout_millis: 10_000,
            max_requests_in_flight: 4096,
            max_frame_bytes_in_flight: 256 << 20,
        }
    }
}

macro_rules! durations {
    ($($name:ident, $millis:ident;)*) => {
        impl DaxSettings {
            $(pub(super) const fn $name(&self) -> Duration { Duration::from_millis(self.$millis) })*
        }
    };
}

durations! {
    request_timeout, request_timeout_millis;
    frame_timeout, frame_timeout_millis;
    preamble_timeout, preamble_timeout_millis;
    write_timeout, write_timeout_millis;
    farewell_timeout, farewell_timeout_millis;
    tls_handshake_timeout, tls_handshake_timeout_millis;
}
