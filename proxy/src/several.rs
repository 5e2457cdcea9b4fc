//! Several nodes of one cluster in this process, for development: on 127.0.0.1, 127.0.0.2 and so on, in zones a, b, c.
//!
//! They speak to each other over sockets, as nodes of a real set do, with a secret that is drawn at each start. Deliberately no
//! stand-in for a real set: they share a process, so they fail together, and all of them vote, however many they are.

use std::net::{IpAddr, Ipv4Addr};

use host::settings::HumanDuration;
use peer::Membership;
use ring::rand::{SecureRandom, SystemRandom};

use crate::cluster::node::Plan;
use crate::cluster::settings::{ClusterSettings, NODES_MAX};
use crate::cluster::visibility::WriteVisibility;
use crate::config::Config;
use crate::run::Failure;

/// Bytes of the secret.
const SECRET_BYTES: usize = 32;

/// The configs of so many nodes, from that of the first. Errors: too few or too many; ports that are to be picked.
pub fn plan(
    first: &Config,
    nodes: usize,
    write_visibility: WriteVisibility,
) -> Result<Vec<(Config, Plan)>, Failure> {
    if !(2..=NODES_MAX).contains(&nodes) {
        return Err(Failure::Usage(format!("--nodes is {nodes}; it must be 1 to {NODES_MAX}")));
    }
    if first.listen.peer_port == 0 {
        return Err(Failure::Usage(
            "--nodes needs a [listen] peer_port that is not 0: the nodes have to know it".into(),
        ));
    }
    let mut secret = [0; SECRET_BYTES];
    SystemRandom::new()
        .fill(&mut secret)
        .map_err(|_| Failure::Internal("no randomness for a secret".into()))?;
    // As text, since what looks like white space at an end would be taken off.
    let secret: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    let membership = Membership::new("forebay-dev", secret.as_bytes()).map_err(Failure::internal)?;
    let configs: Vec<Config> = (0..nodes).map(|at| config(first, at, nodes)).collect();
    let addresses = configs.iter().map(Config::peer_address).collect::<Result<Vec<_>, _>>()?;
    let settings = ClusterSettings {
        nodes: addresses,
        secret_file: "(drawn at the start)".into(),
        name: membership.group().to_owned(),
        max_replica_lag: HumanDuration::from_secs(10),
        log_kept: host::settings::ByteSize::gib(1),
        write_visibility,
        tls: None,
    };
    configs
        .into_iter()
        .map(|config| {
            let plan = Plan::of_one_process(&config, settings.clone(), membership.clone())?;
            Ok((config, plan))
        })
        .collect()
}

fn config(first: &Config, at: usize, nodes: usize) -> Config {
    let mut config = first.clone();
    let host = u8::try_from(at + 1).expect("there are eleven at most");
    let address = IpAddr::V4(Ipv4Addr::new(127, 0, 0, host));
    config.listen.address = address;
    config.listen.admin_address = address;
    config.node.name = format!("forebay-{host}");
    config.node.zone = char::from(b'a' + host - 1).to_string();
    if config.node.threads == 0 {
        let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
        config.node.threads = (cores / nodes).max(1);
    }
    if !config.store.in_memory {
        config.store.data = first.store.data.join(format!("node-{host}"));
    }
    config
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_differ_in_address_zone_and_directory_and_in_nothing_else_that_clients_see() {
        let plans = plan(&Config::default(), 3, WriteVisibility::Node).unwrap();
        let seen: Vec<_> = plans
            .iter()
            .map(|(config, plan)| {
                (config.listen.http().to_string(), plan.address.clone(), config.node.zone.clone())
            })
            .collect();
        let of = |host: u8, zone: &str| {
            (format!("127.0.0.{host}:8000"), format!("127.0.0.{host}:8501"), zone.to_owned())
        };
        assert_eq!(seen, [of(1, "a"), of(2, "b"), of(3, "c")]);
        let data: std::collections::BTreeSet<_> =
            plans.iter().map(|(config, _)| &config.store.data).collect();
        assert_eq!(data.len(), 3);
        for nodes in [0, 12] {
            assert!(plan(&Config::default(), nodes, WriteVisibility::Node).is_err(), "{nodes}");
        }
    }
}
