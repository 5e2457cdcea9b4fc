//! The state while entries are applied to it: what stands in the engine, what the batch under way has written over it,
//! and what is kept in memory because every entry needs it.
//!
//! What it deliberately does not do: it judges no request; the handlers in [`crate::engine`] do.
//!
//! Invariants: whoever reads through [`State::get`] sees the writes of the batch under way. Nobody else sees any of it
//! before [`State::commit`], and then all of it at once, with the applied version. A handler writes nothing before it is
//! certain that it refuses nothing any more. After a failed commit the state is not used again.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use api::op::Size;
use api::schema::Status;
use api::service::Cause;
use api::{Change, ChangeSink, Image, IndexId, KeyBytes, Table, TableId, TableName, Version};
use bytes::Bytes;

use crate::attribute_lists::{self, AttributeLists, Demand, Names};
use crate::db::{Batch, DbError, Durability, KeyRange, Scan, SharedDb};
use crate::engine::view::TableMap;
use crate::error::{EngineError, OpenError, named_table_not_found, table_not_found};
use crate::kv;
use crate::kv::applied::Applied;
use crate::kv::counters::Counters;
use crate::kv::dropped::{Dropped, DroppedKind};
use crate::published::Published;

/// When the entry under way takes effect.
#[derive(Debug, Clone, Copy)]
pub struct Stamp {
    /// Its version.
    pub version: Version,
    /// Its log time, milliseconds since the epoch.
    pub log_time_millis: u64,
}

/// The state, owned by the thread that applies.
pub struct State {
    db: SharedDb,
    sink: Arc<dyn ChangeSink>,
    published: Arc<Published>,
    tables: HashMap<TableId, Arc<Table>>,
    names: TableMap,
    counters: HashMap<TableId, Counters>,
    next_id: u64,
    applied: Applied,
    stamp: Stamp,
    ordinal: u32,
    pending: Pending,
}

/// The batch under way.
#[derive(Default)]
struct Pending {
    written: HashMap<Bytes, Option<Bytes>>,
    batch: Batch,
    changes: Vec<Change>,
    counted: BTreeSet<TableId>,
    schemas: Vec<(Arc<Table>, bool)>,
    lists: Vec<Names>,
}

impl State {
    /// Reads what is kept in memory. A new engine is given its format number; one of another format is refused.
    pub fn open(
        db: SharedDb,
        sink: Arc<dyn ChangeSink>,
        published: Arc<Published>,
    ) -> Result<State, OpenError> {
        check_format(&db)?;
        let applied = match db.get(&kv::applied::KEY)? {
            Some(value) => Applied::decode(&value)?,
            None => Applied::default(),
        };
        let next_id = kv::sequence::TABLES.next(db.get(&kv::sequence::TABLES.key())?.as_deref())?;
        let mut tables = HashMap::new();
        let mut counters = HashMap::new();
        {
            let snapshot = db.snapshot();
            let mut cursor = snapshot.scan(&Scan::ascending(KeyRange::prefix(kv::table::PREFIX)));
            while let Some(record) = cursor.advance()? {
                let table = kv::table::decode(record.value)?;
                tables.insert(table.id, Arc::new(table));
            }
            for id in tables.keys() {
                if let Some(value) = snapshot.get(&kv::counters::key(*id))? {
                    counters.insert(*id, Counters::decode(&value)?);
                }
            }
        }
        load_attribute_lists(&db, published.attribute_lists())?;
        let names: TableMap = tables.values().map(|table| (table.name.clone(), Arc::clone(table))).collect();
        let stamp = Stamp { version: applied.version, log_time_millis: applied.log_time_millis };
        published.set_tables(names.clone());
        published.set_applied(&applied);
        Ok(State {
            db,
            sink,
            published,
            tables,
            names,
            counters,
            next_id,
            applied,
            stamp,
            ordinal: 0,
            pending: Pending::default(),
        })
    }

