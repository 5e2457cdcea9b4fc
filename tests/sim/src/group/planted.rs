//! Bugs that are planted in a world, to show that its oracles would see them.

use std::sync::Arc;
use std::time::Duration;

use api::op::delete_item::DeleteItemOutput;
use api::op::put_item::PutItemOutput;
use api::{Answer, Change, ChangeSink, Context, DynamoDb, Error, OpClass, Request, Response, Table, Version};
use parking_lot::Mutex;
use proxy::cache::Cache;
use proxy::cluster::member::OwnStore;
use proxy::layer::Role;
use proxy::layer::route::Member;
use store::db::SharedDb;
use store::db::memory::MemoryDb;
use tokio::sync::watch;

use crate::lying::{Lie, Lying};
use crate::oracle::replicas::Told;

/// What is wrong with every node of a world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// Nothing.
    None,
    /// The log's disk says that it has synced, and has not.
    NeverSynced,
    /// The primary acknowledges what it has only proposed.
    EarlyAnswer,
    /// Writes raise no stamp in the caches.
    StampNotRaised,
    /// What was read from the store is filled in as if it were of a later version.
    StaleFill,
    /// The record of how far the log was applied falls behind what was applied.
    AppliedTwice,
}

impl Bug {
    /// All that are bugs.
    pub const PLANTED: [Bug; 5] =
        [Bug::NeverSynced, Bug::EarlyAnswer, Bug::StampNotRaised, Bug::StaleFill, Bug::AppliedTwice];
}

/// The log's engine.
pub fn log(engine: MemoryDb, bug: Bug) -> SharedDb {
    match bug {
        Bug::NeverSynced => Arc::new(Lying(engine, Lie::Synced)),
        _ => Arc::new(engine),
    }
}

/// The state's engine.
pub fn state(engine: MemoryDb, bug: Bug) -> SharedDb {
    match bug {
        Bug::AppliedTwice => {
            let key = store::kv::applied::KEY.to_vec();
            Arc::new(Lying(engine, Lie::FlushedTogether { key, last: Mutex::default() }))
        }
        _ => Arc::new(engine),
    }
}

/// Whoever is told of changes: the world, then the caches.
pub fn sink(told: Arc<Told>, cache: Arc<Cache>, bug: Bug) -> Arc<dyn ChangeSink> {
    Arc::new(Sink { told, cache, bug })
}

struct Sink {
    told: Arc<Told>,
    cache: Arc<Cache>,
    bug: Bug,
}

impl ChangeSink for Sink {
    fn raise(&self, changes: &[Change]) {
        self.told.raise(changes);
        if self.bug != Bug::StampNotRaised {
            self.cache.raise(changes);
        }
    }

    fn publish(&self, changes: &[Change], applied: Version) {
        self.told.publish(changes, applied);
        self.cache.publish(changes, applied);
    }

    fn table_changed(&self, table: &Arc<Table>, dropped: bool) {
        self.told.table_changed(table, dropped);
        self.cache.table_changed(table, dropped);
    }

    fn gap(&self, applied: Version) {
        self.told.gap(applied);
        self.cache.gap(applied);
    }
}

/// How long a fill is under way that is taken for a later one.
const FILL: Duration = Duration::from_millis(12);

/// A node's store, as one of its group.
pub struct Store {
    /// The shipped one.
    pub own: OwnStore,
    /// What is wrong with it.
    pub bug: Bug,
}

impl Member for Store {
    fn role(&self) -> watch::Receiver<Role> {
        self.own.role()
    }

    fn version(&self) -> Version {
        self.own.version()
    }

    async fn reached(&self, index: u64) {
        self.own.reached(index).await;
    }

    async fn catch_up(&self, cx: &Context) -> Result<(), Error> {
        self.own.catch_up(cx).await
    }

    async fn everywhere(&self, index: u64) {
        self.own.everywhere(index).await;
    }

    fn age(&self) -> Option<Duration> {
        self.own.age()
    }

    fn unheard(&self) -> Duration {
        self.own.unheard()
    }

    fn failure(&self) -> Option<Error> {
        self.own.failure()
    }
}

impl DynamoDb for Store {
    async fn call(&self, cx: Context, request: Request) -> Result<Answer, Error> {
        match self.bug {
            Bug::StaleFill if request.kind().class() == OpClass::Read => {
                let mut answer = self.own.call(cx, request).await?;
                tokio::time::sleep(FILL).await;
                answer.version = answer.version.map(|_| self.own.version());
                Ok(answer)
            }
            Bug::EarlyAnswer => self.answer_early(cx, request).await,
            _ => self.own.call(cx, request).await,
        }
    }
}

impl Store {
    async fn answer_early(&self, cx: Context, request: Request) -> Result<Answer, Error> {
        let response = match &request {
            Request::PutItem(input) if input.condition.is_none() => {
                Response::PutItem(PutItemOutput::default())
            }
            Request::DeleteItem(input) if input.condition.is_none() => {
                Response::DeleteItem(DeleteItemOutput::default())
            }
            _ => return self.own.call(cx, request).await,
        };
        let store = Arc::clone(self.own.store());
        let mut written = tokio::spawn(async move { store.call(cx, request).await });
        // Refusals come at once; what takes longer was proposed.
        match tokio::time::timeout(Duration::from_millis(2), &mut written).await {
            Ok(Ok(answered)) => answered,
            Ok(Err(_)) | Err(_) => Ok(Answer::from_store(response, None)),
        }
    }
}
