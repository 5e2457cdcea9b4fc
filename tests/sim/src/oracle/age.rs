//! P7: whatever a node answers holds everything that was acknowledged longer ago than its answers may be old.

use std::time::Duration;

use api::Version;
use history::operation::{Action, Nanos, Outcome};
use history::record::History;

/// Answers that are shown, where many are wrong.
const SHOWN_MAX: usize = 5;

/// What is wrong with the answers of a history.
pub fn check(history: &History, max_lag: Duration) -> Vec<String> {
    let mut acknowledged: Vec<(Nanos, Version)> = history
        .operations
        .iter()
        .filter(|operation| operation.is_acknowledged_write())
        .filter_map(|operation| Some((operation.end?, operation.version()?)))
        .collect();
    acknowledged.sort_by_key(|(end, _)| *end);
    let max_lag = u64::try_from(max_lag.as_nanos()).unwrap_or(u64::MAX);
    let mut faults = Vec::new();
    for operation in &history.operations {
        let Outcome::Done { version: Some(version), .. } = &operation.outcome else { continue };
        if matches!(operation.action, Action::Write { .. }) {
            continue;
        }
        let since = operation.start.saturating_sub(max_lag);
        let too_old = acknowledged
            .iter()
            .take_while(|(end, _)| *end < since)
            .find(|(_, written)| version.at_least(written) == Some(false));
        if let Some((_, written)) = too_old
            && faults.len() < SHOWN_MAX
        {
            faults.push(format!("P7: {written:?} is missing: #{} {operation}", operation.id));
        }
    }
    faults
}