    /// How far the state has been brought, by what is committed to the engine.
    pub fn applied(&self) -> &Applied {
        &self.applied
    }

    /// When the entry under way takes effect.
    pub fn stamp(&self) -> Stamp {
        self.stamp
    }

    /// Begins an entry. Its log time is never before that of the entry before it.
    pub fn begin(&mut self, index: u64, clock_millis: u64) {
        self.stamp.version.index = index;
        self.stamp.log_time_millis = self.stamp.log_time_millis.max(clock_millis);
        self.ordinal = 0;
    }

    /// Gives a new store its incarnation; a store that has one keeps it.
    pub fn begin_incarnation(&mut self, incarnation: u64, semantics_level: u32) {
        if self.stamp.version.incarnation == 0 {
            self.stamp.version.incarnation = incarnation.max(1);
            self.applied.semantics_level = semantics_level;
        }
    }

    /// The value under a key, with the writes of the batch under way.
    pub fn get(&self, key: &[u8]) -> Result<Option<Bytes>, EngineError> {
        match self.pending.written.get(key) {
            Some(value) => Ok(value.clone()),
            None => Ok(self.db.get(key)?),
        }
    }

    /// Sets a key.
    pub fn put(&mut self, key: impl Into<Bytes>, value: Bytes) {
        let key = key.into();
        self.pending.batch.put(key.clone(), value.clone());
        self.pending.written.insert(key, Some(value));
    }

    /// Removes a key.
    pub fn delete(&mut self, key: impl Into<Bytes>) {
        let key = key.into();
        self.pending.batch.delete(key.clone());
        self.pending.written.insert(key, None);
    }

    /// Removes every key of a range. [`State::get`] goes on seeing what the engine has of it until the commit: only for
    /// ranges that no entry reads any more.
    pub fn delete_range(&mut self, range: KeyRange) {
        self.pending.batch.delete_range(range);
    }

    /// The engine below. It has the writes of the batch under way only after a commit.
    pub fn db(&self) -> &SharedDb {
        &self.db
    }

    /// Bytes of the batch under way.
    pub fn pending_bytes(&self) -> usize {
        self.pending.batch.bytes()
    }

    /// The table of an id, in whatever state.
    pub fn table(&self, id: TableId) -> Option<&Arc<Table>> {
        self.tables.get(&id)
    }

    /// The table of a name, in whatever state.
    pub fn table_named(&self, name: &TableName) -> Option<&Arc<Table>> {
        self.names.get(name)
    }

    /// The table of a name, for an operation on its data.
    pub fn writable(&self, name: &TableName) -> Result<Arc<Table>, EngineError> {
        match self.names.get(name) {
            Some(table) if matches!(table.status, Status::Active | Status::Updating) => Ok(Arc::clone(table)),
            Some(_) | None => Err(table_not_found().into()),
        }
    }

    /// The table of a name, for an operation on the table itself.
    pub fn existing(&self, name: &TableName) -> Result<Arc<Table>, EngineError> {
        self.names.get(name).cloned().ok_or_else(|| named_table_not_found(name.as_str()).into())
    }

