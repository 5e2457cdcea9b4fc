//! Short histories written by hand.

use api::Version;

use crate::operation::{Action, Found, Mode, Operation, Origin, Outcome, Protocol, Scope, Told, Write};
use crate::record::History;
use crate::state::{Cell, Condition, Effect, Item};
use crate::verdict::{Judging, Promise, Verdict, judge};

pub fn at(index: u64) -> Option<Version> {
    Some(Version { incarnation: 7, shard: 0, index })
}

pub fn item(tag: u64, count: i64, group: u32) -> Item {
    Item { tag, count, group }
}

pub fn put(key: &str, tag: u64) -> Write {
    Write { key: key.into(), effect: Effect::Put(item(tag, 0, 0)), condition: Condition::Always }
}

pub fn add(key: &str, tag: u64, by: i64) -> Write {
    Write { key: key.into(), effect: Effect::Add { tag, by }, condition: Condition::Always }
}

pub fn delete(key: &str) -> Write {
    Write { key: key.into(), effect: Effect::Delete, condition: Condition::Always }
}

pub fn one(write: Write) -> Action {
    Action::Write { writes: vec![write], whole: true }
}

pub fn read(key: &str, mode: Mode) -> Action {
    Action::Read { keys: vec![key.into()], mode }
}

pub fn page(of: Scope) -> Action {
    Action::Page { of, after: None, limit: None, strong: false }
}

pub fn done(index: u64) -> Outcome {
    Outcome::Done { version: at(index), found: Found::Written(vec![Told::Done]) }
}

pub fn saw(index: u64, cell: Cell) -> Outcome {
    Outcome::Done { version: at(index), found: Found::Cells(vec![cell]) }
}

pub fn rows(index: u64, rows: &[(&str, Item)]) -> Outcome {
    let rows = rows.iter().map(|(key, item)| ((*key).to_owned(), *item)).collect();
    Outcome::Done { version: at(index), found: Found::Page { rows, last: None } }
}

pub fn unknown() -> Outcome {
    Outcome::Unknown("no answer".into())
}

/// A history in the making. A client has one connection, of its own number, to the node of the tens of its number.
#[derive(Default)]
pub struct Made(pub History);

impl Made {
    pub fn op(mut self, client: u32, span: (u64, u64), action: Action, outcome: Outcome) -> Made {
        self.0.operations.push(Operation {
            id: self.0.operations.len() as u64,
            origin: Origin { client, node: client / 10, protocol: Protocol::Http },
            start: span.0,
            end: Some(span.1),
            connection: Some(u64::from(client)),
            token: None,
            action,
            outcome,
        });
        self
    }

    /// The last operation carried a token.
    pub fn token(mut self, index: u64) -> Made {
        self.0.operations.last_mut().expect("there is one").token = at(index);
        self
    }

    pub fn judged(&self) -> Verdict {
        judge(&self.0, Judging::default())
    }

    #[track_caller]
    pub fn holds(self) -> Made {
        let verdict = self.judged();
        assert!(verdict.holds(), "{verdict}");
        self
    }

    /// Violates exactly these promises.
    #[track_caller]
    pub fn breaks(self, promises: &[Promise]) -> Verdict {
        let verdict = self.judged();
        let mut broken: Vec<Promise> = verdict.violations.iter().map(|violation| violation.promise).collect();
        broken.sort();
        broken.dedup();
        assert_eq!(broken, promises, "{verdict}");
        assert_eq!(verdict.undecided, Vec::<String>::new());
        verdict
    }
}
