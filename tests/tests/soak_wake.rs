//! The long form of the wakes: `FOREBAY_SLEEPS` of them, 200 unless said otherwise, half of them where writes are seen everywhere.
//! As root.

use forebay_tests::wake;

#[test]
fn a_primary_that_wakes_up_many_times_answers_nothing_old() {
    let sleeps: u64 =
        std::env::var("FOREBAY_SLEEPS").map_or(200, |text| text.parse().expect("FOREBAY_SLEEPS is a number"));
    for (visible_everywhere, sleeps) in [(false, sleeps.div_ceil(2)), (true, sleeps / 2)] {
        let report = wake::run(sleeps, visible_everywhere);
        println!("visible everywhere: {visible_everywhere}; {report}");
        assert!(report.stale.is_empty(), "{:#?}", report.stale);
        assert!(report.lost.is_empty(), "{:#?}", report.lost);
    }
}
