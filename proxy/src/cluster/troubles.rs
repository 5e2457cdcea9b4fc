//! Nodes that this one could not reach of late, and why: said in the log, once a minute for each and reason, and by `forebay status`.
//!
//! Bounded: of more addresses than a cluster has, the one that was tried longest ago is forgotten.

use std::collections::HashMap;
use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

/// Addresses that are kept: three times as many as a cluster has nodes.
const ADDRESSES_MAX: usize = 33;
/// The silence after a line about an address.
const SILENCE: Duration = Duration::from_secs(60);
/// The same where there is something else to be said.
const SILENCE_OF_NEWS: Duration = Duration::from_secs(10);
/// Whoever was not tried for so long is of no interest any more: nodes try each other several times a second.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(30);

/// A node that can't be reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// Its peer address.
    pub address: String,
    /// Why, and what to do.
    pub why: String,
}

/// What the last attempts came to. Clones share it.
#[derive(Clone, Default)]
pub struct Troubles {
    // Held for a look or an insertion, once an attempt.
    known: Arc<Mutex<HashMap<String, Known>>>,
}

struct Known {
    why: String,
    at: Instant,
    told: Option<(Instant, String)>,
}

impl Troubles {
    /// A node was reached.
    pub fn reached(&self, address: &str) {
        let mut known = self.known.lock();
        if known.is_empty() {
            return;
        }
        if known.remove(address).is_some_and(|trouble| trouble.told.is_some()) {
            drop(known);
            tracing::info!(address, "another node is reached again");
        }
    }

    /// A node was not reached.
    pub fn failed(&self, address: &str, why: &dyn Display) {
        let (why, now) = (why.to_string(), Instant::now());
        let mut known = self.known.lock();
        if known.len() >= ADDRESSES_MAX && !known.contains_key(address) {
            let oldest =
                known.iter().min_by_key(|(_, trouble)| trouble.at).map(|(address, _)| address.clone());
            oldest.map(|oldest| known.remove(&oldest));
        }
        let before = known.get(address).and_then(|trouble| trouble.told.clone());
        let tell = before.as_ref().is_none_or(|(told, what)| {
            now.duration_since(*told) >= if *what == why { SILENCE } else { SILENCE_OF_NEWS }
        });
        let told = if tell { Some((now, why.clone())) } else { before };
        known.insert(address.to_owned(), Known { why: why.clone(), at: now, told });
        drop(known);
        if tell {
            tracing::warn!(address, "another node can't be reached: {why}");
        }
    }

    /// Who can't be reached, by address.
    pub fn now(&self) -> Vec<Trouble> {
        let now = Instant::now();
        let known = self.known.lock();
        let recent = known.iter().filter(|(_, trouble)| now.duration_since(trouble.at) < FORGOTTEN_AFTER);
        let mut troubles: Vec<Trouble> = recent
            .map(|(address, trouble)| Trouble { address: address.clone(), why: trouble.why.clone() })
            .collect();
        troubles.sort_by(|one, other| one.address.cmp(&other.address));
        troubles
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(troubles: &Troubles) -> Vec<String> {
        troubles.now().into_iter().map(|trouble| trouble.address).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_known_is_what_was_tried_last_and_bounded() {
        let troubles = Troubles::default();
        troubles.failed("b:1", &"the first");
        troubles.failed("b:1", &"the last");
        troubles.failed("a:1", &"why");
        assert_eq!(addresses(&troubles), ["a:1", "b:1"]);
        assert_eq!(troubles.now()[1].why, "the last");
        troubles.reached("a:1");
        assert_eq!(addresses(&troubles), ["b:1"]);
        tokio::time::advance(FORGOTTEN_AFTER).await;
        assert_eq!(addresses(&troubles), [""; 0]);
        for at in 0..ADDRESSES_MAX {
            tokio::time::advance(Duration::from_millis(1)).await;
            troubles.failed(&format!("many-{at}:1"), &"why");
        }
        assert_eq!(troubles.now().len(), ADDRESSES_MAX, "the oldest was forgotten");
    }
}
