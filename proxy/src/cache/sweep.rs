//! Drops, in the background, what can't be served any more: entries past their deadline, of an older epoch, or of a table
//! that is gone.
//!
//! Correctness does not hang on it: every hit checks deadline and epoch for itself, and a dropped table's id never comes
//! back. It only gives memory back before eviction would. It holds no lock for longer than one entry takes, and lets
//! other tasks run after every [`ENTRIES_PER_TURN`].

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use api::TableId;

use super::Cache;

/// Entries looked at before other tasks get their turn: some 50 microseconds' worth.
const ENTRIES_PER_TURN: usize = 256;
/// How often the node sweeps.
pub const SWEEP_EVERY: Duration = Duration::from_secs(30);

/// What one sweep dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Swept {
    /// Items dropped.
    pub items: u64,
    /// Pages dropped.
    pub pages: u64,
}

/// One pass over both caches, in steps.
struct Pass<'a> {
    cache: &'a Cache,
    gone: HashSet<TableId>,
    epoch: u64,
    now_nanos: u64,
}

impl<'a> Pass<'a> {
    fn begin(cache: &'a Cache) -> Option<Pass<'a>> {
        let epoch = cache.position.now()?.epoch;
        let gone = cache.gone_tables.lock().clone();
        Some(Pass { cache, gone, epoch, now_nanos: cache.clock.monotonic_nanos() })
    }

    fn dead(&self, table: TableId, epoch: u64, deadline_nanos: u64) -> bool {
        deadline_nanos <= self.now_nanos || epoch < self.epoch || self.gone.contains(&table)
    }

    fn end(self) {
        // Those that went while this pass was under way are left for the next.
        self.cache.gone_tables.lock().retain(|table| !self.gone.contains(table));
    }
}

impl Cache {
    /// Sweeps once, without pause.
    pub fn sweep(&self) -> Swept {
        let mut swept = Swept::default();
        let Some(pass) = Pass::begin(self) else {
            return swept;
        };
        let dead = |table, epoch, deadline| pass.dead(table, epoch, deadline);
        for entry in self.items.map().iter() {
            swept.items += u64::from(self.items.remove_dead(&entry, dead));
        }
        for entry in self.pages.map().iter() {
            swept.pages += u64::from(self.pages.remove_dead(&entry, dead));
        }
        pass.end();
        swept
    }

    /// Drops what was to live longer than it would if it were kept now: after times to live have become shorter. It is judged by
    /// the times for all tables, so that an entry of a table with a longer one of its own may go too, which costs a miss. A fill
    /// that was under way may yet come by the old time.
    pub async fn shorten(&self) {
        let all = self.policies.load().all();
        let now_nanos = self.clock.monotonic_nanos();
        let latest =
            (now_nanos.saturating_add(all.record_ttl_nanos), now_nanos.saturating_add(all.query_ttl_nanos));
        for (turn, entry) in self.items.map().iter().enumerate() {
            self.items.remove_dead(&entry, |_, _, deadline| deadline > latest.0);
            if turn % ENTRIES_PER_TURN == 0 {
                tokio::task::yield_now().await;
            }
        }
        for (turn, entry) in self.pages.map().iter().enumerate() {
            self.pages.remove_dead(&entry, |_, _, deadline| deadline > latest.1);
            if turn % ENTRIES_PER_TURN == 0 {
                tokio::task::yield_now().await;
            }
        }
    }

    /// Sweeps again and again, as long as the task is not dropped.
    pub async fn sweep_every(self: Arc<Self>, every: Duration) {
        let mut due = tokio::time::interval(every);
        due.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            due.tick().await;
            let Some(pass) = Pass::begin(&self) else {
                continue;
            };
            let dead = |table, epoch, deadline| pass.dead(table, epoch, deadline);
            for (turn, entry) in self.items.map().iter().enumerate() {
                self.items.remove_dead(&entry, dead);
                if turn % ENTRIES_PER_TURN == 0 {
                    tokio::task::yield_now().await;
                }
            }
            for (turn, entry) in self.pages.map().iter().enumerate() {
                self.pages.remove_dead(&entry, dead);
                if turn % ENTRIES_PER_TURN == 0 {
                    tokio::task::yield_now().await;
                }
            }
            pass.end();
        }
    }
}
