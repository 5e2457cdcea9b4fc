//! The properties that must hold whatever happens: a file each, but for those that the judge of histories knows, which are one
//! ([`clients`]). Of the promises P4, P8, P9 and P10 have no file: `docs/reliability.md` says what judges them.
//!
//! Of one node: that acknowledged writes survive and transactions are whole is [`crate::ledger`]'s; [`index`]: every index entry
//! matches its item; [`feed`]: changes are told in order, each on top of the one before, with a time that never runs back;
//! [`cache`]: reads through the caches never go back in time and are what the store held.
//!
//! Of several: [`clients`] what a history of their clients shows (P1, P2, P3, P5, P6, P11, and of P12 that nothing is invented), by the judge that
//! also judges real clusters; [`age`] no answer is older than it may be (P7); [`exact`] every answer is what the store held at the version
//! it names (P5, P12), which a fill that raced a write would break too (P4); [`replicas`] all nodes are told the same (P11).

pub mod age;
pub mod cache;
pub mod clients;
pub mod exact;
pub mod feed;
pub mod index;
pub mod replicas;

use std::sync::Arc;
use std::time::Duration;

use history::record::History;

/// What a world of several nodes leaves to be judged.
pub struct Evidence {
    /// What clients asked and were told.
    pub history: History,
    /// What was committed.
    pub chronicle: Arc<replicas::Chronicle>,
    /// What each life of each node was told.
    pub told: Vec<Arc<replicas::Told>>,
    /// Nothing older may be answered.
    pub max_lag: Duration,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Judged {
    /// What was wrong.
    pub faults: Vec<String>,
    /// Acknowledged writes.
    pub acknowledged: usize,
    /// Answered reads.
    pub reads: usize,
}

/// Asks every oracle.
pub fn judge(evidence: &Evidence) -> Judged {
    let mut judged = clients::judge(&evidence.history);
    judged.faults.extend(exact::check(&evidence.history, &evidence.chronicle));
    judged.faults.extend(age::check(&evidence.history, evidence.max_lag));
    judged.faults.extend(evidence.chronicle.faults());
    judged.faults.extend(evidence.told.iter().flat_map(|told| told.faults()));
    judged
}
