//! What is said in the log of something that goes wrong again and again: once, and the same again only after a while, because
//! whoever sends tries again at once.
//!
//! Invariant: not more than [`REASONS_MAX`] lines in a [`COMPLAINT_PERIOD`], whatever the reasons.

use tokio::time::Instant;

use super::COMPLAINT_PERIOD;

/// Reasons that are told apart.
const REASONS_MAX: usize = 8;

/// What was said of late.
#[derive(Default)]
pub(crate) struct Complaint {
    made: Vec<(Instant, String)>,
}

impl Complaint {
    /// Whether this is to be said now; if so, it counts as said.
    pub(super) fn is_due(&mut self, why: &str, now: Instant) -> bool {
        self.made.retain(|(at, _)| now.duration_since(*at) < COMPLAINT_PERIOD);
        if self.made.len() >= REASONS_MAX || self.made.iter().any(|(_, made)| made == why) {
            return false;
        }
        self.made.push((now, why.to_owned()));
        true
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_same_is_said_once_a_minute_and_not_everything_at_once() {
        let (mut complaint, mut now) = (Complaint::default(), Instant::now());
        let mut said = 0;
        for _ in 0..600 {
            // Two reasons in turn, ten times a second.
            for why in ["one", "another"] {
                said += usize::from(complaint.is_due(why, now));
            }
            now += Duration::from_millis(100);
        }
        assert_eq!(said, 2);
        assert!(complaint.is_due("one", now));
        let all = (0..100).filter(|reason| complaint.is_due(&format!("reason {reason}"), now)).count();
        assert!(all < REASONS_MAX, "{all}");
    }
}
