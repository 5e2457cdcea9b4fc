//! A store in memory, once behind the cache and once without.

use std::sync::Arc;

use api::expr::{Comparator, KeyCondition, KeyTest};
use api::item::{ItemBody, ReadyItem};
use api::op::{
    CreateTableInput, DeleteItemInput, DescribeTableInput, GetItemInput, GetItemOutput, NewIndex,
    PutItemInput, QueryInput, ReturnConsumedCapacity, ReturnItemCollectionMetrics, ReturnOld,
    ReturnOnFailure, ScanInput, Select, TableKeys,
};
use api::operation::Ready;
use api::schema::{
    BillingMode, IndexKind, IndexName, IndexProjection, KeyAttribute, KeySchema, Status, Throughput,
};
use api::service::Peek;
use api::value::{ValueType, order};
use api::{
    Answer, AttributeValue, Context, DynamoDb, Error, Item, Request, Response, Shared, TableName, Wire,
};
use bytes::Bytes;
use host::clock::{Clock, SystemClock};
use host::metrics::Registry;
use host::settings::ByteSize;
use store::{Embedded, EmbeddedSettings, Surroundings};

use crate::cache::{Cache, CacheSettings};
use crate::layer::{Asked, Cached, Encoders, Resolved, WireEncoder};

pub(super) struct World {
    pub(super) cache: Arc<Cache>,
    pub(super) store: Arc<Embedded>,
    pub(super) cached: Shared,
    pub(super) direct: Shared,
}

/// Writes an answer's debug form, as a front would write its JSON.
struct DebugEncoder;

impl WireEncoder for DebugEncoder {
    fn encode(&self, _: Asked<'_>, response: &Response) -> Option<Ready> {
        Some(Ready { wire: Wire::Json, bytes: ready_form(response), crc32: 0 })
    }
}

pub(super) fn ready_form(response: &Response) -> Bytes {
    format!("{:?}", decoded(response.clone())).into()
}

/// The same answer with all items decoded: which form they were found in is nobody's business.
pub(super) fn decoded(response: Response) -> Response {
    let body = |body: ItemBody| ItemBody::Tree(body.to_item());
    match response {
        Response::GetItem(mut output) => {
            output.item = output.item.map(body);
            Response::GetItem(output)
        }
        Response::BatchGetItem(mut output) => {
            for (_, items) in &mut output.responses {
                *items = std::mem::take(items).into_iter().map(body).collect();
            }
            Response::BatchGetItem(output)
        }
        Response::Query(mut page) => {
            page.items = page.items.map(|items| items.into_iter().map(body).collect());
            Response::Query(page)
        }
        Response::Scan(mut page) => {
            page.items = page.items.map(|items| items.into_iter().map(body).collect());
            Response::Scan(page)
        }
        other => other,
    }
}

/// Whether an answer to a batch has beside each whole item the bytes of a GetItem of it. Of what is no batch, nothing is said.
fn has_ready_items(request: &Request, response: &Response) -> bool {
    let (Request::BatchGetItem(input), Response::BatchGetItem(output)) = (request, response) else {
        return true;
    };
    let is_ready = |item: &ItemBody, keys: &TableKeys| match item {
        ItemBody::Ready(ready) => {
            let ReadyItem { key, item, answer } = &**ready;
            let get = GetItemOutput { item: Some(ItemBody::Encoded(item.clone())), capacity: None };
            let whole = item.to_item();
            let is_its_key = key.0.iter().all(|(name, value)| whole.get(name) == Some(value));
            let is_its_answer = answer.bytes == ready_form(&Response::GetItem(get));
            keys.keys.contains(key) && is_its_key && is_its_answer && keys.projection.is_none()
        }
        ItemBody::Tree(_) | ItemBody::Encoded(_) => keys.projection.is_some(),
    };
    let mut items = output.responses.iter().zip(&input.tables);
    items.all(|((_, items), keys)| items.iter().all(|item| is_ready(item, keys)))
}

