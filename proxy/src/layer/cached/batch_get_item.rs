//! BatchGetItem, each key by itself: what is in the cache comes from there, the rest in one batch from the store.
//!
//! The answer is put together in the order of the request, as the store does it: a table's items in the order of its keys,
//! and from the first item on that would make the answer too large, every key is left unprocessed. A hit goes up with the
//! answer to a GetItem of it beside it, in the form of the front that asks, made and kept where it was not: the front copies
//! the item out of that.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use api::item::{ItemBody, ReadyItem};
use api::limits::BATCH_GET_BYTES;
use api::op::{BatchGetItemInput, BatchGetItemOutput, ReturnConsumedCapacity, TableKeys};
use api::service::Source;
use api::{Answer, Context, DynamoDb, EncodedItem, Error, Request, Response, Table, Version, Wire};

use super::get_item::is_sound;
use super::{Cached, TRIES_MAX, capacity, key, mismatched, out_of_time};
use crate::cache::item::{ItemEntry, ItemFound, Read};
use crate::cache::{Joined, Landed, Leader, SharedItem, View, Waiting};

/// A key of the batch, and what is known of it.
struct Wanted {
    /// Which table of the request, and which of its keys.
    place: (usize, usize),
    key: Vec<u8>,
    found: Found,
}

enum Found {
    Hit(Arc<ItemEntry>),
    Read(Option<EncodedItem>),
    /// The store left it unprocessed.
    Not,
}

impl Found {
    fn item(&self) -> Option<EncodedItem> {
        match self {
            Found::Hit(entry) => entry.item(),
            Found::Read(item) => item.clone(),
            Found::Not => None,
        }
    }

    fn billed_size_bound(&self) -> usize {
        match self {
            Found::Hit(entry) => entry.billed_size_bound(),
            Found::Read(Some(item)) => EncodedItem::billed_size_bound(item.as_bytes().len()),
            Found::Read(None) | Found::Not => 0,
        }
    }

    fn entry(&self) -> Option<&Arc<ItemEntry>> {
        match self {
            Found::Hit(entry) => Some(entry),
            Found::Read(_) | Found::Not => None,
        }
    }
}

/// Versions of the parts of an answer. What is reported is the newest: reads that follow on the connection must not go
/// back behind any part of it.
#[derive(Default)]
struct Parts {
    newest: Option<Version>,
    hits: usize,
    reads: usize,
}

impl Parts {
    fn add(&mut self, version: Version) {
        if self.newest.is_none_or(|newest| newest.at_least(&version) != Some(true)) {
            self.newest = Some(version);
        }
    }

    fn source(&self) -> Source {
        match (self.hits, self.reads) {
            (_, 0) => Source::Cache,
            (0, _) => Source::Store,
            _ => Source::Mixed,
        }
    }
}

/// A batch that can be answered through the cache.
struct Batch<'a> {
    view: View,
    /// The form that its front would rather have items in.
    wire: Wire,
    /// Schemas, in the order of the request's tables.
    tables: Vec<Arc<Table>>,
    input: &'a BatchGetItemInput,
    wanted: Vec<Wanted>,
    parts: Parts,
}

/// A batch of which all is known that is going to be.
struct Known {
    wire: Wire,
    tables: Vec<Arc<Table>>,
    wanted: Vec<Wanted>,
    parts: Parts,
}

impl Batch<'_> {
    fn known(self) -> Known {
        let Batch { view: _, wire, tables, input: _, wanted, parts } = self;
        Known { wire, tables, wanted, parts }
    }
}

/// How the keys not found are come by.
#[derive(Default)]
struct Flown<'a> {
    to_read: Vec<usize>,
    leaders: Vec<(usize, Leader<'a, SharedItem>)>,
    waiting: Vec<(usize, Waiting<SharedItem>)>,
}

