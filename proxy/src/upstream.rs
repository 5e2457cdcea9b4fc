//! Where misses and writes go: settings → the store of this process.

use std::sync::Arc;

use api::ChangeSink;
use host::clock::{Clock, SystemClock};
use raft::RaftSettings;
use store::embedded::{Entropy, Surroundings};
use store::{Embedded, EmbeddedSettings, OpenError};

use crate::cluster::kept::{Kept, Start};
use crate::config::StoreSettings;
use crate::run::Failure;
use crate::surroundings::System;

/// The machine's clock in the form the store asks for.
struct StoreClock(Arc<SystemClock>);

impl raft::Clock for StoreClock {
    fn now_millis(&self) -> u64 {
        self.0.wall_millis()
    }

    fn monotonic_millis(&self) -> u64 {
        self.0.monotonic_nanos() / 1_000_000
    }
}

impl Entropy for System {
    fn draw(&self) -> u128 {
        self.random_u128()
    }
}

/// Who the store's log is written with. By default this node alone.
#[derive(Default)]
pub struct Group {
    /// The log's settings.
    pub raft: RaftSettings,
    /// The way to the others; none for a node that stands alone.
    pub network: Option<raft::Peers>,
}

/// Opens the store, which tells `sink` where it stands and of every change after that, and brings it up to its log. Blocks
/// until that is done.
///
/// Errors: a directory that can't be used or is in use; one that is a cluster's, where this node stands alone; a store that refuses to open and says what to do.
pub fn open(
    settings: &StoreSettings,
    group: Group,
    sink: Arc<dyn ChangeSink>,
    system: &Arc<System>,
) -> Result<Embedded, Failure> {
    let surroundings = surroundings(system);
    let embedded =
        EmbeddedSettings { raft: group.raft, network: group.network, ..EmbeddedSettings::default() };
    if settings.in_memory {
        return Embedded::in_memory(embedded, surroundings, sink).map_err(Failure::internal);
    }
    let wrong = |error: std::io::Error| {
        Failure::Usage(format!("cannot use {} as the data directory: {error}", settings.data.display()))
    };
    if embedded.network.is_none() {
        // Of a member it was looked at before the others could hear of this node.
        Kept::of(settings)?.suits(&settings.data, Start::Alone).map_err(Failure::Usage)?;
    }
    std::fs::create_dir_all(&settings.data).map_err(wrong)?;
    let engine = store::db::rocks::RocksEngine::new(settings.engine.clone()).map_err(Failure::internal)?;
    Embedded::on_disk(embedded, &engine, &settings.data, surroundings, sink)
        .map_err(|error| does_not_open(settings, error))
}

/// What the store is given of the machine.
pub(crate) fn surroundings(system: &Arc<System>) -> Surroundings {
    Surroundings {
        clock: Arc::new(StoreClock(Arc::clone(system.clock()))),
        entropy: Arc::clone(system) as Arc<dyn Entropy>,
    }
}

/// The failure of a node whose store does not open.
pub(crate) fn does_not_open(settings: &StoreSettings, error: OpenError) -> Failure {
    match error {
        OpenError::Db(store::db::DbError::Locked(_)) => Failure::try_again(error),
        other => {
            Failure::internal(format!("the store in {} does not open: {other}", settings.data.display()))
        }
    }
}
