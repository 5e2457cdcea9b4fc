//! Three fresh nodes in memory, each a process, with all that a suite is given spread over them.
//!
//! They acknowledge a write once no node answers from before it (`write_visibility = "all"`): a suite reads on any node what
//! it has written through another, as a client that knows of no versions does.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU16, Ordering};

use crate::Failure;
use crate::node::{Node, page, sample};
use crate::spread::{Spread, Summed};

/// How many nodes.
pub const NODES: usize = 3;
/// A node that answered fewer of a suite's requests than one in so many was not asked along with the others.
const LEAST_SHARE: u64 = 10;
/// So much of each node's log is shown where a suite failed. Unit: lines.
const LOG_LINES: usize = 30;
/// Where a port for the nodes among each other is looked for: below those that the system gives to whoever connects.
const PORTS: std::ops::Range<u16> = 15_000..30_000;

/// Nodes that run. Dropping it kills them.
pub struct Cluster {
    nodes: Vec<Node>,
    http: Spread,
    admin: Summed,
    folder: Folder,
}

/// A folder that is gone when this is dropped.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left of it is in the system's temporary folder.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Cluster {
    /// Starts three nodes at once and waits until all are ready.
    pub fn start(forebay: &Path) -> Result<Cluster, Failure> {
        let port = free_port()?;
        let folder = Folder(std::env::temp_dir().join(format!("forebay-x-{}-{port}", std::process::id())));
        let files = configs(&folder.0, port).map_err(|error| format!("{}: {error}", folder.0.display()))?;
        // At once: they wait for each other.
        let starting: Vec<_> = files
            .into_iter()
            .enumerate()
            .map(|(at, config)| {
                let mut command = Command::new(forebay);
                command.arg("node").arg("--config").arg(config);
                let log = std::fs::File::create(log(&folder.0, at));
                std::thread::spawn(move || {
                    command.stderr(log.map_err(|error| format!("cannot keep a node's log: {error}"))?);
                    Node::launch(command)
                })
            })
            .collect();
        let ended = |_| Err("the thread that starts a node ended".to_owned());
        let started: Vec<_> =
            starting.into_iter().map(|starting| starting.join().unwrap_or_else(ended)).collect();
        let nodes = started.into_iter().collect::<Result<Vec<_>, _>>()?;
        let http = nodes.iter().map(|node| address(&node.http)).collect::<Result<Vec<_>, _>>()?;
        let admin = nodes.iter().map(|node| node.admin.clone()).collect();
        Ok(Cluster { http: Spread::over(http)?, admin: Summed::over(admin)?, nodes, folder })
    }

    /// The HTTP endpoint, of which each request goes to the next node.
    pub fn http(&self) -> String {
        self.http.url()
    }

    /// The admin ports as one.
    pub fn admin(&self) -> String {
        self.admin.url()
    }

    /// The DAX endpoint of a replica: its clients learn of the other nodes there.
    pub fn dax(&self) -> Result<String, Failure> {
        for node in &self.nodes {
            if sample(&page(&node.admin, "/metrics")?, "forebay_is_primary")? == 0.0 {
                return Ok(node.dax.clone());
            }
        }
        Err("none of the nodes is a replica".to_owned())
    }

    /// The gRPC endpoints of all nodes, `grpc://ADDRESS:PORT,ADDRESS:PORT,…`: its clients balance by themselves.
    pub fn grpc(&self) -> String {
        let each: Vec<_> = self.nodes.iter().map(|node| node.grpc.trim_start_matches("grpc://")).collect();
        format!("grpc://{}", each.join(","))
    }

    /// How many requests of clients each node answered. Errors: one of them was hardly asked, so the suite has shown little.
    pub fn shares(&self) -> Result<Vec<u64>, Failure> {
        let share = |node: &Node| {
            let page = page(&node.admin, "/metrics")?;
            let by = |protocol| {
                sample(&page, &format!("forebay_protocol_requests_total{{protocol=\"{protocol}\"}}"))
            };
            Ok((by("http")? + by("dax")? + by("grpc")?) as u64)
        };
        spread(self.nodes.iter().map(share).collect::<Result<_, Failure>>()?)
    }

    /// Asks one node after another to stop, which they must do by themselves and well. The last has nobody left to hand over to, and
    /// would wait for somebody: it is killed.
    pub fn stop(mut self) -> Result<(), Failure> {
        for node in self.nodes.drain(..NODES - 1) {
            node.terminate()?;
            node.wait()?;
        }
        Ok(())
    }

    /// The end of what each node has logged.
    pub fn logs(&self) -> String {
        let one = |at: usize| {
            let path = log(&self.folder.0, at);
            let text = std::fs::read_to_string(&path).unwrap_or_else(|error| error.to_string());
            let skipped = text.lines().count().saturating_sub(LOG_LINES);
            let lines = text.lines().skip(skipped).map(|line| format!("n{at}: {line}\n"));
            lines.collect::<String>()
        };
        (0..NODES).map(one).collect()
    }
}

