//! What a client learned of a node: key schemas and attribute lists.
//!
//! Kept per node and forgotten with it. Bounded: what is full begins anew. Ids of attribute lists never change their meaning
//! at a node, so they have no age; key schemas may, so they have.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::attribute_lists::{ListId, Names};
use crate::codec::schema::{NamedKey, Schema};

/// How long a key schema is taken to be right.
const SCHEMA_LIFE: Duration = Duration::from_secs(60);

/// Most entries of each kind. One request needs at most a hundred of each.
const ENTRIES: usize = 1000;

#[derive(Default)]
pub(super) struct Known(Mutex<Tables>);

#[derive(Default)]
struct Tables {
    schemas: HashMap<String, (Arc<NamedKey>, Instant)>,
    ids: HashMap<Vec<String>, ListId>,
    names: HashMap<ListId, Names>,
}

/// Inserts, having made room.
fn keep<K: std::hash::Hash + Eq, V>(map: &mut HashMap<K, V>, key: K, value: V) {
    if map.len() >= ENTRIES && !map.contains_key(&key) {
        map.clear();
    }
    match map.entry(key) {
        Entry::Occupied(mut known) => {
            known.insert(value);
        }
        Entry::Vacant(room) => {
            room.insert(value);
        }
    }
}

impl Known {
    // Held for one look or one insertion.
    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn forget(&self) {
        *self.tables() = Tables::default();
    }

    pub(super) fn schema(&self, table: &str, now: Instant) -> Option<Schema> {
        let tables = self.tables();
        let (named, learned) = tables.schemas.get(table)?;
        (now.saturating_duration_since(*learned) < SCHEMA_LIFE).then(|| Schema::Key(Arc::clone(named)))
    }

    pub(super) fn learn_schema(&self, named: NamedKey, now: Instant) {
        keep(&mut self.tables().schemas, named.table.as_str().to_owned(), (Arc::new(named), now));
    }

    pub(super) fn id(&self, names: &[&str]) -> Option<ListId> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        self.tables().ids.get(&names).copied()
    }

    pub(super) fn names(&self, id: ListId) -> Option<Names> {
        self.tables().names.get(&id).cloned()
    }

    pub(super) fn learn_id(&self, names: &Names, id: ListId) {
        keep(&mut self.tables().ids, names.to_vec(), id);
    }

    pub(super) fn learn_names(&self, id: ListId, names: Names) {
        keep(&mut self.tables().names, id, names);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_has_a_bound() {
        let known = Known::default();
        for id in 2..2 + 3 * ENTRIES as u64 {
            let names: Names = vec![format!("a{id}")].into();
            known.learn_id(&names, ListId(id));
            known.learn_names(ListId(id), Arc::clone(&names));
            assert_eq!(known.id(&[&names[0]]), Some(ListId(id)));
            assert_eq!(known.names(ListId(id)), Some(names));
        }
        let tables = known.tables();
        assert!(tables.ids.len() <= ENTRIES && tables.names.len() <= ENTRIES);
    }
}
