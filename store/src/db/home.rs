//! Where the states of a node live: the one in use, and those that are on their way in from a peer.
//!
//! Invariant: whatever happens, an opening finds one whole state: the one that was in use, or, once [`NewState::switch`] has
//! returned, the new one. A crash within the switch leaves either.

use std::sync::Arc;

use arc_swap::ArcSwap;

use super::memory::MemoryDb;
use super::{DbError, SharedDb};

/// A place for states.
pub trait StateHome: Send + Sync + 'static {
    /// A place for a state beside the one in use. There may be several at a time: one that is whole and waits for its turn, and
    /// one whose sender has begun again meanwhile.
    fn begin(&self) -> Result<Box<dyn NewState>, DbError>;
}

/// A state that is not in use. Dropped before the switch, it is as if it had never been.
pub trait NewState: Send + 'static {
    /// The instance that it is written to, empty at first.
    fn db(&self) -> &SharedDb;

    /// All of it is written and flushed: makes everything ready for the switch that may need room on the disk.
    fn seal(&mut self) -> Result<(), DbError>;

    /// From now on this is the one that an opening finds. Durable when it returns. What was in use before goes when nobody
    /// reads it any more. After an error either may be found.
    fn switch(self: Box<Self>) -> Result<SharedDb, DbError>;
}

/// The home of states that are gone with the process.
#[derive(Debug, Default)]
pub struct VolatileHome;

impl StateHome for VolatileHome {
    fn begin(&self) -> Result<Box<dyn NewState>, DbError> {
        Ok(Box::new(Volatile(Arc::new(MemoryDb::volatile()))))
    }
}

struct Volatile(SharedDb);

impl NewState for Volatile {
    fn db(&self) -> &SharedDb {
        &self.0
    }

    fn seal(&mut self) -> Result<(), DbError> {
        Ok(())
    }

    fn switch(self: Box<Self>) -> Result<SharedDb, DbError> {
        Ok(self.0)
    }
}

/// A home that takes no other state in.
#[derive(Debug, Default)]
pub struct FixedHome;

impl StateHome for FixedHome {
    fn begin(&self) -> Result<Box<dyn NewState>, DbError> {
        Err(DbError::Misused("this store has no place for a state from a peer".into()))
    }
}

/// The instance that holds the state. It changes only when another state is installed; who has loaded it goes on reading what it
/// was.
pub struct CurrentDb {
    db: ArcSwap<SharedDb>,
}

impl CurrentDb {
    /// Begins with this one.
    pub fn new(db: SharedDb) -> CurrentDb {
        CurrentDb { db: ArcSwap::from_pointee(db) }
    }

    /// The one in use now. One pointer load.
    pub fn load(&self) -> arc_swap::Guard<Arc<SharedDb>> {
        self.db.load()
    }

    /// The one in use now, to be kept.
    pub fn shared(&self) -> SharedDb {
        Arc::clone(&self.db.load())
    }

    /// From now on this one.
    pub(crate) fn replace(&self, db: SharedDb) {
        self.db.store(Arc::new(db));
    }
}
