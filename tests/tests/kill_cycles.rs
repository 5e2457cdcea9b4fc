//! The short form of the kill cycles, in every run of the tests.

use forebay_tests::kill;

#[test]
fn nothing_acknowledged_is_lost_by_a_kill() {
    const CYCLES: usize = 5;
    let report = kill::run(CYCLES, 20_261_121);
    println!("{report}");
    assert!(report.faults.is_empty(), "{:#?}", report.faults);
    assert_eq!(report.cycles, CYCLES);
    assert!(report.acknowledged > 100, "hardly anything was written: {report}");
}
