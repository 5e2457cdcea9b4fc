//! GetItem, through the item cache.

use std::sync::Arc;

use api::expr::Projection;
use api::item::ItemBody;
use api::op::{GetItemInput, GetItemOutput, ReturnConsumedCapacity};
use api::operation::Ready;
use api::service::{Peek, Source};
use api::{Answer, Context, DynamoDb, EncodedItem, Error, Request, Response, Table, Version, Wire};

use super::{Asked, Cached, NO_LOG, TRIES_MAX, capacity, key, mismatched, out_of_time};
use crate::cache::item::{ItemEntry, ItemFound, ItemKey, Read};
use crate::cache::{Joined, Landed, SharedItem, View};

/// What looking into the cache came to.
#[allow(clippy::large_enum_variant, reason = "a box would be an allocation in every hit")]
enum Looked {
    Answer(Answer),
    Miss(Miss),
    /// Not for the cache.
    Pass,
}

struct Miss {
    view: View,
    key: Vec<u8>,
}

impl<D: DynamoDb> Cached<D> {
    pub(super) async fn get_item(&self, cx: Context, input: GetItemInput) -> Result<Answer, Error> {
        let Some(table) = cx.tables.named(&input.table) else {
            return self.inner.call(cx, input.into()).await;
        };
        if input.consistent {
            let table = Arc::clone(table);
            return self.get_strongly(&table, cx, input).await;
        }
        let mut failed = None;
        for attempt in 0..TRIES_MAX {
            let miss = match self.look(&cx, table, &input) {
                Looked::Answer(answer) => return Ok(answer),
                Looked::Pass => return self.inner.call(cx, input.into()).await,
                Looked::Miss(miss) => miss,
            };
            if attempt == 0 {
                self.cache.statistics().get_misses.increment();
            }
            let Some(item_key) = self.cache.item_key(table, &miss.key) else {
                return self.inner.call(cx, input.into()).await;
            };
            match self.cache.join_item(&miss.view, &item_key, cx.min_version.as_ref()) {
                Joined::Lead(leader) => {
                    let read = self.read(&cx, table, &input, &miss).await;
                    match &read {
                        Ok((shared, _)) => leader.land(|| shared.clone()),
                        Err(error) => leader.fail(error, out_of_time(&cx)),
                    }
                    let (read, version) = read?;
                    return Ok(self.answer_read(&input, read, version, Source::Store));
                }
                Joined::Alone => {
                    let (read, version) = self.read(&cx, table, &input, &miss).await?;
                    return Ok(self.answer_read(&input, read, version, Source::Store));
                }
                Joined::Wait(waiting) => match waiting.landed(cx.deadline).await {
                    Landed::Read(shared) => {
                        if self.cache.may_take(&miss.view, &waiting, &shared.version) {
                            self.cache.statistics().item_coalesced.increment();
                            let version = Some(shared.version);
                            return Ok(self.answer_read(&input, shared, version, Source::Store));
                        }
                        let (read, version) = self.read(&cx, table, &input, &miss).await?;
                        return Ok(self.answer_read(&input, read, version, Source::Store));
                    }
                    Landed::Failed(error) => return Err(error),
                    Landed::Again(error) => failed = error,
                },
            }
        }
        match failed {
            Some(error) => Err(error),
            None => self.inner.call(cx, input.into()).await,
        }
    }

    /// The answer if it is a hit. Whatever else it is is found, and counted, by the call that follows.
    pub(super) fn get_item_now(&self, cx: &Context, input: &GetItemInput) -> Option<Answer> {
        if input.consistent {
            return None;
        }
        match self.look(cx, cx.tables.named(&input.table)?, input) {
            Looked::Answer(answer) => Some(answer),
            Looked::Miss(_) | Looked::Pass => None,
        }
    }

    /// The whole of a hit: no waiting, no lock but the shard's, no allocation but the answer's.
    fn look(&self, cx: &Context, table: &Arc<Table>, input: &GetItemInput) -> Looked {
        key::with_scratch(|scratch| {
            let (Some(view), Some(())) = (self.cache.view(), key::write_given(table, &input.key, scratch))
            else {
                return Looked::Pass;
            };
            if !is_sound(table, input.projection.as_ref()) {
                return Looked::Pass;
            }
            let Some(item_key) = self.cache.item_key(table, scratch) else {
                return Looked::Pass;
            };
            if let Some((entry, version)) = self.standing(&view, &item_key, cx.min_version.as_ref()) {
                self.count_hit(&entry);
                let response = self.response_of_hit(cx, table, input, &entry);
                return Looked::Answer(Answer { response, version: Some(version), source: Source::Cache });
            }
            Looked::Miss(Miss { view, key: scratch.clone() })
        })
    }

    /// What the cache has of a key that may be said to this caller. Counts nothing.
    fn standing(
        &self,
        view: &View,
        key: &ItemKey<'_>,
        min: Option<&Version>,
    ) -> Option<(Arc<ItemEntry>, Version)> {
        match self.cache.item(view, key) {
            ItemFound::Hit(entry, version) if view.satisfies(&version, min) => Some((entry, version)),
            ItemFound::Hit(..) | ItemFound::Miss => None,
        }
    }

    fn count_hit(&self, entry: &ItemEntry) {
        let statistics = self.cache.statistics();
        statistics.get_hits.increment();
        if !entry.is_present() {
            statistics.item_negative_hits.increment();
        }
    }

