//! How much of the log is kept for members that lag.
//!
//! Invariant: it only proposes; the node never purges past what a completed flush of the state holds.

use std::collections::VecDeque;

/// A position is remembered about every so many bytes.
const STEP_BYTES: u64 = 16 * 1024 * 1024;

/// By bytes and time, what must stay: an entry may go once either is exceeded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keep {
    pub(crate) bytes: u64,
    pub(crate) millis: u64,
}

#[derive(Debug)]
struct Step {
    last_index: u64,
    /// Bytes appended up to and with `last_index`.
    end_bytes: u64,
    at_millis: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Retention {
    steps: VecDeque<Step>,
    appended_bytes: u64,
}

impl Retention {
    /// Begins with what was found when the log was opened: how far it goes, and how many bytes of it the state does not
    /// hold yet. What was found may go as if it had been written now. Without that, the log of a node that is restarted
    /// often would never be purged.
    pub(crate) fn found(last_index: Option<u64>, unapplied_bytes: u64, now_millis: u64) -> Retention {
        let mut retention = Retention { appended_bytes: unapplied_bytes, ..Retention::default() };
        if let Some(last_index) = last_index {
            let step = Step { last_index, end_bytes: unapplied_bytes, at_millis: now_millis };
            retention.steps.push_back(step);
        }
        retention
    }

    pub(crate) fn append(&mut self, last_index: u64, bytes: u64, now_millis: u64) {
        self.appended_bytes += bytes;
        let since = self.steps.back().map_or(0, |step| step.end_bytes);
        if self.appended_bytes - since >= STEP_BYTES {
            self.steps.push_back(Step { last_index, end_bytes: self.appended_bytes, at_millis: now_millis });
        }
    }

    /// Bytes appended since the process began, and those found at open that the state did not hold.
    pub(crate) fn appended_bytes(&self) -> u64 {
        self.appended_bytes
    }

    /// The last index that nothing needs any more, if there is one worth purging.
    pub(crate) fn purgeable(&self, keep: Keep, now_millis: u64) -> Option<u64> {
        self.steps
            .iter()
            .rev()
            .find(|step| {
                self.appended_bytes - step.end_bytes >= keep.bytes
                    || now_millis.saturating_sub(step.at_millis) >= keep.millis
            })
            .map(|step| step.last_index)
    }

    pub(crate) fn purged(&mut self, index: u64) {
        while self.steps.front().is_some_and(|step| step.last_index <= index) {
            self.steps.pop_front();
        }
    }

    /// After a cut of the tail no step may name an entry that is gone.
    pub(crate) fn truncated(&mut self, last_index: Option<u64>) {
        while self.steps.back().is_some_and(|step| last_index.is_none_or(|last| step.last_index > last)) {
            self.steps.pop_back();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Keep, Retention, STEP_BYTES};

    #[test]
    fn what_was_found_at_open_goes_too_however_little_is_written_after() {
        let mut retention = Retention::found(Some(70), 500, 1_000);
        retention.append(71, 10, 2_000);
        assert_eq!(retention.appended_bytes(), 510);
        let keep = Keep { bytes: u64::MAX, millis: 5_000 };
        assert_eq!(retention.purgeable(keep, 5_999), None);
        assert_eq!(retention.purgeable(keep, 6_000), Some(70));
        assert_eq!(Retention::found(None, 0, 0).purgeable(Keep { bytes: 0, millis: 0 }, 9), None);
    }

    #[test]
    fn entries_go_only_when_enough_bytes_follow_or_enough_time_passed() {
        let mut retention = Retention::default();
        for index in 1..=10 {
            retention.append(index, STEP_BYTES, index * 1000);
        }
        let bytes = Keep { bytes: 3 * STEP_BYTES, millis: u64::MAX };
        assert_eq!(retention.purgeable(bytes, 10_000), Some(7));
        let time = Keep { bytes: u64::MAX, millis: 5_000 };
        assert_eq!(retention.purgeable(time, 10_000), Some(5));
        retention.purged(7);
        assert_eq!(retention.purgeable(bytes, 10_000), None);
        retention.truncated(Some(8));
        assert_eq!(retention.purgeable(Keep { bytes: 0, millis: 0 }, 99_000), Some(8));
    }
}
