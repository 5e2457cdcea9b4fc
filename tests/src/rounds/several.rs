//! Rounds of a cluster, which faults happen to in the middle.

use std::time::Duration;

use history::operation::Protocol;
use history::session::Rules;
use history::verdict::Judging;
use history::workload::Shape;

use super::Round;
use crate::cluster::Cluster;
use crate::dialling::Place;
use crate::directory::Directory;
use crate::fault::Fault;
use crate::outside::Language;
use crate::players::{Client, Play, Players, table};
use crate::random::Random;

/// Of every node, one client of each.
const PROTOCOLS: [Protocol; 3] = [Protocol::Http, Protocol::Dax, Protocol::Grpc];
/// Operations of a client: what bounds a round where a fault takes long.
const OPERATIONS_MAX: u64 = 20_000;
/// Between an answer and the next operation: on two cores the nodes need some of the time too.
const PAUSE: Duration = Duration::from_millis(4);
/// Before the first fault and after each.
const CALM: Duration = Duration::from_millis(1_500);

/// What a round is made of.
#[derive(Debug, Clone, Copy)]
pub struct Storm<'a> {
    /// Decides what clients ask, and whom faults hit.
    pub seed: u64,
    /// What happens, one after the other.
    pub faults: &'a [Fault],
    /// Clients besides those of every node.
    pub outside: &'a [Language],
    /// What the cluster promises beyond the default.
    pub rules: Rules,
}

/// Plays a round on a table of its own. The cluster goes on.
pub fn round(cluster: &mut Cluster, storm: Storm<'_>) -> Round {
    let Storm { seed, faults, outside, rules } = storm;
    let directory = Directory::new("history");
    let record = directory.path().join("record.jsonl");
    let name = format!("history-{seed}");
    let mut random = Random::new(seed);
    cluster.wait_until_whole();
    cluster.node(seed as usize % cluster.count()).create_table(&table(&name));
    let client = |at: usize, protocol: Protocol| {
        let node = cluster.node(at);
        let address = match protocol {
            Protocol::Http => node.http,
            Protocol::Dax => node.dax.expect("it listens"),
            Protocol::Grpc => node.grpc,
        };
        Client { node: at as u32, protocol, place: Place::new(address) }
    };
    let play = Play { shape: Shape::default(), seed, operations_max: OPERATIONS_MAX, pause: PAUSE };
    let mut players = Players::new(&record, &name, play);
    for protocol in PROTOCOLS {
        (0..cluster.count()).for_each(|at| players.start(&client(at, protocol)));
    }
    for language in outside {
        let seed = client(random.below(cluster.count() as u64) as usize, Protocol::Dax).place;
        players.start_outside(*language, &format!("dax://{}", seed.address()));
    }
    let last: Vec<Client> = (0..cluster.count()).map(|at| client(at, Protocol::Http)).collect();
    std::thread::sleep(CALM);
    for fault in faults {
        fault.strike(cluster, &mut random);
        std::thread::sleep(CALM);
    }
    let finished = players.finish(&last);
    Round::of(&record, seed, finished, Judging { rules, ..Judging::default() })
}
