//! What one connection of a client has agreed with it: the version its reads may not fall behind, and its request ids; of a peer,
//! whom it last spoke for.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use api::service::Caller;
use api::{Floor, Version};
use parking_lot::Mutex;

/// State of a connection, shared by its calls.
#[derive(Debug)]
pub(super) struct Connection {
    seed: u128,
    requests: AtomicU64,
    // Both are held for a few instructions and never across an await.
    floor: Mutex<Floor>,
    caller: Mutex<Arc<Caller>>,
}

impl Connection {
    /// A connection that has seen nothing. `seed` makes its request ids unique.
    pub(super) fn new(seed: u128) -> Connection {
        Connection { seed, requests: AtomicU64::new(0), floor: Mutex::default(), caller: Mutex::default() }
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

    /// The caller of that key. Peers speak for few at a time, so the last one is kept.
    pub(super) fn caller(&self, access_key: &str) -> Arc<Caller> {
        let mut caller = self.caller.lock();
        if caller.access_key != access_key {
            *caller = Arc::new(Caller { access_key: access_key.to_owned() });
        }
        Arc::clone(&caller)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_ids_of_a_connection_differ() {
        let connection = Connection::new(u128::MAX);
        let ids: std::collections::HashSet<u128> = (0..1000).map(|_| connection.next_request_id()).collect();
        assert_eq!(ids.len(), 1000);
    }
}