impl<D: DynamoDb> Cached<D> {
    pub(super) async fn batch_get_item(
        &self,
        cx: Context,
        input: BatchGetItemInput,
    ) -> Result<Answer, Error> {
        let Some(mut batch) = self.look_up_all(&cx, &input) else {
            return self.inner.call(cx, input.into()).await;
        };
        let cx = cx.plain();
        let not = |want: &Wanted| matches!(want.found, Found::Not);
        let mut missing: Vec<usize> = (0..batch.wanted.len()).filter(|at| not(&batch.wanted[*at])).collect();
        let mut failed = None;
        for _ in 0..TRIES_MAX {
            let Flown { to_read, leaders, waiting } = self.join_all(&cx, &batch, &missing);
            // Whoever leads reads before waiting for anybody, so that two batches can't wait for each other.
            self.read_and_land(&cx, &mut batch, &to_read, leaders).await?;
            missing.clear();
            let mut alone = Vec::new();
            for (at, flight) in waiting {
                match flight.landed(cx.deadline).await {
                    Landed::Read(shared) if self.cache.may_take(&batch.view, &flight, &shared.version) => {
                        self.cache.statistics().item_coalesced.increment();
                        batch.parts.add(shared.version);
                        batch.parts.reads += 1;
                        batch.wanted[at].found = Found::Read(shared.item);
                    }
                    Landed::Read(_) => alone.push(at),
                    Landed::Failed(error) => return Err(error),
                    Landed::Again(error) => {
                        failed = error.or(failed);
                        missing.push(at);
                    }
                }
            }
            self.read_and_land(&cx, &mut batch, &alone, Vec::new()).await?;
            if missing.is_empty() {
                return Ok(self.answer_batch(batch.known(), input));
            }
        }
        match failed {
            Some(error) => Err(error),
            None => {
                self.read_and_land(&cx, &mut batch, &missing, Vec::new()).await?;
                Ok(self.answer_batch(batch.known(), input))
            }
        }
    }

