//! Peers that break a wire: each time counted, and logged once a minute for each peer.
//!
//! A peer is an address without its port, since whoever is cut off comes again from another port. Bounded: of more
//! peers in one minute than are kept, the rest is counted and not logged.

use std::collections::HashMap;
use std::fmt::Display;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use host::clock::Clock;
use host::metrics::Counter;
use parking_lot::Mutex;

/// The silence after a line about a peer.
const SILENCE: Duration = Duration::from_secs(60);
/// Peers whose silence is kept.
const PEERS: usize = 1024;

/// Counts and logs.
pub struct Complaints {
    protocol: &'static str,
    counted: Counter,
    clock: Arc<dyn Clock>,
    // Held for a look and an insertion, once a connection that ends by it.
    peers: Mutex<HashMap<IpAddr, Told>>,
}

/// When a peer was told of last, and how often it was not since.
struct Told {
    at_nanos: u64,
    untold: u64,
}

impl Complaints {
    /// About peers of a protocol.
    pub fn new(protocol: &'static str, counted: Counter, clock: Arc<dyn Clock>) -> Complaints {
        Complaints { protocol, counted, clock, peers: Mutex::default() }
    }

    /// How many complaints about this peer a line is due for, this one among them; `None` where none is.
    fn due(&self, peer: IpAddr) -> Option<u64> {
        let now = self.clock.monotonic_nanos();
        let silent = |told: &Told| now.saturating_sub(told.at_nanos) < SILENCE.as_nanos() as u64;
        let mut peers = self.peers.lock();
        if let Some(told) = peers.get_mut(&peer) {
            if silent(told) {
                told.untold += 1;
                return None;
            }
            let count = told.untold + 1;
            *told = Told { at_nanos: now, untold: 0 };
            return Some(count);
        }
        if peers.len() >= PEERS {
            peers.retain(|_, told| silent(told));
        }
        if peers.len() >= PEERS {
            return None;
        }
        peers.insert(peer, Told { at_nanos: now, untold: 0 });
        Some(1)
    }
}

impl Complaints {
    /// A peer was refused, for a reason that says what to do.
    pub fn about(&self, peer: IpAddr, why: &dyn Display) {
        self.counted.increment();
        if let Some(count) = self.due(peer.to_canonical()) {
            tracing::warn!(protocol = self.protocol, %peer, connections = count, "a connection was refused: {why}");
        }
    }
}

impl dax::server::Complaints for Complaints {
    fn malformed(&self, peer: SocketAddr, what: &dyn Display) {
        self.counted.increment();
        if let Some(count) = self.due(peer.ip().to_canonical()) {
            tracing::warn!(
                protocol = self.protocol,
                %peer,
                connections = count,
                "what a client sent is not of this protocol, and its connection was closed: {what}"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use dax::server::Complaints as _;
    use host::clock::ManualClock;
    use host::metrics::{Registry, names};

    use super::*;

    fn complaints(clock: &ManualClock) -> Complaints {
        let counted = Registry::new().counter(names::MALFORMED_FRAMES, &[("protocol", "test")]);
        Complaints::new("test", counted, Arc::new(clock.clone()))
    }

    #[test]
    fn a_peer_is_told_of_once_a_minute_and_always_counted() {
        let clock = ManualClock::default();
        let complaints = complaints(&clock);
        let (one, other) = (IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2]));
        assert_eq!((complaints.due(one), complaints.due(one)), (Some(1), None));
        assert_eq!(complaints.due(other), Some(1));
        clock.advance(SILENCE - Duration::from_nanos(1));
        assert_eq!(complaints.due(one), None);
        clock.advance(Duration::from_nanos(1));
        assert_eq!((complaints.due(one), complaints.due(one)), (Some(3), None));
        for port in 1..=3 {
            complaints.malformed(SocketAddr::new(one, port), &"noise");
        }
        assert_eq!(complaints.counted.value(), 3);
    }

    #[test]
    fn the_peers_kept_have_a_bound_and_make_room_with_time() {
        let clock = ManualClock::default();
        let complaints = complaints(&clock);
        let peer = |number: usize| IpAddr::from((number as u128).to_be_bytes());
        let told = (0..2 * PEERS).filter(|number| complaints.due(peer(*number)).is_some()).count();
        assert_eq!((told, complaints.peers.lock().len()), (PEERS, PEERS));
        clock.advance(SILENCE);
        assert_eq!(complaints.due(peer(2 * PEERS)), Some(1));
    }
}