fn spread(shares: Vec<u64>) -> Result<Vec<u64>, Failure> {
    let all: u64 = shares.iter().sum();
    if all == 0 || shares.iter().any(|share| share * LEAST_SHARE < all) {
        return Err(format!("the requests were not spread over the nodes: {shares:?}"));
    }
    Ok(shares)
}

/// Where a node logs to.
fn log(folder: &Path, at: usize) -> PathBuf {
    folder.join(format!("log-{at}.txt"))
}

/// The config files of all nodes, on 127.0.0.1, 127.0.0.2 and so on.
fn configs(folder: &Path, port: u16) -> std::io::Result<Vec<PathBuf>> {
    std::fs::create_dir_all(folder)?;
    let secret = folder.join("secret");
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&secret)?;
    std::io::Write::write_all(&mut file, b"0123456789abcdef0123456789abcdef\n")?;
    let peers: Vec<_> = (0..NODES).map(|at| format!("\"{}:{port}\"", loopback(at))).collect();
    let one = |at: usize| {
        let path = folder.join(format!("node-{at}.toml"));
        let text = format!(
            "[node]\nname = \"n{at}\"\nzone = \"{zone}\"\n\
             [listen]\naddress = \"{own}\"\nadmin_address = \"{own}\"\n\
             http_port = 0\ndax_port = 0\ngrpc_port = 0\nadmin_port = 0\npeer_port = {port}\n\
             [store]\nin_memory = true\n\
             [cluster]\nnodes = [{peers}]\nsecret_file = \"{secret}\"\nwrite_visibility = \"all\"\n",
            zone = char::from(b'a' + at as u8),
            own = loopback(at),
            peers = peers.join(", "),
            secret = secret.display(),
        );
        std::fs::write(&path, text)?;
        Ok(path)
    };
    (0..NODES).map(one).collect()
}

fn loopback(at: usize) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(127, 0, 0, at as u8 + 1))
}

/// A port that is free at the addresses of all nodes, and that nobody else is likely to take before they do.
fn free_port() -> Result<u16, Failure> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let room = PORTS.end - PORTS.start;
    let begin = (std::process::id() % u32::from(room)) as u16;
    (0..room)
        .map(|_| PORTS.start + (begin + NEXT.fetch_add(1, Ordering::Relaxed)) % room)
        .find(|port| (0..NODES).all(|at| TcpListener::bind((loopback(at), *port)).is_ok()))
        .ok_or_else(|| "there is no free port".to_owned())
}

fn address(url: &str) -> Result<SocketAddr, Failure> {
    let address = url.trim_start_matches("http://").trim_end_matches('/');
    address.parse().map_err(|_| format!("{url} is no address on this machine"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_that_went_to_some_nodes_only_are_not_spread() {
        assert!(spread(vec![10, 11, 79]).is_ok());
        for shares in [vec![0, 0, 0], vec![0, 50, 50], vec![9, 11, 80]] {
            assert!(spread(shares).is_err());
        }
    }
}