    /// An id that no table or index has or had.
    pub fn next_id(&mut self) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        self.put(kv::sequence::TABLES.key().to_vec(), kv::sequence::encode(self.next_id));
        id
    }

    /// The id of a list of attribute names, given to it now if it had none. Errors: names that no item can have; no room
    /// for another list.
    pub fn define_list(&mut self, names: Names, demand: Demand) -> Result<u64, EngineError> {
        let published = Arc::clone(&self.published);
        let lists = published.attribute_lists();
        if let Some(id) = lists.id(&names) {
            return Ok(id);
        }
        if let Some(at) = self.pending.lists.iter().position(|pending| *pending == names) {
            return Ok(attribute_lists::FIRST_ID + (lists.len() + at) as u64);
        }
        attribute_lists::check(&names)?;
        let Some(id) = lists.next_id(&names, demand, &self.pending.lists) else {
            return Err(attribute_lists::full(lists.len()).into());
        };
        self.put(kv::attribute_list::key(id).to_vec(), kv::attribute_list::encode(&names));
        self.pending.lists.push(names);
        Ok(id)
    }

    /// The first of [`attribute_lists::PASSING_IDS`] ids that nobody had and nobody else gets.
    pub fn take_passing_ids(&mut self) -> Result<u64, EngineError> {
        let passing = kv::sequence::PASSING_LISTS;
        let first = passing.next(self.get(&passing.key())?.as_deref())?;
        self.put(passing.key().to_vec(), kv::sequence::encode(first + attribute_lists::PASSING_IDS));
        Ok(first)
    }

    /// Makes or alters a table. An alteration counts its generation up.
    pub fn set_table(&mut self, mut table: Table) -> Arc<Table> {
        if let Some(before) = self.tables.get(&table.id) {
            table.generation = before.generation + 1;
        }
        self.put(kv::table::key(table.id).to_vec(), kv::table::encode(&table));
        let table = Arc::new(table);
        self.tables.insert(table.id, Arc::clone(&table));
        self.names.insert(table.name.clone(), Arc::clone(&table));
        self.pending.schemas.push((Arc::clone(&table), false));
        table
    }

    /// Forgets a table; its records are left to be purged.
    pub fn remove_table(&mut self, id: TableId) {
        let Some(table) = self.tables.remove(&id) else { return };
        self.names.remove(&table.name);
        self.counters.remove(&id);
        self.pending.counted.remove(&id);
        self.delete(kv::table::key(id).to_vec());
        self.delete(kv::counters::key(id).to_vec());
        self.drop_id(id.0, DroppedKind::Table);
        for index in &table.indexes {
            self.delete(kv::backfill::key(index.id).to_vec());
            self.drop_index_id(index);
        }
        self.pending.schemas.push((table, true));
    }

    /// Leaves an index's records to be purged, and forgets its counters.
    pub fn remove_index(&mut self, table: TableId, index: &api::schema::Index) {
        if let Some(counters) = self.counters.get_mut(&table) {
            counters.indexes.retain(|(id, _)| *id != index.id);
            self.pending.counted.insert(table);
        }
        self.delete(kv::backfill::key(index.id).to_vec());
        self.drop_index_id(index);
    }

    fn drop_index_id(&mut self, index: &api::schema::Index) {
        let kind = match index.kind {
            api::schema::IndexKind::Local => DroppedKind::LocalIndex,
            api::schema::IndexKind::Global => DroppedKind::GlobalIndex,
        };
        self.drop_id(index.id.0, kind);
    }

    fn drop_id(&mut self, id: u64, kind: DroppedKind) {
        let dropped = Dropped { kind, at_millis: self.stamp.log_time_millis };
        self.put(kv::dropped::key(id).to_vec(), dropped.encode());
    }

    /// Sizes of a table and its indexes.
    pub fn counters(&self, table: TableId) -> Counters {
        self.counters.get(&table).cloned().unwrap_or_default()
    }

    /// Counts a record of a table in, out, or over.
    pub fn count_item(&mut self, table: TableId, old: Option<u64>, new: Option<u64>) {
        recount(&mut self.counters.entry(table).or_default().table, old, new);
        self.pending.counted.insert(table);
    }

    /// Counts a record of an index in, out, or over.
    pub fn count_entry(&mut self, table: TableId, index: IndexId, old: Option<u64>, new: Option<u64>) {
        recount(self.counters.entry(table).or_default().of_index(index), old, new);
        self.pending.counted.insert(table);
    }

    /// Adds a change to the feed.
    pub fn announce(
        &mut self,
        table: &Arc<Table>,
        key: KeyBytes,
        old: Image,
        new: Image,
        indexes: Vec<api::service::IndexPartition>,
    ) {
        self.pending.changes.push(Change {
            table: Arc::clone(table),
            key,
            old,
            new,
            indexes,
            version: self.stamp.version,
            ordinal: self.ordinal,
            log_time_millis: self.stamp.log_time_millis,
            origin_region: 0,
            cause: Cause::User,
        });
        self.ordinal += 1;
    }

    /// Makes the batch under way visible: consumers void what it makes stale, the engine takes it with the applied
    /// version, consumers take the new images, and only then does the version show. `log_state` is what the log's library
    /// wants kept beside it, where that has changed.
    pub fn commit(&mut self, applied_index: u64, log_state: Option<Bytes>) -> Result<(), DbError> {
        let mut pending = std::mem::take(&mut self.pending);
        for table in &pending.counted {
            if let Some(counters) = self.counters.get(table) {
                pending.batch.put(kv::counters::key(*table).to_vec(), counters.encode());
            }
        }
        self.stamp.version.index = applied_index;
        self.applied.version = self.stamp.version;
        self.applied.log_time_millis = self.stamp.log_time_millis;
        if let Some(log_state) = log_state {
            self.applied.log_state = log_state;
        }
        pending.batch.put(&kv::applied::KEY[..], self.applied.encode());
        if !pending.changes.is_empty() {
            self.sink.raise(&pending.changes);
        }
        self.published.begin_commit(applied_index);
        self.db.write(pending.batch, Durability::Buffered)?;
        if !pending.schemas.is_empty() {
            self.published.set_tables(self.names.clone());
            for (table, dropped) in &pending.schemas {
                self.sink.table_changed(table, *dropped);
            }
        }
        for names in pending.lists.drain(..) {
            self.published.attribute_lists().show(names);
        }
        self.sink.publish(&pending.changes, self.applied.version);
        self.published.set_applied(&self.applied);
        // The maps keep their room: the next batch is about as large.
        pending.written.clear();
        pending.changes.clear();
        self.pending.written = pending.written;
        self.pending.changes = pending.changes;
        Ok(())
    }
}

