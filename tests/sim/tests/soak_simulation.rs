//! Many worlds: `FOREBAY_SEEDS` of them, 100,000 unless said otherwise, from `FOREBAY_FIRST_SEED` on.

use forebay_tests_sim::world::{Disk, run};

#[test]
fn many_seeds() {
    let number = |name: &str, default: u64| match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name} is {text:?}, which is no number")),
        Err(_) => default,
    };
    let first = number("FOREBAY_FIRST_SEED", 1_000_000);
    let seeds = number("FOREBAY_SEEDS", 100_000);
    let (mut acknowledged, mut failed) = (0, Vec::new());
    for seed in first..first + seeds {
        let report = run(seed, Disk::Honest);
        acknowledged += report.acknowledged;
        if !report.faults.is_empty() {
            println!("seed {seed}: {:#?}", report.faults);
            failed.push(seed);
        }
        if (seed + 1 - first).is_multiple_of(1000) {
            println!(
                "{} seeds, {acknowledged} writes acknowledged, {} seeds failed",
                seed + 1 - first,
                failed.len()
            );
        }
    }
    println!("{seeds} seeds from {first}: {acknowledged} writes acknowledged");
    assert!(failed.is_empty(), "seeds that failed: {failed:?}");
}
