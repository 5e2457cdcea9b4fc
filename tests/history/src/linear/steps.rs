//! What the search sees of a history: steps on the keys of one object.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::operation::{Action, Found, Mode, Nanos, Operation, Outcome, Scope, Told};
use crate::record::History;
use crate::state::{Cell, Condition, Effect};

/// A step that must find its place in the order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Before it was asked.
    pub start: Nanos,
    /// After it was answered; `None` where it may take effect at any later time, or never.
    pub end: Option<Nanos>,
    /// What it does and saw.
    pub act: Act,
    /// Which operation of the history it is part of.
    pub operation: usize,
}

/// A write of one key: what it does, its condition, and what its writer was told to stand there afterwards.
pub type Part = (usize, Effect, Condition, Option<Cell>);

/// What a step does and saw. Keys are places among the object's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// Saw these cells, all at one point.
    Saw(Vec<(usize, Cell)>),
    /// Wrote, all at one point: every condition held.
    Wrote(Vec<Part>),
    /// Was refused: not all of these held.
    Refused(Vec<(usize, Condition)>),
}

impl Act {
    fn keys(&self) -> Vec<usize> {
        match self {
            Act::Saw(cells) => cells.iter().map(|(key, _)| *key).collect(),
            Act::Wrote(parts) => parts.iter().map(|(key, ..)| *key).collect(),
            Act::Refused(parts) => parts.iter().map(|(key, _)| *key).collect(),
        }
    }

    fn rename(&mut self, places: &HashMap<usize, usize>) {
        match self {
            Act::Saw(cells) => cells.iter_mut().for_each(|(key, _)| *key = places[key]),
            Act::Wrote(parts) => parts.iter_mut().for_each(|(key, ..)| *key = places[key]),
            Act::Refused(parts) => parts.iter_mut().for_each(|(key, _)| *key = places[key]),
        }
    }
}

/// Keys that are judged together, and the steps on them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// The keys.
    pub keys: Vec<String>,
    /// The steps, by their start.
    pub steps: Vec<Step>,
}

/// Takes a history apart into objects.
pub fn objects(history: &History) -> Vec<Object> {
    let names = keys(history);
    let places: HashMap<&str, usize> = names.iter().enumerate().map(|(place, key)| (*key, place)).collect();
    let mut steps = Vec::new();
    for (number, operation) in history.operations.iter().enumerate() {
        for act in acts(operation, &names, &places) {
            let certain = !matches!(operation.outcome, Outcome::Unknown(_));
            let end = if certain { operation.end } else { None };
            steps.push(Step { start: operation.start, end, act, operation: number });
        }
    }
    // Union-find without ranks: there are few keys.
    let mut parents: Vec<usize> = (0..names.len()).collect();
    fn root(parents: &mut [usize], mut key: usize) -> usize {
        while parents[key] != key {
            parents[key] = parents[parents[key]];
            key = parents[key];
        }
        key
    }
    for step in &steps {
        for pair in step.act.keys().windows(2) {
            let (one, other) = (root(&mut parents, pair[0]), root(&mut parents, pair[1]));
            parents[one] = other;
        }
    }
    let mut members: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for key in 0..names.len() {
        members.entry(root(&mut parents, key)).or_default().push(key);
    }
    let mut objects = BTreeMap::new();
    for (representative, keys) in &members {
        let keys = keys.iter().map(|key| names[*key].to_owned()).collect();
        objects.insert(*representative, Object { keys, steps: Vec::new() });
    }
    let within: HashMap<usize, usize> =
        members.values().flat_map(|keys| keys.iter().enumerate().map(|(place, key)| (*key, place))).collect();
    for mut step in steps {
        let Some(first) = step.act.keys().first().copied() else { continue };
        let representative = root(&mut parents, first);
        step.act.rename(&within);
        if let Some(object) = objects.get_mut(&representative) {
            object.steps.push(step);
        }
    }
    let mut objects: Vec<Object> = objects.into_values().collect();
    for object in &mut objects {
        object.steps.sort_by_key(|step| step.start);
    }
    objects
}

