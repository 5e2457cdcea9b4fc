//! As many nodes as a cluster may have: three that begin it and eight that join. Five of them vote, all serve, and one more is refused
//! with what to do about it.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use forebay_tests::cluster::{Cluster, name};
use forebay_tests::dax_wire::DaxWire;
use forebay_tests::node::page;
use forebay_tests::numbers::{get, now, number, put, table};
use serde_json::Value;

/// As many as there may be.
const NODES: usize = 11;
/// As many of them vote.
const VOTERS: usize = 5;
const PATIENCE: Duration = Duration::from_secs(30);
/// Eleven processes at a time are enough.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The members in a status: how many there are, and the addresses of those that vote.
fn members(status: &Value) -> (usize, BTreeSet<String>) {
    let members = status["members"].as_array().expect("a list");
    let voting = members.iter().filter(|member| member["voter"] == true);
    (members.len(), voting.map(|member| member["address"].as_str().expect("text").to_owned()).collect())
}

/// What is written through one node every node gives back.
fn all_read(cluster: &Cluster, key: &str, n: u64) {
    for (at, node) in cluster.running() {
        assert_eq!(number(&node.ok("GetItem", &get(key, true))), Some(n), "{key} as node {at} says");
        eventually("each shows it", || number(&node.ok("GetItem", &get(key, false))) == Some(n));
    }
}

/// Waits until each node tells DAX clients of all that run.
fn all_are_told_of(cluster: &Cluster) {
    let expected: BTreeSet<String> = cluster.running().map(|(at, _)| name(at)).collect();
    for (_, node) in cluster.running() {
        let mut wire = DaxWire::connect(node.dax.expect("it serves DAX")).expect("the node listens");
        eventually("each tells of all", || {
            wire.endpoints().into_iter().map(|one| one.host).collect::<BTreeSet<_>>() == expected
        });
    }
}

#[test]
fn eleven_nodes_serve_and_outlive_their_primary_and_a_twelfth_is_refused_until_there_is_a_place() {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let begun = now();
    let mut cluster = Cluster::start_to_grow(3, NODES + 1);
    cluster.node(0).create_table(&table());
    while cluster.count() < NODES {
        cluster.place_for_another();
    }
    cluster.start_all();
    println!("eleven nodes are ready after {:?}", begun.elapsed());
    let status = cluster.wait_for(0, "eleven members, five of which vote", |status| {
        let (all, voting) = members(status);
        (all, voting.len()) == (NODES, VOTERS)
    });
    let voting = members(&status).1;
    let is_learner = |cluster: &Cluster, at: usize| !voting.contains(&cluster.peer_address(at));
    let learners: Vec<usize> = (0..NODES).filter(|at| is_learner(&cluster, *at)).collect();
    println!("five voters and {} others after {:?}", learners.len(), begun.elapsed());

    // Everybody writes, everybody reads.
    for (n, at) in (100..).zip(0..NODES) {
        cluster.ok(at, "PutItem", &put(&format!("by-{at}"), n));
    }
    for (n, at) in (100..).zip(0..NODES) {
        all_read(&cluster, &format!("by-{at}"), n);
    }
    all_are_told_of(&cluster);

    // One more: it waits, and says for what, to whoever asks it and to an operator.
    let twelfth = cluster.place_for_another();
    let process = cluster.spawn(twelfth);
    let what_to_do = "and may have 11 nodes: remove those that are gone first, by `forebay member remove`";
    eventually("it says why it is not ready", || {
        page(cluster.admin_address(twelfth), "/ready").is_some_and(|reply| {
            reply.status == 503 && String::from_utf8_lossy(&reply.body).contains(what_to_do)
        })
    });
    let refused = cluster.try_command(learners[0], &["member", "add", &cluster.peer_address(twelfth)]);
    assert_eq!(refused.code, Some(75), "{}", refused.said);
    assert!(refused.said.contains(what_to_do), "{}", refused.said);
    assert_eq!(members(&cluster.status(0)).0, NODES);

    // The loss of the primary: four voters are left to agree, and who only follows is served on.
    let primary = cluster.primary();
    let killed = now();
    cluster.kill(primary);
    let through = *learners.last().expect("there are six");
    // While a primary is looked for, a write may be refused.
    let written = |at: usize, key: &str, n: u64| {
        let reply = cluster.node(at).connect().ask("PutItem", &put(key, n)).expect("an answer");
        assert!(reply.status == 200 || reply.status >= 500, "{}", String::from_utf8_lossy(&reply.body));
        reply.status == 200
    };
    eventually("a write through a learner", || written(through, "after", 1));
    println!("a learner takes writes {:?} after the primary was killed", killed.elapsed());
    for (n, at) in (200..).zip(learners.iter().copied()) {
        eventually("a write through each", || written(at, &format!("after-{at}"), n));
        all_read(&cluster, &format!("after-{at}"), n);
    }
    for (n, at) in (100..).zip(0..NODES) {
        all_read(&cluster, &format!("by-{at}"), n);
    }
    all_are_told_of(&cluster);

    // What it was told to wait for: it takes the place of the one that is lost.
    let next = cluster.primary();
    cluster.command(next, &["member", "remove", &cluster.number_of(next, primary)]);
    eventually("it is ready", || {
        page(cluster.admin_address(twelfth), "/ready").is_some_and(|reply| reply.status == 200)
    });
    cluster.wait_for(next, "eleven members again", |status| {
        let (all, voting) = members(status);
        (all, voting.len()) == (NODES, VOTERS) && !voting.contains(&cluster.peer_address(primary))
    });
    assert_eq!(number(&cluster.ask_spawned(twelfth, "GetItem", &get("after", false))), Some(1));
    drop(process);
    println!("all of it took {:?}", begun.elapsed());
}

#[test]
fn of_eleven_that_are_listed_the_first_five_vote() {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let begun = now();
    let cluster = Cluster::start(NODES);
    println!("eleven listed nodes are ready after {:?}", begun.elapsed());
    let status = cluster.wait_for(0, "eleven members", |status| members(status).0 == NODES);
    let first: BTreeSet<String> = (0..VOTERS).map(|at| cluster.peer_address(at)).collect();
    assert_eq!(members(&status).1, first);
    cluster.node(NODES - 1).create_table(&table());
    cluster.ok(NODES - 1, "PutItem", &put("last", 11));
    all_read(&cluster, "last", 11);
}
