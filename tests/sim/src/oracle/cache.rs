//! Reads through the caches: every answer is exactly what the store held at the version it says it is of (P4, P5, P12), no
//! answer is of a version before one that was acknowledged when it was asked for, and none given to a connection that keeps
//! its floor is of a version before an earlier one (P3).
//!
//! What the store held is known from the feed: a base read at the start of a life, and every change since, noted before it
//! is committed, so that nothing can be read that is not noted.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::service::Source;
use api::{Change, ChangeSink, Context, DynamoDb, Image, Item, OpKind, Response, Shared, Table, Version};
use host::clock::ManualClock;
use host::metrics::Registry;
use host::settings::ByteSize;
use parking_lot::Mutex;
use proxy::cache::{Cache, CacheSettings};
use proxy::layer::{Cached, Encoders, Resolved};
use serde_json::{Value, json};
use store::Embedded;

use crate::oracle::feed::Feed;
use crate::random::Random;

/// Milliseconds that an entry lives: some do not outlive their world.
const TTL_MILLIS: u64 = 300;
/// Partitions of the index.
const PARTITIONS: u64 = 4;

/// Whether the caches are told what a write makes stale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stamps {
    /// As it must be.
    Raised,
    /// The planted bug: writes raise no stamp.
    Forgotten,
}

/// Tells the feed's oracle and the caches of every change, and remembers it.
pub struct Watched {
    feed: Arc<Feed>,
    cache: Arc<Cache>,
    clock: ManualClock,
    stamps: Stamps,
    noted: Mutex<Vec<(u64, String, Option<Item>)>>,
}

impl Watched {
    /// Empty caches of a new life.
    pub fn new(feed: Arc<Feed>, seed: u64, stamps: Stamps) -> Arc<Watched> {
        let settings = CacheSettings {
            cache_bytes: ByteSize::mib(16),
            record_ttl_millis: TTL_MILLIS,
            query_ttl_millis: TTL_MILLIS,
            ..CacheSettings::default()
        };
        let clock = ManualClock::default();
        let cache = Cache::new(settings, Arc::new(clock.clone()), seed, 1, &Registry::new());
        let cache = cache.expect("the settings are sound");
        Arc::new(Watched { feed, cache, clock, stamps, noted: Mutex::default() })
    }
}

impl ChangeSink for Watched {
    fn raise(&self, changes: &[Change]) {
        let mut noted = self.noted.lock();
        for change in changes {
            let item = match &change.new {
                Image::Present(item) => Some(item.to_item()),
                Image::Absent | Image::Unknown => None,
            };
            let Some(key) = key_of(change) else { continue };
            noted.push((change.version.index, key, item));
        }
        drop(noted);
        self.feed.raise(changes);
        if self.stamps == Stamps::Raised {
            self.cache.raise(changes);
        }
    }

    fn publish(&self, changes: &[Change], applied: Version) {
        self.feed.publish(changes, applied);
        self.cache.publish(changes, applied);
    }

    fn table_changed(&self, table: &Arc<Table>, dropped: bool) {
        self.feed.table_changed(table, dropped);
        self.cache.table_changed(table, dropped);
    }

    fn gap(&self, applied: Version) {
        self.feed.gap(applied);
        self.cache.gap(applied);
    }
}

/// The item's key, which is one string.
fn key_of(change: &Change) -> Option<String> {
    match (&change.new, &change.old) {
        (Image::Present(item), _) | (_, Image::Present(item)) => Some(text_of(&item.to_item(), "p")),
        _ => None,
    }
}

fn text_of(item: &Item, attribute: &str) -> String {
    match item.get(attribute) {
        Some(api::AttributeValue::S(text)) => text.clone(),
        _ => String::new(),
    }
}

/// A connection: with a floor, it asks for no less than it was given before.
struct Reader {
    floor: Option<Version>,
    keeps_floor: bool,
}

/// One life's reads through the caches.
pub struct Caches {
    table: &'static str,
    store: Arc<Embedded>,
    cached: Shared,
    watched: Arc<Watched>,
    base: (u64, BTreeMap<String, Item>),
    readers: Vec<Reader>,
    /// Answers that came from memory.
    pub hits: u64,
}

impl Caches {
    /// Puts the caches before a store that was just opened and is at rest. `watched` is its sink.
    pub async fn over(
        store: &Arc<Embedded>,
        watched: &Arc<Watched>,
        table: &'static str,
    ) -> Result<Caches, String> {
        let cached = Cached::new(Arc::clone(store), Arc::clone(&watched.cache), Encoders::none());
        let mut caches = Caches {
            table,
            store: Arc::clone(store),
            cached: Shared::new(Resolved::new(cached, store.catalog())),
            watched: Arc::clone(watched),
            base: (0, BTreeMap::new()),
            readers: [true, true, false].map(|keeps_floor| Reader { floor: None, keeps_floor }).into(),
            hits: 0,
        };
        let scan = json!({"TableName": table, "ConsistentRead": true});
        let answer = call(&**store, Context::default(), "Scan", &scan).await;
        let answer = answer.map_err(|error| format!("the base is not to be had: {error}"))?;
        let version = answer.version.ok_or("a scan of no version")?;
        let items = items_of(answer.response)?;
        caches.base = (version.index, items.into_iter().map(|item| (text_of(&item, "p"), item)).collect());
        Ok(caches)
    }

