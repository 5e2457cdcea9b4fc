//! Three nodes under faults, each a process of its own, and what concurrent clients saw of it, judged: of HTTP, DAX and gRPC on every node,
//! and the official DAX clients for Python and Go. The short form of `cargo x soak faults`, about two minutes.

use forebay_tests::cluster::Cluster;
use forebay_tests::fault::Fault;
use forebay_tests::outside::Language;
use forebay_tests::rounds::several::{Storm, round};
use history::session::Rules;
use history::verdict::Promise;

/// Rounds in which a planted fault has to be found out.
const TRIES: u64 = 10;

/// Every fault in its turn, a history each, on one cluster that has to live through all of them.
fn every_promise_holds(cluster: &mut Cluster, faults: &[Fault], first_seed: u64) {
    let mut failed = Vec::new();
    for (number, fault) in faults.iter().enumerate() {
        let seed = first_seed + number as u64;
        let storm = Storm {
            seed,
            faults: &[*fault],
            outside: &[Language::Python, Language::Go],
            rules: Rules::default(),
        };
        let round = round(cluster, storm);
        println!("{fault:?}, seed {seed}: {}", round.verdict);
        if !round.verdict.holds() {
            failed.push((*fault, seed, round.kept));
        }
        assert!(round.verdict.acknowledged > 100 && round.verdict.reads > 100, "hardly anything was asked");
    }
    assert!(failed.is_empty(), "{failed:?}");
}

#[test]
fn every_promise_holds_of_three_nodes_that_are_killed_stopped_and_emptied() {
    every_promise_holds(&mut Cluster::start(3), &Fault::OF_PROCESSES, 20_261_122);
}

#[test]
fn every_promise_holds_of_three_nodes_whose_network_disk_and_clock_fail() {
    every_promise_holds(&mut Cluster::in_network_with_clocks(3, ""), &Fault::OF_NETWORKS, 20_261_222);
}

/// `write_visibility = "all"`: whoever asks any node, over any protocol and without a token, sees every write that was acknowledged before,
/// on whatever node; in single reads and in pages of queries. The official clients choose a node by themselves for each request.
#[test]
fn every_client_reads_its_own_writes_on_any_node_whatever_is_cut() {
    let mut cluster = Cluster::in_network(3, "write_visibility = \"all\"");
    let faults = [Fault::CutPrimary, Fault::CutReplica, Fault::DeafReplica, Fault::PausePrimary];
    let outside = [Language::Python, Language::Go];
    let rules = Rules { visible_everywhere: true };
    let round = round(&mut cluster, Storm { seed: 20_261_322, faults: &faults, outside: &outside, rules });
    println!("{}", round.verdict);
    assert!(round.verdict.holds(), "{}\nthe record is kept as {:?}", round.verdict, round.kept);
    assert!(round.verdict.acknowledged > 500 && round.verdict.reads > 500, "hardly anything was asked");
}

/// Nodes that break promises, because they are told to: pages are served for their time, whatever was written.
#[test]
fn pages_served_by_time_alone_are_found_out_on_three_nodes() {
    let mut cluster = Cluster::start_with(3, "[cache]\nmode = \"ttl\"");
    // How much is asked in a round depends on the machine, and in a short one nobody may have read a page again after it changed.
    for seed in 1..=TRIES {
        let storm = Storm { seed, faults: &[], outside: &[], rules: Rules::default() };
        let round = round(&mut cluster, storm);
        let promises: Vec<Promise> =
            round.verdict.violations.iter().map(|violation| violation.promise).collect();
        assert!(!promises.contains(&Promise::P2) && !promises.contains(&Promise::P11), "{}", round.verdict);
        if promises.contains(&Promise::P1) {
            std::fs::remove_file(round.kept.expect("what is refused is kept")).expect("it is there");
            return;
        }
    }
    panic!(
        "pages that are served for their time, whatever was written, were found out in none of {TRIES} rounds"
    );
}

/// The judge of `write_visibility = "all"`, of a cluster that does not promise it: a replica that is cut off answers what was before.
#[test]
fn a_replica_that_answers_what_was_before_is_found_out_where_that_is_promised() {
    let mut cluster = Cluster::in_network(3, "");
    // As above: nobody may have asked the replica, while it was cut off, for what had changed meanwhile.
    for seed in 2..2 + TRIES {
        let rules = Rules { visible_everywhere: true };
        let round = round(&mut cluster, Storm { seed, faults: &[Fault::CutReplica], outside: &[], rules });
        let promises: Vec<Promise> =
            round.verdict.violations.iter().map(|violation| violation.promise).collect();
        assert!(!promises.contains(&Promise::P2) && !promises.contains(&Promise::P11), "{}", round.verdict);
        if promises.contains(&Promise::P6) {
            std::fs::remove_file(round.kept.expect("what is refused is kept")).expect("it is there");
            return;
        }
    }
    panic!("a replica that answers what was before was found out in none of {TRIES} rounds");
}
