//! A network of nodes on one machine, each in a namespace of its own, that can be broken between any two.
//!
//! The nodes and one place for clients hang on a bridge that stands in a further namespace. What reaches a node from another is
//! dropped where it comes in, by rules in that node's namespace; so each direction breaks by itself, and the machine's own
//! network is never touched, not even by an interface.
//!
//! Sockets belong to the namespace of the thread that made them: [`Network::inside`] and [`Network::enter`] put a thread there.

use std::collections::BTreeMap;
use std::fs::File;
use std::net::Ipv4Addr;
use std::os::fd::AsFd as _;
use std::process::Command;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::process;
use crate::tool::{FaultError, is_left_over, name, run};

/// Where the system keeps namespaces that have names.
const NAMESPACES: &str = "/run/netns";
/// Most places of a network: a node has a byte of the address.
const PLACES_MAX: usize = 64;

/// A place in the network. Nodes are numbered from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Place {
    /// Where clients are.
    Clients,
    /// A node.
    Node(usize),
}

/// What becomes of packets on the way from one place to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// All arrive.
    Open,
    /// None arrive.
    Cut,
    /// So many of a hundred do not arrive, at random.
    Loses(u8),
}

/// The network. Dropping it ends every process in it and removes it.
#[derive(Debug)]
pub struct Network {
    name: String,
    nodes: usize,
    links: BTreeMap<(Place, Place), Link>,
}

impl Network {
    /// A whole network of so many nodes. First removes what runs that were killed have left. Errors: no root, a program that is
    /// missing, too many nodes.
    pub fn new(nodes: usize) -> Result<Network, FaultError> {
        sweep()?;
        if nodes >= PLACES_MAX {
            let why = std::io::Error::from(std::io::ErrorKind::InvalidInput);
            return Err(FaultError::system(format!("a network of {nodes} nodes"), why));
        }
        // Made first, so that whatever is made of it is removed however far this gets.
        let network = Network { name: name(), nodes, links: BTreeMap::new() };
        let bridge = network.bridge();
        run("ip", &["netns", "add", &bridge], "")?;
        inside(&bridge, &["ip", "link", "add", "br0", "type", "bridge"])?;
        inside(&bridge, &["ip", "link", "set", "br0", "up"])?;
        for place in network.places() {
            let space = network.space(place);
            let port = format!("p{}", network.number(place));
            run("ip", &["netns", "add", &space], "")?;
            // Made inside the bridge's namespace, so that neither end is ever in the machine's.
            let peer = ["ip", "link", "add", &port, "type", "veth", "peer", "name", "eth0", "netns", &space];
            inside(&bridge, &peer)?;
            inside(&bridge, &["ip", "link", "set", &port, "master", "br0", "up"])?;
            let address = format!("{}/24", network.address(place));
            inside(&space, &["ip", "address", "add", &address, "dev", "eth0"])?;
            inside(&space, &["ip", "link", "set", "eth0", "up"])?;
            inside(&space, &["ip", "link", "set", "lo", "up"])?;
            let chain = "add table inet faults\nadd chain inet faults input { type filter hook input priority 0; policy accept; }\n";
            run("ip", &["netns", "exec", &space, "nft", "-f", "-"], chain)?;
        }
        Ok(network)
    }

    /// What the names of all its namespaces begin with.
    pub fn name(&self) -> &str {
        &self.name
    }

    fn bridge(&self) -> String {
        format!("{}-bridge", self.name)
    }

    fn space(&self, place: Place) -> String {
        format!("{}-{}", self.name, self.number(place))
    }

    fn number(&self, place: Place) -> usize {
        match place {
            Place::Clients => 0,
            Place::Node(node) => {
                assert!(node < self.nodes, "the network has {} nodes", self.nodes);
                node + 1
            }
        }
    }

    fn places(&self) -> Vec<Place> {
        std::iter::once(Place::Clients).chain((0..self.nodes).map(Place::Node)).collect()
    }

    /// Where a place is reached.
    pub fn address(&self, place: Place) -> Ipv4Addr {
        Ipv4Addr::new(10, 213, 77, 1 + self.number(place) as u8)
    }

