//! What one connection has agreed with its client: the version its reads may not fall behind, and its request ids.

use std::sync::atomic::{AtomicU64, Ordering};

use api::{Floor, Version};
use parking_lot::Mutex;

/// State of a connection. Shared by the requests of an HTTP/2 connection, hence safe to share.
#[derive(Debug)]
pub struct ConnectionState {
    seed: u128,
    requests: AtomicU64,
    // Held for a few instructions and never across an await.
    floor: Mutex<Floor>,
}

impl ConnectionState {
    /// A connection that has seen nothing. `seed` makes its request ids unique.
    pub fn new(seed: u128) -> Self {
        ConnectionState { seed, requests: AtomicU64::new(0), floor: Mutex::default() }
    }

    /// Notes the version of an answer, and tells of a later one that was given before it, as [`Floor::saw`].
    pub(super) fn saw(&self, version: Version) -> Option<Version> {
        self.floor.lock().saw(version)
    }

    /// The version to ask for, over the client's token.
    pub(super) fn floor(&self, asked: Option<Version>) -> Option<Version> {
        self.floor.lock().over(asked)
    }

    /// An id for the next request.
    pub(super) fn next_request_id(&self) -> u128 {
        let number = self.requests.fetch_add(1, Ordering::Relaxed);
        // An odd multiplier is a bijection on 128 bits: no two requests of a connection share an id, and neighbours look
        // nothing alike in a log.
        self.seed
            .wrapping_add(u128::from(number) << 64 | u128::from(number))
            .wrapping_mul(0xda94_2042_e4dd_58b5_a054_6a2b_9c1f_3a7d)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_ids_of_a_connection_differ() {
        let connection = ConnectionState::new(u128::MAX);
        let ids: std::collections::HashSet<u128> = (0..1000).map(|_| connection.next_request_id()).collect();
        assert_eq!(ids.len(), 1000);
    }
}