/// Every key a history names, in order.
pub(crate) fn keys(history: &History) -> Vec<&str> {
    let mut keys = BTreeSet::new();
    for operation in &history.operations {
        match &operation.action {
            Action::Read { keys: read, .. } => keys.extend(read.iter().map(String::as_str)),
            Action::Write { writes, .. } => keys.extend(writes.iter().map(|write| write.key.as_str())),
            Action::Page { .. } => {}
        }
        if let Outcome::Done { found: Found::Page { rows, .. }, .. } = &operation.outcome {
            keys.extend(rows.iter().map(|(key, _)| key.as_str()));
        }
    }
    keys.into_iter().collect()
}

/// What a page says of each key it covers: the cell, or `None` in the outer place where it shows that the key is not in it.
pub(crate) fn shown<'a>(
    operation: &'a Operation,
    names: &[&'a str],
) -> impl Iterator<Item = (&'a str, Cell)> {
    let mut shown = Vec::new();
    if let (Action::Page { of, after, .. }, Outcome::Done { found: Found::Page { rows, last }, .. }) =
        (&operation.action, &operation.outcome)
    {
        for name in names {
            let behind = after.as_deref().is_none_or(|after| *name > after);
            let before = last.as_deref().is_none_or(|last| *name <= last);
            let covered = matches!(of, Scope::Group(_)) || of.holds(name, None).is_some();
            if covered && behind && before {
                let item = rows.iter().find(|(key, _)| key == name).map(|(_, item)| *item);
                shown.push((*name, item));
            }
        }
    }
    shown.into_iter()
}

fn acts(operation: &Operation, names: &[&str], places: &HashMap<&str, usize>) -> Vec<Act> {
    let place = |key: &str| places[key];
    match (&operation.action, &operation.outcome) {
        (_, Outcome::Failed(_)) => Vec::new(),
        (Action::Read { keys, mode }, Outcome::Done { found: Found::Cells(cells), .. }) => {
            let saw = keys.iter().zip(cells).map(|(key, cell)| (place(key), *cell));
            match mode {
                Mode::Eventual => Vec::new(),
                Mode::Strong => saw.map(|one| Act::Saw(vec![one])).collect(),
                Mode::Snapshot => vec![Act::Saw(saw.collect())],
            }
        }
        // A page is no snapshot in DynamoDB's promise: each key by itself. Those of an index are never strong.
        (Action::Page { of: Scope::Partition(_), strong: true, .. }, Outcome::Done { .. }) => {
            shown(operation, names).map(|(key, cell)| Act::Saw(vec![(place(key), cell)])).collect()
        }
        (Action::Write { writes, whole }, Outcome::Done { found: Found::Written(told), .. }) => {
            let parts =
                writes.iter().zip(told).filter(|(_, told)| **told != Told::Left).map(|(write, told)| {
                    let image = if let Told::Image(cell) = told { Some(*cell) } else { None };
                    (place(&write.key), write.effect, write.condition, image)
                });
            together(*whole, parts.collect())
        }
        (Action::Write { writes, whole }, Outcome::Unknown(_)) => {
            let parts = writes.iter().map(|write| (place(&write.key), write.effect, write.condition, None));
            together(*whole, parts.collect())
        }
        (Action::Write { writes, .. }, Outcome::Refused) => {
            vec![Act::Refused(writes.iter().map(|write| (place(&write.key), write.condition)).collect())]
        }
        _ => Vec::new(),
    }
}

fn together(whole: bool, parts: Vec<Part>) -> Vec<Act> {
    if whole {
        vec![Act::Wrote(parts)]
    } else {
        parts.into_iter().map(|part| Act::Wrote(vec![part])).collect()
    }
}
