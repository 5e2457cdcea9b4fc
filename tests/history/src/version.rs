//! Versions of acknowledged writes: there is one order of them, each stands in it once, and it agrees with real time.
//!
//! This is what a primary that was replaced would break if it went on publishing: two writes at one place of the log, or one
//! that is acknowledged after another and stands before it. P11's other half, that nothing acknowledged is lost, is judged by
//! the reads that follow, [`crate::linear`].

use std::collections::HashMap;

use api::Version;

use crate::record::History;
use crate::verdict::{Promise, Violation};

/// Judges the versions of a history.
pub fn check(history: &History) -> Vec<Violation> {
    let mut violations = Vec::new();
    let operations = &history.operations;
    let mut written: Vec<(usize, Version, u64)> = Vec::new();
    for (place, operation) in operations.iter().enumerate() {
        if operation.is_acknowledged_write()
            && let (Some(version), Some(end)) = (operation.version(), operation.end)
        {
            written.push((place, version, end));
        }
    }
    let mut violate = |text: &str, pair: [usize; 2]| {
        let shown = pair.map(|place| format!("\n    #{:<5} {}", operations[place].id, operations[place]));
        violations.push(Violation {
            promise: Promise::P11,
            operations: pair.to_vec(),
            text: format!("{text}:{}", shown.concat()),
        });
    };
    let mut owners: HashMap<Version, usize> = HashMap::new();
    for (place, version, _) in &written {
        if let Some(owner) = owners.insert(*version, *place) {
            violate("two acknowledged writes have one version", [owner, *place]);
        }
    }
    // The latest of those that were over before the one at hand was asked. In starts' order, so that their ends need one walk.
    let mut by_start = written.clone();
    by_start.sort_by_key(|(place, ..)| operations[*place].start);
    let mut by_end = written;
    by_end.sort_by_key(|(_, _, end)| *end);
    let mut over = by_end.into_iter().peekable();
    let mut latest: Option<(usize, Version)> = None;
    for (place, version, _) in by_start {
        while let Some((earlier, before, _)) = over.next_if(|(_, _, end)| *end < operations[place].start) {
            let later = match latest {
                None => true,
                Some((at, so_far)) => match before.at_least(&so_far) {
                    Some(later) => later,
                    None => {
                        violate("the line of versions was cut within one history", [at, earlier]);
                        true
                    }
                },
            };
            if later {
                latest = Some((earlier, before));
            }
        }
        if let Some((earlier, before)) = latest
            && before.at_least(&version) == Some(true)
            && earlier != place
        {
            violate(
                "a write was asked for after another was acknowledged, and has an earlier version",
                [earlier, place],
            );
        }
    }
    violations
}
