//! A node that was away for longer than the log is kept: it is sent the whole state while the others serve, again from the beginning
//! where that is cut off, by the loss of who receives it and by the loss of who sends it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use faults::process::Paused;
use forebay_tests::cluster::Cluster;
use forebay_tests::node::{Spawned, page};
use forebay_tests::numbers::{TABLE, get, now, number, put, table};
use serde_json::{Value, json};

/// The least that can be set.
const LOG_KEPT: &str = "log_kept = \"16MiB\"";
/// Bytes of a large item.
const LARGE: usize = 380_000;
/// Requests that each write as many of them as one may: more than 100 MB, several times what is kept.
const ROUNDS: usize = 12;
const PATIENCE: Duration = Duration::from_secs(90);
/// How often a node is left behind until it is sent a state.
const TRIES: usize = 5;
/// How often such a node is asked whether it has been brought up without one.
const ASK_EVERY: Duration = Duration::from_millis(200);
/// A pause in which what was written is flushed, on most machines.
const FLUSHED_AFTER: Duration = Duration::from_secs(1);

fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn large(round: usize) -> Value {
    let puts: Vec<Value> = (0..25)
        .map(|at| {
            let text = format!("{round}-{at}-").repeat(LARGE / 8);
            json!({"PutRequest": {"Item": {"p": {"S": format!("large-{round}-{at}")}, "x": {"S": text}}}})
        })
        .collect();
    json!({"RequestItems": {TABLE: puts}})
}

/// Where states of peers are put: directories beside the one in use.
fn attempts(data: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(data).into_iter().flatten().flatten();
    let is_attempt = |name: &str| name.starts_with("state-");
    entries
        .filter(|entry| entry.file_name().to_str().is_some_and(is_attempt))
        .map(|entry| entry.path())
        .collect()
}

/// Whether a directory was made after a file was written.
fn is_younger(directory: &Path, file: &Path) -> bool {
    let made = std::fs::metadata(directory).and_then(|metadata| metadata.created());
    let written = std::fs::metadata(file).and_then(|metadata| metadata.modified());
    // One that is gone by now is not.
    made.is_ok_and(|made| written.is_ok_and(|written| made >= written))
}

/// The directory in use, where it is not the first.
fn in_use(data: &Path) -> Option<String> {
    std::fs::read_to_string(data.join("STATE")).ok()
}

/// Writes several times what is kept of the log.
fn outgrow_the_log(cluster: &Cluster, primary: usize) {
    for round in 0..ROUNDS {
        let written = cluster.ok(primary, "BatchWriteItem", &large(round));
        assert_eq!(written["UnprocessedItems"], json!({}), "round {round}");
    }
}

/// Starts a node that is sent a state, and has it stand still in the middle of that: a fast machine is done with the whole of it in a
/// tenth of a second. `before` is what it has in use. The log goes only once the state is flushed: where that had not come about yet, the
/// node is brought up from the log, and has to be left behind once more.
fn receives(cluster: &Cluster, at: usize, primary: usize, before: &Option<String>) -> (Spawned, Paused) {
    for _ in 0..TRIES {
        let mut process = cluster.spawn(at);
        let (data, config) = (cluster.data(at), cluster.config(at));
        let (mut arrives, mut asked) = (false, now());
        eventually("a state arrives, or the log", || {
            // Its config was written when it was started: what an earlier attempt has left behind is older.
            arrives = attempts(&data).iter().any(|attempt| is_younger(attempt, &config));
            arrives
                || (asked.elapsed() >= ASK_EVERY && {
                    asked = now();
                    page(cluster.admin_address(at), "/ready").is_some_and(|reply| reply.status == 200)
                })
        });
        if arrives {
            let paused = faults::process::pause(process.pid()).expect("it is ours");
            assert_eq!(in_use(&data), *before, "it is not whole yet");
            return (process, paused);
        }
        process.kill();
        outgrow_the_log(cluster, primary);
        std::thread::sleep(FLUSHED_AFTER);
    }
    panic!("it was brought up from the log each time");
}

/// What a node had after the last entry at which replicas compare themselves.
fn compared(cluster: &Cluster, at: usize) -> Option<(u64, String)> {
    let compared = &cluster.status(at)["compared"];
    Some((compared["entry"].as_u64()?, compared["digest"].as_str()?.to_owned()))
}

