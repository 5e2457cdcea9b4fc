//! Many worlds of three nodes: `FOREBAY_SEEDS` of them, 100,000 unless said otherwise, from `FOREBAY_FIRST_SEED` on.

use forebay_tests_sim::group::Bug;
use forebay_tests_sim::many::run_each;

/// Worlds between two lines of how far it has come.
const TELL_EVERY: u64 = 1_000;

#[test]
fn many_seeds_of_several_nodes() {
    let number = |name: &str, default: u64| match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name} is {text:?}, which is no number")),
        Err(_) => default,
    };
    let first = number("FOREBAY_FIRST_SEED", 1_000_000);
    let seeds = number("FOREBAY_SEEDS", 100_000);
    let (mut done, mut acknowledged, mut reads, mut failed) = (0, 0, 0, Vec::new());
    run_each(first..first + seeds, Bug::None, |seed, report| {
        done += 1;
        acknowledged += report.acknowledged;
        reads += report.reads;
        if !report.faults.is_empty() {
            println!("seed {seed}: {}", report.faults.join("\n"));
            failed.push(seed);
        }
        if u64::is_multiple_of(done, TELL_EVERY) {
            println!(
                "{done} seeds, {acknowledged} writes acknowledged, {reads} reads answered, {} seeds failed",
                failed.len()
            );
        }
    });
    println!("{seeds} seeds from {first}: {acknowledged} writes acknowledged, {reads} reads answered");
    assert!(failed.is_empty(), "seeds that failed: {failed:?}");
}
