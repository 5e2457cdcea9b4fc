//! Several nodes of one cluster, each a process of its own: on 127.0.0.1, 127.0.0.2 and so on, or each in a network namespace.
//!
//! In namespaces the network between them can be broken ([`Cluster::network`]), what they say to each other goes through relays
//! that can deliver late ([`Cluster::delay`]), and the last node has a small disk ([`Cluster::fill_disk`]). There the nodes' wall clocks
//! can be set, too, where that was asked for ([`Cluster::set_clock`]). Ports stay the same over restarts.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use faults::clock::WallClock;
use faults::disk::Disk;
use faults::network::{Network, Place};
use faults::relay::Relay;
use faults::{clock, process};
use host::clock::{Clock, SystemClock};
use serde_json::Value;

use crate::certificate::Authority;
use crate::directory::{Directory, files};
use crate::node::{Ended, Node, Spawned, binary, run};
use crate::ports::{Ports, loopback};
use crate::wire::Wire;

/// A cluster that has not come to a primary by then has failed.
const ELECTION_TIMEOUT: Duration = Duration::from_secs(30);
/// A cluster that has not healed by then has failed.
const HEALING_TIMEOUT: Duration = Duration::from_secs(60);
/// A node whose wall clock does not show by then what it was set to has failed.
const CLOCK_TIMEOUT: Duration = Duration::from_secs(10);
/// How much the time a node tells may differ from what is meant: it has seconds only, and an answer takes its time.
const CLOCK_MARGIN_SECONDS: u64 = 2;
/// How often a node is asked.
const POLL: Duration = Duration::from_millis(10);
/// Size of the small disk. Unit: bytes.
const DISK_BYTES: u64 = 256 << 20;

/// Nodes, running or not.
pub struct Cluster {
    // The nodes are the first to go: what they stand on goes after them.
    nodes: Vec<Option<Node>>,
    relays: Vec<Relay>,
    ports: Ports,
    /// How many of them begin the cluster; the others join.
    founders: usize,
    /// Further lines of the config, the first of them in `[cluster]`.
    settings: &'static str,
    /// What stands in the config of single nodes instead of something else.
    amended: BTreeMap<usize, (String, String)>,
    /// Who signs the nodes' certificates, where they show each other any.
    authority: Option<Authority>,
    /// The nodes' wall clocks, where they are not the machine's.
    clocks: Vec<WallClock>,
    disk: Option<Disk>,
    network: Option<Network>,
    directory: Directory,
}

impl Cluster {
    /// So many nodes on loopback addresses, begun together over empty directories, all ready.
    pub fn start(count: usize) -> Cluster {
        Cluster::start_with(count, "")
    }

    /// The same, on ports that are free where it may grow to, too.
    pub fn start_to_grow(count: usize, most: usize) -> Cluster {
        Cluster::begin(count, "", Ports::free(most), None, None, Vec::new())
    }

    /// The same, with further lines in the config of every node, the first of them in the section `[cluster]`.
    pub fn start_with(count: usize, settings: &'static str) -> Cluster {
        Cluster::begin(count, settings, Ports::free(count), None, None, Vec::new())
    }

    /// The same, whose nodes show each other certificates.
    pub fn start_with_certificates(count: usize) -> Cluster {
        let authority = Authority::new("the cluster's authority");
        Cluster::begin(count, "", Ports::free(count), None, Some(authority), Vec::new())
    }

    /// The same in network namespaces. The calling thread is put where their clients are, for good. Panics where there is no
    /// root or a program is missing.
    pub fn in_network(count: usize, settings: &'static str) -> Cluster {
        Cluster::in_network_by(count, settings, Vec::new())
    }

    /// The same, each node by a wall clock of its own, which can be set.
    pub fn in_network_with_clocks(count: usize, settings: &'static str) -> Cluster {
        let clock = |_| WallClock::new().unwrap_or_else(|why| panic!("{why}"));
        Cluster::in_network_by(count, settings, (0..count).map(clock).collect())
    }

    fn in_network_by(count: usize, settings: &'static str, clocks: Vec<WallClock>) -> Cluster {
        let network = Network::new(count).unwrap_or_else(|why| panic!("{why}"));
        network.enter(Place::Clients).unwrap_or_else(|why| panic!("{why}"));
        Cluster::begin(count, settings, Ports::all_to_itself(), Some(network), None, clocks)
    }

