//! A node of three whose disk is full: it says so wherever it is asked, the others go on, and a restart mends it once there is room.

use std::time::Duration;

use forebay_tests::cluster::Cluster;
use forebay_tests::numbers::{get, now, number, put, table};
use forebay_tests::wire::Reply;
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(60);
/// Bytes of what is written until there is no room: more than what the log has put aside.
const LARGE: usize = 300_000;

/// A page of a node's admin port.
fn page(cluster: &Cluster, at: usize, path: &str) -> (u16, String) {
    let reply = cluster.node(at).get(path).expect("its admin port answers");
    (reply.status, text(&reply))
}

fn text(reply: &Reply) -> String {
    String::from_utf8_lossy(&reply.body).into_owned()
}

fn ask(cluster: &Cluster, at: usize, op: &str, body: &Value) -> Reply {
    cluster.node(at).connect().ask(op, body).expect("the node answers")
}

#[test]
fn a_node_whose_disk_is_full_says_so_and_is_to_be_restarted_and_the_others_go_on() {
    let mut cluster = Cluster::in_network(3, "max_replica_lag = \"2s\"");
    cluster.node(0).create_table(&table());
    cluster.ok(0, "PutItem", &put("n", 0));
    // The one on the small disk.
    let full = cluster.count() - 1;
    let filler = cluster.fill_disk().expect("a cluster in a network has a small disk");
    let (begun, mut n) = (now(), 0);
    while cluster.status(full)["failure"].is_null() {
        assert!(begun.elapsed() < PATIENCE, "it takes writes all the same");
        // Once it is the primary no more, or if it never was.
        let mut large = put("n", n + 1);
        large["Item"]["x"] = json!({"S": "x".repeat(LARGE)});
        let reply = ask(&cluster, 0, "PutItem", &large);
        assert!(reply.status == 200 || reply.status >= 500, "{}", text(&reply));
        n += u64::from(reply.status == 200);
    }
    println!("its disk failed after {n} writes, {:?}", begun.elapsed());

    while page(&cluster, full, "/health").0 == 200 {
        assert!(begun.elapsed() < PATIENCE, "it does not ask for a restart");
    }
    let named = "The store takes no writes: the disk failed";
    for path in ["/health", "/ready"] {
        let (status, said) = page(&cluster, full, path);
        assert!(status == 503 && said.contains(named), "{path}: {status} {said}");
    }
    let said = cluster.command(full, &["status"]);
    assert!(said.contains("writes   refused: the disk failed"), "{said}");
    // From memory it answers for as long as it may be behind.
    while ask(&cluster, full, "GetItem", &get("n", false)).status == 200 {
        assert!(begun.elapsed() < PATIENCE, "it answers what may be old by now");
    }
    for (op, body) in [("PutItem", put("n", 0)), ("GetItem", get("n", true)), ("GetItem", get("n", false))] {
        let asked = now();
        let reply = ask(&cluster, full, op, &body);
        let said = text(&reply);
        assert_eq!(
            (reply.status, reply.kind().as_str()),
            (503, "ServiceUnavailableException"),
            "{op}: {said}"
        );
        assert!(said.contains(named) && said.contains("restart this node"), "{op}: {said}");
        assert!(
            asked.elapsed() < Duration::from_secs(1),
            "there is nothing to wait for: {:?}",
            asked.elapsed()
        );
    }
    let others: Vec<usize> = (0..cluster.count()).filter(|at| *at != full).collect();
    for at in &others {
        assert_eq!(page(&cluster, *at, "/health").0, 200);
        n += 1;
        cluster.ok(*at, "PutItem", &put("n", n));
        assert_eq!(number(&cluster.ok(*at, "GetItem", &get("n", true))), Some(n));
    }

    std::fs::remove_file(filler).expect("it is there");
    cluster.kill(full);
    cluster.start_all();
    cluster.wait_until_whole();
    assert_eq!(page(&cluster, full, "/health").0, 200);
    assert_eq!(number(&cluster.ok(full, "GetItem", &get("n", true))), Some(n));
}
