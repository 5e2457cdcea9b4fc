//! `forebay dev --nodes 3`: what serves as a cluster does, in one process, and what of it outlives a restart.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use dax::codec::handshake::Role;
use forebay_tests::dax_wire::DaxWire;
use forebay_tests::directory::Directory;
use forebay_tests::node::{Node, page};
use forebay_tests::numbers::{TABLE, get, now, number, put, table};
use forebay_tests::ports::{Ports, loopback};
use forebay_tests::wire::{Reply, Wire};
use serde_json::{Value, json};

const NODES: usize = 3;
const PATIENCE: Duration = Duration::from_secs(30);

fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Three nodes of one process.
struct Dev {
    process: Node,
    ports: Ports,
}

impl Dev {
    /// With these arguments besides, until each of them is ready.
    fn start(ports: Ports, arguments: &[&str]) -> Dev {
        let named = [
            ("--http-port", ports.http()),
            ("--dax-port", ports.dax()),
            ("--grpc-port", ports.grpc()),
            ("--admin-port", ports.admin()),
        ];
        let mut all: Vec<String> = vec!["dev".into(), "--nodes".into(), NODES.to_string()];
        all.extend(named.into_iter().flat_map(|(name, port)| [name.to_owned(), port.to_string()]));
        all.extend(["--set".to_owned(), format!("listen.peer_port={}", ports.peer())]);
        let all: Vec<&str> = all.iter().map(String::as_str).chain(arguments.iter().copied()).collect();
        let dev = Dev { process: Node::start(&all), ports };
        for at in 0..NODES {
            let ready = || page((loopback(at), ports.admin()).into(), "/ready");
            eventually("each is ready", || ready().is_some_and(|reply| reply.status == 200));
        }
        dev
    }

    fn ask(&self, at: usize, op: &str, body: &Value) -> Reply {
        let mut wire = Wire::connect((loopback(at), self.ports.http()).into()).expect("the node listens");
        wire.ask(op, body).expect("the node answers")
    }

    fn ok(&self, at: usize, op: &str, body: &Value) -> Value {
        let reply = self.ask(at, op, body);
        assert_eq!(reply.status, 200, "{op} {body}: {}", String::from_utf8_lossy(&reply.body));
        reply.json()
    }

    /// Makes the table through one of them, and waits until all have it.
    fn create_table(&self, at: usize) {
        self.ok(at, "CreateTable", &table());
        for each in 0..NODES {
            let described = || self.ask(each, "DescribeTable", &json!({"TableName": TABLE}));
            eventually("each has the table", || {
                let reply = described();
                reply.status == 200 && reply.json()["Table"]["TableStatus"] == "ACTIVE"
            });
        }
    }

    fn read(&self, at: usize, key: &str, strong: bool) -> Option<u64> {
        number(&self.ok(at, "GetItem", &get(key, strong)))
    }

    fn dax(&self, at: usize) -> DaxWire {
        DaxWire::connect((loopback(at), self.ports.dax()).into()).expect("the node listens")
    }

    /// Waits until each tells DAX clients of all three, with their zones, and all of the same one as the leader.
    fn tells_of_all(&self) {
        let expected: BTreeSet<_> = ["a", "b", "c"]
            .into_iter()
            .enumerate()
            .map(|(at, zone)| {
                let address = SocketAddr::new(loopback(at), self.ports.dax());
                (format!("forebay-{}", at + 1), zone.to_owned(), address)
            })
            .collect();
        let mut wires: Vec<DaxWire> = (0..NODES).map(|at| self.dax(at)).collect();
        eventually("each tells of all three, and of one leader", || {
            let (mut leaders, mut right) = (BTreeSet::new(), true);
            for wire in &mut wires {
                let endpoints = wire.endpoints();
                let told: BTreeSet<_> = endpoints
                    .iter()
                    .map(|one| (one.host.clone(), one.zone.clone(), SocketAddr::new(one.address, one.port)))
                    .collect();
                let leading: Vec<_> = endpoints.iter().filter(|one| one.role == Role::Leader).collect();
                right &= endpoints.len() == NODES && told == expected && leading.len() == 1;
                leaders.extend(leading.iter().map(|one| one.host.clone()));
            }
            right && leaders.len() == 1
        });
    }

    fn stop(self) {
        assert!(self.process.stop().success(), "they stop well");
    }
}

#[test]
fn nodes_of_one_process_serve_as_a_cluster_and_keep_their_data_over_a_restart() {
    let (directory, ports) = (Directory::new("dev-nodes"), Ports::free(NODES));
    let data = ["--data", directory.path().to_str().expect("temporary paths are text")];
    let dev = Dev::start(ports, &data);
    dev.create_table(0);
    for (n, at) in (10..).zip(0..NODES) {
        dev.ok(at, "PutItem", &put("last", n));
        dev.ok(at, "PutItem", &put(&format!("by-{at}"), n));
        assert_eq!(dev.read(at, "last", false), Some(n), "whoever has acknowledged it shows it");
        for other in 0..NODES {
            assert_eq!(dev.read(other, "last", true), Some(n), "written through {at}, read through {other}");
            eventually("each shows it", || dev.read(other, "last", false) == Some(n));
        }
    }
    dev.tells_of_all();
    let mut wire = dev.dax(2);
    let list = wire.define(&["v"]);
    assert_eq!(wire.put(TABLE, "by-dax", list, &["x"]), Ok(()));
    assert_eq!(dev.ok(0, "GetItem", &get("by-dax", true))["Item"]["v"], json!({"S": "x"}));
    drop(wire);
    dev.stop();
    for node in ["node-1", "node-2", "node-3"] {
        assert!(directory.path().join(node).is_dir(), "{node} has a directory of its own");
    }

    let dev = Dev::start(ports, &data);
    for at in 0..NODES {
        assert_eq!(dev.read(at, "last", true), Some(12), "as {at} says");
        for (n, by) in (10..).zip(0..NODES) {
            eventually("each has it again", || dev.read(at, &format!("by-{by}"), false) == Some(n));
        }
        assert_eq!(dev.dax(at).get(TABLE, "by-dax").1, ["x"], "as {at} says");
    }
    dev.tells_of_all();
    dev.ok(1, "PutItem", &put("last", 20));
    assert_eq!(dev.read(2, "last", true), Some(20));
    dev.stop();
}

#[test]
fn nodes_of_one_process_in_memory_show_a_write_on_all_at_once_where_they_are_told_to_and_forget_it_at_the_end()
 {
    let ports = Ports::free(NODES);
    let arguments = ["--in-memory", "--write-visibility", "all"];
    let dev = Dev::start(ports, &arguments);
    dev.create_table(1);
    for n in 0..60 {
        let at = n as usize % NODES;
        dev.ok(at, "PutItem", &put("seen", n));
        for other in 0..NODES {
            assert_eq!(dev.read(other, "seen", false), Some(n), "written through {at}, read through {other}");
        }
    }
    dev.tells_of_all();
    dev.stop();
    let dev = Dev::start(ports, &arguments);
    for at in 0..NODES {
        assert_eq!(dev.ok(at, "ListTables", &json!({}))["TableNames"], json!([]), "as {at} says");
    }
    dev.create_table(2);
    assert_eq!(dev.read(0, "seen", true), None);
    dev.stop();
}