#[test]
fn who_was_away_for_longer_than_the_log_is_kept_gets_the_state_however_often_that_is_cut_off() {
    let mut cluster = Cluster::start_with(3, LOG_KEPT);
    cluster.node(0).create_table(&table());
    cluster.ok(0, "PutItem", &put("kept", 1));
    let away = cluster.replica();
    cluster.kill(away);
    let primary = cluster.primary();
    outgrow_the_log(&cluster, primary);
    cluster.ok(primary, "PutItem", &put("kept", 2));
    let before = in_use(&cluster.data(away));

    // The receiver goes in the middle of it.
    let (mut receiver, _paused) = receives(&cluster, away, primary, &before);
    receiver.kill();
    assert_eq!(in_use(&cluster.data(away)), before);
    cluster.ok(primary, "PutItem", &put("kept", 3));

    // The sender goes in the middle of it. The two that are left are a majority once the state is whole.
    let (receiver, paused) = receives(&cluster, away, primary, &before);
    cluster.kill(primary);
    drop(paused);
    assert_eq!(in_use(&cluster.data(away)), before);
    let other = (0..3).find(|at| *at != away && *at != primary).expect("there are three");
    let begun = now();
    loop {
        let reply = cluster.node(other).connect().ask("PutItem", &put("kept", 4)).expect("an answer");
        if reply.status == 200 {
            break;
        }
        assert!(reply.status >= 500 && begun.elapsed() < PATIENCE, "{}", reply.status);
        std::thread::sleep(Duration::from_millis(50));
    }
    println!("writes again {:?} after the sender was lost", begun.elapsed());
    eventually("the state is whole", || in_use(&cluster.data(away)) != before);
    drop(receiver);

    // As it stands on disk by now: the last word is the log's.
    cluster.start_all();
    cluster.wait_until_whole();
    cluster.ok(away, "PutItem", &put("kept", 5));
    for at in 0..3 {
        for strong in [true, false] {
            assert_eq!(number(&cluster.ok(at, "GetItem", &get("kept", strong))), Some(5), "node {at}");
        }
        for round in 0..ROUNDS {
            let read = cluster.ok(at, "GetItem", &get(&format!("large-{round}-24"), false));
            assert!(
                read["Item"]["x"]["S"].as_str().is_some_and(|text| text.len() > LARGE / 2),
                "{round} on {at}"
            );
        }
    }
    // Five seconds after the last write they compare what they have; who finds a difference would not be ready any more.
    let mut seen = None;
    eventually("all have noted the same entry", || {
        std::thread::sleep(Duration::from_millis(200));
        let noted: Vec<_> = (0..3).map(|at| compared(&cluster, at)).collect();
        let same = noted[0].is_some()
            && noted.iter().all(|of| of.as_ref().map(|of| of.0) == noted[0].as_ref().map(|of| of.0));
        seen = same.then_some(noted);
        same
    });
    let noted = seen.expect("looked for until it was there");
    assert!(noted.iter().all(|of| *of == noted[0]), "{noted:?}");
    cluster.wait_until_whole();
    assert!(
        attempts(&cluster.data(away)).len() <= 1,
        "what was cut off is gone: {:?}",
        attempts(&cluster.data(away))
    );
}

#[test]
fn a_node_that_serves_is_sent_a_state_and_answers_all_the_while() {
    let mut cluster = Cluster::start_with(3, LOG_KEPT);
    cluster.node(0).create_table(&table());
    let away = cluster.replica();
    cluster.kill(away);
    let primary = cluster.primary();
    outgrow_the_log(&cluster, primary);
    cluster.ok(primary, "PutItem", &put("n", 0));
    let before = in_use(&cluster.data(away));
    let (receiver, paused) = receives(&cluster, away, primary, &before);
    drop(paused);
    let (mut n, begun) = (0, now());
    while in_use(&cluster.data(away)) == before {
        n += 1;
        cluster.ok(primary, "PutItem", &put("n", n));
        // Through the node that is behind, which passes on what it has not got.
        assert_eq!(number(&cluster.ask_spawned(away, "GetItem", &get("n", true))), Some(n));
        assert!(begun.elapsed() < PATIENCE, "the state does not arrive");
    }
    println!("{n} writes and reads while the state arrived");
    assert!(n > 0);
    drop(receiver);
    cluster.start_all();
    cluster.wait_until_whole();
    assert_eq!(number(&cluster.ok(away, "GetItem", &get("n", false))), Some(n));
}
