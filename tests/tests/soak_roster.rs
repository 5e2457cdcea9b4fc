//! All that becomes of a node, 20 times over unless `FOREBAY_ROUNDS` says otherwise: each time every other node tells DAX clients of it within
//! a second.

use std::time::Duration;

use forebay_tests::roster;

/// From the change until the last node tells of it, in every run.
const WORST_MAX: Duration = Duration::from_secs(1);

#[test]
fn every_node_tells_dax_clients_within_a_second_what_became_of_another() {
    let rounds =
        std::env::var("FOREBAY_ROUNDS").map_or(20, |text| text.parse().expect("FOREBAY_ROUNDS is a number"));
    let times = roster::run(rounds);
    println!("{times}");
    for kind in times.kinds() {
        assert!(times.worst(kind) < WORST_MAX, "{kind}: {:?}", times.worst(kind));
    }
}
