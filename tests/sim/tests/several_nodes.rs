//! Three nodes under crashes, partitions, loss, torn writes and slow disks. A failing seed is printed; run it alone, with all
//! that happened in it, with `FOREBAY_SEED=N`.

use forebay_tests_sim::group::{Bug, Report};
use forebay_tests_sim::many::run_each;

/// Worlds in every run of the tests.
const SEEDS: u64 = 1_000;
/// Worlds in which each planted bug is looked for.
const BUG_SEEDS: u64 = 40;
/// Of these, as many at once.
const BUG_SEEDS_AT_ONCE: usize = 4;

/// All of them in the order of their seeds.
fn collected(seeds: std::ops::Range<u64>, bug: Bug) -> Vec<(u64, Report)> {
    let mut all = Vec::new();
    run_each(seeds, bug, |seed, report| all.push((seed, report)));
    all.sort_by_key(|(seed, _)| *seed);
    all
}

fn seeds(default: u64) -> std::ops::Range<u64> {
    match std::env::var("FOREBAY_SEED") {
        Ok(seed) => {
            let seed = seed.parse().expect("FOREBAY_SEED is a number");
            seed..seed + 1
        }
        Err(_) => 0..default,
    }
}

#[test]
fn whatever_happens_the_promises_hold() {
    let seeds = seeds(SEEDS);
    let alone = seeds.end - seeds.start == 1;
    let (mut acknowledged, mut reads, mut hits, mut states, mut offs) = (0, 0, 0, 0, 0);
    let mut failed = Vec::new();
    run_each(seeds.clone(), Bug::None, |seed, report| {
        if alone {
            println!("{}", report.transcript);
        }
        if !report.faults.is_empty() {
            println!("seed {seed}: {}", report.faults.join("\n"));
            failed.push(seed);
        }
        acknowledged += report.acknowledged;
        reads += report.reads;
        hits += report.hits;
        states += report.states;
        offs += report.offs;
    });
    println!(
        "seeds {seeds:?}: {acknowledged} writes acknowledged, {reads} reads answered, {hits} from memory, nodes off {offs} times, {states} states sent"
    );
    failed.sort_unstable();
    assert!(failed.is_empty(), "seeds that failed: {failed:?}");
    assert!(
        alone
            || [acknowledged as u64, reads as u64, hits, states, offs as u64].iter().all(|count| *count > 0),
        "nothing happened"
    );
}

#[test]
fn a_seed_replays_to_the_byte() {
    let (first, second) = (collected(seeds(24), Bug::None), collected(seeds(24), Bug::None));
    for ((seed, first), (_, second)) in first.iter().zip(&second) {
        assert!(first == second, "seed {seed}:\n{}\nand then\n{}", first.transcript, second.transcript);
    }
    let mut told: Vec<_> = first.iter().map(|(_, report)| &report.transcript).collect();
    told.sort();
    told.dedup();
    assert_eq!(told.len(), first.len(), "two seeds are one world");
}

#[test]
fn every_planted_bug_is_found() {
    for (bug, promises) in [
        (Bug::NeverSynced, &["P1:", "P2:", "P11:"][..]),
        (Bug::EarlyAnswer, &["P1:", "P2:", "P11:"]),
        (Bug::StampNotRaised, &["P3:", "P5:", "P12:"]),
        (Bug::StaleFill, &["P3:", "P5:", "P12:"]),
        (Bug::AppliedTwice, &["P1:", "P2:", "P11:"]),
    ] {
        let shows = |report: &Report| {
            report.faults.iter().any(|fault| promises.iter().any(|promise| fault.starts_with(promise)))
        };
        // A few at a time, until one shows it.
        let found = (0..BUG_SEEDS).step_by(BUG_SEEDS_AT_ONCE).find_map(|first| {
            let reports = collected(first..first + BUG_SEEDS_AT_ONCE as u64, bug);
            reports.into_iter().find(|(_, report)| shows(report))
        });
        let Some((seed, report)) = found else { panic!("no seed of {BUG_SEEDS} shows {bug:?}") };
        println!("{bug:?}: seed {seed}: {}", report.faults.join("\n"));
    }
}
