//! Planned hand-overs under load, 50 by command and 10 by SIGTERM to the primary, or as many as `FOREBAY_ROUNDS` says and a fifth of that:
//! no request fails, and the writers hardly notice.

use std::time::Duration;

use forebay_tests::hand_over::{STOPPED, TRANSFERRED, run};

/// The write pause of the middle one of each kind.
const MEDIAN_MAX: Duration = Duration::from_millis(100);

#[test]
fn a_planned_hand_over_fails_no_request_and_stops_writes_for_less_than_a_tenth_of_a_second() {
    let transfers =
        std::env::var("FOREBAY_ROUNDS").map_or(50, |text| text.parse().expect("FOREBAY_ROUNDS is a number"));
    let pauses = run(transfers, transfers.div_ceil(5));
    println!("{pauses}");
    for kind in [TRANSFERRED, STOPPED] {
        assert!(pauses.median(kind) < MEDIAN_MAX, "{kind}: {:?}", pauses.median(kind));
    }
}
