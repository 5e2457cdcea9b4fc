//! The state while entries are applied to it: what stands in the engine, what the batch under way has written over it,
//! and what is kept in memory because every entry needs it.
//!
//! What it deliberately does not do: it judges no request; the handlers in [`crate::engine`] do.
//!
//! Invariants: whoever reads through [`State::get`] sees the writes of the batch under way. Nobody else sees any of it
//! before [`State::commit`], and then all of it at once, with the applied version. A handler writes nothing before it is
//! certain that it refuses nothing any more. After a failed commit the state is not used again.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use api::op::Size;
use api::schema::Status;
use api::service::Cause;
use api::{Change, ChangeSink, Image, IndexId, KeyBytes, Table, TableId, TableName, Version};
use bytes::Bytes;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::attribute_lists::{self, Demand, Names};
use crate::command::Noted;
use crate::db::home::CurrentDb;
use crate::db::{Batch, DbError, Durability, KeyRange, Scan, SharedDb};
use crate::engine::view::TableMap;
use crate::error::{EngineError, OpenError, named_table_not_found, table_not_found};
use crate::kv;
use crate::kv::applied::Applied;
use crate::kv::counters::Counters;
use crate::kv::dropped::{Dropped, DroppedKind};
use crate::parameters::{Parameter, Parameters};
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
    /// The instance that `current` shows.
    db: SharedDb,
    current: Arc<CurrentDb>,
    sink: Arc<dyn ChangeSink>,
    published: Arc<Published>,
    tables: HashMap<TableId, Arc<Table>>,
    names: TableMap,
    counters: HashMap<TableId, Counters>,
    next_id: u64,
    parameters: Parameters,
    applied: Applied,
    stamp: Stamp,
    ordinal: u32,
    /// Of the entry under way: the sum of its effects, so that their order within it is left to the handler.
    effects: u64,
    /// Digests at the newest entries that asked for it, oldest first.
    noted: VecDeque<Noted>,
    supported_level: u32,
    pending: Pending,
}

/// Digests that are remembered: an entry is compared with one of the last few.
const NOTED: usize = 8;

/// The batch under way.
#[derive(Default)]
struct Pending {
    written: HashMap<Bytes, Option<Bytes>>,
    batch: Batch,
    changes: Vec<Change>,
    counted: BTreeSet<TableId>,
    schemas: Vec<(Arc<Table>, bool)>,
    lists: Vec<Names>,
    parameters: Option<Parameters>,
}

impl State {
    /// Reads what is kept in memory. A new engine is given its format number; one of another format is refused, and one that is
    /// judged by a higher level than this program supports.
    pub fn open(
        current: Arc<CurrentDb>,
        sink: Arc<dyn ChangeSink>,
        published: Arc<Published>,
        supported_level: u32,
    ) -> Result<State, OpenError> {
        let db = current.shared();
        begin_format(&db)?;
        let Loaded { applied, next_id, parameters, tables, counters, lists } =
            Loaded::read(&db, supported_level)?;
        lists.into_iter().for_each(|(id, names)| published.attribute_lists().show_stored(id, names));
        let names = names_of(&tables);
        let stamp = Stamp { version: applied.version, log_time_millis: applied.log_time_millis };
        published.set_tables(names.clone());
        published.set_parameters(parameters);
        published.set_applied(&applied);
        Ok(State {
            db,
            current,
            sink,
            published,
            tables,
            names,
            counters,
            next_id,
            parameters,
            applied,
            stamp,
            ordinal: 0,
            effects: 0,
            noted: VecDeque::new(),
            supported_level,
            pending: Pending::default(),
        })
    }

    /// Puts another in the place of everything: one of the same history, further on. Consumers of the feed have forgotten what
    /// was before when the first of the new can be read; a reader who began before goes on with what was. Gives that back.
    pub(crate) fn install(&mut self, db: SharedDb, loaded: Loaded) -> SharedDb {
        let Loaded { applied, next_id, parameters, tables, counters, lists } = loaded;
        let before = std::mem::replace(&mut self.tables, tables);
        self.names = names_of(&self.tables);
        self.counters = counters;
        self.next_id = next_id;
        self.parameters = parameters;
        self.stamp = Stamp { version: applied.version, log_time_millis: applied.log_time_millis };
        self.applied = applied;
        self.pending = Pending::default();
        self.effects = 0;
        self.noted.clear();
        let db_before = std::mem::replace(&mut self.db, Arc::clone(&db));
        self.sink.gap(self.applied.version);
        // A list is never taken back, and all of one history are given the same ids: those that are shown stay.
        let shown = self.published.attribute_lists().end();
        let new = lists.into_iter().filter(|(id, _)| *id >= shown);
        new.for_each(|(id, names)| self.published.attribute_lists().show_stored(id, names));
        self.published.exchange(|| {
            self.published.begin_commit(self.applied.version.index);
            self.current.replace(db);
            self.published.set_tables(self.names.clone());
            self.published.set_parameters(self.parameters);
            self.published.set_applied(&self.applied);
        });
        for table in self.tables.values() {
            self.sink.table_changed(table, false);
        }
        for table in before.values().filter(|table| !self.tables.contains_key(&table.id)) {
            self.sink.table_changed(table, true);
        }
        db_before
    }

