//! The roster of a node that stands alone.

use dax::codec::handshake::{Endpoint, Role};
use dax::server::{Nodes, Reached};

/// Itself, as leader, under the address and port by which the client reached it: a client that got here gets here again.
#[derive(Debug, Clone)]
pub struct OneNode {
    /// Name of the node.
    pub name: String,
    /// Its availability zone.
    pub zone: String,
    /// Drawn anew with every start, since whoever leads from then on is another process.
    pub leader_session: i64,
}

/// The number of the only node.
const NODE: i64 = 1;

impl Nodes for OneNode {
    fn endpoints(&self, reached: Reached) -> Vec<Endpoint> {
        vec![Endpoint {
            node: NODE,
            host: self.name.clone(),
            // A socket that listens for both families shows a client of the older one under an address of the newer, which
            // such a client can't connect to.
            address: reached.local.ip().to_canonical(),
            port: reached.local.port(),
            role: Role::Leader,
            zone: self.zone.clone(),
            leader_session: self.leader_session,
        }]
    }
}

#[cfg(test)]
mod tests {
    use dax::server::Transport;

    use super::*;

    #[test]
    fn a_client_is_told_the_address_it_reached_in_its_own_family() {
        let node = OneNode { name: "n".into(), zone: "z".into(), leader_session: 7 };
        for (local, address) in [
            ("10.0.0.7:8111", "10.0.0.7"),
            ("[::ffff:10.0.0.7]:8111", "10.0.0.7"),
            ("[fd00::7]:8111", "fd00::7"),
        ] {
            let reached = Reached { local: local.parse().unwrap(), transport: Transport::Plain };
            let [told] = &node.endpoints(reached)[..] else { panic!("one node") };
            assert_eq!((told.address, told.port), (address.parse().unwrap(), 8111));
            assert_eq!((told.role, told.leader_session), (Role::Leader, 7));
        }
    }
}
