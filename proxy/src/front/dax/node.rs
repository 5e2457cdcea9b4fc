//! The roster of a node that stands alone.

use dax::codec::handshake::{Endpoint, Role};
use dax::server::{Nodes, Reached, Transport};

use crate::config::AdvertiseSettings;

/// Itself, as leader, under the address and port by which the client reached it, since a client that got here gets here again;
/// or under those that the settings name.
#[derive(Debug, Clone)]
pub struct OneNode {
    /// Name of the node.
    pub name: String,
    /// Its availability zone.
    pub zone: String,
    /// What clients are told instead.
    pub advertise: AdvertiseSettings,
    /// Drawn anew with every start, since whoever leads from then on is another process.
    pub leader_session: i64,
}

/// The number of the only node.
const NODE: i64 = 1;

impl Nodes for OneNode {
    fn endpoints(&self, reached: Reached) -> Vec<Endpoint> {
        let port = match reached.transport {
            Transport::Plain => self.advertise.dax_port,
            Transport::Tls => self.advertise.dax_tls_port,
        };
        vec![Endpoint {
            node: NODE,
            host: self.name.clone(),
            // A socket that listens for both families shows a client of the older one under an address of the newer, which
            // such a client can't connect to.
            address: self.advertise.address.unwrap_or_else(|| reached.local.ip().to_canonical()),
            port: port.unwrap_or_else(|| reached.local.port()),
            role: Role::Leader,
            zone: self.zone.clone(),
            leader_session: self.leader_session,
        }]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(advertise: &AdvertiseSettings, local: &str, transport: Transport) -> String {
        let node =
            OneNode { name: "n".into(), zone: "z".into(), advertise: advertise.clone(), leader_session: 7 };
        let peer = "10.0.0.8:50000".parse().unwrap();
        let [told] = &node.endpoints(Reached { local: local.parse().unwrap(), peer, transport })[..] else {
            panic!("one node")
        };
        assert_eq!((told.role, told.leader_session), (Role::Leader, 7));
        std::net::SocketAddr::new(told.address, told.port).to_string()
    }

    #[test]
    fn a_client_is_told_the_address_it_reached_in_its_own_family() {
        let told = |local| told(&AdvertiseSettings::default(), local, Transport::Plain);
        assert_eq!(told("10.0.0.7:8111"), "10.0.0.7:8111");
        assert_eq!(told("[::ffff:10.0.0.7]:8111"), "10.0.0.7:8111");
        assert_eq!(told("[fd00::7]:8111"), "[fd00::7]:8111");
    }

    #[test]
    fn what_is_advertised_is_told_instead() {
        let all = AdvertiseSettings {
            address: Some("192.0.2.1".parse().unwrap()),
            dax_port: Some(18111),
            dax_tls_port: Some(19111),
            ..AdvertiseSettings::default()
        };
        assert_eq!(told(&all, "10.0.0.7:8111", Transport::Plain), "192.0.2.1:18111");
        assert_eq!(told(&all, "10.0.0.7:9111", Transport::Tls), "192.0.2.1:19111");
        let address = AdvertiseSettings { address: all.address, ..AdvertiseSettings::default() };
        assert_eq!(told(&address, "10.0.0.7:9111", Transport::Tls), "192.0.2.1:9111");
    }
}