    /// Every key of the request with what the cache has of it. `None` where nothing is to be read eventually, or something
    /// is the store's to refuse.
    fn look_up_all<'a>(&self, cx: &Context, input: &'a BatchGetItemInput) -> Option<Batch<'a>> {
        if input.tables.iter().all(|keys| keys.consistent) {
            return None;
        }
        let tables = input.tables.iter().map(|keys| cx.tables.named(&keys.table).cloned());
        let tables = tables.collect::<Option<Vec<_>>>()?;
        let view = self.cache.view()?;
        let mut parts = Parts::default();
        let count = input.tables.iter().map(|keys| keys.keys.len()).sum();
        let (mut wanted, mut hashes) = (Vec::with_capacity(count), Vec::with_capacity(count));
        for (table_at, keys) in input.tables.iter().enumerate() {
            let table = &tables[table_at];
            if !is_sound(table, keys.projection.as_ref()) {
                return None;
            }
            for (key_at, given) in keys.keys.iter().enumerate() {
                let mut key = Vec::new();
                key::write_given(table, given, &mut key)?;
                let item_key = self.cache.item_key(table, &key)?;
                hashes.push(item_key.hash());
                let mut found = Found::Not;
                if !keys.consistent
                    && let ItemFound::Hit(entry, version) = self.cache.item(&view, &item_key)
                    && view.satisfies(&version, cx.min_version.as_ref())
                {
                    parts.add(version);
                    parts.hits += 1;
                    found = Found::Hit(entry);
                }
                wanted.push(Wanted { place: (table_at, key_at), key, found });
            }
        }
        // Twice the same key is the store's to refuse, and so is what might be.
        hashes.sort_unstable();
        if hashes.windows(2).any(|pair| pair[0] == pair[1]) {
            return None;
        }
        // Counted only now that the batch is certain to be answered with what was found.
        let statistics = self.cache.statistics();
        for want in wanted.iter().filter(|want| !input.tables[want.place.0].consistent) {
            match &want.found {
                Found::Hit(entry) => {
                    statistics.batch_hits.increment();
                    if !entry.is_present() {
                        statistics.item_negative_hits.increment();
                    }
                }
                Found::Read(_) | Found::Not => statistics.batch_misses.increment(),
            }
        }
        Some(Batch { view, wire: cx.wire, tables, input, wanted, parts })
    }

    fn join_all(&self, cx: &Context, batch: &Batch<'_>, missing: &[usize]) -> Flown<'_> {
        let mut flown = Flown::default();
        for &at in missing {
            let want = &batch.wanted[at];
            let table_at = want.place.0;
            let joined = match self.cache.item_key(&batch.tables[table_at], &want.key) {
                Some(item_key) if !batch.input.tables[table_at].consistent => {
                    self.cache.join_item(&batch.view, &item_key, cx.min_version.as_ref())
                }
                _ => Joined::Alone,
            };
            match joined {
                Joined::Wait(flight) => flown.waiting.push((at, flight)),
                Joined::Alone => flown.to_read.push(at),
                Joined::Lead(leader) => {
                    flown.leaders.push((at, leader));
                    flown.to_read.push(at);
                }
            }
        }
        flown
    }

    /// Reads the wanted keys at `places`, and answers those who wait for them.
    async fn read_and_land(
        &self,
        cx: &Context,
        batch: &mut Batch<'_>,
        places: &[usize],
        leaders: Vec<(usize, Leader<'_, SharedItem>)>,
    ) -> Result<(), Error> {
        if places.is_empty() {
            return Ok(());
        }
        let read = self.read_batch(cx, batch, places).await;
        for (at, leader) in leaders {
            match &read {
                // What else is in the batch may be why it is refused: those who wait for one of its keys ask for themselves.
                Err(error) if !error.kind.is_retryable() => drop(leader),
                Err(error) => leader.fail(error, out_of_time(cx)),
                Ok(Some(version)) if !matches!(batch.wanted[at].found, Found::Not) => {
                    leader.land(|| SharedItem { item: batch.wanted[at].found.item(), version: *version });
                }
                // Unprocessed, or of no version: those who wait ask for themselves.
                Ok(_) => drop(leader),
            }
        }
        read.map(drop)
    }

    /// Reads the wanted keys at `places`, whole, in one batch, and keeps what was read eventually.
    async fn read_batch(
        &self,
        cx: &Context,
        batch: &mut Batch<'_>,
        places: &[usize],
    ) -> Result<Option<Version>, Error> {
        let permit = self.cache.item_permit(&batch.view);
        let request = request_of(batch, places);
        let answer = self.inner.call(cx.clone(), Request::BatchGetItem(request)).await?;
        let Response::BatchGetItem(read) = answer.response else {
            return Err(mismatched(&answer.response));
        };
        let version = answer.version;

        let mut items = HashMap::new();
        let mut unprocessed = HashSet::new();
        for (table_at, table) in batch.tables.iter().enumerate() {
            let name = &batch.input.tables[table_at].table;
            for (_, bodies) in read.responses.iter().filter(|(of, _)| of == name) {
                for body in bodies {
                    let mut key = Vec::new();
                    key::write_found(table, body, &mut key);
                    items.insert((table_at, key), body.to_encoded());
                }
            }
            for keys in read.unprocessed.iter().filter(|keys| keys.table == *name) {
                for given in &keys.keys {
                    let mut key = Vec::new();
                    key::write_given(table, given, &mut key);
                    unprocessed.insert((table_at, key));
                }
            }
        }
        for &at in places {
            let want = &mut batch.wanted[at];
            let table_at = want.place.0;
            let place = (table_at, std::mem::take(&mut want.key));
            if !unprocessed.contains(&place) {
                let item = items.remove(&place);
                batch.parts.reads += 1;
                let table = &batch.tables[table_at];
                if let (Some(version), Some(item_key)) = (version, self.cache.item_key(table, &place.1)) {
                    let read = Read {
                        item: item.as_ref(),
                        version,
                        ttl_nanos: self.cache.policy(table).record_ttl_nanos,
                        refresh: batch.input.tables[table_at].consistent,
                    };
                    self.cache.fill_item(&permit, &item_key, read);
                }
                want.found = Found::Read(item);
            }
            want.key = place.1;
        }
        if let Some(version) = version {
            batch.parts.add(version);
        }
        Ok(version)
    }

    fn answer_batch(&self, batch: Known, input: BatchGetItemInput) -> Answer {
        let response = Response::BatchGetItem(self.assemble(&batch, input));
        Answer { response, version: batch.parts.newest, source: batch.parts.source() }
    }

    fn assemble(&self, batch: &Known, input: BatchGetItemInput) -> BatchGetItemOutput {
        let bound: usize = batch.wanted.iter().map(|want| want.found.billed_size_bound()).sum();
        // Hits are not looked into, which takes longer than copying them, unless it matters how large they are.
        let is_sized = input.return_capacity != ReturnConsumedCapacity::None || bound > BATCH_GET_BYTES;
        let mut output = BatchGetItemOutput::default();
        let mut bytes = 0;
        let mut full = false;
        let mut wanted = batch.wanted.iter();
        for (keys, table) in input.tables.into_iter().zip(&batch.tables) {
            let mut items = Vec::with_capacity(keys.keys.len());
            let mut units = 0.0;
            let mut left = Vec::new();
            for given in keys.keys {
                let want = wanted.next().expect("as many as the request has keys");
                let item = want.found.item();
                let billed = item.as_ref().filter(|_| is_sized).map_or(0, EncodedItem::billed_size);
                full = full || matches!(want.found, Found::Not) || bytes + billed > BATCH_GET_BYTES;
                if full {
                    left.push(given);
                    continue;
                }
                bytes += billed;
                let as_store = capacity::read_units(billed, keys.consistent);
                units += match want.found {
                    Found::Hit(_) => capacity::of_hit(self.cache.settings().hit_capacity, as_store),
                    _ => as_store,
                };
                let Some(item) = item else { continue };
                items.push(match &keys.projection {
                    Some(projection) => ItemBody::Tree(Arc::new(projection.apply_encoded(&item))),
                    None => match want.found.entry().and_then(|entry| self.ready(batch.wire, table, entry)) {
                        Some(answer) => ItemBody::Ready(Box::new(ReadyItem { key: given, item, answer })),
                        None => ItemBody::Encoded(item),
                    },
                });
            }
            output.capacity.extend(capacity::of_table(input.return_capacity, keys.table.as_str(), units));
            output.responses.push((keys.table.clone(), items));
            if !left.is_empty() {
                output.unprocessed.push(TableKeys {
                    table: keys.table,
                    keys: left,
                    projection: keys.projection,
                    consistent: keys.consistent,
                });
            }
        }
        output
    }
}

/// The keys at `places`, whole, as a request of their own. Places rise, so that a table's keys stay together.
fn request_of(batch: &Batch<'_>, places: &[usize]) -> BatchGetItemInput {
    let mut asked: Vec<(usize, TableKeys)> = Vec::new();
    for &at in places {
        let (table_at, key_at) = batch.wanted[at].place;
        let of_table = &batch.input.tables[table_at];
        if asked.last().is_none_or(|(last, _)| *last != table_at) {
            let keys = TableKeys {
                table: of_table.table.clone(),
                keys: Vec::new(),
                projection: None,
                consistent: of_table.consistent,
            };
            asked.push((table_at, keys));
        }
        let (_, keys) = asked.last_mut().expect("one was just put there");
        keys.keys.push(of_table.keys[key_at].clone());
    }
    BatchGetItemInput {
        tables: asked.into_iter().map(|(_, keys)| keys).collect(),
        return_capacity: ReturnConsumedCapacity::None,
    }
}
