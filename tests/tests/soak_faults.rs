//! The long form of the storms: `FOREBAY_ROUNDS` rounds, 50 unless said otherwise, each of a cluster of three nodes in a network of its
//! own and of three faults drawn from all, asked by the clients of the short form, those for Python and Go too; `FOREBAY_SEED` is the first
//! round's seed, and each further one has the next. With `FOREBAY_WRITE_VISIBILITY=all` the nodes promise that what was acknowledged is seen
//! on all of them, and are held to it. As root.

use forebay_tests::cluster::Cluster;
use forebay_tests::fault::Fault;
use forebay_tests::outside::Language;
use forebay_tests::random::Random;
use forebay_tests::rounds::several::{Storm, round};
use history::session::Rules;

/// Faults of a round.
const FAULTS: usize = 3;
/// Rounds that a cluster lives through.
const ROUNDS_OF_A_CLUSTER: u64 = 5;

#[test]
fn every_promise_holds_in_many_storms() {
    let number = |name: &str, default: u64| match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name} is {text:?}, which is no number")),
        Err(_) => default,
    };
    let visible_everywhere = match std::env::var("FOREBAY_WRITE_VISIBILITY").as_deref() {
        Ok("all") => true,
        Ok("node") | Err(std::env::VarError::NotPresent) => false,
        other => panic!("FOREBAY_WRITE_VISIBILITY is {other:?}, neither node nor all"),
    };
    let settings = if visible_everywhere { "write_visibility = \"all\"" } else { "" };
    let (count, first) = (number("FOREBAY_ROUNDS", 50), number("FOREBAY_SEED", 1));
    let (mut failed, mut operations, mut acknowledged, mut unknown, mut reads) = (Vec::new(), 0, 0, 0, 0);
    let mut cluster = None;
    for seed in first..first + count {
        if (seed - first) % ROUNDS_OF_A_CLUSTER == 0 {
            // The last one's namespaces go first.
            drop(cluster.take());
        }
        let cluster = cluster.get_or_insert_with(|| Cluster::in_network_with_clocks(3, settings));
        let mut random = Random::new(seed ^ 0x0fa1_0fa1);
        let faults: Vec<Fault> = (0..FAULTS).map(|_| Fault::draw(&mut random)).collect();
        let outside = [Language::Python, Language::Go];
        let rules = Rules { visible_everywhere };
        let storm = Storm { seed, faults: &faults, outside: &outside, rules };
        let round = round(cluster, storm);
        println!("seed {seed}, {faults:?}: {}", round.verdict);
        operations += round.verdict.operations;
        acknowledged += round.verdict.acknowledged;
        unknown += round.verdict.unknown;
        reads += round.verdict.reads;
        if !round.verdict.holds() {
            println!("seed {seed}: the record is kept as {:?}", round.kept);
            failed.push(seed);
        }
    }
    println!(
        "{count} rounds: {operations} operations, {acknowledged} acknowledged writes, {unknown} of unknown outcome, {reads} answered \
         reads, {} rounds refused",
        failed.len()
    );
    assert!(failed.is_empty(), "seeds {failed:?}");
}
