//! A node that is left without a majority: it refuses soon and says so in a way that clients take for what it is, and goes on when the
//! others are back.

use std::time::Duration;

use forebay_tests::cluster::Cluster;
use forebay_tests::numbers::{get, now, number, put, table};
use forebay_tests::wire::Wire;
use serde_json::Value;

/// Longest until a request is refused, while it is not known yet that nobody will be elected. The node waits two seconds; the rest is
/// for a test machine that does other things too.
const REFUSED_MAX: Duration = Duration::from_secs(5);
/// The same, when it is known.
const REFUSED_SOON: Duration = Duration::from_secs(2);

/// One request; its status, the kind of error, and how long that took.
fn ask(cluster: &Cluster, at: usize, op: &str, body: &Value) -> (u16, String, String, Duration) {
    let begun = now();
    let mut wire: Wire = cluster.node(at).connect();
    let reply = wire.ask(op, body).expect("the node answers");
    let kind = if reply.status == 200 { String::new() } else { reply.kind() };
    (reply.status, kind, String::from_utf8_lossy(&reply.body).into_owned(), begun.elapsed())
}

fn is_refused(cluster: &Cluster, at: usize) {
    for (op, body) in [("PutItem", put("refused", 1)), ("GetItem", get("kept", true))] {
        let (status, kind, said, took) = ask(cluster, at, op, &body);
        println!("{op} on {at} refused after {took:?}");
        assert_eq!((status, kind.as_str()), (503, "ServiceUnavailableException"), "{op}: {said}");
        assert!(said.contains("can be sent again") && said.contains("forebay status"), "{said}");
        assert!(took < REFUSED_MAX, "{op}: {took:?}");
    }
    for _ in 0..3 {
        let (status, _, said, took) = ask(cluster, at, "PutItem", &put("refused", 1));
        assert!(status == 503 && took < REFUSED_SOON, "{status} after {took:?}: {said}");
    }
}

/// What every change says that only a primary can make.
fn changes_are_refused(cluster: &Cluster, at: usize, said: &[String]) {
    let of_another = cluster.peer_address((at + 1) % 3);
    for asked in [
        &["member", "add", of_another.as_str()][..],
        &["member", "remove", "1"],
        &["member", "transfer-primary"],
        &["param", "set", "query-ttl-millis", "0"],
    ] {
        let begun = now();
        let refused = cluster.try_command(at, asked);
        println!("{asked:?}, after {:?}: {}", begun.elapsed(), refused.said);
        assert_eq!(refused.code, Some(75), "{asked:?}: {}", refused.said);
        for part in said {
            assert!(refused.said.contains(part.as_str()), "{asked:?}: {part:?}: {}", refused.said);
        }
    }
}

/// Who is missing, as the node that is left says it.
fn missing(cluster: &Cluster, left: usize) -> Vec<String> {
    let first = format!(
        "the cluster has no primary: a change needs a majority of its 3 voters, and node {} hears from none of the others",
        left + 1
    );
    let others = (0..3).filter(|at| *at != left);
    let others = others.map(|at| format!("{} ({}: ", at + 1, cluster.peer_address(at)));
    [first, "Bring one of them back".to_owned()].into_iter().chain(others).collect()
}

fn goes_on(cluster: &Cluster) {
    for at in 0..3 {
        // Just elected, or just started: whoever is asked too soon says that it may be asked again.
        let begun = now();
        while ask(cluster, at, "PutItem", &put("after", 1)).0 != 200 {
            assert!(begun.elapsed() < Duration::from_secs(30), "node {at} takes no writes");
        }
        assert_eq!(number(&cluster.ok(at, "GetItem", &get("kept", true))), Some(1));
        assert_eq!(
            number(&cluster.ok(at, "GetItem", &get("refused", true))),
            None,
            "a refused write has no effect"
        );
    }
}

#[test]
fn without_a_majority_requests_are_refused_within_seconds_and_taken_again_when_it_is_back() {
    let mut cluster = Cluster::start(3);
    cluster.node(0).create_table(&table());
    cluster.ok(0, "PutItem", &put("kept", 1));
    // Once a replica is left, and once the primary.
    let left = cluster.replica();
    for at in (0..3).filter(|at| *at != left) {
        cluster.kill(at);
    }
    is_refused(&cluster, left);
    changes_are_refused(&cluster, left, &missing(&cluster, left));
    cluster.start_all();
    goes_on(&cluster);

    let left = cluster.primary();
    for at in (0..3).filter(|at| *at != left) {
        cluster.kill(at);
    }
    // It may not know yet, and have taken this one: then nobody knows what becomes of it, and it does not say more.
    let (status, kind, said, took) = ask(&cluster, left, "PutItem", &put("unknown", 1));
    println!("{status} {kind} after {took:?}");
    match kind.as_str() {
        "InternalServerError" => assert!(status == 500 && said.contains("not known"), "{said}"),
        _ => assert_eq!((status, kind.as_str()), (503, "ServiceUnavailableException"), "{said}"),
    }
    assert!(took < REFUSED_MAX, "{took:?}");
    is_refused(&cluster, left);
    changes_are_refused(&cluster, left, &missing(&cluster, left));
    cluster.start_all();
    goes_on(&cluster);
}

#[test]
fn a_primary_and_a_replica_that_stand_still_are_not_waited_for() {
    let cluster = Cluster::start(3);
    cluster.node(0).create_table(&table());
    cluster.ok(0, "PutItem", &put("kept", 1));
    let left = cluster.replica();
    // Their connections stay open, and say nothing.
    let paused: Vec<_> = (0..3).filter(|at| *at != left).map(|at| cluster.pause(at)).collect();
    let (status, kind, said, took) = ask(&cluster, left, "PutItem", &put("unknown", 1));
    println!("{status} {kind} after {took:?}");
    assert!(status >= 500 && took < REFUSED_MAX, "{status} after {took:?}: {said}");
    is_refused(&cluster, left);
    // They are named as well, once they have been asked in vain.
    let begun = now();
    let status = loop {
        let status = cluster.command(left, &["status"]);
        if status.matches("it does not answer").count() == 2 {
            break status;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "{status}");
        std::thread::sleep(Duration::from_millis(100));
    };
    println!("{status}");
    let mut said = missing(&cluster, left);
    said.push("it does not answer".to_owned());
    changes_are_refused(&cluster, left, &said);
    drop(paused);
    goes_on(&cluster);
}
