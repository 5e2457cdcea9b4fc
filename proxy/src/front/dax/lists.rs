//! The registry of attribute lists, as the DAX front asks for it, over the store's.
//!
//! A client that is about to write gets an id that lasts, or is told why not. An answer gets one that lasts where there is
//! room and the log is quick; otherwise a passing one at once, so that no read fails or hangs for the registry's sake.

use std::sync::Arc;
use std::time::Duration;

use api::{Context, Error};
use dax::attribute_lists::{AttributeLists, Defining, Demand, ListId, Names, PASSING};
use parking_lot::Mutex;
use store::Embedded;
use store::attribute_lists::{self, PASSING_IDS};

use super::passing::Passing;

/// How long an answer waits for an id that lasts, once for each list that has none.
const ANSWER_WAIT: Duration = Duration::from_millis(100);
/// The pause before another stretch of passing ids is asked for, where the store gave none.
const STOCK_PAUSE: Duration = Duration::from_secs(1);

/// The registry of the store below.
pub struct StoreLists {
    store: Arc<Embedded>,
    // Held for a look or an insertion.
    passing: Mutex<Passing>,
    short: tokio::sync::Notify,
    stocking: tokio::sync::Mutex<()>,
}

impl StoreLists {
    /// Over a store. Somebody should run [`StoreLists::keep_stock`].
    pub fn new(store: Arc<Embedded>) -> StoreLists {
        StoreLists {
            store,
            passing: Mutex::default(),
            short: tokio::sync::Notify::new(),
            stocking: tokio::sync::Mutex::new(()),
        }
    }

    /// Keeps passing ids at hand, so that one is there also when the store takes no writes any more. For ever.
    pub async fn keep_stock(self: Arc<Self>) {
        loop {
            match self.stock().await {
                Ok(()) => self.short.notified().await,
                Err(error) => {
                    tracing::warn!(%error, "no ids for passing attribute lists could be had from the store");
                    tokio::time::sleep(STOCK_PAUSE).await;
                }
            }
        }
    }

    /// Takes stretches until there is one in use and one at hand.
    async fn stock(&self) -> Result<(), Error> {
        // One at a time: a second one would take what the first just got.
        let _alone = self.stocking.lock().await;
        while self.passing.lock().is_short() {
            let first = self.store.take_passing_ids(&Context::default()).await?;
            self.passing.lock().stock(first..first + PASSING_IDS);
        }
        Ok(())
    }

    async fn pass(&self, names: &Names) -> Result<u64, Error> {
        loop {
            let given = {
                let mut passing = self.passing.lock();
                let given = passing.give(names);
                if passing.is_short() {
                    self.short.notify_one();
                }
                given
            };
            match given {
                Some(id) => return Ok(id),
                None => self.stock().await?,
            }
        }
    }

    async fn define_for_answer(&self, names: Names) -> Result<u64, Error> {
        let cx = Context::default();
        let lasting =
            self.store.define_attribute_list(&cx, Arc::clone(&names), attribute_lists::Demand::Answer);
        match tokio::time::timeout(ANSWER_WAIT, lasting).await {
            Ok(Ok(id)) => Ok(id),
            // Full, failing or slow.
            Ok(Err(_)) | Err(_) => self.pass(&names).await,
        }
    }
}

impl AttributeLists for StoreLists {
    fn id(&self, names: &[&str], demand: Demand) -> Option<ListId> {
        let lasting = self.store.attribute_lists().id(names);
        let id = lasting.or_else(|| match demand {
            Demand::Write => None,
            Demand::Answer => self.passing.lock().id(names),
        });
        id.map(ListId)
    }

    fn names(&self, id: ListId) -> Option<Names> {
        if id < PASSING { self.store.attribute_lists().names(id.0) } else { self.passing.lock().names(id.0) }
    }

    fn define(&self, names: Names, demand: Demand) -> Defining<'_> {
        Box::pin(async move {
            let id = match demand {
                Demand::Write => {
                    let cx = Context::default();
                    self.store.define_attribute_list(&cx, names, attribute_lists::Demand::Client).await
                }
                Demand::Answer => self.define_for_answer(names).await,
            };
            id.map(ListId)
        })
    }
}
