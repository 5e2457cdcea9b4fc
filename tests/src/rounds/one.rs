//! Rounds of one node, killed and started again in the middle.

use std::time::Duration;

use history::operation::Protocol;
use history::verdict::Judging;
use history::workload::Shape;

use super::Round;
use crate::dialling::Place;
use crate::directory::Directory;
use crate::node::Node;
use crate::players::{Client, Play, Players, table};
use crate::random::Random;

/// The clients.
const CLIENTS: [Protocol; 8] = {
    use Protocol::{Dax, Grpc, Http};
    [Http, Http, Http, Dax, Dax, Dax, Grpc, Grpc]
};
/// Operations of a client: what bounds a round where the machine is fast.
const OPERATIONS_MAX: u64 = 4_000;
/// The table.
const TABLE: &str = "history";

/// Plays for `lasting`, with `kills` in it, on a node with these arguments besides. The seed decides what each client asks and
/// when the node is killed.
pub fn round(seed: u64, lasting: Duration, kills: u32, arguments: &[&str]) -> Round {
    let directory = Directory::new("history");
    let data = directory.path().join("data");
    let record = directory.path().join("record.jsonl");
    std::fs::create_dir(&data).expect("a directory for temporary files");
    let mut random = Random::new(seed);
    let start = || {
        let data = data.to_str().expect("temporary paths are text");
        Node::dev(&[&["--data", data][..], arguments].concat())
    };
    let mut node = start();
    node.create_table(&table(TABLE));
    let places = |node: &Node| [node.http, node.dax.expect("it listens"), node.grpc];
    let [http, dax, grpc] = places(&node).map(Place::new);
    let client = |protocol| {
        let place = match protocol {
            Protocol::Http => &http,
            Protocol::Dax => &dax,
            Protocol::Grpc => &grpc,
        };
        Client { node: 0, protocol, place: place.clone() }
    };
    let play = Play { shape: Shape::default(), seed, operations_max: OPERATIONS_MAX, pause: Duration::ZERO };
    let mut players = Players::new(&record, TABLE, play);
    CLIENTS.into_iter().for_each(|protocol| players.start(&client(protocol)));
    let share = lasting / (kills + 1);
    for _ in 0..kills {
        let jitter = random.below(1 + share.as_millis() as u64 / 4);
        std::thread::sleep(share.mul_f64(0.75) + Duration::from_millis(jitter));
        node.kill();
        node = start();
        [&http, &dax, &grpc].into_iter().zip(places(&node)).for_each(|(place, address)| place.moved(address));
    }
    std::thread::sleep(share);
    let finished = players.finish(&[client(Protocol::Http)]);
    assert!(node.stop().success(), "the node stops well");
    Round::of(&record, seed, finished, Judging::default())
}
