//! What a node takes for connections on which nothing is going on: clients keep theirs for as long as they live, and a node has
//! ten thousand of them to carry in less than 300 MiB, itself included.
//!
//! Resident memory is what the kernel says of the process (`VmRSS`); what sockets take of the kernel is not in it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use forebay_tests::node::Node;

const CONNECTIONS: usize = 2_000;
/// Of ten thousand connections, so many leave 300 MiB for a node that takes 60 without them. Unit: bytes.
const CONNECTION_BYTES_MAX: u64 = 24 * 1024;
/// What it is, with room for what an allocator does. Unit: bytes.
const BYTES_EXPECTED: u64 = 6 * 1024;

/// How a connection of the DAX wire begins, and a request for the nodes.
const HELLO: &[u8] = b"gJ7yne5G\x00\xf6\xa0\x00\x01\x1a\x1b\x2b\xcf\x02";

fn resident_bytes(node: &Node) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", node.pid())).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("Linux says it");
    line.trim().strip_suffix(" kB").and_then(|kib| kib.parse::<u64>().ok()).expect("in KiB") * 1024
}

/// A connection that has been answered.
fn answered(node: &Node) -> TcpStream {
    let mut stream = TcpStream::connect(node.dax.expect("it serves DAX")).expect("the node accepts");
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a socket takes its options");
    stream.write_all(HELLO).expect("it is read");
    let mut answer = [0; 512];
    assert!(stream.read(&mut answer).expect("it answers") > 2 && answer[0] == 0x80, "the nodes are told");
    stream
}

#[test]
fn an_idle_connection_holds_no_buffers() {
    let node = Node::dev(&["--in-memory"]);
    // What is made once, and what threads keep for all, is there already.
    let first: Vec<TcpStream> = (0..200).map(|_| answered(&node)).collect();
    let before = resident_bytes(&node);
    let idle: Vec<TcpStream> = (0..CONNECTIONS).map(|_| answered(&node)).collect();
    let each = resident_bytes(&node).saturating_sub(before) / CONNECTIONS as u64;
    println!("{each} bytes a connection");
    assert!(each < BYTES_EXPECTED, "{each} bytes a connection");
    const { assert!(BYTES_EXPECTED < CONNECTION_BYTES_MAX) };
    // And all of them are still served.
    for mut stream in first.into_iter().chain(idle) {
        stream.write_all(&HELLO[12..]).expect("it is read");
        assert!(stream.read(&mut [0; 512]).expect("it answers") > 2);
    }
}
