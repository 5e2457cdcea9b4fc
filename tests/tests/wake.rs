//! The short form of the wakes, in every run of the tests: what a primary answers that was stopped while another took its place.

use forebay_tests::wake::{self, Report};

/// Times a primary is put to sleep.
const SLEEPS: u64 = 2;

fn judge(report: &Report) {
    println!("{report}");
    assert!(report.stale.is_empty(), "{report}\n{:#?}", report.stale);
    assert!(report.lost.is_empty(), "{report}\n{:#?}", report.lost);
    assert!(report.answered > 0 && report.acknowledged > 0, "hardly anything was asked: {report}");
}

#[test]
fn a_primary_that_wakes_up_answers_nothing_older_than_what_was_acknowledged() {
    judge(&wake::run(SLEEPS, false));
}

#[test]
fn where_writes_are_seen_everywhere_a_primary_that_wakes_up_answers_no_read_from_before() {
    judge(&wake::run(SLEEPS, true));
}
