//! The registry of attribute lists, as the DAX front asks for it, over the store's.
//!
//! New ones are numbered by the [`Registrar`]: this node's store, or in a cluster the primary.
//!
//! A client that is about to write gets an id that lasts, or is told why not. An answer gets one that lasts where there is
//! room and the log is quick; otherwise a passing one at once, so that no read fails or hangs for the registry's sake.

use std::future::Future;
use std::pin::Pin;
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

/// A number under way.
pub type Drawing<'a> = Pin<Box<dyn Future<Output = Result<u64, Error>> + Send + 'a>>;

/// Gives lists their numbers.
pub trait Registrar: Send + Sync + 'static {
    /// The id of a list, given to it now if it had none; known to this node's store, too, when it is answered.
    fn define(&self, names: Names, demand: attribute_lists::Demand) -> Drawing<'_>;
    /// The first of [`PASSING_IDS`] ids that nobody had and nobody else gets.
    fn take_passing_ids(&self) -> Drawing<'_>;
}

/// A store that stands alone.
impl Registrar for Embedded {
    fn define(&self, names: Names, demand: attribute_lists::Demand) -> Drawing<'_> {
        Box::pin(async move { self.define_attribute_list(&Context::default(), names, demand).await })
    }

    fn take_passing_ids(&self) -> Drawing<'_> {
        Box::pin(async move { Embedded::take_passing_ids(self, &Context::default()).await })
    }
}

/// The registry of the store below.
pub struct StoreLists {
    store: Arc<Embedded>,
    registrar: Arc<dyn Registrar>,
    // Held for a look or an insertion.
    passing: Mutex<Passing>,
    short: tokio::sync::Notify,
    stocking: tokio::sync::Mutex<()>,
}

impl StoreLists {
    /// Over a store. Somebody should run [`StoreLists::keep_stock`].
    pub fn new(store: Arc<Embedded>, registrar: Arc<dyn Registrar>) -> StoreLists {
        StoreLists {
            store,
            registrar,
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
            let first = self.registrar.take_passing_ids().await?;
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
        let lasting = self.registrar.define(Arc::clone(&names), attribute_lists::Demand::Answer);
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
                Demand::Write => self.registrar.define(names, attribute_lists::Demand::Client).await,
                Demand::Answer => self.define_for_answer(names).await,
            };
            id.map(ListId)
        })
    }
}

#[cfg(test)]
mod tests {
    use api::ErrorKind;
    use store::EmbeddedSettings;
    use store::attribute_lists::LISTS_BYTES_MAX;
    use store::embedded::Surroundings;

    use super::*;

    /// Names so long that few such lists are all there is room for.
    fn long(number: usize) -> Names {
        (0..6).map(|at| format!("{number:06}-{at}-{}", "n".repeat(65_000))).collect()
    }

    fn borrowed(names: &Names) -> Vec<&str> {
        names.iter().map(String::as_str).collect()
    }

    #[tokio::test]
    async fn a_full_registry_refuses_writes_and_still_names_every_answer() {
        let store = Embedded::in_memory(EmbeddedSettings::default(), Surroundings::system(), Arc::new(()));
        let store = Arc::new(store.unwrap());
        let lists = StoreLists::new(Arc::clone(&store), Arc::clone(&store) as Arc<dyn Registrar>);
        let room = LISTS_BYTES_MAX / long(0).iter().map(String::len).sum::<usize>();
        let mut given = Vec::new();
        for number in 0..room {
            let names = long(number);
            let id = lists.define(Arc::clone(&names), Demand::Answer).await.unwrap();
            assert_eq!(lists.names(id).as_ref(), Some(&names));
            // Where the log was slow it got a passing one, and the one that lasts came after.
            let known = lists.id(&borrowed(&names), Demand::Answer);
            assert!(known == Some(id) || (id >= PASSING && known < Some(PASSING)), "{known:?} beside {id:?}");
            given.push((id, names));
        }
        let for_writing = |names: &Names| lists.id(&borrowed(names), Demand::Write);
        let lasting = given.iter().filter(|(_, names)| for_writing(names).is_some()).count();
        assert!(lasting <= room / 2 && lasting >= room / 2 - 1, "answers have half: {lasting} of {room}");
        // What an id means is known, of passing ones for a while; a client that writes never gets a passing one.
        let lasts = |given: &&(ListId, Names)| given.0 < PASSING;
        for (id, names) in given.iter().rev().take(8).chain(given.iter().filter(lasts).take(8)) {
            assert_eq!(lists.names(*id).as_ref(), Some(names));
            let known = for_writing(names);
            assert!(
                known < Some(PASSING) && (*id >= PASSING || known == Some(*id)),
                "{known:?} beside {id:?}"
            );
        }
        let (passing, names) = given.pop().unwrap();
        let for_good = lists.define(Arc::clone(&names), Demand::Write).await.unwrap();
        assert!(for_good < PASSING && passing >= PASSING);
        // Both numbers stand for it from then on: a client may hold either.
        assert_eq!((lists.names(passing), lists.names(for_good)), (Some(names.clone()), Some(names)));
        let refused = loop {
            let names = long(given.len() + room);
            given.push((PASSING, Arc::clone(&names)));
            if let Err(error) = lists.define(names, Demand::Write).await {
                break error;
            }
            assert!(given.len() < 3 * room, "there is no bound");
        };
        assert_eq!(refused.kind, ErrorKind::LimitExceededException);
        let answered = lists.define(long(9 * room), Demand::Answer).await.unwrap();
        assert!(answered >= PASSING, "a read goes on");
        store.close().await.unwrap();
    }

    #[tokio::test]
    async fn answers_are_named_when_the_store_takes_no_writes_any_more() {
        let store = Embedded::in_memory(EmbeddedSettings::default(), Surroundings::system(), Arc::new(()));
        let store = Arc::new(store.unwrap());
        let lists = StoreLists::new(Arc::clone(&store), Arc::clone(&store) as Arc<dyn Registrar>);
        lists.stock().await.unwrap();
        store.close().await.unwrap();
        let names: Names = vec!["a".to_owned()].into();
        let id = lists.define(Arc::clone(&names), Demand::Answer).await.unwrap();
        assert!(id >= PASSING);
        assert_eq!(lists.names(id), Some(Arc::clone(&names)));
        lists.define(names, Demand::Write).await.unwrap_err();
    }
}
