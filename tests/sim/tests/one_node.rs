//! One node under crashes, torn writes, lost tails, failed syncs and full disks. A failing seed is printed; run it alone
//! with `FOREBAY_SEED=N`.

use forebay_tests_sim::oracle::cache::Stamps;
use forebay_tests_sim::world::{Disk, one_at_a_time, run, run_with};

/// Worlds in every run of the tests.
const SEEDS: u64 = 100;

#[test]
fn whatever_happens_acknowledged_writes_survive_whole() {
    let seeds = match std::env::var("FOREBAY_SEED") {
        Ok(seed) => {
            let seed = seed.parse().expect("FOREBAY_SEED is a number");
            seed..seed + 1
        }
        Err(_) => 0..SEEDS,
    };
    let (mut acknowledged, mut told, mut hits) = (0, 0, 0);
    for seed in seeds.clone() {
        let report = run(seed, Disk::Honest);
        assert!(report.faults.is_empty(), "seed {seed}: {:#?}\n{}", report.faults, report.history.join("\n"));
        acknowledged += report.acknowledged;
        told += report.told;
        hits += report.hits;
    }
    println!(
        "seeds {seeds:?}: {acknowledged} writes acknowledged, {told} changes told, {hits} reads from memory"
    );
    assert!(acknowledged > 0 && told > 0 && hits > 0, "nothing was written, or nothing read from memory");
}

#[test]
fn a_disk_that_never_syncs_is_found_out() {
    let loses = |seed: &u64| run(*seed, Disk::NeverSynced).faults.iter().any(|fault| fault.contains("Lost"));
    let found = (0..SEEDS).filter(loses).count();
    println!("{found} of {SEEDS} seeds lose writes to a disk that never syncs");
    assert!(found > 10, "the oracle saw only {found} of {SEEDS}");
}

#[test]
fn caches_that_are_not_told_what_a_write_makes_stale_are_found_out() {
    let serves_stale = |seed: &u64| {
        let faults = run_with(*seed, Disk::Honest, Stamps::Forgotten).faults;
        faults.iter().any(|fault| fault.contains("when the store held"))
    };
    let found = (0..SEEDS).filter(serves_stale).count();
    println!("{found} of {SEEDS} seeds serve a stale page without stamps");
    assert!(found > 50, "the oracle saw only {found} of {SEEDS}");
}

#[test]
fn the_same_seed_gives_the_same_history_twice() {
    for seed in (0..SEEDS).filter(|seed| one_at_a_time(*seed)) {
        let (first, second) = (run(seed, Disk::Honest).history, run(seed, Disk::Honest).history);
        assert_eq!(first.join("\n"), second.join("\n"), "seed {seed}");
    }
}
