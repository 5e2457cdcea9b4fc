//! The short form of the histories, in every run of the tests.

use std::time::Duration;

use forebay_tests::rounds::one;
use history::verdict::Promise;

#[test]
fn every_promise_holds_of_what_concurrent_clients_saw_over_two_kills() {
    let round = one::round(20_261_121, Duration::from_secs(6), 2, &[]);
    println!("{}", round.verdict);
    assert!(round.verdict.holds(), "{}\nthe record is kept as {:?}", round.verdict, round.kept);
    assert!(round.verdict.acknowledged > 500 && round.verdict.reads > 500, "hardly anything was asked");
}

/// A node that breaks promises, because it is told to: pages are served for their time, as DAX does, whatever was written.
#[test]
fn pages_served_by_time_alone_are_found_out() {
    let round = one::round(1, Duration::from_secs(2), 0, &["--set", "cache.mode=ttl"]);
    let promises: Vec<Promise> = round.verdict.violations.iter().map(|violation| violation.promise).collect();
    assert!(promises.contains(&Promise::P1), "{}", round.verdict);
    assert!(!promises.contains(&Promise::P2) && !promises.contains(&Promise::P11), "{}", round.verdict);
    std::fs::remove_file(round.kept.expect("what is refused is kept")).expect("it is there");
}
