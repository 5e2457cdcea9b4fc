//! BatchGetItem, each key by itself: what is in the cache comes from there, the rest in one batch from the store.
//!
//! The answer is put together in the order of the request, as the store does it: a table's items in the order of its keys,
//! and from the first item on that would make the answer too large, every key is left unprocessed.

use std::collections::HashMap;
use std::sync::Arc;

use api::item::ItemBody;
use api::limits::BATCH_GET_BYTES;
use api::op::{BatchGetItemInput, BatchGetItemOutput, ReturnConsumedCapacity, TableKeys};
use api::service::Source;
use api::{Answer, Context, DynamoDb, EncodedItem, Error, Request, Response, Table, Version};

use super::get_item::is_sound;
use super::{Cached, capacity, key, mismatched};
use crate::cache::item::{ItemEntry, ItemFound, Read};
use crate::cache::{Joined, Leader, SharedItem, View, Waiting};

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

impl<D: DynamoDb> Cached<D> {
    pub(super) async fn batch_get_item(
        &self,
        cx: Context,
        input: BatchGetItemInput,
    ) -> Result<Answer, Error> {
        let eventual = input.tables.iter().any(|table| !table.consistent);
        let Some((tables, view)) = self.resolved(&cx, &input).filter(|_| eventual) else {
            return self.inner.call(cx, input.into()).await;
        };
        let mut parts = Parts::default();
        let Some(mut wanted) = self.look_up_all(&cx, &view, &tables, &input, &mut parts) else {
            return self.inner.call(cx, input.into()).await;
        };

        // Whoever leads reads before waiting for anybody, so that two batches can't wait for each other.
        let mut leaders: HashMap<usize, Leader<'_, SharedItem>> = HashMap::new();
        let mut waiting: Vec<(usize, Waiting<SharedItem>)> = Vec::new();
        let mut to_read: Vec<usize> = Vec::new();
        for (at, want) in wanted.iter().enumerate().filter(|(_, want)| matches!(want.found, Found::Not)) {
            let table = &tables[want.place.0];
            let joined = match self.cache.item_key(table, &want.key) {
                Some(item_key) if !input.tables[want.place.0].consistent => {
                    self.cache.join_item(&view, &item_key, cx.min_version.as_ref())
                }
                _ => Joined::Alone,
            };
            match joined {
                Joined::Wait(flight) => waiting.push((at, flight)),
                Joined::Alone => to_read.push(at),
                Joined::Lead(leader) => {
                    leaders.insert(at, leader);
                    to_read.push(at);
                }
            }
        }
        let cx = cx.plain();
        if !to_read.is_empty() {
            let read = self.read_batch(&cx, &view, &tables, &input, &mut wanted, &to_read, &mut parts).await;
            for (at, leader) in leaders.drain() {
                match &read {
                    Err(error) => leader.land(|| Err(error.clone())),
                    Ok(Some(version)) if !matches!(wanted[at].found, Found::Not) => {
                        let shared = SharedItem { item: wanted[at].found.item(), version: *version };
                        leader.land(|| Ok(shared));
                    }
                    // Unprocessed, or of no version: those who wait ask for themselves.
                    Ok(_) => drop(leader),
                }
            }
            read?;
        }
        let mut left = Vec::new();
        for (at, flight) in waiting {
            match flight.landed().await {
                Some(Ok(shared)) if self.cache.may_take(&view, &flight, &shared.version) => {
                    self.cache.statistics().item_coalesced.increment();
                    parts.add(shared.version);
                    parts.reads += 1;
                    wanted[at].found = Found::Read(shared.item);
                }
                Some(Err(error)) => return Err(error),
                _ => left.push(at),
            }
        }
        if !left.is_empty() {
            left.sort_unstable();
            self.read_batch(&cx, &view, &tables, &input, &mut wanted, &left, &mut parts).await?;
        }
        let response = Response::BatchGetItem(self.assemble(&input, &wanted));
        Ok(Answer { response, version: parts.newest, source: parts.source() })
    }

    /// The schemas of all tables, in the order of the request.
    fn resolved(&self, cx: &Context, input: &BatchGetItemInput) -> Option<(Vec<Arc<Table>>, View)> {
        let tables = input.tables.iter().map(|keys| cx.tables.named(&keys.table).cloned());
        Some((tables.collect::<Option<Vec<_>>>()?, self.cache.view()?))
    }

