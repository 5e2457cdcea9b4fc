//! What one connection of a client has agreed with it: the version its reads may not fall behind, and its request ids; of a peer,
//! whom it last spoke for.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use api::Version;
use api::service::Caller;
use parking_lot::Mutex;

/// State of a connection, shared by its calls.
#[derive(Debug)]
pub(super) struct Connection {
    seed: u128,
    requests: AtomicU64,
    // Both are held for a few instructions and never across an await.
    seen: Mutex<Option<Version>>,
    caller: Mutex<Arc<Caller>>,
}

impl Connection {
    /// A connection that has seen nothing. `seed` makes its request ids unique.
    pub(super) fn new(seed: u128) -> Connection {
        Connection { seed, requests: AtomicU64::new(0), seen: Mutex::default(), caller: Mutex::default() }
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
        match (asked, *self.seen.lock()) {
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
    fn the_floor_never_falls_within_an_incarnation_and_a_clients_token_stands() {
        let at = |incarnation, index| Version { incarnation, shard: 0, index };
        let connection = Connection::new(1);
        assert_eq!(connection.floor(None), None);
        assert_eq!(connection.saw(at(1, 9)), None);
        assert_eq!(connection.saw(at(1, 4)), Some(at(1, 9)));
        assert_eq!(connection.floor(Some(at(1, 5))), Some(at(1, 9)));
        assert_eq!(connection.floor(Some(at(1, 12))), Some(at(1, 12)));
        connection.saw(at(2, 1));
        assert_eq!(connection.floor(None), Some(at(2, 1)));
    }

    #[test]
    fn request_ids_of_a_connection_differ() {
        let connection = Connection::new(u128::MAX);
        let ids: std::collections::HashSet<u128> = (0..1000).map(|_| connection.next_request_id()).collect();
        assert_eq!(ids.len(), 1000);
    }
}