impl World {
    pub(super) fn new(settings: CacheSettings) -> World {
        let settings = CacheSettings { cache_bytes: ByteSize::mib(64), ..settings };
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let cache = Cache::new(settings, clock, 11, 2, &Registry::new()).unwrap();
        let sink = Arc::clone(&cache) as Arc<dyn api::ChangeSink>;
        let store = Embedded::in_memory(EmbeddedSettings::default(), Surroundings::system(), sink).unwrap();
        let store = Arc::new(store);
        let encoders = Encoders { json: Some(Arc::new(DebugEncoder)), dax: None };
        let cached = Cached::new(Arc::clone(&store), Arc::clone(&cache), encoders);
        World {
            cached: Shared::new(Resolved::new(cached, store.catalog())),
            direct: Shared::new(Resolved::new(Arc::clone(&store), store.catalog())),
            cache,
            store,
        }
    }

    /// Asks the cache and the store, and checks that they say the same. Answers what they said, and whether the cache
    /// said it from memory.
    pub(super) async fn ask(&self, request: Request) -> Result<(Result<Response, Error>, bool), String> {
        let peeked = self.peek(&request);
        let cached = self.cached.call(Context::default(), request.clone()).await;
        let direct = self.direct.call(Context::default(), request.clone()).await;
        let from_cache = cached.as_ref().is_ok_and(|answer| answer.source == api::service::Source::Cache);
        let said = |answer: Result<Answer, Error>| answer.map(|answer| decoded(answer.response));
        let (cached, direct) = (said(cached), said(direct));
        if cached != direct {
            return Err(format!("{request:?}\n cached: {cached:?}\n direct: {direct:?}"));
        }
        let of_store = direct.as_ref().ok().map(ready_form);
        if peeked.is_some() && (peeked != of_store || !from_cache) {
            return Err(format!("{request:?}\n peeked: {peeked:?}\n direct: {direct:?}"));
        }
        if from_cache && let Ok(response) = &direct {
            // Asked for in the form of a wire, a hit is the bytes that the front would have made of the store's answer.
            let cx = Context { wire: Wire::Json, ..Context::default() };
            match self.cached.call(cx, request.clone()).await.map(|answer| answer.response) {
                Ok(Response::Ready(ready)) if ready.bytes == ready_form(response) => {
                    // What was made ready is found without a request too.
                    if matches!(request, Request::GetItem(_))
                        && self.peek(&request).as_ref() != of_store.as_ref()
                    {
                        return Err(format!("{request:?}\n is ready and not found by a peek"));
                    }
                }
                // With capacity or projected it is not kept ready. Of a batch, each whole item is.
                Ok(typed) if decoded(typed.clone()) == *response && has_ready_items(&request, &typed) => {}
                other => {
                    return Err(format!("{request:?}\n ready: {other:?}\n direct: {response:?}"));
                }
            }
        }
        Ok((cached, from_cache))
    }

    /// What a front finds that looks before it makes a request, where it may look so.
    fn peek(&self, request: &Request) -> Option<Bytes> {
        let Request::GetItem(input) = request else { return None };
        let plain = input.projection.is_none() && input.return_capacity == ReturnConsumedCapacity::None;
        let table = self.store.catalog().table(&input.table).filter(|_| plain && !input.consistent)?;
        let mut form = Vec::new();
        for part in table.key.attributes() {
            order::encode_into(input.key.get(&part.name)?, &mut form)?;
        }
        let read =
            Peek { caller: &Arc::default(), table: &table, key: &form, min_version: None, wire: Wire::Json };
        let mut out = Vec::new();
        self.cached.peek(&read, &mut out).map(|_| out.into())
    }

    pub(super) async fn write(&self, request: impl Into<Request>) {
        self.cached.call(Context::default(), request.into()).await.expect("a sound write");
    }

