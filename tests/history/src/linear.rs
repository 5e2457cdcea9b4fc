//! Linearizability of writes and strong reads: is there one order of all of them, in agreement with real time, in which each
//! answer is what the sequential specification ([`crate::state`]) says?
//!
//! Keys are judged apart, which is sound because linearizability is local; keys that a transaction or a snapshot read binds
//! together are judged together, so that half a transaction is found as what it is. `steps` says what the search sees of a
//! history, `search` is the search itself, `shrink` makes a refusal readable.
//!
//! Eventual reads are no part of it; [`crate::session`] judges those.

mod search;
mod shrink;
mod steps;

pub use search::{Limits, Search, search};
pub use steps::{Act, Object, Step, objects};
pub(crate) use steps::{keys, shown};

use crate::record::History;
use crate::verdict::{Promise, Violation};

/// What was found out about all objects of a history.
#[derive(Debug, Default)]
pub struct Linearity {
    /// Objects that have no order, each with a counterexample.
    pub violations: Vec<Violation>,
    /// Objects that the search gave up on.
    pub undecided: Vec<String>,
    /// How many objects were judged.
    pub objects: usize,
}

/// Judges every object of a history.
pub fn check(history: &History, limits: Limits) -> Linearity {
    let mut linearity = Linearity::default();
    for object in objects(history) {
        linearity.objects += 1;
        match search(&object.steps, object.keys.len(), limits) {
            Search::Linearizable { .. } => {}
            Search::Undecided { configurations } => linearity.undecided.push(format!(
                "{}: {} operations, given up after {configurations} configurations",
                object.keys.join(" "),
                object.steps.len()
            )),
            Search::Impossible => {
                let example = shrink::shrink(&object);
                linearity.violations.push(Violation {
                    promise: Promise::P2,
                    operations: example.operations(),
                    text: example.render(&object, history),
                });
            }
        }
    }
    linearity
}
