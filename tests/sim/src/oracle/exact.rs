//! P5 and P12: whatever answers a read, a cache, a replica or the primary, the answer is what the store held at the version it
//! names, item for item.
//!
//! Not of reads of several keys each by itself: their answer names the newest of several versions.

use std::collections::BTreeMap;

use history::operation::{Action, Found, Mode, Outcome, Scope};
use history::player::read_item;
use history::record::History;
use history::state::{Cell, Item};

use super::replicas::Chronicle;

/// Answers that are shown, where many are wrong.
const SHOWN_MAX: usize = 5;

/// What stood under each key, and from which index on.
type Lines = BTreeMap<String, Vec<(u64, Cell)>>;

/// What is wrong with the answers of a history.
pub fn check(history: &History, chronicle: &Chronicle) -> Vec<String> {
    let lines = lines(chronicle);
    let mut faults = Vec::new();
    for operation in &history.operations {
        let Outcome::Done { version: Some(version), found } = &operation.outcome else { continue };
        let at = version.index;
        let is_right = match (&operation.action, found) {
            (Action::Read { keys, mode }, Found::Cells(cells))
                if keys.len() == 1 || *mode == Mode::Snapshot =>
            {
                keys.iter().zip(cells).all(|(key, cell)| cell_at(&lines, key, at) == *cell)
            }
            (Action::Page { of, after, limit, .. }, Found::Page { rows, .. }) => {
                let mut expected = page_at(&lines, of, after.as_deref(), at);
                expected.truncate(limit.map_or(usize::MAX, |limit| limit as usize));
                expected == *rows
            }
            _ => true,
        };
        if !is_right && faults.len() < SHOWN_MAX {
            let place = operation.id;
            faults.push(format!("P12: not what the store held then: #{place} {operation}"));
        }
    }
    faults
}

fn lines(chronicle: &Chronicle) -> Lines {
    let mut lines = Lines::new();
    chronicle.each(|index, key, item| {
        let cell = item.and_then(read_item).map(|(_, item)| item);
        lines.entry(key.to_owned()).or_default().push((index, cell));
    });
    lines
}

fn last(line: &[(u64, Cell)], at: u64) -> Cell {
    let count = line.partition_point(|(index, _)| *index <= at);
    count.checked_sub(1).and_then(|last| line[last].1)
}

fn cell_at(lines: &Lines, key: &str, at: u64) -> Cell {
    lines.get(key).and_then(|line| last(line, at))
}

fn page_at(lines: &Lines, of: &Scope, after: Option<&str>, at: u64) -> Vec<(String, Item)> {
    let stand = lines.iter().filter_map(|(key, line)| Some((key.clone(), last(line, at)?)));
    let mut page: Vec<_> = stand
        .filter(|(key, item)| match of {
            Scope::Partition(partition) => key.split_once('/').is_some_and(|(first, _)| first == partition),
            Scope::Group(group) => item.group == *group,
        })
        .filter(|(key, _)| after.is_none_or(|after| key.as_str() > after))
        .collect();
    if let Scope::Group(_) = of {
        // In the index they stand by their sort key; those of one in the order of partitions.
        page.sort_by(|(one, _), (other, _)| sort_key(one).cmp(sort_key(other)));
    }
    page
}

fn sort_key(key: &str) -> &str {
    key.split_once('/').map_or("", |(_, sort)| sort)
}
