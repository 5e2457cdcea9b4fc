//! What a node takes that nobody has asked anything: with default settings, on disk and in memory, new and opened again.
//!
//! Resident memory is what the kernel says of the process, file-backed pages of the binary included (`VmRSS`).

use forebay_tests::directory::Directory;
use forebay_tests::node::Node;

/// The bound. Unit: bytes.
const IDLE_BYTES_MAX: u64 = 60 << 20;

/// A line of `/proc/PID/status` that is in KiB. Unit: bytes.
fn status_bytes(node: &Node, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", node.pid())).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")).expect("Linux says it in KiB");
    kib.parse::<u64>().expect("a number") * 1024
}

fn check(what: &str, node: &Node) {
    let (all, own) = (status_bytes(node, "VmRSS"), status_bytes(node, "RssAnon"));
    println!("{what}: {:.1} MiB resident, {:.1} MiB of it its own", mib(all), mib(own));
    assert!(all < IDLE_BYTES_MAX, "{what}: {:.1} MiB resident", mib(all));
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

#[test]
fn a_node_that_nobody_asks_anything_takes_less_than_60_mib() {
    let directory = Directory::new("idle-memory");
    let node = Node::on(directory.path());
    check("new", &node);
    assert!(node.stop().success());
    let node = Node::on(directory.path());
    check("opened again", &node);
    assert!(node.stop().success());
    check("in memory", &Node::dev(&["--in-memory"]));
}