    fn begin(
        count: usize,
        settings: &'static str,
        ports: Ports,
        network: Option<Network>,
        authority: Option<Authority>,
        clocks: Vec<WallClock>,
    ) -> Cluster {
        let directory = Directory::new("cluster");
        let secret = directory.path().join("secret");
        std::fs::write(&secret, "0123456789abcdef0123456789abcdef\n").expect("a file in our directory");
        std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).expect("it is ours");
        let relays = network.iter().flat_map(|network| {
            (0..count).map(move |at| {
                let place = Place::Node(at);
                let address = |port| SocketAddr::from((network.address(place), port));
                let relay = network.inside(place, || {
                    Relay::new(address(ports.relay()), address(ports.peer()), Duration::ZERO)
                });
                relay.and_then(|relay| relay).unwrap_or_else(|why| panic!("{why}"))
            })
        });
        let relays = relays.collect();
        let disk = network.as_ref().map(|_| Disk::new(DISK_BYTES).unwrap_or_else(|why| panic!("{why}")));
        let nodes = (0..count).map(|_| None).collect();
        let amended = BTreeMap::new();
        let mut cluster = Cluster {
            nodes,
            relays,
            ports,
            founders: count,
            settings,
            amended,
            authority,
            clocks,
            disk,
            network,
            directory,
        };
        (0..count).for_each(|at| cluster.certify(at));
        cluster.start_all();
        cluster
    }

    /// Starts all that do not run, at once: nodes that begin a cluster wait for each other.
    pub fn start_all(&mut self) {
        let stopped: Vec<usize> = (0..self.nodes.len()).filter(|at| self.nodes[*at].is_none()).collect();
        let starting: Vec<_> = stopped
            .into_iter()
            .map(|at| {
                let command = self.launching(at, None);
                (at, std::thread::spawn(move || Node::launch(command)))
            })
            .collect();
        for (at, starting) in starting {
            self.started(at, starting.join().expect("the node starts"));
        }
    }

    /// Starts one node, and waits until it is ready.
    pub fn start_one(&mut self, at: usize) {
        self.started(at, Node::launch(self.launching(at, None)));
    }

    fn started(&mut self, at: usize, node: Node) {
        if let Some(clock) = self.clocks.get(at) {
            clock.started(node.pid()).unwrap_or_else(|why| panic!("{why}"));
        }
        self.nodes[at] = Some(node);
    }

    /// Starts a node without waiting until it is ready.
    pub fn spawn(&self, at: usize) -> Spawned {
        Spawned::new(self.launching(at, None))
    }

    /// Starts a node that must end by itself, with 64, and leave its data as it was; answers what it said.
    pub fn refuses(&self, at: usize, data: &Path) -> String {
        let before = files(data);
        let mut process = self.spawn(at);
        let begun = now();
        loop {
            if let Some(code) = process.ended() {
                let said = process.said();
                println!("{said}");
                assert_eq!(code, Some(64), "{said}");
                assert!(before == files(data), "it changed the data");
                return said;
            }
            assert!(begun.elapsed() < HEALING_TIMEOUT, "it runs: {}", process.said());
            std::thread::sleep(POLL);
        }
    }

    /// Starts a node whose monotonic clock and uptime are ahead of the machine's. Its wall clock is the machine's.
    pub fn start_ahead(&mut self, at: usize, by: Duration) {
        self.nodes[at] = Some(Node::launch(self.launching(at, Some(by))));
    }

    fn launching(&self, at: usize, ahead: Option<Duration>) -> Command {
        let plain = match (ahead, self.clocks.get(at)) {
            (Some(by), _) => clock::ahead(by, binary()),
            (None, Some(clock)) => clock.command(binary()),
            (None, None) => Command::new(binary()),
        };
        let arguments: Vec<OsString> = plain.get_args().map(Into::into).collect();
        let mut command = match &self.network {
            None => Command::new(plain.get_program()),
            Some(network) => network.command(Place::Node(at), plain.get_program()),
        };
        command.args(arguments).arg("node").arg("--config").arg(self.write_config(at));
        command
    }

    fn write_config(&self, at: usize) -> PathBuf {
        let path = self.config(at);
        let peers: Vec<String> =
            (0..self.founders).map(|at| format!("\"{}\"", self.peer_address(at))).collect();
        let text = format!(
            "[node]\nname = \"{name}\"\nzone = \"{zone}\"\n\
             [listen]\naddress = \"{own}\"\nadmin_address = \"{own}\"\nanyone_may_read_and_write_everything = {open}\n\
             http_port = {http}\ndax_port = {dax}\ngrpc_port = {grpc}\nadmin_port = {admin}\npeer_port = {port}\n\
             [advertise]\npeer = \"{peer}\"\n\
             [store]\ndata = \"{data}\"\n\
             [cluster]\nnodes = [{peers}]\nsecret_file = \"{secret}\"\n{settings}\n",
            name = name(at),
            zone = zone(at),
            own = self.address(at),
            open = self.network.is_some(),
            http = self.ports.http(),
            dax = self.ports.dax(),
            grpc = self.ports.grpc(),
            admin = self.ports.admin(),
            port = self.ports.peer(),
            data = self.data(at).display(),
            peer = self.peer_address(at),
            peers = peers.join(", "),
            secret = self.directory.path().join("secret").display(),
            settings = self.settings,
        );
        let mut text = text;
        if self.authority.is_some() {
            let [certificate, key, authority] = self.certificate_files(at);
            text += &format!(
                "[cluster.tls]\ncertificate = {certificate:?}\nkey = {key:?}\nauthority = {authority:?}\n"
            );
        }
        if let Some((from, to)) = self.amended.get(&at) {
            assert!(text.contains(from), "{from:?} is not in the config");
            text = text.replace(from, to);
        }
        std::fs::write(&path, text).expect("a file in our directory");
        path
    }

    /// From its next start on, a node's config has something else in the place of what it would have.
    pub fn amend(&mut self, at: usize, from: &str, to: &str) {
        self.amended.insert(at, (from.to_owned(), to.to_owned()));
    }

    /// From its next start on, a node's config is as ever.
    pub fn amend_nothing(&mut self, at: usize) {
        self.amended.remove(&at);
    }

    /// Files of a node's certificate, its key and the authority.
    pub fn certificate_files(&self, at: usize) -> [PathBuf; 3] {
        ["certificate", "key", "authority"].map(|what| self.directory.path().join(format!("{what}-{at}.pem")))
    }

    /// Gives a node a good certificate, where the nodes have any.
    pub fn certify(&self, at: usize) {
        let Some(authority) = &self.authority else { return };
        self.certify_by(at, authority, &self.address(at).to_string(), 4000);
        let [_, _, file] = self.certificate_files(at);
        std::fs::write(file, authority.pem()).expect("a file in our directory");
    }

    /// Gives a node a certificate of this authority for this host, good until the beginning of a year.
    pub fn certify_by(&self, at: usize, authority: &Authority, host: &str, until: i32) {
        let (certificate, key) = authority.issue(host, until);
        for (file, pem) in self.certificate_files(at).into_iter().zip([certificate, key]) {
            std::fs::write(file, pem).expect("a file in our directory");
        }
    }

    /// Who signs the nodes' certificates.
    pub fn authority(&self) -> &Authority {
        self.authority.as_ref().expect("these nodes have certificates")
    }

    /// One more node, over an empty directory, which joins. Answers its place.
    pub fn grow(&mut self) -> usize {
        let at = self.place_for_another();
        self.start_all();
        at
    }

    /// A place for one more node, which is not started.
    pub fn place_for_another(&mut self) -> usize {
        self.nodes.push(None);
        self.nodes.len() - 1
    }

    /// Where a node's health is asked for.
    pub fn admin_address(&self, at: usize) -> SocketAddr {
        (self.address(at), self.ports.admin()).into()
    }

    /// Where the other nodes reach a node.
    pub fn peer_address(&self, at: usize) -> String {
        let port = if self.network.is_some() { self.ports.relay() } else { self.ports.peer() };
        format!("{}:{port}", self.address(at))
    }

    /// Runs a subcommand with the config of a node, which must do what it is told.
    pub fn command(&self, at: usize, arguments: &[&str]) -> String {
        let ended = self.try_command(at, arguments);
        assert_eq!(ended.code, Some(0), "{arguments:?}: {}", ended.said);
        ended.said
    }

    /// Runs a subcommand with the config of a node.
    pub fn try_command(&self, at: usize, arguments: &[&str]) -> Ended {
        let config = self.config(at);
        let config = ["--config", config.to_str().expect("temporary paths are text")];
        run(&[arguments, &config].concat(), &[])
    }

    /// How the cluster stands, as a node says.
    pub fn status(&self, at: usize) -> Value {
        serde_json::from_str(&self.command(at, &["status", "--json"])).expect("JSON")
    }

    /// The same; null where the node can't say, as while it changes its mind of who leads.
    fn told(&self, at: usize) -> Value {
        serde_json::from_str(&self.try_command(at, &["status", "--json"]).said).unwrap_or(Value::Null)
    }

    /// The number under which the node at a place is a member, as another says.
    pub fn number_of(&self, asked: usize, at: usize) -> String {
        let (status, address) = (self.status(asked), self.peer_address(at));
        let members = status["members"].as_array().expect("a list");
        let own = members.iter().find(|member| member["address"] == address.as_str());
        own.expect("it is a member")["node"].to_string()
    }

    /// Waits until the cluster, as a node says, stands so; answers how that is.
    pub fn wait_for(&self, at: usize, what: &str, stands: impl Fn(&Value) -> bool) -> Value {
        let begun = now();
        loop {
            let status = self.status(at);
            if stands(&status) {
                return status;
            }
            assert!(begun.elapsed() < ELECTION_TIMEOUT, "{what}: {status}");
            std::thread::sleep(POLL * 10);
        }
    }

    /// How many nodes it has, running or not.
    pub fn count(&self) -> usize {
        self.nodes.len()
    }

    /// The address of a node.
    pub fn address(&self, at: usize) -> IpAddr {
        match &self.network {
            None => loopback(at),
            Some(network) => network.address(Place::Node(at)).into(),
        }
    }

    /// Where a node keeps its data.
    pub fn data(&self, at: usize) -> PathBuf {
        match &self.disk {
            Some(disk) if at + 1 == self.nodes.len() => disk.path().join("data"),
            _ => self.directory.path().join(format!("data-{at}")),
        }
    }

    /// The config file of a node.
    pub fn config(&self, at: usize) -> PathBuf {
        self.directory.path().join(format!("node-{at}.toml"))
    }

    /// What is between the nodes, where it can be broken.
    pub fn network(&mut self) -> Option<&mut Network> {
        self.network.as_mut()
    }

    /// Delivers what nodes send to each other so late, in a cluster that has a network.
    pub fn delay(&self, by: Duration) {
        self.relays.iter().for_each(|relay| relay.set(by));
    }

    /// The same of the connections that others make to one node. Those that it makes itself, as to pass a request on, stay fast.
    pub fn delay_to(&self, at: usize, by: Duration) {
        self.relays.get(at).expect("a cluster in a network has relays").set(by);
    }

    /// Leaves no room on the small disk, which is the last node's, and answers what is in the way. Removing that makes room.
    pub fn fill_disk(&self) -> Option<PathBuf> {
        let filler = self.disk.as_ref()?.path().join("filler");
        // It is written until there is no room, which is what is wanted.
        let full = std::fs::write(&filler, vec![1; DISK_BYTES as usize]);
        assert!(full.is_err(), "the small disk has room for more than its size");
        Some(filler)
    }

    /// Sets the wall clock of a node that runs so far ahead of the machine's, or behind where that is less than nothing, in a cluster
    /// that has clocks; waits until the node itself tells that time to whoever asks it. Unit: seconds.
    pub fn set_clock(&self, at: usize, seconds: i64) {
        let clock = self.clocks.get(at).expect("a cluster with clocks");
        clock.set(seconds).unwrap_or_else(|why| panic!("{why}"));
        let begun = now();
        loop {
            let meant = (SystemClock::new().wall_millis() / 1000).saturating_add_signed(seconds);
            let told = self.node(at).wall_seconds();
            if told.is_some_and(|told| told.abs_diff(meant) <= CLOCK_MARGIN_SECONDS) {
                return;
            }
            assert!(begun.elapsed() < CLOCK_TIMEOUT, "node {at} says it is {told:?}, and not {meant}");
            std::thread::sleep(POLL);
        }
    }

    /// A node that runs.
    pub fn node(&self, at: usize) -> &Node {
        self.nodes[at].as_ref().expect("it runs")
    }

    /// All nodes that run, with their places.
    pub fn running(&self) -> impl Iterator<Item = (usize, &Node)> {
        self.nodes.iter().enumerate().filter_map(|(at, node)| Some((at, node.as_ref()?)))
    }

    /// Which node is the primary, as it says itself; waits until one does.
    pub fn primary(&self) -> usize {
        self.primary_besides(None)
    }

    /// The same among all but one, which may stand still and is not asked.
    pub fn primary_besides(&self, left_out: Option<usize>) -> usize {
        let begun = now();
        let leads = |node: &Node| node.metric("forebay_is_primary") == Some(1.0);
        loop {
            let primary = self.running().find(|(at, node)| Some(*at) != left_out && leads(node));
            if let Some((at, _)) = primary {
                return at;
            }
            assert!(begun.elapsed() < ELECTION_TIMEOUT, "the nodes agree on no primary");
            std::thread::sleep(POLL);
        }
    }

    /// A node that is not the primary.
    pub fn replica(&self) -> usize {
        let primary = self.primary();
        self.running().map(|(at, _)| at).find(|at| *at != primary).expect("there are others")
    }

    /// Waits until every node is ready and the group has as many voters as there are nodes, so that it can lose one.
    pub fn wait_until_whole(&self) {
        let begun = now();
        loop {
            let ready = |node: &Node| node.get("/ready").is_some_and(|reply| reply.status == 200);
            if self.nodes.iter().all(|node| node.as_ref().is_some_and(ready)) {
                let status = self.told(self.primary());
                let members = status["members"].as_array().map_or(&[][..], Vec::as_slice);
                let voters = members.iter().filter(|member| member["voter"] == true).count();
                if (members.len(), voters) == (self.nodes.len(), self.nodes.len()) {
                    return;
                }
            }
            assert!(begun.elapsed() < HEALING_TIMEOUT, "the cluster does not heal");
            std::thread::sleep(POLL * 10);
        }
    }

    /// SIGKILL to one node.
    pub fn kill(&mut self, at: usize) {
        self.nodes[at].take().expect("it runs").kill();
    }

    /// SIGTERM to one node, which must stop well.
    pub fn stop(&mut self, at: usize) {
        assert!(self.nodes[at].take().expect("it runs").stop().success(), "node {at} stops well");
    }

    /// Makes a node stand still until what is answered is dropped.
    pub fn pause(&self, at: usize) -> process::Paused {
        process::pause(self.node(at).pid()).unwrap_or_else(|why| panic!("{why}"))
    }

    /// One request to a node that was only spawned, which must succeed. Waits until its port is open.
    pub fn ask_spawned(&self, at: usize, op: &str, body: &Value) -> Value {
        let begun = now();
        let mut wire = loop {
            match Wire::connect((self.address(at), self.ports.http()).into()) {
                Ok(wire) => break wire,
                Err(error) => {
                    assert!(begun.elapsed() < ELECTION_TIMEOUT, "node {at} does not listen: {error}")
                }
            }
            std::thread::sleep(POLL);
        };
        let reply = wire.ask(op, body).expect("the node answers");
        assert_eq!(reply.status, 200, "{op} {body}: {}", String::from_utf8_lossy(&reply.body));
        reply.json()
    }

    /// Waits until a table is usable, as a node says.
    pub fn wait_until_active(&self, at: usize, table: &str) {
        let begun = now();
        let describe = serde_json::json!({"TableName": table});
        while self.ok(at, "DescribeTable", &describe)["Table"]["TableStatus"] != "ACTIVE" {
            assert!(begun.elapsed() < ELECTION_TIMEOUT, "table {table} does not become usable");
            std::thread::sleep(POLL);
        }
    }

    /// One request to one node, which must succeed.
    pub fn ok(&self, at: usize, op: &str, body: &Value) -> Value {
        self.node(at).ok(op, body)
    }
}

/// The name of a node.
pub fn name(at: usize) -> String {
    format!("n{at}")
}

/// Its zone.
pub fn zone(at: usize) -> String {
    char::from(b'a' + at as u8).to_string()
}

#[allow(clippy::disallowed_methods, reason = "the test's own patience")]
fn now() -> Instant {
    Instant::now()
}