    /// Every key of the request with what the cache has of it. `None` where a key is the store's to refuse.
    fn look_up_all(
        &self,
        cx: &Context,
        view: &View,
        tables: &[Arc<Table>],
        input: &BatchGetItemInput,
        parts: &mut Parts,
    ) -> Option<Vec<Wanted>> {
        let statistics = self.cache.statistics();
        let mut wanted = Vec::with_capacity(input.tables.iter().map(|keys| keys.keys.len()).sum());
        for (table_at, keys) in input.tables.iter().enumerate() {
            let table = &tables[table_at];
            if !is_sound(table, keys.projection.as_ref()) {
                return None;
            }
            for (key_at, given) in keys.keys.iter().enumerate() {
                let mut key = Vec::new();
                key::write_given(table, given, &mut key)?;
                let item_key = self.cache.item_key(table, &key)?;
                let mut found = Found::Not;
                if !keys.consistent {
                    match self.cache.item(view, &item_key) {
                        ItemFound::Hit(entry, version)
                            if view.satisfies(&version, cx.min_version.as_ref()) =>
                        {
                            statistics.batch_hits.increment();
                            if !entry.is_present() {
                                statistics.item_negative_hits.increment();
                            }
                            parts.add(version);
                            parts.hits += 1;
                            found = Found::Hit(entry);
                        }
                        _ => statistics.batch_misses.increment(),
                    }
                }
                wanted.push(Wanted { place: (table_at, key_at), key, found });
            }
        }
        let mut places: Vec<_> = wanted.iter().map(|want| (want.place.0, &want.key)).collect();
        places.sort_unstable();
        let twice = places.windows(2).any(|pair| pair[0] == pair[1]);
        (!twice).then_some(wanted)
    }

    /// Reads the wanted keys at `places`, whole, in one batch, and keeps what was read eventually.
    #[allow(
        clippy::too_many_arguments,
        reason = "one step of one function, cut out because it is taken twice"
    )]
    async fn read_batch(
        &self,
        cx: &Context,
        view: &View,
        tables: &[Arc<Table>],
        input: &BatchGetItemInput,
        wanted: &mut [Wanted],
        places: &[usize],
        parts: &mut Parts,
    ) -> Result<Option<Version>, Error> {
        let permit = self.cache.item_permit(view);
        let mut asked: Vec<(usize, TableKeys)> = Vec::new();
        for &at in places {
            let (table_at, key_at) = wanted[at].place;
            let of_table = &input.tables[table_at];
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
        let batch = BatchGetItemInput {
            tables: asked.into_iter().map(|(_, keys)| keys).collect(),
            return_capacity: ReturnConsumedCapacity::None,
        };
        let answer = self.inner.call(cx.clone(), Request::BatchGetItem(batch)).await?;
        let Response::BatchGetItem(read) = answer.response else {
            return Err(mismatched(&answer.response));
        };
        let version = answer.version;

        let mut items = HashMap::new();
        let mut unprocessed = HashMap::new();
        for (table_at, table) in tables.iter().enumerate() {
            let name = &input.tables[table_at].table;
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
                    unprocessed.insert((table_at, key), ());
                }
            }
        }
        for &at in places {
            let want = &mut wanted[at];
            let table_at = want.place.0;
            let place = (table_at, std::mem::take(&mut want.key));
            if !unprocessed.contains_key(&place) {
                let item = items.remove(&place);
                parts.reads += 1;
                let item_key = self.cache.item_key(&tables[table_at], &place.1);
                if let (Some(version), Some(item_key)) = (version, item_key) {
                    let read = Read {
                        item: item.as_ref(),
                        version,
                        ttl_nanos: self.cache.policy(&tables[table_at]).record_ttl_nanos,
                        refresh: input.tables[table_at].consistent,
                    };
                    self.cache.fill_item(&permit, &item_key, read);
                }
                want.found = Found::Read(item);
            }
            want.key = place.1;
        }
        if let Some(version) = version {
            parts.add(version);
        }
        Ok(version)
    }

    fn assemble(&self, input: &BatchGetItemInput, wanted: &[Wanted]) -> BatchGetItemOutput {
        let mut output = BatchGetItemOutput::default();
        let mut bytes = 0;
        let mut full = false;
        let mut wanted = wanted.iter();
        for keys in &input.tables {
            let mut items = Vec::new();
            let mut units = 0.0;
            let mut left = Vec::new();
            for given in &keys.keys {
                let want = wanted.next().expect("as many as the request has keys");
                let item = want.found.item();
                let billed = item.as_ref().map_or(0, EncodedItem::billed_size);
                full = full || matches!(want.found, Found::Not) || bytes + billed > BATCH_GET_BYTES;
                if full {
                    left.push(given.clone());
                    continue;
                }
                bytes += billed;
                let as_store = capacity::read_units(billed, keys.consistent);
                units += match want.found {
                    Found::Hit(_) => capacity::of_hit(self.cache.settings().hit_capacity, as_store),
                    _ => as_store,
                };
                items.extend(item.map(|item| match &keys.projection {
                    None => ItemBody::Encoded(item),
                    Some(projection) => ItemBody::Tree(Arc::new(projection.apply_encoded(&item))),
                }));
            }
            output.responses.push((keys.table.clone(), items));
            output.capacity.extend(capacity::of_table(input.return_capacity, keys.table.as_str(), units));
            if !left.is_empty() {
                output.unprocessed.push(TableKeys {
                    table: keys.table.clone(),
                    keys: left,
                    projection: keys.projection.clone(),
                    consistent: keys.consistent,
                });
            }
        }
        output
    }
}
