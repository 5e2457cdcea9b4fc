//! What reads may show, given what their client, its connection, its node and their own version oblige them to: P1, P3, P5, P6.
//!
//! Every read names who wrote what it shows, by the tag. That write must not be *overwritten* from the reader's view: of the
//! writes the read is obliged to include none may come certainly after it. Obligations are gathered by reason:
//!
//! | reason | the read includes |
//! |---|---|
//! | P6 | what was acknowledged on its connection; all up to the version its token names |
//! | P1 | what its node had acknowledged before it was asked |
//! | P3 | what its connection had been shown before, and all up to the highest version it was given |
//! | P3, P5 | all up to the version it says it was read at (P5 where it is a page); not a batch, whose keys are read each by itself |
//! | P2 | of a strong read: all that anybody had acknowledged before it was asked |
//!
//! One write comes certainly after another where its version is higher or, where one has none, where it was asked for after the
//! other was acknowledged. Where neither is so, nothing is held against the reader: this check may pass over what
//! [`crate::linear`] finds, and never the other way round refuse what is right. A read may show more than its version
//! promises: the version is taken before the state is looked at.

use std::collections::HashMap;

use api::Version;

use crate::linear::{keys, shown};
use crate::operation::{Action, ELSEWHERE, Found, Mode, Nanos, Operation, Outcome, Scope, Told};
use crate::record::History;
use crate::state::{Cell, Effect, Shown};
use crate::verdict::{Promise, Violation};

/// What a deployment promises beyond the default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rules {
    /// A write is acknowledged only once every node shows it (`write_visibility = all`).
    pub visible_everywhere: bool,
}

/// A write of one key that took effect, or may have.
#[derive(Debug, Clone, Copy)]
struct Written {
    operation: usize,
    start: Nanos,
    /// When it was acknowledged, if it was.
    end: Option<Nanos>,
    version: Option<Version>,
    /// What it left there, where that is known.
    image: Option<Cell>,
}

/// The writes a read is obliged to include, as far as they can exclude others.
#[derive(Debug, Clone, Copy, Default)]
struct Floor {
    /// The highest version, and whose it is.
    version: Option<(Version, usize)>,
    /// The latest start of those that have no version.
    unversioned: Option<(Nanos, usize)>,
    /// The latest start of all.
    any: Option<(Nanos, usize)>,
}

impl Floor {
    fn of(written: &Written) -> Floor {
        let started = Some((written.start, written.operation));
        match written.version {
            Some(version) => {
                Floor { version: Some((version, written.operation)), unversioned: None, any: started }
            }
            None => Floor { version: None, unversioned: started, any: started },
        }
    }

    fn join(self, other: Floor) -> Floor {
        let later = |one: Option<(Nanos, usize)>, other: Option<(Nanos, usize)>| one.max(other);
        let version = match (self.version, other.version) {
            (Some(one), Some(two)) => Some(if two.0.index > one.0.index { two } else { one }),
            (one, two) => one.or(two),
        };
        Floor {
            version,
            unversioned: later(self.unversioned, other.unversioned),
            any: later(self.any, other.any),
        }
    }

    /// A write of the floor that comes certainly after this one; `None` in place of a write is the beginning.
    fn excludes(&self, written: Option<&Written>) -> Option<usize> {
        let Some(written) = written else { return self.any.map(|(_, operation)| operation) };
        if let (Some(version), Some((floor, operation))) = (written.version, self.version)
            && floor.index > version.index
        {
            return Some(operation);
        }
        let (start, operation) = if written.version.is_some() { self.unversioned? } else { self.any? };
        (written.end? < start).then_some(operation)
    }
}

/// All writes of one key.
#[derive(Debug, Default)]
struct Line {
    written: Vec<Written>,
    /// Versions in order, each with the floor of all up to it.
    by_version: Vec<(u64, Floor)>,
}

impl Line {
    fn up_to(&self, version: Version) -> Floor {
        let count = self.by_version.partition_point(|(index, _)| *index <= version.index);
        count.checked_sub(1).map_or(Floor::default(), |last| self.by_version[last].1)
    }
}

