//! The judgement of a history: every check there is, and what they found.

use std::collections::BTreeMap;

use crate::linear::{self, Limits};
use crate::operation::{Action, Outcome};
use crate::record::History;
use crate::session::{self, Rules};
use crate::version;

/// The promises that a history can break, by their names in `docs/consistency.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Promise {
    /// What is acknowledged is seen at the node that acknowledged it.
    P1,
    /// Writes and strong reads are linearizable.
    P2,
    /// Eventual reads of one connection to one node never go back.
    P3,
    /// A page holds every write the node had applied.
    P5,
    /// A client reads its own writes, and what its token asks for.
    P6,
    /// No acknowledged write is lost, and none is published out of the one order.
    P11,
    /// What was read was written: the cache invents nothing.
    P12,
}

/// A promise that did not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which.
    pub promise: Promise,
    /// The operations that show it, by their places in the history.
    pub operations: Vec<usize>,
    /// What happened, for a reader.
    pub text: String,
}

/// How a history is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Judging {
    /// What the deployment promises beyond the default.
    pub rules: Rules,
    /// What the search for an order may cost, object by object.
    pub limits: Limits,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Verdict {
    /// Promises that did not hold. At most [`SHOWN_MAX`] of each.
    pub violations: Vec<Violation>,
    /// How many more there were, promise by promise.
    pub more: BTreeMap<Promise, usize>,
    /// What could not be found out. Counts as a failure.
    pub undecided: Vec<String>,
    /// Operations judged.
    pub operations: usize,
    /// Acknowledged writes among them.
    pub acknowledged: usize,
    /// Writes of unknown outcome among them.
    pub unknown: usize,
    /// Reads and pages that were answered.
    pub reads: usize,
    /// Groups of keys that were judged together.
    pub objects: usize,
}

/// Violations of one promise that are kept with their text.
pub const SHOWN_MAX: usize = 5;

/// Judges a history.
pub fn judge(history: &History, judging: Judging) -> Verdict {
    let mut verdict = Verdict { operations: history.operations.len(), ..Verdict::default() };
    for operation in &history.operations {
        match (&operation.action, &operation.outcome) {
            (Action::Write { .. }, Outcome::Done { .. }) => verdict.acknowledged += 1,
            (Action::Write { .. }, Outcome::Unknown(_)) => verdict.unknown += 1,
            (Action::Read { .. } | Action::Page { .. }, Outcome::Done { .. }) => verdict.reads += 1,
            _ => {}
        }
    }
    let linearity = linear::check(history, judging.limits);
    verdict.objects = linearity.objects;
    verdict.undecided = linearity.undecided;
    verdict.take(linearity.violations);
    verdict.take(version::check(history));
    verdict.take(session::check(history, judging.rules));
    verdict
}

impl Verdict {
    /// Whether every promise held, and that is known of all.
    pub fn holds(&self) -> bool {
        self.violations.is_empty() && self.undecided.is_empty()
    }

    fn take(&mut self, violations: Vec<Violation>) {
        for violation in violations {
            let kept = self.violations.iter().filter(|kept| kept.promise == violation.promise).count();
            if kept < SHOWN_MAX {
                self.violations.push(violation);
            } else {
                *self.more.entry(violation.promise).or_default() += 1;
            }
        }
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Verdict { operations, acknowledged, unknown, reads, objects, .. } = self;
        write!(
            f,
            "{operations} operations: {acknowledged} acknowledged writes, {unknown} of unknown outcome, {reads} answered reads, \
             {objects} objects: "
        )?;
        if self.holds() {
            return f.write_str("every promise held");
        }
        write!(f, "{} violations, {} undecided", self.violations.len(), self.undecided.len())?;
        for Violation { promise, text, .. } in &self.violations {
            write!(f, "\n{promise:?}: {text}")?;
        }
        for (promise, count) in &self.more {
            write!(f, "\n{promise:?}: and {count} more")?;
        }
        for text in &self.undecided {
            write!(f, "\nundecided: {text}")?;
        }
        Ok(())
    }
}
