//! Several nodes of one cluster, each a process of its own, on 127.0.0.1, 127.0.0.2 and so on.

use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::directory::Directory;
use crate::node::{Node, run};

/// A cluster that has not come to a primary by then has failed.
const ELECTION_TIMEOUT: Duration = Duration::from_secs(30);
/// How often a node is asked.
const POLL: Duration = Duration::from_millis(10);

/// Nodes, running or not.
pub struct Cluster {
    directory: Directory,
    peer_port: u16,
    /// How many of them begin the cluster; the others join.
    founders: usize,
    /// Further lines of `[cluster]`.
    settings: &'static str,
    nodes: Vec<Option<Node>>,
}

impl Cluster {
    /// So many nodes, begun together over empty directories, all ready.
    pub fn start(count: usize) -> Cluster {
        Cluster::start_with(count, "")
    }

    /// The same with further lines of `[cluster]` in their configs.
    pub fn start_with(count: usize, settings: &'static str) -> Cluster {
        let directory = Directory::new("cluster");
        let secret = directory.path().join("secret");
        std::fs::write(&secret, "0123456789abcdef0123456789abcdef\n").expect("a file in our directory");
        std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).expect("it is ours");
        // The nodes have to know the port before they start; nobody else is likely to take it in between.
        let peer_port = TcpListener::bind("127.0.0.1:0")
            .and_then(|free| free.local_addr())
            .expect("there are free ports")
            .port();
        let nodes = (0..count).map(|_| None).collect();
        let mut cluster = Cluster { directory, peer_port, founders: count, settings, nodes };
        cluster.start_all();
        cluster
    }

    /// Starts all that do not run, at once: nodes that begin a cluster wait for each other.
    pub fn start_all(&mut self) {
        let stopped: Vec<usize> = (0..self.nodes.len()).filter(|at| self.nodes[*at].is_none()).collect();
        let starting: Vec<_> = stopped
            .into_iter()
            .map(|at| {
                let config = self.write_config(at);
                let start = move || {
                    Node::start(&["node", "--config", config.to_str().expect("temporary paths are text")])
                };
                (at, std::thread::spawn(start))
            })
            .collect();
        for (at, starting) in starting {
            self.nodes[at] = Some(starting.join().expect("the node starts"));
        }
    }

    fn write_config(&self, at: usize) -> PathBuf {
        let path = self.directory.path().join(format!("node-{at}.toml"));
        let peers: Vec<String> =
            (0..self.founders).map(|at| format!("\"{}\"", self.peer_address(at))).collect();
        let text = format!(
            "[node]\nname = \"n{at}\"\nzone = \"{zone}\"\n\
             [listen]\naddress = \"{own}\"\nadmin_address = \"{own}\"\nhttp_port = 0\ndax_port = 0\ngrpc_port = 0\n\
             admin_port = 0\npeer_port = {port}\n\
             [store]\ndata = \"{data}\"\n\
             [cluster]\nnodes = [{peers}]\nsecret_file = \"{secret}\"\n{settings}\n",
            zone = char::from(b'a' + at as u8),
            own = address(at),
            port = self.peer_port,
            data = self.data(at).display(),
            peers = peers.join(", "),
            secret = self.directory.path().join("secret").display(),
            settings = self.settings,
        );
        std::fs::write(&path, text).expect("a file in our directory");
        path
    }

    /// One more node, over an empty directory, which joins. Answers its place.
    pub fn grow(&mut self) -> usize {
        self.nodes.push(None);
        self.start_all();
        self.nodes.len() - 1
    }

    /// Where the other nodes reach a node.
    pub fn peer_address(&self, at: usize) -> String {
        format!("{}:{}", address(at), self.peer_port)
    }

    /// Runs a subcommand with the config of a node, which must do what it is told.
    pub fn command(&self, at: usize, arguments: &[&str]) -> String {
        let config = self.config(at);
        let config = ["--config", config.to_str().expect("temporary paths are text")];
        let ended = run(&[arguments, &config].concat(), &[]);
        assert_eq!(ended.code, Some(0), "{arguments:?}: {}", ended.said);
        ended.said
    }

    /// How the cluster stands, as a node says.
    pub fn status(&self, at: usize) -> Value {
        serde_json::from_str(&self.command(at, &["status", "--json"])).expect("JSON")
    }

    /// Waits until the cluster, as a node says, stands so; answers how that is.
    pub fn wait_for(&self, at: usize, what: &str, stands: impl Fn(&Value) -> bool) -> Value {
        #[allow(clippy::disallowed_methods, reason = "the test's own patience")]
        let begun = Instant::now();
        loop {
            let status = self.status(at);
            if stands(&status) {
                return status;
            }
            assert!(begun.elapsed() < ELECTION_TIMEOUT, "{what}: {status}");
            std::thread::sleep(POLL * 10);
        }
    }

    /// Where a node keeps its data.
    pub fn data(&self, at: usize) -> PathBuf {
        self.directory.path().join(format!("data-{at}"))
    }

    /// The config file of a node.
    pub fn config(&self, at: usize) -> PathBuf {
        self.directory.path().join(format!("node-{at}.toml"))
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
        #[allow(clippy::disallowed_methods, reason = "the test's own patience")]
        let begun = Instant::now();
        loop {
            let primary = self.running().find(|(_, node)| node.metric("forebay_is_primary") == Some(1.0));
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

    /// SIGKILL to one node.
    pub fn kill(&mut self, at: usize) {
        self.nodes[at].take().expect("it runs").kill();
    }

    /// SIGTERM to one node, which must stop well.
    pub fn stop(&mut self, at: usize) {
        assert!(self.nodes[at].take().expect("it runs").stop().success(), "node {at} stops well");
    }

    /// Waits until a table is usable, as a node says.
    pub fn wait_until_active(&self, at: usize, table: &str) {
        #[allow(clippy::disallowed_methods, reason = "the test's own patience")]
        let begun = Instant::now();
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

/// The address of a node.
pub fn address(at: usize) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(127, 0, 0, at as u8 + 1))
}
