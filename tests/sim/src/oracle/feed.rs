//! The feed of committed changes: raised before it is published, in the log's order, each change on top of the image before
//! it, log time never running back. Caches and streams stand on this order.

use std::collections::HashMap;
use std::sync::Arc;

use api::{Change, ChangeSink, Image, KeyBytes, Table, TableId, Version};
use parking_lot::Mutex;

/// Consumes the feed of one life of a node, and notes what is wrong with it.
#[derive(Default)]
pub struct Feed {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    raised: Vec<(Version, u32)>,
    last: Option<(Version, u32)>,
    applied: Version,
    log_time_millis: u64,
    images: HashMap<(TableId, KeyBytes), Image>,
    told: u64,
    faults: Vec<String>,
}

impl Feed {
    /// What was wrong so far.
    pub fn faults(&self) -> Vec<String> {
        self.inner.lock().faults.clone()
    }

    /// Changes told so far.
    pub fn told(&self) -> u64 {
        self.inner.lock().told
    }
}

impl ChangeSink for Feed {
    fn raise(&self, changes: &[Change]) {
        let mut inner = self.inner.lock();
        inner.raised = changes.iter().map(|change| (change.version, change.ordinal)).collect();
    }

    fn publish(&self, changes: &[Change], applied: Version) {
        let mut inner = self.inner.lock();
        let published: Vec<_> = changes.iter().map(|change| (change.version, change.ordinal)).collect();
        // A batch without changes is published without having raised anything.
        let raised = std::mem::take(&mut inner.raised);
        if published != raised {
            inner.faults.push(format!("raised {raised:?}, published {published:?}"));
        }
        for change in changes {
            let place = (change.version, change.ordinal);
            if let Some(last) = inner.last
                && (last.0.index, last.1) >= (place.0.index, place.1)
            {
                inner.faults.push(format!("{place:?} came after {last:?}"));
            }
            inner.last = Some(place);
            if change.log_time_millis < inner.log_time_millis {
                let before = inner.log_time_millis;
                inner.faults.push(format!("log time ran back from {before} to {}", change.log_time_millis));
            }
            inner.log_time_millis = change.log_time_millis;
            let key = (change.table.id, change.key.clone());
            if let Some(known) = inner.images.get(&key)
                && *known != change.old
            {
                inner
                    .faults
                    .push(format!("{place:?}: the old image is not the new one of the change before"));
            }
            inner.images.insert(key, change.new.clone());
            inner.told += 1;
        }
        if applied.index < inner.applied.index {
            let before = inner.applied.index;
            inner.faults.push(format!("applied ran back from {before} to {}", applied.index));
        }
        inner.applied = applied;
    }

    fn table_changed(&self, _: &Arc<Table>, _: bool) {}

    fn gap(&self, _: Version) {
        self.inner.lock().images.clear();
    }
}
