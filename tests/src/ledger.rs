//! What was asked of a store, what it acknowledged, and so what may stand in it after a crash.
//!
//! Invariant it checks: a key holds the value of its last acknowledged write, or of a later write whose outcome nobody
//! learned; never an older one, never one that was not asked for. Writes of one group (a transaction) are there together or
//! not at all. Each key has one writer, so that its writes have one order.
//!
//! Values are numbers that grow by one with every write of a key; a delete is a write, too.

use std::collections::BTreeMap;

/// What became of a write, as its writer knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was answered as done.
    Acknowledged,
    /// Nobody knows: no answer came, or one that says so.
    Unknown,
    /// It was refused, and must not be there.
    Refused,
}

/// What a write leaves under its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// An item that carries this number.
    Value(u64),
    /// No item.
    Absent,
}

#[derive(Debug, Clone)]
struct Write {
    mark: Mark,
    outcome: Outcome,
    /// The transaction it is part of.
    group: Option<u64>,
}

/// All writes, key by key in their order.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    keys: BTreeMap<String, Vec<Write>>,
    acknowledged: u64,
    unknown: u64,
}

/// What is wrong with a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// An acknowledged write is not there, and nothing later that could have replaced it.
    Lost {
        /// The key.
        key: String,
        /// The last acknowledged mark.
        acknowledged: Mark,
        /// What stands there.
        found: Mark,
    },
    /// What stands there was never asked for, or was refused.
    Invented {
        /// The key.
        key: String,
        /// What stands there.
        found: Mark,
    },
    /// A transaction is there in part.
    Half {
        /// A key where it is.
        there: String,
        /// A key where it is not.
        missing: String,
    },
}

impl Ledger {
    /// A store that was never written to.
    pub fn new() -> Ledger {
        Ledger::default()
    }

    /// Notes a write. Writes of one transaction share a `group`, and are noted with the same outcome.
    pub fn note(&mut self, key: &str, mark: Mark, outcome: Outcome, group: Option<u64>) {
        match outcome {
            Outcome::Acknowledged => self.acknowledged += 1,
            Outcome::Unknown => self.unknown += 1,
            Outcome::Refused => {}
        }
        self.keys.entry(key.to_owned()).or_default().push(Write { mark, outcome, group });
    }

    /// Takes in another writer's ledger. Its keys must be others.
    pub fn join(&mut self, other: Ledger) {
        self.acknowledged += other.acknowledged;
        self.unknown += other.unknown;
        for (key, writes) in other.keys {
            let before = self.keys.insert(key, writes);
            assert!(before.is_none(), "each key has one writer");
        }
    }

    /// Acknowledged writes so far.
    pub fn acknowledged(&self) -> u64 {
        self.acknowledged
    }

    /// Writes of unknown outcome so far.
    pub fn unknown(&self) -> u64 {
        self.unknown
    }