    /// Where the engine that holds the state is found.
    pub fn current(&self) -> &Arc<CurrentDb> {
        &self.current
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
        self.effects = 0;
    }

    /// Ends an entry: what it did goes into the digest.
    pub fn end(&mut self) {
        if self.effects != 0 {
            let mut bytes = [0; 24];
            bytes[..8].copy_from_slice(&self.applied.digest.to_be_bytes());
            bytes[8..16].copy_from_slice(&self.stamp.version.index.to_be_bytes());
            bytes[16..].copy_from_slice(&self.effects.to_be_bytes());
            self.applied.digest = xxh3_64(&bytes);
            self.effects = 0;
        }
    }

    fn effect(&mut self, kind: u64, key: &[u8], value: &[u8]) {
        let effect = xxh3_64_with_seed(value, xxh3_64_with_seed(key, kind));
        self.effects = self.effects.wrapping_add(effect);
    }

    /// Compares what the primary noted of itself with what was noted here at the same entry, and notes the digest of all before
    /// the entry under way. Errors: the primary's, and this one's, where they differ. One that was not noted here, because the
    /// store was opened or a state installed since, is not compared; the next will be.
    pub fn compare(&mut self, primary: Option<Noted>) -> Result<(), (Noted, Noted)> {
        if let Some(primary) = primary
            && let Some(own) = self.noted.iter().find(|own| own.index == primary.index)
            && own.digest != primary.digest
        {
            return Err((primary, *own));
        }
        if self.noted.len() == NOTED {
            self.noted.pop_front();
        }
        self.noted.push_back(Noted { index: self.stamp.version.index, digest: self.applied.digest });
        Ok(())
    }

    /// Nothing of this state may be answered any more, and what consumers of the feed have of it is void.
    pub fn part(&self, why: String) {
        self.published.part(why);
        self.sink.gap(self.applied.version);
    }

    /// The newest level that entries may be judged by here.
    pub fn supported_level(&self) -> u32 {
        self.supported_level
    }

    /// The level that the entry under way is judged by.
    pub fn level(&self) -> u32 {
        self.applied.semantics_level
    }

    /// Judges by a level from here on, if it is higher.
    pub fn raise_level(&mut self, level: u32) {
        self.applied.semantics_level = self.applied.semantics_level.max(level);
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
        self.effect(1, &key, &value);
        self.pending.batch.put(key.clone(), value.clone());
        self.pending.written.insert(key, Some(value));
    }

    /// Removes a key.
    pub fn delete(&mut self, key: impl Into<Bytes>) {
        let key = key.into();
        self.effect(2, &key, &[]);
        self.pending.batch.delete(key.clone());
        self.pending.written.insert(key, None);
    }

