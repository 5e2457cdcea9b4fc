//! A cluster of processes that is changed on purpose, under load: leadership moves, nodes restart one after another, members come
//! and go. No client's request fails for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use forebay_tests::cluster::Cluster;
use forebay_tests::load::{Load, Open};
use forebay_tests::node::page;
use forebay_tests::numbers::{self, TABLE, get, now, put, table};
use forebay_tests::wire::Wire;
use forebay_tests::{hand_over, roster};
use serde_json::{Value, json};

/// Writes may stand still for so long while leadership moves. The promise is 100 ms on an idle machine; a test machine that
/// builds something else meanwhile is given more, and the test says what it was.
const PAUSE_MAX: Duration = Duration::from_secs(3);
/// A node that was removed says so within that. It asks the others every second; the rest is for a busy test machine.
const REMOVAL_TOLD_MAX: Duration = Duration::from_secs(15);

/// What was never written counts as nothing.
fn number_or_zero(reply: &Value) -> u64 {
    numbers::number(reply).unwrap_or(0)
}

#[test]
fn no_request_fails_while_leadership_moves() {
    let cluster = Cluster::start(3);
    cluster.node(0).create_table(&table());
    let open = Open::of(&cluster);
    let calm = Load::begin(3, "calm", &open);
    std::thread::sleep(Duration::from_secs(3));
    calm.end("nothing moves");
    let load = Load::begin(3, "moved", &open);
    for _ in 0..6 {
        std::thread::sleep(Duration::from_millis(400));
        let before = cluster.status(0)["primary"].clone();
        cluster.command(1, &["member", "transfer-primary"]);
        cluster.wait_for(2, "leadership moves", |status| status["primary"] != before);
    }
    std::thread::sleep(Duration::from_millis(400));
    let all = load.end("six transfers");
    assert!(all.answered > 500, "{all:?}");
    assert!(all.slowest_write.max(all.slowest_read) < PAUSE_MAX, "{all:?}");
}

#[test]
fn no_request_fails_while_all_nodes_are_restarted_one_after_another() {
    let mut cluster = Cluster::start(3);
    cluster.node(0).create_table(&table());
    let open = Open::of(&cluster);
    let load = Load::begin(3, "rolled", &open);
    for at in 0..3 {
        std::thread::sleep(Duration::from_millis(500));
        // The primary is among them; whoever stops is taken out of the balancer first, as its `/ready` would have it.
        open.leave(at);
        cluster.stop(at);
        cluster.start_all();
        open.take(at, cluster.node(at).http);
        // Of the roster it is again, though it said farewell.
        cluster.wait_for((at + 1) % 3, "a node comes back", |status| {
            let members = status["members"].as_array().expect("a list");
            members.len() == 3
                && members
                    .iter()
                    .all(|member| member["about"]["stopping"] == false && member["present"] == true)
        });
    }
    std::thread::sleep(Duration::from_millis(500));
    let all = load.end("a rolling restart");
    assert!(all.answered > 500 && all.slowest_write < PAUSE_MAX, "{all:?}");
}

#[test]
fn a_cluster_grows_by_a_node_without_a_vote_and_by_two_with_one_and_shrinks_again() {
    let mut cluster = Cluster::start(3);
    cluster.node(0).create_table(&table());
    let open = Open::of(&cluster);
    let load = Load::begin(3, "grown", &open);
    let voters = |status: &Value| {
        let members = status["members"].as_array().expect("a list");
        (members.len(), members.iter().filter(|member| member["voter"] == true).count())
    };
    let number = |status: &Value, address: &str| {
        let members = status["members"].as_array().expect("a list");
        let own = members.iter().find(|member| member["address"] == address).expect("it is a member");
        own["node"].as_u64().expect("a number")
    };
    // A member that can't be reached would never follow.
    let fourth_address = format!("127.0.0.4:{}", cluster.peer_address(0).rsplit(':').next().expect("a port"));
    let refused = cluster.try_command(1, &["member", "add", &fourth_address]);
    assert_eq!(refused.code, Some(75), "{}", refused.said);
    assert!(
        refused.said.contains(&fourth_address) && refused.said.contains("Start it first"),
        "{}",
        refused.said
    );
    let refused = cluster.try_command(1, &["member", "remove", "9"]);
    assert_eq!(refused.code, Some(64), "{}", refused.said);
    assert!(refused.said.contains("there is no member 9; there are 1, 2, 3"), "{}", refused.said);
    let fourth = cluster.grow();
    assert_eq!(cluster.peer_address(fourth), fourth_address);
    let status = cluster.wait_for(0, "the fourth follows", |status| {
        let own = status["members"].as_array().expect("a list").last().cloned().unwrap_or_default();
        voters(status) == (4, 3) && own["about"]["name"] == "n3"
    });
    let fourth_number = number(&status, &fourth_address);
    cluster.ok(fourth, "PutItem", &put("through-the-fourth", 4));
    assert_eq!(number_or_zero(&cluster.ok(0, "GetItem", &get("through-the-fourth", true))), 4);
    let fifth = cluster.grow();
    let status = cluster.wait_for(fourth, "five voters", |status| voters(status) == (5, 5));
    let fifth_number = number(&status, &cluster.peer_address(fifth));
    // Out again, one of them while it runs.
    cluster.stop(fifth);
    cluster.command(0, &["member", "remove", &fifth_number.to_string()]);
    cluster.command(0, &["member", "remove", &fourth_number.to_string()]);
    cluster.wait_for(1, "three members", |status| voters(status) == (3, 3));
    cluster.stop(fourth);
    load.end("growing and shrinking");
}

