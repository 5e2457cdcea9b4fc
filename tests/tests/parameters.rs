//! `forebay param`: what is set through any node holds on all, at once, without a restart and over one.

use std::time::Duration;

use forebay_tests::cluster::Cluster;
use forebay_tests::directory::Directory;
use forebay_tests::node::{Node, run};
use forebay_tests::numbers::{TABLE, now, put, table};
use serde_json::{Value, json};

/// How long anything may take that should be so at once: a replica applies what the primary has within milliseconds.
const PATIENCE: Duration = Duration::from_secs(30);

fn query() -> Value {
    json!({
        "TableName": TABLE,
        "KeyConditionExpression": "p = :p",
        "ExpressionAttributeValues": {":p": {"S": "asked"}},
    })
}

fn hits(node: &Node) -> f64 {
    node.metric("forebay_query_cache_hits_total").unwrap_or(0.0)
}

/// Whether the last of three equal queries is answered from memory.
fn is_cached(node: &Node) -> bool {
    let before = hits(node);
    for _ in 0..3 {
        assert_eq!(node.ok("Query", &query())["Count"], 1);
    }
    hits(node) > before
}

fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn parameter(status: &Value, name: &str) -> (Option<u64>, Option<bool>) {
    let all = status["parameters"].as_array().map_or(&[][..], Vec::as_slice);
    let found = all.iter().find(|parameter| parameter["name"] == name);
    found.map_or((None, None), |found| (found["value"].as_u64(), found["set"].as_bool()))
}

const QUERY: &str = "query-ttl-millis";

#[test]
fn a_parameter_set_through_a_replica_holds_on_all_nodes_at_once_and_after_a_restart() {
    let mut cluster = Cluster::start(3);
    cluster.node(0).create_table(&table());
    cluster.ok(0, "PutItem", &put("asked", 1));
    for at in 0..3 {
        assert_eq!(parameter(&cluster.status(at), QUERY), (Some(300_000), Some(false)));
        eventually("pages are cached", || is_cached(cluster.node(at)));
    }
    let replica = cluster.replica();
    eventually("it is set", || cluster.try_command(replica, &["param", "set", QUERY, "0"]).code == Some(0));
    let is_off = |cluster: &Cluster| {
        for at in 0..3 {
            eventually("every node hears of it", || {
                parameter(&cluster.status(at), QUERY) == (Some(0), Some(true))
                    && cluster.node(at).metric("forebay_query_ttl_milliseconds") == Some(0.0)
            });
            assert!(!is_cached(cluster.node(at)), "node {at}");
        }
        let said = cluster.command(0, &["param", "get"]);
        assert!(said.contains("query-ttl-millis   0           set for the cluster"), "{said}");
        assert!(said.contains("record-ttl-millis  300000      not set: [cache] record_ttl_millis"), "{said}");
        assert!(cluster.command(0, &["status"]).contains("set      query-ttl-millis 0"));
    };
    is_off(&cluster);
    // All of them at once, as a power cut would.
    (0..3).for_each(|at| cluster.kill(at));
    cluster.start_all();
    is_off(&cluster);
    cluster.command(replica, &["param", "set", QUERY, "default"]);
    for at in 0..3 {
        eventually("the config's value holds again", || is_cached(cluster.node(at)));
        assert_eq!(parameter(&cluster.status(at), QUERY), (Some(300_000), Some(false)));
    }
    for (wrong, said) in [
        (
            &["param", "set", "ttl", "1"][..],
            "there are record-ttl-millis (0 to 31536000000; 0 is never by time) and",
        ),
        (&["param", "set", QUERY, "5m"], "0 to 31536000000, or \"default\""),
        (&["param", "set", QUERY, "31536000001"], "0 is no pages are cached"),
        (&["param", "get", "ttl"], "there is no parameter \"ttl\""),
    ] {
        let ended = cluster.try_command(0, wrong);
        assert_eq!(ended.code, Some(64), "{wrong:?}: {}", ended.said);
        assert!(ended.said.contains(said), "{wrong:?}: {}", ended.said);
    }
}

#[test]
fn a_node_that_stands_alone_is_asked_by_a_socket_that_only_its_user_may_use() {
    use std::os::unix::fs::PermissionsExt;

    let directory = Directory::new("alone");
    let (config, data) = (directory.path().join("forebay.toml"), directory.path().join("data"));
    let text = format!(
        "[store]\ndata = {data:?}\n[cache.tables.numbers]\nrecord_ttl_millis = 5\n\
         [listen]\nhttp_port = 0\ndax_port = 0\ngrpc_port = 0\nadmin_port = 0\n"
    );
    std::fs::write(&config, text).expect("a file in our directory");
    let config = config.to_str().expect("temporary paths are text");
    let ask = |arguments: &[&str]| run(&[arguments, &["--config", config]].concat(), &[]);
    let refused = ask(&["param", "get"]);
    assert_eq!(refused.code, Some(75), "{}", refused.said);
    assert!(refused.said.contains("is the node of this config running"), "{}", refused.said);
    for kill in [false, true] {
        let mut node = Node::start(&["node", "--config", config]);
        node.create_table(&table());
        node.ok("PutItem", &put("asked", 1));
        assert!(is_cached(&node));
        let control = std::fs::metadata(data.join("control")).expect("it is there");
        assert_eq!(control.permissions().mode() & 0o777, 0o700);
        assert_eq!(ask(&["param", "set", QUERY, "0"]).said, "");
        eventually("it obeys", || !is_cached(&node));
        let said = ask(&["param", "get"]).said;
        assert!(said.contains("query-ttl-millis   0           set for the cluster"), "{said}");
        assert!(
            said.contains("  numbers          5           [cache.tables.numbers] record_ttl_millis"),
            "{said}"
        );
        assert!(ask(&["status"]).said.contains("cluster  none, this node stands alone"));
        assert_eq!(ask(&["param", "set", QUERY, "default"]).said, "");
        eventually("it obeys", || is_cached(&node));
        assert_eq!(ask(&["member", "remove", "1"]).code, Some(64));
        node.ok("DeleteTable", &json!({"TableName": TABLE}));
        // A socket that a killed node has left behind is in nobody's way.
        if kill { node.kill() } else { assert!(node.stop().success()) }
    }
}