    /// Removes every key of a range. [`State::get`] goes on seeing what the engine has of it until the commit: only for
    /// ranges that no entry reads any more.
    pub fn delete_range(&mut self, range: KeyRange) {
        self.effect(3, &range.start, range.end.as_deref().unwrap_or_default());
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
            return Ok(lists.end() + at as u64);
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

    /// Sets a parameter of the whole group, or takes its value away.
    pub fn set_parameter(&mut self, parameter: Parameter, value: Option<u64>) {
        let key = kv::parameter::key(parameter).to_vec();
        match value {
            Some(value) => self.put(key, kv::parameter::encode(value)),
            None => self.delete(key),
        }
        self.parameters.set(parameter, value);
        self.pending.parameters = Some(self.parameters);
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
        if let Some(parameters) = pending.parameters.take() {
            self.published.set_parameters(parameters);
        }
        self.sink.publish(&pending.changes, self.applied.version);
        if let Some(noted) = self.noted.back() {
            self.published.note(*noted);
        }
        self.published.set_applied(&self.applied);
        // The maps keep their room: the next batch is about as large.
        pending.written.clear();
        pending.changes.clear();
        self.pending.written = pending.written;
        self.pending.changes = pending.changes;
        Ok(())
    }
}

/// What is kept in memory of an engine's records.
pub(crate) struct Loaded {
    applied: Applied,
    next_id: u64,
    parameters: Parameters,
    tables: HashMap<TableId, Arc<Table>>,
    counters: HashMap<TableId, Counters>,
    lists: Vec<(u64, Names)>,
}

impl Loaded {
    /// Errors: a store of another format, or none; one of a higher level; a record that can't be read.
    pub(crate) fn read(db: &SharedDb, supported_level: u32) -> Result<Loaded, OpenError> {
        if !has_format(db)? {
            return Err(OpenError::NotAStore);
        }
        let applied = match db.get(&kv::applied::KEY)? {
            Some(value) => Applied::decode(&value)?,
            None => Applied::default(),
        };
        if applied.semantics_level > supported_level {
            return Err(OpenError::Level { found: applied.semantics_level, supported: supported_level });
        }
        let next_id = kv::sequence::TABLES.next(db.get(&kv::sequence::TABLES.key())?.as_deref())?;
        let mut tables = HashMap::new();
        let mut counters = HashMap::new();
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
        drop(cursor);
        let mut lists: Vec<(u64, Names)> = Vec::new();
        let mut cursor = snapshot.scan(&Scan::ascending(KeyRange::prefix(kv::attribute_list::PREFIX)));
        while let Some(record) = cursor.advance()? {
            let (id, names) =
                (kv::attribute_list::id(record.key)?, kv::attribute_list::decode(record.value)?);
            // Ids were given one after another, so their records come in the order they are shown in.
            let next = lists.last().map_or(attribute_lists::FIRST_ID, |(id, _)| id + 1);
            if id != next && !(names.is_empty() && id > next) {
                return Err(kv::attribute_list::out_of_order().into());
            }
            lists.push((id, names));
        }
        drop(cursor);
        let mut parameters = Parameters::default();
        let mut cursor = snapshot.scan(&Scan::ascending(KeyRange::prefix(kv::parameter::PREFIX)));
        while let Some(record) = cursor.advance()? {
            let parameter = kv::parameter::parameter(record.key)?;
            parameters.set(parameter, Some(kv::parameter::decode(record.value)?));
        }
        Ok(Loaded { applied, next_id, parameters, tables, counters, lists })
    }

    /// How far it has been brought.
    pub(crate) fn applied(&self) -> &Applied {
        &self.applied
    }

    /// The first id that no attribute list has.
    pub(crate) fn lists_end(&self) -> u64 {
        self.lists.last().map_or(attribute_lists::FIRST_ID, |(id, _)| id + 1)
    }
}

fn names_of(tables: &HashMap<TableId, Arc<Table>>) -> TableMap {
    tables.values().map(|table| (table.name.clone(), Arc::clone(table))).collect()
}

fn recount(size: &mut Size, old: Option<u64>, new: Option<u64>) {
    size.items = size.items.saturating_sub(u64::from(old.is_some())) + u64::from(new.is_some());
    size.bytes = size.bytes.saturating_sub(old.unwrap_or(0)) + new.unwrap_or(0);
}

/// Whether there is a format number; one of another format is refused.
fn has_format(db: &SharedDb) -> Result<bool, OpenError> {
    let Some(value) = db.get(&kv::format::KEY)? else { return Ok(false) };
    match kv::format::decode(&value)? {
        kv::format::CURRENT => Ok(true),
        found => Err(OpenError::Format { found, supported: kv::format::CURRENT }),
    }
}

/// Gives a new engine its format number.
pub(crate) fn begin_format(db: &SharedDb) -> Result<(), OpenError> {
    if has_format(db)? {
        return Ok(());
    }
    let is_empty = {
        let snapshot = db.snapshot();
        let mut cursor = snapshot.scan(&Scan::ascending(KeyRange::all()));
        cursor.advance()?.is_none()
    };
    if !is_empty {
        return Err(OpenError::NotAStore);
    }
    let mut batch = Batch::new();
    batch.put(&kv::format::KEY[..], kv::format::encode(kv::format::CURRENT));
    db.write(batch, Durability::Buffered)?;
    db.flush()?;
    Ok(())
}
