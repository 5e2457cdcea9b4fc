//! `kill -9` of the primary under load, 50 times unless `FOREBAY_ROUNDS` says otherwise: nothing acknowledged is lost, cached reads of
//! the others never fail, and how long writes stop.

use std::time::Duration;

use forebay_tests::failover;

/// First acknowledged write after the kill, in every run.
const WORST_MAX: Duration = Duration::from_secs(2);
/// The same in the middle one.
const MEDIAN_MAX: Duration = Duration::from_secs(1);
/// Rate of cached reads during a failover against before, in the middle run.
const READS_MIN: f64 = 0.9;

#[test]
fn losing_the_primary_costs_no_write_and_no_cached_read() {
    let count =
        std::env::var("FOREBAY_ROUNDS").map_or(50, |text| text.parse().expect("FOREBAY_ROUNDS is a number"));
    let report = failover::run(count);
    for failover in &report.failovers {
        println!("{failover:?}");
    }
    println!("{report}");
    assert_eq!((&report.faults[..], &report.failed_reads[..]), (&[][..], &[][..]));
    let mut first: Vec<Duration> =
        report.failovers.iter().map(|one| one.first_write.unwrap_or(Duration::MAX)).collect();
    first.sort();
    let mut ratios: Vec<f64> = report.failovers.iter().map(|one| one.during / one.before).collect();
    ratios.sort_by(f64::total_cmp);
    assert!(first[first.len() - 1] <= WORST_MAX, "{:?}", first.last());
    assert!(first[(first.len() - 1) / 2] <= MEDIAN_MAX);
    assert!(ratios[(ratios.len() - 1) / 2] >= READS_MIN);
}
