//! What one connection has agreed with its client: the version its reads may not fall behind, and its request ids.

use std::sync::atomic::{AtomicU64, Ordering};

use api::Version;
use parking_lot::Mutex;

/// State of a connection. Shared by the requests of an HTTP/2 connection, hence safe to share.
#[derive(Debug)]
pub struct ConnectionState {
    seed: u128,
    requests: AtomicU64,
    // Held for a few instructions and never across an await.
    seen: Mutex<Option<Version>>,
}

impl ConnectionState {
    /// A connection that has seen nothing. `seed` makes its request ids unique.
    pub fn new(seed: u128) -> Self {
        ConnectionState { seed, requests: AtomicU64::new(0), seen: Mutex::new(None) }
    }

    /// The highest version the connection was answered with.
    pub fn seen(&self) -> Option<Version> {
        *self.seen.lock()
    }

    /// Notes the version of an answer, and tells of a later one that the connection was given before it. One of another
    /// incarnation replaces what was known: history was cut, and nothing of the old one can be asked for any more.
    pub(super) fn saw(&self, version: Version) -> Option<Version> {
        let mut seen = self.seen.lock();
        let later = seen.filter(|seen| version.at_least(seen) == Some(false));
        if later.is_none() {
            *seen = Some(version);
        }
        later
    }

    /// The version to ask for: the client's token, or what the connection has seen if that is later.
    pub(super) fn floor(&self, asked: Option<Version>) -> Option<Version> {
        match (asked, self.seen()) {
            (Some(asked), Some(seen)) if seen.at_least(&asked) == Some(true) => Some(seen),
            (Some(asked), _) => Some(asked),
            (None, seen) => seen,
        }
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

    fn at(incarnation: u64, index: u64) -> Version {
        Version { incarnation, shard: 0, index }
    }

    #[test]
    fn the_floor_never_falls_within_an_incarnation() {
        let connection = ConnectionState::new(1);
        assert_eq!(connection.floor(None), None);
        assert_eq!(connection.saw(at(1, 9)), None);
        assert_eq!(connection.saw(at(1, 4)), Some(at(1, 9)));
        assert_eq!(connection.floor(None), Some(at(1, 9)));
        assert_eq!(connection.floor(Some(at(1, 5))), Some(at(1, 9)));
        assert_eq!(connection.floor(Some(at(1, 12))), Some(at(1, 12)));
    }

    #[test]
    fn another_incarnation_replaces_what_was_seen_but_a_clients_token_stands() {
        let connection = ConnectionState::new(1);
        connection.saw(at(1, 9));
        connection.saw(at(2, 1));
        assert_eq!(connection.floor(None), Some(at(2, 1)));
        assert_eq!(connection.floor(Some(at(1, 9))), Some(at(1, 9)));
    }

    #[test]
    fn request_ids_of_a_connection_differ() {
        let connection = ConnectionState::new(u128::MAX);
        let ids: std::collections::HashSet<u128> = (0..1000).map(|_| connection.next_request_id()).collect();
        assert_eq!(ids.len(), 1000);
    }
}
