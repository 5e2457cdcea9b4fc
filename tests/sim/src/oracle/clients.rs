//! P1, P2, P3, P5, P6 and P11, and of P12 that nothing is invented, as far as clients see them, by the judge of histories.

use history::record::History;
use history::verdict::{self, Judging};

use super::Judged;

/// Judges what clients were told.
pub fn judge(history: &History) -> Judged {
    let verdict = verdict::judge(history, Judging::default());
    let mut faults: Vec<String> = verdict
        .violations
        .iter()
        .map(|violation| format!("{:?}: {}", violation.promise, violation.text))
        .collect();
    faults.extend(verdict.undecided.iter().map(|what| format!("undecided: {what}")));
    Judged { faults, acknowledged: verdict.acknowledged, reads: verdict.reads }
}
