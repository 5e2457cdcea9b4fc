//! `forebay recover`: what one of three has becomes another cluster when the two others have lost their data; nodes of the old one that
//! come back do it no harm; it ends what was cut short; and of data that is none of its business it changes nothing.

use std::path::Path;
use std::time::Duration;

use forebay_tests::cluster::Cluster;
use forebay_tests::directory::{Directory, copy, files};
use forebay_tests::node::{Ended, Node, binary};
use forebay_tests::numbers::{get, now, number, put, table};
use forebay_tests::wire::request;
use proxy::config::Config;
use proxy::recover::{Recovery, Step};
use proxy::run::Failure;
use store::db::rocks::{RocksEngine, RocksSettings};
use store::db::{Batch, Db, Durability, KeyRange, Scan};

/// In `[cluster]` of a lost cluster, and of the one that is made of what one of its nodes has.
const OLD: &str = "name = \"orders\"\n";
const NEW: &str = "name = \"orders-2\"\n";
const WRITES: u64 = 40;
/// Longest until a request is answered that asks for a version of the lost history. A node that waits for what never comes gives up
/// later.
const PROMPT: Duration = Duration::from_secs(3);
/// Longest until a process has ended that can't go on.
const PATIENCE: Duration = Duration::from_secs(30);

/// Three nodes, of which all have every write, and the place of the one that is going to be left.
fn three() -> (Cluster, usize) {
    let cluster = Cluster::start_with(3, OLD);
    cluster.node(0).create_table(&table());
    (1..=WRITES).for_each(|n| drop(cluster.ok(cluster.primary(), "PutItem", &put(&format!("k{n}"), n))));
    let applied = cluster.status(cluster.primary())["applied"].as_u64().expect("a number");
    for at in 0..3 {
        cluster.wait_for(at, "all is applied", |status| status["applied"].as_u64() >= Some(applied));
    }
    let left = cluster.replica();
    (cluster, left)
}

/// The two others.
fn others(left: usize) -> [usize; 2] {
    [(left + 1) % 3, (left + 2) % 3]
}

fn kill_all(cluster: &mut Cluster) {
    (0..3).for_each(|at| cluster.kill(at));
}

/// Runs it over the data of a node, with the new name.
fn recover(cluster: &Cluster, at: usize, more: &[&str]) -> Ended {
    let ended = cluster.try_command(at, &[&["recover", "--set", "cluster.name=orders-2"], more].concat());
    println!("{}", ended.said);
    ended
}

#[track_caller]
fn is_recovered(cluster: &Cluster, at: usize) {
    let ended = recover(cluster, at, &["--accept-lost-writes"]);
    assert_eq!(ended.code, Some(0), "{}", ended.said);
}

fn rename(cluster: &mut Cluster) {
    (0..3).for_each(|at| cluster.amend(at, OLD, NEW));
}

fn has_every_write(cluster: &Cluster, at: usize) {
    for n in 1..=WRITES {
        for strong in [true, false] {
            assert_eq!(number(&cluster.ok(at, "GetItem", &get(&format!("k{n}"), strong))), Some(n));
        }
    }
}

fn goes_on(cluster: &Cluster, n: u64) {
    cluster.ok(cluster.primary(), "PutItem", &put("n", n));
    for (at, _) in cluster.running() {
        assert_eq!(number(&cluster.ok(at, "GetItem", &get("n", true))), Some(n), "node {at}");
    }
}

fn remove(data: &Path) {
    std::fs::remove_dir_all(data).expect("it is ours");
}

/// The version of a node's answer to a write, as a client is told it.
fn version_of_a_write(cluster: &Cluster, at: usize, n: u64) -> String {
    let reply = cluster.node(at).connect().ask("PutItem", &put("n", n)).expect("the node answers");
    assert_eq!(reply.status, 200);
    reply.header("x-forebay-version").expect("it says so").to_owned()
}

