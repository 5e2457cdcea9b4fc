//! The long form of the histories: `FOREBAY_ROUNDS` rounds, 60 unless said otherwise, of `FOREBAY_SECONDS` each, 10 unless said
//! otherwise; `FOREBAY_SEED` is the first round's seed, and each further one has the next.

use std::time::Duration;

use forebay_tests::rounds::one;

#[test]
fn every_promise_holds_in_many_histories() {
    let number = |name: &str, default: u64| match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name} is {text:?}, which is no number")),
        Err(_) => default,
    };
    let (count, seconds) = (number("FOREBAY_ROUNDS", 60), number("FOREBAY_SECONDS", 10));
    let first = number("FOREBAY_SEED", 1);
    let mut failed = Vec::new();
    for seed in first..first + count {
        let round = one::round(seed, Duration::from_secs(seconds), 3, &[]);
        println!("seed {seed}: {}", round.verdict);
        if !round.verdict.holds() {
            println!("seed {seed}: the record is kept as {:?}", round.kept);
            failed.push(seed);
        }
    }
    assert!(failed.is_empty(), "seeds {failed:?}");
}