    /// A command that will run there, as the process that is spawned: its number is the program's.
    pub fn command(&self, place: Place, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.space(place)]).arg(program);
        command
    }

    /// Puts the calling thread there, for good. Threads it starts are there too; those that run already are not.
    pub fn enter(&self, place: Place) -> Result<(), FaultError> {
        let space = self.space(place);
        let file =
            File::open(format!("{NAMESPACES}/{space}")).map_err(|why| FaultError::system(&space, why))?;
        move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))
            .map_err(|why| FaultError::system(format!("entering {space}"), why))
    }

    /// What a function answers that runs there, on a thread of its own.
    pub fn inside<T: Send>(&self, place: Place, what: impl FnOnce() -> T + Send) -> Result<T, FaultError> {
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| self.enter(place).map(|()| what()));
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Says what becomes of packets on the way between two places, in one direction. Those that are under way already arrive.
    pub fn set(&mut self, from: Place, to: Place, link: Link) -> Result<(), FaultError> {
        self.links.insert((from, to), link);
        let mut rules = String::from("flush chain inet faults input\n");
        for ((sender, receiver), link) in &self.links {
            if *receiver != to {
                continue;
            }
            let sender = self.address(*sender);
            match link {
                Link::Open => {}
                Link::Cut => rules.push_str(&format!("add rule inet faults input ip saddr {sender} drop\n")),
                Link::Loses(share) => rules.push_str(&format!(
                    "add rule inet faults input ip saddr {sender} numgen random mod 100 < {share} drop\n"
                )),
            }
        }
        // One transaction: there is no moment without rules.
        run("ip", &["netns", "exec", &self.space(to), "nft", "-f", "-"], &rules).map(|_| ())
    }

    /// The same for both directions.
    pub fn set_both(&mut self, one: Place, other: Place, link: Link) -> Result<(), FaultError> {
        self.set(one, other, link)?;
        self.set(other, one, link)
    }

    /// Cuts a node off from all other nodes; its clients still reach it.
    pub fn isolate(&mut self, node: usize) -> Result<(), FaultError> {
        for other in (0..self.nodes).filter(|other| *other != node) {
            self.set_both(Place::Node(node), Place::Node(other), Link::Cut)?;
        }
        Ok(())
    }

    /// Opens every link.
    pub fn heal(&mut self) -> Result<(), FaultError> {
        for (from, to) in std::mem::take(&mut self.links).into_keys() {
            self.set(from, to, Link::Open)?;
        }
        Ok(())
    }

    /// Lets a place send no faster than this. Unit: kilobits a second; `None` lifts it.
    pub fn limit(&self, place: Place, kilobits: Option<u32>) -> Result<(), FaultError> {
        let space = self.space(place);
        match kilobits {
            Some(kilobits) => {
                let rate = format!("{kilobits}kbit");
                let filter = ["tbf", "rate", &rate, "burst", "16kb", "latency", "500ms"];
                inside(&space, &[&["tc", "qdisc", "replace", "dev", "eth0", "root"][..], &filter].concat())
            }
            None => inside(&space, &["tc", "qdisc", "delete", "dev", "eth0", "root"]),
        }
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for space in self.places().into_iter().map(|place| self.space(place)).chain([self.bridge()]) {
            // What was never made cannot be removed; nothing can be done about the rest here, and the next run sweeps.
            let _ = remove(&space);
        }
    }
}

/// Runs a program in a namespace.
fn inside(space: &str, command: &[&str]) -> Result<(), FaultError> {
    run("ip", &[&["netns", "exec", space][..], command].concat(), "").map(|_| ())
}

/// Ends every process in a namespace that was made here, and removes it.
fn remove(space: &str) -> Result<(), FaultError> {
    for pid in run("ip", &["netns", "pids", space], "")?.lines().filter_map(|line| line.trim().parse().ok()) {
        // It may have ended since.
        let _ = process::kill(pid);
    }
    run("ip", &["netns", "delete", space], "").map(|_| ())
}

/// Removes what runs that were killed have left.
fn sweep() -> Result<(), FaultError> {
    for line in run("ip", &["netns", "list"], "")?.lines() {
        if let Some(space) = line.split_whitespace().next().filter(|space| is_left_over(space)) {
            // Another run may sweep at the same time.
            let _ = remove(space);
        }
    }
    Ok(())
}
