//! The nodes that DAX clients are told of: all members that say where they are, with their roles.
//!
//! Made anew for whoever asks, from what the group knows at that moment, without those that are not [there](super::presence). A
//! node that is about to stop says so first and is told of no more.

use std::sync::Arc;

use dax::codec::handshake::{Endpoint, Role};
use dax::server::{Nodes, Reached, Transport};
use store::Embedded;

use super::about::About;
use super::presence::Presence;

/// The roster of a node of a cluster.
pub struct Roster {
    store: Arc<Embedded>,
    presence: Arc<Presence>,
    own: About,
}

impl Roster {
    /// As a node's log knows it. `own` is what the node says of itself, told until the group knows it.
    pub fn new(store: Arc<Embedded>, presence: Arc<Presence>, own: About) -> Roster {
        Roster { store, presence, own }
    }
}

impl Nodes for Roster {
    fn endpoints(&self, reached: Reached) -> Vec<Endpoint> {
        let log = self.store.log();
        let present = self.presence.now(&self.store);
        let told = Told { own: log.node_id(), primary: present.primary, reached };
        let members = Arc::clone(&log.membership().borrow());
        let mut endpoints: Vec<Endpoint> = members
            .iter()
            .filter(|(node, _)| !present.silent.contains(node))
            .filter_map(|(node, member)| {
                let about = match About::read(&member.about) {
                    Some(about) => about,
                    None if node == log.node_id() => self.own.clone(),
                    None => return None,
                };
                told.endpoint(node, &about)
            })
            .collect();
        // The primary first: clients that look no further than one find it.
        endpoints.sort_by_key(|endpoint| (endpoint.role != Role::Leader, endpoint.node));
        endpoints
    }
}

/// What an endpoint is made with.
struct Told {
    own: u64,
    /// With its term.
    primary: Option<(u64, u64)>,
    reached: Reached,
}

impl Told {
    fn endpoint(&self, node: u64, about: &About) -> Option<Endpoint> {
        let own = node == self.own;
        if about.stopping {
            return None;
        }
        let port = match self.reached.transport {
            Transport::Plain => about.dax_port,
            Transport::Tls => about.dax_tls_port,
        };
        // Who got here gets here again.
        let address = about.address.or_else(|| own.then(|| self.reached.local.ip().to_canonical()))?;
        let port = port.or_else(|| own.then(|| self.reached.local.port()))?;
        Some(Endpoint {
            node: i64::try_from(node).ok()?,
            host: about.name.clone(),
            address,
            port,
            role: if self.primary.is_some_and(|(primary, _)| primary == node) {
                Role::Leader
            } else {
                Role::Replica
            },
            zone: about.zone.clone(),
            // The term: another one means another session, though the same node leads again.
            leader_session: self.primary.and_then(|(_, term)| i64::try_from(term).ok()).unwrap_or(0),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_told_of_nodes_that_say_where_they_are_on_its_own_transport() {
        let about = About {
            name: "b".into(),
            zone: "z".into(),
            address: "10.0.0.2".parse().ok(),
            dax_port: Some(8111),
            ..About::default()
        };
        let local = "10.0.0.1:8111".parse().unwrap();
        let peer = "10.0.0.9:5000".parse().unwrap();
        let told = |transport, primary| Told { own: 1, primary, reached: Reached { local, peer, transport } };
        let plain = told(Transport::Plain, Some((2, 7))).endpoint(2, &about).unwrap();
        assert_eq!(
            (plain.address.to_string().as_str(), plain.port, plain.role, plain.leader_session),
            ("10.0.0.2", 8111, Role::Leader, 7)
        );
        assert_eq!(told(Transport::Plain, Some((1, 7))).endpoint(2, &about).unwrap().role, Role::Replica);
        assert_eq!(told(Transport::Tls, None).endpoint(2, &about), None);
        let stopping = About { stopping: true, ..about.clone() };
        assert_eq!(told(Transport::Plain, None).endpoint(2, &stopping), None);
        // Itself it knows by how it was reached.
        let own = told(Transport::Plain, None).endpoint(1, &About::default()).unwrap();
        assert_eq!((own.address.to_string().as_str(), own.port), ("10.0.0.1", 8111));
        assert_eq!(told(Transport::Plain, None).endpoint(3, &About::default()), None);
    }
}