    pub(super) async fn create(&self, name: &TableName, indexes: Vec<NewIndex>) {
        self.write(CreateTableInput {
            table: name.clone(),
            attributes: ["pk", "sk", "l", "g"].into_iter().map(attribute).collect(),
            key: KeySchema { partition: attribute("pk"), sort: Some(attribute("sk")) },
            indexes,
            billing: BillingMode::PayPerRequest,
            throughput: Throughput::default(),
            deletion_protection: false,
            table_class: None,
            tags: Vec::new(),
        })
        .await;
        for _ in 0..2_000 {
            let describe = DescribeTableInput { table: name.clone() };
            let output = self.store.send(Context::default(), describe).await.expect("it was just made");
            if output.description.table.status == Status::Active {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
        panic!("the table does not become active");
    }
}

pub(super) fn attribute(name: &str) -> KeyAttribute {
    KeyAttribute { name: name.into(), value_type: ValueType::S }
}

pub(super) fn local(projection: IndexProjection) -> NewIndex {
    NewIndex {
        name: IndexName::new("by-l").unwrap(),
        kind: IndexKind::Local,
        key: KeySchema { partition: attribute("pk"), sort: Some(attribute("l")) },
        projection,
        throughput: Throughput::default(),
    }
}

pub(super) fn global(projection: IndexProjection) -> NewIndex {
    NewIndex {
        name: IndexName::new("by-g").unwrap(),
        kind: IndexKind::Global,
        key: KeySchema { partition: attribute("g"), sort: Some(attribute("sk")) },
        projection,
        throughput: Throughput::default(),
    }
}

pub(super) fn s(text: impl Into<String>) -> AttributeValue {
    AttributeValue::S(text.into())
}

pub(super) fn key(partition: u8, sort: u8) -> Item {
    Item::new().with("pk", s(format!("p{partition}"))).with("sk", s(format!("s{sort}")))
}

pub(super) fn put(table: &TableName, item: Item) -> PutItemInput {
    PutItemInput {
        table: table.clone(),
        item,
        condition: None,
        return_values: ReturnOld::None,
        return_on_failure: ReturnOnFailure::None,
        return_capacity: ReturnConsumedCapacity::None,
        return_collection: ReturnItemCollectionMetrics::None,
    }
}

pub(super) fn delete(table: &TableName, key: Item) -> DeleteItemInput {
    DeleteItemInput {
        table: table.clone(),
        key,
        condition: None,
        return_values: ReturnOld::None,
        return_on_failure: ReturnOnFailure::None,
        return_capacity: ReturnConsumedCapacity::None,
        return_collection: ReturnItemCollectionMetrics::None,
    }
}

pub(super) fn get(table: &TableName, key: Item) -> GetItemInput {
    GetItemInput {
        table: table.clone(),
        key,
        projection: None,
        consistent: false,
        return_capacity: ReturnConsumedCapacity::None,
    }
}

pub(super) fn query(table: &TableName, index: Option<&str>, attribute: &str, value: String) -> QueryInput {
    QueryInput {
        table: table.clone(),
        index: index.map(|index| IndexName::new(index).unwrap()),
        key_condition: KeyCondition {
            tests: vec![(attribute.into(), KeyTest::Compare(Comparator::Eq, s(value)))],
        },
        filter: None,
        select: if index.is_some() { Select::AllProjected } else { Select::AllAttributes },
        limit: None,
        consistent: false,
        forward: true,
        start: None,
        return_capacity: ReturnConsumedCapacity::None,
    }
}

pub(super) fn scan(table: &TableName, index: Option<&str>) -> ScanInput {
    ScanInput {
        table: table.clone(),
        index: index.map(|index| IndexName::new(index).unwrap()),
        filter: None,
        select: if index.is_some() { Select::AllProjected } else { Select::AllAttributes },
        limit: None,
        consistent: false,
        segment: None,
        start: None,
        return_capacity: ReturnConsumedCapacity::None,
    }
}

pub(super) fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(work)
}