/// What is known at a point of the sweep.
struct Sweep<'a> {
    history: &'a History,
    rules: Rules,
    names: Vec<&'a str>,
    lines: HashMap<&'a str, Line>,
    /// The key and the place in its line of the write of a tag.
    tags: HashMap<u64, (&'a str, usize)>,
    /// Versions of any other line of history are as good as none.
    lineage: Option<Version>,
    everywhere: HashMap<&'a str, Floor>,
    at_node: HashMap<(u32, &'a str), Floor>,
    own: HashMap<(u64, &'a str), Floor>,
    seen: HashMap<(u64, &'a str), Floor>,
    /// The highest version a connection was given with a read, and with a write.
    given: HashMap<u64, (Option<Version>, Option<Version>)>,
    violations: Vec<Violation>,
}

/// Judges all reads of a history.
pub fn check(history: &History, rules: Rules) -> Vec<Violation> {
    let mut sweep = Sweep::new(history, rules);
    // Of events at one time the starts come first: then nothing was over when the other began.
    let mut events = Vec::new();
    for (place, operation) in history.operations.iter().enumerate() {
        if let (Outcome::Done { .. }, Some(end)) = (&operation.outcome, operation.end) {
            events.push((operation.start, false, place));
            events.push((end, true, place));
        }
    }
    events.sort_unstable();
    for (_, over, place) in events {
        if over {
            sweep.over(place);
        } else if !history.operations[place].is_acknowledged_write() {
            sweep.judge(place);
        }
    }
    sweep.violations
}

impl<'a> Sweep<'a> {
    fn new(history: &'a History, rules: Rules) -> Sweep<'a> {
        let lineage = history.operations.iter().find_map(Operation::version);
        let mut sweep = Sweep {
            history,
            rules,
            names: keys(history),
            lines: HashMap::new(),
            tags: HashMap::new(),
            lineage,
            everywhere: HashMap::new(),
            at_node: HashMap::new(),
            own: HashMap::new(),
            seen: HashMap::new(),
            given: HashMap::new(),
            violations: Vec::new(),
        };
        for (place, operation) in history.operations.iter().enumerate() {
            let Action::Write { writes, .. } = &operation.action else { continue };
            let told = match &operation.outcome {
                Outcome::Done { found: Found::Written(told), .. } => Some(told),
                Outcome::Unknown(_) => None,
                Outcome::Done { .. } | Outcome::Refused | Outcome::Failed(_) => continue,
            };
            for (number, write) in writes.iter().enumerate() {
                let told = told.map(|told| told.get(number).copied().unwrap_or(Told::Left));
                if told == Some(Told::Left) || write.effect == Effect::Check {
                    continue;
                }
                let image = match (told, write.effect) {
                    (Some(Told::Image(cell)), _) => Some(cell),
                    (_, Effect::Put(item)) => Some(Some(item)),
                    (_, Effect::Delete) => Some(None),
                    (_, Effect::Add { .. } | Effect::Check) => None,
                };
                let line = sweep.lines.entry(&write.key).or_default();
                if let Some(tag) = write.effect.tag() {
                    sweep.tags.insert(tag, (&write.key, line.written.len()));
                }
                line.written.push(Written {
                    operation: place,
                    start: operation.start,
                    end: told.and(operation.end),
                    version: told.and(operation.version()).filter(|version| comparable(lineage, *version)),
                    image,
                });
            }
        }
        for line in sweep.lines.values_mut() {
            let mut versioned: Vec<&Written> =
                line.written.iter().filter(|written| written.version.is_some()).collect();
            versioned.sort_by_key(|written| written.version.map(|version| version.index));
            let mut floor = Floor::default();
            for written in versioned {
                floor = floor.join(Floor::of(written));
                if let Some(version) = written.version {
                    line.by_version.push((version.index, floor));
                }
            }
        }
        sweep
    }

    /// An operation was answered: what others are obliged to from now on.
    fn over(&mut self, place: usize) {
        let operation = &self.history.operations[place];
        let version = operation.version().filter(|version| comparable(self.lineage, *version));
        if let (Some(connection), Some(version)) = (operation.connection, version) {
            let given = self.given.entry(connection).or_default();
            let highest = if operation.is_acknowledged_write() { &mut given.1 } else { &mut given.0 };
            if highest.is_none_or(|highest| highest.index < version.index) {
                *highest = Some(version);
            }
        }
        match &operation.action {
            Action::Write { writes, .. } => {
                for write in writes {
                    let Some((name, line)) = self.lines.get_key_value(write.key.as_str()) else { continue };
                    let Some(written) = line.written.iter().find(|written| written.operation == place) else {
                        continue;
                    };
                    let floor = Floor::of(written);
                    raise(self.everywhere.entry(*name).or_default(), floor);
                    // Where nobody knows who answered, nobody is held to it.
                    if operation.origin.node != ELSEWHERE {
                        raise(self.at_node.entry((operation.origin.node, *name)).or_default(), floor);
                    }
                    if let Some(connection) = operation.connection {
                        raise(self.own.entry((connection, *name)).or_default(), floor);
                    }
                }
            }
            Action::Read { .. } | Action::Page { .. } => {
                let Some(connection) = operation.connection else { return };
                for (name, cell) in self.cells(operation) {
                    let Some((key, number)) = cell.and_then(|item| self.tags.get(&item.tag)) else {
                        continue;
                    };
                    if *key == name {
                        let floor = Floor::of(&self.lines[name].written[*number]);
                        raise(self.seen.entry((connection, name)).or_default(), floor);
                    }
                }
            }
        }
    }

    /// What a read shows, key by key.
    fn cells(&self, operation: &'a Operation) -> Vec<(&'a str, Cell)> {
        match (&operation.action, &operation.outcome) {
            (Action::Read { keys, .. }, Outcome::Done { found: Found::Cells(cells), .. }) => {
                keys.iter().map(String::as_str).zip(cells.iter().copied()).collect()
            }
            (Action::Page { .. }, _) => shown(operation, &self.names).collect(),
            _ => Vec::new(),
        }
    }

    fn judge(&mut self, place: usize) {
        let operation = &self.history.operations[place];
        let version = operation.version().filter(|version| comparable(self.lineage, *version));
        let token = operation.token.filter(|version| comparable(self.lineage, *version));
        let (read, written) = operation
            .connection
            .and_then(|connection| self.given.get(&connection))
            .copied()
            .unwrap_or_default();
        if let Some(at) = version {
            for (promise, floor, what) in [
                (Promise::P3, read, "its connection was given before"),
                (Promise::P6, written, "of a write on its connection"),
                (Promise::P6, token, "its token asks for"),
            ] {
                if let Some(floor) = floor.filter(|floor| floor.index > at.index) {
                    let text = format!("read at {}, below the version {} {what}", at.index, floor.index);
                    self.violate(promise, &text, &[place]);
                }
            }
        }
        let (strong, page) = match &operation.action {
            Action::Read { mode, .. } => (*mode != Mode::Eventual, false),
            Action::Page { strong, .. } => (*strong, true),
            Action::Write { .. } => return,
        };
        // Each key of a batch is read by itself, and the version is the newest of them: what follows must not go back behind any.
        let by_parts =
            matches!(&operation.action, Action::Read { keys, mode: Mode::Eventual } if keys.len() > 1);
        let none = Line::default();
        for (name, cell) in self.cells(operation) {
            let line = self.lines.get(name).unwrap_or(&none);
            let up_to =
                |version: Option<Version>| version.map(|version| line.up_to(version)).unwrap_or_default();
            let of = |floors: &HashMap<(u64, &str), Floor>| {
                operation
                    .connection
                    .and_then(|connection| floors.get(&(connection, name)))
                    .copied()
                    .unwrap_or_default()
            };
            let everywhere = self.everywhere.get(name).copied().unwrap_or_default();
            let at_node = self.at_node.get(&(operation.origin.node, name)).copied().unwrap_or_default();
            let floors = [
                (Promise::P6, of(&self.own)),
                (Promise::P6, up_to(token)),
                (Promise::P1, at_node),
                (Promise::P3, of(&self.seen).join(up_to(read))),
                (if page { Promise::P5 } else { Promise::P3 }, up_to(version.filter(|_| !by_parts))),
                (Promise::P2, if strong { everywhere } else { Floor::default() }),
                (Promise::P6, if self.rules.visible_everywhere { everywhere } else { Floor::default() }),
            ];
            if let Some((promise, text, operations)) = self.verdict(operation, name, cell, line, floors) {
                let mut operations = operations;
                operations.push(place);
                self.violate(promise, &text, &operations);
            }
        }
    }

    /// What is wrong with a cell that a read shows, if anything.
    fn verdict(
        &self,
        read: &Operation,
        name: &str,
        cell: Cell,
        line: &Line,
        floors: [(Promise, Floor); 7],
    ) -> Option<(Promise, String, Vec<usize>)> {
        let group = match &read.action {
            Action::Page { of: Scope::Group(group), .. } => Some(*group),
            _ => None,
        };
        let before_its_end = |written: &&Written| read.end.is_none_or(|end| written.start <= end);
        let mut candidates: Vec<Option<&Written>> = Vec::new();
        match cell {
            Some(item) => {
                let shows = format!("{name} is shown as {}", Shown(cell));
                let written = self.tags.get(&item.tag).filter(|(key, _)| *key == name);
                let Some(written) = written.map(|(_, number)| &line.written[*number]) else {
                    return Some((Promise::P12, format!("{shows}, which nobody wrote there"), Vec::new()));
                };
                if !before_its_end(&written) {
                    let text = format!("{shows} before that was asked for");
                    return Some((Promise::P12, text, vec![written.operation]));
                }
                if let Some(image) = written.image.filter(|image| *image != cell) {
                    let text = format!("{shows}, where its write left {}", Shown(image));
                    return Some((Promise::P12, text, vec![written.operation]));
                }
                if group.is_some_and(|group| group != item.group) {
                    let text = format!("{shows} in a page of another group");
                    return Some((Promise::P12, text, vec![written.operation]));
                }
                candidates.push(Some(written));
            }
            None => {
                candidates.push(None);
                let leaves_it_so = |written: &&Written| match (written.image, group) {
                    (Some(None), _) => true,
                    (Some(Some(item)), Some(group)) => item.group != group,
                    (Some(Some(_)), None) => false,
                    // The sum is not told, nor the group it was in.
                    (None, Some(_)) => true,
                    (None, None) => false,
                };
                candidates.extend(line.written.iter().filter(leaves_it_so).filter(before_its_end).map(Some));
            }
        }
        let mut joined = Floor::default();
        for (promise, floor) in floors {
            joined = joined.join(floor);
            let mut excluding = None;
            let excluded = candidates.iter().all(|candidate| {
                let by = joined.excludes(*candidate);
                excluding = by.or(excluding);
                by.is_some()
            });
            if excluded {
                let what = if cell.is_some() { Shown(cell).to_string() } else { "not there".to_owned() };
                let mut operations: Vec<usize> = excluding.into_iter().collect();
                if let (Some(_), Some(Some(written))) = (cell, candidates.first()) {
                    operations.insert(0, written.operation);
                }
                let text = format!("{name} is shown as {what}, which a write it must include had replaced");
                return Some((promise, text, operations));
            }
        }
        None
    }

    fn violate(&mut self, promise: Promise, text: &str, operations: &[usize]) {
        let lines: Vec<String> = operations
            .iter()
            .map(|place| {
                let operation = &self.history.operations[*place];
                format!("\n    #{:<5} {operation}", operation.id)
            })
            .collect();
        let text = format!("{text}:{}", lines.concat());
        self.violations.push(Violation { promise, operations: operations.to_vec(), text });
    }
}

fn raise(floor: &mut Floor, by: Floor) {
    *floor = floor.join(by);
}

fn comparable(lineage: Option<Version>, version: Version) -> bool {
    lineage.is_some_and(|lineage| version.at_least(&lineage).is_some())
}