    /// A hit whose bytes are ready, copied. What has none ready yet is made ready by the call that follows.
    pub(super) fn peek_item(&self, read: &Peek<'_>, out: &mut Vec<u8>) -> Option<Version> {
        let view = self.cache.view()?;
        let key = self.cache.item_key(read.table, read.key)?;
        let (entry, version) = self.standing(&view, &key, read.min_version.as_ref())?;
        out.extend_from_slice(&entry.ready(read.wire)?.bytes);
        self.count_hit(&entry);
        Some(version)
    }

    fn response_of_hit(
        &self,
        cx: &Context,
        table: &Arc<Table>,
        input: &GetItemInput,
        entry: &Arc<ItemEntry>,
    ) -> Response {
        let plain = input.projection.is_none() && input.return_capacity == ReturnConsumedCapacity::None;
        if plain && let Some(ready) = self.ready(cx.wire, table, entry) {
            return Response::Ready(ready);
        }
        let item = entry.item();
        let units = match input.return_capacity {
            ReturnConsumedCapacity::None => 0.0,
            ReturnConsumedCapacity::Total | ReturnConsumedCapacity::Indexes => {
                let units = capacity::read_units(item.as_ref().map_or(0, EncodedItem::billed_size), false);
                capacity::of_hit(self.cache.settings().hit_capacity, units)
            }
        };
        Response::GetItem(output(input, item, units))
    }

    /// The answer to a GetItem of an entry's item and nothing else in the form of a wire, made and kept where it was not. `None`
    /// where the wire has no form of it that may be kept.
    pub(super) fn ready(&self, wire: Wire, table: &Arc<Table>, entry: &Arc<ItemEntry>) -> Option<Ready> {
        if let Some(ready) = entry.ready(wire) {
            return Some(ready.clone());
        }
        if !self.encoders.has(wire) {
            return None;
        }
        let output = GetItemOutput { item: entry.item().map(ItemBody::Encoded), capacity: None };
        let asked = Asked { table, of_index: false, projection: None };
        let ready = self.encoders.encode(wire, asked, &Response::GetItem(output))?;
        self.cache.keep_item_form(entry, &ready);
        Some(ready)
    }

    /// Reads the whole item from the store, and keeps it if nothing overtook it.
    async fn read(
        &self,
        cx: &Context,
        table: &Table,
        input: &GetItemInput,
        miss: &Miss,
    ) -> Result<(SharedItem, Option<Version>), Error> {
        let permit = self.cache.item_permit(&miss.view);
        let whole = GetItemInput {
            table: input.table.clone(),
            key: input.key.clone(),
            projection: None,
            consistent: false,
            return_capacity: ReturnConsumedCapacity::None,
        };
        let answer = self.inner.call(cx.clone().plain(), Request::GetItem(whole)).await?;
        let Response::GetItem(read) = answer.response else {
            return Err(mismatched(&answer.response));
        };
        let item = read.item.map(|body| body.to_encoded());
        let version = answer.version;
        if let (Some(version), Some(item_key)) = (version, self.cache.item_key(table, &miss.key)) {
            let ttl_nanos = self.cache.policy(table).record_ttl_nanos;
            let read = Read { item: item.as_ref(), version, ttl_nanos, refresh: false };
            self.cache.fill_item(&permit, &item_key, read);
        }
        // Without a version nobody who waits can tell whether it will do; one of no log will do for none.
        let shared = SharedItem { item, version: version.unwrap_or(NO_LOG) };
        Ok((shared, version))
    }

    fn answer_read(
        &self,
        input: &GetItemInput,
        read: SharedItem,
        version: Option<Version>,
        source: Source,
    ) -> Answer {
        let units = capacity::read_units(read.item.as_ref().map_or(0, EncodedItem::billed_size), false);
        Answer { response: Response::GetItem(output(input, read.item, units)), version, source }
    }

    async fn get_strongly(&self, table: &Table, cx: Context, input: GetItemInput) -> Result<Answer, Error> {
        let mut key = Vec::new();
        let refreshes = input.projection.is_none() && key::write_given(table, &input.key, &mut key).is_some();
        let permit = self.cache.view().filter(|_| refreshes).map(|view| self.cache.item_permit(&view));
        let answer = self.inner.call(cx, input.into()).await?;
        if let (Some(permit), Some(version), Response::GetItem(read), Some(item_key)) =
            (permit, answer.version, &answer.response, self.cache.item_key(table, &key))
        {
            let item = read.item.as_ref().map(ItemBody::to_encoded);
            let ttl_nanos = self.cache.policy(table).record_ttl_nanos;
            let read = Read { item: item.as_ref(), version, ttl_nanos, refresh: true };
            self.cache.fill_item(&permit, &item_key, read);
        }
        Ok(answer)
    }
}

/// Whether the store would not refuse a projection by the table's schema.
pub(super) fn is_sound(table: &Table, projection: Option<&Projection>) -> bool {
    projection.is_none_or(|projection| table.check_scalar_keys(&projection.paths).is_ok())
}

fn output(input: &GetItemInput, item: Option<EncodedItem>, units: f64) -> GetItemOutput {
    let item = item.map(|item| match &input.projection {
        None => ItemBody::Encoded(item),
        Some(projection) => ItemBody::Tree(Arc::new(projection.apply_encoded(&item))),
    });
    GetItemOutput { item, capacity: capacity::of_table(input.return_capacity, input.table.as_str(), units) }
}