    /// The clock the entries' time to live goes by.
    pub fn advance(&self, millis: u64) {
        self.watched.clock.advance(std::time::Duration::from_millis(millis));
    }

    /// One read, as the numbers decide; what was wrong with its answer. An error is no fault: the store may be dead.
    pub async fn read(&mut self, random: &mut Random, keys: u64) -> Option<String> {
        let which = random.below(self.readers.len() as u64) as usize;
        let asked = Asked::drawn(random, keys);
        let (op, body) = asked.request(self.table);
        let reader = &mut self.readers[which];
        let min_version = reader.floor.filter(|_| reader.keeps_floor);
        let acknowledged = self.store.version();
        let cx = Context { min_version, ..Context::default() };
        let Ok(answer) = call(&self.cached, cx, op, &body).await else { return None };
        let fault = |what: &str| Some(format!("{asked:?} from {:?}: {what}", answer.source));
        let Some(version) = answer.version else { return fault("of no version") };
        if version.at_least(&acknowledged) != Some(true) {
            return fault(&format!("as of {version:?}, when {acknowledged:?} was acknowledged"));
        }
        if let Some(min) = min_version
            && version.at_least(&min) != Some(true)
        {
            return fault(&format!("as of {version:?}, when {min:?} had been seen"));
        }
        reader.floor = Some(version);
        self.hits += u64::from(answer.source == Source::Cache);
        let found = match items_of(answer.response.clone()) {
            Ok(found) => found,
            Err(error) => return fault(&error),
        };
        let expected = asked.expected(&self.state_at(version.index));
        let mut sorted = found.clone();
        sorted.sort_by_key(|item| text_of(item, "p"));
        if sorted != expected {
            return fault(&format!("as of {version:?} {found:?}, when the store held {expected:?}"));
        }
        None
    }

    fn state_at(&self, index: u64) -> BTreeMap<String, Item> {
        let (since, mut state) = self.base.clone();
        let noted = self.watched.noted.lock();
        for (_, key, item) in noted.iter().filter(|(at, ..)| *at > since && *at <= index) {
            match item {
                Some(item) => state.insert(key.clone(), item.clone()),
                None => state.remove(key),
            };
        }
        state
    }
}

#[derive(Debug)]
enum Asked {
    Item(String),
    Partition(String),
    Scan,
    ScanIndex,
}

impl Asked {
    fn drawn(random: &mut Random, keys: u64) -> Asked {
        match random.below(8) {
            0..=2 => Asked::Item(format!("k{}", random.below(keys))),
            3..=5 => Asked::Partition(format!("g{}", random.below(PARTITIONS))),
            6 => Asked::Scan,
            _ => Asked::ScanIndex,
        }
    }

    fn request(&self, table: &str) -> (&'static str, Value) {
        match self {
            Asked::Item(key) => ("GetItem", json!({"TableName": table, "Key": {"p": {"S": key}}})),
            Asked::Partition(g) => (
                "Query",
                json!({"TableName": table, "IndexName": "by-g", "KeyConditionExpression": "g = :g",
                    "ExpressionAttributeValues": {":g": {"S": g}}}),
            ),
            Asked::Scan => ("Scan", json!({"TableName": table})),
            Asked::ScanIndex => ("Scan", json!({"TableName": table, "IndexName": "by-g"})),
        }
    }

    /// What a store of that state answers, by key.
    fn expected(&self, state: &BTreeMap<String, Item>) -> Vec<Item> {
        let of = |item: &&Item| match self {
            Asked::Item(key) => text_of(item, "p") == *key,
            Asked::Partition(g) => text_of(item, "g") == *g,
            Asked::Scan => true,
            Asked::ScanIndex => item.get("g").is_some(),
        };
        state.values().filter(of).cloned().collect()
    }
}

async fn call(db: &impl DynamoDb, cx: Context, op: &str, body: &Value) -> Result<api::Answer, api::Error> {
    let op = OpKind::from_name(op).expect("worlds name operations of the contract");
    db.call(cx, http_front::codec::decode_request(op, body.to_string().as_bytes())?).await
}

fn items_of(response: Response) -> Result<Vec<Item>, String> {
    let bodies = match response {
        Response::GetItem(output) => output.item.into_iter().collect(),
        Response::Query(page) | Response::Scan(page) if page.last_key.is_none() => {
            page.items.ok_or("a page without items")?
        }
        _ => return Err("an answer to another question, or one page of many".to_owned()),
    };
    Ok(bodies.into_iter().map(|body| Item::clone(&body.to_item())).collect())
}
