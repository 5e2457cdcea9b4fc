//! Ports for nodes that are told which they have: the same on each of their addresses, and over restarts.

use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering};

/// Where free ports are looked for: below those that the system gives to whoever connects.
const PORTS: std::ops::Range<u16> = 15_000..30_000;
/// Ports of a node, those of its relay included.
const PORTS_OF_A_NODE: u16 = 6;

/// The ports of every node.
#[derive(Debug, Clone, Copy)]
pub struct Ports {
    first: u16,
}

impl Ports {
    /// Ports that are free at all these addresses, and that nobody else is likely to take before the nodes do.
    pub fn free(count: usize) -> Ports {
        static NEXT: AtomicU16 = AtomicU16::new(0);
        let room = (PORTS.end - PORTS.start) / PORTS_OF_A_NODE;
        let begin = (std::process::id() % u32::from(room)) as u16;
        for _ in 0..room {
            let turn = (begin + NEXT.fetch_add(1, Ordering::Relaxed)) % room;
            let first = PORTS.start + turn * PORTS_OF_A_NODE;
            let is_free = |at: usize| {
                (first..first + PORTS_OF_A_NODE).all(|port| TcpListener::bind((loopback(at), port)).is_ok())
            };
            if (0..count).all(is_free) {
                return Ports { first };
            }
        }
        panic!("there are no free ports");
    }

    /// Those of nodes in network namespaces, where nobody else takes any.
    pub fn all_to_itself() -> Ports {
        Ports { first: PORTS.start }
    }

    /// Where DynamoDB's API is served.
    pub fn http(self) -> u16 {
        self.first
    }

    /// Where DAX is.
    pub fn dax(self) -> u16 {
        self.first + 1
    }

    /// Where gRPC is.
    pub fn grpc(self) -> u16 {
        self.first + 2
    }

    /// Where health and metrics are.
    pub fn admin(self) -> u16 {
        self.first + 3
    }

    /// Where a node hears the others.
    pub fn peer(self) -> u16 {
        self.first + 4
    }

    /// Where the others believe it does, where there is a relay.
    pub fn relay(self) -> u16 {
        self.first + 5
    }
}

/// The address of a node that has no network of its own.
pub fn loopback(at: usize) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(127, 0, 0, at as u8 + 1))
}