    /// All keys that were ever written.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.keys.keys().map(String::as_str)
    }

    /// Compares with what a store holds: `found` answers what stands under a key.
    pub fn check(&self, found: impl Fn(&str) -> Mark) -> Vec<Fault> {
        let mut faults = Vec::new();
        // Of each transaction of unknown outcome, keys where it is certainly there, and where it certainly is not.
        let mut groups: BTreeMap<u64, (Option<&str>, Option<&str>)> = BTreeMap::new();
        for (key, writes) in &self.keys {
            let stands = found(key);
            let last = writes.iter().rposition(|write| write.outcome == Outcome::Acknowledged);
            let base = last.map_or(Mark::Absent, |at| writes[at].mark);
            let later = &writes[last.map_or(0, |at| at + 1)..];
            let landed =
                later.iter().rposition(|write| write.outcome == Outcome::Unknown && write.mark == stands);
            if landed.is_none() && stands != base {
                faults.push(
                    match writes.iter().any(|write| write.mark == stands && write.outcome != Outcome::Refused)
                        || stands == Mark::Absent
                    {
                        true => Fault::Lost { key: key.clone(), acknowledged: base, found: stands },
                        false => Fault::Invented { key: key.clone(), found: stands },
                    },
                );
                continue;
            }
            for (at, write) in later.iter().enumerate() {
                let Some(group) = write.group.filter(|_| write.outcome == Outcome::Unknown) else { continue };
                let entry = groups.entry(group).or_default();
                // What stands is this write's; it landed. What stands is older, and no later write could have hidden this
                // one: it did not. Where a later one landed, or this one leaves what stood before, the key says nothing.
                match landed {
                    Some(landed) if landed == at && base != stands => entry.0 = Some(key),
                    Some(landed) if landed > at => {}
                    _ if write.mark != stands => entry.1 = Some(key),
                    _ => {}
                }
            }
        }
        for (there, missing) in groups.into_values() {
            if let (Some(there), Some(missing)) = (there, missing) {
                faults.push(Fault::Half { there: there.to_owned(), missing: missing.to_owned() });
            }
        }
        faults
    }

    /// Takes what a store holds as what was acknowledged: after a check that found nothing wrong, a write of unknown outcome
    /// is known. Keeps of each key one write.
    pub fn settle(&mut self, found: impl Fn(&str) -> Mark) {
        for (key, writes) in &mut self.keys {
            let mark = found(key);
            *writes = vec![Write { mark, outcome: Outcome::Acknowledged, group: None }];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(content: &[(&str, u64)]) -> impl Fn(&str) -> Mark {
        let content: BTreeMap<String, u64> =
            content.iter().map(|(key, value)| ((*key).to_owned(), *value)).collect();
        move |key| content.get(key).map_or(Mark::Absent, |value| Mark::Value(*value))
    }

    fn two_acknowledged() -> Ledger {
        let mut ledger = Ledger::new();
        ledger.note("a", Mark::Value(1), Outcome::Acknowledged, None);
        ledger.note("a", Mark::Value(2), Outcome::Acknowledged, None);
        ledger
    }

    #[test]
    fn what_was_acknowledged_must_be_there() {
        let ledger = two_acknowledged();
        assert_eq!(ledger.check(store(&[("a", 2)])), []);
        let lost = |found| Fault::Lost { key: "a".into(), acknowledged: Mark::Value(2), found };
        assert_eq!(ledger.check(store(&[("a", 1)])), [lost(Mark::Value(1))]);
        assert_eq!(ledger.check(store(&[])), [lost(Mark::Absent)]);
        assert_eq!(
            ledger.check(store(&[("a", 3)])),
            [Fault::Invented { key: "a".into(), found: Mark::Value(3) }]
        );
    }

    #[test]
    fn an_unknown_outcome_may_be_either_and_any_later_one() {
        let mut ledger = two_acknowledged();
        ledger.note("a", Mark::Value(3), Outcome::Unknown, None);
        ledger.note("a", Mark::Absent, Outcome::Unknown, None);
        for found in [&[("a", 2)][..], &[("a", 3)], &[]] {
            assert_eq!(ledger.check(store(found)), []);
        }
        assert_ne!(ledger.check(store(&[("a", 1)])), []);
    }

    #[test]
    fn a_refused_write_must_not_be_there() {
        let mut ledger = two_acknowledged();
        ledger.note("a", Mark::Value(3), Outcome::Refused, None);
        assert_eq!(ledger.check(store(&[("a", 2)])), []);
        assert_eq!(
            ledger.check(store(&[("a", 3)])),
            [Fault::Invented { key: "a".into(), found: Mark::Value(3) }]
        );
    }

    #[test]
    fn a_deleted_item_must_not_come_back() {
        let mut ledger = two_acknowledged();
        ledger.note("a", Mark::Absent, Outcome::Acknowledged, None);
        assert_eq!(ledger.check(store(&[])), []);
        assert_eq!(ledger.check(store(&[("a", 2)])).len(), 1);
    }

    #[test]
    fn half_a_transaction_is_a_fault_and_a_whole_or_none_is_not() {
        let mut ledger = Ledger::new();
        for key in ["a", "b"] {
            ledger.note(key, Mark::Value(1), Outcome::Acknowledged, None);
            ledger.note(key, Mark::Value(2), Outcome::Unknown, Some(7));
        }
        assert_eq!(ledger.check(store(&[("a", 1), ("b", 1)])), []);
        assert_eq!(ledger.check(store(&[("a", 2), ("b", 2)])), []);
        let half = [Fault::Half { there: "a".into(), missing: "b".into() }];
        assert_eq!(ledger.check(store(&[("a", 2), ("b", 1)])), half);
    }

    #[test]
    fn a_later_write_may_hide_the_other_half() {
        let mut ledger = Ledger::new();
        for key in ["a", "b"] {
            ledger.note(key, Mark::Value(1), Outcome::Acknowledged, None);
            ledger.note(key, Mark::Value(2), Outcome::Unknown, Some(7));
        }
        ledger.note("b", Mark::Value(3), Outcome::Unknown, None);
        assert_eq!(ledger.check(store(&[("a", 2), ("b", 3)])), []);
        assert_eq!(ledger.check(store(&[("a", 2), ("b", 1)])).len(), 1);
    }

    #[test]
    fn after_settling_what_was_found_must_stay() {
        let mut ledger = two_acknowledged();
        ledger.note("a", Mark::Value(3), Outcome::Unknown, None);
        ledger.settle(store(&[("a", 3)]));
        assert_eq!(ledger.check(store(&[("a", 3)])), []);
        assert_ne!(ledger.check(store(&[("a", 2)])), []);
    }
}