#[test]
fn one_of_three_becomes_another_cluster_with_every_write_it_had_and_grows_again() {
    let (mut cluster, left) = three();
    let number_of_it = cluster.status(left)["node"].clone();
    let ended = recover(&cluster, left, &["--accept-lost-writes"]);
    assert_eq!(ended.code, Some(75), "it runs: {}", ended.said);
    assert!(ended.said.contains("is open already"), "{}", ended.said);
    // What it never hears of: the version goes further than its own, in a history that ends with the others.
    cluster.stop(left);
    let known = others(left);
    let lost =
        (1..=50).map(|n| version_of_a_write(&cluster, cluster.primary(), n)).next_back().expect("some");
    known.into_iter().for_each(|at| cluster.kill(at));
    known.into_iter().for_each(|at| remove(&cluster.data(at)));

    let before = files(&cluster.data(left));
    // By its own config as well: whoever looks at several has not given any of them a new name yet.
    for asked in [recover(&cluster, left, &[]), cluster.try_command(left, &["recover"])] {
        assert_eq!(asked.code, Some(64));
        for said in
            ["of the cluster \"orders\"", "given up: ", "--accept-lost-writes", " UTC", "nothing was changed"]
        {
            assert!(asked.said.contains(said), "{said:?}: {}", asked.said);
        }
        for at in known {
            assert!(asked.said.contains(&cluster.peer_address(at)), "{}", asked.said);
        }
    }
    let same = cluster.try_command(left, &["recover", "--accept-lost-writes"]);
    assert!(same.code == Some(64) && same.said.contains("a new name"), "{same:?}");
    for no_name in [String::new(), "n".repeat(65)] {
        let no_name = format!("cluster.name=\"{no_name}\"");
        let refused = cluster.try_command(left, &["recover", "--accept-lost-writes", "--set", &no_name]);
        assert!(refused.code == Some(64) && refused.said.contains("name"), "{refused:?}");
    }
    assert!(before == files(&cluster.data(left)), "it changed the data");

    is_recovered(&cluster, left);
    let again = recover(&cluster, left, &["--accept-lost-writes"]);
    assert!(again.code == Some(64) && again.said.contains("start it"), "{again:?}");
    let why = cluster.refuses(left, &cluster.data(left));
    assert!(why.contains("belongs to the cluster \"orders-2\""), "{why}");
    rename(&mut cluster);
    cluster.start_one(left);
    assert_eq!(cluster.status(left)["node"], number_of_it);
    has_every_write(&cluster, left);
    assert_eq!(number(&cluster.ok(left, "GetItem", &get("n", true))), None, "that is lost");
    // A client that saw what is lost is answered all the same, by what there is.
    let begun = now();
    for (op, body) in [("GetItem", get("k1", false)), ("GetItem", get("n", false))] {
        let body = serde_json::to_vec(&body).expect("JSON");
        let mut wire = cluster.node(left).connect();
        wire.send(&request(op, &body, &[("x-forebay-min-version", &lost)])).expect("it is sent");
        let reply = wire.reply().expect("the node answers");
        assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
    }
    assert!(begun.elapsed() < PROMPT, "{:?}", begun.elapsed());
    assert_ne!(
        version_of_a_write(&cluster, left, 1).split('.').nth(1),
        lost.split('.').nth(1),
        "versions of the two histories can't be told apart"
    );

    // Empty nodes at the addresses of those that are gone.
    cluster.start_all();
    cluster.wait_until_whole();
    goes_on(&cluster, 2);
    for at in 0..3 {
        has_every_write(&cluster, at);
    }
    cluster.kill(left);
    goes_on(&cluster, 3);
    cluster.start_all();
    cluster.wait_until_whole();
    for at in 0..3 {
        has_every_write(&cluster, at);
    }
    goes_on(&cluster, 4);

    // It may be lost, too; by a name that it ever had, nodes of that time would take it for theirs. Those that joined know it as well.
    kill_all(&mut cluster);
    for at in 0..3 {
        for name in ["orders", "orders-2"] {
            let before = files(&cluster.data(at));
            let name = format!("cluster.name={name}");
            let taken = cluster.try_command(at, &["recover", "--accept-lost-writes", "--set", &name]);
            assert!(taken.code == Some(64) && taken.said.contains("come back"), "{taken:?}");
            assert!(before == files(&cluster.data(at)), "it changed the data");
        }
    }
    for at in [left, known[0]] {
        let name = format!("cluster.name=orders-{}", 3 + at);
        let ended = cluster.try_command(at, &["recover", "--accept-lost-writes", "--set", &name]);
        assert_eq!(ended.code, Some(0), "{}", ended.said);
        let kept = std::fs::read_to_string(cluster.data(at).join("node.json")).expect("it is there");
        assert!(kept.contains(r#""former":["orders","orders-2"]"#), "{kept}");
    }
}

#[test]
fn nodes_of_the_lost_cluster_that_come_back_with_their_data_are_kept_out() {
    let (mut cluster, left) = three();
    kill_all(&mut cluster);
    is_recovered(&cluster, left);
    rename(&mut cluster);
    cluster.start_one(left);
    goes_on(&cluster, 1);
    // By the new name: the data says whose it is.
    let back = others(left);
    for at in back {
        let why = cluster.refuses(at, &cluster.data(at));
        assert!(
            why.contains("belongs to the cluster \"orders\"") && why.contains("empty data directory"),
            "{why}"
        );
    }
    // By the old name both are a majority of the old cluster, which the recovered one knows nothing of.
    back.into_iter().for_each(|at| cluster.amend_nothing(at));
    let old = back.map(|at| cluster.spawn(at));
    for at in back {
        assert_eq!(number(&cluster.ask_spawned(at, "GetItem", &get("k1", false))), Some(1));
    }
    let begun = now();
    while cluster.node(left).metric("forebay_peers_refused_total") == Some(0.0) {
        assert!(begun.elapsed() < Duration::from_secs(30), "the old ones do not look for their third");
        std::thread::sleep(Duration::from_millis(20));
    }
    let applied = cluster.status(left)["applied"].clone();
    cluster.ask_spawned(back[0], "PutItem", &put("of the old", 1));
    let status = cluster.status(left);
    assert_eq!(status["applied"], applied, "the recovered one has heard of what the old ones write");
    assert_eq!(status["members"].as_array().map(Vec::len), Some(1), "{status}");
    assert_eq!(number(&cluster.ok(left, "GetItem", &get("of the old", true))), None);
    goes_on(&cluster, 2);
    assert_eq!(cluster.node(left).metric("forebay_failovers_total"), Some(0.0));
    assert_eq!(number(&cluster.ask_spawned(back[1], "GetItem", &get("n", true))), None);
    drop(old);
    // What they are told to do helps.
    rename(&mut cluster);
    back.into_iter().for_each(|at| remove(&cluster.data(at)));
    cluster.start_all();
    cluster.wait_until_whole();
    goes_on(&cluster, 3);
    back.into_iter().for_each(|at| has_every_write(&cluster, at));
}

/// The config by which a node is recovered, as the binary reads it.
fn config(cluster: &Cluster, at: usize) -> Config {
    host::settings::load(&cluster.config(at), &["cluster.name=orders-2".to_owned()]).expect("it is a config")
}

/// What is done in this process, again where a lock is held: a process that another test starts meanwhile has it until it runs a
/// program of its own.
fn taken_at_last<T>(done: impl Fn() -> Result<T, Failure>) -> T {
    let begun = now();
    loop {
        match done() {
            Ok(taken) => return taken,
            Err(Failure::TryAgain(why)) => assert!(begun.elapsed() < PROMPT, "{why}"),
            Err(other) => panic!("{other}"),
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_recovery_that_was_cut_short_anywhere_starts_nothing_and_is_ended_by_the_next() {
    let (mut cluster, left) = three();
    kill_all(&mut cluster);
    let data = cluster.data(left);
    let kept = Directory::new("kept");
    copy(&data, &kept.path().join("data"));
    for taken in 0..=Step::ALL.len() {
        remove(&data);
        copy(&kept.path().join("data"), &data);
        let recovery = taken_at_last(|| Recovery::of(&config(&cluster, left)));
        for step in &Step::ALL[..taken] {
            taken_at_last(|| recovery.take(*step));
            // In between no instance of the store is open, and nobody else gets at it.
            if *step == Step::Begin || *step == Step::TakeOver {
                let other = recover(&cluster, left, &["--accept-lost-writes"]);
                assert!(other.code == Some(75) && other.said.contains("is open already"), "{other:?}");
                let mut start = cluster.spawn(left);
                let begun = now();
                let code = loop {
                    match start.ended() {
                        Some(code) => break code,
                        None => assert!(begun.elapsed() < PATIENCE, "it runs: {}", start.said()),
                    }
                    std::thread::sleep(Duration::from_millis(20));
                };
                assert!(code == Some(75) && start.said().contains("is open already"), "{}", start.said());
            }
        }
        drop(recovery);
        if (1..Step::ALL.len()).contains(&taken) {
            // By neither name.
            for renamed in [false, true] {
                if renamed {
                    rename(&mut cluster);
                }
                let why = cluster.refuses(left, &data);
                assert!(why.contains("was cut short") && why.contains("again"), "after {taken} steps: {why}");
            }
        }
        if taken < Step::ALL.len() {
            is_recovered(&cluster, left);
        }
        rename(&mut cluster);
        cluster.start_one(left);
        has_every_write(&cluster, left);
        goes_on(&cluster, 1);
        assert_eq!(cluster.status(left)["members"].as_array().map(Vec::len), Some(1));
        cluster.kill(left);
        cluster.amend_nothing(left);
    }
}

#[test]
fn data_of_which_no_cluster_can_be_made_is_refused_and_left_as_it_is() {
    let (mut cluster, left) = three();
    kill_all(&mut cluster);
    let data = cluster.data(left);
    let kept = Directory::new("kept");
    copy(&data, &kept.path().join("data"));
    let refused = |cluster: &Cluster, code: i32, said: &[&str]| {
        let before = files(&data);
        let ended = recover(cluster, left, &["--accept-lost-writes"]);
        assert_eq!(ended.code, Some(code), "{}", ended.said);
        said.iter().for_each(|said| assert!(ended.said.contains(said), "{said:?}: {}", ended.said));
        assert!(!ended.said.contains("join again"), "there is nothing to join: {}", ended.said);
        assert!(before == files(&data), "it changed the data");
    };
    // Nobody reads what it says: it says that, and does nothing.
    let (nobody, output) = std::io::pipe().expect("a pipe");
    drop(nobody);
    let before = files(&data);
    let unread = std::process::Command::new(binary())
        .args(["recover", "--accept-lost-writes", "--set", "cluster.name=orders-2", "--config"])
        .arg(cluster.config(left))
        .stdout(output)
        .output()
        .expect("the binary runs");
    assert_eq!(unread.status.code(), Some(70), "{unread:?}");
    assert!(before == files(&data), "it changed the data");
    // A damaged entry in the middle of its log: what is wrong is what a start would say, and not what to do.
    {
        let engine = RocksEngine::new(RocksSettings::default()).expect("an engine");
        let db = engine.open_log(&data.join("log")).expect("it opens");
        let middle = {
            let snapshot = db.snapshot();
            let mut cursor = snapshot.scan(&Scan::ascending(KeyRange::prefix([16])));
            let mut records = Vec::new();
            while let Some(record) = cursor.advance().expect("the disk reads") {
                records.push((record.key.to_vec(), record.value.to_vec()));
            }
            records.swap_remove(records.len() - 20)
        };
        let (key, mut value) = middle;
        let in_it = value.len() / 2;
        value[in_it] ^= 1;
        let mut batch = Batch::new();
        batch.put(key, value);
        db.write(batch, Durability::Synced).expect("the disk writes");
        db.close().expect("it closes");
    }
    refused(&cluster, 70, &["does not open", "is damaged", "Don't empty this directory", "a backup"]);
    // What belongs beside the data is missing.
    remove(&data);
    copy(&kept.path().join("data"), &data);
    std::fs::write(data.join("node.json"), "{").expect("it is ours");
    refused(&cluster, 64, &["node.json is damaged", "Don't empty this directory"]);
    std::fs::remove_file(data.join("node.json")).expect("it is ours");
    refused(&cluster, 64, &["node.json", "Don't empty this directory"]);
    // Nothing, and the data of a node alone.
    remove(&data);
    std::fs::create_dir_all(&data).expect("ours");
    refused(&cluster, 64, &["there is no data"]);
    let mut alone = Node::on(&data);
    alone.create_table(&table());
    alone.kill();
    refused(&cluster, 64, &["of a node alone", "without [cluster]"]);
}