fn recount(size: &mut Size, old: Option<u64>, new: Option<u64>) {
    size.items = size.items.saturating_sub(u64::from(old.is_some())) + u64::from(new.is_some());
    size.bytes = size.bytes.saturating_sub(old.unwrap_or(0)) + new.unwrap_or(0);
}

fn load_attribute_lists(db: &SharedDb, lists: &AttributeLists) -> Result<(), OpenError> {
    let snapshot = db.snapshot();
    let mut cursor = snapshot.scan(&Scan::ascending(KeyRange::prefix(kv::attribute_list::PREFIX)));
    while let Some(record) = cursor.advance()? {
        let (id, names) = (kv::attribute_list::id(record.key)?, kv::attribute_list::decode(record.value)?);
        // Ids were given one after another, so their records come in the order they are shown in.
        if id != attribute_lists::FIRST_ID + lists.len() as u64 {
            return Err(kv::attribute_list::out_of_order().into());
        }
        lists.show(names);
    }
    Ok(())
}

fn check_format(db: &SharedDb) -> Result<(), OpenError> {
    match db.get(&kv::format::KEY)? {
        Some(value) => match kv::format::decode(&value)? {
            kv::format::CURRENT => Ok(()),
            found => Err(OpenError::Format { found, supported: kv::format::CURRENT }),
        },
        None => {
            {
                let snapshot = db.snapshot();
                let mut cursor = snapshot.scan(&Scan::ascending(KeyRange::all()));
                if cursor.advance()?.is_some() {
                    return Err(OpenError::NotAStore);
                }
            }
            let mut batch = Batch::new();
            batch.put(&kv::format::KEY[..], kv::format::encode(kv::format::CURRENT));
            db.write(batch, Durability::Buffered)?;
            db.flush()?;
            Ok(())
        }
    }
}
