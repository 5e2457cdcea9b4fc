//! From a refusal to an example that a person can follow.
//!
//! First the shortest stretch of the history that has no order, which ends with the answer that cannot be explained; then every
//! operation is left out that is not needed. What is kept throughout: with that answer there is no order, without it there is
//! one. So nothing is shown that only the leaving out made impossible.

use std::fmt::Write as _;

use crate::linear::search::{Limits, Search, search};
use crate::linear::steps::{Act, Object, Step};
use crate::operation::Nanos;
use crate::record::History;
use crate::state::{Cell, Shown};

/// What one trial may cost: an example is worth seconds, not hours.
const TRIAL: Limits = Limits { configurations: 100_000, tries: 1_000_000 };
/// Trials in all.
const TRIALS_MAX: usize = 20_000;
/// Operations that are printed; a longer example begins with dots.
const SHOWN_MAX: usize = 40;

/// A stretch of an object's history that has no order.
pub(super) struct Example {
    /// The steps, by their start.
    steps: Vec<Step>,
    /// Which of them is the answer that cannot be explained; `None` where even that was too much to find out.
    culprit: Option<usize>,
    /// An order of the others, and the state it leads to.
    before: Option<(Vec<usize>, Vec<Cell>)>,
}

/// Makes an example of an object that is known to have no order.
pub(super) fn shrink(object: &Object) -> Example {
    let whole = || Example { steps: object.steps.clone(), culprit: None, before: None };
    let keys = object.keys.len();
    let mut ends: Vec<Nanos> = object.steps.iter().filter_map(|step| step.end).collect();
    ends.sort_unstable();
    ends.dedup();
    // The shortest stretch without an order: what has one keeps it when it is cut shorter.
    let (mut low, mut high) = (0, ends.len().saturating_sub(1));
    while low < high {
        let middle = low + (high - low) / 2;
        match search(&until(&object.steps, ends[middle]), keys, TRIAL) {
            Search::Impossible => high = middle,
            Search::Linearizable { .. } | Search::Undecided { .. } => low = middle + 1,
        }
    }
    let Some(last) = ends.get(high).copied() else { return whole() };
    let mut steps = until(&object.steps, last);
    let mut trials = 0;
    let mut fails = |steps: &[Step]| {
        trials += 2;
        trials <= TRIALS_MAX
            && matches!(search(steps, keys, TRIAL), Search::Impossible)
            && matches!(search(&without_answer(steps, last), keys, TRIAL), Search::Linearizable { .. })
    };
    if !fails(&steps) {
        return whole();
    }
    let mut size = steps.len().div_ceil(2);
    while size >= 1 {
        let mut from = 0;
        while from < steps.len() {
            let to = (from + size).min(steps.len());
            let mut fewer = steps.clone();
            fewer.drain(from..to);
            if fewer.iter().any(|step| step.end == Some(last)) && fails(&fewer) {
                steps = fewer;
            } else {
                from = to;
            }
        }
        size = if size == 1 { 0 } else { size.div_ceil(2) };
    }
    let culprit = steps.iter().position(|step| step.end == Some(last));
    let before = match search(&without_answer(&steps, last), keys, TRIAL) {
        Search::Linearizable { order, state } => {
            // Places in the list without the answer, which is the same list but where the answer was a read's.
            let kept: Vec<usize> = (0..steps.len())
                .filter(|place| steps[*place].end != Some(last) || matches!(steps[*place].act, Act::Wrote(_)))
                .collect();
            Some((order.into_iter().map(|place| kept[place]).collect(), state))
        }
        Search::Impossible | Search::Undecided { .. } => None,
    };
    Example { steps, culprit, before }
}

/// The steps as they were known at a time: what was not answered yet may have taken effect or not.
fn until(steps: &[Step], last: Nanos) -> Vec<Step> {
    let known = steps.iter().filter(|step| step.start <= last);
    known
        .filter_map(
            |step| if step.end.is_some_and(|end| end <= last) { Some(step.clone()) } else { pending(step) },
        )
        .collect()
}

/// The steps without the answer that came at a time.
fn without_answer(steps: &[Step], last: Nanos) -> Vec<Step> {
    steps
        .iter()
        .filter_map(|step| if step.end == Some(last) { pending(step) } else { Some(step.clone()) })
        .collect()
}

/// A step nobody knows the outcome of; a read is then nothing.
fn pending(step: &Step) -> Option<Step> {
    let Act::Wrote(parts) = &step.act else { return None };
    let parts = parts.iter().map(|(key, effect, condition, _)| (*key, *effect, *condition, None)).collect();
    Some(Step { end: None, act: Act::Wrote(parts), ..step.clone() })
}

impl Example {
    /// The operations of the history it shows.
    pub(super) fn operations(&self) -> Vec<usize> {
        let mut operations: Vec<usize> = self.steps.iter().map(|step| step.operation).collect();
        operations.dedup();
        operations
    }

    /// The example as text.
    pub(super) fn render(&self, object: &Object, history: &History) -> String {
        let mut text = format!("{}: there is no order of these operations", object.keys.join(" "));
        if let Some((order, state)) = &self.before {
            text.push_str("; without the last answer the state is");
            for (key, cell) in object.keys.iter().zip(state) {
                let _ = write!(text, " {key} = {}", Shown(*cell));
            }
            let names: Vec<String> = order
                .iter()
                .map(|place| format!("#{}", history.operations[self.steps[*place].operation].id))
                .collect();
            let _ = write!(
                text,
                ", by the order {}",
                if names.is_empty() { "of none".into() } else { names.join(" ") }
            );
        }
        let skipped = self.steps.len().saturating_sub(SHOWN_MAX);
        if skipped > 0 {
            let _ = write!(text, "\n    ... {skipped} before");
        }
        for (place, step) in self.steps.iter().enumerate().skip(skipped) {
            let mark = if Some(place) == self.culprit { "!" } else { " " };
            let operation = &history.operations[step.operation];
            let _ = write!(text, "\n  {mark} #{:<5} {operation}", operation.id);
        }
        text
    }
}