/// Waits until a node says that it was removed, to whoever asks whether it is ready and to its operator.
fn says_that_it_was_removed(cluster: &Cluster, at: usize, begun: Instant) {
    let ready = || {
        let reply = page(cluster.admin_address(at), "/ready")?;
        Some((reply.status, String::from_utf8_lossy(&reply.body).into_owned()))
    };
    loop {
        let ready = ready().unwrap_or_default();
        let status = cluster.try_command(at, &["status"]).said;
        let removed = "this node was removed from the cluster: stop it and delete its data";
        if ready.0 == 503
            && ready.1.contains(removed)
            && status.contains("removed  the primary says that this node")
        {
            assert!(!status.contains("being changed"), "{status}");
            println!("it says that it was removed after {:?}", begun.elapsed());
            return;
        }
        assert!(begun.elapsed() < REMOVAL_TOLD_MAX, "{ready:?}: {status}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_primary_that_is_removed_hands_over_first_and_learns_of_it_and_no_request_fails() {
    let mut cluster = Cluster::start(3);
    cluster.node(0).create_table(&table());
    let open = Open::of(&cluster);
    let load = Load::begin(3, "removed", &open);
    std::thread::sleep(Duration::from_millis(500));
    let removed = cluster.primary();
    let number = cluster.number_of(removed, removed);
    open.leave(removed);
    let begun = now();
    cluster.command(removed, &["member", "remove", &number]);
    println!("removed after {:?}", begun.elapsed());
    says_that_it_was_removed(&cluster, removed, begun);
    let next = cluster.primary();
    assert_ne!(next, removed);
    let status =
        cluster.wait_for(next, "two members", |status| status["members"].as_array().map(Vec::len) == Some(2));
    assert_ne!(status["primary"].to_string(), number);
    std::thread::sleep(Duration::from_millis(500));
    let all = load.end("the primary is removed");
    assert!(all.answered > 300 && all.slowest_write < PAUSE_MAX, "{all:?}");

    // It was stopped, leadership has moved since, and nobody speaks to it: it still hears of it.
    cluster.stop(removed);
    cluster.command(next, &["member", "transfer-primary"]);
    let begun = now();
    let process = cluster.spawn(removed);
    says_that_it_was_removed(&cluster, removed, begun);
    drop(process);

    // Whoever is the last but one goes likewise, and the last one not at all.
    let (next, last) = (cluster.primary(), cluster.replica());
    cluster.command(last, &["member", "remove", &cluster.number_of(last, next)]);
    cluster.wait_for(last, "one member", |status| status["members"].as_array().map(Vec::len) == Some(1));
    says_that_it_was_removed(&cluster, next, now());
    cluster.stop(next);
    let refused = cluster.try_command(last, &["member", "remove", &cluster.number_of(last, last)]);
    assert_eq!(refused.code, Some(64), "{}", refused.said);
    assert!(refused.said.contains("is the only voter: nobody would be left"), "{}", refused.said);
    let refused = cluster.try_command(last, &["member", "transfer-primary"]);
    assert_eq!(refused.code, Some(64), "{}", refused.said);
    assert!(refused.said.contains("there is nobody to hand over to"), "{}", refused.said);
    cluster.ok(last, "PutItem", &put("alone", 7));
    assert_eq!(number_or_zero(&cluster.ok(last, "GetItem", &get("alone", true))), 7);
}

#[test]
fn what_can_never_be_done_is_bad_usage() {
    let mut cluster = Cluster::start(3);
    let fourth = cluster.grow();
    let primary = cluster.primary();
    let learner = cluster.number_of(primary, fourth);
    let own = cluster.number_of(primary, primary);
    let taken = cluster.peer_address(cluster.replica());
    for (asked, said) in [
        (&["member", "remove", "9"][..], "there is no member 9; there are 1, 2, 3".to_owned()),
        (&["member", "transfer-primary", "9"], "there is no member 9; there are 1, 2, 3".to_owned()),
        (&["member", "transfer-primary", &learner], format!("member {learner} has no vote")),
        (&["member", "add", &taken], format!("{taken} answers as member")),
        (&["member", "add", "nowhere"], "\"nowhere\" is no address".to_owned()),
        (&["param", "set", "ttl", "1"], "there is no parameter \"ttl\"".to_owned()),
    ] {
        // Through the primary, and passed on to it.
        for at in [primary, fourth] {
            let refused = cluster.try_command(at, asked);
            assert_eq!(refused.code, Some(64), "{asked:?}: {}", refused.said);
            assert!(refused.said.contains(&said), "{asked:?}: {}", refused.said);
        }
    }
    // And what is so already is no mistake.
    let already = cluster.try_command(fourth, &["member", "transfer-primary", &own]);
    assert_eq!(already.code, Some(0), "{}", already.said);
    assert_eq!(cluster.primary(), primary);
}

#[test]
fn the_roster_on_every_node_follows_what_becomes_of_the_others() {
    println!("{}", roster::run(1));
}

#[test]
fn a_writer_goes_on_over_a_planned_hand_over() {
    let pauses = hand_over::run(3, 1);
    println!("{pauses}");
    for kind in [hand_over::TRANSFERRED, hand_over::STOPPED] {
        assert!(pauses.worst(kind) < PAUSE_MAX, "{kind}: {:?}", pauses.worst(kind));
    }
}

#[test]
fn what_a_dax_client_was_told_by_one_node_every_node_knows() {
    use forebay_tests::dax_wire::DaxWire;
    let cluster = Cluster::start(3);
    let mut wires: Vec<DaxWire> = (0..3)
        .map(|at| DaxWire::connect(cluster.node(at).dax.expect("it serves DAX")).expect("the node listens"))
        .collect();
    for round in 0..30 {
        let (at, other) = (round % 3, (round + 1) % 3);
        let names = [format!("b{round}"), format!("a{round}")];
        let borrowed: Vec<&str> = names.iter().map(String::as_str).collect();
        let id = wires[at].define(&borrowed);
        let known = wires[other].names(id).map(|names| names.to_vec());
        assert_eq!(known, Ok(names.to_vec()), "round {round}, as n{other} says");
    }
    for round in 0..5 {
        let (at, other) = (round % 3, (round + 1) % 3);
        let mut table = table();
        let name = format!("made-{round}");
        table["TableName"] = json!(name);
        cluster.ok(at, "CreateTable", &table);
        cluster.wait_until_active(at, &name);
        assert!(wires[other].schema(&name).is_ok(), "round {round}, as n{other} says");
        let id = wires[at].define(&["v"]);
        let put = wires[other].put(&name, "k", id, &["x"]);
        assert_eq!(put, Ok(()), "round {round}, as n{other} says");
    }
    // What nobody knows is refused all the same.
    assert!(wires[0].schema("never-made").is_err());
}

/// The numbers of reads on one connection to a replica, while another client writes ever larger ones through the primary.
#[test]
fn reads_on_one_connection_to_a_replica_never_go_back() {
    use forebay_tests::wire::request;
    let cluster = Cluster::start(3);
    cluster.node(0).create_table(&table());
    let (primary, replica) = (cluster.primary(), cluster.replica());
    let stop = Arc::new(AtomicBool::new(false));
    let writing = {
        let (stop, address) = (Arc::clone(&stop), cluster.node(primary).http);
        std::thread::spawn(move || {
            let mut wire = Wire::connect(address).expect("the node listens");
            let mut written = 0;
            while !stop.load(Ordering::Relaxed) {
                written += 1;
                let reply = wire.ask("PutItem", &put("p3", written)).expect("an answer");
                assert_eq!(reply.status, 200);
            }
            written
        })
    };
    let mut wire = cluster.node(replica).connect();
    let query = json!({
        "TableName": TABLE, "KeyConditionExpression": "p = :p",
        "ExpressionAttributeValues": {":p": {"S": "p3"}},
    });
    let (mut last, begun, mut reads) = (0, now(), 0_u64);
    while begun.elapsed() < Duration::from_secs(4) {
        reads += 1;
        // From the cache or the store here; from the primary, since nothing here is so new; a page; all on one connection.
        let (op, body, headers): (_, _, &[(&str, &str)]) = match reads % 4 {
            0 => ("GetItem", get("p3", false), &[("x-forebay-max-staleness", "0")]),
            3 => ("Query", query.clone(), &[]),
            _ => ("GetItem", get("p3", false), &[]),
        };
        wire.send(&request(op, body.to_string().as_bytes(), headers)).expect("the node listens");
        let reply = wire.reply().expect("an answer");
        assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
        let reply = reply.json();
        let found = match op {
            "Query" => number_or_zero(&json!({"Item": reply["Items"][0]})),
            _ => number_or_zero(&reply),
        };
        assert!(found >= last, "read {reads}, {op}: {found} after {last}");
        last = found;
    }
    stop.store(true, Ordering::Relaxed);
    let written = writing.join().expect("the writer meets nothing but answers");
    let forwards = cluster.node(replica).metric("forebay_forwards_total").unwrap_or(0.0);
    let hits = cluster.node(replica).metric("forebay_item_cache_hits_total").unwrap_or(0.0);
    println!("{reads} reads of {written} writes, {forwards} passed on, {hits} hits");
    assert!(forwards > 100.0 && hits > 10.0 && last > 100, "all of it happened: {forwards} {hits} {last}");
}
