//! A node over data that is not its own, or at an address that is another's: it is refused before the others hear of it, says what
//! the data is and what to do, has changed nothing; and what it says helps.

use std::time::Duration;

use forebay_tests::cluster::Cluster;
use forebay_tests::directory::{copy, files};
use forebay_tests::node::{Node, run};
use forebay_tests::numbers::{get, now, number, put, table};
use forebay_tests::wire::Wire;

const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(20);

fn goes_on(cluster: &Cluster, n: u64) {
    cluster.ok(cluster.primary(), "PutItem", &put("n", n));
    for (at, _) in cluster.running() {
        assert_eq!(number(&cluster.ok(at, "GetItem", &get("n", true))), Some(n), "node {at}");
    }
}

fn members(cluster: &Cluster) -> usize {
    cluster.status(cluster.primary())["members"].as_array().expect("members").len()
}

#[test]
fn data_of_a_node_alone_does_not_become_a_members_nor_a_members_that_of_a_node_alone() {
    let mut cluster = Cluster::start(3);
    cluster.node(0).create_table(&table());
    goes_on(&cluster, 1);
    let new = cluster.place_for_another();
    let data = cluster.data(new);
    let mut alone = Node::on(&data);
    alone.create_table(&table());
    alone.ok("PutItem", &put("kept", 7));
    alone.kill();
    // With all that it is in its log, and then with a state that is durable.
    for killed in [true, false] {
        if !killed {
            assert!(Node::on(&data).stop().success());
        }
        let why = cluster.refuses(new, &data);
        assert!(why.contains("of a node alone") && why.contains("without [cluster]"), "{why}");
        assert_eq!(members(&cluster), 3);
    }
    let alone = Node::on(&data);
    assert_eq!(number(&alone.ok("GetItem", &get("kept", true))), Some(7));
    assert!(alone.stop().success());

    let at = cluster.replica();
    cluster.stop(at);
    let data = cluster.data(at);
    let before = files(&data);
    let text = data.to_str().expect("temporary paths are text");
    let ports = ["--http-port", "--dax-port", "--grpc-port", "--admin-port"].into_iter();
    let ports = ports.flat_map(|port| [port, "0"]);
    let ended = run(&["dev", "--data", text].into_iter().chain(ports).collect::<Vec<_>>(), &[]);
    assert_eq!(ended.code, Some(64), "{ended:?}");
    assert!(
        ended.said.contains("of the cluster \"forebay\"") && ended.said.contains("[cluster]"),
        "{ended:?}"
    );
    assert!(before == files(&data), "it changed the data");
    // The place that nothing belongs in joins with nothing.
    std::fs::remove_dir_all(cluster.data(new)).expect("ours");
    cluster.start_all();
    // Ready, each of them: the fourth follows without a vote.
    assert_eq!(members(&cluster), 4);
    goes_on(&cluster, 2);
}

#[test]
fn a_disk_in_the_wrong_machine_and_a_copy_of_one_that_runs_are_refused() {
    let mut cluster = Cluster::start(3);
    cluster.node(0).create_table(&table());
    goes_on(&cluster, 1);
    cluster.stop(1);
    cluster.stop(2);
    let (own, other) = (cluster.data(1), cluster.data(2));
    cluster.amend(1, own.to_str().expect("text"), other.to_str().expect("text"));
    let why = cluster.refuses(1, &other);
    let said = [&format!("member 3 ({})", cluster.peer_address(2)), "as member 2", "is this the right disk?"];
    for said in said {
        assert!(why.contains(said), "{said}: {why}");
    }
    cluster.amend_nothing(1);
    let new = cluster.place_for_another();
    let copied = cluster.data(new);
    copy(&other, &copied);
    cluster.start_one(1);
    cluster.start_one(2);
    goes_on(&cluster, 2);
    let why = cluster.refuses(new, &copied);
    assert!(why.contains(&format!("runs at {} too", cluster.peer_address(2))), "{why}");
    goes_on(&cluster, 3);
}

#[test]
fn an_empty_node_at_the_address_of_one_that_lives_is_not_let_in() {
    let mut cluster = Cluster::start(3);
    cluster.node(0).create_table(&table());
    goes_on(&cluster, 1);
    let new = cluster.place_for_another();
    let (own, taken) = (cluster.peer_address(new), cluster.peer_address(cluster.replica()));
    cluster.amend(
        new,
        &format!("[advertise]\npeer = \"{own}\""),
        &format!("[advertise]\npeer = \"{taken}\""),
    );
    let process = cluster.spawn(new);
    let begun = now();
    let ready = || {
        let mut wire = Wire::connect(cluster.admin_address(new)).ok()?;
        wire.send(b"GET /ready HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").ok()?;
        Some(String::from_utf8_lossy(&wire.reply().ok()?.body).into_owned())
    };
    loop {
        let said = ready().unwrap_or_default();
        if said.contains(&format!("{taken} answers as member")) {
            assert!(said.contains("an address of its own"), "{said}");
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "{said}\n{}", process.said());
        std::thread::sleep(POLL);
    }
    assert_eq!(members(&cluster), 3);
    drop(process);
    cluster.amend_nothing(new);
    cluster.start_all();
    assert_eq!(members(&cluster), 4);
    goes_on(&cluster, 2);
}
