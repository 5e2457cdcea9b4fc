//! When an answer of a stream of entries may be given to the library.
//!
//! The library tells by a log id which requests were answered: all that end there or before. A request without entries, which
//! only says what is committed, ends where the one before it does, so the answer to the earlier would count for the later as well,
//! as though the peer had just heard of it. A leader that was stopped finds such answers in its sockets. It would take them for a
//! quorum that follows it still, and call a read of its old state linearizable. So an answer waits for those to the requests
//! behind it that end where it does; the last of them says the same.
//!
//! Invariant: no answer that the library is given counts for a request that was made after the one it answers.

use std::collections::VecDeque;

use openraft::raft::AppendEntriesRequest;
use parking_lot::Mutex;

use crate::types::{LogId, Types};

/// The requests of one stream that the library has made and the peer has not answered.
#[derive(Debug, Default)]
pub(super) struct Unanswered {
    /// Where each of them ends, in the order in which they were made.
    ends: Mutex<VecDeque<Option<LogId>>>,
}

impl Unanswered {
    /// To be called in the same poll in which the library gives the request, so that no answer is judged in between.
    pub(super) fn made<R: Send + Sync + 'static>(&self, request: &AppendEntriesRequest<Types<R>>) {
        let end = request.entries.last().map(|entry| entry.log_id).or(request.prev_log_id);
        self.ends.lock().push_back(end);
    }

    /// The oldest request was answered: the peer's log matches up to there. Whether the library may be told so; if not, a later
    /// answer tells it.
    pub(super) fn matched(&self, end: Option<LogId>) -> bool {
        let mut ends = self.ends.lock();
        ends.pop_front();
        ends.front().is_none_or(|next| *next > end)
    }
}

#[cfg(test)]
mod tests {
    use openraft::entry::RaftEntry;
    use openraft::{Entry, EntryPayload};

    use super::*;
    use crate::types::{Vote, log_id};

    fn request(previous: u64, entries: u64) -> AppendEntriesRequest<Types<()>> {
        let ids = previous + 1..=previous + entries;
        AppendEntriesRequest {
            vote: Vote::new_committed(1, 1),
            prev_log_id: Some(log_id(1, previous)),
            entries: ids.map(|index| Entry::new(log_id(1, index), EntryPayload::Blank)).collect(),
            leader_commit: None,
        }
    }

    #[test]
    fn an_answer_waits_for_those_to_what_was_made_behind_it_and_ends_where_it_does() {
        let unanswered = Unanswered::default();
        for (previous, entries) in [(5, 5), (10, 0), (10, 0), (10, 2), (12, 0)] {
            unanswered.made(&request(previous, entries));
        }
        let told: Vec<bool> =
            [10, 10, 10, 12, 12].map(|index| unanswered.matched(Some(log_id(1, index)))).into();
        assert_eq!(told, [false, false, true, false, true]);
        unanswered.made(&request(12, 0));
        assert!(unanswered.matched(Some(log_id(1, 12))), "nothing is made behind it");
    }

    #[test]
    fn a_log_that_is_empty_ends_before_all_others() {
        let unanswered = Unanswered::default();
        let nothing = AppendEntriesRequest { prev_log_id: None, ..request(0, 0) };
        unanswered.made(&nothing);
        unanswered.made(&nothing);
        unanswered.made(&request(1, 1));
        assert!(!unanswered.matched(None));
        assert!(unanswered.matched(None));
        assert!(unanswered.matched(Some(log_id(1, 2))));
    }
}
